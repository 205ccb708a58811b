import { CT_STATE, type CtState, type Packet, type PacketHook } from '../model/index.ts';
import { ICMP, ICMPV6, type IpVersion, PROTOCOLS_WITH_PORTS, TCP } from '../net/index.ts';
import type { Header } from '../packet-set/index.ts';

/**
 * The packet that a sampled header stands for, in the form in which both evaluators take packets. What the header does not say
 * makes no difference to the set it was sampled from, and gets a plain value where a packet must have one.
 */
export function witnessPacket(header: Header, path: PacketHook, version: IpVersion): Packet {
  const small = (field: 'sport' | 'dport' | 'icmp-type' | 'icmp-code' | RareField): number | undefined =>
    header[field] === undefined ? undefined : Number(header[field]);
  const protocol = Number(header.protocol ?? TCP);
  const hasPorts = PROTOCOLS_WITH_PORTS.includes(protocol);
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  const flag = (value: bigint | undefined) => (value === undefined ? undefined : value === 1n);
  return {
    hook: path,
    version,
    saddr: header.saddr ?? 0n,
    daddr: header.daddr ?? 0n,
    protocol,
    sport: hasPorts ? (small('sport') ?? 0) : undefined,
    dport: hasPorts ? (small('dport') ?? 0) : undefined,
    icmpType: isIcmp ? (small('icmp-type') ?? 0) : undefined,
    icmpCode: isIcmp ? (small('icmp-code') ?? 0) : undefined,
    iif: path === 'output' ? undefined : (header.iif ?? undefined),
    oif: path === 'input' ? undefined : (header.oif ?? undefined),
    tcpFlags: protocol === TCP ? Number(header['tcp-flags'] ?? 2n) : 0,
    ctState: ctStateOf(header['ct-state']),
    mark: header.mark ?? 0n,
    ctMark: header['ct-mark'] ?? 0n,
    smac: header.smac,
    dscp: small('dscp'),
    ecn: small('ecn'),
    ttl: small('ttl'),
    length: small('length'),
    pkttype: small('pkttype'),
    ctDnat: flag(header['ct-dnat']),
    ctSnat: flag(header['ct-snat']),
  };
}

type RareField = 'dscp' | 'ecn' | 'ttl' | 'length' | 'pkttype';

function ctStateOf(value: bigint | undefined): CtState {
  // The keys of the table are the states.
  const names = Object.keys(CT_STATE) as CtState[];
  return names.find((name) => BigInt(CT_STATE[name]) === value) ?? 'new';
}
