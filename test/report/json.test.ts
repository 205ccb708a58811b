import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/finding/index.ts';
import { REPORTERS, toJsonReport } from '../../src/report/index.ts';
import { exampleReport, FINDINGS, finding, PLAIN, reportOf } from './example-report.ts';
import { expectOutput } from './expected.ts';

const schemaFile = new URL('../../rules/schema/report.schema.json', import.meta.url);
const schema: object = JSON.parse(readFileSync(schemaFile, 'utf8'));
const validate = new Ajv2020({ strict: true, strictTypes: false, allErrors: true }).compile(schema);

function problemsOf(report: Report): unknown {
  validate(JSON.parse(REPORTERS.json(report, PLAIN)));
  return validate.errors ?? [];
}

describe('the JSON report', () => {
  test('looks like this as a whole', () => {
    expectOutput('json.txt', REPORTERS.json(exampleReport(), PLAIN));
  });

  test.each([
    ['incomplete', exampleReport()],
    ['with findings', reportOf({ findings: FINDINGS })],
    ['clean', reportOf({})],
    ['empty', reportOf({ inputs: [], hosts: [], checks: [] })],
  ])('fits its schema: %s', (_, report) => {
    expect(problemsOf(report)).toEqual([]);
  });

  test('does not fit its schema with a key too many or too few, so the schema is strict', () => {
    const report = toJsonReport(exampleReport(), PLAIN);
    expect(validate({ ...report, hints: [] })).toBe(false);
    const { summary: _, ...rest } = report;
    expect(validate(rest)).toBe(false);
    const [first] = report.findings;
    expect(validate({ ...report, findings: [{ ...first, extra: 1 }] })).toBe(false);
  });

  test('has the top-level keys and the finding keys that the contract lists, in its order', () => {
    const report = toJsonReport(exampleReport(), PLAIN);
    expect(Object.keys(report).join(' ')).toBe(
      'schemaVersion tool profile inputs hosts checks findings diagnostics summary exitCode',
    );
    expect(Object.keys(report.findings[0] ?? {}).join(' ')).toBe(
      'check severity certainty host roles hook title message why origin related exposure witness unknowns remediation references fingerprint suppression',
    );
  });

  test('leaves absent witness fields out, so that trace takes the object as it is', () => {
    const witness = {
      hook: 'input',
      saddr: '192.0.2.1',
      daddr: '192.0.2.2',
      proto: 'icmp',
      icmp_type: 8,
    } as const;
    const report = reportOf({ findings: [finding({ check: 'c', message: 'm', witness })] });
    expect(toJsonReport(report, PLAIN).findings[0]?.witness).toEqual(witness);
  });

  test('lists what --min-severity lets through and still counts the rest', () => {
    const report = reportOf({ findings: FINDINGS });
    const json = toJsonReport(report, { ...PLAIN, minSeverity: 'critical' });
    expect(json.findings.map((one) => one.severity)).toEqual(['critical', 'critical']);
    expect(json.summary.findings.high).toBe(2);
  });

  test('carries hostile text unchanged, and escaped in the text of the JSON', () => {
    const evil = 'a\u001b[31m\u009b\u202e\u2028\u007f\ud800"\\';
    const output = REPORTERS.json(reportOf({ findings: [finding({ check: 'c', message: evil })] }), PLAIN);
    expect(JSON.parse(output).findings[0].message).toBe(evil);
    expect(output.match(/[^\n\x20-\x7e]/gu)).toBeNull();
  });
});
