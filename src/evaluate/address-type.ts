import { interval, single } from '../net/index.ts';
import type { Context, State } from './state.ts';

/** Multicast addresses of each IP version. Source: RFC 5771 section 3, RFC 4291 section 2.7. */
export const MULTICAST = {
  4: [interval(0xe000_0000n, 0xefff_ffffn)],
  6: [interval(0xffn << 120n, (1n << 128n) - 1n)],
} as const;

/** The limited broadcast address, 255.255.255.255. Broadcast addresses of networks are not known; IPv6 has none. */
export const BROADCAST = [single(0xffff_ffffn)] as const;

/**
 * Types that the routing table may give an address that is neither multicast nor 255.255.255.255. Source: linux
 * include/uapi/linux/rtnetlink.h; names as in iptables-extensions(8), "addrtype".
 */
const ROUTED_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
];

/** Whether the address is the host's own because of the way the packet takes. */
export function isOwnAddress(context: Context, field: 'saddr' | 'daddr'): boolean {
  return context.way.hook === (field === 'daddr' ? 'input' : 'output');
}

/**
 * The types that an address may have here as far as an export tells, if it is neither multicast nor limited broadcast
 * nor surely the host's own. Once a forwarded packet is routed, its destination is not LOCAL.
 */
export function routedTypes(state: State, context: Context, field: 'saddr' | 'daddr'): readonly string[] {
  const stage = context.way.stages[state.stage];
  const isRouted =
    context.way.hook === 'forward' &&
    stage?.kind === 'chain' &&
    stage.hook !== 'prerouting' &&
    field === 'daddr';
  return ROUTED_TYPES.filter(
    (type) => !(type === 'LOCAL' && isRouted) && !(type === 'BROADCAST' && context.packet.version === 6),
  );
}
