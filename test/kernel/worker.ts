/** One worker process of the runner: seeds come as messages, results go back as messages. */
import { findKind } from './kinds.ts';
import { runSeed, type SeedTask } from './run-seed.ts';

/** What the runner sends. */
export interface WorkerTask extends SeedTask {
  readonly kind: string;
}

process.on('message', async (message) => {
  // Sent by the runner, which is ours.
  const task = message as WorkerTask;
  const kind = findKind(task.kind);
  if (kind === undefined) throw new Error(`unknown kind ${task.kind}`);
  process.send?.(await runSeed(kind, task));
});
