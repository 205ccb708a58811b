/** The built program as a process: what running `run` in this process cannot show. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildProgram } from './built-program.ts';
import { makeFolder, REPOSITORY, rulesText } from './cli-run.ts';

let main = '';

beforeAll(() => {
  main = buildProgram();
});

function runProcess(argv: readonly string[], cwd: string, input = '', maxBuffer = 1 << 28) {
  const env = { PATH: process.env.PATH, NWAUDIT_TODAY: '2026-06-01' };
  return spawnSync(process.execPath, [main, ...argv], { cwd, env, input, maxBuffer, encoding: 'utf8' });
}

describe('the built program', () => {
  it('begins with the line that makes it a command', () => {
    expect(readFileSync(main, 'utf8').split('\n')[0]).toBe('#!/usr/bin/env node');
  });

  it('prints the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
    expect(runProcess(['--version'], makeFolder())).toMatchObject({
      status: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  it('scans, with the exit code and nothing on standard error', () => {
    const wide = rulesText(['-A INPUT -p tcp -m tcp --dport 7937:9936 -j ACCEPT']);
    const { status, stdout, stderr } = runProcess(
      ['scan', '--select', 'client-inbound-unscoped'],
      makeFolder({ 'client-01.v4': wide }),
    );
    expect(stderr).toBe('');
    expect(stdout).toContain('client-inbound-unscoped');
    expect(status).toBe(1);
  });

  it('reads standard input and writes more than a pipe holds', () => {
    const packet = {
      hook: 'input',
      saddr: '192.0.2.1',
      daddr: '192.0.2.2',
      proto: 'tcp',
      sport: 1,
      dport: 1,
    };
    const input = Array.from({ length: 5000 }, (_, i) => `${JSON.stringify({ ...packet, dport: i })}\n`).join(
      '',
    );
    const cwd = makeFolder({ 'host.v4': rulesText() });
    const { status, stdout } = runProcess(['trace', '-p', '-', '-f', 'jsonl', 'host.v4'], cwd, input);
    expect(stdout.split('\n')).toHaveLength(5001);
    expect(stdout.length).toBeGreaterThan(1 << 20);
    expect(status).toBe(0);
  });

  it('is quiet when its reader goes away', () => {
    const cwd = makeFolder({ 'host.v4': rulesText() });
    const packet =
      '{"hook":"input","saddr":"192.0.2.1","daddr":"192.0.2.2","proto":"tcp","sport":1,"dport":1}';
    const script = `yes '${packet}' | head -n 20000 | '${process.execPath}' '${main}' trace -p - -f jsonl host.v4 | head -n 1; echo "\${PIPESTATUS[2]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toMatchObject([expect.stringMatching(/^\{"packet":0/), '0', '']);
  });

  it('a full disk is told and is exit code 2', () => {
    const script = `'${process.execPath}' '${main}' rules > /dev/full; echo $?`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(stderr).toMatch(/cannot write to standard output: no space left/);
    expect(stdout).toBe('2\n');
  });

  it('a current folder that is gone is told and is exit code 2', () => {
    const script = `mkdir gone && cd gone && rmdir ../gone && '${process.execPath}' '${main}' scan; echo $?`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: makeFolder(), encoding: 'utf8' });
    expect(stderr).toMatch(/current folder does not exist/);
    expect(stdout).toBe('2\n');
  });

  it('help loads no command, no YAML and no validator', () => {
    const { stderr } = spawnSync(process.execPath, [main, '--help'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, NODE_DEBUG: 'esm' },
    });
    expect(stderr).toMatch(/commander/);
    expect(stderr).not.toMatch(/scan-command|node_modules\/(yaml|ajv|table)\//);
  });
});
