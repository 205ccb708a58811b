import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Interval, normalizeIntervals } from '../../src/net/index.ts';
import {
  describeAddresses,
  describePorts,
  isAnySource,
  type PacketSet,
  PacketSpace,
  parseAddresses,
  parsePorts,
  SPACE_FIELD_BITS,
  type SpaceField,
} from '../../src/packet-set/index.ts';
import { runs, useSeed } from './seed.ts';

useSeed('number laws', 150);

// Written out here, so that the test does not ask the code under test for it.
const FIELDS = ['saddr', 'dport', 'sport', 'mark', 'smac', 'dscp', 'ttl', 'tcp-flags'] as const;

/** Numbers of a width that crowd at edges: near 0, near the top, near powers of two. */
const edgy = (width: number): fc.Arbitrary<bigint> => {
  const top = (1n << BigInt(width)) - 1n;
  return fc.oneof(
    fc.bigInt({ min: 0n, max: top }),
    fc.bigInt({ min: 0n, max: 3n }),
    fc.bigInt({ min: 0n, max: 3n }).map((d) => top - d),
    fc.tuple(fc.nat(width - 1), fc.bigInt({ min: -1n, max: 1n })).map(([bit, d]) => {
      const value = (1n << BigInt(bit)) + d;
      return value > top ? top : value;
    }),
  );
};

const ranges = (width: number): fc.Arbitrary<Interval[]> =>
  fc.array(
    fc.oneof(
      fc.tuple(edgy(width), edgy(width)).map(([lo, hi]) => ({ lo, hi })),
      fc.tuple(edgy(width), fc.bigInt({ min: 0n, max: 300n })).map(([lo, n]) => ({ lo, hi: lo + n })),
      edgy(width).map((value) => ({ lo: value, hi: value })),
    ),
    { maxLength: 8 },
  );

const fieldCase = fc.constantFrom<SpaceField>(...FIELDS).chain((field) => {
  const width = SPACE_FIELD_BITS[field];
  return fc.record({
    field: fc.constant(field),
    values: ranges(width),
    mask: fc.option(edgy(width), { nil: undefined }),
    samples: fc.array(edgy(width), { minLength: 5, maxLength: 20 }),
  });
});

const belongs = (value: bigint, values: readonly Interval[], mask: bigint | undefined): boolean => {
  const seen = mask === undefined ? value : value & mask;
  return values.some(({ lo, hi }) => lo <= seen && seen <= hi);
};

/** Numbers at which membership can change. */
const edgesOf = (values: readonly Interval[], width: number): bigint[] => {
  const top = (1n << BigInt(width)) - 1n;
  return values
    .flatMap(({ lo, hi }) => [lo - 1n, lo, lo + 1n, hi - 1n, hi, hi + 1n])
    .filter((value) => value >= 0n && value <= top);
};

const newSpace = (): PacketSpace => new PacketSpace({ interfaces: [] });

describe('a number in intervals', () => {
  test('is tested exactly at every edge, under any mask', () => {
    fc.assert(
      fc.property(fieldCase, ({ field, values, mask, samples }) => {
        const space = newSpace();
        const set = space.inIntervals(space.bits(field), values, mask);
        for (const value of [...samples, ...edgesOf(values, SPACE_FIELD_BITS[field])]) {
          expect(space.contains(set, { version: 6, [field]: value })).toBe(belongs(value, values, mask));
        }
      }),
    );
  });

  test('does not depend on the order or overlap of the intervals', () => {
    fc.assert(
      fc.property(fieldCase, ({ field, values, mask }) => {
        const space = newSpace();
        const bits = space.bits(field);
        const set = space.inIntervals(bits, values, mask);
        expect(space.inIntervals(bits, [...values].reverse(), mask)).toBe(set);
        expect(space.unionAll(values.map((range) => space.inIntervals(bits, [range], mask)))).toBe(set);
      }),
    );
  });

  test('of assigned bits is the test of the assigned value', () => {
    fc.assert(
      fc.property(ranges(32), edgy(32), edgy(32), edgy(32), (values, and, xor, value) => {
        const space = newSpace();
        // mark := (mark & and) ^ xor, as a vector of functions
        const assigned = space.bits('mark').map((bit, i): PacketSet => {
          const at = BigInt(31 - i);
          const kept = (and >> at) & 1n ? bit : space.empty;
          return (xor >> at) & 1n ? space.complement(kept) : kept;
        });
        const set = space.inIntervals(assigned, values);
        expect(space.contains(set, { mark: value })).toBe(belongs((value & and) ^ xor, values, undefined));
      }),
    );
  });

  test('of a vector that depends on another field is the test of what it spells', () => {
    fc.assert(
      fc.property(ranges(16), edgy(16), edgy(16), edgy(16), (values, dport, sport, split) => {
        const space = newSpace();
        const chosen = space.inIntervals(space.bits('sport'), [{ lo: 0n, hi: split }]);
        const swapped = space
          .bits('dport')
          .map((bit, i) => space.ifThenElse(chosen, bit, space.bits('sport')[i]!));
        const set = space.inIntervals(swapped, values);
        const spelled = sport <= split ? dport : sport;
        expect(space.contains(set, { dport, sport })).toBe(belongs(spelled, values, undefined));
      }),
    );
  });

  test('is read back by values, in the same normal form', () => {
    fc.assert(
      fc.property(fieldCase, ({ field, values }) => {
        const space = newSpace();
        const top = (1n << BigInt(SPACE_FIELD_BITS[field])) - 1n;
        const set = space.inIntervals(space.bits(field), values);
        const expected = normalizeIntervals(values.map(({ lo, hi }) => ({ lo, hi: hi > top ? top : hi })));
        expect(space.values(set, field, 6)).toEqual(expected);
      }),
    );
  });

  test.each([4, 6] as const)('IPv%i addresses are read back, counted and partitioned', (version) => {
    const width = version === 4 ? 32 : 128;
    const top = (1n << BigInt(width)) - 1n;
    fc.assert(
      fc.property(ranges(width), ranges(16), (addresses, ports) => {
        const space = newSpace();
        const bits = space.bits('saddr').slice(0, width);
        const set = space.intersect(
          space.version(version),
          space.union(space.inIntervals(bits, addresses), space.inIntervals(space.bits('dport'), ports)),
        );
        const clip = (list: readonly Interval[], max: bigint) =>
          normalizeIntervals(list.map(({ lo, hi }) => ({ lo, hi: hi > max ? max : hi })));
        const count = (list: readonly Interval[]) => list.reduce((n, { lo, hi }) => n + hi - lo + 1n, 0n);
        const inAddresses = count(clip(addresses, top));
        const inPorts = count(clip(ports, 65535n));
        const expected = inAddresses * 65536n + inPorts * (top + 1n) - inAddresses * inPorts;
        expect(space.count(set, ['saddr', 'dport'])).toBe(expected);
        const classes = space.partition(set, 'saddr', version);
        const parts = classes.map(({ values, rest }) =>
          space.intersect(space.inIntervals(bits, values), rest),
        );
        expect(space.unionAll(parts)).toBe(set);
        expect(classes.length).toBeLessThanOrEqual(2);
        const other = version === 4 ? 6 : 4;
        expect(space.values(set, 'saddr', other)).toEqual([]);
      }),
      { numRuns: runs(60) },
    );
  });
});

describe('a first-match list', () => {
  const rule = fc.record({
    accept: fc.boolean(),
    saddr: fc.tuple(edgy(32), fc.nat(32)).map(([value, shift]) => {
      const size = 1n << BigInt(shift);
      const lo = (value / size) * size;
      return { lo, hi: lo + size - 1n };
    }),
    dport: fc.tuple(edgy(16), fc.nat(2000)).map(([lo, n]) => ({ lo, hi: lo + BigInt(n) })),
    mark: fc.option(edgy(32), { nil: undefined }),
  });

  test('accepts a packet exactly when the first rule that matches it does', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 20, maxLength: 80, size: 'max' }),
        fc.array(fc.tuple(edgy(32), edgy(16), edgy(32)), { minLength: 20, maxLength: 20 }),
        (rules, probes) => {
          const space = newSpace();
          const saddr = space.bits('saddr').slice(0, 32);
          let rest = space.full;
          let accepted = space.empty;
          let dropped = space.empty;
          for (const { accept, saddr: addresses, dport, mark } of rules) {
            const parts = [
              space.inIntervals(saddr, [addresses]),
              space.inIntervals(space.bits('dport'), [dport]),
              mark === undefined
                ? space.full
                : space.inIntervals(space.bits('mark'), [{ lo: 0n, hi: 5n }], mark),
            ];
            const hit = space.intersect(rest, space.intersectAll(parts));
            if (accept) accepted = space.union(accepted, hit);
            else dropped = space.union(dropped, hit);
            rest = space.minus(rest, hit);
          }
          expect(space.symmetricDifference(accepted, dropped)).toBe(space.complement(rest));
          const edges = rules.map(({ saddr: { lo }, dport: { hi } }) => [lo, hi & 0xffffn, 0n] as const);
          for (const [address, port, value] of [...probes, ...edges]) {
            const first = rules.find(
              ({ saddr: { lo, hi }, dport, mark }) =>
                lo <= address &&
                address <= hi &&
                dport.lo <= port &&
                port <= dport.hi &&
                (value & (mark ?? 0n)) <= 5n,
            );
            const header = { version: 4, saddr: address, dport: port, mark: value } as const;
            expect(space.contains(accepted, header)).toBe(first?.accept === true);
            expect(space.contains(rest, header)).toBe(first === undefined);
          }
        },
      ),
      { numRuns: runs(20) },
    );
  });
});

describe('a sample of wide fields', () => {
  test('is a member, and one of the preferred values where one is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<4 | 6>(4, 6),
        ranges(32),
        ranges(16),
        ranges(16),
        ranges(8),
        (version, addresses, ports, wishes, protocols) => {
          const space = newSpace();
          const saddr = space.bits('saddr').slice(0, version === 4 ? 32 : 128);
          const set = [
            space.inIntervals(saddr, addresses),
            space.inIntervals(space.bits('dport'), ports),
            space.inIntervals(space.bits('protocol'), protocols),
          ].reduce((a, b) => space.intersect(a, b), space.version(version));
          const header = space.sample(set, { dport: wishes });
          expect(header === undefined).toBe(space.isEmpty(set));
          if (header === undefined) return;
          expect(space.contains(set, header)).toBe(true);
          const first = wishes.find((wish) =>
            space.intersects(set, space.inIntervals(space.bits('dport'), [wish])),
          );
          if (first !== undefined) expect(belongs(header.dport ?? -1n, [first], undefined)).toBe(true);
        },
      ),
    );
  });
});

describe('printing', () => {
  test.each([4, 6] as const)('IPv%i addresses are parsed back to the same set', (version) => {
    const width = version === 4 ? 32 : 128;
    const top = (1n << BigInt(width)) - 1n;
    fc.assert(
      fc.property(ranges(width), fc.boolean(), fc.boolean(), (list, inverted, prefixed) => {
        const normal = normalizeIntervals(list.map(({ lo, hi }) => ({ lo, hi: hi > top ? top : hi })));
        const gaps = [-1n, ...normal.map(({ hi }) => hi)].map((hi, i) => ({
          lo: hi + 1n,
          hi: (normal[i]?.lo ?? top + 1n) - 1n,
        }));
        const set = normalizeIntervals(inverted ? gaps : normal);
        const described = describeAddresses(version, set, prefixed ? 'prefix' : 'plain');
        expect(parseAddresses(version, described)).toEqual(set);
        if (described.except.length > 0) expect(isAnySource(version, set)).toBe(true);
      }),
    );
  });

  test('ports are parsed back to the same set', () => {
    fc.assert(
      fc.property(ranges(16), (list) => {
        const set = normalizeIntervals(list.map(({ lo, hi }) => ({ lo, hi: hi > 65535n ? 65535n : hi })));
        expect(parsePorts(describePorts(set))).toEqual(set);
      }),
    );
  });
});
