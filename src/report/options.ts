import { type Finding, type Report, reachesSeverity, type Severity } from '../finding/index.ts';

/** What the reporters need besides the report. Each takes what concerns it. */
export interface ReportOptions {
  /** Whether the text report uses terminal colours. */
  readonly color: boolean;
  /** Columns of the terminal, for the text report. */
  readonly width: number;
  /** Less severe findings are left out, in every format alike. They still count in the summary and for the exit code. */
  readonly minSeverity: Severity;
  /** Whether the text report lists suppressed findings instead of counting them. JSON and SARIF always carry them. */
  readonly showSuppressed: boolean;
  /** SARIF: tells several runs over one repository apart (`automationDetails.id`). */
  readonly sarifCategory?: string | undefined;
  /** SARIF: leave suppressed findings out, for consumers that open alerts for them (GitHub code scanning). */
  readonly sarifOmitSuppressed?: boolean | undefined;
}

/** An output format: a report in, a text out. It prints nothing, knows no clock and reads no file. */
export type Reporter = (report: Report, options: ReportOptions) => string;

/** Findings that the options let through, in report order. */
export function shownFindings(report: Report, options: ReportOptions): Finding[] {
  return report.findings.filter((finding) => reachesSeverity(finding.severity, options.minSeverity));
}
