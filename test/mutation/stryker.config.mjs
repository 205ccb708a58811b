// Usage, from the top of the repository:
//   (cd test/mutation && npm ci)
//   SUBJECT=semantics node test/mutation/node_modules/.bin/stryker run test/mutation/stryker.config.mjs
import { chosenSubject, mutatedParts } from './subjects.mjs';

const subject = chosenSubject();
const top = new URL('../..', import.meta.url).pathname;

export default {
  mutate: mutatedParts(subject, top),
  testRunner: 'vitest',
  plugins: [
    new URL('./node_modules/@stryker-mutator/vitest-runner/dist/src/index.js', import.meta.url).pathname,
  ],
  vitest: { configFile: 'test/mutation/vitest.config.mjs', related: false },
  coverageAnalysis: 'perTest',
  // Strings are messages and keys of caches; a changed one is a question of wording.
  mutator: { excludedMutations: ['StringLiteral'] },
  // Stryker would rewrite the tsconfig.json with the interface of TypeScript 5; the tests need none of it.
  tsconfigFile: 'test/mutation/none.json',
  ignorePatterns: ['/dist', '/coverage', '/test/mutation/node_modules'],
  tempDirName: '.tmp/mutation',
  cleanTempDir: 'always',
  concurrency: Number(process.env.JOBS ?? 2),
  // All tests of the checks, with coverage, on a busy machine.
  dryRunTimeoutMinutes: 60,
  timeoutMS: 20_000,
  timeoutFactor: 4,
  disableTypeChecks: false,
  reporters: ['progress-append-only', 'clear-text', 'json'],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  jsonReporter: { fileName: `.tmp/mutation-${subject.name}.json` },
};
