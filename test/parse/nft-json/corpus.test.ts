import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Condition, Rule } from '../../../src/model/index.ts';
import { detectFormat } from '../../../src/parse/detect.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';

const CORPUS = new URL('../../../../shared/corpus/nft-json/', import.meta.url);
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

function unknownsOf(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.flatMap(unknownsOf);
    case 'not':
      return unknownsOf(condition.of);
    case 'unknown':
      return [kindOf(condition.text)];
    default:
      return [];
  }
}

/** What an unknown is about, without its values. */
function kindOf(text: string): string {
  const xt = /^xt \w+ \S+/.exec(text)?.[0];
  return (
    xt ??
    text
      .replace(/ of (table|ip|ip6|inet|bridge|arp|netdev) .*/s, '')
      .replace(/[^ ]*[\d":{][^ ]*/g, '…')
      .slice(0, 40)
  );
}

function unknownsOfRule(rule: Rule): readonly string[] {
  return [
    ...rule.matches.flatMap((m) => unknownsOf(m.condition)),
    ...(rule.verdict.kind === 'unknown' ? [`verdict of ${kindOf(rule.verdict.text)}`] : []),
    ...rule.statements.flatMap((s) =>
      s.kind === 'unknown-field' ? [`${s.field} after ${kindOf(s.text)}`] : [],
    ),
  ];
}

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
            for (const unknown of new Set(unknownsOfRule(rule)))
              counts.set(unknown, (counts.get(unknown) ?? 0) + 1);
          }
        }
      }
    }
    const native = [...counts].filter(([text]) => !text.includes('xt ')).sort((a, b) => b[1] - a[1]);
    const opaque = [...counts].filter(([text]) => text.includes('xt ')).reduce((sum, [, n]) => sum + n, 0);
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
          t.chains.flatMap((c) => c.rules.map((r) => r.origin.path)),
        ),
      );
      expect(places.size, file).toBe(items.filter((item) => item.rule !== undefined).length);
    }
  });
});
