import { normalizeRuleText } from '../../finding/index.ts';
import { type DeadRule, deadRules } from '../dead-rule.ts';
import { listed } from '../describe.ts';
import { evidence, ruleOrigin } from '../evidence.ts';
import { deleteRule } from '../iptables-command.ts';
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
      const lines = because.map((b) => `${b.rule.origin.line}`);
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
          because:
            because.length === 0 ? 'other rules' : `line${because.length > 1 ? 's' : ''} ${listed(lines)}`,
          several: because.length > 1,
        },
        commands: dead.differs ? [] : deleteRule(table, chain, rule),
        meaning: [table.family, table.name, chain.name, normalizeRuleText(rule.text)],
      });
    }
  },
};
