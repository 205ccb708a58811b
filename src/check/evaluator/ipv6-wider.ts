import { normalizeRuleText } from '../../finding/index.ts';
import {
  formatProtocol,
  type Interval,
  interval,
  normalizeIntervals,
  single,
  subtractIntervals,
  TCP,
  UDP,
} from '../../net/index.ts';
import { describePorts, isAnySource, type PacketSet } from '../../packet-set/index.ts';
import { acceptedByPlace, newFromOutside } from '../blamed.ts';
import { describeService, describeWitness, MOST_INTERVALS } from '../describe.ts';
import { chainOrigin, evidence, placeText, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/**
 * Ports that any IPv6 source reaches while IPv4 admits fewer, by the IPv6 rule that lets them in. Rules that an exposure
 * finding blames already are left to it.
 */
export const ipv6Wider: Evaluator = {
  scope: 'host',
  *run(context) {
    if (context.versions.length < 2) return;
    const { space } = context.space;
    // Where IPv6 is open altogether, one rule more or less makes no difference.
    const open = inputExposures(context).some(
      (e) => e.class === 'default-accept' && e.table?.family !== 'ip',
    );
    if (open) return;
    const blamed = new Set(
      inputExposures(context)
        .filter((e) => e.class !== 'unknown-source')
        .map((e) => e.rule ?? e.chain),
    );
    const open4 = new Map([TCP, UDP].map((p) => [p, anySourcePorts(context, 4, p, undefined)] as const));
    const analysis = context.path('input', 6);
    for (const group of acceptedByPlace(context, 6)) {
      const first = group[0]!;
      if (blamed.has(first.rule ?? first.chain)) continue;
      const set = space.unionAll(group.map((d) => d.set));
      const wider = [TCP, UDP]
        .map((protocol) => ({
          protocol,
          ports: subtractIntervals(anySourcePorts(context, 6, protocol, set), open4.get(protocol) ?? []),
        }))
        .filter(({ ports }) => ports.length > 0);
      if (wider.length === 0) continue;
      const shown = wider[0]!;
      const packet = space.sample(
        space.intersectAll([
          set,
          analysis.acceptedPackets,
          newFromOutside(context, 6),
          space.inIntervals(space.bits('protocol'), [single(shown.protocol)]),
          space.inIntervals(space.bits('dport'), shown.ports),
        ]),
      );
      const { table, chain, rule } = first;
      yield evidence({
        host: context.host.name,
        hook: 'input',
        origin: rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule),
        facts: {
          host: context.host.name,
          service: wider.map((w) => describeService([w.protocol], w.ports)).join(' and '),
          place: placeText(rule, chain),
        },
        witness: packet === undefined ? null : describeWitness('input', packet, context.mentioned),
        extent: wider.map((w) => ({
          who: ['::/0'],
          proto: [formatProtocol(w.protocol)],
          ports: describePorts(w.ports),
        })),
        meaning: [
          table.family,
          table.name,
          chain.name,
          rule === undefined ? 'policy' : normalizeRuleText(rule.text),
        ],
      });
    }
  },
};

/**
 * Destinations that only the host's own network reaches: link-local and multicast addresses (RFC 4291, 2.5.6 and 2.7). DHCPv6 clients are let in
 * for them by default, and IPv4 has nothing of that kind.
 */
const ON_LINK: readonly Interval[] = [
  { lo: 0xfe80n << 112n, hi: (0xfec0n << 112n) - 1n },
  { lo: 0xff00n << 112n, hi: (1n << 128n) - 1n },
];

/** Ports of a protocol that new packets from at least half of the address space reach, within `within` if given. */
function anySourcePorts(
  context: HostContext,
  version: 4 | 6,
  protocol: number,
  within: PacketSet | undefined,
): Interval[] {
  const { space } = context.space;
  const accepted = space.intersectAll([
    context.path('input', version).acceptedPackets,
    newFromOutside(context, version),
    space.inIntervals(space.bits('protocol'), [single(protocol)]),
    ...(version === 6 ? [space.complement(space.inIntervals(space.bits('daddr'), ON_LINK))] : []),
    ...(within === undefined ? [] : [within]),
  ]);
  const seen = space.exists(accepted, space.variablesExcept({ version: true, fields: ['saddr', 'dport'] }));
  const open: Interval[] = [];
  for (const { values, rest } of space.partition(seen, 'dport', version)) {
    // A scattered set of sources is not listed; it is then no network either.
    const { intervals, complete } = space.valuesUpTo(rest, 'saddr', version, MOST_INTERVALS);
    if (complete && isAnySource(version, intervals)) open.push(...values);
  }
  return normalizeIntervals(open.map((i) => interval(i.lo, i.hi)));
}
