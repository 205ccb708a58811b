import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { RulePackFile } from '../rulepack/parse.ts';
import { UsageError } from './exit-error.ts';

/** Most files a rule pack may have; a folder with more is something else. */
const MAX_FILES = 5000;

/**
 * The YAML files of a rule pack folder: `profiles/`, `checks/` or any other depth, but not `schema/`. In byte order of
 * their paths; `printedFolder` stands before each path.
 */
export function readRulePackFolder(folder: string, printedFolder: string): RulePackFile[] {
  const found = rulePackPaths(folder);
  if (found.length > MAX_FILES)
    throw new UsageError(`${printedFolder} has more than ${MAX_FILES} YAML files: no rule pack`);
  return found.map((path) => ({
    file: `${printedFolder}/${path}`,
    text: readFileSync(join(folder, path), 'utf8'),
  }));
}

/** Paths of these files below the folder, one more than a rule pack may have at most. */
export function rulePackPaths(folder: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = name.split(sep).join('/');
    if (!/\.ya?ml$/.test(path) || path.startsWith('schema/')) continue;
    if (!statSync(join(folder, name)).isFile()) continue;
    found.push(path);
    if (found.length > MAX_FILES) break;
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
