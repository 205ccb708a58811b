import type { PacketSet, PacketSpace } from '../packet-set/index.ts';

/** A place where packets come to unknown predicates: to one, or by a call to those of a chain. */
export interface UnknownEntry {
  /** Packets that come there; with unknowns. */
  readonly within: PacketSet;
  readonly to: string | readonly UnknownEntry[];
}

/** What stands behind a merged unknown: the first `count` of the entries, for packets of `within`. */
export interface MergedUnknown {
  readonly entries: readonly UnknownEntry[];
  readonly count: number;
  readonly within: PacketSet;
}

/**
 * Keys of the predicates behind a merged one that some packet of `among` comes to. A packet may come to a predicate although another
 * rule makes the answer irrelevant: such a one is told as well. `packetsIn` removes the unknowns from a set.
 */
export function namesBehind(
  space: PacketSpace,
  merged: MergedUnknown,
  among: PacketSet,
  packetsIn: (set: PacketSet) => PacketSet,
): ReadonlySet<string> {
  const found = new Set<string>();
  const seen = new Map<readonly UnknownEntry[], Set<PacketSet>>();
  const visit = (entries: readonly UnknownEntry[], count: number, packets: PacketSet): void => {
    for (const { within, to } of entries.slice(0, count)) {
      if (typeof to === 'string' && found.has(to)) continue;
      const inside = space.intersect(packets, packetsIn(within));
      if (space.isEmpty(inside)) continue;
      if (typeof to === 'string') {
        found.add(to);
        continue;
      }
      let visited = seen.get(to);
      if (visited === undefined) {
        visited = new Set();
        seen.set(to, visited);
      }
      if (visited.has(inside)) continue;
      visited.add(inside);
      // Chains are nested 1,500 deep at most.
      visit(to, to.length, inside);
    }
  };
  visit(merged.entries, merged.count, space.intersect(among, packetsIn(merged.within)));
  return found;
}
