/** Whether exceptions of nwaudit.yaml open anything on a host. */
import { type AccessException, exceptionSources } from '../inventory/index.ts';
import { type IpVersion, single } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import { deliveredImage } from '../semantics/index.ts';
import { newFromOutside } from './blamed.ts';
import { portsLifted } from './entitlement.ts';
import type { HostContext } from './host-context.ts';
import { addressSet } from './packet-option.ts';
import { exceptionsTo, flowPorts, flowsTo, rangesOfVersion, sendersOf } from './peers.ts';

/**
 * Whether a host lets somebody in by an exception. `needless`: the profile allows all of it anyway; `never-remote`: it names only ports
 * that no exception opens.
 */
export type ExceptionUse = 'used' | 'closed' | 'needless' | 'never-remote';

/** Exceptions in force for the host, by id. One that lets in nobody with a known address is not among them. */
export function exceptionUses(context: HostContext): Map<string, ExceptionUse> {
  const uses = new Map<string, ExceptionUse>();
  for (const exception of exceptionsTo(context.estate, context.host)) {
    const use = useOf(context, exception);
    if (use !== undefined) uses.set(exception.id, use);
  }
  return uses;
}

function useOf(context: HostContext, exception: AccessException): ExceptionUse | undefined {
  const { space } = context.space;
  const { inventory, hosts } = context.estate;
  if (inventory === undefined) return undefined;
  const sources = exceptionSources(exception, hosts, inventory);
  const lifted = exception.ports.map(({ protocol, ports }) => ({
    protocol,
    ports: portsLifted(context, context.host, protocol, ports),
  }));
  let isNeedless = true;
  let isAsked = false;
  for (const version of context.versions) {
    const from = addressSet(context, version, 'saddr', rangesOfVersion(sources, version));
    const ports = space.unionAll(
      lifted.map(({ protocol, ports: list }) =>
        space.intersect(
          space.inIntervals(space.bits('protocol'), [single(protocol)]),
          space.inIntervals(space.bits('dport'), list),
        ),
      ),
    );
    const widened = space.intersectAll([space.version(version), from, ports]);
    if (space.isEmpty(widened)) continue;
    isAsked = true;
    const beyond = space.minus(widened, byProfile(context, version));
    if (space.isEmpty(beyond)) continue;
    isNeedless = false;
    if (space.intersects(acceptedAsDelivered(context, version), beyond)) return 'used';
  }
  if (sources.length > 0 && lifted.every(({ ports }) => ports.length === 0)) return 'never-remote';
  return isAsked ? (isNeedless ? 'needless' : 'closed') : undefined;
}

/** What the profile allows by itself: source, protocol and port. */
function byProfile(context: HostContext, version: IpVersion): PacketSet {
  return context.once(`allowed by the profile ${version}`, () => {
    const { space } = context.space;
    const { estate, host } = context;
    return space.unionAll(
      flowsTo(estate, host)
        .filter((flow) => flow.need !== 'vendor')
        .map((flow) =>
          space.intersectAll([
            space.version(version),
            addressSet(
              context,
              version,
              'saddr',
              rangesOfVersion(
                sendersOf(estate, flow, host).flatMap((peer) => peer.ranges),
                version,
              ),
            ),
            space.inIntervals(space.bits('protocol'), [single(flow.protocol)]),
            space.inIntervals(space.bits('dport'), flowPorts(estate, flow, host)),
          ]),
        ),
    );
  });
}

/** New connections that may get in, by delivered port. */
function acceptedAsDelivered(context: HostContext, version: IpVersion): PacketSet {
  return context.once(`accepted as delivered ${version}`, () => {
    const { space } = context.space;
    const fresh = newFromOutside(context, version);
    const parts = [...context.path('input', version).accepted.values()].map(({ environment, set }) =>
      deliveredImage(context.space, environment, version, space.intersect(set, fresh), ['dport']),
    );
    return space.exists(
      space.unionAll(parts),
      space.variablesExcept({ version: true, fields: ['saddr', 'protocol', 'dport'] }),
    );
  });
}
