import { describe, expect, test } from 'vitest';
import {
  decodeInventoryData,
  guessRolesByName,
  type Inventory,
  resolveHosts,
} from '../../src/inventory/index.ts';

function inventoryOf(data: object): Inventory {
  const { inventory, problems } = decodeInventoryData(data, 'nwaudit.yaml');
  expect(problems).toEqual([]);
  return inventory!;
}

describe('roles by name', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['client-01', ['client']],
    ['client01', ['client']],
    ['CLIENT', ['client']],
    ['clients-01', []],
    ['myclient', []],
    ['web.client.example.com', ['client']],
    ['sn-01', ['storage-node']],
    ['sn01', ['storage-node']],
    ['snow', []],
    ['storage_2', ['storage-node']],
    ['storagenode1', ['storage-node']],
    ['storage-node-1', ['storage-node']],
    ['nmc', ['nmc']],
    ['nmc-server', ['nmc']],
    ['auth', ['auth']],
    ['authc1', ['auth']],
    ['author', []],
    ['nw-server', ['server']],
    ['server.nsr', ['server']],
    ['networker_server_01', ['server']],
    ['backup-server', ['server']],
    ['bk1server', ['server']],
    ['nw-prod-server', []],
    ['db-server', []],
    ['nw-01', []],
    ['nw-server-nmc', ['server', 'nmc']],
    ['__proto__', []],
    ['constructor', []],
    ['', []],
  ];

  test.each(cases)('%s: %j', (name, roles) => {
    // Two more names with the word, so that none is the only server.
    const guesses = guessRolesByName([name], [name, 'a-server', 'b-server'], false);
    expect(guesses.get(name)).toEqual(roles);
  });

  test.each([
    [['db-server', 'client-01'], 'db-server', ['server']],
    [['db-server', 'web-server'], 'db-server', []],
    [['db-server', 'nw-server'], 'db-server', []],
    [['nmc-server', 'client-01'], 'nmc-server', ['nmc']],
  ])('of %j, %s is %j', (names, name, roles) => {
    expect(resolveHosts(names).find((host) => host.name === name)?.roles).toEqual(roles);
  });

  test('no other host becomes the server where one is declared', () => {
    const hosts = resolveHosts(['db-server'], inventoryOf({ hosts: { main: { role: 'server' } } }));
    expect(hosts.map((host) => [host.name, host.roleSource])).toEqual([
      ['db-server', 'unknown'],
      ['main', 'configuration'],
    ]);
  });
});

describe('resolveHosts', () => {
  test('without configuration knows names and guesses only', () => {
    expect(resolveHosts(['client-01', 'zebra'])).toEqual([
      {
        name: 'client-01',
        roles: ['client'],
        roleSource: 'name',
        addresses: [],
        datazone: 'default',
        interfaces: new Map(),
        hasExport: true,
      },
      {
        name: 'zebra',
        roles: [],
        roleSource: 'unknown',
        addresses: [],
        datazone: 'default',
        interfaces: new Map(),
        hasExport: true,
      },
    ]);
  });

  test('adds hosts that are only declared, and no patterns', () => {
    const hosts = resolveHosts(
      ['db-01'],
      inventoryOf({
        hosts: { 'dd-01': { role: 'data-domain', addresses: '192.0.2.50' }, 'db-*': { role: 'client' } },
      }),
    );
    expect(hosts.map((host) => [host.name, host.hasExport, ...host.roles])).toEqual([
      ['db-01', true, 'client'],
      ['dd-01', false, 'data-domain'],
    ]);
    expect(hosts[1]!.addresses).toHaveLength(1);
  });

  test('its own entry goes before patterns, key by key, and patterns in the order written', () => {
    const [host] = resolveHosts(
      ['db-01'],
      inventoryOf({
        hosts: {
          'db-*': {
            role: 'client',
            datazone: 'x',
            service_ports: '7937-7940',
            interfaces: { eth0: 'a', eth1: 'a' },
            distribution: 'rhel',
          },
          '*': { roles: ['server', 'nmc'], connection_ports: '10001-30000' },
          'db-01': { datazone: 'y', interfaces: { eth1: 'b' }, storage_nodes: ['sn-*'] },
          'sn-2': {},
          'sn-1': {},
        },
      }),
    );
    expect(host).toMatchObject({
      roles: ['client'],
      roleSource: 'configuration',
      datazone: 'y',
      servicePorts: [{ lo: 7937n, hi: 7940n }],
      connectionPorts: [{ lo: 10001n, hi: 30000n }],
      storageNodes: ['sn-1', 'sn-2'],
      distribution: 'rhel',
      origin: { path: '$.hosts.db-01' },
    });
    expect(Object.fromEntries(host!.interfaces)).toEqual({ eth0: 'a', eth1: 'b' });
  });

  test('a name is not guessed from where an entry fits, even one without role', () => {
    const hosts = resolveHosts(['client-01', 'sn-01'], inventoryOf({ hosts: { 'client-01': {} } }));
    expect(hosts.map((host) => host.roleSource)).toEqual(['unknown', 'name']);
  });

  test('a qualified name found and a short name declared are one host', () => {
    const hosts = resolveHosts(
      ['client-01.example.com'],
      inventoryOf({ hosts: { 'client-01': { role: 'client' } } }),
    );
    expect(hosts.map((host) => [host.name, host.hasExport])).toEqual([['client-01', true]]);
  });

  test('a storage node may be referred to by another spelling', () => {
    const hosts = resolveHosts(
      [],
      inventoryOf({ hosts: { 'sn-01': {}, a: { storage_nodes: ['SN-01.example.com'] } } }),
    );
    expect(hosts[0]!.storageNodes).toEqual(['sn-01']);
  });

  test('names of prototype properties are harmless', () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const hosts = resolveHosts(names, inventoryOf({ hosts: { constructor: { role: 'client' } } }));
    expect(hosts.map((host) => [host.name, ...host.roles])).toEqual([
      ['__proto__'],
      ['constructor', 'client'],
      ['toString'],
    ]);
  });

  test('the result does not depend on the order of the names', () => {
    const names = ['b', 'a', 'nw-server', 'C'];
    expect(resolveHosts(names)).toEqual(resolveHosts([...names].reverse()));
  });
});
