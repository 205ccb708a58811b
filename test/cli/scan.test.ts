import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder, rulesText, runCli } from './cli-run.ts';

const NARROW = rulesText(['-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);
const WIDE = rulesText(['-A INPUT -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);
const NARROW6 = rulesText(
  ['-A INPUT -s 2001:db8::10/128 -p tcp -m tcp --dport 7937:9936 -j ACCEPT'],
  'ip6tables-save',
);

/** Only the checks that these tests are about, so that they stay quick. */
const CHECKS = ['--select', 'client-inbound-unscoped,unread-input'];

interface JsonReport {
  readonly exitCode: number;
  readonly profile: { readonly name: string };
  readonly inputs: readonly { readonly file: string; readonly host: string; readonly whole: boolean }[];
  readonly checks: readonly { readonly id: string }[];
  readonly findings: readonly {
    readonly check: string;
    readonly host: string;
    readonly suppression: unknown;
  }[];
}

function parseReport(text: string): JsonReport {
  // The report's own schema is tested where it is made.
  return JSON.parse(text) as JsonReport;
}

describe('exit codes', () => {
  it('0 when everything was read and nothing was found', async () => {
    const cwd = makeFolder({ 'client-01.v4': NARROW, 'client-01.v6': NARROW6 });
    const { exitCode, stdout, stderr } = await runCli(['scan', ...CHECKS], { cwd });
    expect(stdout).toMatch(/nwaudit 0\.0\.0-test, profile guide/);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it('1 when a finding reaches --fail-on', async () => {
    const cwd = makeFolder({ 'client-01.v4': WIDE });
    expect((await runCli(['scan', ...CHECKS], { cwd })).exitCode).toBe(1);
    expect((await runCli(['scan', ...CHECKS, '--exit-zero'], { cwd })).exitCode).toBe(0);
    expect((await runCli(['scan', ...CHECKS, '--fail-on', 'critical'], { cwd })).exitCode).toBe(1);
    expect((await runCli(['scan', '--select', 'ip-version-not-exported'], { cwd })).exitCode).toBe(0);
    expect(
      (await runCli(['scan', '--select', 'ip-version-not-exported', '--fail-on', 'low'], { cwd })).exitCode,
    ).toBe(1);
  });

  it('is the same in every format', async () => {
    const cwd = makeFolder({ 'client-01.v4': WIDE });
    for (const format of ['text', 'json', 'sarif']) {
      expect((await runCli(['scan', ...CHECKS, '-f', format], { cwd })).exitCode).toBe(1);
    }
  });

  it('3 when there is nothing to read', async () => {
    const { exitCode, stdout } = await runCli(['scan', ...CHECKS]);
    expect(stdout).toMatch(/nothing was read/);
    expect(exitCode).toBe(3);
  });

  it.each(['netdev', 'bridge', 'arp'])('3 when nft shows a table of %s only', async (family) => {
    const document = { nftables: [{ table: { family, name: 'edge', handle: 1 } }] };
    const cwd = makeFolder({ 'client-01.json': JSON.stringify(document) });
    const { exitCode, stdout } = await runCli(['scan', ...CHECKS], { cwd });
    expect(stdout).toContain('there are no firewall rules');
    expect(exitCode).toBe(3);
  });

  it('3 wins over 1 when something was not read whole, and --allow-incomplete lifts it', async () => {
    const cwd = makeFolder({ 'client-01.v4': WIDE, 'client-02.v4': 'hello\n' });
    expect((await runCli(['scan', ...CHECKS], { cwd })).exitCode).toBe(3);
    expect((await runCli(['scan', ...CHECKS, '--exit-zero'], { cwd })).exitCode).toBe(3);
    expect((await runCli(['scan', ...CHECKS, '--allow-incomplete'], { cwd })).exitCode).toBe(1);
  });

  it('3 when a link was not followed, and the report names it', async () => {
    const cwd = makeFolder({ 'exports/client-01.v4': NARROW, 'outside.v4': NARROW });
    symlinkSync('../outside.v4', join(cwd, 'exports/client-02.v4'));
    const { exitCode, stdout } = await runCli(['scan', 'exports', ...CHECKS], { cwd });
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/exports\/client-02\.v4.*is a link that was not followed/);
    expect(exitCode).toBe(3);
  });
});

describe('input', () => {
  it('standard input is a host by the name of --host', async () => {
    const { stdout } = await runCli(['scan', '-', '--host', 'client-07', '-f', 'json', ...CHECKS], {
      stdin: WIDE,
    });
    const report = parseReport(stdout);
    expect(report.inputs).toMatchObject([{ file: '-', host: 'client-07', whole: true }]);
    expect(report.findings.map((finding) => finding.host)).toContain('client-07');
  });

  it('a report written into the scanned folder is not read back', async () => {
    const cwd = makeFolder({ 'client-01.v4': NARROW });
    const argv = ['scan', ...CHECKS, '-o', 'json=report.json'];
    expect((await runCli(argv, { cwd })).exitCode).toBe(0);
    expect((await runCli(argv, { cwd })).exitCode).toBe(0);
  });

  it('a link to a file that was read is mentioned on standard error', async () => {
    const cwd = makeFolder({ 'client-01.v4': NARROW });
    symlinkSync('client-01.v4', join(cwd, 'latest'));
    const { exitCode, stderr } = await runCli(['scan', ...CHECKS], { cwd });
    expect(stderr).toBe('nwaudit: latest is a link to client-01.v4, which was read under its own name\n');
    expect(exitCode).toBe(0);
  });
});

describe('configuration', () => {
  const CONFIG = 'hosts: { odd-name: { role: client, addresses: [192.0.2.101] } }\n';
  const hostsWithFindings = async (cwd: string, ...argv: string[]) => {
    const { stdout, stderr } = await runCli(['scan', ...argv, ...CHECKS, '-f', 'json'], { cwd });
    expect(stderr).toBe('');
    return parseReport(stdout).findings.map((finding) => finding.host);
  };

  it.each([
    ['in the scanned folder', 'exports/nwaudit.yaml', 'exports'],
    ['beside the scanned folder', 'nwaudit.yaml', 'exports'],
    ['beside the folder of a file', 'nwaudit.yaml', 'exports/odd-name.v4'],
  ])('is found %s', async (_, config, path) => {
    const cwd = makeFolder({ [config]: CONFIG, 'exports/odd-name.v4': WIDE, 'elsewhere/x': '' });
    expect(await hostsWithFindings(join(cwd, 'elsewhere'), join('..', path))).toEqual(['odd-name']);
  });

  it('is found upward from the current folder', async () => {
    const cwd = makeFolder({ 'nwaudit.yaml': CONFIG, 'a/b/c/exports/odd-name.v4': WIDE });
    expect(await hostsWithFindings(join(cwd, 'a/b'), 'c/exports')).toEqual(['odd-name']);
  });

  it('can be named, and can be refused', async () => {
    const cwd = makeFolder({ 'other.yaml': CONFIG, 'odd-name.v4': WIDE, 'sub/nwaudit.yaml': CONFIG });
    expect(await hostsWithFindings(cwd, '--config', 'other.yaml')).toEqual(['odd-name']);
    mkdirSync(join(cwd, 'sub/exports'));
    expect(await hostsWithFindings(join(cwd, 'sub'), '--no-config', '../odd-name.v4')).toEqual([]);
  });

  it('two different ones are a usage error', async () => {
    const cwd = makeFolder({
      'a/nwaudit.yaml': CONFIG,
      'a/x.v4': WIDE,
      'b/nwaudit.yaml': CONFIG,
      'b/y.v4': WIDE,
    });
    const { exitCode, stderr } = await runCli(['scan', 'a', 'b'], { cwd });
    expect(stderr).toMatch(/different configurations, a\/nwaudit\.yaml and b\/nwaudit\.yaml/);
    expect(exitCode).toBe(2);
  });

  it('tells every problem with its place, and does not scan', async () => {
    const config = 'hosts:\n  a: { role: clint }\n  b: { addresses: [192.0.2.300] }\nnope: 1\n';
    const cwd = makeFolder({ 'nwaudit.yaml': config, 'client-01.v4': WIDE });
    const { exitCode, stdout, stderr } = await runCli(['scan'], { cwd });
    expect(stderr).toMatch(/^nwaudit\.yaml:2:\d+: /m);
    expect(stderr).toMatch(/^nwaudit\.yaml:3:\d+: /m);
    expect(stderr).toMatch(/^nwaudit\.yaml:4:\d+: /m);
    expect(stderr).toMatch(/^nwaudit: the configuration cannot be used$/m);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  it('may name hosts that only the exports know', async () => {
    const waiver =
      'waivers: [{ check: client-inbound-unscoped, host: client-01, reason: test, expires: 2026-12-31 }]\n';
    const cwd = makeFolder({ 'nwaudit.yaml': waiver, 'exports/client-01.v4': WIDE });
    const { exitCode, stderr } = await runCli(['scan', 'exports', ...CHECKS], { cwd });
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    const later = await runCli(['scan', 'exports', ...CHECKS], { cwd, env: { NWAUDIT_TODAY: '2027-01-01' } });
    expect(later.exitCode).toBe(1);
  });

  it('is text', async () => {
    const cwd = makeFolder({ 'nwaudit.yaml': new Uint8Array([0xc3, 0x28]), 'client-01.v4': WIDE });
    const { exitCode, stderr } = await runCli(['scan'], { cwd });
    expect(stderr).toMatch(/configuration nwaudit\.yaml: is not UTF-8 text/);
    expect(exitCode).toBe(2);
  });

  it('may be UTF-16 with a byte order mark, as PowerShell writes it', async () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(CONFIG, 'utf16le')]);
    const cwd = makeFolder({ 'nwaudit.yaml': bytes, 'odd-name.v4': WIDE });
    expect(await hostsWithFindings(cwd)).toEqual(['odd-name']);
  });

  it('that is a folder, or a link to nothing, is a usage error and never passed over', async () => {
    const folder = makeFolder({ 'exports/client-01.v4': WIDE, 'nwaudit.yaml/x': '' });
    const first = await runCli(['scan', 'exports'], { cwd: folder });
    expect(first.stderr).toMatch(/configuration nwaudit\.yaml: is not a regular file/);
    expect(first.exitCode).toBe(2);
    const link = makeFolder({ 'exports/client-01.v4': WIDE });
    symlinkSync('nowhere', join(link, 'nwaudit.yaml'));
    const second = await runCli(['scan', 'exports'], { cwd: link });
    expect(second.stderr).toMatch(/configuration nwaudit\.yaml: no such file/);
    expect(second.exitCode).toBe(2);
  });
});

describe('what a report must not replace', () => {
  it('is an export, or the configuration under any name', async () => {
    const files = { 'exports/client-01.v4': WIDE, 'other.v4': WIDE, 'nwaudit.yaml': 'hosts: {}\n' };
    const cwd = makeFolder(files);
    symlinkSync('nwaudit.yaml', join(cwd, 'same.yaml'));
    for (const [target, message] of [
      ['other.v4', /this file is an export/],
      ['nwaudit.yaml', /this is the configuration of the run/],
      ['same.yaml', /this is the configuration of the run/],
    ] as const) {
      const { exitCode, stdout, stderr } = await runCli(['scan', 'exports', '-o', target], { cwd });
      expect(stderr).toMatch(message);
      expect(stdout).toBe('');
      expect(exitCode).toBe(2);
    }
    expect(readFileSync(join(cwd, 'other.v4'), 'utf8')).toBe(WIDE);
    expect(readFileSync(join(cwd, 'nwaudit.yaml'), 'utf8')).toBe('hosts: {}\n');
  });

  it('an earlier report may be replaced', async () => {
    const cwd = makeFolder({ 'exports/client-01.v4': NARROW });
    for (let run = 0; run < 2; run++) {
      const { exitCode } = await runCli(['scan', 'exports', ...CHECKS, '-o', 'report.txt'], { cwd });
      expect(exitCode).toBe(0);
    }
  });
});

describe('checks and profiles', () => {
  it('--ignore takes checks away', async () => {
    const cwd = makeFolder({ 'client-01.v4': NARROW });
    const { stdout } = await runCli(['scan', ...CHECKS, '--ignore', 'unread-input', '-f', 'json'], { cwd });
    expect(parseReport(stdout).checks.map((check) => check.id)).toEqual(['client-inbound-unscoped']);
  });

  it('nothing left to run is a usage error', async () => {
    const { exitCode, stderr } = await runCli([
      'scan',
      '--select',
      'shadowed-rule',
      '--ignore',
      'shadowed-rule',
    ]);
    expect(stderr).toMatch(/leave no check to run/);
    expect(exitCode).toBe(2);
  });

  it('every problem of a further rule pack is told with its place', async () => {
    const cwd = makeFolder({
      'pack/checks/a.yaml': 'id: a\nnope: 1\n',
      'pack/checks/b.yaml': ': :',
      'client-01.v4': WIDE,
    });
    const { exitCode, stderr } = await runCli(['scan', 'client-01.v4', '--rules', 'pack'], { cwd });
    expect(stderr).toMatch(/^pack\/checks\/a\.yaml:2:1: nope: unknown key/m);
    expect(stderr).toMatch(/^pack\/checks\/b\.yaml:\d+:\d+: not valid YAML/m);
    expect(exitCode).toBe(2);
  });

  it('a profile of your own is told every problem of, too', async () => {
    const cwd = makeFolder({ 'own.yaml': 'id: own\n', 'client-01.v4': WIDE });
    const { exitCode, stderr } = await runCli(['scan', 'client-01.v4', '--profile', 'own.yaml'], { cwd });
    expect(stderr).toMatch(/^own\.yaml:1:1: /m);
    expect(stderr).toMatch(/the profile cannot be used/);
    expect(exitCode).toBe(2);
  });
});
