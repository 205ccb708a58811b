import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { detectFormat } from '../../../src/parse/detect.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';
import { unknownsOfRule } from './unknown-kinds.ts';

const CORPUS = new URL('../../../../shared/corpus/nft-json/', import.meta.url);
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

describe.skipIf(!present)('exports of real hosts', () => {
  const files = present ? readdirSync(CORPUS).sort() : [];

  it('every file is recognised and read, and what is kept unknown is named', () => {
    const counts = new Map<string, number>();
    let rules = 0;
    const unread: string[] = [];
    for (const file of files) {
      const text = readFileSync(new URL(file, CORPUS), 'utf8');
      expect(detectFormat(text, file)).toMatchObject({ kind: 'export', format: 'nft-json' });
      const { ruleset, diagnostics } = parseNftJson(text, file);
      if (diagnostics.some((d) => d.incomplete))
        unread.push(`${file}: ${diagnostics.find((d) => d.incomplete)!.detail}`);
      for (const table of ruleset.tables) {
        for (const chain of table.chains) {
          for (const rule of chain.rules) {
            rules++;
            for (const unknown of unknownsOfRule(rule)) counts.set(unknown, (counts.get(unknown) ?? 0) + 1);
          }
        }
      }
    }
    const isXt = (kind: string): boolean => /\bxt (?:match|target)\b/.test(kind);
    const native = [...counts].filter(([kind]) => !isXt(kind)).sort((a, b) => b[1] - a[1]);
    const opaque = [...counts].filter(([kind]) => isXt(kind)).reduce((sum, [, n]) => sum + n, 0);
    console.log(
      `nft corpus: ${files.length} files, ${rules} rules, opaque xt ${opaque}; otherwise unknown: ${native.map(([text, n]) => `${text} ${n}`).join('; ')}`,
    );
    // The one file whose rules nft 1.0.2 printed without statements.
    expect(unread).toHaveLength(1);
    expect(native.reduce((sum, [, n]) => sum + n, 0)).toBeLessThan(300);
  });

  it('every native rule set keeps its number of rules', () => {
    for (const file of files) {
      const text = readFileSync(new URL(file, CORPUS), 'utf8');
      // Files of the corpus are valid JSON.
      const items = (JSON.parse(text) as { nftables: { rule?: unknown }[] }).nftables;
      const places = new Set(
        parseNftJson(text, file).ruleset.tables.flatMap((t) =>
          t.chains.flatMap((c) => c.rules.filter((r) => r.number !== undefined).map((r) => r.origin.path)),
        ),
      );
      expect(places.size, file).toBe(items.filter((item) => item.rule !== undefined).length);
    }
  });
});
