/** Rules and policies that let packets through on one side of a host, with what each lets through. */

import type { ResolvedHost } from '../inventory/index.ts';
import { type Chain, type Condition, CT_STATE, type Rule, type Table, TCP_FLAG } from '../model/index.ts';
import {
  ICMPV6,
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  intervalsContain,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
  TCP,
} from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import {
  type BaseChainRun,
  type Decision,
  decisionsOf,
  deliveredImage,
  type Environment,
  type LocalDecision,
} from '../semantics/index.ts';
import type { CarriedTraffic } from './change.ts';
import type { HostExposure } from './exposure-region.ts';
import type { HostContext } from './host-context.ts';
import { connectionPortsOf, defaultServiceRange, impossibleSources, rangesOfVersion } from './peers.ts';

/** The way packets take through the judged host, and the host they are for. */
export interface Side {
  readonly path: 'input' | 'forward';
  readonly target: ResolvedHost;
}

/** New connections from outside that a host can be sent: SYN for TCP, no mark yet, from an interface other than lo. */
export function newFromOutside(context: HostContext, version: IpVersion): PacketSet {
  return context.once(`new from outside ${version}`, () => computeNewFromOutside(context, version));
}

function computeNewFromOutside(context: HostContext, version: IpVersion): PacketSet {
  const { space } = context.space;
  const outside = impossibleSources(context.host, version);
  const saddr = space.bits('saddr').slice(0, version === 4 ? 32 : 128);
  const isTcp = space.inIntervals(space.bits('protocol'), [single(TCP)]);
  const isSyn = space.inIntervals(space.bits('tcp-flags'), [single(TCP_FLAG.syn)]);
  return space.intersectAll([
    space.version(version),
    space.inIntervals(space.bits('ct-state'), [single(CT_STATE.new)]),
    space.union(space.complement(isTcp), isSyn),
    space.minus(space.interfaceValid('iif'), space.interfaceIn(space.interfaceBits('iif'), 'lo', false)),
    space.complement(space.inIntervals(saddr, outside)),
    space.inIntervals(space.bits('mark'), [single(0)]),
    space.inIntervals(space.bits('ct-mark'), [single(0)]),
  ]);
}

/** Accepted packets of one blamed rule in one environment, as they arrive and as they are delivered. */
export interface Passage {
  readonly version: IpVersion;
  readonly environment: Environment;
  /** Arriving packets with unknowns. */
  readonly arriving: PacketSet;
  /** Source, protocol and delivered port of packets that get through whatever the unknowns are, and that may get through. */
  readonly surely: PacketSet;
  readonly maybe: PacketSet;
}

/** All passages for which one rule or policy is to blame. */
export interface Blamed {
  readonly key: string;
  readonly table: Table | undefined;
  readonly chain: Chain | undefined;
  readonly rule: Rule | undefined;
  readonly acceptedBy: HostExposure['acceptedBy'];
  readonly run: BaseChainRun | undefined;
  readonly passages: Passage[];
  /** Everything the rule or policy lets through, whoever sends it: arriving packets. */
  readonly taken: { readonly version: IpVersion; readonly set: PacketSet }[];
}

/** The base chain run that decides a side: the filter table's where it stops anything, else another that does. */
export function decidingRun(
  context: HostContext,
  version: IpVersion,
  path: Side['path'] = 'input',
): BaseChainRun | undefined {
  const { space } = context.space;
  const runs = context
    .path(path, version)
    .runs.filter((r) => r.base.hook === path && r.base.type === 'filter');
  const outside = newFromOutside(context, version);
  const stops = (run: BaseChainRun) => space.intersects(space.union(run.dropped, run.rejected), outside);
  const filter = runs.filter((r) => r.table.name === 'filter' || r.base.priority === 0);
  return filter.find(stops) ?? runs.find(stops) ?? filter[0] ?? runs[0];
}

/** What the deciding chains of the input side accept, by rule or policy: the decisions of each, in all environments. */
export function acceptedByPlace(context: HostContext, version: IpVersion): Decision[][] {
  const run = decidingRun(context, version);
  if (run === undefined) return [];
  const analysis = context.path('input', version);
  const groups = new Map<object, Decision[]>();
  for (const decision of context.decisions(analysis)[analysis.runs.indexOf(run)] ?? []) {
    if (decision.verdict !== 'accept') continue;
    const key = decision.rule ?? decision.chain;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [decision]);
    else group.push(decision);
  }
  return [...groups.values()];
}

/** Whether a rule takes every packet that comes to it, as far as new connections go. */
export function isUnconditional(local: LocalDecision): boolean {
  return local.rule.matches.every(({ condition }) => tellsNothing(condition));
}

/** Whether a condition holds for every new connection: comments, and states that include new. */
export function tellsNothing(condition: Condition): boolean {
  if (condition.kind === 'unknown') return true;
  if (condition.kind === 'all') return condition.of.every(tellsNothing);
  return (
    condition.kind === 'field' &&
    condition.field === 'ct-state' &&
    intervalsContain(condition.values, BigInt(CT_STATE.new))
  );
}

/** Blamed rules with their passages. `wanted` picks rules beforehand, by what they decide of all conceivable packets. */
export function collectBlamed(
  context: HostContext,
  side: Side,
  wanted?: (local: LocalDecision) => boolean,
): Blamed[] {
  const blamed = new Map<string, Blamed>();
  for (const version of context.versions) {
    collectVersion(
      context,
      side,
      version,
      blamed,
      wanted ?? ((local) => concerns(context, side, version, local)),
    );
  }
  return [...blamed.values()];
}

/** Most rules of most hosts are about other ports: nothing to judge, and no need to look closer. */
function concerns(context: HostContext, side: Side, version: IpVersion, local: LocalDecision): boolean {
  if (concernsAnyone(local)) return true;
  return context.space.space.intersects(local.set, ofInterest(context, side, version));
}

/** Whether a rule has to be looked at whatever its own packets are: what it tells of them is not what is delivered, or all of them. */
export function concernsAnyone(local: LocalDecision): boolean {
  const { environment } = local;
  if (environment.note('dnat') !== undefined || environment.bits('handed port') !== undefined) return true;
  return isUnconditional(local);
}

function collectVersion(
  context: HostContext,
  side: Side,
  version: IpVersion,
  blamed: Map<string, Blamed>,
  wanted: (local: LocalDecision) => boolean,
): void {
  const { space } = context.space;
  for (const { key, blame, environment, arriving, taken } of acceptances(
    context,
    side.path,
    version,
    wanted,
  )) {
    const next = passage(context, side, version, environment, arriving);
    if (space.isEmpty(next.maybe)) continue;
    let entry = blamed.get(key);
    if (entry === undefined) {
      entry = { ...blame, key, passages: [], taken: [] };
      blamed.set(key, entry);
    }
    entry.passages.push(next);
    entry.taken.push({ version, set: taken });
  }
}

/** New connections from outside that one rule or policy lets through in one environment, whomever they are for. */
export interface Acceptance {
  readonly key: string;
  readonly blame: Omit<Blamed, 'passages' | 'taken' | 'key'>;
  readonly environment: Environment;
  /** Arriving packets with unknowns. Never empty. */
  readonly arriving: PacketSet;
  /** Everything that the rule or policy lets through there. */
  readonly taken: PacketSet;
  /** The accepting rule. */
  readonly acceptor: Rule | undefined;
}

/** What a side of a host lets through, in the order of its rules. `wanted` as with `collectBlamed`. */
export function acceptances(
  context: HostContext,
  path: Side['path'],
  version: IpVersion,
  wanted: (local: LocalDecision) => boolean,
): Acceptance[] {
  const { space } = context.space;
  const analysis = context.path(path, version);
  const through = space.intersect(analysis.acceptedPackets, newFromOutside(context, version));
  if (space.isEmpty(through)) return [];
  const run = decidingRun(context, version, path);
  const out: Acceptance[] = [];
  const add = (acceptance: Acceptance) => {
    if (!space.isEmpty(acceptance.arriving)) out.push(acceptance);
  };
  if (run === undefined) {
    for (const { environment, set } of analysis.accepted.values()) {
      const blame = {
        table: undefined,
        chain: undefined,
        rule: undefined,
        acceptedBy: undefined,
        run: undefined,
      };
      const arriving = space.intersect(set, through);
      add({ key: 'no chain', blame, environment, arriving, taken: set, acceptor: undefined });
    }
    return out;
  }
  const accepting = decisionsOf(context.space, run, (local) => local.verdict === 'accept' && wanted(local));
  for (const decision of accepting) {
    if (decision.verdict !== 'accept') continue;
    const { environment, rule: acceptor } = decision;
    const place = { table: decision.table, chain: decision.chain, rule: acceptor };
    const arriving = space.intersect(decision.set, through);
    let direct = arriving;
    for (const translation of translations(context, path, version, decision)) {
      const { set, ...translator } = translation;
      if (path === 'input' && leavesHost(context, version, translator.rule)) {
        direct = space.minus(direct, set);
        continue;
      }
      const blame = { ...translator, acceptedBy: place, run };
      const translated = space.intersect(arriving, set);
      add({ key: keyOf(translator), blame, environment, arriving: translated, taken: set, acceptor });
      direct = space.minus(direct, set);
    }
    const blame = { ...place, acceptedBy: undefined, run };
    add({ key: keyOf(place), blame, environment, arriving: direct, taken: decision.set, acceptor });
  }
  return out;
}

/** Packets to ports that some class of exposure is about, other than a chain policy's. */
function ofInterest(context: HostContext, side: Side, version: IpVersion): PacketSet {
  return context.once(`of interest ${version} ${side.target.name}`, () => {
    const { space } = context.space;
    const { profile } = context.estate;
    const withPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
    // Of a host with a role, every port it opens has to have a reason. The environment of what comes here has no translation.
    if (side.target.roles.length > 0) return space.intersect(withPorts, destination(context, side, version));
    const ports = [
      ...judgedRange(context, side),
      ...profile.adminPorts.map((a) => single(a.port)),
      ...connectionPortsOf(context.estate, side.target),
    ];
    return space.intersect(withPorts, space.inIntervals(space.bits('dport'), ports));
  });
}

function keyOf(place: {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
}): string {
  const { origin } = place.rule ?? place.chain;
  // Rules of one element of a file stand and fall together: a remedy takes the element away. What is assumed of stock
  // definitions has no element, and its rules only their text.
  const at = `${origin.file}:${origin.line}:${origin.column}:${origin.path ?? place.rule?.text}`;
  return `${place.table.family} ${place.table.name} ${place.chain.name} ${place.rule === undefined ? 'policy' : at}`;
}

/** Whether a DNAT rule sends packets to somebody else: they take the forward path, not this one. */
function leavesHost(context: HostContext, version: IpVersion, rule: Rule): boolean {
  if (rule.verdict.kind !== 'nat' || rule.verdict.nat.kind !== 'dnat') return false;
  const { addresses, unknownTarget } = rule.verdict.nat;
  const own = rangesOfVersion(context.host.addresses, version);
  if (addresses === undefined || unknownTarget || own.length === 0) return false;
  const loopback = version === 4 ? interval(0x7f00_0000n, 0x7fff_ffffn) : single(1);
  return intersectIntervals([addresses], [...own, loopback]).length === 0;
}

/** The DNAT and REDIRECT rules that packets of a decision went through, with what each translated. */
function translations(
  context: HostContext,
  path: Side['path'],
  version: IpVersion,
  decision: Decision,
): { readonly table: Table; readonly chain: Chain; readonly rule: Rule; readonly set: PacketSet }[] {
  if (decision.environment.note('dnat') === undefined) return [];
  const { space } = context.space;
  const analysis = context.path(path, version);
  return analysis.runs.flatMap((run, i) => {
    if (run.base.type !== 'nat' || run.base.hook !== 'prerouting') return [];
    return (context.decisions(analysis)[i] ?? []).flatMap(({ rule, table, chain, set }) =>
      rule?.verdict.kind === 'nat' && space.intersects(set, decision.set)
        ? [{ table, chain, rule, set }]
        : [],
    );
  });
}

/** What is judged of a packet that gets through to its target. */
export const EXPOSURE_FIELDS = { fields: ['saddr', 'protocol', 'dport'] } as const;

function passage(
  context: HostContext,
  side: Side,
  version: IpVersion,
  environment: Environment,
  arriving: PacketSet,
): Passage {
  const { space } = context.space;
  const unknowns = space.variables({ keys: 'all' });
  const rest = space.variablesExcept({ ...EXPOSURE_FIELDS, version: true });
  const within = destination(context, side, version);
  const image = (set: PacketSet) =>
    space.exists(
      space.intersect(
        deliveredImage(context.space, environment, version, set, deliveredFields(side)),
        within,
      ),
      rest,
    );
  return {
    version,
    environment,
    arriving,
    surely: image(space.forall(arriving, unknowns)),
    maybe: image(arriving),
  };
}

/** Fields whose delivered value matters: on input every packet is for the host, whatever its address. */
export function deliveredFields(side: Side): readonly ('daddr' | 'dport')[] {
  return side.path === 'input' ? ['dport'] : ['daddr', 'dport'];
}

/** Packets for the target of a side, by delivered address. */
export function destination(context: HostContext, side: Side, version: IpVersion): PacketSet {
  const { space } = context.space;
  if (side.path === 'input' || side.target === context.host) return space.full;
  const daddr = space.bits('daddr').slice(0, version === 4 ? 32 : 128);
  return space.inIntervals(daddr, rangesOfVersion(side.target.addresses, version));
}

/** The service range that counts on a side: the profile's, and what the host was given beyond it. */
export function judgedRange(context: HostContext, side: Side): Interval[] {
  return normalizeIntervals([...defaultServiceRange(context.estate), ...(side.target.servicePorts ?? [])]);
}

/** Ports that some class of exposure is about, those of the connection range aside. */
export function judgedPorts(context: HostContext, side: Side): Interval[] {
  const admin = context.estate.profile.adminPorts.map(({ port }) => single(port));
  return normalizeIntervals([...judgedRange(context, side), ...admin]);
}

/** Ports that replies come to: what every system gives to the side that opens a connection, and NetWorker's own connection ports. */
const REPLY_PORTS: Interval = interval(49152, 60999);

/** What besides new connections from outside would stop with the packets of `taken`. */
export function carriedBy(context: HostContext, taken: Blamed['taken']): CarriedTraffic {
  const { space } = context.space;
  const is = (field: 'ct-state' | 'protocol' | 'dport' | 'icmp-type', values: readonly Interval[]) =>
    space.inIntervals(space.bits(field), values);
  const lo = space.interfaceIn(space.interfaceBits('iif'), 'lo', false);
  const fromOutside = space.minus(space.interfaceValid('iif'), lo);
  const replies = space.intersectAll([
    is('ct-state', [single(CT_STATE.established), single(CT_STATE.related)]),
    is('protocol', PROTOCOLS_WITH_PORTS.map(single)),
    is('dport', [REPLY_PORTS, ...connectionPortsOf(context.estate, context.host)]),
    fromOutside,
  ]);
  const neighbours = space.intersectAll([
    is('protocol', [single(ICMPV6)]),
    is('icmp-type', [interval(134, 136)]),
    fromOutside,
  ]);
  return {
    loopback: taken.some(({ set }) => space.intersects(set, lo)),
    replies: taken.some(({ set }) => space.intersects(set, replies)),
    neighbours: taken.some(({ version, set }) => version === 6 && space.intersects(set, neighbours)),
  };
}

/** What the policy of a blamed rule's base chain lets through, by version. */
export function takenByPolicy(context: HostContext, side: Side, blamed: Blamed): Blamed['taken'] {
  const versions = new Set(blamed.passages.map((p) => p.version));
  return [...versions].flatMap((version) => {
    const run = decidingRun(context, version, side.path);
    if (run === undefined) return [];
    return decisionsOf(context.space, run, () => false)
      .filter((d) => d.rule === undefined && d.verdict === 'accept')
      .map(({ set }) => ({ version, set }));
  });
}
