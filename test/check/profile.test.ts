import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { parseProfile } from '../../src/rulepack/parse.ts';
import { scanTexts, shippedProfile } from '../scan-support.ts';

/** A product that exists nowhere: a controller, agents with a range of their own, and a vault. */
const LIFEBOAT = `id: lifeboat
title: Lifeboat Backup
description: Ports of an invented product.
roles:
  - { id: controller, title: Controller }
  - { id: agent, title: Agent }
  - { id: vault, title: Vault }
features:
  - { id: beacon, title: Agents send beacons }
service-range: 31000-31099
range-without: [31000]
fixed-ports: [31000]
admin-ports:
  - { port: 8443, title: console, served-by: [controller] }
never-remote:
  - { port: 31999, title: the debugger of the agent }
flows:
  - { id: control, from: [controller], to: [agent], ports: [31000, service-range], need: required, where: "manual, chapter 3" }
  - { id: store, from: [agent], to: [vault], ports: [32000], need: required, where: "manual, chapter 4" }
  - { id: store-narrow, from: [agent], to: [vault], ports: [service-range], need: required, when: { service-ports: declared }, where: "manual, chapter 4" }
  - { id: beacon, from: [agent], to: [controller], protocol: udp, ports: [32001], need: required, when: { features: [beacon] }, where: "manual, chapter 5" }
  - { id: console, from: [admin-networks], to: [controller], ports: [8443], need: required, where: "manual, chapter 2" }
`;

const lifeboat = (() => {
  const decoded = parseProfile(LIFEBOAT, 'lifeboat.yaml');
  if (decoded.kind === 'bad') throw new Error(JSON.stringify(decoded.problems));
  return decoded.value;
})();

const HOSTS = {
  ctl: { role: 'controller', addresses: ['192.0.2.10'] },
  'box-1': { role: 'agent', addresses: ['192.0.2.101'] },
  vault: { role: 'vault', addresses: ['192.0.2.20'] },
};

function input(...rules: string[]): string {
  return [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ...rules.map((rule) => `-A INPUT ${rule} -j ACCEPT`),
    'COMMIT',
    '',
  ].join('\n');
}

const shown = (findings: readonly Finding[]) =>
  findings.filter((f) => !['info', 'low'].includes(f.severity)).map((f) => `${f.check} ${f.severity}`);

function scanLifeboat(host: string, rules: readonly string[], further: object = {}): string[] {
  const config = { admin_networks: ['198.51.100.0/28'], hosts: HOSTS, ...further };
  return shown(scanTexts({ [`${host}.rules`]: input(...rules) }, config, { profile: lifeboat }).findings);
}

describe('a profile of another product', () => {
  const CONTROL = '-s 192.0.2.10/32 -p tcp -m tcp --dport 31000:31099';

  test('finds nothing where its flows are open and nothing else', () => {
    expect(scanLifeboat('box-1', [CONTROL])).toEqual([]);
    expect(scanLifeboat('ctl', ['-s 198.51.100.0/28 -p tcp -m tcp --dport 8443'])).toEqual([]);
  });

  test('judges its own range, fixed ports and admin ports', () => {
    expect(scanLifeboat('box-1', [CONTROL, '-p tcp -m tcp --dport 31001:31099'])).toContain(
      'dynamic-range-any-source critical',
    );
    expect(scanLifeboat('box-1', [CONTROL, '-s 192.0.2.20/32 -p tcp -m tcp --dport 31000'])).toEqual([
      'service-port-beyond-peers medium',
    ]);
    expect(scanLifeboat('ctl', ['-p tcp -m tcp --dport 8443'])).toEqual([
      'admin-port-beyond-admin-network critical',
    ]);
  });

  test('knows nothing of the ports of NetWorker', () => {
    const found = scanLifeboat('box-1', [CONTROL, '-s 192.0.2.20/32 -p tcp -m tcp --dport 7937:7999']);
    expect(found.filter((f) => !f.startsWith('undeclared-port'))).toEqual([]);
  });

  test('asks for a flow with a feature only where it is declared', () => {
    const rules = ['-s 198.51.100.0/28 -p tcp -m tcp --dport 8443'];
    const config = { admin_networks: ['198.51.100.0/28'], hosts: HOSTS };
    const asks = (features: readonly string[]) =>
      scanTexts({ 'ctl.rules': input(...rules) }, { ...config, features }, { profile: lifeboat })
        .findings.filter((f) => f.check === 'missing-required-path')
        .map((f) => f.message);
    expect(asks([])).toEqual([]);
    expect(asks(['beacon'])).toEqual([expect.stringContaining('udp/32001')]);
  });

  test('asks for a flow by the declared range of the receiving host', () => {
    const rules = ['-s 192.0.2.101/32 -p tcp -m tcp --dport 32000'];
    expect(scanLifeboat('vault', rules)).toEqual([]);
    const hosts = { ...HOSTS, vault: { ...HOSTS.vault, service_ports: '31000-31009' } };
    expect(scanLifeboat('vault', rules, { hosts })).toEqual(['missing-required-path high']);
  });

  test('does not judge a host whose role it does not have', () => {
    const hosts = { ...HOSTS, old: { role: 'storage-node', addresses: ['192.0.2.30'] } };
    const report = scanTexts(
      { 'old.rules': input('-p tcp -m tcp --dport 22') },
      { hosts },
      { profile: lifeboat },
    );
    expect(report.hosts.map((h) => [h.name, h.judged])).toEqual([['old', false]]);
    expect(report.hints.join('\n')).toContain('The profile lifeboat has no role storage-node');
  });
});

describe('the vendor profile', () => {
  const config = {
    admin_networks: ['198.51.100.0/28'],
    hosts: {
      'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
      'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
    },
  };
  const missing = (rules: readonly string[], features: readonly string[] = []) =>
    scanTexts(
      { 'nw-server.rules': input(...rules) },
      { ...config, features },
      { profile: shippedProfile('vendor') },
    )
      .findings.filter((f) => f.check === 'missing-required-path')
      .map((f) => f.message.replace(/: .*/, ''));
  const REST = [
    '-s 192.0.2.30/32 -p tcp -m tcp --dport 7937:9936',
    '-s 198.51.100.0/28 -p tcp -m tcp --dport 9090',
  ];

  test('asks for one port of the message bus, and only where there is one', () => {
    const bus = (port: number) => `-s 192.0.2.30/32 -p tcp -m tcp --dport ${port}`;
    expect(missing(REST)).toEqual([]);
    expect(missing(REST, ['message-bus'])).toEqual([
      'nw-server does not let in tcp/5671-5672 (one of them is enough) from nmc-01',
    ]);
    const { findings } = scanTexts(
      { 'nw-server.rules': input(...REST) },
      { ...config, features: ['message-bus'] },
      { profile: shippedProfile('vendor') },
    );
    const proposed = findings.find((f) => f.check === 'missing-required-path')?.remediation;
    expect(proposed?.commands[0]?.with).toEqual([
      '-A INPUT -s 192.0.2.30/32 -p tcp -m tcp --dport 5671 -j ACCEPT',
    ]);
    expect(proposed?.text).toContain('the path opens, and nothing else does');
    expect(missing([...REST, bus(5671)], ['message-bus'])).toEqual([]);
    expect(missing([...REST, bus(5672)], ['message-bus'])).toEqual([]);
  });
});
