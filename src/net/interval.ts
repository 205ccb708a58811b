/**
 * Closed intervals of non-negative integers, and sorted lists of them.
 *
 * Everything numeric in a packet header (addresses, ports, protocol numbers, marks) is handled as
 * intervals of `bigint`, so that IPv4, IPv6 and 16-bit fields share one code path.
 */

/** A closed interval: both `lo` and `hi` belong to it. `lo > hi` never occurs in a normalized list. */
export interface Interval {
  readonly lo: bigint;
  readonly hi: bigint;
}

/** The interval of one value. */
export function single(value: bigint | number): Interval {
  const v = BigInt(value);
  return { lo: v, hi: v };
}

/** The interval `[lo, hi]`. Reversed bounds are kept as given: callers decide what an empty range means. */
export function interval(lo: bigint | number, hi: bigint | number): Interval {
  return { lo: BigInt(lo), hi: BigInt(hi) };
}

/**
 * Sorted, disjoint, non-adjacent form of any list of intervals. Reversed intervals (`lo > hi`) are empty and
 * vanish. The result is unique for a set of integers, so two lists describe the same set exactly when their
 * normal forms are equal.
 */
export function normalizeIntervals(list: Iterable<Interval>): Interval[] {
  const sorted = [...list]
    .filter((i) => i.lo <= i.hi)
    .sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  const out: Interval[] = [];
  for (const next of sorted) {
    const last = out[out.length - 1];
    if (last !== undefined && next.lo <= last.hi + 1n) {
      if (next.hi > last.hi) out[out.length - 1] = { lo: last.lo, hi: next.hi };
    } else {
      out.push(next);
    }
  }
  return out;
}

/** Everything in `[0, max]` that is not in `list`, normalized. */
export function complementIntervals(list: Iterable<Interval>, max: bigint): Interval[] {
  const out: Interval[] = [];
  let next = 0n;
  for (const i of normalizeIntervals(list)) {
    if (i.lo > max) break;
    if (i.lo > next) out.push({ lo: next, hi: i.lo - 1n });
    next = i.hi + 1n;
  }
  if (next <= max) out.push({ lo: next, hi: max });
  return out;
}

/** Whether two intervals have a value in common. */
export function intervalsMeet(a: Interval, b: Interval): boolean {
  return a.lo <= b.hi && b.lo <= a.hi;
}

/** What both lists contain, normalized. */
export function intersectIntervals(a: Iterable<Interval>, b: Iterable<Interval>): Interval[] {
  const x = normalizeIntervals(a);
  const y = normalizeIntervals(b);
  const out: Interval[] = [];
  let i = 0;
  let j = 0;
  while (i < x.length && j < y.length) {
    const p = x[i]!;
    const q = y[j]!;
    const lo = p.lo > q.lo ? p.lo : q.lo;
    const hi = p.hi < q.hi ? p.hi : q.hi;
    if (lo <= hi) out.push({ lo, hi });
    if (p.hi < q.hi) i++;
    else j++;
  }
  return out;
}

/** What `a` contains and `b` does not, normalized. */
export function subtractIntervals(a: Iterable<Interval>, b: Iterable<Interval>): Interval[] {
  const x = normalizeIntervals(a);
  const top = x[x.length - 1];
  return top === undefined ? [] : intersectIntervals(x, complementIntervals(b, top.hi));
}

/** Whether some interval of the list contains the value. The list need not be normalized. */
export function intervalsContain(list: readonly Interval[], value: bigint): boolean {
  for (const i of list) if (i.lo <= value && value <= i.hi) return true;
  return false;
}

/** How many integers the list contains, each counted once. */
export function countIntervals(list: Iterable<Interval>): bigint {
  let n = 0n;
  for (const i of normalizeIntervals(list)) n += i.hi - i.lo + 1n;
  return n;
}
