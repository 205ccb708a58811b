import { CT_STATE, type Packet, type PacketAnswer } from '../model/index.ts';
import { PROTOCOLS_WITH_PORTS } from '../net/index.ts';
import type { Header, PacketSet } from '../packet-set/index.ts';
import type { HostSpace } from './host-space.ts';
import { deliveredBits, type PathAnalysis } from './packet-path.ts';

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
  const arrived = { daddr: packet.daddr, dport: packet.dport };
  if (space.isEmpty(left)) {
    const rejected = space.isFull(space.restrict(analysis.rejected, header));
    return { verdict: rejected ? 'reject' : 'drop', delivered: arrived, unknowns: [], missingFields: [] };
  }
  const delivered = deliveredTo(host, analysis, packet, header);
  if (space.isFull(left)) return { verdict: 'accept', delivered, unknowns: [], missingFields: [] };
  return {
    verdict: 'unknown',
    delivered,
    unknowns: host.unknownsOf(left),
    missingFields: space.support(left).fields.filter((f) => f !== 'version'),
  };
}

/** Destination after NAT where every accepting environment agrees on a known value; `undefined` elsewhere. */
function deliveredTo(
  host: HostSpace,
  analysis: PathAnalysis,
  packet: Packet,
  header: Header,
): PacketAnswer['delivered'] {
  const { space } = host;
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(packet.protocol);
  let daddr: bigint | undefined;
  let dport: bigint | undefined;
  let first = true;
  for (const { environment, set } of analysis.accepted.values()) {
    if (space.isEmpty(space.restrict(set, header))) continue;
    const bits = deliveredBits(host, environment, analysis.version);
    const to = bits.redirected ? undefined : constantOf(host, bits.daddr, header);
    const port = hasPorts ? constantOf(host, bits.dport, header) : undefined;
    daddr = first || daddr === to ? to : undefined;
    dport = first || dport === port ? port : undefined;
    first = false;
  }
  return { daddr, dport: dport === undefined ? undefined : Number(dport) };
}

/** The number formed by bit functions for one packet, or `undefined` when an unknown takes part in it. */
function constantOf(host: HostSpace, bits: readonly PacketSet[], header: Header): bigint | undefined {
  let value = 0n;
  for (const bit of bits) {
    const known = host.space.restrict(bit, header);
    if (!host.space.isEmpty(known) && !host.space.isFull(known)) return undefined;
    value = (value << 1n) | (host.space.isFull(known) ? 1n : 0n);
  }
  return value;
}
