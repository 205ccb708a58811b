import { describe, expect, it } from 'vitest';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';
import { differingPart, type HeaderPart, joinedRuns } from '../../../src/parse/nft-json/joined-matches.ts';

function part(protocol: string, field: string): HeaderPart | undefined {
  return differingPart('!=', { payload: { protocol, field } }, 22);
}

/** Whether nft 1.0.6 loads these `!=` as one comparison, as `nft --debug=netlink` shows. */
const SEEN: readonly (readonly [string, string, boolean])[] = [
  ['tcp sport', 'tcp dport', true],
  ['tcp dport', 'tcp sport', true],
  ['icmpv6 type', 'icmpv6 code', true],
  ['udp dport', 'udp length', true],
  ['ip ttl', 'ip protocol', true],
  ['ip length', 'ip id', true],
  ['ip6 nexthdr', 'ip6 hoplimit', true],
  ['ether daddr', 'ether saddr', true],
  ['ether saddr', 'ether type', true],
  ['sctp sport', 'sctp dport', true],
  ['th sport', 'th dport', true],
  ['ip saddr', 'ip daddr', false],
  ['ip6 saddr', 'ip6 daddr', false],
  ['tcp sequence', 'tcp ackseq', false],
  ['icmp code', 'icmp id', false],
  ['tcp sport', 'udp dport', false],
  ['tcp sport', 'tcp window', false],
];

describe('matches with != that nft may have joined', () => {
  it.each(SEEN)('%s and %s: %s', (first, second, joined) => {
    const parts = [first, second].map((text) => part(...(text.split(' ') as [string, string])));
    expect(parts).not.toContain(undefined);
    expect(joinedRuns(parts)).toEqual(joined ? [[0, 1]] : []);
  });

  it('are found in longer rules, also three of them', () => {
    const three = [part('ip', 'ttl'), part('ip', 'protocol'), part('ip', 'checksum')];
    expect(joinedRuns([undefined, ...three, undefined, part('tcp', 'sport'), part('tcp', 'dport')])).toEqual([
      [1, 3],
      [5, 6],
    ]);
  });

  it('are plain values of named and of raw fields', () => {
    const left = { payload: { protocol: 'tcp', field: 'dport' } };
    expect(differingPart('!=', left, 'ssh')).toEqual({ base: 'tcp', offset: 2, length: 2 });
    expect(differingPart('!=', { payload: { base: 'nh', offset: 64, len: 8 } }, 1)).toEqual({
      base: '@nh',
      offset: 8,
      length: 1,
    });
    for (const [op, right] of [
      ['==', 22],
      ['!=', { set: [22, 80] }],
      ['!=', { range: [22, 80] }],
      ['!=', '@ports'],
    ] as const)
      expect(differingPart(op, left, right)).toBeUndefined();
    expect(differingPart('!=', { payload: { protocol: 'ip', field: 'dscp' } }, 1)).toBeUndefined();
    expect(differingPart('!=', { meta: { key: 'mark' } }, 1)).toBeUndefined();
  });

  it('are joined under any name of the table and chain, counted or not: nft writes such tables as iptables-nft does', () => {
    const differs = (field: string) => ({
      match: { op: '!=', left: { payload: { protocol: 'tcp', field } }, right: 22 },
    });
    const conditionsOf = (table: string, more: readonly unknown[]): number => {
      const place = { family: 'ip', table };
      const items = [
        { table: { family: 'ip', name: table, handle: 1 } },
        {
          chain: {
            ...place,
            name: 'INPUT',
            handle: 1,
            type: 'filter',
            hook: 'input',
            prio: 0,
            policy: 'drop',
          },
        },
        {
          rule: {
            ...place,
            chain: 'INPUT',
            handle: 2,
            expr: [differs('sport'), differs('dport'), ...more, { accept: null }],
          },
        },
      ];
      const { ruleset } = parseNftJson(JSON.stringify({ nftables: items }), 'nft.json');
      return ruleset.tables[0]!.chains[0]!.rules[0]!.matches.length;
    };
    const counter = { counter: { packets: 0, bytes: 0 } };
    expect(conditionsOf('filter', [counter])).toBe(1);
    expect(conditionsOf('filter', [])).toBe(1);
    expect(conditionsOf('t', [counter])).toBe(1);
  });
});
