import { expect, test } from 'vitest';
import { compareEvaluators } from './compare-evaluators.ts';
import { makeCase, toJson } from './random-case.ts';
import { printCase, shrinkRuleset } from './shrink-case.ts';

/**
 * The two evaluators share no code but the model. What this comparison cannot show is an error in what both were written from: the
 * page docs/decisions/packet-path.md. That is what test/kernel is for.
 *
 * `NWAUDIT_SEED` starts at another seed, `NWAUDIT_CASES` takes another number of rule sets.
 */
const FIRST_SEED = Number(process.env.NWAUDIT_SEED ?? 1);
const CASES = Number(process.env.NWAUDIT_CASES ?? 2000);

function describeDisagreement(seed: number): string | undefined {
  const { ruleset, packets } = makeCase(seed);
  const first = compareEvaluators(ruleset, packets).disagreement;
  if (first === undefined) return undefined;
  const smallest = shrinkRuleset(
    ruleset,
    (smaller) => compareEvaluators(smaller, [first.packet]).disagreement !== undefined,
  );
  const { bySets, byWalk } = compareEvaluators(smallest, [first.packet]).disagreement ?? first;
  const { path, ...walked } = byWalk;
  return [
    `The evaluators differ. Again with NWAUDIT_SEED=${seed} NWAUDIT_CASES=1.`,
    `packet sets:     ${toJson(bySets)}`,
    `plain evaluator: ${toJson(walked)}`,
    ...path.map((step) => `  ${step.hook} ${step.chain}: ${step.rule ?? 'policy'} -> ${step.verdict}`),
    printCase(smallest, first.packet),
  ].join('\n');
}

test(`packet sets and plain evaluator agree on ${CASES} rule sets from seed ${FIRST_SEED} on`, () => {
  const counts: Record<string, number> = { accept: 0, drop: 0, reject: 0, unknown: 0 };
  let uncompared = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    const { ruleset, packets } = makeCase(seed);
    const result = compareEvaluators(ruleset, packets);
    if (result.disagreement !== undefined) expect.fail(describeDisagreement(seed));
    for (const verdict of result.compared) counts[verdict] = (counts[verdict] ?? 0) + 1;
    uncompared += result.uncompared;
  }
  console.log(
    `seed ${FIRST_SEED}, ${CASES} rule sets: ${toJson(counts)}, ${uncompared} packets over a budget`,
  );
  const compared = Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect(uncompared).toBeLessThan(compared / 100);
  // A comparison in which one verdict hardly occurs would show little.
  if (CASES >= 1000) for (const count of Object.values(counts)) expect(count).toBeGreaterThan(compared / 50);
});
