import type { IpVersion } from '../net/index.ts';

/** An ICMP type with its code, or with any code when `code` is absent. */
export interface IcmpType {
  readonly type: number;
  readonly code: number | undefined;
}

type Row = readonly [name: string, type: number, code?: number];

// Names as `iptables -p icmp -h` prints them; numbers from RFC 792, RFC 1122, RFC 1812, RFC 1256, RFC 950.
const V4: readonly Row[] = [
  ['echo-reply', 0],
  ['pong', 0],
  ['destination-unreachable', 3],
  ['network-unreachable', 3, 0],
  ['host-unreachable', 3, 1],
  ['protocol-unreachable', 3, 2],
  ['port-unreachable', 3, 3],
  ['fragmentation-needed', 3, 4],
  ['source-route-failed', 3, 5],
  ['network-unknown', 3, 6],
  ['host-unknown', 3, 7],
  ['network-prohibited', 3, 9],
  ['host-prohibited', 3, 10],
  ['TOS-network-unreachable', 3, 11],
  ['TOS-host-unreachable', 3, 12],
  ['communication-prohibited', 3, 13],
  ['host-precedence-violation', 3, 14],
  ['precedence-cutoff', 3, 15],
  ['source-quench', 4],
  ['redirect', 5],
  ['network-redirect', 5, 0],
  ['host-redirect', 5, 1],
  ['TOS-network-redirect', 5, 2],
  ['TOS-host-redirect', 5, 3],
  ['echo-request', 8],
  ['ping', 8],
  ['router-advertisement', 9],
  ['router-solicitation', 10],
  ['time-exceeded', 11],
  ['ttl-exceeded', 11],
  ['ttl-zero-during-transit', 11, 0],
  ['ttl-zero-during-reassembly', 11, 1],
  ['parameter-problem', 12],
  ['ip-header-bad', 12, 0],
  ['required-option-missing', 12, 1],
  ['timestamp-request', 13],
  ['timestamp-reply', 14],
  ['address-mask-request', 17],
  ['address-mask-reply', 18],
];

// Names as `ip6tables -p icmpv6 -h` prints them; numbers from RFC 4443 and RFC 4861.
const V6: readonly Row[] = [
  ['destination-unreachable', 1],
  ['no-route', 1, 0],
  ['communication-prohibited', 1, 1],
  ['beyond-scope', 1, 2],
  ['address-unreachable', 1, 3],
  ['port-unreachable', 1, 4],
  ['failed-policy', 1, 5],
  ['reject-route', 1, 6],
  ['packet-too-big', 2],
  ['time-exceeded', 3],
  ['ttl-exceeded', 3],
  ['ttl-zero-during-transit', 3, 0],
  ['ttl-zero-during-reassembly', 3, 1],
  ['parameter-problem', 4],
  ['bad-header', 4, 0],
  ['unknown-header-type', 4, 1],
  ['unknown-option', 4, 2],
  ['echo-request', 128],
  ['ping', 128],
  ['echo-reply', 129],
  ['pong', 129],
  ['router-solicitation', 133],
  ['router-advertisement', 134],
  ['neighbour-solicitation', 135],
  ['neighbor-solicitation', 135],
  ['neighbour-advertisement', 136],
  ['neighbor-advertisement', 136],
  ['redirect', 137],
];

/**
 * The type a name stands for: the exact name, or a beginning that fits names of one type and code only, without
 * regard to case (iptables 1.8.9 takes both). `undefined` when it fits none or several.
 */
export function icmpTypeOf(version: IpVersion, name: string): IcmpType | undefined {
  const rows = version === 4 ? V4 : V6;
  const wanted = name.toLowerCase();
  const exact = rows.find((row) => row[0].toLowerCase() === wanted);
  const fitting =
    exact === undefined ? rows.filter((row) => row[0].toLowerCase().startsWith(wanted)) : [exact];
  const first = fitting[0];
  if (first === undefined || fitting.some((row) => row[1] !== first[1] || row[2] !== first[2]))
    return undefined;
  return { type: first[1], code: first[2] };
}
