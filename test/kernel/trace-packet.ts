import { parseProtocol } from '../../src/net/index.ts';

/** One packet in the words of the `trace` contract (design notes, "trace is a contract for programs"). */
export interface TracePacket {
  readonly hook: 'input' | 'forward' | 'output';
  readonly saddr: string;
  readonly daddr: string;
  /** Protocol name or number. */
  readonly proto: string | number;
  readonly sport?: number;
  readonly dport?: number;
  readonly icmp_type?: number;
  readonly icmp_code?: number;
  /** Absent: an interface that no rule names. */
  readonly iif?: string;
  readonly oif?: string;
  /** Lower-case names. Absent: `["syn"]`. */
  readonly tcp_flags?: readonly string[];
  /** Absent: `new`. */
  readonly ct_state?: 'new' | 'established' | 'related' | 'invalid' | 'untracked';
  readonly mark?: number;
  readonly ct_mark?: number;
  readonly smac?: string;
  readonly dscp?: number;
  readonly ttl?: number;
  /** Length of the whole IP packet in bytes; shorter than its headers is not possible. */
  readonly length?: number;
  readonly pkttype?: 'unicast' | 'broadcast' | 'multicast';
}

/** Name given to the interface of a packet that says none: no rule set of the tests uses it. */
export const UNNAMED_INTERFACE = 'nwother0';

/** Protocol number of a packet. Throws on an unknown name: these packets are written by us. */
export function protocolOf(packet: TracePacket): number {
  const number = parseProtocol(String(packet.proto));
  if (number === undefined) throw new Error(`unknown protocol ${packet.proto}`);
  return number;
}

/** Packets of a JSON Lines text, one object a line; empty lines are skipped. */
export function parsePackets(text: string): TracePacket[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  // The files are ours and reviewed; the kernel run itself fails on a packet that makes no sense.
  return lines.map((line) => JSON.parse(line) as TracePacket);
}
