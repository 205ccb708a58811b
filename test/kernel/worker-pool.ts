import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedResult } from './run-seed.ts';
import type { WorkerTask } from './worker.ts';

/** A seed to run, and who is told how it went. */
export interface PooledTask {
  readonly task: WorkerTask;
  readonly finish: (result: SeedResult) => void;
}

/** Seeds after which a worker is replaced, so that no memory piles up over a long run. */
const SEEDS_PER_WORKER = 100;

/**
 * Runs tasks in `jobs` worker processes until `next` has none left. A worker that dies, or takes longer than the limit,
 * costs its own seed only, which then counts as failed. Needs the harness compiled (run.mjs): workers are plain node.
 */
export async function runTasks(
  jobs: number,
  limitMs: number,
  next: () => PooledTask | undefined,
): Promise<void> {
  await Promise.all(Array.from({ length: jobs }, () => workUntilEmpty(limitMs, next)));
}

async function workUntilEmpty(limitMs: number, next: () => PooledTask | undefined): Promise<void> {
  let worker: ChildProcess | undefined;
  let served = 0;
  for (let pooled = next(); pooled !== undefined; pooled = next()) {
    if (worker === undefined || served % SEEDS_PER_WORKER === 0) {
      worker?.kill();
      worker = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), {
        stdio: ['ignore', 2, 2, 'ipc'],
      });
    }
    served++;
    const result = await ask(worker, pooled.task, limitMs);
    if (typeof result === 'string') {
      worker.kill('SIGKILL');
      worker = undefined;
    }
    pooled.finish(typeof result === 'string' ? failed(pooled.task.seed, result) : result);
  }
  worker?.kill();
}

function failed(seed: number, detail: string): SeedResult {
  return { seed, state: 'failed', detail, tallies: {}, notes: [], mended: 0, wrong: 0, report: '' };
}

/** The worker's result, or why there is none. */
function ask(worker: ChildProcess, task: WorkerTask, limitMs: number): Promise<SeedResult | string> {
  return new Promise((resolve) => {
    const settle = (result: SeedResult | string): void => {
      clearTimeout(limit);
      worker.off('message', onMessage);
      worker.off('exit', onExit);
      resolve(result);
    };
    // A worker sends nothing but results.
    const onMessage = (message: unknown): void => settle(message as SeedResult);
    const onExit = (code: number | null, signal: string | null): void =>
      settle(`the worker ended with ${signal ?? code}`);
    const limit = setTimeout(() => settle(`no result after ${limitMs / 1000} s`), limitMs);
    worker.on('message', onMessage);
    worker.on('exit', onExit);
    worker.send(task);
  });
}
