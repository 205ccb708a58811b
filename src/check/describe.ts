import type { Exposure, Witness } from '../finding/index.ts';
import { TCP_FLAG } from '../model/index.ts';
import {
  countIntervals,
  formatAddress,
  formatProtocol,
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  PROTOCOLS_WITH_PORTS,
} from '../net/index.ts';
import { describeAddresses, describePorts, type Header, isAnySource } from '../packet-set/index.ts';

/** Source addresses by IP version, each normalized. */
export type Sources = ReadonlyMap<IpVersion, readonly Interval[]>;

/** Most addresses or ranges that a sentence lists before it says how many more there are. */
const MOST_LISTED = 4;

/** Ranges of addresses of one version that are looked at for a finding; of more than that (masks with holes), the lowest. */
export const MOST_INTERVALS = 5_000;

/** `a, b and c`; long lists end in `and N more`. `cut`: there are more than the items. */
export function listed(items: readonly string[], most: number = MOST_LISTED, cut = false): string {
  if (items.length === 0) return 'none';
  if (items.length === 1) return items[0]!;
  if (items.length <= most) return `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
  const left = items.length - most + 1;
  return `${items.slice(0, most - 1).join(', ')} and ${cut ? 'at least ' : ''}${left} more`;
}

/** Sources as part of a sentence: `any IPv4 address`, `192.0.2.0/24 and 198.51.100.7`. */
export function describeSources(sources: Sources): string {
  const parts = [...sources].flatMap(([version, list]) => {
    if (list.length === 0) return [];
    if (isAnySource(version, list)) return [`any IPv${version} address`];
    return [listed(describeAddresses(version, list).saddr, MOST_LISTED, list.length >= MOST_INTERVALS)];
  });
  return parts.length === 0 ? 'nobody' : parts.join(' and ');
}

/** `tcp/7938-9936`, `udp/53`, or the protocol's name where it has no ports. */
export function describeService(protocols: readonly number[], ports: readonly Interval[]): string {
  const names = protocols.map(formatProtocol).join(', ');
  const texts = describePorts(ports);
  return texts.length === 0 ? names : `${names}/${listed(texts, 8)}`;
}

/** The exposure object of a finding. `entitled`: sources of the same access that need it, shown under `except`. */
export function describeExposure(
  sources: Sources,
  entitled: Sources,
  protocols: readonly number[],
  ports: readonly Interval[],
): Exposure {
  const saddr: string[] = [];
  const except: string[] = [];
  let addresses = 0n;
  for (const [version, list] of sources) {
    addresses += countIntervals(list);
    if (!isAnySource(version, list)) {
      saddr.push(...describeAddresses(version, list, 'prefix').saddr);
      continue;
    }
    saddr.push(version === 4 ? '0.0.0.0/0' : '::/0');
    except.push(...describeAddresses(version, entitled.get(version) ?? [], 'prefix').saddr);
  }
  return {
    saddr,
    except,
    proto: protocols.map(formatProtocol),
    dport: describePorts(ports),
    addresses: String(addresses),
    ports: Number(countIntervals(ports)),
  };
}

/**
 * A sampled header as the packet a person can send, or give to `trace`. `mentioned`: interface names that rules name; any other
 * name stands for all the rest, and is left out.
 */
export function describeWitness(
  hook: Witness['hook'],
  header: Header,
  mentioned: ReadonlySet<string>,
): Witness {
  const version = header.version ?? 4;
  const protocol = Number(header.protocol ?? 6n);
  const withPorts = PROTOCOLS_WITH_PORTS.includes(protocol);
  const flags = Object.entries(TCP_FLAG).filter(([, bit]) => (Number(header['tcp-flags'] ?? 2n) & bit) !== 0);
  const names = flags.map(([name]) => name);
  return {
    hook,
    saddr: formatAddress(version, header.saddr ?? 0n),
    daddr: formatAddress(version, header.daddr ?? 0n),
    proto: formatProtocol(protocol),
    ...(withPorts ? { sport: Number(header.sport ?? 40000n), dport: Number(header.dport ?? 0n) } : {}),
    ...(protocol === ICMP || protocol === ICMPV6
      ? { icmp_type: Number(header['icmp-type'] ?? 8n), icmp_code: Number(header['icmp-code'] ?? 0n) }
      : {}),
    ...(typeof header.iif === 'string' && mentioned.has(header.iif) ? { iif: header.iif } : {}),
    ...(typeof header.oif === 'string' && mentioned.has(header.oif) ? { oif: header.oif } : {}),
    ...(protocol === 6 && names.join() !== 'syn' ? { tcp_flags: names } : {}),
    ...(header.mark !== undefined && header.mark !== 0n ? { mark: Number(header.mark) } : {}),
    ...(header.smac === undefined ? {} : { smac: formatMac(header.smac) }),
  };
}

function formatMac(value: bigint): string {
  return value
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?=.)/g, '$1:');
}
