import {
  ALWAYS,
  type Condition,
  CT_STATE,
  type FieldName,
  NEVER,
  negateIf,
  PACKET_TYPE,
  TCP_FLAG,
} from '../../model/index.ts';
import { type Interval, type IpVersion, maxAddress, parseProtocol, single } from '../../net/index.ts';
import { quote } from '../diagnostic-log.ts';
import { icmpTypeOf } from '../icmp-types.ts';
import {
  isName,
  networkInterval,
  parseAddressOf,
  parseMasked,
  parseNetwork,
  parseNumber,
  parsePortRange,
  parseRange,
} from '../numbers.ts';
import { printWord } from '../words.ts';
import { type OptionConverter, type OptionUse, type Problem, problem, type RuleContext } from './spec.ts';

type PlainField = Exclude<FieldName, 'saddr' | 'daddr'>;

/** `field` lies in one of `values`. */
export function fieldIn(field: PlainField, values: readonly Interval[], mask?: bigint): Condition {
  return mask === undefined ? { kind: 'field', field, values } : { kind: 'field', field, mask, values };
}

/** `field` equals `value`. */
export function fieldIs(field: PlainField, value: bigint | number): Condition {
  return { kind: 'field', field, values: [single(value)] };
}

const PROTOCOL_TESTS = Array.from({ length: 256 }, (_, number) => fieldIs('protocol', number));

/** The packet has this upper-layer protocol (0-255). */
export function protocolIs(number: number): Condition {
  return PROTOCOL_TESTS[number] ?? NEVER;
}

/** Tracked: the packet belongs to a connection, so it is neither invalid nor untracked. */
export const CONNECTED: Condition = fieldIn('ct-state', [
  single(CT_STATE.new),
  single(CT_STATE.established),
  single(CT_STATE.related),
]);

/** Both conditions, without an `all` around a condition that always holds. */
export function both(a: Condition, b: Condition): Condition {
  if (a === ALWAYS) return b;
  return b === ALWAYS ? a : { kind: 'all', of: [a, b] };
}

/** Canonical text of an option in a module, without negation: the key of an unknown predicate. */
export function canonicalText(module: string, use: Pick<OptionUse, 'name' | 'args'>): string {
  return ['-m', module, use.name, ...use.args.map((a) => printWord(a, /\s|^$/.test(a)))].join(' ');
}

/** An unknown condition with this text that has one answer for a packet. */
export function deterministic(text: string): Condition {
  return { kind: 'unknown', nature: 'deterministic', text };
}

/** An unknown condition for a name that an export cannot resolve; a shell variable has another value each time. */
function unresolved(text: string): Condition {
  return { kind: 'unknown', nature: text.includes('$') ? 'varying' : 'deterministic', text };
}

/** `-s` and `-d`: one or more addresses, networks, or host names. */
export function addressConverter(field: 'saddr' | 'daddr'): OptionConverter {
  const letter = field === 'saddr' ? '-s' : '-d';
  return (use, context) => {
    const text = use.args[0]!;
    if (!text.includes(',')) return addressCondition(field, letter, text.trim(), context);
    if (use.negated) return problem('a list of addresses cannot be negated');
    const of: Condition[] = [];
    for (const part of text.split(',')) {
      const condition = addressCondition(field, letter, part.trim(), context);
      if (condition.kind === 'problem') return condition;
      of.push(condition);
    }
    return { kind: 'any', of };
  };
}

function addressCondition(
  field: 'saddr' | 'daddr',
  letter: string,
  text: string,
  context: RuleContext,
): Condition | Problem {
  const { version } = context;
  const network = parseNetwork(version, text);
  if (network === undefined) {
    const slash = text.indexOf('/');
    const name = slash < 0 ? text : text.slice(0, slash);
    if (!isName(name)) return problem(`${quote(text)} is no ${version === 4 ? 'IPv4' : 'IPv6'} address`);
    context.remark(
      `host ${text}`,
      'unresolved-reference',
      `the host name ${quote(text)} cannot be resolved from an export; it is kept as an unknown address`,
    );
    return unresolved(`${letter} ${text}`);
  }
  if (network.mask === 0n) return ALWAYS;
  const range = networkInterval(version, network);
  if (range !== undefined) return { kind: 'address', field, version, values: [range] };
  return { kind: 'address', field, version, mask: network.mask, values: [single(network.value)] };
}

/** `-p`: a protocol by name or number, `all` and 0 for any. */
export const protocolConverter: OptionConverter = (use, context) => {
  const text = use.args[0]!;
  const number = protocolNumber(text);
  if (number === 0) return ALWAYS;
  if (number !== undefined) return protocolIs(number);
  if (!isName(text)) return problem(`${quote(text)} is no protocol`);
  context.remark(
    `protocol ${text}`,
    'unresolved-reference',
    `the protocol name ${quote(text)} is not known; it is kept as an unknown condition`,
  );
  return unresolved(`-p ${text}`);
};

/** Number of a protocol as `-p` takes it; 0 for `all`. */
export function protocolNumber(text: string): number | undefined {
  if (/^all$/i.test(text)) return 0;
  const number = parseNumber(text, 255);
  return number === undefined ? parseProtocol(text) : Number(number);
}

/** Longest interface name the kernel takes. Source: linux include/uapi/linux/if.h, IFNAMSIZ less the final NUL. */
const INTERFACE_NAME_LENGTH = 15;

/** `-i` and `-o`: a name, or the beginning of names with a final `+`. */
export function interfaceConverter(field: 'iif' | 'oif'): OptionConverter {
  return (use) => {
    const text = use.args[0]!;
    if (text.length > INTERFACE_NAME_LENGTH) return problem(`the interface name ${quote(text)} is too long`);
    if (text === '') return ALWAYS;
    const prefix = text.endsWith('+');
    return { kind: 'interface', field, name: prefix ? text.slice(0, -1) : text, prefix };
  };
}

/** One port range of tcp, udp and their like. */
export function portConverter(field: 'sport' | 'dport', module: string): OptionConverter {
  return (use, context) => {
    const text = use.args[0]!;
    const range = parsePortRange(text);
    if (range === undefined) return problem(`${quote(text)} is no port or port range`);
    if (range !== 'unknown-name') return fieldIn(field, [range]);
    remarkService(text, context);
    return unresolved(canonicalText(module, use));
  };
}

/** A list of ports and port ranges, as multiport takes it. */
export function portListConverter(fields: readonly ('sport' | 'dport')[]): OptionConverter {
  return (use, context) => {
    const values: Interval[] = [];
    let unknown = false;
    for (const text of use.args[0]!.split(',')) {
      const range = parsePortRange(text.trim());
      if (range === undefined) return problem(`${quote(text)} is no port or port range`);
      if (range !== 'unknown-name') values.push(range);
      else {
        remarkService(text, context);
        unknown = true;
      }
    }
    if (unknown) return unresolved(canonicalText('multiport', use));
    const [first, second] = fields;
    const source = fieldIn(first!, values);
    return second === undefined ? source : { kind: 'any', of: [source, fieldIn(second, values)] };
  };
}

function remarkService(text: string, context: RuleContext): void {
  context.remark(
    `service ${text}`,
    'unresolved-reference',
    `the service name in ${quote(text)} is not known; the port is kept as unknown`,
  );
}

/** `--icmp-type` and `--icmpv6-type`: `any`, a name, `TYPE` or `TYPE/CODE`. */
export function icmpConverter(version: IpVersion): OptionConverter {
  return (use) => {
    const text = use.args[0]!;
    if (version === 4 && /^any$/i.test(text)) return ALWAYS;
    const named = icmpTypeOf(version, text);
    if (named !== undefined && text !== '') return icmpCondition(named.type, named.code);
    const slash = text.indexOf('/');
    const type = parseNumber(slash < 0 ? text : text.slice(0, slash), 255);
    const code = slash < 0 ? undefined : parseNumber(text.slice(slash + 1), 255);
    if (type === undefined || (slash >= 0 && code === undefined))
      return problem(`${quote(text)} is no ICMP type`);
    // iptables uses 255 for "any" (linux net/ipv4/netfilter/ip_tables.c, icmp_type_code_match); ip6tables does not.
    if (version === 4 && type === 255n) return ALWAYS;
    return icmpCondition(Number(type), code === undefined ? undefined : Number(code));
  };
}

function icmpCondition(type: number, code: number | undefined): Condition {
  const ofType = fieldIs('icmp-type', type);
  return code === undefined ? ofType : { kind: 'all', of: [ofType, fieldIs('icmp-code', code)] };
}

const FLAG_WORDS: ReadonlyMap<string, number> = new Map([
  ['FIN', TCP_FLAG.fin],
  ['SYN', TCP_FLAG.syn],
  ['RST', TCP_FLAG.rst],
  ['PSH', TCP_FLAG.psh],
  ['ACK', TCP_FLAG.ack],
  ['URG', TCP_FLAG.urg],
  ['ALL', 0x3f],
  ['NONE', 0],
]);

function parseFlags(text: string): number | undefined {
  let bits = 0;
  for (const word of text.split(',')) {
    const bit = FLAG_WORDS.get(word.trim().toUpperCase());
    if (bit === undefined) return undefined;
    bits |= bit;
  }
  return bits;
}

/** `--tcp-flags MASK COMP`: of the flags in the mask exactly those of the second list are set. */
export const tcpFlagsConverter: OptionConverter = (use) => {
  const mask = parseFlags(use.args[0]!);
  const value = parseFlags(use.args[1]!);
  if (mask === undefined || value === undefined)
    return problem(`${quote(use.args.join(' '))} are no TCP flags`);
  return tcpFlags(mask, value);
};

function tcpFlags(mask: number, value: number): Condition {
  return fieldIn('tcp-flags', [single(value)], BigInt(mask));
}

/** `--syn`: SYN set, ACK, RST and FIN clear. Source: iptables-extensions(8), tcp. */
export const synConverter: OptionConverter = () => tcpFlags(0x17, TCP_FLAG.syn);

/** One flag of the TCP header is set, whatever the others. */
export function tcpFlagConverter(flag: number): OptionConverter {
  return () => tcpFlags(flag, flag);
}

const STATE_WORDS = ['INVALID', 'NEW', 'ESTABLISHED', 'RELATED', 'UNTRACKED', 'SNAT', 'DNAT'] as const;

/** `--ctstate` and `--state`: any of the listed states or NAT words; words may be shortened and in any case. */
export const stateConverter: OptionConverter = (use) => {
  const states: Interval[] = [];
  const of: Condition[] = [];
  for (const text of use.args[0]!.split(',')) {
    const wanted = text.trim().toUpperCase();
    const word = wanted === '' ? undefined : STATE_WORDS.find((candidate) => candidate.startsWith(wanted));
    if (word === undefined) return problem(`${quote(text)} is no connection state`);
    if (word === 'SNAT') of.push(fieldIs('ct-snat', 1));
    else if (word === 'DNAT') of.push(fieldIs('ct-dnat', 1));
    // The names of CT_STATE are the lower-case forms of these words.
    else states.push(single(CT_STATE[word.toLowerCase() as keyof typeof CT_STATE]));
  }
  if (states.length > 0) of.unshift(fieldIn('ct-state', states));
  return of.length === 1 ? of[0]! : { kind: 'any', of };
};

/** A 32-bit mark with mask. Bits of the value outside the mask make it match nothing, as in the kernel. */
export function markConverter(field: 'mark' | 'ct-mark'): OptionConverter {
  return (use) => {
    const mark = parseMasked(use.args[0]!, 0xffff_ffffn);
    if (mark === undefined) return problem(`${quote(use.args[0]!)} is no mark`);
    const all = mark.mask === 0xffff_ffffn;
    return fieldIn(field, [single(mark.value)], all ? undefined : mark.mask);
  };
}

/** `--mac-source`; `macMatches` adds what holds for every device. */
export const macConverter: OptionConverter = (use, context) => {
  if (/^[xX*]{2}(:[0-9a-fA-FxX*]{2}){5}$/.test(use.args[0]!)) {
    context.remark(
      'masked mac',
      'unresolved-reference',
      'a MAC address is blanked out; the match is kept as unknown',
    );
    // Two blanked addresses need not be the same one.
    return { kind: 'unknown', nature: 'varying', text: canonicalText('mac', use) };
  }
  const value = parseMac(use.args[0]!);
  return value === undefined ? problem(`${quote(use.args[0]!)} is no MAC address`) : fieldIs('smac', value);
};

/** The number of `AA:BB:CC:DD:EE:FF`. */
export function parseMac(text: string): bigint | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return text.split(':').reduce((sum, part) => (sum << 8n) | BigInt(`0x${part}`), 0n);
}

const PACKET_TYPE_WORDS: ReadonlyMap<string, number> = new Map([
  ['unicast', PACKET_TYPE.unicast],
  ['host', PACKET_TYPE.unicast],
  ['broadcast', PACKET_TYPE.broadcast],
  ['bcast', PACKET_TYPE.broadcast],
  ['multicast', PACKET_TYPE.multicast],
  ['mcast', PACKET_TYPE.multicast],
]);

/** `--pkt-type`. */
export const packetTypeConverter: OptionConverter = (use) => {
  const value = PACKET_TYPE_WORDS.get(use.args[0]!.toLowerCase());
  return value === undefined
    ? problem(`${quote(use.args[0]!)} is no packet type`)
    : fieldIs('pkttype', value);
};

/** `--src-range` and `--dst-range`: FROM-TO or one address. Reversed bounds match nothing [semantics.md, 2]. */
export function addressRangeConverter(field: 'saddr' | 'daddr'): OptionConverter {
  return (use, context) => {
    const text = use.args[0]!;
    const dash = text.indexOf('-');
    const lo = parseAddressOf(context.version, dash < 0 ? text : text.slice(0, dash));
    const hi = dash < 0 ? lo : parseAddressOf(context.version, text.slice(dash + 1));
    if (lo === undefined || hi === undefined) return problem(`${quote(text)} is no address range`);
    if (lo === 0n && hi === maxAddress(context.version)) return ALWAYS;
    return { kind: 'address', field, version: context.version, values: [{ lo, hi }] };
  };
}

/** A whole number up to `max` of a field; `way` says how the field is compared with it. */
export function numberConverter(
  field: PlainField,
  max: number,
  way: 'equal' | 'below' | 'above',
): OptionConverter {
  return (use) => {
    const value = parseNumber(use.args[0]!, max);
    if (value === undefined) return problem(`${quote(use.args[0]!)} is no number up to ${max}`);
    if (way === 'equal') return fieldIs(field, value);
    const range = way === 'below' ? { lo: 0n, hi: value - 1n } : { lo: value + 1n, hi: BigInt(max) };
    return range.lo > range.hi ? NEVER : fieldIn(field, [range]);
  };
}

/** A number or `A:B` range of a field; bounds may be left out. */
export function rangeConverter(field: PlainField, max: number): OptionConverter {
  return (use) => {
    const range = parseRange(use.args[0]!, BigInt(max));
    return range === undefined
      ? problem(`${quote(use.args[0]!)} is no number or range`)
      : fieldIn(field, [range]);
  };
}

/** Code points of DSCP classes. Source: RFC 2474, RFC 2597, RFC 3246; names as iptables-extensions(8), dscp. */
export function parseDscpClass(text: string): number | undefined {
  const name = text.toUpperCase();
  if (name === 'EF') return 46;
  if (name === 'BE') return 0;
  const selector = /^CS([0-7])$/.exec(name);
  if (selector !== null) return Number(selector[1]) * 8;
  const assured = /^AF([1-4])([1-3])$/.exec(name);
  return assured === null ? undefined : Number(assured[1]) * 8 + Number(assured[2]) * 2;
}

/** `--dscp` and `--dscp-class`. */
export const dscpConverter: OptionConverter = (use) => {
  const text = use.args[0]!;
  const value = use.name === '--dscp' ? parseNumber(text, 63) : parseDscpClass(text);
  return value === undefined ? problem(`${quote(text)} is no DSCP value`) : fieldIs('dscp', value);
};

const TOS_NAMES: ReadonlyMap<string, bigint> = new Map([
  ['minimize-delay', 0x10n],
  ['maximize-throughput', 0x08n],
  ['maximize-reliability', 0x04n],
  ['minimize-cost', 0x02n],
  ['normal-service', 0x00n],
]);

/** A TOS value and mask: names have the mask 0x3f, numbers 0xff unless one is given (iptables-save 1.8.9 shows both). */
export function parseTos(text: string): { readonly value: bigint; readonly mask: bigint } | undefined {
  const named = TOS_NAMES.get(text.toLowerCase());
  return named === undefined ? parseMasked(text, 0xffn) : { value: named, mask: 0x3fn };
}

/** `--tos`: the byte that holds DSCP and ECN, under a mask. */
export const tosConverter: OptionConverter = (use) => {
  const tos = parseTos(use.args[0]!);
  if (tos === undefined) return problem(`${quote(use.args[0]!)} is no TOS value`);
  if ((tos.value & ~tos.mask) !== 0n) return NEVER;
  const upper = tos.mask >> 2n === 0n ? ALWAYS : fieldIn('dscp', [single(tos.value >> 2n)], tos.mask >> 2n);
  const lower = (tos.mask & 3n) === 0n ? ALWAYS : fieldIn('ecn', [single(tos.value & 3n)], tos.mask & 3n);
  return both(upper, lower);
};

/** `condition` negated as the use says, and only for packets of `protocol`, unless `-p` already says so. */
export function withinProtocol(
  protocol: number | undefined,
  use: OptionUse,
  condition: Condition,
  context: RuleContext,
): Condition {
  const tested = negateIf(use.negated, condition);
  if (protocol === undefined || context.protocol === protocol) return tested;
  return both(protocolIs(protocol), tested);
}
