import { CT_STATE, type FieldName, type Hook, type PacketHook } from '../model/index.ts';
import { addressBits, type IpVersion, single } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';

/** Where in its way a packet is when a condition is asked. */
export interface Place {
  /** The way the packet takes. */
  readonly path: PacketHook;
  /** The hook whose base chain is being traversed. */
  readonly hook: Hook;
  readonly version: IpVersion;
}

/** Bits of a field at this point of the way, most significant first; 32 for IPv4 addresses. */
export function fieldBits(
  host: HostSpace,
  environment: Environment,
  field: FieldName,
  version: IpVersion,
): readonly PacketSet[] {
  const assigned = environment.bits(field);
  if (assigned !== undefined) return assigned;
  const bits = host.space.bits(field);
  return field === 'saddr' || field === 'daddr' ? bits.slice(0, addressBits(version)) : bits;
}

/** Packets whose connection state at this point is one of `states`. */
export function inCtState(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  ...states: (keyof typeof CT_STATE)[]
): PacketSet {
  const bits = fieldBits(host, environment, 'ct-state', version);
  return host.space.inIntervals(
    bits,
    states.map((s) => single(CT_STATE[s])),
  );
}

/** Packets that belong to a connection at this point: new, established or related. */
export function hasConnection(host: HostSpace, environment: Environment, version: IpVersion): PacketSet {
  return inCtState(host, environment, version, 'new', 'established', 'related');
}
