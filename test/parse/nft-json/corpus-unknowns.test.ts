import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';
import { unknownsOfRule } from './unknown-kinds.ts';

const CORPUS = new URL('../../../../shared/corpus/nft-json/', import.meta.url);
const EXPECTED = new URL('corpus-unknowns.txt', import.meta.url);
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

/** `FILE: N rules; KIND COUNT; …`, with the rules of nft that hold an unknown of that kind. */
function lineOf(file: string): string {
  const { ruleset } = parseNftJson(readFileSync(new URL(file, CORPUS), 'utf8'), file);
  const rules = new Set<string>();
  const byKind = new Map<string, Set<string>>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        const place = rule.origin.path ?? '';
        if (rule.number !== undefined) rules.add(place);
        for (const kind of unknownsOfRule(rule)) {
          const places = byKind.get(kind) ?? new Set();
          byKind.set(kind, places.add(place));
        }
      }
    }
  }
  const kinds = [...byKind].map(([kind, places]) => `${kind} ${places.size}`).sort();
  return [`${file}: ${rules.size} rules`, ...kinds].join('; ');
}

describe.skipIf(!present)('what of real exports is kept unknown', () => {
  it('is what corpus-unknowns.txt lists; UPDATE=1 writes it', () => {
    const lines = `${readdirSync(CORPUS).sort().map(lineOf).join('\n')}\n`;
    if (process.env.UPDATE === '1') writeFileSync(EXPECTED, lines);
    expect(lines.split('\n')).toEqual(readFileSync(EXPECTED, 'utf8').split('\n'));
  });
});
