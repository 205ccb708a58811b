import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intersectIntervals, interval } from '../../../src/net/index.ts';
import { clipIntervals } from '../../../src/parse/nft-json/intervals.ts';

describe('clipIntervals', () => {
  it.each([8, 16, 32, 64, 128])('is the intersection with all numbers of %i bits', (width) => {
    const max = (1n << BigInt(width)) - 1n;
    const bound = fc.oneof(
      fc.bigInt({ min: -3n, max: 40n }),
      fc.bigInt({ min: max - 40n, max: max + 3n }),
      fc.bigInt({ min: 0n, max }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(bound, bound), { maxLength: 30 }), (bounds) => {
        const values = bounds.map(([lo, hi]) => interval(lo, hi));
        expect(clipIntervals(values, width)).toEqual(intersectIntervals(values, [interval(0n, max)]));
      }),
    );
  });
});
