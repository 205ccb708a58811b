#!/usr/bin/env node
import { EXIT, UsageError } from './exit-error.ts';
import { processIo } from './process-io.ts';
import { describeDefect, run } from './program.ts';

/** Runs the process's command line. What fails outside `run` is the surroundings: no current folder, a full disk. */
async function main(): Promise<number> {
  try {
    return await run(process.argv.slice(2), processIo());
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(
      `${isUsage ? `nwaudit: ${error.message}` : describeDefect(error, 'of unknown version')}\n`,
    );
    return isUsage ? EXIT.usage : EXIT.defect;
  }
}

// Not process.exit(): what was written to a pipe has to drain.
process.exitCode = await main();
