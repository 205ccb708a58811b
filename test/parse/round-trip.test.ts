/**
 * What the real iptables-restore takes and iptables-save then prints must mean the same to the parser as what was given.
 * Needs root, network namespaces and the iptables programs; says so and does nothing where they are missing.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Condition, Rule, Table } from '../../src/model/index.ts';
import { parseIpsetSave } from '../../src/parse/ipset-save/index.ts';
import { parseIptablesSave } from '../../src/parse/iptables-save/index.ts';
import { V4_MATCHES, V6_MATCHES } from './iptables-save/match-examples.ts';
import { FILTER_TARGETS, MANGLE_TARGETS, NAT_TARGETS } from './iptables-save/target-examples.ts';
import { printCondition, printOutcome } from './print-condition.ts';

const PROBE = 'iptables-restore --version && ip6tables-restore --version && iptables -N probe';
const probe = spawnSync('unshare', ['-n', '-m', 'sh', '-c', PROBE], { encoding: 'utf8' });
const possible = probe.status === 0;
if (!possible)
  console.log('round-trip tests skipped: they need root, network namespaces and the iptables programs');

const SETS =
  'create backup hash:ip,port\ncreate a hash:ip\ncreate b hash:ip\ncreate seen hash:ip timeout 60\n';

/** Loads each line alone into a namespace of its own, then saves. Lines that do not load are named in `refused`. */
function roundTrip(
  family: 'ip' | 'ip6',
  header: string,
  rules: readonly string[],
): { readonly saved: string; readonly refused: readonly string[] } {
  const program = family === 'ip' ? 'iptables' : 'ip6tables';
  const load = rules.map(
    (rule, i) =>
      `${program}-restore --noflush <<'END' 2>/dev/null || echo "REFUSED ${i}"\n*${header}\n${rule}\nCOMMIT\nEND`,
  );
  const prepare = `ipset restore <<'END' 2>/dev/null\n${SETS}END`;
  const chain = `printf '*${header}\\n:user - [0:0]\\nCOMMIT\\n' | ${program}-restore --noflush`;
  const script = [prepare, chain, ...load, 'echo SAVED', `${program}-save -t ${header}`].join('\n');
  const run = spawnSync('unshare', ['-n', '-m', 'sh'], { input: script, encoding: 'utf8' });
  const [before = '', saved = ''] = run.stdout.split('SAVED\n');
  const refused = [...before.matchAll(/^REFUSED (\d+)$/gm)].map((m) => rules[Number(m[1])]!);
  return { saved, refused };
}

/** The rules of a table as sorted conditions and outcome; texts of unknown predicates reduced to their module. */
function meaningsOf(table: Table | undefined): readonly string[] {
  return (table?.chains ?? [])
    .filter((c) => c.name !== 'user')
    .flatMap((c) => c.rules.map((r) => `${c.name}: ${meaningOf(r)}`));
}

function meaningOf(rule: Rule): string {
  const matches = rule.matches
    .flatMap((m) => conjuncts(m.condition))
    .map((c) => blurUnknown(printCondition(c)));
  return `${[...new Set(matches)].sort().join('; ')} => ${printOutcome(rule)}${rule.comment === undefined ? '' : ` "${rule.comment}"`}`;
}

/** A condition as a list that is to hold as a whole: nested `all` opened, order within a value list made equal. */
function conjuncts(condition: Condition): readonly Condition[] {
  if (condition.kind === 'all') return condition.of.flatMap(conjuncts);
  if (condition.kind === 'interface' && condition.name === '' && condition.prefix) return [];
  if (condition.kind !== 'field') return [condition];
  return [{ ...condition, values: [...condition.values].sort((a, b) => Number(a.lo - b.lo)) }];
}

function blurUnknown(text: string): string {
  return text.replaceAll(/(unknown|varying)\(-m ([a-z0-9]+)[^()]*\)/g, '$1($2)');
}

function check(family: 'ip' | 'ip6', table: string, rules: readonly string[]): void {
  const header = table;
  const { refused } = roundTrip(family, header, rules);
  // A line with several addresses makes several rules; it is compared elsewhere.
  const kept = rules.filter((r) => !refused.includes(r) && !/,\d+\.\d+/.test(r));
  const { saved } = roundTrip(family, header, kept);
  console.log(
    `round trip ${family} ${table}: ${kept.length} rules compared, ${refused.length} not loadable here`,
  );
  const builtin = [...new Set(kept.map((r) => r.split(' ')[1]!))].map((c) => `:${c} ACCEPT [0:0]`);
  const given = `*${header}\n${builtin.join('\n')}\n:user - [0:0]\n${kept.join('\n')}\nCOMMIT\n`;
  const before = parseIptablesSave(given, 'before', { family });
  const after = parseIptablesSave(saved, 'after');
  expect(after.diagnostics.filter((d) => d.incomplete)).toEqual([]);
  const texts = kept.map((r) => r.replace(/ +/g, ' '));
  const left = meaningsOf(before.ruleset.tables[0]);
  const right = meaningsOf(after.ruleset.tables[0]);
  const differences = left.flatMap((meaning, i) =>
    meaning === right[i] ? [] : [{ given: texts[i], before: meaning, after: right[i] }],
  );
  expect(differences).toEqual([]);
  expect(right.length).toBe(left.length);
  expect(kept.length).toBeGreaterThan(rules.length / 2);
}

describe.skipIf(!possible)('rules loaded and saved by the real programs mean the same', () => {
  it('matches of iptables', () => {
    const rules = V4_MATCHES.map(([options]) =>
      options === '' ? '-A INPUT -j ACCEPT' : `-A INPUT ${options} -j ACCEPT`,
    );
    check('ip', 'filter', rules);
  });

  it('matches of ip6tables', () => {
    check(
      'ip6',
      'filter',
      V6_MATCHES.map(([options]) => `-A INPUT ${options} -j DROP`),
    );
  });

  it('targets of table filter', () => {
    check(
      'ip',
      'filter',
      FILTER_TARGETS.map(([target]) => `-A INPUT ${target}`.trimEnd()),
    );
  });

  it('targets of table mangle', () => {
    check(
      'ip',
      'mangle',
      MANGLE_TARGETS.map(([target]) => `-A PREROUTING ${target}`),
    );
  });

  it('targets of table nat', () => {
    const chainOf = (target: string): string => (/SNAT|MASQ/.test(target) ? 'POSTROUTING' : 'PREROUTING');
    const rules = NAT_TARGETS.map(([target]) => `-A ${chainOf(target)} -p tcp ${target}`);
    check('ip', 'nat', [
      ...rules.filter((r) => r.startsWith('-A PRE')),
      ...rules.filter((r) => r.startsWith('-A POST')),
    ]);
  });
});

describe.skipIf(!possible)('what a script deletes', () => {
  it.each(['iptables', 'iptables-legacy'])('is what %s deletes', (program) => {
    const script = readFileSync(
      new URL('../../fixtures/unusual/deletions-named.sh', import.meta.url),
      'utf8',
    ).replaceAll(/^iptables /gm, `${program} `);
    // One command of it deletes nothing and fails.
    const input = `{\n${script}\n} 2>/dev/null\n${program}-save -t filter`;
    const run = spawnSync('unshare', ['-n', '-m', 'sh'], { input, encoding: 'utf8' });
    const after = meaningsOf(parseIptablesSave(run.stdout, 'after').ruleset.tables[0]);
    expect(after.length).toBeGreaterThan(2);
    expect(meaningsOf(parseIptablesSave(script, 'before.sh').ruleset.tables[0])).toEqual(after);
  });
});

const SET_ELEMENTS: readonly (readonly [type: string, ...elements: string[]])[] = [
  ['hash:ip', '192.0.2.1', '192.0.2.9'],
  ['hash:ip timeout 300', '192.0.2.1', '192.0.2.2 timeout 0', '192.0.2.3 timeout 50'],
  ['hash:ip timeout 0 comment counters', '192.0.2.1 comment "a b"', '192.0.2.2 timeout 50'],
  ['hash:ip family inet6', '2001:db8::1'],
  ['hash:net', '192.0.2.0/24', '192.0.2.64/26 nomatch'],
  ['hash:net family inet6', '2001:db8::/32', '2001:db8:1::/48 nomatch'],
  [
    'hash:ip,port',
    '192.0.2.1,tcp:80',
    '192.0.2.1,udp:53',
    '192.0.2.1,icmp:echo-request',
    '192.0.2.1,icmp:8/1',
    '192.0.2.1,gre:0',
    '192.0.2.1,sctp:5',
  ],
  ['hash:ip,port,ip', '192.0.2.1,tcp:80,192.0.2.2'],
  ['hash:ip,port,net', '192.0.2.1,tcp:80,198.51.100.0/24'],
  ['hash:net,port', '192.0.2.0/24,tcp:80 nomatch'],
  ['hash:net,iface', '192.0.2.0/24,eth0', '192.0.2.0/24,eth1 wildcard'],
  ['bitmap:port range 0-1000', '22', '80'],
  ['bitmap:ip range 192.0.2.0/24', '192.0.2.4'],
  ['bitmap:ip,mac range 192.0.2.0/24', '192.0.2.4,00:00:5E:00:53:01', '192.0.2.5'],
];

describe.skipIf(!possible)('sets loaded and saved by the real ipset mean the same', () => {
  it.each(SET_ELEMENTS)('%s', (type, ...elements) => {
    const given = [`create s ${type}`, ...elements.map((e) => `add s ${e}`)].join('\n');
    const run = spawnSync('unshare', ['-n', '-m', 'sh', '-c', 'ipset restore && ipset save'], {
      input: `${given}\n`,
      encoding: 'utf8',
    });
    if (run.status !== 0) {
      console.log(`round trip of ${type} skipped: ${run.stderr.trim()}`);
      return;
    }
    const print = (text: string): readonly string[] => {
      const result = parseIpsetSave(text, 'x');
      expect(result.diagnostics).toEqual([]);
      const [set] = result.ruleset.namedSets;
      const elementsOf = set!.elements.map(({ values, nomatch, timeout }) =>
        stringify({ values, nomatch, timeout }),
      );
      return [
        stringify([set!.type, set!.dimensions, set!.version, set!.netmask, set!.dynamic]),
        ...elementsOf.sort(),
      ];
    };
    expect(print(run.stdout)).toEqual(print(given));
  });
});

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
}
