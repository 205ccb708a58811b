import type { FindingOrigin, RelatedOrigin } from '../../finding/index.ts';
import type { ResolvedHost } from '../../inventory/index.ts';
import type { Chain, Rule, Table } from '../../model/index.ts';
import {
  formatAddressInterval,
  type Interval,
  intersectIntervals,
  normalizeIntervals,
  subtractIntervals,
} from '../../net/index.ts';
import { describePorts } from '../../packet-set/index.ts';
import { type Advice, NO_ADVICE } from '../change.ts';
import { describeService, describeWitness, listed } from '../describe.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import { holderOfChain } from '../firewalld-command.ts';
import type { HostContext } from '../host-context.ts';
import { type Addition, type AdditionPlan, planAdditions } from '../path-addition.ts';
import { defaultServiceRange, gatewaysBetween, rangesOfVersion } from '../peers.ts';
import { insertAccept, writerOf } from '../remediation.ts';
import {
  judgedFlows,
  missingPorts,
  type PathDirection,
  packetsOfOthers,
  pathOf,
  type StoppedFlow,
  type StoppedPeer,
} from '../required-path.ts';
import { stoppedExtent } from '../stopped-extent.ts';
import type { Evaluator } from './evaluator.ts';

/** A pair of hosts that a required flow leads between. `receiver`: the far end, where the judged host is a gateway. */
interface SeenPair {
  readonly flow: string;
  readonly direction: PathDirection;
  readonly peer: string;
  readonly receiver: string | undefined;
}

/** What one host shows of required paths. */
interface SeenHost {
  readonly host: string;
  /** Whether each path that was asked for is open, by `keyOf`. */
  readonly isOpen: ReadonlyMap<string, boolean>;
  readonly drafts: readonly { readonly evidence: Evidence; readonly pairs: readonly SeenPair[] }[];
}

/**
 * Required flows that a host stops: `missing-required-path`. Found host by host; what the other end of each path does is told when all
 * hosts are judged.
 */
export const requiredPath: Evaluator = {
  scope: 'run',
  observe: seenOf,
  *run(context) {
    // What `observe` gave.
    const hosts = context.observed as readonly SeenHost[];
    const byName = new Map(hosts.map((seen) => [seen.host, seen]));
    const hostOf = new Map(context.estate.hosts.map((h) => [h.name, h]));
    for (const { host, drafts } of hosts) {
      for (const { evidence: draft, pairs } of drafts)
        yield { ...draft, facts: { ...draft.facts, otherend: otherSides(hostOf, byName, host, pairs) } };
    }
  },
};

/** Replies that the host stops although the first packet gets through: `missing-return-path`. */
export const returnPath: Evaluator = {
  scope: 'host',
  *run(context) {
    for (const flow of judgedFlows(context).stopped)
      if (flow.reply || flow.later) yield toEvidence(context, flow);
  },
};

function seenOf(context: HostContext): SeenHost {
  const { stopped, asked } = judgedFlows(context);
  const requests = stopped.filter((f) => !f.reply && !f.later);
  const isOpen = new Map<string, boolean>();
  for (const { flow, direction, pair } of asked)
    isOpen.set(
      keyOf({ flow: flow.id, direction, peer: pair.peer?.name ?? '', receiver: pair.receiver?.name }),
      true,
    );
  const drafts = requests.map((found) => {
    const pairs = found.stopped.map(
      ({ peer, receiver }): SeenPair => ({
        flow: found.flow.id,
        direction: found.direction,
        peer: peer?.name ?? '',
        receiver: receiver?.name,
      }),
    );
    if (!found.spare) for (const pair of pairs) isOpen.set(keyOf(pair), false);
    return { evidence: toEvidence(context, found), pairs };
  });
  return { host: context.host.name, isOpen, drafts };
}

function keyOf({ flow, direction, peer, receiver }: SeenPair): string {
  return [flow, direction, peer, receiver ?? ''].join('\n');
}

/** What the other places on the way of stopped paths do: the other end, and gateways. One sentence each, or nothing. */
function otherSides(
  hostOf: ReadonlyMap<string, ResolvedHost>,
  seen: ReadonlyMap<string, SeenHost>,
  host: string,
  pairs: readonly SeenPair[],
): string {
  const states = new Map<string, 'open' | 'closed' | 'unseen'>();
  const note = (name: string, wanted: SeenPair): void => {
    if (name === host || !hostOf.has(name)) return;
    const open = seen.get(name)?.isOpen.get(keyOf(wanted));
    const state = open === undefined ? 'unseen' : open ? 'open' : 'closed';
    // Of several paths to one host, one that is closed there counts.
    if (states.get(name) !== 'closed') states.set(name, state);
  };
  for (const { flow, direction, peer, receiver } of pairs) {
    const [from, to] = direction === 'out' ? [host, peer] : [peer, receiver ?? host];
    if (direction !== 'out') note(from, { flow, direction: 'out', peer: to, receiver: undefined });
    if (direction !== 'in') note(to, { flow, direction: 'in', peer: from, receiver: undefined });
    for (const gateway of gatewaysBetween(hostOf.get(from), hostOf.get(to)))
      note(gateway, { flow, direction: 'through', peer: from, receiver: to });
  }
  const named = (wanted: string) => [...states].filter(([, state]) => state === wanted).map(([name]) => name);
  const [open, closed, unseen] = [named('open'), named('closed'), named('unseen')];
  return [
    open.length === 0 ? '' : ` ${listed(open)} ${open.length === 1 ? 'lets' : 'let'} it pass.`,
    closed.length === 0 ? '' : ` ${listed(closed)} ${closed.length === 1 ? 'stops' : 'stop'} it too.`,
    unseen.length === 0 ? '' : ` Not shown, for want of an export: ${listed(unseen)}.`,
  ].join('');
}

function toEvidence(context: HostContext, found: StoppedFlow): Evidence {
  const { host } = context;
  const { flow, direction, stopped, blockers } = found;
  const hook = pathOf(found);
  const begins = !found.reply && !found.later;
  const plan = !begins ? undefined : planAdditions(context, found);
  const [blocker, ...others] = blockers;
  const [place, ...places] = blockers.map(originOf);
  const file = context.input.files[0];
  const openers = !begins ? [] : openersOf(context, found);
  const stale = !begins || direction !== 'in' ? [] : staleSources(context, found);
  const names = stopped.map(nameOf);
  const samePorts = new Set(stopped.map((s) => describePorts(s.ports).join())).size === 1;
  const further = plan?.further ?? [];
  return evidence({
    host: host.name,
    hook,
    origin: place ?? (file === undefined ? null : fileOrigin(file)),
    related: [
      ...places.slice(0, 5).map((origin) => ({ origin, label: 'also stops some of these packets' })),
      ...further.map((b) => ({ origin: originOf(b), label: 'would stop these packets next' })),
      ...openers.map(({ related }) => related),
      ...stale.map(({ related }) => related),
    ],
    facts: {
      host: host.name,
      direction,
      flow: flow.id,
      spare: found.spare,
      service: `${describeService([flow.protocol], missingPorts(stopped))}${flow.anyPort ? ' (one of them is enough)' : ''}`,
      peers: samePorts
        ? listed(names)
        : listed(stopped.map((s, i) => `${names[i]} (${describePorts(s.ports).join(', ')})`)),
      count: `${stopped.length} of ${found.pairs.length}`,
      by: blocker === undefined ? 'the rule set' : placeText(blocker.rule, blocker.chain),
      others: others.length === 0 ? '' : ` and ${others.length} more`,
      next:
        further.length === 0 ? '' : `; behind it ${listed(further.map((b) => placeText(b.rule, b.chain)))}`,
      version: `IPv${stopped[0]?.version ?? 4}`,
      addresses: openers.map(({ sentence }) => sentence).join(''),
      stale: stale.map(({ sentence }) => sentence).join(''),
      range: !begins ? '' : rangeNote(context, found),
      change: plan === undefined ? '' : changeText(plan),
      where: flow.where,
      side: hook,
      packets: found.later ? 'later packets' : 'answers',
      untracked: found.untracked
        ? `; a rule exempts the connection's other packets from connection tracking (NOTRACK), so these are not in state ESTABLISHED: exempt both directions or none`
        : '',
    },
    certainty: found.certain ? 'certain' : 'possible',
    unknowns: found.unknowns,
    witness: found.witness === undefined ? null : describeWitness(hook, found.witness, context.mentioned),
    ...(plan === undefined ? NO_ADVICE : adviceFor(found, plan)),
    extent: stoppedExtent(flow, stopped),
    meaning: [
      flow.id,
      direction,
      ...(found.later ? ['later'] : []),
      ...(found.spare ? [`IPv${stopped[0]?.version ?? 4}`] : []),
    ],
  });
}

function originOf({
  table,
  chain,
  rule,
}: {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
}): FindingOrigin {
  return rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule);
}

/** `sn-01`, `192.0.2.21 of sn-01` where other addresses get through, `client-01 to nw-server` at a gateway. */
function nameOf({ peer, receiver, closed, open, version }: StoppedPeer): string {
  if (peer === undefined) return 'any address';
  const isPart = peer.host !== undefined && open.length > 0 && closed.length > 0;
  const name = isPart ? `${addressText(version, closed)} of ${peer.name}` : peer.name;
  return receiver === undefined ? name : `${name} to ${receiver.name}`;
}

function addressText(version: StoppedPeer['version'], ranges: readonly Interval[]): string {
  return listed(ranges.map((range) => formatAddressInterval(version, range)));
}

/** A sentence for the message, and the place it speaks of. */
interface Remark {
  readonly sentence: string;
  readonly related: RelatedOrigin;
}

/** Of peers with several addresses of which some get through: where those are let in. */
function openersOf(context: HostContext, found: StoppedFlow): Remark[] {
  const { space } = context.space;
  const remarks: Remark[] = [];
  for (const stopped of found.stopped) {
    const { peer, version, closed, open } = stopped;
    if (peer?.host === undefined || open.length === 0 || closed.length === 0) continue;
    const packets = packetsOfOthers(context, found, stopped);
    const analysis = context.path(pathOf(found), version);
    // Of the chains that a packet passes, the one that stops the other addresses is the one that tells.
    const stopping = found.blockers[0]?.base;
    const run = analysis.runs.findIndex(({ chain }) => chain === stopping);
    const opener = (context.decisions(analysis)[run] ?? []).find(
      ({ verdict, set }) => verdict === 'accept' && space.intersects(set, packets),
    );
    if (opener === undefined) continue;
    const what = `${addressText(version, open)} of ${peer.name}`;
    remarks.push({
      sentence: ` ${what} passes by ${placeText(opener.rule, opener.chain)}.`,
      related: { origin: originOf(opener), label: `lets ${what} pass` },
    });
  }
  return remarks.slice(0, 3);
}

/** More addresses than this in a rule are a network, not somebody's old address. */
const MOST_STALE = 8n;

/**
 * Addresses of nobody known that are let in on the ports that a declared peer misses: perhaps the address it had before. Networks are
 * none, nor are addresses of hosts, role networks, admin networks and exceptions.
 */
function staleSources(context: HostContext, found: StoppedFlow): Remark[] {
  const wanted = missingPorts(found.stopped);
  const { inventory, hosts } = context.estate;
  const known = [
    ...hosts.flatMap((h) => h.addresses),
    ...(inventory?.adminNetworks ?? []),
    ...[...(inventory?.roleNetworks.values() ?? [])].flat(),
  ];
  const peers = found.stopped.flatMap(({ peer }) => (peer?.host === undefined ? [] : [peer.name]));
  if (peers.length === 0) return [];
  const remarks: Remark[] = [];
  for (const { table, chain, rule, ports, sources, acceptedBy } of inputExposures(context)) {
    if (table === undefined || chain === undefined || rule === undefined || acceptedBy !== undefined)
      continue;
    if (intersectIntervals(ports, wanted).length === 0) continue;
    const strangers = [...sources].flatMap(([version, list]) => {
      const unknown = subtractIntervals(list, rangesOfVersion(known, version));
      const count = unknown.reduce((n, { lo, hi }) => n + hi - lo + 1n, 0n);
      return count === 0n || count > MOST_STALE ? [] : [addressText(version, unknown)];
    });
    if (strangers.length === 0) continue;
    const who = strangers.join(' and ');
    remarks.push({
      sentence:
        ` ${placeText(rule, chain)} lets in ${who}, which belongs to no host, network or exception: has ${peers.length === 1 ? peers[0] : `one of ${listed(peers)}`} moved?`.replace(
          /^ t/,
          ' T',
        ),
      related: {
        origin: ruleOrigin(table, chain, rule),
        label: `lets in ${who}, which belongs to nobody known`,
      },
    });
  }
  return remarks.slice(0, 2);
}

/** Where the service range in question comes from, if only a part of it is closed: the range may be what is wrong. */
function rangeNote(context: HostContext, { flow, direction, stopped, pairs }: StoppedFlow): string {
  const { estate, host } = context;
  if (!flow.ports.some((term) => term.kind === 'service-range')) return '';
  const isPart = stopped.some((s) => {
    const pair = pairs.find((p) => p.peer === s.peer && p.receiver === s.receiver);
    return subtractIntervals(pair?.ports ?? [], normalizeIntervals(s.ports)).length > 0;
  });
  if (!isPart) return '';
  const receivers =
    direction === 'in'
      ? [host]
      : stopped.flatMap((s) => (direction === 'out' ? s.peer : s.receiver)?.host ?? []);
  const assumed = [...new Set(receivers)].filter((r) => r.servicePorts === undefined).map((r) => r.name);
  if (assumed.length === 0) return '';
  const [range] = describePorts(defaultServiceRange(estate));
  return ` That ${listed(assumed)} ${assumed.length === 1 ? 'listens' : 'listen'} on ${range} is assumed: output of nsrports among the exports, or service_ports, says what is right.`;
}

const PROOFS: Readonly<Record<AdditionPlan['outcome'], string>> = {
  opens: ' Tried on the exported rule set: the path opens, and nothing else does.',
  'opens-more':
    ' Tried on the exported rule set: the path opens, and other packets get through too. Narrow the rules before you use them.',
  'stays-closed':
    ' Tried on the exported rule set: the path is not open yet with it; something else stops it.',
  untried: '',
};

/** Where the rules have to stand, and what they do. */
function changeText(plan: AdditionPlan): string {
  const places = plan.additions.map(standText);
  const all =
    places.length <= 1
      ? places.join('')
      : `${places.slice(0, -1).join('; ')}; and ${places[places.length - 1]}`;
  return ` The rules stand ${all}.${PROOFS[plan.outcome]}`;
}

function standText({ table, chain, before }: Addition): string {
  const where = `chain ${chain.name} of table ${table.family} ${table.name}`;
  if (writerOf(table) === 'firewalld') {
    const holder = before?.configured?.holder ?? holderOfChain(table, chain.name);
    return holder === undefined
      ? `where ${where} gets its packets from`
      : `in the ${holder.kind} ${holder.name}, as rich rules`;
  }
  if (before === undefined) return `at the end of ${where}`;
  const number =
    before.handle === undefined
      ? before.number === undefined
        ? ''
        : ` ${before.number}`
      : ` with handle ${before.handle}`;
  const { file, line, path } = before.origin;
  return `in ${where} before rule${number} (${file}:${path ?? line})`;
}

/** The commands of all additions, one after the other. */
function adviceFor({ direction }: StoppedFlow, { additions }: AdditionPlan): Advice {
  const advices = additions.map(({ table, chain, before, needed }) =>
    insertAccept(table, chain, before, direction === 'out' ? 'out' : 'in', needed),
  );
  const notes = [...new Set(advices.flatMap(({ note }) => note ?? []))];
  return {
    commands: advices.flatMap(({ commands }) => commands),
    ...(notes.length === 0 ? {} : { note: notes.join(' ') }),
  };
}
