import type { IpVersion } from '../net/index.ts';
import type { CtState } from './field.ts';
import type { Origin } from './origin.ts';
import type { Family, Hook } from './ruleset.ts';

/** The way a packet takes through the host: prerouting+input, prerouting+forward+postrouting, or output+postrouting. */
export type PacketHook = 'input' | 'forward' | 'output';

/**
 * One packet as it arrives (or, on output, as it is sent), before any NAT. Absent optional fields are not known:
 * a match on one of them is an unknown predicate.
 */
export interface Packet {
  readonly hook: PacketHook;
  readonly version: IpVersion;
  readonly saddr: bigint;
  readonly daddr: bigint;
  readonly protocol: number;
  /** Present exactly for protocols with ports. */
  readonly sport: number | undefined;
  readonly dport: number | undefined;
  /** Present exactly for ICMP and ICMPv6. */
  readonly icmpType: number | undefined;
  readonly icmpCode: number | undefined;
  /** `undefined`: an interface that no rule names. */
  readonly iif: string | undefined;
  readonly oif: string | undefined;
  /** Flag bits (`TCP_FLAG`); 0 for other protocols. */
  readonly tcpFlags: number;
  readonly ctState: CtState;
  readonly mark: bigint;
  readonly ctMark: bigint;
  readonly smac: bigint | undefined;
  readonly dscp: number | undefined;
  readonly ecn: number | undefined;
  readonly ttl: number | undefined;
  readonly length: number | undefined;
  readonly pkttype: number | undefined;
  /** NAT status of an established or related packet's connection; ignored for others, which have none yet. */
  readonly ctDnat: boolean | undefined;
  readonly ctSnat: boolean | undefined;
}

/** One step of a packet's way: a rule that matched, or the chain policy that decided. */
export interface PathStep {
  readonly origin: Origin;
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  readonly hook: Hook;
  /** Rule text; `null` for a chain policy. */
  readonly rule: string | null;
  /** `accept`, `drop`, `reject`, `return`, `continue`, `jump NAME`, `goto NAME`, `dnat`, `redirect`, `snat`, `masquerade`, `queue`, `unknown`. */
  readonly verdict: string;
}

/** What happens to a packet. */
export interface PacketAnswer {
  /** `unknown` only when the verdict really depends on an unknown predicate. */
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown';
  /** Destination after NAT; `undefined` where REDIRECT or an unknown makes it impossible to tell. */
  readonly delivered: { readonly daddr: bigint | undefined; readonly dport: number | undefined };
}
