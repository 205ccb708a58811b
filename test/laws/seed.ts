/**
 * One seed for all laws of a run. It is printed, and `LAW_SEED=… npx vitest run test/laws` repeats the run.
 * `LAW_RUNS` multiplies the number of random cases.
 */
import fc from 'fast-check';

const given = Number(process.env.LAW_SEED);

/** Seed of every law in this run: random, unless the environment says one. */
export const seed: number =
  Number.isInteger(given) && given > 0 ? given : Math.floor(Math.random() * 0x7fff_ffff) + 1;

const factor = Number(process.env.LAW_RUNS ?? 1);

/** A number of random cases, as the environment scales it; at least one. */
export function runs(usual: number): number {
  return Math.max(1, Math.round(usual * factor));
}

/** Makes every `fc.assert` of the calling file use the seed, and prints it. */
export function useSeed(subject: string, usualRuns: number): void {
  fc.configureGlobal({ seed, numRuns: runs(usualRuns) });
  console.log(`${subject}: LAW_SEED=${seed}`);
}
