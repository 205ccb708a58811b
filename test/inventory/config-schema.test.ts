import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { decodeInventoryData } from '../../src/inventory/index.ts';
import { DESIGN_EXAMPLE } from './design-example.ts';

const schema: unknown = JSON.parse(
  readFileSync(new URL('../../rules/schema/config.schema.json', import.meta.url), 'utf8'),
);
const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(
  schema as object, // the file is a JSON object
);

/** Documents, and who takes them: both the schema and the decoder, the schema only, or neither. */
const good = { to: 'a', from: '192.0.2.1', ports: 80, reason: 'r', expires: '2027-01-01' };
const withHost = (host: unknown) => ({ hosts: { a: host } });
const withException = (changes: object) => ({ hosts: { a: null }, exceptions: [{ ...good, ...changes }] });
const withWaiver = (changes: object) => ({
  hosts: { a: null },
  waivers: [{ check: 'shadowed-rule', reason: 'r', expires: '2027-01-01', ...changes }],
});

const documents: readonly (readonly ['both' | 'schema' | 'neither', string, unknown])[] = [
  ['both', 'nothing', null],
  ['both', 'an empty mapping', {}],
  [
    'both',
    'empty sections',
    { admin_networks: null, role_networks: null, hosts: null, exceptions: null, waivers: null },
  ],
  ['both', 'a single network', { admin_networks: '198.51.100.0/28' }],
  ['both', 'IPv6 and ranges', { admin_networks: ['2001:db8::/64', '192.0.2.1-192.0.2.9', ' 192.0.2.20 '] }],
  ['both', 'role networks', { role_networks: { client: ['192.0.2.0/24'], nmc: '192.0.2.1' } }],
  ['both', 'features', { features: ['message-bus', 'replication'] }],
  ['both', 'a single feature', { features: 'nsrlogin' }],
  ['schema', 'a feature that no profile knows', { features: ['mesage-bus'] }],
  ['neither', 'a feature that is no text', { features: [1] }],
  ['both', 'an empty host', withHost(null)],
  ['both', 'several roles', withHost({ roles: ['server', 'nmc'] })],
  [
    'both',
    'all keys of a host',
    withHost({
      role: 'client',
      addresses: '192.0.2.1',
      service_ports: 7937,
      connection_ports: '0-0',
      exports: ['a/'],
      interfaces: { eth0: 'internal' },
      distribution: 'rhel',
      datazone: 'x',
      storage_nodes: ['a'],
      behind: ['a'],
      devices: 3,
    }),
  ],
  ['both', 'lists of ports', withHost({ service_ports: ['7937-7942', 8000, '8001,8003-8005'] })],
  ['both', 'an exception', withException({})],
  [
    'both',
    'an exception with lists',
    withException({
      id: 'x',
      to: ['a', 'client'],
      from: ['192.0.2.1', 'server'],
      ports: ['tcp/1-2', 53, 'udp/53', 'icmp'],
      owner: 'o',
    }),
  ],
  ['both', 'a waiver', withWaiver({ host: 'a', owner: 'o', fingerprint: `nwaudit/v1:${'0'.repeat(32)}` })],

  ['neither', 'a negative number of devices', withHost({ devices: -1 })],
  ['neither', 'a part of a device', withHost({ devices: '1.5' })],
  ['neither', 'a list', []],
  ['neither', 'a text', 'hosts'],
  ['neither', 'an unknown key', { host: {} }],
  ['neither', 'an unknown key of a host', withHost({ adresses: [] })],
  ['neither', 'an unknown key of an exception', withException({ port: 1 })],
  ['neither', 'an unknown key of a waiver', withWaiver({ chain: 'INPUT' })],
  ['neither', 'a numeric profile', { profile: 1 }],
  ['neither', 'an empty profile', { profile: '' }],
  ['neither', 'hosts as a list', { hosts: ['a'] }],
  ['neither', 'a host as a text', withHost('client')],
  ['neither', 'role and roles', withHost({ role: 'client', roles: ['nmc'] })],
  ['neither', 'a numeric role', withHost({ role: 1 })],
  ['neither', 'a host name for an address', withHost({ addresses: ['nw.example.com'] })],
  ['neither', 'a number for an address', withHost({ addresses: [1] })],
  ['neither', 'port 0', withHost({ service_ports: 0 })],
  ['neither', 'port 65536', withHost({ service_ports: 65536 })],
  ['neither', 'a word for a port', withHost({ service_ports: 'http' })],
  ['neither', 'no ports', withHost({ service_ports: [] })],
  ['neither', 'a numeric zone', withHost({ interfaces: { eth0: 1 } })],
  ['neither', 'a distribution that is not known', withHost({ distribution: 'gentoo' })],
  ['neither', 'white space around a name', { hosts: { ' a': {} } }],
  ['neither', 'an exception without reason', withException({ reason: undefined })],
  ['neither', 'an exception without end', withException({ expires: undefined })],
  ['neither', 'an exception to nobody', withException({ to: [] })],
  ['neither', 'an empty reason', withException({ reason: '' })],
  ['neither', 'a date of another form', withException({ expires: '31.03.2027' })],
  ['neither', 'month 13', withException({ expires: '2027-13-01' })],
  ['neither', 'exceptions as a mapping', { exceptions: {} }],
  ['neither', 'a waiver without check', withWaiver({ check: undefined })],
  ['neither', 'a waiver with another fingerprint', withWaiver({ fingerprint: 'abc' })],
  ['neither', 'an upper case check', withWaiver({ check: 'Shadowed' })],

  ['schema', 'an unknown role', withHost({ role: 'tape' })],
  ['schema', 'an octet too big', withHost({ addresses: ['192.0.2.256'] })],
  ['schema', 'host bits', withHost({ addresses: ['192.0.2.1/24'] })],
  ['schema', 'reversed ports', withHost({ service_ports: '9-1' })],
  ['schema', 'February 30', withException({ expires: '2027-02-30' })],
  ['schema', 'an unknown host', withWaiver({ host: 'b' })],
  ['schema', 'addresses of a pattern', { hosts: { 'a*': { addresses: ['192.0.2.1'] } } }],
];

/** As YAML would give it: no keys that are `undefined`. */
function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe('rules/schema/config.schema.json', () => {
  test('takes the example of the documentation', () => {
    expect(validate(parse(DESIGN_EXAMPLE)), JSON.stringify(validate.errors)).toBe(true);
  });

  test.each(documents)('%s takes: %s', (who, _name, document) => {
    const data = withoutUndefined(document);
    expect(validate(data), JSON.stringify(validate.errors)).toBe(who !== 'neither');
    expect(decodeInventoryData(data, 'f').inventory !== undefined).toBe(who === 'both');
  });

  test('describes every key', () => {
    expect(findUndescribed(schema as SchemaNode, '$')).toEqual([]); // the file is a JSON object
  });
});

interface SchemaNode {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode | boolean>>;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
}

/** Paths of keys that have no description, neither of their own nor in the definition they refer to. */
function findUndescribed(node: SchemaNode, path: string): string[] {
  const { $defs = {} } = schema as SchemaNode; // the file is a JSON object
  const own = Object.entries(node.properties ?? {}).filter(([, property]) => {
    if (typeof property === 'boolean') return false;
    const target = $defs[(property.$ref ?? '').replace('#/$defs/', '')];
    return property.description === undefined && target?.description === undefined;
  });
  const inDefinitions = Object.entries(node.$defs ?? {}).flatMap(([name, child]) =>
    findUndescribed(child, `${path}.$defs.${name}`),
  );
  return [...own.map(([name]) => `${path}.${name}`), ...inDefinitions];
}
