/** What firewalld's tests mean for packets, as its nftables backend writes them (firewalld 1.3.3). */
import { ALWAYS, type Condition, CT_STATE, type CtState, type Match, NEVER } from '../../model/index.ts';
import {
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  interval,
  maskedAddressInterval,
  maxAddress,
  PROTOCOLS_WITH_PORTS,
  parseMaskedAddress,
  parseProtocol,
  single,
  TCP,
} from '../../net/index.ts';
import { portOfService } from '../service-names.ts';

/** All of the conditions; without those that always hold. */
export function all(...of: readonly Condition[]): Condition {
  const parts = of.filter((c) => c !== ALWAYS);
  if (parts.includes(NEVER)) return NEVER;
  return parts.length === 0 ? ALWAYS : parts.length === 1 ? parts[0]! : { kind: 'all', of: parts };
}

/** One of the conditions at least; without those that never hold. */
export function any(...of: readonly Condition[]): Condition {
  const parts = of.filter((c) => c !== NEVER);
  if (parts.includes(ALWAYS)) return ALWAYS;
  return parts.length === 0 ? NEVER : parts.length === 1 ? parts[0]! : { kind: 'any', of: parts };
}

/** The opposite of a condition. */
export function not(condition: Condition): Condition {
  if (condition === ALWAYS) return NEVER;
  return condition === NEVER ? ALWAYS : { kind: 'not', of: condition };
}

/** A test that always gives the same answer for a packet, and is not modelled. */
export function unknown(text: string): Condition {
  return { kind: 'unknown', nature: 'deterministic', text };
}

/** A test whose answer changes. */
export function varying(text: string): Condition {
  return { kind: 'unknown', nature: 'varying', text };
}

/** The packet is of an IP version. */
export function versionIs(version: IpVersion): Condition {
  return { kind: 'version', version };
}

/** The protocol is one of these numbers. */
export function protocolIs(...protocols: readonly number[]): Condition {
  return { kind: 'field', field: 'protocol', values: protocols.map(single) };
}

/** The packet belongs to a connection. */
export const HAS_CONNECTION: Condition = {
  kind: 'field',
  field: 'ct-state',
  values: [interval(CT_STATE.new, CT_STATE.related)],
};

/** `ct state { … }`. */
export function stateMatch(...states: readonly CtState[]): Match {
  const values = states.map((state) => single(CT_STATE[state]));
  return { text: `ct state ${states.join(',')}`, condition: { kind: 'field', field: 'ct-state', values } };
}

/** `ct status dnat`: the header was really changed. */
export const DNAT_MATCH: Match = {
  text: 'ct status dnat',
  condition: all(HAS_CONNECTION, { kind: 'field', field: 'ct-dnat', values: [single(1)] }),
};

/** An interface by name; a name that ends in `+` (or `*`) is a prefix, nothing but the sign is any. */
export function interfaceMatch(field: 'iif' | 'oif', name: string, negated = false): Match {
  const prefix = /[+*]$/.test(name);
  const condition: Condition = { kind: 'interface', field, name: prefix ? name.slice(0, -1) : name, prefix };
  return {
    text: `${field}name ${negated ? '!= ' : ''}"${name}"`,
    condition: negated ? not(condition) : condition,
  };
}

/** A MAC address as number, `undefined` when the text is none. */
export function parseMac(text: string): bigint | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? BigInt(`0x${text.replaceAll(':', '')}`) : undefined;
}

/** An address as firewalld reads it, and its IP version. */
export interface AddressPart {
  readonly match: Match;
  /** `undefined`: MAC addresses, which both versions have. */
  readonly version: IpVersion | undefined;
}

/** Hooks in which the sender's MAC address can be seen, and those in which nothing of Ethernet is left to compare. */
export type MacSight = 'seen' | 'unknown';

/** nft takes an Ethernet header for packets that came by Ethernet only. */
const BY_ETHERNET: Condition = not({ kind: 'interface', field: 'iif', name: 'lo', prefix: false });

/**
 * A test of an address, network or MAC. A negated one stays within its IP version. `undefined` when the text is none of these.
 * Destination MAC addresses are not modelled.
 */
export function addressPart(
  field: 'saddr' | 'daddr',
  text: string,
  invert = false,
  sight: MacSight = 'seen',
): AddressPart | undefined {
  const op = invert ? '!= ' : '';
  const mac = parseMac(text);
  if (mac !== undefined) {
    const shown = `ether ${field} ${text.toLowerCase()}`;
    const seen = field === 'saddr' && sight === 'seen';
    const is: Condition = seen ? { kind: 'field', field: 'smac', values: [single(mac)] } : unknown(shown);
    const needs = seen ? BY_ETHERNET : all(BY_ETHERNET, unknown('meta iiftype ether'));
    return {
      match: {
        text: `ether ${field} ${op}${text.toLowerCase()}`,
        condition: all(needs, invert ? not(is) : is),
      },
      version: undefined,
    };
  }
  const masked = parseMaskedAddress(text.replace(/[[\]]/g, ''));
  if (masked === undefined) return undefined;
  const { version, value, mask } = masked;
  const range = maskedAddressInterval(masked);
  const is: Condition =
    range === undefined
      ? { kind: 'address', field, version, mask, values: [single(value)] }
      : mask === 0n
        ? versionIs(version)
        : { kind: 'address', field, version, values: [range] };
  return {
    match: {
      text: `${version === 4 ? 'ip' : 'ip6'} ${field} ${op}${text}`,
      condition: invert ? all(versionIs(version), not(is)) : is,
    },
    version,
  };
}

/**
 * Ports as firewalld reads them: a number, a range (bounds in either order), or a service name. `undefined` when it cannot
 * tell.
 */
export function parsePorts(text: string): Interval | undefined {
  const parts = text.split('-');
  const [first, second] = parts.map((part) => portNumber(part));
  if (parts.length === 2 && first !== undefined && second !== undefined)
    return first <= second ? interval(first, second) : interval(second, first);
  const named = portNumber(text);
  return named === undefined ? undefined : single(named);
}

function portNumber(text: string): number | undefined {
  const plain = text.trim();
  const number = /^\d{1,6}$/.test(plain) ? Number(plain) : portOfService(plain);
  return number === undefined || number > 65_535 ? undefined : number;
}

/** The number of a protocol by name or number; `010` is 8 for nft and iptables. `undefined` for what they do not know. */
export function protocolNumber(text: string): number | undefined {
  if (!/^0\d/.test(text)) return parseProtocol(text);
  return /^0[0-7]{1,3}$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** `22/tcp` as a test. Without a port: the whole protocol. What cannot be read is an unknown test. */
export function portMatch(field: 'sport' | 'dport', port: string, protocol: string): Match {
  if (port === '') return protocolMatch(protocol);
  const number = protocolNumber(protocol);
  const range = parsePorts(port);
  const text = `${protocol} ${field} ${port}`;
  if (number === undefined) return { text, condition: unknown(text) };
  if (range === undefined || !PROTOCOLS_WITH_PORTS.includes(number))
    return { text, condition: all(protocolIs(number), unknown(text)) };
  return { text, condition: all(protocolIs(number), { kind: 'field', field, values: [range] }) };
}

/** `meta l4proto`: a protocol by name or number, in both IP versions. */
export function protocolMatch(protocol: string): Match {
  const number = protocolNumber(protocol);
  const text = `meta l4proto ${protocol}`;
  return { text, condition: number === undefined ? unknown(text) : protocolIs(number) };
}

/** ICMP or ICMPv6 of any type. nftables takes either in both IP versions, iptables only the version's own. */
export function anyIcmp(isIptables: boolean): Match {
  if (!isIptables) return { text: 'meta l4proto { icmp, ipv6-icmp }', condition: protocolIs(ICMP, ICMPV6) };
  const own = any(all(versionIs(4), protocolIs(ICMP)), all(versionIs(6), protocolIs(ICMPV6)));
  return { text: '-p icmp', condition: own };
}

/** The packet is of the family a rich rule names. */
export function familyMatch(family: string): Match {
  return { text: `meta nfproto ${family}`, condition: versionIs(family === 'ipv6' ? 6 : 4) };
}

/** A TCP packet with the SYN flag: what `tcp-mss-clamp` looks at. */
export const SYN_MATCH: Match = {
  text: 'tcp flags syn',
  condition: all(protocolIs(TCP), { kind: 'field', field: 'tcp-flags', mask: 2n, values: [single(2)] }),
};

type IcmpTypes = Readonly<Record<string, readonly [type: number, code?: number]>>;

// Type and code behind each name: RFC 792, RFC 1812 and RFC 4443. firewalld has the same for `ip-header-bad` and
// `required-option-missing`.
const ICMP_TYPES: IcmpTypes = {
  'communication-prohibited': [3, 13],
  'destination-unreachable': [3],
  'echo-reply': [0],
  'echo-request': [8],
  'fragmentation-needed': [3, 4],
  'host-precedence-violation': [3, 14],
  'host-prohibited': [3, 10],
  'host-redirect': [5, 1],
  'host-unknown': [3, 7],
  'host-unreachable': [3, 1],
  'ip-header-bad': [12, 1],
  'network-prohibited': [3, 8],
  'network-redirect': [5, 0],
  'network-unknown': [3, 6],
  'network-unreachable': [3, 0],
  'parameter-problem': [12],
  'port-unreachable': [3, 3],
  'precedence-cutoff': [3, 15],
  'protocol-unreachable': [3, 2],
  redirect: [5],
  'required-option-missing': [12, 1],
  'router-advertisement': [9],
  'router-solicitation': [10],
  'source-quench': [4],
  'source-route-failed': [3, 5],
  'time-exceeded': [11],
  'timestamp-reply': [14],
  'timestamp-request': [13],
  'tos-host-redirect': [5, 3],
  'tos-host-unreachable': [3, 12],
  'tos-network-redirect': [5, 2],
  'tos-network-unreachable': [3, 11],
  'ttl-zero-during-reassembly': [11, 1],
  'ttl-zero-during-transit': [11, 0],
};

const ICMPV6_TYPES: IcmpTypes = {
  'address-unreachable': [1, 3],
  'bad-header': [4, 0],
  'beyond-scope': [1, 2],
  'communication-prohibited': [1, 1],
  'destination-unreachable': [1],
  'echo-reply': [129],
  'echo-request': [128],
  'failed-policy': [1, 5],
  'mld-listener-done': [132],
  'mld-listener-query': [130],
  'mld-listener-report': [131],
  'mld2-listener-report': [143],
  'neighbour-advertisement': [136],
  'neighbour-solicitation': [135],
  'no-route': [1, 0],
  'packet-too-big': [2],
  'parameter-problem': [4],
  'port-unreachable': [1, 4],
  redirect: [137],
  'reject-route': [1, 6],
  'router-advertisement': [134],
  'router-solicitation': [133],
  'time-exceeded': [3],
  'ttl-zero-during-reassembly': [3, 1],
  'ttl-zero-during-transit': [3, 0],
  'unknown-header-type': [4, 1],
  'unknown-option': [4, 2],
};

/** An icmptype in one IP version; an unknown test of that protocol where the name has no type there. */
export function icmpMatch(version: IpVersion, name: string): Match {
  const types = version === 4 ? ICMP_TYPES : ICMPV6_TYPES;
  const protocol = version === 4 ? ICMP : ICMPV6;
  const text = `${version === 4 ? 'icmp' : 'icmpv6'} type ${name}`;
  const needs = [versionIs(version), protocolIs(protocol)];
  const found = Object.hasOwn(types, name) ? types[name] : undefined;
  if (found === undefined) return { text, condition: all(...needs, unknown(text)) };
  const [type, code] = found;
  const tests: Condition[] = [{ kind: 'field', field: 'icmp-type', values: [single(type)] }];
  if (code !== undefined) tests.push({ kind: 'field', field: 'icmp-code', values: [single(code)] });
  return { text, condition: all(...needs, ...tests) };
}

/** Every address of a version. */
export function anyAddress(version: IpVersion): Interval {
  return interval(0n, maxAddress(version));
}
