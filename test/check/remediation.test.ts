import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/finding/index.ts';
import { scanOptions, scanTexts } from '../scan-support.ts';

const CONFIG = {
  admin_networks: ['198.51.100.0/28'],
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10', '2001:db8::10'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101', '2001:db8::101'] },
  },
};

interface NftRule {
  readonly expr: readonly unknown[];
  readonly handle?: number;
  readonly comment?: string;
  readonly chain?: string;
}

const match = (left: unknown, right: unknown, op = '==') => ({ match: { op, left, right } });
const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const dport = (right: unknown) => match(payload('tcp', 'dport'), right);
const ACCEPT = { accept: null };
const USUAL: readonly NftRule[] = [
  { handle: 2, expr: [match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), ACCEPT] },
  { handle: 3, expr: [match({ meta: { key: 'iifname' } }, 'lo'), ACCEPT] },
];

/** One line of JSON, as nft prints it. */
function nftExport(
  rules: readonly NftRule[],
  {
    family = 'inet',
    table = 'filter',
    chain = 'input',
    policy = 'drop',
    chains = [] as readonly string[],
  } = {},
): string {
  const base = { family, table, name: chain, handle: 1, type: 'filter', hook: 'input', prio: 0, policy };
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family, name: table, handle: 1 } },
      { chain: base },
      ...chains.map((name, i) => ({ chain: { family, table, name, handle: 100 + i } })),
      ...rules.map((rule) => ({ rule: { family, table, chain, ...rule } })),
    ],
  });
}

function findingsOf(text: string, check: string, config: unknown = CONFIG, host = 'client-01'): Finding[] {
  const { findings } = scanTexts({ [`${host}.json`]: text }, config);
  return findings.filter((f) => f.check === check);
}

function only(findings: readonly Finding[]): Finding {
  expect(findings).toHaveLength(1);
  return findings[0]!;
}

const OPEN_RANGE: NftRule = { handle: 23, expr: [dport({ range: [7938, 9936] }), ACCEPT] };

describe('nft', () => {
  test('a rule is replaced by its handle, in a set where two sources need the same', () => {
    const config = {
      ...CONFIG,
      hosts: { ...CONFIG.hosts, 'nw-server': { role: 'server', addresses: ['192.0.2.10'] } },
    };
    const found = only(findingsOf(nftExport([...USUAL, OPEN_RANGE]), 'client-inbound-unscoped', config));
    expect(found.remediation?.commands).toEqual([
      {
        dialect: 'nft',
        replace: 'tcp dport 7938-9936 accept',
        with: ['ip saddr { 192.0.2.10, 192.0.2.20 } tcp dport 7938-9936 accept'],
        command:
          "nft replace rule inet filter input handle 23 'ip saddr { 192.0.2.10, 192.0.2.20 } tcp dport 7938-9936 accept'",
      },
    ]);
    expect(found.origin?.handle).toBe(23);
  });

  test('both IP versions in one table take two rules, and nothing is closed before both stand', () => {
    const found = only(findingsOf(nftExport([...USUAL, OPEN_RANGE]), 'client-inbound-unscoped'));
    const lines = found.remediation?.commands[0]?.command.split(' && \\\n') ?? [];
    expect(lines.map((line) => line.slice(0, 48))).toEqual([
      "nft insert rule inet filter input handle 23 'ip ",
      'nft replace rule inet filter input handle 23 ip6',
    ]);
  });

  test('other conditions, counters and the comment of a replaced rule stay', () => {
    const rule: NftRule = {
      handle: 5,
      comment: 'ticket CHG-1042',
      expr: [
        match({ meta: { key: 'iifname' } }, 'eth0'),
        dport({ set: [7938, 9000] }),
        { limit: { rate: 10, per: 'minute', burst: 5 } },
        { counter: { packets: 4, bytes: 240 } },
        ACCEPT,
      ],
    };
    const found = only(findingsOf(nftExport([...USUAL, rule]), 'client-inbound-unscoped'));
    expect(found.remediation?.commands[0]?.with[0]).toBe(
      'iifname "eth0" ip saddr { 192.0.2.10, 192.0.2.20 } tcp dport { 7938, 9000 } limit rate 10/minute burst 5 packets counter accept comment "ticket CHG-1042"',
    );
  });

  test('a rule without a handle gets its text, and how to learn the handle', () => {
    const { handle: _, ...rule } = OPEN_RANGE;
    const found = only(findingsOf(nftExport([...USUAL, rule]), 'client-inbound-unscoped'));
    expect(found.remediation?.commands.map((c) => c.command)).toEqual(['']);
    expect(found.remediation?.note).toContain('"nft -a list chain inet filter input"');
  });

  test('a map is not replaced as a whole, since its other branches do no harm', () => {
    const vmap = {
      vmap: {
        key: payload('tcp', 'dport'),
        data: {
          set: [
            [9090, ACCEPT],
            [22, { jump: { target: 'admins' } }],
          ],
        },
      },
    };
    const admins: NftRule = {
      chain: 'admins',
      handle: 9,
      expr: [match(payload('ip', 'saddr'), { prefix: { addr: '198.51.100.0', len: 28 } }), ACCEPT],
    };
    const text = nftExport([...USUAL, { handle: 7, expr: [vmap] }, admins], { chains: ['admins'] });
    const found = only(findingsOf(text, 'admin-port-on-wrong-host'));
    expect(found.remediation?.commands).toEqual([]);
    expect(found.remediation?.note).toMatch(/handle 7 .* map/);
  });

  test('a table of firewalld gets no command, but the word that firewalld writes it anew', () => {
    const found = only(
      findingsOf(nftExport([...USUAL, OPEN_RANGE], { table: 'firewalld' }), 'client-inbound-unscoped'),
    );
    expect(found.remediation?.commands).toEqual([]);
    expect(found.remediation?.note).toContain('firewall-cmd --permanent');
  });

  test.each(['$(id)', 'a b', "x'y", 'x;flush', '-f', 'x`id`', 'x\nflush ruleset', ''])(
    'no command is proposed with the table or chain name %j',
    (name) => {
      for (const where of [{ table: name }, { chain: name }]) {
        const { findings } = scanTexts(
          { 'client-01.json': nftExport([...USUAL, OPEN_RANGE], where) },
          CONFIG,
        );
        const commands = findings.flatMap((f) => f.remediation?.commands ?? []);
        expect(commands.filter((c) => c.command.includes(name === '' ? "''" : name))).toEqual([]);
      }
    },
  );

  test.each([
    { text: "eth0'; reboot; '", left: { meta: { key: 'iifname' } } },
    { text: 'eth0"; flush ruleset; "', left: { meta: { key: 'iifname' } } },
    { text: 'eth0 accept; flush ruleset', left: { meta: { key: 'iifname' } } },
    { text: '$(reboot)', left: { meta: { key: 'skuid' } } },
  ])('a condition with the value $text is in no command', ({ text, left }) => {
    const rule: NftRule = { handle: 5, expr: [match(left, text), dport(7938), ACCEPT] };
    const { findings } = scanTexts({ 'client-01.json': nftExport([...USUAL, rule]) }, CONFIG);
    const commands = findings.flatMap((f) => f.remediation?.commands ?? []).map((c) => c.command);
    expect(commands.filter((c) => /reboot|flush/.test(c))).toEqual([]);
  });
});

describe('a table that iptables wrote, seen through nft', () => {
  const where = { family: 'ip', table: 'filter', chain: 'INPUT' };

  test('is changed with iptables, by the number of the rule', () => {
    const rule: NftRule = {
      handle: 9,
      expr: [match({ meta: { key: 'iifname' } }, 'eth0'), dport({ range: [7938, 9936] }), ACCEPT],
    };
    const found = only(findingsOf(nftExport([...USUAL, rule], where), 'client-inbound-unscoped'));
    expect(found.remediation?.commands.map((c) => [c.dialect, c.command.split(' && ')[0]])).toEqual([
      ['iptables', 'iptables -R INPUT 3 -s 192.0.2.10/32 -p tcp -m tcp --dport 7938:9936 -i eth0 -j ACCEPT'],
    ]);
  });

  test('gets no command for a rule with a test that nft does not show', () => {
    const rule: NftRule = {
      handle: 9,
      expr: [{ xt: { type: 'match', name: 'string' } }, dport({ range: [7938, 9936] }), ACCEPT],
    };
    const found = findingsOf(nftExport([...USUAL, rule], where), 'client-inbound-unscoped');
    expect(found.flatMap((f) => f.remediation?.commands ?? [])).toEqual([]);
    expect(found[0]?.remediation?.note).toContain('by hand');
  });

  test('is one of nft where it has sets, which iptables does not write', () => {
    const ports: NftRule = { handle: 8, expr: [dport({ set: [80, 443] }), ACCEPT] };
    const found = only(
      findingsOf(nftExport([...USUAL, ports, OPEN_RANGE], where), 'client-inbound-unscoped'),
    );
    expect(found.remediation?.commands.map((c) => c.dialect)).toEqual(['nft']);
  });
});

describe('what a command would take away besides', () => {
  const iptables = (rules: readonly string[], policy = 'DROP') =>
    [`*filter\n:INPUT ${policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]`, ...rules, 'COMMIT\n'].join(
      '\n',
    );
  const scanned = (text: string, check: string, config: unknown = CONFIG) =>
    scanTexts({ 'client-01.rules': text }, config).findings.filter(
      (f) => f.check === check && f.hook === 'input',
    );

  test('ports of other services are named', () => {
    const text = iptables([
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -p tcp -m multiport --dports 22,7938:9936 -j ACCEPT',
    ]);
    expect(only(scanned(text, 'client-inbound-unscoped')).remediation?.note).toMatch(/port 22\b/);
  });

  test('a policy is closed behind what is missing only', () => {
    const text = iptables(
      [
        '-A INPUT -i lo -j ACCEPT',
        '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
      ],
      'ACCEPT',
    );
    expect(only(scanned(text, 'default-accept')).remediation?.commands.map((c) => c.with)).toEqual([
      ['-A INPUT -s 192.0.2.20/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT', '-P INPUT DROP'],
    ]);
  });

  test('a policy is not closed where nobody knows who needs what', () => {
    const found = only(scanned(iptables([], 'ACCEPT'), 'default-accept', { hosts: { 'client-01': {} } }));
    expect(found.remediation?.commands).toEqual([]);
    expect(found.remediation?.note).toContain('nwaudit.yaml');
  });

  test('an exception in force is kept', () => {
    const config = {
      ...CONFIG,
      exceptions: [
        {
          id: 'restore-lab',
          to: 'client-01',
          from: '203.0.113.7',
          ports: 'tcp/7938-7999',
          reason: 'restore tests',
          owner: 'backup-team',
          expires: '2027-03-31',
        },
      ],
    };
    const text = iptables(['-A INPUT -i lo -j ACCEPT', '-A INPUT -p tcp -m tcp --dport 7938:9936 -j ACCEPT']);
    expect(only(scanned(text, 'client-inbound-unscoped', config)).remediation?.commands[0]?.with).toContain(
      '-A INPUT -s 203.0.113.7/32 -p tcp -m tcp --dport 7938:7999 -j ACCEPT',
    );
  });
});

describe('many sources', () => {
  const nodes = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `sn-${i}`,
        { role: 'storage-node', addresses: [`192.0.2.${20 + 2 * i}`] },
      ]),
    );
  const text = [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
    'COMMIT\n',
  ].join('\n');
  /** With the server. */
  const withSources = (count: number, exceptions: readonly unknown[] = []) => {
    const hosts = {
      'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
      'client-01': CONFIG.hosts['client-01'],
      ...nodes(count - 1),
    };
    const { findings } = scanTexts({ 'client-01.rules': text }, { ...CONFIG, hosts, exceptions });
    const found = findings.filter((f) => f.check === 'client-inbound-unscoped' && f.hook === 'input');
    return only(found).remediation!.commands[0]!.command.split(' && \\\n');
  };

  test('get a rule each up to twelve', () => {
    const lines = withSources(12);
    expect(lines).toHaveLength(12);
    expect(lines[0]).toBe('iptables -R INPUT 2 -s 192.0.2.10/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT');
  });

  test('beyond that are an ipset, which stands before the rule that asks it', () => {
    const lines = withSources(13);
    expect(lines).toHaveLength(15);
    expect(lines[0]).toBe('ipset create nw-tcp-7938 hash:net');
    expect(lines[1]).toBe('ipset add nw-tcp-7938 192.0.2.10/32');
    expect(lines.at(-1)).toBe(
      'iptables -R INPUT 2 -m set --match-set nw-tcp-7938 src -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
    );
  });

  test('are a set for each list of ports, with a name of its own, and a source alone is none', () => {
    const exception = {
      to: 'client-01',
      reason: 'restore tests',
      owner: 'backup-team',
      expires: '2027-03-31',
    };
    const lab = { id: 'lab', from: ['203.0.113.7', '203.0.113.9'], ports: 'tcp/7938-7999' };
    const one = { id: 'one', from: '203.0.113.20', ports: 'tcp/7938-8049' };
    const lines = withSources(
      13,
      [lab, one].map((given) => ({ ...exception, ...given })),
    );
    expect(lines.filter((line) => line.startsWith('ipset create'))).toEqual([
      'ipset create nw-tcp-7938 hash:net',
      'ipset create nw-tcp-7938-2 hash:net',
    ]);
    expect(lines.filter((line) => line.startsWith('ipset add nw-tcp-7938-2'))).toEqual([
      'ipset add nw-tcp-7938-2 203.0.113.7/32',
      'ipset add nw-tcp-7938-2 203.0.113.9/32',
    ]);
    expect(
      lines.filter((line) => line.startsWith('iptables')).map((line) => line.split(' -p tcp')[0]),
    ).toEqual([
      'iptables -R INPUT 2 -m set --match-set nw-tcp-7938 src',
      'iptables -I INPUT 3 -m set --match-set nw-tcp-7938-2 src',
      'iptables -I INPUT 4 -s 203.0.113.20/32',
    ]);
  });
});

describe('tests that an export does not explain', () => {
  test('thousands of one kind are one finding with the first places', () => {
    const rules = Array.from(
      { length: 3000 },
      (_, i): NftRule => ({
        handle: 10 + i,
        expr: [{ xt: { type: 'match', name: 'string' } }, dport(7938), ACCEPT],
      }),
    );
    const text = nftExport([...USUAL, ...rules], { family: 'ip', chain: 'INPUT' });
    const checks = scanOptions().checks.filter((c) => c.id === 'opaque-match');
    const { findings } = scanTexts({ 'client-01.json': text }, CONFIG, { checks });
    const found = only(findings);
    expect(found.message).toMatch(/^3000 rules hang on a test that nft does not show/);
    expect(found.related).toHaveLength(5);
    expect(found.remediation?.note).toContain('"iptables-save" and "ip6tables-save"');
    expect(found.message.length).toBeLessThan(600);
  });

  test('the fingerprint does not change with handles', () => {
    const prints = [9, 90].map((handle) => {
      const rule: NftRule = {
        handle,
        expr: [{ xt: { type: 'match', name: 'string' } }, dport(7938), ACCEPT],
      };
      return findingsOf(nftExport([...USUAL, rule]), 'opaque-match').map((f) => f.fingerprint);
    });
    expect(prints[0]).toHaveLength(1);
    expect(prints[0]).toEqual(prints[1]);
  });
});

describe('dead rules', () => {
  const text = (policy: string, last: string) =>
    [
      `*filter\n:INPUT ${policy} [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:SSH - [0:0]`,
      '-A INPUT -p tcp -m tcp --dport 22 -g SSH',
      `-A INPUT -p tcp -m tcp --dport 22 -j ${last}`,
      '-A SSH -s 198.51.100.0/28 -j DROP',
      'COMMIT\n',
    ].join('\n');

  test.each([
    ['DROP', 'DROP', 'low'],
    ['ACCEPT', 'DROP', 'medium'],
    ['DROP', 'ACCEPT', 'medium'],
  ])('behind a goto the policy (%s) is what the rule (%s) is compared with: %s', (policy, last, severity) => {
    const { findings } = scanTexts({ 'client-01.rules': text(policy, last) }, CONFIG);
    const found = only(findings.filter((f) => f.check === 'shadowed-rule'));
    expect(found.severity).toBe(severity);
    expect((found.remediation?.commands ?? []).length).toBe(severity === 'low' ? 1 : 0);
  });

  test('in an export of nft the rules that take the packets are named by handle', () => {
    const rules: NftRule[] = [
      { handle: 11, expr: [dport(22), ACCEPT] },
      { handle: 12, expr: [match(payload('ip', 'saddr'), '198.51.100.1'), dport(22), ACCEPT] },
    ];
    const found = only(findingsOf(nftExport([...USUAL, ...rules]), 'shadowed-rule'));
    expect(found.message).toContain('the rule with handle 11');
    expect(found.remediation?.commands.map((c) => c.command)).toEqual([
      'nft delete rule inet filter input handle 12',
    ]);
  });
});

test('an nft export with tables of one IP version alone is no word about the other', () => {
  const found = only(findingsOf(nftExport(USUAL, { family: 'ip' }), 'ip-version-not-exported'));
  expect(found.message).toContain('none of its IPv6 rules');
  expect(found.remediation?.note).toContain('nothing filters IPv6');
  expect(findingsOf(nftExport(USUAL), 'ip-version-not-exported')).toEqual([]);
});

test('a host of which a table was not read is open possibly, not certainly', () => {
  const text = '*surprise\n:INPUT DROP [0:0]\nCOMMIT\n';
  const { findings } = scanTexts({ 'client-01.rules': text }, CONFIG);
  const open = findings.filter((f) => f.check === 'default-accept');
  expect(open.map((f) => f.certainty)).toEqual(open.map(() => 'possible'));
  expect(open.length).toBeGreaterThan(0);
});
