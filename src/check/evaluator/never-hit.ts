import type { Chain, Rule } from '../../model/index.ts';
import { deadRules } from '../dead-rule.ts';
import { evidence, ruleOrigin } from '../evidence.ts';
import { isGeneratedChain } from '../generated-chain.ts';
import { writerOf } from '../remediation.ts';
import type { Evaluator } from './evaluator.ts';

/** Most rules of a chain that a finding shows besides the first. */
const MOST_SHOWN = 20;

/**
 * Rules that have counted no packet, where other rules of their chain have; one finding a chain. Rules that cannot count, since
 * they are dead, are reported as that.
 */
export const neverHit: Evaluator = {
  scope: 'host',
  *run(context) {
    const dead = new Set(deadRules(context).map(({ rule }) => placeKey(rule)));
    for (const table of context.input.ruleset.tables) {
      if (table.dormant || writerOf(table) === 'firewalld') continue;
      for (const chain of table.chains) {
        if (isGeneratedChain(chain.name, table.name)) continue;
        const counting = countingRules(chain);
        const counted = counting.reduce((sum, { counters }) => sum + counters!.packets, 0n);
        const silent = counting.filter((rule) => rule.counters!.packets === 0n && !dead.has(placeKey(rule)));
        const first = silent[0];
        if (counted === 0n || first === undefined) continue;
        yield evidence({
          host: context.host.name,
          origin: ruleOrigin(table, chain, first),
          related: silent
            .slice(1, 1 + MOST_SHOWN)
            .map((rule) => ({ origin: ruleOrigin(table, chain, rule), label: 'has counted nothing either' })),
          facts: {
            host: context.host.name,
            chain: chain.name,
            silent: silent.length === 1 ? 'One rule' : `${silent.length} rules`,
            have: silent.length === 1 ? 'has' : 'have',
            of: String(counting.length),
            counted: String(counted),
          },
          meaning: [table.family, table.name, chain.name],
        });
      }
    }
  },
};

/** Rules of the export with a counter, each once. */
function countingRules({ rules }: Chain): Rule[] {
  const seen = new Map<string, Rule>();
  for (const rule of rules) {
    if (rule.number === undefined || rule.counters === undefined) continue;
    const key = placeKey(rule);
    if (!seen.has(key)) seen.set(key, rule);
  }
  return [...seen.values()];
}

function placeKey({ origin: { file, line, column, path }, number }: Rule): string {
  return `${file}:${line}:${column}:${path}:${number}`;
}
