import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { scanTexts } from '../scan-support.ts';

const CONFIG = {
  admin_networks: ['198.51.100.0/28'],
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
    'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101'] },
  },
};

type Files = Readonly<Record<string, string>>;

const zone = (content: string, attributes = '') => `<zone${attributes}>\n${content}\n</zone>\n`;

function findings(host: string, files: Files, config: unknown = CONFIG): readonly Finding[] {
  const exports = Object.fromEntries(Object.entries(files).map(([name, text]) => [`${host}/${name}`, text]));
  return scanTexts(exports, config).findings;
}

function only(all: readonly Finding[], check: string): Finding {
  const found = all.filter((f) => f.check === check && f.hook !== 'forward');
  expect(found).toHaveLength(1);
  return found[0]!;
}

const linesOf = (finding: Finding): string[] =>
  (finding.remediation?.commands ?? []).flatMap(({ command }) => command.split(' && \\\n'));

/** JSON of nft with a zone of firewalld, as far as it matters. */
function running(rules: readonly (readonly unknown[])[]): string {
  const table = { family: 'inet', table: 'firewalld' };
  const chain = (name: string, base: object = {}) => ({ chain: { ...table, name, handle: 1, ...base } });
  const rule = (name: string, ...expr: unknown[]) => ({ rule: { ...table, chain: name, handle: 9, expr } });
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family: 'inet', name: 'firewalld', handle: 1 } },
      chain('filter_INPUT', { type: 'filter', hook: 'input', prio: 10, policy: 'accept' }),
      chain('filter_IN_public'),
      chain('filter_IN_public_allow'),
      rule(
        'filter_INPUT',
        { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'lo' } },
        { accept: null },
      ),
      rule('filter_INPUT', { goto: { target: 'filter_IN_public' } }),
      rule('filter_IN_public', { jump: { target: 'filter_IN_public_allow' } }),
      rule('filter_IN_public', { reject: { type: 'icmpx', expr: 'admin-prohibited' } }),
      ...rules.map((expr) => rule('filter_IN_public_allow', ...expr)),
    ],
  });
}

const dport = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right },
});
const saddr = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right },
});
const ACCEPT = { accept: null };

describe('an element of a zone', () => {
  test('a service goes when the rich rules stand that keep what is needed, and the XML is shown', () => {
    const all = findings('nmc-01', { 'zones/public.xml': zone('<service name="cockpit"/>') });
    expect(only(all, 'admin-port-beyond-admin-network').remediation?.commands).toEqual([
      {
        dialect: 'firewalld',
        replace: '<service name="cockpit"/>',
        with: [
          '<rule family="ipv4"><source address="198.51.100.0/28"/><port port="9090" protocol="tcp"/><accept/></rule>',
        ],
        command: [
          'firewall-cmd --permanent --zone=public --add-rich-rule=\'rule family="ipv4" source address="198.51.100.0/28" port port="9090" protocol="tcp" accept\'',
          'firewall-cmd --permanent --zone=public --remove-service=cockpit',
          'firewall-cmd --reload',
        ].join(' && \\\n'),
      },
    ]);
  });

  test('a service that only some distributions put there goes alone', () => {
    const found = only(
      findings('client-01', { 'firewalld.conf': 'DefaultZone=public\n' }),
      'admin-port-on-wrong-host',
    );
    expect(found.certainty).toBe('possible');
    expect(linesOf(found)).toEqual([
      'firewall-cmd --permanent --zone=public --remove-service=cockpit',
      'firewall-cmd --reload',
    ]);
    expect(found.remediation?.note).toBeUndefined();
  });

  test('a range that is no prefix becomes the prefixes that make it', () => {
    const config = { ...CONFIG, admin_networks: ['198.51.100.1-198.51.100.4'] };
    const all = findings(
      'nmc-01',
      { 'zones/public.xml': zone('<port port="9090" protocol="tcp"/>') },
      config,
    );
    const found = only(all, 'admin-port-beyond-admin-network');
    const addresses = linesOf(found).flatMap((line) => /source address="([^"]+)"/.exec(line)?.[1] ?? []);
    expect(addresses).toEqual(['198.51.100.1', '198.51.100.2/31', '198.51.100.4']);
    expect(linesOf(found)).toContain('firewall-cmd --permanent --zone=public --remove-port=9090/tcp');
  });

  test('more than twelve rich rules become one on an ipset, which is made first', () => {
    const config = {
      ...CONFIG,
      admin_networks: Array.from({ length: 13 }, (_, i) => `198.51.100.${2 * i + 1}`),
    };
    const all = findings(
      'nmc-01',
      { 'zones/public.xml': zone('<port port="9090" protocol="tcp"/>') },
      config,
    );
    const lines = linesOf(only(all, 'admin-port-beyond-admin-network'));
    expect(lines[0]).toBe('firewall-cmd --permanent --new-ipset=nw-tcp-9090 --type=hash:net');
    expect(lines.filter((line) => line.includes('--add-entry='))).toHaveLength(13);
    expect(lines[14]).toBe(
      'firewall-cmd --permanent --zone=public --add-rich-rule=\'rule source ipset="nw-tcp-9090" port port="9090" protocol="tcp" accept\'',
    );
  });

  test('a rich rule that logs has to be taken away by its whole text, which is not known here', () => {
    const rule =
      '<rule family="ipv4"><source address="198.51.100.0/24"/><port port="9090" protocol="tcp"/><log prefix="console "/><accept/></rule>';
    const found = only(
      findings('nmc-01', { 'zones/public.xml': zone(rule) }),
      'admin-port-beyond-admin-network',
    );
    expect(linesOf(found)).toEqual(['']);
    expect(found.remediation?.commands[0]?.with).toHaveLength(1);
    expect(found.remediation?.note).toContain('"firewall-cmd --permanent --zone=public --list-rich-rules"');
  });

  test('nothing is proposed for a policy on the way out but rich rules with a destination', () => {
    const files = {
      'zones/public.xml': zone(''),
      'policies/out.xml':
        '<policy target="REJECT"><ingress-zone name="HOST"/><egress-zone name="ANY"/></policy>\n',
    };
    const found = findings('client-01', files).filter(
      (f) => f.check === 'missing-required-path' && f.hook === 'output',
    );
    expect(found.length).toBeGreaterThan(0);
    for (const line of found.flatMap(linesOf))
      expect(line).toMatch(/--policy=out --add-rich-rule='rule family="ipv4" destination address=|--reload$/);
  });

  test('a denial with the lowest priority leaves no room before it', () => {
    const rule = '<rule family="ipv4" priority="-32768"><source address="192.0.2.0/24"/><drop/></rule>';
    const found = findings('client-01', { 'zones/public.xml': zone(rule) }).filter(
      (f) => f.check === 'missing-required-path',
    );
    expect(found.flatMap(linesOf)).toEqual([]);
    expect(found[0]?.remediation?.note).toContain('lowest priority');
  });

  test('a direct rule is changed as one', () => {
    const files = {
      'firewalld.conf': 'FirewallBackend=iptables\n',
      'zones/public.xml': zone(''),
      'direct.xml':
        '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 9090 -j ACCEPT</rule></direct>\n',
    };
    const found = findings('nmc-01', files).filter((f) => f.check === 'admin-port-beyond-admin-network');
    expect(found.length).toBeGreaterThan(0);
    for (const one of found) {
      expect(linesOf(one)).toEqual([]);
      expect(one.remediation?.note).toMatch(/--direct|firewall-cmd --permanent/);
    }
  });
});

describe('names that mean something to a shell', () => {
  const evil = ['$(reboot)', '`reboot`', "x'; reboot; '", 'x;reboot', '-x reboot', 'a reboot'];

  test.each(evil)('no command has the service or zone %s', (name) => {
    const escaped = name.replaceAll("'", '&apos;');
    const files = {
      [`services/${name.replaceAll('/', '')}.xml`]: '<service><port port="9090" protocol="tcp"/></service>',
      'zones/public.xml': zone(
        `<service name="${escaped}"/><rule><service name="${escaped}"/><accept/></rule><port port="9090" protocol="tcp"/>`,
      ),
      [`zones/${name}.xml`]: zone('<source address="192.0.2.0/25"/><port port="9090" protocol="tcp"/>'),
    };
    const commands = findings('nmc-01', files).flatMap(linesOf);
    expect(commands.filter((line) => line.includes('reboot'))).toEqual([]);
  });

  test.each(evil)('no command has the chain of a zone %s', (name) => {
    const text = running([[dport(9090), ACCEPT]]).replaceAll(
      'filter_IN_public',
      JSON.stringify(`filter_IN_${name}`).slice(1, -1),
    );
    const all = findings('nmc-01', { 'nft.json': text });
    expect(all.some((f) => f.check === 'admin-port-beyond-admin-network')).toBe(true);
    expect(all.flatMap(linesOf).filter((line) => line.includes('reboot'))).toEqual([]);
  });
});

describe("what runs, of firewalld's own table", () => {
  const check = 'admin-port-beyond-admin-network';

  test('a port of a zone is taken away from the zone, and a service may be behind it', () => {
    const found = only(findings('nmc-01', { 'nft.json': running([[dport(9090), ACCEPT]]) }), check);
    expect(linesOf(found).slice(1)).toEqual([
      'firewall-cmd --permanent --zone=public --remove-port=9090/tcp',
      'firewall-cmd --reload',
    ]);
    expect(found.remediation?.note).toContain('--list-services');
  });

  test('a rule with a source is a rich rule, whose text is not told by what runs', () => {
    const rule = [saddr({ prefix: { addr: '198.51.100.0', len: 24 } }), dport(9090), ACCEPT];
    const found = only(findings('nmc-01', { 'nft.json': running([rule]) }), check);
    expect(linesOf(found)).toEqual(['']);
    expect(found.remediation?.note).toContain('--list-all');
  });

  test('the files of the host tell the element', () => {
    const files = {
      'nft.json': running([[dport(9090), ACCEPT]]),
      'zones/public.xml': zone('<service name="cockpit"/>'),
    };
    const all = findings('nmc-01', files);
    expect(linesOf(only(all, check))).toContain(
      'firewall-cmd --permanent --zone=public --remove-service=cockpit',
    );
    expect(only(all, 'admin-port-via-service').severity).toBe('critical');
  });

  test('what no file has ends with the reload', () => {
    const files = { 'nft.json': running([[dport(9090), ACCEPT]]), 'zones/public.xml': zone('') };
    const found = only(findings('nmc-01', files), check);
    expect(linesOf(found).slice(1)).toEqual(['firewall-cmd --reload']);
    expect(found.remediation?.note).toContain('at run time only');
  });

  test("a table of firewalld's iptables backend gets no command of iptables", () => {
    const text = [
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':INPUT_ZONES - [0:0]',
      ':IN_public - [0:0]',
      ':IN_public_allow - [0:0]',
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -j INPUT_ZONES',
      '-A INPUT -j REJECT --reject-with icmp-host-prohibited',
      '-A INPUT_ZONES -g IN_public',
      '-A IN_public -j IN_public_allow',
      '-A IN_public_allow -p tcp -m tcp --dport 9090 -j ACCEPT',
      'COMMIT\n',
    ].join('\n');
    const found = only(findings('nmc-01', { 'iptables.rules': text }), check);
    expect(linesOf(found)).toContain('firewall-cmd --permanent --zone=public --remove-port=9090/tcp');
    expect(linesOf(found).filter((line) => line.startsWith('iptables'))).toEqual([]);
  });
});

describe('what runs against what is configured', () => {
  const drift = (host: string, files: Files) =>
    findings(host, files).filter((f) => f.check === 'runtime-permanent-drift');

  test('each direction is a finding of its own, with a packet to the host', () => {
    const files = {
      'nft.json': running([[dport(9090), ACCEPT]]),
      'zones/public.xml': zone('<port port="7937" protocol="tcp"/>', ' target="%%REJECT%%"'),
    };
    const found = drift('nmc-01', files);
    expect(found.map((f) => f.message.includes('only the running firewall accepts tcp/9090'))).toContain(
      true,
    );
    expect(
      found.some((f) => /configuration in \/etc\/firewalld accepts tcp\/7937 from any IPv4/.test(f.message)),
    ).toBe(true);
    expect(found.filter((f) => f.hook === 'input').map((f) => f.witness?.daddr)).toContain('192.0.2.30');
  });

  test('a host on which nothing of firewalld runs has one finding', () => {
    const none = JSON.stringify({
      nftables: [
        { metainfo: { version: '1.0.6', json_schema_version: 1 } },
        { table: { family: 'inet', name: 'other', handle: 1 } },
      ],
    });
    const found = drift('nmc-01', { 'nft.json': none, 'zones/public.xml': zone('<service name="ssh"/>') });
    expect(found).toHaveLength(1);
    expect(found[0]?.message).toContain('nothing of firewalld runs');
    expect(found[0]?.message).toMatch(/tcp\/[^;]*from any IPv4 address/);
  });

  test('files alone have nothing to be compared with', () => {
    expect(drift('nmc-01', { 'zones/public.xml': zone('<service name="ssh"/>') })).toEqual([]);
  });
});

describe('a service of a port that no flow names', () => {
  const admin = (protocol: string, port: number) =>
    `firewall-cmd --permanent --zone=public --add-rich-rule='rule family="ipv4" source address="198.51.100.0/28" port port="${port}" protocol="${protocol}" accept'`;

  test('is limited to the admin networks, and does not come back as a port', () => {
    const found = only(
      findings('sn-01', { 'zones/public.xml': zone('<service name="ssh"/>') }),
      'undeclared-port',
    );
    expect(linesOf(found)).toEqual([
      admin('tcp', 22),
      'firewall-cmd --permanent --zone=public --remove-service=ssh',
      'firewall-cmd --reload',
    ]);
    expect(found.remediation?.note).toBeUndefined();
  });

  test('with several ports is limited with all of them, by protocol', () => {
    const service =
      '<service><port port="22" protocol="tcp"/><port port="53" protocol="udp"/><port port="80" protocol="tcp"/></service>';
    const files = { 'services/mix.xml': service, 'zones/public.xml': zone('<service name="mix"/>') };
    expect(linesOf(only(findings('sn-01', files), 'undeclared-port'))).toEqual([
      admin('tcp', 22),
      admin('tcp', 80),
      admin('udp', 53),
      'firewall-cmd --permanent --zone=public --remove-service=mix',
      'firewall-cmd --reload',
    ]);
  });
});

describe('a port behind a service name', () => {
  const via = (host: string, content: string) =>
    findings(host, { 'zones/public.xml': zone(content) }).filter((f) => f.check === 'admin-port-via-service');

  test('is a finding beside the one about the port, and says whose definition it is', () => {
    const all = findings('nmc-01', { 'zones/public.xml': zone('<service name="cockpit"/>') });
    expect(all.some((f) => f.check === 'admin-port-beyond-admin-network')).toBe(true);
    expect(only(all, 'admin-port-via-service').message).toContain("firewalld's own definition");
  });

  test('is none where the port stands by itself, or nobody is in excess', () => {
    expect(via('nmc-01', '<port port="9090" protocol="tcp"/>')).toEqual([]);
    const entitled =
      '<rule family="ipv4"><source address="198.51.100.0/28"/><service name="cockpit"/><accept/></rule>';
    expect(via('nmc-01', entitled)).toEqual([]);
  });
});

test('a zone of peers that accepts everything gets rich rules and another target', () => {
  const files = {
    'zones/backup.xml': zone('<source address="192.0.2.10"/>', ' target="ACCEPT"'),
    'zones/public.xml': zone('<service name="ssh"/>'),
  };
  const found = only(findings('client-01', files), 'peer-fully-trusted');
  expect(linesOf(found)).toEqual([
    'firewall-cmd --permanent --zone=backup --add-rich-rule=\'rule family="ipv4" source address="192.0.2.10" port port="7937-9936" protocol="tcp" accept\'',
    'firewall-cmd --permanent --zone=backup --set-target=default',
    'firewall-cmd --reload',
  ]);
});
