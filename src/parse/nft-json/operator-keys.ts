import { type Interval, interval } from '../../net/index.ts';
import { unknown } from './conditions.ts';
import { foldConstant } from './constants.ts';
import { clipIntervals } from './intervals.ts';
import { type Key, type NumberKey, opaqueKey } from './key.ts';

/** `KEY & CONSTANT` and the other operators, of which the first operand is `base`. */
export function operatorKey(name: string, base: Key, operands: readonly unknown[], text: string): Key {
  let key = base;
  for (const operand of operands) {
    if (key.kind !== 'number') {
      return {
        kind: 'opaque',
        text,
        nature: key.kind === 'opaque' ? key.nature : 'deterministic',
        needs: key.needs,
        ...(key.kind === 'opaque' && key.never ? { never: true } : {}),
      };
    }
    const constant = foldConstant(name === '<<' || name === '>>' ? 'integer' : key.type, operand, key.width);
    const next = constant === undefined ? undefined : applyOperator(name, key, constant, text);
    if (next === undefined) return opaqueKey(text, 'deterministic', ...key.needs);
    key = next;
  }
  return key;
}

function applyOperator(name: string, key: NumberKey, constant: bigint, text: string): NumberKey | undefined {
  const ones = (1n << BigInt(key.width)) - 1n;
  if (constant > ones) return undefined;
  const wrap = (within: NumberKey['within']): NumberKey => ({ ...key, text, within });
  const and = (mask: bigint): NumberKey =>
    wrap((values, outer, negated, asked) => {
      const both = outer === undefined ? mask : mask & outer;
      return key.within(values, both, negated, asked);
    });
  const xor = (base: NumberKey, bits: bigint): NumberKey => ({
    ...base,
    text,
    within: (values, mask, negated, asked) => {
      const moved = xorIntervals(values, mask === undefined ? bits : bits & mask, base.width);
      return moved === undefined
        ? unknown('deterministic', asked())
        : base.within(moved, mask, negated, asked);
    },
  });
  switch (name) {
    case '&':
      return and(constant);
    case '^':
      return xor(key, constant);
    case '|':
      return xor(and(ones ^ constant), constant);
    case '>>':
      return shifted(key, constant, text, true);
    default:
      return shifted(key, constant, text, false);
  }
}

function shifted(key: NumberKey, by: bigint, text: string, right: boolean): NumberKey | undefined {
  const width = BigInt(key.width);
  if (by >= width) return undefined;
  const all1 = (1n << width) - 1n;
  return {
    ...key,
    text,
    within: (values, mask, negated, asked) => {
      const outer = mask ?? all1;
      const within = clipIntervals(values, key.width);
      if (right) {
        const kept = (outer << by) & all1 & ~((1n << by) - 1n);
        return key.within(
          within.map(({ lo, hi }) => interval(lo << by, hi << by)),
          kept,
          negated,
          asked,
        );
      }
      const up = 1n << by;
      const low = within.map(({ lo, hi }) => interval((lo + up - 1n) >> by, hi >> by));
      return key.within(low, (outer >> by) & (all1 >> by), negated, asked);
    },
  };
}

/** The numbers whose exclusive or with `bits` lies in `values`; `undefined` when that takes too many pieces. */
function xorIntervals(
  values: readonly Interval[],
  bits: bigint,
  width: number,
): readonly Interval[] | undefined {
  if (bits === 0n) return values;
  const out: Interval[] = [];
  for (const { lo, hi } of clipIntervals(values, width)) {
    let next = lo;
    while (next <= hi) {
      let size = 1n;
      while ((next & (size * 2n - 1n)) === 0n && next + size * 2n - 1n <= hi) size *= 2n;
      const start = (next ^ bits) & ~(size - 1n);
      out.push(interval(start, start + size - 1n));
      next += size;
      if (out.length > 100_000) return undefined;
    }
  }
  return out;
}
