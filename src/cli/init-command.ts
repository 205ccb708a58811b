import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { seenHost } from '../init/index.ts';
import {
  type AssignmentProblem,
  assignFilesToHosts,
  type SeenHost,
  suggestInventory,
  withMostUsedSources,
} from '../inventory/index.ts';
import { DEFAULT_HEAP_BYTES, filesTooLarge, readHostExports } from '../parse/index.ts';
import type { ScanInput } from '../scan.ts';
import { tooLarge } from '../semantics/index.ts';
import { EXIT, UsageError } from './exit-error.ts';
import { collectFiles } from './files.ts';
import type { CliIo } from './io.ts';
import { planOutput, writeFiles, writeStdout } from './output.ts';
import { protectInputs } from './protect-inputs.ts';
import { checkHostOption, say, sayDiagnostics } from './run-context.ts';

/** Options of `nwaudit init` as the command line gives them. */
export interface InitCommandOptions {
  readonly output?: string;
  readonly force: boolean;
  readonly host?: string;
}

/** Writes a first configuration to standard output, or to a file that is not there yet. */
export async function initCommand(
  paths: readonly string[],
  options: InitCommandOptions,
  io: CliIo,
): Promise<number> {
  const { output } = options;
  const host = checkHostOption(options.host, paths);
  if (output !== undefined && output !== '-') await checkTarget(output, options.force, io);
  const files = await collectFiles(paths, io);
  for (const note of files.notes) await say(io, note);
  const { byHost, problems } = groupByHost(files.inputs, files.roots, host, io);
  for (const { detail } of problems) await say(io, detail);
  // As for scan: what may be two hosts is not known as one.
  let whole = files.inputs.length > 0 && problems.every(({ kind }) => kind !== 'several-folders');
  const heapBytes = io.heapBytes ?? DEFAULT_HEAP_BYTES;
  const hosts: SeenHost[] = [];
  const refuse = async (name: string, reason: string) => {
    await say(io, `${reason}; it is listed without its sources`);
    hosts.push({ name, addressesSeen: [] });
    whole = false;
  };
  for (const [name, inputs] of byHost) {
    const unread = filesTooLarge(name, inputs, heapBytes);
    if (unread !== undefined) {
      await refuse(name, unread);
      continue;
    }
    const read = readHostExports(inputs);
    await sayDiagnostics(io, read.diagnostics);
    if (read.exports.some((one) => !one.whole) || read.diagnostics.some((one) => one.incomplete))
      whole = false;
    const reason = tooLarge(read.ruleset, heapBytes);
    if (reason === undefined) hosts.push(withMostUsedSources(seenHost(name, read.ruleset)));
    else await refuse(name, `${name}: ${reason}`);
  }
  const text = suggestInventory({ hosts });
  if (output === undefined || output === '-') await writeStdout(io, [text]);
  else {
    writeFiles([{ file: resolve(io.cwd, output), chunks: [text] }]);
    await say(io, `wrote ${output}: check the roles and add the addresses`);
  }
  if (!whole)
    await say(
      io,
      files.inputs.length === 0
        ? 'there is no export to read'
        : 'some export was not read whole, or its host is not certain',
    );
  return whole ? EXIT.ok : EXIT.incomplete;
}

/** A configuration is a person's work: it is replaced only on request; an export never. */
async function checkTarget(output: string, force: boolean, io: CliIo): Promise<void> {
  planOutput(io, ['yaml'], 'yaml', [`yaml=${output}`]);
  if (!force && existsSync(resolve(io.cwd, output))) {
    throw new UsageError(`${output} is there already; --force replaces it`);
  }
  await protectInputs([resolve(io.cwd, output)], []);
}

function groupByHost(
  inputs: readonly ScanInput[],
  roots: readonly string[],
  host: string | undefined,
  io: CliIo,
): { readonly byHost: Map<string, ScanInput[]>; readonly problems: readonly AssignmentProblem[] } {
  const { hosts, problems } = assignFilesToHosts(inputs, roots, undefined, {
    currentFolder: io.cwd,
    ...(host !== undefined && { host }),
  });
  const groups = new Map<string, ScanInput[]>();
  for (const input of inputs) {
    const name = hosts.get(input.path) ?? input.path;
    groups.set(name, [...(groups.get(name) ?? []), input]);
  }
  return { byHost: groups, problems };
}
