import { describe, expect, test } from 'vitest';
import {
  checkDeclarations,
  type DeclarationFact,
  decodeInventoryData,
  exceptionAppliesTo,
  exceptionSources,
  type Inventory,
  resolveHosts,
} from '../../src/inventory/index.ts';
import { formatAddressInterval } from '../../src/net/index.ts';

function inventoryOf(data: object): Inventory {
  const { inventory, problems } = decodeInventoryData(data, 'nwaudit.yaml');
  expect(problems).toEqual([]);
  return inventory!;
}

const HOSTS = {
  'nw-server': { role: 'server', addresses: '192.0.2.10' },
  'sn-01': { role: 'storage-node', addresses: '192.0.2.20' },
  'nmc-01': { roles: ['nmc', 'auth'], addresses: '198.51.100.5' },
  'client-01': { role: 'client', addresses: ['192.0.2.101', '2001:db8::101'] },
};
const exception = (keys: object) => ({
  exceptions: [
    { id: 'x', to: 'client-01', from: '203.0.113.7', ports: 80, reason: 'r', expires: '2027-01-01', ...keys },
  ],
});

/** Facts as short texts. */
function factsOf(data: object, today = '2026-06-01'): string[] {
  const inventory = inventoryOf({ hosts: HOSTS, ...data });
  return checkDeclarations(inventory, resolveHosts([], inventory), today).map(formatFact);
}

function formatFact(fact: DeclarationFact): string {
  switch (fact.kind) {
    case 'expired-exception':
      return `expired ${fact.exception.id}`;
    case 'expired-waiver':
      return `expired ${fact.waiver.check}`;
    case 'too-wide':
      return `wide ${fact.declaration} ${fact.name} ${fact.ranges.join(' ')}`;
    case 'contains-other-roles':
      return `foreign ${fact.declaration} ${fact.name} ${fact.ranges.join(' ')}: ${fact.hosts.join(' ')}`;
  }
}

describe('checkDeclarations', () => {
  const cases: readonly (readonly [string, object, readonly string[]])[] = [
    [
      'nothing special',
      { admin_networks: ['198.51.100.0/28'], role_networks: { client: ['192.0.2.96/28'] } },
      [],
    ],
    [
      'an admin network of everything',
      { hosts: {}, admin_networks: ['0.0.0.0/0'] },
      ['wide admin-networks  0.0.0.0/0'],
    ],
    ['an admin /8', { admin_networks: ['11.0.0.0/8'] }, ['wide admin-networks  11.0.0.0/8']],
    ['an admin /9', { admin_networks: ['11.0.0.0/9'] }, []],
    [
      'two admin /9',
      { admin_networks: ['11.0.0.0/9', '11.128.0.0/9'] },
      ['wide admin-networks  11.0.0.0/9 11.128.0.0/9'],
    ],
    ['one /9 written twice', { admin_networks: ['11.0.0.0/9', '11.0.0.0/9'] }, []],
    ['a wide range', { admin_networks: ['11.0.0.1-12.0.0.0'] }, ['wide admin-networks  11.0.0.1-12.0.0.0']],
    ['an IPv6 /32', { hosts: {}, admin_networks: ['2001:db8::/32'] }, ['wide admin-networks  2001:db8::/32']],
    ['an IPv6 /48', { admin_networks: ['2001:db8:1::/48'] }, []],
    [
      'an admin network with clients in it',
      { admin_networks: ['192.0.2.96/27'] },
      ['foreign admin-networks  192.0.2.96/27: client-01'],
    ],
    ['an admin network with the console in it', { admin_networks: ['198.51.100.0/24'] }, []],
    [
      'a role network with another role in it',
      { role_networks: { client: '192.0.2.0/24' } },
      ['foreign role-networks client 192.0.2.0/24: nw-server sn-01'],
    ],
    ['a role network with one of several roles', { role_networks: { auth: '198.51.100.0/24' } }, []],
    [
      'a wide role network',
      { hosts: {}, role_networks: { client: '::/0' } },
      ['wide role-networks client ::/0'],
    ],
    [
      'wide addresses of a host',
      { hosts: { a: { addresses: '12.0.0.0/7' } } },
      ['wide host-addresses a 12.0.0.0/7'],
    ],
    ['a wide exception', exception({ from: '11.0.0.0/8' }), ['wide exception x 11.0.0.0/8']],
    ['an exception to everything', exception({ to: '11.0.0.0/8' }), ['wide exception x 11.0.0.0/8']],
    [
      'an exception from a network of several roles',
      exception({ from: '192.0.2.0/27' }),
      ['foreign exception x 192.0.2.0/27: nw-server sn-01'],
    ],
    ['an exception from a network of one role', exception({ from: '192.0.2.16/28' }), []],
    ['an exception from one host of another role', exception({ from: '192.0.2.20' }), []],
    ['an exception that has ended', exception({ expires: '2026-05-31' }), ['expired x']],
    ['an exception on its last day', exception({ expires: '2026-06-01' }), []],
    [
      'a waiver that has ended',
      { waivers: [{ check: 'shadowed-rule', reason: 'r', expires: '2025-12-31' }] },
      ['expired shadowed-rule'],
    ],
  ];

  test.each(cases)('%s', (_name, data, expected) => {
    expect(factsOf(data)).toEqual(expected);
  });
});

describe('whom an exception is about', () => {
  const inventory = inventoryOf({
    hosts: HOSTS,
    role_networks: { client: '192.0.2.128/25' },
    exceptions: [
      {
        to: ['client', '192.0.2.20'],
        from: ['client', 'sn-*', '203.0.113.0/28'],
        ports: 80,
        reason: 'r',
        expires: '2027-01-01',
      },
    ],
  });
  const hosts = resolveHosts([], inventory);
  const [only] = inventory.exceptions;

  test('it applies to hosts by role and by address', () => {
    expect(hosts.filter((host) => exceptionAppliesTo(only!, host)).map((host) => host.name)).toEqual([
      'client-01',
      'sn-01',
    ]);
  });

  test('its sources are the addresses of hosts, networks of roles, and addresses', () => {
    const sources = exceptionSources(only!, hosts, inventory);
    expect(sources.map(({ version, range }) => formatAddressInterval(version, range))).toEqual([
      '192.0.2.101',
      '2001:db8::101',
      '192.0.2.128/25',
      '192.0.2.20',
      '203.0.113.0/28',
    ]);
  });
});
