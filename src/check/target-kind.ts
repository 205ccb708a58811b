/** What tells one host behind a gateway from another, as far as access to it is judged. */

import type { ResolvedHost } from '../inventory/index.ts';
import {
  connectionPortsOf,
  type Estate,
  exceptionsTo,
  flowPorts,
  flowsTo,
  sendersKnown,
  sendersOf,
  servedAdminPorts,
} from './peers.ts';

/**
 * A text that is the same for hosts on which the same access is judged the same: same roles and ports, same flows from the same peers, same
 * exceptions. Their names and addresses are not in it.
 */
export function targetKind(estate: Estate, target: ResolvedHost): string {
  const ports = (list: readonly { readonly lo: bigint; readonly hi: bigint }[]) =>
    list.map(({ lo, hi }) => `${lo}-${hi}`).join();
  const exceptions = estate.inventory?.exceptions ?? [];
  return JSON.stringify([
    target.roles,
    target.servicePorts === undefined ? null : ports(target.servicePorts),
    target.servicePortsBy === undefined,
    ports(connectionPortsOf(estate, target)),
    servedAdminPorts(estate, target),
    flowsTo(estate, target).map((flow) => [
      estate.profile.flows.indexOf(flow),
      ports(flowPorts(estate, flow, target)),
      sendersKnown(estate, flow, target),
      sendersOf(estate, flow, target).map(({ name }) => name),
    ]),
    exceptionsTo(estate, target).map((exception) => exceptions.indexOf(exception)),
  ]);
}
