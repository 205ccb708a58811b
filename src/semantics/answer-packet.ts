import { CT_STATE, type Packet, type PacketAnswer } from '../model/index.ts';
import { PROTOCOLS_WITH_PORTS } from '../net/index.ts';
import type { Header, PacketSet } from '../packet-set/index.ts';
import { deliveredBits } from './delivered.ts';
import type { HostSpace } from './host-space.ts';
import type { PathAnalysis } from './packet-path.ts';
import { UNTOLD_TTL } from './statement-effect.ts';

/** A packet's fate as the packet sets tell it. */
export interface SetAnswer extends PacketAnswer {
  /** Texts of the unknown predicates on which acceptance depends; empty unless the verdict is unknown. */
  readonly unknowns: readonly string[];
  /** Header fields that the packet does not give and on which acceptance depends. */
  readonly missingFields: readonly string[];
}

/** No interface name can contain a NUL, so no exact name and no prefix of a rule matches this one. */
const UNMENTIONED_INTERFACE = '\u0000';

function headerOf(packet: Packet): Header {
  const big = (n: number | undefined) => (n === undefined ? undefined : BigInt(n));
  const older = packet.ctState === 'established' || packet.ctState === 'related';
  const flag = (b: boolean | undefined) => (older && b !== undefined ? BigInt(b) : undefined);
  return {
    version: packet.version,
    saddr: packet.saddr,
    daddr: packet.daddr,
    protocol: BigInt(packet.protocol),
    sport: big(packet.sport),
    dport: big(packet.dport),
    'icmp-type': big(packet.icmpType),
    'icmp-code': big(packet.icmpCode),
    'tcp-flags': BigInt(packet.tcpFlags),
    'ct-state': BigInt(CT_STATE[packet.ctState]),
    'ct-dnat': flag(packet.ctDnat),
    'ct-snat': flag(packet.ctSnat),
    mark: packet.mark,
    'ct-mark': packet.ctMark,
    smac: packet.smac,
    dscp: big(packet.dscp),
    ecn: big(packet.ecn),
    ttl: big(packet.ttl),
    length: big(packet.length),
    pkttype: big(packet.pkttype),
    fragment: 0n,
    iif: packet.hook === 'output' ? null : (packet.iif ?? UNMENTIONED_INTERFACE),
    oif: packet.hook === 'input' ? null : (packet.oif ?? UNMENTIONED_INTERFACE),
  };
}

/**
 * What the analysis of a way through the host says about one packet. The packet's hook and version must be those of the
 * analysis. `unknown` exactly when acceptance depends on something not known.
 */
export function answerPacket(host: HostSpace, analysis: PathAnalysis, packet: Packet): SetAnswer {
  const { space } = host;
  const header = headerOf(packet);
  const left = space.restrict(analysis.acceptedPackets, header);
  const asked = askedAbout(host, packet);
  if (!space.intersects(left, asked)) {
    const arrived = { daddr: packet.daddr, dport: packet.dport };
    const rejected = space.includes(space.restrict(analysis.rejected, header), asked);
    return { verdict: rejected ? 'reject' : 'drop', delivered: arrived, unknowns: [], missingFields: [] };
  }
  const delivered = deliveredTo(host, analysis, packet, header);
  if (space.includes(left, asked)) return { verdict: 'accept', delivered, unknowns: [], missingFields: [] };
  const undecided = withinAsked(host, left, asked);
  return {
    verdict: 'unknown',
    delivered,
    unknowns: host.unknownsOf(undecided, header),
    missingFields: space.support(undecided).fields.filter((f) => f !== 'version'),
  };
}

/** The packets that one may stand for: on the forward path one whose TTL is not told has some hops left. */
function askedAbout({ space }: HostSpace, packet: Packet): PacketSet {
  if (packet.hook !== 'forward' || packet.ttl !== undefined) return space.full;
  return space.inIntervals(space.bits('ttl'), [UNTOLD_TTL]);
}

/** A set that equals `set` within `asked`, and does not depend on the TTL where that makes no difference there. */
function withinAsked({ space }: HostSpace, set: PacketSet, asked: PacketSet): PacketSet {
  const anyTtl = space.exists(space.intersect(set, asked), space.variables({ fields: ['ttl'] }));
  return space.includes(set, space.intersect(anyTtl, asked)) ? anyTtl : set;
}

/** Destination after NAT where every accepting environment and valuation agrees on a known value; `undefined` elsewhere. */
function deliveredTo(
  host: HostSpace,
  analysis: PathAnalysis,
  packet: Packet,
  header: Header,
): PacketAnswer['delivered'] {
  const { space } = host;
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(packet.protocol);
  const asked = askedAbout(host, packet);
  const places = [...analysis.accepted.values()].flatMap(({ environment, set }) => {
    const accepting = space.intersect(space.restrict(set, header), asked);
    if (space.isEmpty(accepting)) return [];
    const numberOf = (field: 'daddr' | 'dport', arrived: bigint | undefined) => {
      const bits = deliveredBits(environment, field);
      return bits === undefined ? arrived : constantOf(host, bits, header, accepting);
    };
    return {
      daddr: environment.note('redirected') === undefined ? numberOf('daddr', packet.daddr) : undefined,
      dport: hasPorts ? numberOf('dport', header.dport) : undefined,
    };
  });
  const same = (field: 'daddr' | 'dport') =>
    places.every((place) => place[field] === places[0]?.[field]) ? places[0]?.[field] : undefined;
  const dport = same('dport');
  return { daddr: same('daddr'), dport: dport === undefined ? undefined : Number(dport) };
}

/** The number formed by bit functions for one packet where it is accepted, or `undefined` when it depends on an unknown. */
function constantOf(
  host: HostSpace,
  bits: readonly PacketSet[],
  header: Header,
  accepting: PacketSet,
): bigint | undefined {
  const { space } = host;
  let value = 0n;
  for (const bit of bits) {
    const known = space.restrict(bit, header);
    const isOne = space.includes(known, accepting);
    if (!isOne && space.intersects(known, accepting)) return undefined;
    value = (value << 1n) | (isOne ? 1n : 0n);
  }
  return value;
}
