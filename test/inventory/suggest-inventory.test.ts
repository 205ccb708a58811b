import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseInventory, type SuggestionInput, suggestInventory } from '../../src/inventory/index.ts';

async function hostsOf(input: SuggestionInput): Promise<string[]> {
  const { inventory, problems } = await parseInventory(suggestInventory(input), 'nwaudit.yaml');
  expect(problems).toEqual([]);
  return inventory!.hosts.map((host) => [host.name, ...host.roles].join(' '));
}

const named = (...names: string[]) => ({ hosts: names.map((name) => ({ name, addressesSeen: [] })) });

test('a suggestion shows hosts, guessed roles and open questions', () => {
  const text = suggestInventory({
    hosts: [
      {
        name: 'client-01',
        addressesSeen: [
          { address: '198.51.100.7', count: 1, ports: ['9090'] },
          { address: '192.0.2.20', count: 3, ports: ['7937', '7938-9936'] },
          { address: '192.0.2.0/24', count: 2 },
        ],
      },
      { name: 'zebra', addressesSeen: [] },
    ],
  });
  const section = text.slice(text.indexOf('hosts:'), text.indexOf('# A named'));
  expect(text.startsWith('# yaml-language-server: $schema=')).toBe(true);
  expect(section).toBe(`hosts:
  client-01:
    role: client # guessed from the name
    # addresses: [] # its own addresses, as the other hosts see them
    # 192.0.2.20 is a source of 3 rules of client-01 (ports 7937, 7938-9936): server? storage node? admin host?
    # 192.0.2.0/24 is a source of 2 rules of client-01: which hosts live there?
    # 198.51.100.7 is a source of 1 rule of client-01 (ports 9090): admin host?
  zebra:
    # role: ? # one of server, client, storage-node, nmc, auth, data-domain, gateway, nwui, vproxy, ndmp-filer, licence-server
    # addresses: [] # its own addresses, as the other hosts see them

`);
});

describe('a suggestion can be read back', () => {
  test('without hosts', async () => {
    expect(await hostsOf({ hosts: [] })).toEqual([]);
  });

  test('with its examples uncommented', async () => {
    const text = suggestInventory(named('client-01', 'sn-01'))
      .replace(/^# ((admin|role)_networks: |exceptions:|waivers:| )/gm, '$1')
      .replace(/^ {2}/gm, '  ');
    const { inventory, problems } = await parseInventory(text, 'nwaudit.yaml');
    expect(problems).toEqual([]);
    expect([
      inventory?.exceptions.length,
      inventory?.waivers.length,
      inventory?.adminNetworks.length,
    ]).toEqual([1, 1, 1]);
  });

  test.each([
    ['nw-server', ['nw-server server']],
    ['true', ['true']],
    ['null', ['null']],
    ['~', ['~']],
    ['123', ['123']],
    ['1e3', ['1e3']],
    ['- a', ['- a']],
    ['a: b', ['a: b']],
    ['a #b', ['a #b']],
    ['"', ['"']],
    ['\\', ['\\']],
    ['a\nadmin_networks: [0.0.0.0/0]', ['a\nadmin_networks: [0.0.0.0/0]']],
    ['a\u2028b', ['a\u2028b']],
    ['\u0000', ['\u0000']],
    ['\u001b[31m', ['\u001b[31m']],
    ['für', ['für']],
    ['😀', ['😀']],
    ['__proto__', ['__proto__']],
    ['<<', ['<<']],
    ['=', ['=']],
    ['!tag', ['!tag']],
    ['db-*', []],
    [' a', []],
    ['', []],
  ])('the host %j', async (name, expected) => {
    expect(await hostsOf(named(name))).toEqual(expected);
  });

  test('names that differ in case only count once', async () => {
    expect(await hostsOf(named('A', 'a'))).toHaveLength(1);
  });

  test('hostile addresses and ports stay inside their comment', async () => {
    const seen = { address: '1\nprofile: vendor', count: 1, ports: ['80\n  b:', 'x'.repeat(100)] };
    expect(await hostsOf({ hosts: [{ name: 'a', addressesSeen: Array(50).fill(seen) }] })).toEqual(['a']);
  });

  test('whatever the names are', async () => {
    const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ maxLength: 20 }));
    await fc.assert(
      fc.asyncProperty(fc.array(name, { maxLength: 6 }), async (names) => {
        const hosts = await hostsOf(named(...names));
        expect(hosts.length).toBeLessThanOrEqual(names.length);
      }),
      { numRuns: 300 },
    );
  });
});
