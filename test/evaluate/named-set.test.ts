import { describe, expect, test } from 'vitest';
import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import type { NamedSet, NamedSetElement, Packet } from '../../src/model/index.ts';
import {
  accept,
  base,
  daddr,
  drop,
  element,
  evaluate,
  fading,
  field,
  hole,
  icmp,
  inSet,
  ip,
  member,
  named,
  namedSet,
  not,
  notrack,
  packet,
  packet6,
  port,
  redirect,
  rule,
  ruleset,
  saddr,
  table,
} from './build-ruleset.ts';

/** The verdict of an input chain that drops what is in the set and accepts the rest. */
function inside(
  sets: NamedSet | readonly NamedSet[],
  directions: string,
  which: Packet = packet(),
  options: { readonly returnNomatch?: boolean; readonly negated?: boolean } = {},
): string {
  const list = 'name' in sets ? [sets] : sets;
  const condition = inSet(list[0]!.name, directions, options.returnNomatch ?? false);
  const drops = base('input', {}, rule(options.negated ? not(condition) : condition, drop));
  const verdict = evaluatePacket(prepareRuleset(ruleset(table('inet', drops), ...list)), which).verdict;
  return { drop: 'in', accept: 'out', unknown: 'unknown', reject: 'reject' }[verdict];
}

const from = (address: string, differences: Partial<Packet> = {}) =>
  packet({ saddr: ip(address), ...differences });

describe('Sets of addresses', () => {
  const hosts = namedSet('s', 'hash:ip', [element('198.51.100.7'), element('198.51.100.9')]);

  test('hash:ip holds its elements, by the direction asked for', () => {
    expect(inside(hosts, 'src')).toBe('in');
    expect(inside(hosts, 'dst')).toBe('out');
    expect(inside(hosts, 'src', from('198.51.100.8'))).toBe('out');
    expect(inside(hosts, 'src', packet(), { negated: true })).toBe('out');
  });

  test('too few directions never match, extra ones are ignored', () => {
    expect(inside(hosts, 'src,dst')).toBe('in');
    const pairs = namedSet('s', 'hash:net,net', [element('198.51.100.0/24', '192.0.2.0/24')]);
    expect(inside(pairs, 'src,dst')).toBe('in');
    expect(inside(pairs, 'src')).toBe('out');
    expect(inside(pairs, 'src', packet(), { negated: true })).toBe('in');
  });

  test('a set of one IP version never matches packets of the other', () => {
    expect(inside(hosts, 'src', packet6())).toBe('out');
    const v6 = namedSet('s', 'hash:ip', [element('2001:db8::7')], { version: 6 });
    expect(inside(v6, 'src', packet6())).toBe('in');
    expect(inside(v6, 'src')).toBe('out');
  });

  test('netmask compares networks', () => {
    const nets = namedSet('s', 'hash:ip', [element('198.51.100.0')], { netmask: 24 });
    expect(inside(nets, 'src', from('198.51.100.200'))).toBe('in');
    expect(inside(nets, 'src', from('198.51.101.1'))).toBe('out');
  });

  test('a range of addresses is as good as its prefixes', () => {
    const bitmap = namedSet('s', 'bitmap:ip', [element('198.51.100.3-198.51.100.17')]);
    const inRange = [2, 3, 10, 17, 18].map((last) => inside(bitmap, 'src', from(`198.51.100.${last}`)));
    expect(inRange).toEqual(['out', 'in', 'in', 'in', 'out']);
  });

  test('the longest prefix decides: nomatch is a hole, a longer plain element in it is in again', () => {
    const nets = namedSet('s', 'hash:net', [
      element('198.51.0.0/16'),
      hole('198.51.100.0/24'),
      element('198.51.100.7'),
    ]);
    expect(inside(nets, 'src', from('198.51.1.1'))).toBe('in');
    expect(inside(nets, 'src', from('198.51.100.1'))).toBe('out');
    expect(inside(nets, 'src', from('198.51.100.7'))).toBe('in');
    expect(inside(nets, 'src', from('198.51.100.1'), { negated: true })).toBe('in');
  });

  test('--return-nomatch means nothing for types without networks, and goes by the type of each member', () => {
    const hosts = namedSet('hosts', 'hash:ip', [element('198.51.100.7')]);
    const nets = namedSet('nets', 'hash:net', [element('198.51.0.0/16'), hole('198.51.100.8')]);
    const list = namedSet('list', 'list:set', [element(member('hosts')), element(member('nets'))]);
    const listed = (source: string) =>
      inside([list, hosts, nets], 'src', from(source), { returnNomatch: true });
    expect(inside(hosts, 'src', packet(), { returnNomatch: true })).toBe('in');
    expect(listed('198.51.100.7')).toBe('in');
    expect(listed('198.51.100.8')).toBe('in');
    expect(listed('198.51.100.9')).toBe('out');
  });

  test('--return-nomatch matches holes only', () => {
    const nets = namedSet('s', 'hash:net', [
      element('198.51.0.0/16'),
      hole('198.51.100.0/24'),
      element('198.51.100.7'),
    ]);
    const asked = ['198.51.1.1', '198.51.100.1', '198.51.100.7', '203.0.113.1'].map((address) =>
      inside(nets, 'src', from(address), { returnNomatch: true }),
    );
    expect(asked).toEqual(['out', 'in', 'out', 'out']);
  });

  test('with two networks the first one’s prefix length counts before the second’s', () => {
    const pairs = namedSet('s', 'hash:net,net', [
      hole('198.51.100.0/24', '192.0.0.0/16'),
      element('198.51.0.0/16', '192.0.2.1'),
    ]);
    expect(inside(pairs, 'src,dst')).toBe('out');
    expect(inside(pairs, 'src,dst', from('198.51.1.1'))).toBe('in');
  });
});

describe('Sets with ports', () => {
  const services = namedSet('s', 'hash:ip,port', [
    element('192.0.2.1', port(6, 22)),
    element('192.0.2.1', port(1, 8 * 256)),
    element('192.0.2.1', port(47, 0)),
  ]);

  test('hash:ip,port compares the protocol too', () => {
    expect(inside(services, 'dst,dst')).toBe('in');
    expect(inside(services, 'dst,dst', packet({ protocol: 17 }))).toBe('out');
    expect(inside(services, 'dst,dst', packet({ dport: 23 }))).toBe('out');
    expect(inside(services, 'dst,src', packet({ sport: 22, dport: 1 }))).toBe('in');
  });

  test('the port of ICMP is type and code, that of a protocol without ports 0', () => {
    expect(inside(services, 'dst,dst', icmp(8))).toBe('in');
    expect(inside(services, 'dst,dst', icmp(8, 1))).toBe('out');
    expect(inside(services, 'dst,dst', icmp(13))).toBe('out');
    expect(inside(services, 'dst,dst', packet({ protocol: 47, sport: undefined, dport: undefined }))).toBe(
      'in',
    );
    expect(inside(services, 'dst,dst', packet({ protocol: 50, sport: undefined, dport: undefined }))).toBe(
      'out',
    );
  });

  test('bitmap:port matches tcp and udp alike, nothing else', () => {
    const ports = namedSet('s', 'bitmap:port', [
      element(port(undefined, 22)),
      element(port(undefined, [80, 90])),
    ]);
    expect(inside(ports, 'dst')).toBe('in');
    expect(inside(ports, 'dst', packet({ protocol: 17, dport: 85 }))).toBe('in');
    expect(inside(ports, 'dst', packet({ dport: 91 }))).toBe('out');
    expect(inside(ports, 'dst', packet({ protocol: 132 }))).toBe('out');
    expect(inside(ports, 'dst', icmp(0, 22))).toBe('out');
    expect(inside(ports, 'dst', packet6())).toBe('in');
  });

  test('three dimensions take three directions', () => {
    const flows = namedSet('s', 'hash:ip,port,net', [
      element('198.51.100.7', port(6, 22), '192.0.2.0/24'),
      hole('198.51.100.7', port(6, 22), '192.0.2.128/25'),
    ]);
    expect(inside(flows, 'src,dst,dst')).toBe('in');
    expect(inside(flows, 'src,dst,dst', packet({ daddr: ip('192.0.2.129') }))).toBe('out');
    expect(inside(flows, 'src,dst')).toBe('out');
  });

  test('a range of ports in one element works as each of them', () => {
    const ranged = namedSet('s', 'hash:net,port', [element('192.0.2.0/24', port(6, [20, 25]))]);
    expect(inside(ranged, 'dst,dst')).toBe('in');
    expect(inside(ranged, 'dst,dst', packet({ dport: 26 }))).toBe('out');
  });
});

describe('Sets with interfaces, marks and MACs', () => {
  test('src means the incoming, dst the outgoing interface', () => {
    const nets = namedSet('s', 'hash:net,iface', [
      element('198.51.100.0/24', named('eth0')),
      element('198.51.100.0/24', named('ppp', true)),
    ]);
    expect(inside(nets, 'src,src')).toBe('in');
    expect(inside(nets, 'src,src', packet({ iif: 'ppp7' }))).toBe('in');
    expect(inside(nets, 'src,src', packet({ iif: 'eth1' }))).toBe('out');
    expect(inside(nets, 'src,src', packet({ iif: undefined }))).toBe('out');
    expect(inside(nets, 'src,dst', packet({ oif: 'eth0' }))).toBe('out');
  });

  test('hash:ip,mark compares the packet’s mark, hash:mac the sender’s MAC', () => {
    const marks = namedSet('s', 'hash:ip,mark', [element('198.51.100.7', 5)]);
    expect(inside(marks, 'src,src', packet({ mark: 5n }))).toBe('in');
    expect(inside(marks, 'src,src')).toBe('out');
    const macs = namedSet('s', 'hash:mac', [element(7)]);
    expect(inside(macs, 'src', packet({ smac: 7n }))).toBe('in');
    expect(inside(macs, 'src', packet({ smac: 8n }))).toBe('out');
    expect(inside(macs, 'src', packet6({ smac: 7n }))).toBe('in');
    expect(inside(macs, 'dst', packet({ smac: 7n }))).toBe('unknown');
  });

  test('an absent MAC is one unknown value for sets and plain matches together', () => {
    const macs = namedSet('s', 'hash:mac', [element(7), element(9)]);
    expect(inside(macs, 'src')).toBe('unknown');
    const rules = (list: readonly number[]) =>
      ruleset(
        table(
          'ip',
          base(
            'input',
            {},
            rule(not(inSet('s', 'src')), drop),
            ...list.map((mac) => rule(field('smac', mac), drop)),
          ),
        ),
        macs,
      );
    expect(evaluate(rules([7, 9])).verdict).toBe('drop');
    expect(evaluate(rules([7])).verdict).toBe('unknown');
  });

  test('in hash:net,iface the longest network decides, whatever its interface', () => {
    const inner = (...elements: readonly NamedSetElement[]) =>
      namedSet('s', 'hash:net,iface', [element('198.51.0.0/16', named('eth0')), ...elements]);
    expect(inside(inner(), 'src,src')).toBe('in');
    expect(inside(inner(element('198.51.100.0/24', named('eth1'))), 'src,src')).toBe('out');
    expect(inside(inner(hole('198.51.100.0/24', named('eth1'))), 'src,src')).toBe('out');
    expect(inside(inner(fading('198.51.100.0/24', named('eth1'))), 'src,src')).toBe('unknown');
    const both = inner(element('198.51.100.0/24', named('eth1')), element('198.51.100.0/24', named('eth0')));
    expect(inside(both, 'src,src')).toBe('in');
  });

  test('an element whose MAC is not filled in yet matches any', () => {
    const pairs = namedSet('s', 'bitmap:ip,mac', [element('198.51.100.7'), element('198.51.100.8', 7)]);
    expect(inside(pairs, 'src,src', packet({ smac: 1n }))).toBe('in');
    expect(inside(pairs, 'src,src')).toBe('in');
    expect(inside(pairs, 'src,src', from('198.51.100.8', { smac: 7n }))).toBe('in');
    expect(inside(pairs, 'src,src', from('198.51.100.8', { smac: 8n }))).toBe('out');
    expect(inside(pairs, 'src,src', from('198.51.100.9', { smac: 1n }))).toBe('out');
  });
});

describe('Lists of sets', () => {
  const nets = namedSet('nets', 'hash:net', [element('198.51.0.0/16'), hole('198.51.100.0/24')]);
  const hosts = namedSet('hosts', 'hash:ip', [element('198.51.100.7')]);
  const pairs = namedSet('pairs', 'hash:ip,port', [element('198.51.100.8', port(6, 22))]);
  const list = (...names: readonly string[]) =>
    namedSet(
      'list',
      'list:set',
      names.map((name) => element(member(name))),
    );

  test('members are asked in turn, and a hole in one does not stop the next', () => {
    expect(inside([list('nets'), nets], 'src')).toBe('out');
    expect(inside([list('nets', 'hosts'), nets, hosts], 'src')).toBe('in');
    expect(inside([list('nets', 'hosts'), nets, hosts], 'src', from('198.51.100.8'))).toBe('out');
  });

  test('a member with more dimensions than directions never matches', () => {
    expect(inside([list('pairs'), pairs], 'src', from('198.51.100.8'))).toBe('out');
    expect(inside([list('pairs'), pairs], 'src,dst', from('198.51.100.8'))).toBe('in');
    expect(inside([list('pairs', 'hosts'), pairs, hosts], 'src')).toBe('in');
  });

  test('a missing member is unknown unless another one matches', () => {
    expect(inside([list('gone', 'hosts'), hosts], 'src')).toBe('in');
    expect(inside([list('gone', 'hosts'), hosts], 'src', from('198.51.100.8'))).toBe('unknown');
  });

  test('two missing members are two unknowns', () => {
    const both = (first: string, second: string) =>
      ruleset(
        table(
          'ip',
          base(
            'input',
            { chainPolicy: 'drop' },
            rule(inSet('a', 'src'), accept),
            rule(not(inSet('b', 'src')), accept),
          ),
        ),
        namedSet('a', 'list:set', [element(member(first))]),
        namedSet('b', 'list:set', [element(member(second))]),
      );
    expect(evaluate(both('x', 'y')).verdict).toBe('unknown');
  });

  test('a list in a list, which the kernel refuses, adds nothing and ends', () => {
    expect(inside([list('list'), hosts], 'src')).toBe('out');
    expect(inside([list('list', 'hosts'), hosts], 'src')).toBe('in');
  });

  test('a member that times out may be gone', () => {
    const fleeting = namedSet('list', 'list:set', [fading(member('hosts'))]);
    expect(inside([fleeting, hosts], 'src')).toBe('unknown');
    expect(inside([fleeting, hosts], 'src', from('198.51.100.8'))).toBe('out');
  });
});

describe('Sets that are not known for sure', () => {
  test('a set that no export defines is a deterministic unknown', () => {
    const rules = ruleset(
      table(
        'ip',
        base(
          'input',
          { chainPolicy: 'drop' },
          rule(inSet('gone', 'src'), accept),
          rule(not(inSet('gone', 'src')), accept),
        ),
      ),
    );
    expect(evaluate(rules).verdict).toBe('accept');
    expect(inside([namedSet('other', 'hash:ip', [])], 'src')).toBe('out');
    const one = ruleset(table('ip', base('input', {}, rule(inSet('gone', 'src'), drop))));
    expect(evaluate(one)).toMatchObject({ verdict: 'unknown', unknown: ['set gone src'] });
  });

  test('a dynamic set is a varying unknown whatever it holds', () => {
    const dynamic = namedSet('s', 'hash:ip', [element('198.51.100.7')], { dynamic: true });
    expect(inside(dynamic, 'src')).toBe('unknown');
    expect(inside(dynamic, 'src', from('198.51.100.8'))).toBe('unknown');
    const rules = ruleset(
      table(
        'ip',
        base(
          'input',
          { chainPolicy: 'drop' },
          rule(inSet('s', 'src'), accept),
          rule(not(inSet('s', 'src')), accept),
        ),
      ),
      dynamic,
    );
    expect(evaluate(rules).verdict).toBe('unknown');
  });

  test('an element that times out makes the answer unknown only where it decides', () => {
    const nets = namedSet('s', 'hash:net', [
      element('198.51.100.0/24'),
      fading('198.51.100.7'),
      fading('203.0.113.7'),
      hole('203.0.113.128/25'),
      fading('203.0.113.129'),
    ]);
    expect(inside(nets, 'src')).toBe('in');
    expect(inside(nets, 'src', from('198.51.100.8'))).toBe('in');
    expect(inside(nets, 'src', from('203.0.113.7'))).toBe('unknown');
    expect(inside(nets, 'src', from('203.0.113.8'))).toBe('out');
    expect(inside(nets, 'src', from('203.0.113.129'))).toBe('unknown');
    const fadingHole = namedSet('s', 'hash:net', [
      element('198.51.100.0/24'),
      { ...hole('198.51.100.7'), timeout: true },
    ]);
    expect(inside(fadingHole, 'src')).toBe('unknown');
  });

  test('an unknown address is one value for sets and plain matches together', () => {
    const own = namedSet('own', 'hash:net', [
      element('192.0.2.0/24'),
      hole('192.0.2.5'),
      fading('203.0.113.0/24'),
    ]);
    const rules = (...list: readonly ReturnType<typeof rule>[]) =>
      ruleset(
        table(
          'ip',
          base('prerouting', { type: 'nat', priority: -100 }, rule(redirect(2222))),
          base('input', { chainPolicy: 'drop' }, ...list),
        ),
        own,
      );
    const isOwn = inSet('own', 'dst');
    expect(evaluate(rules(rule(isOwn, accept))).verdict).toBe('unknown');
    expect(
      evaluate(rules(rule(daddr('192.0.2.0/25'), isOwn, drop), rule(daddr('192.0.2.7'), accept))).verdict,
    ).toBe('drop');
    expect(evaluate(rules(rule(daddr('192.0.2.5'), isOwn, accept))).verdict).toBe('drop');
    const outside = rules(
      rule(not(daddr('192.0.2.0/24')), accept),
      rule(isOwn, accept),
      rule(daddr('192.0.2.5'), accept),
    );
    expect(evaluate(outside).verdict).toBe('accept');
    expect(
      evaluate(
        rules(
          rule(daddr('203.0.113.9'), isOwn, accept),
          rule(daddr('203.0.113.9'), accept),
          rule(not(daddr('203.0.113.9')), accept),
        ),
      ).verdict,
    ).toBe('accept');
  });
});

describe('Large sets', () => {
  test('a hundred thousand elements are looked up many times without walking them', () => {
    const elements = Array.from({ length: 100_000 }, (_, i) => {
      const lo = ip('10.0.0.0') + BigInt(2 * i);
      return { ...element('192.0.2.1'), values: [{ kind: 'interval', range: { lo, hi: lo } } as const] };
    });
    const big = namedSet('s', 'hash:ip', elements);
    const prepared = prepareRuleset(
      ruleset(
        table(
          'ip',
          base(
            'input',
            {},
            ...Array.from({ length: 50 }, () => rule(not(inSet('s', 'src')), saddr('10.0.0.0/8'), drop)),
          ),
        ),
        big,
      ),
    );
    const verdicts = Array.from(
      { length: 2000 },
      (_, i) => evaluatePacket(prepared, packet({ saddr: ip('10.0.0.0') + BigInt(i) })).verdict,
    );
    expect(verdicts.filter((verdict) => verdict === 'accept')).toHaveLength(1000);
  });
});

test('a set on a packet that is not tracked works as on any other', () => {
  const hosts = namedSet('s', 'hash:ip', [element('198.51.100.7')]);
  const rules = ruleset(
    table(
      'ip',
      base('prerouting', { priority: -300 }, rule(inSet('s', 'src'), notrack)),
      base('input', {}, rule(field('ct-state', 4), drop)),
    ),
    hosts,
  );
  expect(evaluate(rules).verdict).toBe('drop');
});
