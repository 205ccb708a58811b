import type { Interval, IpVersion } from '../net/index.ts';
import type { Condition } from './condition.ts';
import type { FieldName } from './field.ts';
import type { NamedSet } from './named-set.ts';
import type { Origin } from './origin.ts';

export type Family = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress';

/** One condition of a rule as its author wrote it. A rule matches when all of its matches do. */
export interface Match {
  /** The match's own text, negation included: `! -s 192.0.2.0/24`, `-m conntrack --ctstate NEW`. */
  readonly text: string;
  readonly condition: Condition;
}

/** What a rule does besides, or instead of, deciding the packet. Executed in order when the rule matches. */
export type Statement =
  /** `field := (field & and) ^ xor`. */
  | {
      readonly kind: 'set-field';
      readonly field: FieldName;
      readonly and: bigint;
      readonly xor: bigint;
      readonly text: string;
    }
  /** `field := (field & and) ^ (from & fromMask)`. CONNMARK --save-mark and --restore-mark. */
  | {
      readonly kind: 'copy-field';
      readonly field: 'mark' | 'ct-mark';
      readonly from: 'mark' | 'ct-mark';
      readonly and: bigint;
      readonly fromMask: bigint;
      readonly text: string;
    }
  /** `field` gets a value that is not modelled. */
  | { readonly kind: 'unknown-field'; readonly field: FieldName; readonly text: string }
  /** The packet is not tracked: its connection state becomes untracked. Effective before connection tracking only. */
  | { readonly kind: 'notrack'; readonly text: string }
  /**
   * The packet is given to the transparent socket of a local program: where it is delivered, it is to `port`, whatever its
   * destination says. `'own'`: the destination port it has now; `undefined`: not known. Source: linux xt_TPROXY.c, nft_tproxy.c.
   */
  | { readonly kind: 'hand-over'; readonly port: number | 'own' | undefined; readonly text: string }
  /** No effect on any modelled field: LOG, NFLOG, TCPMSS, counter, SET (see `NamedSet.dynamic`). */
  | { readonly kind: 'no-effect'; readonly text: string };

/** Address translation. In a nat chain it ends the chain's traversal for the connection (as accept does). */
export interface Nat {
  readonly kind: 'dnat' | 'redirect' | 'snat' | 'masquerade';
  /** New address or addresses, each a closed interval; `undefined` keeps the address (or, for redirect and masquerade, takes the interface's own). */
  readonly addresses: Interval | undefined;
  readonly version: IpVersion | undefined;
  /** New port or ports; `undefined` keeps the port where possible. */
  readonly ports: Interval | undefined;
  /**
   * The port is chosen anew from `ports` even where the packet's own lies in it already (`--random`, a shifted range). Absent:
   * such a port stays.
   */
  readonly portMoves?: boolean;
  /**
   * The new address cannot be told exactly (NETMAP, random or persistent mappings of more than one address are
   * still told as an interval): it may be anything.
   */
  readonly unknownTarget: boolean;
}

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'reject'; readonly with: string }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'nat'; readonly nat: Nat }
  /** Handed to a program: what it decides is unknown. */
  | { readonly kind: 'queue'; readonly bypass: boolean; readonly text: string }
  /** A target that is not modelled or could not be read: it may accept, may drop, may go on. */
  | { readonly kind: 'unknown'; readonly text: string };

export interface Rule {
  readonly matches: readonly Match[];
  readonly statements: readonly Statement[];
  readonly verdict: Verdict;
  /** The rule as exported, without counters: `-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT`. */
  readonly text: string;
  /** Text of the rule's comment match, `undefined` when it has none. */
  readonly comment: string | undefined;
  readonly counters: { readonly packets: bigint; readonly bytes: bigint } | undefined;
  /**
   * 1-based position in the chain as the kernel counts it, `undefined` for a stand-in of something unread that
   * is not a rule of its own.
   */
  readonly number: number | undefined;
  /** nft handle, `undefined` where the export has none. */
  readonly handle: number | undefined;
  readonly origin: Origin;
  /** What of a firewalld configuration the rule stands for; absent for firewalld's own rules and for those of other programs. */
  readonly configured?: ConfiguredElement;
}

/** The element of a firewalld zone or policy that a rule stands for. One element may make several rules. */
export interface ConfiguredElement {
  readonly holder: { readonly kind: 'zone' | 'policy'; readonly name: string };
  readonly element:
    | 'service'
    | 'port'
    | 'source-port'
    | 'protocol'
    | 'icmp-block'
    | 'masquerade'
    | 'forward-port'
    | 'rich-rule'
    | 'target'
    | 'interface'
    | 'source'
    | 'forward'
    | 'icmp-block-inversion';
  /** As firewall-cmd takes it behind `--remove-service=` and the like: `cockpit`, `7938/tcp`, a rich rule; empty where it takes nothing. */
  readonly value: string;
  /** `false` where the element says more than `value` does (text of a log): firewall-cmd would not find it by that. */
  readonly valueIsWhole: boolean;
  /** The service whose name admits the packets, in a rich rule too. */
  readonly service?: ConfiguredService;
}

/** A service named in a zone, policy or rich rule. */
export interface ConfiguredService {
  readonly name: string;
  /** The service that has the port or protocol of this rule: `name` itself or one that it includes. */
  readonly definedBy: string;
  /** Where that definition stands; `undefined` where the export has none and firewalld's own is assumed. */
  readonly definition: Origin | undefined;
}

/** What makes a chain a base chain. Priorities as in nft(8); iptables tables have fixed ones. */
export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: Hook;
  readonly priority: number;
  /** Default verdict at the end of the chain. */
  readonly chainPolicy: 'accept' | 'drop';
}

export interface Chain {
  readonly name: string;
  /** `undefined` for a regular chain. */
  readonly base: BaseChain | undefined;
  readonly rules: readonly Rule[];
  /** Where the chain is declared, or its first rule where no declaration was exported. */
  readonly origin: Origin;
}

export interface Table {
  readonly family: Family;
  readonly name: string;
  /** What wrote this table: decides dialect of remediation and the meaning of set names. */
  readonly dialect: 'iptables' | 'nft' | 'firewalld';
  /** Dormant tables do nothing. */
  readonly dormant: boolean;
  readonly chains: readonly Chain[];
  readonly origin: Origin;
}

/** Everything parsed from one host's exports, or from one of its files. */
export interface Ruleset {
  readonly tables: readonly Table[];
  /** ipsets, which all iptables tables share by name. */
  readonly namedSets: readonly NamedSet[];
}

export const EMPTY_RULESET: Ruleset = { tables: [], namedSets: [] };
