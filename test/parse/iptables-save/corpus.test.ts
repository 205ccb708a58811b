import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ParseResult } from '../../../src/model/index.ts';
import { parseIpsetSave } from '../../../src/parse/ipset-save/index.ts';
import { parseIptablesSave } from '../../../src/parse/iptables-save/index.ts';

/** Real exports that are not part of the repository; they may lie beside it. */
const CORPUS = new URL('../../../../shared/corpus/', import.meta.url);
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

interface Case {
  readonly name: string;
  readonly text: string;
}

function casesOf(folder: string): readonly Case[] {
  const url = new URL(`${folder}/`, CORPUS);
  if (!present || !existsSync(url)) return [];
  return readdirSync(url).map((name) => ({
    name: `${folder}/${name}`,
    text: readFileSync(new URL(encodeURIComponent(name), url), 'utf8'),
  }));
}

/** Lines that neither became a model object nor are spoken of. */
function lostLines(text: string, result: ParseResult, ignored: RegExp): readonly string[] {
  const seen = new Set<number>();
  const cover = (origin: { readonly line: number; readonly endLine: number }): void => {
    for (let line = origin.line; line <= origin.endLine; line++) seen.add(line);
  };
  for (const table of result.ruleset.tables) {
    cover(table.origin);
    for (const chain of table.chains) {
      cover(chain.origin);
      for (const rule of chain.rules) cover(rule.origin);
    }
  }
  for (const set of result.ruleset.namedSets) {
    cover(set.origin);
    for (const element of set.elements) cover(element.origin);
  }
  for (const diagnostic of result.diagnostics) cover(diagnostic.origin);
  const leftOut = leftOutRanges(result);
  return text.split('\n').flatMap((line, i) => {
    const number = i + 1;
    if (
      seen.has(number) ||
      ignored.test(line) ||
      leftOut.some(([from, to]) => number >= from && number <= to)
    )
      return [];
    return [`${number}: ${line}`];
  });
}

/** A table that is left out is spoken of once, at its first line: what follows until the next thing seen belongs to it. */
function leftOutRanges(result: ParseResult): readonly (readonly [number, number])[] {
  const starts = result.diagnostics
    .filter((d) => /left out|counted once/.test(d.detail))
    .map((d) => d.origin.line);
  const others = [...result.ruleset.tables.map((t) => t.origin.line), ...starts].sort((a, b) => a - b);
  return starts.map((start) => [
    start,
    (others.find((line) => line > start) ?? Number.POSITIVE_INFINITY) - 1,
  ]);
}

const IPTABLES = ['iptables-save', 'ip6tables-save', 'iptables-S', 'iptables-in-text'].flatMap(casesOf);
const unknown = new Map<string, number>();

describe.skipIf(!present)('real exports of iptables', () => {
  it.each(IPTABLES)('every line of $name is modelled or spoken of', ({ name, text }) => {
    const result = parseIptablesSave(text, name);
    // A comment, COMMIT, a redeclaration of a chain's policy, or a shell's echo of nothing.
    expect(lostLines(text, result, /^\s*(#|COMMIT\s*$|$|:\S+ \S+|-[PN] |\s*\S*@\S+[#$]\s*$)/)).toEqual([]);
    for (const { detail } of result.diagnostics) {
      const what = /the (?:option|match|target) "([^"]*)" is not known/.exec(detail)?.[1];
      if (what !== undefined) unknown.set(what, (unknown.get(what) ?? 0) + 1);
    }
  });

  it('prints what of it is not known', () => {
    console.log(
      `corpus: ${IPTABLES.length} files; unknown options and modules: ${unknown.size === 0 ? 'none' : [...unknown].map(([k, n]) => `${k} in ${n} files`).join(', ')}`,
    );
    expect(unknown.size).toBeLessThan(10);
  });
});

describe.skipIf(!present)('real exports of ipset', () => {
  it.each(casesOf('ipset-save'))('every line of $name is modelled or spoken of', ({ name, text }) => {
    const result = parseIpsetSave(text, name);
    expect(lostLines(text, result, /^\s*(#|$)/)).toEqual([]);
    expect(result.diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });
});
