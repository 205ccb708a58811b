/** What a firewalld configuration says, as its files say it: nothing translated, nothing assumed. Format: firewalld.zone(5) and the pages it names. */
import type { Origin } from '../../model/index.ts';

/** A zone's, policy's or rule's port: numbers or ranges of one protocol. `port` may be empty with a protocol only in services. */
export interface PortElement {
  /** `7938`, `7937-7954`, or a service name; as written. Empty: the whole protocol (services only). */
  readonly port: string;
  readonly protocol: string;
  readonly origin: Origin;
}

export interface NamedElement {
  /** Name as written: a service, an interface, a protocol, an icmptype, a module, a helper. */
  readonly name: string;
  readonly origin: Origin;
}

/** A source a zone is bound to. `kind` `address`: IPv4, IPv6 or MAC address, prefix with length or mask (firewalld refuses `ipset:name` there). */
export interface ZoneSource {
  readonly kind: 'address' | 'ipset';
  /** As written. */
  readonly value: string;
  readonly origin: Origin;
}

export interface ForwardPortElement {
  readonly port: string;
  readonly protocol: string;
  /** As written; `undefined` keeps the port. */
  readonly toPort: string | undefined;
  /** As written; `undefined`: this host. */
  readonly toAddress: string | undefined;
  readonly origin: Origin;
}

/** Source or destination of a rich rule. */
export interface RichEndpoint {
  readonly kind: 'address' | 'mac' | 'ipset';
  readonly value: string;
  readonly invert: boolean;
  readonly origin: Origin;
}

/** The one element a rich rule is about. */
export type RichElement =
  | {
      readonly kind: 'service' | 'protocol' | 'icmp-block' | 'icmp-type';
      readonly name: string;
      readonly origin: Origin;
    }
  | {
      readonly kind: 'port' | 'source-port';
      readonly port: string;
      readonly protocol: string;
      readonly origin: Origin;
    }
  | { readonly kind: 'masquerade'; readonly origin: Origin }
  | ({ readonly kind: 'forward-port' } & ForwardPortElement)
  /** `value` as written, `pmtu` where absent. */
  | { readonly kind: 'tcp-mss-clamp'; readonly value: string; readonly origin: Origin };

export interface RichAction {
  readonly kind: 'accept' | 'reject' | 'drop' | 'mark';
  /** `type` of a reject, as written. */
  readonly rejectType: string | undefined;
  /** `set` of a mark, as written: `0x1`, `1/0xff`. */
  readonly mark: string | undefined;
  /** `limit value`, as written: `2/m`. A rule with a limit acts on some packets only. */
  readonly limit: string | undefined;
  readonly origin: Origin;
}

/** `log`, `nflog` or `audit`: no effect on packets. */
export interface RichLog {
  readonly kind: 'log' | 'nflog' | 'audit';
  readonly limit: string | undefined;
  readonly origin: Origin;
}

export interface RichRule {
  /** `ipv4`, `ipv6` or `undefined` where absent; other texts as written. */
  readonly family: string | undefined;
  /** As written; `undefined` where absent, which is 0. */
  readonly priority: string | undefined;
  readonly source: RichEndpoint | undefined;
  readonly destination: RichEndpoint | undefined;
  /** As found; firewalld takes exactly one, or none with an address or a priority. */
  readonly elements: readonly RichElement[];
  readonly logs: readonly RichLog[];
  readonly actions: readonly RichAction[];
  readonly origin: Origin;
}

/** What zones and policies share. Elements in the order of the file. */
export interface ZoneOrPolicy {
  /** From the file's name without `.xml`, folders in it joined by `/`. */
  readonly name: string;
  /** As written; `undefined` where absent: `default` for zones, `CONTINUE` for policies. */
  readonly target: string | undefined;
  readonly services: readonly NamedElement[];
  readonly ports: readonly PortElement[];
  readonly protocols: readonly NamedElement[];
  readonly sourcePorts: readonly PortElement[];
  readonly icmpBlocks: readonly NamedElement[];
  readonly masquerade: Origin | undefined;
  readonly forwardPorts: readonly ForwardPortElement[];
  readonly richRules: readonly RichRule[];
  readonly origin: Origin;
}

export interface Zone extends ZoneOrPolicy {
  readonly interfaces: readonly NamedElement[];
  readonly sources: readonly ZoneSource[];
  readonly icmpBlockInversion: Origin | undefined;
  /** `<forward/>`: traffic between what is bound to this zone. */
  readonly forward: Origin | undefined;
  /** firewalld 2.x: `ingress-priority` and `egress-priority`, or `priority` for both; `undefined` where absent (0). */
  readonly ingressPriority: string | undefined;
  readonly egressPriority: string | undefined;
}

export interface Policy extends ZoneOrPolicy {
  /** As written; `undefined` where absent (-1). */
  readonly priority: string | undefined;
  /** Zone names, `HOST`, `ANY`. */
  readonly ingressZones: readonly NamedElement[];
  readonly egressZones: readonly NamedElement[];
  /** firewalld 2.x `<disable/>`. */
  readonly disabled: boolean;
}

export interface Service {
  readonly name: string;
  readonly ports: readonly PortElement[];
  readonly protocols: readonly NamedElement[];
  readonly sourcePorts: readonly PortElement[];
  readonly includes: readonly NamedElement[];
  /** Conntrack helper modules and helpers; they admit nothing themselves, see `related`. */
  readonly helpers: readonly NamedElement[];
  /** `destination ipv4=… ipv6=…`, as written. Only one given: the other IP version is left out. */
  readonly destination:
    | { readonly ipv4: string | undefined; readonly ipv6: string | undefined; readonly origin: Origin }
    | undefined;
  readonly origin: Origin;
}

export interface Ipset {
  readonly name: string;
  /** `hash:net`, `hash:ip,port`, … as written. */
  readonly type: string;
  /** `family`, `timeout`, `hashsize`, `maxelem`, by name. */
  readonly options: ReadonlyMap<string, string>;
  readonly entries: readonly { readonly text: string; readonly origin: Origin }[];
  readonly origin: Origin;
}

export interface Icmptype {
  readonly name: string;
  /** IP versions it exists in: both where the file has no `destination`. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly origin: Origin;
}

export interface DirectRule {
  /** `ipv4`, `ipv6` or `eb`. */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Lower first; 0 where absent. */
  readonly priority: number;
  /** Arguments as written, to be split as a shell would. */
  readonly args: string;
  readonly origin: Origin;
}

export interface Direct {
  readonly chains: readonly {
    readonly family: string;
    readonly table: string;
    readonly chain: string;
    readonly origin: Origin;
  }[];
  readonly rules: readonly DirectRule[];
  /** `<passthrough ipv="ipv4">-A INPUT …</passthrough>`. */
  readonly passthroughs: readonly {
    readonly family: string;
    readonly args: string;
    readonly origin: Origin;
  }[];
  readonly origin: Origin;
}

/** Keys of firewalld.conf as written, lower-case names, later ones first wins as firewalld does it. */
export interface Settings {
  readonly values: ReadonlyMap<string, { readonly value: string; readonly origin: Origin }>;
  readonly origin: Origin;
}

/**
 * An interface bound to a zone outside the zone files: NetworkManager, ifcfg, or the inventory. The zone `''`: the connection names none, which means
 * the default zone.
 */
export interface InterfaceBinding {
  readonly interface: string;
  readonly zone: string;
  readonly origin: Origin;
}

/** Something wrong with a file, and what firewalld makes of it. */
export interface ConfigurationProblem {
  /** `fatal`: firewalld gives up the whole configuration and runs the stock one. `skipped`: this part has no effect. `note`: no consequence. */
  readonly consequence: 'fatal' | 'skipped' | 'note';
  /**
   * Set where nwaudit does not know what firewalld makes of it (an internal DTD, a name from /etc/services that is not in
   * our table, two files of one name): a report must say it is incomplete. With `skipped` the part is left out of the
   * configuration, with `note` it is in it. Never together with `fatal`.
   */
  readonly uncertain?: true;
  readonly origin: Origin;
  /** The cause only, as a clause without capital and full stop; `describeProblem` adds the consequence. */
  readonly detail: string;
}

/** Definitions the distribution ships, in the same shape: what `/usr/lib/firewalld` has. Used where no file of the export replaces them. */
export interface StockDefinitions {
  readonly zones: readonly Zone[];
  readonly services: readonly Service[];
  readonly icmptypes: readonly Icmptype[];
  readonly ipsets: readonly Ipset[];
  readonly helpers: readonly NamedElement[];
  readonly policies: readonly Policy[];
}

/** Everything the files of one host say about its firewalld. Files of one kind and name: the last folder wins (only one is exported normally). */
export interface FirewalldConfiguration {
  readonly settings: Settings | undefined;
  readonly zones: readonly Zone[];
  readonly policies: readonly Policy[];
  readonly services: readonly Service[];
  readonly ipsets: readonly Ipset[];
  readonly icmptypes: readonly Icmptype[];
  readonly helpers: readonly NamedElement[];
  readonly direct: Direct | undefined;
  readonly bindings: readonly InterfaceBinding[];
  /**
   * First place with something only firewalld 2.x takes, absent where there is none: firewalld 1.x would refuse the whole
   * configuration there. nwaudit assumes the version that accepts the files.
   */
  readonly needsVersion2?: Origin;
  readonly problems: readonly ConfigurationProblem[];
}
