/** One policy in several formats has one meaning: the same packets are accepted, dropped, rejected and delivered to the same place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ruleset } from '../../src/model/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { anyHostPolicy, type HostPolicy } from './host-policy.ts';
import { changesOf } from './host-policy-change.ts';
import { hostPolicyToIptables } from './host-policy-iptables.ts';
import { hostPolicyToNft, type NftStyle } from './host-policy-nft.ts';
import { foreignOutcomes } from './outcomes.ts';
import { useSeed } from './seed.ts';
import { anyZonePolicy, toFirewalldFiles, type ZonePolicy, zonesToHostPolicy } from './zone-policy.ts';

useSeed('laws of formats', 25);

/** Fails when the texts were not read whole. */
function parse(texts: Readonly<Record<string, string>>): Ruleset {
  const files = Object.entries(texts)
    .filter(([, text]) => text !== '')
    .map(([name, text]) => ({ path: `host/${name}`, bytes: Buffer.from(text) }));
  const { ruleset, diagnostics } = readHostExports(files);
  expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  return ruleset;
}

const asIptables = (policy: HostPolicy): Ruleset => {
  const { iptables, ip6tables, ipset } = hostPolicyToIptables(policy);
  return parse({ 'iptables.rules': iptables, 'ip6tables.rules': ip6tables, 'ipset.save': ipset });
};
const asNft = (policy: HostPolicy, style: NftStyle): Ruleset =>
  parse({ 'nft.json': hostPolicyToNft(policy, style) });

const differences = (a: Ruleset, b: Ruleset) => [...foreignOutcomes(a, b), ...foreignOutcomes(b, a)];

const isWider = (a: Ruleset, b: Ruleset): boolean => foreignOutcomes(a, b).length > 0;

describe('a policy written for iptables and for nft', () => {
  test('means the same', () => {
    fc.assert(
      fc.property(anyHostPolicy, fc.boolean(), fc.boolean(), (policy, inet, named) => {
        expect(differences(asIptables(policy), asNft(policy, { inet, named }))).toEqual([]);
      }),
    );
  });
});

describe('zones of firewalld and the rules that they stand for', () => {
  const asZones = (policy: ZonePolicy): Ruleset => {
    const files = Object.entries(toFirewalldFiles(policy));
    return parse(Object.fromEntries(files.map(([name, text]) => [`firewalld/${name}`, text])));
  };
  const onInput = (a: Ruleset, b: Ruleset) => [
    ...foreignOutcomes(a, b, ['input']),
    ...foreignOutcomes(b, a, ['input']),
  ];

  test('let the same packets in', () => {
    fc.assert(
      fc.property(anyZonePolicy, fc.boolean(), (policy, iptables) => {
        const rules = zonesToHostPolicy(policy);
        const read = iptables ? asIptables(rules) : asNft(rules, { inet: true, named: false });
        expect(onInput(asZones(policy), read)).toEqual([]);
      }),
    );
  });
});

describe('a mistake in reading a zone is noticed', () => {
  const here = (version: 4 | 6, net: number, bits: number) => ({ version, network: { net, host: 0, bits } });
  const tcp = (lo: number, hi = lo) => ({ proto: 'tcp', range: [lo, hi] }) as const;
  const ZONES: ZonePolicy = [
    {
      name: 'public',
      target: 'default',
      sources: [],
      interfaces: ['eth+'],
      ports: [tcp(22)],
      sourcePorts: [],
      rules: [
        {
          source: { ...here(4, 1, 8), negated: false },
          port: tcp(7937, 9936),
          action: 'accept',
          priority: 0,
        },
        { source: undefined, port: tcp(9090), action: 'drop', priority: -1 },
        { source: { ...here(6, 1, 8), negated: true }, port: tcp(9090, 9091), action: 'accept', priority: 0 },
      ],
    },
    {
      name: 'alpha',
      target: 'DROP',
      sources: [here(4, 0, 8), here(6, 0, 8)],
      interfaces: ['bond0'],
      ports: [],
      sourcePorts: [tcp(20)],
      rules: [],
    },
  ];
  const rules = asIptables(zonesToHostPolicy(ZONES));
  const files = toFirewalldFiles(ZONES);
  const mistaken = (right: string, wrong: string): Ruleset =>
    parse(
      Object.fromEntries(
        Object.entries(files).map(([name, text]) => [`firewalld/${name}`, text.replace(right, wrong)]),
      ),
    );
  const isSame = (a: Ruleset, b: Ruleset): boolean =>
    [foreignOutcomes(a, b, ['input']), foreignOutcomes(b, a, ['input'])].every((found) => found.length === 0);

  test.each([
    ['nothing', '', '', true],
    ['a port', 'port="22"', 'port="23"', false],
    ['the end of a range', '9936', '9937', false],
    ['a source', '192.0.2.0/24', '192.0.2.0/25', false],
    ['the source of a rich rule', '198.51.100.0/24', '198.51.101.0/24', false],
    ['an inverted source', ' invert="True"', '', false],
    ['a priority', ' priority="-1"', ' priority="1"', false],
    ['an action', '<drop/>', '<reject/>', false],
    ['a target', ' target="DROP"', '', false],
    ['an interface', 'bond0', 'bond1', false],
    ['a source port', '<source-port', '<port', false],
    ['the default zone', 'DefaultZone=public', 'DefaultZone=alpha', false],
  ])('%s', (_, right, wrong, same) => {
    expect(isSame(mistaken(right, wrong), rules)).toBe(same);
  });
});

describe('a mistake in one format is noticed', () => {
  /** Every part of every rule decides about some packet. */
  const net = (n: number, host: number, bits: number) => ({ net: n, host, bits });
  const is = <T>(value: T) => ({ value, negated: false });
  const POLICY: HostPolicy = {
    dropping: ['INPUT', 'FORWARD', 'OUTPUT'],
    rules: [
      {
        table: 'raw',
        chain: 'PREROUTING',
        rule: { version: 4, proto: 'udp', dport: is([[53, 53]]), action: { kind: 'notrack' } },
      },
      {
        table: 'mangle',
        chain: 'PREROUTING',
        rule: { saddr: is({ kind: 'network', network: net(0, 16, 4) }), action: { kind: 'mark', mark: 1 } },
      },
      {
        table: 'nat',
        chain: 'PREROUTING',
        rule: { proto: 'tcp', dport: is([[443, 443]]), action: { kind: 'redirect', port: 9090 } },
      },
      {
        table: 'nat',
        chain: 'PREROUTING',
        rule: {
          version: 6,
          proto: 'tcp',
          dport: is([[80, 80]]),
          action: { kind: 'dnat', to: net(1, 5, 0), port: 8080 },
        },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: {
          proto: 'tcp',
          dport: is([[25, 25]]),
          flags: is({ asked: ['syn', 'ack'], set: ['syn'] }),
          action: { kind: 'reject' },
        },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: {
          proto: 'tcp',
          iif: is({ name: 'eth0', prefix: false }),
          sport: is([[1024, 65535]]),
          daddr: is({ kind: 'range', ends: [net(0, 4, 0), net(0, 9, 0)] }),
          action: { kind: 'jump', chain: 'side' },
        },
      },
      { table: 'filter', chain: 'INPUT', rule: { states: is(['related']), action: { kind: 'accept' } } },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: { states: is(['untracked']), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: { mark: is({ value: 1, mask: 0xffff_ffff }), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: { proto: 'tcp', dport: is([[9090, 9090]]), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: { version: 4, proto: 'icmp', icmp: is({ type: 8 }), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: { proto: 'udp', pairs: is([[net(2, 7, 0), 111]]), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'INPUT',
        rule: {
          proto: 'udp',
          iif: is({ name: 'eth1', prefix: false }),
          action: {
            kind: 'by-port',
            verdicts: [
              [161, 'accept'],
              [162, 'drop'],
            ],
          },
        },
      },
      {
        table: 'filter',
        chain: 'FORWARD',
        rule: { translated: true, oif: is({ name: 'eth', prefix: true }), action: { kind: 'accept' } },
      },
      {
        table: 'filter',
        chain: 'OUTPUT',
        rule: {
          daddr: is({ kind: 'set', networks: [net(2, 0, 8)], holes: [net(2, 64, 4)] }),
          action: { kind: 'accept' },
        },
      },
      {
        table: 'filter',
        chain: 'side',
        rule: {
          saddr: { value: { kind: 'network', network: net(1, 0, 8) }, negated: true },
          action: { kind: 'return' },
        },
      },
      {
        table: 'filter',
        chain: 'side',
        rule: { proto: 'tcp', dport: is([[7937, 9936]]), action: { kind: 'accept' } },
      },
    ],
  };
  const STYLE = { inet: true, named: true };
  const read = asIptables(POLICY);

  test('unless there is none', () => {
    expect(differences(read, asNft(POLICY, STYLE))).toEqual([]);
  });

  test.each(changesOf(POLICY).map(({ what, policy }) => [what, policy] as const))('%s', (_, policy) => {
    const json = asNft(policy, STYLE);
    expect(isWider(read, json) || isWider(json, read)).toBe(true);
  });
});
