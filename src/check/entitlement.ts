/** Who may send what to a host: flows of the profile and exceptions of the configuration, as packet sets. */

import { exceptionSources, type ResolvedHost } from '../inventory/index.ts';
import {
  type Interval,
  type IpVersion,
  interval,
  normalizeIntervals,
  single,
  subtractIntervals,
} from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { Flow } from '../rulepack/index.ts';
import type { KeptAccess } from './change.ts';
import { MOST_INTERVALS } from './describe.ts';
import type { HostContext } from './host-context.ts';
import {
  defaultServiceRange,
  exceptionsTo,
  flowPorts,
  flowsTo,
  rangesOfVersion,
  sendersOf,
  servedAdminPorts,
  serviceRangeOf,
} from './peers.ts';

/** Every port. */
export const ALL_PORTS: Interval = interval(0, 65535);

/** Packets (source, protocol, delivered port) that entitled peers may send. */
export interface Entitlement {
  readonly all: PacketSet;
  readonly vendor: readonly { readonly flow: Flow; readonly set: PacketSet }[];
  /** Packets of those who may use the host's service range, to ports that only the profile's own range has. */
  readonly outsideRange: PacketSet;
}

function accessSet(
  context: HostContext,
  version: IpVersion,
  sources: readonly Interval[],
  protocol: number,
  ports: readonly Interval[],
): PacketSet {
  const { space } = context.space;
  const saddr = space.bits('saddr').slice(0, version === 4 ? 32 : 128);
  return space.intersectAll([
    space.version(version),
    space.inIntervals(saddr, sources),
    space.inIntervals(space.bits('protocol'), [single(protocol)]),
    space.inIntervals(space.bits('dport'), ports),
  ]);
}

export function entitlement(context: HostContext, host: ResolvedHost, version: IpVersion): Entitlement {
  const { estate, space: hostSpace } = context;
  const { space } = hostSpace;
  let all = space.empty;
  let outsideRange = space.empty;
  const outside = portsOutsideRange(context, host);
  const vendor: { flow: Flow; set: PacketSet }[] = [];
  for (const flow of flowsTo(estate, host)) {
    const sources = rangesOfVersion(
      sendersOf(estate, flow, host).flatMap((p) => p.ranges),
      version,
    );
    const set = accessSet(context, version, sources, flow.protocol, flowPorts(estate, flow, host));
    if (flow.need === 'vendor') vendor.push({ flow, set });
    else all = space.union(all, set);
    if (outside.length > 0 && flow.ports.some((term) => term.kind === 'service-range'))
      outsideRange = space.union(outsideRange, accessSet(context, version, sources, flow.protocol, outside));
  }
  for (const exception of exceptionsTo(estate, host)) {
    if (estate.inventory === undefined) break;
    const sources = rangesOfVersion(exceptionSources(exception, estate.hosts, estate.inventory), version);
    for (const { protocol, ports } of exception.ports) {
      all = space.union(
        all,
        accessSet(context, version, sources, protocol, portsLifted(context, host, protocol, ports)),
      );
    }
  }
  return { all, vendor, outsideRange };
}

/**
 * Of the ports of an exception (none: all), those that it opens. Not what nobody has to reach from another host: that is accepted by a
 * waiver only. Inside the service range such a port is one of the range.
 */
export function portsLifted(
  { estate }: HostContext,
  host: ResolvedHost,
  protocol: number,
  ports: readonly Interval[],
): Interval[] {
  const range = normalizeIntervals([...defaultServiceRange(estate), ...(host.servicePorts ?? [])]);
  const never = estate.profile.neverRemote.filter((n) => n.protocol === protocol).map((n) => single(n.port));
  return subtractIntervals(
    ports.length === 0 ? [ALL_PORTS] : ports,
    subtractIntervals(normalizeIntervals(never), range),
  );
}

/**
 * Ports of the profile's service range on which nothing of the host listens, since its own range is known and narrower. Fixed ports
 * and those it serves for administration have findings of their own.
 */
function portsOutsideRange({ estate }: HostContext, host: ResolvedHost): Interval[] {
  if (host.servicePorts === undefined) return [];
  const others = [...estate.profile.fixedPorts, ...servedAdminPorts(estate, host)].map((port) =>
    single(port),
  );
  return subtractIntervals(defaultServiceRange(estate), [...serviceRangeOf(estate, host), ...others]);
}

/** What of some access is by right: what flows and exceptions ask for. `given`: source, protocol and delivered port. */
export function entitledAccess(
  context: HostContext,
  host: ResolvedHost,
  given: readonly { readonly version: IpVersion; readonly set: PacketSet }[],
  withVendor = false,
): KeptAccess[] {
  const { space } = context.space;
  const { estate } = context;
  const kept: KeptAccess[] = [];
  const keep = (version: IpVersion, range: Interval, protocol: number, wanted: readonly Interval[]) => {
    const asked = accessSet(context, version, [range], protocol, wanted);
    const both = space.unionAll(
      given.filter((p) => p.version === version).map(({ set }) => space.intersect(set, asked)),
    );
    const ports = space.values(both, 'dport', version);
    if (ports.length === 0) return;
    for (const saddr of space.valuesUpTo(both, 'saddr', version, MOST_INTERVALS).intervals)
      kept.push({ version, saddr, protocol, ports });
  };
  for (const flow of flowsTo(estate, host)) {
    if (flow.need === 'vendor' && !withVendor) continue;
    const wanted = flowPorts(estate, flow, host);
    for (const { version, range } of sendersOf(estate, flow, host).flatMap((p) => p.ranges)) {
      keep(version, range, flow.protocol, wanted);
    }
  }
  for (const exception of exceptionsTo(estate, host)) {
    if (estate.inventory === undefined) break;
    for (const { version, range } of exceptionSources(exception, estate.hosts, estate.inventory))
      for (const { protocol, ports } of exception.ports)
        keep(version, range, protocol, portsLifted(context, host, protocol, ports));
  }
  return kept;
}
