/** Exposures of one rule on the forward side, on the way to several hosts. */
import type { ResolvedHost } from '../inventory/index.ts';
import { type Interval, type IpVersion, intersectIntervals, normalizeIntervals } from '../net/index.ts';
import type { ExposureClass, HostExposure } from './exposure-region.ts';

/** What a rule opens on the way to one target. */
export interface TargetExposure {
  readonly target: ResolvedHost;
  /** As judged; of targets that are judged alike one object, which names the first of them. */
  readonly judged: HostExposure;
  /** The same for this target alone. */
  readonly own: () => HostExposure;
}

/**
 * Exposures of one rule with those that differ only in whom the packets reach as one. What it opens of the service range is one exposure
 * for all hosts too, from the same sources or from anywhere: the ports are those of all of them together.
 */
export function joinTargets(exposures: readonly TargetExposure[]): HostExposure[] {
  const keys = new Map<HostExposure, string>();
  const groups = new Map<
    string,
    { joined: HostExposure; readonly from: Set<HostExposure>; readonly further: string[] }
  >();
  for (const { target, judged, own } of exposures) {
    const key = keys.get(judged) ?? keyOf(judged);
    keys.set(judged, key);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { joined: own(), from: new Set([judged]), further: [] });
      continue;
    }
    group.further.push(target.name);
    // What was judged once is the same for every target of it, and joined already.
    if (!group.from.has(judged)) group.joined = together(group.joined, judged);
    group.from.add(judged);
  }
  return [...groups.values()].map(({ joined, further }) => ({ ...joined, furtherTargets: further }));
}

/** Classes about the service range, the same defect on hosts of different roles. */
const OF_RANGE: ReadonlySet<ExposureClass> = new Set([
  'client-inbound-unscoped',
  'dynamic-range-any-source',
  'dynamic-range-beyond-peers',
]);

/** The class for hosts of several roles. */
const BROADER: Readonly<Record<string, ExposureClass>> = {
  any: 'dynamic-range-any-source',
  narrow: 'dynamic-range-beyond-peers',
};

/** What exposures of one rule have in common that are told as one. */
function keyOf(exposure: HostExposure): string {
  const { class: as, source, target } = exposure;
  const same = [source, exposure.variant, exposure.certain, exposure.unknowns];
  const versions = [...exposure.sources].map(([version]) => version);
  if (OF_RANGE.has(as) && BROADER[source] !== undefined)
    return JSON.stringify(['range', ...same, source === 'any' ? versions : sourcesText(exposure)]);
  return JSON.stringify([
    as,
    ...same,
    sourcesText(exposure),
    exposure.entitledPeers.map((peer) => peer.name),
    exposure.peersUnknown,
    exposure.protocols,
    texts(exposure.ports),
    // The range of the target, and who says so, are part of what is said of it.
    as === 'range-mismatch' ? [texts(target?.servicePorts ?? []), target?.servicePortsBy === undefined] : [],
  ]);
}

function sourcesText({ sources }: HostExposure) {
  return [...sources].map(([version, list]) => [version, texts(list)]);
}

function texts(ranges: readonly Interval[]): string[] {
  return ranges.map(({ lo, hi }) => `${lo}-${hi}`);
}

function together(first: HostExposure, next: HostExposure): HostExposure {
  const names = (exposure: HostExposure) => exposure.entitledPeers.map((peer) => peer.name).join();
  return {
    ...first,
    class: first.class === next.class ? first.class : BROADER[first.source]!,
    peersDiffer: first.peersDiffer || names(first) !== names(next),
    peersUnknown: first.peersUnknown || next.peersUnknown,
    ports: normalizeIntervals([...first.ports, ...next.ports]),
    protocols: [...new Set([...first.protocols, ...next.protocols])],
    sources: byVersion(first.sources, next.sources, (a, b) => normalizeIntervals([...a, ...b])),
    // Entitled to all of it is who is entitled on every way.
    entitled: byVersion(first.entitled, next.entitled, (a, b) => intersectIntervals(a, b)),
    beside: first.beside.length > 0 ? first.beside : next.beside,
  };
}

function byVersion(
  a: HostExposure['sources'],
  b: HostExposure['sources'],
  join: (a: readonly Interval[], b: readonly Interval[]) => Interval[],
): Map<IpVersion, readonly Interval[]> {
  const versions = new Set([...a.keys(), ...b.keys()]);
  return new Map([...versions].map((version) => [version, join(a.get(version) ?? [], b.get(version) ?? [])]));
}
