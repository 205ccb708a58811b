import type { Tally } from './compare.ts';
import { examine, examineSeed, type Problem } from './examine.ts';
import type { Files, KernelKind } from './kernel-kind.ts';
import { keepRegression } from './regression.ts';
import { shrink } from './shrink.ts';
import type { TracePacket } from './trace-packet.ts';

/** How one seed went: plain data, sent from a worker process to the runner. */
export interface SeedResult {
  readonly seed: number;
  /** `failed`: the harness itself failed, so nothing was compared. */
  readonly state: 'ran' | 'refused' | 'failed';
  /** What a tool said of a refused seed, or what the harness failed with. */
  readonly detail?: string;
  /** By name of the reading. */
  readonly tallies: Readonly<Record<string, Tally>>;
  readonly notes: readonly string[];
  readonly mended: number;
  /** How many packets and readings are wrong. */
  readonly wrong: number;
  /** The first problem explained, smaller where it was shrunk. Empty when nothing is wrong. */
  readonly report: string;
}

/** What to do with a seed. */
export interface SeedTask {
  readonly seed: number;
  /** Packets to aim. */
  readonly packets: number;
  /** Make a failing case smaller: takes up to some minutes. */
  readonly shrink: boolean;
  /** Folder to keep shrunk cases in; none are kept when absent. */
  readonly keep?: string;
}

/** Runs one seed of a kind, and shrinks and keeps what is wrong with it. Never throws. */
export async function runSeed<Case>(kind: KernelKind<Case>, task: SeedTask): Promise<SeedResult> {
  const { seed } = task;
  const nothing = { seed, tallies: {}, notes: [], mended: 0, wrong: 0, report: '' };
  try {
    const { made, packets, examination, mended } = await examineSeed(kind, seed, task.packets);
    if (examination.kind === 'refused')
      return { ...nothing, state: 'refused', detail: examination.detail, mended };
    const { tallies, problems, notes } = examination;
    const result = { ...nothing, state: 'ran', tallies, notes, mended, wrong: problems.length } as const;
    const [first] = problems;
    if (first === undefined) return result;
    return { ...result, report: await explain(kind, task, made, packets, first) };
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...nothing, state: 'failed', detail };
  }
}

async function explain<Case>(
  kind: KernelKind<Case>,
  task: SeedTask,
  made: Case,
  packets: readonly TracePacket[],
  first: Problem,
): Promise<string> {
  const title = `${kind.name} seed ${task.seed}, ${first.reading}`;
  if (!task.shrink) return `${title}: ${first.report}\n${filesText(kind.toFiles(made))}`;
  const isSame = (problem: Problem): boolean =>
    problem.reading === first.reading && problem.kind === first.kind;
  const fails = async (one: Case, some: readonly TracePacket[]): Promise<boolean> => {
    const found = await examine(kind, one, some);
    return found.kind === 'ran' && found.problems.some(isSame);
  };
  // The packet that failed stands first: mostly it fails alone.
  const order =
    first.index === undefined
      ? packets
      : [packets[first.index]!, ...packets.filter((_, index) => index !== first.index)];
  const small = await shrink(kind, made, order, fails);
  const again = await examine(kind, small.made, small.packets);
  const same = again.kind === 'ran' ? again.problems.find(isSame) : undefined;
  // It failed a moment ago; a case that fails only now and then is worth saying so.
  if (again.kind !== 'ran' || same === undefined)
    return `${title}: does not fail every time: ${first.report}\n${filesText(kind.toFiles(made))}`;
  const files = kind.toFiles(small.made);
  if (task.keep !== undefined)
    keepRegression(task.keep, {
      name: `${kind.name}-${task.seed}-${shortName(same.kind)}`,
      kind: kind.name,
      was: `${same.reading}: ${same.kind}`,
      rules: files,
      packets: small.packets,
      verdicts: again.outcomes,
      exports: again.exports,
    });
  return `${title}, after ${small.tries} tries at a smaller case: ${same.report}\n${filesText(files)}`;
}

/** Who is wrong, in one word for a folder's name. */
function shortName(kind: string): string {
  if (kind.startsWith('nwaudit fails')) return 'fails';
  const sets = kind.includes('packet sets and kernel');
  const walk = kind.includes('plain evaluator and kernel');
  return sets && walk ? 'both' : sets ? 'sets' : walk ? 'walk' : 'engines';
}

function filesText(files: Files): string {
  return Object.entries(files)
    .map(([name, text]) => `---- ${name}\n${text}`)
    .join('\n');
}
