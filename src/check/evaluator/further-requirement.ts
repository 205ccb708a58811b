import { type Interval, normalizeIntervals, subtractIntervals } from '../../net/index.ts';
import { describePorts } from '../../packet-set/index.ts';
import type { Flow } from '../../rulepack/index.ts';
import { describeService, listed } from '../describe.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import { flowPorts, flowsFrom, flowsTo, type Peer, receiversOf, sendersOf } from '../peers.ts';
import { judgedFlows, missingPorts, type StoppedFlow, type StoppedPeer } from '../required-path.ts';
import { stoppedExtent } from '../stopped-extent.ts';
import type { Evaluator } from './evaluator.ts';

/**
 * Paths that the profile in use does not ask for, that the one it is compared with requires, and that the host stops: one finding a host,
 * direction and flow. What the profile in use requires itself is the matter of `missing-required-path`.
 */
export const furtherRequirement: Evaluator = {
  scope: 'host',
  *run(context) {
    const { comparedWith } = context.estate.profile;
    if (comparedWith === undefined) return;
    for (const found of judgedFlows(context.underProfile(comparedWith)).stopped) {
      if (found.reply || found.spare || !found.certain) continue;
      const stopped = found.stopped.flatMap((one) => {
        // Where nobody of the role is known, nobody is kept out.
        if (one.peer === undefined) return [];
        const ports = subtractIntervals(one.ports, requiredAlready(context, found, one.peer));
        return ports.length === 0 ? [] : [{ ...one, ports }];
      });
      if (stopped.length > 0) yield toEvidence(context, found, stopped);
    }
  },
};

/** Ports that the profile in use requires between the host and a peer, in the direction of the flow. */
function requiredAlready(context: HostContext, { flow, direction }: StoppedFlow, peer: Peer): Interval[] {
  const { estate, host } = context;
  const isAsked = ({ need, protocol }: Flow) => need === 'required' && protocol === flow.protocol;
  const flows = (direction === 'in' ? flowsTo(estate, host) : flowsFrom(estate, host)).filter(isAsked);
  return normalizeIntervals(
    flows.flatMap((one) => {
      const peers = direction === 'in' ? sendersOf(estate, one, host) : receiversOf(estate, one, host);
      if (!peers.some((p) => p.name === peer.name)) return [];
      const receiver = direction === 'in' ? host : peer.host;
      return receiver === undefined ? [] : flowPorts(estate, one, receiver);
    }),
  );
}

function toEvidence(context: HostContext, found: StoppedFlow, stopped: readonly StoppedPeer[]): Evidence {
  const { host, estate } = context;
  const { flow, direction } = found;
  const [blocker] = found.blockers;
  const file = context.input.files[0];
  const names = stopped.map((s) => s.peer?.name ?? 'any address');
  const samePorts = new Set(stopped.map((s) => describePorts(s.ports).join())).size === 1;
  return evidence({
    host: host.name,
    hook: direction === 'in' ? 'input' : 'output',
    origin:
      blocker === undefined
        ? file === undefined
          ? null
          : fileOrigin(file)
        : blocker.rule === undefined
          ? chainOrigin(blocker.table, blocker.chain)
          : ruleOrigin(blocker.table, blocker.chain, blocker.rule),
    facts: {
      host: host.name,
      direction,
      flow: flow.id,
      service: describeService([flow.protocol], missingPorts(stopped)),
      peers: samePorts
        ? listed(names)
        : listed(stopped.map((s, i) => `${names[i]} (${describePorts(s.ports).join(', ')})`)),
      by: blocker === undefined ? 'the rule set' : placeText(blocker.rule, blocker.chain),
      profile: estate.profile.id,
      other: estate.profile.comparedWith?.id ?? '',
      where: flow.where,
      confidence: flow.confidence ?? 'not stated',
      note: flow.note?.replace(/\s+/g, ' ') ?? '',
    },
    extent: stoppedExtent(flow, stopped),
    meaning: [flow.id, direction],
  });
}
