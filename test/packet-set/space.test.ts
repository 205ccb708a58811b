import { describe, expect, test } from 'vitest';
import { type Interval, interval, maxAddress, parseAddress, single } from '../../src/net/index.ts';
import {
  type PacketSet,
  PacketSetBudgetError,
  PacketSpace,
  type SpaceField,
} from '../../src/packet-set/index.ts';

const newSpace = (): PacketSpace => new PacketSpace({ interfaces: [] });
const address = (text: string): bigint => parseAddress(text)!.value;
const field = (space: PacketSpace, name: SpaceField, ...values: Interval[]): PacketSet =>
  space.inIntervals(space.bits(name), values);
const source = (space: PacketSpace, lo: string, hi = lo): PacketSet =>
  space.intersect(
    space.version(lo.includes(':') ? 6 : 4),
    space.inIntervals(space.bits('saddr').slice(0, lo.includes(':') ? 128 : 32), [
      { lo: address(lo), hi: address(hi) },
    ]),
  );

describe('intervals of a field', () => {
  test.each([
    ['no interval', [], []],
    ['a reversed interval', [interval(5, 4)], []],
    ['the whole width', [interval(0, 65535)], [interval(0, 65535)]],
    ['more than the width', [interval(0, 70000)], [interval(0, 65535)]],
    ['values past the width', [interval(65536, 70000)], []],
    ['the first and the last value', [single(0), single(65535)], [single(0), single(65535)]],
    ['overlapping and adjacent ones', [interval(8, 9), interval(1, 3), interval(3, 7)], [interval(1, 9)]],
    ['a NetWorker service range', [interval(7937, 9936)], [interval(7937, 9936)]],
  ])('%s', (_, given, expected) => {
    const space = newSpace();
    const set = field(space, 'dport', ...given);
    expect(space.values(set, 'dport', 4)).toEqual(expected);
    expect(space.isEmpty(set)).toBe(expected.length === 0);
  });

  test('a mask with holes selects by the masked number, as iptables does', () => {
    const space = newSpace();
    const bits = space.bits('saddr').slice(0, 32);
    const set = space.inIntervals(bits, [single(address('192.0.2.1'))], address('255.0.255.255'));
    expect(space.contains(set, { version: 4, saddr: address('192.77.2.1') })).toBe(true);
    expect(space.contains(set, { version: 4, saddr: address('192.77.3.1') })).toBe(false);
    expect(space.values(set, 'saddr', 4)).toHaveLength(256);
    expect(
      space.isEmpty(space.inIntervals(bits, [single(address('192.1.2.1'))], address('255.0.255.255'))),
    ).toBe(true);
  });

  test('mask zero makes every number zero', () => {
    const space = newSpace();
    expect(space.inIntervals(space.bits('mark'), [single(0)], 0n)).toBe(space.full);
    expect(space.inIntervals(space.bits('mark'), [single(1)], 0n)).toBe(space.empty);
  });

  test('a hundred thousand intervals are one diagram and are read back as they were', () => {
    const space = newSpace();
    const values = Array.from({ length: 100_000 }, (_, i) => interval(i * 40_000, i * 40_000 + 7));
    const set = space.inIntervals(space.bits('saddr').slice(0, 32), values);
    expect(space.values(set, 'saddr', 4)).toEqual(values);
    expect(space.count(set, ['saddr'], 4)).toBe(800_000n);
  });

  test('a constant vector decides the test without any variable', () => {
    const space = newSpace();
    const bits = space.constantBits(16, 9090n);
    expect(space.inIntervals(bits, [interval(9000, 9100)])).toBe(space.full);
    expect(space.inIntervals(bits, [interval(9091, 9100)])).toBe(space.empty);
  });
});

describe('versions and addresses', () => {
  test('an IPv4 address is the first 32 bits: the low 96 do not matter', () => {
    const space = newSpace();
    const set = source(space, '192.0.2.0', '192.0.2.255');
    expect(space.count(set, ['saddr'])).toBe(256n);
    expect(space.values(set, 'saddr', 6)).toEqual([]);
    expect(space.contains(set, { version: 4, saddr: address('192.0.2.255') })).toBe(true);
    expect(space.contains(set, { version: 4, saddr: address('192.0.3.0') })).toBe(false);
  });

  test('an IPv6 address has all 128 bits', () => {
    const space = newSpace();
    const set = source(space, '2001:db8::1', '2001:db8::ffff');
    expect(space.count(set, ['saddr'])).toBe(0xffffn);
    expect(space.values(set, 'saddr', 6)).toEqual([
      { lo: address('2001:db8::1'), hi: address('2001:db8::ffff') },
    ]);
  });

  test('everything counts both versions', () => {
    const space = newSpace();
    expect(space.count(space.full, ['saddr'])).toBe(maxAddress(4) + maxAddress(6) + 2n);
    expect(space.count(space.full, ['dport'])).toBe(65536n);
    expect(space.count(space.full, [])).toBe(1n);
    expect(space.count(space.empty, [])).toBe(0n);
  });

  test('an address without a version is refused', () => {
    const space = newSpace();
    expect(() => space.restrict(space.full, { saddr: 1n })).toThrow(RangeError);
    expect(() => space.partition(space.full, 'saddr')).toThrow(RangeError);
  });
});

describe('codes without a meaning', () => {
  test('connection states past the last one do not exist', () => {
    const space = newSpace();
    expect(space.values(space.full, 'ct-state', 4)).toEqual([interval(0, 4)]);
    expect(field(space, 'ct-state', interval(0, 4))).toBe(space.full);
    expect(field(space, 'ct-state', interval(5, 7))).toBe(space.empty);
    expect(space.count(space.full, ['ct-state'])).toBe(5n);
  });

  test('packet types are unicast, broadcast, multicast, otherhost and loopback', () => {
    const space = newSpace();
    expect(space.values(space.full, 'pkttype', 4)).toEqual([interval(0, 3), single(5)]);
    expect(space.values(space.complement(field(space, 'pkttype', single(0))), 'pkttype', 4)).toEqual([
      interval(1, 3),
      single(5),
    ]);
  });
});

describe('limits', () => {
  test('a set past the node budget throws, and what was made before can still be asked about', () => {
    const space = new PacketSpace({ interfaces: [], nodeBudget: 2_000 });
    const ssh = field(space, 'dport', single(22));
    const values = Array.from({ length: 1_000 }, (_, i) => single(i * 4_001_017));
    expect(() => space.inIntervals(space.bits('saddr').slice(0, 32), values)).toThrow(PacketSetBudgetError);
    expect(space.union(space.version(4), space.version(6))).toBe(space.full);
    expect(space.contains(ssh, { dport: 22n })).toBe(true);
    expect(space.stats.nodes).toBeLessThanOrEqual(2_000);
  });

  test.each([2_000, 50_000, 400_000])('memory is bounded by a budget of %i nodes', (nodeBudget) => {
    const space = new PacketSpace({ interfaces: [], nodeBudget });
    // Sums of random masks share nothing: the table fills, and walks over it take their share.
    let set = space.empty;
    const fill = () => {
      for (let i = 1; ; i++) {
        const mask = BigInt(Math.imul(i, 0x9e3779b1) >>> 0);
        set = space.union(
          set,
          space.inIntervals(space.bits('saddr').slice(0, 32), [{ lo: BigInt(i), hi: mask }], mask),
        );
        space.support(set);
      }
    };
    expect(fill).toThrow(PacketSetBudgetError);
    expect(space.spent).toBeGreaterThanOrEqual(0.99);
    expect(space.stats.nodes).toBeLessThanOrEqual(nodeBudget);
    const places = 2 ** Math.ceil(Math.log2(nodeBudget));
    // A node takes 16 bytes, a bucket 4, walks 8; the caches 64 MiB each at most.
    expect(space.stats.bytes).toBeLessThanOrEqual(places * 28 + 2 * 2 ** 26);
    space.release();
    expect(space.stats.bytes).toBe(0);
  });

  test('more intervals than asked for are an error in values and a sign in valuesUpTo', () => {
    const space = newSpace();
    // Even numbers: 32,768 intervals from one bit.
    const even = space.inIntervals(space.bits('dport'), [single(0)], 1n);
    expect(() => space.values(even, 'dport', 4, 1000)).toThrow(PacketSetBudgetError);
    expect(space.valuesUpTo(even, 'dport', 4, 3)).toEqual({
      intervals: [single(0), single(2), single(4)],
      complete: false,
    });
    expect(space.valuesUpTo(even, 'dport', 4, 40_000).complete).toBe(true);
    expect(() => space.partition(even, 'dport', 4, 1000)).toThrow(PacketSetBudgetError);
  });

  test('five thousand unknowns in one chain do not overflow the stack', () => {
    const space = newSpace();
    const unknowns = Array.from({ length: 5_000 }, (_, i) => space.variable(`unknown ${i}`));
    const all = space.intersectAll(unknowns);
    const some = space.unionAll(unknowns);
    const odd = unknowns.reduceRight((set, unknown) => space.symmetricDifference(unknown, set), space.empty);
    expect(space.nodeCount(all)).toBe(5_000);
    expect(space.nodeCount(odd)).toBe(9_999);
    expect(space.includes(some, all)).toBe(true);
    expect(space.includes(all, some)).toBe(false);
    expect(space.intersects(all, space.complement(some))).toBe(false);
    expect(space.intersects(odd, some)).toBe(true);
    expect(space.complement(space.complement(odd))).toBe(odd);
    expect(space.minus(odd, some)).toBe(space.empty);
    expect(space.ifThenElse(odd, some, all)).toBe(space.union(odd, space.minus(all, odd)));
    expect(space.exists(odd, space.variables({ keys: 'all' }))).toBe(space.full);
    expect(space.forall(some, space.variables({ keys: 'all' }))).toBe(space.empty);
    expect(space.exists(all, space.variables({ keys: ['unknown 4999'] }))).toBe(
      space.intersectAll(unknowns.slice(0, -1)),
    );
    expect(space.support(odd).keys).toHaveLength(5_000);
    expect(space.restrict(odd, { dport: 22n })).toBe(odd);
    expect(space.count(all, ['dport'])).toBe(65536n);
    expect(space.sample(space.intersect(all, field(space, 'dport', single(22))))?.dport).toBe(22n);
    expect(space.partition(space.intersect(all, field(space, 'dport', single(22))), 'dport')).toEqual([
      { values: [single(22)], rest: all },
    ]);
  });
});

describe('unknowns', () => {
  test('one key is one variable, another key another', () => {
    const space = newSpace();
    expect(space.variable('limit')).toBe(space.variable('limit'));
    expect(space.variable('limit')).not.toBe(space.variable('owner'));
    expect(space.support(space.variable('limit'))).toEqual({ fields: [], keys: ['limit'] });
  });

  test('one key has one width', () => {
    const space = newSpace();
    expect(space.unknownBits('own address', 32)).toHaveLength(32);
    expect(space.unknownBits('own address', 32)).toEqual(space.unknownBits('own address', 32));
    expect(() => space.unknownBits('own address', 128)).toThrow(RangeError);
    expect(() => space.unknownBits('too wide', 17, 'dport')).toThrow(RangeError);
  });

  test('"everything except" covers variables that are made later', () => {
    const space = newSpace();
    const what = space.variablesExcept({ fields: ['dport'] });
    const later = space.intersect(space.variable('later'), field(space, 'mark', single(3)));
    const set = space.intersect(later, field(space, 'dport', single(22)));
    expect(space.exists(set, what)).toBe(field(space, 'dport', single(22)));
    expect(space.exists(set, space.variables({ keys: 'all' }))).toBe(
      space.intersect(field(space, 'mark', single(3)), field(space, 'dport', single(22))),
    );
  });

  test('an unknown address beside its field is compared in a small diagram', () => {
    const space = newSpace();
    const own = space.unknownBits('own IPv6 address', 128, 'daddr');
    const same = space.intersectAll(
      space.bits('daddr').map((bit, i) => space.complement(space.symmetricDifference(bit, own[i]!))),
    );
    expect(space.nodeCount(same)).toBe(3 * 128);
    expect(space.exists(same, space.variables({ keys: 'all' }))).toBe(space.full);
    // The order of the other variables is as before.
    const ports = field(space, 'dport', interval(7937, 9936));
    expect(space.values(space.intersect(same, ports), 'dport', 6)).toEqual([interval(7937, 9936)]);
    expect(space.sample(space.intersect(same, ports))).toMatchObject({ dport: 7937n });
  });
});

describe('assignments', () => {
  test('a redirected port: what becomes 9090, and what 443 becomes', () => {
    const space = newSpace();
    const tcp = field(space, 'protocol', single(6));
    const web = space.intersect(tcp, field(space, 'dport', single(443)));
    const redirected = space
      .constantBits(16, 9090n)
      .map((bit, i) => space.ifThenElse(web, bit, space.bits('dport')[i]!));
    const nmc = space.intersect(tcp, field(space, 'dport', single(9090)));
    expect(space.substitute(nmc, [['dport', redirected]])).toBe(space.union(nmc, web));
    expect(space.image(web, [['dport', redirected]])).toBe(nmc);
    expect(space.image(tcp, [['dport', redirected]])).toBe(space.minus(tcp, web));
  });

  test('the image under an unknown IPv6 address keeps every bit tied to the unknown', () => {
    const space = newSpace();
    const own = space.unknownBits('own address', 128, 'daddr');
    const image = space.image(space.version(6), [['daddr', own]]);
    expect(space.nodeCount(image)).toBe(1 + 3 * 128);
    expect(space.exists(image, space.variables({ keys: 'all' }))).toBe(space.version(6));
    expect(space.exists(image, space.variables({ fields: ['daddr'] }))).toBe(space.version(6));
  });

  test('mark := (mark & ~0xff) ^ 0x7, then the test of the mark', () => {
    const space = newSpace();
    const bits = space.bits('mark').map((bit, i) => (i < 24 ? bit : i >= 29 ? space.full : space.empty));
    expect(space.inIntervals(bits, [single(7)], 0xffn)).toBe(space.full);
    expect(space.substitute(field(space, 'mark', single(0x107)), [['mark', bits]])).toBe(
      field(space, 'mark', interval(0x100, 0x1ff)),
    );
    expect(space.image(space.full, [['mark', bits]])).toBe(
      space.inIntervals(space.bits('mark'), [single(7)], 0xffn),
    );
  });

  test('an assigned connection state or packet type is the field with that value', () => {
    const space = newSpace();
    const untracked = space.image(space.full, [['ct-state', space.constantBits(3, 4n)]]);
    expect(untracked).toBe(field(space, 'ct-state', single(4)));
    const loopback = space.image(space.full, [['pkttype', space.constantBits(3, 5n)]]);
    expect(loopback).toBe(field(space, 'pkttype', single(5)));
    expect(space.sample(space.full, { pkttype: [interval(4, 7)] })?.pkttype).toBe(5n);
    expect(space.sample(loopback)?.pkttype).toBe(5n);
  });

  test('a vector wider than its field is refused', () => {
    const space = newSpace();
    expect(() => space.substitute(space.full, [['ecn', space.constantBits(3, 1n)]])).toThrow(RangeError);
  });
});

describe('partition', () => {
  test('by destination port: one class per different rest, in the order of the lowest value', () => {
    const space = newSpace();
    const admins = source(space, '198.51.100.0', '198.51.100.15');
    const servers = source(space, '192.0.2.10');
    const set = space.unionAll([
      space.intersect(admins, field(space, 'dport', single(22), single(9090))),
      space.intersect(servers, field(space, 'dport', interval(7937, 9936))),
    ]);
    expect(space.partition(set, 'dport', 4)).toEqual([
      { values: [single(22)], rest: admins },
      { values: [interval(7937, 9089), interval(9091, 9936)], rest: servers },
      { values: [single(9090)], rest: space.union(admins, servers) },
    ]);
    expect(space.partition(set, 'dport', 6)).toEqual([]);
  });
});

describe('a sample', () => {
  test('of everything is an ordinary packet', () => {
    const space = newSpace();
    expect(space.sample(space.full)).toEqual({
      version: 4,
      'ct-state': 0n,
      protocol: 6n,
      'tcp-flags': 2n,
      dport: 1n,
      sport: 40000n,
      daddr: address('192.0.2.1'),
      saddr: address('203.0.113.1'),
    });
    expect(space.sample(space.version(6))).toMatchObject({ version: 6, saddr: address('2001:db8:113::1') });
  });

  test.each([
    [4, 1, { 'icmp-type': 8n, 'icmp-code': 0n }],
    [6, 58, { 'icmp-type': 128n, 'icmp-code': 0n }],
  ] as const)('of IPv%i and protocol %i is an echo request', (version, protocol, more) => {
    const space = newSpace();
    const set = space.intersect(space.version(version), field(space, 'protocol', single(protocol)));
    expect(space.sample(set)).toMatchObject({ version, protocol: BigInt(protocol), ...more });
    expect(space.sample(set)).not.toHaveProperty('tcp-flags');
    expect(space.sample(set)).not.toHaveProperty('dport');
  });

  test('has a port of those that Linux connects from, where the usual one is not in the set', () => {
    const space = newSpace();
    const sport = (lo: number, hi: number) =>
      space.minus(space.full, field(space, 'sport', interval(lo, hi)));
    expect(space.sample(sport(40000, 40000))?.sport).toBe(32768n);
    expect(space.sample(sport(32768, 60999))?.sport).toBe(1024n);
    expect(space.sample(sport(1024, 65535))?.sport).toBe(1n);
    expect(space.sample(sport(1, 65535))?.sport).toBe(0n);
  });

  test('says every field that membership depends on, with its only value', () => {
    const space = newSpace();
    const parts = [
      space.version(6),
      field(space, 'protocol', single(58)),
      field(space, 'icmp-type', single(133)),
      field(space, 'ttl', single(255)),
      field(space, 'mark', single(0xdead)),
    ];
    expect(space.sample(space.intersectAll(parts))).toMatchObject({
      version: 6,
      protocol: 58n,
      'icmp-type': 133n,
      ttl: 255n,
      mark: 0xdeadn,
    });
  });

  test.each(['saddr', 'daddr'] as const)('has the IPv4 %s that the set asks for', (side) => {
    const space = newSpace();
    const bits = space.bits(side).slice(0, 32);
    const wanted = interval(address('198.51.100.64'), address('198.51.100.127'));
    const set = space.intersect(space.version(4), space.inIntervals(bits, [wanted]));
    expect(space.sample(set)?.[side]).toBe(wanted.lo);
  });

  test('takes preferred values in the order given, where the set allows them', () => {
    const space = newSpace();
    const set = space.minus(space.version(4), source(space, '203.0.113.0', '203.0.113.127'));
    const sample = space.sample(set, {
      saddr: [single(address('203.0.113.7')), single(address('203.0.113.200'))],
      dport: [single(7938)],
      version: 6,
    });
    expect(sample).toMatchObject({ version: 4, saddr: address('203.0.113.200'), dport: 7938n });
  });

  test('of nothing does not exist', () => {
    const space = newSpace();
    expect(space.sample(space.empty)).toBeUndefined();
  });
});
