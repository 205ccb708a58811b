/** Hosts found in the exports and hosts declared, brought together. */
import type { Interval } from '../net/index.ts';
import { compareTexts } from './decode-context.ts';
import { HostNameIndex, isHostPattern, matchesHostPattern } from './host-name.ts';
import {
  type ConfigOrigin,
  DEFAULT_DATAZONE,
  type DeclaredRange,
  type FirewalldDistribution,
  type HostReference,
  type Inventory,
  type InventoryHost,
  type ResolvedHost,
} from './inventory.ts';
import { guessRolesByName } from './role-by-name.ts';

/**
 * All hosts of the audit, sorted by name: those of `hostNames` (the values of `assignFilesToHosts`), which have
 * exports, and those that are only declared by name. A host has the entry of its own name and the patterns that
 * fit it; each key counts from its own entry first, then from the patterns in the order written. Roles are guessed
 * from the name only where no entry fits.
 */
export function resolveHosts(hostNames: readonly string[], inventory?: Inventory): ResolvedHost[] {
  const entries = inventory?.hosts ?? [];
  const byName = new Map(entries.filter((entry) => !entry.isPattern).map((entry) => [entry.name, entry]));
  const patterns = entries.filter((entry) => entry.isPattern);
  const index = new HostNameIndex(byName.keys());
  const exported = new Set(hostNames.map((name) => index.find(name) ?? name));
  const names = [...new Set([...exported, ...byName.keys()])].sort(compareTexts);
  const merged = new Map(names.map((name) => [name, mergeEntries(name, byName.get(name), patterns)]));

  const hasServer = [...merged.values()].some((entry) => entry?.roles.includes('server') ?? false);
  const undeclared = names.filter((name) => merged.get(name) === undefined);
  const guesses = guessRolesByName(undeclared, names, hasServer);
  const allNames = new HostNameIndex(names);
  return names.map((name) => {
    const entry = merged.get(name);
    const roles = entry === undefined ? (guesses.get(name) ?? []) : entry.roles;
    const source = entry === undefined ? ('name' as const) : ('configuration' as const);
    return {
      ...resolvedParts(entry, names, allNames),
      name,
      roles,
      roleSource: roles.length === 0 ? ('unknown' as const) : source,
      hasExport: exported.has(name),
    };
  });
}

/** What all entries that fit one host say together. */
interface MergedEntry {
  readonly roles: readonly string[];
  readonly addresses: readonly DeclaredRange[];
  readonly servicePorts: readonly Interval[] | undefined;
  readonly servicePortsBy: InventoryHost | undefined;
  readonly connectionPorts: readonly Interval[] | undefined;
  readonly devices: number | undefined;
  readonly datazone: string | undefined;
  readonly storageNodes: readonly HostReference[] | undefined;
  readonly behind: readonly HostReference[] | undefined;
  readonly interfaces: ReadonlyMap<string, string>;
  readonly distribution: FirewalldDistribution | undefined;
  readonly origin: ConfigOrigin;
}

function mergeEntries(
  name: string,
  own: InventoryHost | undefined,
  patterns: readonly InventoryHost[],
): MergedEntry | undefined {
  const fitting = patterns.filter((entry) => matchesHostPattern(entry.name, name));
  const entries = own === undefined ? fitting : [own, ...fitting];
  const [closest] = entries;
  if (closest === undefined) return undefined;
  const first = <T>(pick: (entry: InventoryHost) => T | undefined): T | undefined => {
    for (const entry of entries) {
      const value = pick(entry);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  return {
    roles: first((entry) => (entry.roles.length > 0 ? entry.roles : undefined)) ?? [],
    addresses: own?.addresses ?? [],
    servicePorts: first((entry) => entry.servicePorts),
    servicePortsBy: first((entry) => (entry.servicePorts === undefined ? undefined : entry)),
    connectionPorts: first((entry) => entry.connectionPorts),
    devices: first((entry) => entry.devices),
    datazone: first((entry) => entry.datazone),
    storageNodes: first((entry) => entry.storageNodes),
    behind: first((entry) => entry.behind),
    // The closest entry is applied last, so that its zones win.
    interfaces: new Map([...entries].reverse().flatMap((entry) => [...entry.interfaces])),
    distribution: first((entry) => entry.distribution),
    origin: closest.origin,
  };
}

function resolvedParts(
  entry: MergedEntry | undefined,
  names: readonly string[],
  index: HostNameIndex,
): Omit<ResolvedHost, 'name' | 'roles' | 'roleSource' | 'hasExport'> {
  if (entry === undefined) return { addresses: [], datazone: DEFAULT_DATAZONE, interfaces: new Map() };
  const { servicePorts, servicePortsBy, connectionPorts, devices, storageNodes, behind, distribution } =
    entry;
  return {
    addresses: entry.addresses,
    ...(servicePorts !== undefined && { servicePorts }),
    ...(servicePortsBy !== undefined && { servicePortsBy }),
    ...(connectionPorts !== undefined && { connectionPorts }),
    ...(devices !== undefined && { devices }),
    datazone: entry.datazone ?? DEFAULT_DATAZONE,
    ...(storageNodes !== undefined && { storageNodes: expandReferences(storageNodes, names, index) }),
    ...(behind !== undefined && { behind: expandReferences(behind, names, index) }),
    interfaces: entry.interfaces,
    ...(distribution !== undefined && { distribution }),
    origin: entry.origin,
  };
}

/** Names of the hosts that the references mean, sorted. */
function expandReferences(
  references: readonly HostReference[],
  names: readonly string[],
  index: HostNameIndex,
): string[] {
  const found = new Set<string>();
  for (const { pattern } of references) {
    if (!isHostPattern(pattern)) found.add(index.find(pattern) ?? pattern);
    else for (const name of names) if (matchesHostPattern(pattern, name)) found.add(name);
  }
  return [...found].sort(compareTexts);
}
