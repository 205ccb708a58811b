import { compareText, countBySeverity, type Finding, SEVERITIES, type Severity } from '../finding/index.ts';

/** Severities from worst to least, as reports list them. */
export const WORST_FIRST: readonly Severity[] = [...SEVERITIES].reverse();

/** Name under which findings without a host stand. */
export const RUN_GROUP = 'Configuration and this run';

/** Findings by host, the host with the worst findings first, then by name; each host's in report order. */
export function groupByHost(findings: readonly Finding[]): { host: string | null; findings: Finding[] }[] {
  const groups = new Map<string | null, Finding[]>();
  for (const finding of findings) {
    const group = groups.get(finding.host);
    if (group === undefined) groups.set(finding.host, [finding]);
    else group.push(finding);
  }
  const weighed = [...groups].map(([host, own]) => ({ host, findings: own, counts: countBySeverity(own) }));
  return weighed.sort((a, b) => {
    const worse = compareCounts(a.counts, b.counts);
    if (worse !== 0) return worse;
    if (a.host === null || b.host === null) return a.host === null ? 1 : -1;
    return compareText(a.host, b.host);
  });
}

/** Order of counts, the worse ones first. */
export function compareCounts(
  a: Readonly<Record<Severity, number>>,
  b: Readonly<Record<Severity, number>>,
): number {
  const worse = WORST_FIRST.find((severity) => a[severity] !== b[severity]);
  return worse === undefined ? 0 : b[worse] - a[worse];
}

/** `2 critical, 1 low`; empty when there is none. */
export function describeCounts(counts: Readonly<Record<Severity, number>>): string {
  return WORST_FIRST.filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${severity}`)
    .join(', ');
}
