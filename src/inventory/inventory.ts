/**
 * What `nwaudit.yaml` says, decoded: hosts, roles, networks, exceptions and waivers (design.md, 4.1).
 *
 * Nothing here depends on the YAML library. Names come from people and from file names, so everything
 * keyed by a name is a list or a `Map`, never a plain object: `__proto__` is a host name like any other.
 */
import type { Interval, IpVersion } from '../net/index.ts';

/**
 * Where in the configuration something is declared. Same shape and conventions as the origin of a rule
 * (1-based lines and columns, columns in UTF-16 code units, `endColumn` exclusive), so that findings can point here.
 */
export interface ConfigOrigin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** Path inside the document, such as `$.hosts.client-01.addresses[1]`. */
  readonly path: string | null;
}

/** Something wrong in the configuration. Any problem means exit code 2, so there is then no inventory. */
export interface ConfigProblem {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  /** Path inside the document; `$` for the whole of it. */
  readonly path: string;
  /** One sentence: what was found and what was expected. */
  readonly message: string;
}

/** A closed range of addresses of one IP version, with the place that declares it. */
export interface AddressRange {
  readonly version: IpVersion;
  readonly range: Interval;
}

/** An address range that someone wrote down. */
export interface DeclaredRange extends AddressRange {
  readonly origin: ConfigOrigin;
}

/**
 * Ports of one protocol. `ports` is normalized, within 1-65535; it is empty exactly for protocols without
 * ports (icmp, esp), where the whole protocol is meant.
 */
export interface PortSelector {
  /** IP protocol number, 0-255. */
  readonly protocol: number;
  readonly ports: readonly Interval[];
}

/**
 * One end of an exception. `host` holds a host name or a pattern over host names (`*`), `role` every host of that
 * role (and, as a source, the networks of `role_networks`), `addresses` an address, prefix or range.
 */
export type Endpoint =
  | { readonly kind: 'host'; readonly pattern: string; readonly origin: ConfigOrigin }
  | { readonly kind: 'role'; readonly role: string; readonly origin: ConfigOrigin }
  | { readonly kind: 'addresses'; readonly range: DeclaredRange; readonly origin: ConfigOrigin };

/** One entry below `hosts:`: a host by name, or a pattern over the host names found in the exports. */
export interface InventoryHost {
  /** As written; a pattern when it contains `*`. */
  readonly name: string;
  readonly isPattern: boolean;
  /** Empty when the entry names no role. No duplicates, in the order written. */
  readonly roles: readonly string[];
  /** Empty for patterns: hosts cannot share addresses. */
  readonly addresses: readonly DeclaredRange[];
  /** `nsrports` service port ranges, normalized; absent: the default of the profile. */
  readonly servicePorts?: readonly Interval[];
  /** `nsrports` connection port ranges, normalized; absent, or written `0-0`: not restricted. */
  readonly connectionPorts?: readonly Interval[];
  /** How many devices it has: each takes a service port of a storage node or server. */
  readonly devices?: number;
  /** Patterns over file paths: the files that belong to this host. */
  readonly exports: readonly ExportPattern[];
  /** Interface name to firewalld zone. */
  readonly interfaces: ReadonlyMap<string, string>;
  /** Whose package of firewalld it has. */
  readonly distribution?: FirewalldDistribution;
  readonly datazone?: string;
  /** Storage nodes this client uses, as host names or patterns; absent: all of its datazone. */
  readonly storageNodes?: readonly HostReference[];
  /** Gateways between this host and hosts that do not name them. */
  readonly behind?: readonly HostReference[];
  readonly origin: ConfigOrigin;
}

/** Whose firewalld a host has: Red Hat's and its relatives' differs in the stock zone `public`, which admits cockpit. */
export type FirewalldDistribution = 'rhel' | 'upstream';

/** A pattern of `exports:` with its place. */
export interface ExportPattern {
  readonly pattern: string;
  readonly origin: ConfigOrigin;
}

/** A host name or pattern that refers to hosts declared or found elsewhere. */
export interface HostReference {
  readonly pattern: string;
  readonly origin: ConfigOrigin;
}

/** A named, justified widening of the profile: traffic that is allowed although no flow needs it. */
export interface AccessException {
  /** As written, or `exception-N` (1-based) where no id is given. Unique. */
  readonly id: string;
  /** Hosts that may be reached. At least one. */
  readonly to: readonly Endpoint[];
  /** Who may reach them. At least one. */
  readonly from: readonly Endpoint[];
  readonly ports: readonly PortSelector[];
  readonly reason: string;
  /** Empty when none is named. */
  readonly owner: string;
  /** ISO date; the exception holds up to and including that day. */
  readonly expires: string;
  readonly origin: ConfigOrigin;
}

/** A finding accepted as it stands. Every key given narrows it. The shape is what `applyWaivers` of finding/ takes. */
export interface Waiver {
  readonly check: string;
  /** Host name as declared, or a pattern with `*`; absent: every host. */
  readonly host?: string;
  /** Exactly this finding (`nwaudit/v1:` and 32 hex digits). */
  readonly fingerprint?: string;
  readonly reason: string;
  /** Empty when none is named. */
  readonly owner: string;
  /** ISO date; the waiver holds up to and including that day. */
  readonly expires: string;
  readonly origin: ConfigOrigin;
}

/** Everything `nwaudit.yaml` declares, in the order written. */
export interface Inventory {
  /** The file it was read from, as the caller named it; `exports:` patterns are relative to its folder. */
  readonly file: string;
  /** `guide`, `vendor`, or a path. */
  readonly profile?: string;
  /** What the environment has beyond roles: features of the profile, without duplicates. Flows may depend on them. */
  readonly features: readonly string[];
  readonly adminNetworks: readonly DeclaredRange[];
  readonly roleNetworks: ReadonlyMap<string, readonly DeclaredRange[]>;
  readonly hosts: readonly InventoryHost[];
  readonly exceptions: readonly AccessException[];
  readonly waivers: readonly Waiver[];
}

/** Roles that exist in every profile. A profile may define others. */
export const BUILT_IN_ROLES: readonly string[] = [
  'server',
  'client',
  'storage-node',
  'nmc',
  'auth',
  'data-domain',
  'gateway',
  'nwui',
  'vproxy',
  'ndmp-filer',
  'licence-server',
];

/** Features that may be declared whatever the profile: those of the shipped ones, so that one configuration serves all. */
export const BUILT_IN_FEATURES: readonly string[] = [
  'message-bus',
  'client-direct',
  'nsrlogin',
  'replication',
];

/** Datazone of hosts that name none. */
export const DEFAULT_DATAZONE = 'default';

/** How the roles of a host are known. */
export type RoleSource = 'configuration' | 'name' | 'unknown';

/** A host of the audit: found in the exports, declared, or both. */
export interface ResolvedHost {
  readonly name: string;
  /** Empty exactly when `roleSource` is `unknown`. */
  readonly roles: readonly string[];
  readonly roleSource: RoleSource;
  /** Declared addresses; empty when none are known. */
  readonly addresses: readonly DeclaredRange[];
  /** As `nsrports` of the host printed them, else as declared; absent: not known, and the profile's default counts. */
  readonly servicePorts?: readonly Interval[];
  /** The entry whose `service_ports` count for it, its own or a pattern; absent without one, and where `nsrports` counts instead. */
  readonly servicePortsBy?: InventoryHost;
  readonly connectionPorts?: readonly Interval[];
  /** How many devices it has, where declared. */
  readonly devices?: number;
  /** Declared ports of a host whose `nsrports` output counts instead. */
  readonly declaredServicePorts?: readonly Interval[];
  readonly datazone: string;
  /** Names of the storage nodes it uses; absent: all of its datazone. */
  readonly storageNodes?: readonly string[];
  /** Names of the gateways between it and hosts that do not name them. */
  readonly behind?: readonly string[];
  /** Interface name to firewalld zone. */
  readonly interfaces: ReadonlyMap<string, string>;
  /** Whose package of firewalld it has; absent: told from its files where they show it. */
  readonly distribution?: FirewalldDistribution;
  /** Whether exports of it were read; otherwise it is known from the configuration only. */
  readonly hasExport: boolean;
  /** The configuration entry closest to it (its own name before a pattern); absent without an entry. */
  readonly origin?: ConfigOrigin;
}
