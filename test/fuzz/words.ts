/** Words of a format, harvested from the tables in the source of its reader: they cannot go stale. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './input.ts';

const LITERAL = /'((?:[^'\\\n]|\\.){1,30})'/g;

/** Short string literals of the TypeScript files in these folders of `src/`, each once, in byte order. */
export function wordsOf(folders: readonly string[]): readonly string[] {
  const words = new Set<string>();
  for (const folder of folders) {
    const path = join(ROOT, 'src', folder);
    for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      for (const [, word] of readFileSync(join(path, name), 'utf8').matchAll(LITERAL)) {
        if (word !== undefined && !word.includes('/') && !/\s.*\s/.test(word)) words.add(word);
      }
    }
    // Keys of tables stand without quotation marks.
    for (const name of readdirSync(path, { encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      for (const [, word] of readFileSync(join(path, name), 'utf8').matchAll(
        /^\s+([a-z][a-zA-Z0-9_]{1,20}):/gm,
      )) {
        if (word !== undefined) words.add(word);
      }
    }
  }
  return [...words].sort();
}
