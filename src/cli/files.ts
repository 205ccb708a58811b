/**
 * The files below the paths that a user names.
 *
 * A folder is walked to its end, names in byte order, without `.git` and `node_modules`. Nothing that is there is left
 * out silently: what cannot or must not be read becomes an input with a problem.
 *
 * Paths are buffers here: a file name is any bytes, and only the printed path has to be text.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import type { ScanInput } from '../scan.ts';
import { describeSystemError, systemErrorCode, UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';

/** Configuration file, never an export. */
export const CONFIG_FILE_NAME = 'nwaudit.yaml';

/** Standard input as a path. */
export const STDIN_PATH = '-';

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/** Largest file that is read, in bytes, and the sum of all files of one run. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MAX_TOTAL_BYTES = 1024 * 1024 * 1024;

const SIZE_PROBLEM = 'is larger than 256 MB, which no export of one host should be';
const TOTAL_PROBLEM = 'the files before it have 1 GB together, which is the limit of one run';

/** What a collection goes by. */
export interface CollectOptions {
  /** Absolute paths of files that are no input when a walk meets them: the configuration, the reports to be written. */
  readonly exclude?: readonly string[];
  /** For tests. */
  readonly maxFileBytes?: number;
  readonly maxTotalBytes?: number;
}

export interface CollectedFiles {
  /** In the order of the walk; each file once. */
  readonly inputs: readonly ScanInput[];
  /** The named paths as reports print them. */
  readonly roots: readonly string[];
  /** What was passed over without loss, one sentence each: a link to a file that was read under its own name. */
  readonly notes: readonly string[];
}

/**
 * Collects and reads the files below `paths` (`-` is standard input; none is the current folder).
 *
 * @throws UsageError when a named path is not there.
 */
export async function collectFiles(
  paths: readonly string[],
  io: CliIo,
  options: CollectOptions = {},
): Promise<CollectedFiles> {
  const named = paths.length === 0 ? ['.'] : [...new Set(paths)];
  const walk = new FileWalk(io.cwd, options);
  for (const path of named) if (path !== STDIN_PATH) walk.addRoot(path);
  for (const path of named) {
    if (path === STDIN_PATH) walk.inputs.push(await readStandardInput(io, options));
    else walk.collect(path);
  }
  walk.finishLinks();
  const roots = named.map((path) =>
    path === STDIN_PATH ? path : printedPath(io.cwd, resolve(io.cwd, path)),
  );
  return { inputs: walk.inputs, roots, notes: walk.notes };
}

async function readStandardInput(io: CliIo, options: CollectOptions): Promise<ScanInput> {
  const bytes = await io.readStdin(options.maxFileBytes ?? MAX_FILE_BYTES);
  return bytes === undefined
    ? { path: STDIN_PATH, bytes, problem: SIZE_PROBLEM }
    : { path: STDIN_PATH, bytes };
}

/** The path as reports print it: relative to the current folder, with `/`. */
export function printedPath(cwd: string, absolute: string): string {
  const text = relative(cwd, absolute);
  return text === '' ? '.' : text.split(sep).join('/');
}

/** A place on the way: as it is printed, and with every link above it resolved, which tells whether it was met before. */
interface Place {
  readonly path: Buffer;
  readonly real: Buffer;
}

class FileWalk {
  readonly inputs: ScanInput[] = [];
  readonly notes: string[] = [];
  readonly #cwd: string;
  readonly #exclude: ReadonlySet<string>;
  readonly #maxFileBytes: number;
  #bytesLeft: number;
  /** Real paths of the named folders: links may lead anywhere below them. */
  readonly #rootFolders: string[] = [];
  /** Printed path by real path of every file and folder met. By path, not inode: hard links may be two hosts' exports. */
  readonly #seen = new Map<string, string>();
  /** Looked at after everything else, so that a file goes by its own name. */
  readonly #links: Buffer[] = [];

  constructor(cwd: string, options: CollectOptions) {
    this.#cwd = cwd;
    this.#exclude = new Set((options.exclude ?? []).map(realPathOrSame));
    this.#maxFileBytes = options.maxFileBytes ?? MAX_FILE_BYTES;
    this.#bytesLeft = options.maxTotalBytes ?? MAX_TOTAL_BYTES;
  }

  /** Makes a named path known before the walk, so that links between named folders count as inside. */
  addRoot(path: string): void {
    const absolute = resolve(this.#cwd, path);
    if (statNamed(absolute, path)?.isDirectory()) this.#rootFolders.push(realPathOrSame(absolute));
  }

  /** Collects one named path. A named link is followed: the user meant what it leads to. */
  collect(path: string): void {
    const absolute = resolve(this.#cwd, path);
    const stats = statNamed(absolute, path);
    const real = realPathOrSame(absolute);
    const place = { path: Buffer.from(absolute), real: Buffer.from(real) };
    if (stats === undefined) this.#unread(place.path, 'permission denied');
    else if (stats.isDirectory()) this.#walkFolder(place);
    else if (!stats.isFile()) this.#unread(place.path, specialFileProblem(stats));
    else if (basename(absolute) === CONFIG_FILE_NAME) {
      throw new UsageError(`${path} is a configuration, not an export; name it with --config`);
    } else if (this.#exclude.has(real)) {
      throw new UsageError(`${path} cannot be an export and the configuration or a report at the same time`);
    } else this.#readFile(place);
  }

  /** Judges the links met on the way; to be called when every folder was walked. */
  finishLinks(): void {
    for (const link of this.#links) this.#judgeLink(link);
  }

  #walkFolder(place: Place): void {
    if (this.#isKnown(place)) return;
    let names: Buffer[];
    try {
      names = readdirSync(place.path, { encoding: 'buffer' });
    } catch (error) {
      this.#unread(place.path, `is a folder that cannot be listed: ${describeSystemError(error)}`);
      return;
    }
    names.sort(Buffer.compare);
    for (const name of names) {
      if (SKIPPED_FOLDERS.has(name.toString('latin1'))) continue;
      this.#visit({ path: joinBytes(place.path, name), real: joinBytes(place.real, name) }, name.toString());
    }
  }

  #visit(place: Place, name: string): void {
    let stats: Stats;
    try {
      stats = lstatSync(place.path);
    } catch (error) {
      // Gone between listing and looking is as if it had never been there.
      if (systemErrorCode(error) === 'ENOENT') return;
      this.#unread(place.path, describeSystemError(error));
      return;
    }
    if (name === CONFIG_FILE_NAME && !stats.isDirectory()) return;
    if (this.#exclude.has(place.real.toString())) return;
    if (stats.isSymbolicLink()) this.#links.push(place.path);
    else if (stats.isDirectory()) this.#walkFolder(place);
    else if (stats.isFile()) this.#readFile(place);
    else this.#unread(place.path, specialFileProblem(stats));
  }

  #judgeLink(path: Buffer): void {
    let real: Buffer;
    let stats: Stats;
    try {
      real = realpathSync(path, 'buffer');
      stats = statSync(path);
    } catch (error) {
      this.#unread(path, `is a link that was not followed: ${brokenLink(error)}`);
      return;
    }
    const target = real.toString();
    const known = this.#seen.get(real.toString('latin1'));
    if (known !== undefined)
      this.notes.push(`${this.#print(path)} is a link to ${known}, which was read under its own name`);
    else if (basename(target) === CONFIG_FILE_NAME || this.#exclude.has(target)) return;
    else if (!this.#isInside(target)) {
      this.#unread(
        path,
        'is a link that was not followed: it leaves the scanned folder; name its target as a further path',
      );
    } else if (stats.isFile()) this.#readFile({ path, real });
    else if (stats.isDirectory())
      this.#unread(path, 'is a link that was not followed: it leads to a folder that is not scanned');
    else this.#unread(path, specialFileProblem(stats));
  }

  #isInside(target: string): boolean {
    return this.#rootFolders.some((root) => {
      const below = relative(root, target);
      return !(below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below));
    });
  }

  /** Whether the place was met before, under whatever name; now it was. */
  #isKnown({ path, real }: Place): boolean {
    const key = real.toString('latin1');
    const known = this.#seen.has(key);
    if (!known) this.#seen.set(key, this.#print(path));
    return known;
  }

  #readFile(place: Place): void {
    if (this.#isKnown(place)) return;
    try {
      this.#readBytes(place);
    } catch (error) {
      this.#unread(place.path, describeSystemError(error));
    }
  }

  #readBytes({ path, real }: Place): void {
    // Not following and not blocking: what was a file a moment ago may have been replaced by a link or a pipe.
    const descriptor = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) this.#unread(path, specialFileProblem(stats));
      else if (stats.size > this.#maxFileBytes) this.#unread(path, SIZE_PROBLEM);
      else if (stats.size > this.#bytesLeft) this.#unread(path, TOTAL_PROBLEM);
      else {
        const bytes = readUpTo(descriptor, stats.size, this.#maxFileBytes);
        if (bytes !== undefined && hasChanged(stats, fstatSync(descriptor), bytes))
          this.#unread(path, 'it changed while it was read; export it again, or run nwaudit again');
        else this.#keep(path, bytes);
      }
    } finally {
      closeSync(descriptor);
    }
  }

  #keep(path: Buffer, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      this.#unread(path, SIZE_PROBLEM);
      return;
    }
    this.#bytesLeft -= bytes.length;
    this.inputs.push({ path: this.#print(path), bytes });
  }

  #unread(path: Buffer, problem: string): void {
    this.inputs.push({ path: this.#print(path), bytes: undefined, problem });
  }

  #print(path: Buffer): string {
    return printedPath(this.#cwd, textOfPath(path));
  }
}

function brokenLink(error: unknown): string {
  const code = systemErrorCode(error);
  if (code === 'ELOOP') return 'it leads back to itself';
  return code === 'ENOENT' ? 'it leads nowhere' : describeSystemError(error);
}

/** Stats of a named path; `undefined` when a folder above it may not be entered. */
function statNamed(absolute: string, path: string): Stats | undefined {
  if (path.includes('\u0000') || path === '')
    throw new UsageError(`a path cannot be ${JSON.stringify(path)}`);
  try {
    return statSync(absolute);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EACCES' || code === 'EPERM') return undefined;
    throw new UsageError(`cannot read ${path}: ${describeSystemError(error)}`);
  }
}

function realPathOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there yet (a report to be written), so there is no other name for it.
    return path;
  }
}

function specialFileProblem(stats: Stats): string {
  if (stats.isFIFO())
    return 'is a named pipe and was not opened; pass its content to standard input and name -';
  if (stats.isSocket()) return 'is a socket and was not opened';
  return 'is a device and was not opened';
}

function joinBytes(folder: Buffer, name: Buffer): Buffer {
  const separator = folder[folder.length - 1] === sep.charCodeAt(0) ? '' : sep;
  return Buffer.concat([folder, Buffer.from(separator), name]);
}

/** A path as text; bytes that are not UTF-8 become `\xNN`. */
function textOfPath(path: Buffer): string {
  const text = path.toString('utf8');
  if (Buffer.from(text).equals(path)) return text;
  return path
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

/** Whether a file was written to between two looks at it: what was read may be half of the one and half of the other. */
function hasChanged(before: Stats, after: Stats, bytes: Uint8Array): boolean {
  return before.size !== after.size || before.mtimeMs !== after.mtimeMs || bytes.length < after.size;
}

/** Everything from a descriptor, or `undefined` when it is more than `limit` bytes. The size is a hint: files grow. */
function readUpTo(descriptor: number, sizeHint: number, limit: number): Uint8Array | undefined {
  const chunks: Buffer[] = [];
  let total = 0;
  // One byte more than promised, so that the end is seen without a second buffer.
  let chunk = Buffer.allocUnsafe(Math.max(sizeHint, 4095) + 1);
  for (;;) {
    const count = readSync(descriptor, chunk, 0, chunk.length, null);
    if (count === 0) return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, total);
    total += count;
    if (total > limit) return undefined;
    chunks.push(chunk.subarray(0, count));
    chunk = Buffer.allocUnsafe(65536);
  }
}
