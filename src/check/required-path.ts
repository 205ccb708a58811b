/**
 * Required flows that a host's rule set does not let through, and replies of flows that it does.
 *
 * A path belongs to the host whose rule set stops it: the receiver's input side, the sender's output side. Decided on packet
 * sets for every pair of hosts and every port.
 */
import { type Chain, CT_STATE, type Rule, type Table, TCP_FLAG } from '../model/index.ts';
import {
  type Interval,
  type IpVersion,
  interval,
  normalizeIntervals,
  single,
  subtractIntervals,
} from '../net/index.ts';
import type { Header, PacketSet } from '../packet-set/index.ts';
import { ADMIN_NETWORKS, type Flow } from '../rulepack/index.ts';
import { type Environment, fieldBits, type PathAnalysis } from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import {
  defaultServiceRange,
  flowPorts,
  flowsFrom,
  flowsTo,
  type Peer,
  possibleSources,
  rangesOfVersion,
  receiversOf,
  sendersKnown,
  sendersOf,
  serviceRangeOf,
} from './peers.ts';

/** Ports a client's operating system gives to the initiating side: what every current system's default range has in common. */
const EPHEMERAL: Interval = interval(49152, 60999);

/** One end of a pair whose path is not open. */
export interface StoppedPeer {
  readonly peer: Peer | undefined;
  readonly version: IpVersion;
  readonly ports: readonly Interval[];
}

/** A required flow that a host stops, wholly or in part. */
export interface StoppedFlow {
  readonly flow: Flow;
  readonly direction: 'in' | 'out';
  /** The reply direction of a flow whose first packet gets through. */
  readonly reply: boolean;
  readonly certain: boolean;
  readonly unknowns: readonly string[];
  readonly stopped: readonly StoppedPeer[];
  /** Number of peers the flow has, those it works for included. */
  readonly peers: number;
  /** Rules and policies that stop the packets, the one that stops most first. */
  readonly blockers: readonly {
    readonly table: Table;
    readonly chain: Chain;
    readonly rule: Rule | undefined;
  }[];
  readonly witness: Header | undefined;
}

/** Both directions of all required flows of a host; computed once. */
export function stoppedFlows(context: HostContext): readonly StoppedFlow[] {
  return context.once('stopped flows', () => {
    const { estate, host } = context;
    const out: StoppedFlow[] = [];
    const isRequired = (flow: Flow) => flow.need === 'required';
    for (const flow of flowsTo(estate, host).filter(isRequired)) {
      const peers = sendersOf(estate, flow, host);
      out.push(...judgeFlow(context, flow, 'in', peers, sendersKnown(estate, flow, host)));
    }
    for (const flow of flowsFrom(estate, host).filter(isRequired)) {
      const peers = receiversOf(estate, flow, host);
      if (peers.length > 0) out.push(...judgeFlow(context, flow, 'out', peers, true));
    }
    return out;
  });
}

/** One pair of this host and a peer, or of this host and somebody unknown. */
interface Pair {
  readonly peer: Peer | undefined;
  readonly ports: readonly Interval[];
}

function judgeFlow(
  context: HostContext,
  flow: Flow,
  direction: 'in' | 'out',
  peers: readonly Peer[],
  peersKnown: boolean,
): StoppedFlow[] {
  const { estate, host } = context;
  const portsAt = (peer: Peer | undefined): Interval[] => {
    if (direction === 'in') return flowPorts(estate, flow, host);
    if (peer?.host !== undefined) return flowPorts(estate, flow, peer.host);
    // A network of hosts that are not listed: each has at most the default range.
    return normalizeIntervals(
      flow.ports.flatMap((t) =>
        t.kind === 'ports'
          ? [t.range]
          : serviceRangeOf(estate, { ...host, servicePorts: defaultServiceRange(estate), roles: [] }),
      ),
    );
  };
  const addressed = peers.filter((p) => p.ranges.length > 0);
  const admin = flow.from.includes(ADMIN_NETWORKS);
  const pairs: Pair[] = addressed.map((peer) => ({ peer, ports: portsAt(peer) }));
  // Nobody known by address: some source from outside has to get through. Admin access is asked for only where known.
  if (pairs.length === 0) {
    if (admin || direction === 'out' || peersKnown) return [];
    pairs.push({ peer: undefined, ports: portsAt(undefined) });
  }
  const request = judgePairs(context, flow, direction, pairs, false);
  const reply = judgePairs(context, flow, direction, pairs, true, request);
  return [request, reply].filter((f) => f !== undefined);
}

function judgePairs(
  context: HostContext,
  flow: Flow,
  direction: 'in' | 'out',
  pairs: readonly Pair[],
  reply: boolean,
  request?: StoppedFlow,
): StoppedFlow | undefined {
  const certainly: StoppedPeer[] = [];
  const possibly: StoppedPeer[] = [];
  const missing: { version: IpVersion; set: PacketSet }[] = [];
  const unknowns = new Set<string>();
  for (const pair of pairs) {
    if (reply && request?.stopped.some((s) => s.peer === pair.peer)) continue;
    const outcome = judgePair(context, flow, direction, pair, reply);
    if (outcome === undefined || isEnough(flow, pair, outcome)) continue;
    if (outcome.certain.length > 0)
      certainly.push({ peer: pair.peer, version: outcome.version, ports: outcome.certain });
    else if (outcome.possible.length > 0) {
      possibly.push({ peer: pair.peer, version: outcome.version, ports: outcome.possible });
      for (const text of outcome.unknowns) unknowns.add(text);
    } else continue;
    missing.push({ version: outcome.version, set: outcome.missing });
  }
  const certain = certainly.length > 0;
  const stopped = certain ? certainly : possibly;
  if (stopped.length === 0) return undefined;
  const path = pathOf(direction, reply);
  return {
    flow,
    direction,
    reply,
    certain,
    unknowns: certain ? [] : [...unknowns].sort(),
    stopped,
    peers: pairs.length,
    blockers: blockersOf(context, path, missing),
    witness: witnessOf(context, missing),
  };
}

/** Whether ports that get through will do although others do not: for a service that listens on one port or the other. */
function isEnough(flow: Flow, { ports }: Pair, { certain, possible }: PairOutcome): boolean {
  return flow.anyPort && subtractIntervals(ports, [...certain, ...possible]).length > 0;
}

/** The way packets of a flow take through this host: replies come in where requests go out. */
function pathOf(direction: 'in' | 'out', reply: boolean): 'input' | 'output' {
  return (direction === 'in') !== reply ? 'input' : 'output';
}

interface PairOutcome {
  readonly version: IpVersion;
  /** Ports that surely do not get through, and ports that may not. */
  readonly certain: readonly Interval[];
  readonly possible: readonly Interval[];
  readonly unknowns: readonly string[];
  readonly missing: PacketSet;
}

/**
 * Whether a pair's packets get through over the IP version they share. A pair with addresses of both versions needs one
 * that works whole; `undefined` when no rules of a shared version were exported.
 */
function judgePair(
  context: HostContext,
  flow: Flow,
  direction: 'in' | 'out',
  pair: Pair,
  reply: boolean,
): PairOutcome | undefined {
  let worst: PairOutcome | undefined;
  for (const version of context.versions) {
    const own = rangesOfVersion(context.host.addresses, version);
    const theirs =
      pair.peer === undefined
        ? possibleSources(context.host, version)
        : rangesOfVersion(pair.peer.ranges, version);
    if (theirs.length === 0 || (own.length === 0 && context.host.addresses.length > 0)) continue;
    const outcome = judgeVersion(context, flow, direction, pair, reply, version, own, theirs);
    if (outcome.certain.length === 0 && outcome.possible.length === 0) return outcome;
    worst ??= outcome;
  }
  return worst;
}

function judgeVersion(
  context: HostContext,
  flow: Flow,
  direction: 'in' | 'out',
  pair: Pair,
  reply: boolean,
  version: IpVersion,
  own: readonly Interval[],
  theirs: readonly Interval[],
): PairOutcome {
  const { space } = context.space;
  const path = pathOf(direction, reply);
  const analysis = context.path(path, version);
  const address = (field: 'saddr' | 'daddr', ranges: readonly Interval[]) =>
    ranges.length === 0
      ? space.full
      : space.inIntervals(space.bits(field).slice(0, version === 4 ? 32 : 128), ranges);
  const side = path === 'input' ? 'iif' : 'oif';
  const servicePort = reply ? 'sport' : 'dport';
  const wanted = space.intersectAll([
    space.version(version),
    address('saddr', path === 'input' ? theirs : own),
    address('daddr', path === 'input' ? own : theirs),
    space.inIntervals(space.bits('protocol'), [single(flow.protocol)]),
    space.inIntervals(space.bits(servicePort), pair.ports),
    space.inIntervals(space.bits(reply ? 'dport' : 'sport'), [EPHEMERAL]),
    space.inIntervals(
      space.bits('tcp-flags'),
      reply ? [single(TCP_FLAG.ack), single(TCP_FLAG.syn | TCP_FLAG.ack)] : [single(TCP_FLAG.syn)],
    ),
    space.inIntervals(space.bits('ct-state'), [single(reply ? CT_STATE.established : CT_STATE.new)]),
    space.inIntervals(space.bits('mark'), [single(0)]),
    space.inIntervals(space.bits('ct-mark'), [single(0)]),
    space.minus(space.interfaceValid(side), space.interfaceIn(space.interfaceBits(side), 'lo', false)),
  ]);
  // Some interface, and whatever else the export does not tell about the packet, has to let it through; rate limits
  // and other varying predicates do so at times. What is asked of every packet: addresses, ports, flags.
  // One of the host's own addresses has to do, but every address of a peer host counts; of the admin networks, somebody.
  const theirSide = path === 'input' ? 'saddr' : 'daddr';
  const everyone = pair.peer !== undefined && !flow.from.includes(ADMIN_NETWORKS);
  const free = space.variablesExcept({
    version: true,
    fields: [
      ...(everyone ? ([theirSide] as const) : []),
      'dport',
      'sport',
      'protocol',
      'tcp-flags',
      'ct-state',
    ],
    keys: context.space.deterministicKeys(),
  });
  const through = space.exists(space.intersect(arrivingAsSent(context, analysis), wanted), free);
  const asked = space.exists(wanted, free);
  const deterministic = space.variables({ keys: context.space.deterministicKeys() });
  const surelyOpen = space.forall(through, deterministic);
  const maybeOpen = space.exists(through, deterministic);
  const certainMissing = space.minus(asked, maybeOpen);
  const possibleMissing = space.minus(asked, surelyOpen);
  const missing = space.isEmpty(certainMissing) ? possibleMissing : certainMissing;
  return {
    version,
    certain: space.values(certainMissing, servicePort, version),
    possible: space.values(possibleMissing, servicePort, version),
    unknowns: context.space.unknownsOf(through),
    missing: space.intersect(missing, wanted),
  };
}

/** Accepted packets that NAT of this host does not send to another port or host than they were meant for. */
function arrivingAsSent(context: HostContext, analysis: PathAnalysis): PacketSet {
  const { space } = context.space;
  const { version } = analysis;
  const own = rangesOfVersion(context.host.addresses, version);
  const parts = [...analysis.accepted.values()].map(({ environment, set }) => {
    let kept = space.intersect(set, sameValue(context, environment, 'dport', version));
    // REDIRECT and DNAT to an own address stay on the host; where its addresses are not declared, nothing can be said.
    if (environment.note('redirected') === undefined && (analysis.path === 'output' || own.length > 0)) {
      const there = fieldBits(context.space, environment, 'daddr', version);
      const local = analysis.path === 'input' ? space.inIntervals(there, own) : space.empty;
      kept = space.intersect(kept, space.union(local, sameValue(context, environment, 'daddr', version)));
    }
    return kept;
  });
  return space.unionAll(parts);
}

/** Packets whose field has its arriving value at the end of the way. */
function sameValue(
  context: HostContext,
  environment: Environment,
  field: 'daddr' | 'dport',
  version: IpVersion,
): PacketSet {
  const { space } = context.space;
  if (environment.bits(field) === undefined) return space.full;
  const own = space.bits(field);
  return space.intersectAll(
    fieldBits(context.space, environment, field, version).map((bit, i) =>
      space.complement(space.symmetricDifference(bit, own[i]!)),
    ),
  );
}

/** Rules and policies that stop packets of the sets, the one that stops most first. */
function blockersOf(
  context: HostContext,
  path: 'input' | 'output',
  missing: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
): StoppedFlow['blockers'] {
  const { space } = context.space;
  const found = new Map<string, { place: StoppedFlow['blockers'][number]; size: bigint }>();
  for (const { version, set } of missing) {
    const analysis = context.path(path, version);
    for (const decision of context.decisions(analysis).flat()) {
      // A translation that takes a packet elsewhere stops it as well.
      if (decision.verdict === 'accept' && decision.rule?.verdict.kind !== 'nat') continue;
      const stopped = space.intersect(decision.set, set);
      if (space.isEmpty(stopped)) continue;
      const { table, chain, rule } = decision;
      const { origin } = rule ?? chain;
      const key = `${origin.file}:${origin.line}:${origin.column} ${rule === undefined}`;
      const size = space.count(stopped, ['saddr', 'daddr', 'dport'], version);
      const known = found.get(key);
      found.set(key, { place: { table, chain, rule }, size: size + (known?.size ?? 0n) });
    }
  }
  return [...found.values()]
    .sort((a, b) => (a.size > b.size ? -1 : a.size < b.size ? 1 : 0))
    .map((f) => f.place);
}

function witnessOf(
  context: HostContext,
  missing: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
): Header | undefined {
  const first = missing[0];
  return first === undefined ? undefined : context.space.space.sample(first.set);
}

/** Missing ports of several peers together. */
export function missingPorts(stopped: readonly StoppedPeer[]): Interval[] {
  return normalizeIntervals(stopped.flatMap((s) => s.ports));
}

/** Ports of the flow that are open for everybody. */
export function openPorts(all: readonly Interval[], stopped: readonly StoppedPeer[]): Interval[] {
  return subtractIntervals(all, missingPorts(stopped));
}
