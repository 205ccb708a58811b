/** Checks that say with predicates what they look for: what each predicate asks, on rule sets that differ in just that. */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Report } from '../../src/finding/index.ts';
import { parseCheck } from '../../src/rulepack/parse.ts';
import { bindCheck, PREDICATES } from '../../src/scan.ts';
import { scanTexts } from '../scan-support.ts';

const FACTS = {
  accepts: '{host} {hook} {place} {sources} > {destinations} {service} {source} but {allowed}',
  blocks: '{host} {hook} {place}{others} {sources} > {destinations} {service} but {allowed}',
  none: '{host} {hook} {place}',
};

/** A check with these predicates, as its author writes it. */
function checkOf(scope: string, when: string, message?: string) {
  const kind = /^(accepts|blocks)/m.exec(when)?.[1] ?? 'none';
  const text = [
    'id: mine',
    'title: Mine',
    'severity: high',
    `scope: ${scope}`,
    'when:',
    ...when.split('\n').map((line) => `  ${line}`),
    // The keys of the table are the only values the expression gives.
    `message: "${message ?? FACTS[kind as keyof typeof FACTS]}"`,
    'rationale: because',
    'remediation: do',
    'examples:',
    '  bad: [{ name: a, files: { a.rules: "" }, expect: [{}] }]',
    '  good: [{ name: a, files: { a.rules: "" } }]',
  ].join('\n');
  return parseCheck(text, 'mine.yaml', bindCheck);
}

function report(
  scope: string,
  when: string,
  files: Readonly<Record<string, string>>,
  config?: unknown,
): Report {
  const decoded = checkOf(scope, when);
  if (decoded.kind === 'bad') throw new Error(JSON.stringify(decoded.problems));
  return scanTexts(files, config, { checks: [decoded.value] });
}

/** Messages, `?` before those that are only possible. */
function found(
  scope: string,
  when: string,
  files: Readonly<Record<string, string>>,
  config?: unknown,
): string[] {
  return report(scope, when, files, config).findings.map(
    ({ certainty, message }) => `${certainty === 'possible' ? '? ' : ''}${message}`,
  );
}

function filter(rules: readonly string[], policy = 'DROP'): string {
  return [
    '*filter',
    `:INPUT ${policy} [0:0]`,
    ':FORWARD DROP [0:0]',
    ':OUTPUT DROP [0:0]',
    ...rules,
    'COMMIT',
    '',
  ].join('\n');
}

const CONFIG = {
  admin_networks: ['198.51.100.0/28'],
  role_networks: { client: ['192.0.2.128/25'] },
  hosts: {
    'app-01': { role: 'server', addresses: ['192.0.2.10'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20', '2001:db8::20'] },
    'sn-02': { role: 'storage-node' },
  },
  exceptions: [
    {
      id: 'lab',
      to: 'app-01',
      from: '203.0.113.7',
      ports: 'tcp/22',
      reason: 'r',
      owner: 'o',
      expires: '2027-01-01',
    },
    {
      id: 'old',
      to: 'app-01',
      from: '203.0.113.8',
      ports: 'tcp/22',
      reason: 'r',
      owner: 'o',
      expires: '2026-01-01',
    },
  ],
};

describe('accepts-any-of', () => {
  const ssh = 'accepts-any-of: { protocol: tcp, dport: 22 }';

  test('blames the rule that lets packets through, with who reaches what', () => {
    const files = {
      'app-01.rules': filter(['-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 20:30 -j ACCEPT']),
    };
    expect(found('rule', ssh, files)).toEqual([
      'app-01 input the rule "-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 20:30 -j ACCEPT" 192.0.2.0/24 > the host tcp/22 narrow but nobody',
    ]);
  });

  test('does not blame a rule whose packets an earlier rule takes, or a later chain drops', () => {
    const files = {
      'app-01.rules': [
        '*mangle',
        ':PREROUTING ACCEPT [0:0]',
        '-A PREROUTING -s 192.0.2.0/25 -j DROP',
        'COMMIT',
        filter([
          '-A INPUT -s 192.0.2.128/25 -j DROP',
          '-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT',
        ]),
      ].join('\n'),
    };
    expect(found('rule', ssh, files)).toEqual([]);
  });

  test('asks for the port as delivered', () => {
    const files = {
      'app-01.rules': [
        '*mangle',
        ':PREROUTING ACCEPT [0:0]',
        '-A PREROUTING -p tcp -m tcp --dport 2222 -j MARK --set-xmark 0x1/0xffffffff',
        'COMMIT',
        '*nat',
        ':PREROUTING ACCEPT [0:0]',
        '-A PREROUTING -p tcp -m tcp --dport 2222 -j REDIRECT --to-ports 22',
        'COMMIT',
        filter(['-A INPUT -p tcp -m tcp --dport 22 -m mark --mark 0x1 -j ACCEPT']),
      ].join('\n'),
    };
    const [finding] = report('rule', ssh, files).findings;
    expect(finding).toMatchObject({ certainty: 'certain', witness: { dport: 2222 } });
    expect(found('rule', 'accepts-any-of: { protocol: tcp, dport: 2222 }', files)).toEqual([]);
  });

  test('a policy that accepts is blamed like a rule, also of the whole host', () => {
    const files = {
      'app-01.rules': filter(['-A INPUT -p tcp -m tcp --dport 22 -s 203.0.113.0/24 -j DROP'], 'ACCEPT'),
    };
    const policy = 'the policy of chain INPUT (ACCEPT)';
    expect(found('rule', ssh, files)[0]).toContain(policy);
    expect(found('host', ssh, files)).toHaveLength(1);
    expect(found('host', ssh, files)[0]).toContain(`${policy} any IPv4 address > the host tcp/22 any`);
  });

  test('what hangs on an undecided test is possible and names it', () => {
    const files = {
      'app-01.rules': filter(['-A INPUT -p tcp -m tcp --dport 22 -m string --algo bm --string x -j ACCEPT']),
    };
    const [finding] = report('rule', ssh, files).findings;
    expect(finding).toMatchObject({ certainty: 'possible', unknowns: [expect.stringContaining('string')] });
  });

  test('excepted are addresses, roles with their networks, hosts, admin networks and exceptions in force', () => {
    const open = (source: string) => ({
      'app-01.rules': filter([`-A INPUT -s ${source} -p tcp -m tcp --dport 22 -j ACCEPT`]),
    });
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['{ addresses: 192.0.2.0/24 }', '192.0.2.7', true],
      ['{ addresses: 192.0.2.0-192.0.2.6 }', '192.0.2.7', false],
      ['{ roles: [client] }', '192.0.2.200', true],
      ['{ roles: [client] }', '192.0.2.100', false],
      ['{ hosts: [sn-01] }', '192.0.2.20', true],
      ['{ admin-networks: true }', '198.51.100.3', true],
      ['{ exceptions: true }', '203.0.113.7', true],
      ['{ exceptions: [lab] }', '203.0.113.7', true],
      ['{ exceptions: [other] }', '203.0.113.7', false],
      ['{ exceptions: true }', '203.0.113.8', false],
    ];
    for (const [except, source, isExcepted] of cases) {
      const when = `accepts-any-of: { protocol: tcp, dport: 22, except-from: ${except} }`;
      expect([except, source, found('rule', when, open(source), CONFIG).length]).toEqual([
        except,
        source,
        isExcepted ? 0 : 1,
      ]);
    }
  });

  test('who is excepted without a known address may be who gets in: possible, unless anybody does', () => {
    const when = 'accepts-any-of: { protocol: tcp, dport: 22, except-from: { hosts: ["sn-*"] } }';
    const narrow = { 'app-01.rules': filter(['-A INPUT -s 203.0.113.9 -p tcp -m tcp --dport 22 -j ACCEPT']) };
    const [finding] = report('rule', when, narrow, CONFIG).findings;
    expect(finding).toMatchObject({
      certainty: 'possible',
      unknowns: ['the addresses of sn-02, which nwaudit.yaml does not give'],
    });
    const any = { 'app-01.rules': filter(['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT']) };
    expect(report('rule', when, any, CONFIG).findings).toMatchObject([{ certainty: 'certain' }]);
  });

  test('other options: protocol, source port, type of ICMP, IP version, interface, service range', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['{ protocol: udp, dport: 22 }', '-p tcp -m tcp --dport 22', false],
      ['{ protocol: [udp, tcp], dport: 22 }', '-p tcp -m tcp --dport 22', true],
      ['{ protocol: 47 }', '-p 47', true],
      ['{ protocol: tcp, sport: 53 }', '-p tcp -m tcp --sport 53', true],
      ['{ protocol: tcp, sport: 54 }', '-p tcp -m tcp --sport 53', false],
      ['{ icmp-type: 8 }', '-p icmp -m icmp --icmp-type 8', true],
      ['{ icmp-type: 0-7 }', '-p icmp -m icmp --icmp-type 8', false],
      ['{ ip-version: 6, dport: 22 }', '-p tcp -m tcp --dport 22', false],
      ['{ ip-version: 4, dport: 22 }', '-p tcp -m tcp --dport 22', true],
      ['{ interface: eth0, dport: 22 }', '-i eth0 -p tcp -m tcp --dport 22', true],
      ['{ interface: eth7, dport: 22 }', '-i eth0 -p tcp -m tcp --dport 22', false],
      ['{ interface: eth7, dport: 22 }', '-i eth+ -p tcp -m tcp --dport 22', true],
      ['{ dport: service-range }', '-p tcp -m tcp --dport 8000', true],
      ['{ dport: service-range }', '-p tcp -m tcp --dport 80', false],
      ['{ dport: [80, 8000-8100] }', '-p tcp -m tcp --dport 8090', true],
    ];
    for (const [packets, matches, isFound] of cases) {
      const files = { 'app-01.rules': filter([`-A INPUT ${matches} -j ACCEPT`]) };
      expect([packets, matches, found('rule', `accepts-any-of: ${packets}`, files).length]).toEqual([
        packets,
        matches,
        isFound ? 1 : 0,
      ]);
    }
  });
});

describe('accepts-all-of', () => {
  const when = 'accepts-all-of: { protocol: tcp, dport: 22-23 }';

  test.each([
    ['everything', ['-A INPUT -p tcp -m tcp --dport 20:30 -j ACCEPT'], 1],
    ['a port too few', ['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'], 0],
    ['an address too few', ['-A INPUT ! -s 203.0.113.7 -p tcp -m tcp --dport 20:30 -j ACCEPT'], 0],
    [
      'two rules together',
      ['-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT', '-A INPUT -p tcp -m tcp --dport 23 -j ACCEPT'],
      1,
    ],
    ['on one interface', ['-A INPUT -i eth0 -p tcp -m tcp --dport 20:30 -j ACCEPT'], 1],
    ['on one own address', ['-A INPUT -d 192.0.2.10/32 -p tcp -m tcp --dport 20:30 -j ACCEPT'], 1],
  ] as const)('of the host: %s', (_, rules, count) => {
    expect(found('host', when, { 'app-01.rules': filter(rules) })).toHaveLength(count);
  });

  test('of a rule: what other rules accept does not count', () => {
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 23 -j ACCEPT',
    ];
    expect(found('rule', when, { 'app-01.rules': filter(rules) })).toEqual([]);
    expect(found('chain', when, { 'app-01.rules': filter(rules) })).toHaveLength(1);
  });

  test('certain only where no undecided test is needed for any part', () => {
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 23 -m limit --limit 1/sec -j ACCEPT',
    ];
    const [finding] = report('host', when, { 'app-01.rules': filter(rules) }).findings;
    expect(finding?.certainty).toBe('possible');
  });
});

describe('blocks-any-of and blocks-all-of', () => {
  const any = 'blocks-any-of: { protocol: tcp, dport: 22-23, from: { admin-networks: true } }';
  const all = 'blocks-all-of: { protocol: tcp, dport: 22-23, from: { admin-networks: true } }';
  const admins = '-s 198.51.100.0/28 -p tcp -m tcp';

  test.each([
    ['open', [`-A INPUT ${admins} --dport 20:30 -j ACCEPT`], 0, 0],
    ['one port closed', [`-A INPUT ${admins} --dport 22 -j ACCEPT`], 1, 0],
    [
      'one address closed',
      ['-A INPUT -s 198.51.100.2 -j DROP', `-A INPUT ${admins} --dport 20:30 -j ACCEPT`],
      1,
      0,
    ],
    ['closed', [], 1, 1],
    [
      'closed to new connections',
      [`-A INPUT ${admins} --dport 20:30 -m conntrack --ctstate ESTABLISHED -j ACCEPT`],
      1,
      1,
    ],
    ['a rate limit is open', [`-A INPUT ${admins} --dport 20:30 -m limit --limit 1/sec -j ACCEPT`], 0, 0],
  ] as const)('%s', (_, rules, some, whole) => {
    const files = { 'app-01.rules': filter(rules) };
    expect([found('host', any, files, CONFIG).length, found('host', all, files, CONFIG).length]).toEqual([
      some,
      whole,
    ]);
  });

  test('names the rule that stops the packets, who sends them, and what to add before it', () => {
    const rule = '-A INPUT -p tcp -m tcp --dport 23 -j REJECT --reject-with icmp-port-unreachable';
    const files = { 'app-01.rules': filter([rule, `-A INPUT ${admins} --dport 20:30 -j ACCEPT`]) };
    const [finding] = report('host', any, files, CONFIG).findings;
    expect(finding?.message).toBe(
      `app-01 input the rule "${rule}" 198.51.100.0/28 > the host tcp/23 but nobody`,
    );
    expect(finding?.origin?.line).toBe(5);
    expect(finding?.remediation?.commands[0]?.command).toBe(
      'iptables -I INPUT 1 -s 198.51.100.0/28 -p tcp -m tcp --dport 23 -j ACCEPT',
    );
  });

  test('a set that was not exported makes it possible', () => {
    const files = {
      'app-01.rules': filter([
        `-A INPUT -m set --match-set admins src -p tcp -m tcp --dport 20:30 -j ACCEPT`,
      ]),
    };
    expect(report('host', any, files, CONFIG).findings).toMatchObject([{ certainty: 'possible' }]);
    expect(report('host', all, files, CONFIG).findings).toMatchObject([{ certainty: 'possible' }]);
  });

  test('a peer of both IP versions needs one that works', () => {
    const when = 'blocks-any-of: { protocol: tcp, dport: 22, from: { roles: [storage-node] } }';
    const four = filter(['-A INPUT -s 192.0.2.20 -p tcp -m tcp --dport 22 -j ACCEPT']);
    const six = `# Generated by ip6tables-save v1.8.9\n${filter([])}`;
    const config = {
      ...CONFIG,
      hosts: { ...CONFIG.hosts, 'app-01': { role: 'server', addresses: ['192.0.2.10', '2001:db8::10'] } },
    };
    const files = { 'app-01/v4.rules': four, 'app-01/v6.rules': six };
    expect(found('host', when, files, config)).toEqual([]);
    expect(found('host', when, { ...files, 'app-01/v4.rules': filter([]) }, config)).toHaveLength(1);
  });

  test('of the output side: where the host itself cannot go', () => {
    const when = 'hook: output\nblocks-any-of: { protocol: udp, dport: 123, to: { addresses: 192.0.2.5 } }';
    expect(found('host', when, { 'app-01.rules': filter([]) }, CONFIG)).toEqual([
      'app-01 output the policy of chain OUTPUT (DROP) 192.0.2.10 > 192.0.2.5 udp/123 but nobody',
    ]);
    const open = filter(['-A OUTPUT -d 192.0.2.0/24 -p udp -m udp --dport 123 -j ACCEPT']);
    expect(found('host', when, { 'app-01.rules': open }, CONFIG)).toEqual([]);
  });

  test('nobody to ask for gives nothing', () => {
    const when = 'blocks-any-of: { protocol: tcp, dport: 22, from: { hosts: [nobody] } }';
    expect(found('host', when, { 'app-01.rules': filter([]) }, CONFIG)).toEqual([]);
  });
});

describe('forward and output', () => {
  test('what a gateway passes on, by delivered destination', () => {
    const text = [
      '*nat',
      ':PREROUTING ACCEPT [0:0]',
      '-A PREROUTING -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.20:22',
      'COMMIT',
      '*filter',
      ':FORWARD DROP [0:0]',
      '-A FORWARD -d 192.0.2.20/32 -p tcp -m tcp --dport 22 -j ACCEPT',
      'COMMIT',
    ].join('\n');
    const when = (to: string) => `hook: forward\naccepts-any-of: { protocol: tcp, dport: 22, to: ${to} }`;
    expect(found('rule', when('{ hosts: [sn-01] }'), { 'gw-01.rules': text }, CONFIG)).toHaveLength(1);
    expect(found('rule', when('{ hosts: [app-01] }'), { 'gw-01.rules': text }, CONFIG)).toEqual([]);
  });

  test('what a host may ask others for', () => {
    const when =
      'hook: output\naccepts-any-of: { protocol: tcp, dport: 443, except-to: { addresses: 192.0.2.0/24 } }\nopen-to: any';
    const open = { 'app-01.rules': filter(['-A OUTPUT -p tcp -m tcp --dport 443 -j ACCEPT']) };
    const closed = { 'app-01.rules': filter(['-A OUTPUT -d 192.0.2.7 -p tcp -m tcp --dport 443 -j ACCEPT']) };
    expect(found('rule', when, open, CONFIG)).toHaveLength(1);
    expect(found('rule', when, closed, CONFIG)).toEqual([]);
  });
});

describe('predicates that packets do not matter to', () => {
  const files = {
    'app-01.rules': filter([
      '-A INPUT -j TRUSTED',
      '-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "ticket 7" -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -j DROP',
      '-A TRUSTED -i lo -j ACCEPT',
      '-A f2b-sshd -j RETURN',
      '-A INPUT -j f2b-sshd',
    ]).replace(':OUTPUT', ':TRUSTED - [0:0]\n:f2b-sshd - [0:0]\n:OUTPUT'),
  };
  const policy = 'app-01 input the policy of chain INPUT (DROP)';
  const rule = (text: string) => `app-01 input the rule "${text}"`;

  test.each([
    ['verdict: drop', [policy, rule('-A INPUT -p tcp -m tcp --dport 22 -j DROP')]],
    ['verdict: [return, goto]', [rule('-A f2b-sshd -j RETURN')]],
    [
      'has-comment: true',
      [rule('-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "ticket 7" -j ACCEPT')],
    ],
    ['chain: TRUSTED', [rule('-A TRUSTED -i lo -j ACCEPT')]],
    ['table: nat', []],
    ['family: ip6', []],
    ['generated: true', [rule('-A f2b-sshd -j RETURN')]],
    ['reachable: false', [rule('-A INPUT -p tcp -m tcp --dport 22 -j DROP')]],
    ['host: "APP-*"\nverdict: return', [rule('-A f2b-sshd -j RETURN')]],
    ['host: "db-*"', []],
    ['role: client', []],
    ['hook: output\nverdict: drop', ['app-01 output the policy of chain OUTPUT (DROP)']],
  ])('of a rule: %s', (when, messages) => {
    expect(found('rule', when, files).sort()).toEqual([...messages].sort());
  });

  test.each([
    ['chain-policy: drop', ['app-01 input the chain INPUT']],
    ['chain-policy: accept', []],
    [
      'reachable: true',
      ['app-01 input the chain INPUT', 'app-01 input the chain TRUSTED', 'app-01 input the chain f2b-sshd'],
    ],
  ])('of a chain: %s', (when, messages) => {
    expect(found('chain', when, files).sort()).toEqual(messages);
  });

  test('of a host: its role', () => {
    expect(found('host', 'role: server', files, CONFIG)).toEqual(['app-01 input the rule set as a whole']);
  });

  test('all of them have to hold', () => {
    expect(found('rule', 'verdict: accept\nhas-comment: false', files)).toEqual([
      rule('-A TRUSTED -i lo -j ACCEPT'),
    ]);
  });
});

describe('open-to', () => {
  test('tells access for anybody from access for some', () => {
    const files = {
      'app-01.rules': filter([
        '-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT',
        '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      ]),
    };
    const lines = (width: string) =>
      report('rule', `accepts-any-of: { dport: 22 }\nopen-to: ${width}`, files).findings.map(
        (f) => f.origin?.line,
      );
    expect(lines('any')).toEqual([6]);
    expect(lines('narrow')).toEqual([5]);
  });
});

describe('what is wrong is told with its place, all at once', () => {
  const problems = (scope: string, when: string, message?: string) => {
    const decoded = checkOf(scope, when, message);
    return decoded.kind === 'ok'
      ? []
      : decoded.problems.map((p) => `${p.line}:${p.column} ${p.path}: ${p.detail}`);
  };

  test.each([
    ['rule', 'hok: input', '6:3 when.hok: there is no such predicate; did you mean "hook"?'],
    [
      'rule',
      'blocks-any-of: { dport: 1 }',
      '6:3 when.blocks-any-of: cannot be asked of the scope "rule"; it is for host',
    ],
    [
      'host',
      'accepts-any-of: { port: 1 }',
      '6:21 when.accepts-any-of.port: unknown key; did you mean "dport"?',
    ],
    ['host', 'accepts-any-of: { from: nobody }', '6:21 when.accepts-any-of.from: expected any, or a mapping'],
    ['host', 'accepts-any-of: { except-from: {} }', '6:21 when.accepts-any-of.except-from: names nobody'],
    ['host', 'accepts-any-of: { dport: 70000 }', '6:21 when.accepts-any-of.dport: expected a number'],
    ['host', 'accepts-any-of: { dport: [1, 9-3] }', '6:32 when.accepts-any-of.dport[1]: expected a number'],
    ['host', 'accepts-any-of: { ip-version: 5 }', '6:21 when.accepts-any-of.ip-version: expected 4 or 6'],
    [
      'host',
      'accepts-any-of: { icmp-type: 8, dport: 1 }',
      '6:21 when.accepts-any-of.icmp-type: packets with a type',
    ],
    ['rule', 'open-to: any', '6:3 when.open-to: asks about packets'],
    ['rule', 'reachable: yes', '6:3 when.reachable: expected true or false'],
  ])('%s, %s', (scope, when, start) => {
    const all = problems(scope, when, '{host}');
    expect(all).toHaveLength(1);
    expect(all[0]?.startsWith(start) ? start : all[0]).toBe(start);
  });

  test('facts that there are not, by scope and predicates', () => {
    expect(problems('host', 'role: server', '{table} {sources} {host}')).toEqual([
      expect.stringContaining('message: there is no fact "table" here'),
      expect.stringContaining('message: there is no fact "sources" here'),
    ]);
    expect(problems('host', 'blocks-any-of: { dport: 1 }', '{source}')).toEqual([
      expect.stringContaining('there is no fact "source" here; did you mean "sources"?'),
    ]);
  });
});

describe('the documentation of predicates', () => {
  test.each(
    PREDICATES.flatMap(({ name, scopes, examples }) =>
      examples.map(({ yaml }) => [name, yaml, scopes] as const),
    ),
  )('%s: %s can be written so', (name, yaml, scopes) => {
    const more = name === 'open-to' ? '\naccepts-any-of: { dport: 22 }' : '';
    for (const scope of scopes) {
      const decoded = checkOf(scope, `${name}: ${yaml}${more}`, '{host}');
      expect(decoded.kind === 'ok' ? [] : decoded.problems).toEqual([]);
    }
    expect(parse(yaml)).not.toBeNull();
  });
});

test('fingerprints of such findings do not change with what is around the rule', () => {
  const when = 'accepts-any-of: { protocol: tcp, dport: 22 }';
  const rule = '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT';
  const one = report('rule', when, { 'app-01.rules': filter([rule]) }).findings[0];
  const two = report('rule', when, {
    'app-01/x.save': filter(['-A INPUT -i lo -j ACCEPT', `[7:9] ${rule}`, '-A INPUT -s 192.0.2.1 -j DROP']),
  }).findings.find((f) => f.origin?.rule?.includes('dport 22'));
  expect(two?.fingerprint).toBe(one?.fingerprint);
});
