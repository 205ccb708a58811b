import type { Decision } from '../../semantics/index.ts';
import { newFromOutside } from '../blamed.ts';
import { describeWitness } from '../describe.ts';
import { chainOrigin, evidence, placeText, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/** Hosts that answer strangers with a refusal instead of silence: one finding a host, with every rule that does it. */
export const rejecting: Evaluator = {
  scope: 'host',
  *run(context) {
    if (context.host.roles.length === 0) return;
    const { space } = context.space;
    for (const version of context.versions) {
      const strangers = newFromOutside(context, version);
      const half = 1n << (version === 4 ? 31n : 127n);
      const found = decisions(context, version).filter(({ verdict, set }) => {
        if (verdict !== 'reject') return false;
        const sure = space.forall(space.intersect(set, strangers), space.variables({ keys: 'all' }));
        return space.count(sure, ['saddr'], version) >= half;
      });
      const [first, ...others] = found;
      if (first === undefined) continue;
      const packet = space.sample(space.intersect(first.set, strangers));
      yield evidence({
        host: context.host.name,
        hook: 'input',
        origin: originOf(first),
        related: others.slice(0, 5).map((other) => ({ origin: originOf(other), label: 'refuses too' })),
        facts: {
          host: context.host.name,
          place: placeText(first.rule, first.chain),
          others: others.length === 0 ? '' : ` and ${others.length} more`,
        },
        witness: packet === undefined ? null : describeWitness('input', packet, context.mentioned),
        meaning: [],
      });
      return;
    }
  },
};

function decisions(context: HostContext, version: 4 | 6): readonly Decision[] {
  const analysis = context.path('input', version);
  return analysis.runs.flatMap((run, i) =>
    run.base.hook === 'input' ? (context.decisions(analysis)[i] ?? []) : [],
  );
}

function originOf({ table, chain, rule }: Decision) {
  return rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule);
}
