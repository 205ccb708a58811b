/**
 * `npm run fuzz -- [--minutes 10] [--target NAME] [--seed N] [--jobs N] [--corpus DIR] [--memory MB]`: fuzzes every target, or one, for
 * so many minutes each, and writes what fails to fixtures/regression. Exits 1 when something failed. See docs/fuzzing.md.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeInput, encodeInput, type FuzzMessage, type FuzzTask } from './child.ts';
import { type FuzzInput, isFolder, REGRESSION_FOLDER, ROOT, sizeOf, storeCase } from './input.ts';
import { minimise } from './minimise.ts';
import { type FuzzTarget, getTarget, TARGETS } from './targets.ts';

const WORK_FOLDER = join(ROOT, '.fuzz/work');
const SLOW_FOLDER = join(WORK_FOLDER, 'slow');
const CHILD = join(import.meta.dirname, 'child.js');
/** How often a child is looked at, in milliseconds. */
const WATCH = 500;
/** Runs of its own that making a hang or crash smaller may take. */
const PROCESS_TRIALS = 40;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    target: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    corpus: { type: 'string' },
    memory: { type: 'string', default: '2048' },
  },
});

const minutes = positive('minutes', values.minutes);
const jobs = positive('jobs', values.jobs);
const memory = positive('memory', values.memory);
const firstSeed =
  values.seed === undefined ? Math.floor(Math.random() * 0x7fff_ffff) + 1 : positive('seed', values.seed);
const corpus = chooseCorpus(values.corpus);

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) {
    console.error(`--${name}: expected a number above 0, found ${text}`);
    process.exit(2);
  }
  return value;
}

/** The folder given, else the one where the corpus usually lies, if it is there. */
function chooseCorpus(given: string | undefined): string | undefined {
  if (given !== undefined) {
    if (isFolder(resolve(given))) return resolve(given);
    console.error(`--corpus: there is no folder ${given}`);
    process.exit(2);
  }
  const usual = resolve(ROOT, '../shared/corpus');
  return isFolder(usual) ? usual : undefined;
}

interface Outcome {
  readonly target: string;
  executions: number;
  kept: number;
  coverage: number;
  slowest: { readonly milliseconds: number; readonly bytes: number };
  readonly failures: { readonly signature: string; readonly stored: string }[];
  milliseconds: number;
}

/** Processor time a process has used, in milliseconds: other work on the machine must not look like a hang. */
function processorTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime and stime, in hundredths of a second: proc(5).
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined; // No /proc, or the process has just ended.
  }
}

function allowedTime({ time }: FuzzTarget, input: FuzzInput): number {
  return time.base + (time.perKilobyte * sizeOf(input)) / 1024;
}

/** The input at work, with its number. */
function readCurrent(path: string): { readonly number: bigint; readonly input: FuzzInput } | undefined {
  try {
    const content = readFileSync(path);
    return { number: content.readBigUInt64LE(0), input: decodeInput(content.subarray(8)) };
  } catch {
    return undefined; // Half written: the next look will tell.
  }
}

async function fuzzTarget(target: FuzzTarget): Promise<Outcome> {
  const start = Date.now();
  const end = start + minutes * 60_000;
  const outcome: Outcome = {
    target: target.name,
    executions: 0,
    kept: 0,
    coverage: 0,
    slowest: { milliseconds: 0, bytes: 0 },
    failures: [],
    milliseconds: 0,
  };
  for (let seed = firstSeed; end - Date.now() > 1000; seed++) {
    const reason = await runChild(target, seed, (end - Date.now()) / 60_000, outcome);
    if (reason === undefined) break;
  }
  outcome.milliseconds = Date.now() - start;
  return outcome;
}

/** Runs one child to its end. Answers why it ended early, after the input has been kept. */
async function runChild(
  target: FuzzTarget,
  seed: number,
  left: number,
  outcome: Outcome,
): Promise<string | undefined> {
  const current = join(WORK_FOLDER, `${target.name}.current`);
  const task: FuzzTask = { target: target.name, seed, minutes: left, corpus, current, slow: SLOW_FOLDER };
  const before = { executions: outcome.executions };
  const child = fork(CHILD, [], {
    env: { ...process.env, FUZZ_TASK: JSON.stringify(task) },
    execArgv: [`--max-old-space-size=${memory}`],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString('utf8')).slice(-3000);
  });
  let isDone = false;
  child.on('message', (message: FuzzMessage) => {
    if (message.kind === 'failure') {
      keep(
        target,
        outcome,
        message.signature,
        message.error,
        decodeInput(Buffer.from(message.input, 'base64')),
      );
      return;
    }
    outcome.executions = before.executions + message.executions;
    outcome.kept = Math.max(outcome.kept, message.kept);
    outcome.coverage = Math.max(outcome.coverage, message.coverage);
    if (message.slowest.milliseconds > outcome.slowest.milliseconds) outcome.slowest = message.slowest;
    if (message.kind === 'done') isDone = true;
  });
  const hung = watch(child, target, current);
  const code = await new Promise<number | string>((settle) => {
    child.on('exit', (status, signal) => settle(status ?? signal ?? 'nothing'));
  });
  if (isDone && code === 0) return undefined;
  const reason = hung.input !== undefined ? 'hang' : `process ended with ${code}`;
  const input = hung.input ?? readCurrent(current)?.input;
  if (input === undefined) throw new Error(`${target.name}: ${reason} before the first input\n${lastWords}`);
  keepCrash(target, outcome, reason, lastWords, input);
  return reason;
}

/** Ends a child whose input takes too long, and says which it was. */
function watch(child: ChildProcess, target: FuzzTarget, current: string): { input?: FuzzInput } {
  const hung: { input?: FuzzInput } = {};
  let seen = { number: -1n, since: 0 };
  const timer = setInterval(() => {
    const now = child.pid === undefined ? undefined : (processorTime(child.pid) ?? Date.now());
    const at = readCurrent(current);
    if (now === undefined || at === undefined) return;
    if (at.number !== seen.number || at.number === 0n) {
      seen = { number: at.number, since: now };
      return;
    }
    if (now - seen.since <= allowedTime(target, at.input)) return;
    hung.input = at.input;
    child.kill('SIGKILL');
  }, WATCH);
  child.on('exit', () => clearInterval(timer));
  return hung;
}

/** How a single input ends in a process of its own: `undefined` when well. */
function replay(target: FuzzTarget, input: FuzzInput): string | undefined {
  const file = join(WORK_FOLDER, `${target.name}.replay`);
  writeFileSync(file, encodeInput(input));
  const task: FuzzTask = {
    target: target.name,
    seed: 1,
    minutes: 0,
    corpus,
    current: '',
    slow: SLOW_FOLDER,
    replay: file,
  };
  const run = spawnSync(process.execPath, [`--max-old-space-size=${memory}`, CHILD], {
    env: { ...process.env, FUZZ_TASK: JSON.stringify(task) },
    // Starting up takes a few seconds of it.
    timeout: Math.ceil(allowedTime(target, input)) + 8000,
    killSignal: 'SIGKILL',
    stdio: 'ignore',
  });
  if (run.status === 0) return undefined;
  return run.signal === 'SIGKILL' ? 'hang' : 'crash';
}

function keepCrash(
  target: FuzzTarget,
  outcome: Outcome,
  reason: string,
  words: string,
  input: FuzzInput,
): void {
  const how = replay(target, input);
  if (how === undefined) {
    const path = storeCase(join(WORK_FOLDER, 'unrepeated'), target.name, `${reason}\n${words}`, input);
    console.log(`${target.name}: ${reason}; the input alone does not repeat it (kept in ${path})`);
    outcome.failures.push({ signature: `${reason}, not repeated`, stored: path });
    return;
  }
  const small = minimise(input, how, (candidate) => replay(target, candidate), PROCESS_TRIALS);
  keep(target, outcome, `${how}: ${reason}`, words, small);
}

function keep(
  target: FuzzTarget,
  outcome: Outcome,
  signature: string,
  error: string,
  input: FuzzInput,
): void {
  if (outcome.failures.some((failure) => failure.signature === signature && !signature.startsWith('hang')))
    return;
  const stored = storeCase(REGRESSION_FOLDER, target.name, signature, input);
  outcome.failures.push({ signature, stored });
  console.log(
    `\n${target.name}: FAILED: ${signature}\n  kept in ${stored}\n  ${error.split('\n').slice(0, 8).join('\n  ')}\n`,
  );
}

function describe({ target, executions, milliseconds, coverage, kept, slowest, failures }: Outcome): string {
  const rate = Math.round(executions / (milliseconds / 1000));
  return [
    target.padEnd(15),
    String(executions).padStart(10),
    (milliseconds / 60_000).toFixed(1).padStart(8),
    String(rate).padStart(8),
    `${(coverage * 100).toFixed(1)} %`.padStart(9),
    String(kept).padStart(6),
    `${Math.round(slowest.milliseconds)} ms/${Math.ceil(slowest.bytes / 1024)} kB`.padStart(18),
    String(failures.length).padStart(9),
  ].join(' ');
}

const HEAD = `${'target'.padEnd(15)} executions  minutes  per sec  coverage   kept            slowest  failures`;

const wanted = values.target.length === 0 ? TARGETS : values.target.map(getTarget);
mkdirSync(WORK_FOLDER, { recursive: true });
console.log(
  `fuzz: --seed ${firstSeed}, ${minutes} minutes a target, ${wanted.length} targets, ${jobs} at a time, corpus ${corpus === undefined ? 'none' : 'found'}`,
);
console.log(HEAD);
const queue = [...wanted];
const outcomes: Outcome[] = [];
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const outcome = await fuzzTarget(target);
      outcomes.push(outcome);
      console.log(describe(outcome));
    }
  }),
);
const failures = outcomes.reduce((sum, outcome) => sum + outcome.failures.length, 0);
const executions = outcomes.reduce((sum, outcome) => sum + outcome.executions, 0);
writeFileSync(
  join(WORK_FOLDER, 'outcome.json'),
  `${JSON.stringify({ seed: firstSeed, minutes, outcomes }, null, 2)}\n`,
);
console.log(`\nexecutions ${executions}, failures ${failures}`);
process.exitCode = failures > 0 ? 1 : 0;
