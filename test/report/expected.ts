import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

/** Compares a whole output with `expected/NAME`. `UPDATE=1` writes it instead; the diff is then the change to review. */
export function expectOutput(name: string, output: string): void {
  const file = new URL(`expected/${name}`, import.meta.url);
  if (process.env.UPDATE === '1') writeFileSync(file, output);
  expect(output).toBe(readFileSync(file, 'utf8'));
}
