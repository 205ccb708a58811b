import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT, scanFolder, shippedProfile } from '../scan-support.ts';
import { isAdded } from './contract.ts';

interface Planted {
  readonly host: string;
  readonly check: string;
  readonly severity: string;
  readonly file: string;
  readonly line: number;
  readonly certainty?: string;
  readonly waived?: boolean;
}

// The file is ours and its shape is tested by use.
const planted = parse(readFileSync(join(ROOT, 'fixtures/lab/PLANTED.yaml'), 'utf8')) as Planted[];
const key = (p: { host: string | null; check: string; severity: string; file: string; line: number }) =>
  `${p.host} ${p.check} ${p.severity} ${p.file.replace(/^exports\//, '')}:${p.line}`;

/** What to do about a finding that nobody planted. */
const NOT_PLANTED = (folder: string) =>
  `found in ${folder}, and not planted there: a false alarm, or right; then ${folder}/PLANTED.yaml gets it`;

test('every mistake planted in the lab is found with its host, id, severity and line, and no other from medium up', async () => {
  const report = await scanFolder('fixtures/lab/exports', 'fixtures/lab/nwaudit.yaml');
  const found = report.findings.map((f) =>
    key({
      host: f.host,
      check: f.check,
      severity: f.severity,
      file: f.origin?.file ?? '',
      line: f.origin?.line ?? 0,
    }),
  );
  const expected = planted.map(key);
  expect(
    expected.filter((p) => !found.includes(p)),
    'planted in the lab, and not found',
  ).toEqual([]);
  const serious = report.findings
    .filter((f) => ['medium', 'high', 'critical'].includes(f.severity) && !isAdded(f.check))
    .map((f) =>
      key({
        host: f.host,
        check: f.check,
        severity: f.severity,
        file: f.origin?.file ?? '',
        line: f.origin?.line ?? 0,
      }),
    );
  expect(
    serious.filter((p) => !expected.includes(p)),
    NOT_PLANTED('fixtures/lab'),
  ).toEqual([]);
  for (const p of planted) {
    const finding = report.findings.find(
      (f) =>
        key({
          host: f.host,
          check: f.check,
          severity: f.severity,
          file: f.origin?.file ?? '',
          line: f.origin?.line ?? 0,
        }) === key(p),
    );
    expect(finding?.certainty).toBe(p.certainty ?? 'certain');
    expect(finding?.suppression !== null).toBe(p.waived ?? false);
  }
});

test('the clean twins give nothing at low or above', async () => {
  const report = await scanFolder('fixtures/rulesets/clean', 'fixtures/rulesets/clean/nwaudit.yaml');
  expect(
    report.findings.filter((f) => f.severity !== 'info').map((f) => `${f.host} ${f.check}: ${f.message}`),
    'nothing is wrong in fixtures/rulesets/clean: a false alarm',
  ).toEqual([]);
  expect(report.exitCode).toBe(0);
});

describe('an estate as the vendor wants it, in three formats', () => {
  const scanVendor = (name: string) =>
    scanFolder(`fixtures/vendor/${name}`, `fixtures/vendor/${name}/nwaudit.yaml`, {
      profile: shippedProfile('vendor'),
    });

  test('gives nothing at low or above', async () => {
    const report = await scanVendor('clean');
    expect(new Set(report.inputs.map((i) => i.format)).size).toBeGreaterThanOrEqual(3);
    expect(
      report.findings.filter((f) => f.severity !== 'info').map((f) => `${f.host} ${f.check}: ${f.message}`),
      'nothing is wrong in fixtures/vendor/clean: a false alarm',
    ).toEqual([]);
    expect(report.exitCode).toBe(0);
  });

  test('with mistakes gives those and no other', async () => {
    const report = await scanVendor('lab');
    // As above: the file is ours.
    const file = join(ROOT, 'fixtures/vendor/lab/PLANTED.yaml');
    const wanted = (parse(readFileSync(file, 'utf8')) as Planted[]).map(key);
    const found = report.findings
      .filter(
        (f) => f.severity !== 'info' && (!isAdded(f.check) || wanted.some((w) => w.includes(` ${f.check} `))),
      )
      .map((f) =>
        key({
          host: f.host,
          check: f.check,
          severity: f.severity,
          file: f.origin?.file ?? '',
          line: f.origin?.line ?? 0,
        }),
      );
    expect(found.sort(), NOT_PLANTED('fixtures/vendor/lab')).toEqual(wanted.sort());
  });
});
