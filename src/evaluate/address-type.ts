import { interval, single } from '../net/index.ts';
import type { Context, State } from './state.ts';

/** Multicast addresses of each IP version. Source: RFC 5771 section 3, RFC 4291 section 2.7. */
export const MULTICAST = {
  4: [interval(0xe000_0000n, 0xefff_ffffn)],
  6: [interval(0xffn << 120n, (1n << 128n) - 1n)],
} as const;

/** The limited broadcast address, 255.255.255.255. Broadcast addresses of networks are not known; IPv6 has none. */
export const BROADCAST = [single(0xffff_ffffn)] as const;

/** Whether the address is the host's own because of the way the packet takes. */
export function isOwnAddress(context: Context, field: 'saddr' | 'daddr'): boolean {
  return context.way.hook === (field === 'daddr' ? 'input' : 'output');
}

/**
 * Whether the routing table may give an address this type here, if the address is neither multicast nor limited broadcast
 * nor surely the host's own. Once a forwarded packet is routed, its destination is not LOCAL.
 */
export function mayHaveType(type: string, state: State, context: Context, field: 'saddr' | 'daddr'): boolean {
  switch (type) {
    case 'MULTICAST':
      return false;
    case 'BROADCAST':
      return context.packet.version === 4;
    case 'LOCAL': {
      const stage = context.way.stages[state.stage];
      const isRouted = stage?.kind === 'chain' && stage.hook !== 'prerouting';
      return !(context.way.hook === 'forward' && field === 'daddr' && isRouted);
    }
    default:
      return true;
  }
}
