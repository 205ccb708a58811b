import type { IpVersion } from '../net/index.ts';
import type { InterfaceSide, SpaceField } from './field.ts';

/**
 * A packet header, whole or in part. An absent field is not said. Field values are non-negative integers of the
 * field's width; an IPv4 address is its 32-bit number.
 */
export type Header = {
  readonly [F in SpaceField]?: bigint | undefined;
} & {
  /** Interface name; `null`: no interface at this hook (the empty name). */
  readonly [S in InterfaceSide]?: string | null | undefined;
} & {
  /** Has to be given where an address is. */
  readonly version?: IpVersion | undefined;
};
