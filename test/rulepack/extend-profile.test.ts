import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatProblem, type Profile } from '../../src/rulepack/index.ts';
import { compileRulePack, parseProfile, parseRulePack } from '../../src/rulepack/parse.ts';
import { shippedProfiles } from '../scan-support.ts';

const KNOWN = shippedProfiles();
const schema = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }).compile(
  JSON.parse(readFileSync(new URL('../../rules/schema/profile.schema.json', import.meta.url), 'utf8')),
);

function extended(text: string): Profile {
  const decoded = parseProfile(text, 'ours.yaml', KNOWN);
  if (decoded.kind === 'bad') throw new Error(decoded.problems.map(formatProblem).join('\n'));
  expect(schema(parse(text)) || schema.errors).toBe(true);
  return decoded.value;
}

function problems(text: string): string[] {
  const decoded = parseProfile(text, 'ours.yaml', KNOWN);
  return decoded.kind === 'ok' ? [] : decoded.problems.map(formatProblem);
}

const OURS = `id: ours
title: Ours
extends: vendor
`;
const vendor = KNOWN.find((one) => one.id === 'vendor')!;

describe('a profile that extends another', () => {
  test('is that other where it says nothing', () => {
    const { id, title, data, ...rest } = extended(OURS);
    const { id: _, title: __, data: ___, ...base } = vendor;
    expect([id, title]).toEqual(['ours', 'Ours']);
    expect(rest).toEqual(base);
    expect(data).toMatchObject({ id: 'ours' });
  });

  test('changes the keys it names of a flow, and leaves the others', () => {
    const ours = extended(`${OURS}flows:
  - { id: v06-storage-node-to-client, need: required }
  - { id: v01-server-to-client, note: ~ }
`);
    const of = (profile: Profile, id: string) => profile.flows.find((flow) => flow.id === id);
    const before = of(vendor, 'v06-storage-node-to-client');
    expect(of(ours, 'v06-storage-node-to-client')).toEqual({ ...before, need: 'required' });
    expect(of(ours, 'v01-server-to-client')).toEqual({
      ...of(vendor, 'v01-server-to-client'),
      note: undefined,
    });
    expect(ours.flows.map((flow) => flow.id)).toEqual(vendor.flows.map((flow) => flow.id));
  });

  test('adds and removes roles, flows and ports, and moves the range', () => {
    const ours = extended(`${OURS}service-range: 7937-7999
connection-ports: ~
remove: { flows: [v07-storage-node-to-storage-node], admin-ports: [5432], never-remote: [514] }
roles: [{ id: tape-library, title: Tape library }]
flows:
  - { id: tapes, from: [storage-node], to: [tape-library], protocol: udp, ports: [161], need: allowed, where: our ticket }
admin-ports: [{ port: 9090, served-by: [auth] }]
`);
    expect(ours.serviceRange).toEqual({ lo: 7937n, hi: 7999n });
    expect(ours.connectionPorts).toBeUndefined();
    expect(ours.roles.at(-1)).toEqual({ id: 'tape-library', title: 'Tape library' });
    expect(ours.flows.at(-1)).toMatchObject({ id: 'tapes', protocol: 17, where: 'our ticket' });
    expect(ours.flows.some((flow) => flow.id.startsWith('v07'))).toBe(false);
    expect(ours.adminPorts.map((a) => a.port)).toEqual([9090, 9000, 9001, 5671, 5672]);
    expect(ours.adminPorts[0]).toMatchObject({ servedBy: ['auth'], title: vendor.adminPorts[0]?.title });
    expect(ours.neverRemote.map((n) => n.port)).not.toContain(514);
  });

  test('may be extended in turn, in whatever order the files stand', () => {
    const files = [
      { file: 'profiles/a.yaml', text: 'id: a\ntitle: A\nextends: b\nremove: { flows: [mine] }\n' },
      {
        file: 'profiles/b.yaml',
        text: `id: b\ntitle: B\nextends: guide\nflows: [{ id: mine, from: [nmc], to: [client], ports: [443], need: allowed, where: x }]\n`,
      },
    ];
    const pack = parseRulePack(files, KNOWN);
    expect(pack.profiles.map((p) => [p.id, p.flows.some((f) => f.id === 'mine')])).toEqual([
      ['a', false],
      ['b', true],
    ]);
    expect(pack.profiles[0]?.comparedWith?.id).toBe('vendor');
    const standalone = [
      { file: 'profiles/a.yaml', text: 'id: a\ntitle: A\nextends: b\n' },
      {
        file: 'profiles/b.yaml',
        text: `id: b\ntitle: B\ndescription: d\nroles: [{ id: x, title: X }]\nflows: [{ id: f, from: [x], to: [x], ports: [1], need: allowed, where: w }]\n`,
      },
    ];
    expect(compileRulePack(standalone).files).toHaveLength(2);
  });
});

describe('what is wrong in an extension is told at its place', () => {
  test.each([
    [
      'an unknown base',
      'id: o\ntitle: O\nextends: vendro\n',
      'ours.yaml:3:1: extends: there is no profile "vendro"; did you mean "vendor"?',
    ],
    ['a missing title', 'id: o\nextends: vendor\n', 'ours.yaml:1:1: the key "title" is missing'],
    [
      'a flow that is not there',
      `${OURS}remove: { flows: [v99] }\n`,
      'ours.yaml:4:19: remove.flows[0]: "v99" is not among the flows of vendor',
    ],
    [
      'a list of another name',
      `${OURS}remove: { flow: [v01-server-to-client] }\n`,
      'ours.yaml:4:11: remove.flow: unknown key',
    ],
    [
      'its own mistake in a flow of the base',
      `${OURS}flows:\n  - id: v01-server-to-client\n    need: requierd\n`,
      'ours.yaml:6:5: flows[0].need: found "requierd"; did you mean "required"?',
    ],
    [
      'what a change makes of a flow of the base',
      `${OURS}flows:\n  - id: v01-server-to-client\n    need: vendor\n`,
      'flows[0]: a flow with "need: vendor" needs the key "severity"',
    ],
    [
      'a role that flows of the base need',
      `${OURS}remove: { roles: [nwui] }\n`,
      'ours.yaml:3:1: extends: in flows v12-authentication of the profile vendor: "nwui" is no role of this profile',
    ],
    [
      'a new flow that is not whole',
      `${OURS}flows:\n  - id: mine\n`,
      'ours.yaml:5:5: flows[0]: the key "from" is missing',
    ],
    [
      'remove without a base',
      'id: o\ntitle: O\nremove: { roles: [x] }\n',
      'remove: only a profile with "extends"',
    ],
    ['flows that are no list', `${OURS}flows: 3\n`, 'ours.yaml:4:1: flows: expected a list'],
    ['an unknown key', `${OURS}flowz: []\n`, 'ours.yaml:4:1: flowz: unknown key; did you mean "flows"?'],
  ])('%s', (_, text, expected) => {
    expect(problems(text).join('\n')).toContain(expected);
  });

  test('profiles that refer to each other in a circle', () => {
    const one = (id: string, base: string) => ({
      file: `profiles/${id}.yaml`,
      text: `id: ${id}\ntitle: T\nextends: ${base}\n`,
    });
    expect(() => parseRulePack([one('a', 'b'), one('b', 'a')])).toThrow(
      /a\.yaml:3:1: extends: .*circle[\s\S]*b\.yaml/,
    );
  });
});
