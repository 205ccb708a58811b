import { type Finding, SEVERITIES, type Severity } from './finding.ts';

/** Position of a severity from 0 (`info`) to 4 (`critical`). */
export function severityRank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

/** Whether `severity` is `threshold` or worse. */
export function reachesSeverity(severity: Severity, threshold: Severity): boolean {
  return severityRank(severity) >= severityRank(threshold);
}

/** The worst of the severities; `undefined` for none. */
export function worstSeverity(severities: Iterable<Severity>): Severity | undefined {
  let worst: Severity | undefined;
  for (const severity of severities) {
    if (worst === undefined || severityRank(severity) > severityRank(worst)) worst = severity;
  }
  return worst;
}

/** Order of two texts by UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As `compareText`; `null` comes after every text. */
function compareNullable(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return compareText(a, b);
}

/**
 * The order of findings in a report: host (findings about the run last), severity from worst to least, file,
 * line, column, check, message, fingerprint. Findings without a place come after those of the same severity
 * that have one.
 */
export function compareFindings(a: Finding, b: Finding): number {
  return (
    compareNullable(a.host, b.host) ||
    severityRank(b.severity) - severityRank(a.severity) ||
    compareNullable(a.origin?.file ?? null, b.origin?.file ?? null) ||
    (a.origin?.line ?? 0) - (b.origin?.line ?? 0) ||
    (a.origin?.column ?? 0) - (b.origin?.column ?? 0) ||
    compareText(a.check, b.check) ||
    compareText(a.message, b.message) ||
    compareText(a.fingerprint, b.fingerprint)
  );
}

/** A sorted copy of the findings, in report order. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(compareFindings);
}
