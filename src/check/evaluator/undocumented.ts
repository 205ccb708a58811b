import { normalizeRuleText } from '../../finding/index.ts';
import type { PacketHook, Rule } from '../../model/index.ts';
import { inCtState } from '../../semantics/index.ts';
import { evidence, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import { hitOf, type RuleLife, ruleLives } from '../rule-life.ts';
import type { Evaluator } from './evaluator.ts';

const JUDGED: readonly PacketHook[] = ['input', 'forward'];

/** Rules without a comment that let in new connections from outside, or pass them on. */
export const undocumentedRule: Evaluator = {
  scope: 'host',
  *run(context) {
    const told = new Set<string>();
    for (const life of ruleLives(context)) {
      const { table, chain, rule } = life;
      if (rule.verdict.kind !== 'accept' || rule.comment !== undefined || !admitsNew(context, life)) continue;
      const key = placeKey(rule);
      if (told.has(key)) continue;
      told.add(key);
      yield evidence({
        host: context.host.name,
        hook: life.hook,
        origin: ruleOrigin(table, chain, rule),
        facts: { host: context.host.name, rule: rule.text },
        meaning: [table.family, table.name, chain.name, normalizeRuleText(rule.text)],
      });
    }
  },
};

/** Whether the rule lets some first packet of a connection from outside through, in a filter chain. */
function admitsNew(context: HostContext, { visits }: RuleLife): boolean {
  const { space } = context.space;
  const loopback = space.interfaceIn(space.interfaceBits('iif'), 'lo', false);
  return visits.some((lifeVisit) => {
    const { place, run } = lifeVisit.view;
    if (!JUDGED.includes(place.path) || place.hook !== place.path || run.base.type !== 'filter') return false;
    const isNew = inCtState(context.space, lifeVisit.visit.environment, place.version, 'new');
    return space.intersects(space.minus(hitOf(context, lifeVisit), loopback), isNew);
  });
}

function placeKey({ origin: { file, line, column, path }, number }: Rule): string {
  return `${file}:${line}:${column}:${path}:${number}`;
}
