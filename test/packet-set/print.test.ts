import { describe, expect, test } from 'vitest';
import {
  complementIntervals,
  type Interval,
  interval,
  maxAddress,
  parseAddress,
  single,
} from '../../src/net/index.ts';
import {
  describeAddresses,
  describePorts,
  isAnySource,
  parseAddresses,
  parsePorts,
} from '../../src/packet-set/index.ts';

const range = (lo: string, hi = lo): Interval => ({
  lo: parseAddress(lo)!.value,
  hi: parseAddress(hi)!.value,
});
const allBut = (version: 4 | 6, ...holes: Interval[]): Interval[] =>
  complementIntervals(holes, maxAddress(version));

describe('addresses as text', () => {
  test.each<[string, 4 | 6, Interval[], string[], string[]]>([
    ['nothing', 4, [], [], []],
    ['everything', 4, [{ lo: 0n, hi: maxAddress(4) }], ['0.0.0.0/0'], []],
    ['everything of IPv6', 6, [{ lo: 0n, hi: maxAddress(6) }], ['::/0'], []],
    ['one address', 4, [range('192.0.2.1')], ['192.0.2.1'], []],
    ['a prefix', 4, [range('192.0.2.0', '192.0.2.255')], ['192.0.2.0/24'], []],
    ['a range', 4, [range('192.0.2.1', '192.0.2.9')], ['192.0.2.1-192.0.2.9'], []],
    ['an IPv6 prefix', 6, [range('2001:db8::', '2001:db8::ffff')], ['2001:db8::/112'], []],
    ['a half', 4, [range('0.0.0.0', '127.255.255.255')], ['0.0.0.0/1'], []],
    [
      'everything but two hosts',
      4,
      allBut(4, range('192.0.2.10'), range('192.0.2.20')),
      ['0.0.0.0/0'],
      ['192.0.2.10', '192.0.2.20'],
    ],
    [
      'everything but a network',
      6,
      allBut(6, range('2001:db8::', '2001:db8::ff')),
      ['::/0'],
      ['2001:db8::/120'],
    ],
    [
      'two neighbours',
      4,
      [range('192.0.2.0', '192.0.2.127'), range('192.0.2.128')],
      ['192.0.2.0-192.0.2.128'],
      [],
    ],
    ['values past the address space', 4, [{ lo: maxAddress(4), hi: maxAddress(6) }], ['255.255.255.255'], []],
  ])('%s', (_, version, intervals, saddr, except) => {
    const described = describeAddresses(version, intervals);
    expect(described).toEqual({ saddr, except });
    expect(describeAddresses(version, parseAddresses(version, described)!)).toEqual(described);
  });

  test('single addresses can be written as prefixes', () => {
    const set = allBut(4, range('192.0.2.10'));
    expect(describeAddresses(4, set, 'prefix')).toEqual({ saddr: ['0.0.0.0/0'], except: ['192.0.2.10/32'] });
    expect(describeAddresses(6, [range('2001:db8::1')], 'prefix').saddr).toEqual(['2001:db8::1/128']);
  });

  test.each(['192.0.2', '192.0.2.0/33', '192.0.2.9-192.0.2.1', '2001:db8::1', '192.0.2.0/255.0.255.0', ''])(
    '%j is not an IPv4 address set',
    (text) => {
      expect(parseAddresses(4, { saddr: [text], except: [] })).toBeUndefined();
    },
  );
});

describe('ports as text', () => {
  test('ranges and single ports, ascending and merged', () => {
    expect(describePorts([interval(7938, 9936), single(22), single(7937)])).toEqual(['22', '7937-9936']);
    expect(describePorts([])).toEqual([]);
    expect(parsePorts(['7938-9936', '22'])).toEqual([single(22), interval(7938, 9936)]);
  });

  test.each(['65536', '9-1', '-1', 'ssh', '1-', ''])('%j is not a port', (text) => {
    expect(parsePorts([text])).toBeUndefined();
  });
});

describe('any source', () => {
  test.each<[string, Interval[], boolean]>([
    ['exactly half', [range('0.0.0.0', '127.255.255.255')], true],
    ['one address less than half', [range('0.0.0.1', '127.255.255.255')], false],
    ['half in two pieces', [range('0.0.0.0', '63.255.255.255'), range('192.0.0.0', '255.255.255.255')], true],
    ['the same piece twice', [range('0.0.0.0', '63.255.255.255'), range('0.0.0.0', '63.255.255.255')], false],
    ['a small network', [range('192.0.2.0', '192.0.2.255')], false],
  ])('%s', (_, intervals, answer) => {
    expect(isAnySource(4, intervals)).toBe(answer);
  });
});
