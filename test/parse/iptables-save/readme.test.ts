import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { renderCoverage } from './coverage.ts';

const README = new URL('../../../src/parse/iptables-save/README.md', import.meta.url);
const BEGIN = '<!-- coverage: made from the option tables; UPDATE=1 rewrites it -->\n';
const END = '<!-- end of coverage -->\n';

it('the coverage list in the README is that of the option tables', () => {
  const text = readFileSync(README, 'utf8');
  const from = text.indexOf(BEGIN) + BEGIN.length;
  const to = text.indexOf(END);
  expect(from <= to && text.includes(BEGIN)).toBe(true);
  if (process.env.UPDATE === '1')
    writeFileSync(README, `${text.slice(0, from)}${renderCoverage()}${text.slice(to)}`);
  else expect(text.slice(from, to)).toBe(renderCoverage());
});
