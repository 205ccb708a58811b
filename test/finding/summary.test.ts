import { describe, expect, test } from 'vitest';
import { exitCodeOf, type Finding, summarize } from '../../src/finding/index.ts';
import { finding, HOSTS, INPUTS, originAt } from '../report/example-report.ts';

const BASE = {
  inputs: INPUTS,
  hosts: HOSTS,
  findings: [],
  diagnostics: [],
  failOn: 'medium',
  allowIncomplete: false,
} as const;
const code = (parts: Partial<Parameters<typeof summarize>[0]>, exitZero = false) =>
  exitCodeOf(summarize({ ...BASE, ...parts }), { exitZero });

const FAILING = [finding({ check: 'a', message: 'm', severity: 'high' })];
const WAIVER = { kind: 'waiver', reason: 'r', owner: 'o', expires: '2027-01-01' } as const;
const UNREAD = INPUTS.map((input, i) => (i === 0 ? { ...input, whole: false } : input));

function unread(suppression: Finding['suppression'], place = true): Finding {
  const origin = place ? originAt('exports/client-01.rules', 3, null) : null;
  return finding({ check: 'unread-input', message: 'm', severity: 'high', origin, suppression });
}

describe('the exit code', () => {
  test.each([
    ['clean', {}, 0],
    [
      'a finding at the threshold',
      { findings: [finding({ check: 'a', message: 'm', severity: 'medium' })] },
      1,
    ],
    ['a finding below it', { findings: [finding({ check: 'a', message: 'm', severity: 'low' })] }, 0],
    ['a suppressed finding', { findings: FAILING.map((one) => ({ ...one, suppression: WAIVER })) }, 0],
    ['unread input wins over findings', { findings: FAILING, inputs: UNREAD }, 3],
    [
      'an incomplete diagnostic',
      { diagnostics: [{ kind: 'syntax', incomplete: true, origin: originAt('x', 1, null), detail: 'd' }] },
      3,
    ],
    [
      'a diagnostic that costs nothing',
      { diagnostics: [{ kind: 'note', incomplete: false, origin: originAt('x', 1, null), detail: 'd' }] },
      0,
    ],
    ['nothing to read', { inputs: [], hosts: [] }, 3],
    ['allowed, with findings', { findings: FAILING, inputs: UNREAD, allowIncomplete: true }, 1],
    ['allowed, without', { inputs: UNREAD, allowIncomplete: true }, 0],
    ['unread input waived', { inputs: UNREAD, findings: [unread(WAIVER)] }, 0],
    ['unread input waived for the host', { inputs: UNREAD, findings: [unread(WAIVER, false)] }, 0],
    [
      'unread input waived in one of two places',
      { inputs: UNREAD, findings: [unread(WAIVER), unread(null)] },
      3,
    ],
    [
      'unread input in a baseline',
      { inputs: UNREAD, findings: [unread({ ...WAIVER, kind: 'baseline' })] },
      3,
    ],
    [
      'another file unread',
      { inputs: INPUTS.map((input) => ({ ...input, whole: false })), findings: [unread(WAIVER)] },
      3,
    ],
  ] as const)('%s', (_, parts, expected) => {
    expect(code(parts)).toBe(expected);
  });

  test('--exit-zero turns 1 into 0 and keeps 3', () => {
    expect(code({ findings: FAILING }, true)).toBe(0);
    expect(code({ findings: FAILING, inputs: UNREAD }, true)).toBe(3);
  });
});

test('the summary counts unsuppressed findings by severity, and unread files once', () => {
  const summary = summarize({
    ...BASE,
    inputs: UNREAD,
    findings: [...FAILING, unread(WAIVER)],
    diagnostics: [1, 2].map((line) => ({
      kind: 'syntax',
      incomplete: true,
      origin: originAt('exports/client-01.rules', line, null),
      detail: 'd',
    })),
  });
  expect(summary).toEqual({
    hosts: 4,
    judgedHosts: 4,
    files: 4,
    rules: 37,
    findings: { info: 0, low: 0, medium: 0, high: 1, critical: 0 },
    suppressed: 1,
    failing: 1,
    failOn: 'medium',
    incomplete: true,
    incompleteAllowed: true,
    unfinishedHosts: 0,
    unfinishedWaived: 0,
    unreadFiles: 1,
    unreadWaived: 1,
  });
});
