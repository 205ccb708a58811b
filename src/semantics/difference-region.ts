import { addressBits, type Interval, type IpVersion, normalizeIntervals } from '../net/index.ts';
import {
  type PacketSet,
  type PacketSpace,
  SPACE_FIELD_BITS,
  type SpaceDimension,
  type SpaceField,
} from '../packet-set/index.ts';
import type { State } from './state.ts';

/** Packets of some protocols, ports and sources, all of them or some. Intervals are closed, sorted, disjoint. */
export interface DifferenceRegion {
  readonly protocols: readonly Interval[];
  /** Destination ports as the packets arrive; `undefined`: any, or no ports. */
  readonly ports: readonly Interval[] | undefined;
  /** ICMP types; `undefined`: any, or no ICMP. */
  readonly icmpTypes: readonly Interval[] | undefined;
  readonly sources: readonly Interval[];
  /** Whether `sources` are all there are: past `MOST_RANGES` they are cut off. */
  readonly sourcesComplete: boolean;
  /**
   * Fields on which it depends besides whether a packet of these protocols, ports and sources is in the region. Empty: every packet
   * that was compared is.
   */
  readonly alsoDependsOn: readonly SpaceDimension[];
  /** Where packets of the region are delivered; of a removed packet, where it was. Cut off at `MOST_RANGES` as `sources` are. */
  readonly delivered: { readonly addresses: readonly Interval[]; readonly ports: readonly Interval[] };
  /** The packets themselves, as they arrive. */
  readonly packets: PacketSet;
}

/** Ranges that a region lists of one field at most. */
export const MOST_RANGES = 64;

/** Values of one field that are told apart at most when a difference is cut into regions. */
const MOST_CLASS_INTERVALS = 1_000_000;

interface Cutting {
  readonly space: PacketSpace;
  readonly version: IpVersion;
  /** May hold packets outside `universe`, which do not count. */
  readonly packets: PacketSet;
  readonly universe: PacketSet;
  /** The packets' deliveries, in the rule set that lets them through. */
  readonly accepted: State;
  readonly most: number;
}

/** Fields that every compared packet has in common, or that seldom tell packets apart: not listed where they do not matter. */
const OFTEN_IDLE = [
  'ct-state',
  'ct-mark',
  'mark',
  'tcp-flags',
  'ct-dnat',
  'ct-snat',
  'ttl',
  'pkttype',
] as const satisfies readonly SpaceField[];

/**
 * A set that holds the same packets of `universe` as `packets` and depends on fewer fields: not on one that, within `universe`, makes no
 * difference.
 */
export function withoutIdleFields(space: PacketSpace, packets: PacketSet, universe: PacketSet): PacketSet {
  let set = packets;
  const drop = (selection: Parameters<PacketSpace['variables']>[0]) => {
    const wider = space.exists(set, space.variables(selection));
    if (space.includes(set, space.intersect(wider, universe))) set = wider;
  };
  for (const field of OFTEN_IDLE) drop({ fields: [field] });
  for (const side of ['iif', 'oif'] as const) drop({ interfaces: [side] });
  return set;
}

/** Cuts packets into regions by protocol and port, lowest first. */
export function differenceRegions(cutting: Cutting): {
  readonly regions: readonly DifferenceRegion[];
  readonly complete: boolean;
} {
  const { packets, most } = cutting;
  const regions: DifferenceRegion[] = [];
  for (const { values: protocols, rest } of classes(cutting, packets, 'protocol') ?? []) {
    for (const byPort of classes(cutting, rest, 'dport') ?? [{ values: undefined, rest }]) {
      for (const byType of classes(cutting, byPort.rest, 'icmp-type') ?? [
        { values: undefined, rest: byPort.rest },
      ]) {
        if (regions.length >= most) return { regions, complete: false };
        regions.push(regionOf(cutting, protocols, byPort.values, byType.values, byType.rest));
      }
    }
  }
  return { regions, complete: true };
}

/** Values of the field that go together, `undefined` where the set does not depend on it (protocols are always told). */
function classes(
  { space, version }: Cutting,
  set: PacketSet,
  field: 'protocol' | 'dport' | 'icmp-type',
): { readonly values: readonly Interval[] | undefined; readonly rest: PacketSet }[] | undefined {
  if (field !== 'protocol' && !space.support(set).fields.includes(field)) return undefined;
  return space.partition(set, field, version, MOST_CLASS_INTERVALS);
}

function regionOf(
  cutting: Cutting,
  protocols: readonly Interval[] | undefined,
  ports: readonly Interval[] | undefined,
  icmpTypes: readonly Interval[] | undefined,
  rest: PacketSet,
): DifferenceRegion {
  const { space, version, universe } = cutting;
  const has = (field: 'protocol' | 'dport' | 'icmp-type', values: readonly Interval[] | undefined) =>
    values === undefined ? space.full : space.inIntervals(space.bits(field), values);
  const packets = space.intersectAll([
    has('protocol', protocols),
    has('dport', ports),
    has('icmp-type', icmpTypes),
    rest,
    universe,
  ]);
  const sources = space.valuesUpTo(packets, 'saddr', version, MOST_RANGES);
  const others = space
    .support(rest)
    .fields.filter((field): field is SpaceDimension => field !== 'version' && field !== 'saddr');
  return {
    protocols: protocols ?? [{ lo: 0n, hi: 255n }],
    ports,
    icmpTypes,
    sources: sources.intervals,
    sourcesComplete: sources.complete,
    alsoDependsOn: others,
    delivered: deliveries(cutting, packets),
    packets,
  };
}

/** Destinations of the packets once NAT is done, for some value of the unknowns. */
function deliveries(
  { space, version, accepted }: Cutting,
  packets: PacketSet,
): DifferenceRegion['delivered'] {
  const addresses: Interval[] = [];
  const ports: Interval[] = [];
  for (const { environment, set } of accepted.values()) {
    const here = space.intersect(set, packets);
    if (space.isEmpty(here)) continue;
    for (const [field, list] of [
      ['daddr', addresses],
      ['dport', ports],
    ] as const) {
      const bits = environment.bits(field);
      const width = field === 'daddr' ? addressBits(version) : SPACE_FIELD_BITS[field];
      const there = bits === undefined ? here : space.image(here, [[field, bits.slice(0, width)]]);
      list.push(...space.valuesUpTo(there, field, version, MOST_RANGES).intervals);
    }
  }
  return {
    addresses: normalizeIntervals(addresses).slice(0, MOST_RANGES),
    ports: normalizeIntervals(ports).slice(0, MOST_RANGES),
  };
}
