/** Build step: `rules/` as checked JSON, beside the compiled program, so that a run loads no YAML library. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RulePackError } from '../rulepack/index.ts';
import { compileRulePack } from '../rulepack/parse.ts';
import { readRulePackFolder } from './rule-pack-files.ts';

/**
 * Writes the compiled form of a rule pack folder.
 *
 * @throws RulePackError with every problem of every file.
 */
export function buildRulePack(folder: string, outFile: string): void {
  const compiled = compileRulePack(readRulePackFolder(folder, 'rules'));
  mkdirSync(dirname(outFile), { recursive: true });
  writeFileSync(outFile, `${JSON.stringify(compiled)}\n`);
}

function main(): void {
  const folder = fileURLToPath(new URL('../../rules', import.meta.url));
  const outFile = fileURLToPath(new URL('../rulepack.json', import.meta.url));
  try {
    buildRulePack(folder, outFile);
  } catch (error) {
    if (!(error instanceof RulePackError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
