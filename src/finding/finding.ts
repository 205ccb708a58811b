import type { Family, Origin } from '../model/index.ts';

/** From least to most severe. */
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** `certain` holds whatever the unknown predicates are; `possible` hangs on those that the finding names. */
export type Certainty = 'certain' | 'possible';

/** A place in an export, with what stands there. */
export interface FindingOrigin extends Origin {
  readonly family: Family | null;
  readonly table: string | null;
  readonly chain: string | null;
  /** Text of the rule without counters; `null` where the place is not a rule (chain policy, file). */
  readonly rule: string | null;
  /** nft handle of the rule: what `nft` commands name it by. Absent where the export has none. */
  readonly handle?: number;
}

/** Another place that belongs to the finding, with what it has to do with it: "shadowed by this rule". */
export interface RelatedOrigin {
  readonly origin: FindingOrigin;
  readonly label: string;
}

/** Which packets a finding is about, as people read it. */
export interface Exposure {
  /** Source addresses, as prefixes, addresses or ranges. */
  readonly saddr: readonly string[];
  /** Inside `saddr` but not exposed: the peers and networks that are entitled to the access. */
  readonly except: readonly string[];
  readonly proto: readonly string[];
  /** Destination ports as delivered, e.g. `7938-9936`; empty for protocols without ports. */
  readonly dport: readonly string[];
  /** Number of addresses in `saddr`, exact, as decimal text (IPv6 counts exceed doubles). Of more than 5,000 ranges of a version the lowest are listed. */
  readonly addresses: string;
  readonly ports: number;
}

/** A part of what a finding is about: who (addresses, or names of peers or rules), and by which protocols and ports. */
export interface ExtentPart {
  readonly who: readonly string[];
  readonly proto: readonly string[];
  /** As in `Exposure.dport`. */
  readonly ports: readonly string[];
}

/** One packet that shows the finding; the fields `trace` takes. */
export interface Witness {
  readonly hook: 'input' | 'forward' | 'output';
  readonly saddr: string;
  readonly daddr: string;
  readonly proto: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly icmp_type?: number;
  readonly icmp_code?: number;
  readonly iif?: string;
  readonly oif?: string;
  readonly tcp_flags?: readonly string[];
  readonly ct_state?: string;
  readonly mark?: number;
  readonly smac?: string;
}

/** Replacement in one dialect: the rule lines to write, and the command that puts them there. */
export interface RemediationCommand {
  readonly dialect: 'iptables' | 'nft' | 'firewalld';
  /** The rule as exported that `with` replaces; `null` when something is added. */
  readonly replace: string | null;
  readonly with: readonly string[];
  /** For a shell; empty where the export lacks what a command needs (then the note says what). */
  readonly command: string;
}

export interface Remediation {
  /** What to change, and what that could break, in a few sentences. */
  readonly text: string;
  readonly commands: readonly RemediationCommand[];
  /** Why there is no command, or what to look at before running one. */
  readonly note?: string;
}

/** Why a finding does not count. */
export interface Suppression {
  readonly kind: 'waiver' | 'baseline';
  readonly reason: string;
  readonly owner: string | null;
  /** ISO date after which the waiver no longer holds. */
  readonly expires: string | null;
}

/** One check, at one place, with facts. Plain data that survives JSON. */
export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  readonly certainty: Certainty;
  /** Host name; `null` for findings about the run itself (an expired exception). */
  readonly host: string | null;
  readonly roles: readonly string[];
  readonly hook: 'input' | 'forward' | 'output' | null;
  /** Short headline without names or numbers that vary. */
  readonly title: string;
  /** One sentence with the facts: who can reach what on which host, and who needs it. */
  readonly message: string;
  /** Why it matters, one or two sentences, from the check. */
  readonly why: string;
  /** The blamed rule or policy; `null` when there is no place (a host without export). */
  readonly origin: FindingOrigin | null;
  readonly related: readonly RelatedOrigin[];
  readonly exposure: Exposure | null;
  /** How far it goes, where that may grow and `exposure` does not say it; see extent.ts. No part of the reports. */
  readonly extent?: readonly ExtentPart[];
  readonly witness: Witness | null;
  /** Texts of the unknown predicates the finding hangs on; empty when certain. */
  readonly unknowns: readonly string[];
  readonly remediation: Remediation | null;
  readonly references: readonly string[];
  /** `nwaudit/v1:` and 32 hex digits; see fingerprint.ts. */
  readonly fingerprint: string;
  readonly suppression: Suppression | null;
}
