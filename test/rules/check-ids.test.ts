/** The checks of the contract are there, and each check has its file and its page. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { highestSeverityOf } from '../../src/rulepack/index.ts';
import { ROOT, shippedChecks } from '../scan-support.ts';
import { CONTRACT, isAdded } from './contract.ts';

const CHECKS = shippedChecks();

test('every check of the contract is there, none more severe than it says', () => {
  const there = Object.fromEntries(CHECKS.map((check) => [check.id, highestSeverityOf(check)]));
  expect(there).toMatchObject(CONTRACT);
});

test('only undocumented-rule has to be asked for', () => {
  const nursery = CHECKS.filter((check) => check.status === 'nursery' && !isAdded(check.id));
  expect(nursery.map((check) => check.id)).toEqual(['undocumented-rule']);
});

test('each check has its file and its page', () => {
  const names = (folder: string, ending: string) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name !== 'index.md')
      .map((name) => name.slice(0, -ending.length));
  const ids = CHECKS.map((check) => check.id).sort();
  expect(names('rules/checks', '.yaml').sort()).toEqual(ids);
  expect(names('docs/checks', '.md').sort()).toEqual(ids);
});
