/** What a fuzz target is given: some files. Stored as a folder with `case.json` beside the exact bytes. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface FuzzFile {
  /** Path as the target sees it, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** At least one file. */
export type FuzzInput = readonly FuzzFile[];

/** Text of `case.json`. */
interface StoredCase {
  readonly target: string;
  /** What went wrong when it was found. */
  readonly found: string;
  /** `stored`: name in the folder; `path`: what the target sees. */
  readonly files: readonly { readonly path: string; readonly stored: string }[];
}

/** The repository's top folder, from sources and from the built fuzzer alike. */
export const ROOT = findRoot(import.meta.dirname);

function findRoot(from: string): string {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (dirname(at) === at) throw new Error(`no package.json above ${from}`);
  }
}

/** Where failing inputs are kept for good. */
export const REGRESSION_FOLDER = join(ROOT, 'fixtures/regression');

/** Identity of an input: the same files in the same order. */
export function hashOf(input: FuzzInput): string {
  const hash = createHash('sha256');
  for (const { path, bytes } of input) {
    hash.update(`${path.length}:${path}:${bytes.length}:`);
    hash.update(bytes);
  }
  return hash.digest('hex').slice(0, 10);
}

export function sizeOf(input: FuzzInput): number {
  return input.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Writes a case below `folder` and returns its folder. */
export function storeCase(folder: string, target: string, found: string, input: FuzzInput): string {
  const path = join(folder, `fuzz-${target}-${hashOf(input)}`);
  mkdirSync(path, { recursive: true });
  const files = input.map((file, index) => {
    const base = file.path.slice(file.path.lastIndexOf('/') + 1);
    const stored = /^[\w.-]{1,60}$/.test(base) ? `${index}-${base}` : `${index}.bin`;
    writeFileSync(join(path, stored), file.bytes);
    return { path: file.path, stored };
  });
  const stored: StoredCase = { target, found, files };
  writeFileSync(join(path, 'case.json'), `${JSON.stringify(stored, null, 2)}\n`);
  return path;
}

export interface LoadedCase {
  readonly name: string;
  readonly target: string;
  readonly found: string;
  readonly input: FuzzInput;
}

/** One stored case. */
export function loadCase(path: string): LoadedCase {
  // The files are our own; the shape is the one that storeCase writes.
  const stored = JSON.parse(readFileSync(join(path, 'case.json'), 'utf8')) as StoredCase;
  const input = stored.files.map((file) => ({
    path: file.path,
    bytes: readFileSync(join(path, file.stored)),
  }));
  return { name: path.slice(path.lastIndexOf('/') + 1), target: stored.target, found: stored.found, input };
}

/** All stored cases, by name. */
export function loadCases(folder: string = REGRESSION_FOLDER): readonly LoadedCase[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith('fuzz-'))
    .sort()
    .map((name) => loadCase(join(folder, name)));
}

/** Files below a folder with paths relative to it, by name; `.git` and files over `limit` bytes are left out. */
export function filesBelow(folder: string, limit = 512 * 1024): FuzzFile[] {
  const found: FuzzFile[] = [];
  const walk = (path: string, prefix: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const inner = resolve(path, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== '.git') walk(inner, `${prefix}${entry.name}/`);
      } else if (entry.isFile()) {
        const bytes = readFileSync(inner);
        if (bytes.length <= limit) found.push({ path: `${prefix}${entry.name}`, bytes });
      }
    }
  };
  walk(folder, '');
  return found;
}

/** Whether there is a folder with something in it. */
export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory() && readdirSync(path).length > 0;
}
