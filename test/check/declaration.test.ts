import { describe, expect, test } from 'vitest';
import type { Finding, Report } from '../../src/finding/index.ts';
import { scanTexts } from '../scan-support.ts';

const HOSTS = {
  'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
  'client-01': { role: 'client', addresses: ['192.0.2.101'] },
  'client-02': { role: 'client', addresses: ['192.0.2.102'] },
};
const rules = (...input: readonly string[]) =>
  [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ...input,
    'COMMIT',
    '',
  ].join('\n');
const OPEN = rules('-A INPUT -p tcp -m tcp --dport 7937:9936 -j ACCEPT');
const TIGHT = rules('-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT');
const TWO = { 'client-01.rules': OPEN, 'client-02.rules': OPEN };
const waiver = (keys: object) => ({
  check: 'client-inbound-unscoped',
  reason: 'r',
  owner: 'o',
  expires: '2099-01-01',
  ...keys,
});
const scanned = (
  waivers: readonly object[],
  files: Readonly<Record<string, string>> = TWO,
  more: object = {},
) => scanTexts(files, { hosts: HOSTS, waivers, ...more });
const of = ({ findings }: Report, check: string): Finding[] => findings.filter((f) => f.check === check);

describe('waivers that hold on every host', () => {
  test.each([
    ['no host', {}],
    ['a pattern for all', { host: '*' }],
    ['a pattern that fits all that were audited', { host: 'client-*' }],
  ])('%s: are said where they accept serious findings', (_name, keys) => {
    const [found, ...others] = of(scanned([waiver(keys)]), 'too-wide-declaration');
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      severity: 'medium',
      host: null,
      suppression: null,
      origin: { file: 'nwaudit.yaml' },
    });
    expect(found!.message).toBe(
      'The waiver of client-inbound-unscoped holds on every host: it accepts 2 findings that are high or worse (up to critical) on client-01 and client-02, and those of hosts and rules still to come.',
    );
  });

  test('still accept them, and the report fails by what is said', () => {
    const report = scanned([waiver({})]);
    expect(of(report, 'client-inbound-unscoped').every((f) => f.suppression?.kind === 'waiver')).toBe(true);
    expect(report.exitCode).toBe(1);
  });

  const one = of(scanned([]), 'client-inbound-unscoped')[0]!;
  test.each([
    ['one host', [waiver({ host: 'client-01' })], TWO],
    ['one finding', [waiver({ fingerprint: one.fingerprint })], TWO],
    ['one audited host', [waiver({})], { 'client-01.rules': OPEN }],
    ['nothing accepted', [waiver({})], { 'client-01.rules': TIGHT, 'client-02.rules': TIGHT }],
    ['nothing serious accepted', [waiver({ check: 'egress-unrestricted' })], TWO],
    ['past its day', [waiver({ expires: '2020-01-01' })], TWO],
  ])('%s: nothing is said', (_name, waivers, files) => {
    expect(of(scanned(waivers, files), 'too-wide-declaration')).toEqual([]);
  });

  test('cannot be accepted by a waiver for all wide declarations, but by the fingerprint', () => {
    const [wide] = of(scanned([waiver({})]), 'too-wide-declaration');
    const accepted = scanned([
      waiver({}),
      waiver({
        check: 'too-wide-declaration',
        fingerprint: wide!.fingerprint,
        reason: 'decided by the board',
      }),
    ]);
    expect(of(accepted, 'too-wide-declaration')).toMatchObject([
      { suppression: { reason: 'decided by the board' } },
    ]);
    expect(of(accepted, 'unused-waiver')).toEqual([]);
    expect(() => scanned([waiver({ check: 'too-wide-declaration' })])).toThrow(
      /names its finding by fingerprint/,
    );
  });
});

test('a waiver of expired-waiver accepts the message only: what the expired one accepted counts again', () => {
  const report = scanned([waiver({ expires: '2020-01-01' }), waiver({ check: 'expired-waiver' })]);
  expect(of(report, 'expired-waiver')).toMatchObject([{ suppression: { kind: 'waiver' } }]);
  expect(of(report, 'client-inbound-unscoped').map((f) => f.suppression)).toEqual([null, null]);
  expect(of(report, 'unused-waiver')).toEqual([]);
  expect(report.exitCode).toBe(1);
});

describe('exceptions for ports that nobody has to reach from another host', () => {
  const exception = (ports: string | readonly string[]) => ({
    exceptions: [
      { id: 'x', to: 'client-01', from: '203.0.113.7', ports, reason: 'r', expires: '2099-01-01' },
    ],
  });
  const open = (ports: string) => ({
    'client-01.rules': rules(`-A INPUT -s 203.0.113.7/32 -p tcp -m multiport --dports ${ports} -j ACCEPT`),
  });
  const told = (ports: string | readonly string[], rule: string) =>
    of(scanned([], open(rule), exception(ports)), 'unused-exception').map((f) => f.message);

  test('open nothing, although a rule does', () => {
    expect(told('tcp/4369', '4369')).toEqual([
      'The exception x opens nothing on client-01: nobody has to reach its ports from another host, and no exception opens such a port.',
    ]);
    expect(of(scanned([], open('4369'), exception('tcp/4369')), 'never-remote-port')).toHaveLength(1);
  });

  test('count by their other ports', () => {
    expect(told(['tcp/4369', 'tcp/2375'], '4369')).toEqual([
      expect.stringMatching(/^No rule of client-01 lets anybody in/),
    ]);
    expect(told(['tcp/4369', 'tcp/2375'], '4369,2375')).toEqual([]);
    expect(told('tcp/2375', '2375')).toEqual([]);
  });
});
