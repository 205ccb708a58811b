import { describe, expect, it } from 'vitest';
import type { ParseResult } from '../../../src/model/index.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';

const HEAD =
  '{"table":{"family":"ip","name":"t"}},{"chain":{"family":"ip","table":"t","name":"c","type":"filter","hook":"input","prio":0,"policy":"drop"}}';

function rule(expr: string): string {
  return `{"rule":{"family":"ip","table":"t","chain":"c","handle":1,"expr":[${expr}]}}`;
}

function parse(...items: readonly string[]): ParseResult {
  return parseNftJson(`{"nftables":[${[HEAD, ...items].join(',')}]}`, 'f');
}

/** The path of the first remark that makes the input incomplete. */
function firstPath(result: ParseResult): string | null | undefined {
  return result.diagnostics.find((d) => d.incomplete)?.origin.path;
}

const PORT = '{"payload":{"protocol":"tcp","field":"dport"}}';
const ADDRESS = '{"payload":{"protocol":"ip","field":"saddr"}}';

describe('documents that are not what they should be', () => {
  it('text that is not valid JSON is never read whole, whichever character of it is another or missing', () => {
    const text = `{"nftables": [${HEAD}, ${rule(`{"match": {"op": "==", "left": ${PORT}, "right": 22}}, {"counter": {"packets": 1, "bytes": 2}}, {"accept": null}`)}]}`;
    const wrong: string[] = [];
    for (let i = 0; i < text.length; i++) {
      for (const by of ['', '}', ']', ',', '"', '{', '[', ':', '0', '\\', 'x']) {
        const changed = text.slice(0, i) + by + text.slice(i + 1);
        let isJson = true;
        try {
          JSON.parse(changed);
        } catch {
          isJson = false;
        }
        const isIncomplete = parseNftJson(changed, 'f').diagnostics.some((d) => d.incomplete);
        if (!isJson && !isIncomplete) wrong.push(changed);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('100 MB of one string is told with its path and not read, wherever it stands', () => {
    const long = 'x'.repeat(100_000_000);
    expect([
      firstPath(parse(rule(`{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"${long}"}}`))),
      firstPath(parse(`{"rule":{"family":"ip","table":"t","chain":"c","comment":"${long}","expr":[]}}`)),
      firstPath(parse(`"${long}"`)),
    ]).toEqual(['$.nftables[2].rule.expr[0].match.right', '$.nftables[2].rule.comment', '$.nftables[2]']);
  });

  it('rules after a part that cannot be read keep their meaning, and their chain begins with an unknown rule', () => {
    const result = parse(rule('{"accept":nul}'), rule('{"drop":null}'));
    expect(result.ruleset.tables[0]!.chains[0]!.rules.map((r) => r.verdict.kind)).toEqual([
      'unknown',
      'drop',
    ]);
    expect(firstPath(result)).toBe('$.nftables[2].rule.expr[0].accept');
  });

  it.each([
    ['a comma that is missing between items', `{"nftables":[${HEAD} ${rule('{"accept":null}')}]}`],
    ['a comma too many', `{"nftables":[${HEAD},]}`],
    ['a comma too many between statements', `{"nftables":[${HEAD},${rule('{"accept":null},')}]}`],
    [
      'a comma that is missing between statements',
      `{"nftables":[${HEAD},${rule('{"counter":null} {"accept":null}')}]}`,
    ],
    ['a brace that is missing', `{"nftables":[${HEAD},${rule('{"accept":null}').slice(0, -1)}]}`],
    ['text after the document', `{"nftables":[${HEAD}]} x`],
    ['text before the list', `{"a" 1, "nftables":[${HEAD}]}`],
    ['two lists', `{"nftables":[${HEAD}],"nftables":[]}`],
    ['a list in another spelling', `{"nftables":[${HEAD}],"nftable\\u0073":[1]}`],
    ['single quotes', `{"nftables":[${HEAD},${rule("{'accept':null}")}]}`],
    [
      'brackets that do not fit',
      `{"nftables":[${HEAD},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"accept":null}}}]}`,
    ],
    [
      'a statement list that a brace closes',
      `{"nftables":[${HEAD},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"accept":null}}}}]}`,
    ],
    ['a brace too many between items', `{"nftables":[${HEAD}},${rule('{"accept":null}')}]}`],
    ['a list that a brace closes', `{"nftables":[${HEAD}}}`],
    [
      'a statement list twice',
      `{"nftables":[${HEAD},{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"drop":null}],"expr":5}}]}`,
    ],
  ])('%s is an incomplete document', (_, text) => {
    expect(parseNftJson(text, 'f').diagnostics.some((d) => d.incomplete)).toBe(true);
  });

  it('of two statement lists of a rule the last counts, as for every reader of JSON', () => {
    const twice =
      '{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"drop":null}],"expr":[{"accept":null}]}}';
    const escaped =
      '{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"drop":null}],"\\u0065xpr":[{"accept":null}]}}';
    const { ruleset } = parse(twice, escaped);
    expect(ruleset.tables[0]!.chains[0]!.rules.map((r) => r.verdict.kind)).toEqual(['accept', 'accept']);
  });

  it('numbers beyond their field make a match unknown, never silently false', () => {
    const cases = [
      `{"match":{"op":"==","left":${PORT},"right":70000}}`,
      `{"match":{"op":">","left":${PORT},"right":70000}}`,
      `{"match":{"op":"!=","left":${PORT},"right":{"range":[1,70000]}}}`,
      `{"match":{"op":"==","left":${PORT},"right":{"set":[22,70000]}}}`,
      `{"match":{"op":"==","left":${ADDRESS},"right":{"prefix":{"addr":"192.0.2.0","len":200}}}}`,
      `{"match":{"op":"==","left":${ADDRESS},"right":"192.0.2.256"}}`,
      `{"match":{"op":"==","left":${ADDRESS},"right":3221225985}}`,
    ];
    for (const one of cases) {
      const result = parse(rule(`${one},{"accept":null}`));
      expect(firstPath(result), one).toMatch(/^\$\.nftables\[2\]\.rule\.expr\[0\]\.match\.right/);
      const [read] = result.ruleset.tables[0]!.chains[0]!.rules;
      const text = JSON.stringify(read!.matches, (_, part: unknown) => (typeof part === 'bigint' ? 0 : part));
      expect(text, one).toContain('"unknown"');
    }
  });

  it('a priority beyond 32 bits is told with its path', () => {
    const chain =
      '{"chain":{"family":"ip","table":"t","name":"d","type":"filter","hook":"input","prio":4294967296}}';
    expect(parse(chain).diagnostics.map((d) => d.detail)).toEqual([
      '$.nftables[2].chain.prio (chain ip t d): expected a number or the name of a priority, found 4294967296; 0 is assumed',
    ]);
  });

  it('a million wrong elements are one remark', () => {
    const elements = `${'7,'.repeat(1_000_000)}7`;
    const anonymous = parse(rule(`{"match":{"op":"==","left":${ADDRESS},"right":{"set":[${elements}]}}}`));
    const named = parse(
      `{"set":{"family":"ip","table":"t","name":"s","type":"ipv4_addr","elem":[${elements}]}}`,
      rule(`{"match":{"op":"==","left":${ADDRESS},"right":"@s"}}`),
    );
    expect(anonymous.diagnostics.map((d) => d.origin.path)).toEqual([
      '$.nftables[2].rule.expr[0].match.right.set[0]',
    ]);
    expect(named.diagnostics.map((d) => d.origin.path)).toEqual(['$.nftables[2].set.elem[0]']);
  });

  it('a hundred thousand wrong rules give a bounded number of remarks, the last of which counts the others', () => {
    const wrong = rule(`{"match":{"op":"==","left":${PORT},"right":70000}},{"accept":null}`);
    const { diagnostics } = parse(...Array.from({ length: 100_000 }, () => wrong));
    expect(diagnostics.length).toBe(20_001);
    expect(diagnostics.some((d) => d.incomplete && d.detail.includes('(80000 more)'))).toBe(true);
  });

  it('a hundred thousand commands that insert a rule are carried out in order', () => {
    const command = (verdict: string): string =>
      `{"insert":{"rule":{"family":"ip","table":"t","chain":"c","expr":[{"${verdict}":null}]}}}`;
    const { ruleset } = parse(...Array.from({ length: 100_000 }, () => command('accept')), command('drop'));
    const { rules } = ruleset.tables[0]!.chains[0]!;
    expect([rules.length, rules[0]!.verdict.kind, rules[0]!.number, rules[100_000]!.number]).toEqual([
      100_001,
      'drop',
      1,
      100_001,
    ]);
  });

  it('brackets nested to five million levels end the reading, not the program', () => {
    expect(
      parseNftJson(`{"nftables":${'['.repeat(5_000_000)}`, 'f').diagnostics.some((d) => d.incomplete),
    ).toBe(true);
  });
});
