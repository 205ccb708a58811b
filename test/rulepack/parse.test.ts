import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  combineRulePacks,
  formatProblem,
  type RulePack,
  RulePackError,
  rulePackFromJson,
} from '../../src/rulepack/index.ts';
import { compileRulePack, parseCheck, parseProfile, parseRulePack } from '../../src/rulepack/parse.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const GUIDE = read('../../rules/profiles/guide.yaml');
const VENDOR = read('../../rules/profiles/vendor.yaml');
const CHECK = read('example-check.yaml');
const FILES = [
  { file: 'profiles/guide.yaml', text: GUIDE },
  { file: 'profiles/vendor.yaml', text: VENDOR },
  { file: 'checks/service-port-beyond-peers.yaml', text: CHECK },
];

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
const profileSchema = ajv.compile(JSON.parse(read('../../rules/schema/profile.schema.json')));
const checkSchema = ajv.compile(JSON.parse(read('../../rules/schema/check.schema.json')));

const problemsOf = (decoded: ReturnType<typeof parseCheck> | ReturnType<typeof parseProfile>): string[] =>
  decoded.kind === 'ok' ? [] : decoded.problems.map(formatProblem);

const vendor = (() => {
  const decoded = parseProfile(VENDOR, 'vendor.yaml');
  if (decoded.kind === 'bad') throw new Error(problemsOf(decoded).join('\n'));
  return decoded.value;
})();

describe('the guide profile', () => {
  test('is valid for the loader and for its schema', () => {
    expect(problemsOf(parseProfile(GUIDE, 'guide.yaml', [vendor]))).toEqual([]);
    expect(profileSchema(parse(GUIDE)) || profileSchema.errors).toBe(true);
  });

  test('says who needs what', () => {
    const [profile] = parseRulePack(FILES).profiles;
    const flows = profile?.flows.map(
      ({ from, to, ports, need, protocol }) =>
        `${from.join('+')} > ${to.join('+')} ${protocol}: ${ports.map((term) => (term.kind === 'ports' ? `${term.range.lo}-${term.range.hi}` : 'R')).join(' ')} ${need}`,
    );
    expect(flows).toEqual([
      'client+storage-node > server 6: 7937-7937 7938-7938 required',
      'server+storage-node > client 6: R required',
      'server > client 6: 7937-7937 allowed',
      'server > storage-node 6: 7937-7937 R required',
      'client > storage-node 6: R required',
      'storage-node+client > server 6: R vendor',
      'admin-networks > nmc+auth 6: 9090-9090 required',
      'nmc > server 6: 9090-9090 vendor',
      'admin-networks > nmc 6: 9000-9001 vendor',
    ]);
    expect(profile?.serviceRange).toEqual({ lo: 7937n, hi: 9936n });
    expect(profile?.connectionPorts).toEqual({ lo: 10001n, hi: 30000n });
    expect(profile?.adminPorts).toEqual([
      { port: 9090, title: undefined, servedBy: ['nmc', 'auth'], elseServedBy: ['server'] },
    ]);
    expect(profile?.flows.find((flow) => flow.id === 'dynamic-range-to-server')).toMatchObject({
      check: 'dynamic-range-open-on-server',
      severity: 'low',
    });
  });
});

describe('the vendor profile', () => {
  test('is valid for its schema', () => {
    expect(profileSchema(parse(VENDOR)) || profileSchema.errors).toBe(true);
  });

  test('fails nothing that is a deduction', () => {
    const doubtful = vendor.flows.filter((f) => f.confidence !== 'high' && f.confidence !== 'medium');
    expect(doubtful.map((f) => `${f.id} ${f.need}`).filter((f) => !f.endsWith(' allowed'))).toEqual([]);
    expect(
      vendor.flows.filter((f) => /not verified|UNVERIFIED/i.test(f.note ?? '')).map((f) => f.id),
    ).toContain('v06-storage-node-to-client');
  });

  test('names a source or says that there is none, for every flow', () => {
    expect(vendor.flows.filter((f) => f.where === '' || f.confidence === undefined)).toEqual([]);
    const used = new Set(
      [...vendor.flows, ...vendor.neverRemote].flatMap((f) => f.sources.map((source) => source.id)),
    );
    expect(vendor.sources.map((source) => source.id).filter((id) => !used.has(id))).toEqual([]);
  });
});

describe('a check file', () => {
  test('is valid for the loader and for its schema', () => {
    expect(problemsOf(parseCheck(CHECK, 'check.yaml'))).toEqual([]);
    expect(checkSchema(parse(CHECK)) || checkSchema.errors).toBe(true);
  });

  test('gives its cases, examples and texts', () => {
    const [check] = parseRulePack(FILES).checks;
    expect(check?.severity).toEqual([
      { when: { 'any-source': true }, is: 'high' },
      { when: undefined, is: 'medium' },
    ]);
    expect(check?.options).toEqual({ kind: 'service-port' });
    expect(check?.examples.bad[0]?.expect).toEqual([
      { host: 'sn-01', line: 3, severity: 'high', certainty: 'certain' },
    ]);
    expect(check?.examples.good[0]?.expect).toEqual([]);
    expect(check?.examples.good[0]?.files['sn-01.rules']).toMatch(/^\*filter\n/);
  });
});

describe('problems in a check', () => {
  const broken = (from: string | RegExp, to: string): string => CHECK.replace(from, to);

  test('are all reported at once, each with its place', () => {
    const text = CHECK.replace('status: stable', 'status: stabel')
      .replace('is: medium', 'is: middling')
      .replace('rationale: |', 'reason: |')
      .replace('line: 3', 'line: three');
    expect(problemsOf(parseCheck(text, 'c.yaml'))).toEqual([
      'c.yaml:2:1: the key "rationale" is missing',
      'c.yaml:4:1: status: found "stabel"; did you mean "stable"? (allowed: stable, nursery)',
      'c.yaml:8:5: severity[1].is: found "middling"; allowed: info, low, medium, high, critical',
      'c.yaml:18:1: reason: unknown key; allowed: id, title, severity, message, rationale, remediation, examples, since, status, severity-reason, evaluate, options, scope, when, references',
      'c.yaml:34:31: examples.bad[0].expect[0].line: expected a whole number from 1 to 10000000; found "three"',
    ]);
  });

  test.each([
    [
      'a default case with a condition',
      broken('- is: medium', '- { when: { a: true }, is: medium }'),
      'severity[1]: the last case is the default',
    ],
    [
      'a case after the default',
      broken('- { when: { any-source: true }, is: high }', '- is: high'),
      'severity[0]: only the last case',
    ],
    ['a stray brace', broken('need it."\nrationale', 'need {it."\nrationale'), 'message[1].is: braces'],
    ['an id in capitals', broken('id: service', 'id: Service'), 'id: expected lower-case words'],
    ['no bad example', broken(/bad:[\s\S]*good:/, 'bad: []\n  good:'), 'examples.bad: expected at least 1'],
    ['a file outside its folder', broken('sn-01.rules: |', '../sn-01.rules: |'), 'a file name stays inside'],
    ['a list as the document', '[]', 'expected a mapping'],
    ['nothing', '', 'expected a mapping'],
    ['broken YAML', 'id: [', 'not valid YAML'],
    ['a repeated key', `${CHECK}\nid: again\n`, 'not valid YAML: the key "id" stands twice'],
  ])('%s', (_, text, expected) => {
    expect(problemsOf(parseCheck(text, 'c.yaml')).join('\n')).toContain(expected);
  });
});

describe('problems in a profile', () => {
  const broken = (from: string, to: string): string => GUIDE.replace(from, to);
  test.each([
    [
      'a role that does not exist',
      broken('to: [server]', 'to: [sevrer]'),
      'flows[0].to[0]: "sevrer" is no role of this profile; did you mean "server"?',
    ],
    [
      'admin networks as a destination',
      broken('to: [nmc, auth]', 'to: [admin-networks]'),
      '"admin-networks" is no role',
    ],
    ['a port out of range', broken('ports: [9090]', 'ports: [90900]'), 'flows[6].ports[0]: expected a port'],
    ['a reversed range', broken('9000-9001', '9001-9000'), 'flows[8].ports[0]: expected a port'],
    [
      'a severity without need: vendor',
      broken('need: allowed', 'need: allowed\n    severity: low'),
      'only a flow with "need: vendor"',
    ],
    ['a vendor flow without severity', broken('    severity: low\n', ''), 'needs the key "severity"'],
    [
      'a flow twice',
      broken('id: data-to-client', 'id: control-to-server'),
      'flows[1].id: "control-to-server" is there twice',
    ],
    [
      'an unknown protocol',
      broken('need: allowed', 'need: allowed\n    protocol: tpc'),
      'expected a protocol such as tcp',
    ],
  ])('%s', (_, text, expected) => {
    expect(problemsOf(parseProfile(text, 'p.yaml', [vendor])).join('\n')).toContain(expected);
  });

  test.each([
    ['unknown key', (map: Record<string, unknown>) => ({ ...map, extra: 1 })],
    ['missing key', ({ roles: _, ...rest }: Record<string, unknown>) => rest],
    ['no flows', (map: Record<string, unknown>) => ({ ...map, flows: [] })],
    ['port as text', (map: Record<string, unknown>) => ({ ...map, 'fixed-ports': ['x'] })],
  ])('the schema rejects what the loader rejects: %s', (_, change) => {
    const changed = change(parse(GUIDE));
    expect(profileSchema(changed)).toBe(false);
    expect(parseProfile(JSON.stringify(changed), 'p.yaml', [vendor]).kind).toBe('bad');
  });
});

describe('hostile YAML', () => {
  test.each([
    [
      'aliases of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]},`.repeat(9)}]`).join('\n')}\n`,
    ],
    ['deep nesting', '['.repeat(20_000)],
    ['a prototype', '__proto__: { id: x }\nconstructor: 1\n'],
    ['a very long text', `id: ${'x'.repeat(2_000_000)}`],
    ['control characters', 'id: "\u0000\u001b"\n\u0007: 1'],
    ['several documents', 'id: a\n---\nid: b\n'],
    ['keys that are no text', '? [a, b]\n: 1\n1: 2\nnull: 3\n'],
  ])('%s give problems, not a crash', (_, text) => {
    expect(parseCheck(text, 'c.yaml').kind).toBe('bad');
    expect(parseProfile(text, 'p.yaml').kind).toBe('bad');
  });
});

test('of a file that is wrong in many places a thousand problems are told', () => {
  const many = Array.from({ length: 4000 }, (_, i) => `key${i}: 1`).join('\n');
  for (const text of [many, 'a: 1\n'.repeat(4000), 'a: "b" c\n'.repeat(4000)]) {
    const decoded = parseCheck(text, 'c.yaml');
    expect(decoded.kind === 'bad' && decoded.problems.length).toBe(1000);
  }
});

test('a key that stands twice is told with its line, at any depth', () => {
  expect(parseCheck('id: a\nseverity:\n  x: 1\n  x: 2\nid: b\n', 'c.yaml')).toMatchObject({
    problems: [
      { line: 5, column: 1, detail: 'not valid YAML: the key "id" stands twice' },
      { line: 4, column: 3, detail: 'not valid YAML: the key "x" stands twice' },
    ],
  });
});

describe('the compiled rule pack', () => {
  test('survives JSON and equals the one from YAML', () => {
    const json: unknown = JSON.parse(JSON.stringify(compileRulePack(FILES)));
    const withoutSource = ({ profiles, checks }: RulePack) => ({
      profiles,
      checks: checks.map((check) => ({ ...check, source: check.source.file })),
    });
    expect(withoutSource(rulePackFromJson(json))).toEqual(withoutSource(parseRulePack(FILES)));
  });

  test('is checked again when it is read', () => {
    expect(() => rulePackFromJson({ version: 1, files: [{ kind: 'check', file: 'c', data: {} }] })).toThrow(
      RulePackError,
    );
    expect(() => rulePackFromJson({ version: 2, files: [] })).toThrow('expected 1');
    expect(() => rulePackFromJson(null)).toThrow(RulePackError);
  });

  test('reports the problems of all files together', () => {
    const files = [
      ...FILES,
      { file: 'checks/a.yaml', text: 'id: [' },
      { file: 'checks/b.yaml', text: CHECK },
    ];
    expect(() => compileRulePack(files)).toThrow(
      /checks\/a\.yaml:1:\d+: not valid YAML[\s\S]*checks\/b\.yaml:2:1: id: checks\/service-port-beyond-peers\.yaml has the check/,
    );
  });

  test('combines with others unless an id is there twice', () => {
    const pack = parseRulePack(FILES);
    expect(combineRulePacks([pack, { profiles: [], checks: [] }])).toEqual(pack);
    expect(() => combineRulePacks([pack, { profiles: pack.profiles, checks: [] }])).toThrow(
      'the profile "guide" is there twice',
    );
  });
});
