/**
 * Packets that a check with `when` looks for: those that a rule, a chain or a host accepts although it must not, and those that
 * a host stops although it must not.
 *
 * Decided on packet sets, for new connections, by delivered address and port. What hangs on an unknown predicate is possible,
 * everything else certain.
 */
import { type Chain, CT_STATE, type PacketHook, type Rule, type Table, TCP_FLAG } from '../model/index.ts';
import {
  type Interval,
  type IpVersion,
  interval,
  normalizeIntervals,
  single,
  subtractIntervals,
  TCP,
} from '../net/index.ts';
import { type Header, isAnySource, type PacketSet, type PacketSpace } from '../packet-set/index.ts';
import {
  type BaseChainRun,
  type Decision,
  deliveredImage,
  deliveredPreimage,
  type Environment,
  fieldBits,
} from '../semantics/index.ts';
import { newFromOutside } from './blamed.ts';
import { MOST_INTERVALS, type Sources } from './describe.ts';
import type { HostContext } from './host-context.ts';
import {
  addressSet,
  allRanges,
  namedRanges,
  type PacketOption,
  type PeerOption,
  type ResolvedPeers,
  resolvePeers,
  serviceSet,
} from './packet-option.ts';
import { impossibleSources, rangesOfVersion } from './peers.ts';
import type { Subject } from './predicate/predicate.ts';
import { arrivingAsSent, blockersOf, EPHEMERAL } from './required-path.ts';

/** A rule, or the policy of a chain. */
export interface RuleOrPolicy {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
}

/** Packets that a predicate was looking for. */
export interface FoundPackets {
  /** `accepted`: they get through. `stopped`: they do not. */
  readonly what: 'accepted' | 'stopped';
  readonly certain: boolean;
  /** What it hangs on when it is only possible. */
  readonly unknowns: readonly string[];
  readonly sources: Sources;
  /** Where the check limits destinations, or on the ways that do not end here. */
  readonly destinations: Sources;
  readonly protocols: readonly Interval[];
  readonly ports: readonly Interval[];
  /** Whether they come from, or on the output side go to, at least half of the addresses of an IP version. */
  readonly isAny: boolean;
  /** Excepted peers by name, and their addresses. */
  readonly allowed: readonly string[];
  readonly allowedRanges: Sources;
  readonly witness: Header | undefined;
  /** Rules and policies that let them through, or stop them, the one for most packets first. */
  readonly places: readonly RuleOrPolicy[];
}

/** Fields that a finding tells about; everything else of a packet is somebody's choice. */
const ASKED = ['saddr', 'daddr', 'protocol', 'dport', 'icmp-type'] as const;

/** Bits that are whole where an address is compared. */
function widthOf(version: IpVersion): number {
  return version === 4 ? 32 : 128;
}

/** New connections on one way through the host: from outside, or of its own programs to others. */
function newConnections(context: HostContext, hook: PacketHook, version: IpVersion): PacketSet {
  if (hook !== 'output') return newFromOutside(context, version);
  return context.once(`new to others ${version}`, () => {
    const { space } = context.space;
    const isTcp = space.inIntervals(space.bits('protocol'), [single(TCP)]);
    const isSyn = space.inIntervals(space.bits('tcp-flags'), [single(TCP_FLAG.syn)]);
    const own = rangesOfVersion(context.host.addresses, version);
    return space.intersectAll([
      space.version(version),
      space.inIntervals(space.bits('ct-state'), [single(CT_STATE.new)]),
      space.union(space.complement(isTcp), isSyn),
      space.minus(space.interfaceValid('oif'), space.interfaceIn(space.interfaceBits('oif'), 'lo', false)),
      space.complement(addressSet(context, version, 'daddr', [...unreachable(version), ...own])),
      ...(own.length === 0 ? [] : [addressSet(context, version, 'saddr', own)]),
      space.inIntervals(space.bits('mark'), [single(0)]),
      space.inIntervals(space.bits('ct-mark'), [single(0)]),
    ]);
  });
}

/** Destinations that never leave the host or are nobody's: unspecified and loopback addresses. */
function unreachable(version: IpVersion): Interval[] {
  return version === 4
    ? [interval(0n, 0xff_ffffn), interval(0x7f00_0000n, 0x7fff_ffffn)]
    : [interval(0n, 1n)];
}

/** The base chain that decides a way: the filter table's where it stops anything, else another that does. */
function decidingRun(context: HostContext, hook: PacketHook, version: IpVersion): BaseChainRun | undefined {
  const { space } = context.space;
  const all = context.path(hook, version).runs;
  const runs = all.filter(({ base }) => base.hook === hook && base.type === 'filter');
  const fresh = newConnections(context, hook, version);
  const stops = (run: BaseChainRun) => space.intersects(space.union(run.dropped, run.rejected), fresh);
  const filter = runs.filter(({ table, base }) => table.name === 'filter' || base.priority === 0);
  return filter.find(stops) ?? runs.find(stops) ?? filter[0] ?? runs[0];
}

/** What one rule or policy of the deciding chain accepts. */
interface Acceptance extends RuleOrPolicy {
  readonly environment: Environment;
  readonly set: PacketSet;
}

/** Decisions of the deciding chain to accept, by rule, and policies by their chain. */
function acceptances(
  context: HostContext,
  hook: PacketHook,
  version: IpVersion,
): ReadonlyMap<object, Acceptance[]> {
  return context.once(`acceptances ${hook} ${version}`, () => {
    const groups = new Map<object, Acceptance[]>();
    const run = decidingRun(context, hook, version);
    if (run === undefined) return groups;
    const analysis = context.path(hook, version);
    const decisions: readonly Decision[] = context.decisions(analysis)[analysis.runs.indexOf(run)] ?? [];
    for (const { rule, table, chain, verdict, environment, set } of decisions) {
      if (verdict !== 'accept') continue;
      const group = groups.get(rule ?? chain);
      const one = { rule, table, chain, environment, set };
      if (group === undefined) groups.set(rule ?? chain, [one]);
      else group.push(one);
    }
    return groups;
  });
}

/** What the subject accepts of new connections, before it is known whether later chains do too. */
function acceptedBySubject(subject: Subject, version: IpVersion): Acceptance[] {
  const { context, hook, scope, chain, rule } = subject;
  const all = acceptances(context, hook, version);
  switch (scope) {
    case 'rule':
      return all.get(rule ?? chain ?? subject) ?? [];
    case 'chain':
      return [...all.values()].flat().filter((one) => one.chain === chain);
    case 'host':
      return [...all.values()].flat();
  }
}

/** Peers of an option on both sides, resolved once. */
interface Ends {
  readonly from: ResolvedPeers | undefined;
  readonly exceptFrom: ResolvedPeers | undefined;
  readonly to: ResolvedPeers | undefined;
  readonly exceptTo: ResolvedPeers | undefined;
}

function resolveEnds(context: HostContext, option: PacketOption): Ends {
  const resolve = (peers: PeerOption | undefined) => peers && resolvePeers(context, peers);
  return {
    from: resolve(option.from),
    exceptFrom: resolve(option.exceptFrom),
    to: resolve(option.to),
    exceptTo: resolve(option.exceptTo),
  };
}

/** The packets an option names in one IP version, those of excepted peers taken away. */
function wantedPackets(
  context: HostContext,
  hook: PacketHook,
  version: IpVersion,
  option: PacketOption,
  ends: Ends,
): PacketSet {
  const { space } = context.space;
  const whole = [interval(0n, (1n << BigInt(widthOf(version))) - 1n)];
  const side = (
    field: 'saddr' | 'daddr',
    named: ResolvedPeers | undefined,
    except: ResolvedPeers | undefined,
  ) =>
    named === undefined && except === undefined
      ? space.full
      : addressSet(context, version, field, namedRanges(named, except, version, whole));
  return space.intersectAll([
    serviceSet(context, hook, version, option),
    side('saddr', ends.from, ends.exceptFrom),
    side('daddr', ends.to, ends.exceptTo),
  ]);
}

/** One rule's share of what was found, in one IP version. */
interface Share {
  readonly version: IpVersion;
  readonly place: RuleOrPolicy | undefined;
  readonly environment: Environment;
  readonly arriving: PacketSet;
  /** By delivered fields: those found whatever the unknowns are, and those that may be found. */
  readonly surely: PacketSet;
  readonly maybe: PacketSet;
}

/**
 * Packets of the option that the subject accepts. `all`: only where it accepts all of them, from somewhere on the way: on some
 * interface, from some source port.
 */
export function findAccepted(
  subject: Subject,
  option: PacketOption,
  how: 'any' | 'all',
): FoundPackets | undefined {
  const { context } = subject;
  const { space } = context.space;
  const ends = resolveEnds(context, option);
  const shares: Share[] = [];
  const complete = { surely: false, maybe: false };
  for (const version of context.versions) {
    const wanted = wantedPackets(context, subject.hook, version, option, ends);
    if (space.isEmpty(wanted)) continue;
    const own = sharesOf(subject, option, version, wanted);
    shares.push(...own);
    if (how === 'any') continue;
    const asked = space.exists(
      space.intersect(wanted, newConnections(context, subject.hook, version)),
      notAsked(space, subject.hook, option),
    );
    if (space.isEmpty(asked)) continue;
    if (space.includes(space.unionAll(own.map((s) => s.maybe)), asked)) complete.maybe = true;
    if (space.includes(space.unionAll(own.map((s) => s.surely)), asked)) complete.surely = true;
  }
  if (how === 'all' && !complete.maybe) return undefined;
  const isSure = how === 'all' ? complete.surely : shares.some((s) => !space.isEmpty(s.surely));
  const which = isSure ? 'surely' : 'maybe';
  const shown = shares.filter((s) => !space.isEmpty(s[which]));
  if (shown.length === 0) return undefined;
  const found = shown.map((s) => ({ version: s.version, set: s[which] }));
  const told = tellPackets(context, subject.hook, option, found);
  const nobody = [...(ends.exceptFrom?.unknown ?? []), ...(ends.exceptTo?.unknown ?? [])];
  // Who is excepted but has no known address may be all that gets in, unless anybody does.
  const hangs = nobody.length > 0 && !told.isAny;
  return {
    what: 'accepted',
    certain: isSure && !hangs,
    unknowns: [
      ...(isSure ? [] : unknownsOf(context, shown)),
      ...(hangs ? nobody.map((name) => `the addresses of ${name}, which nwaudit.yaml does not give`) : []),
    ].sort(),
    ...told,
    ...allowedOf(ends),
    witness: witnessOf(context, subject.hook, shown[0]!, which),
    places: placesOf(context, shown, which),
  };
}

function sharesOf(subject: Subject, option: PacketOption, version: IpVersion, wanted: PacketSet): Share[] {
  const { context, hook } = subject;
  const { space } = context.space;
  const analysis = context.path(hook, version);
  const through = space.intersect(analysis.acceptedPackets, newConnections(context, hook, version));
  if (space.isEmpty(through)) return [];
  const given: { place: RuleOrPolicy | undefined; environment: Environment; set: PacketSet }[] =
    acceptedBySubject(subject, version).map(({ environment, set, ...place }) => ({
      place,
      environment,
      set,
    }));
  // No chain at all decides: everything passes.
  if (given.length === 0 && subject.scope === 'host' && decidingRun(context, hook, version) === undefined)
    for (const { environment, set } of analysis.accepted.values())
      given.push({ place: undefined, environment, set });
  const unknowns = space.variables({ keys: 'all' });
  const shares: Share[] = [];
  for (const { place, environment, set } of given) {
    const isTranslated = environment.bits('dport') !== undefined || environment.bits('daddr') !== undefined;
    if (!isTranslated && !space.intersects(set, wanted)) continue;
    const arriving = space.intersect(set, through);
    const image = (packets: PacketSet) =>
      space.exists(
        space.intersect(
          deliveredImage(context.space, environment, version, packets, deliveredFields(hook)),
          wanted,
        ),
        notAsked(space, hook, option),
      );
    const maybe = image(arriving);
    if (space.isEmpty(maybe)) continue;
    shares.push({
      version,
      place,
      environment,
      arriving,
      surely: image(space.forall(arriving, unknowns)),
      maybe,
    });
  }
  return shares;
}

/** Fields whose delivered value counts: on input every packet is for the host, whatever its address. */
function deliveredFields(hook: PacketHook): readonly ('daddr' | 'dport')[] {
  return hook === 'input' ? ['dport'] : ['daddr', 'dport'];
}

/** Everything that is not asked of every packet. On input, one of the host's own addresses will do where the option names none. */
function notAsked(space: PacketSpace, hook: PacketHook, option: PacketOption) {
  const hasDestination = hook !== 'input' || option.to !== undefined || option.exceptTo !== undefined;
  return space.variablesExcept({
    version: true,
    fields: ASKED.filter((field) => field !== 'daddr' || hasDestination),
  });
}

function unknownsOf(context: HostContext, shares: readonly Share[]): string[] {
  const all = new Set(shares.flatMap((s) => context.space.unknownsOf(s.arriving)));
  return [...all].sort();
}

type Told = Pick<FoundPackets, 'sources' | 'destinations' | 'protocols' | 'ports' | 'isAny'>;

/** Addresses, protocols and ports of packet sets. */
function tellPackets(
  context: HostContext,
  hook: PacketHook,
  option: PacketOption,
  found: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
): Told {
  const { space } = context.space;
  const addresses = (field: 'saddr' | 'daddr'): Sources => {
    const out = new Map<IpVersion, Interval[]>();
    for (const { version, set } of found) {
      const values = space.valuesUpTo(set, field, version, MOST_INTERVALS).intervals;
      out.set(version, normalizeIntervals([...(out.get(version) ?? []), ...values]));
    }
    return out;
  };
  const numbers = (field: 'protocol' | 'dport') =>
    normalizeIntervals(found.flatMap(({ version, set }) => space.values(set, field, version)));
  const protocols = numbers('protocol');
  const hasPorts = option.icmpTypes === undefined && protocols.every((p) => p.hi !== 1n && p.hi !== 58n);
  const sources = addresses('saddr');
  const isLimited = hook !== 'input' || option.to !== undefined || option.exceptTo !== undefined;
  const destinations: Sources = isLimited ? addresses('daddr') : new Map();
  const ends = hook === 'output' ? destinations : sources;
  const isAny = [...ends].some(
    ([version, list]) =>
      isAnySource(version, [...list, ...impossibleSources(context.host, version)]) && !isSmall(version, list),
  );
  return { sources, destinations, protocols, ports: hasPorts ? numbers('dport') : [], isAny };
}

/** Whether a list is no share of any source to speak of: with the impossible ones added, half of IPv4 must not come from those alone. */
function isSmall(version: IpVersion, list: readonly Interval[]): boolean {
  const count = list.reduce((sum, { lo, hi }) => sum + hi - lo + 1n, 0n);
  return count < 1n << (version === 4 ? 24n : 96n);
}

function allowedOf(ends: Ends): Pick<FoundPackets, 'allowed' | 'allowedRanges'> {
  const both = [ends.exceptFrom, ends.exceptTo].filter((peers) => peers !== undefined);
  const ranges = both.flatMap(allRanges);
  return {
    allowed: [...new Set(both.flatMap((peers) => [...peers.names, ...peers.unknown]))],
    allowedRanges: new Map(([4, 6] as const).map((v) => [v, rangesOfVersion(ranges, v)] as const)),
  };
}

/** Places of the shares, the one with most packets first. */
function placesOf(context: HostContext, shares: readonly Share[], which: 'surely' | 'maybe'): RuleOrPolicy[] {
  const { space } = context.space;
  const sizes = new Map<object, { place: RuleOrPolicy; size: bigint }>();
  for (const share of shares) {
    const { place } = share;
    if (place === undefined) continue;
    const key = place.rule ?? place.chain;
    const size = space.count(share[which], ['saddr', 'protocol', 'dport'], share.version);
    sizes.set(key, { place, size: size + (sizes.get(key)?.size ?? 0n) });
  }
  return [...sizes.values()]
    .sort((a, b) => (a.size > b.size ? -1 : a.size < b.size ? 1 : 0))
    .map(({ place }) => place);
}

/** A packet of the share that a person can send. */
function witnessOf(
  context: HostContext,
  hook: PacketHook,
  share: Share,
  which: 'surely' | 'maybe',
): Header | undefined {
  const hostSpace = context.space;
  const { space } = hostSpace;
  const { version, environment, arriving } = share;
  const before = space.intersect(
    arriving,
    deliveredPreimage(hostSpace, environment, version, share[which], deliveredFields(hook)),
  );
  const sure = space.forall(before, space.variables({ keys: 'all' }));
  return space.sample(space.isEmpty(sure) ? before : sure, likely(context, hook, version));
}

/** Documentation addresses for strangers, the host's own where they are known. */
function likely(context: HostContext, hook: PacketHook, version: IpVersion) {
  const own = rangesOfVersion(context.host.addresses, version);
  const stranger =
    version === 4
      ? [interval(0xcb00_7101n, 0xcb00_71fen)]
      : [interval((0x2001_0db8n << 96n) + 0xfff1n, (0x2001_0db8n << 96n) + 0xffffn)];
  const host =
    own.length > 0 ? own : version === 4 ? [single(0xc000_020an)] : [single((0x2001_0db8n << 96n) + 10n)];
  return {
    saddr: hook === 'output' ? host : stranger,
    daddr: hook === 'output' ? stranger : host,
    sport: [interval(40000, 60999)],
    protocol: [single(TCP)],
  };
}

/**
 * Packets of the option that the host stops: one address and port is enough (`any`), or all of them have to be stopped (`all`).
 * A packet gets through when some interface lets it; rate limits count as open. A peer with addresses of both IP versions
 * needs one that works.
 */
export function findStopped(
  subject: Subject,
  option: PacketOption,
  how: 'any' | 'all',
): FoundPackets | undefined {
  const { context, hook } = subject;
  const { space } = context.space;
  const ends = resolveEnds(context, option);
  const named = hook === 'output' ? ends.to : ends.from;
  const groups = named === undefined ? [{ name: '', ranges: undefined }] : named.groups;
  const missing: Missing[] = [];
  const open = { surely: false, maybe: false };
  for (const group of groups) {
    const outcomes = context.versions.flatMap((version) => {
      const asked = askedPackets(subject, version, option, ends, group.ranges);
      return space.isEmpty(asked) ? [] : [missingOf(subject, version, asked)];
    });
    open.surely ||= outcomes.some((outcome) => outcome.somethingOpen);
    open.maybe ||= outcomes.some((outcome) => outcome.maybeOpen);
    // One IP version that works is enough.
    if (outcomes.every(({ possible }) => !space.isEmpty(possible))) missing.push(...outcomes.slice(0, 1));
  }
  if (how === 'all' && open.surely) return undefined;
  const sure = missing.filter((m) => !space.isEmpty(m.certain));
  const isSure = how === 'all' ? !open.maybe : sure.length > 0;
  const shown = (isSure ? sure : missing).map(({ version, certain, possible }) => ({
    version,
    set: isSure ? certain : possible,
  }));
  if (shown.length === 0) return undefined;
  const places = blockersOf(context, hook, shown);
  const first = shown[0]!;
  return {
    what: 'stopped',
    certain: isSure,
    unknowns: isSure ? [] : [...new Set(missing.flatMap((m) => m.unknowns))].sort(),
    ...tellPackets(context, hook, option, shown),
    ...allowedOf(ends),
    witness: space.sample(first.set, likely(context, hook, first.version)),
    places,
  };
}

/** Packets of one group of peers that do not get through, in one IP version. */
interface Missing {
  readonly version: IpVersion;
  readonly certain: PacketSet;
  readonly possible: PacketSet;
  /** Whether some of the packets get through whatever the unknowns are, and whether some may. */
  readonly somethingOpen: boolean;
  readonly maybeOpen: boolean;
  readonly unknowns: readonly string[];
}

/** What a peer would send, or be sent: first packets of connections between it and this host. */
function askedPackets(
  subject: Subject,
  version: IpVersion,
  option: PacketOption,
  ends: Ends,
  ranges: readonly { readonly version: IpVersion; readonly range: Interval }[] | undefined,
): PacketSet {
  const { context, hook } = subject;
  const { space } = context.space;
  const own = rangesOfVersion(context.host.addresses, version);
  // A version the host has no address of is not asked for.
  if (own.length === 0 && context.host.addresses.length > 0) return space.empty;
  const peerField = hook === 'output' ? 'daddr' : 'saddr';
  const except = hook === 'output' ? ends.exceptTo : ends.exceptFrom;
  const peers =
    ranges === undefined
      ? space.full
      : addressSet(
          context,
          version,
          peerField,
          subtractIntervals(
            rangesOfVersion(ranges, version),
            except === undefined ? [] : rangesOfVersion(allRanges(except), version),
          ),
        );
  const wanted = wantedPackets(context, hook, version, option, ends);
  const isEphemeral = space.inIntervals(space.bits('sport'), [EPHEMERAL]);
  return space.intersectAll([
    wanted,
    peers,
    newConnections(context, hook, version),
    ...(hook === 'input' && own.length > 0 && option.to === undefined
      ? [addressSet(context, version, 'daddr', own)]
      : []),
    option.sports === undefined && option.icmpTypes === undefined ? isEphemeral : space.full,
  ]);
}

function missingOf(subject: Subject, version: IpVersion, wanted: PacketSet): Missing {
  const { context, hook } = subject;
  const { space } = context.space;
  const analysis = context.path(hook, version);
  const theirSide = hook === 'output' ? 'daddr' : 'saddr';
  const alsoAsked = hook === 'forward' ? (['saddr', 'daddr'] as const) : ([theirSide] as const);
  // Some interface, and whatever else no export tells, has to let the packet through; a rate limit does so at times.
  const free = space.variablesExcept({
    version: true,
    fields: [...alsoAsked, 'dport', 'sport', 'protocol', 'icmp-type', 'tcp-flags', 'ct-state'],
    keys: context.space.deterministicKeys(),
  });
  const accepted = hook === 'forward' ? passedAsSent(context, version) : arrivingAsSent(context, analysis);
  const through = space.exists(space.intersect(accepted, wanted), free);
  const asked = space.exists(wanted, free);
  const deterministic = space.variables({ keys: context.space.deterministicKeys() });
  const surelyOpen = space.forall(through, deterministic);
  const maybeOpen = space.exists(through, deterministic);
  return {
    version,
    certain: space.intersect(space.minus(asked, maybeOpen), wanted),
    possible: space.intersect(space.minus(asked, surelyOpen), wanted),
    somethingOpen: space.intersects(asked, surelyOpen),
    maybeOpen: space.intersects(asked, maybeOpen),
    unknowns: context.space.unknownsOf(through),
  };
}

/** Packets that are passed on to where they were sent, no translation in between. */
function passedAsSent(context: HostContext, version: IpVersion): PacketSet {
  const { space } = context.space;
  const parts = [...context.path('forward', version).accepted.values()].map(({ environment, set }) => {
    const same = (field: 'daddr' | 'dport') =>
      environment.bits(field) === undefined
        ? space.full
        : space.intersectAll(
            fieldBits(context.space, environment, field, version).map((bit, i) =>
              space.complement(space.symmetricDifference(bit, space.bits(field)[i]!)),
            ),
          );
    return space.intersectAll([set, same('daddr'), same('dport')]);
  });
  return space.unionAll(parts);
}
