import { describe, expect, it } from 'vitest';
import type { ParseResult, Verdict } from '../../../src/model/index.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';

const TABLE = { table: { family: 'inet', name: 't', handle: 1 } };
const CHAIN = {
  chain: {
    family: 'inet',
    table: 't',
    name: 'input',
    type: 'filter',
    hook: 'input',
    prio: 0,
    policy: 'drop',
  },
};
const TCP_DPORT = { payload: { protocol: 'tcp', field: 'dport' } };
const IP_SADDR = { payload: { protocol: 'ip', field: 'saddr' } };

function match(left: unknown, right: unknown): unknown {
  return { match: { op: '==', left, right } };
}

function rule(handle: number, ...expr: readonly unknown[]): unknown {
  return { rule: { family: 'inet', table: 't', chain: 'input', handle, expr } };
}

function textOf(items: readonly unknown[], indent?: number): string {
  return JSON.stringify({ nftables: [TABLE, CHAIN, ...items] }, undefined, indent);
}

/** What the origins of the diagnostics cut out of the text, as values. */
function quotedBy(text: string, { diagnostics }: ParseResult): readonly unknown[] {
  const starts = [0];
  for (const found of text.matchAll(/\n/g)) starts.push(found.index + 1);
  return diagnostics.map(({ origin }) =>
    JSON.parse(
      text.slice(
        starts[origin.line - 1]! + origin.column - 1,
        starts[origin.endLine - 1]! + origin.endColumn - 1,
      ),
    ),
  );
}

describe('places', () => {
  const items = [
    rule(7, match(TCP_DPORT, 22), { accept: null }),
    rule(8, match(IP_SADDR, '192.0.2.1'), { frobnicate: { a: '}' } }, { drop: null }),
    rule(9, match(TCP_DPORT, { set: [22, 80, 70_000] }), { accept: null }),
  ];

  it.each([
    ['one long line', undefined],
    ['indented text', 2],
  ])('a remark about a statement, or a part of one, stands at exactly that: %s', (_, indent) => {
    const text = textOf(items, indent);
    const result = parseNftJson(text, 'f');
    expect(result.diagnostics.map((d) => d.origin.path)).toEqual([
      '$.nftables[3].rule.expr[1]',
      '$.nftables[4].rule.expr[0].match.right.set[2]',
    ]);
    expect(quotedBy(text, result)).toEqual([{ frobnicate: { a: '}' } }, 70_000]);
  });

  it('a remark about an element of a named set stands at the element, in whichever item that is', () => {
    const set = { set: { family: 'inet', table: 't', name: 's', type: 'ipv4_addr', elem: ['192.0.2.1'] } };
    const more = {
      add: {
        element: { family: 'inet', table: 't', name: 's', elem: ['192.0.2.2', '192.0.2.999', '192.0.2.3'] },
      },
    };
    const text = textOf([set, more, rule(7, match(IP_SADDR, '@s'), { accept: null })]);
    const result = parseNftJson(text, 'f');
    expect(result.diagnostics.map((d) => [d.origin.path, d.incomplete])).toEqual([
      ['$.nftables[3].add.element.elem[1]', true],
    ]);
    expect(quotedBy(text, result)).toEqual(['192.0.2.999']);
  });

  it('a remark about what a verdict map gives for an element stands at the element, of a named map and of one in the rule', () => {
    const bad = [[22, { accept: null }], [23, { reject: null }], 24];
    const map = { family: 'inet', table: 't', name: 'm', type: 'inet_service', map: 'verdict', elem: bad };
    const text = textOf([
      { map },
      rule(7, { vmap: { key: TCP_DPORT, data: '@m' } }),
      rule(8, { vmap: { key: TCP_DPORT, data: { set: [[23, { reject: null }]] } } }),
      rule(9, { vmap: { key: TCP_DPORT, data: { set: [[22, { drop: null }], 24] } } }),
    ]);
    const result = parseNftJson(text, 'f');
    expect(result.diagnostics.map((d) => [d.origin.path, d.incomplete])).toEqual([
      ['$.nftables[2].map.elem[2]', true],
      ['$.nftables[4].rule.expr[0].vmap.data.set[0][1]', true],
      ['$.nftables[5].rule.expr[0].vmap.data.set[1]', true],
    ]);
    expect(quotedBy(text, result)).toEqual([24, { reject: null }, 24]);
    expect(result.diagnostics[0]!.detail).toContain('what the element does is unknown (1 more)');
  });

  it('rules keep the place of the whole rule, in a list of commands too', () => {
    const text = JSON.stringify({
      nftables: [{ add: TABLE }, { add: CHAIN }, { add: rule(7, { accept: null }) }],
    });
    const { ruleset } = parseNftJson(text, 'f');
    expect(ruleset.tables[0]!.chains[0]!.rules[0]!.origin).toEqual({
      file: 'f',
      line: 1,
      column: text.indexOf('{"add":{"rule"') + 1,
      endLine: 1,
      endColumn: text.length - 1,
      path: '$.nftables[2].add.rule',
    });
  });

  it('text that is no JSON is told where it stops being some', () => {
    const text = textOf([rule(7, { accept: null })]).replace('"handle":7', '"handle":07');
    const { diagnostics } = parseNftJson(text, 'f');
    expect(diagnostics.map((d) => [d.origin.path, d.origin.column, d.incomplete])).toEqual([
      ['$.nftables[2].rule.handle', text.indexOf('07') + 1, true],
    ]);
  });
});

describe('remarks about many rules', () => {
  it('the same statement twice is said for each of its rules', () => {
    const bad = match(TCP_DPORT, 70_000);
    const { diagnostics } = parseNftJson(
      textOf([rule(7, bad, { accept: null }), rule(8, bad, { drop: null })]),
      'f',
    );
    expect(diagnostics.map((d) => d.detail.slice(0, 75))).toEqual([
      '$.nftables[2].rule.expr[0].match.right (inet t input, handle 7): expected a',
      '$.nftables[3].rule.expr[0].match.right (inet t input, handle 8): expected a',
    ]);
  });

  it('a set that is missing is said once, with the number of other rules that ask it', () => {
    const asks = (handle: number): unknown => rule(handle, match(IP_SADDR, '@gone'), { accept: null });
    const { diagnostics } = parseNftJson(textOf([asks(7), asks(8), asks(9)]), 'f');
    expect(diagnostics.map((d) => [d.kind, d.detail])).toEqual([
      [
        'unresolved-reference',
        '$.nftables[2].rule.expr[0] (inet t input, handle 7): the set "@gone" of table inet t is not in the export; what it holds is unknown (2 more)',
      ],
    ]);
  });

  it('a jump to a missing chain, a circle and a chain declared twice are told with path, table, chain and handle', () => {
    const items = [
      CHAIN,
      { chain: { family: 'inet', table: 't', name: 'a' } },
      { chain: { family: 'inet', table: 't', name: 'b' } },
      rule(7, { jump: { target: 'gone' } }),
      { rule: { family: 'inet', table: 't', chain: 'a', handle: 8, expr: [{ jump: { target: 'b' } }] } },
      { rule: { family: 'inet', table: 't', chain: 'b', handle: 9, expr: [{ goto: { target: 'a' } }] } },
    ];
    const { diagnostics } = parseNftJson(textOf(items), 'f');
    expect(diagnostics.map((d) => [d.kind, d.incomplete, d.detail.replace(/[:;].*/, '')])).toEqual([
      ['contradiction', true, '$.nftables[2].chain'],
      ['unresolved-reference', true, '$.nftables[5].rule (inet t input, handle 7)'],
      ['contradiction', true, '$.nftables[7].rule (inet t b, handle 9)'],
    ]);
  });
});

describe('flags of a table', () => {
  const parse = (name: string, flags: unknown): ParseResult =>
    parseNftJson(
      JSON.stringify({
        nftables: [
          { table: { family: 'inet', name, handle: 1, ...(flags === undefined ? {} : { flags }) } },
          { chain: { ...CHAIN.chain, table: name } },
          { chain: { family: 'inet', table: name, name: 'other' } },
        ],
      }),
      'f',
    );
  const reading = (name: string, flags: unknown): string => {
    const table = parse(name, flags).ruleset.tables[0]!;
    return table.dormant ? 'dormant' : table.chains[0]!.rules.length === 0 ? 'active' : 'unsure';
  };

  it('flags by name say whether the table does anything', () => {
    expect(
      [undefined, [], 'dormant', ['dormant'], ['dormant', 'owner'], 'owner', ['owner', 'persist']].map(
        (flags) => reading('t', flags),
      ),
    ).toEqual(['active', 'active', 'dormant', 'dormant', 'dormant', 'active', 'active']);
  });

  it('whatever nft 1.0.6 prints in place of a flag leaves the table unsure', () => {
    expect([
      reading('t', 't'),
      reading('t', 'Lester Gooch #5'),
      reading('t', ['t', 't']),
      reading('dormant', 'dormant'),
      reading('owner', 'owner'),
      reading('t', 5),
    ]).toEqual(['unsure', 'unsure', 'unsure', 'unsure', 'unsure', 'unsure']);
  });

  it('a table that is unsure lets every packet pass under an unknown condition, in its base chains only', () => {
    const { ruleset, diagnostics } = parse('t', 't');
    const verdicts = ruleset.tables[0]!.chains.map((c) =>
      c.rules.map((r): Verdict['kind'] => r.verdict.kind),
    );
    expect(verdicts).toEqual([['accept'], []]);
    expect(ruleset.tables[0]!.chains[0]!.rules[0]!.matches).toEqual([
      {
        text: 'table inet t is dormant',
        condition: { kind: 'unknown', nature: 'deterministic', text: 'table inet t is dormant' },
      },
    ]);
    expect(diagnostics.map((d) => [d.kind, d.incomplete])).toEqual([['unsupported', false]]);
    expect(diagnostics[0]!.detail).toContain('nft list table inet t');
  });

  it('the table of firewalld has an owner and is in force', () => {
    expect(reading('firewalld', 'firewalld')).toBe('active');
    expect(parse('firewalld', 'firewalld').diagnostics.map((d) => d.kind)).toEqual(['note']);
  });
});
