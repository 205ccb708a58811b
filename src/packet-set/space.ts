import { createHash } from 'node:crypto';
import type { Interval, IpVersion } from '../net/index.ts';
import {
  DiagramTable,
  EMPTY,
  FULL,
  PacketSetBudgetError,
  type Quantifier,
  TERMINAL_LEVEL,
} from './diagram.ts';
import {
  type Block,
  FIELD_ORDER,
  type InterfaceSide,
  Layout,
  SPACE_FIELD_BITS,
  type SpaceField,
  type VarSet,
} from './field.ts';
import type { Header } from './header.ts';
import { InterfaceAtoms, type InterfaceName, NO_INTERFACE } from './interface-atoms.ts';
import { numberIn } from './number-diagram.ts';
import { classesByValue, combinationCount, intervalsOf } from './query.ts';
import { samplePacket } from './sample.ts';

declare const packetSetBrand: unique symbol;

/**
 * A set of packet headers: a handle that is valid within the space that made it. Two sets of one space contain
 * the same packets exactly when their handles are equal (`===`).
 */
export type PacketSet = number & { readonly [packetSetBrand]: true };

/** Anything a set can be projected on. */
export type SpaceDimension = SpaceField | InterfaceSide;

/** Names for `variables` and `variablesExcept`. */
export interface VariableSelection {
  readonly fields?: readonly SpaceField[];
  readonly interfaces?: readonly InterfaceSide[];
  readonly version?: boolean;
  /** Keys of unknown predicates and unknown vectors, or all of them. */
  readonly keys?: 'all' | readonly string[];
}

/** What a set depends on. */
export interface Support {
  /** In the order of the variables. */
  readonly fields: readonly (SpaceDimension | 'version')[];
  readonly keys: readonly string[];
}

/** Values of a field for which a set looks the same, and what it looks like there. */
export interface ValueClass {
  /** Closed, sorted, disjoint, not adjacent. */
  readonly values: readonly Interval[];
  /** The set for these values; does not depend on the field. Never empty. */
  readonly rest: PacketSet;
}

/** Wishes for `sample`: values to try first, in the order given, closed intervals. */
export type SamplePreferences = { readonly [F in SpaceField]?: readonly Interval[] } & {
  readonly [S in InterfaceSide]?: readonly (string | null)[];
} & { readonly version?: IpVersion };

/** An assignment: new vectors of some fields and interfaces. */
export type FieldChanges = Iterable<readonly [SpaceDimension, readonly PacketSet[]]>;

export interface PacketSpaceOptions {
  /** Every interface name and prefix that a rule mentions; only these can be told apart. */
  readonly interfaces: readonly InterfaceName[];
  /** Highest number of diagram nodes, about 40 bytes each with hash table and caches. Beyond it operations throw `PacketSetBudgetError`. */
  readonly nodeBudget?: number;
  /** Steps of operations for every node of the budget; absent: so many that no rule set of this world needs them. */
  readonly stepsPerNode?: number;
}

const DEFAULT_NODE_BUDGET = 12_000_000;

/** Intervals that `values` and `partition` give at most unless told otherwise. */
const DEFAULT_INTERVAL_LIMIT = 1_000_000;

/**
 * The packets under discussion, and the algebra of their sets.
 *
 * A packet has an IP version, an incoming and an outgoing interface, the fields of `SpaceField`, and a truth
 * value for every unknown predicate. Two kinds of codes stand for the same packet and cannot be told apart by
 * any set made through this class: interface codes past the last atom ("some other name"), and codes of
 * `ct-state` and `pkttype` that have no meaning (they count as the highest one that has).
 */
export class PacketSpace {
  readonly empty: PacketSet = brand(EMPTY);
  readonly full: PacketSet = brand(FULL);
  readonly #table: DiagramTable;
  readonly #layout: Layout;
  readonly #version4: PacketSet;
  readonly #version6: PacketSet;
  readonly #atoms: InterfaceAtoms;
  /** Scratch of `restrict`: one entry per variable of the version, the interfaces and the fields. */
  readonly #assigned: Int8Array;
  readonly #quantifiers = new Map<string, { readonly variables: number; readonly quantifier: Quantifier }>();
  readonly #vectors = new Map<Block, readonly PacketSet[]>();
  readonly #fieldBits = new Map<SpaceField, readonly PacketSet[]>();

  constructor(options: PacketSpaceOptions) {
    this.#table = new DiagramTable(options.nodeBudget ?? DEFAULT_NODE_BUDGET, options.stepsPerNode);
    this.#layout = new Layout(this.#table);
    this.#atoms = new InterfaceAtoms(options.interfaces);
    const { first } = this.#layout.add('version', 'version', 1);
    this.#version4 = brand(this.#table.node(first, FULL, EMPTY));
    this.#version6 = brand(this.#table.node(first, EMPTY, FULL));
    this.#layout.add('interface', 'iif', this.#atoms.width);
    this.#layout.add('interface', 'oif', this.#atoms.width);
    for (const field of FIELD_ORDER) this.#layout.add('field', field, SPACE_FIELD_BITS[field]);
    this.#assigned = new Int8Array(this.#table.variables + 1);
  }

  /** Packets in at least one of the two. */
  union(a: PacketSet, b: PacketSet): PacketSet {
    this.#table.spend(1);
    return brand(this.#table.or(a, b));
  }

  /** Packets in both. */
  intersect(a: PacketSet, b: PacketSet): PacketSet {
    this.#table.spend(1);
    return brand(this.#table.and(a, b));
  }

  /** Packets in `a` that are not in `b`. */
  minus(a: PacketSet, b: PacketSet): PacketSet {
    this.#table.spend(1);
    return brand(this.#table.minus(a, b));
  }

  /** Packets not in `a`. */
  complement(a: PacketSet): PacketSet {
    return brand(this.#table.not(a));
  }

  /** Packets in exactly one of the two. */
  symmetricDifference(a: PacketSet, b: PacketSet): PacketSet {
    this.#table.spend(1);
    return brand(this.#table.xor(a, b));
  }

  /** `a` where `condition` holds, `b` elsewhere. */
  ifThenElse(condition: PacketSet, a: PacketSet, b: PacketSet): PacketSet {
    this.#table.spend(1);
    return brand(this.#table.ifThenElse(condition, a, b));
  }

  /** Packets in at least one of the sets; merged pairwise, so that many small sets stay small for long. */
  unionAll(sets: Iterable<PacketSet>): PacketSet {
    return this.#balanced([...sets], (a, b) => this.#table.or(a, b), EMPTY);
  }

  /** Packets in all of the sets. */
  intersectAll(sets: Iterable<PacketSet>): PacketSet {
    return this.#balanced([...sets], (a, b) => this.#table.and(a, b), FULL);
  }

  isEmpty(a: PacketSet): boolean {
    return a === EMPTY;
  }

  isFull(a: PacketSet): boolean {
    return a === FULL;
  }

  /** Whether every packet of `b` is in `a`. */
  includes(a: PacketSet, b: PacketSet): boolean {
    this.#table.spend(1);
    return this.#table.isSubset(b, a);
  }

  /** Whether some packet is in both. */
  intersects(a: PacketSet, b: PacketSet): boolean {
    this.#table.spend(1);
    return this.#table.intersects(a, b);
  }

  /** Packets of one IP version. */
  version(version: IpVersion): PacketSet {
    return version === 6 ? this.#version6 : this.#version4;
  }

  /**
   * The field of the packet as a vector of bit functions, most significant first. An address has 128 of them;
   * IPv4 uses the first 32. The vector may be replaced by another one wherever a vector is expected: that is how
   * assignments are modelled.
   */
  bits(field: SpaceField): readonly PacketSet[] {
    const known = this.#fieldBits.get(field);
    if (known !== undefined) return known;
    const bits = this.#meaningfulBits(field, this.#vector(this.#layout.named(field)));
    this.#fieldBits.set(field, bits);
    return bits;
  }

  /** The vector of a constant; bits of `value` past `width` are cut off. */
  constantBits(width: number, value: bigint): readonly PacketSet[] {
    const out: PacketSet[] = [];
    for (let bit = width - 1; bit >= 0; bit--) out.push((value >> BigInt(bit)) & 1n ? this.full : this.empty);
    return out;
  }

  /**
   * Packets for which (number formed by `bits` & mask) lies in one of the closed intervals. Intervals may overlap
   * and come in any order; `lo > hi` is empty; what exceeds the width is ignored. The mask may have holes.
   */
  inIntervals(bits: readonly PacketSet[], values: readonly Interval[], mask?: bigint): PacketSet {
    return brand(numberIn(this.#table, masked(bits, mask, this.empty), values));
  }

  /**
   * Packets of `a` for which the number lies in the intervals, as for `inIntervals`. Takes fewer steps than an intersection where `a`
   * depends only on fields below those of the bits.
   */
  narrowed(a: PacketSet, bits: readonly PacketSet[], values: readonly Interval[], mask?: bigint): PacketSet {
    return brand(numberIn(this.#table, masked(bits, mask, this.empty), values, a));
  }

  /** The place of a vector in the order of tests: that of its first bit that is no constant. */
  levelOf(bits: readonly PacketSet[]): number {
    for (const bit of bits) if (bit > FULL) return this.#table.levelOf(bit);
    return TERMINAL_LEVEL;
  }

  /** The packet's interface as a vector over atom numbers. */
  interfaceBits(side: InterfaceSide): readonly PacketSet[] {
    return this.#vector(this.#layout.named(side));
  }

  /** The vector of the empty name, which a hook without that interface has. */
  noInterfaceBits(): readonly PacketSet[] {
    return this.constantBits(this.#atoms.width, BigInt(NO_INTERFACE));
  }

  /**
   * Packets whose interface, given as a vector, equals `name` or begins with it. The empty prefix matches
   * everything, the empty exact name nothing. Throws a RangeError for what the space was not told of.
   */
  interfaceIn(bits: readonly PacketSet[], name: string, prefix: boolean): PacketSet {
    const atoms = this.#atoms.atomsOf(name, prefix);
    return atoms === undefined ? this.empty : this.inIntervals(bits, [atoms]);
  }

  /**
   * The vector of a concrete interface name: its own atom, else that of the longest mentioned prefix, else "some
   * other name". `undefined` is a name that nothing mentions, the empty string is the empty name.
   */
  interfaceAtom(name: string | undefined): readonly PacketSet[] {
    return this.constantBits(this.#atoms.width, BigInt(this.#atoms.atomOf(name)));
  }

  /** Packets with a real interface on this side: any but the empty name. */
  interfaceValid(side: InterfaceSide): PacketSet {
    return this.complement(this.inIntervals(this.interfaceBits(side), [NO_INTERFACE_INTERVAL]));
  }

  /** A boolean that nothing else says anything about: an unknown predicate. The same key is the same variable. */
  variable(key: string): PacketSet {
    return this.unknownBits(key, 1)[0]!;
  }

  /**
   * A vector of which nothing is known. The same key is the same vector; asking for it with another width throws
   * a RangeError. Keys are shared with `variable`, which is a vector of width 1. `beside` names the field that
   * the vector will stand in for or be compared with: its bits are then placed beside the field's, without which
   * such a comparison may take a number of nodes exponential in the width. It matters at the first use only.
   */
  unknownBits(key: string, width: number, beside?: SpaceField): readonly PacketSet[] {
    const block =
      this.#layout.keyed(key) ?? this.#layout.add('unknown', key, width, this.#place(beside, width));
    if (block.width !== width) throw new RangeError(`unknown ${key} has ${block.width} bits, not ${width}`);
    return this.#vector(block);
  }

  /** The named variables, for a quantifier. Variables made later are covered by their names. */
  variables(selection: VariableSelection): VarSet {
    return varSet(selection, false);
  }

  /** Every variable but the named ones, those made later included. */
  variablesExcept(selection: VariableSelection): VarSet {
    return varSet(selection, true);
  }

  /** Packets that are in `a` for some value of the variables. The result does not depend on them. */
  exists(a: PacketSet, what: VarSet): PacketSet {
    return a <= FULL ? a : brand(this.#table.exists(a, this.#quantifier(what)));
  }

  /** Packets that are in `a` for every value of the variables. The result does not depend on them. */
  forall(a: PacketSet, what: VarSet): PacketSet {
    return a <= FULL ? a : brand(this.#table.forall(a, this.#quantifier(what)));
  }

  /**
   * Packets that become a member of `a` when the fields are replaced, all at the same time, by the given vectors
   * (functions of the packet before): the preimage of an assignment. A vector shorter than its field replaces the
   * most significant bits.
   */
  substitute(a: PacketSet, changes: FieldChanges): PacketSet {
    const functions = new Map<number, number>();
    for (const [own, now] of this.#changedBits(changes)) functions.set(own, now);
    return brand(this.#table.substitute(a, functions));
  }

  /**
   * What the packets of `a` become when the fields are replaced, all at the same time, by the given vectors
   * (functions of the packet before): the image of an assignment. Unknowns stay what they are, so an unknown
   * vector that is assigned is told from the field by its correlation with the unknown.
   */
  image(a: PacketSet, changes: FieldChanges): PacketSet {
    const changed = this.#changedBits(changes).map(([own, now]) => ({ own, now, after: this.#scratch(own) }));
    if (changed.length === 0) return a;
    const table = this.#table;
    const removed = new Uint8Array(table.variables + 1);
    const back = new Map<number, number>();
    let relation: number = a;
    for (const { own, now, after } of changed) {
      relation = table.minus(relation, table.xor(table.node(after, EMPTY, FULL), now));
      removed[own] = 1;
      back.set(after, table.node(own, EMPTY, FULL));
    }
    const result = brand(table.substitute(table.exists(relation, table.quantifier(removed)), back));
    return this.#withAllCodes(result, changes);
  }

  /** The fields and unknowns that membership in `a` depends on. */
  support(a: PacketSet): Support {
    const blocks = new Set(this.#table.support(a).map((variable) => this.#layout.blockOf(variable)));
    const named = [...blocks].filter((block) => block.kind !== 'unknown');
    return {
      // Blocks that are not unknowns are made from these names only.
      fields: named.map((block) => block.name as SpaceDimension | 'version'),
      keys: [...blocks].filter((block) => block.kind === 'unknown').map((block) => block.name),
    };
  }

  /**
   * `a` with the fields of the header fixed: what is left depends only on the fields that the header does not
   * say and on unknowns. A header with an address and no version throws a RangeError.
   */
  restrict(a: PacketSet, header: Header): PacketSet {
    // Variables of unknowns have higher numbers and stay free.
    const assigned = this.#assigned.fill(-1);
    if (header.version !== undefined) {
      assigned[this.#layout.named('version').first] = header.version === 6 ? 1 : 0;
    }
    for (const side of SIDES) {
      const name = header[side];
      if (name === undefined) continue;
      const block = this.#layout.named(side);
      writeBits(assigned, block, block.width, BigInt(this.#atoms.atomOf(name ?? '')));
    }
    for (const field of FIELD_ORDER) {
      const value = header[field];
      if (value === undefined) continue;
      writeBits(assigned, this.#layout.named(field), this.#widthOf(field, header.version), value);
    }
    return brand(this.#table.restrict(a, assigned));
  }

  /** `a` with unknown predicates fixed. Keys of which there is no variable yet do not matter. */
  withUnknowns(a: PacketSet, values: ReadonlyMap<string, boolean>): PacketSet {
    const assigned = new Int8Array(this.#table.variables + 1).fill(-1);
    for (const [key, value] of values) {
      const block = this.#layout.keyed(key);
      if (block !== undefined) assigned.fill(value ? 1 : 0, block.first, block.first + block.width);
    }
    return brand(this.#table.restrict(a, assigned));
  }

  /** Whether the packet with this header is in `a`, whatever the fields it does not say and the unknowns are. */
  contains(a: PacketSet, header: Header): boolean {
    return this.restrict(a, header) === FULL;
  }

  /**
   * Values that the field takes in `a` among packets of a version, as closed sorted intervals. Throws
   * `PacketSetBudgetError` when there are more than `limit` intervals (a mask with holes can make very many).
   */
  values(a: PacketSet, field: SpaceField, version: IpVersion, limit = DEFAULT_INTERVAL_LIMIT): Interval[] {
    const result = this.valuesUpTo(a, field, version, limit);
    if (!result.complete) throw new PacketSetBudgetError(`field ${field} takes more than ${limit} intervals`);
    return result.intervals;
  }

  /** The same as `values`, but the lowest `limit` intervals only where there are more. */
  valuesUpTo(
    a: PacketSet,
    field: SpaceField,
    version: IpVersion,
    limit: number,
  ): { intervals: Interval[]; complete: boolean } {
    const variables = this.#numbersOf(field, version);
    const proper = this.#proper(this.intersect(a, this.version(version)), [field]);
    return intervalsOf(this.#table, this.#projection(proper, variables), variables, limit);
  }

  /** Names of the interfaces that occur in `a`: atoms as concrete names, `null` for the empty name. */
  interfacesOf(a: PacketSet, side: InterfaceSide): (string | null)[] {
    const variables = this.#layout.named(side).variables;
    const proper = this.#proper(a, [side]);
    const { intervals } = intervalsOf(this.#table, this.#projection(proper, variables), variables, Infinity);
    const names: (string | null)[] = [];
    for (const { lo, hi } of intervals) {
      for (let atom = lo; atom <= hi; atom++) names.push(this.#atoms.exampleOf(Number(atom)) ?? null);
    }
    return names;
  }

  /**
   * Splits `a` by the value of a field into classes with equal rest, in the order of their lowest values. Values
   * for which nothing is left are in no class. `version` restricts `a` first, and has to be given for addresses.
   * Throws `PacketSetBudgetError` past `limit` intervals.
   */
  partition(
    a: PacketSet,
    field: SpaceField,
    version?: IpVersion,
    limit = DEFAULT_INTERVAL_LIMIT,
  ): ValueClass[] {
    const versioned = version === undefined ? a : this.intersect(a, this.version(version));
    const variables = this.#numbersOf(field, version);
    // Bits of the field that its width at this version does not reach say nothing about the packet.
    const unread = this.#layout.named(field).variables.slice(variables.length);
    const flags = new Uint8Array(this.#table.variables + 1);
    for (const variable of unread) flags[variable] = 1;
    const proper = this.#table.exists(this.#proper(versioned, [field]), this.#table.quantifier(flags));
    return classesByValue(this.#table, proper, variables, limit).map(({ values, rest }) => ({
      values,
      rest: brand(rest),
    }));
  }

  /**
   * Number of distinct combinations of values that the fields take in `a`. Without a version and with an address
   * among the fields, the two versions are counted separately and added.
   */
  count(a: PacketSet, fields: readonly SpaceDimension[], version?: IpVersion): bigint {
    if (version === undefined && fields.some((field) => field === 'saddr' || field === 'daddr')) {
      return this.count(a, fields, 4) + this.count(a, fields, 6);
    }
    const versioned = version === undefined ? a : this.intersect(a, this.version(version));
    const variables = [...new Set(fields)]
      .flatMap((field) => this.#numbersOf(field, version))
      .sort((x, y) => this.#table.levelOfVariable(x) - this.#table.levelOfVariable(y));
    return combinationCount(
      this.#table,
      this.#projection(this.#proper(versioned, fields), variables),
      variables,
    );
  }

  /**
   * One concrete packet of `a` (for some value of the unknowns), `undefined` when there is none. Preferred values
   * are tried first, then plausible ones, then the lowest. The header says everything that membership depends
   * on, and beyond that what a packet of its protocol has.
   */
  sample(a: PacketSet, preferences: SamplePreferences = {}): Header | undefined {
    return samplePacket(
      {
        space: this,
        layout: this.#layout,
        atoms: this.#atoms,
        properCodes: (set, block) =>
          block.kind === 'interface' || block.kind === 'field'
            ? // Blocks of these kinds are named after their dimension.
              this.#proper(set, [block.name as SpaceDimension])
            : set,
        lowestValue: (set, block) => this.#lowestValue(set, block),
        dependsOn: (set, block) => this.#dependsOn(set, block),
      },
      a,
      preferences,
    );
  }

  /**
   * A text that two sets, of this space or of another one, share when they have the same packets: the diagram in an order of its
   * own, hashed. Sets that depend on interfaces or unknowns are comparable only where both spaces have the same of them; quantify or restrict those before.
   */
  digest(a: PacketSet): string {
    const hash = createHash('sha256');
    const numbers = new Map<number, number>([
      [EMPTY, 0],
      [FULL, 1],
    ]);
    const stack: number[] = [a];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (numbers.has(node)) continue;
      const low = this.#table.lowOf(node);
      const high = this.#table.highOf(node);
      const known = [numbers.get(low), numbers.get(high)];
      if (known[0] === undefined || known[1] === undefined) {
        stack.push(node, high, low);
        continue;
      }
      const variable = this.#table.variableOf(node);
      const { name, first } = this.#layout.blockOf(variable);
      hash.update(`${name} ${variable - first} ${known[0]} ${known[1]}\n`);
      numbers.set(node, numbers.size);
    }
    return hash
      .update(String(numbers.get(a)))
      .digest('hex')
      .slice(0, 32);
  }

  /** Number of nodes of one set's diagram. */
  nodeCount(a: PacketSet): number {
    return this.#table.size(a);
  }

  /** How much of its budget the space has used: 0 to 1. */
  get spent(): number {
    return this.#table.spent;
  }

  /** Lets go of the space's memory. None of its sets can be used afterwards. */
  release(): void {
    this.#table.release();
  }

  /** Size of the whole space: nodes made so far, bytes held, variables. */
  get stats(): { readonly nodes: number; readonly bytes: number; readonly variables: number } {
    return { nodes: this.#table.count, bytes: this.#table.bytes, variables: this.#table.variables };
  }

  #place(beside: SpaceField | undefined, width: number): Block | undefined {
    const block = beside === undefined ? undefined : this.#layout.named(beside);
    if (block !== undefined && block.width < width) {
      throw new RangeError(`${beside} has ${block.width} bits, no place for ${width}`);
    }
    return block;
  }

  #balanced(sets: PacketSet[], merge: (a: number, b: number) => number, neutral: number): PacketSet {
    let round = sets;
    this.#table.spend(sets.length);
    while (round.length > 1) {
      const next: PacketSet[] = [];
      for (let i = 0; i < round.length; i += 2) {
        next.push(i + 1 < round.length ? brand(merge(round[i]!, round[i + 1]!)) : round[i]!);
      }
      round = next;
    }
    return round[0] ?? brand(neutral);
  }

  #vector(block: Block): readonly PacketSet[] {
    let vector = this.#vectors.get(block);
    if (vector === undefined) {
      vector = block.variables.map((variable) => brand(this.#table.node(variable, EMPTY, FULL)));
      this.#vectors.set(block, vector);
    }
    return vector;
  }

  /** Folds codes without meaning into the highest code that has one. */
  #meaningfulBits(field: SpaceField, raw: readonly PacketSet[]): readonly PacketSet[] {
    const [high, middle, low] = raw;
    if (high === undefined || middle === undefined || low === undefined) return raw;
    // 0 to 4 have a meaning; 5, 6 and 7 read as 4.
    if (field === 'ct-state') return [high, this.minus(middle, high), this.minus(low, high)];
    // 0 to 3 and 5 have a meaning; 4, 6 and 7 read as 5.
    if (field === 'pkttype') return [high, this.minus(middle, high), this.union(low, high)];
    return raw;
  }

  /** The variables that an assignment changes, with the functions that replace them. */
  #changedBits(changes: FieldChanges): [variable: number, now: PacketSet][] {
    const out: [number, PacketSet][] = [];
    for (const [name, bits] of changes) {
      const block = this.#layout.named(name);
      if (bits.length > block.width) {
        throw new RangeError(`${name} has ${block.width} bits, cannot be assigned ${bits.length}`);
      }
      const variables = block.variables;
      bits.forEach((now, i) => {
        if (now !== this.#table.node(variables[i]!, EMPTY, FULL)) out.push([variables[i]!, now]);
      });
    }
    return out;
  }

  /** A variable directly below the given one, of the same block, that no set depends on. */
  #scratch(variable: number): number {
    const block = this.#layout.blockOf(variable);
    const key = `after ${block.kind} ${block.name}`;
    const scratch = this.#layout.keyed(key) ?? this.#layout.add('scratch', key, block.width, block);
    return scratch.first + variable - block.first;
  }

  /** Adds to an image the codes that mean the same as those it has, so that they stay indistinguishable. */
  #withAllCodes(a: PacketSet, changes: FieldChanges): PacketSet {
    const folds = new Map<SpaceDimension, readonly PacketSet[]>();
    for (const [name] of changes) {
      if (name === 'ct-state' || name === 'pkttype') folds.set(name, this.bits(name));
      if (name !== 'iif' && name !== 'oif') continue;
      const raw = this.interfaceBits(name);
      const other = this.constantBits(raw.length, BigInt(this.#atoms.other));
      const named = this.inIntervals(raw, [{ lo: 0n, hi: BigInt(this.#atoms.other - 1) }]);
      folds.set(
        name,
        raw.map((bit, i) => this.ifThenElse(named, bit, other[i]!)),
      );
    }
    return folds.size === 0 ? a : this.substitute(a, folds);
  }

  /** `a` without the codes that repeat another code's meaning, for the dimensions that have such codes. */
  #proper(a: PacketSet, dimensions: readonly SpaceDimension[]): PacketSet {
    let out = a;
    for (const dimension of dimensions) {
      const codes = this.#properCodes(dimension);
      if (codes === undefined) continue;
      const raw = this.#vector(this.#layout.named(dimension));
      out = this.intersect(out, this.inIntervals(raw, codes));
    }
    return out;
  }

  #properCodes(dimension: SpaceDimension): readonly Interval[] | undefined {
    if (dimension === 'iif' || dimension === 'oif') return [{ lo: 0n, hi: BigInt(this.#atoms.other) }];
    if (dimension === 'ct-state') return [{ lo: 0n, hi: 4n }];
    if (dimension === 'pkttype') {
      return [
        { lo: 0n, hi: 3n },
        { lo: 5n, hi: 5n },
      ];
    }
    return undefined;
  }

  #widthOf(field: SpaceField, version: IpVersion | undefined): number {
    if (field !== 'saddr' && field !== 'daddr') return SPACE_FIELD_BITS[field];
    if (version === undefined) throw new RangeError(`${field} is an address: its IP version has to be given`);
    return version === 4 ? 32 : 128;
  }

  #numbersOf(dimension: SpaceDimension, version: IpVersion | undefined): readonly number[] {
    if (dimension === 'iif' || dimension === 'oif') return this.#layout.named(dimension).variables;
    return this.#layout.named(dimension).variables.slice(0, this.#widthOf(dimension, version));
  }

  /** `a` with every variable removed but those kept. */
  #projection(a: PacketSet, kept: readonly number[]): PacketSet {
    if (a <= FULL) return a;
    // Kept variables are those of whole fields, or of their first bits: the first and the number of them tell which.
    const key = `only ${kept[0]} ${kept[kept.length - 1]} ${kept.length}`;
    const isOneField = kept.length > 0 && kept[kept.length - 1]! - kept[0]! === kept.length - 1;
    const make = () => {
      const flags = new Uint8Array(this.#table.variables + 1).fill(1);
      for (const variable of kept) flags[variable] = 0;
      return flags;
    };
    const quantifier = isOneField ? this.#prepared(key, make) : this.#table.quantifier(make());
    return brand(this.#table.exists(a, quantifier));
  }

  #quantifier(what: VarSet): Quantifier {
    // Lists of keys differ from call to call.
    if (what.keys !== 'all' && what.keys.size > 0) return this.#table.quantifier(this.#layout.flags(what));
    const key = `${what.except} ${what.keys === 'all'} ${[...what.names].join()}`;
    return this.#prepared(key, () => this.#layout.flags(what));
  }

  /** A quantifier that is made anew only after new variables were made. */
  #prepared(key: string, flags: () => Uint8Array): Quantifier {
    const variables = this.#table.variables;
    const known = this.#quantifiers.get(key);
    if (known?.variables === variables) return known.quantifier;
    const quantifier = this.#table.quantifier(flags());
    this.#quantifiers.set(key, { variables, quantifier });
    return quantifier;
  }

  /** Whether the set depends on a block. Looks no deeper than the block lies. */
  #dependsOn(a: PacketSet, { first, width }: Block): boolean {
    const last = this.#table.levelOfVariable(first + width - 1);
    return this.#table.support(a, last).some((variable) => variable >= first && variable < first + width);
  }

  /**
   * Lowest code of a block in a set that depends on no field above the block, and the set for this code. Unknowns
   * met on the way get the value false where that leaves something.
   */
  #lowestValue(a: PacketSet, block: Block): { value: bigint; rest: PacketSet } {
    let node: number = a;
    let value = 0n;
    for (const variable of block.variables) {
      const level = this.#table.levelOfVariable(variable);
      let bit = 0n;
      for (let at = this.#table.levelOf(node); at <= level; at = this.#table.levelOf(node)) {
        const low = this.#table.lowOf(node);
        if (at === level) bit = low === EMPTY ? 1n : 0n;
        node = low === EMPTY ? this.#table.highOf(node) : low;
      }
      value = (value << 1n) | bit;
    }
    return { value, rest: brand(node) };
  }
}

const SIDES: readonly InterfaceSide[] = ['iif', 'oif'];

const NO_INTERFACE_INTERVAL: Interval = { lo: BigInt(NO_INTERFACE), hi: BigInt(NO_INTERFACE) };

/** Assigns the lower `width` bits of a value to the first `width` variables of a block, and 0 to the others. */
function writeBits(assigned: Int8Array, block: Block, width: number, value: bigint): void {
  let rest = value;
  for (let end = width; end > 0; end -= 32) {
    // In words of 32 bits: shifting a wide bigint for every bit would dominate the cost of a lookup.
    let word = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
    for (let i = end - 1; i >= 0 && i >= end - 32; i--) {
      assigned[block.first + i] = word & 1;
      word >>>= 1;
    }
  }
  assigned.fill(0, block.first + width, block.first + block.width);
}

/** The bits under a mask. */
function masked(
  bits: readonly PacketSet[],
  mask: bigint | undefined,
  empty: PacketSet,
): readonly PacketSet[] {
  if (mask === undefined) return bits;
  return bits.map((bit, i) => ((mask >> BigInt(bits.length - 1 - i)) & 1n ? bit : empty));
}

/** The only place where a number becomes a packet set. */
function brand(node: number): PacketSet {
  return node as PacketSet;
}

function varSet(selection: VariableSelection, except: boolean): VarSet {
  const names = new Set<string>([...(selection.fields ?? []), ...(selection.interfaces ?? [])]);
  if (selection.version === true) names.add('version');
  return { names, keys: selection.keys === 'all' ? 'all' : new Set(selection.keys ?? []), except };
}
