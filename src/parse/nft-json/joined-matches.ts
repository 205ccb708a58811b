/**
 * Matches with `!=` that nft may have joined when it loaded a rule.
 *
 * nft 1.0.6 makes one comparison of two matches on neighbouring fields of a header, also of two `!=`: `tcp sport != 22 tcp dport != 80`
 * is loaded as "the four bytes are not 22, 80", which holds where *either* port differs. It prints that comparison as the two matches
 * again, one behind the other and in the order of the header. A rule that another program loaded as two comparisons is printed alike, so
 * the export does not tell. Seen with nft --debug=netlink, also for matches that stood apart in the rule. Source: nftables src/rule.c,
 * stmt_reduce(), and src/payload.c, payload_can_merge().
 */
import type { Condition } from '../../model/index.ts';
import { all, any, unknown } from './conditions.ts';
import { isObject, property, textProperty } from './json.ts';

/** Bytes of a header that a match compares. */
export interface HeaderPart {
  /** Header and, for named fields, its protocol: parts of different ones are not neighbours. */
  readonly base: string;
  /** In bytes, from the header's beginning. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** Offset and length in bytes of the fields that fill whole bytes. Source: nftables src/proto.c. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>> = {
  ether: { daddr: [0, 6], saddr: [6, 6], type: [12, 2] },
  ip: {
    length: [2, 2],
    id: [4, 2],
    ttl: [8, 1],
    protocol: [9, 1],
    checksum: [10, 2],
    saddr: [12, 4],
    daddr: [16, 4],
  },
  ip6: { length: [4, 2], nexthdr: [6, 1], hoplimit: [7, 1], saddr: [8, 16], daddr: [24, 16] },
  tcp: {
    sport: [0, 2],
    dport: [2, 2],
    sequence: [4, 4],
    ackseq: [8, 4],
    flags: [13, 1],
    window: [14, 2],
    checksum: [16, 2],
    urgptr: [18, 2],
  },
  udp: { sport: [0, 2], dport: [2, 2], length: [4, 2], checksum: [6, 2] },
  udplite: { sport: [0, 2], dport: [2, 2], csumcov: [4, 2], checksum: [6, 2] },
  sctp: { sport: [0, 2], dport: [2, 2], vtag: [4, 4], checksum: [8, 4] },
  dccp: { sport: [0, 2], dport: [2, 2] },
  th: { sport: [0, 2], dport: [2, 2] },
  icmp: {
    type: [0, 1],
    code: [1, 1],
    checksum: [2, 2],
    id: [4, 2],
    sequence: [6, 2],
    gateway: [4, 4],
    mtu: [6, 2],
  },
  icmpv6: {
    type: [0, 1],
    code: [1, 1],
    checksum: [2, 2],
    id: [4, 2],
    sequence: [6, 2],
    'packet-too-big': [4, 4],
    'parameter-problem': [4, 4],
    'max-delay': [4, 2],
  },
  igmp: { type: [0, 1], mrt: [1, 1], checksum: [2, 2], group: [4, 4] },
  ah: { nexthdr: [0, 1], hdrlength: [1, 1], reserved: [2, 2], spi: [4, 4], sequence: [8, 4] },
  esp: { spi: [0, 4], sequence: [4, 4] },
  comp: { nexthdr: [0, 1], flags: [1, 1], cpi: [2, 2] },
};

/** What a match statement with `!=` and one plain value compares; `undefined` for every other statement. */
export function differingPart(op: unknown, left: unknown, right: unknown): HeaderPart | undefined {
  if (op !== '!=') return undefined;
  // A set, range, prefix or concatenation stays a comparison of its own; so does a set by name.
  if (isObject(right) || Array.isArray(right) || (typeof right === 'string' && right.startsWith('@')))
    return undefined;
  const payload = property(left, 'payload');
  const protocol = textProperty(payload, 'protocol');
  const field = textProperty(payload, 'field');
  if (protocol !== undefined && field !== undefined) {
    const fields = Object.hasOwn(FIELDS, protocol) ? FIELDS[protocol]! : {};
    const place = Object.hasOwn(fields, field) ? fields[field] : undefined;
    return place === undefined ? undefined : { base: protocol, offset: place[0], length: place[1] };
  }
  const base = textProperty(payload, 'base');
  const offset = property(payload, 'offset');
  const length = property(payload, 'len');
  if (base === undefined || typeof offset !== 'number' || typeof length !== 'number') return undefined;
  if (offset % 8 !== 0 || length % 8 !== 0) return undefined;
  // nft prints these two as `th sport` and `th dport` where it can.
  return { base: base === 'th' ? 'th' : `@${base}`, offset: offset / 8, length: length / 8 };
}

/** Whether nft makes one comparison of both; `before` stands first in the rule. */
function mayJoin(before: HeaderPart, after: HeaderPart): boolean {
  const total = before.length + after.length;
  const isNeighbour =
    before.offset + before.length === after.offset || after.offset + after.length === before.offset;
  // Four bytes are read at once; beyond, only what is longer than that anyway is joined, up to a register.
  const fits = total <= 4 || (total <= 16 && (before.length > 4 || after.length > 4));
  return before.base === after.base && isNeighbour && fits;
}

/** First and last index of each run of statements that may be one comparison in the kernel. `undefined` in `parts`: another statement. */
export function joinedRuns(
  parts: readonly (HeaderPart | undefined)[],
): readonly (readonly [number, number])[] {
  const runs: (readonly [number, number])[] = [];
  for (let first = 0; first < parts.length; first++) {
    let whole = parts[first];
    let last = first;
    for (let next = parts[last + 1]; whole !== undefined && next !== undefined; next = parts[last + 1]) {
      if (!mayJoin(whole, next)) break;
      const offset = Math.min(whole.offset, next.offset);
      whole = { base: whole.base, offset, length: whole.length + next.length };
      last++;
    }
    if (last > first) runs.push([first, last]);
    first = last;
  }
  return runs;
}

/** All of the conditions hold, or only some of them do and nft has joined them. */
export function joinedCondition(conditions: readonly Condition[], text: string): Condition {
  const joined = unknown(
    'deterministic',
    `${text} is one comparison in the kernel, true where one of the fields differs`,
  );
  return any(all(...conditions), all(any(...conditions), joined));
}
