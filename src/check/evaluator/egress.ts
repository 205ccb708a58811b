import { CT_STATE, TCP_FLAG } from '../../model/index.ts';
import { type IpVersion, single, TCP } from '../../net/index.ts';
import type { PacketSet } from '../../packet-set/index.ts';
import type { Decision } from '../../semantics/index.ts';
import { describeWitness } from '../describe.ts';
import { chainOrigin, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import type { Evaluator } from './evaluator.ts';

/** As many ports by which an output side names none; a few may be closed. */
const MOST_PORTS = 60_000n;

/** Hosts that may open TCP connections to at least half of all addresses on nearly every port: one finding a host. */
export const egress: Evaluator = {
  scope: 'host',
  *run(context) {
    if (context.host.roles.length === 0) return;
    const { space } = context.space;
    for (const version of context.versions) {
      const set = outgoing(context, version);
      const sure = space.forall(set, space.variables({ keys: 'all' }));
      if (!isOpen(context, version, sure)) continue;
      const blamed = mainDecision(context, version, set);
      const packet = space.sample(sure, { protocol: [single(TCP)], dport: [single(443)] });
      const file = context.input.files[0];
      yield evidence({
        host: context.host.name,
        hook: 'output',
        origin:
          blamed === undefined
            ? file === undefined
              ? null
              : fileOrigin(file)
            : blamed.rule === undefined
              ? chainOrigin(blamed.table, blamed.chain)
              : ruleOrigin(blamed.table, blamed.chain, blamed.rule),
        facts: {
          host: context.host.name,
          version: `IPv${version}`,
          place: blamed === undefined ? 'no output chain at all' : placeText(blamed.rule, blamed.chain),
        },
        witness: packet === undefined ? null : describeWitness('output', packet, context.mentioned),
        meaning: [],
      });
      return;
    }
  },
};

/** New TCP connections that the host may open to others. */
function outgoing(context: HostContext, version: IpVersion): PacketSet {
  const { space } = context.space;
  const is = (field: 'protocol' | 'tcp-flags' | 'ct-state' | 'mark' | 'ct-mark', value: number) =>
    space.inIntervals(space.bits(field), [single(value)]);
  return space.intersectAll([
    context.path('output', version).acceptedPackets,
    space.version(version),
    is('protocol', TCP),
    is('tcp-flags', TCP_FLAG.syn),
    is('ct-state', CT_STATE.new),
    is('mark', 0),
    is('ct-mark', 0),
    space.minus(space.interfaceValid('oif'), space.interfaceIn(space.interfaceBits('oif'), 'lo', false)),
  ]);
}

function isOpen(context: HostContext, version: IpVersion, set: PacketSet): boolean {
  const { space } = context.space;
  const seen = space.exists(set, space.variablesExcept({ version: true, fields: ['daddr', 'dport'] }));
  const half = 1n << (version === 4 ? 31n : 127n);
  return space.count(seen, ['daddr', 'dport'], version) >= half * MOST_PORTS;
}

/** The rule or policy that lets out most of the set. */
function mainDecision(context: HostContext, version: IpVersion, set: PacketSet): Decision | undefined {
  const { space } = context.space;
  const analysis = context.path('output', version);
  let main: { readonly decision: Decision; readonly size: bigint } | undefined;
  for (const [i, run] of analysis.runs.entries()) {
    if (run.base.type !== 'filter' || run.base.hook !== 'output') continue;
    for (const decision of context.decisions(analysis)[i] ?? []) {
      if (decision.verdict !== 'accept') continue;
      const size = space.count(space.intersect(decision.set, set), ['daddr', 'dport'], version);
      if (size > (main?.size ?? 0n)) main = { decision, size };
    }
  }
  return main?.decision;
}
