import {
  complementIntervals,
  type Interval,
  intersectIntervals,
  intervalsContain,
  subtractIntervals,
} from '../net/index.ts';

/**
 * Values that are not known, and what a walk has learned about them.
 *
 * An unknown value is an exclusive-or of masked variables and a constant, which is all that assignments such as
 * `mark := (mark & and) ^ xor` can make of one. What is known about a variable is a `Domain`. Both are exact: two
 * tests of one unknown value never contradict each other, whatever masks they use.
 */
export interface UnknownValue {
  /** Each variable occurs once, and no mask is 0. Never empty: a value without terms is a number. */
  readonly terms: readonly Term[];
  readonly xor: bigint;
}

/** `variable & and`. */
export interface Term {
  readonly variable: string;
  readonly and: bigint;
}

/** A field's value during a walk: a non-negative number, or not known. */
export type Value = bigint | UnknownValue;

/**
 * What is known about a variable: it lies in `intervals` (normalized), and its bits under `mask` are `bits`.
 * Plain tests narrow the intervals, masked ones decide bits.
 */
export interface Domain {
  readonly intervals: readonly Interval[];
  readonly mask: bigint;
  readonly bits: bigint;
}

/** All ones in `width` bits. */
export function fullMask(width: number): bigint {
  return (1n << BigInt(width)) - 1n;
}

/** The domain of a variable of which only its range is known. */
export function rangeDomain(range: Interval): Domain {
  return { intervals: [range], mask: 0n, bits: 0n };
}

/** The domain of a variable of `width` bits of which nothing is known. */
export function fullDomain(width: number): Domain {
  return rangeDomain({ lo: 0n, hi: fullMask(width) });
}

/** The value of a whole variable of `width` bits. */
export function variableValue(variable: string, width: number): UnknownValue {
  return { terms: [{ variable, and: fullMask(width) }], xor: 0n };
}

/** `(value & and) ^ xor`. */
export function assignBits(value: Value, and: bigint, xor: bigint): Value {
  if (typeof value === 'bigint') return (value & and) ^ xor;
  const terms = value.terms
    .map((term) => ({ variable: term.variable, and: term.and & and }))
    .filter((term) => term.and !== 0n);
  const constant = (value.xor & and) ^ xor;
  return terms.length === 0 ? constant : { terms, xor: constant };
}

/** `a ^ b`. */
export function exclusiveOr(a: Value, b: Value): Value {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? a ^ b : { terms: b.terms, xor: b.xor ^ a };
  if (typeof b === 'bigint') return { terms: a.terms, xor: a.xor ^ b };
  const masks = new Map<string, bigint>();
  for (const term of [...a.terms, ...b.terms]) {
    masks.set(term.variable, (masks.get(term.variable) ?? 0n) ^ term.and);
  }
  const terms = [...masks].filter(([, and]) => and !== 0n).map(([variable, and]) => ({ variable, and }));
  return terms.length === 0 ? a.xor ^ b.xor : { terms, xor: a.xor ^ b.xor };
}

/** The variable whose value is exactly this one, unchanged in all `width` bits; `undefined` when there is none. */
export function wholeVariable(value: UnknownValue, width: number): string | undefined {
  const only = value.terms.length === 1 ? value.terms[0] : undefined;
  return only !== undefined && value.xor === 0n && only.and === fullMask(width) ? only.variable : undefined;
}

/** Smallest number that is at least `lo` and has `bits` under `mask`; `undefined` when no larger free bit is left. */
function smallestFrom(lo: bigint, mask: bigint, bits: bigint): bigint | undefined {
  const difference = (lo ^ bits) & mask;
  if (difference === 0n) return lo;
  const top = BigInt(difference.toString(2).length - 1);
  if (((bits >> top) & 1n) === 1n) {
    return ((lo >> top) << top) | (1n << top) | (bits & ((1n << top) - 1n));
  }
  // The bit at `top` has to fall from 1 to 0, so a free bit above it has to rise.
  let rising = top + 1n;
  while (((mask | lo) >> rising) & 1n) rising++;
  return ((lo >> rising) << rising) | (1n << rising) | (bits & ((1n << rising) - 1n));
}

/** Whether some number in `intervals` has `bits` under `mask`. */
export function someHasBits(intervals: readonly Interval[], mask: bigint, bits: bigint): boolean {
  return intervals.some(({ lo, hi }) => {
    const first = smallestFrom(lo, mask, bits);
    return lo <= hi && first !== undefined && first <= hi;
  });
}

/** Whether no value is left. */
export function isEmptyDomain(domain: Domain): boolean {
  return !someHasBits(domain.intervals, domain.mask, domain.bits);
}

/** Whether `value` may be the variable's value. */
export function domainContains(domain: Domain, value: bigint): boolean {
  return (value & domain.mask) === domain.bits && intervalsContain(domain.intervals, value);
}

/** The domain with the variable inside `intervals`. */
export function keepWithin(domain: Domain, intervals: readonly Interval[]): Domain {
  return { ...domain, intervals: intersectIntervals(domain.intervals, intervals) };
}

/** The domain with the variable outside `intervals`. */
export function keepOutside(domain: Domain, intervals: readonly Interval[]): Domain {
  return { ...domain, intervals: subtractIntervals(domain.intervals, intervals) };
}

/** The domain with the bit of weight `bit` set or clear. */
export function fixBit(domain: Domain, bit: bigint, set: boolean): Domain {
  return { ...domain, mask: domain.mask | bit, bits: (domain.bits & ~bit) | (set ? bit : 0n) };
}

/**
 * What a test of an unknown value says: decided, or what has to be asked first. `range` asks whether the variable
 * lies in `intervals`; `bit` asks whether its bit of weight `bit` is set.
 */
export type ValueTest =
  | boolean
  | { readonly kind: 'range'; readonly variable: string; readonly intervals: readonly Interval[] }
  | { readonly kind: 'bit'; readonly variable: string; readonly bit: bigint };

/**
 * Whether `(value & mask)` lies in `intervals` (normalized), for a value of `width` bits. `domainOf` tells what is
 * known of a variable.
 */
export function testUnknown(
  value: UnknownValue,
  width: number,
  mask: bigint | undefined,
  intervals: readonly Interval[],
  domainOf: (variable: string) => Domain,
): ValueTest {
  const variable = wholeVariable(value, width);
  const plain = mask === undefined ? intervals : withoutPrefixMask(intervals, mask, width);
  if (variable !== undefined && plain !== undefined) {
    return testRange(variable, domainOf(variable), plain);
  }
  return testBits(value, width, mask ?? fullMask(width), intervals, domainOf);
}

/** Whether a variable lies in `intervals`. */
export function testRange(variable: string, domain: Domain, intervals: readonly Interval[]): ValueTest {
  if (isEmptyDomain(keepWithin(domain, intervals))) return false;
  if (isEmptyDomain(keepOutside(domain, intervals))) return true;
  return { kind: 'range', variable, intervals };
}

/** The numbers whose value under `mask` lies in `intervals`, or `undefined` when the mask is not a prefix of `width` bits. */
function withoutPrefixMask(
  intervals: readonly Interval[],
  mask: bigint,
  width: number,
): readonly Interval[] | undefined {
  const free = fullMask(width) ^ (mask & fullMask(width));
  if ((free & (free + 1n)) !== 0n) return undefined;
  return intervals
    .map(({ lo, hi }) => ({ lo: (lo + free) & ~free, hi: (hi & ~free) | free }))
    .filter(({ lo, hi }) => lo <= hi);
}

/** The same test bit by bit: the highest bit that still matters is asked first. */
function testBits(
  value: UnknownValue,
  width: number,
  mask: bigint,
  intervals: readonly Interval[],
  domainOf: (variable: string) => Domain,
): ValueTest {
  let known = fullMask(width);
  let bits = value.xor;
  for (const { variable, and } of value.terms) {
    const domain = domainOf(variable);
    known &= ~and | domain.mask;
    bits ^= domain.bits & and;
  }
  const free = mask & fullMask(width) & ~known;
  const fixed = fullMask(width) & ~free;
  const fixedBits = bits & mask & fixed;
  if (!someHasBits(intervals, fixed, fixedBits)) return false;
  if (!someHasBits(complementIntervals(intervals, fullMask(width)), fixed, fixedBits)) return true;
  const bit = 1n << BigInt(free.toString(2).length - 1);
  for (const { variable, and } of value.terms) {
    if ((and & bit & ~domainOf(variable).mask) !== 0n) return { kind: 'bit', variable, bit };
  }
  throw new Error(`unknown value: no variable has the undecided bit ${bit}`);
}

/** The number that an unknown value is bound to be by what is known of its variables; `undefined` when it may be several. */
export function onlyValue(value: UnknownValue, domainOf: (variable: string) => Domain): bigint | undefined {
  let number = value.xor;
  for (const { variable, and } of value.terms) {
    let domain = domainOf(variable);
    for (let rest = and & ~domain.mask; rest !== 0n; rest &= rest - 1n) {
      const bit = rest & -rest;
      const set = fixBit(domain, bit, true);
      const clear = fixBit(domain, bit, false);
      if (!isEmptyDomain(set) && !isEmptyDomain(clear)) return undefined;
      domain = isEmptyDomain(set) ? clear : set;
    }
    number ^= domain.bits & and;
  }
  return number;
}

/** Text that is equal for equal values. */
export function valueKey(value: Value): string {
  if (typeof value === 'bigint') return value.toString(36);
  return `${value.terms.map((term) => `${term.variable}&${term.and.toString(36)}`).join('^')}^${value.xor.toString(36)}`;
}

/** Text that is equal for equal domains. */
export function domainKey(domain: Domain): string {
  const ranges = domain.intervals.map(({ lo, hi }) => `${lo.toString(36)}-${hi.toString(36)}`);
  return `${ranges.join(',')}&${domain.mask.toString(36)}=${domain.bits.toString(36)}`;
}
