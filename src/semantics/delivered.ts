import { addressBits, type IpVersion } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';

/** Fields that NAT changes at the destination. */
export type DeliveredField = 'daddr' | 'dport';

/** Where packets are delivered, as bits: a socket's port goes before the packet's own. `undefined`: where they were sent. */
export function deliveredBits(
  environment: Environment,
  field: DeliveredField,
): readonly PacketSet[] | undefined {
  const handed = field === 'dport' ? environment.bits('handed port') : undefined;
  return handed ?? environment.bits(field);
}

/** Assigned ones among the fields, with the functions that replace them. */
function changesOf(
  environment: Environment,
  version: IpVersion,
  fields: readonly DeliveredField[],
): [DeliveredField, readonly PacketSet[]][] {
  return fields.flatMap((field) => {
    const bits = deliveredBits(environment, field);
    if (bits === undefined) return [];
    return [[field, field === 'daddr' ? bits.slice(0, addressBits(version)) : bits]];
  });
}

/**
 * The packets of `set` as they are delivered: the named fields in the result are those after NAT, all others as they
 * arrived. Exact: a packet is in the result when some arriving packet of `set` becomes it.
 */
export function deliveredImage(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  set: PacketSet,
  fields: readonly DeliveredField[],
): PacketSet {
  return host.space.image(set, changesOf(environment, version, fields));
}

/** Arriving packets that are delivered as a member of `set`, in which the named fields are those after NAT. */
export function deliveredPreimage(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  set: PacketSet,
  fields: readonly DeliveredField[],
): PacketSet {
  return host.space.substitute(set, changesOf(environment, version, fields));
}
