/**
 * One target in a process of its own, so that a hang, a crash or an exhausted memory takes nothing else along. Every input is
 * written down before it is run: whatever becomes of this process, the parent knows what it was.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { Coverage } from './coverage.ts';
import type { FuzzInput } from './input.ts';

/** What the parent asks for, as the environment variable `FUZZ_TASK`. */
export interface FuzzTask {
  readonly target: string;
  readonly seed: number;
  readonly minutes: number;
  readonly corpus: string | undefined;
  /** File that holds the input at work: eight bytes of its number (0: it has ended), then the input. */
  readonly current: string;
  /** Folder for inputs that took long. */
  readonly slow: string;
  /** Run this one input, then end. */
  readonly replay?: string;
}

/** What a child tells. */
export type FuzzMessage =
  | {
      readonly kind: 'progress' | 'done';
      readonly executions: number;
      readonly kept: number;
      readonly coverage: number;
      readonly slowest: { readonly milliseconds: number; readonly bytes: number };
    }
  | { readonly kind: 'failure'; readonly signature: string; readonly error: string; readonly input: string };

const BATCH = 32;

async function main(): Promise<void> {
  // The parent wrote it.
  const task = JSON.parse(process.env.FUZZ_TASK ?? '{}') as FuzzTask;
  const coverage = new Coverage(join(import.meta.dirname, '../../src'));
  if (task.replay === undefined) coverage.start();
  // Loaded only now: code that ran before counting began would never count.
  const { Fuzzer } = await import('./fuzzer.ts');
  const { getTarget, seedsOf } = await import('./targets.ts');
  const { storeCase } = await import('./input.ts');
  const target = getTarget(task.target);
  if (task.replay !== undefined) {
    target.run(decodeInput(readFileSync(task.replay)));
    return;
  }
  const record = new InputRecord(task.current);
  const fuzzer = new Fuzzer(target, {
    seed: task.seed,
    seeds: seedsOf(target, task.corpus),
    beforeRun: (input) => record.write(input),
    afterRun: () => record.rest(),
    takeCoverage: (learn) => coverage.take(learn),
    onSlow: (input, milliseconds) =>
      storeCase(task.slow, task.target, `took ${Math.round(milliseconds)} ms`, input),
    onFailure: (failure) =>
      tell({ kind: 'failure', ...failure, input: encodeInput(failure.input).toString('base64') }),
  });
  const end = Date.now() + task.minutes * 60_000;
  const state = () => ({ ...fuzzer.state(), coverage: coverage.share(target.covers) });
  let told = 0;
  while (Date.now() < end) {
    fuzzer.runBatch(BATCH, end);
    if (Date.now() - told < 2000) continue;
    told = Date.now();
    await tell({ kind: 'progress', ...state() });
  }
  await tell({ kind: 'done', ...state() });
  record.close();
  process.disconnect?.();
}

function tell(message: FuzzMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, () => resolve());
  });
}

/** An input as bytes, and back. */
export function encodeInput(input: FuzzInput): Buffer {
  return serialize(input.map(({ path, bytes }) => [path, Buffer.from(bytes)]));
}

export function decodeInput(bytes: Uint8Array): FuzzInput {
  // encodeInput wrote it.
  const files = deserialize(bytes) as [string, Uint8Array][];
  return files.map(([path, content]) => ({ path, bytes: content }));
}

class InputRecord {
  readonly #file: number;
  #number = 0n;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  write(input: FuzzInput): void {
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(++this.#number);
    const content = Buffer.concat([head, encodeInput(input)]);
    ftruncateSync(this.#file, 0);
    writeSync(this.#file, content, 0, content.length, 0);
  }

  /** No input is at work now; the last one stays, in case the process ends. */
  rest(): void {
    writeSync(this.#file, Buffer.alloc(8), 0, 8, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

if (process.env.FUZZ_TASK !== undefined) await main();
