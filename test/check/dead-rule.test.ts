import { describe, expect, test } from 'vitest';
import { scanTexts } from '../scan-support.ts';

const HYGIENE = ['shadowed-rule', 'redundant-rule', 'unmatchable-rule', 'unused-chain', 'never-hit-rule'];

interface Told {
  readonly check: string;
  readonly severity: string;
  readonly line: number | undefined;
  readonly message: string;
}

function told(files: Record<string, string>): Told[] {
  return scanTexts(files)
    .findings.filter(({ check }) => HYGIENE.includes(check))
    .map(({ check, severity, origin, message }) => ({ check, severity, line: origin?.line, message }));
}

/** One filter table; the first rule stands in the line behind the chains. */
function filter(rules: readonly string[], chains: readonly string[] = [], more = ''): Record<string, string> {
  const head = ['*filter', ':INPUT DROP [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]'];
  const text = [...head, ...chains.map((c) => `:${c} - [0:0]`), ...rules, 'COMMIT', more].join('\n');
  return { 'host.rules': text };
}

/** `check severity rule` for each finding, by the text of the rule. */
function summary(rules: readonly string[], chains: readonly string[] = [], more = ''): string[] {
  const files = filter(rules, chains, more);
  const lines = files['host.rules']!.split('\n');
  return told(files).map(({ check, severity, line }) => `${check} ${severity} ${lines[(line ?? 1) - 1]}`);
}

describe('rules of called chains', () => {
  const SSH = '-A ssh -s 192.0.2.7/32 -j ACCEPT';

  test('die of what the caller decides before', () => {
    const rules = ['-A INPUT -s 192.0.2.0/24 -j DROP', '-A INPUT -p tcp -j ssh', SSH, '-A ssh -j ACCEPT'];
    expect(summary(rules, ['ssh'])).toEqual([`shadowed-rule medium ${SSH}`]);
  });

  test('live where one call site sends them packets', () => {
    const rules = [
      '-A INPUT -s 192.0.2.0/24 -j DROP',
      '-A INPUT -p tcp -j ssh',
      '-A FORWARD -p tcp -j ssh',
      SSH,
      '-A ssh -j ACCEPT',
    ];
    expect(summary(rules, ['ssh']).filter((one) => one.startsWith('shadowed'))).toEqual([]);
  });

  test('name the blocking chain in the message', () => {
    const rules = ['-A INPUT -s 192.0.2.0/24 -j DROP', '-A INPUT -p tcp -j ssh', SSH, '-A ssh -j ACCEPT'];
    expect(told(filter(rules, ['ssh']))[0]!.message).toContain('line 6 of the export in chain INPUT');
  });

  test('name the chain alone, and its table too where that is another one', () => {
    const here = ['-A INPUT -s 192.0.2.0/24 -j DROP', '-A INPUT -p tcp -j ssh', SSH, '-A ssh -j ACCEPT'];
    const raw = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -s 192.0.2.0/24 -j DROP\nCOMMIT\n';
    const messages = (rules: readonly string[], chains: readonly string[], more = '') =>
      told(filter(rules, chains, more))
        .filter(({ check }) => check !== 'unused-chain')
        .map(({ message }) => message);
    expect(messages(here, ['ssh'])[0]).toMatch(/line 6 of the export in chain INPUT(?! of table)/);
    const rule = '-A INPUT -s 192.0.2.7/32 -p tcp -m tcp --dport 22 -j ACCEPT';
    expect(messages([rule], [], raw)[0]).toMatch(/line 9 of the export in chain PREROUTING of table raw/);
    const own = messages(['-A INPUT -s 192.0.2.0/24 -j DROP', rule], []);
    expect(own[0]).toMatch(/line 5 of the export(?! in chain)/);
  });

  test('name the policy that takes their packets, with its table', () => {
    const raw = '*raw\n:PREROUTING DROP [0:0]\n-A PREROUTING -s 198.51.100.0/24 -j ACCEPT\nCOMMIT\n';
    const rule = '-A INPUT -s 192.0.2.7/32 -p tcp -m tcp --dport 22 -j ACCEPT';
    expect(told(filter([rule], [], raw)).map(({ message }) => message)).toEqual([
      expect.stringContaining('the policy of chain PREROUTING of table raw'),
    ]);
  });

  test('are taken by their own chain, not by another call of it', () => {
    const rules = [
      '-A INPUT -i eth0 -j ssh',
      '-A INPUT -i eth1 -j ssh',
      '-A ssh -s 192.0.2.0/25 -j DROP',
      '-A ssh -s 192.0.2.128/25 -j DROP',
      '-A ssh -s 192.0.2.0/24 -j ACCEPT',
    ];
    const found = told(filter(rules, ['ssh'])).filter(({ check }) => check === 'shadowed-rule');
    expect(found.map(({ message }) => message)).toEqual([
      'On host, every packet this rule is about is decided before by lines 8 and 9 of the export together (no fewer rules do it), with another verdict. The rule never decides anything.',
    ]);
  });

  test('are not told one by one where nothing enters the chain', () => {
    const rules = ['-A INPUT -j ACCEPT', '-A INPUT -p tcp -j ssh', SSH, '-A ssh -p tcp -j DROP'];
    expect(summary(rules, ['ssh']).filter((one) => one.includes(' -A ssh '))).toEqual([]);
  });
});

describe('blockers', () => {
  test('are the smallest set, where a greedy choice is larger', () => {
    // The widest rule takes most, but with it two more are needed; without it two do.
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 10:59 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 1:30 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 31:60 -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 1:60 -j ACCEPT',
    ];
    const found = told(filter(rules)).find(({ check }) => check === 'shadowed-rule');
    expect(found?.message).toContain('lines 6 and 7 of the export together (no fewer rules do it)');
  });

  test('of two small parts of everything is one rule, where one does it alone', () => {
    const rules = [
      '-A INPUT -s 192.0.2.1/32 -j ACCEPT',
      '-A INPUT -p tcp -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    ];
    const message = told(filter(rules)).find(({ check }) => check === 'shadowed-rule')?.message;
    expect(message).toContain('before by line 6 of the export, with the same verdict');
  });
});

describe('the severity of a shadowed rule', () => {
  test('goes by its blockers, not by what other rules do with some of its packets', () => {
    const rules = [
      '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 25 -j DROP',
      '-A INPUT -i eth0 -p tcp -m tcp --dport 25 -j DROP',
    ];
    expect(summary(rules)).toEqual(['shadowed-rule low -A INPUT -i eth0 -p tcp -m tcp --dport 25 -j DROP']);
  });
});

describe('what nft does not print', () => {
  const rejecting = (table: string) => {
    const chain = {
      family: 'ip',
      table,
      name: 'INPUT',
      type: 'filter',
      hook: 'input',
      prio: 0,
      policy: 'drop',
    };
    const xt = { xt: { type: 'target', name: 'REJECT' } };
    const tcp = { match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'tcp' } };
    const rules = [[tcp, xt], [xt], [tcp, { drop: null }]].map((expr, i) => ({
      rule: { family: 'ip', table, chain: 'INPUT', handle: 10 + i, expr },
    }));
    return {
      'host.json': JSON.stringify({
        nftables: [{ table: { family: 'ip', name: table } }, { chain }, ...rules],
      }),
    };
  };

  test('may make two rejects different', () => {
    expect(told(rejecting('filter')).map(({ check }) => check)).toEqual(['shadowed-rule']);
  });

  test('is not looked at in the table of another program', () => {
    expect(told(rejecting('docker-bridges'))).toEqual([]);
  });
});

describe('a goto before', () => {
  test('decides as the policy of the base chain, whatever the chain of the goto leaves open', () => {
    const rules = [
      '-A INPUT -p tcp -g on',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A on -p udp -j ACCEPT',
    ];
    expect(summary(rules, ['on'])).toContain(
      'shadowed-rule medium -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    );
  });

  test('in a called chain decides as the calling chain goes on', () => {
    const rules = [
      '-A INPUT -p tcp -j called',
      '-A INPUT -j ACCEPT',
      '-A called -p tcp -g on',
      '-A called -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A on -p tcp -m tcp --dport 1 -j ACCEPT',
    ];
    const rule = '-A called -p tcp -m tcp --dport 22 -j ACCEPT';
    expect(summary(rules, ['called', 'on'])).toContain(`shadowed-rule low ${rule}`);
  });
});

describe('a rule that later ones repeat', () => {
  test('does not repeat itself where its chain is called again', () => {
    const rules = [
      '-A INPUT -i eth+ -j web',
      '-A INPUT -i eth0 -j web',
      '-A web -p tcp -m tcp --dport 80 -j ACCEPT',
    ];
    expect(summary(rules, ['web']).filter((one) => one.startsWith('redundant'))).toEqual([]);
    const around = [
      '-A INPUT -j outer',
      '-A INPUT -j outer',
      '-A outer -j web',
      '-A web -p tcp -m tcp --dport 80 -j ACCEPT',
    ];
    expect(summary(around, ['outer', 'web']).filter((one) => one.startsWith('redundant'))).toEqual([]);
    const wide = [rules[0]!, rules[2]!, '-A INPUT -p tcp -j ACCEPT'];
    expect(summary(wide, ['web'])).toContain('redundant-rule low -A web -p tcp -m tcp --dport 80 -j ACCEPT');
  });

  const NARROW = '-A INPUT -s 192.0.2.1/32 -p tcp -m tcp --dport 22 -j ACCEPT';

  test('is redundant through a chain that returns its packets', () => {
    const rules = [NARROW, '-A INPUT -j nothing', '-A INPUT -p tcp -j ACCEPT', '-A nothing -p udp -j DROP'];
    expect(summary(rules, ['nothing'])).toEqual([`redundant-rule low ${NARROW}`]);
  });

  test.each([
    [
      'a chain drops some of them',
      ['-A INPUT -j other', '-A INPUT -p tcp -j ACCEPT', '-A other -p tcp -m tcp --sport 5 -j DROP'],
    ],
    [
      'a rate limit would count them',
      ['-A INPUT -p tcp -m limit --limit 1/s -j DROP', '-A INPUT -p tcp -j ACCEPT'],
    ],
    [
      'they would be marked',
      ['-A INPUT -p tcp -j MARK --set-xmark 0x1/0xffffffff', '-A INPUT -p tcp -j ACCEPT'],
    ],
    ['they would be logged', ['-A INPUT -p tcp -j LOG', '-A INPUT -p tcp -j ACCEPT']],
    ['only the policy decides', []],
  ])('is not redundant where %s', (_, later) => {
    const chains = later.some((one) => one.includes('other')) ? ['other'] : [];
    expect(summary([NARROW, ...later], chains).filter((one) => one.startsWith('redundant'))).toEqual([]);
  });

  test('rests on no other rule that is redundant', () => {
    // Each of the first two could go alone; without both of them 192.0.2.1 is dropped.
    const rules = [
      '-A INPUT -s 192.0.2.1/32 -j ACCEPT',
      '-A INPUT -s 192.0.2.0/30 -j ACCEPT',
      '-A INPUT -s 192.0.2.1/32 -j DROP',
      '-A INPUT -s 192.0.2.0/29 -j ACCEPT',
    ];
    const found = summary(rules).filter((one) => one.startsWith('redundant'));
    expect(found).toHaveLength(1);
  });

  test('is not told where its repetition is dead for it', () => {
    const rules = ['-A INPUT -p tcp -j ACCEPT', '-A INPUT -p tcp -j ACCEPT'];
    expect(summary(rules).map((one) => one.split(' ')[0])).toEqual(['shadowed-rule']);
  });

  test('in a nat chain counts the translation as its verdict', () => {
    const nat = (first: string, second: string) =>
      `*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 192.0.2.1/32 ${first}\n-A POSTROUTING -s 192.0.2.0/24 ${second}\nCOMMIT`;
    const to = '-j SNAT --to-source 198.51.100.1';
    expect(summary([], [], nat(to, to))).toEqual([`redundant-rule low -A POSTROUTING -s 192.0.2.1/32 ${to}`]);
    expect(summary([], [], nat('-j ACCEPT', to))).toEqual([]);
  });
});

describe('elements', () => {
  const SETS = 'create peers hash:net family inet\n';
  const USE = '-A INPUT -p tcp -m set --match-set peers src -j ACCEPT';
  const files = (rules: readonly string[], adds: readonly string[]) => ({
    'host/iptables.rules': filter(rules)['host.rules']!,
    'host/ipset.save': `${SETS}${adds.map((one) => `add peers ${one}\n`).join('')}`,
  });

  test('of a set are dead where an earlier rule takes their packets', () => {
    const found = told(files(['-A INPUT -s 192.0.2.0/24 -j DROP', USE], ['192.0.2.5', '198.51.100.5']));
    expect(found.map(({ check, message }) => [check, message.includes('192.0.2.5/32 of set peers')])).toEqual(
      [['shadowed-rule', true]],
    );
  });

  test('of a set live where another rule asks the set', () => {
    const rules = [
      '-A FORWARD -m set --match-set peers src -j ACCEPT',
      '-A INPUT -s 192.0.2.0/24 -j DROP',
      USE,
    ];
    expect(told(files(rules, ['192.0.2.5', '198.51.100.5']))).toEqual([]);
  });

  test('of a set live where a rule asks for those that are not in it', () => {
    const rules = [
      '-A FORWARD -m set ! --match-set peers src -j ACCEPT',
      '-A INPUT -s 192.0.2.0/24 -j DROP',
      USE,
    ];
    expect(told(files(rules, ['192.0.2.5', '198.51.100.5']))).toEqual([]);
  });

  test('among thousands are found by the addresses that come through', () => {
    const adds = Array.from({ length: 5000 }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
    const found = told(files(['-A INPUT -s 198.18.3.0/24 -j DROP', USE], [...adds, '198.18.3.0/25']));
    const shadowed = found.filter(({ check }) => check === 'shadowed-rule').map(({ message }) => message);
    expect(shadowed).toHaveLength(1);
    expect(shadowed[0]).toContain('and 250 more of set peers');
    const covered = found.find(({ check }) => check === 'redundant-rule')?.message;
    expect(covered).toContain('and 121 more of set peers');
  });

  test('of a list of ports are told by port', () => {
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 7937 -j DROP',
      '-A INPUT -p tcp -m multiport --dports 7937,7939,9000:9010 -j ACCEPT',
    ];
    const messages = told(filter(rules)).map(({ message }) => message);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain('decides nothing for 7937 in this rule');
  });
});

describe('advice that would contradict itself', () => {
  test('names the redundant rule, and not the element that it rests on', () => {
    const rules = [
      '-A INPUT -p tcp -m tcp --dport 7937 -j ACCEPT',
      '-A INPUT -p tcp -m multiport --dports 7937,7939 -j ACCEPT',
    ];
    expect(told(filter(rules)).map(({ check, line }) => `${check} ${line}`)).toEqual(['redundant-rule 5']);
  });
});

describe('fragments and translated connections', () => {
  test('a rule for fragments is not unmatchable where nothing puts them together', () => {
    const found = summary(['-A FORWARD -f -j DROP']);
    expect(found).toEqual([]);
  });

  test('a rule behind NAT is not dead for what an earlier table drops of the address before', () => {
    const more = [
      '*mangle',
      ':PREROUTING ACCEPT [0:0]',
      ':POSTROUTING ACCEPT [0:0]',
      '-A PREROUTING -d 192.0.2.9/32 -j DROP',
      'COMMIT',
      '*nat',
      ':PREROUTING ACCEPT [0:0]',
      ':POSTROUTING ACCEPT [0:0]',
      '-A PREROUTING -p tcp -m tcp --dport 443 -j DNAT --to-destination 192.0.2.9',
      'COMMIT',
    ].join('\n');
    expect(
      summary(['-A FORWARD -d 192.0.2.9/32 -p udp -m conntrack --ctstate ESTABLISHED -j ACCEPT'], [], more),
    ).toEqual([]);
  });
});

describe('chains that nothing leads to', () => {
  test('are told once, with those below them', () => {
    const rules = ['-A a -j b', '-A b -j ACCEPT'];
    const found = told(filter(rules, ['a', 'b', 'DOCKER-USER']));
    expect(found).toHaveLength(1);
    expect(found[0]!.message).toContain('chain a of table filter, which has one rule. Nor does any to b.');
  });

  test('that lead to each other are told once', () => {
    const found = told(filter(['-A a -p tcp -j b', '-A b -p udp -j a'], ['a', 'b']));
    expect(found.filter(({ check }) => check === 'unused-chain')).toHaveLength(1);
  });
});

describe('counters', () => {
  const counted = (counts: readonly number[]) =>
    filter(counts.map((n, i) => `[${n}:${n * 60}] -A INPUT -s 192.0.2.${i + 1}/32 -j ACCEPT`));

  test('name the rules that have counted nothing, once a chain', () => {
    const found = told(counted([5, 0, 0]));
    expect(found.map(({ check, line }) => `${check} ${line}`)).toEqual(['never-hit-rule 6']);
    expect(found[0]!.message).toContain('2 rules of 3 with counters in chain INPUT have counted no packet');
  });

  test('say nothing where all of a chain are zero', () => {
    expect(told(counted([0, 0, 0]))).toEqual([]);
  });

  test('of dead rules are not told again', () => {
    const rules = ['[5:300] -A INPUT -p tcp -j ACCEPT', '[0:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT'];
    expect(told(filter(rules)).map(({ check }) => check)).toEqual(['shadowed-rule']);
  });
});
