import { describe, expect, test } from 'vitest';
import { REPORTERS } from '../../src/report/index.ts';
import { cutMiddle, wrap } from '../../src/report/layout.ts';
import {
  DIAGNOSTICS,
  exampleReport,
  FINDINGS,
  finding,
  HOSTS,
  host,
  INPUTS,
  originAt,
  PLAIN,
  reportOf,
} from './example-report.ts';
import { expectOutput } from './expected.ts';

const { text } = REPORTERS;

describe('whole text reports', () => {
  test('an incomplete run with findings of every shape', () => {
    expectOutput('incomplete.txt', text(exampleReport(), PLAIN));
  });

  test('the same in colour, narrow, with suppressed findings', () => {
    expectOutput(
      'narrow-color.txt',
      text(exampleReport(), { ...PLAIN, color: true, width: 60, showSuppressed: true }),
    );
  });

  test('a complete run with findings', () => {
    expectOutput('findings.txt', text(reportOf({ findings: FINDINGS }), PLAIN));
  });

  test('only high and worse are listed', () => {
    expectOutput(
      'min-severity.txt',
      text(reportOf({ findings: FINDINGS }), { ...PLAIN, minSeverity: 'high' }),
    );
  });

  test('numbered commands are told once, and that each shifts the others', () => {
    const deleting = (id: string, number: number) =>
      finding({
        ...FINDINGS[0]!,
        check: id,
        remediation: {
          text: 'Delete it.',
          commands: [
            {
              dialect: 'iptables',
              replace: '-A INPUT -j ACCEPT',
              with: [],
              command: `iptables -D INPUT ${number}`,
            },
          ],
        },
      });
    const one = text(reportOf({ findings: [deleting('a', 7), deleting('b', 7)] }), PLAIN);
    expect(one.split('run, only once, what was said above already')).toHaveLength(2);
    expect(one).not.toContain('shifts the');
    const two = text(reportOf({ findings: [deleting('a', 7), deleting('b', 8)] }), PLAIN);
    expect(two).not.toContain('only once');
    expect(two).toContain('each one shifts the');
  });

  test('a clean run says what was checked', () => {
    expectOutput(
      'clean.txt',
      text(reportOf({ hosts: HOSTS.slice(0, 1), inputs: INPUTS.slice(0, 1) }), PLAIN),
    );
  });

  test('a run without findings is not called clean when a host was not judged', () => {
    const hosts = [
      host('web-7', [], 2, { roleSource: 'unknown', judged: false, judgedNote: 'No role is known.' }),
    ];
    const inputs = [{ file: 'web-7.rules', format: 'iptables-save', host: 'web-7', whole: true, rules: 2 }];
    expectOutput('clean-unjudged.txt', text(reportOf({ hosts, inputs }), PLAIN));
  });

  test('nothing to read', () => {
    expectOutput('nothing.txt', text(reportOf({ hosts: [], inputs: [] }), PLAIN));
  });
});

describe('the last line', () => {
  const last = (parts: Parameters<typeof reportOf>[0]): string | undefined =>
    text(reportOf(parts), PLAIN).trimEnd().split('\n').at(-1);
  const unread = { diagnostics: DIAGNOSTICS };

  test.each([
    ['clean', {}, 'Exit code 0: everything was read, and no finding is medium or worse.'],
    ['findings', { findings: FINDINGS }, 'Exit code 1: 4 findings are medium or worse (--fail-on medium).'],
    [
      'exit zero',
      { findings: FINDINGS, exitZero: true },
      'Exit code 0: 4 findings are medium or worse, but --exit-zero is set.',
    ],
    [
      'critical only',
      { findings: FINDINGS, failOn: 'critical' as const },
      'Exit code 1: 2 findings are critical (--fail-on critical).',
    ],
    [
      'allowed',
      { ...unread, allowIncomplete: true },
      'Exit code 0: no finding is medium or worse; not everything was read, accepted by --allow-incomplete.',
    ],
  ])('names the exit code and its cause: %s', (_, parts, expected) => {
    expect(last(parts)).toBe(expected);
  });
});

describe('long and hostile input', () => {
  test('a rule of a megabyte is quoted in one line that keeps its end', () => {
    const rule = `-A INPUT -m comment --comment "${'x'.repeat(1_000_000)}" -j ACCEPT`;
    const report = reportOf({
      findings: [finding({ check: 'a', message: 'm', origin: originAt('f', 1, rule) })],
    });
    const line = text(report, PLAIN)
      .split('\n')
      .find((one) => one.includes('-A INPUT'));
    expect(line?.length).toBeLessThanOrEqual(100);
    expect(line).toMatch(/-j ACCEPT$/);
  });

  test('no character from outside reaches the terminal unescaped', () => {
    const evil = 'a\u001b]0;x\u0007\u009b31m\u202e\u200b\r\n\tz\ud800';
    const origin = { ...originAt(evil, 1, evil), table: evil, chain: evil, path: evil };
    const hostile = finding({
      check: evil,
      message: evil,
      title: evil,
      why: evil,
      host: evil,
      certainty: 'possible',
      unknowns: [evil],
      origin,
      related: [{ label: evil, origin }],
      witness: {
        hook: 'input',
        saddr: evil,
        daddr: evil,
        proto: evil,
        iif: evil,
        tcp_flags: [evil],
        smac: evil,
      },
      remediation: { text: evil, commands: [{ dialect: 'nft', replace: evil, with: [evil], command: evil }] },
      suppression: { kind: 'waiver', reason: evil, owner: evil, expires: evil },
    });
    const report = reportOf({
      findings: [hostile, { ...hostile, suppression: null }],
      hosts: [host(evil, [evil], 1, { judged: false, judgedNote: evil, assumptions: [evil] })],
      inputs: [{ file: evil, format: evil, host: evil, whole: false, rules: 1 }],
      diagnostics: [
        { kind: 'syntax', incomplete: true, origin, detail: evil },
        { kind: 'contradiction', incomplete: false, origin, detail: evil },
      ],
      hints: [evil, `${evil}\n${evil}`],
    });
    const output = text(
      { ...report, profile: { name: evil, description: evil } },
      { ...PLAIN, showSuppressed: true },
    );
    expect(output.match(/[^\n\x20-\x7e]/gu)).toBeNull();
  });

  test('a thousand hosts share the last rows of the table', () => {
    const hosts = Array.from({ length: 1000 }, (_, i) => host(`h${i}`, ['client'], 1, {}));
    const output = text(reportOf({ hosts }), PLAIN);
    expect(output).toContain('960 more hosts');
    expect(output.split('\n').length).toBeLessThan(80);
  });

  test('more hosts than the table shows are summed up by check as well, without what does not count', () => {
    const hosts = Array.from({ length: 41 }, (_, i) => host(`h${i}`, ['client'], 1, {}));
    const at = (check: string, severity: 'high' | 'low', name: string) =>
      finding({ check, severity, host: name, message: 'm' });
    const waived = { kind: 'waiver', reason: 'r', owner: 'o', expires: '2027-01-01' } as const;
    const findings = [
      at('undeclared-port', 'low', 'h1'),
      at('undeclared-port', 'low', 'h1'),
      at('undeclared-port', 'low', 'h2'),
      at('default-accept', 'high', 'h2'),
      { ...at('shadowed-rule', 'high', 'h3'), suppression: waived },
    ];
    const table = (count: number) =>
      text(reportOf({ hosts: hosts.slice(0, count), findings }), PLAIN)
        .split('\n')
        .filter((line) => /^(?:Check|undeclared-port|default-accept|shadowed-rule) /.test(line))
        .map((line) => line.split(/ +/).join(' '));
    expect(table(41)).toEqual([
      'Check Hosts critical high medium low info',
      'default-accept 1 - 1 - - -',
      'undeclared-port 2 - - - 3 -',
    ]);
    expect(table(40)).toEqual([]);
  });

  test('width that is unknown, tiny or huge stays readable', () => {
    for (const width of [0, Number.NaN, 1, 100_000]) {
      const longest = Math.max(
        ...text(reportOf({ findings: FINDINGS }), { ...PLAIN, width })
          .split('\n')
          .map((line) => line.length),
      );
      expect(longest).toBeLessThan(130);
    }
  });
});

test('wrapping keeps every word whole and in order', () => {
  expect(wrap('one two  three\nfour', 9)).toEqual(['one two', 'three', 'four']);
  expect(wrap('a-word-longer-than-the-line x', 5)).toEqual(['a-word-longer-than-the-line', 'x']);
  expect(wrap('', 5)).toEqual([]);
});

test('cutting the middle keeps the start and the end', () => {
  expect(cutMiddle('abcdefghijklmnopqrstuvwxyz', 15)).toBe('abcde ... vwxyz');
  expect(cutMiddle('short', 15)).toBe('short');
});
