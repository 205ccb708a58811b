import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Condition } from '../../src/model/index.ts';
import { compareMeanings, meaningOf } from '../../src/parse/condition-meaning.ts';

/** A packet of a very small world. */
interface Small {
  readonly protocol: bigint;
  readonly mark: bigint;
  readonly iif: string;
  readonly unknown: boolean;
}

const NAMES = ['e', 'et', 'lo'];
const PACKETS: readonly Small[] = [0n, 1n, 2n, 255n].flatMap((protocol) =>
  [0n, 1n, 2n, 3n, 0xffff_ffffn].flatMap((mark) =>
    NAMES.flatMap((iif) => [true, false].map((unknown) => ({ protocol, mark, iif, unknown }))),
  ),
);

function holds(condition: Condition, packet: Small): boolean {
  switch (condition.kind) {
    case 'all':
      return condition.of.every((c) => holds(c, packet));
    case 'any':
      return condition.of.some((c) => holds(c, packet));
    case 'not':
      return !holds(condition.of, packet);
    case 'version':
      return condition.version === 4;
    case 'interface':
      return condition.prefix ? packet.iif.startsWith(condition.name) : packet.iif === condition.name;
    case 'field': {
      const value = condition.field === 'protocol' ? packet.protocol : packet.mark;
      const masked = condition.mask === undefined ? value : value & condition.mask;
      return condition.values.some(({ lo, hi }) => lo <= masked && masked <= hi);
    }
    default:
      return packet.unknown;
  }
}

const value = fc.constantFrom(0n, 1n, 2n, 3n, 255n);
const intervals = fc.array(fc.record({ lo: value, hi: value }), { maxLength: 3 });
const leaf: fc.Arbitrary<Condition> = fc.oneof(
  intervals.map((values): Condition => ({ kind: 'field', field: 'protocol', values })),
  fc
    .tuple(intervals, fc.constantFrom(undefined, 1n, 2n, 3n, 0xffff_fffen, 0xffff_ffffn))
    .map(
      ([values, mask]): Condition =>
        mask === undefined
          ? { kind: 'field', field: 'mark', values }
          : { kind: 'field', field: 'mark', mask, values },
    ),
  fc.constantFrom(4 as const, 6 as const).map((version): Condition => ({ kind: 'version', version })),
  fc
    .tuple(fc.constantFrom('', ...NAMES), fc.boolean())
    .map(([name, prefix]): Condition => ({ kind: 'interface', field: 'iif', name, prefix })),
  fc.constant<Condition>({ kind: 'unknown', nature: 'deterministic', text: 'u' }),
);
const condition = fc.letrec<{ readonly tree: Condition }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    tie('tree').map((of): Condition => ({ kind: 'not', of })),
    fc.array(tie('tree'), { maxLength: 3 }).map((of): Condition => ({ kind: 'all', of })),
    fc.array(tie('tree'), { maxLength: 3 }).map((of): Condition => ({ kind: 'any', of })),
  ),
})).tree;

/** The same condition in other words. */
function reworded(c: Condition): Condition {
  switch (c.kind) {
    case 'not':
      return { kind: 'not', of: { kind: 'not', of: { kind: 'not', of: reworded(c.of) } } };
    case 'all':
      return {
        kind: 'not',
        of: { kind: 'any', of: c.of.map((part) => ({ kind: 'not', of: reworded(part) })) },
      };
    case 'any':
      return { kind: 'any', of: [...c.of].reverse().map(reworded) };
    case 'field':
      return { ...c, values: [...c.values].reverse() };
    default:
      return c;
  }
}

describe('the meaning of conditions', () => {
  it('is the same only for conditions that hold for the same packets', () => {
    fc.assert(
      fc.property(condition, condition, (a, b) => {
        if (compareMeanings(meaningOf([a], 4), meaningOf([b], 4)) !== 'same') return;
        for (const packet of PACKETS) expect(holds(a, packet)).toBe(holds(b, packet));
      }),
      { numRuns: 3000 },
    );
  });

  it('does not depend on how a condition is worded', () => {
    fc.assert(
      fc.property(condition, (a) => {
        expect(compareMeanings(meaningOf([a], 4), meaningOf([reworded(a)], 4))).toBe('same');
      }),
      { numRuns: 3000 },
    );
  });

  it('differs for sure only where no test is left that says too little', () => {
    fc.assert(
      fc.property(leaf, leaf, (a, b) => {
        if (compareMeanings(meaningOf([a], 4), meaningOf([b], 4)) !== 'different') return;
        expect([a.kind, b.kind]).not.toContain('unknown');
      }),
    );
  });

  it('is found for very deep conditions', () => {
    let deep: Condition = { kind: 'version', version: 6 };
    for (let i = 0; i < 1000; i++) deep = { kind: i % 2 === 0 ? 'all' : 'any', of: [deep] };
    expect(compareMeanings(meaningOf([deep], 4), meaningOf([deep], 4))).toBe('same');
  });
});
