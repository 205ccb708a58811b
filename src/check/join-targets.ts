/** Exposures of one rule on the forward side, on the way to several hosts. */
import { type Interval, type IpVersion, intersectIntervals, normalizeIntervals } from '../net/index.ts';
import type { ExposureClass, HostExposure } from './exposure-region.ts';

/**
 * Exposures of one rule with those that differ only in whom the packets reach as one. What it opens of the service range is one exposure
 * for all hosts too, from the same sources or from anywhere: the ports are those of all of them together.
 */
export function joinTargets(exposures: readonly HostExposure[]): HostExposure[] {
  const joined = new Map<string, HostExposure>();
  for (const exposure of exposures) {
    const key = keyOf(exposure);
    const first = joined.get(key);
    joined.set(key, first === undefined ? exposure : together(first, exposure));
  }
  return [...joined.values()];
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
    furtherTargets: [...first.furtherTargets, next.target!.name],
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
