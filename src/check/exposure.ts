/**
 * Who can reach what on a host without being entitled to it, by the rule or policy that lets the packets through.
 *
 * Everything is decided on packet sets: what the whole rule set accepts, minus what flows, exceptions and admin networks
 * explain. Classes and their order are those of design.md, section 6.
 */

import { exceptionSources, type ResolvedHost } from '../inventory/index.ts';
import type { Chain, Rule, Table } from '../model/index.ts';
import { type Condition, CT_STATE, TCP_FLAG } from '../model/index.ts';
import {
  countIntervals,
  ICMPV6,
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  intervalsContain,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
  subtractIntervals,
  TCP,
} from '../net/index.ts';
import { type Header, isAnySource, type PacketSet } from '../packet-set/index.ts';
import type { Flow } from '../rulepack/index.ts';
import {
  type BaseChainRun,
  conditionSet,
  type Decision,
  decisionsOf,
  deliveredImage,
  deliveredPreimage,
  type Environment,
  type LocalDecision,
} from '../semantics/index.ts';
import { type CarriedTraffic, type KeptAccess, NOTHING_CARRIED } from './change.ts';
import type { Sources } from './describe.ts';
import type { HostContext } from './host-context.ts';
import {
  exceptionsTo,
  flowPorts,
  flowsTo,
  impossibleSources,
  type Peer,
  rangesOfVersion,
  sendersKnown,
  sendersOf,
  servedAdminPorts,
} from './peers.ts';

/** What the excess of a blamed rule is; the check that reports it. */
export type ExposureClass =
  | 'default-accept'
  | 'admin-port-via-nat'
  | 'connection-port-rule'
  | 'client-inbound-unscoped'
  | 'dynamic-range-any-source'
  | 'dynamic-range-open-on-server'
  | 'dynamic-range-beyond-peers'
  | 'service-port-beyond-peers'
  | 'admin-port-beyond-admin-network'
  | 'admin-port-on-wrong-host'
  | 'udp-on-service-ports'
  | 'admin-port-inside-open-range'
  | 'unknown-source';

/** From where the excess comes, as far as the severity depends on it. */
export type SourceKind = 'any' | 'narrow' | 'admin' | 'vendor';

/** One blamed rule or policy, with packets it lets through that nobody is entitled to send. */
export interface HostExposure {
  readonly path: Side['path'];
  /** Whom the packets reach: the host itself, or a host behind this one. */
  readonly target: ResolvedHost | undefined;
  /** Whether the side counts: input always, forward for gateways and hosts that really forward. */
  readonly judged: boolean;
  readonly class: ExposureClass;
  readonly source: SourceKind;
  /** How the connection-port-rule was recognised; `undefined` for other classes. */
  readonly variant: 'source-port' | 'connection-range' | undefined;
  readonly certain: boolean;
  readonly unknowns: readonly string[];
  readonly table: Table | undefined;
  readonly chain: Chain | undefined;
  /** The accepting rule, `undefined` for a chain policy. For `admin-port-via-nat` the translating rule. */
  readonly rule: Rule | undefined;
  /** The accepting rule behind a translation. */
  readonly acceptedBy:
    | { readonly table: Table; readonly chain: Chain; readonly rule: Rule | undefined }
    | undefined;
  readonly sources: Sources;
  /** Sources of the same ports that are entitled to them. */
  readonly entitled: Sources;
  readonly entitledPeers: readonly Peer[];
  readonly protocols: readonly number[];
  readonly ports: readonly Interval[];
  readonly witness: Header | undefined;
  /** Flow that explains a `vendor` exposure. */
  readonly vendorFlow: Flow | undefined;
  /** What the blamed rule or policy lets through by right: what a replacement has to keep. */
  readonly kept: readonly KeptAccess[];
  /** Ports outside every range that is judged, let in by the same rule: what of them is needed, nobody has said. */
  readonly beside: readonly Interval[];
  /** What else would stop with the rule or policy, and with `closes`. */
  readonly carried: CarriedTraffic;
  /** The base chain whose policy accepts what a rule that accepts everything leaves over: without closing it, nothing is gained. */
  readonly closes: Chain | undefined;
  /** Some who may need these ports are not known by address: nobody can say that the rule has no use. */
  readonly peersUnknown: boolean;
}

const ALL_PORTS: Interval = interval(0, 65535);

/** The way packets take through the judged host, and the host they are for. */
interface Side {
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

/** Packets (source, protocol, delivered port) that entitled peers may send. */
interface Entitlement {
  readonly all: PacketSet;
  readonly vendor: readonly { readonly flow: Flow; readonly set: PacketSet }[];
}

function accessSet(
  context: HostContext,
  version: IpVersion,
  sources: readonly Interval[],
  protocol: number,
  ports: readonly Interval[],
): PacketSet {
  const { space } = context.space;
  const saddr = space.bits('saddr').slice(0, version === 4 ? 32 : 128);
  return space.intersectAll([
    space.version(version),
    space.inIntervals(saddr, sources),
    space.inIntervals(space.bits('protocol'), [single(protocol)]),
    space.inIntervals(space.bits('dport'), ports),
  ]);
}

function entitlement(context: HostContext, host: ResolvedHost, version: IpVersion): Entitlement {
  const { estate, space: hostSpace } = context;
  const { space } = hostSpace;
  let all = space.empty;
  const vendor: { flow: Flow; set: PacketSet }[] = [];
  for (const flow of flowsTo(estate, host)) {
    const sources = rangesOfVersion(
      sendersOf(estate, flow, host).flatMap((p) => p.ranges),
      version,
    );
    const set = accessSet(context, version, sources, flow.protocol, flowPorts(estate, flow, host));
    if (flow.need === 'vendor') vendor.push({ flow, set });
    else all = space.union(all, set);
  }
  for (const exception of exceptionsTo(estate, host)) {
    if (estate.inventory === undefined) break;
    const sources = rangesOfVersion(exceptionSources(exception, estate.hosts, estate.inventory), version);
    for (const { protocol, ports } of exception.ports) {
      all = space.union(
        all,
        accessSet(context, version, sources, protocol, ports.length === 0 ? [ALL_PORTS] : ports),
      );
    }
  }
  return { all, vendor };
}

/** Accepted packets of one blamed rule in one environment, as they arrive and as they are delivered. */
interface Passage {
  readonly version: IpVersion;
  readonly environment: Environment;
  /** Arriving packets with unknowns. */
  readonly arriving: PacketSet;
  /** Source, protocol and delivered port of packets that get through whatever the unknowns are, and that may get through. */
  readonly surely: PacketSet;
  readonly maybe: PacketSet;
}

/** All passages for which one rule or policy is to blame. */
interface Blamed {
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

/** The exposures of a host's input side, each blamed rule's most serious class first. Computed once per host. */
export function inputExposures(context: HostContext): readonly HostExposure[] {
  return context.once('input exposures', () => {
    const side: Side = { path: 'input', target: context.host };
    const all = collectBlamed(context, side);
    return all.flatMap((b) => classify(context, side, b, all));
  });
}

/**
 * The exposures of a host's forward side: a forward side that is open altogether, and, on gateways, what it lets through to
 * the hosts of the estate. Computed once per host.
 */
export function forwardExposures(context: HostContext): readonly HostExposure[] {
  return context.once('forward exposures', () => {
    const judged = reallyForwards(context);
    const everybody: Side = { path: 'forward', target: context.host };
    const open = new Set<string>();
    const out: HostExposure[] = [];
    for (const blamed of collectBlamed(context, everybody, isUnconditional)) {
      const everything = wholeExcess(context, everybody, blamed);
      if (everything.isEmpty || !isDefaultAccept(context, blamed, everything)) continue;
      open.add(blamed.key);
      const unread = unreadPart(context, blamed);
      out.push({
        ...everything.exposure('default-accept'),
        target: undefined,
        judged,
        kept: [],
        ...(unread === undefined ? {} : { certain: false, unknowns: [unread] }),
      });
    }
    if (!judged) return out;
    for (const target of [...context.estate.hosts, ...roleNetworkTargets(context)]) {
      if (target === context.host || target.addresses.length === 0 || target.roles.length === 0) continue;
      const side: Side = { path: 'forward', target };
      const all = collectBlamed(context, side);
      for (const blamed of all) {
        if (!open.has(blamed.key)) out.push(...classify(context, side, blamed, all));
      }
    }
    return out;
  });
}

/** The hosts that live in the networks of a role, as one host each network. */
function roleNetworkTargets(context: HostContext): ResolvedHost[] {
  const networks = context.estate.inventory?.roleNetworks ?? new Map();
  return [...networks].map(([role, addresses]) => ({
    name: `networks of role ${role}`,
    roles: [role],
    roleSource: 'configuration' as const,
    addresses,
    datazone: context.host.datazone,
    interfaces: new Map(),
    hasExport: false,
  }));
}

/** A gateway by role, or a host that translates connections to others or has rules of its own for forwarding. */
function reallyForwards(context: HostContext): boolean {
  if (context.host.roles.includes('gateway')) return true;
  return context.input.ruleset.tables.some((table) =>
    table.chains.some((chain) =>
      chain.rules.some(
        (rule) =>
          rule.verdict.kind === 'nat' &&
          rule.verdict.nat.kind === 'dnat' &&
          rule.verdict.nat.addresses !== undefined,
      ),
    ),
  );
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
function isUnconditional(local: LocalDecision): boolean {
  return local.rule.matches.every(({ condition }) => tellsNothing(condition));
}

/** Whether a condition holds for every new connection: comments, and states that include new. */
function tellsNothing(condition: Condition): boolean {
  if (condition.kind === 'unknown') return true;
  if (condition.kind === 'all') return condition.of.every(tellsNothing);
  return (
    condition.kind === 'field' &&
    condition.field === 'ct-state' &&
    intervalsContain(condition.values, BigInt(CT_STATE.new))
  );
}

/** Blamed rules with their passages. `wanted` picks rules beforehand, by what they decide of all conceivable packets. */
function collectBlamed(
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
  if (local.environment.note('dnat') !== undefined || isUnconditional(local)) return true;
  return context.space.space.intersects(local.set, ofInterest(context, side, version));
}

function collectVersion(
  context: HostContext,
  side: Side,
  version: IpVersion,
  blamed: Map<string, Blamed>,
  wanted: (local: LocalDecision) => boolean,
): void {
  const { space } = context.space;
  const analysis = context.path(side.path, version);
  const through = space.intersect(analysis.acceptedPackets, newFromOutside(context, version));
  if (space.isEmpty(through)) return;
  const run = decidingRun(context, version, side.path);
  const add = (
    key: string,
    blame: Omit<Blamed, 'passages' | 'taken' | 'key'>,
    environment: Environment,
    arriving: PacketSet,
    taken: PacketSet,
  ) => {
    if (space.isEmpty(arriving)) return;
    const next = passage(context, side, version, environment, arriving);
    if (space.isEmpty(next.maybe)) return;
    let entry = blamed.get(key);
    if (entry === undefined) {
      entry = { ...blame, key, passages: [], taken: [] };
      blamed.set(key, entry);
    }
    entry.passages.push(next);
    entry.taken.push({ version, set: taken });
  };
  if (run === undefined) {
    for (const { environment, set } of analysis.accepted.values()) {
      const nothing = {
        table: undefined,
        chain: undefined,
        rule: undefined,
        acceptedBy: undefined,
        run: undefined,
      };
      add('no chain', nothing, environment, space.intersect(set, through), set);
    }
    return;
  }
  const accepting = decisionsOf(context.space, run, (local) => local.verdict === 'accept' && wanted(local));
  for (const decision of accepting) {
    if (decision.verdict !== 'accept') continue;
    const place = { table: decision.table, chain: decision.chain, rule: decision.rule };
    const arriving = space.intersect(decision.set, through);
    let direct = arriving;
    for (const translation of translations(context, side, version, decision)) {
      const { set, ...translator } = translation;
      if (side.path === 'input' && leavesHost(context, version, translator.rule)) {
        direct = space.minus(direct, set);
        continue;
      }
      add(
        keyOf(translator),
        { ...translator, acceptedBy: place, run },
        decision.environment,
        space.intersect(arriving, set),
        set,
      );
      direct = space.minus(direct, set);
    }
    add(keyOf(place), { ...place, acceptedBy: undefined, run }, decision.environment, direct, decision.set);
  }
}

/** Packets to ports that some class of exposure is about, other than a chain policy's. */
function ofInterest(context: HostContext, side: Side, version: IpVersion): PacketSet {
  return context.once(`of interest ${version} ${side.target.name}`, () => {
    const { space } = context.space;
    const { profile } = context.estate;
    const ports = [
      ...judgedRange(context, side),
      ...profile.adminPorts.map((a) => single(a.port)),
      ...(side.target.connectionPorts ?? [profile.connectionPorts]),
    ];
    return space.intersect(
      space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single)),
      space.inIntervals(space.bits('dport'), ports),
    );
  });
}

function keyOf(place: {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
}): string {
  const { origin } = place.rule ?? place.chain;
  const at = `${origin.file}:${origin.line}:${origin.column}:${origin.path}`;
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
  side: Side,
  version: IpVersion,
  decision: Decision,
): { readonly table: Table; readonly chain: Chain; readonly rule: Rule; readonly set: PacketSet }[] {
  if (decision.environment.note('dnat') === undefined) return [];
  const { space } = context.space;
  const analysis = context.path(side.path, version);
  return analysis.runs.flatMap((run, i) => {
    if (run.base.type !== 'nat' || run.base.hook !== 'prerouting') return [];
    return (context.decisions(analysis)[i] ?? []).flatMap(({ rule, table, chain, set }) =>
      rule?.verdict.kind === 'nat' && space.intersects(set, decision.set)
        ? [{ table, chain, rule, set }]
        : [],
    );
  });
}

const EXPOSURE_FIELDS = { fields: ['saddr', 'protocol', 'dport'] } as const;

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
function deliveredFields(side: Side): readonly ('daddr' | 'dport')[] {
  return side.path === 'input' ? ['dport'] : ['daddr', 'dport'];
}

/** Packets for the target of a side, by delivered address. */
function destination(context: HostContext, side: Side, version: IpVersion): PacketSet {
  const { space } = context.space;
  if (side.path === 'input' || side.target === context.host) return space.full;
  const daddr = space.bits('daddr').slice(0, version === 4 ? 32 : 128);
  return space.inIntervals(daddr, rangesOfVersion(side.target.addresses, version));
}

/** The excess of one blamed rule, in one version, by what matters for its class. */
interface Excess {
  readonly passage: Passage;
  /** Beyond every entitlement. */
  readonly beyond: PacketSet;
  /** Of `beyond`, what a flow that only the vendor requires would explain. */
  readonly vendor: readonly { readonly flow: Flow; readonly set: PacketSet }[];
}

function classify(context: HostContext, side: Side, blamed: Blamed, all: readonly Blamed[]): HostExposure[] {
  const found = classifyCertainty(context, side, blamed, all, 'maybe');
  const sure = classifyCertainty(context, side, blamed, all, 'surely');
  let names: readonly string[] | undefined;
  return found.map((exposure) => {
    const unread = unreadPart(context, blamed);
    if (unread !== undefined) return { ...exposure, certain: false, unknowns: [unread] };
    const same = sure.find((s) => s.class === exposure.class && s.source === exposure.source);
    if (same !== undefined) return { ...same, certain: true, unknowns: [] };
    names ??= namesOfUnknowns(context, blamed);
    return { ...exposure, certain: false, unknowns: names };
  });
}

/** Names of unknown tests that a finding lists at most: a rule set of thousands would make a report of megabytes. */
const MOST_NAMES = 200;

/** The unknown tests on which it hangs what a blamed rule lets through, sorted; of very many the first, and how many more. */
function namesOfUnknowns(context: HostContext, blamed: Blamed): readonly string[] {
  const all = new Set(blamed.passages.flatMap((p) => context.space.unknownsOf(p.arriving)));
  const sorted = [...all].sort();
  if (sorted.length <= MOST_NAMES) return sorted;
  return [...sorted.slice(0, MOST_NAMES), `and ${sorted.length - MOST_NAMES} more`];
}

/** What was not read of a host of which no chain is known: it may hold one. */
function unreadPart(context: HostContext, blamed: Blamed): string | undefined {
  if (blamed.table !== undefined) return undefined;
  const unread = context.input.diagnostics.find((d) => d.incomplete);
  return unread === undefined ? undefined : `what was not read of ${unread.origin.file}`;
}

/** What of the passages nobody is entitled to. */
function excessesOf(context: HostContext, side: Side, blamed: Blamed, which: 'maybe' | 'surely'): Excess[] {
  const { space } = context.space;
  const host = side.target;
  return blamed.passages.map((p) => {
    const entitled = context.once(`entitlement ${p.version} ${host.name}`, () =>
      entitlement(context, host, p.version),
    );
    const beyond = space.minus(p[which], entitled.all);
    return {
      passage: p,
      beyond,
      vendor: entitled.vendor.map(({ flow, set }) => ({ flow, set: space.intersect(beyond, set) })),
    };
  });
}

/** Everything a blamed rule lets through, entitlements of the judged host itself aside. */
function wholeExcess(context: HostContext, side: Side, blamed: Blamed): Region {
  return new Region(context, side, blamed, excessesOf(context, side, blamed, 'maybe'), PROTOCOLS_WITH_PORTS, [
    ALL_PORTS,
  ]);
}

function classifyCertainty(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  all: readonly Blamed[],
  which: 'maybe' | 'surely',
): HostExposure[] {
  const { space } = context.space;
  const { estate } = context;
  const host = side.target;
  const { profile } = estate;
  const excesses = excessesOf(context, side, blamed, which);
  /** Every blamed rule's excess: two rules for half of the addresses each open a port to any source. */
  const together = () =>
    context.once(`excesses together ${which} ${side.path} ${host.name}`, () =>
      all.flatMap((b) => excessesOf(context, side, b, which)),
    );
  const region = (protocols: readonly number[], ports: readonly Interval[]): Region =>
    new Region(context, side, blamed, excesses, protocols, ports, together);
  const range = judgedRange(context, side);
  const adminPorts = profile.adminPorts.map((a) => single(a.port));
  const fixed = profile.fixedPorts.map((p) => single(p));
  const otherThanTcp = PROTOCOLS_WITH_PORTS.filter((p) => p !== TCP);
  const everything = region(PROTOCOLS_WITH_PORTS, [ALL_PORTS]);
  if (everything.isEmpty) return [];

  // (a)
  if (side.path === 'input' && isDefaultAccept(context, blamed, everything)) {
    return [everything.exposure('default-accept')];
  }

  const dynamicPorts = subtractIntervals(range, [...fixed, ...adminPorts]);
  const served = servedAdminPorts(estate, host);
  const servedPorts = served.map((p) => single(p));
  const rolesKnown = host.roles.length > 0;

  // (b)
  if (blamed.acceptedBy !== undefined) {
    const viaNat = region([TCP], rolesKnown ? servedPorts : adminPorts);
    if (!viaNat.isEmpty) return viaNat.judged('admin-port-via-nat');
  }

  const variant = connectionPortVariant(context, side, blamed, everything, dynamicPorts);
  if (variant !== undefined) return [{ ...everything.exposure('connection-port-rule'), variant }];

  // What only the vendor requires is told where nothing worse is to be said of the same rule.
  const withoutVendor = excesses.map((e) => ({
    ...e,
    beyond: space.minus(e.beyond, space.unionAll(e.vendor.map((v) => v.set))),
  }));
  const plain = (protocols: readonly number[], ports: readonly Interval[]): Region =>
    new Region(context, side, blamed, withoutVendor, protocols, ports, together);
  const onlyClient = rolesKnown && host.roles.every((role) => role === 'client');
  const serves = !rolesKnown || served.length > 0;
  const dynamic = plain([TCP], dynamicPorts);
  // (c) absorbs the fixed ports of the same rule; admin ports the host serves have findings of their own.
  const whole = plain([TCP], subtractIntervals(range, servedPorts));
  const candidates: HostExposure[] = [];
  if (!dynamic.isEmpty) {
    const shown = dynamic.isAny || whole.hasSourcesOf(dynamic) ? whole : dynamic;
    const beyond = dynamic.isAny ? 'dynamic-range-any-source' : 'dynamic-range-beyond-peers';
    candidates.push(...shown.mostExposed().judged(onlyClient ? 'client-inbound-unscoped' : beyond));
  }
  candidates.push(
    ...plain([TCP], adminPorts)
      .mostExposed()
      .judged(serves ? 'admin-port-beyond-admin-network' : 'admin-port-on-wrong-host'),
    ...plain([TCP], fixed).mostExposed().judged('service-port-beyond-peers'),
    ...plain(otherThanTcp, range).mostExposed().judged('udp-on-service-ports'),
  );
  const isMild = (e: HostExposure) =>
    e.class === 'unknown-source' || (e.class === 'admin-port-on-wrong-host' && e.source === 'admin');
  const chosen =
    candidates.find((e) => !isMild(e)) ??
    candidates[0] ??
    vendorExposure(region, dynamicPorts, adminPorts, serves);
  const out = chosen === undefined ? [] : [chosen];

  const inside = region([TCP], servedPorts);
  if (!inside.isEmpty && admitsRange(context, side, blamed, which)) {
    out.push(...inside.judged('admin-port-inside-open-range').filter((e) => e.class !== 'unknown-source'));
  }
  return out;
}

/** The service range that counts on a side: the profile's, and what the host was given beyond it. */
function judgedRange(context: HostContext, side: Side): Interval[] {
  return normalizeIntervals([context.estate.profile.serviceRange, ...(side.target.servicePorts ?? [])]);
}

/** Ports that some class of exposure is about, those of the connection range aside. */
export function judgedPorts(context: HostContext, side: Side): Interval[] {
  const admin = context.estate.profile.adminPorts.map(({ port }) => single(port));
  return normalizeIntervals([...judgedRange(context, side), ...admin]);
}

/** What a rule opens to peers that only the vendor asks to let in. */
function vendorExposure(
  region: (protocols: readonly number[], ports: readonly Interval[]) => Region,
  dynamicPorts: readonly Interval[],
  adminPorts: readonly Interval[],
  serves: boolean,
): HostExposure | undefined {
  const dynamic = region([TCP], dynamicPorts);
  const admin = region([TCP], adminPorts);
  const shown = dynamic.isEmpty ? admin : dynamic;
  const flow = shown.vendorFlow;
  if (shown.isEmpty || flow === undefined) return undefined;
  const adminClass = serves ? 'admin-port-beyond-admin-network' : 'admin-port-on-wrong-host';
  const dynamicClass =
    flow.check === 'dynamic-range-open-on-server'
      ? 'dynamic-range-open-on-server'
      : 'dynamic-range-beyond-peers';
  return {
    ...shown.exposure(dynamic.isEmpty ? adminClass : dynamicClass),
    source: 'vendor',
    vendorFlow: flow,
  };
}

/** Whether the blamed rule lets ports of the dynamic range through at all, entitled or not. */
function admitsRange(context: HostContext, side: Side, blamed: Blamed, which: 'maybe' | 'surely'): boolean {
  const { space } = context.space;
  const { profile } = context.estate;
  const excluded = [...profile.fixedPorts, ...profile.adminPorts.map((a) => a.port)].map((p) => single(p));
  const ports = subtractIntervals(judgedRange(context, side), excluded);
  return blamed.passages.some((p) =>
    space.intersects(
      p[which],
      space.intersect(
        space.inIntervals(space.bits('protocol'), [single(TCP)]),
        space.inIntervals(space.bits('dport'), ports),
      ),
    ),
  );
}

/** A chain policy that lets anything through, or a rule that lets everything through from anywhere. */
function isDefaultAccept(context: HostContext, blamed: Blamed, everything: Region): boolean {
  const { rule, chain } = blamed;
  if (rule === undefined) return true;
  // A service whose definition is not known is still one service.
  if (rule.configured?.element === 'service') return false;
  if (blamed.acceptedBy !== undefined || rule.matches.some((m) => namesPackets(m.condition))) return false;
  if (chain?.base !== undefined && rule.matches.every((m) => tellsNothing(m.condition)))
    return everything.isAny;
  const { space } = context.space;
  return blamed.passages.some((p) => {
    const interfaces = space.exists(p.arriving, space.variablesExcept({ interfaces: ['iif'] }));
    const lo = space.interfaceIn(space.interfaceBits('iif'), 'lo', false);
    const missing = space.minus(space.minus(space.interfaceValid('iif'), lo), interfaces);
    return space.isEmpty(missing) && everything.coversEverything(p.version);
  });
}

/** Whether a condition tests an address, port, protocol or interface. */
function namesPackets(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(namesPackets);
    case 'not':
    case 'original':
      return namesPackets(condition.of);
    case 'address':
    case 'interface':
    case 'named-set':
      return true;
    case 'field':
      return ['protocol', 'sport', 'dport', 'icmp-type', 'icmp-code', 'tcp-flags'].includes(condition.field);
    default:
      return false;
  }
}

/** Fewer destination ports than this bound a rule; above, its author named no port. */
const UNBOUNDED_PORTS = 60_000n;

/** As many ports of the connection range as no single service has. */
const MOST_SERVICES = 500n;

/** Sources of a part are listed up to so many intervals; a mask with holes can make millions. */
const MOST_INTERVALS = 5_000;

/** Fewer addresses than a /8 (or, in IPv6, a /32) are no share of "any source". */
const SHARE_OF_ANY: Readonly<Record<IpVersion, bigint>> = { 4: 1n << 24n, 6: 1n << 96n };

function connectionPortVariant(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  everything: Region,
  dynamicPorts: readonly Interval[],
): HostExposure['variant'] {
  const { space } = context.space;
  const { rule, run } = blamed;
  if (rule === undefined || run === undefined || blamed.acceptedBy !== undefined) return undefined;
  for (const { version, environment } of blamed.passages) {
    const place = { path: side.path, hook: run.base.hook, version } as const;
    const own = space.intersectAll(
      rule.matches.map((m) => conditionSet(context.space, place, environment, m.condition)),
    );
    const within = space.intersect(
      own,
      space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single)),
    );
    const sports = space.values(within, 'sport', version);
    const dports = space.values(within, 'dport', version);
    if (countIntervals(sports) < 65_536n && countIntervals(dports) >= UNBOUNDED_PORTS) return 'source-port';
  }
  const range = side.target.connectionPorts ?? [context.estate.profile.connectionPorts];
  const inside = countIntervals(intersectIntervals(everything.ports, range));
  // A rule that also opens the dynamic range is about that; one for a few ports is about some service there.
  const alsoDynamic = intersectIntervals(everything.ports, dynamicPorts).length > 0;
  return !alsoDynamic && inside >= MOST_SERVICES ? 'connection-range' : undefined;
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
    is('dport', [REPLY_PORTS, context.estate.profile.connectionPorts]),
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
function takenByPolicy(context: HostContext, side: Side, blamed: Blamed): Blamed['taken'] {
  const versions = new Set(blamed.passages.map((p) => p.version));
  return [...versions].flatMap((version) => {
    const run = decidingRun(context, version, side.path);
    if (run === undefined) return [];
    return decisionsOf(context.space, run, () => false)
      .filter((d) => d.rule === undefined && d.verdict === 'accept')
      .map(({ set }) => ({ version, set }));
  });
}

/** The base chain that a rule which accepts everything leaves open behind it; `undefined` where its policy drops or has a finding of its own. */
function chainToClose(blamed: Blamed): Chain | undefined {
  const { rule, run } = blamed;
  if (rule === undefined || run === undefined || run.base.chainPolicy === 'drop') return undefined;
  return rule.matches.some(({ condition }) => condition.kind === 'unknown') ? undefined : run.chain;
}

/** Access of entitled peers and exceptions that the blamed rule or policy gives. */
function keptAccess(context: HostContext, side: Side, blamed: Blamed, as: ExposureClass): KeptAccess[] {
  const given = blamed.passages.map(({ version, maybe }) => ({ version, set: maybe }));
  return entitledAccess(context, side.target, given, as === 'dynamic-range-open-on-server');
}

/** What of some access is by right: what flows and exceptions ask for. `given`: source, protocol and delivered port. */
export function entitledAccess(
  context: HostContext,
  host: ResolvedHost,
  given: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
  withVendor = false,
): KeptAccess[] {
  const { space } = context.space;
  const { estate } = context;
  const kept: KeptAccess[] = [];
  const keep = (version: IpVersion, range: Interval, protocol: number, wanted: readonly Interval[]) => {
    const asked = accessSet(context, version, [range], protocol, wanted);
    const both = space.unionAll(
      given.filter((p) => p.version === version).map(({ set }) => space.intersect(set, asked)),
    );
    const ports = space.values(both, 'dport', version);
    if (ports.length === 0) return;
    for (const saddr of space.valuesUpTo(both, 'saddr', version, MOST_INTERVALS).intervals)
      kept.push({ version, saddr, protocol, ports });
  };
  for (const flow of flowsTo(estate, host)) {
    if (flow.need === 'vendor' && !withVendor) continue;
    const wanted = flowPorts(estate, flow, host);
    for (const { version, range } of sendersOf(estate, flow, host).flatMap((p) => p.ranges)) {
      keep(version, range, flow.protocol, wanted);
    }
  }
  for (const exception of exceptionsTo(estate, host)) {
    if (estate.inventory === undefined) break;
    for (const { version, range } of exceptionSources(exception, estate.hosts, estate.inventory))
      for (const { protocol, ports } of exception.ports)
        keep(version, range, protocol, ports.length === 0 ? [ALL_PORTS] : ports);
  }
  return kept;
}

/** The part of a blamed rule's excess that lies in some protocols and delivered ports. */
class Region {
  readonly #context: HostContext;
  readonly #side: Side;
  readonly #blamed: Blamed;
  readonly #excesses: readonly Excess[];
  readonly #together: (() => readonly Excess[]) | undefined;
  readonly #protocols: readonly number[];
  /** Computed when first asked for: a region does not change. */
  #sources: Sources | undefined;
  #isAny: boolean | undefined;
  readonly #parts: readonly { readonly excess: Excess; readonly set: PacketSet }[];

  constructor(
    context: HostContext,
    side: Side,
    blamed: Blamed,
    excesses: readonly Excess[],
    protocols: readonly number[],
    ports: readonly Interval[],
    together?: () => readonly Excess[],
  ) {
    const { space } = context.space;
    this.#together = together;
    this.#protocols = protocols;
    this.#context = context;
    this.#side = side;
    this.#blamed = blamed;
    this.#excesses = excesses;
    const filter = space.intersect(
      space.inIntervals(
        space.bits('protocol'),
        protocols.map((p) => single(p)),
      ),
      space.inIntervals(space.bits('dport'), ports),
    );
    this.#parts = excesses
      .map((excess) => ({ excess, set: space.intersect(excess.beyond, filter) }))
      .filter(({ set }) => !space.isEmpty(set));
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get sources(): Sources {
    this.#sources ??= this.#listSources();
    return this.#sources;
  }

  #listSources(): Sources {
    const out = new Map<IpVersion, Interval[]>();
    for (const { excess, set } of this.#parts) {
      const { version } = excess.passage;
      const values = this.#context.space.space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS).intervals;
      out.set(version, normalizeIntervals([...(out.get(version) ?? []), ...values]));
    }
    return out;
  }

  /**
   * Whether the sources are any source: with what cannot arrive and who is entitled added back, at least half of the
   * address space, by this rule alone or, where it has a large share, by all rules for these ports together.
   */
  get isAny(): boolean {
    this.#isAny ??= this.#judgeAny();
    return this.#isAny;
  }

  #judgeAny(): boolean {
    const own = this.sources;
    if ([...own].some(([version, list]) => this.#isAnyOf(version, list))) return true;
    if (this.#parts.some(({ excess, set }) => this.#isAnyIn(set, excess.passage.version))) return true;
    const share = [...own].some(([version, list]) => countIntervals(list) >= SHARE_OF_ANY[version]);
    if (!share || this.#together === undefined) return false;
    const all = new Region(
      this.#context,
      this.#side,
      this.#blamed,
      this.#together(),
      this.#protocols,
      this.ports,
    );
    return [...all.sources].some(
      ([version, list]) => (own.get(version)?.length ?? 0) > 0 && this.#isAnyOf(version, list),
    );
  }

  /** Whether the sources of one set are any source; counted where they are too scattered to list. */
  #isAnyIn(set: PacketSet, version: IpVersion): boolean {
    const { space } = this.#context.space;
    const { intervals, complete } = space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS);
    if (complete) return this.#isAnyOf(version, intervals);
    return space.count(set, ['saddr'], version) >= 1n << (version === 4 ? 31n : 127n);
  }

  #isAnyOf(version: IpVersion, list: readonly Interval[]): boolean {
    if (countIntervals(list) < SHARE_OF_ANY[version]) return false;
    const { estate } = this.#context;
    const host = this.#side.target;
    const addedBack = this.#context.once(`impossible or entitled ${version} ${host.name}`, () => {
      const peers = flowsTo(estate, host).flatMap((flow) => sendersOf(estate, flow, host));
      const ranges = peers.flatMap((p) => p.ranges);
      return [...impossibleSources(this.#context.host, version), ...rangesOfVersion(ranges, version)];
    });
    return isAnySource(version, [...list, ...addedBack]);
  }

  /** Whether both regions are reached from the same sources. */
  hasSourcesOf(other: Region): boolean {
    const a = this.sources;
    const b = other.sources;
    return [...a, ...b].every(([version]) => {
      const x = a.get(version) ?? [];
      const y = b.get(version) ?? [];
      return subtractIntervals(x, y).length === 0 && subtractIntervals(y, x).length === 0;
    });
  }

  /** The region, or where only some of its ports are open to any source, those alone: sources and ports are told side by side. */
  mostExposed(): Region {
    if (this.isEmpty || !this.isAny) return this;
    const { space } = this.#context.space;
    const ports = this.#parts.flatMap(
      ({
        excess: {
          passage: { version },
        },
        set,
      }) =>
        space
          .partition(space.exists(set, space.variables({ fields: ['protocol'] })), 'dport', version)
          .filter(({ rest }) => this.#isAnyIn(rest, version))
          .flatMap(({ values }) => values),
    );
    if (ports.length === 0) return this;
    return new Region(
      this.#context,
      this.#side,
      this.#blamed,
      this.#excesses,
      this.#protocols,
      intersectIntervals(ports, this.ports),
      this.#together,
    );
  }

  get ports(): Interval[] {
    const { space } = this.#context.space;
    const all = this.#parts.flatMap(({ excess, set }) => space.values(set, 'dport', excess.passage.version));
    return normalizeIntervals(all);
  }

  get protocols(): number[] {
    const { space } = this.#context.space;
    const all = this.#parts.flatMap(({ excess, set }) =>
      space.values(set, 'protocol', excess.passage.version),
    );
    return PROTOCOLS_WITH_PORTS.filter((p) => all.some((i) => i.lo <= BigInt(p) && BigInt(p) <= i.hi));
  }

  /** The flow only the vendor requires that explains the whole region, if there is one. */
  get vendorFlow(): Flow | undefined {
    const { space } = this.#context.space;
    const flows = new Set(this.#excesses.flatMap((e) => e.vendor.map((v) => v.flow)));
    return [...flows].find((flow) =>
      this.#parts.every(({ excess, set }) => {
        const explained = excess.vendor.find((v) => v.flow === flow)?.set ?? space.empty;
        return space.includes(explained, set);
      }),
    );
  }

  /** TCP and another protocol, nearly every port, from anywhere. */
  coversEverything(version: IpVersion): boolean {
    const { space } = this.#context.space;
    const set = space.unionAll(
      this.#parts.filter((p) => p.excess.passage.version === version).map((p) => p.set),
    );
    return (
      this.protocols.every((protocol) => {
        const part = space.intersect(set, space.inIntervals(space.bits('protocol'), [single(protocol)]));
        return (
          this.#isAnyIn(part, version) &&
          countIntervals(space.values(part, 'dport', version)) >= UNBOUNDED_PORTS
        );
      }) && this.protocols.length > 1
    );
  }

  /**
   * The exposure of this class, or `unknown-source` where the sources are narrow and some who may use these ports are
   * not known by address. A host whose role is not known is judged on access from anywhere only.
   */
  judged(as: ExposureClass): HostExposure[] {
    if (this.isEmpty) return [];
    const exposure = this.exposure(as);
    if (exposure.source === 'any') return [exposure];
    if (this.#side.target.roles.length === 0) return [];
    // A source that is a known host is not unknown, only not entitled.
    const strangers = this.#sendersKnown(exposure.ports) || this.#areKnownHosts(exposure.sources);
    return strangers ? [exposure] : [{ ...exposure, class: 'unknown-source' }];
  }

  #areKnownHosts(sources: Sources): boolean {
    const known = this.#context.estate.hosts.flatMap((h) => h.addresses);
    return [...sources].every(
      ([version, list]) => subtractIntervals(list, rangesOfVersion(known, version)).length === 0,
    );
  }

  #sendersKnown(ports: readonly Interval[]): boolean {
    const { estate } = this.#context;
    const host = this.#side.target;
    return flowsTo(estate, host).every(
      (flow) =>
        flow.need === 'vendor' ||
        intersectIntervals(flowPorts(estate, flow, host), ports).length === 0 ||
        sendersKnown(estate, flow, host),
    );
  }

  exposure(as: ExposureClass): HostExposure {
    const { estate } = this.#context;
    const { path, target: host } = this.#side;
    const { sources, ports, protocols } = this;
    const peers = flowsTo(estate, host)
      .filter(
        (flow) =>
          flow.need !== 'vendor' && intersectIntervals(flowPorts(estate, flow, host), ports).length > 0,
      )
      .flatMap((flow) => sendersOf(estate, flow, host));
    const unique = [...new Map(peers.map((p) => [p.name, p])).values()];
    const entitled = new Map(
      ([4, 6] as const).map(
        (v) =>
          [
            v,
            rangesOfVersion(
              unique.flatMap((p) => p.ranges),
              v,
            ),
          ] as const,
      ),
    );
    return {
      path,
      target: host,
      judged: true,
      class: as,
      source: this.isAny ? 'any' : this.#onlyAdmin(sources) ? 'admin' : 'narrow',
      variant: undefined,
      certain: true,
      unknowns: [],
      table: this.#blamed.table,
      chain: this.#blamed.chain,
      rule: this.#blamed.rule,
      acceptedBy: this.#blamed.acceptedBy,
      sources,
      entitled,
      entitledPeers: unique,
      protocols,
      ports,
      witness: this.#witness(),
      vendorFlow: undefined,
      peersUnknown: host.roles.length === 0 || !this.#sendersKnown(ports),
      kept: as === 'unknown-source' ? [] : keptAccess(this.#context, this.#side, this.#blamed, as),
      beside: this.#portsBeside(),
      ...this.#carried(as),
    };
  }

  #portsBeside(): Interval[] {
    const { space } = this.#context.space;
    const withPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
    const all = this.#blamed.passages.flatMap((p) =>
      space.values(space.intersect(p.maybe, withPorts), 'dport', p.version),
    );
    return subtractIntervals(normalizeIntervals(all), judgedPorts(this.#context, this.#side));
  }

  #carried(as: ExposureClass): Pick<HostExposure, 'carried' | 'closes'> {
    const { acceptedBy } = this.#blamed;
    if (as === 'unknown-source' || this.#side.path !== 'input' || acceptedBy !== undefined)
      return { carried: NOTHING_CARRIED, closes: undefined };
    const closes = as === 'default-accept' ? chainToClose(this.#blamed) : undefined;
    const { taken } = this.#blamed;
    const withPolicy =
      closes === undefined ? taken : [...taken, ...takenByPolicy(this.#context, this.#side, this.#blamed)];
    return { carried: carriedBy(this.#context, withPolicy), closes };
  }

  #onlyAdmin(sources: Sources): boolean {
    const admin = this.#context.estate.inventory?.adminNetworks ?? [];
    return [...sources].every(
      ([version, list]) => subtractIntervals(list, rangesOfVersion(admin, version)).length === 0,
    );
  }

  #witness(): Header | undefined {
    const hostSpace = this.#context.space;
    const { space } = hostSpace;
    const host = this.#side.target;
    const part = this.#parts[0];
    if (part === undefined) return undefined;
    const { version, environment, arriving } = part.excess.passage;
    const wanted = space.intersect(part.set, destination(this.#context, this.#side, version));
    const fields = deliveredFields(this.#side);
    const before = space.intersect(
      arriving,
      deliveredPreimage(hostSpace, environment, version, wanted, fields),
    );
    const sure = space.forall(before, space.variables({ keys: 'all' }));
    const own = rangesOfVersion(host.addresses, version);
    return space.sample(space.isEmpty(sure) ? before : sure, {
      saddr:
        version === 4
          ? [interval(0xcb00_7101n, 0xcb00_71fen)]
          : [interval((0x2001_0db8n << 96n) + 0xfff1n, (0x2001_0db8n << 96n) + 0xffffn)],
      ...(own.length > 0
        ? { daddr: own }
        : { daddr: version === 4 ? [single(0xc000_020an)] : [single((0x2001_0db8n << 96n) + 10n)] }),
      sport: [interval(40000, 60999)],
      protocol: [single(TCP)],
    });
  }
}
