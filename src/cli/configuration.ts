/** Finding and reading `nwaudit.yaml`. */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Inventory, InventoryOptions } from '../inventory/index.ts';
import { parseInventory, readProfileName } from '../inventory/index.ts';
import {
  describeSystemError,
  InputProblemsError,
  problemLine,
  systemErrorCode,
  UsageError,
} from './exit-error.ts';
import { CONFIG_FILE_NAME, printedPath, STDIN_PATH } from './files.ts';
import type { CliIo } from './io.ts';
import { decodeStrictText } from './strict-text.ts';

/** Largest configuration that is read, in bytes. */
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;

/** A configuration file that was read, not yet decoded. */
export interface Configuration {
  /** Absolute path. */
  readonly path: string;
  /** As reports print it. */
  readonly printed: string;
  readonly text: string;
  /** Name or path of a profile, where it has one. */
  readonly profile: string | undefined;
}

/**
 * The configuration of a run: the file given with `--config`; with `--no-config` (`false`) none; else the
 * `nwaudit.yaml` in or beside the named paths, or upward from the current folder.
 *
 * @throws UsageError when a given file is not there, when it cannot be read, or when the paths have different ones.
 */
export async function findConfiguration(
  io: CliIo,
  option: string | false | undefined,
  paths: readonly string[],
): Promise<Configuration | undefined> {
  if (option === false) return undefined;
  const path = option === undefined ? discover(io.cwd, paths) : resolve(io.cwd, option);
  if (path === undefined) return undefined;
  const printed = printedPath(io.cwd, path);
  const text = readConfiguration(path, option ?? printed);
  return { path, printed, text, profile: await readProfileName(text, printed) };
}

/**
 * Decodes a configuration.
 *
 * @throws InputProblemsError with every problem in it.
 */
export async function decodeConfiguration(
  config: Configuration,
  options: InventoryOptions,
): Promise<Inventory> {
  const { inventory, problems } = await parseInventory(config.text, config.printed, options);
  if (inventory === undefined) throw new InputProblemsError('the configuration', problems.map(problemLine));
  return inventory;
}

function discover(cwd: string, paths: readonly string[]): string | undefined {
  const found = new Set<string>();
  for (const path of paths.length === 0 ? ['.'] : paths) {
    const beside = path === STDIN_PATH ? undefined : findBeside(resolve(cwd, path));
    if (beside !== undefined) found.add(beside);
  }
  if (found.size > 1) {
    const list = [...found].map((path) => printedPath(cwd, path)).join(' and ');
    throw new UsageError(
      `the paths have different configurations, ${list}; choose one with --config, or none with --no-config`,
    );
  }
  const [only] = found;
  return only ?? findUpward(cwd);
}

/** In the named folder, in the one around it, and for a file also in the one around that. */
function findBeside(path: string): string | undefined {
  const folders = isFolder(path) ? [path, dirname(path)] : [dirname(path), dirname(dirname(path))];
  return folders.map((folder) => join(folder, CONFIG_FILE_NAME)).find(isThere);
}

function findUpward(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, CONFIG_FILE_NAME);
    if (isThere(candidate)) return candidate;
    if (dirname(at) === at) return undefined;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A file that is there but cannot be read counts, a folder or pipe too: to go on without it would be to judge by something else. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path) !== undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    // A folder above it may not be entered: whatever it holds was not meant for this user.
    if (code === 'EACCES' || code === 'EPERM') return false;
    throw error;
  }
}

function readConfiguration(path: string, name: string): string {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new UsageError(`configuration ${name}: is not a regular file`);
    if (stats.size > MAX_CONFIG_BYTES) throw new UsageError(`configuration ${name}: is larger than 16 MB`);
    const decoded = decodeStrictText(readFileSync(path));
    if ('problem' in decoded) throw new UsageError(`configuration ${name}: ${decoded.problem}`);
    return decoded.text;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`configuration ${name}: ${describeSystemError(error)}`);
  }
}
