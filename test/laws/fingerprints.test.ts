/** Fingerprints follow what a finding is about: neither where it stands in a file, nor anything that has no meaning. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { scan } from '../../src/scan.ts';
import { scanOptions } from '../scan-support.ts';
import { anyHostPolicy, type HostPolicy } from './host-policy.ts';
import { hostPolicyToIptables } from './host-policy-iptables.ts';
import { hostPolicyToNft } from './host-policy-nft.ts';
import { runs, useSeed } from './seed.ts';

useSeed('fingerprint laws', 6);

/** That one is about counters, so it comes and goes with them. */
const CHECKS = scanOptions().checks.filter((check) => check.id !== 'never-hit-rule');

function findingsOf(files: Readonly<Record<string, string>>): readonly Finding[] {
  const inputs = Object.entries(files)
    .filter(([, text]) => text !== '')
    .map(([name, text]) => ({ path: `client-01/${name}`, bytes: Buffer.from(text) }));
  return scan(inputs, scanOptions({ checks: CHECKS })).findings;
}

const fingerprints = (files: Readonly<Record<string, string>>): readonly string[] =>
  findingsOf(files)
    .map(({ check, fingerprint }) => `${check} ${fingerprint}`)
    .sort();

function iptablesFiles(policy: HostPolicy): Readonly<Record<string, string>> {
  const { iptables, ip6tables, ipset } = hostPolicyToIptables(policy);
  return { 'iptables.rules': iptables, 'ip6tables.rules': ip6tables, 'ipset.save': ipset };
}

/** Lists shuffled together: each keeps its own order. `picks` says from which to take next, over and over. */
function interleave<T>(lists: readonly (readonly T[])[], picks: readonly number[]): readonly T[] {
  const left = lists.filter((list) => list.length > 0).map((list) => [...list]);
  const out: T[] = [];
  for (let i = 0; left.length > 0; i++) {
    const at = (picks[i % picks.length] ?? 0) % left.length;
    out.push(left[at]!.shift()!);
    if (left[at]!.length === 0) left.splice(at, 1);
  }
  return out;
}

function grouped<T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

const picks = fc.array(fc.nat(7), { minLength: 1, maxLength: 12 });

describe('fingerprints do not change', () => {
  /** Another order of tables and of the rules of different chains, counters, comments, empty lines. */
  const movedIptables = (text: string, order: readonly number[]): string => {
    const tables = text.split(/^(?=\*)/m).map((table) => {
      const lines = table.trimEnd().split('\n');
      const rules = lines.filter((line) => line.startsWith('-A '));
      const shuffled = interleave(
        grouped(rules, (line) => line.split(' ')[1]!),
        order,
      ).map((line, i) => `[${i * 3}:${i * 180}] ${line}`);
      const heads = lines
        .filter((line) => /^[*:]/.test(line))
        .map((line) => line.replace('[0:0]', '[7:420]'));
      return [...heads, '# moved', '', ...shuffled, 'COMMIT', ''].join('\n');
    });
    return `# Completed some day\n\n${tables.reverse().join('')}`;
  };

  test('with what moves the rules of an iptables export and not their order in a chain', () => {
    fc.assert(
      fc.property(anyHostPolicy, picks, (policy, order) => {
        const { 'ipset.save': ipset = '', ...files } = iptablesFiles(policy);
        const moved = Object.entries(files).map(
          ([name, text]) => [name, movedIptables(text, order)] as const,
        );
        expect(fingerprints({ 'ipset.save': ipset, ...Object.fromEntries(moved) })).toEqual(
          fingerprints({ ...files, 'ipset.save': ipset }),
        );
      }),
    );
  });

  interface Item {
    readonly rule?: {
      readonly family: string;
      readonly chain: string;
      readonly handle: number;
      readonly expr: readonly object[];
    };
  }

  test('with handles, counters and the order of other chains in an export of nft', () => {
    fc.assert(
      fc.property(anyHostPolicy, picks, fc.boolean(), fc.boolean(), (policy, order, inet, named) => {
        const text = hostPolicyToNft(policy, { inet, named });
        const { nftables } = JSON.parse(text) as { nftables: readonly Item[] };
        const rules = nftables.filter((item) => item.rule !== undefined);
        const shuffled = interleave(
          grouped(rules, ({ rule }) => `${rule?.family} ${rule?.chain}`),
          order,
        ).map(({ rule }, i) => {
          const verdict = rule!.expr.at(-1)!;
          const counter = { counter: { packets: i, bytes: 60 * i } };
          return { rule: { ...rule, handle: 900 - i, expr: [...rule!.expr.slice(0, -1), counter, verdict] } };
        });
        const moved = { nftables: [...nftables.filter((item) => item.rule === undefined), ...shuffled] };
        expect(fingerprints({ 'ruleset.json': JSON.stringify(moved, null, 1) })).toEqual(
          fingerprints({ 'ruleset.json': text }),
        );
      }),
    );
  });

  test('when two neighbours that match no packet in common change places', () => {
    const PAIR = (['udp', 'tcp'] as const).map((proto, i): HostPolicy['rules'][number] => ({
      table: 'filter',
      chain: 'INPUT',
      rule: { proto, dport: { value: [[7937 + i, 9000]], negated: false }, action: { kind: 'accept' } },
    }));
    fc.assert(
      fc.property(anyHostPolicy, (policy) => {
        const files = (pair: HostPolicy['rules']) =>
          iptablesFiles({ ...policy, rules: [...pair, ...policy.rules] });
        expect(fingerprints(files([...PAIR].reverse()))).toEqual(fingerprints(files(PAIR)));
      }),
    );
  });
});

describe('two findings of one run with one fingerprint', () => {
  /** What tells two rules apart, whatever the order of their parts. */
  const words = (rule: string | null): string =>
    (rule ?? '')
      .split(/[\s,]+/)
      .sort()
      .join(' ');

  test('are the same check about equal rules of one chain', () => {
    let several = 0;
    fc.assert(
      fc.property(anyHostPolicy, fc.boolean(), (policy, json) => {
        const files = json
          ? { 'ruleset.json': hostPolicyToNft(policy, { inet: false, named: false }) }
          : iptablesFiles(policy);
        const findings = findingsOf(files);
        several += findings.length;
        for (const same of grouped(findings, ({ fingerprint }) => fingerprint)) {
          const about = same.map(({ check, host, hook, origin }) =>
            [
              check,
              host,
              hook,
              origin?.family,
              origin?.table,
              origin?.chain,
              words(origin?.rule ?? null),
            ].join(' | '),
          );
          expect(new Set(about).size, about.join('\n')).toBe(1);
        }
      }),
      { numRuns: runs(10) },
    );
    expect(several).toBeGreaterThan(0);
  });
});
