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

function dump(rules: readonly string[], tables = ''): string {
  const head = '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n';
  const chains = rules.some((r) => r.includes('OK')) ? ':OK - [0:0]\n' : '';
  const usual = [
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
    '-A INPUT -s 192.0.2.20/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
  ];
  const callee = chains === '' ? [] : ['-A OK -j ACCEPT'];
  return `${tables}${head}${chains}${[...usual, ...rules, ...callee].join('\n')}\nCOMMIT\n`;
}

function exposures(host: string, rules: readonly string[], config: unknown = CONFIG, tables = ''): string[] {
  const { findings } = scanTexts({ [`${host}.rules`]: dump(rules, tables) }, config);
  return findings
    .filter(
      (f) =>
        ![
          'ip-version-not-exported',
          'missing-required-path',
          'shadowed-rule',
          'redundant-rule',
          // Remarks about every host of these tests.
          'egress-unrestricted',
          'rule-not-explicit',
          'undocumented-rule',
        ].includes(f.check),
    )
    .map((f) => `${f.check} ${f.severity}`);
}

describe('what hides behind a milder part', () => {
  test('a rule that admits clients to the range and everybody to 7938 is reported for 7938', () => {
    const rules = [
      '-A INPUT -s 192.0.2.101/32 -p tcp -m tcp --dport 7939:9936 -j OK',
      '-A INPUT -p tcp -m tcp --dport 7938 -j OK',
    ];
    expect(exposures('nw-server', rules)).toContain('service-port-beyond-peers high');
  });

  test('two rules for half of the addresses each are any source', () => {
    const halves = ['0.0.0.0/1', '128.0.0.0/1'].map(
      (s) => `-A INPUT -s ${s} -p tcp -m tcp --dport 7938:9936 -j ACCEPT`,
    );
    const found = exposures('client-01', halves);
    expect(found).toEqual(['client-inbound-unscoped critical', 'client-inbound-unscoped critical']);
  });

  test('an accept without a condition is default-accept whatever earlier rules took away', () => {
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 0:30000 -j DROP',
      '-A INPUT -p udp -m udp --dport 0:30000 -j DROP',
      '-A INPUT -j ACCEPT',
    ];
    expect(exposures('client-01', rules)).toEqual(['default-accept critical']);
  });
});

describe('who is entitled', () => {
  test('a storage node that the client does not use is not', () => {
    const config = {
      ...CONFIG,
      hosts: {
        ...CONFIG.hosts,
        'sn-02': { role: 'storage-node', addresses: ['192.0.2.21'] },
        'client-01': { role: 'client', addresses: ['192.0.2.101'], storage_nodes: ['sn-01'] },
      },
    };
    const rules = ['-A INPUT -s 192.0.2.21/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT'];
    expect(exposures('client-01', rules, config)).toEqual(['client-inbound-unscoped high']);
  });

  test('a known host of another datazone is not, and is no unknown source', () => {
    const config = {
      ...CONFIG,
      hosts: { ...CONFIG.hosts, 'client-01': { role: 'client', addresses: ['192.0.2.101'], datazone: 'B' } },
    };
    expect(exposures('client-01', [], config)).toEqual([
      'client-inbound-unscoped high',
      'client-inbound-unscoped high',
    ]);
  });
});

describe('packets that do not exist', () => {
  test('a new connection has no connection mark', () => {
    expect(exposures('client-01', ['-A INPUT -m connmark --mark 0x1 -j ACCEPT'])).toEqual([]);
  });

  test('what DNAT sends to another host does not arrive here', () => {
    const nat =
      '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination 203.0.113.2:9090\nCOMMIT\n';
    const rules = ['-A INPUT -p tcp -m conntrack --ctstate DNAT -j ACCEPT'];
    expect(exposures('client-01', rules, CONFIG, nat)).toEqual([]);
  });
});

test("a required path that the host's own NAT takes elsewhere is missing", () => {
  const nat =
    '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 7938 -j REDIRECT --to-ports 22\nCOMMIT\n';
  const { findings } = scanTexts(
    { 'client-01.rules': dump(['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'], nat) },
    CONFIG,
  );
  const missing = findings.filter((f) => f.check === 'missing-required-path');
  expect(missing.map((f) => [f.severity, f.origin?.chain])).toEqual([['high', 'PREROUTING']]);
});

test('no command is proposed with a chain name that a shell would read', () => {
  const text =
    '*filter\n:INPUT DROP [0:0]\n:$(id) - [0:0]\n-A INPUT -j $(id)\n-A $(id) -p tcp -m tcp --dport 9090 -j ACCEPT\nCOMMIT\n';
  const { findings } = scanTexts({ 'client-01.rules': text }, CONFIG);
  expect(findings.length).toBeGreaterThan(0);
  const commands = findings.flatMap((f) => f.remediation?.commands ?? []);
  expect(commands.filter((c) => c.command.includes('$('))).toEqual([]);
});

test('sources too scattered to list do not stop the host', () => {
  const rules = ['-A INPUT -s 0.0.0.1/0.0.0.1 -p tcp -m tcp --dport 8000 -j ACCEPT'];
  expect(exposures('client-01', rules)[0]).toMatch(/^client-inbound-unscoped/);
});

describe('the forward side', () => {
  const GATEWAY = {
    admin_networks: ['198.51.100.0/28'],
    hosts: {
      'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
      'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
      'client-01': { role: 'client', addresses: ['203.0.113.101'] },
      'gw-01': { role: 'gateway', addresses: ['192.0.2.1'] },
    },
  };
  const forwarded = (rules: readonly string[], config: unknown = GATEWAY, tables = '', host = 'gw-01') => {
    const head = '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n';
    const text = `${tables}${head}${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`;
    return scanTexts({ [`${host}.rules`]: text }, config).findings.filter(
      (f) => f.hook === 'forward' && f.check !== 'undocumented-rule',
    );
  };
  const ALL = 'client-01, nw-server and sn-01';

  test('one rule for another port on the way to several hosts is one finding that names them', () => {
    const found = forwarded(['-p tcp -m tcp --dport 2375 -j ACCEPT']);
    expect(found).toMatchObject([
      { check: 'undeclared-port', severity: 'medium', certainty: 'certain', host: 'gw-01' },
    ]);
    expect(found[0]!.message).toContain(
      `gw-01, on the way to ${ALL}, accepts tcp/2375 from any IPv4 address`,
    );
    expect(found[0]!.remediation?.note).toContain(`an exception to ${ALL}.`);
  });

  test('an exception counts for the host that it names, and those left over are named', () => {
    const exceptions = [
      { to: 'sn-01', from: '0.0.0.0/0', ports: 'tcp/2375', reason: 'test', expires: '2099-01-01' },
    ];
    const rule = '-p tcp -m tcp --dport 2375 -j ACCEPT';
    const [found, ...others] = forwarded([rule], { ...GATEWAY, exceptions }).filter(
      ({ check }) => check === 'undeclared-port',
    );
    expect(others).toEqual([]);
    expect(found!.message).toContain('on the way to client-01 and nw-server, accepts tcp/2375');
    // Who else is declared behind the gateway makes it no other finding.
    expect(found!.fingerprint).toBe(forwarded([rule])[0]!.fingerprint);
  });

  test('severity follows the source, as on the input side', () => {
    const found = forwarded([
      '-s 198.51.100.0/28 -d 192.0.2.10/32 -p tcp -m tcp --dport 22 -j ACCEPT',
      '-s 203.0.113.0/24 -d 192.0.2.10/32 -p udp -m udp --dport 161 -j ACCEPT',
      '-s 203.0.113.101/32 -d 192.0.2.10/32 -p tcp -m tcp --dport 4369 -j ACCEPT',
    ]);
    expect(found.map((f) => `${f.check} ${f.severity} ${f.origin?.line}`)).toEqual([
      'never-remote-port medium 7',
      'undeclared-port low 6',
      'undeclared-port info 5',
    ]);
  });

  test("ports of addresses that no declared host has, ICMP, and DHCP clients are nobody's business", () => {
    expect(
      forwarded([
        '-d 192.0.2.80/32 -p tcp -m tcp --dport 443 -j ACCEPT',
        '-p icmp -j ACCEPT',
        '-p udp -m udp --dport 68 -j ACCEPT',
      ]),
    ).toEqual([]);
  });

  test('a rule that names an interface and no destination hangs on routes, which no export holds', () => {
    const port = '-p tcp -m tcp --dport 443 -j ACCEPT';
    const [open] = forwarded([`-i lan0 -o wan0 ${port}`]);
    expect(open).toMatchObject({ certainty: 'possible', unknowns: ['the way there leads out by wan0'] });
    const sure = ['-o lan0 -d 192.0.2.0/24', '! -o docker0', '-i wan0'].map(
      (rule) => forwarded([`${rule} ${port}`])[0]?.certainty,
    );
    expect(sure).toEqual(['certain', 'certain', 'certain']);
  });

  const translation = (rule: string) => `*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING ${rule}\nCOMMIT\n`;
  const CLIENT = {
    admin_networks: GATEWAY.admin_networks,
    hosts: { ...GATEWAY.hosts, 'gw-01': { role: 'client' } },
  };

  test('a translation to a host of the estate is told there, not once more at the rule behind it', () => {
    const dnat = translation('-p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.10:22');
    const found = forwarded(['-d 192.0.2.10/32 -p tcp -m tcp --dport 22 -j ACCEPT'], CLIENT, dnat);
    expect(found).toMatchObject([{ check: 'undeclared-port', severity: 'medium', origin: { line: 3 } }]);
    expect(found[0]!.message).toContain('accepts tcp/22 (translated, from port 2222) from any IPv4 address');
    expect(found[0]!.related).toMatchObject([{ origin: { line: 9 } }]);
  });

  test('the rule behind a translation that lets in more is told too', () => {
    const dnat = translation(
      '-s 203.0.113.7/32 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.10:22',
    );
    const found = forwarded(['-d 192.0.2.10/32 -p tcp -m tcp --dport 22 -j ACCEPT'], CLIENT, dnat);
    expect(found.map((f) => `${f.severity} ${f.origin?.line}`)).toEqual(['medium 9', 'low 3']);
  });

  test('a rule for everybody is told on the way to those whom no translation reaches, with a packet to one of them', () => {
    const alike = {
      ...GATEWAY,
      hosts: { ...GATEWAY.hosts, 'client-00': { role: 'client', addresses: ['203.0.113.100'] } },
    };
    // client-00 and client-01 are judged alike, and what is told of the first of them is not told of the other by mistake.
    const dnat = translation('-p tcp -m tcp --dport 2222 -j DNAT --to-destination 203.0.113.100:22');
    const found = forwarded(['-d 203.0.113.96/28 -p tcp -m tcp --dport 22 -j ACCEPT'], alike, dnat);
    expect(found.map((f) => `${f.origin?.line} ${f.witness?.daddr}`)).toEqual([
      '3 192.0.2.1',
      '9 203.0.113.101',
    ]);
    expect(found[1]!.message).toContain('gw-01, on the way to client-01, accepts tcp/22');
  });

  describe('a translation by a map of nft makes a host one that forwards', () => {
    const rule = (chain: string, expr: readonly unknown[], handle: number) => ({
      rule: { family: 'ip', table: 't', chain, handle, expr },
    });
    const port = { payload: { protocol: 'tcp', field: 'dport' } };
    const scanned = (addr: unknown, accepted: string) => {
      const nftables = [
        { metainfo: { version: '1.0.6', json_schema_version: 1 } },
        { table: { family: 'ip', name: 't', handle: 1 } },
        {
          chain: {
            family: 'ip',
            table: 't',
            name: 'pre',
            handle: 1,
            type: 'nat',
            hook: 'prerouting',
            prio: -100,
            policy: 'accept',
          },
        },
        {
          chain: {
            family: 'ip',
            table: 't',
            name: 'fwd',
            handle: 2,
            type: 'filter',
            hook: 'forward',
            prio: 0,
            policy: 'drop',
          },
        },
        rule('pre', [{ dnat: { family: 'ip', addr } }], 3),
        rule(
          'fwd',
          [
            { match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right: accepted } },
            { accept: null },
          ],
          4,
        ),
      ];
      const files = { 'gw-01.json': JSON.stringify({ nftables }, null, 1) };
      return scanTexts(files, CLIENT).findings.filter(
        (f) => f.hook === 'forward' && f.check !== 'undocumented-rule',
      );
    };
    const known = {
      map: {
        key: port,
        data: {
          set: [
            [2222, '192.0.2.10'],
            [2223, '203.0.113.101'],
          ],
        },
      },
    };

    test('each element is told on the way to the host that it names', () => {
      const ofMap = (accepted: string) =>
        scanned(known, accepted)
          .filter(({ origin }) => origin?.path === '$.nftables[4].rule')
          .map((f) => `${f.check} ${f.certainty} ${f.witness?.dport} ${f.message.split(',')[1]}`);
      expect(ofMap('192.0.2.10')).toEqual(['undeclared-port certain 2222  on the way to nw-server']);
      expect(ofMap('203.0.113.101')).toEqual(['undeclared-port certain 2223  on the way to client-01']);
      expect(ofMap('192.0.2.80')).toEqual([]);
    });

    test('an expression that is not read may send packets to each host that the forward side lets them reach', () => {
      const found = (accepted: string) =>
        scanned({ jhash: { expr: port, mod: 2 } }, accepted)
          .filter(({ origin }) => origin?.chain === 'pre')
          .map((f) => `${f.certainty} ${f.message.split(',')[1]}`);
      expect(found('192.0.2.10')).toEqual(['possible  on the way to nw-server']);
      expect(found('203.0.113.101')).toEqual(['possible  on the way to client-01']);
      expect(found('192.0.2.80')).toEqual([]);
    });
  });

  test('a translation that the forward side stops opens nothing', () => {
    const dnat = translation('-p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.10:22');
    expect(forwarded([], CLIENT, dnat)).toEqual([]);
  });
});

describe('rules on the way to many hosts', () => {
  const CONFIG_OF = {
    admin_networks: ['198.51.100.0/28'],
    hosts: {
      'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
      'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
      'client-01': { role: 'client', addresses: ['203.0.113.101'] },
      'client-02': { role: 'client', addresses: ['203.0.113.102'] },
      'gw-01': { role: 'gateway', addresses: ['192.0.2.1'] },
    },
  };
  const scanned = (files: Readonly<Record<string, string>>, config: unknown = CONFIG_OF) =>
    scanTexts(files, config).findings.filter((f) => f.hook === 'forward' && f.check !== 'undocumented-rule');
  const table = (policy: string, rules: readonly string[], more = '') =>
    `${more}*filter\n:INPUT DROP [0:0]\n:FORWARD ${policy} [0:0]\n:GUARD - [0:0]\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  const forwarded = (policy: string, rules: readonly string[], more = '') =>
    scanned({ 'gw-01.rules': table(policy, rules, more) });
  const told = (findings: readonly Finding[]) => findings.map((f) => `${f.check} ${f.origin?.line}`).sort();

  test('what one rule opens of the range is one finding for hosts of all roles, and the admin port in it one more', () => {
    const found = forwarded('DROP', ['FORWARD -i wan0 -j ACCEPT']);
    expect(told(found)).toEqual(['admin-port-inside-open-range 5', 'dynamic-range-any-source 5']);
    expect(found.map((f) => f.message)).toEqual([
      'gw-01, on the way to nmc-01, accepts tcp/9090 from any IPv4 address by this rule for the data ports; only admin networks need it.',
      'gw-01, on the way to client-01, client-02, nmc-01 and nw-server, accepts tcp/7937-9936 and further ports from any IPv4 address; each of these hosts needs it from its own peers only.',
    ]);
    expect(found[1]!.exposure).toMatchObject({ dport: ['7937-9936'], except: [] });
  });

  test('clients alone keep the finding about clients', () => {
    const found = forwarded('DROP', ['FORWARD -d 203.0.113.0/24 -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);
    expect(told(found)).toEqual(['client-inbound-unscoped 5']);
    expect(found[0]!.message).toContain('on the way to client-01 and client-02, accepts');
    expect(found[0]!.message).toContain('only nw-server needs it');
  });

  test('a narrow source that nobody is entitled to is one finding, one with peers in it a finding for each difference', () => {
    const stranger = forwarded('DROP', ['FORWARD -s 10.1.2.0/24 -p tcp -m tcp --dport 7939:9000 -j ACCEPT']);
    expect(told(stranger)).toEqual(['dynamic-range-beyond-peers 5']);
    expect(stranger[0]!.severity).toBe('high');
    const mixed = forwarded('DROP', ['FORWARD -s 192.0.2.0/24 -p tcp -m tcp --dport 7939:9000 -j ACCEPT']);
    // The server may reach clients, and nobody of that network the server: 7939-9000 of it is what clients need.
    const sources = new Map(mixed.map((f) => [f.message.split(', accepts')[0], f.exposure?.saddr.join(' ')]));
    expect(mixed.map((f) => f.check).sort()).toEqual([
      'client-inbound-unscoped',
      'dynamic-range-beyond-peers',
    ]);
    expect(sources.get('gw-01, on the way to client-01 and client-02')).toContain('192.0.2.11');
    expect(sources.get('gw-01, on the way to client-01 and client-02')).not.toMatch(/192\.0\.2\.10\b/);
  });

  test('hosts of one range are one mismatch, hosts of another one more', () => {
    const hosts = {
      ...CONFIG_OF.hosts,
      'client-01': { ...CONFIG_OF.hosts['client-01'], service_ports: '7937-7954' },
      'client-02': { ...CONFIG_OF.hosts['client-02'], service_ports: '7937-7954' },
      'client-03': { role: 'client', addresses: ['203.0.113.103'], service_ports: '7937-8050' },
    };
    const rule = 'FORWARD -s 192.0.2.10/32 -d 203.0.113.0/24 -p tcp -m tcp --dport 7938:9936 -j ACCEPT';
    const found = scanned({ 'gw-01.rules': table('DROP', [rule]) }, { ...CONFIG_OF, hosts });
    expect(told(found)).toEqual(['range-mismatch 5', 'range-mismatch 5']);
    expect(found.map((f) => f.message).sort()).toEqual([
      expect.stringContaining('but the services of client-01 and client-02 listen on 7937-7954 only'),
      expect.stringContaining('but the services of client-03 listen on 7937-8050 only'),
    ]);
  });

  describe('where the forward side accepts by default', () => {
    const DOCKER = [
      'FORWARD -i br0 ! -o br0 -j ACCEPT',
      'FORWARD -d 192.0.2.10/32 -p tcp -m tcp --dport 22 -j ACCEPT',
    ];

    test('rules that open no more than that are told there', () => {
      const found = forwarded('ACCEPT', DOCKER);
      expect(told(found)).toEqual(['default-accept 3']);
      expect(found[0]!.severity).toBe('high');
      expect(told(forwarded('DROP', DOCKER)).length).toBeGreaterThan(1);
    });

    test.each([
      ['an input rule that drops', ['INPUT -j DROP']],
      ['a drop of packets to others', ['FORWARD -d 10.0.0.0/8 -j DROP', 'GUARD -j DROP']],
      ['a log and a counter', ['FORWARD -j LOG']],
      ['a rule without a condition instead of the policy', ['FORWARD -j ACCEPT']],
    ])('%s changes nothing', (_name, rules) => {
      const checks = forwarded('ACCEPT', [...DOCKER, ...rules]).map((f) => f.check);
      expect(checks.filter((check) => check !== 'redundant-rule')).toEqual(['default-accept']);
    });

    test.each([
      ['a drop behind it', ['FORWARD -d 192.0.2.10/32 -j DROP']],
      [
        'a chain that only its packets would come to',
        ['FORWARD -d 192.0.2.10/32 -p tcp -j GUARD', 'GUARD -p tcp -m tcp --dport 1:1023 -j REJECT'],
      ],
      ['a target that may stop them', ['FORWARD -d 192.0.2.0/24 -j NFQUEUE --queue-num 1']],
      [
        'an unknown test that may stop them',
        ['FORWARD -d 192.0.2.0/24 -m geoip --source-country XX -j DROP'],
      ],
      [
        'a mark that rules behind it may ask for',
        ['FORWARD -d 192.0.2.10/32 -j MARK --set-mark 1', 'FORWARD -m mark --mark 1 -j DROP'],
      ],
    ])('%s keeps the finding about the rule', (_name, rules) => {
      const found = told(forwarded('ACCEPT', [DOCKER[1]!, ...rules]));
      expect(found).toContain('undeclared-port 5');
    });

    test('a rate limit is no default', () => {
      const found = told(forwarded('DROP', [DOCKER[1]!, 'FORWARD -m limit --limit 5/sec -j ACCEPT']));
      expect(found).toContain('undeclared-port 5');
    });

    test('of one IP version says nothing of the other', () => {
      const six = table('DROP', ['FORWARD -d 2001:db8::10/128 -p tcp -m tcp --dport 22 -j ACCEPT']);
      const server = { role: 'server', addresses: ['192.0.2.10', '2001:db8::10'] };
      const config = { ...CONFIG_OF, hosts: { ...CONFIG_OF.hosts, 'nw-server': server } };
      const files = { 'gw-01/iptables.rules': table('ACCEPT', DOCKER), 'gw-01/ip6tables.rules': six };
      expect(told(scanned(files, config))).toEqual(['default-accept 3', 'undeclared-port 5']);
    });

    test('a translation is a hole of its own', () => {
      const nat =
        '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.10:22\nCOMMIT\n';
      expect(told(forwarded('ACCEPT', DOCKER, nat))).toEqual(['default-accept 7', 'undeclared-port 3']);
    });
  });
});

test('packets that no chain looks at are told as such, with what to do', () => {
  const nat = '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n';
  const config = { hosts: { 'gw-01': { roles: ['gateway', 'client'], addresses: ['192.0.2.1'] } } };
  const found = scanTexts({ 'gw-01.rules': nat }, config).findings.filter(
    (f) => f.check === 'default-accept',
  );
  expect(found.map((f) => f.message)).toEqual([
    "gw-01 accepts from any IPv4 address whatever no earlier rule stops (tcp, udp/0-65535), through the kernel's own default: no chain of the export filters incoming IPv4 packets.",
    "gw-01 passes on from any IPv4 address whatever no earlier rule stops (tcp, udp/0-65535), through the kernel's own default: no chain of the export filters forwarded IPv4 packets.",
  ]);
  expect(found[0]!.remediation?.note).toContain('sudo nft -j list ruleset');
  expect(found[1]!.remediation?.note).toContain('iptables -P FORWARD DROP');
});

describe('a message tells no more and no less than the rule opens', () => {
  const message = (check: string, rules: string, policy = 'DROP') => {
    const text = `*filter\n:INPUT ${policy} [0:0]\n:FORWARD DROP [0:0]\n${rules}COMMIT\n`;
    return scanTexts({ 'client-01.rules': text }, CONFIG).findings.find((f) => f.check === check)?.message;
  };

  test('a chain policy that lets in everything but UDP is not told to let UDP in', () => {
    const [some, all] = ['-A INPUT -p udp -j DROP\n', ''].map((rules) =>
      message('default-accept', rules, 'ACCEPT'),
    );
    expect(some).toContain('(tcp/');
    expect(all).toContain('(tcp, udp/');
  });

  test('a rule for more than the service range is told to be that', () => {
    const [wide, exact] = ['7000:9936', '7938:9936'].map((ports) =>
      message('client-inbound-unscoped', `-A INPUT -p tcp -m tcp --dport ${ports} -j ACCEPT\n`),
    );
    expect(wide).toContain('accepts tcp/7937-9936 and further ports from any IPv4 address');
    expect(exact).toContain('accepts tcp/7938-9936 from any IPv4 address');
  });
});

describe('sources that a mask with holes scatters', () => {
  test('are the lowest ranges, and the message does not call them all', () => {
    const [exact, scattered] = ['255.255.240.255', '255.0.0.255'].map((mask) => {
      const rules = [`-A INPUT -s 198.18.0.7/${mask} -p tcp -m tcp --dport 7938:9936 -j ACCEPT`];
      const { findings } = scanTexts({ 'client-01.rules': dump(rules) }, CONFIG);
      return findings.find((f) => f.check === 'client-inbound-unscoped')!.message;
    });
    expect(exact).toMatch(/ 198\.18\.2\.7 and 13 more;/);
    expect(scattered).toMatch(/ and at least 4997 more;/);
  });
});
