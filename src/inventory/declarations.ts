/** Facts about declarations that have had their day or hide too much. Checks make findings of them. */
import { countIntervals, formatAddressInterval, type IpVersion } from '../net/index.ts';
import { compareTexts } from './decode-context.ts';
import { rangesOverlap } from './exception-scope.ts';
import type {
  AccessException,
  ConfigOrigin,
  DeclaredRange,
  Endpoint,
  Inventory,
  ResolvedHost,
  Waiver,
} from './inventory.ts';

/**
 * So many addresses are too many for one declaration: an IPv4 /8, or an IPv6 /32. The latter is what a registry
 * gives a whole provider; a site has a /48 or less (RFC 6177), so nobody's backup network needs it.
 */
const TOO_MANY: Readonly<Record<IpVersion, bigint>> = { 4: 1n << 24n, 6: 1n << 96n };

/** Roles whose hosts may live in an admin network: admins work with their consoles. */
const ADMIN_ROLES: ReadonlySet<string> = new Set(['nmc', 'auth']);

/** Which declaration a fact is about. */
export type DeclarationKind = 'admin-networks' | 'role-networks' | 'host-addresses' | 'exception';

export type DeclarationFact =
  | { readonly kind: 'expired-exception'; readonly exception: AccessException; readonly origin: ConfigOrigin }
  | { readonly kind: 'expired-waiver'; readonly waiver: Waiver; readonly origin: ConfigOrigin }
  | {
      readonly kind: 'too-wide';
      readonly declaration: DeclarationKind;
      /** The role, host or exception id it belongs to; empty for admin networks. */
      readonly name: string;
      /** The range, or all ranges of one IP version where only together they are too many. */
      readonly ranges: readonly string[];
      readonly origin: ConfigOrigin;
    }
  | {
      readonly kind: 'contains-other-roles';
      readonly declaration: DeclarationKind;
      readonly name: string;
      readonly ranges: readonly string[];
      /** Names of the hosts in it that have no business there, sorted. */
      readonly hosts: readonly string[];
      readonly origin: ConfigOrigin;
    };

/**
 * Everything noteworthy, by place. `today` is an ISO date; a declaration holds up to and including its last day.
 *
 * A range contains other roles when: it is a network of a role and has a host with roles, none of them this one;
 * it is an admin network and has a host with any role but nmc and auth; it is the source of an exception, more than
 * one address, and has hosts of which no single role is common to all.
 */
export function checkDeclarations(
  inventory: Inventory,
  hosts: readonly ResolvedHost[],
  today: string,
): DeclarationFact[] {
  const withRoles = hosts.filter((host) => host.roles.length > 0 && host.addresses.length > 0);
  const facts = [
    ...findExpired(inventory, today),
    ...findInAdminNetworks(inventory, withRoles),
    ...findInRoleNetworks(inventory, withRoles),
    ...inventory.hosts.flatMap(({ name, addresses }) => findTooWide('host-addresses', name, addresses)),
    ...inventory.exceptions.flatMap((exception) => findInException(exception, withRoles)),
  ];
  return facts.sort(
    (a, b) =>
      a.origin.line - b.origin.line || a.origin.column - b.origin.column || compareTexts(a.kind, b.kind),
  );
}

function findExpired(inventory: Inventory, today: string): DeclarationFact[] {
  return [
    ...inventory.exceptions
      .filter((exception) => exception.expires < today)
      .map((exception) => ({ kind: 'expired-exception' as const, exception, origin: exception.origin })),
    ...inventory.waivers
      .filter((waiver) => waiver.expires < today)
      .map((waiver) => ({ kind: 'expired-waiver' as const, waiver, origin: waiver.origin })),
  ];
}

function findInAdminNetworks(inventory: Inventory, hosts: readonly ResolvedHost[]): DeclarationFact[] {
  const ranges = inventory.adminNetworks;
  const isForeign = (host: ResolvedHost) => host.roles.some((role) => !ADMIN_ROLES.has(role));
  return [
    ...findTooWide('admin-networks', '', ranges),
    ...findForeignHosts('admin-networks', '', ranges, hosts.filter(isForeign)),
  ];
}

function findInRoleNetworks(inventory: Inventory, hosts: readonly ResolvedHost[]): DeclarationFact[] {
  return [...inventory.roleNetworks].flatMap(([role, ranges]) => [
    ...findTooWide('role-networks', role, ranges),
    ...findForeignHosts(
      'role-networks',
      role,
      ranges,
      hosts.filter((host) => !host.roles.includes(role)),
    ),
  ]);
}

function findInException(exception: AccessException, hosts: readonly ResolvedHost[]): DeclarationFact[] {
  const sources = rangesOf(exception.from);
  const facts = [
    ...findTooWide('exception', exception.id, sources),
    ...findTooWide('exception', exception.id, rangesOf(exception.to)),
  ];
  for (const source of sources) {
    if (source.range.lo === source.range.hi) continue;
    const inside = hostsIn(source, hosts);
    const [first] = inside;
    if (first?.roles.some((role) => inside.every((host) => host.roles.includes(role))) ?? true) continue;
    facts.push(...findForeignHosts('exception', exception.id, [source], inside));
  }
  return facts;
}

function rangesOf(endpoints: readonly Endpoint[]): DeclaredRange[] {
  return endpoints.flatMap((endpoint) => (endpoint.kind === 'addresses' ? [endpoint.range] : []));
}

/** Single ranges that are too wide; where there are none, all of a version that together are. */
function findTooWide(
  declaration: DeclarationKind,
  name: string,
  ranges: readonly DeclaredRange[],
): DeclarationFact[] {
  const facts: DeclarationFact[] = [];
  for (const version of [4, 6] as const) {
    const all = ranges.filter((range) => range.version === version);
    const wide = all.filter(({ range }) => range.hi - range.lo + 1n >= TOO_MANY[version]);
    for (const range of wide) {
      facts.push({ kind: 'too-wide', declaration, name, ranges: [formatRange(range)], origin: range.origin });
    }
    const [first] = all;
    if (wide.length > 0 || first === undefined) continue;
    if (countIntervals(all.map(({ range }) => range)) < TOO_MANY[version]) continue;
    facts.push({ kind: 'too-wide', declaration, name, ranges: all.map(formatRange), origin: first.origin });
  }
  return facts;
}

function findForeignHosts(
  declaration: DeclarationKind,
  name: string,
  ranges: readonly DeclaredRange[],
  foreign: readonly ResolvedHost[],
): DeclarationFact[] {
  return ranges.flatMap((range): DeclarationFact[] => {
    const hosts = hostsIn(range, foreign).map((host) => host.name);
    if (hosts.length === 0) return [];
    const { origin } = range;
    return [{ kind: 'contains-other-roles', declaration, name, ranges: [formatRange(range)], hosts, origin }];
  });
}

function hostsIn(range: DeclaredRange, hosts: readonly ResolvedHost[]): ResolvedHost[] {
  return hosts.filter((host) => host.addresses.some((address) => rangesOverlap(address, range)));
}

function formatRange({ version, range }: DeclaredRange): string {
  return formatAddressInterval(version, range);
}
