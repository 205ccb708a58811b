import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseInventory } from '../../src/inventory/index.ts';
import { makeFolder, rulesText, runCli } from './cli-run.ts';

describe('rules', () => {
  it('lists every check with its severity and title', async () => {
    const { exitCode, stdout } = await runCli(['rules']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^default-accept +critical +\S/m);
    expect(stdout).toMatch(/^shadowed-rule +medium +\S/m);
  });

  it('explains one: why, what to do, references, examples', async () => {
    const { exitCode, stdout } = await runCli(['rules', 'shadowed-rule']);
    expect(exitCode).toBe(0);
    for (const heading of ['Why it matters', 'What to do', 'References', 'Reported: ', 'Not reported: ']) {
      expect(stdout).toContain(`\n${heading}`);
    }
    const prose = stdout.split('\nReferences')[0] ?? '';
    expect(Math.max(...prose.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});

describe('rules --profile', () => {
  it('prints the matrix of a shipped profile in three formats', async () => {
    const text = await runCli(['rules', '--profile', 'vendor']);
    expect([text.exitCode, text.stderr]).toEqual([0, '']);
    expect(text.stdout).toMatch(
      /^v02-client-to-server +client > server +tcp 7937, 7938, RANGE +required +high +d11, d17$/m,
    );
    const markdown = await runCli(['rules', '--profile', 'vendor', '--format', 'markdown']);
    expect(markdown.stdout).toContain(
      '| v02-client-to-server | client | server | tcp 7937, 7938, RANGE | required | high |  | d11, d17 |',
    );
    const json = JSON.parse((await runCli(['rules', '--profile', 'guide', '-f', 'json'])).stdout);
    expect(json).toMatchObject({ id: 'guide', serviceRange: '7937-9936' });
    expect(json.flows[0]).toMatchObject({
      flow: 'control-to-server',
      ports: ['7937', '7938'],
      need: 'required',
    });
  });

  it('takes nothing in a profile for Markdown, HTML or a command to the terminal', async () => {
    const cwd = makeFolder({
      'ours.yaml': [
        'id: ours',
        'title: "<script>|x"',
        'extends: vendor',
        'flows: [{ id: v01-server-to-client, note: "a | b\\n[c](d) \\u001b[31m<b>" }]',
        '',
      ].join('\n'),
    });
    const markdown = await runCli(['rules', '--profile', './ours.yaml', '--format', 'markdown'], { cwd });
    expect(markdown.stdout).toContain('\\<script\\>\\|x');
    expect(markdown.stdout).toContain('a \\| b \\[c\\](d)');
    expect(markdown.stdout).not.toMatch(/[^\\]<b>/);
    expect(markdown.stdout.split('\n').filter((line) => line.startsWith('| v01'))).toHaveLength(1);
    expect(markdown.stdout).not.toContain('\u001b');
    expect((await runCli(['rules', '--profile', './ours.yaml'], { cwd })).stdout).not.toContain('\u001b');
  });

  it.each([
    [['rules', '--profile', 'vendro'], 'no profile is called "vendro"; did you mean vendor?'],
    [['rules', 'default-accept', '--profile', 'guide'], 'rules takes a check or --profile, not both'],
    [['rules', '--format', 'json'], '--format json needs --profile'],
  ])('%j is exit code 2', async (argv, expected) => {
    const { exitCode, stderr } = await runCli(argv);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(expected);
  });
});

describe('init', () => {
  const RULES = rulesText([
    '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT',
    '-A INPUT -s 198.51.100.0/28 -p tcp -m multiport --dports 22,443 -j ACCEPT',
    '-A INPUT ! -s 203.0.113.0/24 -p tcp -m tcp --dport 25 -j ACCEPT',
    '-A INPUT -s 203.0.113.9/32 -j DROP',
    '-A FORWARD -s 203.0.113.8/32 -j ACCEPT',
  ]);

  it('prints a configuration that can be used as it is, with the sources that the rules let in', async () => {
    const cwd = makeFolder({ 'client-01.v4': RULES, 'odd name/a.v4': RULES });
    const { exitCode, stdout, stderr } = await runCli(['init'], { cwd });
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/192\.0\.2\.10 is a source of 1 rule of client-01 \(ports tcp\/7937-9936\)/);
    expect(stdout).toMatch(/198\.51\.100\.0\/28 is a source .*tcp\/22, tcp\/443/);
    expect(stdout).not.toMatch(/203\.0\.113\.[089] is a source|203\.0\.113\.0\/24 is/);
    const { inventory, problems } = await parseInventory(stdout, 'nwaudit.yaml');
    expect(problems).toEqual([]);
    expect(inventory?.hosts.map((host) => host.name)).toEqual(['client-01', 'odd name']);
  });

  it('reads sources out of sets and out of chains that the input chain jumps to', async () => {
    const rules = `*filter
:INPUT DROP [0:0]
:A - [0:0]
:LOOP - [0:0]
:UNUSED - [0:0]
-A INPUT -j A
-A A -m set --match-set nw src -p tcp -m tcp --dport 7938 -j ACCEPT
-A A -g LOOP
-A LOOP -j A
-A UNUSED -s 203.0.113.1/32 -j ACCEPT
COMMIT
`;
    const sets =
      'create nw hash:net family inet hashsize 1024 maxelem 65536\nadd nw 192.0.2.0/25\nadd nw 198.51.100.7\n';
    const cwd = makeFolder({ 'client-01/rules.v4': rules, 'client-01/sets.ipset': sets });
    const { stdout } = await runCli(['init'], { cwd });
    expect(stdout).toMatch(/192\.0\.2\.0\/25 is a source of 1 rule/);
    expect(stdout).toMatch(/198\.51\.100\.7 is a source of 1 rule/);
    expect(stdout).not.toMatch(/203\.0\.113\.1/);
  });

  it('writes a file, and replaces none unless forced', async () => {
    const cwd = makeFolder({ 'client-01.v4': RULES });
    const argv = ['init', '--output', 'nwaudit.yaml'];
    const first = await runCli(argv, { cwd });
    expect(first).toMatchObject({ exitCode: 0, stdout: '' });
    const text = readFileSync(join(cwd, 'nwaudit.yaml'), 'utf8');
    expect(text).toMatch(/^hosts:$/m);
    const second = await runCli(argv, { cwd });
    expect(second.exitCode).toBe(2);
    expect(second.stderr).toMatch(/is there already; --force replaces it/);
    expect((await runCli([...argv, '--force'], { cwd })).exitCode).toBe(0);
    expect(readFileSync(join(cwd, 'nwaudit.yaml'), 'utf8')).toBe(text);
  });

  it.each([
    [
      'files',
      1024 ** 2 / 4,
      /^nwaudit: the files of large have 0\.0 MB.*; it is listed without its sources$/m,
    ],
    [
      'rules',
      2 * 1024 ** 2,
      /^nwaudit: large: its 402 rules .* heap of 2 MB.*; it is listed without its sources$/m,
    ],
  ])(
    'a host with more %s than the heap has room for is told by name, exit code 3',
    async (_, heapBytes, expected) => {
      const large = rulesText(
        Array.from(
          { length: 400 },
          (_, i) => `-A INPUT -s 203.0.113.${i % 256}/32 -p tcp --dport 22 -j ACCEPT`,
        ),
      );
      const cwd = makeFolder({ 'large.v4': large, 'client-01.v4': RULES });
      const { exitCode, stdout, stderr } = await runCli(['init'], { cwd, heapBytes });
      expect(stderr).toMatch(expected);
      expect(exitCode).toBe(3);
      expect(stdout).toMatch(/192\.0\.2\.10 is a source of 1 rule of client-01/);
      expect(stdout).not.toMatch(/203\.0\.113\.\d+ is a source/);
      const { inventory } = await parseInventory(stdout, 'nwaudit.yaml');
      expect(inventory?.hosts.map((host) => host.name).sort()).toEqual(['client-01', 'large']);
    },
  );

  it('of many sources and ports the most used are listed, and the others counted', async () => {
    const rules = Array.from(
      { length: 40 },
      (_, i) => `-A INPUT -s 192.0.2.${i}/32 -p tcp --dport ${100 + i} -j ACCEPT`,
    );
    const often = Array.from(
      { length: 90 },
      (_, i) => `-A INPUT -s 198.51.100.9/32 -p tcp --dport ${1000 + i} -j ACCEPT`,
    );
    const cwd = makeFolder({ 'client-01.v4': rulesText([...rules, ...often]) });
    const { stdout } = await runCli(['init'], { cwd });
    expect(stdout).toMatch(
      /198\.51\.100\.9 is a source of 90 rules of client-01 \(ports tcp\/1000, tcp\/1001, tcp\/1002, tcp\/1003, tcp\/1004, tcp\/1005\)/,
    );
    expect(stdout).toMatch(/and 29 further sources/);
  });

  it('folders that may be several hosts are told, exit code 3, as in a scan; --host settles it', async () => {
    const files = { 'site-a/client-01/fw.v4': RULES, 'site-a/client-02/fw.v4': RULES };
    const cwd = makeFolder(files);
    const { exitCode, stderr } = await runCli(['init'], { cwd });
    expect(stderr).toMatch(
      /client-01, client-02 lie in; if each of them is a host, scan the folder site-a itself/,
    );
    expect(exitCode).toBe(3);
    const settled = await runCli(['init', '--host', 'site-a'], { cwd });
    expect(settled.stderr).not.toMatch(/site-a itself/);
  });

  it('nothing to read is exit code 3, with an example configuration', async () => {
    const { exitCode, stdout, stderr } = await runCli(['init']);
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/^# hosts:$/m);
    expect(stderr).toMatch(/there is no export to read/);
  });
});
