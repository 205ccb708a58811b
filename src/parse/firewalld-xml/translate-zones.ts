/** Zones: which packet is in which, and the chains of each. */
import type { ConfiguredElement, Match, Origin, Verdict } from '../../model/index.ts';
import type { NamedElement, Zone, ZoneSource } from './configuration.ts';
import type { RuleDraft } from './translate-chains.ts';
import { addContents, addService } from './translate-contents.ts';
import { orderWithoutMacs, type Placed } from './translate-mac-order.ts';
import {
  addressPart,
  all,
  any,
  interfaceMatch,
  not,
  parseMac,
  unknown,
  versionIs,
} from './translate-matches.ts';
import { sourceSide } from './translate-pairs.ts';
import { deniedLog, zoneTarget } from './translate-verdicts.ts';
import { ACCEPT, configured, type Holder, REJECT, type World } from './translate-world.ts';

/** An interface of a zone. `inDoubt`: another connection binds it to another zone. */
export interface BoundInterface extends NamedElement {
  readonly inDoubt?: true;
}

/** The packet comes from, or leaves by, an interface of a zone. */
export function boundMatch(field: 'iif' | 'oif', { name, inDoubt }: BoundInterface, zone: string): Match {
  const { text, condition } = interfaceMatch(field, name);
  return {
    text,
    condition: inDoubt ? all(condition, unknown(`interface ${name} is in zone ${zone}`)) : condition,
  };
}

/** A zone with what is bound to it, wherever that was said. */
export interface BoundZone extends Zone {
  /** Interfaces in the order in which firewalld takes them up. */
  readonly bound: readonly BoundInterface[];
  /** Services that some distributions put into this zone, where its file is not in the export. */
  readonly perhaps: readonly NamedElement[];
}

/** How packets get to their zones. */
export interface Dispatch {
  /** Zones that something is bound to, and the default zone, by name. */
  readonly zones: readonly BoundZone[];
  readonly defaultZone: string;
  readonly defaultOrigin: Origin;
  /** Bindings to zones that are not defined, in the order in which firewalld takes them up. */
  readonly lost: readonly { readonly name: string; readonly zone: string; readonly origin: Origin }[];
  /**
   * What of the packets of the default zone comes from (`iif`) or leaves by (`oif`) an interface that is bound to it outside the
   * files; `undefined` where the files say all.
   */
  readonly outside: ((field: 'iif' | 'oif') => Match) | undefined;
  /** firewalld before 1.0 with `AllowZoneDrifting`: packets of a zone of sources may go on to the zone of their interface. */
  readonly drifting: boolean;
}

/** The chains in which packets are told apart by zone, with what is looked at. */
const PLACES = [
  { chain: 'filter_INPUT', zone: 'filter_IN_', address: 'saddr', interface: 'iif', sight: 'seen' },
  { chain: 'filter_FORWARD', zone: 'filter_FWD_', address: 'saddr', interface: 'iif', sight: 'seen' },
  { chain: 'nat_PREROUTING', zone: 'nat_PRE_', address: 'saddr', interface: 'iif', sight: 'seen' },
  { chain: 'nat_POSTROUTING', zone: 'nat_POST_', address: 'daddr', interface: 'oif', sight: 'unknown' },
  { chain: 'mangle_PREROUTING', zone: 'mangle_PRE_', address: 'saddr', interface: 'iif', sight: 'seen' },
] as const;

type Place = (typeof PLACES)[number];

/** Chains of every zone in use, and the rules that lead to them. */
export function addZones(dispatch: Dispatch, world: World): void {
  for (const zone of dispatch.zones) addZoneChains(zone, dispatch, world);
  for (const place of PLACES) addDispatch(place, dispatch, world);
}

interface Binding extends Placed {
  readonly priority: number;
  readonly zone: string;
  /** Bound by something that comes after firewalld. */
  readonly isLate: boolean;
  readonly match: Match;
  readonly verdict: Verdict;
  readonly text: string;
  readonly origin: Origin;
  readonly configured?: ConfiguredElement;
}

/** Which of the zones a packet of one chain is in: the first binding that it matches, then the default zone. */
function addDispatch(place: Place, dispatch: Dispatch, world: World): void {
  const chain = `${place.chain}_ZONES`;
  const sources = dispatch.zones.flatMap((zone) => sourceBindings(zone, place, world));
  const interfaces = [
    ...dispatch.zones.flatMap((zone) => interfaceBindings(zone, place)),
    ...lostBindings(place, dispatch),
  ];
  // In INPUT and PREROUTING iptables asks for MAC addresses too.
  const early = place.chain !== 'filter_FORWARD' && place.chain !== 'nat_POSTROUTING';
  if (world.isIptables && !early && sources.some(({ isMac }) => isMac))
    addWithoutMacs(chain, sources, interfaces, dispatch, world);
  else for (const binding of inOrder(sources, interfaces)) addBinding(chain, binding, dispatch, world);
  world.builder.add(chain, {
    matches: [],
    verdict: { kind: 'goto', chain: `${place.zone}${dispatch.defaultZone}` },
    text: `default zone ${dispatch.defaultZone}`,
    origin: dispatch.defaultOrigin,
  });
}

function priorityOf(zone: BoundZone, place: Place): number {
  return Number(place.interface === 'iif' ? zone.ingressPriority : zone.egressPriority) || 0;
}

function sourceBindings(zone: BoundZone, place: Place, world: World): readonly Binding[] {
  const verdict: Verdict = { kind: 'goto', chain: `${place.zone}${zone.name}` };
  return zone.sources.map((source): Binding => {
    const match = sourceMatch(place.address, source, world, place.sight);
    const { header, version } = sourceSide(source, match, world);
    return {
      priority: priorityOf(zone, place),
      zone: zone.name,
      kind: 'source',
      isLate: false,
      isMac: source.kind === 'address' && header === 'ether',
      version,
      match,
      verdict,
      text: `source ${sourceText(source)} in zone ${zone.name}`,
      origin: source.origin,
      ...configured({ of: { kind: 'zone', name: zone.name } }, 'source', sourceText(source)),
    };
  });
}

const OF_INTERFACE = { kind: 'interface', isMac: false, version: undefined } as const;

function interfaceBindings(zone: BoundZone, place: Place): readonly Binding[] {
  return zone.bound.map(
    (element): Binding => ({
      ...OF_INTERFACE,
      priority: priorityOf(zone, place),
      zone: zone.name,
      isLate: !zone.interfaces.includes(element),
      match: boundMatch(place.interface, element, zone.name),
      verdict: { kind: 'goto', chain: `${place.zone}${zone.name}` },
      text: `interface ${element.name} in zone ${zone.name}`,
      origin: element.origin,
      ...configured({ of: { kind: 'zone', name: zone.name } }, 'interface', element.name),
    }),
  );
}

function lostBindings(place: Place, dispatch: Dispatch): readonly Binding[] {
  return dispatch.lost.map(({ name, zone, origin }): Binding => {
    const text = `interface ${name} in zone ${zone}, which is not in the export`;
    const match = interfaceMatch(place.interface, name);
    const verdict: Verdict = { kind: 'unknown', text };
    return { ...OF_INTERFACE, priority: 0, zone, isLate: true, match, verdict, text, origin };
  });
}

/**
 * Sources by zone name, then interfaces, those taken up last first. firewalld 2.x sorts by the zones' priorities before that.
 */
function inOrder(sources: readonly Binding[], interfaces: readonly Binding[]): readonly Binding[] {
  return [...sources, ...[...interfaces].reverse()]
    .map((binding, index) => ({ binding, index }))
    .sort((a, b) => a.binding.priority - b.binding.priority || a.index - b.index)
    .map(({ binding }) => binding);
}

function draftOf(
  { match, verdict, text, origin, configured: element }: Binding,
  ...before: readonly Match[]
): RuleDraft {
  const draft: RuleDraft = { matches: [...before, match], verdict, text, origin };
  return element === undefined ? draft : { ...draft, configured: element };
}

const DRIFTING_WORDS = 'firewalld before 1.0 runs with AllowZoneDrifting=yes';
const DRIFTING: Match = { text: DRIFTING_WORDS, condition: unknown(DRIFTING_WORDS) };
const NOT_DRIFTING: Match = { text: `not (${DRIFTING_WORDS})`, condition: not(DRIFTING.condition) };

/** The rule of a binding. Where zones may drift, a source jumps to its zone instead: what that leaves undecided goes on. */
function addBinding(
  chain: string,
  binding: Binding,
  dispatch: Dispatch,
  world: World,
  ...before: readonly Match[]
): void {
  const { kind, verdict } = binding;
  if (!dispatch.drifting || kind !== 'source' || verdict.kind !== 'goto') {
    world.builder.add(chain, draftOf(binding, ...before));
    return;
  }
  const jump: Binding = { ...binding, verdict: { kind: 'jump', chain: verdict.chain } };
  world.builder.add(chain, draftOf(jump, ...before, DRIFTING));
  world.builder.add(chain, draftOf(binding, ...before, NOT_DRIFTING));
}

function addWithoutMacs(
  chain: string,
  sources: readonly Binding[],
  interfaces: readonly Binding[],
  dispatch: Dispatch,
  world: World,
): void {
  const zones = dispatch.zones.map(({ name }) =>
    [...interfaces.filter(({ isLate }) => !isLate), ...sources].filter(({ zone }) => zone === name),
  );
  const late = interfaces.filter(({ isLate }) => isLate);
  for (const version of [4, 6] as const) {
    const { bindings, refused } = orderWithoutMacs(zones, late, version);
    if (refused !== undefined)
      world.refusals.push({
        consequence: 'fatal',
        origin: refused.origin,
        detail: `${refused.text}: firewalld counts MAC addresses before it that iptables has no rules for in ${chain}, and iptables refuses the place`,
      });
    const own: Match = { text: `ipv${version}`, condition: versionIs(version) };
    for (const binding of bindings) addBinding(chain, binding, dispatch, world, own);
  }
}

/** A source of a zone, as written. */
export function sourceText({ kind, value }: ZoneSource): string {
  return kind === 'ipset' ? `ipset:${value}` : value;
}

/** The packet's source (or destination) is one of a zone's. What cannot be read is an unknown test. */
export function sourceMatch(
  field: 'saddr' | 'daddr',
  { kind, value }: ZoneSource,
  world: World,
  sight: 'seen' | 'unknown',
): Match {
  if (kind === 'ipset') return world.sets.match(value, field, false, sight);
  const text = `${field} ${value}`;
  return addressPart(field, value, false, sight)?.match ?? { text, condition: unknown(text) };
}

const SUFFIXES = ['pre', 'log', 'deny', 'allow', 'post'] as const;

/** The chains below a zone's or policy's own in one place, and the jumps to them. */
export function addSubchains(base: string, origin: Origin, world: World, around?: string): void {
  const { builder } = world;
  builder.declare(base, origin);
  for (const suffix of SUFFIXES) builder.declare(`${base}_${suffix}`, origin);
  if (around !== undefined) builder.jump(base, `${around}_POLICIES_pre`, origin);
  for (const suffix of SUFFIXES) builder.jump(base, `${base}_${suffix}`, origin);
  if (around !== undefined) builder.jump(base, `${around}_POLICIES_post`, origin);
}

function addZoneChains(zone: BoundZone, dispatch: Dispatch, world: World): void {
  for (const place of PLACES) addSubchains(`${place.zone}${zone.name}`, zone.origin, world, place.chain);
  const holder: Holder = {
    label: `zone ${zone.name}`,
    of: { kind: 'zone', name: zone.name },
    filter: `filter_IN_${zone.name}`,
    passing: `filter_FWD_${zone.name}`,
    natIn: `nat_PRE_${zone.name}`,
    natOut: `nat_POST_${zone.name}`,
    mangle: `mangle_PRE_${zone.name}`,
    inversion: zone.icmpBlockInversion !== undefined,
  };
  addContents(zone, holder, world);
  for (const element of zone.perhaps) {
    const text = `the distribution puts the service ${element.name} into its zone ${zone.name}`;
    addService(element, holder, world, [{ text, condition: unknown(text) }]);
  }
  if (zone.forward !== undefined) addIntraZoneForwarding(zone, zone.forward, holder, dispatch, world);
  addTarget(zone, holder, dispatch, world);
}

/** `<forward/>`: from the zone to what is bound to it. */
function addIntraZoneForwarding(
  zone: BoundZone,
  origin: Origin,
  holder: Holder,
  dispatch: Dispatch,
  world: World,
): void {
  const matches = [
    ...zone.bound.map((element) => boundMatch('oif', element, zone.name)),
    ...zone.sources
      // iptables has no destination MAC address.
      .filter(({ kind, value }) => !(world.isIptables && kind === 'address' && parseMac(value) !== undefined))
      .map((source) => sourceMatch('daddr', source, world, 'unknown')),
  ];
  if (zone.name === dispatch.defaultZone && dispatch.outside !== undefined)
    matches.push(dispatch.outside('oif'));
  for (const match of matches) {
    const text = `forward in zone ${zone.name} (${match.text})`;
    const draft = { matches: [match], verdict: ACCEPT, text, origin, ...configured(holder, 'forward', '') };
    world.builder.add(`filter_FWD_${zone.name}_allow`, draft);
  }
}

function addTarget(zone: BoundZone, holder: Holder, dispatch: Dispatch, world: World): void {
  const { builder } = world;
  const { target = 'default', origin } = zone;
  const plain = target !== 'DROP' && target !== '%%REJECT%%';
  const element = configured(holder, 'target', target);
  if (holder.inversion && plain) {
    const inverted = zone.icmpBlockInversion ?? origin;
    const log = deniedLog(world, `icmp-block-inversion in ${holder.label}`, inverted, [world.anyIcmp]);
    if (log !== undefined) builder.add(holder.filter, log);
    const text = `icmp-block-inversion in ${holder.label}`;
    builder.add(holder.filter, {
      matches: [world.anyIcmp],
      verdict: REJECT,
      text,
      origin: inverted,
      ...configured(holder, 'icmp-block-inversion', ''),
    });
  } else if (plain && target !== 'ACCEPT') {
    const text = `ICMP under target ${target} of ${holder.label}`;
    builder.add(holder.filter, { matches: [world.anyIcmp], verdict: ACCEPT, text, origin, ...element });
  }
  const verdict = zoneTarget(target);
  for (const base of [holder.filter, holder.passing]) {
    if (dispatch.drifting && plain && target !== 'ACCEPT' && zone.sources.length > 0)
      builder.add(base, driftingRule(zone, holder));
    const log = verdict.kind === 'accept' ? undefined : deniedLog(world, holder.label, origin);
    if (log !== undefined) builder.add(base, log);
    builder.add(base, {
      matches: [],
      verdict,
      text: `target ${target} of ${holder.label}`,
      origin,
      ...element,
    });
  }
}

/** Only packets that came by a source go on: those that came by an interface are in no further zone. */
function driftingRule(zone: BoundZone, holder: Holder) {
  const text = `AllowZoneDrifting in ${holder.label}`;
  const verdict: Verdict = { kind: 'return' };
  return { matches: [DRIFTING], verdict, text, origin: zone.origin };
}

/** Interfaces that no zone names, bound to the default zone by NetworkManager or not at all. For hooks that have the interface. */
export function outsideMatch(field: 'iif' | 'oif', defaultZone: string, named: readonly string[]): Match {
  const way = field === 'iif' ? 'arriving' : 'leaving';
  const text = `the ${way} interface is bound to zone ${defaultZone} outside the zone files`;
  const elsewhere = any(
    interfaceMatch(field, 'lo').condition,
    ...named.map((name) => interfaceMatch(field, name).condition),
  );
  return { text, condition: all(not(elsewhere), unknown(text)) };
}
