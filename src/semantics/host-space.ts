import type { NamedSet, Rule, Ruleset, Table } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import {
  type Header,
  type InterfaceName,
  type PacketSet,
  PacketSpace,
  type SpaceField,
} from '../packet-set/index.ts';
import { ChainIndex } from './chain-index.ts';
import { trackedVersions } from './connection-tracking.ts';
import { type MergedUnknown, namesBehind } from './merged-names.ts';
import type { SetLevel } from './named-set.ts';
import { type ReadOnce, readOnceUnknowns } from './read-once.ts';
import { visitConditions } from './visit-conditions.ts';

/** Default size limit of one host's packet sets, in diagram nodes of about 31 bytes each, tables and caches included. */
export const DEFAULT_NODE_BUDGET = 30_000_000;

/**
 * Unknown predicates that one traversal of a chain keeps apart at most; beyond, they are merged (`merge-unknowns.ts`). Few rule sets
 * have a chain with as many, and diagrams of so many independent predicates stay small.
 */
export const DEFAULT_MOST_UNKNOWNS = 24;

/**
 * Rules that may be visited on all ways through one host together, each as often as there are environments and traversals of its chain.
 * Real rule sets take some thousand; a visit is remembered, and takes some hundred bytes.
 */
export const MOST_VISITS = 3_000_000;

/** Rule visits that may still be made. */
export interface VisitBudget {
  readonly most: number;
  left: number;
}

/** A header space, and what reports call its unknowns. Rule sets that are compared with each other share one. */
export interface SharedSpace {
  readonly space: PacketSpace;
  readonly textOf: Map<string, string>;
}

/** A header space in which all packets can be told apart that one of the rule sets tells apart. */
export function sharedSpace(
  rulesets: readonly Ruleset[],
  nodeBudget: number = DEFAULT_NODE_BUDGET,
  stepsPerNode?: number,
): SharedSpace {
  const steps = stepsPerNode === undefined ? {} : { stepsPerNode };
  return {
    space: new PacketSpace({ interfaces: collectInterfaces(rulesets), nodeBudget, ...steps }),
    textOf: new Map(),
  };
}

/**
 * The header space of one host, with the names of its unknown predicates.
 *
 * Keys of deterministic predicates are their text; varying ones and unknown values have a number besides, which counts those of
 * the host with one text. So two hosts in one space share their deterministic predicates, and the others by text and order.
 */
export class HostSpace {
  readonly space: PacketSpace;
  readonly ruleset: Ruleset;
  /** Named sets by name. Of two with one name the first counts. */
  readonly namedSets: ReadonlyMap<string, NamedSet>;
  /** IP versions whose connections are tracked at all (packet-path.md, order, 5). */
  readonly trackedVersions: ReadonlySet<IpVersion>;
  /** Whether some rule asks for the original tuple of a connection. */
  readonly asksOriginalTuple: boolean;
  /** Members of named sets, as far as they are fixed: see `namedSetMembers`. */
  readonly membersCache = new Map<string, PacketSet>();
  readonly setLevelsCache = new Map<string, readonly SetLevel[]>();
  readonly #textOf: Map<string, string>;
  /** Key of each fresh unknown made, by where it was made. */
  readonly #freshKeys = new Map<string, string>();
  /** How many fresh unknowns were made with one text. */
  readonly #freshCounts = new Map<string, number>();
  readonly #indexes = new Map<Table, ChainIndex>();
  readonly #fixed = new Map<string, boolean>();
  #fresh = 0;
  /** What stands behind a merged unknown. */
  readonly #merged = new Map<string, MergedUnknown>();
  /** What `packetsIn` has found. */
  readonly #packets = new Map<PacketSet, PacketSet>();
  #readOnce: ReadonlyMap<string, ReadOnce> | undefined;
  #noted: Set<string> | undefined;
  #scope: { readonly name: string; readonly made: Map<string, number> } | undefined;

  /** Unknown predicates that one traversal of a chain keeps apart at most. */
  readonly mostUnknowns: number;
  /** Rule visits that all ways through the host may still take together. */
  readonly visits: VisitBudget;

  /**
   * `shared` has to be made with this rule set among its own; `nodeBudget` counts only without it. Hosts that share a space merge no
   * unknowns unless told to, since those of one host are to be compared with those of another.
   */
  constructor(
    ruleset: Ruleset,
    nodeBudget: number = DEFAULT_NODE_BUDGET,
    shared?: SharedSpace,
    mostUnknowns: number = shared === undefined ? DEFAULT_MOST_UNKNOWNS : Number.POSITIVE_INFINITY,
    mostVisits: number = MOST_VISITS,
  ) {
    this.visits = { most: mostVisits, left: mostVisits };
    const { space, textOf } = shared ?? sharedSpace([ruleset], nodeBudget);
    this.mostUnknowns = mostUnknowns;
    this.ruleset = ruleset;
    this.namedSets = new Map([...ruleset.namedSets].reverse().map((s) => [s.name, s]));
    this.space = space;
    this.#textOf = textOf;
    this.trackedVersions = trackedVersions(ruleset);
    this.asksOriginalTuple = asksOriginalTuple(ruleset);
  }

  /** How much of its budgets the host has used: 0 to 1. */
  get spent(): number {
    return Math.max(this.space.spent, 1 - this.visits.left / this.visits.most);
  }

  /** The chains of a table of this host. */
  chainIndex(table: Table): ChainIndex {
    let index = this.#indexes.get(table);
    if (index === undefined) {
      index = new ChainIndex(table, (name) => this.isFixedSet(name));
      this.#indexes.set(table, index);
    }
    return index;
  }

  /** Whether the contents of a named set, members of a list included, are known and stay. True for a set that no export defines. */
  isFixedSet(name: string): boolean {
    let isFixed = this.#fixed.get(name);
    if (isFixed === undefined) {
      const set = this.namedSets.get(name);
      // A list in a list, which the kernel does not allow, adds nothing.
      const members = (set?.elements ?? []).flatMap(({ values }) =>
        values.flatMap((value) => (value.kind === 'set' ? (this.namedSets.get(value.name) ?? []) : [])),
      );
      isFixed = [...(set === undefined ? [] : [set]), ...members].every(isFixedAlone);
      this.#fixed.set(name, isFixed);
    }
    return isFixed;
  }

  /** The truth value of a deterministic predicate: the same variable for the same text. */
  deterministic(text: string): PacketSet {
    const key = `deterministic ${text}`;
    this.#textOf.set(key, text);
    this.#noted?.add(key);
    return this.space.variable(key);
  }

  /** Keys of the deterministic predicates met so far: those whose answer does not change from packet to packet. */
  deterministicKeys(): string[] {
    return [...this.#textOf.keys()].filter((key) => !key.startsWith('varying '));
  }

  /** A fresh truth value. `text` is what reports call it. */
  varying(text: string): PacketSet {
    const key = this.#freshKey(text, 1);
    this.#noted?.add(key);
    return this.space.variable(key);
  }

  /** A fresh unknown number of `width` bits that stands in for the field `beside`, next to whose variables its own are put. */
  unknownBits(text: string, width: number, beside?: SpaceField): readonly PacketSet[] {
    return this.#named(this.#freshKey(text, width), text, width, beside);
  }

  /** One unknown number per text. */
  deterministicBits(text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    return this.#named(`value ${text}`, text, width, beside);
  }

  /** Runs `compute` and adds to `keys` the unknown predicates that it asks for. */
  noting<T>(keys: Set<string>, compute: () => T): T {
    const outer = this.#noted;
    this.#noted = keys;
    try {
      return compute();
    } finally {
      this.#noted = outer;
    }
  }

  /** What is known of a deterministic predicate that is asked once; `undefined` for all others. */
  readOnce(key: string): ReadOnce | undefined {
    const text = this.#textOf.get(key);
    if (text === undefined || !this.mergesReadOnce) return undefined;
    return this.#readOnceUnknowns().get(text);
  }

  /** Whether there are so many deterministic predicates that are asked once that some of them may be merged. */
  get mergesReadOnce(): boolean {
    return (
      this.mostUnknowns !== Number.POSITIVE_INFINITY && this.#readOnceUnknowns().size > this.mostUnknowns
    );
  }

  #readOnceUnknowns(): ReadonlyMap<string, ReadOnce> {
    this.#readOnce ??= readOnceUnknowns(this.ruleset);
    return this.#readOnce;
  }

  /** A fresh truth value that stands for several unknown predicates. Deterministic when they are. */
  merged(
    isDeterministic: boolean,
    unknown: MergedUnknown,
  ): { readonly key: string; readonly set: PacketSet } {
    const key = `${isDeterministic ? '' : 'varying '}merged ${this.#textOf.size}`;
    this.#textOf.set(key, 'several unknown conditions');
    this.#merged.set(key, unknown);
    return { key, set: this.space.variable(key) };
  }

  /** What stands behind a merged unknown, `undefined` for all others. */
  mergedBehind(key: string): MergedUnknown | undefined {
    return this.#merged.get(key);
  }

  /**
   * Texts of the unknown predicates that `set` depends on, sorted. Of merged ones those that some packet comes to for which the merged one
   * counts; `header` says what is known of the packets besides, if the set was restricted to it.
   */
  unknownsOf(set: PacketSet, header?: Header): string[] {
    const { space } = this;
    const texts = new Set<string>();
    const packetsIn = (a: PacketSet) =>
      header === undefined ? this.packetsIn(a) : space.restrict(this.packetsIn(a), header);
    for (const key of space.support(set).keys) {
      const merged = this.#merged.get(key);
      if (merged === undefined) texts.add(this.#nameOf(key));
      else {
        const sides = [true, false].map((value) => space.withUnknowns(set, new Map([[key, value]])));
        const depending = packetsIn(space.symmetricDifference(sides[0]!, sides[1]!));
        for (const behind of namesBehind(space, merged, depending, packetsIn))
          texts.add(this.#nameOf(behind));
      }
    }
    return [...texts].sort();
  }

  /** Packets that are in a set for some value of the unknowns. */
  packetsIn(set: PacketSet): PacketSet {
    let packets = this.#packets.get(set);
    if (packets === undefined) {
      packets = this.space.exists(set, this.space.variables({ keys: 'all' }));
      this.#packets.set(set, packets);
    }
    return packets;
  }

  #nameOf(key: string): string {
    return this.#textOf.get(key) ?? this.#textOf.get(key.replace(/\[\d+\]$/, '')) ?? key;
  }

  /** A name that no unknown has had yet. */
  newScope(): string {
    return String(this.#fresh++);
  }

  /**
   * Fresh unknowns made by `compute` are those of the scope: the same ones each time when the same texts ask for them. To be used only
   * for packets that are nowhere else in the scope, since for them no other use of these unknowns exists. Without it,
   * the many environments of one rule would each have unknowns of their own, and merged vectors of them grow exponentially.
   */
  withinScope<T>(name: string, compute: () => T): T {
    const outer = this.#scope;
    this.#scope = { name, made: new Map() };
    try {
      return compute();
    } finally {
      this.#scope = outer;
    }
  }

  #freshKey(text: string, width: number): string {
    const place = this.#scope === undefined ? this.newScope() : this.#keyInScope(this.#scope, text);
    const known = this.#freshKeys.get(`${place} ${width}`);
    if (known !== undefined) return known;
    const kind = `${width} ${text}`;
    const count = this.#freshCounts.get(kind) ?? 0;
    this.#freshCounts.set(kind, count + 1);
    const key = `varying ${count} ${kind}`;
    this.#freshKeys.set(`${place} ${width}`, key);
    this.#textOf.set(key, text);
    return key;
  }

  #keyInScope(
    { name, made }: { readonly name: string; readonly made: Map<string, number> },
    text: string,
  ): string {
    const count = made.get(text) ?? 0;
    made.set(text, count + 1);
    return `${name} ${count} ${text}`;
  }

  #named(key: string, text: string, width: number, beside?: SpaceField): readonly PacketSet[] {
    this.#textOf.set(key, text);
    return this.space.unknownBits(key, width, beside);
  }
}

function isFixedAlone(set: NamedSet): boolean {
  return !set.dynamic && set.elements.every((element) => !element.timeout);
}

function* rulesOf(ruleset: Ruleset): Iterable<Rule> {
  for (const table of ruleset.tables) for (const chain of table.chains) yield* chain.rules;
}

/** Every interface name and prefix that a rule or a set element mentions, and `lo`. */
function collectInterfaces(rulesets: readonly Ruleset[]): InterfaceName[] {
  const seen = new Map<string, InterfaceName>();
  const add = (name: string, prefix: boolean) => {
    if (name !== '') seen.set(`${name}${prefix ? '+' : ''}`, { name, prefix });
  };
  add('lo', false);
  for (const rule of rulesets.flatMap((ruleset) => [...rulesOf(ruleset)])) {
    visitConditions(rule, (c) => {
      if (c.kind === 'interface') add(c.name, c.prefix);
    });
  }
  for (const set of rulesets.flatMap((ruleset) => ruleset.namedSets)) {
    for (const element of set.elements) {
      for (const value of element.values) if (value.kind === 'interface') add(value.name, value.prefix);
    }
  }
  return [...seen.values()].sort((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : Number(a.prefix) - Number(b.prefix),
  );
}

function asksOriginalTuple(ruleset: Ruleset): boolean {
  for (const rule of rulesOf(ruleset)) {
    let asks = false;
    visitConditions(rule, (c) => {
      asks ||= c.kind === 'original';
    });
    if (asks) return true;
  }
  return false;
}
