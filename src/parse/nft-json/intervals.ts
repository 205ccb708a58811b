import { type Interval, normalizeIntervals } from '../../net/index.ts';
import { maxOf } from './constants.ts';

/** Sorting below packs a number of this width and a position into the 53 bits of a `number`. */
const NARROW = 32;
const POSITIONS = 2 ** 21;

/**
 * The part of `values` that fits into `width` bits, sorted, disjoint and not adjacent. What `normalizeIntervals` gives, without
 * its cost for single values, and for the long lists of narrow numbers that sets hold.
 */
export function clipIntervals(values: readonly Interval[], width: number): readonly Interval[] {
  const max = maxOf(width);
  const only = values.length === 1 ? values[0] : undefined;
  if (only !== undefined && only.lo >= 0n && only.lo <= only.hi && only.hi <= max) return values;
  if (width <= NARROW && values.length > 1 && values.length < POSITIONS) {
    const narrow = normalizeNarrow(values, 2 ** width - 1);
    if (narrow !== undefined) return narrow;
  }
  const fitting: Interval[] = [];
  for (const { lo, hi } of values)
    if (hi >= 0n && lo <= max) fitting.push({ lo: lo < 0n ? 0n : lo, hi: hi > max ? max : hi });
  return normalizeIntervals(fitting);
}

/**
 * The same with numbers: comparing big integers takes most of the time for long lists. `undefined` when an interval is empty or
 * reaches beyond `max`.
 */
function normalizeNarrow(values: readonly Interval[], max: number): readonly Interval[] | undefined {
  const { length } = values;
  const order = new Float64Array(length);
  const ends = new Float64Array(length);
  let top = -2;
  let isNormal = true;
  // Counted loops: for lists of this length an iterator takes as long as the work.
  for (let i = 0; i < length; i++) {
    const { lo, hi } = values[i]!;
    const start = Number(lo);
    const end = hi === lo ? start : Number(hi);
    if (start < 0 || start > end || end > max) return undefined;
    isNormal &&= start > top + 1;
    top = end;
    ends[i] = end;
    order[i] = start * POSITIONS + i;
  }
  return isNormal ? values : joinSorted(values, order.sort(), ends);
}

/** Joins intervals in the order that `order` packs. */
function joinSorted(
  values: readonly Interval[],
  order: Float64Array,
  ends: Float64Array,
): readonly Interval[] {
  const out: Interval[] = [];
  let top = -2;
  for (let i = 0; i < order.length; i++) {
    const packed = order[i]!;
    const start = Math.floor(packed / POSITIONS);
    const position = packed - start * POSITIONS;
    const end = ends[position]!;
    if (start > top + 1) out.push(values[position]!);
    else if (end > top) out[out.length - 1] = { lo: out[out.length - 1]!.lo, hi: values[position]!.hi };
    if (end > top) top = end;
  }
  return out;
}
