/** Findings, their identity, their suppression, and the report they make up. */
export * from './baseline.ts';
export * from './compare.ts';
export * from './escape.ts';
export * from './extent.ts';
export * from './finding.ts';
export * from './fingerprint.ts';
export * from './report.ts';
export * from './rule-text.ts';
export * from './summary.ts';
export * from './waiver.ts';
