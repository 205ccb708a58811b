/** Diagrams of numbers: which assignments make a vector of bit functions spell a number in given intervals. */
import { type Interval, normalizeIntervals } from '../net/index.ts';
import { type DiagramTable, EMPTY, FULL } from './diagram.ts';

/** What the diagram of one interval costs, in steps of operations. */
const STEPS_PER_INTERVAL = 4;

/** Sorted disjoint intervals of `width`-bit numbers with fast access to single bits, most significant first. */
interface BoundBits {
  /** 32-bit words of all lower bounds, `words` each; the number is aligned to the right of its words. */
  readonly lo: Uint32Array;
  readonly hi: Uint32Array;
  readonly words: number;
  /** Bits by which the words are wider than the numbers. */
  readonly padding: number;
}

/**
 * Assignments for which the number formed by `bits` (most significant first, each a diagram) lies in one of the
 * closed intervals. Intervals may overlap and be unsorted, reversed ones are empty, and what exceeds the width
 * is cut off. The decision tree is built bottom-up from the sorted bounds, so the cost is about
 * (number of intervals) x (width) where the bits are plain variables in ascending order. `inside` is what has to hold
 * besides; cheap where it lies below the bits.
 */
export function numberIn(
  table: DiagramTable,
  bits: readonly number[],
  values: readonly Interval[],
  inside: number = FULL,
): number {
  if (inside === EMPTY) return EMPTY;
  const width = bits.length;
  const only = values[0];
  if (only !== undefined && values.length === 1 && width <= 32 && areAbove(table, bits, inside)) {
    const largest = 2 ** width - 1;
    if (only.lo > only.hi || only.hi < 0n || only.lo > BigInt(largest)) return EMPTY;
    const lo = only.lo < 0n ? 0 : Number(only.lo);
    const hi = only.hi > BigInt(largest) ? largest : Number(only.hi);
    return oneInterval(table, bits, lo, hi, inside);
  }
  const top = (1n << BigInt(width)) - 1n;
  const clipped = normalizeIntervals(values)
    .filter((i) => i.hi >= 0n && i.lo <= top)
    .map((i) => ({ lo: i.lo < 0n ? 0n : i.lo, hi: i.hi > top ? top : i.hi }));
  table.spend(clipped.length * STEPS_PER_INTERVAL);
  const bounds = boundBits(clipped, width);

  const bitOf = (list: Uint32Array, index: number, bit: number): number => {
    const position = bit + bounds.padding;
    return (list[index * bounds.words + (position >>> 5)]! >>> (31 - (position & 31))) & 1;
  };
  /**
   * Numbers with one fixed choice of the bits before `bit`, which intervals `first` to `end - 1` reach into.
   * `fromStart`: the first of them begins before this block or with it; `toEnd`: the last one ends behind it or with it.
   */
  const build = (bit: number, first: number, end: number, fromStart: boolean, toEnd: boolean): number => {
    if (first === end) return EMPTY;
    if (bit === width || (end - first === 1 && fromStart && toEnd)) return inside;
    const startsRight = (i: number): boolean => !(i === first && fromStart) && bitOf(bounds.lo, i, bit) === 1;
    const endsRight = (i: number): boolean => (i === end - 1 && toEnd) || bitOf(bounds.hi, i, bit) === 1;
    const middle = partitionPoint(first, end, startsRight);
    // At most one interval reaches into both halves: the last one that starts in the left half.
    const spans = middle > first && endsRight(middle - 1);
    const function_ = bits[bit]!;
    const low = function_ === FULL ? EMPTY : build(bit + 1, first, middle, fromStart, spans);
    if (function_ === EMPTY) return low;
    const rightFirst = spans ? middle - 1 : middle;
    const high = build(bit + 1, rightFirst, end, spans, toEnd);
    return function_ === FULL ? high : table.ifThenElse(function_, high, low);
  };
  return build(0, 0, clipped.length, false, false);
}

/** Whether the bits are plain variables in the order of tests, and all above a diagram. */
function areAbove(table: DiagramTable, bits: readonly number[], diagram: number): boolean {
  let level = -1;
  for (const bit of bits) {
    const next = table.levelOf(bit);
    if (next <= level || !table.isVariable(bit)) return false;
    level = next;
  }
  return level < table.levelOf(diagram);
}

/** One interval of up to 32 bits that are plain variables: from the lowest bit up, without looking for shared bounds. */
function oneInterval(
  table: DiagramTable,
  bits: readonly number[],
  lo: number,
  hi: number,
  inside: number,
): number {
  const width = bits.length;
  // Bits before the first difference are fixed; `split` is the position of that difference.
  const differing = lo ^ hi;
  const split = differing === 0 ? width : width - 32 + Math.clz32(differing);
  let node = inside;
  if (split < width) {
    let atLeast = inside;
    let atMost = inside;
    for (let i = width - 1; i > split; i--) {
      const variable = table.variableOf(bits[i]!);
      const shift = width - 1 - i;
      atLeast =
        (lo >>> shift) & 1 ? table.node(variable, EMPTY, atLeast) : table.node(variable, atLeast, inside);
      atMost =
        (hi >>> shift) & 1 ? table.node(variable, inside, atMost) : table.node(variable, atMost, EMPTY);
    }
    node = table.node(table.variableOf(bits[split]!), atLeast, atMost);
  }
  for (let i = split - 1; i >= 0; i--) {
    const variable = table.variableOf(bits[i]!);
    node =
      (lo >>> (width - 1 - i)) & 1 ? table.node(variable, EMPTY, node) : table.node(variable, node, EMPTY);
  }
  return node;
}

/** First index in `[first, end)` for which the monotone test holds, or `end`. */
function partitionPoint(first: number, end: number, test: (index: number) => boolean): number {
  let low = first;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function boundBits(intervals: readonly Interval[], width: number): BoundBits {
  const words = Math.max(1, Math.ceil(width / 32));
  const lo = new Uint32Array(intervals.length * words);
  const hi = new Uint32Array(intervals.length * words);
  intervals.forEach((interval, index) => {
    writeWords(lo, index * words, words, interval.lo);
    writeWords(hi, index * words, words, interval.hi);
  });
  return { lo, hi, words, padding: words * 32 - width };
}

function writeWords(target: Uint32Array, offset: number, words: number, value: bigint): void {
  let rest = value;
  for (let word = words - 1; word >= 0; word--) {
    target[offset + word] = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
  }
}
