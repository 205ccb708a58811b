import { normalizeRuleText } from '../../finding/index.ts';
import {
  countIntervals,
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  normalizeIntervals,
  single,
  TCP,
  UDP,
} from '../../net/index.ts';
import { describeAddresses, isAnySource, type PacketSet } from '../../packet-set/index.ts';
import type { Decision } from '../../semantics/index.ts';
import { acceptedByPlace, carriedBy, judgedPorts, newFromOutside } from '../blamed.ts';
import type { Advice } from '../change.ts';
import { knownOf } from '../counterpart.ts';
import { describeExposure, describeWitness, listed, type Sources } from '../describe.ts';
import { entitledAccess } from '../entitlement.ts';
import { chainOrigin, type Evidence, evidence, placeText, ruleOrigin } from '../evidence.ts';
import { inputExposures } from '../exposure.ts';
import type { HostContext } from '../host-context.ts';
import { rangesOfVersion } from '../peers.ts';
import { replaceRule } from '../remediation.ts';
import type { Evaluator } from './evaluator.ts';

/** As many ports of TCP and of UDP by one rule that its author named none; other rules may decide the few that are left. */
const MOST_NAMED_PORTS = 60_000n;

/** A known host that a rule lets in on every port. */
interface TrustedPeer {
  readonly name: string;
  readonly version: IpVersion;
  readonly ranges: readonly Interval[];
  /** Whether it holds whatever the unknowns are. */
  readonly certain: boolean;
}

/** Decisions of one rule or policy, in one IP version. */
interface Place {
  readonly version: IpVersion;
  readonly first: Decision;
  /** New connections from outside that it accepts. */
  readonly set: PacketSet;
  /** Everything it accepts. */
  readonly taken: PacketSet;
}

/**
 * Rules that let a known peer in on every TCP and UDP port, one finding a rule. Rules that let anybody in are the exposure
 * findings' matter.
 */
export const trustedPeer: Evaluator = {
  scope: 'host',
  *run(context) {
    const byPlace = new Map<object, { places: Place[]; peers: TrustedPeer[] }>();
    const open = new Set(
      inputExposures(context)
        .filter((e) => e.class === 'default-accept')
        .map((e) => e.rule ?? e.chain),
    );
    for (const version of context.versions) {
      for (const place of acceptingPlaces(context, version)) {
        const key = place.first.rule ?? place.first.chain;
        if (open.has(key)) continue;
        const peers = trustedBy(context, place);
        const known = byPlace.get(key);
        if (known === undefined) byPlace.set(key, { places: [place], peers: [...peers] });
        else {
          known.places.push(place);
          known.peers.push(...peers);
        }
      }
    }
    for (const { places, peers } of byPlace.values())
      if (peers.length > 0) yield toEvidence(context, places, peers);
  },
};

/** Rules and policies that accept new connections from outside, each with all it accepts. */
function acceptingPlaces(context: HostContext, version: IpVersion): Place[] {
  const { space } = context.space;
  const { acceptedPackets } = context.path('input', version);
  const through = space.intersect(acceptedPackets, newFromOutside(context, version));
  return acceptedByPlace(context, version).map((group) => {
    const taken = space.unionAll(group.map((d) => d.set));
    return { version, first: group[0]!, set: space.intersect(taken, through), taken };
  });
}

/** Peers that a rule lets in altogether. None where it lets in anybody. */
function trustedBy(context: HostContext, { version, set }: Place): TrustedPeer[] {
  const { space } = context.space;
  const maybe = everyPortSources(context, version, set);
  if (maybe.length === 0 || isAnySource(version, maybe)) return [];
  const sure = everyPortSources(context, version, space.forall(set, space.variables({ keys: 'all' })));
  return knownPeers(context, version).flatMap(({ name, ranges }) =>
    covers(maybe, ranges) ? [{ name, version, ranges, certain: covers(sure, ranges) }] : [],
  );
}

/** Sources that reach nearly every TCP port and nearly every UDP port, over some interface. */
function everyPortSources(context: HostContext, version: IpVersion, set: PacketSet): Interval[] {
  const { space } = context.space;
  const seen = space.exists(
    set,
    space.variablesExcept({ version: true, fields: ['saddr', 'protocol', 'dport'] }),
  );
  const sources = [TCP, UDP].map((protocol) => {
    const part = space.intersect(seen, space.inIntervals(space.bits('protocol'), [single(protocol)]));
    const ofProtocol = space.exists(part, space.variables({ fields: ['protocol'] }));
    if (countIntervals(space.values(ofProtocol, 'dport', version)) < MOST_NAMED_PORTS) return [];
    return normalizeIntervals(
      space
        .partition(ofProtocol, 'saddr', version)
        .filter(({ rest }) => countIntervals(space.values(rest, 'dport', version)) >= MOST_NAMED_PORTS)
        .flatMap(({ values }) => values)
        .map((i) => interval(i.lo, i.hi)),
    );
  });
  const [tcp, udp] = sources;
  return intersectIntervals(tcp ?? [], udp ?? []);
}

/** Other hosts of the estate with a role, and the networks of roles, with their addresses of one version. */
function knownPeers(context: HostContext, version: IpVersion): { name: string; ranges: Interval[] }[] {
  const { hosts, inventory } = context.estate;
  const named = hosts
    .filter((h) => h !== context.host && h.roles.length > 0)
    .map((h) => ({ name: h.name, ranges: rangesOfVersion(h.addresses, version) }));
  const networks = [...(inventory?.roleNetworks ?? [])].map(([role, addresses]) => ({
    name: `networks of role ${role}`,
    ranges: rangesOfVersion(addresses, version),
  }));
  return [...named, ...networks].filter(({ ranges }) => ranges.length > 0);
}

/** Whether every address of some range of a peer is covered: a host with two addresses is let in by either. */
function covers(sources: readonly Interval[], ranges: readonly Interval[]): boolean {
  return ranges.some(({ lo, hi }) => sources.some((s) => s.lo <= lo && hi <= s.hi));
}

function toEvidence(context: HostContext, places: readonly Place[], peers: readonly TrustedPeer[]): Evidence {
  const { space } = context.space;
  const place = places.find(({ version }) => version === peers[0]?.version) ?? places[0]!;
  const { table, chain, rule } = place.first;
  const names = [...new Set(peers.map((p) => p.name))];
  const sources: Sources = new Map(
    ([4, 6] as const).map((version) => [
      version,
      normalizeIntervals(peers.filter((p) => p.version === version).flatMap((p) => p.ranges)),
    ]),
  );
  const shown = peers.find((p) => p.version === place.version) ?? peers[0]!;
  const saddr = space.bits('saddr').slice(0, place.version === 4 ? 32 : 128);
  const wanted = space.intersect(place.set, space.inIntervals(saddr, shown.ranges));
  const own = rangesOfVersion(context.host.addresses, place.version);
  const packet = space.sample(wanted, {
    protocol: [single(TCP)],
    dport: [single(22)],
    ...(own.length === 0 ? {} : { daddr: own }),
  });
  const certain = peers.some((p) => p.certain);
  return evidence({
    host: context.host.name,
    hook: 'input',
    origin: rule === undefined ? chainOrigin(table, chain) : ruleOrigin(table, chain, rule),
    facts: {
      host: context.host.name,
      peers: listed(names),
      addresses: listed([...sources].flatMap(([v, list]) => describeAddresses(v, list).saddr)),
      place: placeText(rule, chain),
    },
    certainty: certain ? 'certain' : 'possible',
    unknowns: certain ? [] : [...context.space.unknownsOf(place.set)].sort(),
    exposure: describeExposure(sources, new Map(), [TCP, UDP], [interval(0, 65535)]),
    witness: packet === undefined ? null : describeWitness('input', packet, context.mentioned),
    ...adviceFor(context, places, names),
    meaning: [
      table.family,
      table.name,
      chain.name,
      rule === undefined ? 'policy' : normalizeRuleText(rule.text),
    ],
  });
}

/** What the rule lets in by right, in its place. A policy is not closed for one peer. */
function adviceFor(context: HostContext, places: readonly Place[], names: readonly string[]): Advice {
  const { space } = context.space;
  const { table, chain, rule } = places[0]!.first;
  if (rule === undefined) return { commands: [], note: BY_POLICY };
  const rest = space.variablesExcept({ version: true, fields: ['saddr', 'protocol', 'dport'] });
  const given = places.map(({ version, set }) => ({ version, set: space.exists(set, rest) }));
  const kept = entitledAccess(context, context.host, given);
  const carried = carriedBy(
    context,
    places.map(({ version, taken }) => ({ version, set: taken })),
  );
  const place = { table, chain, rule };
  const judged = judgedPorts(context, { path: 'input', target: context.host });
  const known = knownOf(context, place);
  const advice = replaceRule(place, carried, kept, undefined, { ...known, judged });
  const element = (known.counterpart?.rule ?? rule).configured?.element;
  // With a zone's target, more ends than this peer's access, and that is said already.
  if (advice.commands.length === 0 || element === 'target') return advice;
  const ends = `Whatever else ${listed(names)} ${names.length === 1 ? 'reaches' : 'reach'} by this rule, SSH perhaps, ends with it: add rules for what of that is needed before you run the command.`;
  return { ...advice, note: [advice.note, ends].filter((n) => n !== undefined).join(' ') };
}

const BY_POLICY =
  'The policy at the end of the chain lets these packets through: rules for what is needed have to stand before it drops.';
