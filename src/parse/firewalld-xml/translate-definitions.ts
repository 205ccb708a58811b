/** Which definitions count on a host: those of its files, and firewalld's own for all other names. */
import type { Origin } from '../../model/index.ts';
import { shorten } from '../diagnostic-log.ts';
import type {
  FirewalldConfiguration,
  InterfaceBinding,
  NamedElement,
  StockDefinitions,
  Zone,
  ZoneOrPolicy,
} from './configuration.ts';
import { COCKPIT_ZONES, type Distribution, STOCK_NAME } from './stock.ts';
import type { Remarks } from './translate-world.ts';
import type { BoundInterface, BoundZone } from './translate-zones.ts';

/** Definitions by name. Those of the files replace stock ones whole. */
export function byName<T extends { readonly name: string }>(
  stock: readonly T[],
  read: readonly T[],
): ReadonlyMap<string, T> {
  return new Map([...stock, ...read].map((one) => [one.name, one]));
}

/** The default zone, and how it is known. */
export interface DefaultZone {
  readonly name: string;
  readonly origin: Origin;
}

/**
 * The zone of all packets that no source and no interface puts elsewhere. A name that no zone has means `public`. A zone file that is sent
 * alone, bound to nothing, is taken for the default zone: firewalld would make no use of it otherwise.
 */
export function defaultZoneOf(
  configuration: FirewalldConfiguration,
  zones: ReadonlyMap<string, Zone>,
  stockOrigin: Origin,
  remarks: Remarks,
): DefaultZone {
  const fallback = zones.get('public') ?? zones.get('external') ?? zones.get('block');
  const fallbackName = fallback?.name ?? 'public';
  const setting = configuration.settings?.values.get('defaultzone');
  if (setting !== undefined && setting.value !== '') {
    if (zones.has(setting.value)) return { name: setting.value, origin: setting.origin };
    remarks.add(
      'unresolved-reference',
      true,
      setting.origin,
      `DefaultZone names ${shorten(setting.value)}, which is defined neither in the export nor by ${STOCK_NAME}: firewalld uses ${fallbackName} if it does not know the zone either. Add zones/${shorten(setting.value)}.xml from /etc/firewalld or /usr/lib/firewalld of that host`,
    );
    return { name: fallbackName, origin: setting.origin };
  }
  if (configuration.settings !== undefined)
    return { name: fallbackName, origin: configuration.settings.origin };
  const [only, ...others] = configuration.zones;
  if (only !== undefined && others.length === 0 && only.name !== 'public' && !isBound(only, configuration)) {
    remarks.add(
      'note',
      false,
      only.origin,
      `the export holds one zone, ${only.name}, with no interface or source, and no firewalld.conf: it is assumed that ${only.name} is the default zone. Add firewalld.conf to have it certain`,
    );
    return { name: only.name, origin: only.origin };
  }
  remarks.add(
    'note',
    false,
    zones.get(fallbackName)?.origin ?? stockOrigin,
    `the export holds no firewalld.conf: it is assumed that ${fallbackName} is the default zone and that all other settings are firewalld's own`,
  );
  return { name: fallbackName, origin: zones.get(fallbackName)?.origin ?? stockOrigin };
}

function isBound(zone: Zone, { bindings }: FirewalldConfiguration): boolean {
  return (
    zone.interfaces.length > 0 ||
    zone.sources.length > 0 ||
    bindings.some(({ zone: name }) => name === zone.name)
  );
}

/** Interfaces of a zone: those of its file that nothing else binds, then those bound elsewhere, later and so first to be asked. `doubtful`: interfaces of several zones. */
export function boundZones(
  zones: ReadonlyMap<string, Zone>,
  bindings: readonly InterfaceBinding[],
  doubtful: ReadonlySet<string>,
  stock: StockDefinitions,
  distribution: Distribution | undefined,
): readonly BoundZone[] {
  const moved = new Set(bindings.map((binding) => binding.interface));
  const sorted = [...zones.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.map((zone) => {
    const isStock = stock.zones.includes(zone);
    const kept = zone.interfaces.filter(({ name }) => !moved.has(name));
    const added = bindings
      .filter((binding) => binding.zone === zone.name)
      .map((binding): BoundInterface => {
        const element = { name: binding.interface, origin: binding.origin };
        return doubtful.has(binding.interface) ? { ...element, inDoubt: true } : element;
      });
    const cockpit: readonly NamedElement[] =
      isStock && COCKPIT_ZONES.has(zone.name) && distribution !== 'upstream'
        ? [{ name: 'cockpit', origin: zone.origin }]
        : [];
    return {
      ...zone,
      services: distribution === 'rhel' ? [...zone.services, ...cockpit] : zone.services,
      perhaps: distribution === 'rhel' ? [] : cockpit,
      bound: [...kept, ...added],
    };
  });
}

/** Says which zones of the export nothing is bound to as far as it shows, though they differ from firewalld's own. */
export function remarkUnboundZones(
  configuration: FirewalldConfiguration,
  stock: StockDefinitions,
  defaultZone: string,
  remarks: Remarks,
): void {
  remarkUnboundIngress(configuration, defaultZone, remarks);
  for (const zone of configuration.zones) {
    if (zone.name === defaultZone || isBound(zone, configuration) || !mayAdmit(zone)) continue;
    const own = stock.zones.find(({ name }) => name === zone.name);
    if (own !== undefined && contentOf(own) === contentOf(zone)) continue;
    remarks.add(
      'note',
      false,
      zone.origin,
      `zone ${zone.name} is assumed to be unused and is not judged: nothing in the export is bound to it. NetworkManager may bind an interface to it; add the files of /etc/NetworkManager/system-connections, or write "interfaces: { eth0: ${zone.name} }" under the host in nwaudit.yaml`,
    );
  }
}

/** The same for zones that a policy lets in from: what it admits hangs on what is bound to them. */
function remarkUnboundIngress(
  configuration: FirewalldConfiguration,
  defaultZone: string,
  remarks: Remarks,
): void {
  const bound = new Set(configuration.zones.filter((z) => isBound(z, configuration)).map(({ name }) => name));
  for (const { zone } of configuration.bindings) bound.add(zone);
  for (const name of ['ANY', 'HOST', defaultZone]) bound.add(name);
  for (const policy of configuration.policies) {
    if (policy.disabled || !mayAdmit(policy)) continue;
    for (const { name, origin } of policy.ingressZones) {
      if (bound.has(name)) continue;
      remarks.add(
        'note',
        false,
        origin,
        `what policy ${policy.name} admits from zone ${name} is not judged: nothing in the export is bound to that zone. NetworkManager may bind an interface to it; add the files of /etc/NetworkManager/system-connections, or write "interfaces: { eth0: ${name} }" under the host in nwaudit.yaml`,
      );
    }
  }
}

/** The zone or policy lets something pass; one that only stops packets hides no access. */
function mayAdmit(zone: ZoneOrPolicy): boolean {
  const lists = [
    zone.services,
    zone.ports,
    zone.protocols,
    zone.sourcePorts,
    zone.forwardPorts,
    zone.richRules,
  ];
  return zone.target === 'ACCEPT' || lists.some((list) => list.length > 0);
}

function contentOf(zone: Zone): string {
  return JSON.stringify(zone, (key, value: unknown) =>
    key === 'origin'
      ? undefined
      : ['masquerade', 'forward', 'icmpBlockInversion'].includes(key)
        ? true
        : value,
  );
}

/** Whose package the host has, where its files show it. */
export function inferDistribution(configuration: FirewalldConfiguration): Distribution | undefined {
  const files = configuration.bindings.map(({ origin }) => origin.file);
  if (files.some((file) => file.includes('network-scripts/ifcfg-'))) return 'rhel';
  if (files.some((file) => file.includes('sysconfig/network/ifcfg-'))) return 'upstream';
  const zones = [
    configuration.settings?.values.get('defaultzone')?.value ?? '',
    ...configuration.zones.map(({ name }) => name),
  ];
  return zones.some((name) => name === 'FedoraServer' || name === 'FedoraWorkstation')
    ? 'upstream'
    : undefined;
}
