/**
 * Interface names as numbers.
 *
 * Only the names and prefixes that a ruleset mentions can be told apart, so a name is represented by its atom:
 * the exact name where it is mentioned; else "another name with prefix P", P being the longest mentioned prefix
 * it begins with; else "some other name". The empty name ("no interface at this hook") is an atom of its own.
 *
 * Atoms are numbered in the order of their names, which makes the names with one prefix a run of numbers.
 * Number 0 is the empty name. Numbers past the last atom also mean "some other name", so that every code of the
 * variables has a meaning.
 */
import type { Interval } from '../net/index.ts';

/** An interface name as a rule mentions it; with `prefix`, everything that begins with `name` (`eth+`). */
export interface InterfaceName {
  readonly name: string;
  readonly prefix: boolean;
}

/** Atom number of the empty name. */
export const NO_INTERFACE = 0;

/** The atoms of one set of mentioned names. */
export class InterfaceAtoms {
  /** The mention that atom 1, 2, … stands for. */
  readonly #mentions: readonly InterfaceName[];
  readonly #names: ReadonlyMap<string, number>;
  readonly #prefixes: ReadonlyMap<string, number>;
  readonly #prefixesLongestFirst: readonly string[];
  /** Bits of an atom number. */
  readonly width: number;

  constructor(mentioned: readonly InterfaceName[]) {
    const names = new Map<string, number>();
    const prefixes = new Map<string, number>();
    // The empty prefix is every name and the empty exact name is none: neither needs an atom.
    for (const { name, prefix } of mentioned) if (name !== '') (prefix ? prefixes : names).set(name, 0);
    this.#mentions = [
      ...[...names.keys()].map((name) => ({ name, prefix: false })),
      ...[...prefixes.keys()].map((name) => ({ name, prefix: true })),
    ].sort(byNameThenPrefix);
    for (const [index, { name, prefix }] of this.#mentions.entries()) {
      (prefix ? prefixes : names).set(name, index + 1);
    }
    this.#names = names;
    this.#prefixes = prefixes;
    this.#prefixesLongestFirst = [...prefixes.keys()].sort((a, b) => b.length - a.length);
    this.width = Math.max(1, Math.ceil(Math.log2(this.other + 1)));
  }

  /** Lowest number of the atom "some other name"; all higher numbers mean the same. */
  get other(): number {
    return this.#mentions.length + 1;
  }

  /** Atom of a concrete name. The empty string is the empty name, `undefined` a name that nothing mentions. */
  atomOf(name: string | undefined): number {
    if (name === undefined) return this.other;
    if (name === '') return NO_INTERFACE;
    const exact = this.#names.get(name);
    if (exact !== undefined) return exact;
    const prefix = this.#prefixesLongestFirst.find((candidate) => name.startsWith(candidate));
    return prefix === undefined ? this.other : this.#prefixes.get(prefix)!;
  }

  /**
   * Atoms of the names that equal `name` or, with `prefix`, begin with it; a closed interval. The empty prefix
   * is everything, the empty exact name nothing (`undefined`). Throws for a name or prefix that was not
   * mentioned: no atom could tell it apart.
   */
  atomsOf(name: string, prefix: boolean): Interval | undefined {
    if (name === '') return prefix ? { lo: 0n, hi: (1n << BigInt(this.width)) - 1n } : undefined;
    const last = (prefix ? this.#prefixes : this.#names).get(name);
    if (last === undefined)
      throw new RangeError(`interface ${name}${prefix ? '+' : ''} is not part of the space`);
    let first = last;
    while (prefix && first > 1 && this.#mentions[first - 2]!.name.startsWith(name)) first--;
    return { lo: BigInt(first), hi: BigInt(last) };
  }

  /**
   * A name that has this atom; `null` for the empty name, `undefined` in the absurd case that mentioned prefixes
   * leave no plain name for it.
   */
  exampleOf(atom: number): string | null | undefined {
    if (atom === NO_INTERFACE) return null;
    const mention = this.#mentions[atom - 1];
    if (mention !== undefined && !mention.prefix) return mention.name;
    const wanted = Math.min(atom, this.other);
    for (const candidate of candidateNames(mention?.name)) {
      if (this.atomOf(candidate) === wanted) return candidate;
    }
    return undefined;
  }
}

/** By code units; a prefix stands behind everything that begins with it. */
function byNameThenPrefix(a: InterfaceName, b: InterfaceName): number {
  if (a.prefix && b.name.startsWith(a.name) && (b.name !== a.name || !b.prefix)) return 1;
  if (b.prefix && a.name.startsWith(b.name) && (a.name !== b.name || !a.prefix)) return -1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Names to try for an atom without a name of its own: numbered ones first, then any next character. */
function* candidateNames(stem: string | undefined): Generator<string> {
  for (let i = 0; i < 100; i++) yield `${stem ?? 'if'}${i}`;
  for (const tail of ['', '-', '.0', '-other']) {
    for (let c = 33; c < 127; c++) yield `${stem ?? ''}${String.fromCharCode(c)}${tail}`;
  }
  if (stem !== undefined) yield stem;
}
