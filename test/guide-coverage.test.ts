/** docs/guide-coverage.md as data: what it names exists, and what it says is shown by an example is not found without the check. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, scanTexts, shippedChecks } from './scan-support.ts';

interface Row {
  readonly number: number;
  readonly section: string;
  readonly statement: string;
  readonly coveredBy: string;
  readonly shownBy: string;
}

const ROWS: readonly Row[] = readFileSync(join(ROOT, 'docs/guide-coverage.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const [, number = '', section = '', statement = '', coveredBy = '', shownBy = ''] = line
      .split('|')
      .map((cell) => cell.trim());
    return { number: Number(number), section, statement, coveredBy, shownBy };
  });

const CHECKS = shippedChecks();
const byId = new Map(CHECKS.map((check) => [check.id, check]));

const isNotFromExports = ({ coveredBy, shownBy }: Row) =>
  coveredBy.startsWith('Not from exports: ') && shownBy === '-';

test('the table covers every section, numbered without a gap', () => {
  expect(ROWS.map((row) => row.number)).toEqual(ROWS.map((_, i) => i + 1));
  expect([...new Set(ROWS.map((row) => row.section))]).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H']);
  for (const row of ROWS) expect(row.statement).not.toBe('');
});

/** Words in code marks that look like ids of checks. */
const idsIn = (text: string) =>
  [...text.matchAll(/`([a-z][a-z0-9]*(?:-[a-z0-9]+)+)`/g)].map((match) => match[1] ?? '');
/** Keys of profiles look like that too. */
const NO_CHECKS = new Set(['fixed-ports', 'service-range', 'firewall-cmd']);

test.each(ROWS)('$number: names checks that there are, or says why no export can show it', (row) => {
  const named = idsIn(`${row.coveredBy} ${row.shownBy}`).filter((id) => !NO_CHECKS.has(id));
  expect(named.filter((id) => !byId.has(id))).toEqual([]);
  if (row.shownBy === '-') expect(isNotFromExports(row)).toBe(true);
  else expect(row.shownBy).toMatch(/^`[a-z0-9-]+` bad \d+$|^`(?:test|fixtures)\/\S+`$/);
});

test.each(ROWS.filter((row) => row.shownBy.includes('/')))('$number: $shownBy is there', ({ shownBy }) => {
  expect(existsSync(join(ROOT, shownBy.replaceAll('`', '')))).toBe(true);
});

const EXAMPLES = [...new Set(ROWS.map((row) => row.shownBy).filter((text) => text.includes(' bad ')))];

describe.each(EXAMPLES)('%s', (text) => {
  const [, id = '', number = ''] = /^`([a-z0-9-]+)` bad (\d+)$/.exec(text) ?? [];
  const check = byId.get(id);
  const example = check?.examples.bad[Number(number) - 1];

  test('is found with the check, and not without it', () => {
    if (check === undefined || example === undefined) throw new Error(`${text} does not exist`);
    const places = (checks: typeof CHECKS) =>
      scanTexts(example.files, example.config, { checks }).findings.map(
        ({ check: by, host, origin }) => `${by} ${host} ${origin?.file}:${origin?.line}`,
      );
    // A check that has to be asked for is not part of a plain run.
    const all = CHECKS.filter((one) => one.status === 'stable' || one === check);
    const withIt = places(all);
    const without = places(all.filter((one) => one !== check));
    const lost = withIt.filter((place) => place.startsWith(`${id} `));
    expect(lost.length).toBeGreaterThan(0);
    expect(without.filter((place) => lost.includes(place))).toEqual([]);
    expect(without).toHaveLength(withIt.length - lost.length);
  });
});
