/**
 * A normal form of conditions, so that two formats' readings of one rule can be compared: what both write differently and mean alike
 * becomes one text.
 */
import { type Condition, FIELD_BITS, type FieldName } from '../model/index.ts';
import {
  addressBits,
  complementIntervals,
  type Interval,
  type IpVersion,
  intersectIntervals,
  normalizeIntervals,
} from '../net/index.ts';

/** What must hold for a packet of one IP version: sets of values, and tests that are no such sets. */
export interface Meaning {
  /** By field and mask. */
  readonly fields: ReadonlyMap<string, readonly Interval[]>;
  /** Interfaces: as exact as a set of values. */
  readonly interfaces: ReadonlySet<string>;
  /** Everything else by its text: equal texts mean the same, different ones may too. */
  readonly others: ReadonlySet<string>;
}

/** How two meanings compare. `unclear`: they differ in tests whose texts say too little. */
export type Comparison = 'same' | 'different' | 'unclear';

/** The meaning of all of `conditions` together for packets of `version`. */
export function meaningOf(conditions: readonly Condition[], version: IpVersion): Meaning {
  const parts = new Conjunction(version);
  for (const condition of conditions) parts.add(condition, false);
  return parts;
}

/** Compares two meanings part by part. */
export function compareMeanings(a: Meaning, b: Meaning): Comparison {
  if (a.others.has('never') && b.others.has('never')) return 'same';
  let clear = true;
  for (const set of ['interfaces', 'others'] as const) {
    const odd = [...symmetricDifference(a[set], b[set])];
    if (odd.length > 0 && set === 'others') return 'unclear';
    clear &&= odd.length === 0;
  }
  for (const key of new Set([...a.fields.keys(), ...b.fields.keys()]))
    clear &&= textOf(a.fields.get(key)) === textOf(b.fields.get(key));
  return clear ? 'same' : 'different';
}

function* symmetricDifference(a: ReadonlySet<string>, b: ReadonlySet<string>): Generator<string> {
  for (const text of a) if (!b.has(text)) yield text;
  for (const text of b) if (!a.has(text)) yield text;
}

function textOf(values: readonly Interval[] | undefined): string {
  return values === undefined ? 'any' : values.map(({ lo, hi }) => `${lo}-${hi}`).join(',');
}

/** Conditions nested deeper than this are compared by their texts. */
const DEEPEST = 30;

interface Leaf {
  readonly key: string;
  readonly width: number;
  readonly values: readonly Interval[];
}

class Conjunction implements Meaning {
  readonly fields = new Map<string, readonly Interval[]>();
  readonly interfaces = new Set<string>();
  readonly others = new Set<string>();
  readonly #version: IpVersion;

  constructor(version: IpVersion) {
    this.#version = version;
  }

  add(condition: Condition, negated: boolean, depth = 0): void {
    const leaf = fieldLeaf(condition, negated, this.#version);
    if (leaf !== undefined) {
      this.#restrict(leaf);
      return;
    }
    switch (condition.kind) {
      case 'not':
        this.add(condition.of, !negated, depth + 1);
        return;
      case 'all':
      case 'any':
        if (depth > DEEPEST) this.others.add(plainText(condition, negated));
        else if ((condition.kind === 'all') !== negated)
          for (const part of condition.of) this.add(part, negated, depth + 1);
        else this.#addChoice(condition.of, negated, depth + 1);
        return;
      case 'version':
        // One that always holds is a leaf.
        this.others.add('never');
        return;
      case 'address':
        // Of the other version.
        if (!negated) this.others.add('never');
        return;
      case 'interface':
        if (!condition.prefix || condition.name !== '' || negated)
          this.interfaces.add(
            `${negated ? '!' : ''}${condition.field} ${condition.name}${condition.prefix ? '*' : ''}`,
          );
        return;
      default:
        this.others.add(plainText(condition, negated));
    }
  }

  /** One of several: a set of values where all are about one field. */
  #addChoice(of: readonly Condition[], negated: boolean, depth: number): void {
    const choices = of.map((part) => {
      const one = new Conjunction(this.#version);
      one.add(part, negated, depth);
      return one;
    });
    const possible = choices.filter((one) => !one.others.has('never'));
    const [first] = possible;
    if (first === undefined) {
      this.others.add('never');
      return;
    }
    const [key] = first.fields.keys();
    const alike = possible.every(
      (one) =>
        one.others.size + one.interfaces.size === 0 &&
        one.fields.size === 1 &&
        key !== undefined &&
        one.fields.has(key),
    );
    if (alike && key !== undefined) {
      const values = possible.flatMap((one) => one.fields.get(key) ?? []);
      this.#restrict({ key, width: widthOf(key, this.#version), values });
    } else if (possible.every((one) => one.fields.size + one.others.size + one.interfaces.size > 0))
      this.others.add(
        `one of ${possible
          .map((one) => one.#text())
          .sort()
          .join(' | ')}`,
      );
  }

  #text(): string {
    const fields = [...this.fields].map(([key, values]) => `${key} ${textOf(values)}`);
    return [...fields, ...this.interfaces, ...this.others].sort().join(' & ');
  }

  #restrict({ key, width, values }: Leaf): void {
    const known = this.fields.get(key);
    const both = known === undefined ? normalizeIntervals(values) : intersectIntervals(known, values);
    if (both.length === 0) this.others.add('never');
    else if (both.length === 1 && both[0]!.lo === 0n && both[0]!.hi === (1n << BigInt(width)) - 1n) return;
    else this.fields.set(key, both);
  }
}

function widthOf(key: string, version: IpVersion): number {
  // Keys begin with the field's name.
  const field = key.split(' ')[0] as FieldName;
  return field === 'saddr' || field === 'daddr' ? addressBits(version) : FIELD_BITS[field];
}

/** A condition on one field as a set of its values; `undefined` for every other condition. */
function fieldLeaf(condition: Condition, negated: boolean, version: IpVersion): Leaf | undefined {
  if (condition.kind === 'version')
    return (condition.version === version) === negated
      ? undefined
      : // No restriction.
        { key: 'protocol', width: 8, values: [{ lo: 0n, hi: 255n }] };
  if (condition.kind === 'unknown') return fragmentLeaf(condition.text, negated);
  if (condition.kind === 'address' && condition.version !== version) return undefined;
  if (condition.kind !== 'field' && condition.kind !== 'address') return undefined;
  const width = widthOf(condition.field, version);
  const max = (1n << BigInt(width)) - 1n;
  const mask = condition.mask === undefined ? max : condition.mask & max;
  const rest = max ^ mask;
  const plain = (rest & (rest + 1n)) === 0n;
  const values = plain
    ? condition.values.map(({ lo, hi }) => ({ lo: (lo + rest) & ~rest, hi: (hi & ~rest) | rest }))
    : condition.values;
  const within = normalizeIntervals(intersectIntervals(values, [{ lo: 0n, hi: max }]));
  return {
    key: plain ? condition.field : `${condition.field} & ${mask}`,
    width,
    values: negated ? complementIntervals(within, max) : within,
  };
}

/** What iptables-nft makes of `-f`, as the JSON of nft shows it: a test that is not read there. */
function fragmentLeaf(text: string, negated: boolean): Leaf | undefined {
  const found = /^ip frag-off & (?:8191|0x1fff) (!=|==)? ?0(?:x0)?$/.exec(text);
  if (found === null) return undefined;
  const value = (found[1] === '!=') !== negated ? 1n : 0n;
  return { key: 'fragment', width: 1, values: [{ lo: value, hi: value }] };
}

/** Texts of tests that both formats write. A rate is not modelled: any is as good as any other. */
function plainText(condition: Condition, negated: boolean): string {
  const sign = negated ? '!' : '';
  if (condition.kind === 'unknown' && /^(?:-m limit |limit rate (?!over))/.test(condition.text))
    return `${sign}limit`;
  if (condition.kind === 'address-type')
    return `${sign}${condition.field} type ${[...condition.types].sort().join(',')} ${condition.limitedToInterface}`;
  return `${sign}${JSON.stringify(condition, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))}`;
}
