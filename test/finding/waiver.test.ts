import { describe, expect, test } from 'vitest';
import { applyWaivers, matchesHostPattern, type WaiverTerms } from '../../src/finding/index.ts';
import { finding } from '../report/example-report.ts';

const WAIVER: WaiverTerms = { check: 'shadowed-rule', reason: 'r', owner: 'o', expires: '2027-01-31' };
const FINDING = finding({ check: 'shadowed-rule', message: 'm', host: 'sn-01' });
const TODAY = '2026-11-22';

const suppressed = (waiver: WaiverTerms, given = FINDING, today = TODAY): boolean =>
  applyWaivers([given], [waiver], today).findings[0]?.suppression !== null;

describe('a waiver', () => {
  test.each([
    ['of the same check', WAIVER, true],
    ['of another check', { ...WAIVER, check: 'redundant-rule' }, false],
    ['for the host', { ...WAIVER, host: 'sn-01' }, true],
    ['for another host', { ...WAIVER, host: 'sn-02' }, false],
    ['for a pattern of hosts', { ...WAIVER, host: 'sn-*' }, true],
    ['for the host in other letters', { ...WAIVER, host: 'SN-01' }, true],
    ['for a pattern in other letters', { ...WAIVER, host: 'Sn-*' }, true],
    ['for the fingerprint', { ...WAIVER, fingerprint: FINDING.fingerprint }, true],
    ['for another fingerprint', { ...WAIVER, fingerprint: 'nwaudit/v1:0' }, false],
  ])('%s suppresses: %s', (_, waiver, expected) => {
    expect(suppressed(waiver)).toBe(expected);
  });

  test('holds on its last day and not after', () => {
    expect(suppressed(WAIVER, FINDING, '2027-01-31')).toBe(true);
    expect(suppressed(WAIVER, FINDING, '2027-02-01')).toBe(false);
  });

  test('for a host does not cover findings without one', () => {
    expect(suppressed({ ...WAIVER, host: '*' }, { ...FINDING, host: null })).toBe(false);
    expect(suppressed(WAIVER, { ...FINDING, host: null })).toBe(true);
  });

  test('for unread input takes one named host', () => {
    const unread = finding({ check: 'unread-input', message: 'm', host: 'sn-01' });
    const waiver = { ...WAIVER, check: 'unread-input' };
    expect(suppressed(waiver, unread)).toBe(false);
    expect(suppressed({ ...waiver, host: 'sn-*' }, unread)).toBe(false);
    expect(suppressed({ ...waiver, host: 'sn-01' }, unread)).toBe(true);
  });

  test('for a wide declaration takes one host or the finding', () => {
    const wide = { ...finding({ check: 'too-wide-declaration', message: 'm', host: 'sn-01' }) };
    const waiver = { ...WAIVER, check: 'too-wide-declaration' };
    expect(suppressed(waiver, wide)).toBe(false);
    expect(suppressed({ ...waiver, host: '*' }, wide)).toBe(false);
    expect(suppressed({ ...waiver, host: 'sn-01' }, wide)).toBe(true);
    expect(suppressed({ ...waiver, fingerprint: wide.fingerprint }, { ...wide, host: null })).toBe(true);
  });

  test('gives its reason, and wins over a baseline', () => {
    const known = {
      ...FINDING,
      suppression: { kind: 'baseline', reason: 'b', owner: null, expires: null } as const,
    };
    expect(applyWaivers([known], [WAIVER], TODAY).findings[0]?.suppression).toEqual({
      kind: 'waiver',
      reason: 'r',
      owner: 'o',
      expires: '2027-01-31',
    });
  });
});

test('waivers that match nothing and expired ones are told apart, as the caller gave them', () => {
  const unused = { ...WAIVER, host: 'gone', line: 7 };
  const expired = { ...WAIVER, expires: '2026-11-21', line: 8 };
  const second = { ...WAIVER, host: 'sn-01', line: 9 };
  const result = applyWaivers([FINDING], [unused, expired, { ...WAIVER, line: 1 }, second], TODAY);
  expect(result.unused).toEqual([unused]);
  expect(result.expired).toEqual([expired]);
});

test.each([
  ['sn-*', 'sn-01', true],
  ['*', '', true],
  ['*-01', 'sn-01', true],
  ['s*-*1', 'sn-01', true],
  ['a*a', 'a', false],
  ['a*b*b', 'ab', false],
  ['a*b*b', 'abb', true],
  ['sn.01', 'sn-01', false],
  ['sn', 'sn-01', false],
])('the host pattern %j fits %j: %s', (pattern, name, expected) => {
  expect(matchesHostPattern(pattern, name)).toBe(expected);
});

test('a hostile pattern is matched in linear time', () => {
  expect(matchesHostPattern('a*'.repeat(10_000).concat('b'), 'a'.repeat(20_000))).toBe(false);
});
