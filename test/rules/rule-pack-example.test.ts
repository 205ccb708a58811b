/** The rule pack in docs/examples: what its checks say is shown by their examples, as for the built-in ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { compareExample, runExample } from '../../src/cli/example-run.ts';
import { type CheckDefinition, Decoder } from '../../src/rulepack/index.ts';
import { parseCheck, parseRulePack } from '../../src/rulepack/parse.ts';
import { bindCheck, PREDICATES } from '../../src/scan.ts';
import { makeFolder, runCli } from '../cli/cli-run.ts';
import { ROOT, shippedChecks, shippedProfile } from '../scan-support.ts';

const FOLDER = 'docs/examples/rule-pack';
const FILES = readdirSync(join(ROOT, FOLDER)).map((name) => ({
  file: `${FOLDER}/${name}`,
  text: readFileSync(join(ROOT, FOLDER, name), 'utf8'),
}));
const CHECKS = parseRulePack(FILES, [], bindCheck).checks;

// The schema is ours.
const schema = JSON.parse(readFileSync(join(ROOT, 'rules/schema/check.schema.json'), 'utf8')) as {
  properties: { when: { properties: Record<string, unknown> } };
};
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
const validate = ajv.compile(schema);

describe.each(CHECKS)('$id', (check) => {
  test.each([...check.examples.bad, ...check.examples.good])('$name', (example) => {
    expect(compareExample(example, runExample(example, check, shippedProfile('guide')).findings)).toEqual([]);
  });
});

test('three checks at least, and the command that runs their examples finds them right', async () => {
  expect(CHECKS.length).toBeGreaterThanOrEqual(3);
  const result = await runCli(['rules', '--rules', FOLDER, '--test'], { cwd: ROOT });
  expect(result.stdout).toMatch(/^\d+ checks, \d+ examples: all as expected\n$/);
  expect(result.exitCode).toBe(0);
});

describe('the JSON schema of checks', () => {
  test('knows the predicates there are', () => {
    expect(Object.keys(schema.properties.when.properties).sort()).toEqual(
      PREDICATES.map((p) => p.name).sort(),
    );
  });

  test.each([...FILES, ...shippedFiles()])('takes $file', ({ text }) => {
    validate(parse(text));
    expect(validate.errors ?? []).toEqual([]);
  });

  const [base] = FILES;
  const document = (scope: string, when: unknown): unknown => ({
    ...(parse(base?.text ?? '') as object),
    scope,
    when,
    message: 'x',
    remediation: 'x',
    severity: 'low',
  });

  test.each(
    PREDICATES.flatMap(({ name, scopes, examples }) =>
      examples.map(({ yaml }) => [name, yaml, scopes[0] ?? 'rule'] as const),
    ),
  )('takes what the documentation of %s shows: %s', (name, yaml, scope) => {
    validate(document(scope, { [name]: parse(yaml) as unknown }));
    expect(validate.errors ?? []).toEqual([]);
  });

  test.each([
    { 'accepts-any-of': { dport: 'ssh' } },
    { 'accepts-any-of': { from: 'everybody' } },
    { 'accepts-any-of': { from: { adresses: '192.0.2.1' } } },
    { 'accepts-any-of': { 'except-from': {} } },
    { hook: 'prerouting' },
    { role: [] },
    { 'has-comment': 'no' },
    { 'open-to': 'all', 'accepts-any-of': {} },
    { nothing: true },
    {},
  ])('refuses %j, as the loader does', (when) => {
    expect(validate(document('rule', when))).toBe(false);
    const decoded = parseCheck(JSON.stringify(document('rule', when)), 'x.yaml', bindCheck);
    expect(decoded.kind).toBe('bad');
  });
});

function shippedFiles(): { file: string; text: string }[] {
  const folder = join(ROOT, 'rules/checks');
  return readdirSync(folder).map((name) => ({
    file: `rules/checks/${name}`,
    text: readFileSync(join(folder, name), 'utf8'),
  }));
}

test('every built-in check names evaluators, predicates and facts that exist, and since when it is there', () => {
  const problems = shippedChecks().flatMap((check: CheckDefinition) => {
    const decoder = new Decoder(check.source.file, check.source.locate);
    bindCheck(check, decoder);
    return [
      ...decoder.problems,
      ...(check.since === undefined ? [`${check.id} does not say since when`] : []),
    ];
  });
  expect(problems).toEqual([]);
});

/** The first example check, with another line in its first example. */
const text = (line: number) =>
  (FILES.find(({ file }) => file.endsWith('ssh-open-to-any.yaml'))?.text ?? '').replace(
    'line: 5',
    `line: ${line}`,
  );

describe('nwaudit rules --test', () => {
  test('tells an example that gives something else, with its place', async () => {
    const cwd = makeFolder({ 'pack/ssh-open-to-any.yaml': text(4) });
    const result = await runCli(['rules', '--rules', 'pack', '--test'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(
      /^pack\/ssh-open-to-any\.yaml:\d+:\d+: ssh-open-to-any, bad example "SSH from everywhere"\n {2}expected line 4; found app-01\.rules:5: high: /,
    );
  });

  test('an example whose configuration is wrong is told as that', async () => {
    const cwd = makeFolder({
      'pack/ssh-open-to-any.yaml': text(5).replace('admin_networks', 'admin_network'),
    });
    const result = await runCli(['rules', 'ssh-open-to-any', '--rules', 'pack', '--test'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toContain('the configuration of an example of ssh-open-to-any cannot be used');
  });
});

describe('nwaudit rules --test, files of an example that cannot be read whole', () => {
  test('are an error at the place of the example, although the check is silent as expected', async () => {
    const at = text(5).indexOf('  good:');
    const good = text(5)
      .slice(at)
      .replace(/\*filter[\s\S]*?COMMIT\n/, 'a file that is no export\n');
    const cwd = makeFolder({ 'pack/ssh-open-to-any.yaml': text(5).slice(0, at) + good });
    const result = await runCli(['rules', '--rules', 'pack', '--test'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(
      /^pack\/ssh-open-to-any\.yaml:\d+:\d+: ssh-open-to-any, good example ".+"\n {2}not read whole: app-01\.rules:1: .+\n1 check, 3 examples: 1 not as expected\n$/,
    );
  });

  test('are what the check about such files is for', async () => {
    const result = await runCli(['rules', 'unread-input', '--test'], { cwd: ROOT });
    expect(result.stdout).toContain('all as expected');
    expect(result.exitCode).toBe(0);
  });
});

describe('a rule pack of a user', () => {
  test('is listed with its pack, explained with its predicates, and stands in JSON and SARIF', async () => {
    const list = await runCli(['rules', '--rules', FOLDER], { cwd: ROOT });
    expect(list.stdout).toMatch(
      /^ssh-open-to-any +high +SSH accepted from any source address \(from docs\/examples\/rule-pack\)$/m,
    );
    const one = await runCli(['rules', 'ssh-open-to-any', '--rules', FOLDER], { cwd: ROOT });
    expect(one.stdout).toContain(
      '  accepts-any-of: { protocol: tcp, dport: 22, except-from: { admin-networks: true } }\n',
    );
    const args = [
      'scan',
      'fixtures/lab/exports',
      '--no-config',
      '--rules',
      FOLDER,
      '--select',
      'ssh-open-to-any',
    ];
    const json = await runCli([...args, '--format', 'json'], { cwd: ROOT });
    // The shape is tested where the report is.
    const report = JSON.parse(json.stdout) as { checks: unknown[]; findings: { check: string }[] };
    expect(report.checks).toMatchObject([{ id: 'ssh-open-to-any', pack: FOLDER }]);
    expect(report.findings.length).toBeGreaterThan(0);
    const sarif = await runCli([...args, '--format', 'sarif'], { cwd: ROOT });
    expect(sarif.stdout).toContain('"id":"ssh-open-to-any"');
  });

  test('problems of all files and packs are told at once', async () => {
    const cwd = makeFolder({
      'a/ssh-open-to-any.yaml': text(5).replace('scope: rule', 'scope: rul'),
      'b/two.yaml': text(5).replace('dport: 22', 'dpor: 22').replace('ssh-open-to-any', 'two'),
    });
    const result = await runCli(['rules', '--rules', 'a', '--rules', 'b'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(
      /^a\/ssh-open-to-any\.yaml:\d+:1: scope: found "rul"; did you mean "rule"\?/m,
    );
    expect(result.stderr).toMatch(
      /^b\/two\.yaml:\d+:\d+: when\.accepts-any-of\.dpor: unknown key; did you mean "dport"\?/m,
    );
  });

  test('what is wrong with its id, roles and place comes with everything else, at the paths as they were given', async () => {
    const broken = text(5)
      .replace('id: ssh-open-to-any', 'id: shadowed-rule')
      .replace('severity: high', 'severity: hihg')
      .replace('hook: input', 'role: sever');
    const cwd = makeFolder({ 'here/x': '', 'a/one.yaml': broken, 'a/two.yaml': text(5) });
    const result = await runCli(['rules', '--rules', '../a/'], { cwd: join(cwd, 'here') });
    expect(result.exitCode).toBe(2);
    const lines = result.stderr.split('\n').filter((line) => line.startsWith('../a/'));
    expect(lines.map((line) => line.replace(/ \(allowed: .*/, ''))).toEqual([
      '../a/one.yaml:2:1: id: the file of this check has to be called shadowed-rule.yaml; or is its id "one"?',
      '../a/one.yaml:2:1: id: rules/checks/shadowed-rule.yaml has the check "shadowed-rule" already; give yours another id',
      expect.stringMatching(/^\.\.\/a\/one\.yaml:\d+:1: severity: found "hihg"; did you mean "high"\?$/),
      expect.stringMatching(
        /^\.\.\/a\/one\.yaml:\d+:3: when\.role: "sever" is no role of the profile; did you mean "server"\?$/,
      ),
      '../a/two.yaml:2:1: id: the file of this check has to be called ssh-open-to-any.yaml; or is its id "two"?',
    ]);
  });

  test('an id that is there already is told with both files', async () => {
    const cwd = makeFolder({
      'a/shadowed-rule.yaml': text(5).replace('id: ssh-open-to-any', 'id: shadowed-rule'),
    });
    const result = await runCli(['rules', '--rules', 'a'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(
      /^a\/shadowed-rule\.yaml:2:1: id: .*shadowed-rule\.yaml has the check "shadowed-rule" already/m,
    );
  });

  test('a role that the profile does not have is no check that finds nothing, but an error', async () => {
    const cwd = makeFolder({
      'a/ssh-open-to-any.yaml': text(5).replace('hook: input', 'role: sever'),
      'app-01.rules': '*filter\n:INPUT DROP [0:0]\nCOMMIT\n',
    });
    const result = await runCli(['scan', 'app-01.rules', '--rules', 'a'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('when.role: "sever" is no role of the profile; did you mean "server"?');
  });

  test('options or facts that an evaluator does not have are an error of the pack, not a defect', async () => {
    const check = text(5).replace(
      /scope: rule\nwhen:\n(?: {2}.*\n)+/,
      'evaluate: exposure\noptions: { class: nothing }\n',
    );
    const cwd = makeFolder({
      'a/ssh-open-to-any.yaml': check,
      'app-01.rules': '*filter\n:INPUT DROP [0:0]\nCOMMIT\n',
    });
    const result = await runCli(['scan', 'app-01.rules', '--rules', 'a'], { cwd });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(
      'a/ssh-open-to-any.yaml: check ssh-open-to-any: option class must be one of',
    );
  });
});
