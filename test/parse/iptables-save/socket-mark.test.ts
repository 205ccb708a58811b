import { expect, it } from 'vitest';
import { parseIptablesSave } from '../../../src/parse/iptables-save/index.ts';

it('the mark of a socket may be restored although the rule does not match', () => {
  const text = [
    '*mangle',
    ':PREROUTING ACCEPT [0:0]',
    '-A PREROUTING -m socket --transparent --restore-skmark -p tcp --dport 443 -j ACCEPT',
    'COMMIT',
  ].join('\n');
  const { ruleset } = parseIptablesSave(text, 'a.rules');
  const rules = ruleset.tables[0]!.chains[0]!.rules;
  expect(rules.map(({ number }) => number)).toEqual([undefined, 1]);
  expect(rules[0]!.matches).toEqual([]);
  expect(rules[0]!.statements.map(({ kind }) => kind)).toEqual(['unknown-field']);
  expect(rules[0]!.verdict.kind).toBe('continue');
});
