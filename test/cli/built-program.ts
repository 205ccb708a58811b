import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buildRulePack } from '../../src/cli/build-rulepack.ts';
import { makeFolder, REPOSITORY } from './cli-run.ts';

/** Builds the program into a folder of its own and returns the path of its command: tests must not depend on, or disturb, what lies in dist/. */
export function buildProgram(): string {
  const folder = makeFolder({ 'package.json': readFileSync(join(REPOSITORY, 'package.json')) });
  const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
  const options = ['--outDir', join(folder, 'dist'), '--declaration', 'false', '--noCheck'];
  execFileSync(process.execPath, [tsc, '-p', join(REPOSITORY, 'tsconfig.json'), ...options]);
  buildRulePack(join(REPOSITORY, 'rules'), join(folder, 'dist/rulepack.json'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'dist/cli/main.js');
}

/** What a test sets around a script. */
export interface ScriptSurroundings {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** Runs a script of bash in which `nwaudit` is the built program. */
export function runScript(main: string, script: string, { cwd, env, uid }: ScriptSurroundings) {
  const function_ = `nwaudit() { '${process.execPath}' '${main}' "$@"; }\n`;
  return spawnSync('bash', ['--norc', '-c', `${function_}${script}`], {
    cwd,
    env: { PATH: process.env.PATH, NWAUDIT_TODAY: '2026-06-01', ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    input: '',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}
