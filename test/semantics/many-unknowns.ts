import type { Condition, Rule, Ruleset } from '../../src/model/index.ts';
import { all, any, field, not, same, varying } from '../evaluate/build-ruleset.ts';
import { createRandom, type Random } from '../kernel/random.ts';

/**
 * The rule set with unknown predicates added to most of its rules: varying ones, deterministic ones with a text of their own, and
 * deterministic ones that several rules share. With an even seed it changes no packet: no NAT, no marks, no notrack.
 */
export function withManyUnknowns(ruleset: Ruleset, seed: number): Ruleset {
  const random = createRandom(seed);
  let count = 0;
  const changed = (rule: Rule): Rule => {
    const plain = seed % 2 === 0 ? withoutChanges(rule) : rule;
    if (random.chance(0.3)) return plain;
    const condition = unknownCondition(random, `own ${count++}`);
    return { ...plain, matches: [...plain.matches, { text: `-m unknown ${count}`, condition }] };
  };
  return {
    ...ruleset,
    tables: ruleset.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => ({ ...chain, rules: chain.rules.map(changed) })),
    })),
  };
}

function withoutChanges(rule: Rule): Rule {
  const statements = rule.statements.filter((s) => s.kind === 'no-effect');
  return { ...rule, statements, verdict: rule.verdict.kind === 'nat' ? { kind: 'accept' } : rule.verdict };
}

function unknownCondition(random: Random, text: string): Condition {
  const leaf = random.chance(0.3) ? varying(text) : same(random.chance(0.2) ? 'shared' : text);
  const parts = [
    leaf,
    leaf,
    not(leaf),
    all(field('dport', [0, 1000]), leaf),
    any(field('sport', [0, 2000]), not(leaf)),
  ];
  return random.pick(parts);
}
