import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  type CheckDefinition,
  highestSeverityOf,
  MissingFactError,
  messageTemplateOf,
  placeholdersOf,
  renderMessage,
  severityOf,
} from '../../src/rulepack/index.ts';
import { parseRulePack } from '../../src/rulepack/parse.ts';

const text = readFileSync(new URL('example-check.yaml', import.meta.url), 'utf8');
const CHECK: CheckDefinition = parseRulePack([{ file: 'checks/service-port-beyond-peers.yaml', text }])
  .checks[0]!;

test('facts replace their placeholders, each occurrence', () => {
  expect(renderMessage('{host} and {host}: {dst-ports}', { host: 'a', 'dst-ports': '1' })).toBe('a and a: 1');
});

test('a fact that looks like a placeholder or a replacement pattern stays as it is', () => {
  expect(renderMessage('{a}-{b}', { a: '{b}', b: '$& $1 {a}' })).toBe('{b}-$& $1 {a}');
});

test.each(['host', 'constructor', '__proto__', 'toString'])(
  'a missing fact is an error that names it: %s',
  (name) => {
    expect(() => renderMessage(`x {${name.replace(/^_+/, 'a')}}`, { other: 'x' })).toThrow(MissingFactError);
    expect(() => renderMessage('{host}', { other: 'x' })).toThrow('needs the fact "host"; given: other');
  },
);

test('placeholders are listed once, in order', () => {
  expect(placeholdersOf('{b} {a} {b} { c } {} {1}')).toEqual(['b', 'a']);
});

test('severity and message follow the facts; the last case is the default', () => {
  expect(severityOf(CHECK, { 'any-source': true })).toBe('high');
  expect(severityOf(CHECK, { 'any-source': 'true' })).toBe('medium');
  expect(severityOf(CHECK, {})).toBe('medium');
  expect(messageTemplateOf(CHECK, { 'any-source': true })).toContain('any {version} address');
  expect(highestSeverityOf(CHECK)).toBe('high');
  expect(highestSeverityOf({ ...CHECK, severity: 'low' })).toBe('low');
});

test('a severity without a case for the facts is an error', () => {
  const broken: CheckDefinition = { ...CHECK, severity: [{ when: { a: true }, is: 'low' }] };
  expect(() => severityOf(broken, {})).toThrow(MissingFactError);
});
