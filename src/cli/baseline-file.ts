/** Reading and planning the file of `--baseline` and `--write-baseline`. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Baseline, decodeBaseline } from '../finding/index.ts';
import { describeSystemError, InputProblemsError, systemErrorCode, UsageError } from './exit-error.ts';
import { printedPath } from './files.ts';
import type { CliIo } from './io.ts';
import { decodeStrictText } from './strict-text.ts';

/** Largest baseline that is read, in bytes: some 200,000 findings. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A file of a baseline. */
export interface BaselineFile {
  /** Absolute. */
  readonly path: string;
  /** As reports print it. */
  readonly printed: string;
}

/** The places that the options name; `undefined` for options that are not given. */
export function baselineFile(io: CliIo, option: string | undefined): BaselineFile | undefined {
  if (option === undefined) return undefined;
  if (option === '' || option === '-' || option.includes('\u0000'))
    throw new UsageError(`a baseline is a file; found ${JSON.stringify(option)}`);
  const path = resolve(io.cwd, option);
  return { path, printed: printedPath(io.cwd, path) };
}

/**
 * Reads a baseline.
 *
 * @throws UsageError when it is not there, InputProblemsError with all that is wrong in it.
 */
export function readBaseline({ path, printed }: BaselineFile): Baseline {
  const decoded = decodeBaseline(readText(path, printed), printed);
  if (decoded.kind === 'ok') return decoded.baseline;
  throw new InputProblemsError(
    'the baseline',
    decoded.problems.map((problem) => `${printed}: ${problem}`),
  );
}

/**
 * Refuses to replace a file that is no baseline.
 *
 * @throws UsageError when there is one.
 */
export function protectFromBaseline({ path, printed }: BaselineFile): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return;
  const text = readText(path, printed);
  const decoded = text.trim() === '' ? undefined : decodeBaseline(text, printed);
  const isOlder = /^\s*\{\s*"tool": "nwaudit",\s*"baselineVersion"/.test(text);
  if (decoded?.kind === 'bad' && !isOlder)
    throw new UsageError(
      `--write-baseline ${printed}: this file is there and is no baseline; it would be replaced`,
    );
}

function readText(path: string, printed: string): string {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new UsageError(`baseline ${printed}: is not a regular file`);
    if (stats.size > MAX_BYTES) throw new UsageError(`baseline ${printed}: is larger than 64 MB`);
    const decoded = decodeStrictText(readFileSync(path));
    if ('problem' in decoded) throw new UsageError(`baseline ${printed}: ${decoded.problem}`);
    return decoded.text;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`baseline ${printed}: ${describeSystemError(error)}`);
  }
}
