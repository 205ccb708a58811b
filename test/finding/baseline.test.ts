import { describe, expect, test } from 'vitest';
import {
  applyBaseline,
  baselineEntries,
  decodeBaseline,
  encodeBaseline,
  type Finding,
  fingerprintOf,
  type Severity,
} from '../../src/finding/index.ts';

function finding(rule: string, severity: Severity = 'high', more: Partial<Finding> = {}): Finding {
  const check = more.check ?? 'shadowed-rule';
  const host = more.host === undefined ? 'sn-01' : more.host;
  return {
    check,
    severity,
    certainty: 'certain',
    host,
    roles: [],
    hook: 'input',
    title: 't',
    message: `about ${rule}`,
    why: '',
    origin: null,
    related: [],
    exposure: null,
    witness: null,
    unknowns: [],
    remediation: null,
    references: [],
    fingerprint: fingerprintOf({ host, check, hook: 'input', meaning: [rule] }),
    suppression: null,
    ...more,
  };
}

const ALL = { checks: new Set(['shadowed-rule', 'unread-input']), hosts: new Set(['sn-01']) };
const WAIVER = { kind: 'waiver', reason: 'r', owner: 'o', expires: '2027-01-01' } as const;

function baselineOf(...findings: Finding[]) {
  return { file: 'known.json', entries: baselineEntries(findings) };
}

function accepted(findings: readonly Finding[], ...recorded: Finding[]): boolean[] {
  const result = applyBaseline(findings, baselineOf(...recorded), ALL);
  return result.findings.map((one) => one.suppression?.kind === 'baseline');
}

describe('what a baseline accepts', () => {
  test('findings that it holds, and no others', () => {
    expect(accepted([finding('a'), finding('b')], finding('a'))).toEqual([true, false]);
  });

  test('as many equal ones as it holds', () => {
    expect(accepted([finding('a'), finding('a'), finding('a')], finding('a'), finding('a'))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('nothing that has become more severe, and what has become less so', () => {
    expect(accepted([finding('a', 'critical')], finding('a', 'high'))).toEqual([false]);
    expect(accepted([finding('a', 'low')], finding('a', 'high'))).toEqual([true]);
  });

  test('the most severe of equal findings choose first, whatever their order', () => {
    const recorded = [finding('a', 'critical'), finding('a', 'low')];
    expect(accepted([finding('a', 'low'), finding('a', 'critical')], ...recorded)).toEqual([true, true]);
    expect(accepted([finding('a', 'high'), finding('a', 'critical')], ...recorded)).toEqual([false, true]);
  });

  test('never input that was not read, even where somebody wrote it in', () => {
    const unread = finding('a', 'high', { check: 'unread-input' });
    const { fingerprint, check, host, severity, message } = unread;
    const baseline = { file: 'x', entries: [{ fingerprint, check, host, severity, message }] };
    expect(applyBaseline([unread], baseline, ALL).findings[0]?.suppression).toBeNull();
  });

  test('says which entries are gone, which were not looked for, and what has risen', () => {
    const recorded = [
      finding('gone'),
      finding('risen', 'low'),
      finding('other host', 'low', { host: 'sn-02' }),
      finding('other check', 'low', { check: 'redundant-rule' }),
    ];
    const result = applyBaseline([finding('risen', 'high')], baselineOf(...recorded), ALL);
    expect(result.unused.map((one) => one.message)).toEqual(['about gone']);
    expect(result.notLookedAt.map((one) => one.message)).toEqual(['about other check', 'about other host']);
    expect(result.risen).toBe(1);
  });
});

describe('how far a finding goes', () => {
  const exposing = (saddr: readonly string[], dport: readonly string[] = ['7937-9936'], proto = ['tcp']) =>
    finding('a', 'high', { exposure: { saddr, except: [], proto, dport, addresses: '1', ports: 1 } });
  const closed = (...who: string[]) =>
    finding('a', 'high', {
      extent: who.map((one) => ({ who: [one], proto: ['tcp'], ports: ['7937-7938'] })),
    });

  test('an exposure is accepted as wide as it was and narrower, not wider', () => {
    const recorded = exposing(['192.0.2.0/25', '192.0.2.128/25', '2001:db8::/64']);
    expect(accepted([recorded], recorded)).toEqual([true]);
    expect(accepted([exposing(['192.0.2.100-192.0.2.200', '2001:db8::7/128'])], recorded)).toEqual([true]);
    expect(accepted([exposing(['192.0.2.0-192.0.3.0'])], recorded)).toEqual([false]);
    expect(accepted([exposing(['2001:db8::/63'])], recorded)).toEqual([false]);
    expect(accepted([exposing(['192.0.2.7/32'], ['7936-7937'])], recorded)).toEqual([false]);
    expect(accepted([exposing(['192.0.2.7/32'], ['7937'], ['tcp', 'udp'])], recorded)).toEqual([false]);
    expect(accepted([recorded], exposing(['0.0.0.0/0', '::/0']))).toEqual([true]);
  });

  test('a stopped flow is accepted for the peers that were shut out, not for others', () => {
    expect(accepted([closed('sn-01')], closed('sn-01', 'sn-02'))).toEqual([true]);
    expect(accepted([closed('192.0.2.21 of sn-01')], closed('sn-01'))).toEqual([true]);
    expect(accepted([closed('sn-01')], closed('192.0.2.21 of sn-01'))).toEqual([false]);
    expect(accepted([closed('sn-01', 'sn-02')], closed('sn-01'))).toEqual([false]);
    expect(accepted([closed('sn-01')], closed('any address'))).toEqual([true]);
  });

  test('what has become wider is counted as such and not as gone; a file of an older version does not say how far', () => {
    const result = applyBaseline([exposing(['192.0.2.0/24'])], baselineOf(exposing(['192.0.2.0/25'])), ALL);
    expect(result).toMatchObject({ risen: 0, widened: 1, unused: [] });
    expect(accepted([exposing(['192.0.2.0/24'])], finding('a'))).toEqual([true]);
  });

  test('survives the file, in few words', () => {
    const prefixes = Array.from({ length: 256 }, (_, i) => `198.51.100.${i}/32`);
    const text = encodeBaseline(baselineEntries([exposing(['192.0.2.1/32', ...prefixes])]));
    expect(text).toContain(
      '"extent":[{"who":["192.0.2.1","198.51.100.0/24"],"proto":["tcp"],"ports":["7937-9936"]}]',
    );
    const read = decodeBaseline(text, 'known.json');
    expect(read.kind === 'ok' && encodeBaseline(read.baseline.entries)).toBe(text);
    for (const bad of ['[{"who":"x"}]', '{}', '[1]', '[{"who":[1],"proto":[],"ports":[]}]'])
      expect(decodeBaseline(text.replace(/"extent":\[.*\]\}\]/, `"extent":${bad}`), 'x')).toMatchObject({
        kind: 'bad',
        problems: [expect.stringContaining('findings[0].extent: expected a list')],
      });
  });
});

describe('what is recorded', () => {
  test('everything but what a waiver accepts and what was not read; and what is kept', () => {
    const kept = baselineEntries([finding('kept', 'low', { host: 'sn-02' })]);
    const entries = baselineEntries(
      [
        finding('a'),
        finding('b', 'low', { suppression: { kind: 'baseline', reason: '', owner: null, expires: null } }),
        finding('c', 'low', { suppression: WAIVER }),
        finding('d', 'low', { check: 'unread-input' }),
      ],
      kept,
    );
    expect(entries.map((one) => one.message)).toEqual(['about a', 'about b', 'about kept']);
  });

  test('sorted, one line a finding with its message, whatever the order was', () => {
    const findings = [finding('b', 'low'), finding('a', 'high'), finding('r', 'info', { host: null })];
    const text = encodeBaseline(baselineEntries(findings));
    expect(text).toBe(encodeBaseline(baselineEntries([...findings].reverse())));
    const lines = text.split('\n').filter((line) => line.startsWith('    {'));
    expect(lines.map((line) => /"message":"([^"]*)"/.exec(line)?.[1])).toEqual([
      'about a',
      'about b',
      'about r',
    ]);
    expect(lines[0]).toMatch(/^ {4}\{"host":"sn-01","check":"shadowed-rule","severity":"high",/);
  });

  test.each([[[]], [[finding('a'), finding('a'), finding('‮"\n', 'low', { host: null })]]])(
    'is read back as it was',
    (findings) => {
      const entries = baselineEntries(findings);
      expect(decodeBaseline(encodeBaseline(entries), 'f')).toEqual({
        kind: 'ok',
        baseline: { file: 'f', entries },
      });
    },
  );
});

describe('what is no baseline', () => {
  const good = encodeBaseline(baselineEntries([finding('a')]));
  test.each([
    ['', 'not valid JSON'],
    [good.slice(0, -5), 'not valid JSON'],
    ['[]', 'not a baseline of nwaudit'],
    ['{"tool":"other","baselineVersion":1,"findings":[]}', 'not a baseline of nwaudit'],
    [
      good.replace('"baselineVersion": 1', '"baselineVersion": 2'),
      'baselineVersion: found 2, this nwaudit reads 1',
    ],
    [
      `{"tool":"nwaudit","baselineVersion":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      'baselineVersion: found no number, this nwaudit reads 1',
    ],
    ['{"tool":"nwaudit","baselineVersion":1}', 'findings: expected a list'],
    [good.replace('"findings"', '"more": 1, "findings"'), 'more: unknown key'],
    [
      good.replace('nwaudit/v1:', 'nwaudit/v2:'),
      'findings[0].fingerprint: of another version than nwaudit/v1',
    ],
    [
      good.replace('nwaudit/v1:', 'sha256:'),
      'findings[0].fingerprint: expected nwaudit/v1: and 32 hex digits',
    ],
    [
      good.replace('"high"', '"higher"'),
      'findings[0].severity: expected one of info, low, medium, high, critical',
    ],
    [good.replace('"host":"sn-01"', '"host":7'), 'findings[0].host: expected the name of a host, or null'],
    [
      good.replace('shadowed-rule', 'unread-input'),
      'findings[0].check: input that was not read may hide anything',
    ],
    [good.replace(/\{"host".*\}/, '7'), 'findings[0]: expected a mapping'],
  ])('%#: %s', (text, problem) => {
    const decoded = decodeBaseline(text, 'f');
    expect(decoded.kind === 'bad' ? decoded.problems[0] : '').toContain(problem);
  });

  test('all problems are told at once', () => {
    const text = good.replace('"high"', '"higher"').replace('"message":"about a"', '"message":""');
    const decoded = decodeBaseline(text, 'f');
    expect(decoded.kind === 'bad' ? decoded.problems : []).toHaveLength(2);
  });
});
