import type { ConfigProblem } from '../inventory/index.ts';

/** Exit codes of every command (design.md, 4). */
export const EXIT = { ok: 0, findings: 1, usage: 2, incomplete: 3, defect: 70 } as const;

/** A wrong argument, or a named path that is not there: one sentence, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A wrong configuration, rule pack, profile or packet file: every problem with its place, exit code 2. */
export class InputProblemsError extends Error {
  override readonly name = 'InputProblemsError';
  /** `file:line:column: message` each. */
  readonly lines: readonly string[];

  /** `what` says what could not be used: `the configuration`. */
  constructor(what: string, lines: readonly string[]) {
    super(`${what} cannot be used`);
    this.lines = lines;
  }
}

/** A place and what is wrong there, as editors and terminals link it. */
export function problemLine(problem: Omit<ConfigProblem, 'path'>): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** The code of a failed system call (`ENOENT`), `undefined` for other errors. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'is a folder',
  ELOOP: 'too many links',
  ENAMETOOLONG: 'the path is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOSPC: 'no space left',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'the file system is read-only',
  EIO: 'input/output error',
  ESTALE: 'stale file handle',
  EBUSY: 'busy',
  ENXIO: 'it is a socket, or a pipe that nobody reads',
  ETXTBSY: 'it is a program that runs',
  EFBIG: 'larger than files may be',
  EPIPE: 'nobody reads it any more',
};

/** What a failed system call means, in words. */
export function describeSystemError(error: unknown): string {
  const code = systemErrorCode(error);
  if (code !== undefined) return SYSTEM_ERRORS[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}
