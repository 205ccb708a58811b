/** The definitions that count on a host: its own before those of the distribution. */
import type {
  FirewalldConfiguration,
  Icmptype,
  Ipset,
  NamedElement,
  Policy,
  Service,
  StockDefinitions,
  Zone,
} from './configuration.ts';

/** Everything by name. */
export interface World {
  readonly zones: ReadonlyMap<string, Zone>;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly services: ReadonlyMap<string, Service>;
  readonly ipsets: ReadonlyMap<string, Ipset>;
  readonly icmptypes: ReadonlyMap<string, Icmptype>;
  readonly helpers: ReadonlySet<string>;
  /** ICMP types that firewalld can put into rules: those it ships. */
  readonly stockIcmptypes: ReadonlyMap<string, Icmptype>;
  /** The one that counts: `public` where the setting is missing or names none. */
  readonly defaultZone: string;
  readonly backend: 'nftables' | 'iptables';
}

/** Puts a configuration and the stock definitions together. */
export function indexDefinitions(configuration: FirewalldConfiguration, stock: StockDefinitions): World {
  const zones = byName(stock.zones, configuration.zones);
  const wanted = configuration.settings?.values.get('defaultzone')?.value;
  const backend = configuration.settings?.values.get('firewallbackend')?.value.toLowerCase();
  return {
    zones,
    policies: byName(stock.policies, configuration.policies),
    services: byName(stock.services, configuration.services),
    ipsets: byName(stock.ipsets, configuration.ipsets),
    icmptypes: byName(stock.icmptypes, configuration.icmptypes),
    helpers: new Set([...stock.helpers, ...configuration.helpers].map((helper: NamedElement) => helper.name)),
    stockIcmptypes: byName(stock.icmptypes, []),
    defaultZone: wanted !== undefined && zones.has(wanted) ? wanted : 'public',
    backend: backend === 'iptables' ? 'iptables' : 'nftables',
  };
}

function byName<T extends { readonly name: string }>(
  stock: readonly T[],
  own: readonly T[],
): ReadonlyMap<string, T> {
  return new Map([...stock, ...own].map((item) => [item.name, item]));
}

/** Whether an ICMP type does not exist in the family a rich rule names; one that is not defined exists in none. */
export function isOutside(family: string | undefined, type: Icmptype | undefined): boolean {
  return (family === 'ipv4' && type?.ipv4 !== true) || (family === 'ipv6' && type?.ipv6 !== true);
}

/** Whether something is bound to a zone. */
export function isBound(zone: Zone): boolean {
  return zone.interfaces.length > 0 || zone.sources.length > 0;
}

/** Whether firewalld makes rules of a zone: something is bound to it, or it is the default zone. */
export function isApplied(zone: Zone, world: World): boolean {
  return isBound(zone) || zone.name === world.defaultZone;
}

/** Whether firewalld makes rules of a policy: on both sides HOST, ANY or a zone to which something is bound. */
export function isAppliedPolicy(policy: Policy, world: World): boolean {
  if (policy.disabled) return false;
  const isActive = ({ name }: NamedElement) => {
    const zone = world.zones.get(name);
    return name === 'HOST' || name === 'ANY' || (zone !== undefined && isBound(zone));
  };
  return policy.ingressZones.some(isActive) && policy.egressZones.some(isActive);
}
