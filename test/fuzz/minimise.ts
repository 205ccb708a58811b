/** Makes a failing input smaller as long as it fails in the same way (delta debugging). */
import type { FuzzFile, FuzzInput } from './input.ts';

/** Name of a failure: equal for two inputs that fail at the same place in the same way. */
export function signatureOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown ${typeof error}`;
  const message = error.message
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\{.*/s, '')
    .replace(/\d+/g, '0')
    .slice(0, 80);
  // Where a stack overflow happens to end says nothing.
  const frame =
    error instanceof RangeError ? '' : (/\/src\/([\w./-]+?)\.[jt]s/.exec(error.stack ?? '')?.[1] ?? '');
  return `${error.name}: ${message} @${frame}`;
}

/** The signature of the failure of `input`, `undefined` when it does not fail. */
export type Check = (input: FuzzInput) => string | undefined;

/** A smaller input with the same signature. `trials`: how often `check` may be asked. */
export function minimise(input: FuzzInput, signature: string, check: Check, trials: number): FuzzInput {
  let left = trials;
  const fails = (candidate: FuzzInput): boolean => left-- > 0 && check(candidate) === signature;
  let files: FuzzInput = input;
  for (let i = files.length - 1; i >= 0 && files.length > 1; i--) {
    const fewer = files.filter((_, j) => j !== i);
    if (fails(fewer)) files = fewer;
  }
  for (let i = 0; i < files.length; i++) {
    const file = files[i]!;
    const failsWith = (bytes: Uint8Array): boolean =>
      fails(files.map((f, j) => (j === i ? { path: f.path, bytes } : f)));
    const lines = shrinkList(splitLines(file), (parts) => failsWith(Buffer.concat(parts)));
    const joined = Buffer.concat(lines);
    const pieces =
      joined.length > 4096 ? chunksOf(joined, Math.ceil(joined.length / 2048)) : chunksOf(joined, 1);
    const bytes = Buffer.concat(shrinkList(pieces, (parts) => failsWith(Buffer.concat(parts))));
    files = files.map((f, j) => (j === i ? { path: f.path, bytes } : f));
  }
  return files;
}

function splitLines({ bytes }: FuzzFile): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let from = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== 10) continue;
    lines.push(bytes.subarray(from, i + 1));
    from = i + 1;
  }
  if (from < bytes.length) lines.push(bytes.subarray(from));
  return lines;
}

function chunksOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < bytes.length; i += size) chunks.push(bytes.subarray(i, i + size));
  return chunks;
}

/** Removes runs of elements, halving their length, as long as `fails` holds for the rest. */
function shrinkList<T>(list: readonly T[], fails: (list: readonly T[]) => boolean): readonly T[] {
  let current = list;
  for (let size = Math.ceil(current.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < current.length; ) {
      const rest = [...current.slice(0, at), ...current.slice(at + size)];
      if (rest.length < current.length && fails(rest)) current = rest;
      else at += size;
    }
  }
  return current;
}
