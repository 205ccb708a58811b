import {
  addressBits,
  formatAddress,
  type IpVersion,
  maxAddress,
  parseAddress,
  parseMaskedAddress,
  parseProtocol,
  prefixLengthOf,
} from '../../src/net/index.ts';
import type { KernelRules } from './run-kernel-case.ts';

/**
 * Values worth sending, read from the text of one rule or set element: what it names and the neighbours on both
 * sides. Read from the text and not from nwaudit's model, so that a parser that loses a value does not also lose
 * the packets that would show it.
 */
export interface Aim {
  readonly saddr: string[];
  readonly daddr: string[];
  readonly sport: number[];
  readonly dport: number[];
  readonly proto: number[];
  /** Type and code. */
  readonly icmp: [number, number][];
  readonly tcpFlags: string[][];
  readonly iif: string[];
  readonly oif: string[];
  readonly mark: number[];
  readonly dscp: number[];
  readonly ttl: number[];
  readonly length: number[];
  readonly smac: string[];
  readonly pkttype: string[];
  /** Connection states the rule asks for, in lower case. */
  readonly ctState: string[];
  /** IP version of the rule's table; `undefined` where it sees both. */
  readonly version: IpVersion | undefined;
  /** Chain the rule stands in; empty where it has none. */
  readonly chain: string;
  /** Chain the rule jumps or goes to, or its target's name. */
  readonly target: string;
}

/** An aim at nothing. */
export function emptyAim(place: Partial<Pick<Aim, 'version' | 'chain' | 'target'>> = {}): Aim {
  return {
    saddr: [],
    daddr: [],
    sport: [],
    dport: [],
    proto: [],
    icmp: [],
    tcpFlags: [],
    iif: [],
    oif: [],
    mark: [],
    dscp: [],
    ttl: [],
    length: [],
    smac: [],
    pkttype: [],
    ctState: [],
    version: place.version,
    chain: place.chain ?? '',
    target: place.target ?? '',
  };
}

/** One aim per rule of the texts. A rule that asks a set gets one aim per element, and one beside all of them. */
export function aimsOf(rules: KernelRules): Aim[] {
  const sets = readSets(rules.ipset ?? '');
  const out: Aim[] = [];
  for (const version of [4, 6] as const) {
    const text = (version === 4 ? rules.iptables : rules.ip6tables) ?? '';
    for (const line of text.split('\n')) {
      if (line.startsWith('-A ')) out.push(...aimsOfRule(splitWords(line), version, sets));
    }
  }
  for (const line of (rules.nft ?? '').split('\n')) out.push(aimOfNftRule(line));
  return out;
}

// ---- iptables rules

type Elements = ReadonlyMap<string, readonly string[]>;

function aimsOfRule(words: readonly string[], version: IpVersion, sets: Elements): Aim[] {
  const jump = words.findIndex((word) => word === '-j' || word === '-g');
  const target = jump < 0 ? '' : (words[jump + 1] ?? '');
  const aim = emptyAim({ version, chain: words[1] ?? '', target });
  let asked: { elements: readonly string[]; directions: string[] } | undefined;
  for (let i = 2; i < words.length; i++) {
    const value = words[i + 1] ?? '';
    if (words[i] === '--match-set') {
      asked = { elements: elementsOf(value, sets), directions: (words[i + 2] ?? '').split(',') };
    } else if (words[i] === '--tcp-flags') {
      addTcpFlags(aim, value, words[i + 2] ?? '');
    } else {
      const found = emptyAim();
      readOption(found, words[i]!, value);
      for (const field of FIELDS) addInOrder(aim, found, field, words[i - 1] === '!');
    }
  }
  if (asked === undefined) return [aim];
  const { elements, directions } = asked;
  return [aim, ...elements.map((element) => withElement(aim, element, directions))];
}

/** Adds values of one option; of a negated one, the value it names last, since its neighbours match. */
function addInOrder(aim: Aim, found: Aim, field: (typeof FIELDS)[number], negated: boolean): void {
  if (negated && field === 'proto' && found.proto.length > 0)
    found.proto.unshift(found.proto[0] === 17 ? 6 : 17);
  else if (negated) found[field].reverse();
  appendField(aim, found, field);
}

/** Options whose value is worth aiming at, and what to do with it. */
const OPTIONS: Readonly<Record<string, (aim: Aim, value: string) => void>> = {
  '-s': (aim, value) => aim.saddr.push(...addressEdges(value)),
  '-d': (aim, value) => aim.daddr.push(...addressEdges(value)),
  '--src-range': (aim, value) => aim.saddr.push(...addressEdges(value)),
  '--dst-range': (aim, value) => aim.daddr.push(...addressEdges(value)),
  '--ctorigsrc': (aim, value) => aim.saddr.push(...addressEdges(value)),
  '--ctorigdst': (aim, value) => aim.daddr.push(...addressEdges(value)),
  '--ctorigdstport': (aim, value) => aim.dport.push(...portEdges(value)),
  '--sport': (aim, value) => aim.sport.push(...portEdges(value)),
  '--dport': (aim, value) => aim.dport.push(...portEdges(value)),
  '--sports': (aim, value) => aim.sport.push(...portEdges(value)),
  '--dports': (aim, value) => aim.dport.push(...portEdges(value)),
  '--ports': (aim, value) => {
    aim.sport.push(...portEdges(value));
    aim.dport.push(...portEdges(value));
  },
  '--to-ports': (aim, value) => aim.dport.push(...portEdges(value)),
  '--to-destination': addDestination,
  '-p': (aim, value) => aim.proto.push(...protocolsOf(value)),
  '-i': (aim, value) => aim.iif.push(...interfaceEdges(value)),
  '-o': (aim, value) => aim.oif.push(...interfaceEdges(value)),
  '--icmp-type': (aim, value) => aim.icmp.push(...icmpEdges(value)),
  '--icmpv6-type': (aim, value) => aim.icmp.push(...icmpEdges(value)),
  '--mark': (aim, value) => aim.mark.push(...markEdges(value)),
  '--dscp': (aim, value) => aim.dscp.push(...numberEdges(value, 63)),
  '--tos': (aim, value) => aim.dscp.push(...numberEdges(value.split('/')[0]!, 255).map((tos) => tos >> 2)),
  '--ttl-eq': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--ttl-lt': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--ttl-gt': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--hl-eq': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--hl-lt': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--hl-gt': (aim, value) => aim.ttl.push(...numberEdges(value, 255)),
  '--ctproto': (aim, value) => aim.proto.push(...protocolsOf(value)),
  '--ctorigsrcport': (aim, value) => aim.sport.push(...portEdges(value)),
  '--length': (aim, value) => aim.length.push(...value.split(':').flatMap((n) => numberEdges(n, 1400))),
  '--mac-source': (aim, value) => aim.smac.push(value.toLowerCase(), '02:00:00:00:00:01'),
  '--ctstate': addStates,
  '--state': addStates,
  '--pkt-type': (aim) => aim.pkttype.push('unicast', 'broadcast', 'multicast'),
};

function readOption(aim: Aim, option: string, value: string): void {
  if (option === '--syn') addTcpFlags(aim, 'FIN,SYN,RST,ACK', 'SYN');
  if (Object.hasOwn(OPTIONS, option)) OPTIONS[option]?.(aim, value);
}

function addStates(aim: Aim, value: string): void {
  const states = value.toLowerCase().split(',');
  aim.ctState.push(...states.filter((state) => STATES.includes(state)));
  // Headers that are INVALID without a connection.
  if (states.includes('invalid')) {
    aim.tcpFlags.push(['fin'], ['syn', 'ack']);
    aim.icmp.push([0, 0]);
  }
}

const STATES: readonly string[] = ['new', 'established', 'related', 'invalid', 'untracked'];

function addDestination(aim: Aim, value: string): void {
  const [address, port] = value.split(':');
  if (address !== undefined && parseAddress(address) !== undefined) aim.daddr.push(...addressEdges(address));
  if (port !== undefined) aim.dport.push(...portEdges(port));
}

function addTcpFlags(aim: Aim, mask: string, wanted: string): void {
  const flagNames = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];
  const list = (text: string): string[] =>
    text === 'ALL' ? flagNames : text === 'NONE' ? [] : text.toLowerCase().split(',');
  const set = list(wanted);
  const outside = flagNames.filter((flag) => !list(mask).includes(flag));
  aim.tcpFlags.push(set, [...new Set([...set, ...outside])]);
  for (const flag of list(mask)) {
    aim.tcpFlags.push(set.includes(flag) ? set.filter((f) => f !== flag) : [...set, flag]);
  }
}

// ---- sets

function readSets(text: string): Elements {
  const out = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [verb, name, element] = line.split(/\s+/);
    if (verb === 'create' && name !== undefined) out.set(name, []);
    if (verb === 'add' && name !== undefined && element !== undefined) out.get(name)?.push(element);
  }
  return out;
}

/** Elements of a set; those of its members for a list. */
function elementsOf(name: string, sets: Elements): string[] {
  return (sets.get(name) ?? []).flatMap((element) => {
    const member = sets.get(element);
    return member === undefined ? [element] : [...member];
  });
}

function withElement(aim: Aim, element: string, directions: readonly string[]): Aim {
  const out = emptyAim(aim);
  for (const key of FIELDS) appendField(out, aim, key);
  for (const [position, part] of element.split(',').entries()) {
    const source = directions[Math.min(position, directions.length - 1)] === 'src';
    const port = /^(?:([a-z0-9-]+):)?(\S+)$/.exec(part);
    if (part.includes('.') || part.split(':').length > 2) {
      (source ? out.saddr : out.daddr).push(...addressEdges(part));
    } else if (port !== null && parseProtocol(port[1] ?? 'tcp') !== undefined && /^\d/.test(port[2]!)) {
      const proto = parseProtocol(port[1] ?? 'tcp')!;
      out.proto.push(...(port[1] === undefined ? [6, 17, 132] : [proto]));
      if (proto === 1 || proto === 58) out.icmp.push(...icmpEdges(port[2]!));
      else (source ? out.sport : out.dport).push(...portEdges(port[2]!));
    } else if (port?.[1] === 'icmp') {
      out.proto.push(1);
      out.icmp.push(...icmpEdges(port[2]!));
    } else if (/^0x[0-9a-f]+$/.test(part)) {
      out.mark.push(...markEdges(part));
    } else {
      (source ? out.iif : out.oif).push(...interfaceEdges(part));
    }
  }
  return out;
}

/** Every list-valued field of an aim. */
export const FIELDS = [
  'saddr',
  'daddr',
  'sport',
  'dport',
  'proto',
  'icmp',
  'tcpFlags',
  'iif',
  'oif',
  'mark',
  'dscp',
  'ttl',
  'length',
  'smac',
  'pkttype',
  'ctState',
] as const;

/** Adds one field's values of `from` to `to`. */
export function appendField(to: Aim, from: Aim, field: (typeof FIELDS)[number]): void {
  // The two lists have the same element type: they are the same field.
  (to[field] as unknown[]).push(...from[field]);
}

// ---- nft rules: a plain search for what follows a field's name

function aimOfNftRule(line: string): Aim {
  const aim = emptyAim();
  const find = (pattern: RegExp, add: (value: string) => void): void => {
    for (const found of line.matchAll(pattern)) {
      for (const value of found[1]!.replace(/[{}]/g, ' ').split(/[\s,]+/)) if (value !== '') add(value);
    }
  };
  const value = String.raw`(?:(?:[!=]=|[<>]=?) )?(\{[^}]*\}|\S+)`;
  find(new RegExp(`saddr ${value}`, 'g'), (text) => aim.saddr.push(...addressEdges(text)));
  find(new RegExp(`daddr ${value}`, 'g'), (text) => aim.daddr.push(...addressEdges(text)));
  find(new RegExp(`sport ${value}`, 'g'), (text) => aim.sport.push(...portEdges(text)));
  find(new RegExp(`(?:dport|to :) ?${value}`, 'g'), (text) => aim.dport.push(...portEdges(text)));
  find(new RegExp(`(?:protocol|l4proto) ${value}`, 'g'), (text) => aim.proto.push(...protocolsOf(text)));
  find(/\b(tcp|udp|sctp|dccp|icmp|icmpv6) /g, (text) => aim.proto.push(...protocolsOf(text)));
  find(new RegExp(`iifname ${value}`, 'g'), (text) => aim.iif.push(...interfaceEdges(nftName(text))));
  find(new RegExp(`oifname ${value}`, 'g'), (text) => aim.oif.push(...interfaceEdges(nftName(text))));
  find(new RegExp(`icmp(?:v6)? type ${value}`, 'g'), (text) => aim.icmp.push(...icmpEdges(text)));
  find(new RegExp(`mark ${value}`, 'g'), (text) => aim.mark.push(...markEdges(text)));
  find(new RegExp(`dscp ${value}`, 'g'), (text) =>
    aim.dscp.push(...numberEdges(DSCP_NAMES[text] ?? text, 63)),
  );
  find(new RegExp(`(?:ttl|hoplimit) ${value}`, 'g'), (text) => aim.ttl.push(...rangeEdges(text, 255)));
  find(new RegExp(`length ${value}`, 'g'), (text) => aim.length.push(...rangeEdges(text, 1400)));
  find(/ether saddr (?:!= )?([0-9a-f:]{17})/g, (text) => aim.smac.push(text, '02:00:00:00:00:02'));
  return aim;
}

function nftName(text: string): string {
  return text.replaceAll('"', '').replace(/\*$/, '+');
}

// ---- edges of single values

/** Addresses at the edges of `ADDRESS`, `ADDRESS/MASK` or `LOW-HIGH`. */
function addressEdges(text: string): string[] {
  const range = text.split('-');
  if (range.length === 2) return range.flatMap((end) => neighbours(parseAddress(end!)));
  const masked = parseMaskedAddress(text);
  if (masked === undefined) return [];
  const { version, value, mask } = masked;
  const rest = maxAddress(version) ^ mask;
  if (prefixLengthOf(version, mask) !== undefined) {
    const ends = [value, value | rest, value | (rest >> 1n)];
    return ends.flatMap((end) => neighbours({ version, value: end }));
  }
  // A mask with holes: fill the free bits, then flip single bits that count.
  const fill = value | (BigInt('0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a') & rest);
  const out = [fill, value | (documentationBase(version) & rest)];
  for (let bit = 0n; bit < BigInt(addressBits(version)); bit++) {
    if ((mask >> bit) & 1n) out.push(out[1]! ^ (1n << bit));
  }
  return out.map((address) => formatAddress(version, address));
}

function documentationBase(version: IpVersion): bigint {
  return parseAddress(version === 4 ? '192.0.2.0' : '2001:db8::')!.value;
}

function neighbours(address: { version: IpVersion; value: bigint } | undefined): string[] {
  if (address === undefined) return [];
  const { version, value } = address;
  const near = [value, value - 1n, value + 1n].filter((v) => v >= 0n && v <= maxAddress(version));
  return near.map((v) => formatAddress(version, v));
}

/** Ports at the edges of a list of `PORT` and `LOW:HIGH` (or `LOW-HIGH`). */
function portEdges(text: string): number[] {
  const out: number[] = [];
  for (const part of text.split(',')) {
    const ends = part.split(/[:-]/).map((end, i) => (end === '' ? (i === 0 ? 0 : 65535) : Number(end)));
    for (const end of ends) out.push(end, end - 1, end + 1);
    if (ends.length === 2) out.push(Math.floor((ends[0]! + ends[1]!) / 2));
  }
  return out.filter((port) => Number.isInteger(port) && port >= 0 && port <= 65535);
}

function protocolsOf(text: string): number[] {
  const number = parseProtocol(text);
  return number === undefined || number === 0 ? [] : [number];
}

/** Names an interface pattern is about: those it matches, the bare prefix, and one with a further letter. */
function interfaceEdges(pattern: string): string[] {
  if (!pattern.endsWith('+')) return [pattern, `${pattern}x`];
  const prefix = pattern.slice(0, -1);
  return prefix === '' ? ['eth0'] : [prefix, `${prefix}0`, `${prefix}9x`, prefix.slice(0, -1)];
}

const ICMP_NAMES: Readonly<Record<string, [number, number]>> = {
  'echo-request': [8, 0],
  'echo-reply': [0, 0],
  'fragmentation-needed': [3, 4],
  'host-unreachable': [3, 1],
  'time-exceeded': [11, 0],
  'router-advertisement': [134, 0],
  'neighbour-solicitation': [135, 0],
};

function icmpEdges(text: string): [number, number][] {
  const named = Object.hasOwn(ICMP_NAMES, text) ? ICMP_NAMES[text] : undefined;
  const [type, code] = named ?? text.split('/').map(Number);
  if (type === undefined || !Number.isInteger(type)) return [];
  const near: [number, number][] = [
    [type, code ?? 0],
    [type, (code ?? 0) + 1],
    [type + 1, code ?? 0],
    [Math.max(0, type - 1), code ?? 0],
  ];
  return near.filter(([t, c]) => t <= 255 && c <= 255);
}

function markEdges(text: string): number[] {
  const [value, mask] = text.split('/').map(Number);
  if (value === undefined || !Number.isInteger(value)) return [];
  const free = mask === undefined ? 0 : ~mask >>> 0;
  return [...new Set([value, (value | free) >>> 0, 0, (value ^ 1) >>> 0])];
}

function numberEdges(text: string, most: number): number[] {
  const value = Number(text.split('/')[0]);
  return [value, value - 1, value + 1].filter((n) => Number.isInteger(n) && n >= 0 && n <= most);
}

/** Edges of a number or of `LOW-HIGH`. */
function rangeEdges(text: string, most: number): number[] {
  return text.split('-').flatMap((end) => numberEdges(end, most));
}

/** Some of nft's names for differentiated services. Source: nft(8), dscp. */
const DSCP_NAMES: Readonly<Record<string, string>> = { cs0: '0', cs1: '8', af11: '10', ef: '46' };

/** Words of a rule; a quoted argument is one word. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/"(?:\\.|[^"\\])*"|\S+/g)].map((found) => found[0]);
}
