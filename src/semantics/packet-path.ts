import type { BaseChain, Chain, Hook, PacketHook, Rule, Table } from '../model/index.ts';
import { type IpVersion, interval } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import {
  type ChainSummary,
  ChainTraversal,
  type ChainTrouble,
  type LocalDecision,
} from './chain-traversal.ts';
import { condense } from './condense.ts';
import { Environment, TUPLE_FIELDS } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits, hasConnection, inCtState, type Place } from './place.ts';
import { packetsOf, type State, StateBuilder } from './state.ts';

/** Chains with a lower priority run before connection tracking. Source: NF_IP_PRI_CONNTRACK, linux netfilter_ipv4.h. */
const CONNTRACK_PRIORITY = -200;

/** A base chain with its table. */
export interface PlacedChain {
  readonly table: Table;
  readonly chain: Chain;
  readonly base: BaseChain;
}

/** What one base chain did with the packets of one way through the host. */
export interface BaseChainRun extends PlacedChain {
  /** Packets that came to the chain, and that it looked at (a nat chain looks at new connections only). */
  readonly entered: State;
  readonly summaries: readonly { readonly entering: PacketSet; readonly summary: ChainSummary }[];
  /** Packets the chain let pass, those it did not look at included. */
  readonly passed: State;
  readonly dropped: PacketSet;
  readonly rejected: PacketSet;
}

/** Packets that one rule, or the chain policy, of a base chain run decided. */
export interface Decision {
  /** `undefined`: the base chain's policy. */
  readonly rule: Rule | undefined;
  readonly table: Table;
  /** The chain in which the rule stands, or the base chain. */
  readonly chain: Chain;
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly environment: Environment;
  /** Arriving packets, with valuations of the unknown predicates. */
  readonly set: PacketSet;
}

/** How far packets come on one way through a host. All sets are over arriving packets. */
export interface PathAnalysis {
  readonly path: PacketHook;
  readonly version: IpVersion;
  readonly runs: readonly BaseChainRun[];
  /** Accepted by every base chain, by what NAT has made of their destination. Other fields have their arriving value here. */
  readonly accepted: State;
  readonly acceptedPackets: PacketSet;
  readonly dropped: PacketSet;
  readonly rejected: PacketSet;
  /** Packets that a rule exempted from connection tracking before it saw them, whatever became of them. */
  readonly untracked: PacketSet;
  readonly troubles: readonly ChainTrouble[];
}

/** Hooks a packet passes on each way. */
const HOOKS_OF: Readonly<Record<PacketHook, readonly Hook[]>> = {
  input: ['prerouting', 'input'],
  forward: ['prerouting', 'forward', 'postrouting'],
  output: ['output', 'postrouting'],
};

/** Base chains that see packets of `version` in `hook`, in the order they run. */
export function chainsOfHook(host: HostSpace, hook: Hook, version: IpVersion): PlacedChain[] {
  const family = version === 4 ? 'ip' : 'ip6';
  const found: PlacedChain[] = [];
  for (const table of host.ruleset.tables) {
    if (table.dormant || (table.family !== family && table.family !== 'inet')) continue;
    for (const chain of table.chains) {
      if (chain.base?.hook === hook) found.push({ table, chain, base: chain.base });
    }
  }
  // At equal priority the chain registered last runs first (semantics.md, 1).
  return found.reverse().sort((a, b) => a.base.priority - b.base.priority);
}

/** Follows all packets of one IP version along one way through the host. */
export function analysePath(host: HostSpace, path: PacketHook, version: IpVersion): PathAnalysis {
  const { space } = host;
  const runs: BaseChainRun[] = [];
  const troubles: ChainTrouble[] = [];
  let state = arriving(host, path, version);
  let dropped = space.empty;
  let rejected = space.empty;
  let untracked = space.empty;
  let tracked = false;

  for (const hook of HOOKS_OF[path]) {
    for (const placed of chainsOfHook(host, hook, version)) {
      if (!tracked && (placed.base.priority >= CONNTRACK_PRIORITY || isLateHook(hook))) {
        untracked = exempted(host, state, version);
        state = afterTracking(host, state, version);
        tracked = true;
      }
      state = condense(host, state, version);
      const place: Place = { path, hook, version };
      const { run, traversal } = runBaseChain(host, place, placed, state, tracked);
      troubles.push(...traversal.troubles);
      runs.push(run);
      dropped = space.union(dropped, run.dropped);
      rejected = space.union(rejected, run.rejected);
      state = run.passed;
    }
    state = atEndOfHook(host, state, path, hook);
    if (path === 'forward' && hook === 'prerouting') {
      const before = packetsOf(space, state);
      state = afterRouting(host, state, version);
      dropped = space.union(dropped, space.minus(before, packetsOf(space, state)));
    }
  }
  return {
    path,
    version,
    runs,
    accepted: byDelivery(host, state),
    acceptedPackets: packetsOf(space, state),
    dropped,
    rejected,
    untracked: tracked ? untracked : exempted(host, state, version),
    troubles,
  };
}

/** Packets that come to connection tracking exempted from it. */
function exempted(host: HostSpace, state: State, version: IpVersion): PacketSet {
  const { space } = host;
  return space.unionAll(
    [...state.values()].map(({ environment, set }) =>
      space.intersect(set, inCtState(host, environment, version, 'untracked')),
    ),
  );
}

/** The same packets, told apart by their destination only. */
function byDelivery(host: HostSpace, state: State): State {
  const builder = new StateBuilder(host.space);
  for (const { environment, set } of state.values())
    builder.add(environment.retaining(['daddr', 'dport', 'handed port']), set);
  return builder.build();
}

/** Hooks that lie behind connection tracking altogether. */
function isLateHook(hook: Hook): boolean {
  return hook === 'input' || hook === 'forward' || hook === 'postrouting';
}

/** All packets, before the first chain: not tracked yet, whole, and without the interface that the way does not have. */
function arriving(host: HostSpace, path: PacketHook, version: IpVersion): State {
  const { space } = host;
  const untracked = Environment.initial.assign([
    ['ct-state', space.constantBits(3, 3n)],
    ['ct-mark', space.constantBits(32, 0n)],
    ['ct-dnat', [space.empty]],
    ['ct-snat', [space.empty]],
    ['fragment', [space.empty]],
    [path === 'output' ? 'iif' : 'oif', space.noInterfaceBits()],
  ]);
  const builder = new StateBuilder(space);
  builder.add(untracked, space.version(version));
  return builder.build();
}

/** Connection tracking: packets get their own state, but for those that a rule exempted. */
function afterTracking(host: HostSpace, state: State, version: IpVersion): State {
  const { space } = host;
  const builder = new StateBuilder(space);
  for (const { environment, set } of state.values()) {
    const own = withOwnState(host, environment, version);
    const connected = hasConnection(host, own, version);
    const older = inCtState(host, own, version, 'established', 'related');
    const arrivedMark = space.bits('ct-mark');
    builder.add(
      own.assign([
        ['ct-mark', arrivedMark.map((bit) => space.intersect(bit, connected))],
        ['ct-dnat', space.bits('ct-dnat').map((bit) => space.intersect(bit, older))],
        ['ct-snat', space.bits('ct-snat').map((bit) => space.intersect(bit, older))],
      ]),
      set,
    );
  }
  return builder.build();
}

/** The packet's own connection state, but for packets exempted from tracking; and the original tuple, where it is not the arriving one. */
function withOwnState(host: HostSpace, environment: Environment, version: IpVersion): Environment {
  const { space } = host;
  const exempt = inCtState(host, environment, version, 'untracked');
  const marks = environment.bits('ct-state');
  const state = space.bits('ct-state').map((bit, i) => space.ifThenElse(exempt, marks?.[i] ?? bit, bit));
  const changed = host.asksOriginalTuple ? TUPLE_FIELDS : [];
  return environment.assign([
    ['ct-state', space.isEmpty(exempt) ? undefined : state],
    ...changed.map((field) => [`original ${field}` as const, environment.bits(field)] as const),
  ]);
}

/**
 * Routing of packets that are passed on: their TTL or hop limit is one less from here on, and those with none left go no
 * further. Source: linux net/ipv4/ip_forward.c `ip_forward`; the forward hook comes after it.
 */
function afterRouting(host: HostSpace, state: State, version: IpVersion): State {
  const { space } = host;
  const builder = new StateBuilder(space);
  for (const { environment, set } of state.values()) {
    // A packet that has a socket is not passed on.
    if (environment.bits('handed port') !== undefined) continue;
    const ttl = fieldBits(host, environment, 'ttl', version);
    const alive = space.minus(set, space.inIntervals(ttl, [interval(0, 1)]));
    let borrow = space.full;
    const lowered = [...ttl];
    for (let i = ttl.length - 1; i >= 0; i--) {
      lowered[i] = space.symmetricDifference(ttl[i]!, borrow);
      borrow = space.minus(borrow, ttl[i]!);
    }
    builder.add(environment.assign([['ttl', lowered]]), alive);
  }
  return builder.build();
}

/** Between hooks: the outgoing interface becomes known on the forward path, and nat chains may translate again. */
function atEndOfHook(host: HostSpace, state: State, path: PacketHook, hook: Hook): State {
  const builder = new StateBuilder(host.space);
  for (const { environment, set } of state.values()) {
    let next = environment;
    const how = next.note('nat');
    if (how !== undefined) {
      next = next.withNote('nat', undefined);
      if (hook === 'prerouting' || hook === 'output') next = next.withNote('dnat', how);
    }
    if (path === 'forward' && hook === 'prerouting') next = next.assign([['oif', undefined]]);
    builder.add(next, set);
  }
  return builder.build();
}

function runBaseChain(
  host: HostSpace,
  place: Place,
  placed: PlacedChain,
  state: State,
  tracked: boolean,
): { readonly run: BaseChainRun; readonly traversal: ChainTraversal } {
  const { space } = host;
  const { table, chain, base } = placed;
  const isNat = base.type === 'nat';
  const traversal = new ChainTraversal(host, place, table, tracked, isNat);
  const entered = new StateBuilder(space);
  const passed = new StateBuilder(space);
  const summaries: { entering: PacketSet; summary: ChainSummary }[] = [];
  let dropped = space.empty;
  let rejected = space.empty;
  for (const { environment, set } of state.values()) {
    const entering = isNat ? natApplies(host, place, environment, set) : set;
    passed.add(environment, space.minus(set, entering));
    if (space.isEmpty(entering)) continue;
    entered.add(environment, entering);
    const summary = traversal.summarize(chain, environment, entering);
    summaries.push({ entering, summary });
    passed.addWithin(summary.accepted, entering);
    dropped = space.ifThenElse(entering, summary.dropped, dropped);
    rejected = space.ifThenElse(entering, summary.rejected, rejected);
    for (const end of summary.ended.values()) {
      const atEnd = space.intersect(end.set, entering);
      if (base.chainPolicy === 'accept') passed.add(end.environment, atEnd);
      else dropped = space.union(dropped, atEnd);
    }
  }
  const run = {
    table,
    chain,
    base,
    entered: entered.build(),
    summaries,
    passed: passed.build(),
    dropped,
    rejected,
  };
  return { run, traversal };
}

/** Packets of `set` that a nat chain looks at: first packets of connections that no chain of this hook has translated. */
function natApplies(host: HostSpace, place: Place, environment: Environment, set: PacketSet): PacketSet {
  if (!host.trackedVersions.has(place.version) || environment.note('nat') !== undefined)
    return host.space.empty;
  return host.space.intersect(set, inCtState(host, environment, place.version, 'new'));
}

/** A visit of one chain by the packets that really enter it. */
export interface EnteredChain {
  readonly summary: ChainSummary;
  readonly entering: PacketSet;
}

/**
 * Every chain that a base chain run enters, with the packets that enter it from all its callers together, callers
 * before callees.
 */
export function enteredChains(host: HostSpace, run: BaseChainRun): EnteredChain[] {
  const { space } = host;
  const order: ChainSummary[] = [];
  const seen = new Set<ChainSummary>();
  const entering = new Map<ChainSummary, PacketSet>();
  // Iterative depth-first search; reversed postorder puts callers before callees.
  for (const root of run.summaries) {
    entering.set(root.summary, space.union(entering.get(root.summary) ?? space.empty, root.entering));
    const stack: { summary: ChainSummary; next: number }[] = [];
    if (!seen.has(root.summary)) {
      seen.add(root.summary);
      stack.push({ summary: root.summary, next: 0 });
    }
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const visit = top.summary.visits[top.next++];
      if (visit === undefined) {
        order.push(top.summary);
        stack.pop();
      } else if (visit.callee !== undefined && !seen.has(visit.callee)) {
        seen.add(visit.callee);
        stack.push({ summary: visit.callee, next: 0 });
      }
    }
  }
  order.reverse();
  for (const summary of order) {
    const here = entering.get(summary) ?? space.empty;
    if (space.isEmpty(here)) continue;
    for (const { callee, hit } of summary.visits) {
      if (callee === undefined || hit === undefined) continue;
      entering.set(callee, space.union(entering.get(callee) ?? space.empty, space.intersect(here, hit)));
    }
  }
  return order.map((summary) => ({ summary, entering: entering.get(summary) ?? space.empty }));
}

/**
 * Who decided which packets in a base chain run: one entry per rule and environment, and the chain policy's. `wanted` picks
 * rules, by what they decide of all conceivable packets, before the costly part; policies are always told.
 */
export function decisionsOf(
  host: HostSpace,
  run: BaseChainRun,
  wanted: (local: LocalDecision) => boolean = () => true,
): Decision[] {
  const { space } = host;
  const out: Decision[] = [];
  const push = (decision: Decision) => {
    if (!space.isEmpty(decision.set)) out.push(decision);
  };
  for (const { summary, entering } of enteredChains(host, run)) {
    for (const local of mergeDecisions(host, summary.decisions.filter(wanted))) {
      const { rule, verdict, environment } = local;
      push({
        rule,
        table: run.table,
        chain: summary.chain,
        verdict,
        environment,
        set: space.intersect(local.set, entering),
      });
    }
  }
  for (const { summary, entering } of run.summaries) {
    for (const { environment, set } of summary.ended.values()) {
      push({
        rule: undefined,
        table: run.table,
        chain: run.chain,
        verdict: run.base.chainPolicy,
        environment,
        set: space.intersect(set, entering),
      });
    }
  }
  return out;
}

function mergeDecisions(host: HostSpace, decisions: readonly LocalDecision[]): LocalDecision[] {
  const merged = new Map<string, LocalDecision>();
  const ids = new Map<Rule, number>();
  for (const d of decisions) {
    if (!ids.has(d.rule)) ids.set(d.rule, ids.size);
    const key = `${ids.get(d.rule)} ${d.verdict} ${d.environment.key}`;
    const known = merged.get(key);
    merged.set(key, known === undefined ? d : { ...d, set: host.space.union(known.set, d.set) });
  }
  return [...merged.values()];
}
