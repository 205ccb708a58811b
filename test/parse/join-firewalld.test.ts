import { describe, expect, it } from 'vitest';
import { type HostFacts, readHostExports } from '../../src/parse/index.ts';

const encoder = new TextEncoder();

function read(files: Readonly<Record<string, string>>, facts?: HostFacts) {
  const list = Object.entries(files).map(([path, text]) => ({ path, bytes: encoder.encode(text) }));
  return readHostExports(list, facts);
}

const tablesOf = (host: ReturnType<typeof read>): string[] =>
  host.ruleset.tables.map((t) => `${t.family} ${t.name} ${t.dialect}`);
const detailsOf = (host: ReturnType<typeof read>): string[] => host.diagnostics.map((d) => d.detail);
const isWhole = (host: ReturnType<typeof read>): boolean => host.exports.every((e) => e.whole);

const PUBLIC = '<zone><service name="ssh"/><port port="7938" protocol="tcp"/></zone>';
const INTERNAL = '<zone><service name="https"/></zone>';

/** JSON of nft as firewalld's zones look in it, with eth0 bound while it runs. */
function runningJson(tableName: string): string {
  const chain = (name: string, base: object = {}) => ({
    chain: { family: 'inet', table: tableName, name, handle: 1, ...base },
  });
  const rule = (name: string, handle: number, ...expr: object[]) => ({
    rule: { family: 'inet', table: tableName, chain: name, handle, expr },
  });
  const iif = (name: string) => ({
    match: { op: '==', left: { meta: { key: 'iifname' } }, right: name },
  });
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family: 'inet', name: tableName, handle: 1 } },
      chain('filter_INPUT', { type: 'filter', hook: 'input', prio: 10, policy: 'accept' }),
      chain('filter_INPUT_ZONES'),
      chain('filter_IN_public'),
      chain('filter_IN_internal'),
      rule('filter_INPUT', 2, { jump: { target: 'filter_INPUT_ZONES' } }),
      rule('filter_INPUT', 3, { reject: { type: 'icmpx', expr: 'admin-prohibited' } }),
      rule('filter_INPUT_ZONES', 4, iif('eth0'), { goto: { target: 'filter_IN_internal' } }),
      rule('filter_INPUT_ZONES', 5, { goto: { target: 'filter_IN_public' } }),
      rule('filter_IN_public', 6, { reject: { type: 'icmpx', expr: 'admin-prohibited' } }),
      rule('filter_IN_internal', 7, { accept: null }),
    ],
  });
}

const IPTABLES = '*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n';

describe('firewalld files of a host', () => {
  it('are what runs where no other export shows it', () => {
    const host = read({ 'zones/public.xml': PUBLIC });
    expect(tablesOf(host)).toEqual(['inet firewalld firewalld']);
    expect(host.permanent).toBeUndefined();
    expect(isWhole(host)).toBe(true);
  });

  it('count as the rules that stand in them', () => {
    const host = read({ 'zones/public.xml': PUBLIC, 'zones/internal.xml': INTERNAL });
    const rules = host.exports.map((e) =>
      e.ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => r.text))),
    );
    expect(rules[0]?.some((text) => text.startsWith('service ssh'))).toBe(true);
    expect(rules[0]?.every((text) => !text.includes('allow-host-ipv6'))).toBe(true);
    expect(rules[1]).toEqual([]);
  });

  it('are what runs beside iptables rules, which stand in tables of their own', () => {
    const host = read({ 'zones/public.xml': PUBLIC, 'iptables.rules': IPTABLES });
    expect(tablesOf(host).sort()).toEqual(['inet firewalld firewalld', 'ip filter iptables']);
    expect(host.permanent).toBeUndefined();
  });

  it('leave a table of direct rules to the export that shows it', () => {
    const direct =
      '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 9090 -j DROP</rule></direct>';
    const alone = read({ 'firewalld/zones/public.xml': PUBLIC, 'firewalld/direct.xml': direct });
    expect(tablesOf(alone)).toContain('ip filter firewalld');
    const both = read({
      'firewalld/zones/public.xml': PUBLIC,
      'firewalld/direct.xml': direct,
      'iptables.rules': IPTABLES,
    });
    expect(tablesOf(both).sort()).toEqual(['inet firewalld firewalld', 'ip filter iptables']);
    expect(detailsOf(both).join('\n')).toMatch(
      /direct rules of table "filter" \(ip\) are taken from iptables\.rules/,
    );
  });

  it('are only compared where JSON of nft shows what firewalld loaded', () => {
    const host = read({ 'zones/public.xml': PUBLIC, 'nft.json': runningJson('firewalld') });
    expect(tablesOf(host)).toEqual(['inet firewalld firewalld']);
    expect(host.ruleset.tables[0]?.origin.file).toBe('nft.json');
    expect(host.permanent?.tables.map((t) => t.dialect)).toEqual(['firewalld']);
    expect(detailsOf(host).join('\n')).toMatch(/only the running firewall shows eth0 in zone internal/);
  });

  it('and JSON of nft without a table of firewalld: the JSON runs, the files are compared', () => {
    const host = read({ 'zones/public.xml': PUBLIC, 'nft.json': runningJson('own') });
    expect(tablesOf(host)).toEqual(['inet own nft']);
    expect(host.permanent?.tables.length).toBe(1);
  });

  it('are only compared where iptables-save shows what the iptables backend loaded', () => {
    const iptables =
      '*filter\n:INPUT ACCEPT [0:0]\n:INPUT_ZONES - [0:0]\n:IN_internal - [0:0]\n-A INPUT -j INPUT_ZONES\n-A INPUT_ZONES -i eth0 -g IN_internal\n-A IN_internal -j ACCEPT\nCOMMIT\n';
    const host = read({ 'zones/public.xml': PUBLIC, 'iptables.rules': iptables });
    expect(tablesOf(host)).toEqual(['ip filter iptables']);
    expect(host.permanent?.tables.some((t) => t.dialect === 'firewalld')).toBe(true);
    expect(detailsOf(host).join('\n')).toMatch(/eth0 in zone internal/);
  });

  it('an interface that the configuration declares is in its zone', () => {
    const files = { 'zones/public.xml': PUBLIC, 'zones/internal.xml': INTERNAL };
    const texts = (facts?: HostFacts) =>
      read(files, facts).ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => r.text)));
    expect(texts().some((text) => text.includes('interface eth1 in zone internal'))).toBe(false);
    const facts = { interfaces: new Map([['eth1', 'internal']]) };
    expect(texts(facts).some((text) => text.includes('interface eth1 in zone internal'))).toBe(true);
  });

  it('a stock zone that was not copied is that of the distribution that is declared', () => {
    const conf = { 'firewalld/firewalld.conf': 'DefaultZone=public\n' };
    const cockpit = (facts?: HostFacts) =>
      read(conf, facts)
        .ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules))
        .filter((rule) => rule.text.startsWith('service cockpit'))
        .map((rule) => rule.matches.some((m) => m.condition.kind === 'unknown'));
    expect(cockpit()).toEqual([true]);
    // By this text check/evaluator/drift.ts knows it.
    const texts = read(conf)
      .ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules))
      .flatMap((rule) => rule.matches.map((m) => m.text));
    expect(texts.some((text) => text.startsWith('the distribution puts the service '))).toBe(true);
    expect(cockpit({ distribution: 'rhel' })).toEqual([false]);
    expect(cockpit({ distribution: 'upstream' })).toEqual([]);
  });

  it('a zone file that firewalld would refuse makes the host incomplete, with its place', () => {
    const host = read({ 'zones/public.xml': '<zone>\n  <service nam="ssh"/>\n</zone>' });
    expect(isWhole(host)).toBe(false);
    expect(host.diagnostics.some((d) => d.incomplete && d.origin.line === 2)).toBe(true);
  });

  it('profiles of NetworkManager alone are no firewall', () => {
    const host = read({ 'eth0.nmconnection': '[connection]\nid=eth0\ninterface-name=eth0\nzone=internal\n' });
    expect(host.ruleset.tables).toEqual([]);
  });
});
