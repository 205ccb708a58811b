import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { interval } from '../../src/net/index.ts';
import { scanTexts, shippedProfile } from '../scan-support.ts';

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

describe('ranges that no host needs', () => {
  const open = [accept('192.0.2.10', '1:65535'), accept('192.0.2.20', '1:65535')];
  const wide = (findings: readonly Finding[]) => findings.filter((f) => f.check === 'too-wide-declaration');
  const reported = (services: string, config?: object, connections = '0-0'): Finding[] => {
    const files = {
      'client-01/iptables.rules': rules(open),
      'client-01/nsrports.txt': `Service ports: ${services}\nConnection ports: ${connections}\n`,
    };
    return scanTexts(files, config).findings.filter((f) => f.severity !== 'info');
  };

  test.each([
    ['all ports', 'client-01', { service_ports: '1-65535' }],
    ['all but the system ports', 'sn-01', { service_ports: '1024-65535' }],
    ['one more than twice the default', 'nw-server', { service_ports: '7937-11937' }],
    ['so many in pieces', 'nw-server', { service_ports: ['7937-9936', '20000-22000'] }],
    ['SSH', 'client-01', { service_ports: ['22', '7937-7954'] }],
    ['the last system port', 'client-01', { service_ports: '1023-1100' }],
    ['more than its devices take', 'sn-01', { service_ports: '2000-8100', devices: 3000 }],
  ])('%s: %s %j', (_name, host, own) => {
    expect(wide(scanned(host, open, own))).toMatchObject([
      { severity: 'medium', host: null, origin: { file: 'nwaudit.yaml' } },
    ]);
  });

  test.each([
    ['the default', 'nw-server', { service_ports: '7937-9936' }],
    ['nothing said', 'sn-01', {}],
    ['twice the default', 'sn-01', { service_ports: '7937-11936' }],
    ['the first port that is none of the system', 'client-01', { service_ports: '1024-1100' }],
    ['as many as twice its devices take', 'sn-01', { service_ports: '2000-8009', devices: 3000 }],
    ['written twice', 'sn-01', { service_ports: ['7937-9936', '7937-9936', '7937-10936'] }],
    ['any connection ports', 'sn-01', { connection_ports: '1-65535' }],
  ])('not: %s: %s %j', (_name, host, own) => {
    expect(wide(scanned(host, open, own))).toEqual([]);
  });

  test('say how many ports there are, and how many there are by default', () => {
    expect(wide(scanned('client-01', open, { service_ports: '1-65535' }))[0]!.message).toBe(
      'service_ports of client-01 covers 1-65535, 65535 ports, those of other services below 1024 among them; by default it is 7937-9936, 2000 ports. Whatever lies in it is taken as needed: it is open to all peers by right, and asked for where it is closed.',
    );
  });

  test('of nsrports are told at its line, with and without a configuration', () => {
    const place = { file: 'client-01/nsrports.txt', line: 1 };
    const told = { severity: 'medium', host: 'client-01', origin: place };
    expect(wide(reported('1-65535', { hosts: HOSTS }))).toMatchObject([told]);
    expect(wide(reported('1-65535'))).toMatchObject([told]);
    expect(wide(reported('7937-9936', { hosts: HOSTS }))).toEqual([]);
  });

  test('count as the host says, not as they are declared', () => {
    const declared = { ...HOSTS, 'client-01': { ...HOSTS['client-01'], service_ports: '1-65535' } };
    const narrow = reported('7937-9936', { hosts: declared });
    expect(wide(narrow)).toEqual([]);
    expect(narrow.map((f) => f.check)).toContain('range-mismatch');
    expect(wide(reported('1-65535', { hosts: declared }))).toMatchObject([{ host: 'client-01' }]);
  });

  test('of an entry for many hosts are one finding, and of a host that has its own none', () => {
    const hosts = { ...HOSTS, '*': { service_ports: '1-65535' } };
    const { findings } = scanTexts({ 'client-01.rules': rules(open) }, { hosts });
    expect(wide(findings).map((f) => f.message)).toEqual([
      expect.stringMatching(/^service_ports of \* covers/),
    ]);
    const own = Object.fromEntries(
      Object.entries(HOSTS).map(([name, host]) => [name, { ...host, service_ports: '7937-7954' }]),
    );
    const narrow = scanTexts({ 'client-01.rules': rules(open) }, { hosts: { ...own, '*': hosts['*'] } });
    expect(wide(narrow.findings)).toEqual([]);
  });

  test('are measured by the profile', () => {
    const profile = { ...shippedProfile('guide'), serviceRange: interval(1, 30_000) };
    const of = (service_ports: string) => {
      const hosts = { ...HOSTS, 'sn-01': { ...HOSTS['sn-01'], service_ports } };
      return wide(scanTexts({ 'client-01.rules': rules(open) }, { hosts }, { profile }).findings);
    };
    expect(of('1-60000')).toEqual([]);
    expect(of('1-60001')).toHaveLength(1);
  });

  test('of connection ports say no more than 0-0: a rule for some ports is none for connection ports', () => {
    const files = (connections: string) => ({
      'client-01/iptables.rules': rules([accept('203.0.113.7', '40000:41000')]),
      'client-01/nsrports.txt': `Service ports: 7937-9936\nConnection ports: ${connections}\n`,
    });
    const checks = (connections: string) =>
      scanTexts(files(connections), {
        hosts: HOSTS,
        admin_networks: ['198.51.100.0/28'],
      }).findings.map((f) => f.check);
    for (const all of ['0-0', '1024-65535', '1-65535']) {
      expect(checks(all)).not.toContain('connection-port-rule');
      expect(checks(all)).toContain('undeclared-port');
    }
    expect(checks('40000-42000')).toContain('connection-port-rule');
  });
});
