import { describe, expect, it } from 'vitest';
import { splitArguments } from '../../../src/parse/firewalld-xml/translate-direct.ts';
import { problemsOf, readFiles } from './read-support.ts';

const FIRST = '<rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-j ACCEPT</rule>';
const LAST = '<rule ipv="ipv4" table="filter" chain="OUTPUT" priority="0">-j ACCEPT</rule>';
const rule = (args: string, attributes = 'ipv="ipv4" table="filter" chain="FORWARD" priority="0"'): string =>
  `<rule ${attributes}>${args}</rule>`;

/** Where the reading of direct.xml stops; each was tried with firewalld 1.3.3. */
const STOPS: readonly (readonly [string, string, string])[] = [
  ['an unknown element', '<nosuch/>', 'unknown element <nosuch> in direct.xml'],
  ['a missing attribute', '<chain ipv="ipv4" table="filter"/>', '<chain> has no attribute "chain"'],
  [
    'an unknown attribute',
    '<chain ipv="ipv4" table="filter" chain="c" x="y"/>',
    'unknown attribute "x" of <chain>',
  ],
  ['a second root', '<direct/>', 'a second <direct>'],
  [
    'an IP version that is none, of a chain',
    '<chain ipv="ipv5" table="filter" chain="c"/>',
    'the IP version "ipv5" is none',
  ],
  [
    'a table that is none',
    rule('-j ACCEPT', 'ipv="ipv4" table="nosuch" chain="c" priority="0"'),
    '"nosuch" is no table of ipv4',
  ],
  [
    'an IP version that is none, of a rule',
    rule('-j ACCEPT', 'ipv="x" table="filter" chain="c" priority="0"'),
    'the IP version "x" is none',
  ],
  [
    'a priority that is none',
    rule('-j ACCEPT', 'ipv="ipv4" table="filter" chain="c" priority="high"'),
    'the priority "high" of a direct rule is no number',
  ],
  [
    'an IP version that is none, of a passthrough',
    '<passthrough ipv="x">-L</passthrough>',
    'the IP version "x" is none',
  ],
  [
    'an open single quotation mark',
    rule("-m comment --comment 'it"),
    'the arguments of a direct rule have an open quotation mark',
  ],
  [
    'an open double quotation mark',
    rule('-m comment --comment "it\\"'),
    'the arguments of a direct rule have an open quotation mark',
  ],
  [
    'a backslash at the end',
    rule('-j ACCEPT \\'),
    'the arguments of a direct rule have an open quotation mark',
  ],
  ['a rule inside a rule', rule(`-j DROP${rule('-j RETURN')}-j LOG`), '</rule> where no <rule> is open'],
  [
    'an IP version that is none, of a rule without arguments',
    rule('', 'ipv="x" table="filter" chain="c" priority="0"'),
    'the IP version "x" is none',
  ],
];

describe('direct.xml', () => {
  it.each(STOPS)('counts up to %s', (_, content, detail) => {
    const read = readFiles({ 'direct.xml': `<direct>${FIRST}${content}${LAST}</direct>` });
    expect(read.direct?.rules.map((r) => r.chain)).not.toContain('OUTPUT');
    expect(read.direct?.rules.map((r) => r.chain)).toContain('INPUT');
    const problems = problemsOf(read);
    expect(problems.filter((p) => p.startsWith('skipped'))).toHaveLength(1);
    expect(problems.join('\n')).toContain(`${detail}; direct.xml counts up to here, the rest of it`);
  });

  it.each([
    ['a rule without arguments', rule(''), '<rule> of direct.xml without arguments'],
    [
      'a passthrough without arguments',
      '<passthrough ipv="ipv4"/>',
      '<passthrough> of direct.xml without arguments',
    ],
  ])('goes on after %s', (_, content, detail) => {
    const read = readFiles({ 'direct.xml': `<direct>${FIRST}${content}${LAST}</direct>` });
    expect(read.direct?.rules.map((r) => r.chain)).toEqual(['INPUT', 'OUTPUT']);
    expect(problemsOf(read).join('\n')).toContain(detail);
  });

  it('a rule inside a passthrough counts, and so does what follows', () => {
    const nested = `<passthrough ipv="ipv4">-F${rule('-j DROP')} x</passthrough>`;
    const { direct, problems } = readFiles({ 'direct.xml': `<direct>${FIRST}${nested}${LAST}</direct>` });
    expect(direct?.rules.map((r) => r.chain)).toEqual(['INPUT', 'FORWARD', 'OUTPUT']);
    expect(direct?.passthroughs.map((p) => p.args)).toEqual(['-j DROP x']);
    expect(problems).toEqual([]);
  });

  it('what stands outside of <direct> is left out, and said', () => {
    const read = readFiles({ 'direct.xml': '<chain ipv="ipv4" table="filter" chain="c"/>' });
    expect(read.direct).toBeUndefined();
    expect(problemsOf(read).join('\n')).toContain('<chain> outside of <direct>');
  });

  it('chains, rules and passthroughs that stand twice count once', () => {
    const chain = '<chain ipv="ipv4" table="filter" chain="c"/>';
    const passthrough = '<passthrough ipv="ipv6">-A INPUT -j DROP</passthrough>';
    const all = `${chain}${FIRST}${passthrough}`;
    const { direct, problems } = readFiles({ 'direct.xml': `<direct>${all}${all}</direct>` });
    expect([direct?.chains, direct?.rules, direct?.passthroughs].map((list) => list?.length)).toEqual([
      1, 1, 1,
    ]);
    expect(problems.map((p) => p.detail)).toEqual([
      'the direct chain stands here a second time',
      'the direct rule stands here a second time',
      'the passthrough rule stands here a second time',
    ]);
  });

  // As shlex.split of Python, which firewalld asks.
  it.each([
    ['a b', ['a', 'b']],
    ['  a\tb  ', ['a', 'b']],
    ['"a b" c', ['a b', 'c']],
    ['\'a "b"\' c', ['a "b"', 'c']],
    ['"a \\"b\\" \\\\ \\x"', ['a "b" \\ \\x']],
    ["'a\\' b", ['a\\', 'b']],
    ['a\\ b \\"c', ['a b', '"c']],
    ['a"b c"d', ['ab cd']],
    ['""', ['']],
    ['', []],
  ])('arguments %j are split as a shell does', (text, expected) => {
    expect(splitArguments(text)).toEqual(expected);
  });
});
