import type { Certainty, Severity } from '../finding/index.ts';
import type { Interval } from '../net/index.ts';
import type { Locate, Mapping } from './decode.ts';

/** Stands in `Flow.from` for the networks and jump hosts that `admin_networks` of nwaudit.yaml names. */
export const ADMIN_NETWORKS = 'admin-networks';

/**
 * Destination ports of a flow. `service-range` is R(h) of the receiving host h: its service range (the
 * profile's, unless the configuration or an `nsrports` export narrows it) without the ports of `range-without` and without
 * the admin ports that h itself serves.
 */
export type PortTerm =
  | { readonly kind: 'ports'; readonly range: Interval }
  | { readonly kind: 'service-range' };

/** How sure a profile is of a flow: two independent sources or the vendor's text, one source, or a deduction. */
export type Confidence = 'high' | 'medium' | 'low';

/** A document, program or picture that a profile rests on. */
export interface ProfileSource {
  readonly id: string;
  readonly title: string;
}

/** When a flow is there at all; every part has to hold, and empty parts hold always. */
export interface FlowCondition {
  /** Each of these roles is had by a host of the datazone, or has networks. */
  readonly roles: readonly string[];
  /** None of these is. */
  readonly withoutRoles: readonly string[];
  /** nwaudit.yaml declares each of these under `features`. */
  readonly features: readonly string[];
  /** Whether the receiving host's service range is declared (`service_ports`, or an `nsrports` export) or the profile's. */
  readonly servicePorts: 'declared' | 'default' | undefined;
}

/** One permitted way between roles: who may open connections to whom, on which destination ports. */
export interface Flow {
  readonly id: string;
  /** Role ids of the profile, or `ADMIN_NETWORKS`. */
  readonly from: readonly string[];
  /** Role ids of the profile. */
  readonly to: readonly string[];
  /** IP protocol number. */
  readonly protocol: number;
  readonly ports: readonly PortTerm[];
  /** One open port of `ports` is enough where the flow is required: services that have a plain and an encrypted port. */
  readonly anyPort: boolean;
  readonly when: FlowCondition;
  /**
   * `required`: blocked is a finding. `allowed`: may be open, need not be. `vendor`: this profile sees no need,
   * the vendor requires it; open is the finding `check` with `severity` instead of an exposure.
   */
  readonly need: 'required' | 'allowed' | 'vendor';
  /** Check that reports an open `vendor` flow; `undefined` for one that is only mentioned. */
  readonly check: string | undefined;
  readonly severity: Severity | undefined;
  /** Where the flow stands: section titles of the guide, or the titles of the sources. */
  readonly where: string;
  /** `undefined` where the profile does not say. */
  readonly confidence: Confidence | undefined;
  readonly sources: readonly ProfileSource[];
  readonly note: string | undefined;
}

/** A TCP port of an administration service, and who serves it. */
export interface AdminPort {
  readonly port: number;
  /** What listens there; `undefined` where the profile does not say. */
  readonly title: string | undefined;
  readonly servedBy: readonly string[];
  /** Roles that serve it where no *other* host has one of `servedBy`; empty when there is no such fallback. */
  readonly elseServedBy: readonly string[];
}

/** A port that nobody has to reach from another host. */
export interface NeverRemotePort {
  readonly port: number;
  /** IP protocol number. */
  readonly protocol: number;
  /** What listens there. */
  readonly title: string;
  readonly note: string | undefined;
  readonly confidence: Confidence | undefined;
  readonly sources: readonly ProfileSource[];
}

/** A TCP port where a service is reached without encryption, and the one to use instead. */
export interface PlaintextPort {
  readonly port: number;
  readonly instead: number;
  /** The service, as the subject of a sentence. */
  readonly title: string;
  readonly servedBy: readonly string[];
}

/** How many service ports a role needs at least: with fewer, its processes find none to listen on. */
export interface MinimumPorts {
  readonly role: string;
  /** Fixed ports included. */
  readonly ports: number;
  /** One more each for so many of the host's devices. */
  readonly perDevice: number;
  /** Where the number comes from, and how sure it is. */
  readonly where: string;
}

/** Something an environment has or has not, on which flows depend; declared under `features` of nwaudit.yaml. */
export interface ProfileFeature {
  readonly id: string;
  readonly title: string;
}

export interface ProfileRole {
  readonly id: string;
  readonly title: string;
}

/** Who needs what: the roles of an environment and the flows between them. */
export interface Profile {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly roles: readonly ProfileRole[];
  /** Ports that processes of the product may listen on unless a host narrows it; `undefined`: it has no such range. */
  readonly serviceRange: Interval | undefined;
  /** Ports of the service range that a flow's `service-range` leaves out, because flows name them one by one. */
  readonly rangeWithout: readonly number[];
  /** Ports inside every host's service range that never move. */
  readonly fixedPorts: readonly number[];
  /** Source ports old releases used; as destinations they point at a rule written for the wrong direction. */
  readonly connectionPorts: Interval | undefined;
  readonly adminPorts: readonly AdminPort[];
  readonly neverRemote: readonly NeverRemotePort[];
  readonly plaintextPorts: readonly PlaintextPort[];
  readonly minimumPorts: readonly MinimumPorts[];
  readonly features: readonly ProfileFeature[];
  readonly sources: readonly ProfileSource[];
  readonly flows: readonly Flow[];
  /** The profile whose further requirements are told as advice; `undefined` for none. */
  readonly comparedWith: Profile | undefined;
  /** The profile as data, that of the profiles it extends included: what an extension of it starts from. */
  readonly data: unknown;
}

/**
 * A value that depends on the facts of a finding. The first case whose `when` holds wins; the last one has no
 * `when` and is the default. `when` holds when every named fact equals the given value.
 */
export interface Case<T> {
  readonly when: Readonly<Record<string, string | boolean>> | undefined;
  readonly is: T;
}

/** What an example of a check expects: one finding of this check. Absent parts are not compared. */
export interface ExpectedFinding {
  readonly host: string | undefined;
  readonly line: number | undefined;
  readonly severity: Severity | undefined;
  readonly certainty: Certainty | undefined;
}

/** Exports that show a check at work; run by a test and shown in the documentation. */
export interface Example {
  readonly name: string;
  /** An inline nwaudit.yaml as data; `undefined` for none. */
  readonly config: unknown;
  /** Texts by file name, relative to the scanned folder. */
  readonly files: Readonly<Record<string, string>>;
  /** In a bad example, every finding of this check that must appear, and no other; empty in a good one. */
  readonly expect: readonly ExpectedFinding[];
}

/**
 * The unit that gets a finding of a check with `when`: a rule (or the policy of a chain), a chain, or one way through a host
 * (input, forward, output).
 */
export const CHECK_SCOPES = ['rule', 'chain', 'host'] as const;
export type CheckScope = (typeof CHECK_SCOPES)[number];

/** Where a check was read from, for what is found to be wrong with it later. */
export interface CheckSource {
  readonly file: string;
  /** Line and column of a path inside the file; `null` in a compiled rule pack. */
  readonly locate: Locate;
}

/** The evaluator that reports what was not read and not run: it goes last. */
export const REPORTS_GAPS = 'unread-input';

/** One check as data: what it says and why. Its logic is the evaluator it names, or its predicates. */
export interface CheckDefinition {
  readonly id: string;
  /** Version that brought it; `undefined` where a user's rule pack does not say. */
  readonly since: string | undefined;
  /** `nursery` runs only when asked for. */
  readonly status: 'stable' | 'nursery';
  readonly title: string;
  readonly severity: Severity | readonly Case<Severity>[];
  /** Why it is as severe as that, and no more; `undefined` where a user's rule pack does not say. */
  readonly severityReason: string | undefined;
  /** Name of an evaluator in src/check/; `undefined` for a check with `when`. */
  readonly evaluate: string | undefined;
  /** Options of the evaluator, which alone knows their shape; `undefined` for none. */
  readonly options: unknown;
  /** The unit of a check with `when`; `undefined` for one with an evaluator. */
  readonly scope: CheckScope | undefined;
  /** Named predicates, all of which have to hold, with their options; only src/check/predicate knows their shape. */
  readonly when: Mapping | undefined;
  /** Sentence with `{fact}` placeholders, or cases of it. */
  readonly message: string | readonly Case<string>[];
  readonly rationale: string;
  readonly remediation: string;
  readonly references: readonly string[];
  readonly examples: { readonly bad: readonly Example[]; readonly good: readonly Example[] };
  readonly source: CheckSource;
  /** The user's rule pack it comes from, as `--rules` names it; `undefined` for the built-in one. */
  readonly pack: string | undefined;
}

/** Everything under `rules/`, loaded. Sorted by id. */
export interface RulePack {
  readonly profiles: readonly Profile[];
  readonly checks: readonly CheckDefinition[];
}
