/** Questions about a diagram that are answered with numbers instead of another diagram. */
import type { Interval } from '../net/index.ts';
import { type DiagramTable, EMPTY, FULL, PacketSetBudgetError } from './diagram.ts';

/**
 * Numbers that the variables (most significant first, which is also the order of tests) spell in a diagram that depends on
 * no other variable, as sorted, disjoint, non-adjacent closed intervals. At most `limit` of them, the lowest.
 */
export function intervalsOf(
  table: DiagramTable,
  node: number,
  variables: readonly number[],
  limit: number,
): { intervals: Interval[]; complete: boolean } {
  const intervals: { lo: bigint; hi: bigint }[] = [];
  const width = variables.length;
  /** False when the limit was reached. */
  const collect = (at: number, index: number, prefix: bigint): boolean => {
    if (at === EMPTY) return true;
    const free = BigInt(width - index);
    if (at === FULL) return append(intervals, prefix << free, ((prefix + 1n) << free) - 1n, limit);
    if (table.variableOf(at) === variables[index]) {
      return (
        collect(table.lowOf(at), index + 1, prefix << 1n) &&
        collect(table.highOf(at), index + 1, (prefix << 1n) | 1n)
      );
    }
    return collect(at, index + 1, prefix << 1n) && collect(at, index + 1, (prefix << 1n) | 1n);
  };
  const complete = collect(node, 0, 0n);
  return { intervals, complete };
}

function append(intervals: { lo: bigint; hi: bigint }[], lo: bigint, hi: bigint, limit: number): boolean {
  const last = intervals[intervals.length - 1];
  if (last !== undefined && last.hi + 1n === lo) {
    last.hi = hi;
    return true;
  }
  if (intervals.length >= limit) return false;
  intervals.push({ lo, hi });
  return true;
}

/**
 * Splits a diagram by the number that the variables (most significant first) spell: for every
 * non-empty rest the numbers that leave it, in the order of their lowest number. Throws past `limit` intervals.
 */
export function classesByValue(
  table: DiagramTable,
  node: number,
  variables: readonly number[],
  limit: number,
): { values: Interval[]; rest: number }[] {
  const width = variables.length;
  const indexOf = new Map(variables.map((variable, index) => [variable, index]));
  const lastLevel = Math.max(-1, ...variables.map((variable) => table.levelOfVariable(variable)));
  const classes = new Map<number, { lo: bigint; hi: bigint }[]>();
  const nextIndex = new Map<number, number>();
  let total = 0;

  /** Position of the first bit of the number that the diagram depends on, or `width`. */
  const firstBit = (at: number): number => {
    const known = nextIndex.get(at);
    if (known !== undefined) return known;
    const used = table.support(at, lastLevel).map((variable) => indexOf.get(variable) ?? width);
    const first = used.reduce((least, index) => Math.min(least, index), width);
    nextIndex.set(at, first);
    return first;
  };
  const branches = new Map<number, readonly [number, number]>();
  const split = (at: number, index: number): readonly [number, number] => {
    const known = branches.get(at);
    if (known !== undefined) return known;
    const variable = variables[index]!;
    const assigned = new Int8Array(variable + 1).fill(-1);
    assigned[variable] = 0;
    const low = table.restrict(at, assigned);
    assigned[variable] = 1;
    const pair = [low, table.restrict(at, assigned)] as const;
    branches.set(at, pair);
    return pair;
  };
  const collect = (at: number, index: number, prefix: bigint): void => {
    if (at === EMPTY) return;
    const next = firstBit(at);
    if (next === width) {
      const free = BigInt(width - index);
      const values = classes.get(at) ?? [];
      classes.set(at, values);
      const before = values.length;
      append(values, prefix << free, ((prefix + 1n) << free) - 1n, Number.POSITIVE_INFINITY);
      total += values.length - before;
      if (total > limit)
        throw new PacketSetBudgetError(`a field splits a set into more than ${limit} intervals`);
      return;
    }
    const [low, high] = next === index ? split(at, index) : [at, at];
    collect(low, index + 1, prefix << 1n);
    collect(high, index + 1, (prefix << 1n) | 1n);
  };
  collect(node, 0, 0n);
  return [...classes].map(([rest, values]) => ({ rest, values }));
}

/** Number of assignments to the variables (in the order of tests) that satisfy a diagram over these variables only. */
export function combinationCount(table: DiagramTable, node: number, variables: readonly number[]): bigint {
  const positionOf = new Map(variables.map((variable, index) => [variable, index]));
  const position = (at: number): number => positionOf.get(table.variableOf(at)) ?? variables.length;
  const known = new Map<number, bigint>();
  /** Satisfying assignments of the variables from the node's own on. Depth is bounded by the fields' bits. */
  const below = (at: number): bigint => {
    if (at === EMPTY) return 0n;
    if (at === FULL) return 1n;
    const remembered = known.get(at);
    if (remembered !== undefined) return remembered;
    const next = position(at) + 1;
    const low = table.lowOf(at);
    const high = table.highOf(at);
    const n = (below(low) << BigInt(position(low) - next)) + (below(high) << BigInt(position(high) - next));
    known.set(at, n);
    return n;
  };
  return below(node) << BigInt(position(node));
}
