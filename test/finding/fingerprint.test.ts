import { describe, expect, test } from 'vitest';
import { fingerprintOf, normalizeRuleText, numberOccurrences } from '../../src/finding/index.ts';

const PARTS = {
  host: 'client-01',
  check: 'shadowed-rule',
  hook: 'input',
  meaning: ['ip', 'filter', 'INPUT', 'rule'],
};

describe('a fingerprint', () => {
  test('is this one, for ever: changing it would reopen every alert and void every waiver', () => {
    expect(fingerprintOf(PARTS)).toBe('nwaudit/v1:f1892f37ef4353a22c2e699255b27d99');
  });

  test('does not depend on the case of the host name', () => {
    expect(fingerprintOf({ ...PARTS, host: 'Client-01' })).toBe(fingerprintOf(PARTS));
  });

  test.each([
    ['no host', { ...PARTS, host: null }],
    ['a host named null', { ...PARTS, host: 'null' }],
    ['no hook', { ...PARTS, hook: null }],
    ['another check', { ...PARTS, check: 'redundant-rule' }],
    ['meaning split elsewhere', { ...PARTS, meaning: ['ip', 'filterINPUT', '', 'rule'] }],
    ['meaning with separators inside', { ...PARTS, meaning: ['ip","filter', 'INPUT', 'rule'] }],
    ['meaning moved into the hook', { ...PARTS, hook: 'input","ip', meaning: ['filter', 'INPUT', 'rule'] }],
  ])('differs for %s', (_, parts) => {
    expect(fingerprintOf(parts)).not.toBe(fingerprintOf(PARTS));
  });

  test('takes lone surrogates and long texts', () => {
    expect(fingerprintOf({ ...PARTS, meaning: ['\ud800', 'x'.repeat(1e6)] })).toMatch(
      /^nwaudit\/v1:[0-9a-f]{32}$/,
    );
  });
});

test('equal fingerprints are numbered in their order', () => {
  expect(numberOccurrences(['a', 'b', 'a', 'a', 'b', 'constructor'])).toEqual([1, 1, 2, 3, 2, 1]);
});

describe('rule texts with one meaning have one normal form', () => {
  const same: readonly (readonly [string, string, string])[] = [
    ['counters before the rule', '[12:3400] -A INPUT -p tcp -j ACCEPT', '-A INPUT -p tcp -j ACCEPT'],
    ['counters as an option', '-A INPUT -c 12 3400 -p tcp -j ACCEPT', '-A INPUT -p tcp -j ACCEPT'],
    ['spacing', '-A  INPUT\t-p tcp -j ACCEPT ', '-A INPUT -p tcp -j ACCEPT'],
    [
      'order of base options',
      '-A INPUT -p tcp -s 192.0.2.1 -i eth0 -j DROP',
      '-A INPUT -i eth0 -s 192.0.2.1 -p tcp -j DROP',
    ],
    [
      'long names',
      '-A INPUT --protocol TCP --source 192.0.2.1 --jump DROP',
      '-A INPUT -s 192.0.2.1/32 -p tcp -j DROP',
    ],
    [
      'implied match',
      '-A INPUT -p tcp --dport 22 -j DROP',
      '-A INPUT -p tcp -m tcp --destination-port 22 -j DROP',
    ],
    [
      'a comment',
      '-A INPUT -p tcp -m comment --comment "a b -j DROP" -m tcp --dport 22 -j DROP',
      '-A INPUT -p tcp -m tcp --dport 22 -j DROP',
    ],
    ['a comment at the end', '-A INPUT -p tcp -j DROP -m comment --comment x', '-A INPUT -p tcp -j DROP'],
    [
      'an option after a comment',
      '-A INPUT -p tcp -m comment --comment x --dport 22 -j DROP',
      '-A INPUT -p tcp --dport 22 -j DROP',
    ],
    [
      'order of matches',
      '-A INPUT -m limit --limit 1/s -m mark --mark 1 -j DROP',
      '-A INPUT -m mark --mark 1 -m limit --limit 1/s -j DROP',
    ],
    [
      'order of list values',
      '-A INPUT -p tcp -m multiport --dports 22,80 -j DROP',
      '-A INPUT -p tcp -m multiport --dports 80,22 -j DROP',
    ],
    ['old negation', '-A INPUT -s ! 192.0.2.1 -j DROP', '-A INPUT ! -s 192.0.2.1 -j DROP'],
    [
      'order of target options',
      '-A INPUT -j LOG --log-level 4 --log-prefix "a b"',
      '-A INPUT -j LOG --log-prefix "a b" --log-level 4',
    ],
    [
      'nft counters and handle',
      'tcp dport 22 counter packets 5 bytes 300 accept # handle 7',
      'tcp dport 22 counter accept',
    ],
    ['nft comment', 'tcp dport 22 accept comment "who\\" knows"', 'tcp dport 22 accept'],
    [
      'JSON keys, counters, handles',
      '{"family":"ip","handle":7,"expr":[{"counter":{"packets":1,"bytes":2}},{"accept":null}],"comment":"x"}',
      '{"expr":[{"accept":null}],"handle":8,"family":"ip"}',
    ],
    ['XML attributes', '<port protocol="tcp"  port=\'7937\' />', '<port port="7937" protocol="tcp"/>'],
    ['XML comments and spacing', '<rule>\n  <!-- a > b -->\n  <accept/>\n</rule>', '<rule><accept/></rule>'],
  ];
  test.each(same)('%s', (_, a, b) => {
    expect(normalizeRuleText(a)).toBe(normalizeRuleText(b));
  });
});

describe('rule texts with different meanings stay different', () => {
  const different: readonly (readonly [string, string, string])[] = [
    ['negation', '-A INPUT ! -s 192.0.2.1 -j DROP', '-A INPUT -s 192.0.2.1 -j DROP'],
    ['chain', '-A INPUT -j DROP', '-A FORWARD -j DROP'],
    ['verdict', '-A INPUT -j DROP', '-A INPUT -g DROP'],
    [
      'sport and dport',
      '-A INPUT -p tcp --dport 1 --sport 2 -j DROP',
      '-A INPUT -p tcp --dport 2 --sport 1 -j DROP',
    ],
    [
      'options of two matches of a kind',
      '-A INPUT -m recent --name A --set -m recent --name B --update -j DROP',
      '-A INPUT -m recent --name B --set -m recent --name A --update -j DROP',
    ],
    [
      'directions of a set',
      '-A INPUT -m set --match-set a src,dst -j DROP',
      '-A INPUT -m set --match-set a dst,src -j DROP',
    ],
    [
      'quoted text with two spaces',
      '-A INPUT -m string --string "a  b" -j DROP',
      '-A INPUT -m string --string "a b" -j DROP',
    ],
    ['nft statements', 'tcp dport 22 accept', 'udp dport 22 accept'],
    ['JSON values', '{"accept":null}', '{"drop":null}'],
    ['XML values', '<port port="1"/>', '<port port="2"/>'],
  ];
  test.each(different)('%s', (_, a, b) => {
    expect(normalizeRuleText(a)).not.toBe(normalizeRuleText(b));
  });
});

test.each([
  ['empty', ''],
  ['only an option', '-A'],
  ['only a negation', '-A INPUT ! !'],
  ['an open quote', '-A INPUT -m comment --comment "x -j DROP'],
  ['cut JSON', '{"expr": ['],
  ['deep JSON', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
  ['half XML', '<port <!-- <'],
  ['many quotes', '"\''.repeat(50_000)],
  ['many brackets', '<'.repeat(200_000)],
  ['a list in a very long rule', `-A INPUT -m multiport --dports ${'1,'.repeat(200_000)}`],
  ['prototype names', '-A INPUT constructor --__proto__ toString'],
])('strange text does no harm: %s', (_, text) => {
  const normal = normalizeRuleText(text);
  expect(normalizeRuleText(text)).toBe(normal);
});
