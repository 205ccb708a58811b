import { describe, expect, test } from 'vitest';
import {
  type AssignmentOptions,
  assignFilesToHosts,
  decodeInventoryData,
  type HostAssignment,
  hostNameOfFile,
  type Inventory,
} from '../../src/inventory/index.ts';

function inventoryOf(hosts: object, file = 'nwaudit.yaml'): Inventory {
  const { inventory, problems } = decodeInventoryData({ hosts }, file);
  expect(problems).toEqual([]);
  return inventory!;
}

function assign(
  paths: readonly string[],
  roots: readonly string[],
  inventory?: Inventory,
  options?: AssignmentOptions,
): HostAssignment {
  return assignFilesToHosts(
    paths.map((path) => ({ path })),
    roots,
    inventory,
    options,
  );
}

describe('the place of a file names its host', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['a loose file', 'exports', 'exports/client-01.rules', 'client-01'],
    ['a file in a folder', 'exports', 'exports/client-01/rules.v4', 'client-01'],
    ['a deeper file', 'exports', 'exports/client-01/a/b/c.rules', 'client-01'],
    ['a root with a slash', 'exports/', 'exports/client-01/rules.v4', 'client-01'],
    ['a root with a dot', './exports', 'exports/client-01/rules.v4', 'client-01'],
    ['the current folder', '.', 'client-01/rules.v4', 'client-01'],
    ['an absolute root', '/data/exports', '/data/exports/client-01/rules.v4', 'client-01'],
    ['a root above', '../exports', '../exports/client-01/rules.v4', 'client-01'],
    ['a single file', 'exports/client-01.rules', 'exports/client-01.rules', 'client-01'],
    ['a copy of /etc/firewalld', 'exports', 'exports/client-01/firewalld/zones/public.xml', 'client-01'],
    ['a whole /etc', 'exports', 'exports/client-01/etc/firewalld/zones/public.xml', 'client-01'],
    ['zones in the folder of the host', 'exports', 'exports/client-01/zones/public.xml', 'client-01'],
    [
      'a host folder as root, with etc',
      'exports/client-01',
      'exports/client-01/etc/firewalld/zones/public.xml',
      'client-01',
    ],
    [
      'a host folder as root, with firewalld',
      'exports/client-01',
      'exports/client-01/firewalld/zones/public.xml',
      'client-01',
    ],
    [
      'a host folder as root, with etc-firewalld',
      'exports/client-01',
      'exports/client-01/etc-firewalld/firewalld.conf',
      'client-01',
    ],
    [
      'a host folder as root, with zones',
      'exports/client-01',
      'exports/client-01/zones/public.xml',
      'client-01',
    ],
    [
      'a firewalld folder as root',
      'client-01/etc/firewalld',
      'client-01/etc/firewalld/zones/public.xml',
      'client-01',
    ],
    [
      'firewalld.conf in a firewalld root',
      'client-01/firewalld',
      'client-01/firewalld/firewalld.conf',
      'client-01',
    ],
    [
      'a zones folder as root',
      'client-01/firewalld/zones',
      'client-01/firewalld/zones/public.xml',
      'client-01',
    ],
    [
      'a single zone file',
      'client-01/etc/firewalld/zones/public.xml',
      'client-01/etc/firewalld/zones/public.xml',
      'client-01',
    ],
    ['a folder with dots', 'exports', 'exports/client-01.example.com/rules.v4', 'client-01.example.com'],
    ['a prototype key', 'exports', 'exports/__proto__/rules.v4', '__proto__'],
    ['standard input', '-', '-', 'standard-input'],
    ['/etc/firewalld of this machine', '/etc/firewalld', '/etc/firewalld/zones/public.xml', 'unnamed-host'],
  ];

  test.each(cases)('%s', (_name, root, path, host) => {
    expect([...assign([path], [root]).hosts]).toEqual([[path, host]]);
  });

  test('the current folder has the name the caller gives it', () => {
    const options = { currentFolder: '/data/exports/client-01' };
    expect([
      ...assign(['zones/public.xml', 'firewalld.conf'], ['.'], undefined, options).hosts.values(),
    ]).toEqual(['client-01', 'client-01']);
    expect([
      ...assign(['zones/public.xml'], ['.'], undefined, {
        currentFolder: '/data/client-01/etc/firewalld',
      }).hosts.values(),
    ]).toEqual(['client-01']);
    expect([
      ...assign(['../zones/public.xml'], ['..'], undefined, {
        currentFolder: '/data/client-01/sub',
      }).hosts.values(),
    ]).toEqual(['client-01']);
  });

  test('of nested scanned paths the outer one counts', () => {
    const path = 'exports/client-01/rules.v4';
    expect(assign([path], ['exports/client-01', 'exports']).hosts.get(path)).toBe('client-01');
  });

  test('loose rules beside zones keep the host of their own name', () => {
    const { hosts } = assign(['x/zones/public.xml', 'x/firewalld.conf', 'x/sn-01.rules'], ['x']);
    expect([...hosts.values()]).toEqual(['x', 'x', 'sn-01']);
  });

  test('--host names everything', () => {
    const inventory = inventoryOf({ 'sn-01': { exports: ['a/'] } });
    const { hosts, problems } = assign(['a/x.rules', '-'], ['a', '-'], inventory, {
      host: 'sn-01.example.com',
    });
    expect([...hosts.values()]).toEqual(['sn-01', 'sn-01']);
    expect(problems).toEqual([]);
  });
});

test.each([
  ['client-01.rules', 'client-01'],
  ['client-01', 'client-01'],
  ['client-01.v6.rules.txt', 'client-01'],
  ['client-01.RULES', 'client-01'],
  ['client-01.example.com.nft.json', 'client-01.example.com'],
  ['client-01.nsrports.txt', 'client-01'],
  ['client-01.ip6tables.save', 'client-01'],
  ['client-01.ipset', 'client-01'],
  ['client-01.conf', 'client-01.conf'],
  ['rules.v4', 'rules'],
  ['.rules', 'rules'],
  ['.txt.rules', 'txt.rules'],
  ['...', '...'],
  ['a.b.xml.iptables', 'a.b'],
])('the loose file %s belongs to %s', (file, host) => {
  expect(hostNameOfFile(file)).toBe(host);
});

test('a name of very many endings is stripped in little time', () => {
  expect(hostNameOfFile(`a${'.rules'.repeat(20_000)}`)).toBe('a');
});

describe('loose files whose names say what they hold', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['both IP versions', ['iptables.rules', 'ip6tables.rules'], ['x', 'x']],
    ['both IP versions under one name', ['rules.v4', 'rules.v6'], ['x', 'x']],
    ['all formats', ['iptables-save.txt', 'rules.v6', 'nft.json', 'ipset.save'], ['x', 'x', 'x', 'x']],
    ['beside a copy of firewalld', ['zones/public.xml', 'nftables.json'], ['x', 'x']],
    ['a pair with the name of the host', ['a-iptables.rules', 'a-ip6tables.rules'], ['a', 'a']],
    ['pairs of two hosts', ['a_iptables', 'a_ip6tables', 'b-ipv4.save', 'b-ipv6.save'], ['a', 'a', 'b', 'b']],
    ['a pair of generic names', ['rules-v4.txt', 'rules-v6.txt'], ['x', 'x']],
    ['not: a single one', ['iptables.rules'], ['iptables']],
    [
      'not: beside another host',
      ['iptables.rules', 'ip6tables.rules', 'sn-01.rules'],
      ['iptables', 'ip6tables', 'sn-01'],
    ],
    [
      'not: beside the folder of another host',
      ['iptables.rules', 'nft.json', 'sn-01/rules.v4'],
      ['iptables', 'nft', 'sn-01'],
    ],
    ['not: one IP version', ['a-iptables.rules', 'b.rules'], ['a-iptables', 'b']],
    ['not: numbered hosts', ['client-4.rules', 'client-6.rules'], ['client-4', 'client-6']],
  ];

  test.each(cases)('%s', (_name, files, expected) => {
    const { hosts, problems } = assign(
      files.map((file) => `x/${file}`),
      ['x'],
    );
    expect([...hosts.values()]).toEqual(expected);
    const joined = files.filter((file, i) => !file.includes('/') && hostNameOfFile(file) !== expected[i]);
    expect(problems.flatMap((p) => (p.kind === 'joined-files' ? p.files : [])).sort()).toEqual(
      joined.map((file) => `x/${file}`).sort(),
    );
  });

  test('files given by their paths are joined within a folder', () => {
    const paths = ['x/iptables.rules', 'x/ip6tables.rules', 'y/iptables.rules'];
    expect([...assign(paths, paths).hosts.values()]).toEqual(['x', 'x', 'iptables']);
    const here = ['iptables.rules', 'nft.json'];
    expect([...assign(here, here, undefined, { currentFolder: '/data/client-01' }).hosts.values()]).toEqual([
      'client-01',
      'client-01',
    ]);
  });

  test('a declared host, --host and exports: are believed', () => {
    const files = ['x/nft.json', 'x/rules.v4'];
    expect([...assign(files, ['x'], inventoryOf({ nft: {} })).hosts.values()]).toEqual(['nft', 'rules']);
    expect([...assign(files, ['x'], undefined, { host: 'a' }).hosts.values()]).toEqual(['a', 'a']);
    const claimed = inventoryOf({ a: { exports: ['nft.json'] } });
    expect([...assign(files, ['x'], claimed).hosts.values()]).toEqual(['a', 'rules']);
  });

  test('what was joined is told', () => {
    const [problem] = assign(['x/iptables.rules', 'x/ip6tables.rules'], ['x']).problems;
    expect(problem?.detail).toContain('x/iptables.rules, x/ip6tables.rules count as exports of one host, x');
  });
});

describe('exports: patterns win', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['sn/', 'exports/sn/a.rules', true],
    ['sn', 'exports/sn/a/b.rules', true],
    ['sn/', 'exports/sn', false],
    ['exports/sn/', 'exports/sn/a.rules', true],
    ['./exports/sn/', 'exports/sn/a.rules', true],
    ['s*', 'exports/sn/a.rules', true],
    ['s?', 'exports/sn/a.rules', true],
    ['s?', 'exports/s/a.rules', false],
    ['*.rules', 'exports/sn/a.rules', false],
    ['**/*.rules', 'exports/sn/a.rules', true],
    ['**/*.rules', 'exports/a.rules', true],
    ['**', 'exports/sn/a.rules', true],
    ['sn/**', 'exports/sn/b/a.rules', true],
    ['sn/**/a.rules', 'exports/sn/a.rules', true],
    ['n', 'exports/sn/a.rules', false],
    ['a.rules', 'exports/sn/a.rules', false],
    ['SN/', 'exports/sn/a.rules', false],
    ['/exports/sn/', 'exports/sn/a.rules', false],
    ['/data/sn/', '/data/sn/a.rules', true],
  ];

  test.each(cases)('%s and %s: %s', (pattern, path, matches) => {
    const { hosts, problems } = assign(
      [path],
      [path.startsWith('/') ? '/data' : 'exports'],
      inventoryOf({ other: { exports: [pattern] } }),
    );
    expect(hosts.get(path) === 'other').toBe(matches);
    expect(problems.map((p) => p.kind)).toEqual(matches ? [] : ['unmatched-pattern']);
  });

  test('they are relative to the folder of the configuration', () => {
    const inventory = inventoryOf({ 'sn-01': { exports: ['fw/x'] } }, 'conf/nwaudit.yaml');
    expect(assign(['conf/fw/x.rules', 'conf/fw/x/a'], ['conf/fw'], inventory).hosts.get('conf/fw/x/a')).toBe(
      'sn-01',
    );
  });

  test('a file that two hosts claim goes to the first, and is reported with its place', () => {
    const inventory = inventoryOf({ b: { exports: ['x/*'] }, a: { exports: ['x/'] } });
    const { hosts, problems } = assign(['x/f.rules'], ['.'], inventory);
    expect(hosts.get('x/f.rules')).toBe('b');
    expect(problems).toMatchObject([
      { kind: 'several-patterns', hosts: ['b', 'a'], origin: { path: '$.hosts.a.exports[0]' } },
    ]);
  });

  test('many stars take little time', () => {
    const inventory = inventoryOf({ a: { exports: [`${'*a'.repeat(200)}b`, `${'**/'.repeat(200)}x`] } });
    const path = `${'a'.repeat(5000)}/${'a/'.repeat(500)}c`;
    expect(assign([path], ['.'], inventory).hosts.size).toBe(1);
  });
});

describe('names that mean one host are joined', () => {
  const cases: readonly (readonly [string, readonly string[], object, readonly string[]])[] = [
    ['a qualified and a short one', ['a.example.com.rules', 'a.v6'], {}, ['a', 'a']],
    ['a qualified one and a declared short one', ['a.example.com.rules'], { a: {} }, ['a']],
    ['a short one and a declared qualified one', ['a.rules'], { 'a.example.com': {} }, ['a.example.com']],
    ['upper and lower case', ['A.rules', 'a.v6'], {}, ['A', 'A']],
    ['upper case and a declared name', ['SN-01.rules'], { 'sn-01': {} }, ['sn-01']],
    [
      'an address and the host that has it',
      ['192.0.2.10.rules'],
      { a: { addresses: ['192.0.2.10'] } },
      ['a'],
    ],
    ['not: addresses with a common first number', ['192.rules', '192.0.2.10.v4'], {}, ['192', '192.0.2.10']],
    ['not: two qualified ones', ['a.example.com', 'a.example.net'], {}, ['a.example.com', 'a.example.net']],
    [
      'not: two qualified ones and a short one',
      ['a.example.com', 'a.example.net', 'a'],
      {},
      ['a.example.com', 'a.example.net', 'a'],
    ],
    ['not: a short one of two declared', ['a'], { 'a.example.com': {}, 'a.example.net': {} }, ['a']],
    ['not: a file with an extension of its own and another name', ['a.conf', 'b'], {}, ['a.conf', 'b']],
  ];

  test.each(cases)('%s', (_name, files, hosts, expected) => {
    expect([...assign(files, ['.'], inventoryOf(hosts)).hosts.values()]).toEqual(expected);
  });

  test('a short name that could mean several is reported', () => {
    const { problems } = assign(['a.example.com', 'a.example.net', 'a'], ['.']);
    expect(problems).toMatchObject([
      { kind: 'ambiguous-name', hosts: ['a', 'a.example.com', 'a.example.net'] },
    ]);
  });

  test('equal names from different scanned paths are reported', () => {
    const { hosts, problems } = assign(['x/rules.v4', 'y/rules.v4'], ['x', 'y']);
    expect([...hosts.values()]).toEqual(['rules', 'rules']);
    expect(problems).toMatchObject([
      { kind: 'several-places', hosts: ['rules'], files: ['x/rules.v4', 'y/rules.v4'] },
    ]);
  });

  test('folders in one folder that may be hosts are reported, folders named after their content are not', () => {
    const { hosts, problems } = assign(
      ['x/site-a/c-01/ruleset.json', 'x/site-a/c-02/iptables.rules', 'x/site-a/c-02/zones/public.xml'],
      ['x'],
    );
    expect([...new Set(hosts.values())]).toEqual(['site-a']);
    expect(problems).toMatchObject([
      {
        kind: 'several-folders',
        hosts: ['site-a'],
        detail: expect.stringContaining('scan the folder site-a itself'),
      },
    ]);
    const one = ['iptables/rules.v4', 'nft/ruleset.json', 'etc/firewalld/zones/public.xml', 'zones/a.xml'];
    expect(
      assign(
        one.map((file) => `x/c-01/${file}`),
        ['x'],
      ).problems,
    ).toEqual([]);
  });

  test('a folder inside, called after a declared host, is that host', () => {
    const paths = [
      'x/site-a/C-01/ruleset.json',
      'x/site-a/sn-01/etc/firewalld/zones/public.xml',
      'x/site-a/b.rules',
    ];
    const { hosts, problems } = assign(paths, ['x'], inventoryOf({ 'c-01': {}, 'sn-01': {} }));
    expect([...hosts.values()]).toEqual(['c-01', 'sn-01', 'site-a']);
    expect(problems).toEqual([]);
    const owned = assign(['x/sn-02/c-01/ruleset.json'], ['x'], inventoryOf({ 'c-01': {}, 'sn-02': {} }));
    expect([...owned.hosts.values()]).toEqual(['sn-02']);
  });

  test('two scanned files of one host are no surprise', () => {
    expect(assign(['x/a.v4', 'x/a.v6'], ['x']).problems).toEqual([]);
  });
});
