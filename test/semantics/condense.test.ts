import { describe, expect, test } from 'vitest';
import type { Packet, Ruleset } from '../../src/model/index.ts';
import { MOST_ENVIRONMENTS } from '../../src/semantics/index.ts';
import {
  accept,
  assign,
  base,
  chains,
  daddr,
  dnat,
  drop,
  field,
  ip,
  packet,
  redirect,
  rule,
  saddr,
  tcpDport,
  varying,
} from '../evaluate/build-ruleset.ts';
import { analyse, verdictOfBoth } from './ask.ts';
import { compareEvaluators } from './compare-evaluators.ts';

const MANY = 3 * MOST_ENVIRONMENTS;
const many = <T>(make: (i: number) => T): T[] => Array.from({ length: MANY }, (_, i) => make(i));

function agree(rules: Ruleset, packets: readonly Packet[]): void {
  const { disagreement, uncompared } = compareEvaluators(rules, packets);
  expect(disagreement).toBeUndefined();
  expect(uncompared).toBe(0);
}

describe('Many environments', () => {
  const translations = base(
    'prerouting',
    { type: 'nat', priority: -100 },
    ...many((i) => rule(tcpDport(1000 + i), dnat(`192.0.2.${i + 1}`, 2000 + i))),
  );
  const forward = base(
    'forward',
    { chainPolicy: 'drop' },
    ...many((i) => rule(daddr(`192.0.2.${i + 1}`), field('dport', 2000 + i), field('ct-dnat', 1), accept)),
  );
  const rules = chains(translations, forward);
  const asked = many((i) => packet({ hook: 'forward', dport: 1000 + i, daddr: ip('203.0.113.1') }));

  test('of many DNAT rules are merged, and the answers stay the same', () => {
    const { analysis } = analyse(rules, 'forward');
    const filter = analysis.runs.find((run) => run.base.hook === 'forward')!;
    expect(filter.entered.size).toBeLessThanOrEqual(MOST_ENVIRONMENTS);
    agree(rules, asked);
    for (const one of asked) expect(verdictOfBoth(rules, one)).toBe('accept');
    expect(verdictOfBoth(rules, packet({ hook: 'forward', dport: 999 }))).toBe('drop');
  });

  test('each packet is delivered where its own rule says', () => {
    const { host, analysis } = analyse(chains(translations), 'input');
    expect(analysis.accepted.size).toBeGreaterThan(MOST_ENVIRONMENTS);
    expect(host.space.isEmpty(analysis.dropped)).toBe(true);
    agree(
      chains(translations, base('input', {}, rule(field('mark', 7), drop))),
      many((i) => packet({ dport: 1000 + i })),
    );
  });

  test('of many MARK rules in one chain are merged while the chain is traversed', () => {
    const marks = base(
      'prerouting',
      { priority: -150 },
      ...many((i) => rule(saddr(`198.51.100.${i}`), assign('mark', i + 1))),
    );
    const input = base(
      'input',
      { chainPolicy: 'drop' },
      ...many((i) => rule(field('mark', i + 1), tcpDport(i), accept)),
    );
    const { analysis } = analyse(chains(marks, input));
    const visits = analysis.runs[0]!.summaries[0]!.summary.visits;
    expect(visits.length).toBeLessThan(MANY * MOST_ENVIRONMENTS);
    const from = (i: number, dport: number) => packet({ saddr: ip(`198.51.100.${i}`), dport });
    agree(chains(marks, input), [...many((i) => from(i, i)), ...many((i) => from(i, i + 1))]);
  });

  test('with redirects among them stay apart from those without', () => {
    const mixed = base(
      'prerouting',
      { type: 'nat', priority: -100 },
      ...many((i) =>
        rule(tcpDport(1000 + i), i % 2 === 0 ? redirect(2000 + i) : dnat('192.0.2.9', 2000 + i)),
      ),
    );
    const input = base(
      'input',
      { chainPolicy: 'drop' },
      rule(daddr('192.0.2.9'), accept),
      rule(field('dport', 2000), accept),
    );
    agree(
      chains(mixed, input),
      many((i) => packet({ dport: 1000 + i })),
    );
  });

  test('that unknowns decide between are merged exactly too', () => {
    const limited = base(
      'prerouting',
      { type: 'nat', priority: -100 },
      ...many((i) => rule(saddr(`198.51.100.${i}`), varying('limit'), dnat(`192.0.2.${i}-192.0.2.${i + 3}`))),
    );
    const input = base('input', {}, ...many((i) => rule(daddr(`192.0.2.${i + 2}`), drop)));
    agree(
      chains(limited, input),
      many((i) => packet({ saddr: ip(`198.51.100.${i}`), daddr: ip('203.0.113.1') })),
    );
  });
});
