import { describe, expect, it } from 'vitest';
import type { ParseResult } from '../../../src/model/index.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';
import { EXAMPLE_ITEMS } from './example-document.ts';

const OTHER_TYPES: readonly unknown[] = [
  null,
  true,
  3.5,
  1e300,
  70_000_000_000,
  -7,
  '',
  'unheard-of',
  [],
  {},
  [7.5],
  { a: 1 },
  { toString: 1 },
];

/**
 * Leaves that do not change what packets meet: names and texts; what they are to be is free or means nothing here. A name of a
 * table, chain or interface may be any text; a priority may be any number.
 */
const FREE =
  /^(?:metainfo|rule\.handle|rule\.expr\.#\.(?:counter|log|limit|xt\.name)|set\.(?:type|flags|handle)|map\.(?:type|map|handle)|table\.handle|chain\.handle)/;
const FREE_TEXT = /(?:^|\.)(?:name|key|field|protocol|target)$|^rule\.expr\.#\.match\.right$/;

interface Leaf {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

function leavesOf(value: unknown, path: readonly (string | number)[]): readonly Leaf[] {
  if (Array.isArray(value)) return value.flatMap((part, i) => leavesOf(part, [...path, i]));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, part]) => leavesOf(part, [...path, name]));
  return [{ path, value }];
}

function replaced(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return by;
  if (Array.isArray(value)) return value.map((part, i) => (i === step ? replaced(part, rest, by) : part));
  // The path was taken from this value.
  return { ...(value as object), [step]: replaced((value as Record<string, unknown>)[step], rest, by) };
}

function parse(items: unknown): ParseResult {
  return parseNftJson(JSON.stringify({ nftables: items }), 'f');
}

/** What the rules mean, without texts and places. */
function meaningOf({ ruleset }: ParseResult): string {
  const spoken = ['origin', 'comment', 'handle', 'counters', 'text', 'with'];
  return JSON.stringify(ruleset, (name, part: unknown) =>
    spoken.includes(name) ? undefined : typeof part === 'bigint' ? `${part}n` : part,
  );
}

function unknownsIn(meaning: string): number {
  return [...meaning.matchAll(/"kind":"unknown|"unknownTarget":true/g)].length;
}

function placesOf({ ruleset }: ParseResult): number {
  return new Set(ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => r.origin.path))))
    .size;
}

describe('every leaf of a document as another type', () => {
  const whole = parse(EXAMPLE_ITEMS);
  const meaning = meaningOf(whole);

  it('the document itself is read whole', () => {
    expect(whole.diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });

  it('is read without an exception, and is said, unknown, or without meaning; no rule is less', () => {
    const silent: string[] = [];
    for (const { path, value } of leavesOf(EXAMPLE_ITEMS, [])) {
      const name = path
        .slice(1)
        .map((step) => (typeof step === 'number' ? '#' : step))
        .join('.');
      for (const other of OTHER_TYPES) {
        if (FREE_TEXT.test(name) && typeof other === 'string') continue;
        if (name === 'chain.prio' && other === -7) continue;
        const result = parse(replaced(EXAMPLE_ITEMS, path, other));
        if (result.diagnostics.some((d) => d.incomplete)) continue;
        const after = meaningOf(result);
        const isSafe = after === meaning || FREE.test(name) || unknownsIn(after) > unknownsIn(meaning);
        if (!isSafe || placesOf(result) < placesOf(whole))
          silent.push(`${name}: ${JSON.stringify(value)} -> ${JSON.stringify(other)}`);
      }
    }
    expect(silent).toEqual([]);
  });

  it('names path, place and what was expected', () => {
    const details = (index: number, path: readonly (string | number)[], by: unknown): readonly string[] =>
      parse(replaced(EXAMPLE_ITEMS, [index, ...path], by))
        .diagnostics.filter((d) => d.incomplete)
        .map((d) => d.detail);
    expect([
      ...details(5, ['chain', 'prio'], 'x'),
      ...details(5, ['chain', 'hook'], 5),
      ...details(1, ['table', 'family'], 'ipx'),
      ...details(8, ['rule', 'expr'], 'x'),
      ...details(8, ['rule', 'expr', 0, 'match', 'op'], '~'),
      ...details(10, ['rule', 'expr', 1, 'match', 'right', 'set', 1, 'range', 1], 70_000),
      ...details(2, ['set', 'elem', 1, 'prefix', 'len'], 200),
      ...details(11, ['rule', 'expr', 1, 'jump', 'target'], 5),
      ...details(19, ['rule', 'expr', 1, 'dnat', 'port'], 70_000),
    ]).toEqual([
      '$.nftables[5].chain.prio (chain inet t a): expected a number or the name of a priority, found "x"; 0 is assumed',
      '$.nftables[5].chain.hook (chain inet t a): expected one of ingress, prerouting, input, forward, output, postrouting, egress, found 5; the chain is not judged',
      '$.nftables[1].table: expected "family" (ip, ip6, inet, arp, bridge, netdev) and the table\'s name, found {"family":"ipx","name":"t","handle":1}',
      '$.nftables[8].rule.expr (inet t a, handle 11): expected the array with the rule\'s statements, found "x" (nft 1.0.2 leaves it out); what the rule does is unknown',
      '$.nftables[8].rule.expr[0].match.op (inet t a, handle 11): expected a comparison operator, found "~"',
      '$.nftables[10].rule.expr[1].match.right.set[1].range[1] (inet t a, handle 13): expected a number from 0 to 65535 or its name, found 70000',
      '$.nftables[2].set.elem[1] (set inet t s): expected a prefix length from 0 to 32, found 200; whether the element matches is unknown',
      '$.nftables[11].rule.expr[1].jump (inet t a, handle 14): expected the name of a chain, found {"target":5}',
      '$.nftables[19].rule.expr[1].dnat.port (inet t n, handle 22): expected a number from 0 to 65535 or its name, found 70000',
    ]);
  });
});
