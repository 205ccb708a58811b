/** What packets come to: rules that match some, policies that decide some, chains that some enter. */
import type { PacketHook } from '../model/index.ts';
import { enteredChains } from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import type { Subject } from './predicate/predicate.ts';

interface Reached {
  readonly rules: ReadonlySet<object>;
  /** Base chains to whose end some packet comes. */
  readonly policies: ReadonlySet<object>;
  readonly chains: ReadonlySet<object>;
}

/** Whether some packet comes to the subject on its way through the host. Never true for a whole host. */
export function isReached({ context, hook, scope, rule, chain }: Subject): boolean {
  const reached = reachedOn(context, hook);
  if (scope === 'chain') return reached.chains.has(chain ?? reached);
  return rule === undefined ? reached.policies.has(chain ?? reached) : reached.rules.has(rule);
}

function reachedOn(context: HostContext, hook: PacketHook): Reached {
  return context.once(`reached ${hook}`, () => {
    const { space } = context.space;
    const rules = new Set<object>();
    const policies = new Set<object>();
    const chains = new Set<object>();
    for (const version of context.versions) {
      for (const run of context.path(hook, version).runs) {
        for (const { summary, entering } of enteredChains(context.space, run)) {
          if (space.isEmpty(entering)) continue;
          chains.add(summary.chain);
          for (const { rule, hit, reach } of summary.visits)
            if (!rules.has(rule) && space.intersects(hit ?? reach, entering)) rules.add(rule);
        }
        for (const { summary, entering } of run.summaries)
          for (const { set } of summary.ended.values())
            if (space.intersects(set, entering)) policies.add(run.chain);
      }
    }
    return { rules, policies, chains };
  });
}
