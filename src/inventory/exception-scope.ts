/** Whom an exception is about. */
import { intervalsMeet } from '../net/index.ts';
import { isHostPattern, matchesHostPattern } from './host-name.ts';
import type { AccessException, AddressRange, Endpoint, Inventory, ResolvedHost } from './inventory.ts';

/** Whether the exception widens what this host may accept. An address in `to` means the host that has it. */
export function exceptionAppliesTo(exception: AccessException, host: ResolvedHost): boolean {
  return exception.to.some((endpoint) => endpointMeansHost(endpoint, host));
}

/**
 * The addresses an exception lets in. Hosts count with their declared addresses; a role with those of its hosts and
 * its `role_networks`. Empty when none of them are known: then the exception lets nobody in.
 */
export function exceptionSources(
  exception: AccessException,
  hosts: readonly ResolvedHost[],
  inventory: Inventory,
): readonly AddressRange[] {
  return exception.from.flatMap((endpoint): readonly AddressRange[] => {
    if (endpoint.kind === 'addresses') return [endpoint.range];
    const addresses = hosts
      .filter((host) => endpointMeansHost(endpoint, host))
      .flatMap((host) => host.addresses);
    if (endpoint.kind === 'host') return addresses;
    return [...addresses, ...(inventory.roleNetworks.get(endpoint.role) ?? [])];
  });
}

function endpointMeansHost(endpoint: Endpoint, host: ResolvedHost): boolean {
  switch (endpoint.kind) {
    case 'host':
      if (isHostPattern(endpoint.pattern)) return matchesHostPattern(endpoint.pattern, host.name);
      return endpoint.pattern.toLowerCase() === host.name.toLowerCase();
    case 'role':
      return host.roles.includes(endpoint.role);
    case 'addresses':
      return host.addresses.some((address) => rangesOverlap(address, endpoint.range));
  }
}

/** Whether two ranges have an address in common. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.version === b.version && intervalsMeet(a.range, b.range);
}
