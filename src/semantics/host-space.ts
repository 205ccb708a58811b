import type { NamedSet, Rule, Ruleset, Table } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { type InterfaceName, type PacketSet, PacketSpace, type SpaceField } from '../packet-set/index.ts';
import { ChainIndex } from './chain-index.ts';
import { trackedVersions } from './connection-tracking.ts';
import type { SetLevel } from './named-set.ts';
import { visitConditions } from './visit-conditions.ts';

/** Default size limit of one host's packet sets, in diagram nodes of about 31 bytes each, tables and caches included. */
export const DEFAULT_NODE_BUDGET = 30_000_000;

/**
 * The header space of one host, with the names of its unknown predicates.
 *
 * Keys of deterministic predicates are their text; varying ones and unknown values get a number.
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
  readonly #textOf = new Map<string, string>();
  readonly #indexes = new Map<Table, ChainIndex>();
  readonly #fixed = new Map<string, boolean>();
  #fresh = 0;
  #scope: { readonly name: string; readonly made: Map<string, number> } | undefined;

  constructor(ruleset: Ruleset, nodeBudget: number = DEFAULT_NODE_BUDGET) {
    this.ruleset = ruleset;
    this.namedSets = new Map([...ruleset.namedSets].reverse().map((s) => [s.name, s]));
    this.space = new PacketSpace({ interfaces: collectInterfaces(ruleset), nodeBudget });
    this.trackedVersions = trackedVersions(ruleset);
    this.asksOriginalTuple = asksOriginalTuple(ruleset);
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
    return this.space.variable(key);
  }

  /** Keys of the deterministic predicates met so far: those whose answer does not change from packet to packet. */
  deterministicKeys(): string[] {
    return [...this.#textOf.keys()].filter((key) => !key.startsWith('varying '));
  }

  /** A fresh truth value. `text` is what reports call it. */
  varying(text: string): PacketSet {
    return this.space.variable(this.#freshKey(text));
  }

  /** A fresh unknown number of `width` bits that stands in for the field `beside`, next to whose variables its own are put. */
  unknownBits(text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    return this.#named(this.#freshKey(text), text, width, beside);
  }

  /** One unknown number per text. */
  deterministicBits(text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    return this.#named(`value ${text}`, text, width, beside);
  }

  /** Texts of the unknown predicates that `set` depends on, sorted. */
  unknownsOf(set: PacketSet): string[] {
    const texts = new Set<string>();
    for (const key of this.space.support(set).keys) {
      const text = this.#textOf.get(key) ?? this.#textOf.get(key.replace(/\[\d+\]$/, '')) ?? key;
      texts.add(text);
    }
    return [...texts].sort();
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

  #freshKey(text: string): string {
    const key = `varying ${this.#scope === undefined ? this.newScope() : this.#keyInScope(this.#scope, text)}`;
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

  #named(key: string, text: string, width: number, beside: SpaceField): readonly PacketSet[] {
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
function collectInterfaces(ruleset: Ruleset): InterfaceName[] {
  const seen = new Map<string, InterfaceName>();
  const add = (name: string, prefix: boolean) => {
    if (name !== '') seen.set(`${name}${prefix ? '+' : ''}`, { name, prefix });
  };
  add('lo', false);
  for (const rule of rulesOf(ruleset)) {
    visitConditions(rule, (c) => {
      if (c.kind === 'interface') add(c.name, c.prefix);
    });
  }
  for (const set of ruleset.namedSets) {
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
