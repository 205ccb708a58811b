import type { ConfigOrigin, PortSelector, ResolvedHost } from '../../inventory/index.ts';
import type { Origin } from '../../model/index.ts';
import {
  countIntervals,
  formatProtocol,
  type Interval,
  intersectIntervals,
  interval,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  subtractIntervals,
} from '../../net/index.ts';
import { describePorts } from '../../packet-set/index.ts';
import { listed } from '../describe.ts';
import { type Evidence, evidence, plainOrigin } from '../evidence.ts';
import { defaultServiceRange, type Estate } from '../peers.ts';
import { leastPorts } from './service-range.ts';

/**
 * As many service ports as no host needs: twice the 2,000 of NetWorker's default range, which serves a whole server. A profile with a
 * wider range, and a host whose devices take more, have twice their own.
 */
const MOST_SERVICE_PORTS = 4_000n;

/** System ports: services of other products are found there by number. Source: RFC 6335, section 6. */
const SYSTEM_PORTS: Interval = interval(1, 1023);

/** A wide range, by whom it is said. */
interface WideRange {
  readonly name: string;
  readonly ranges: readonly Interval[];
  /** The host, where it reports the range itself. */
  readonly host: string | null;
  readonly origin: Origin | ConfigOrigin;
}

/**
 * Service ranges that hold what no host needs: more than twice the ports of the profile's range, or ports below 1024. One that a host
 * reports is told of the host; one of `service_ports` once, however many hosts its entry fits. What NetWorker itself takes stays silent.
 */
export function* wideServiceRanges(estate: Estate): Iterable<Evidence> {
  const usual = defaultServiceRange(estate);
  for (const { name, ranges, host, origin } of wideRangesOf(estate)) {
    const system = intersectIntervals(subtractIntervals(ranges, usual), [SYSTEM_PORTS]);
    const text = listed(describePorts(ranges), 8);
    yield evidence({
      host,
      origin: plainOrigin(origin),
      facts: {
        declaration: name,
        ranges: text,
        hosts: 'none',
        kind: 'service-range',
        severity: 'none',
        count: String(countIntervals(ranges)),
        usual:
          usual.length === 0
            ? ''
            : `; by default it is ${listed(describePorts(usual))}, ${countIntervals(usual)} ports`,
        system: system.length === 0 ? '' : ', those of other services below 1024 among them',
      },
      meaning: ['service-range', host === null ? name : 'nsrports', text],
    });
  }
}

function* wideRangesOf(estate: Estate): Iterable<WideRange> {
  const told = new Set<object>();
  for (const host of estate.hosts) {
    if (!isWide(estate, host)) continue;
    const ranges = normalizeIntervals(host.servicePorts ?? []);
    const reported = estate.reportedPorts?.get(host.name)?.service;
    if (reported !== undefined) {
      const name = `the service range that nsrports of ${host.name} prints`;
      yield { name, ranges, host: host.name, origin: reported.origin };
      continue;
    }
    const entry = host.servicePortsBy;
    if (entry === undefined || told.has(entry)) continue;
    told.add(entry);
    yield { name: `service_ports of ${entry.name}`, ranges, host: null, origin: entry.origin };
  }
}

function isWide(estate: Estate, host: ResolvedHost): boolean {
  const ranges = normalizeIntervals(host.servicePorts ?? []);
  const usual = defaultServiceRange(estate);
  if (countIntervals(ranges) > mostPorts(countIntervals(usual), BigInt(leastPorts(estate, host))))
    return true;
  return intersectIntervals(subtractIntervals(ranges, usual), [SYSTEM_PORTS]).length > 0;
}

function mostPorts(...needed: readonly bigint[]): bigint {
  return needed.reduce((limit, n) => (2n * n > limit ? 2n * n : limit), MOST_SERVICE_PORTS);
}

/** Exceptions in force for more ports of a protocol than the widest service range: nobody decided about each service behind them. */
export function* wideExceptions(estate: Estate): Iterable<Evidence> {
  const most = mostPorts(countIntervals(defaultServiceRange(estate)));
  for (const exception of estate.inventory?.exceptions ?? []) {
    if (exception.expires < estate.today) continue;
    for (const [protocol, ranges] of portsByProtocol(exception.ports)) {
      const count = countIntervals(ranges);
      if (count <= most) continue;
      const text = listed(
        describePorts(ranges).map((port) => `${formatProtocol(protocol)}/${port}`),
        8,
      );
      yield evidence({
        host: null,
        origin: plainOrigin(exception.origin),
        facts: {
          declaration: `the exception ${exception.id}`,
          ranges: text,
          hosts: 'none',
          kind: 'exception-ports',
          severity: 'none',
          count: String(count),
          usual: '',
          system: '',
        },
        meaning: ['exception-ports', exception.id, text],
      });
    }
  }
}

/** Of protocols with ports; a selector without ports is for all of them. */
function portsByProtocol(selectors: readonly PortSelector[]): Map<number, Interval[]> {
  const all = new Map<number, Interval[]>();
  for (const { protocol, ports } of selectors) {
    if (!PROTOCOLS_WITH_PORTS.includes(protocol)) continue;
    const known = all.get(protocol) ?? [];
    all.set(protocol, normalizeIntervals([...known, ...(ports.length === 0 ? [interval(0, 65535)] : ports)]));
  }
  return all;
}
