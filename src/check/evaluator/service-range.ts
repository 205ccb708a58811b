import type { ResolvedHost } from '../../inventory/index.ts';
import { countIntervals, type Interval, normalizeIntervals } from '../../net/index.ts';
import { describePorts } from '../../packet-set/index.ts';
import type { MinimumPorts } from '../../rulepack/index.ts';
import { listed } from '../describe.ts';
import { evidence, plainOrigin } from '../evidence.ts';
import { forwardExposures, inputExposures } from '../exposure.ts';
import type { Estate } from '../peers.ts';
import type { Evaluator } from './evaluator.ts';
import { exposureEvidence } from './exposure.ts';

/**
 * A host's own service range against what its rules open to those who may use it, and against what is declared: `range-mismatch`. Ports
 * of the range that are closed are missing paths.
 */
export const rangeMismatch: Evaluator = {
  scope: 'host',
  *run(context) {
    const { host, estate } = context;
    const range = rangeText(host.servicePorts ?? []);
    const said = saidBy(estate, host.name);
    for (const found of [...inputExposures(context), ...forwardExposures(context)]) {
      if (found.class !== 'range-mismatch') continue;
      const told = exposureEvidence(context, found);
      const target = found.target ?? host;
      const facts = {
        ...told.facts,
        kind: 'rules',
        receiver: listed([target.name, ...found.furtherTargets]),
        range: rangeText(target.servicePorts ?? []),
        said: saidBy(estate, target.name),
        declared: 'none',
      };
      yield { ...told, facts };
    }
    const reported = estate.reportedPorts?.get(host.name)?.service;
    const declared = host.declaredServicePorts;
    if (reported === undefined || declared === undefined || isSame(reported.ranges, declared)) return;
    yield evidence({
      host: host.name,
      origin: plainOrigin(reported.origin),
      related:
        host.origin === undefined
          ? []
          : [{ origin: plainOrigin(host.origin), label: 'declares another range' }],
      facts: {
        host: host.name,
        kind: 'declared',
        receiver: host.name,
        range,
        said,
        declared: rangeText(declared),
        service: 'none',
        sources: 'nobody',
      },
      meaning: ['declared', rangeText(declared), range],
    });
  },
};

/** A service range with fewer ports than the roles of its host need: `range-too-small-for-role`. */
export const rangeTooSmall: Evaluator = {
  scope: 'run',
  *run({ estate }) {
    for (const host of estate.hosts) {
      const { servicePorts, devices } = host;
      if (servicePorts === undefined) continue;
      const count = countIntervals(normalizeIntervals(servicePorts));
      const most = mostDemanding(estate, host.roles, devices ?? 0);
      if (most === undefined || count >= BigInt(most.ports)) continue;
      const reported = estate.reportedPorts?.get(host.name)?.service?.origin ?? host.origin;
      yield evidence({
        host: host.name,
        origin: reported === undefined ? null : plainOrigin(reported),
        facts: {
          host: host.name,
          range: rangeText(servicePorts),
          said: saidBy(estate, host.name),
          count: String(count),
          least: String(most.ports),
          role: most.minimum.role,
          devices: devicesText(most.minimum, devices),
          source: most.minimum.where,
        },
        meaning: [most.minimum.role],
      });
    }
  },
};

/** So many ports the roles of a host need at least, its devices counted; 0 where the profile does not say. */
export function leastPorts(estate: Estate, { roles, devices }: ResolvedHost): number {
  return mostDemanding(estate, roles, devices ?? 0)?.ports ?? 0;
}

/** Of the roles of a host, the one that needs most ports: what its processes share with those of the others is not counted twice. */
function mostDemanding(
  { profile }: Estate,
  roles: readonly string[],
  devices: number,
): { readonly minimum: MinimumPorts; readonly ports: number } | undefined {
  return profile.minimumPorts
    .filter(({ role }) => roles.includes(role))
    .map((minimum) => ({ minimum, ports: minimum.ports + minimum.perDevice * devices }))
    .sort((a, b) => b.ports - a.ports)[0];
}

function devicesText({ perDevice }: MinimumPorts, devices: number | undefined): string {
  if (perDevice === 0) return '';
  return devices === undefined ? ', and one more for each device' : ` with its ${devices} devices`;
}

function rangeText(ranges: readonly Interval[]): string {
  return listed(describePorts(ranges), 8);
}

/** Who says what range a host has. */
function saidBy(estate: Estate, host: string): string {
  return estate.reportedPorts?.get(host)?.service === undefined
    ? 'service_ports in nwaudit.yaml'
    : 'its nsrports output';
}

function isSame(a: readonly Interval[], b: readonly Interval[]): boolean {
  return rangeText(normalizeIntervals(a)) === rangeText(normalizeIntervals(b));
}
