/** Where results go: standard output, and files that are written whole or not at all. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describeSystemError, systemErrorCode, UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';
import { unknownName } from './names.ts';

/** One place for one report. */
export interface OutputTarget<F extends string> {
  readonly format: F;
  /** Absolute path; `undefined` is standard output. */
  readonly file: string | undefined;
}

/**
 * Targets of a run. The main report, in `format`, goes to standard output, or to the file of a plain `--output FILE`.
 * Every `--output FORMAT=FILE` is a further report; a file named `-` is standard output.
 *
 * @throws UsageError for unknown formats, two reports in one place, and places where nothing can be written.
 */
export function planOutput<F extends string>(
  io: CliIo,
  formats: readonly F[],
  format: F,
  outputs: readonly string[],
): OutputTarget<F>[] {
  const further: OutputTarget<F>[] = [];
  let main: OutputTarget<F> | undefined;
  for (const output of outputs) {
    const { format: own, path } = splitOutput(output, formats);
    const target = { format: own ?? format, file: path === '-' ? undefined : resolve(io.cwd, path) };
    if (own !== undefined) further.push(target);
    else if (main === undefined) main = target;
    else
      throw new UsageError(
        `--output ${output}: only one file can be named without its format; write ${formats[0]}=FILE`,
      );
  }
  const toStdout = further.some((target) => target.file === undefined);
  const targets =
    main === undefined && toStdout ? further : [main ?? { format, file: undefined }, ...further];
  const places = targets.map((target) => (target.file === undefined ? '-' : realPlace(target.file)));
  const twice = places.find((place, i) => places.indexOf(place) < i);
  if (twice !== undefined)
    throw new UsageError(`--output: two reports for ${twice === '-' ? 'standard output' : twice}`);
  for (const { file } of targets) if (file !== undefined) checkWritable(file);
  return targets;
}

/** `sarif=out/report.sarif` is a format and a path; so is a path with `=` after a `/` or `.` just a path. */
function splitOutput<F extends string>(
  output: string,
  formats: readonly F[],
): { format: F | undefined; path: string } {
  const match = /^([a-z][a-z0-9-]*)=(.*)$/s.exec(output);
  const path = match?.[2] ?? output;
  if (path === '' || path.includes('\u0000'))
    throw new UsageError(`--output ${JSON.stringify(output)} names no file`);
  if (match === null) return { format: undefined, path };
  const format = formats.find((candidate) => candidate === match[1]);
  if (format !== undefined) return { format, path };
  const known = unknownName('format', match[1] ?? '', formats);
  throw new UsageError(`--output ${output}: ${known}. For a file with = in its name write ./${output}`);
}

/** The file itself where links lead to it, so that a link stays a link. */
function realPlace(file: string): string {
  try {
    const real = realpathSync(file);
    // Links such as /dev/fd/63 and /dev/stdout may lead to a pipe, which has no path.
    return statOf(real) === undefined ? file : real;
  } catch {
    // Not there yet: only its folder can be resolved, and checkWritable says when even that is missing.
    return file;
  }
}

function statOf(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false });
}

/** Fails before the work is done rather than after it. */
function checkWritable(file: string): void {
  try {
    const stats = statOf(file);
    if (stats?.isDirectory()) throw new UsageError(`--output ${file}: is a folder`);
    if (stats !== undefined) accessSync(file, constants.W_OK);
    if (stats === undefined || stats.isFile())
      accessSync(dirname(realPlace(file)), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`--output ${file}: ${describeSystemError(error)}`);
  }
}

/** A file to write: its path and its content in pieces, which may be more than one string can hold. */
export interface FileContent {
  readonly file: string;
  readonly chunks: Iterable<string>;
}

/**
 * Writes files, all or none: each into a temporary file beside its place first, then all are moved. What is no regular
 * file (a device, a pipe) is written to as it is.
 *
 * @throws UsageError when that fails; the temporary files are gone then.
 */
export function writeFiles(contents: readonly FileContent[]): void {
  const written: { readonly temporary: string; readonly place: string }[] = [];
  try {
    for (const { file, chunks } of contents) {
      const place = realPlace(file);
      const stats = statOf(place);
      if (stats !== undefined && !stats.isFile()) {
        writeChunks(place, 'w', 0o666, chunks, file);
        continue;
      }
      const temporary = join(
        dirname(place),
        `.${basename(place).slice(0, 100)}.${randomBytes(6).toString('hex')}.tmp`,
      );
      written.push({ temporary, place });
      writeChunks(temporary, 'wx', stats === undefined ? 0o666 : stats.mode & 0o777, chunks, file);
    }
    for (const { temporary, place } of written) moveFile(temporary, place);
  } catch (error) {
    for (const { temporary } of written) rmSync(temporary, { force: true });
    throw error;
  }
}

function writeChunks(
  path: string,
  flags: string,
  mode: number,
  chunks: Iterable<string>,
  file: string,
): void {
  let descriptor: number | undefined;
  let reader: number | undefined;
  try {
    // A pipe that nobody reads would be waited for; opened so, it is refused, and kept open it has its reader still when opened again.
    if (flags !== 'wx' && statOf(path)?.isFIFO())
      reader = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    descriptor = openSync(path, flags, mode);
    for (const chunk of chunks) {
      const bytes = Buffer.from(chunk);
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    }
    if (flags === 'wx') fsyncSync(descriptor);
  } catch (error) {
    throw asWriteError(file, error);
  } finally {
    for (const open of [descriptor, reader]) if (open !== undefined) closeSync(open);
  }
}

function moveFile(temporary: string, place: string): void {
  try {
    renameSync(temporary, place);
  } catch (error) {
    throw asWriteError(place, error);
  }
}

/** What the system refused becomes a sentence; anything else is a defect and stays one. */
function asWriteError(file: string, error: unknown): unknown {
  if (systemErrorCode(error) === undefined) return error;
  return new UsageError(`cannot write ${file}: ${describeSystemError(error)}`);
}

/** Writes pieces to standard output, one after the other; stops quietly when nobody reads any more. */
export async function writeStdout(io: CliIo, chunks: Iterable<string>): Promise<void> {
  for (const chunk of chunks) if (!(await io.stdout.write(chunk))) return;
}
