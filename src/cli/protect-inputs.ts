/** No output replaces what the run reads. */
import { statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { decodeText, detectFormat } from '../parse/index.ts';
import { UsageError } from './exit-error.ts';

/** A file, or a folder with all that is in it, that a run reads. */
export interface InputPlace {
  /** Absolute path. */
  readonly path: string;
  /** As a part of a sentence: `the configuration of the run`. */
  readonly what: string;
}

/**
 * Refuses to write over an input, under whatever name, or over any export. An earlier report may be replaced. `option` names the output.
 *
 * @throws UsageError when a file is one of these.
 */
export async function protectInputs(
  files: readonly string[],
  inputs: readonly InputPlace[],
  option: string = '--output',
): Promise<void> {
  for (const file of files) {
    for (const { path, what } of inputs)
      if (isSameFile(file, path)) throw new UsageError(`${option} ${file}: this is ${what}`);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) continue;
    const text = decodeText(await readFile(file).catch(() => new Uint8Array())).text;
    if (text === '' || text.startsWith('nwaudit ')) continue;
    if (detectFormat(text, file).kind === 'export')
      throw new UsageError(`${option} ${file}: this file is an export; the report would replace it`);
  }
}

/** Whether two paths lead to one file, by whatever links, hard ones too. */
export function isSameFile(one: string, other: string): boolean {
  if (one === other) return true;
  const [a, b] = [one, other].map((path) => {
    try {
      return statSync(path, { bigint: true, throwIfNoEntry: false });
    } catch {
      // What cannot be looked at cannot be told apart either; it is refused where it is opened.
      return undefined;
    }
  });
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
