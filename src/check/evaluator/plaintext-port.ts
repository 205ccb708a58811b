import { normalizeRuleText } from '../../finding/index.ts';
import { type IpVersion, normalizeIntervals, single, TCP } from '../../net/index.ts';
import type { PacketSet } from '../../packet-set/index.ts';
import type { PlaintextPort } from '../../rulepack/index.ts';
import type { Decision } from '../../semantics/index.ts';
import { acceptedByPlace, newFromOutside } from '../blamed.ts';
import {
  describeExposure,
  describeSources,
  describeWitness,
  MOST_INTERVALS,
  type Sources,
} from '../describe.ts';
import { chainOrigin, type Evidence, evidence, placeText, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/**
 * Ports of services without encryption that other hosts reach, entitled or not, on hosts that serve them; one finding a rule. Where
 * everything is open, that is said already.
 */
export const plaintextPort: Evaluator = {
  scope: 'host',
  *run(context) {
    const { profile } = context.estate;
    const open = new Set<object | undefined>(
      inputExposures(context)
        .filter((e) => e.class === 'default-accept')
        .map((e) => e.rule ?? e.chain),
    );
    for (const port of profile.plaintextPorts) {
      if (!port.servedBy.some((role) => context.host.roles.includes(role))) continue;
      const byPlace = new Map<object, { first: Decision; sets: { version: IpVersion; set: PacketSet }[] }>();
      for (const version of context.versions) {
        for (const [key, group] of reaching(context, version, port)) {
          if (open.has(key)) continue;
          const known = byPlace.get(key);
          if (known === undefined) byPlace.set(key, { first: group.first, sets: [group] });
          else known.sets.push(group);
        }
      }
      for (const { first, sets } of byPlace.values()) yield toEvidence(context, port, first, sets);
    }
  },
};

/** New connections from outside to the port, by the rule or policy that accepts them. */
function reaching(
  context: HostContext,
  version: IpVersion,
  { port }: PlaintextPort,
): Map<object, { readonly version: IpVersion; readonly first: Decision; readonly set: PacketSet }> {
  const { space } = context.space;
  const wanted = space.intersectAll([
    context.path('input', version).acceptedPackets,
    newFromOutside(context, version),
    space.inIntervals(space.bits('protocol'), [single(TCP)]),
    space.inIntervals(space.bits('dport'), [single(port)]),
  ]);
  const found = new Map<object, { version: IpVersion; first: Decision; set: PacketSet }>();
  for (const group of acceptedByPlace(context, version)) {
    const set = space.intersect(space.unionAll(group.map((d) => d.set)), wanted);
    const first = group[0];
    if (first !== undefined && !space.isEmpty(set))
      found.set(first.rule ?? first.chain, { version, first, set });
  }
  return found;
}

function toEvidence(
  context: HostContext,
  { port, instead, title }: PlaintextPort,
  { table, chain, rule }: Decision,
  sets: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
): Evidence {
  const { space } = context.space;
  const sources: Sources = new Map(
    sets.map(({ version, set }) => {
      // A list of sources that is too long to write is cut: the sentence counts the rest.
      const { intervals } = space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS);
      return [version, normalizeIntervals(intervals)] as const;
    }),
  );
  const unknown = space.variables({ keys: 'all' });
  const certain = sets.some(({ set }) => !space.isEmpty(space.forall(set, unknown)));
  const packet = sets.map(({ set }) => space.sample(set)).find((p) => p !== undefined);
  return evidence({
    host: context.host.name,
    hook: 'input',
    origin: rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule),
    facts: {
      host: context.host.name,
      port: `tcp/${port}`,
      instead: `tcp/${instead}`,
      service: title,
      sources: describeSources(sources),
      place: placeText(rule, chain),
    },
    certainty: certain ? 'certain' : 'possible',
    unknowns: certain ? [] : [...new Set(sets.flatMap(({ set }) => context.space.unknownsOf(set)))].sort(),
    exposure: describeExposure(sources, new Map(), [TCP], [single(port)]),
    witness: packet === undefined ? null : describeWitness('input', packet, context.mentioned),
    meaning: [
      String(port),
      table.family,
      table.name,
      chain.name,
      rule === undefined ? 'policy' : normalizeRuleText(rule.text),
    ],
  });
}
