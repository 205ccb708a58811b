import type { Rule } from '../../model/index.ts';
import { describePorts } from '../../packet-set/index.ts';
import { type Advice, type KeptAccess, NO_ADVICE } from '../change.ts';
import { describeService, describeWitness, listed } from '../describe.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import { insertAccept } from '../remediation.ts';
import { missingPorts, type StoppedFlow, stoppedFlows } from '../required-path.ts';
import type { Evaluator } from './evaluator.ts';

/** Required flows that the host stops: `missing-required-path`. */
export const requiredPath: Evaluator = {
  scope: 'host',
  *run(context) {
    for (const flow of stoppedFlows(context)) if (!flow.reply) yield toEvidence(context, flow);
  },
};

/** Replies that the host stops although the first packet gets through: `missing-return-path`. */
export const returnPath: Evaluator = {
  scope: 'host',
  *run(context) {
    for (const flow of stoppedFlows(context)) if (flow.reply) yield toEvidence(context, flow);
  },
};

function toEvidence(context: HostContext, found: StoppedFlow): Evidence {
  const { host } = context;
  const { flow, direction, stopped, blockers } = found;
  const incoming = (direction === 'in') !== found.reply;
  const [blocker, ...others] = blockers;
  const places = blockers.map((b) =>
    b.rule === undefined ? chainOrigin(b.table, b.chain) : ruleOrigin(b.table, b.chain, b.rule),
  );
  const file = context.input.files[0];
  const peers = stopped.map(({ peer, ports }) => {
    const name = peer?.name ?? 'anybody outside';
    return `${name} (${describePorts(ports).join(', ')})`;
  });
  const samePorts = new Set(stopped.map((s) => describePorts(s.ports).join())).size === 1;
  const names = stopped.map((s) => s.peer?.name ?? 'any address');
  return evidence({
    host: host.name,
    hook: incoming ? 'input' : 'output',
    origin: places[0] ?? (file === undefined ? null : fileOrigin(file)),
    related: places.slice(1, 6).map((origin) => ({ origin, label: 'also stops some of these packets' })),
    facts: {
      host: host.name,
      direction,
      flow: flow.id,
      service: describeService([flow.protocol], missingPorts(stopped)),
      peers: samePorts ? listed(names) : listed(peers),
      count: `${stopped.length} of ${found.peers}`,
      by: blocker === undefined ? 'the rule set' : placeText(blocker.rule, blocker.chain),
      others: others.length === 0 ? '' : ` and ${others.length} more`,
      where: flow.where,
      side: incoming ? 'input' : 'output',
    },
    certainty: found.certain ? 'certain' : 'possible',
    unknowns: found.unknowns,
    witness:
      found.witness === undefined
        ? null
        : describeWitness(incoming ? 'input' : 'output', found.witness, context.mentioned),
    ...(found.reply ? NO_ADVICE : adviceFor(found)),
    meaning: [flow.id, direction],
  });
}

function adviceFor(found: StoppedFlow): Advice {
  const [blocker] = found.blockers;
  // Nothing is added before a translation: it is the translation that has to go.
  if (blocker === undefined || blocker.rule?.verdict.kind === 'nat') return NO_ADVICE;
  const needed: KeptAccess[] = found.stopped.flatMap(({ peer, ports, version }) =>
    (peer?.ranges ?? [])
      .filter((r) => r.version === version)
      .map((r) => ({ version, saddr: r.range, protocol: found.flow.protocol, ports })),
  );
  return insertAccept(blocker.table, blocker.chain, firstBlocker(found), found.direction, needed);
}

/** The first rule of the chain that stops packets of the flow: what stands before it is not stopped by a later one. */
function firstBlocker({ blockers }: StoppedFlow): Rule | undefined {
  const chain = blockers[0]?.chain;
  const rules = new Set(blockers.filter((b) => b.chain === chain).map((b) => b.rule));
  return chain?.rules.find((rule) => rules.has(rule));
}
