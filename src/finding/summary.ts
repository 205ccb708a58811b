import type { ParseDiagnostic } from '../model/index.ts';
import { reachesSeverity } from './compare.ts';
import type { Finding, Severity } from './finding.ts';
import type { ExitCode, ReportHost, ReportInput, ReportSummary } from './report.ts';

/** What a summary is made of. */
export interface SummaryParts {
  readonly inputs: readonly ReportInput[];
  readonly hosts: readonly ReportHost[];
  /** All findings, with their suppressions. */
  readonly findings: readonly Finding[];
  readonly diagnostics: readonly ParseDiagnostic[];
  readonly failOn: Severity;
  /** `--allow-incomplete`. */
  readonly allowIncomplete: boolean;
}

/**
 * Counts of a run. It is incomplete when nothing was read, an input is not whole, a diagnostic says that something is missing, or a
 * check did not run on some host. `incompleteAllowed` is set by `--allow-incomplete`, or when a waiver accepts every single input that was
 * not read whole and every host on which a check did not run; a run that read nothing cannot be waived.
 */
export function summarize(parts: SummaryParts): ReportSummary {
  const counted = parts.findings.filter((finding) => finding.suppression === null);
  const unread = unreadFiles(parts);
  const waived = unread.filter((file) => isWaived(file, parts));
  const unfinished = parts.hosts.filter((host) => host.notRun.length > 0);
  const unfinishedWaived = unfinished.filter((host) => isHostWaived(host.name, parts)).length;
  const incomplete = unread.length > 0 || unfinished.length > 0 || parts.inputs.length === 0;
  const isAccepted = waived.length === unread.length && unfinishedWaived === unfinished.length;
  return {
    hosts: parts.hosts.length,
    judgedHosts: parts.hosts.filter((host) => host.judged).length,
    files: parts.inputs.length,
    rules: parts.inputs.reduce((sum, input) => sum + input.rules, 0),
    findings: countBySeverity(counted),
    suppressed: parts.findings.length - counted.length,
    failing: counted.filter((finding) => reachesSeverity(finding.severity, parts.failOn)).length,
    failOn: parts.failOn,
    incomplete,
    incompleteAllowed: incomplete && (parts.allowIncomplete || (parts.inputs.length > 0 && isAccepted)),
    unfinishedHosts: unfinished.length,
    unfinishedWaived,
    unreadFiles: unread.length,
    unreadWaived: waived.length,
  };
}

/** Number of findings of each severity, all five present. */
export function countBySeverity(findings: Iterable<Finding>): Record<Severity, number> {
  const counts: Record<Severity, number> = { info: 0, low: 0, medium: 0, high: 0, critical: 0 };
  for (const finding of findings) counts[finding.severity]++;
  return counts;
}

/**
 * Exit code of a scan that ran to its end: 3 incomplete, else 1 findings at or above `failOn`, else 0 (design.md, 4).
 * `exitZero` turns 1 into 0 and keeps 3.
 */
export function exitCodeOf(summary: ReportSummary, options: { readonly exitZero: boolean }): ExitCode {
  if (summary.incomplete && !summary.incompleteAllowed) return 3;
  return summary.failing > 0 && !options.exitZero ? 1 : 0;
}

/** Files of which something was not read, each once. */
function unreadFiles(parts: SummaryParts): string[] {
  const files = new Set(parts.inputs.filter((input) => !input.whole).map((input) => input.file));
  for (const diagnostic of parts.diagnostics) if (diagnostic.incomplete) files.add(diagnostic.origin.file);
  return [...files];
}

/**
 * Whether a person accepted that this file was not read whole: some `unread-input` finding covers it (its own
 * place, or its host when the finding has no place), and every one that does is waived. A baseline is no such
 * decision.
 */
function isWaived(file: string, parts: SummaryParts): boolean {
  const host = parts.inputs.find((input) => input.file === file)?.host ?? null;
  const covering = parts.findings.filter(
    (finding) =>
      finding.check === 'unread-input' &&
      (finding.origin === null ? host !== null && finding.host === host : finding.origin.file === file),
  );
  return covering.length > 0 && covering.every((finding) => finding.suppression?.kind === 'waiver');
}

/** Whether a person accepted all that is missing about a host. */
function isHostWaived(host: string, parts: SummaryParts): boolean {
  const own = parts.findings.filter((finding) => finding.check === 'unread-input' && finding.host === host);
  return own.length > 0 && own.every((finding) => finding.suppression?.kind === 'waiver');
}
