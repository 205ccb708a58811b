import { describe, expect, it } from 'vitest';
import type { NamedSet, ParseResult, SetValue } from '../../../src/model/index.ts';
import { formatAddress } from '../../../src/net/index.ts';
import { parseIpsetSave, SET_TYPES } from '../../../src/parse/ipset-save/index.ts';

function read(...lines: readonly string[]): ParseResult {
  return parseIpsetSave(`${lines.join('\n')}\n`, 'sets.ipset');
}

function printValue(set: NamedSet, value: SetValue, index: number): string {
  switch (value.kind) {
    case 'interval': {
      const print = (n: bigint): string =>
        set.dimensions[index] === 'address' ? formatAddress(set.version ?? 4, n) : `0x${n.toString(16)}`;
      return value.range.lo === value.range.hi
        ? print(value.range.lo)
        : `${print(value.range.lo)}-${print(value.range.hi)}`;
    }
    case 'port':
      return `${value.protocol ?? 'any'}:${value.range.lo}${value.range.lo === value.range.hi ? '' : `-${value.range.hi}`}`;
    case 'interface':
      return `${value.name}${value.prefix ? '*' : ''}`;
    case 'set':
      return `@${value.name}`;
  }
}

function printSet(set: NamedSet | undefined): readonly string[] {
  if (set === undefined) return ['(none)'];
  return set.elements.map((e) =>
    [
      e.values.map((v, i) => printValue(set, v, i)).join(' '),
      e.nomatch ? 'nomatch' : '',
      e.timeout ? 'timeout' : '',
    ]
      .filter(Boolean)
      .join(' '),
  );
}

const ELEMENTS: readonly (readonly [type: string, element: string, meaning: string])[] = [
  ['hash:ip', '192.0.2.1', '192.0.2.1'],
  ['hash:ip', '192.0.2.0/30', '192.0.2.0-192.0.2.3'],
  ['hash:ip', '192.0.2.5-192.0.2.9', '192.0.2.5-192.0.2.9'],
  ['hash:ip', '192.0.2.9-192.0.2.5', '192.0.2.5-192.0.2.9'],
  ['hash:ip family inet6', '2001:db8::1', '2001:db8::1'],
  ['hash:net', '192.0.2.77/24', '192.0.2.0-192.0.2.255'],
  ['hash:net', '192.0.2.0/24 nomatch', '192.0.2.0-192.0.2.255 nomatch'],
  ['hash:net family inet6 hashsize 1024 maxelem 65536', '2001:db8::/127', '2001:db8::-2001:db8::1'],
  ['hash:ip,port', '192.0.2.1,80', '192.0.2.1 6:80'],
  ['hash:ip,port', '192.0.2.1,udp:53-54', '192.0.2.1 17:53-54'],
  ['hash:ip,port', '192.0.2.1,ssh', '192.0.2.1 6:22'],
  ['hash:ip,port', '192.0.2.1,icmp:echo-request', '192.0.2.1 1:2048'],
  ['hash:ip,port', '192.0.2.1,icmp:8/1', '192.0.2.1 1:2049'],
  ['hash:ip,port', '192.0.2.1,gre:0', '192.0.2.1 47:0'],
  ['hash:ip,port', '192.0.2.1,132:5', '192.0.2.1 132:5'],
  ['hash:ip,port family inet6', '2001:db8::1,icmpv6:128/0', '2001:db8::1 58:32768'],
  ['hash:ip,port,ip', '192.0.2.1,tcp:80,192.0.2.2', '192.0.2.1 6:80 192.0.2.2'],
  ['hash:ip,port,net', '192.0.2.1,tcp:80,192.0.2.0/31', '192.0.2.1 6:80 192.0.2.0-192.0.2.1'],
  ['hash:net,port', '192.0.2.0/31,tcp:80', '192.0.2.0-192.0.2.1 6:80'],
  ['hash:net,net', '192.0.2.0/31,192.0.2.4', '192.0.2.0-192.0.2.1 192.0.2.4'],
  ['hash:net,port,net', '192.0.2.0/31,udp:1,192.0.2.4', '192.0.2.0-192.0.2.1 17:1 192.0.2.4'],
  ['hash:net,iface', '192.0.2.0/31,eth0', '192.0.2.0-192.0.2.1 eth0'],
  ['hash:net,iface', '192.0.2.0/31,eth wildcard', '192.0.2.0-192.0.2.1 eth*'],
  ['hash:ip,mark', '192.0.2.1,0x10', '192.0.2.1 0x10'],
  ['hash:mac', '00:00:5E:00:53:01', '0x5e005301'],
  ['hash:ip,mac', '192.0.2.1,00:00:5E:00:53:01', '192.0.2.1 0x5e005301'],
  ['bitmap:ip range 192.0.2.0-192.0.2.255', '192.0.2.1', '192.0.2.1'],
  ['bitmap:ip,mac range 192.0.2.0/24', '192.0.2.1,00:00:5E:00:53:01', '192.0.2.1 0x5e005301'],
  ['bitmap:ip,mac range 192.0.2.0/24', '192.0.2.1', '192.0.2.1'],
  ['bitmap:port range 0-1000', '22', 'any:22'],
  ['bitmap:port range 0-1000', 'tcp:22-24', 'any:22-24'],
  ['list:set size 8', 'other', '@other'],
  ['hash:ip timeout 300', '192.0.2.1', '192.0.2.1 timeout'],
  ['hash:ip timeout 300', '192.0.2.1 timeout 10', '192.0.2.1 timeout'],
  ['hash:ip timeout 300', '192.0.2.1 timeout 0', '192.0.2.1'],
  ['hash:ip timeout 0', '192.0.2.1', '192.0.2.1'],
  ['hash:ip timeout 0', '192.0.2.1 timeout 5', '192.0.2.1 timeout'],
  [
    'hash:ip counters comment skbinfo bucketsize 12 initval 0x1',
    '192.0.2.1 packets 1 bytes 2 comment "a \\" nomatch" skbmark 0x1/0xff skbprio 1:1 skbqueue 2',
    '192.0.2.1',
  ],
];

describe('ipset save', () => {
  it.each(ELEMENTS)('an element of %s, "%s", means "%s"', (type, element, meaning) => {
    const result = read(`create s ${type}`, `add s ${element}`);
    expect(printSet(result.ruleset.namedSets[0])).toEqual([meaning]);
    expect(result.diagnostics).toEqual([]);
    expect(result.ruleset.namedSets[0]!.dynamic).toBe(false);
  });

  it('knows all set types', () => {
    const result = read(...SET_TYPES.map((type, i) => `create s${i} ${type}`));
    expect(result.ruleset.namedSets.map((s) => s.type)).toEqual(SET_TYPES);
    expect(result.diagnostics).toEqual([]);
  });

  it('keeps netmask, version and dimensions', () => {
    const [set, ports] = read('create s hash:ip family inet6 netmask 64', 'create p bitmap:port range 0-9')
      .ruleset.namedSets;
    expect([set!.netmask, set!.version, set!.dimensions]).toEqual([64, 6, ['address']]);
    expect([ports!.version, ports!.dimensions]).toEqual([undefined, ['port']]);
  });

  it('reads names with blanks, which ipset prints without quotes', () => {
    const result = read('create my set hash:ip family inet', 'add my set 192.0.2.1');
    expect(result.ruleset.namedSets[0]!.name).toBe('my set');
    expect(printSet(result.ruleset.namedSets[0])).toEqual(['192.0.2.1']);
  });

  it('executes commands of a script', () => {
    const result = read(
      'ipset -exist create s hash:ip',
      'sudo ipset add s 192.0.2.1',
      '/usr/sbin/ipset -A s 192.0.2.2',
      'ipset del s 192.0.2.1',
      'ipset create t hash:ip; ipset destroy t',
    );
    expect(result.ruleset.namedSets.map((s) => s.name)).toEqual(['s']);
    expect(printSet(result.ruleset.namedSets[0])).toEqual(['192.0.2.2']);
  });

  it('counts an element that is added twice once', () => {
    expect(
      printSet(read('create s hash:ip', 'add s 192.0.2.1', 'add s 192.0.2.1').ruleset.namedSets[0]),
    ).toEqual(['192.0.2.1']);
  });

  it.each([
    ['create s hash:ip', 'add s 192.0.2.300'],
    ['create s hash:ip', 'add s'],
    ['create s hash:ip', 'add s 192.0.2.1 surprise'],
    ['create s hash:ip,port', 'add s 192.0.2.1'],
    ['create s hash:ip', 'add s 192.0.2.1,80'],
  ])('makes a set unknown when an element cannot be read: %s, %s', (create, add) => {
    const result = read(create, add);
    expect(result.diagnostics.some((d) => d.incomplete && d.origin.line === 2)).toBe(true);
    expect(result.ruleset.namedSets.every((s) => s.dynamic || add === 'add s')).toBe(true);
  });

  it('leaves out sets of kinds it does not model, so that they stay unknown', () => {
    const result = read(
      'create a hash:nosuch',
      'add a 1',
      'create b hash:ip bitmask 255.0.255.0',
      'add b 192.0.2.1',
      'create c hash:ip,mark markmask 0xff',
    );
    expect(result.ruleset.namedSets).toEqual([]);
    expect(result.diagnostics.map((d) => [d.kind, d.incomplete, d.origin.line])).toEqual([
      ['unsupported', false, 1],
      ['unsupported', false, 3],
      ['unsupported', false, 5],
    ]);
  });

  it('makes a set with a bridge port unknown', () => {
    const result = read('create s hash:net,iface', 'add s 192.0.2.0/24,physdev:eth0');
    expect(result.ruleset.namedSets[0]!.dynamic).toBe(true);
  });

  it('tells elements of sets that are not created, and sets created twice', () => {
    const result = read('add missing 192.0.2.1', 'create s hash:ip', 'create s hash:net');
    expect(result.diagnostics.map((d) => [d.kind, d.incomplete, d.origin.line])).toEqual([
      ['unresolved-reference', true, 1],
      ['contradiction', true, 3],
    ]);
    expect(result.ruleset.namedSets[0]!.dynamic).toBe(true);
  });

  it('does not follow swap, rename and restore, and says so', () => {
    const result = read('create s hash:ip', 'swap s t');
    expect(result.diagnostics.map((d) => d.incomplete)).toEqual([true]);
    expect(result.ruleset.namedSets[0]!.dynamic).toBe(true);
  });

  it('makes all sets unknown after a line that is too long to be looked into', () => {
    const result = read(
      'create a hash:ip',
      'add a 192.0.2.1',
      `add a ${'1'.repeat(20_000)}`,
      'create b hash:ip',
    );
    expect(result.ruleset.namedSets.map(({ name, dynamic }) => [name, dynamic])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(result.diagnostics.map(({ incomplete }) => incomplete)).toEqual([true]);
  });
});
