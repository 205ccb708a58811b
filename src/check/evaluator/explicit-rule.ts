import { normalizeRuleText } from '../../finding/index.ts';
import { countIntervals, type IpVersion, single, subtractIntervals, TCP } from '../../net/index.ts';
import { isAnySource, type PacketSet } from '../../packet-set/index.ts';
import type { Decision } from '../../semantics/index.ts';
import { acceptedByPlace, newFromOutside } from '../blamed.ts';
import { listed, MOST_INTERVALS } from '../describe.ts';
import { type Evidence, evidence, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import type { HostContext } from '../host-context.ts';
import { serviceRangeOf } from '../peers.ts';
import type { Evaluator } from './evaluator.ts';

/**
 * Accepting rules for the service range that leave the source, the destination or the protocol open, seen over everything that comes
 * to the rule: a zone that is bound to a source names the source. One finding for the rules of a host that leave the same open. Rules that an exposure
 * finding blames are left to it.
 */
export const explicitRule: Evaluator = {
  scope: 'host',
  *run(context) {
    if (context.host.roles.length === 0) return;
    const blamed = new Set(
      inputExposures(context)
        .filter((e) => e.class !== 'unknown-source')
        .map((e) => e.rule),
    );
    const byOpen = new Map<string, Decision[]>();
    for (const [rule, { decision, open }] of openParts(context)) {
      if (open.size === 0 || blamed.has(rule)) continue;
      const key = ['source', 'destination', 'protocol'].filter((part) => open.has(part)).join();
      byOpen.set(key, [...(byOpen.get(key) ?? []), decision]);
    }
    for (const [key, decisions] of byOpen) yield toEvidence(context, key.split(','), decisions);
  },
};

type Rule = NonNullable<Decision['rule']>;

/** Rules that accept connections into the range, with what each leaves open. */
function openParts(context: HostContext): Map<Rule, { decision: Decision; open: Set<string> }> {
  const { space } = context.space;
  const { estate, host } = context;
  const fixed = [...estate.profile.fixedPorts, ...estate.profile.adminPorts.map((a) => a.port)];
  const range = space.inIntervals(
    space.bits('dport'),
    subtractIntervals(serviceRangeOf(estate, host), fixed.map(single)),
  );
  const found = new Map<Rule, { decision: Decision; open: Set<string> }>();
  for (const version of context.versions) {
    const through = space.intersectAll([
      context.path('input', version).acceptedPackets,
      newFromOutside(context, version),
      range,
    ]);
    for (const group of acceptedByPlace(context, version)) {
      const [decision] = group;
      if (decision?.rule === undefined) continue;
      const whole = space.intersect(space.unionAll(group.map((d) => d.set)), range);
      const isTcp = space.inIntervals(space.bits('protocol'), [single(TCP)]);
      if (!space.intersects(space.intersect(whole, isTcp), through)) continue;
      const known = found.get(decision.rule) ?? { decision, open: new Set<string>() };
      found.set(decision.rule, known);
      for (const part of openOf(context, version, whole)) known.open.add(part);
    }
  }
  return found;
}

/** What a set of packets leaves open. */
function openOf(context: HostContext, version: IpVersion, set: PacketSet): string[] {
  const { space } = context.space;
  const sources = space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS);
  const destinations = space.valuesUpTo(set, 'daddr', version, MOST_INTERVALS);
  const isWhole = countIntervals(destinations.intervals) === 1n << (version === 4 ? 32n : 128n);
  return [
    ...(sources.complete && isAnySource(version, sources.intervals) ? ['source'] : []),
    ...(destinations.complete && isWhole ? ['destination'] : []),
    ...(countIntervals(space.values(set, 'protocol', version)) > 1n ? ['protocol'] : []),
  ];
}

function toEvidence(context: HostContext, open: readonly string[], decisions: readonly Decision[]): Evidence {
  const places = decisions.flatMap(({ table, chain, rule }) =>
    rule === undefined ? [] : [ruleOrigin(table, chain, rule)],
  );
  return evidence({
    host: context.host.name,
    hook: 'input',
    origin: places[0] ?? null,
    related: places.slice(1, 6).map((origin) => ({ origin, label: 'leaves the same open' })),
    facts: {
      host: context.host.name,
      open: listed(open),
      rule: places[0]?.rule ?? '',
      others: places.length < 2 ? '' : ` and ${places.length - 1} more`,
    },
    extent: [{ who: places.map(({ rule }) => normalizeRuleText(rule ?? '')), proto: [], ports: [] }],
    meaning: [...open],
  });
}
