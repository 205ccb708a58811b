/** `npm run test:kernel -- --kind nft --seeds 1-500 --packets 400`: agreement with the kernel, measured. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { parseArgs } from 'node:util';
import { addTally, EMPTY_TALLY, type Tally, tallyLine } from './compare.ts';
import { whyNoFirewalldTests, whyNoKernelTests } from './environment.ts';
import { KINDS } from './kinds.ts';
import { REGRESSIONS } from './regression.ts';
import type { SeedResult } from './run-seed.ts';
import { runTasks } from './worker-pool.ts';

const USAGE = `usage: npm run test:kernel -- [options]   (without options: the kernel tests of the test suite)

  --kind KIND       ${KINDS.map(({ name }) => name).join(', ')}, or all (default: all); several with commas
  --seeds A-B       seeds to run, or one seed (default: 1-100)
  --packets N       packets aimed at each rule set (default: 400)
  --jobs N          seeds at a time (default: one per processor)
  --json FILE       also write the figures to FILE
  --keep            keep each shrunk case under ${REGRESSIONS}/
  --no-shrink       print failing cases whole

Exit code 0: nothing wrong. 1: a wrong answer, or a seed that could not be compared. 2: these options are wrong, or the
tests cannot run here.
`;

interface Settings {
  readonly kinds: readonly string[];
  readonly seeds: readonly number[];
  readonly packets: number;
  readonly jobs: number;
  readonly json: string | undefined;
  readonly keep: boolean;
  readonly shrink: boolean;
}

/** Cases shrunk at most in one run: with more, the same few causes repeat. */
const MOST_SHRUNK = 12;
/** A seed that takes longer is stuck, shrinking aside. */
const LIMIT_MS = 15 * 60_000;

function readSettings(args: readonly string[]): Settings | string {
  const options = {
    kind: { type: 'string', default: 'all' },
    seeds: { type: 'string', default: '1-100' },
    packets: { type: 'string', default: '400' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    values = parseArgs({ args: [...args], options }).values;
  } catch (error) {
    // The only way parseArgs says "bad option" is to throw.
    return error instanceof Error ? error.message : String(error);
  }
  if (values.help) return 'help';
  const names = KINDS.map(({ name }) => name);
  const kinds = values.kind === 'all' ? names : values.kind.split(',');
  const unknown = kinds.find((kind) => !names.includes(kind));
  if (unknown !== undefined) return `--kind: expected ${names.join(', ')} or all, found ${unknown}`;
  const range = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(values.seeds);
  const [first, last] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
  if (range === null || first > last) return `--seeds: expected A-B, found ${values.seeds}`;
  const packets = Number(values.packets);
  // The number of a packet has to fit where it is carried (frames.py).
  if (!Number.isInteger(packets) || packets < 1 || packets > 60_000)
    return `--packets: expected a number from 1 to 60000, found ${values.packets}`;
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) return `--jobs: expected a number from 1 on, found ${values.jobs}`;
  const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const shrink = !values['no-shrink'];
  return { kinds, seeds, packets, jobs, json: values.json, keep: values.keep, shrink };
}

/** What a command prints first; `undefined` where it cannot be run. */
function firstLine(command: string, ...args: string[]): string | undefined {
  try {
    const out = execFileSync(command, args, { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' });
    return out.trim().split('\n')[0];
  } catch {
    // A tool that is not there has no version to tell.
    return undefined;
  }
}

/** What the figures depend on besides the seeds. */
function versions(): Readonly<Record<string, string | undefined>> {
  return {
    commit: firstLine('git', 'describe', '--always', '--dirty', '--abbrev=12'),
    kernel: release(),
    node: process.version,
    iptables: firstLine('iptables-nft', '--version'),
    'iptables (legacy)': firstLine('iptables-legacy', '--version'),
    nft: firstLine('nft', '--version'),
    ipset: firstLine('ipset', '--version'),
    firewalld: firstLine('firewalld', '--version') ?? firstLine('firewall-offline-cmd', '--version'),
    python: firstLine('/usr/bin/python3', '--version'),
  };
}

/** The figures of one kind. */
class KindFigures {
  readonly kind: string;
  readonly tallies = new Map<string, Tally>();
  readonly notes = new Map<string, number>();
  readonly refused: { readonly seed: number; readonly detail: string }[] = [];
  readonly failed: { readonly seed: number; readonly detail: string }[] = [];
  readonly wrongSeeds: number[] = [];
  mended = 0;
  ran = 0;
  seconds = 0;

  constructor(kind: string) {
    this.kind = kind;
    for (const { name } of KINDS.find((one) => one.name === kind)?.readings ?? [])
      this.tallies.set(name, { ...EMPTY_TALLY });
  }

  add(result: SeedResult): void {
    const { seed, state, detail = '' } = result;
    if (result.mended > 0) this.mended++;
    if (state === 'refused') this.refused.push({ seed, detail });
    else if (state === 'failed') this.failed.push({ seed, detail });
    else this.ran++;
    for (const [name, tally] of Object.entries(result.tallies)) addTally(this.tallies.get(name)!, tally);
    for (const note of result.notes) this.notes.set(note, (this.notes.get(note) ?? 0) + 1);
    if (result.wrong > 0) this.wrongSeeds.push(seed);
  }

  /** The usual reading's figures, with what is wrong in any reading. */
  get headline(): Tally {
    const [usual, ...others] = [...this.tallies.values()];
    const total = { ...EMPTY_TALLY, ...usual };
    for (const { wrong } of others) total.wrong += wrong;
    return total;
  }

  print(): string {
    const { kind, ran, refused, failed, mended } = this;
    const lines = [`${kind}: ${tallyLine(this.headline)}`];
    for (const [name, tally] of this.tallies) lines.push(`  ${name}: ${tallyLine(tally)}`);
    lines.push(
      `  seeds ${ran} compared, ${refused.length} refused by the tools, ${failed.length} failed, ${mended} compared without lines that a tool refuses, ${this.wrongSeeds.length} with something wrong; ${Math.round(this.seconds)} s`,
    );
    for (const [note, times] of this.notes) lines.push(`  ${note}: ${times}`);
    const oneLine = (text: string): string => text.split('\n').slice(0, 3).join(' | ');
    for (const { seed, detail } of refused) lines.push(`  refused: seed ${seed}: ${oneLine(detail)}`);
    for (const { seed, detail } of failed) lines.push(`  FAILED: seed ${seed}: ${detail}`);
    return `${lines.join('\n')}\n`;
  }

  toJson(): object {
    const { kind, headline, ran, refused, failed, mended, wrongSeeds, seconds } = this;
    const readings = Object.fromEntries(this.tallies);
    const notes = Object.fromEntries(this.notes);
    return { kind, headline, readings, ran, mended, refused, failed, wrongSeeds, notes, seconds };
  }
}

async function runKind(kind: string, settings: Settings): Promise<KindFigures> {
  const figures = new KindFigures(kind);
  const started = performance.now();
  let shrunk = 0;
  let told = started;
  const { seeds, packets, jobs, keep } = settings;
  const next = seeds[Symbol.iterator]();
  let done = 0;
  await runTasks(jobs, LIMIT_MS, () => {
    const { value: seed, done: over } = next.next();
    if (over === true) return undefined;
    const mayShrink = settings.shrink && shrunk < MOST_SHRUNK;
    const task = { kind, seed, packets, shrink: mayShrink, ...(keep ? { keep: REGRESSIONS } : {}) };
    return {
      task,
      finish: (result) => {
        figures.add(result);
        done++;
        if (result.report !== '') {
          if (mayShrink) shrunk++;
          process.stdout.write(`${result.report}\n`);
        }
        if (performance.now() - told > 15_000 || done === seeds.length) {
          told = performance.now();
          const perSeed = (told - started) / 1000 / done;
          process.stderr.write(
            `${kind}: ${done} of ${seeds.length} seeds, ${figures.wrongSeeds.length} wrong, ${perSeed.toFixed(2)} s a seed\n`,
          );
        }
      },
    };
  });
  figures.seconds = (performance.now() - started) / 1000;
  return figures;
}

async function main(args: readonly string[]): Promise<number> {
  const settings = readSettings(args);
  if (typeof settings === 'string') {
    const help = settings === 'help';
    (help ? process.stdout : process.stderr).write(help ? USAGE : `${settings}\n\n${USAGE}`);
    return help ? 0 : 2;
  }
  const obstacle =
    whyNoKernelTests() ?? (settings.kinds.includes('firewalld') ? whyNoFirewalldTests() : undefined);
  if (obstacle !== undefined) {
    process.stderr.write(`the kernel cannot be asked here: ${obstacle}\n`);
    return 2;
  }
  const about = versions();
  for (const [name, version] of Object.entries(about))
    process.stdout.write(`${name}: ${version ?? 'none'}\n`);
  const { kinds, seeds, packets } = settings;
  process.stdout.write(
    `seeds ${seeds[0]}-${seeds.at(-1)}, ${packets} packets each, kinds ${kinds.join(', ')}\n\n`,
  );
  const all: KindFigures[] = [];
  for (const kind of kinds) {
    const figures = await runKind(kind, settings);
    all.push(figures);
    process.stdout.write(figures.print());
  }
  const total = { ...EMPTY_TALLY };
  for (const { headline } of all) addTally(total, headline);
  process.stdout.write(`\n${tallyLine(total)}\n`);
  if (settings.json !== undefined) {
    const { kinds: _, ...run } = settings;
    const summary = {
      about,
      run: { ...run, seeds: [seeds[0], seeds.at(-1)] },
      total,
      kinds: all.map((figures) => figures.toJson()),
    };
    writeFileSync(settings.json, `${JSON.stringify(summary, undefined, 2)}\n`);
  }
  const bad = all.some(({ wrongSeeds, failed }) => wrongSeeds.length > 0 || failed.length > 0);
  return bad ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
