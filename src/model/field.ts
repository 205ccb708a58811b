/**
 * The header fields a rule can test or assign.
 *
 * A field's value is a non-negative integer of a fixed width. Categorical fields (connection state, packet
 * type) have their values listed here; interfaces are names and stand apart (`InterfaceCondition`).
 */

/** Fields whose values are integers. `saddr` and `daddr` are 32 bits wide for IPv4 and 128 for IPv6. */
export type FieldName =
  | 'saddr'
  | 'daddr'
  /** Upper-layer protocol number (IPv4 protocol, last IPv6 next header). */
  | 'protocol'
  | 'sport'
  | 'dport'
  /** Type and code of ICMP (protocol 1) and ICMPv6 (58). */
  | 'icmp-type'
  | 'icmp-code'
  /** TCP flag bits as on the wire: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128. */
  | 'tcp-flags'
  /** Connection tracking state: a value of `CT_STATE`. Exactly one holds for a packet. */
  | 'ct-state'
  /** 1 when the connection's destination (`ct-dnat`) or source (`ct-snat`) was really changed by NAT. */
  | 'ct-dnat'
  | 'ct-snat'
  | 'mark'
  | 'ct-mark'
  | 'smac'
  /** Upper six and lower two bits of the IPv4 TOS or IPv6 traffic class byte. */
  | 'dscp'
  | 'ecn'
  /** IPv4 TTL or IPv6 hop limit. */
  | 'ttl'
  /** Length of the IP packet in bytes, header included. */
  | 'length'
  /** Link-layer packet type: a value of `PACKET_TYPE`. */
  | 'pkttype'
  /** 1 for a second or later fragment. Input and output see whole packets only (semantics.md, 1). */
  | 'fragment';

/** Width in bits of every field but the addresses, whose width depends on the IP version. */
export const FIELD_BITS: Readonly<Record<Exclude<FieldName, 'saddr' | 'daddr'>, number>> = {
  protocol: 8,
  sport: 16,
  dport: 16,
  'icmp-type': 8,
  'icmp-code': 8,
  'tcp-flags': 8,
  'ct-state': 3,
  'ct-dnat': 1,
  'ct-snat': 1,
  mark: 32,
  'ct-mark': 32,
  smac: 48,
  dscp: 6,
  ecn: 2,
  ttl: 8,
  length: 16,
  pkttype: 3,
  fragment: 1,
};

/** Values of the field `ct-state`. Source: linux include/uapi/linux/netfilter/nf_conntrack_common.h (numbers are ours). */
export const CT_STATE = { new: 0, established: 1, related: 2, invalid: 3, untracked: 4 } as const;
export type CtState = keyof typeof CT_STATE;

/** Values of the field `pkttype`. Source: linux include/uapi/linux/if_packet.h. */
export const PACKET_TYPE = { unicast: 0, broadcast: 1, multicast: 2, otherhost: 3, loopback: 5 } as const;
export type PacketType = keyof typeof PACKET_TYPE;

/** TCP flag bits by lower-case name. */
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;
export type TcpFlag = keyof typeof TCP_FLAG;
