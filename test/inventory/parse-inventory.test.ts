import { describe, expect, test } from 'vitest';
import type { InventoryOptions } from '../../src/inventory/index.ts';
import {
  decodeInventoryData,
  type Inventory,
  parseInventory,
  readProfileName,
} from '../../src/inventory/index.ts';
import { formatAddressInterval } from '../../src/net/index.ts';
import { DESIGN_EXAMPLE } from './design-example.ts';

async function read(text: string, options: InventoryOptions = {}): Promise<Inventory> {
  const { inventory, problems } = await parseInventory(text, 'nwaudit.yaml', options);
  expect(problems).toEqual([]);
  return inventory!;
}

/** Problems as `line:column path message`. */
async function complain(text: string, options: InventoryOptions = {}): Promise<string[]> {
  const { inventory, problems } = await parseInventory(text, 'nwaudit.yaml', options);
  expect(inventory === undefined).toBe(problems.length > 0);
  return problems.map((p) => `${p.line}:${p.column} ${p.path} ${p.message}`);
}

describe('the example of design.md', () => {
  test('is read completely', async () => {
    const inventory = await read(DESIGN_EXAMPLE);
    expect(inventory.profile).toBe('guide');
    expect(inventory.hosts.map((host) => [host.name, ...host.roles])).toEqual([
      ['nw-server', 'server'],
      ['client-01', 'client'],
      ['db-*', 'client'],
      ['sn-01', 'storage-node'],
      ['nmc-01', 'nmc'],
      ['dd-01', 'data-domain'],
      ['fw-01', 'gateway'],
    ]);
    const [, client, pattern, storageNode, nmc] = inventory.hosts;
    expect(client!.addresses.map((a) => formatAddressInterval(a.version, a.range))).toEqual([
      '192.0.2.101',
      '2001:db8::101',
    ]);
    expect(client!.addresses[1]!.origin).toMatchObject({ line: 7, path: '$.hosts.client-01.addresses[1]' });
    expect(pattern!.isPattern).toBe(true);
    expect(storageNode!.servicePorts).toEqual([{ lo: 7937n, hi: 7954n }]);
    expect(storageNode!.exports.map((e) => e.pattern)).toEqual(['sn-01/']);
    expect([...nmc!.interfaces]).toEqual([['eth1', 'internal']]);
    expect(inventory.exceptions[0]).toMatchObject({
      id: 'legacy-lab-restore',
      to: [{ kind: 'host', pattern: 'client-01' }],
      from: [{ kind: 'addresses', range: { version: 4 } }],
      ports: [{ protocol: 6, ports: [{ lo: 7938n, hi: 7999n }] }],
      owner: 'backup-team',
      expires: '2027-03-31',
      origin: { file: 'nwaudit.yaml', line: 14, column: 5 },
    });
    expect(inventory.waivers[0]).toMatchObject({
      check: 'shadowed-rule',
      host: 'sn-01',
      expires: '2027-01-31',
    });
    expect([...inventory.roleNetworks.keys()]).toEqual(['client']);
    expect(inventory.adminNetworks[0]!.origin).toMatchObject({ line: 3, column: 18, endColumn: 33 });
  });

  test('names its profile to a caller that asks only for that', async () => {
    expect(await readProfileName(DESIGN_EXAMPLE, 'f')).toBe('guide');
    expect(await readProfileName('hosts: [', 'f')).toBeUndefined();
  });
});

describe('what may be left out', () => {
  test.each([
    '',
    '# nothing\n',
    'hosts:\nexceptions:\nwaivers:\nadmin_networks:\nrole_networks:\n',
    '{}',
    '\uFEFF{}',
  ])('%j is an empty inventory', async (text) => {
    const inventory = await read(text);
    expect([inventory.hosts, inventory.exceptions, inventory.waivers]).toEqual([[], [], []]);
  });

  test('a host entry may be empty, and then has no role', async () => {
    const { hosts } = await read('hosts:\n  a:\n');
    expect(hosts[0]).toMatchObject({ name: 'a', roles: [], addresses: [] });
  });

  test('an exception without id is named by its number', async () => {
    const { exceptions } = await read(
      'hosts: {a: }\nexceptions:\n - {to: a, from: client, ports: 80, reason: r, expires: 2027-01-01}\n',
    );
    expect(exceptions[0]!.id).toBe('exception-1');
    expect(exceptions[0]!.from[0]).toMatchObject({ kind: 'role', role: 'client' });
  });
});

describe('problems have a place and say what was expected', () => {
  const exception = (keys: string) =>
    `hosts: {client-01: {role: client}}\nexceptions:\n- {to: client-01, from: 203.0.113.7, ports: 80, reason: r, expires: 2027-01-01}\n- ${keys}\n`;
  const waiver = (keys: string) => `hosts: {sn-01: }\nwaivers:\n- ${keys}\n`;

  const cases: readonly (readonly [string, string, readonly (string | RegExp)[]])[] = [
    ['YAML that ends too early', 'hosts: {a: {role: client}', [/^1:26 \$ not valid YAML: /]],
    [
      'a key twice',
      'profile: guide\nprofile: vendor\n',
      ['2:1 $ the key "profile" is there already, in line 1'],
    ],
    ['a host twice', 'hosts:\n  a: {}\n  a: {}\n', ['3:3 $ the key "a" is there already, in line 2']],
    ['two spellings of a host', 'hosts:\n  a: {}\n  A: {}\n', [/^3:3 \$.hosts.A .*same host as line 2/]],
    ['a list at the top', '- a\n', ['1:1 $ found a list, expected a mapping with keys such as hosts']],
    ['two documents', '{}\n---\n{}\n', [/not valid YAML/]],
    ['an unknown tag', 'profile: !secret x\n', [/^1:10 \$ not valid YAML: Unresolved tag/]],
    ['an unknown key', 'host: {}\n', ['1:1 $.host unknown key "host" at the top; did you mean "hosts"?']],
    [
      'a misspelt key of a host',
      'hosts:\n  a: { role: client, adresses: [192.0.2.1] }\n',
      ['2:22 $.hosts.a.adresses unknown key "adresses" in a host; did you mean "addresses"?'],
    ],
    ['a hyphen for an underscore', 'hosts: {a: {service-ports: 80}}', [/did you mean "service_ports"\?$/]],
    [
      'a key far from all',
      'zzzzzzzzzz: 1\n',
      [/unknown key "zzzzzzzzzz" at the top; known: profile, admin_networks/],
    ],
    ['a key that is a list', '? [a]\n: 1\n', ['1:3 $ a key must be a plain text']],
    [
      'an unknown role',
      'hosts: {a: {role: storagenode}}',
      [/unknown role "storagenode" of a host; did you mean "storage-node"\?/],
    ],
    [
      'a list of roles under role',
      'hosts: {a: {role: [server, nmc]}}',
      [/role takes one role; use roles for several/],
    ],
    ['role and roles', 'hosts: {a: {role: server, roles: [nmc]}}', [/either role or roles/]],
    [
      'a role network of no role',
      'role_networks: {cleint: [192.0.2.0/24]}',
      [/^1:17 \$.role_networks.cleint .*did you mean "client"/],
    ],
    [
      'an octet too big',
      'admin_networks: [192.0.2.256]',
      [/^1:18 \$.admin_networks\[0\] "192.0.2.256" is not an address/],
    ],
    ['a name for an address', 'hosts: {a: {addresses: [nw.example.com]}}', [/names are not looked up/]],
    ['a prefix too long', 'admin_networks: [192.0.2.0/33]', [/"192.0.2.0\/33" is not a prefix/]],
    ['a mask with a hole', 'admin_networks: [192.0.2.0/255.0.255.0]', [/is not a prefix/]],
    [
      'a prefix with host bits',
      'hosts: {a: {addresses: [192.0.2.10/24]}}',
      [/write 192.0.2.10 for the one address or 192.0.2.0\/24 for the network/],
    ],
    ['a reversed range', 'admin_networks: [192.0.2.9-192.0.2.1]', [/is reversed/]],
    ['a range of two versions', 'admin_networks: [192.0.2.9-2001:db8::1]', [/mixes IPv4 and IPv6/]],
    ['a number for an address', 'admin_networks: [10]', [/found the number 10, expected an address/]],
    ['port 0', 'hosts: {a: {service_ports: 0-7937}}', [/outside the ports 1-65535/]],
    ['a port too big', 'hosts: {a: {service_ports: 7937-70000}}', [/outside the ports 1-65535/]],
    ['reversed ports', 'hosts: {a: {service_ports: 7954-7937}}', [/is reversed/]],
    ['ports as iptables writes them', 'hosts: {a: {service_ports: "7937:7954"}}', [/; write 7937-7954$/]],
    [
      'a protocol before service ports',
      'hosts: {a: {service_ports: tcp/7937}}',
      [/is not a port or a range/],
    ],
    ['ports as a mapping', 'hosts: {a: {service_ports: {from: 1}}}', [/found a mapping, expected a port/]],
    [
      'addresses of a pattern',
      'hosts: {"a*": {addresses: [192.0.2.1]}}',
      [/^1:16 \$.hosts\["a\*"\].addresses addresses of the pattern "a\*" would belong to every host/],
    ],
    ['exports of a pattern', 'hosts: {"a*": {exports: a/}}', [/exports of the pattern/]],
    ['a backslash in exports', 'hosts: {a: {exports: "x\\\\y"}}', [/paths are written with \//]],
    [
      'a zone that is no text',
      'hosts: {a: {interfaces: {eth0: 1}}}',
      [/expected the name of a firewalld zone/],
    ],
    [
      'one address, two hosts',
      'hosts:\n  a: {addresses: [192.0.2.1]}\n  b: {addresses: [192.0.2.0/31]}\n',
      ['3:19 $.hosts.b.addresses[0] 192.0.2.0/31 overlaps the addresses of "a" in line 2'],
    ],
    [
      'an unknown storage node',
      'hosts: {sn-01: , a: {storage_nodes: [sn-02]}}',
      [/unknown host "sn-02"; did you mean "sn-01"\?/],
    ],
    [
      'an unknown gateway',
      'hosts: {fw-01: , a: {behind: fw-02}}',
      [/unknown host "fw-02"; did you mean "fw-01"\?/],
    ],
    [
      'a pattern that no storage node fits',
      'hosts: {a: {storage_nodes: ["sn-*"]}}',
      [/no host fits the pattern "sn-\*"/],
    ],
    [
      'an empty exception',
      exception('{}'),
      ['4:3 $.exceptions[1] missing to, from, ports, reason, expires in an exception'],
    ],
    [
      'an exception without end',
      exception('{to: client-01, from: client-01, ports: 1, reason: r}'),
      [/missing expires in an exception/],
    ],
    [
      'an exception without reason',
      exception('{to: client-01, from: client-01, ports: 1, expires: 2027-01-01}'),
      [/missing reason/],
    ],
    [
      'an empty reason',
      exception('{to: client-01, from: client-01, ports: 1, expires: 2027-01-01, reason: " "}'),
      [/found an empty text/],
    ],
    [
      'a day that is none',
      exception('{to: client-01, from: client-01, ports: 1, expires: 2027-02-29, reason: r}'),
      [/"2027-02-29" is not a day of the calendar/],
    ],
    [
      'a date of another form',
      exception('{to: client-01, from: client-01, ports: 1, expires: 31.3.2027, reason: r}'),
      [/is not a date such as 2027-03-31/],
    ],
    [
      'an unknown host in to',
      exception('{to: client-02, from: client-01, ports: 1, expires: 2027-01-01, reason: r}'),
      [/"client-02" is neither a host, a pattern over hosts, a role, an address.*did you mean "client-01"\?/],
    ],
    [
      'a bad prefix in from',
      exception('{to: client-01, from: 203.0.113.0/40, ports: 1, expires: 2027-01-01, reason: r}'),
      [/is not a prefix/],
    ],
    [
      'no destination in to',
      exception('{to: [], from: client, ports: 1, expires: 2027-01-01, reason: r}'),
      [/found a list, expected a host/],
    ],
    [
      'ports the wrong way round',
      exception('{to: client, from: client, ports: 7938-7999/tcp, expires: 2027-01-01, reason: r}'),
      [/write tcp\/7938-7999$/],
    ],
    [
      'a protocol with no ports named',
      exception('{to: client, from: client, ports: tcp, expires: 2027-01-01, reason: r}'),
      [/or tcp\/1-65535 for all/],
    ],
    [
      'ports for icmp',
      exception('{to: client, from: client, ports: icmp/8, expires: 2027-01-01, reason: r}'),
      [/protocol that has none/],
    ],
    [
      'an unknown protocol',
      exception('{to: client, from: client, ports: tpc/80, expires: 2027-01-01, reason: r}'),
      [/begins with no protocol/],
    ],
    [
      'an id twice',
      'hosts: {a: }\nexceptions:\n- &x {id: x, to: a, from: a, ports: 1, expires: 2027-01-01, reason: r}\n- *x\n',
      [/the id "x" is used already, in line 3/],
    ],
    [
      'a waiver without check',
      waiver('{reason: r, expires: 2027-01-01}'),
      ['3:3 $.waivers[0] missing check in a waiver'],
    ],
    [
      'a waiver of an unknown host',
      waiver('{check: shadowed-rule, host: sn-10, reason: r, expires: 2027-01-01}'),
      [/unknown host "sn-10"; did you mean "sn-01"\?/],
    ],
    [
      'a waiver of unread input everywhere',
      waiver('{check: unread-input, reason: r, expires: 2027-01-01}'),
      [/names one host/],
    ],
    [
      'a waiver of unread input by pattern',
      waiver('{check: unread-input, host: "sn-*", reason: r, expires: 2027-01-01}'),
      [/names one host/],
    ],
    [
      'a waiver of wide declarations in general',
      waiver('{check: too-wide-declaration, reason: r, expires: 2027-01-01}'),
      [/names its finding by fingerprint, or one host/],
    ],
    [
      'a waiver of wide declarations by pattern',
      waiver('{check: too-wide-declaration, host: "sn-*", reason: r, expires: 2027-01-01}'),
      [/names its finding by fingerprint, or one host/],
    ],
    [
      'a check id of another shape',
      waiver('{check: Shadowed_Rule, reason: r, expires: 2027-01-01}'),
      [/is not the id of a check/],
    ],
    [
      'a fingerprint of another shape',
      waiver('{check: shadowed-rule, fingerprint: abc, reason: r, expires: 2027-01-01}'),
      [/is not a fingerprint/],
    ],
    [
      'a waiver that is a text',
      waiver('shadowed-rule'),
      [/found the text "shadowed-rule", expected a mapping/],
    ],
    ['exceptions as a mapping', 'exceptions: {a: 1}', [/found a mapping, expected a list of exceptions/]],
    ['profile without value', 'profile:\n', [/found nothing, expected guide, vendor/]],
    ['an alias without anchor', 'hosts: *nobody\n', [/not valid YAML|alias/]],
  ];

  test.each(cases)('%s', async (_name, text, expected) => {
    const problems = await complain(text);
    expect(problems.length).toBeGreaterThan(0);
    for (const [i, wanted] of expected.entries()) {
      if (typeof wanted === 'string') expect(problems[i]).toBe(wanted);
      else expect(problems[i]).toMatch(wanted);
    }
  });

  test('all problems come at once, by place', async () => {
    const problems = await complain(
      'profle: guide\nhosts:\n  a: {role: cleint, service_ports: 9-1}\nwaivers:\n- {check: x, host: b}\n',
    );
    expect(problems.map((p) => p.split(' ')[0])).toEqual(['1:1', '3:13', '3:36', '5:3', '5:20']);
  });

  test('a check that does not exist is refused when the checks are known', async () => {
    const text = waiver('{check: shadowed-rules, reason: r, expires: 2027-01-01}');
    expect(await complain(text)).toEqual([]);
    expect(await complain(text, { checks: ['shadowed-rule'] })).toEqual([
      '3:11 $.waivers[0].check unknown check "shadowed-rules" in a waiver; did you mean "shadowed-rule"?',
    ]);
  });
});

describe('references', () => {
  test('a profile may define further roles', async () => {
    const text = 'hosts: {a: {role: tape-library}}\nrole_networks: {tape-library: [192.0.2.0/28]}\n';
    expect(await complain(text)).toHaveLength(2);
    expect(await complain(text, { roles: ['tape-library'] })).toEqual([]);
  });

  test('hosts found in the exports need no entry to be named', async () => {
    const text =
      'waivers:\n- {check: shadowed-rule, host: SN-01.example.com, reason: r, expires: 2027-01-01}\n';
    expect(await complain(text)).toHaveLength(1);
    const { waivers } = await read(text, { hostNames: ['sn-01'] });
    expect(waivers[0]!.host).toBe('sn-01');
  });

  test.each([
    ['server', 'role'],
    ['nw-server', 'host'],
    ['nw-server.example.com', 'host'],
    ['db-07', 'host'],
    ['db-*', 'host'],
    ['nw-*', 'host'],
    ['192.0.2.1', 'addresses'],
    ['192.0.2.0/28', 'addresses'],
    ['192.0.2.1 - 192.0.2.3', 'addresses'],
    ['2001:db8::/64', 'addresses'],
  ])('%s in an exception is a %s', async (text, kind) => {
    const { exceptions } = await read(
      `hosts: {nw-server: , "db-*": }\nexceptions:\n- {to: server, from: ["${text}"], ports: [tcp/1-2, 3, "udp/53,54", icmp], reason: r, expires: 2027-01-01}\n`,
    );
    expect(exceptions[0]!.from[0]!.kind).toBe(kind);
    expect(exceptions[0]!.ports).toEqual([
      { protocol: 1, ports: [] },
      { protocol: 6, ports: [{ lo: 1n, hi: 3n }] },
      { protocol: 17, ports: [{ lo: 53n, hi: 54n }] },
    ]);
  });

  test('a declared pattern for everything swallows neither addresses nor roles', async () => {
    const { exceptions } = await read(
      'hosts: {"*": {datazone: a}}\nexceptions:\n- {to: client, from: 192.0.2.1, ports: 80, reason: r, expires: 2027-01-01}\n',
    );
    expect([exceptions[0]!.to[0]!.kind, exceptions[0]!.from[0]!.kind]).toEqual(['role', 'addresses']);
  });

  test('an unrestricted connection range is the same as none', async () => {
    const { hosts } = await read('hosts: {a: {connection_ports: 0-0}, b: {connection_ports: [10001-30000]}}');
    expect(hosts[0]!.connectionPorts).toBeUndefined();
    expect(hosts[1]!.connectionPorts).toEqual([{ lo: 10001n, hi: 30000n }]);
  });
});

describe('overlapping addresses', () => {
  test.each([
    ['a: [192.0.2.0/28], b: [192.0.2.16/28]', 0],
    ['a: [192.0.2.0/24, 192.0.2.0/28]', 0],
    ['a: [192.0.2.0/24], b: [192.0.2.9]', 1],
    ['a: [192.0.2.0/24, 192.0.2.0/25], b: [192.0.2.9]', 1],
    ['a: [192.0.2.0/24], b: [192.0.2.9], c: [192.0.2.9]', 2],
    ['a: [192.0.2.0/24], b: [192.0.2.9-192.0.2.20], a2: [198.51.100.1], c: [192.0.2.250]', 2],
    ['a: ["2001:db8::1"], b: ["2001:db8::/64"]', 1],
    ['a: ["::c000:201"], b: [192.0.2.1]', 0],
  ])('%s has %i overlaps', async (hosts, count) => {
    const text = hosts.replace(/(\w+): (\[[^\]]*\])/g, '$1: {addresses: $2}');
    expect(await complain(`hosts: {${text}}`)).toHaveLength(count);
  });
});

describe('hostile input', () => {
  test('prototype keys are names like any other', async () => {
    const { hosts, roleNetworks } = await read(
      'hosts:\n  __proto__: {role: client, interfaces: {__proto__: x, constructor: y}}\n  constructor: {role: server}\n',
    );
    expect(hosts.map((host) => host.name)).toEqual(['__proto__', 'constructor']);
    expect([...hosts[0]!.interfaces.keys()]).toEqual(['__proto__', 'constructor']);
    expect(roleNetworks.size).toBe(0);
    expect(await complain('__proto__: {role: client}\n')).toHaveLength(1);
    expect(await complain('hosts: {a: {constructor: 1, toString: 2}}')).toHaveLength(2);
    expect(({} as { role?: string }).role).toBeUndefined(); // the cast only names what must not be there
  });

  test('an alias may repeat a value', async () => {
    const { hosts, adminNetworks } = await read(
      'admin_networks: &admins [198.51.100.0/28]\nhosts: {a: {addresses: *admins}}\n',
    );
    expect(hosts[0]!.addresses[0]!.range).toEqual(adminNetworks[0]!.range);
  });

  test('aliases that multiply are refused', async () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 20; i++)
      text += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    expect((await complain(text)).filter((p) => p.includes('aliases stand for more than'))).toHaveLength(1);
  });

  test('an alias inside its own anchor is refused', async () => {
    expect((await complain('hosts: &h {a: *h}\n')).length).toBeGreaterThan(0);
    expect((await complain('hosts: &h [*h, *h, *h]\n')).length).toBeGreaterThan(0);
  });

  test.each([
    ['brackets', '['.repeat(50_000)],
    ['dashes', '- '.repeat(20_000)],
    ['mappings', '{a: '.repeat(20_000)],
    ['indentation', Array.from({ length: 800 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
  ])('deep nesting of %s is refused', async (_name, text) => {
    expect((await complain(text)).length).toBeGreaterThan(0);
  });

  test('a file of ten megabytes is refused unread', async () => {
    expect(await complain('a: b\n'.repeat(2_000_000))).toEqual([
      expect.stringMatching(/^1:1 \$ the file has 10000000 characters; at most 4194304 are read\. A pattern/),
    ]);
  });

  test('ten thousand keys that are the same or unknown give a bounded list of problems', async () => {
    expect(await complain('a: 1\n'.repeat(10_000))).toHaveLength(1000);
    const unknown = Array.from({ length: 10_000 }, (_, i) => `k${i}: 1\n`).join('');
    expect(await complain(unknown)).toHaveLength(1000);
  });

  test('another YAML version does not change how values are read', async () => {
    const text =
      '%YAML 1.1\n---\nhosts:\n  no: {role: client}\n  on: {role: client, service_ports: 7937-7954}\n';
    const { hosts } = await read(text);
    expect(hosts.map((host) => host.name)).toEqual(['no', 'on']);
  });

  test('messages stay on one line and short, whatever the input', async () => {
    const problems = await complain(`"a\\nb${'x'.repeat(1000)}": 1\nprofile: [${'y'.repeat(1000)}]\n`);
    for (const problem of problems) {
      expect(problem).not.toContain('\n');
      expect(problem.length).toBeLessThan(400);
    }
  });
});

test('plain data is decoded as text is', () => {
  const data = { hosts: { a: { role: 'client', service_ports: 7937 } }, admin_networks: ['198.51.100.0/28'] };
  expect(decodeInventoryData(data, 'example').inventory?.hosts[0]).toMatchObject({
    name: 'a',
    roles: ['client'],
  });
  expect(decodeInventoryData({ hots: 1 }, 'example').problems).toHaveLength(1);
  expect(decodeInventoryData(null, 'example').inventory?.hosts).toEqual([]);
});
