/** Output formats: a report in, a text out. */
import { jsonReport } from './json.ts';
import type { Reporter } from './options.ts';
import { sarifReport } from './sarif.ts';
import { textReport } from './text.ts';

export * from './json.ts';
export type { Reporter, ReportOptions } from './options.ts';

/** Names `--format` takes. A further format is one entry here and one below. */
export const REPORT_FORMATS = ['text', 'json', 'sarif'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

export const REPORTERS: Readonly<Record<ReportFormat, Reporter>> = {
  text: textReport,
  json: jsonReport,
  sarif: sarifReport,
};
