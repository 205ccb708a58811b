import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FieldChanges, type PacketSet, PacketSpace } from '../../src/packet-set/index.ts';
import { runs, useSeed } from './seed.ts';
import {
  ALL,
  anyExpression,
  build,
  DIMENSIONS,
  type Dimension,
  type Expression,
  holds,
  INTERFACES,
  isMember,
  KEYS,
  members,
  type Packet,
  SMALL_FIELDS,
  variants,
} from './small-world.ts';

useSeed('packet-set laws', 60);

const newSpace = (): PacketSpace => new PacketSpace({ interfaces: INTERFACES });

/** Fails with the first packet on which a set and its description disagree. */
function expectMembers(space: PacketSpace, set: PacketSet, described: (packet: Packet) => boolean): void {
  const wrong = ALL.find((packet) => isMember(space, set, packet) !== described(packet));
  expect(wrong).toBeUndefined();
}

const dimensionSubset = fc.subarray([...DIMENSIONS]);

function selection(dimensions: readonly Dimension[]) {
  return {
    fields: SMALL_FIELDS.filter((field) => dimensions.includes(field)),
    interfaces: dimensions.includes('iif') ? (['iif'] as const) : [],
    version: dimensions.includes('version'),
    keys: KEYS.filter((key) => dimensions.includes(key)),
  };
}

describe('a packet set is the set of its packets', () => {
  test('every expression contains exactly the packets for which it holds', () => {
    fc.assert(
      fc.property(anyExpression, (expression) => {
        const space = newSpace();
        expectMembers(space, build(space, expression), (packet) => holds(expression, packet));
      }),
    );
  });

  test('sets with the same members have the same handle, others do not', () => {
    fc.assert(
      fc.property(anyExpression, anyExpression, (a, b) => {
        const space = newSpace();
        const same = ALL.every((packet) => holds(a, packet) === holds(b, packet));
        expect(build(space, a) === build(space, b)).toBe(same);
      }),
    );
  });

  test('includes, intersects, isEmpty and isFull answer as the member lists do', () => {
    fc.assert(
      fc.property(anyExpression, anyExpression, (a, b) => {
        const space = newSpace();
        const setA = build(space, a);
        const setB = build(space, b);
        expect(space.includes(setA, setB)).toBe(ALL.every((p) => !holds(b, p) || holds(a, p)));
        expect(space.intersects(setA, setB)).toBe(ALL.some((p) => holds(a, p) && holds(b, p)));
        expect(space.isEmpty(setA)).toBe(!ALL.some((p) => holds(a, p)));
        expect(space.isFull(setA)).toBe(ALL.every((p) => holds(a, p)));
      }),
    );
  });
});

describe('algebra', () => {
  const law = (name: string, check: (space: PacketSpace, a: PacketSet, b: PacketSet, c: PacketSet) => void) =>
    test(name, () => {
      fc.assert(
        fc.property(anyExpression, anyExpression, anyExpression, (a, b, c) => {
          const space = newSpace();
          check(space, build(space, a), build(space, b), build(space, c));
        }),
      );
    });

  law('De Morgan holds both ways', (space, a, b) => {
    const not = (x: PacketSet) => space.complement(x);
    expect(not(space.union(a, b))).toBe(space.intersect(not(a), not(b)));
    expect(not(space.intersect(a, b))).toBe(space.union(not(a), not(b)));
  });
  law('a set and its complement part the space', (space, a) => {
    expect(space.union(a, space.complement(a))).toBe(space.full);
    expect(space.intersect(a, space.complement(a))).toBe(space.empty);
    expect(space.complement(space.complement(a))).toBe(a);
  });
  law('a minus b is disjoint from b, and with the common part gives a back', (space, a, b) => {
    const difference = space.minus(a, b);
    expect(space.intersects(difference, b)).toBe(false);
    expect(space.union(difference, space.intersect(a, b))).toBe(a);
  });
  law('intersection distributes over union', (space, a, b, c) => {
    expect(space.intersect(a, space.union(b, c))).toBe(
      space.union(space.intersect(a, b), space.intersect(a, c)),
    );
  });
  law('symmetric difference undoes itself', (space, a, b) => {
    expect(space.symmetricDifference(space.symmetricDifference(a, b), b)).toBe(a);
  });
  law('if-then-else is the union of its guarded branches', (space, a, b, c) => {
    const guarded = space.union(space.intersect(a, b), space.intersect(space.complement(a), c));
    expect(space.ifThenElse(a, b, c)).toBe(guarded);
  });
  law('union and intersection of a list are those of its members, in any order', (space, a, b, c) => {
    expect(space.unionAll([a, b, c])).toBe(space.union(c, space.union(b, a)));
    expect(space.intersectAll([a, b, c])).toBe(space.intersect(c, space.intersect(b, a)));
    expect(space.unionAll([])).toBe(space.empty);
    expect(space.intersectAll([])).toBe(space.full);
  });
  law('a set includes another exactly when their union is itself', (space, a, b) => {
    expect(space.includes(a, b)).toBe(space.union(a, b) === a);
  });
});

describe('quantifiers', () => {
  test('exists holds where some value of the variables does, forall where every value does', () => {
    fc.assert(
      fc.property(
        anyExpression,
        dimensionSubset,
        fc.boolean(),
        fc.nat(ALL.length),
        (a, dimensions, except, skip) => {
          const space = newSpace();
          const set = build(space, a);
          const what = except
            ? space.variablesExcept(
                selection(DIMENSIONS.filter((dimension) => !dimensions.includes(dimension))),
              )
            : space.variables(selection(dimensions));
          const some = space.exists(set, what);
          const all = space.forall(set, what);
          const isIn = members(a);
          // Every 37th packet: 37 has no common factor with the size of any dimension.
          for (let i = skip; i < skip + ALL.length; i += 37) {
            const at = i % ALL.length;
            const family = variants(at, dimensions);
            expect(isMember(space, some, ALL[at]!)).toBe(family.some((other) => isIn[other] === 1));
            expect(isMember(space, all, ALL[at]!)).toBe(family.every((other) => isIn[other] === 1));
          }
          const names: readonly string[] = [...space.support(some).fields, ...space.support(some).keys];
          expect(dimensions.filter((dimension) => names.includes(dimension))).toEqual([]);
        },
      ),
      { numRuns: runs(25) },
    );
  });

  test('support names exactly what membership depends on', () => {
    fc.assert(
      fc.property(anyExpression, (a) => {
        const space = newSpace();
        const isIn = members(a);
        const real = DIMENSIONS.filter((dimension) =>
          isIn.some((own, at) => variants(at, [dimension]).some((other) => isIn[other] !== own)),
        );
        const { fields, keys } = space.support(build(space, a));
        expect([...fields, ...keys].sort()).toEqual([...real].sort());
      }),
      { numRuns: runs(15) },
    );
  });
});

describe('assignments', () => {
  /** ecn := any function, ct-state := a constant where a condition holds, iif := a name where it holds. */
  const assignment = fc.record({
    high: anyExpression,
    low: anyExpression,
    condition: anyExpression,
    state: fc.nat(4),
    iif: fc.constantFrom('', 'eth1', 'ethx', 'wlan0'),
  });
  type Assignment = typeof assignment extends fc.Arbitrary<infer T> ? T : never;

  const assigned = (packet: Packet, { high, low, condition, state, iif }: Assignment): Packet => ({
    ...packet,
    ecn: (holds(high, packet) ? 2 : 0) + (holds(low, packet) ? 1 : 0),
    ...(holds(condition, packet) ? { 'ct-state': state, iif } : {}),
  });
  const changesOf = (space: PacketSpace, { high, low, condition, state, iif }: Assignment): FieldChanges => {
    const when = build(space, condition);
    const choose = (now: readonly PacketSet[], own: readonly PacketSet[]) =>
      now.map((bit, i) => space.ifThenElse(when, bit, own[i]!));
    return [
      ['ecn', [build(space, high), build(space, low)]],
      ['ct-state', choose(space.constantBits(3, BigInt(state)), space.bits('ct-state'))],
      ['iif', choose(space.interfaceAtom(iif), space.interfaceBits('iif'))],
    ];
  };

  test('substitute gives the packets that become members', () => {
    fc.assert(
      fc.property(anyExpression, assignment, (a, change) => {
        const space = newSpace();
        const before = space.substitute(build(space, a), changesOf(space, change));
        expectMembers(space, before, (packet) => holds(a, assigned(packet, change)));
      }),
      { numRuns: runs(20) },
    );
  });

  test('image gives what the members become', () => {
    fc.assert(
      fc.property(anyExpression, assignment, (a, change) => {
        const space = newSpace();
        const image = space.image(build(space, a), changesOf(space, change));
        const reached = new Set<string>();
        for (const packet of ALL) if (holds(a, packet)) reached.add(JSON.stringify(assigned(packet, change)));
        expectMembers(space, image, (packet) => reached.has(JSON.stringify(packet)));
        expect(space.isEmpty(image)).toBe(!ALL.some((packet) => holds(a, packet)));
      }),
      { numRuns: runs(20) },
    );
  });
});

describe('questions', () => {
  const projected = (expression: Expression, version: 4 | 6, field: Dimension): bigint[] => {
    const hits = ALL.filter((packet) => packet.version === version && holds(expression, packet));
    return [...new Set(hits.map((packet) => BigInt(packet[field])))].sort((x, y) => (x < y ? -1 : 1));
  };

  test('values lists the values that members of the version have', () => {
    fc.assert(
      fc.property(
        anyExpression,
        fc.constantFrom(...SMALL_FIELDS),
        fc.constantFrom<4 | 6>(4, 6),
        (a, field, version) => {
          const space = newSpace();
          const listed = space
            .values(build(space, a), field, version)
            .flatMap(({ lo, hi }) => Array.from({ length: Number(hi - lo) + 1 }, (_, i) => lo + BigInt(i)));
          expect(listed).toEqual(projected(a, version, field));
        },
      ),
    );
  });

  test('a partition has disjoint values, different rests without the field, and recombines to the set', () => {
    fc.assert(
      fc.property(
        anyExpression,
        fc.constantFrom(...SMALL_FIELDS),
        fc.constantFrom(4, 6, undefined),
        (a, field, version) => {
          const space = newSpace();
          const set = build(space, a);
          const classes = space.partition(set, field, version);
          const parts = classes.map(({ values, rest }) =>
            space.intersect(space.inIntervals(space.bits(field), values), rest),
          );
          const whole = version === undefined ? set : space.intersect(set, space.version(version));
          expect(space.unionAll(parts)).toBe(whole);
          expect(new Set(classes.map(({ rest }) => rest)).size).toBe(classes.length);
          for (const { rest } of classes) {
            expect(space.isEmpty(rest)).toBe(false);
            expect(space.support(rest).fields).not.toContain(field);
          }
          parts.forEach((part, i) => {
            for (const other of parts.slice(i + 1)) expect(space.intersects(part, other)).toBe(false);
          });
        },
      ),
    );
  });

  test('count is the number of different combinations', () => {
    fc.assert(
      fc.property(
        anyExpression,
        fc.subarray([...SMALL_FIELDS]),
        fc.constantFrom(4, 6, undefined),
        (a, fields, version) => {
          const space = newSpace();
          const hits = ALL.filter(
            (packet) => (version === undefined || packet.version === version) && holds(a, packet),
          );
          const combinations = new Set(hits.map((packet) => fields.map((field) => packet[field]).join()));
          expect(space.count(build(space, a), fields, version)).toBe(BigInt(combinations.size));
        },
      ),
    );
  });

  test('a sample is a member for some value of the unknowns, and there is one unless the set is empty', () => {
    fc.assert(
      fc.property(anyExpression, fc.array(fc.nat(5), { maxLength: 2 }), (a, wishes) => {
        const space = newSpace();
        const set = build(space, a);
        const preferences = {
          ecn: wishes.map((wish) => ({ lo: BigInt(wish), hi: BigInt(wish) })),
          'ct-state': wishes.map((wish) => ({ lo: BigInt(wish), hi: 7n })),
          pkttype: wishes.map((wish) => ({ lo: BigInt(wish), hi: 7n })),
        };
        const header = space.sample(set, preferences);
        expect(header === undefined).toBe(space.isEmpty(set));
        if (header === undefined) return;
        const may = space.exists(set, space.variables({ keys: 'all' }));
        expect(space.contains(may, header)).toBe(true);
        expect(Number(header['ct-state'] ?? 0n)).toBeLessThan(5);
        expect([undefined, 0n, 1n, 2n, 3n, 5n]).toContain(header.pkttype);
      }),
    );
  });

  test('the interfaces of a set are concrete names of every atom that occurs', () => {
    fc.assert(
      fc.property(anyExpression, (a) => {
        const space = newSpace();
        const hits = ALL.filter((packet) => holds(a, packet));
        // The space names "another eth interface" and "another interface" by examples of its own.
        const alias = new Map<string, string | null>([
          ['', null],
          ['ethx', 'eth2'],
          ['wlan0', 'if0'],
        ]);
        const names = new Set(hits.map(({ iif }) => alias.get(String(iif)) ?? (iif === '' ? null : iif)));
        expect(new Set(space.interfacesOf(build(space, a), 'iif'))).toEqual(names);
      }),
    );
  });
});
