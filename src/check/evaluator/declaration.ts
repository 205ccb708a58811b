import { checkDeclarations } from '../../inventory/index.ts';
import { evidence, plainOrigin } from '../evidence.ts';
import { choiceOption, type Evaluator } from './evaluator.ts';

const KINDS = ['expired-exception', 'expired-waiver'] as const;

/** Declarations of the configuration that have had their day; the option `kind` says which. */
export const expiredDeclaration: Evaluator = {
  scope: 'run',
  *run(context, options) {
    const kind = choiceOption(options, 'kind', KINDS);
    const { inventory, hosts, today } = context.estate;
    if (inventory === undefined) return;
    for (const fact of checkDeclarations(inventory, hosts, today)) {
      if (fact.kind !== kind) continue;
      const declared = fact.kind === 'expired-exception' ? fact.exception : fact.waiver;
      const name = fact.kind === 'expired-exception' ? fact.exception.id : fact.waiver.check;
      yield evidence({
        host: null,
        origin: plainOrigin(fact.origin),
        facts: { name, expires: declared.expires, reason: declared.reason, owner: declared.owner ?? 'nobody named' },
        meaning: [name, declared.reason],
      });
    }
  },
};
