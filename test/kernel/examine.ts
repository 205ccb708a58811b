import { answersOf } from './ask-nwaudit.ts';
import { compareAnswers, type Tally } from './compare.ts';
import type { Files, KernelKind, Reading } from './kernel-kind.ts';
import type { KernelOutcome } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** Something wrong with one reading of one case. */
export interface Problem {
  /** Name of the reading. */
  readonly reading: string;
  /** Equal texts are the same kind of disagreement (`Disagreement.kind`, or what nwaudit fails with). */
  readonly kind: string;
  /** Index of the packet; `undefined` where nwaudit fails as a whole. */
  readonly index: number | undefined;
  readonly report: string;
}

/** A case that was loaded and sent at, and how nwaudit's answers compare. */
export type Examination =
  | { readonly kind: 'refused'; readonly detail: string }
  | {
      readonly kind: 'ran';
      /** By name of the reading. A reading that fails as a whole counts no packets. */
      readonly tallies: Readonly<Record<string, Tally>>;
      readonly problems: readonly Problem[];
      readonly outcomes: readonly KernelOutcome[];
      readonly exports: Files;
      readonly notes: readonly string[];
    };

/** Runs a case and compares every reading of it with the kernel. Throws where the harness itself fails. */
export async function examine<Case>(
  kind: KernelKind<Case>,
  made: Case,
  packets: readonly TracePacket[],
): Promise<Examination> {
  const answer = await kind.run(made, packets);
  if (answer.kind === 'refused') return answer;
  const { outcomes, exports, notes } = answer;
  return {
    kind: 'ran',
    ...compareReadings(kind, made, packets, outcomes, exports),
    outcomes,
    exports,
    notes,
  };
}

/** Compares every reading of what was exported with what became of the packets. */
export function compareReadings<Case>(
  kind: KernelKind<Case>,
  made: Case,
  packets: readonly TracePacket[],
  outcomes: readonly KernelOutcome[],
  exports: Files,
): { tallies: Record<string, Tally>; problems: Problem[] } {
  const tallies: Record<string, Tally> = {};
  const problems: Problem[] = [];
  for (const reading of kind.readings) {
    if (reading.applies?.(made) === false) continue;
    try {
      const answers = answersOf(reading.read(made, exports), packets);
      const { tally, disagreements } = compareAnswers(packets, outcomes, answers);
      tallies[reading.name] = tally;
      problems.push(...disagreements.map((one) => ({ reading: reading.name, ...one })));
    } catch (error) {
      problems.push(failureOf(reading, error));
    }
  }
  return { tallies, problems };
}

/** nwaudit must not throw on what the real tools print, whatever it is. */
function failureOf<Case>(reading: Reading<Case>, error: unknown): Problem {
  const message = error instanceof Error ? error.message : String(error);
  return {
    reading: reading.name,
    kind: `nwaudit fails: ${message.split(/[:;\n]/, 1)[0]}`,
    index: undefined,
    report: `WRONG (nwaudit fails)\n${error instanceof Error ? (error.stack ?? message) : message}`,
  };
}

/** A case of a seed that the tools load, with its packets. */
export interface LoadedCase<Case> {
  readonly made: Case;
  readonly packets: readonly TracePacket[];
  readonly examination: Examination;
  /** How often lines that a tool complained of were left out before it loaded. */
  readonly mended: number;
}

/** Attempts at leaving out what a tool complains of. */
const MOST_MENDS = 5;

/** Makes the case of a seed, aims, runs and compares. */
export async function examineSeed<Case>(
  kind: KernelKind<Case>,
  seed: number,
  count: number,
): Promise<LoadedCase<Case>> {
  let made = kind.generate(seed);
  for (let mended = 0; ; mended++) {
    const packets = kind.aim(made, count, seed);
    const examination = await examine(kind, made, packets);
    const next =
      examination.kind === 'refused' && mended < MOST_MENDS
        ? kind.mend?.(made, examination.detail)
        : undefined;
    if (next === undefined) return { made, packets, examination, mended };
    made = next;
  }
}
