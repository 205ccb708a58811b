import type {
  FieldName,
  NamedSet,
  NamedSetCondition,
  NamedSetElement,
  SetDimension,
  SetValue,
} from '../model/index.ts';
import {
  addressBits,
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  intersectIntervals,
  intervalToPrefixes,
  normalizeIntervals,
  prefixMask,
  SCTP,
  single,
  subtractIntervals,
  TCP,
  UDP,
  UDPLITE,
} from '../net/index.ts';
import {
  type Answer,
  askDeterministic,
  askValue,
  askVarying,
  type Compiler,
  interfaceMatches,
  interfaceName,
  type Test,
} from './condition.ts';
import { type Context, domainOf, FIELD_INDEX, fieldWidth, type Question, type State } from './state.ts';
import { isEmptyDomain, keepOutside, keepWithin, type Value, wholeVariable } from './unknown-value.ts';

/**
 * Lookups in ipsets. Source: ipset(8); linux net/netfilter/ipset/ip_set_hash_gen.h, mtype_test_cidrs (the longest
 * prefix is tried first, and the first element found decides) and ip_set_getport.c (what counts as a port).
 */

/** The sets of a ruleset by name. */
export type NamedSetIndex = ReadonlyMap<string, IndexedSet>;

/** A set with its elements sorted for lookup. */
interface IndexedSet {
  readonly set: NamedSet;
  /** Most specific first. Empty for a `list:set`. */
  readonly ranks: readonly Rank[];
  /** Members of a `list:set`, in order. */
  readonly members: readonly { readonly name: string; readonly timeout: boolean }[];
}

/** The entries whose address prefixes have the same lengths. */
interface Rank {
  /** For each dimension the mask to put on the packet's value; `undefined` for other than addresses. */
  readonly masks: readonly (bigint | undefined)[];
  /** Entries of single values, by `keyOf` these; interfaces are compared afterwards. */
  readonly exact: ReadonlyMap<string, readonly Entry[]>;
  /** Entries with a range of ports, marks or MACs. */
  readonly wide: readonly Entry[];
}

/** One element, or the part of one whose addresses form a prefix. */
interface Entry {
  /** Fewer than the set has dimensions where the last one may be anything. */
  readonly values: readonly SetValue[];
  readonly nomatch: boolean;
  /** May be gone. */
  readonly uncertain: boolean;
}

/** Sets made ready for lookup. Of two sets with one name the first counts. */
export function indexNamedSets(sets: readonly NamedSet[]): NamedSetIndex {
  const index = new Map<string, IndexedSet>();
  for (const set of sets) {
    if (!index.has(set.name)) index.set(set.name, indexSet(set));
  }
  return index;
}

function indexSet(set: NamedSet): IndexedSet {
  const members = set.elements.flatMap((element) =>
    element.values.flatMap((value) =>
      value.kind === 'set' ? [{ name: value.name, timeout: element.timeout }] : [],
    ),
  );
  return { set, ranks: isList(set) ? [] : rankEntries(set), members };
}

function isList(set: NamedSet): boolean {
  return set.dimensions.includes('set');
}

interface RankBuilder {
  readonly masks: readonly (bigint | undefined)[];
  readonly lengths: readonly number[];
  readonly exact: Map<string, Entry[]>;
  readonly wide: Entry[];
}

function rankEntries(set: NamedSet): Rank[] {
  const ranks = new Map<string, RankBuilder>();
  for (const element of set.elements) {
    for (const { entry, lengths } of splitIntoPrefixes(set, element)) {
      const name = lengths.join(',');
      let rank = ranks.get(name);
      if (rank === undefined) {
        rank = { masks: masksOf(set, lengths), lengths, exact: new Map(), wide: [] };
        ranks.set(name, rank);
      }
      addEntry(rank, entry, set);
    }
  }
  return [...ranks.values()].sort(bySpecificity);
}

function masksOf(set: NamedSet, lengths: readonly number[]): (bigint | undefined)[] {
  const version = set.version ?? 4;
  return set.dimensions.map((dimension, i) =>
    dimension === 'address' ? prefixMask(version, lengths[i]!) : undefined,
  );
}

/** Longer prefixes first, the first dimension counting most. */
function bySpecificity(a: RankBuilder, b: RankBuilder): number {
  for (const [i, length] of a.lengths.entries()) {
    const difference = b.lengths[i]! - length;
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The entries of an element: one, unless its addresses are no prefix. `netmask` widens an element to its network,
 * which says the same as masking the packet. A missing MAC (`bitmap:ip,mac`, where the kernel fills in the first one that
 * comes by: ipset(8), seen on Linux 6.18) matches any; an element of other kinds than the set, or too short, has none.
 */
function splitIntoPrefixes(
  set: NamedSet,
  element: NamedSetElement,
): { readonly entry: Entry; readonly lengths: readonly number[] }[] {
  const version = set.version ?? 4;
  let partial: { readonly values: readonly SetValue[]; readonly lengths: readonly number[] }[] = [
    { values: [], lengths: [] },
  ];
  for (const [i, dimension] of set.dimensions.entries()) {
    const value = element.values[i];
    if (value === undefined && dimension === 'mac' && i > 0) break;
    if (value === undefined) return [];
    if (!fits(dimension, value)) return [];
    const pieces = dimension === 'address' ? addressPieces(set, version, value) : [{ value, length: 0 }];
    partial = partial.flatMap(({ values, lengths }) =>
      pieces.map((piece) => ({
        values: [...values, piece.value],
        lengths: [...lengths, piece.length],
      })),
    );
  }
  return partial.map(({ values, lengths }) => {
    const missing = set.dimensions.length - values.length;
    const entry = { values, nomatch: element.nomatch, uncertain: element.timeout };
    return { entry, lengths: [...lengths, ...Array<number>(missing).fill(0)] };
  });
}

function fits(dimension: SetDimension, value: SetValue): boolean {
  switch (dimension) {
    case 'address':
    case 'mac':
    case 'mark':
      return value.kind === 'interval';
    case 'port':
      return value.kind === 'port';
    case 'interface':
      return value.kind === 'interface';
    case 'set':
      return value.kind === 'set';
  }
}

function addressPieces(
  set: NamedSet,
  version: IpVersion,
  value: SetValue,
): { readonly value: SetValue; readonly length: number }[] {
  if (value.kind !== 'interval') return [];
  const mask = prefixMask(version, Math.min(set.netmask ?? addressBits(version), addressBits(version)));
  const host = prefixMask(version, 0) ^ mask ^ prefixMask(version, addressBits(version));
  const range = { lo: value.range.lo & mask, hi: value.range.hi | host };
  if (value.range.lo > value.range.hi || range.hi >> BigInt(addressBits(version)) !== 0n) return [];
  return intervalToPrefixes(version, range).map(({ value: lo, prefixLength }) => ({
    value: {
      kind: 'interval',
      range: { lo, hi: lo + (1n << BigInt(addressBits(version) - prefixLength)) - 1n },
    },
    length: prefixLength,
  }));
}

function addEntry(rank: RankBuilder, entry: Entry, set: NamedSet): void {
  const keys = entryKeys(entry, set);
  if (keys === undefined) rank.wide.push(entry);
  for (const key of keys ?? []) {
    const there = rank.exact.get(key);
    if (there === undefined) rank.exact.set(key, [entry]);
    else there.push(entry);
  }
}

/** The keys under which an entry is found; `undefined` when there is no short list of them. */
function entryKeys(entry: Entry, set: NamedSet): readonly string[] | undefined {
  if (entry.values.length < set.dimensions.length) return undefined;
  let keys = [''];
  for (const [i, dimension] of set.dimensions.entries()) {
    const value = entry.values[i]!;
    if (value.kind === 'interval') {
      if (dimension !== 'address' && value.range.lo !== value.range.hi) return undefined;
      keys = keys.map((key) => `${key} ${value.range.lo}`);
    } else if (value.kind === 'port') {
      if (value.range.lo !== value.range.hi) return undefined;
      const protocols = value.protocol === undefined ? [TCP, UDP] : [value.protocol];
      keys = keys.flatMap((key) => protocols.map((protocol) => `${key} ${protocol}:${value.range.lo}`));
    }
  }
  return keys;
}

/** What the packet has in one dimension of a set. */
type PacketPart =
  | { readonly kind: 'value'; readonly value: Value; readonly width: number }
  | { readonly kind: 'port'; readonly protocol: bigint; readonly value: Value }
  | { readonly kind: 'interface'; readonly name: string | undefined }
  /** The packet has no such thing: no element matches. */
  | { readonly kind: 'none' }
  /** The packet has it, but no field of ours holds it. */
  | { readonly kind: 'unmodelled' };

/** The test for a `named-set` condition. */
export function testNamedSet(condition: NamedSetCondition, compiler: Compiler): Test {
  const indexed = compiler.namedSets.get(condition.set);
  if (indexed === undefined) return (state) => askDeterministic(state, condition.text);
  if (!isList(indexed.set)) return testPlainSet(indexed, condition, compiler.nextOccurrence());
  if (indexed.set.dynamic) {
    const occurrence = compiler.nextOccurrence();
    return (state) => askVarying(state, occurrence, condition.text);
  }
  return testListSet(indexed, condition, compiler);
}

/** Members are asked in turn; one that holds is enough. The kernel allows no list in a list: such a member is empty. */
function testListSet(list: IndexedSet, condition: NamedSetCondition, compiler: Compiler): Test {
  const tests = list.members.flatMap(({ name, timeout }): Test[] => {
    const member = compiler.namedSets.get(name);
    const text = `${condition.text} (member ${name})`;
    if (member !== undefined && isList(member.set)) return [];
    const test: Test =
      member === undefined
        ? (state) => askDeterministic(state, text)
        : testPlainSet(member, { ...condition, text }, compiler.nextOccurrence());
    const mayBeGone = compiler.nextOccurrence();
    if (!timeout) return [test];
    return [
      (state, context) => {
        const result = test(state, context);
        return result === true ? askVarying(state, mayBeGone, condition.text) : result;
      },
    ];
  });
  return (state, context) => {
    let undecided: Answer = false;
    for (const test of tests) {
      const result = test(state, context);
      if (result === true) return true;
      if (undecided === false) undecided = result;
    }
    return undecided;
  };
}

function testPlainSet(indexed: IndexedSet, condition: NamedSetCondition, occurrence: string): Test {
  const { set } = indexed;
  const { directions, text } = condition;
  if (directions.length < set.dimensions.length) return () => false;
  const wantsNomatch = condition.returnNomatch && mayHaveHoles(set);
  return (state, context) => {
    if (set.version !== undefined && set.version !== context.packet.version) return false;
    if (set.dynamic) return askVarying(state, occurrence, text);
    const parts = set.dimensions.map((dimension, i) => packetPart(state, context, dimension, directions[i]!));
    if (parts.some((part) => part.kind === 'none')) return false;
    if (parts.some((part) => part.kind === 'unmodelled')) return askDeterministic(state, text);
    const lookup = { indexed, parts, wantsNomatch, state, occurrence, text };
    const open = parts.flatMap((part, i) => (isOpen(part) ? [i] : []));
    const only = open.length === 1 ? openVariable(parts[open[0]!]!) : undefined;
    return only === undefined ? lookUp(lookup) : lookUpVariable(lookup, open[0]!, only);
  };
}

/**
 * Only types with networks know holes; for others `--return-nomatch` is a match like any other. Source: linux
 * ip_set_core.c, ip_set_test() with IPSET_TYPE_NOMATCH; seen on Linux 6.18, also for lists, whose members each go by their type.
 */
function mayHaveHoles(set: NamedSet): boolean {
  return set.type
    .slice(set.type.indexOf(':') + 1)
    .split(',')
    .includes('net');
}

function packetPart(
  state: State,
  context: Context,
  dimension: SetDimension,
  direction: 'src' | 'dst',
): PacketPart {
  const field = (name: FieldName): PacketPart => ({
    kind: 'value',
    value: state.header.values[FIELD_INDEX[name]]!,
    width: fieldWidth(name, context.packet.version),
  });
  switch (dimension) {
    case 'address':
      return field(direction === 'src' ? 'saddr' : 'daddr');
    case 'port':
      return portPart(state, direction);
    case 'mac':
      return direction === 'src' ? field('smac') : { kind: 'unmodelled' };
    case 'mark':
      return field('mark');
    case 'interface': {
      const name = interfaceName(state, context, direction === 'src' ? 'iif' : 'oif');
      return name === '' ? { kind: 'none' } : { kind: 'interface', name };
    }
    case 'set':
      return { kind: 'none' };
  }
}

/** Protocols whose ports ipset reads. DCCP is not among them: its port counts as 0, like that of GRE. */
const PORTS_READ: readonly bigint[] = [TCP, UDP, SCTP, UDPLITE].map(BigInt);

function portPart(state: State, direction: 'src' | 'dst'): PacketPart {
  const value = (field: FieldName): Value => state.header.values[FIELD_INDEX[field]]!;
  const protocol = value('protocol');
  if (typeof protocol !== 'bigint') return { kind: 'unmodelled' };
  if (PORTS_READ.includes(protocol)) {
    return { kind: 'port', protocol, value: value(direction === 'src' ? 'sport' : 'dport') };
  }
  if (protocol !== BigInt(ICMP) && protocol !== BigInt(ICMPV6)) return { kind: 'port', protocol, value: 0n };
  const type = value('icmp-type');
  const code = value('icmp-code');
  if (typeof type !== 'bigint' || typeof code !== 'bigint') return { kind: 'unmodelled' };
  return { kind: 'port', protocol, value: type * 256n + code };
}

function isOpen(part: PacketPart): boolean {
  return part.kind === 'unmodelled' || ('value' in part && typeof part.value !== 'bigint');
}

interface OpenVariable {
  readonly variable: string;
  readonly width: number;
}

/** The variable that a packet part is, where it is nothing but one. */
function openVariable(part: PacketPart): OpenVariable | undefined {
  if (part.kind !== 'value' && part.kind !== 'port') return undefined;
  const width = part.kind === 'port' ? 16 : part.width;
  const variable = typeof part.value === 'bigint' ? undefined : wholeVariable(part.value, width);
  return variable === undefined ? undefined : { variable, width };
}

interface Lookup {
  readonly indexed: IndexedSet;
  readonly parts: readonly PacketPart[];
  /** Holes are what is looked for. */
  readonly wantsNomatch: boolean;
  readonly state: State;
  /** Name and text of the question whether an entry that may be gone is there. */
  readonly occurrence: string;
  readonly text: string;
}

/** Whether the packet is in the set, rank by rank: the first entry found decides, unless it may be gone. */
function lookUp(lookup: Lookup): Answer {
  const possible = new Set<boolean>();
  const settle = () =>
    possible.size > 1 ? askVarying(lookup.state, lookup.occurrence, lookup.text) : possible.has(true);
  for (const rank of lookup.indexed.ranks) {
    const blocking: Entry[] = [];
    for (const entry of candidates(rank, lookup.parts)) {
      const matches = entryMatches(entry, lookup);
      if (typeof matches !== 'boolean') return matches;
      if (matches) {
        possible.add(entry.nomatch === lookup.wantsNomatch);
        if (!entry.uncertain) return settle();
        continue;
      }
      const blocks = networkBlocks(entry, lookup);
      if (typeof blocks !== 'boolean') return blocks;
      if (blocks) blocking.push(entry);
    }
    if (blocking.length > 0) possible.add(false);
    if (blocking.some((entry) => !entry.uncertain)) return settle();
  }
  possible.add(false);
  return settle();
}

/** The entries of a rank that the packet may match, as far as their single values tell. */
function candidates(rank: Rank, parts: readonly PacketPart[]): readonly Entry[] {
  if (parts.some(isOpen)) return entriesOf(rank);
  let key = '';
  for (const [i, part] of parts.entries()) {
    if (part.kind === 'value' && typeof part.value === 'bigint') {
      const mask = rank.masks[i];
      key += ` ${mask === undefined ? part.value : part.value & mask}`;
    } else if (part.kind === 'port') {
      key += ` ${part.protocol}:${typeof part.value === 'bigint' ? part.value : ''}`;
    }
  }
  const exact = rank.exact.get(key) ?? [];
  return rank.wide.length === 0 ? exact : [...exact, ...rank.wide];
}

function entriesOf(rank: Rank): Entry[] {
  return [...new Set([...rank.exact.values()].flat()), ...rank.wide];
}

/** Whether the packet matches an entry in every dimension but `except`. A missing value matches everything. */
function entryMatches(entry: Entry, lookup: Lookup, except?: number): Answer {
  let undecided: Question | undefined;
  for (const [i, value] of entry.values.entries()) {
    const matches = valueMatches(value, lookup.parts[i]!, i === except, lookup);
    if (matches === false) return false;
    if (matches !== true) undecided ??= matches;
  }
  return undecided ?? true;
}

/** Whether a part of the packet matches one value of an entry. Of an ignored part only the protocol counts. */
function valueMatches(value: SetValue, part: PacketPart, isIgnored: boolean, lookup: Lookup): Answer {
  if (part.kind === 'interface') {
    return value.kind === 'interface' && interfaceMatches(part.name, value.name, value.prefix);
  }
  if (part.kind === 'port') {
    if (value.kind !== 'port' || !hasProtocol(value.protocol, part.protocol)) return false;
  } else if (part.kind !== 'value' || value.kind !== 'interval') return false;
  if (isIgnored) return true;
  if (typeof part.value === 'bigint') return isWithin(part.value, value.range);
  const width = part.kind === 'port' ? 16 : part.width;
  return askValue(lookup.state, part.value, width, undefined, [value.range], lookup.text);
}

/**
 * Whether an entry that the packet does not match ends the search all the same. In `hash:net,iface` the longest network
 * that the address lies in does, whatever its interface. Source: linux ip_set_hash_gen.h, `multi`; seen on Linux 6.18.
 */
function networkBlocks(entry: Entry, lookup: Lookup): Answer {
  if (!networksBlock(lookup.indexed.set)) return false;
  const [network] = entry.values;
  return network !== undefined && valueMatches(network, lookup.parts[0]!, false, lookup);
}

function networksBlock(set: NamedSet): boolean {
  return set.type === 'hash:net,iface';
}

function isWithin(value: bigint, range: Interval): boolean {
  return range.lo <= value && value <= range.hi;
}

function hasProtocol(wanted: number | undefined, protocol: bigint): boolean {
  return wanted === undefined
    ? protocol === BigInt(TCP) || protocol === BigInt(UDP)
    : protocol === BigInt(wanted);
}

/**
 * The same for a packet whose part at `at` is not known: the values of the variable are sorted into those with which
 * the packet is in the set, those with which it is not, and those where that hangs on an entry that may be gone.
 */
function lookUpVariable(lookup: Lookup, at: number, { variable, width }: OpenVariable): Answer {
  const { state, occurrence, text } = lookup;
  const domain = domainOf(state.knowledge, variable, width);
  const { inside, uncertain } = sortValues(lookup, at, domain.intervals);
  for (const intervals of [uncertain, inside]) {
    const mayBe = !isEmptyDomain(keepWithin(domain, intervals));
    const mayNotBe = !isEmptyDomain(keepOutside(domain, intervals));
    if (mayBe && mayNotBe) return { kind: 'range', variable, width, intervals, text, failsWhen: false };
    if (mayBe) return intervals === inside ? true : askVarying(state, occurrence, text);
  }
  return false;
}

/** Values of a variable by what the ranks looked at so far make possible, and those that are settled. */
interface SortedValues {
  inside: readonly Interval[];
  uncertain: readonly Interval[];
  /** Not settled. In the set, or out of it, if an entry is there that may be gone. */
  open: readonly Interval[];
  maybeIn: readonly Interval[];
  maybeOut: readonly Interval[];
}

function sortValues(
  lookup: Lookup,
  at: number,
  all: readonly Interval[],
): { readonly inside: readonly Interval[]; readonly uncertain: readonly Interval[] } {
  const sorted: SortedValues = { inside: [], uncertain: [], open: all, maybeIn: [], maybeOut: [] };
  for (const rank of lookup.indexed.ranks) {
    const entries = entriesOf(rank);
    const matching = new Set(entries.filter((entry) => entryMatches(entry, lookup, at) === true));
    const blocking = networksBlock(lookup.indexed.set) ? entries : [...matching];
    const isWanted = (entry: Entry) => entry.nomatch === lookup.wantsNomatch && matching.has(entry);
    const cover = (of: readonly Entry[]): Interval[] => of.map((entry) => rangeOf(entry.values[at]));
    const sure = blocking.filter((entry) => !entry.uncertain);
    const unsure = blocking.filter((entry) => entry.uncertain);
    allow(sorted, cover(unsure.filter(isWanted)), 'maybeIn');
    allow(sorted, cover(unsure.filter((entry) => !isWanted(entry))), 'maybeOut');
    settleValues(sorted, cover(sure.filter(isWanted)), true);
    settleValues(sorted, cover(sure), false);
  }
  return { inside: sorted.inside, uncertain: normalizeIntervals([...sorted.uncertain, ...sorted.maybeIn]) };
}

/** An entry that may be gone makes an outcome possible for the values it covers. */
function allow(sorted: SortedValues, values: readonly Interval[], outcome: 'maybeIn' | 'maybeOut'): void {
  const unsettled = [...sorted.open, ...sorted.maybeIn, ...sorted.maybeOut];
  sorted[outcome] = normalizeIntervals([...sorted[outcome], ...intersectIntervals(unsettled, values)]);
}

/** An entry that is there settles the values it covers that are not settled yet. */
function settleValues(sorted: SortedValues, values: readonly Interval[], isIn: boolean): void {
  const unsettled = [...sorted.open, ...sorted.maybeIn, ...sorted.maybeOut];
  const now = intersectIntervals(unsettled, values);
  const doubtful = intersectIntervals(now, isIn ? sorted.maybeOut : sorted.maybeIn);
  sorted.uncertain = normalizeIntervals([...sorted.uncertain, ...doubtful]);
  if (isIn) sorted.inside = normalizeIntervals([...sorted.inside, ...subtractIntervals(now, doubtful)]);
  for (const name of ['open', 'maybeIn', 'maybeOut'] as const)
    sorted[name] = subtractIntervals(sorted[name], now);
}

/** A missing value stands for every one. */
function rangeOf(value: SetValue | undefined): Interval {
  if (value === undefined) return { lo: 0n, hi: 1n << 128n };
  return value.kind === 'interval' || value.kind === 'port' ? value.range : single(-1n);
}
