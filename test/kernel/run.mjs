// `npm run test:kernel`. Without options: the kernel tests of the test suite. With options: the measuring run of main.ts.
//
// Node 20 runs no TypeScript. The harness is compiled with the TypeScript compiler that is here anyway, without checking
// types (`npm run check` does that), into .tmp/, which git ignores; a second run compiles only what changed. So the long
// run needs no further dependency, no loader slows its workers, and they are plain `node` processes.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const args = process.argv.slice(2);

function run(command, commandArgs) {
  const { status, signal } = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit' });
  if (signal !== null) process.stderr.write(`${command} was ended by ${signal}\n`);
  return status ?? (signal === null ? 1 : 130);
}

if (!args.some((arg) => arg.startsWith('--'))) {
  // Names of test files go to vitest, as before.
  const files = args.length > 0 ? args : ['test/kernel'];
  process.exitCode = run(`${root}node_modules/.bin/vitest`, [
    'run',
    '--config',
    'test/vitest.config.ts',
    ...files,
  ]);
} else {
  const compiled = run(process.execPath, [
    `${root}node_modules/typescript/bin/tsc`,
    '-p',
    'test/kernel/tsconfig.json',
  ]);
  if (compiled !== 0) process.exit(compiled);
  const target = `${root}.tmp/kernel/test/kernel/`;
  for (const name of readdirSync(`${root}test/kernel`))
    if (name.endsWith('.py')) cpSync(`${root}test/kernel/${name}`, `${target}${name}`);
  process.exitCode = run(process.execPath, [`${target}main.js`, ...args]);
}
