import { describe, expect, test } from 'vitest';
import type { PacketSet } from '../../src/packet-set/index.ts';
import { decisionsOf, enteredChains, packetsOf } from '../../src/semantics/index.ts';
import {
  accept,
  base,
  chain,
  chains,
  drop,
  goto,
  inputRules,
  jump,
  log,
  rule,
  saddr,
  tcpDport,
} from '../evaluate/build-ruleset.ts';
import { analyse } from './ask.ts';
import { makeCase } from './random-case.ts';

const CASES = 150;

describe('Decisions of a base chain run', () => {
  test('share no packet, and together are what entered', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const { ruleset, packets } = makeCase(seed);
      const { host, analysis } = analyse(ruleset, packets[0]!.hook, packets[0]!.version);
      const { space } = host;
      for (const run of analysis.runs) {
        let all: PacketSet = space.empty;
        for (const { set } of decisionsOf(host, run)) {
          expect(space.intersects(all, set), `seed ${seed}, chain ${run.chain.name}`).toBe(false);
          all = space.union(all, set);
        }
        expect(all === packetsOf(space, run.entered), `seed ${seed}, chain ${run.chain.name}`).toBe(true);
      }
    }
  });

  test('say the same as the run: what is dropped, rejected and passed', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const { ruleset, packets } = makeCase(seed);
      const { host, analysis } = analyse(ruleset, packets[0]!.hook, packets[0]!.version);
      const { space } = host;
      for (const run of analysis.runs) {
        const by = (verdict: string) =>
          space.unionAll(
            decisionsOf(host, run)
              .filter((d) => d.verdict === verdict)
              .map((d) => d.set),
          );
        expect(by('drop') === run.dropped, `seed ${seed}`).toBe(true);
        expect(by('reject') === run.rejected, `seed ${seed}`).toBe(true);
        expect(space.includes(packetsOf(space, run.passed), by('accept')), `seed ${seed}`).toBe(true);
      }
    }
  });

  test('every packet of the way is accepted, dropped or rejected, and only one of them', () => {
    for (let seed = 1; seed <= CASES; seed++) {
      const { ruleset, packets } = makeCase(seed);
      const { hook, version } = packets[0]!;
      const { host, analysis } = analyse(ruleset, hook, version);
      const { space } = host;
      const { acceptedPackets, dropped, rejected } = analysis;
      expect(space.intersects(acceptedPackets, space.union(dropped, rejected))).toBe(false);
      expect(space.intersects(dropped, rejected)).toBe(false);
      expect(space.unionAll([acceptedPackets, dropped, rejected]) === space.version(version)).toBe(true);
    }
  });

  test('name the rule, the chain it stands in, and the policy by no rule', () => {
    const rules = inputRules(
      [rule(tcpDport(22), jump('a')), rule(saddr('192.0.2.1'), drop)],
      chain('a', rule(saddr('192.0.2.2'), accept)),
    );
    const { host, analysis } = analyse(rules);
    const told = decisionsOf(host, analysis.runs[0]!).map((d) => [d.chain.name, d.rule?.text, d.verdict]);
    expect(told).toEqual([
      ['INPUT', rules.tables[0]!.chains[0]!.rules[1]!.text, 'drop'],
      ['a', rules.tables[0]!.chains[1]!.rules[0]!.text, 'accept'],
      ['INPUT', undefined, 'drop'],
    ]);
  });
});

describe('Entered chains', () => {
  test('are told with the packets of all their callers, callers first', () => {
    const rules = chains(
      base(
        'input',
        {},
        rule(tcpDport(22), jump('a')),
        rule(tcpDport(23), jump('b')),
        rule(tcpDport(24), goto('b')),
      ),
      chain('a', rule(saddr('192.0.2.1'), jump('b'))),
      chain('b', rule(log), rule(accept)),
      chain('c', rule(drop)),
    );
    const { host, analysis } = analyse(rules);
    const { space } = host;
    const entered = enteredChains(host, analysis.runs[0]!);
    expect(entered.map((e) => e.summary.chain.name)).toEqual(['INPUT', 'a', 'b']);
    const ports = space.values(entered[2]!.entering, 'dport', 4);
    expect(ports).toEqual([{ lo: 22n, hi: 24n }]);
    const through = space.intersect(
      entered[2]!.entering,
      space.inIntervals(space.bits('dport'), [{ lo: 22n, hi: 22n }]),
    );
    expect(space.values(through, 'saddr', 4)).toEqual([{ lo: 0xc0000201n, hi: 0xc0000201n }]);
  });

  test('hold what reaches each rule, and rules that nothing reaches as well', () => {
    const rules = inputRules([rule(tcpDport(22), accept), rule(drop), rule(tcpDport(23), accept)]);
    const { host, analysis } = analyse(rules);
    const { visits } = analysis.runs[0]!.summaries[0]!.summary;
    expect(visits.map((visit) => host.space.isEmpty(visit.reach))).toEqual([false, false, true]);
    expect(visits.map((visit) => host.space.isEmpty(visit.match!))).toEqual([false, false, false]);
  });

  test('a chain without varying predicates is traversed once for each environment', () => {
    const rules = inputRules(
      Array.from({ length: 50 }, (_, i) => rule(tcpDport(i), jump('a'))),
      chain('a', rule(saddr('192.0.2.1'), accept)),
    );
    const { host, analysis } = analyse(rules);
    expect(enteredChains(host, analysis.runs[0]!)).toHaveLength(2);
  });
});
