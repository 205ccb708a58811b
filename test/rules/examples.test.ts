import { describe, expect, test } from 'vitest';
import { EVALUATORS } from '../../src/check/index.ts';
import { gapsOf } from '../../src/cli/example-run.ts';
import { scanTexts, shippedChecks } from '../scan-support.ts';

const checks = shippedChecks();

describe.each(checks)('$id', (check) => {
  test.each(check.examples.bad)('reports: $name', (example) => {
    const report = scanTexts(example.files, example.config);
    const findings = report.findings.filter((f) => f.check === check.id);
    expect(gapsOf(report, check)).toEqual([]);
    const seen = findings.map((f) => ({
      host: f.host,
      line: f.origin?.line,
      severity: f.severity,
      certainty: f.certainty,
    }));
    expect(seen).toHaveLength(example.expect.length);
    example.expect.forEach((expected, i) => {
      for (const [key, value] of Object.entries(expected)) {
        if (value !== undefined) expect(seen[i]).toMatchObject({ [key]: value });
      }
    });
  });

  test.each(check.examples.good)('stays silent: $name', (example) => {
    const report = scanTexts(example.files, example.config);
    const findings = report.findings.filter((f) => f.check === check.id);
    expect(gapsOf(report, check)).toEqual([]);
    expect(findings.map((f) => f.message)).toEqual([]);
  });
});

test('every evaluator is used by a check, and every check names an evaluator that exists', () => {
  const used = new Set(checks.map((c) => c.evaluate));
  expect([...used].sort()).toEqual([...EVALUATORS.keys()].sort());
});
