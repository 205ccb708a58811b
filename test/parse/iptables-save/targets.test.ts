import { describe, expect, it } from 'vitest';
import { dynamicSetsOf, parseIptablesSave } from '../../../src/parse/iptables-save/index.ts';
import { printOutcome } from '../print-condition.ts';
import { readOne } from './read-rule.ts';
import { FILTER_TARGETS, MANGLE_TARGETS, NAT_TARGETS } from './target-examples.ts';

describe('targets', () => {
  it.each(FILTER_TARGETS)('"%s" gives "%s"', (target, outcome) => {
    const { rule, diagnostics } = readOne(target);
    expect(printOutcome(rule)).toBe(outcome);
    expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });

  it.each(MANGLE_TARGETS)('"%s" in mangle gives "%s"', (target, outcome) => {
    expect(printOutcome(readOne(target, { table: 'mangle', chain: 'PREROUTING' }).rule)).toBe(outcome);
  });

  it.each(NAT_TARGETS)('"%s" in nat gives "%s"', (target, outcome) => {
    expect(printOutcome(readOne(`-p tcp ${target}`, { table: 'nat', chain: 'PREROUTING' }).rule)).toBe(
      outcome,
    );
  });

  it.each([
    ['-j DNAT --to-destination [2001:db8::1]:80', 'dnat 2001:db8::1 ports 80'],
    ['-j DNAT --to-destination [2001:db8::1-2001:db8::5]:80', 'dnat 2001:db8::1-2001:db8::5 ports 80'],
    ['-j DNAT --to-destination 2001:db8::1', 'dnat 2001:db8::1'],
    ['-j DNAT --to-destination 2001:db8::1-2001:db8::5', 'dnat 2001:db8::1-2001:db8::5'],
    ['-j DNAT --to-destination :80', 'dnat ports 80'],
    ['-j DNAT --to-destination [2001:db8::1]', 'dnat 2001:db8::1'],
  ])('"%s" in the nat table of ip6tables gives "%s"', (target, outcome) => {
    const options = { table: 'nat', chain: 'PREROUTING', family: 'ip6' } as const;
    expect(printOutcome(readOne(`-p tcp ${target}`, options).rule)).toBe(outcome);
  });

  it.each([
    '-j DNAT --to-destination 192.0.2.300',
    '-j DNAT',
    '-j REDIRECT --to-ports 90-80',
    '-j MARK',
    '-j MARK --set-mark x',
    '-j TOS --set-tos 256',
    '-j DSCP --set-dscp 64',
    '-j ACCEPT -j DROP',
    '-j',
  ])('"%s" makes the rule unknown and the reading incomplete', (target) => {
    const { rule, diagnostics } = readOne(target, { table: 'mangle', chain: 'PREROUTING' });
    expect(rule.verdict.kind).toBe('unknown');
    expect(diagnostics.some((d) => d.incomplete && d.origin.line === 4)).toBe(true);
  });

  it.each(['-j missing', '-g missing', '-j INPUT', '-j accept'])(
    '"%s" leads nowhere: verdict unknown, incomplete',
    (target) => {
      const { rule, diagnostics } = readOne(target);
      expect(rule.verdict.kind).toBe('unknown');
      expect(diagnostics.filter((d) => d.incomplete).map((d) => [d.kind, d.origin.line])).toEqual([
        ['unresolved-reference', 4],
      ]);
    },
  );

  it('names the sets that rules fill or empty', () => {
    const text =
      '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j SET --add-set seen src --timeout 60\n-A INPUT --jump SET --del-set "a b" src,dst\n-A INPUT -m set --match-set fixed src\n-A INPUT -j SET --add-set=joined src\n-A INPUT -j SET --add-set also src --map-set mapped src --map-mark\nCOMMIT\n';
    expect([...dynamicSetsOf(parseIptablesSave(text, 'x').ruleset)].sort()).toEqual([
      'a b',
      'also',
      'joined',
      'seen',
    ]);
  });

  it('takes NETMAP in a chain reached from POSTROUTING only as a change of the source', () => {
    const text =
      '*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:map - [0:0]\n-A POSTROUTING -j map\n-A map -j NETMAP --to 192.0.2.0/24\nCOMMIT\n';
    const chain = parseIptablesSave(text, 'x').ruleset.tables[0]!.chains.find((c) => c.name === 'map')!;
    expect(printOutcome(chain.rules[0]!)).toBe('snat 192.0.2.0-192.0.2.255 unknown');
  });
});
