import { type CT_STATE, PACKET_TYPE, TCP_FLAG } from '../../model/index.ts';
import {
  addressBits,
  type Interval,
  maxAddress,
  parseIpv4,
  parseIpv6,
  parseProtocol,
  prefixMask,
} from '../../net/index.ts';
import { portOfService } from '../service-names.ts';
import { asList, DEEPEST, onlyProperty, property } from './json.ts';

/** How constants of an expression are written. Names as in nft(8), "Data types". */
export type DataType =
  | 'ipv4'
  | 'ipv6'
  | 'port'
  | 'protocol'
  | 'ethertype'
  | 'nfproto'
  | 'ct-state'
  | 'ct-status'
  | 'ct-direction'
  | 'tcp-flags'
  | 'icmp-type'
  | 'icmp-code'
  | 'icmpv6-type'
  | 'icmpv6-code'
  | 'dscp'
  | 'ecn'
  | 'pkttype'
  | 'mac'
  | 'integer';

/** Types of which a value may be written as a list of bits. */
export const BIT_TYPES: ReadonlySet<DataType> = new Set(['tcp-flags', 'ct-state', 'ct-status']);

/** Bits of `ct state`. Source: linux nf_conntrack_common.h, NF_CT_STATE_BIT and NF_CT_STATE_INVALID_BIT. */
export const CT_STATE_BIT: Readonly<Record<keyof typeof CT_STATE, number>> = {
  invalid: 1,
  established: 2,
  related: 4,
  new: 8,
  untracked: 64,
};

/** Bits of `ct status`. Source: linux nf_conntrack_common.h, enum ip_conntrack_status. */
export const CT_STATUS_BIT = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const;

type Names = Readonly<Record<string, number>>;

// Names as `nft describe` prints them.
const NAMES: Readonly<Partial<Record<DataType, Names>>> = {
  'ct-state': CT_STATE_BIT,
  'ct-status': CT_STATUS_BIT,
  'ct-direction': { original: 0, reply: 1 },
  'tcp-flags': { ...TCP_FLAG, ecn: TCP_FLAG.ece },
  nfproto: { ipv4: 2, ipv6: 10 },
  ethertype: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100, '8021q': 0x8100, '8021ad': 0x88a8 },
  pkttype: { ...PACKET_TYPE, host: 0, other: 3 },
  ecn: { 'not-ect': 0, ect1: 1, ect0: 2, ce: 3 },
  dscp: {
    cs0: 0,
    cs1: 8,
    cs2: 16,
    cs3: 24,
    cs4: 32,
    cs5: 40,
    cs6: 48,
    cs7: 56,
    df: 0,
    be: 0,
    lephb: 1,
    le: 1,
    va: 44,
    ef: 46,
    af11: 10,
    af12: 12,
    af13: 14,
    af21: 18,
    af22: 20,
    af23: 22,
    af31: 26,
    af32: 28,
    af33: 30,
    af41: 34,
    af42: 36,
    af43: 38,
  },
  'icmp-type': {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
    'info-request': 15,
    'info-reply': 16,
    'address-mask-request': 17,
    'address-mask-reply': 18,
  },
  'icmp-code': {
    'net-unreachable': 0,
    'host-unreachable': 1,
    'prot-unreachable': 2,
    'port-unreachable': 3,
    'frag-needed': 4,
    'net-prohibited': 9,
    'host-prohibited': 10,
    'admin-prohibited': 13,
  },
  'icmpv6-type': {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'mld-listener-query': 130,
    'mld-listener-report': 131,
    'mld-listener-done': 132,
    'mld-listener-reduction': 132,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'router-renumbering': 138,
    'ind-neighbor-solicit': 141,
    'ind-neighbor-advert': 142,
    'mld2-listener-report': 143,
  },
  'icmpv6-code': {
    'no-route': 0,
    'admin-prohibited': 1,
    'addr-unreachable': 3,
    'port-unreachable': 4,
    'policy-fail': 5,
    'reject-route': 6,
  },
};

/** A constant of a type as a number, or `undefined`. Numbers may stand as text, decimal or hexadecimal. */
export function constantOf(type: DataType, value: unknown): bigint | undefined {
  if (typeof value === 'number') {
    const isAddress = type === 'ipv4' || type === 'ipv6' || type === 'mac';
    return Number.isSafeInteger(value) && value >= 0 && !isAddress ? BigInt(value) : undefined;
  }
  if (typeof value !== 'string' || value.length > 100) return undefined;
  const named = NAMES[type];
  if (named !== undefined && Object.hasOwn(named, value)) return BigInt(named[value]!);
  switch (type) {
    case 'ipv4':
      return parseIpv4(value);
    case 'ipv6':
      return parseIpv6(value);
    case 'mac':
      return /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(value)
        ? value.split(':').reduce((sum, part) => sum * 256n + BigInt(Number.parseInt(part, 16)), 0n)
        : undefined;
    case 'protocol': {
      const number = value === 'comp' ? 108 : parseProtocol(value);
      return number === undefined ? plainNumber(value) : BigInt(number);
    }
    case 'port': {
      const port = portOfService(value);
      return port === undefined ? plainNumber(value) : BigInt(port);
    }
    default:
      return plainNumber(value);
  }
}

function plainNumber(text: string): bigint | undefined {
  return /^(?:0x[0-9a-f]{1,40}|0|[1-9]\d{0,39})$/i.test(text) ? BigInt(text) : undefined;
}

/** The highest number of a width in bits. */
export function maxOf(width: number): bigint {
  const known = MAXIMA[width];
  if (known !== undefined) return known;
  const max = (1n << BigInt(width)) - 1n;
  if (width <= 128) MAXIMA[width] = max;
  return max;
}

/** Filled by `maxOf`. */
const MAXIMA: bigint[] = [];

/** A constant expression: a plain constant, a list of flags (OR), or operators over constants. */
export function foldConstant(type: DataType, value: unknown, width: number, depth = 0): bigint | undefined {
  if (depth > DEEPEST) return undefined;
  if (Array.isArray(value)) {
    if (value.length === 0 || !BIT_TYPES.has(type)) return undefined;
    let all = 0n;
    for (const part of value) {
      const bits = foldConstant(type, part, width, depth + 1);
      if (bits === undefined) return undefined;
      all |= bits;
    }
    return all;
  }
  if (typeof value === 'string' || typeof value === 'number') return constantOf(type, value);
  const only = onlyProperty(value);
  if (only === undefined) return constantOf(type, value);
  if (!['|', '&', '^', '<<', '>>'].includes(only.name) || !Array.isArray(only.value) || only.value.length < 2)
    return undefined;
  const shift = only.name === '<<' || only.name === '>>';
  let result = foldConstant(type, only.value[0], width, depth + 1);
  for (const part of only.value.slice(1)) {
    const operand = foldConstant(shift ? 'integer' : type, part, width, depth + 1);
    if (result === undefined || operand === undefined) return undefined;
    result = applyOperator(only.name, result, operand, width);
  }
  return result;
}

function applyOperator(operator: string, left: bigint, right: bigint, width: number): bigint | undefined {
  switch (operator) {
    case '|':
      return left | right;
    case '&':
      return left & right;
    case '^':
      return left ^ right;
    case '<<':
      return right > 128n ? undefined : (left << right) & ((1n << BigInt(width)) - 1n);
    default:
      return right > 128n ? undefined : left >> right;
  }
}

/**
 * The values a right-hand side or a set element of numbers stands for: a constant, a prefix, a range. `undefined` when it is
 * none of these. Ranges from high to low are empty: iptables-nft makes them. May reach beyond `width`.
 */
export function intervalOf(type: DataType, width: number, value: unknown): Interval | undefined {
  if (typeof value === 'string' || typeof value === 'number') {
    const plain = constantOf(type, value);
    return plain === undefined ? undefined : { lo: plain, hi: plain };
  }
  const prefix = property(value, 'prefix');
  if (prefix !== undefined) return prefixInterval(type, width, prefix);
  const range = property(value, 'range');
  if (range !== undefined) {
    const [first, second] = asList(range);
    const lo = foldConstant(type, first, width);
    const hi = foldConstant(type, second, width);
    return lo === undefined || hi === undefined ? undefined : { lo, hi };
  }
  const constant = Array.isArray(value) ? undefined : foldConstant(type, value, width);
  return constant === undefined ? undefined : { lo: constant, hi: constant };
}

function prefixInterval(type: DataType, width: number, prefix: unknown): Interval | undefined {
  const address = foldConstant(type, property(prefix, 'addr'), width);
  const length = property(prefix, 'len');
  if (
    address === undefined ||
    address > maxOf(width) ||
    typeof length !== 'number' ||
    !Number.isInteger(length) ||
    length < 0 ||
    length > width
  )
    return undefined;
  if (type === 'ipv4' || type === 'ipv6') {
    const version = type === 'ipv4' ? 4 : 6;
    if (width !== addressBits(version)) return undefined;
    const mask = prefixMask(version, length);
    return { lo: address & mask, hi: (address & mask) | (maxAddress(version) ^ mask) };
  }
  const rest = (1n << BigInt(width - length)) - 1n;
  return { lo: (address | rest) ^ rest, hi: address | rest };
}
