import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { scanTexts } from '../scan-support.ts';

const HOSTS = {
  'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
  'client-01': { role: 'client', addresses: ['192.0.2.101'] },
  'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
};

function rules(input: readonly string[]): string {
  return [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ...input,
    'COMMIT',
    '',
  ].join('\n');
}

const accept = (saddr: string, ports: string) =>
  `-A INPUT -s ${saddr} -p tcp -m tcp --dport ${ports} -j ACCEPT`;

function scanned(host: string, input: readonly string[], own: object, more: object = {}): Finding[] {
  const hosts = { ...HOSTS, ...more, [host]: { ...HOSTS[host as keyof typeof HOSTS], ...own } };
  const { findings } = scanTexts({ [`${host}.rules`]: rules(input) }, { hosts });
  return findings.filter((f) => f.severity !== 'info' && f.check !== 'ip-version-not-exported');
}

const told = (findings: readonly Finding[]) => findings.map((f) => `${f.severity} ${f.check}`);

describe('rules for more than the range of the host', () => {
  test('are one finding, with the narrower rule in their place', () => {
    const found = scanned('sn-01', [accept('192.0.2.101', '7938:9936'), accept('192.0.2.10', '7937:7954')], {
      service_ports: '7937-7954',
    });
    expect(told(found)).toEqual(['medium range-mismatch']);
    expect(found[0]!.message).toBe(
      'sn-01 accepts tcp/7955-9936 from 192.0.2.101, but the services of sn-01 listen on 7937-7954 only, by service_ports in nwaudit.yaml.',
    );
    expect(found[0]!.remediation?.commands.map((c) => c.command)).toEqual([
      'iptables -R INPUT 3 -s 192.0.2.101/32 -p tcp -m tcp --dport 7938:7954 -j ACCEPT',
    ]);
  });

  test('keep what only the vendor requires, which is a finding of its own', () => {
    const found = scanned(
      'nw-server',
      [accept('192.0.2.101', '7937:9936'), accept('192.0.2.20', '7937:7938')],
      { service_ports: '7937-7954' },
      // It serves 9090 where there is no console server.
      { 'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] } },
    );
    expect(told(found)).toEqual(['medium range-mismatch', 'low dynamic-range-open-on-server']);
    expect(found[0]!.remediation?.commands.map((c) => c.command)).toEqual([
      'iptables -R INPUT 3 -s 192.0.2.101/32 -p tcp -m tcp --dport 7937:7954 -j ACCEPT',
    ]);
  });

  test('are the more serious finding where others get in by them', () => {
    const found = scanned('client-01', [accept('192.0.2.0/24', '7937:9936')], { service_ports: '7937-7954' });
    expect(told(found)).toEqual(['high client-inbound-unscoped']);
  });

  test('are judged no differently where the range is not known, or is the default', () => {
    const input = [accept('192.0.2.10', '7937:9936'), accept('192.0.2.20', '7937:9936')];
    expect(told(scanned('client-01', input, {}))).toEqual(['medium service-port-beyond-peers']);
    expect(told(scanned('client-01', input, { service_ports: '7937-9936' }))).toEqual([
      'medium service-port-beyond-peers',
    ]);
  });
});

test('ports of the range that are closed are a missing path, and nothing else', () => {
  const input = [accept('192.0.2.10', '7937:7954'), accept('192.0.2.20', '7938:7954')];
  expect(told(scanned('client-01', input, { service_ports: '7937-8000' }))).toEqual([
    'high missing-required-path',
  ]);
});

describe('too few ports', () => {
  const open = [accept('192.0.2.0/24', '1:65535')];
  const small = (host: string, own: object) =>
    scanned(host, open, own).filter((f) => f.check === 'range-too-small-for-role');

  test.each([
    ['client-01', { service_ports: '7937-7939' }, /has 3 service ports .* as client it needs at least 4\./],
    [
      'sn-01',
      { service_ports: '7937-7940' },
      /as storage-node it needs at least 5, and one more for each device\./,
    ],
    ['sn-01', { service_ports: '7937-7954', devices: 14 }, /has 18 .* at least 19 with its 14 devices/],
    [
      'nw-server',
      { service_ports: ['7937-7940', '8000-8006'] },
      /has 11 service ports \(7937-7940 and 8000-8006,/,
    ],
  ])('%s %j', (host, own, message) => {
    expect(small(host, own).map((f) => f.message)).toEqual([expect.stringMatching(message)]);
  });

  test.each([
    ['client-01', { service_ports: '7937-7940' }],
    ['sn-01', { service_ports: '7937-7954', devices: 13 }],
    ['nw-server', { service_ports: '7937-7948' }],
    ['nw-server', {}],
    ['nw-server', { service_ports: '7937-7940', role: 'data-domain' }],
  ])('enough: %s %j', (host, own) => {
    expect(small(host, own)).toEqual([]);
  });

  test('of a host that has no export of rules', () => {
    const hosts = { ...HOSTS, 'sn-01': { ...HOSTS['sn-01'], service_ports: '7937-7939' } };
    const { findings } = scanTexts({ 'client-01.rules': rules(open) }, { hosts });
    expect(findings.filter((f) => f.check === 'range-too-small-for-role')).toMatchObject([
      { host: 'sn-01', origin: { file: 'nwaudit.yaml' } },
    ]);
  });
});
