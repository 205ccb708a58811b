import { CT_STATE, type Packet, type PacketAnswer, type PacketHook, type Ruleset } from '../model/index.ts';
import { addressBits, type IpVersion, PROTOCOLS_WITH_PORTS, single, TCP } from '../net/index.ts';
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import { answerPacket } from './answer-packet.ts';
import { type DifferenceRegion, differenceRegions, withoutIdleFields } from './difference-region.ts';
import { HostSpace, type SharedSpace, sharedSpace } from './host-space.ts';
import { analysePath, type PathAnalysis } from './packet-path.ts';
import { witnessPacket } from './witness-packet.ts';

/**
 * What became different for a packet.
 *
 * - `added`: only the later rule set lets it through.
 * - `removed`: only the earlier one does.
 * - `redelivered`: both do, and it comes to another address or port.
 */
export type DifferenceKind = 'added' | 'removed' | 'redelivered';

/** Packets of one way through the host that two rule sets treat differently. */
export interface RulesetDifference {
  readonly kind: DifferenceKind;
  readonly path: PacketHook;
  readonly version: IpVersion;
  /**
   * `certain`: for these packets the difference is there whatever the unknown predicates are. `possible`: it hangs on one of
   * them. No packet is in both differences of one kind and way.
   */
  readonly certainty: 'certain' | 'possible';
  /** Packets as they arrive, in the comparison's space. Never empty. Depends on no unknown. */
  readonly packets: PacketSet;
  /** Texts of the unknown predicates on which it hangs, sorted; empty when the difference is certain. */
  readonly unknowns: readonly string[];
  /** One of the packets, a likely one. */
  readonly witness: Packet;
  /** What the two rule sets do with the witness. */
  readonly answers: { readonly before: PacketAnswer; readonly after: PacketAnswer };
  /** The packets cut into pieces that can be printed, in the order of their protocols and ports. */
  readonly regions: readonly DifferenceRegion[];
  /** Whether the regions are all there are. */
  readonly regionsComplete: boolean;
}

/** What two rule sets make different. */
export interface RulesetComparison {
  /** The space of all packet sets in the differences. */
  readonly space: PacketSpace;
  /** By way (input, forward, output; IPv4, IPv6), kind and certainty. Empty: the rule sets mean the same. */
  readonly differences: readonly RulesetDifference[];
}

export interface CompareOptions {
  /** Ways to compare; all three by default. */
  readonly paths?: readonly PacketHook[];
  /**
   * IP versions to compare; both by default. A version of which a rule set has no tables counts as let through: whether that was so,
   * or was not exported, the caller has to know.
   */
  readonly versions?: readonly IpVersion[];
  /**
   * `new` (default): first packets of connections, as they come from outside or from a program of the host. `any`: packets of every
   * connection state, with any marks.
   */
  readonly packets?: 'new' | 'any';
  /** Only packets of this set are compared. Called once for each way. */
  readonly within?: (space: PacketSpace, path: PacketHook, version: IpVersion) => PacketSet;
  /** Most regions of one difference; 32 by default. */
  readonly maxRegions?: number;
  /** Size limit of the packet sets of both rule sets together. */
  readonly nodeBudget?: number;
}

const PATHS: readonly PacketHook[] = ['input', 'forward', 'output'];
const VERSIONS: readonly IpVersion[] = [4, 6];
const DEFAULT_MAX_REGIONS = 32;

/** One way through both rule sets. */
interface Way {
  readonly path: PacketHook;
  readonly version: IpVersion;
  readonly before: Side;
  readonly after: Side;
  /** Packets that are compared. */
  readonly universe: PacketSet;
}

interface Side {
  readonly host: HostSpace;
  readonly analysis: PathAnalysis;
}

/**
 * Compares two rule sets of one host by what they do: which packets only one of them lets through, and which are delivered elsewhere.
 *
 * Exact but for what nobody knows. Unknown predicates of the same text are taken to answer the same in both rule sets: deterministic
 * ones always, varying ones (rate limits) and values that a program chooses by their order among those of one text. So a rule set does not
 * differ from itself, and a rate limit that stayed is no difference; `certain` differences do not rest on this assumption.
 * Throws `PacketSetBudgetError` where the packet sets grow too large.
 */
export function compareRulesets(
  before: Ruleset,
  after: Ruleset,
  options: CompareOptions = {},
): RulesetComparison {
  const shared = sharedSpace([before, after], options.nodeBudget);
  const differences: RulesetDifference[] = [];
  for (const path of options.paths ?? PATHS) {
    for (const version of options.versions ?? VERSIONS) {
      // A host of its own for each way, so that unknowns are counted anew: rules of one way do not disturb the order of another's.
      const way = wayThrough(shared, before, after, path, version, options);
      differences.push(...differencesOf(way, options.maxRegions ?? DEFAULT_MAX_REGIONS));
    }
  }
  return { space: shared.space, differences };
}

function wayThrough(
  shared: SharedSpace,
  before: Ruleset,
  after: Ruleset,
  path: PacketHook,
  version: IpVersion,
  options: CompareOptions,
): Way {
  const side = (ruleset: Ruleset): Side => {
    const host = new HostSpace(ruleset, undefined, shared);
    return { host, analysis: analysePath(host, path, version) };
  };
  const way = { path, version, before: side(before), after: side(after) };
  const { space } = shared;
  const real = realPackets(space, path, version);
  const wanted = options.packets === 'any' ? real : space.intersect(real, newPackets(space, way));
  const within = options.within?.(space, path, version) ?? space.full;
  return { ...way, universe: space.intersect(wanted, within) };
}

/** Packets of a version that have the interfaces of their way, and TCP flags only where they are TCP. */
function realPackets(space: PacketSpace, path: PacketHook, version: IpVersion): PacketSet {
  return space.intersectAll([
    space.version(version),
    space.union(isTcp(space), space.inIntervals(space.bits('tcp-flags'), [single(0)])),
    ...(path === 'output' ? [] : [space.interfaceValid('iif')]),
    ...(path === 'input' ? [] : [space.interfaceValid('oif')]),
  ]);
}

function isTcp(space: PacketSpace): PacketSet {
  return space.inIntervals(space.bits('protocol'), [single(TCP)]);
}

/** TCP flags that say nothing about whether a packet may open a connection: PSH, URG, ECE, CWR. */
const FREE_FLAGS = 8n | 32n | 64n | 128n;
const OPENING_FLAGS = [single(2), single(16)];

/**
 * First packets of connections. A packet that comes in has no mark yet. Where both rule sets have connections tracked, TCP opens with SYN or is
 * picked up at a bare ACK; anything else would be invalid, not new (linux nf_conntrack_proto_tcp.c, `tcp_new`; seen on Linux 6.18).
 */
function newPackets(space: PacketSpace, { path, version, before, after }: Omit<Way, 'universe'>): PacketSet {
  const isZero = (field: 'mark' | 'ct-mark') => space.inIntervals(space.bits(field), [single(0)]);
  const tracked = [before, after].every(({ host }) => host.trackedVersions.has(version));
  const opens = space.inIntervals(space.bits('tcp-flags'), OPENING_FLAGS, 0xffn ^ FREE_FLAGS);
  return space.intersectAll([
    space.inIntervals(space.bits('ct-state'), [single(CT_STATE.new)]),
    isZero('ct-mark'),
    ...(path === 'output' ? [] : [isZero('mark')]),
    ...(tracked ? [space.union(space.complement(isTcp(space)), opens)] : []),
  ]);
}

function differencesOf(way: Way, maxRegions: number): RulesetDifference[] {
  const { space } = way.before.host;
  const earlier = way.before.analysis.acceptedPackets;
  const later = way.after.analysis.acceptedPackets;
  const sets: readonly [DifferenceKind, PacketSet][] = [
    ['added', space.minus(later, earlier)],
    ['removed', space.minus(earlier, later)],
    ['redelivered', redelivered(way)],
  ];
  return sets.flatMap(([kind, set]) => {
    const all = space.intersect(set, way.universe);
    const unknowns = space.variables({ keys: 'all' });
    const certain = space.forall(all, unknowns);
    const possible = space.minus(space.exists(all, unknowns), certain);
    return [
      ...describe(way, kind, 'certain', certain, all, maxRegions),
      ...describe(way, kind, 'possible', possible, all, maxRegions),
    ];
  });
}

/** Packets that both rule sets let through, to different destinations. */
function redelivered({ before, after, version, universe }: Way): PacketSet {
  const { space } = before.host;
  const address = space.bits('daddr').slice(0, addressBits(version));
  const hasPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
  let found = space.empty;
  for (const earlier of before.analysis.accepted.values()) {
    const left = space.intersect(earlier.set, universe);
    for (const later of after.analysis.accepted.values()) {
      const both = space.intersect(left, later.set);
      if (space.isEmpty(both)) continue;
      const differ = (field: 'daddr' | 'dport', own: readonly PacketSet[]): PacketSet => {
        const a = earlier.environment.bits(field) ?? own;
        const b = later.environment.bits(field) ?? own;
        return space.unionAll(own.map((_, i) => space.symmetricDifference(a[i]!, b[i]!)));
      };
      const elsewhere = space.union(
        differ('daddr', address),
        space.intersect(hasPorts, differ('dport', space.bits('dport'))),
      );
      found = space.union(found, space.intersect(both, elsewhere));
    }
  }
  return found;
}

/** The difference made of `packets`, if there are any. `hanging` is the set with its unknowns. */
function describe(
  way: Way,
  kind: DifferenceKind,
  certainty: RulesetDifference['certainty'],
  packets: PacketSet,
  hanging: PacketSet,
  maxRegions: number,
): RulesetDifference[] {
  const { path, version, before, after, universe } = way;
  const { space } = before.host;
  const header = space.sample(packets, { version });
  if (header === undefined) return [];
  const witness = witnessPacket(header, path, version);
  const unknowns = certainty === 'certain' ? [] : before.host.unknownsOf(space.intersect(hanging, packets));
  const answer = ({ host, analysis }: Side): PacketAnswer => {
    const { verdict, delivered } = answerPacket(host, analysis, witness);
    return { verdict, delivered };
  };
  const { regions, complete } = differenceRegions({
    space,
    version,
    packets: withoutIdleFields(space, packets, universe),
    universe,
    accepted: kind === 'removed' ? before.analysis.accepted : after.analysis.accepted,
    most: maxRegions,
  });
  const answers = { before: answer(before), after: answer(after) };
  return [
    {
      kind,
      path,
      version,
      certainty,
      packets,
      unknowns,
      witness,
      answers,
      regions,
      regionsComplete: complete,
    },
  ];
}
