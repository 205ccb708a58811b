/** docs/guide-coverage.md as data: what it names exists, and what it says is shown by an example is not found without the check. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CheckDefinition } from '../src/rulepack/index.ts';
import { CONFIG, exportOf, FLOWS } from './rules/guide-flows.ts';
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
  else if (!row.coveredBy.startsWith('Not from exports: ')) {
    // What shows it is found by one of the checks that cover it.
    const [id = 'missing-required-path'] = idsIn(row.shownBy);
    expect(row.shownBy).toMatch(/^`[a-z0-9-]+` bad \d+$|^flows of [a-z0-9-]+( in| out)?$/);
    expect(named.filter((one) => one === id).length).toBeGreaterThan(idsIn(row.shownBy).length);
  }
});

/** Places of all findings with a check and without it, as lines; a check that has to be asked for is not part of a plain run otherwise. */
function withAndWithout(check: CheckDefinition, files: Readonly<Record<string, string>>, config: unknown) {
  const places = (checks: typeof CHECKS) =>
    scanTexts(files, config, { checks }).findings.map(
      ({ check: by, host, hook, origin }) => `${by} ${host} ${hook} ${origin?.file}:${origin?.line}`,
    );
  const all = CHECKS.filter((one) => one.status === 'stable' || one === check);
  return { withIt: places(all), without: places(all.filter((one) => one !== check)) };
}

/** The check finds something, and without it that alone is missing. */
function expectOnlyBy(check: CheckDefinition, files: Readonly<Record<string, string>>, config: unknown) {
  const { withIt, without } = withAndWithout(check, files, config);
  const lost = withIt.filter((place) => place.startsWith(`${check.id} `));
  expect(lost).not.toEqual([]);
  expect(without).toEqual(withIt.filter((place) => !lost.includes(place)));
}

const shownBy = (pattern: RegExp) => [
  ...new Set(ROWS.map((row) => row.shownBy).filter((text) => pattern.test(text))),
];

test.each(shownBy(/ bad \d+$/))('%s is found with the check, and not without it', (text) => {
  const [, id = '', number = ''] = /^`([a-z0-9-]+)` bad (\d+)$/.exec(text) ?? [];
  const check = byId.get(id);
  const example = check?.examples.bad[Number(number) - 1];
  if (check === undefined || example === undefined) throw new Error(`${text} does not exist`);
  expectOnlyBy(check, example.files, example.config);
});

describe.each(shownBy(/^flows of /))('%s', (text) => {
  const [, host = '', way] = /^flows of (\S+)(?: (in|out))?$/.exec(text) ?? [];
  const closed = FLOWS.flatMap(([of, direction, peer, ports], i) =>
    of === host && (way === undefined || direction === way) ? [{ direction, peer, ports, i }] : [],
  );

  test('there are some', () => expect(closed).not.toEqual([]));

  test.each(closed)(
    '$direction, $peer, $ports: closed is found with the check, and not without it',
    ({ i }) => {
      const check = byId.get('missing-required-path');
      if (check === undefined) throw new Error('no such check');
      expectOnlyBy(check, { [`${host}.rules`]: exportOf(host, i) }, CONFIG);
    },
  );
});
