/**
 * Required flows that a host's rule set does not let through, and replies of flows that it does.
 *
 * A path belongs to the host whose rule set stops it: the receiver's input side, the sender's output side, the forward side of a gateway
 * between them. Decided on packet sets for every pair of hosts and every port.
 */
import { type Chain, CT_STATE, type PacketHook, type Rule, type Table, TCP_FLAG } from '../model/index.ts';
import {
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  normalizeIntervals,
  single,
  subtractIntervals,
  TCP,
} from '../net/index.ts';
import type { Header, PacketSet } from '../packet-set/index.ts';
import { ADMIN_NETWORKS, type Flow } from '../rulepack/index.ts';
import { type Environment, fieldBits, type PathAnalysis } from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import {
  type Crossing,
  crossingsOf,
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
export const EPHEMERAL: Interval = interval(49152, 60999);

/** Whether a path ends at the host, begins there, or passes through it. */
export type PathDirection = 'in' | 'out' | 'through';

/** One end of a pair whose path is not open. */
export interface StoppedPeer {
  /** Who is at the other end; at a gateway, the sender. `undefined`: nobody known by address. */
  readonly peer: Peer | undefined;
  /** At a gateway: who is at the far end. */
  readonly receiver: Peer | undefined;
  readonly version: IpVersion;
  readonly ports: readonly Interval[];
  /** Addresses of `peer` that do not get through on some of the ports, and those that do on all of them. */
  readonly closed: readonly Interval[];
  readonly open: readonly Interval[];
}

/** A rule or policy in its place. */
export interface Blocker {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
  /** The base chain from which the packets came there. */
  readonly base: Chain;
}

/** A required flow that a host stops, wholly or in part. */
export interface StoppedFlow {
  readonly flow: Flow;
  readonly direction: PathDirection;
  /** The reply direction of a flow whose first packet gets through. */
  readonly reply: boolean;
  /** What the side that began sends after its first packet; judged where that one and the replies get through. */
  readonly later: boolean;
  /** The path is open over the other IP version; only this one is closed. */
  readonly spare: boolean;
  readonly certain: boolean;
  readonly unknowns: readonly string[];
  readonly stopped: readonly StoppedPeer[];
  /** All pairs of the flow, those it works for included. */
  readonly pairs: readonly Pair[];
  /** Rules and policies that stop the packets, the one that stops most first. */
  readonly blockers: readonly Blocker[];
  /** These packets belong to no connection, since a rule exempts those of the other direction from connection tracking. */
  readonly untracked: boolean;
  readonly witness: Header | undefined;
}

/** What became of all required flows of a host. */
export interface JudgedFlows {
  readonly stopped: readonly StoppedFlow[];
  /** Everything that was asked, open or not, requests only. */
  readonly asked: readonly { readonly flow: Flow; readonly direction: PathDirection; readonly pair: Pair }[];
}

/** All required flows that end or begin at a host or pass through it; computed once. */
export function judgedFlows(context: HostContext): JudgedFlows {
  return context.once('judged flows', () => {
    const { estate, host } = context;
    const stopped: StoppedFlow[] = [];
    const asked: JudgedFlows['asked'][number][] = [];
    const judge = (flow: Flow, direction: PathDirection, pairs: readonly Pair[]): void => {
      if (pairs.length === 0) return;
      stopped.push(...judgeFlow(context, flow, direction, pairs));
      for (const pair of pairs) asked.push({ flow, direction, pair });
    };
    const isRequired = (flow: Flow) => flow.need === 'required';
    for (const flow of flowsTo(estate, host).filter(isRequired)) judge(flow, 'in', pairsInto(context, flow));
    for (const flow of flowsFrom(estate, host).filter(isRequired))
      judge(flow, 'out', pairsOutOf(context, flow));
    for (const flow of estate.profile.flows.filter(isRequired))
      judge(
        flow,
        'through',
        crossingsOf(estate, flow, host).map((c) => pairAcross(context, flow, c)),
      );
    return { stopped, asked };
  });
}

/** Two ends of a flow, one of which may be the judged host or somebody unknown. */
export interface Pair {
  /** Who is at the other end; at a gateway, the sender. */
  readonly peer: Peer | undefined;
  /** At a gateway: who is at the far end. */
  readonly receiver: Peer | undefined;
  /** Destination ports of the flow. */
  readonly ports: readonly Interval[];
}

function pairsInto(context: HostContext, flow: Flow): Pair[] {
  const { estate, host } = context;
  const ports = flowPorts(estate, flow, host);
  const pairs: Pair[] = addressed(sendersOf(estate, flow, host)).map((peer) => ({
    peer,
    receiver: undefined,
    ports,
  }));
  if (pairs.length > 0) return pairs;
  // Nobody known by address: some source from outside has to get through. Admin access is asked for only where known.
  if (flow.from.includes(ADMIN_NETWORKS) || sendersKnown(estate, flow, host)) return [];
  return [{ peer: undefined, receiver: undefined, ports }];
}

function pairsOutOf(context: HostContext, flow: Flow): Pair[] {
  const { estate, host } = context;
  return addressed(receiversOf(estate, flow, host)).map((peer) => ({
    peer,
    receiver: undefined,
    ports: portsAt(context, flow, peer),
  }));
}

function pairAcross(context: HostContext, flow: Flow, { sender, receiver }: Crossing): Pair {
  return { peer: sender, receiver, ports: portsAt(context, flow, receiver) };
}

function addressed(peers: readonly Peer[]): Peer[] {
  return peers.filter((p) => p.ranges.length > 0);
}

/** Destination ports of a flow at a peer. */
function portsAt({ estate, host }: HostContext, flow: Flow, peer: Peer): Interval[] {
  if (peer.host !== undefined) return flowPorts(estate, flow, peer.host);
  // A network of hosts that are not listed: each has at most the default range.
  return normalizeIntervals(
    flow.ports.flatMap((t) =>
      t.kind === 'ports'
        ? [t.range]
        : serviceRangeOf(estate, { ...host, servicePorts: defaultServiceRange(estate), roles: [] }),
    ),
  );
}

function judgeFlow(
  context: HostContext,
  flow: Flow,
  direction: PathDirection,
  pairs: readonly Pair[],
): StoppedFlow[] {
  const question: Question = { flow, direction, reply: false, later: false, spare: false };
  const request = judgePairs(context, question, pairs);
  const without = (all: readonly Pair[], found: StoppedFlow | undefined) =>
    all.filter((pair) => !found?.stopped.some((s) => s.peer === pair.peer && s.receiver === pair.receiver));
  const open = without(pairs, request);
  const reply = judgePairs(context, { ...question, reply: true }, open);
  const later = judgePairs(context, { ...question, later: true }, without(open, reply));
  const spare = judgePairs(context, { ...question, spare: true }, open.filter(hasBothVersions));
  return [request, reply, later, spare].filter((f) => f !== undefined);
}

/** Whether somebody known is at the other end who can be reached over both IP versions. */
function hasBothVersions({ peer }: Pair): boolean {
  return peer?.host !== undefined && [4, 6].every((v) => peer.ranges.some(({ version }) => version === v));
}

/** What is asked about the pairs of a flow. */
type Question = Pick<StoppedFlow, 'flow' | 'direction' | 'reply' | 'later' | 'spare'>;

/** The pairs of a flow that a host stops; `undefined` where it stops none. */
export function judgePairs(
  context: HostContext,
  question: Question,
  pairs: readonly Pair[],
): StoppedFlow | undefined {
  const certainly: StoppedPeer[] = [];
  const possibly: StoppedPeer[] = [];
  const missing: { version: IpVersion; set: PacketSet }[] = [];
  const unknowns = new Set<string>();
  let untracked = false;
  for (const pair of pairs) {
    for (const outcome of judgePair(context, question, pair)) {
      if (isEnough(question.flow, pair, outcome)) continue;
      const { peer, receiver } = pair;
      const { version, closed, open } = outcome;
      if (outcome.certain.length > 0)
        certainly.push({ peer, receiver, version, ports: outcome.certain, closed, open });
      else {
        possibly.push({ peer, receiver, version, ports: outcome.possible, closed, open });
        for (const text of outcome.unknowns) unknowns.add(text);
      }
      missing.push({ version, set: outcome.missing });
      untracked ||= outcome.untracked;
    }
  }
  const certain = certainly.length > 0;
  const stopped = certain ? certainly : possibly;
  if (stopped.length === 0) return undefined;
  return {
    ...question,
    certain,
    unknowns: certain ? [] : [...unknowns].sort(),
    stopped,
    pairs,
    blockers: blockersOf(context, pathOf(question), missing),
    untracked,
    witness: witnessOf(context, missing),
  };
}

/** Whether ports that get through will do although others do not: for a service that listens on one port or the other. */
function isEnough(flow: Flow, { ports }: Pair, { certain, possible }: PairOutcome): boolean {
  return flow.anyPort && subtractIntervals(ports, [...certain, ...possible]).length > 0;
}

/** The way packets of a flow take through this host: replies come in where requests go out. */
export function pathOf({ direction, reply }: Pick<Question, 'direction' | 'reply'>): PacketHook {
  if (direction === 'through') return 'forward';
  return (direction === 'in') !== reply ? 'input' : 'output';
}

/** Whether packets come from the peer of a pair. At a gateway that is the sender, elsewhere the other end. */
function isFromPeer({ direction, reply }: Pick<Question, 'direction' | 'reply'>): boolean {
  return (direction === 'out') === reply;
}

interface PairOutcome {
  readonly version: IpVersion;
  /** Ports that surely do not get through, and ports that may not. */
  readonly certain: readonly Interval[];
  readonly possible: readonly Interval[];
  readonly unknowns: readonly string[];
  readonly missing: PacketSet;
  /** Among the missing are packets without a connection, for what a rule does in the other direction. */
  readonly untracked: boolean;
  /** Addresses of the peer that do not get through whole, and that do. */
  readonly closed: readonly Interval[];
  readonly open: readonly Interval[];
}

/**
 * How a pair's packets are stopped. A pair with addresses of both versions needs one that works whole: then there is nothing to tell,
 * but with `spare` what the other version lacks. Empty also where no rules of a shared version were exported.
 */
function judgePair(context: HostContext, question: Question, pair: Pair): PairOutcome[] {
  const outcomes: PairOutcome[] = [];
  for (const version of context.versions) {
    const ends = endsOf(context, question, pair, version);
    if (ends === undefined) continue;
    const outcome = judgeVersion(context, question, pair, version, ends);
    const isOpen = outcome.certain.length === 0 && outcome.possible.length === 0;
    if (!question.spare && isOpen) return [];
    if (!isOpen) outcomes.push(outcome);
  }
  return question.spare ? outcomes.filter(({ certain }) => certain.length > 0) : outcomes.slice(0, 1);
}

/** Addresses that packets of a path come from and go to; `undefined` where a version is not theirs. */
interface Ends {
  readonly saddr: readonly Interval[];
  readonly daddr: readonly Interval[];
}

function endsOf(
  context: HostContext,
  { direction, reply, spare }: Question,
  { peer, receiver }: Pair,
  version: IpVersion,
): Ends | undefined {
  const own = receiver === undefined ? context.host.addresses : receiver.ranges;
  const here = rangesOfVersion(own, version);
  const there =
    peer === undefined ? possibleSources(context.host, version) : rangesOfVersion(peer.ranges, version);
  if (there.length === 0 || (here.length === 0 && (own.length > 0 || spare))) return undefined;
  return isFromPeer({ direction, reply }) ? { saddr: there, daddr: here } : { saddr: here, daddr: there };
}

/** How packets of a connection look to connection tracking: TCP flags that are set of SYN and ACK, and the state it gives them. */
interface Kind {
  readonly flags: readonly number[];
  readonly state: keyof typeof CT_STATE;
}

const SYN_ACK = TCP_FLAG.syn | TCP_FLAG.ack;

/** Packets of a connection that is tracked from its first packet. */
function trackedKind({ reply, later }: Question): Kind {
  if (reply) return { flags: [TCP_FLAG.ack, SYN_ACK], state: 'established' };
  return later ? { flags: [TCP_FLAG.ack], state: 'established' } : { flags: [TCP_FLAG.syn], state: 'new' };
}

/** The packets of a question between two ends: not from or to the host itself, without marks, in the state that they arrive in. */
function packetsAsked(
  context: HostContext,
  question: Question,
  ports: readonly Interval[],
  version: IpVersion,
  ends: Ends,
  { flags, state } = trackedKind(question),
): PacketSet {
  const { flow, reply } = question;
  const { space } = context.space;
  const path = pathOf(question);
  const address = (field: 'saddr' | 'daddr') =>
    ends[field].length === 0
      ? space.full
      : space.inIntervals(space.bits(field).slice(0, version === 4 ? 32 : 128), ends[field]);
  const outside = (side: 'iif' | 'oif') =>
    space.minus(space.interfaceValid(side), space.interfaceIn(space.interfaceBits(side), 'lo', false));
  const servicePort = servicePortOf(question);
  return space.intersectAll([
    space.version(version),
    address('saddr'),
    address('daddr'),
    space.inIntervals(space.bits('protocol'), [single(flow.protocol)]),
    space.inIntervals(space.bits(servicePort), ports),
    space.inIntervals(space.bits(reply ? 'dport' : 'sport'), [EPHEMERAL]),
    space.inIntervals(space.bits('tcp-flags'), flags.map(single)),
    space.inIntervals(space.bits('ct-state'), [single(CT_STATE[state])]),
    space.inIntervals(space.bits('mark'), [single(0)]),
    space.inIntervals(space.bits('ct-mark'), [single(0)]),
    ...(path === 'output' ? [] : [outside('iif')]),
    ...(path === 'input' ? [] : [outside('oif')]),
  ]);
}

/** Packets of a stopped pair that come from, or go to, those addresses of the peer that get through. */
export function packetsOfOthers(context: HostContext, question: Question, stopped: StoppedPeer): PacketSet {
  const { version, ports, open } = stopped;
  const ends = endsOf(context, question, { ...stopped, ports }, version);
  if (ends === undefined) return context.space.space.empty;
  const theirs = isFromPeer(question) ? { saddr: open } : { daddr: open };
  return packetsAsked(context, question, ports, version, { ...ends, ...theirs });
}

/** The port of a packet that is the service's. */
function servicePortOf({ reply }: Pick<Question, 'reply'>): 'sport' | 'dport' {
  return reply ? 'sport' : 'dport';
}

/** The address of a packet that is the peer's. */
function theirSideOf(question: Question): 'saddr' | 'daddr' {
  return isFromPeer(question) ? 'saddr' : 'daddr';
}

/** One of the host's own addresses has to do, but every address of a peer host counts; of the admin networks, somebody. */
function countsEveryone({ flow }: Question, pair: Pair): boolean {
  return pair.peer !== undefined && !flow.from.includes(ADMIN_NETWORKS);
}

/**
 * What is not asked of every packet. Some interface, and whatever else the export does not tell about the packet, has to let it through; rate
 * limits and other varying predicates do so at times. What is asked of every packet: addresses, ports, flags.
 */
function notAskedFor(context: HostContext, question: Question, pair: Pair) {
  return context.space.space.variablesExcept({
    version: true,
    fields: [
      ...(countsEveryone(question, pair) ? ([theirSideOf(question)] as const) : []),
      'dport',
      'sport',
      'protocol',
      'tcp-flags',
      'ct-state',
    ],
    keys: context.space.deterministicKeys(),
  });
}

function judgeVersion(
  context: HostContext,
  question: Question,
  pair: Pair,
  version: IpVersion,
  ends: Ends,
): PairOutcome {
  const { space } = context.space;
  const analysis = context.path(pathOf(question), version);
  const servicePort = servicePortOf(question);
  const theirSide = theirSideOf(question);
  const everyone = countsEveryone(question, pair);
  const { tracked, apart } = trackingOf(context, question, pair, version, ends);
  const lost = apart.map(({ ports, kinds, certain }) => {
    const sets = kinds.map((kind) => packetsAsked(context, question, ports, version, ends, kind));
    return { set: space.unionAll(sets), certain };
  });
  const lostPackets = space.unionAll(lost.map(({ set }) => set));
  const wanted = space.union(packetsAsked(context, question, tracked, version, ends), lostPackets);
  const free = notAskedFor(context, question, pair);
  const through = space.exists(space.intersect(arrivingAsSent(context, analysis), wanted), free);
  const asked = space.exists(wanted, free);
  const deterministic = space.variables({ keys: context.space.deterministicKeys() });
  const surelyOpen = space.forall(through, deterministic);
  const maybeOpen = space.exists(through, deterministic);
  const unsure = space.unionAll(lost.filter(({ certain }) => !certain).map(({ set }) => set));
  const certainMissing = space.minus(space.minus(asked, maybeOpen), space.exists(unsure, free));
  const possibleMissing = space.minus(asked, surelyOpen);
  const missing = space.isEmpty(certainMissing) ? possibleMissing : certainMissing;
  const closed = everyone
    ? intersectIntervals(
        space.valuesUpTo(missing, theirSide, version, MOST_ADDRESSES).intervals,
        ends[theirSide],
      )
    : [];
  return {
    version,
    certain: space.values(certainMissing, servicePort, version),
    possible: space.values(possibleMissing, servicePort, version),
    unknowns: context.space.unknownsOf(through),
    missing: space.intersect(missing, wanted),
    untracked: !space.isEmpty(space.intersect(missing, lostPackets)),
    closed,
    open: everyone ? subtractIntervals(ends[theirSide], closed) : [],
  };
}

/** Packets of a connection that connection tracking does not know, or not from its beginning. */
interface ApartPackets {
  /** Ports of the service. */
  readonly ports: readonly Interval[];
  readonly kinds: readonly Kind[];
  /** Whether that hangs on nothing unknown. */
  readonly certain: boolean;
}

/**
 * What connection tracking makes of answers and later packets where a rule exempts the packets before them (`NOTRACK`, `CT --notrack`,
 * nft `notrack`) and them not. An answer with SYN and ACK to what was not seen is invalid, and so is the ACK after an answer that was
 * not seen; any other packet begins a connection of its own. `tracked`: ports on which some packets get through and are not exempted. Seen in the kernel
 * (test/kernel/connections.test.ts). Source: linux nf_conntrack_proto_tcp.c, tcp_conntracks and tcp_new().
 */
function trackingOf(
  context: HostContext,
  question: Question,
  pair: Pair,
  version: IpVersion,
  ends: Ends,
): { readonly tracked: readonly Interval[]; readonly apart: readonly ApartPackets[] } {
  const { flow, reply, later } = question;
  if (!reply && !later) return { tracked: pair.ports, apart: [] };
  const first: Question = { ...question, reply: false, later: false };
  const swapped: Ends = { saddr: ends.daddr, daddr: ends.saddr };
  const isTcp = flow.protocol === TCP;
  if (reply) {
    const kinds: readonly Kind[] = isTcp
      ? [
          { flags: [SYN_ACK], state: 'invalid' },
          { flags: [TCP_FLAG.ack], state: 'new' },
        ]
      : [{ flags: [SYN_ACK], state: 'new' }];
    const begun = exemptPorts(context, first, pair, version, swapped);
    return { tracked: begun.tracked, apart: apartOf(begun, kinds) };
  }
  const begun = exemptPorts(context, first, pair, version, ends);
  const rest: Pair = { ...pair, ports: begun.tracked };
  const answered = exemptPorts(context, { ...first, reply: true }, rest, version, swapped);
  return {
    tracked: answered.tracked,
    apart: [
      ...apartOf(begun, [{ flags: [TCP_FLAG.ack], state: 'new' }]),
      ...apartOf(answered, [{ flags: [TCP_FLAG.ack], state: isTcp ? 'invalid' : 'new' }]),
    ],
  };
}

/** Ports of the service by whether packets of a question get through exempted from connection tracking on them, or tracked. */
interface ExemptPorts {
  readonly certain: readonly Interval[];
  readonly possible: readonly Interval[];
  readonly tracked: readonly Interval[];
}

function exemptPorts(
  context: HostContext,
  question: Question,
  pair: Pair,
  version: IpVersion,
  ends: Ends,
): ExemptPorts {
  const { space } = context.space;
  const analysis = context.path(pathOf(question), version);
  if (space.isEmpty(analysis.untracked)) return { certain: [], possible: [], tracked: pair.ports };
  const packets = packetsAsked(context, question, pair.ports, version, ends);
  const through = space.intersect(arrivingAsSent(context, analysis), packets);
  const free = notAskedFor(context, question, pair);
  const open = space.exists(through, free);
  // As a path is open where some interface lets it through, it is tracked where packets of some interface are.
  const tracked = space.exists(space.minus(through, analysis.untracked), free);
  const deterministic = space.variables({ keys: context.space.deterministicKeys() });
  const servicePort = servicePortOf(question);
  const portsOf = (set: PacketSet) => space.values(set, servicePort, version);
  const certain = portsOf(
    space.minus(space.exists(open, deterministic), space.exists(tracked, deterministic)),
  );
  const lost = portsOf(space.minus(open, tracked));
  return { certain, possible: subtractIntervals(lost, certain), tracked: portsOf(tracked) };
}

function apartOf({ certain, possible }: ExemptPorts, kinds: readonly Kind[]): ApartPackets[] {
  return [
    { ports: certain, kinds, certain: true },
    { ports: possible, kinds, certain: false },
  ].filter(({ ports }) => ports.length > 0);
}

/** Addresses of a peer that are told apart; a network of a role may be cut into very many pieces. */
const MOST_ADDRESSES = 1_000;

/** Accepted packets that NAT of this host does not send to another port or host than they were meant for. */
export function arrivingAsSent(context: HostContext, analysis: PathAnalysis): PacketSet {
  const { space } = context.space;
  const { version } = analysis;
  const own = rangesOfVersion(context.host.addresses, version);
  const parts = [...analysis.accepted.values()].map(({ environment, set }) => {
    let kept = space.intersect(set, sameValue(context, environment, 'dport', version));
    // REDIRECT and DNAT to an own address stay on the host; where its addresses are not declared, nothing can be said.
    if (environment.note('redirected') === undefined && (analysis.path !== 'input' || own.length > 0)) {
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
export function blockersOf(
  context: HostContext,
  path: PacketHook,
  missing: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
): Blocker[] {
  const { space } = context.space;
  const found = new Map<string, { place: Blocker; size: bigint }>();
  for (const { version, set } of missing) {
    const analysis = context.path(path, version);
    for (const [i, decisions] of context.decisions(analysis).entries()) {
      const base = analysis.runs[i]!.chain;
      for (const { table, chain, rule, verdict, set: decided } of decisions) {
        // A translation that takes a packet elsewhere stops it as well.
        if (verdict === 'accept' && rule?.verdict.kind !== 'nat') continue;
        const stopped = space.intersect(decided, set);
        if (space.isEmpty(stopped)) continue;
        const { origin } = rule ?? chain;
        const key = `${origin.file}:${origin.line}:${origin.column} ${rule === undefined}`;
        const size = space.count(stopped, ['saddr', 'daddr', 'dport'], version);
        const known = found.get(key);
        found.set(key, { place: { table, chain, rule, base }, size: size + (known?.size ?? 0n) });
      }
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
