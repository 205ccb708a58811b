import { normalizeRuleText } from '../../finding/index.ts';
import { NO_ADVICE } from '../change.ts';
import { type DeadRule, deadRules, type PlacedRule } from '../dead-rule.ts';
import { listed } from '../describe.ts';
import { evidence, ruleOrigin } from '../evidence.ts';
import { deleteRule } from '../remediation.ts';
import { choiceOption, type Evaluator } from './evaluator.ts';

const KINDS: readonly DeadRule['kind'][] = ['unmatchable', 'shadowed', 'redundant'];
const LABEL: Readonly<Record<DeadRule['kind'], string>> = {
  unmatchable: '',
  shadowed: 'takes these packets first',
  redundant: 'gives the same verdict anyway',
};

/** Rules that decide nothing; the option `kind` says why. */
export const deadRule: Evaluator = {
  scope: 'host',
  *run(context, options) {
    const kind = choiceOption(options, 'kind', KINDS);
    for (const dead of deadRules(context)) {
      if (dead.kind !== kind) continue;
      const { table, chain, rule, because } = dead;
      yield evidence({
        host: context.host.name,
        hook: dead.hook,
        origin: ruleOrigin(table, chain, rule),
        related: because
          .slice(0, 8)
          .map((b) => ({ origin: ruleOrigin(b.table, b.chain, b.rule), label: LABEL[kind] })),
        facts: {
          host: context.host.name,
          rule: rule.text,
          chain: chain.name,
          differs: dead.differs,
          because: becauseText(because),
          several: because.length > 1,
        },
        // All parts of a rule that was taken apart are dead together.
        ...(dead.differs ? NO_ADVICE : deleteRule({ table, chain, rule }, true)),
        meaning: [table.family, table.name, chain.name, normalizeRuleText(rule.text)],
      });
    }
  },
};

/** `line 7 of the export`, or the handles where lines say nothing: an export of nft is one line. */
function becauseText(because: readonly PlacedRule[]): string {
  if (because.length === 0) return 'other rules of the export';
  const handles = because.map(({ rule }) => (rule.origin.path === null ? undefined : rule.handle));
  const plural = because.length > 1 ? 's' : '';
  if (handles.every((handle) => handle !== undefined))
    return `the rule${plural} with handle${plural} ${listed(handles.map(String))}`;
  return `line${plural} ${listed(because.map(({ rule }) => `${rule.origin.line}`))} of the export`;
}
