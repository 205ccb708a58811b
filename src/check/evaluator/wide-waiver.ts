import { applyWaivers, type Finding, SEVERITIES } from '../../finding/index.ts';
import { isHostPattern, matchesHostPattern, type Waiver } from '../../inventory/index.ts';
import { listed } from '../describe.ts';
import { type Evidence, evidence, plainOrigin } from '../evidence.ts';
import type { ReportContext } from './evaluator.ts';

/** From here on, what a waiver accepts is nothing to be accepted on hosts that nobody thought of. */
const SERIOUS = SEVERITIES.indexOf('high');

/**
 * Waivers in force that accept serious findings on every host: they name neither a host nor a finding, or a pattern that fits all audited
 * hosts. A new host, or a new rule, is accepted before anybody has seen it. Of a single audited host nothing is said: it is the one meant.
 */
export function* wideWaivers({ estate, hosts, findings }: ReportContext): Iterable<Evidence> {
  if (hosts.length < 2) return;
  for (const waiver of estate.inventory?.waivers ?? []) {
    if (waiver.fingerprint !== undefined || !hosts.every((name) => isMeant(waiver, name))) continue;
    const accepted = applyWaivers(findings, [waiver], estate.today).findings.filter(
      ({ suppression }) => suppression !== null,
    );
    const serious = accepted.filter(({ severity }) => SEVERITIES.indexOf(severity) >= SERIOUS);
    if (serious.length === 0) continue;
    const on = [...new Set(serious.flatMap(({ host }) => host ?? []))].sort();
    yield evidence({
      host: null,
      origin: plainOrigin(waiver.origin),
      facts: {
        declaration: `The waiver of ${waiver.check}`,
        ranges: 'none',
        hosts: listed(on),
        kind: 'waiver',
        count: String(serious.length),
        severity: mostSevere(serious),
        usual: '',
        system: '',
      },
      meaning: ['waiver', waiver.check, waiver.host ?? ''],
    });
  }
}

function mostSevere(findings: readonly Finding[]): string {
  return SEVERITIES[Math.max(...findings.map(({ severity }) => SEVERITIES.indexOf(severity)))]!;
}

/** Whether a waiver, as far as it names a host, is about this one. */
export function isMeant({ host }: Waiver, name: string): boolean {
  if (host === undefined) return true;
  return isHostPattern(host) ? matchesHostPattern(host, name) : host.toLowerCase() === name.toLowerCase();
}
