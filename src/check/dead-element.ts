/** Elements of lists and sets that decide nothing, in rules that decide something. */
import type { Chain, Condition, Match, NamedSet, PacketHook, Rule, Table } from '../model/index.ts';
import { addressBits, type Interval, type IpVersion } from '../net/index.ts';
import { describeAddresses, describePorts, type PacketSet } from '../packet-set/index.ts';
import { fieldBits, visitConditions } from '../semantics/index.ts';
import { type BlockingPlace, coverOf } from './blockers.ts';
import { deadParts, deadRules } from './dead-rule.ts';
import type { HostContext } from './host-context.ts';
import {
  hitOf,
  type LifeVisit,
  matchOf,
  type PlacedRule,
  type RuleLife,
  reachOf,
  ruleLives,
} from './rule-life.ts';

type ListField = 'saddr' | 'daddr' | 'sport' | 'dport' | 'icmp-type';
const LIST_FIELDS: readonly string[] = [
  'saddr',
  'daddr',
  'sport',
  'dport',
  'icmp-type',
] satisfies ListField[];

/** Elements of one list that decide nothing, for one reason. */
export interface DeadElements extends PlacedRule {
  /** `shadowed`: earlier rules take their packets. `redundant`: another element of the list covers them. */
  readonly kind: 'shadowed' | 'redundant';
  readonly hook: PacketHook;
  /** Name of the set, where the list is one that rules refer to by name. */
  readonly set: string | undefined;
  /** As nft and iptables write them, sorted by value. */
  readonly elements: readonly string[];
  /** Rules that take their packets first; empty for redundant ones. */
  readonly because: readonly BlockingPlace[];
}

/** A list as one rule asks it. */
interface Use {
  readonly life: RuleLife;
  readonly field: ListField;
  /** IP version of addresses; `undefined` for ports and types. */
  readonly version: IpVersion | undefined;
}

/** A list of values, and the rules that ask it. */
interface List {
  readonly set: string | undefined;
  readonly values: readonly Interval[];
  readonly uses: Use[];
}

/** Elements that decide nothing, in the order of the rules that ask first. Computed once. */
export function deadElements(context: HostContext): readonly DeadElements[] {
  return context.once('dead elements', () => {
    const dead = new Set(deadRules(context).map(({ rule }) => rule));
    const lives = ruleLives(context);
    const lists = [...ownLists(lives, dead), ...sharedLists(context, lives)];
    const out = lists.flatMap((list) => [...hiddenElements(context, list), ...coveredElements(list)]);
    out.push(...deadMapElements(context));
    return out.sort(
      (a, b) => a.rule.origin.line - b.rule.origin.line || a.rule.origin.column - b.rule.origin.column,
    );
  });
}

// ---- lists

/** Lists that stand in one rule: ports of multiport, an anonymous set, the keys of a verdict map. */
function* ownLists(lives: readonly RuleLife[], dead: ReadonlySet<Rule>): Iterable<List> {
  for (const life of lives) {
    if (dead.has(life.rule)) continue;
    for (const match of life.rule.matches) {
      if (match.text.includes('!') || setNamesIn(match.text).length > 0) continue;
      for (const { field, version, values } of listLeaves(match)) {
        yield { set: undefined, values, uses: [{ life, field, version }] };
      }
    }
  }
}

interface Leaf {
  readonly field: ListField;
  readonly version: IpVersion | undefined;
  readonly values: readonly Interval[];
}

/** Tests of one field against several values that have to hold for the match to hold. */
function listLeaves({ condition }: Match): Leaf[] {
  const found: Leaf[] = [];
  const walk = (c: Condition): void => {
    if (c.kind === 'all') for (const part of c.of) walk(part);
    if ((c.kind !== 'field' && c.kind !== 'address') || c.mask !== undefined || c.values.length < 2) return;
    if (!LIST_FIELDS.includes(c.field)) return;
    const version = c.kind === 'address' ? c.version : undefined;
    found.push({ field: c.field as ListField, version, values: c.values });
  };
  walk(condition);
  return found;
}

/** Names of nft sets and maps in a text: `tcp dport @ports`. */
function setNamesIn(text: string): string[] {
  return [...text.matchAll(/(?:^|[\s!=])@([A-Za-z][\w./\\-]*)/g)].map((m) => m[1]!);
}

/** Named sets of which every use is known: an element is dead only where it is dead for all rules that ask. */
function sharedLists(context: HostContext, lives: readonly RuleLife[]): List[] {
  const lists = new Map<string, { list: List; uses: number }>();
  const byRule = new Map(lives.map((life) => [life.rule, life]));
  const spoiled = new Set<string>();
  for (const table of context.input.ruleset.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules)
        collectShared(context, { table, chain, rule }, byRule.get(rule), lists, spoiled);
    }
  }
  for (const { elements } of context.input.ruleset.namedSets) {
    for (const { values } of elements)
      for (const v of values) if (v.kind === 'set') spoiled.add(`ipset ${v.name}`);
  }
  return [...lists].flatMap(([key, { list }]) => (spoiled.has(key) ? [] : [list]));
}

function collectShared(
  context: HostContext,
  { table, rule }: PlacedRule,
  life: RuleLife | undefined,
  lists: Map<string, { list: List; uses: number }>,
  spoiled: Set<string>,
): void {
  const add = (key: string, set: string, values: readonly Interval[], use: Omit<Use, 'life'>): void => {
    const known = lists.get(key);
    if (life === undefined || (known !== undefined && !sameValues(known.list.values, values))) {
      spoiled.add(key);
      return;
    }
    if (known === undefined) lists.set(key, { list: { set, values, uses: [{ life, ...use }] }, uses: 1 });
    else known.list.uses.push({ life, ...use });
  };
  for (const match of rule.matches) {
    for (const name of setNamesIn(match.text)) {
      const key = `${table.family} ${table.name} ${name}`;
      const leaves = listLeaves(match);
      const isPlain = !match.text.includes('!') && leaves.length === 1 && !/\bv?map\b|\s:\s/.test(match.text);
      if (!isPlain) spoiled.add(key);
      else add(key, name, leaves[0]!.values, leaves[0]!);
    }
  }
  // Sets named in statements and verdicts (an element is added, a map is looked up) are asked in ways that are not followed.
  const inMatches = new Set(rule.matches.flatMap(({ text }) => setNamesIn(text)));
  for (const name of setNamesIn(rule.text)) {
    if (!inMatches.has(name) || / v?map @/.test(rule.text))
      spoiled.add(`${table.family} ${table.name} ${name}`);
  }
  const plain = new Set<Condition>(rule.matches.flatMap(({ condition }) => flattened(condition)));
  visitConditions(rule, (condition) => {
    if (condition.kind !== 'named-set') return;
    const key = `ipset ${condition.set}`;
    const set = context.space.namedSets.get(condition.set);
    const use = set === undefined ? undefined : useOf(context, set, condition.directions[0]);
    if (use === undefined || !plain.has(condition) || condition.returnNomatch) spoiled.add(key);
    else add(key, set!.name, use.values, use);
  });
}

function flattened(condition: Condition): Condition[] {
  return condition.kind === 'all' ? condition.of.flatMap(flattened) : [condition];
}

/** How a fixed ipset of addresses is asked; `undefined` for all other sets. */
function useOf(context: HostContext, set: NamedSet, direction: 'src' | 'dst' | undefined): Leaf | undefined {
  const isPlain =
    set.dimensions.length === 1 &&
    set.dimensions[0] === 'address' &&
    set.version !== undefined &&
    set.netmask === undefined &&
    context.space.isFixedSet(set.name) &&
    set.elements.every(({ nomatch }) => !nomatch);
  if (!isPlain || direction === undefined || set.elements.length < 2) return undefined;
  const values = set.elements.flatMap(({ values: [v] }) => (v?.kind === 'interval' ? [v.range] : []));
  return { field: direction === 'src' ? 'saddr' : 'daddr', version: set.version, values };
}

function sameValues(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a === b || (a.length === b.length && a.every(({ lo, hi }, i) => lo === b[i]!.lo && hi === b[i]!.hi));
}

// ---- elements whose packets are taken before

/** Lists of up to so many elements are asked element by element; longer ones by the values that come through. */
const MOST_ASKED = 24;
/** More ranges of values than this are not listed: the set is then not judged. */
const MOST_RANGES = 100_000;

function hiddenElements(context: HostContext, list: List): DeadElements[] {
  const { space } = context.space;
  const first = list.uses[0]!;
  const visits = list.uses.flatMap(({ life, field, version }) =>
    life.visits
      .filter(({ view }) => version === undefined || view.place.version === version)
      .map((visit) => ({ visit, field, hit: hitOf(context, visit) })),
  );
  const hits = visits.filter(({ hit }) => !space.isEmpty(hit));
  // Nothing comes to any of these rules: what keeps packets from them is reported for the rules.
  if (hits.length === 0) return [];
  const alive =
    list.values.length <= MOST_ASKED ? aliveByAsking(context, list, hits) : aliveByValues(context, hits);
  if (alive === undefined) return [];
  const hidden = list.values.filter((value) => !alive(value));
  if (hidden.length === 0 || hidden.length === list.values.length) return [];
  const { dead, because } = withoutContradiction(context, hidden, visits);
  if (dead.length === 0) return [];
  return [{ ...placeOf(first), kind: 'shadowed', set: list.set, elements: textsOf(first, dead), because }];
}

/** Elements that are only taken by a rule which is redundant because of them: that one is told, and they are needed then. */
function withoutContradiction(
  context: HostContext,
  hidden: readonly Interval[],
  visits: readonly FieldVisit[],
): { readonly dead: readonly Interval[]; readonly because: readonly BlockingPlace[] } {
  const redundant = new Set(
    deadRules(context).flatMap(({ kind, rule }) => (kind === 'redundant' ? [rule] : [])),
  );
  const rests = (places: readonly BlockingPlace[]) =>
    places.some(({ rule }) => rule !== undefined && redundant.has(rule));
  const because = blockersOf(context, hidden, visits);
  if (!rests(because)) return { dead: hidden, because };
  if (hidden.length > MOST_ASKED) return { dead: [], because: [] };
  const dead = hidden.filter((value) => !rests(blockersOf(context, [value], visits)));
  return { dead, because: dead.length === 0 ? [] : blockersOf(context, dead, visits) };
}

interface FieldVisit {
  readonly visit: LifeVisit;
  readonly field: ListField;
  readonly hit: PacketSet;
}

function placeOf({ life: { table, chain, rule, hook } }: Use): {
  table: Table;
  chain: Chain;
  rule: Rule;
  hook: PacketHook;
} {
  return { table, chain, rule, hook };
}

/** Packets whose field, as it is at this point, has one of the values. */
function withValues(
  context: HostContext,
  { visit, field }: Omit<FieldVisit, 'hit'>,
  values: readonly Interval[],
): PacketSet {
  const { place } = visit.view;
  return context.space.space.inIntervals(
    fieldBits(context.space, visit.visit.environment, field, place.version),
    values,
  );
}

function aliveByAsking(
  context: HostContext,
  list: List,
  hits: readonly FieldVisit[],
): (value: Interval) => boolean {
  const alive = new Set(
    list.values.filter((value) =>
      hits.some((one) => context.space.space.intersects(one.hit, withValues(context, one, [value]))),
    ),
  );
  return (value) => alive.has(value);
}

/** By the values that the field takes in packets that hit; not where an earlier rule has assigned it. */
function aliveByValues(
  context: HostContext,
  hits: readonly FieldVisit[],
): ((value: Interval) => boolean) | undefined {
  const { space } = context.space;
  const starts: Interval[] = [];
  for (const { visit, field, hit } of hits) {
    if (visit.visit.environment.bits(field) !== undefined) return undefined;
    const { intervals, complete } = space.valuesUpTo(hit, field, visit.view.place.version, MOST_RANGES);
    if (!complete) return undefined;
    starts.push(...intervals);
  }
  starts.sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  /** Highest end of all ranges up to each one. */
  let top = -1n;
  const tops = starts.map(({ hi }) => {
    if (hi > top) top = hi;
    return top;
  });
  return ({ lo, hi }) => {
    // The last range that begins no later than `hi`.
    let [from, to] = [0, starts.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (starts[middle]!.lo <= hi) from = middle + 1;
      else to = middle;
    }
    return from > 0 && tops[from - 1]! >= lo;
  };
}

/** The rules that take the packets of dead elements, on the first way where some would come. */
function blockersOf(
  context: HostContext,
  dead: readonly Interval[],
  visits: readonly FieldVisit[],
): readonly BlockingPlace[] {
  const { space } = context.space;
  for (const one of visits) {
    const sent = one.visit.view.sent.get(one.visit.summary) ?? space.empty;
    const wanted = space.intersectAll([matchOf(context, one.visit), sent, withValues(context, one, dead)]);
    if (space.isEmpty(wanted) || space.isEmpty(reachOf(context, one.visit))) continue;
    const cover = coverOf(context, one.visit, wanted);
    if (cover !== undefined) return cover.blockers;
  }
  return [];
}

/** Elements of verdict maps: each verdict of a map is a rule of its own in the model. */
function deadMapElements(context: HostContext): DeadElements[] {
  return deadParts(context).flatMap(({ table, chain, rule, hook, kind, because }) => {
    const elements = rule.matches.flatMap(({ text }) => (/ : /.test(text) ? [text] : []));
    if (kind !== 'shadowed' || elements.length === 0) return [];
    const set = /\bvmap @(\S+)/.exec(rule.text)?.[1];
    return [{ table, chain, rule, hook, kind, set, elements, because }];
  });
}

// ---- elements that others cover

function coveredElements(list: List): DeadElements[] {
  const order = list.values
    .map((value, i) => ({ value, i }))
    .sort((a, b) => compare(a.value.lo, b.value.lo) || compare(b.value.hi, a.value.hi) || a.i - b.i);
  let top = -1n;
  const covered: Interval[] = [];
  for (const { value } of order) {
    if (value.lo > value.hi) continue;
    if (value.hi <= top) covered.push(value);
    else top = value.hi;
  }
  if (covered.length === 0) return [];
  const first = list.uses[0]!;
  return [
    { ...placeOf(first), kind: 'redundant', set: list.set, elements: textsOf(first, covered), because: [] },
  ];
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// ---- texts

function textsOf({ field, version }: Use, values: readonly Interval[]): string[] {
  const sorted = [...values].sort((a, b) => compare(a.lo, b.lo));
  if (field === 'saddr' || field === 'daddr') {
    const known = version ?? 4;
    const most = (1n << BigInt(addressBits(known))) - 1n;
    return sorted.flatMap((value) =>
      value.hi > most ? [] : describeAddresses(known, [value], 'prefix').saddr,
    );
  }
  return sorted.flatMap((value) => describePorts([value]));
}
