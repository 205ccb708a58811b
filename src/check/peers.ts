import type { AccessException, AddressRange, Inventory, ResolvedHost } from '../inventory/index.ts';
import { exceptionAppliesTo } from '../inventory/index.ts';
import type { PortRanges } from '../model/index.ts';
import {
  complementIntervals,
  countIntervals,
  type Interval,
  type IpVersion,
  normalizeIntervals,
  single,
  subtractIntervals,
} from '../net/index.ts';
import { ADMIN_NETWORKS, type Flow, type Profile } from '../rulepack/index.ts';

/** Everything the checks need to know about who is entitled to what. */
export interface Estate {
  readonly profile: Profile;
  readonly inventory: Inventory | undefined;
  readonly hosts: readonly ResolvedHost[];
  readonly hostsByRole: ReadonlyMap<string, readonly ResolvedHost[]>;
  /** Names of gateways that some host stands behind. */
  readonly gateways: ReadonlySet<string>;
  /** Addresses of all hosts, normalized. Computed when first asked for: with many hosts, once is enough. */
  readonly hostAddresses: (version: IpVersion) => readonly Interval[];
  /** What `nsrports` of each host printed, by host name; hosts without it are absent. */
  readonly reportedPorts?: ReadonlyMap<string, PortRanges>;
  /** ISO date of the audit; exceptions past their date entitle nobody. */
  readonly today: string;
}

/** An estate with its index. */
export function createEstate(parts: Omit<Estate, 'hostsByRole' | 'gateways' | 'hostAddresses'>): Estate {
  const hostsByRole = new Map<string, ResolvedHost[]>();
  for (const host of parts.hosts) {
    for (const role of host.roles) {
      const list = hostsByRole.get(role);
      if (list === undefined) hostsByRole.set(role, [host]);
      else list.push(host);
    }
  }
  const gateways = new Set(parts.hosts.flatMap(({ behind }) => behind ?? []));
  const addresses = new Map<IpVersion, readonly Interval[]>();
  const hostAddresses = (version: IpVersion): readonly Interval[] => {
    const known =
      addresses.get(version) ??
      rangesOfVersion(
        parts.hosts.flatMap((host) => host.addresses),
        version,
      );
    addresses.set(version, known);
    return known;
  };
  return { ...parts, hostsByRole, gateways, hostAddresses };
}

/** Somebody at the other end of a flow, with its addresses. */
export interface Peer {
  /** Host name, or `network of role clients`, `admin networks`. */
  readonly name: string;
  readonly host: ResolvedHost | undefined;
  readonly ranges: readonly AddressRange[];
}

/** Ports that a host serves for administration under the profile (design.md, 6). */
export function servedAdminPorts(estate: Estate, host: ResolvedHost): number[] {
  return estate.profile.adminPorts
    .filter(({ servedBy, elseServedBy }) => {
      if (servedBy.some((role) => host.roles.includes(role))) return true;
      const elsewhere = servedBy.some((role) => (estate.hostsByRole.get(role) ?? []).some((h) => h !== host));
      return !elsewhere && elseServedBy.some((role) => host.roles.includes(role));
    })
    .map(({ port }) => port);
}

/** The profile's own service range; none where the product has no such range. */
export function defaultServiceRange(estate: Estate): Interval[] {
  const { serviceRange } = estate.profile;
  return serviceRange === undefined ? [] : [serviceRange];
}

/** The host's service range, wherever it comes from, 7937 and admin ports included. */
export function serviceRangeOf(estate: Estate, host: ResolvedHost): Interval[] {
  return normalizeIntervals(host.servicePorts ?? defaultServiceRange(estate));
}

/** So many ports bound nothing: whoever wrote them named no port. `1024-65535` says no more than all of them. */
export const UNBOUNDED_PORTS = 60_000n;

/**
 * Ports that the host's processes open connections from, where that is known: its own range, or that of old releases. A range of nearly
 * all ports is none.
 */
export function connectionPortsOf(estate: Estate, host: ResolvedHost): readonly Interval[] {
  const { connectionPorts } = estate.profile;
  const own = host.connectionPorts;
  if (own !== undefined && countIntervals(normalizeIntervals(own)) < UNBOUNDED_PORTS) return own;
  return connectionPorts === undefined ? [] : [connectionPorts];
}

/**
 * Whether a flow is there at all in the datazone of `host`, as far as roles and features decide; `receiver`: the host it ends
 * at, where that is known.
 */
function flowHolds(estate: Estate, flow: Flow, host: ResolvedHost, receiver?: ResolvedHost): boolean {
  const { roles, withoutRoles, features, servicePorts } = flow.when;
  const isPresent = (role: string) =>
    (estate.hostsByRole.get(role) ?? []).some((other) => inSameDatazone(host, other)) ||
    (estate.inventory?.roleNetworks.get(role) ?? []).length > 0;
  if (!roles.every(isPresent) || withoutRoles.some(isPresent)) return false;
  if (!features.every((feature) => estate.inventory?.features.includes(feature) ?? false)) return false;
  if (servicePorts === undefined || receiver === undefined) return true;
  return (receiver.servicePorts !== undefined) === (servicePorts === 'declared');
}

/** Destination ports of a flow at the receiving host. `service-range` is R(h): see `PortTerm`. */
export function flowPorts(estate: Estate, flow: Flow, receiver: ResolvedHost): Interval[] {
  return normalizeIntervals(
    flow.ports.flatMap((term) => {
      if (term.kind === 'ports') return [term.range];
      const excluded = [...estate.profile.rangeWithout, ...servedAdminPorts(estate, receiver)];
      return subtractIntervals(
        serviceRangeOf(estate, receiver),
        excluded.map((port) => single(port)),
      );
    }),
  );
}

function inSameDatazone(a: ResolvedHost, b: ResolvedHost): boolean {
  return a.datazone === b.datazone;
}

/** Whether a client that limits its storage nodes talks to this one. True for all other pairs. */
function storageNodeUsed(a: ResolvedHost, b: ResolvedHost): boolean {
  const excludes = (client: ResolvedHost, node: ResolvedHost) =>
    client.storageNodes !== undefined &&
    client.roles.includes('client') &&
    node.roles.includes('storage-node') &&
    !node.roles.includes('server') &&
    !client.storageNodes.includes(node.name);
  return !excludes(a, b) && !excludes(b, a);
}

/** Hosts and networks at one end of a flow whose other end is `host`. */
function peersOf(estate: Estate, flow: Flow, host: ResolvedHost, end: 'from' | 'to'): Peer[] {
  const peers: Peer[] = [];
  const seen = new Set<ResolvedHost>();
  for (const role of flow[end]) {
    if (role === ADMIN_NETWORKS) {
      const ranges = estate.inventory?.adminNetworks ?? [];
      if (ranges.length > 0) peers.push({ name: 'admin networks', host: undefined, ranges });
      continue;
    }
    for (const other of estate.hostsByRole.get(role) ?? []) {
      if (other === host || seen.has(other) || !inSameDatazone(host, other)) continue;
      if (!storageNodeUsed(host, other)) continue;
      if (end === 'to' && !flowHolds(estate, flow, host, other)) continue;
      seen.add(other);
      peers.push({ name: other.name, host: other, ranges: other.addresses });
    }
    const network = estate.inventory?.roleNetworks.get(role);
    if (network !== undefined && network.length > 0) {
      peers.push({ name: `networks of role ${role}`, host: undefined, ranges: network });
    }
  }
  return peers;
}

/** Who may open this flow to `receiver`. */
export function sendersOf(estate: Estate, flow: Flow, receiver: ResolvedHost): Peer[] {
  return peersOf(estate, flow, receiver, 'from');
}

/** To whom `sender` may open this flow. */
export function receiversOf(estate: Estate, flow: Flow, sender: ResolvedHost): Peer[] {
  return peersOf(estate, flow, sender, 'to');
}

/** Two ends of a flow with a gateway between them. */
export interface Crossing {
  readonly sender: Peer;
  readonly receiver: Peer;
}

/**
 * The ways of a flow that lead through a gateway: of hosts known by address, exactly one stands behind it, as `behind` in nwaudit.yaml says.
 * Networks and hosts that name no gateway stand behind none.
 */
export function crossingsOf(estate: Estate, flow: Flow, gateway: ResolvedHost): Crossing[] {
  const isBehind = (host: ResolvedHost | undefined) => host?.behind?.includes(gateway.name) === true;
  if (!estate.gateways.has(gateway.name)) return [];
  const receivers = new Set(flow.to.flatMap((role) => estate.hostsByRole.get(role) ?? []));
  return [...receivers]
    .filter((receiver) => receiver !== gateway && receiver.addresses.length > 0)
    .filter((receiver) => flowHolds(estate, flow, receiver, receiver))
    .flatMap((receiver) => {
      const far: Peer = { name: receiver.name, host: receiver, ranges: receiver.addresses };
      return sendersOf(estate, flow, receiver)
        .filter(({ host, ranges }) => host !== gateway && ranges.length > 0)
        .filter(({ host }) => isBehind(host) !== isBehind(receiver))
        .map((sender) => ({ sender, receiver: far }));
    });
}

/** The gateways between two hosts, by name. */
export function gatewaysBetween(a: ResolvedHost | undefined, b: ResolvedHost | undefined): string[] {
  const [first, second] = [a?.behind ?? [], b?.behind ?? []];
  return [...first.filter((g) => !second.includes(g)), ...second.filter((g) => !first.includes(g))];
}

/** Flows that end at the host, those whose condition does not hold left out. */
export function flowsTo(estate: Estate, host: ResolvedHost): Flow[] {
  return estate.profile.flows.filter(
    (flow) => flow.to.some((role) => host.roles.includes(role)) && flowHolds(estate, flow, host, host),
  );
}

/** Flows that begin at the host, those whose condition does not hold left out. */
export function flowsFrom(estate: Estate, host: ResolvedHost): Flow[] {
  return estate.profile.flows.filter(
    (flow) => flow.from.some((role) => host.roles.includes(role)) && flowHolds(estate, flow, host),
  );
}

/**
 * Whether all who may use this flow are known by address, so that everybody else is one too many. A role that no host has
 * counts as known where another role of the flow is; a host of the role without addresses makes it unknown.
 */
export function sendersKnown(estate: Estate, flow: Flow, receiver: ResolvedHost): boolean {
  let someKnown = false;
  for (const role of flow.from) {
    const peers = sendersOf(estate, { ...flow, from: [role] }, receiver);
    if (peers.some((peer) => peer.ranges.length === 0)) return false;
    // The only host of its role has nobody to wait for.
    if (peers.length > 0 || receiver.roles.includes(role)) someKnown = true;
    else if (role === ADMIN_NETWORKS) return false;
  }
  return someKnown;
}

/** Addresses of one version in a list of ranges, normalized. */
export function rangesOfVersion(ranges: Iterable<AddressRange>, version: IpVersion): Interval[] {
  const out: Interval[] = [];
  for (const range of ranges) if (range.version === version) out.push(range.range);
  return normalizeIntervals(out);
}

/** Exceptions in force that are about the host. */
export function exceptionsTo(estate: Estate, host: ResolvedHost): AccessException[] {
  return (estate.inventory?.exceptions ?? []).filter(
    (exception) => exception.expires >= estate.today && exceptionAppliesTo(exception, host),
  );
}

/** Source addresses that never arrive from outside: loopback, the unspecified address, and the host's own. */
export function impossibleSources(host: ResolvedHost, version: IpVersion): Interval[] {
  const own = rangesOfVersion(host.addresses, version);
  return version === 4
    ? normalizeIntervals([
        { lo: 0n, hi: 0xff_ffffn },
        { lo: 0x7f00_0000n, hi: 0x7fff_ffffn },
        { lo: 0xe000_0000n, hi: 0xffff_ffffn },
        ...own,
      ])
    : normalizeIntervals([{ lo: 0n, hi: 1n }, { lo: 0xffn << 120n, hi: (1n << 128n) - 1n }, ...own]);
}

/** Source addresses that can arrive from outside. */
export function possibleSources(host: ResolvedHost, version: IpVersion): Interval[] {
  return complementIntervals(
    impossibleSources(host, version),
    version === 4 ? 0xffff_ffffn : (1n << 128n) - 1n,
  );
}
