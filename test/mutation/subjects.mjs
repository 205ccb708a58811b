import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const COMPARISON = [
  'src/semantics/compare-rulesets.ts',
  'src/semantics/difference-region.ts',
  'src/semantics/merge-unknowns.ts',
  'src/semantics/read-once.ts',
];

/**
 * What can be put under mutation, the tests that have to notice, and how many random cases those run: a mutant is asked
 * hundreds of times, so each answer has to be cheap. More cases would kill more mutants, never fewer.
 */
export const SUBJECTS = {
  'packet-set': {
    mutate: ['src/packet-set/*.ts'],
    tests: ['test/packet-set/*.test.ts', 'test/laws/packet-*.test.ts'],
    environment: { LAW_SEED: '1', LAW_RUNS: '0.05' },
  },
  semantics: {
    mutate: ['src/semantics/*.ts'],
    // Those two take most of the time and are about the files of `comparison`.
    without: COMPARISON,
    tests: [
      'test/semantics/{agreement,condense,decisions,delivered,environment,facts,unknowns}.test.ts',
      'test/trace/trace-host.test.ts',
    ],
    environment: { NWAUDIT_CASES: '40' },
  },
  comparison: {
    mutate: COMPARISON,
    tests: ['test/semantics/{compare-rulesets,merge-unknowns}.test.ts'],
    environment: {},
  },
  check: {
    mutate: ['src/check/*.ts', 'src/check/evaluator/*.ts', 'src/check/predicate/*.ts'],
    tests: ['test/check/*.test.ts', 'test/rules/*.test.ts'],
    environment: {},
  },
};

/** Lines of a block that is taken or left as a whole, when only a share of the mutants is asked about. */
const BLOCK = 12;

/**
 * Files of the subject, or, with `SHARE=1/4`, every fourth block of lines of each, counted through all files in order: an
 * even sample that a later run with `SHARE=2/4` goes on with.
 */
export function mutatedParts({ mutate: patterns, without = [] }, top) {
  const [part, of] = (process.env.SHARE ?? '1/1').split('/').map(Number);
  if (!(part >= 1 && part <= of)) throw new Error('SHARE is such as 1/4');
  if (of === 1) return [...patterns, ...without.map((file) => `!${file}`)];
  const out = [];
  let block = 0;
  for (const file of patterns.flatMap((pattern) => filesOf(pattern, top))) {
    if (without.includes(file)) continue;
    const lines = readFileSync(join(top, file), 'utf8').split('\n').length;
    for (let first = 1; first <= lines; first += BLOCK, block++) {
      if (block % of === part - 1) out.push(`${file}:${first}-${Math.min(lines, first + BLOCK - 1)}`);
    }
  }
  return out;
}

/** The file, or the files of `FOLDER/*.ts`; none where there is no such folder. */
function filesOf(pattern, top) {
  if (!pattern.includes('*')) return [pattern];
  const folder = dirname(pattern);
  if (!existsSync(join(top, folder))) return [];
  const names = readdirSync(join(top, folder)).filter((name) => name.endsWith('.ts'));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** The subject that the environment names. */
export function chosenSubject() {
  const name = process.env.SUBJECT ?? 'packet-set';
  if (!Object.hasOwn(SUBJECTS, name)) {
    throw new Error(`SUBJECT is one of ${Object.keys(SUBJECTS).join(', ')}; found ${name}`);
  }
  return { name, ...SUBJECTS[name] };
}
