import { describe, expect, test } from 'vitest';
import { evaluatePacket, MAX_STATES, prepareRuleset } from '../../src/evaluate/index.ts';
import { type Condition, PACKET_TYPE, type Packet, type Rule } from '../../src/model/index.ts';
import {
  accept,
  any,
  assign,
  assignUnknown,
  back,
  base,
  chain,
  chains,
  daddr,
  drop,
  evaluate,
  field,
  goto,
  inputRules,
  ip,
  jump,
  log,
  not,
  type Part,
  packet6,
  pathLines,
  reject,
  rule,
  ruleset,
  saddr,
  same,
  table,
  tcpDport,
  unknownVerdict,
  varying,
  verdictOf,
} from './build-ruleset.ts';

describe('Unknown predicates', () => {
  test('an accept that hangs on one is unknown and names it', () => {
    expect(evaluate(inputRules([rule(same('u'), accept)]))).toMatchObject({
      verdict: 'unknown',
      unknown: ['u'],
      possible: { accept: true, drop: true, reject: false },
    });
  });

  test('one that is decided by another match of its rule does not matter', () => {
    expect(evaluate(inputRules([rule(same('u'), tcpDport(80), accept)]))).toMatchObject({
      verdict: 'drop',
      unknown: [],
    });
    expect(evaluate(inputRules([rule(any(same('u'), tcpDport(22)), accept)]))).toMatchObject({
      verdict: 'accept',
      unknown: [],
    });
  });

  test('one whose both values lead to the same verdict does not matter', () => {
    const rules = inputRules([rule(same('u'), accept), rule(accept)]);
    expect(evaluate(rules)).toMatchObject({ verdict: 'accept', unknown: [] });
  });

  test('a packet that is stopped either way is dropped with certainty', () => {
    expect(evaluate(inputRules([rule(same('u'), reject)]))).toMatchObject({ verdict: 'drop', unknown: [] });
    expect(verdictOf(inputRules([rule(same('u'), reject), rule(reject)]))).toBe('reject');
  });

  test('a deterministic one has one truth value per text', () => {
    const rules = inputRules([rule(same('u'), accept), rule(not(same('u')), accept)]);
    expect(verdictOf(rules)).toBe('accept');
    expect(verdictOf(inputRules([rule(same('u'), accept), rule(not(same('v')), accept)]))).toBe('unknown');
    expect(verdictOf(inputRules([rule(same('u'), not(same('u')), accept)]))).toBe('drop');
  });

  test('a deterministic one is remembered across chains and hooks', () => {
    const rules = chains(
      base('prerouting', {}, rule(same('u'), assign('mark', 1))),
      base('input', {}, rule(field('mark', 1), not(same('u')), drop), rule(field('mark', 0), jump('a'))),
      chain('a', rule(same('u'), drop)),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('a deterministic one is remembered when the chain that asks is walked twice', () => {
    const rules = chains(
      base('input', { chainPolicy: 'drop' }, rule(jump('a')), rule(assign('mark', 1)), rule(jump('a'))),
      chain('a', rule(field('mark', 1), not(same('u')), accept), rule(field('mark', 0), same('u'), accept)),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('a varying one is fresh at every evaluation', () => {
    expect(verdictOf(inputRules([rule(varying('v'), accept), rule(not(varying('v')), accept)]))).toBe(
      'unknown',
    );
    const rules = chains(
      base('input', { chainPolicy: 'drop' }, rule(jump('a')), rule(jump('a'))),
      chain('a', rule(varying('v'), back), rule(assign('mark', 1)), rule(back)),
    );
    expect(verdictOf(rules)).toBe('drop');
  });

  test('a varying one that is asked twice in one walk may answer differently', () => {
    const rules = chains(
      base('input', { chainPolicy: 'drop' }, rule(jump('a')), rule(assign('mark', 1)), rule(jump('a'))),
      chain(
        'a',
        rule(field('mark', 1), not(varying('v')), accept),
        rule(field('mark', 0), varying('v'), accept),
      ),
    );
    expect(verdictOf(rules)).toBe('unknown');
  });

  test('only the predicates that matter are listed, in the order in which they are met', () => {
    const rules = inputRules(
      [
        rule(same('harmless'), jump('a')),
        rule(varying('limit'), log),
        rule(same('first'), drop),
        rule(same('second'), accept),
      ],
      chain('a', rule(assign('mark', 1))),
    );
    expect(evaluate(rules).unknown).toEqual(['first', 'second']);
  });

  test('a set of unknowns that excludes every way is exact', () => {
    const u = same('u');
    const v = same('v');
    const rules = inputRules([
      rule(u, v, accept),
      rule(u, not(v), accept),
      rule(not(u), v, accept),
      rule(not(any(u, v)), accept),
    ]);
    expect(verdictOf(rules)).toBe('accept');
  });
});

describe('Unknown verdicts', () => {
  test('one may accept, may drop, may go on', () => {
    expect(evaluate(inputRules([rule(unknownVerdict('-j ODD')), rule(accept)]))).toMatchObject({
      verdict: 'unknown',
      unknown: ['-j ODD'],
    });
    expect(evaluate(chains(base('input', {}, rule(unknownVerdict('x')), rule(reject))))).toMatchObject({
      verdict: 'unknown',
      possible: { accept: true, drop: true, reject: true },
    });
  });

  test('one that may accept here is still subject to later base chains', () => {
    const rules = chains(
      base('input', { chainPolicy: 'drop' }, rule(unknownVerdict('x'))),
      base('input', { priority: 10, name: 'later' }, rule(drop)),
    );
    expect(evaluate(rules)).toMatchObject({ verdict: 'drop', unknown: [] });
  });

  test('queue accepts or drops and never goes on, with bypass too', () => {
    for (const bypass of [false, true]) {
      const queue = { kind: 'queue', bypass, text: 'QUEUE' } as const;
      const rules = inputRules([rule(queue), rule(reject)]);
      expect(evaluate(rules)).toMatchObject({
        verdict: 'unknown',
        unknown: ['QUEUE'],
        possible: { reject: false },
      });
    }
  });

  test('a rule of which nothing was understood may match and may do anything', () => {
    const rules = inputRules([rule(same('unread line'), unknownVerdict('unread line')), rule(accept)]);
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', unknown: ['unread line'] });
  });
});

describe('Absent fields', () => {
  const rules = (...conditions: readonly Condition[]) => inputRules([rule(...conditions, accept)]);

  test('a match on one is unknown, and known when the packet gives it', () => {
    const given: readonly [
      keyof Packet & ('smac' | 'dscp' | 'ecn' | 'ttl' | 'length' | 'pkttype'),
      number,
    ][] = [
      ['dscp', 3],
      ['ecn', 1],
      ['ttl', 64],
      ['length', 60],
      ['pkttype', PACKET_TYPE.broadcast],
    ];
    for (const [name, value] of given) {
      expect(verdictOf(rules(field(name, value)))).toBe('unknown');
      expect(verdictOf(rules(field(name, value)), { [name]: value })).toBe('accept');
      expect(verdictOf(rules(field(name, value)), { [name]: 0 })).toBe('drop');
    }
    expect(verdictOf(rules(field('smac', 5)))).toBe('unknown');
    expect(verdictOf(rules(field('smac', 5)), { smac: 5n })).toBe('accept');
  });

  test('the unknown is named by the match', () => {
    expect(evaluate(rules(field('ttl', [0, 5]))).unknown).toEqual(['ttl 0-5']);
  });

  test('two matches on one are consistent with each other', () => {
    expect(verdictOf(rules(field('ttl', [0, 5]), field('ttl', [6, 9])))).toBe('drop');
    expect(
      verdictOf(inputRules([rule(field('ttl', [0, 5]), accept), rule(field('ttl', [6, 255]), accept)])),
    ).toBe('accept');
    expect(
      verdictOf(inputRules([rule(field('ttl', [0, 5]), accept), rule(field('ttl', [7, 255]), accept)])),
    ).toBe('unknown');
    expect(verdictOf(rules(field('ttl', [0, 255])))).toBe('accept');
    expect(verdictOf(rules(field('ttl', [])))).toBe('drop');
  });

  test('matches under masks are consistent with each other and with plain ones', () => {
    const odd = field('dscp', 1, 1n);
    expect(verdictOf(rules(odd))).toBe('unknown');
    expect(verdictOf(rules(odd, field('dscp', 2)))).toBe('drop');
    expect(verdictOf(rules(odd, field('dscp', [4, 4])))).toBe('drop');
    expect(verdictOf(inputRules([rule(odd, accept), rule(field('dscp', 0, 1n), accept)]))).toBe('accept');
    const everyEven = Array.from({ length: 32 }, (_, i) => ({ lo: BigInt(2 * i), hi: BigInt(2 * i) }));
    expect(verdictOf(inputRules([rule(odd, accept), rule(field('dscp', everyEven), accept)]))).toBe('accept');
    expect(verdictOf(inputRules([rule(field('dscp', everyEven), accept), rule(odd, accept)]))).toBe('accept');
    expect(verdictOf(inputRules([rule(field('dscp', everyEven.slice(1)), accept), rule(odd, accept)]))).toBe(
      'unknown',
    );
    expect(verdictOf(rules(field('dscp', 0x30, 0x30n), field('dscp', [0, 0x2f])))).toBe('drop');
  });

  test('a port of a packet without ports is unknown, and none of the parser’s tests gets to ask', () => {
    const ping = { protocol: 1, sport: undefined, dport: undefined, icmpType: 8, icmpCode: 0, tcpFlags: 0 };
    expect(verdictOf(rules(field('dport', 22)), ping)).toBe('unknown');
    expect(verdictOf(rules(tcpDport(22)), ping)).toBe('drop');
  });

  test('an assigned field is known, one assigned by a program is one unknown value', () => {
    const set = (...parts: readonly Part[]) =>
      chains(
        base('prerouting', {}, rule(...parts)),
        base('input', { chainPolicy: 'drop' }, rule(field('dscp', 4), accept)),
      );
    expect(verdictOf(set({ kind: 'set-field', field: 'dscp', and: 0n, xor: 4n, text: 'DSCP' }))).toBe(
      'accept',
    );
    expect(verdictOf(set(assignUnknown('dscp')), { dscp: 4 })).toBe('unknown');
  });

  test('no packet asked about is a fragment', () => {
    expect(verdictOf(rules(field('fragment', 1)))).toBe('drop');
    expect(verdictOf(rules(field('fragment', 0)))).toBe('accept');
  });
});

describe('Address types', () => {
  const type = (name: 'saddr' | 'daddr', ...types: readonly string[]): Condition => ({
    kind: 'address-type',
    field: name,
    types,
    limitedToInterface: false,
    text: `type ${name} ${types}`,
  });
  const at = (hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting', condition: Condition) =>
    chains(base(hook, {}, rule(condition, drop)));

  test('on the input path the destination is LOCAL, in prerouting too', () => {
    for (const hook of ['prerouting', 'input'] as const) {
      expect(verdictOf(at(hook, type('daddr', 'LOCAL')))).toBe('drop');
      expect(verdictOf(at(hook, type('daddr', 'UNICAST', 'MULTICAST')))).toBe('accept');
      expect(verdictOf(at(hook, type('saddr', 'LOCAL')))).toBe('unknown');
    }
  });

  test('on the output path the source is LOCAL', () => {
    for (const hook of ['output', 'postrouting'] as const) {
      expect(verdictOf(at(hook, type('saddr', 'LOCAL')), { hook: 'output' })).toBe('drop');
      expect(verdictOf(at(hook, type('daddr', 'LOCAL')), { hook: 'output' })).toBe('unknown');
    }
  });

  test('a forwarded packet’s destination is not LOCAL once it is routed', () => {
    const forward = { hook: 'forward' } as const;
    expect(verdictOf(at('prerouting', type('daddr', 'LOCAL')), forward)).toBe('unknown');
    expect(verdictOf(at('forward', type('daddr', 'LOCAL')), forward)).toBe('accept');
    expect(verdictOf(at('postrouting', type('daddr', 'LOCAL')), forward)).toBe('accept');
    expect(verdictOf(at('forward', type('daddr', 'UNICAST')), forward)).toBe('unknown');
  });

  test('MULTICAST goes by the address, 255.255.255.255 is BROADCAST, other addresses may be', () => {
    const to = (address: string, name: string) =>
      verdictOf(at('output', type('daddr', name)), { hook: 'output', daddr: ip(address) });
    expect(to('224.0.0.1', 'MULTICAST')).toBe('drop');
    expect(to('239.255.255.255', 'MULTICAST')).toBe('drop');
    expect(to('224.0.0.1', 'LOCAL')).toBe('accept');
    expect(to('240.0.0.1', 'MULTICAST')).toBe('accept');
    expect(to('192.0.2.1', 'MULTICAST')).toBe('accept');
    expect(to('255.255.255.255', 'BROADCAST')).toBe('drop');
    expect(to('192.0.2.255', 'BROADCAST')).toBe('unknown');
  });

  test('a source’s type goes by the address as well, and IPv6 has no BROADCAST', () => {
    const source = (address: string, name: string) =>
      verdictOf(at('input', type('saddr', name)), { saddr: ip(address) });
    expect(source('224.0.0.1', 'MULTICAST')).toBe('drop');
    expect(source('198.51.100.7', 'MULTICAST')).toBe('accept');
    expect(source('255.255.255.255', 'BROADCAST')).toBe('drop');
    const v6 = ruleset(table('ip6', base('input', {}, rule(type('saddr', 'BROADCAST'), drop))));
    expect(evaluatePacket(prepareRuleset(v6), packet6()).verdict).toBe('accept');
  });

  test('limited to an interface it is always unknown', () => {
    const limited: Condition = {
      ...type('daddr', 'LOCAL'),
      kind: 'address-type',
      limitedToInterface: true,
    } as Condition;
    expect(verdictOf(at('input', limited))).toBe('unknown');
  });
});

describe('The path with unknowns', () => {
  test('a LOG behind a limit does not make anything unknown and is left out of a certain path', () => {
    const result = evaluate(inputRules([rule(varying('limit'), log), rule(accept)]));
    expect(result.verdict).toBe('accept');
    expect(pathLines(result)).toEqual(['INPUT: accept -> accept']);
  });

  test('a certain path follows the branch in which unknown matches do not match', () => {
    const result = evaluate(
      inputRules(
        [rule(same('u'), accept), rule(not(same('v')), jump('a')), rule(accept)],
        chain('a', rule(assign('mark', 1))),
      ),
    );
    expect(pathLines(result)).toEqual(['INPUT: accept -> accept']);
  });

  test('an unknown path includes the rules that may match', () => {
    const result = evaluate(
      inputRules([rule(varying('limit'), log), rule(same('u'), same('v'), accept), rule(log)]),
    );
    expect(pathLines(result)).toEqual([
      'INPUT: limit LOG continue -> unknown',
      'INPUT: u v accept -> unknown',
      'INPUT: LOG continue -> continue',
      'INPUT: policy -> drop',
    ]);
  });

  test('a rule with an unknown verdict is a step of its own', () => {
    const result = evaluate(inputRules([rule(unknownVerdict('odd')), rule(accept)]));
    expect(pathLines(result)).toEqual(['INPUT: unknown -> unknown', 'INPUT: accept -> accept']);
  });
});

describe('Many unknowns', () => {
  const many = (count: number, make: (i: number) => Rule) => Array.from({ length: count }, (_, i) => make(i));

  test('two hundred varying matches in a row stay cheap', () => {
    const rules = inputRules(
      [...many(200, (i) => rule(varying(`limit ${i}`), jump('a'))), rule(accept)],
      chain('a', rule(assign('mark', 1))),
    );
    expect(evaluate(rules)).toMatchObject({ verdict: 'accept', unknown: [] });
  });

  test('two thousand varying accepts in a row are unknown by all of them', () => {
    const rules = inputRules(many(2000, (i) => rule(varying(`limit ${i}`), accept)));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', possible: { accept: true, drop: true } });
    expect(evaluate(rules).unknown).toHaveLength(2000);
  });

  test('deterministic ones that are asked once need no memory', () => {
    const rules = inputRules(
      [...many(200, (i) => rule(same(`set ${i}`), jump('a'))), rule(accept)],
      chain('a', rule(varying('limit'), assign('mark', 1))),
    );
    expect(evaluate(rules)).toMatchObject({ verdict: 'accept', unknown: [] });
  });

  test('a LOG and a DROP on the same unknown, five hundred times, are unknown by the DROPs', () => {
    const pair = (i: number) => [rule(same(`s${i}`), log), rule(same(`s${i}`), drop)];
    const rules = chains(base('input', {}, ...Array.from({ length: 500 }, (_, i) => pair(i)).flat()));
    expect(evaluate(rules).unknown).toHaveLength(500);
  });

  test('matches on one absent field are followed exactly', () => {
    const rules = inputRules([
      ...many(255, (i) => rule(field('ttl', i), accept)),
      rule(field('ttl', 255), accept),
    ]);
    expect(verdictOf(rules)).toBe('accept');
    expect(evaluate(inputRules(many(255, (i) => rule(field('ttl', i), accept)))).verdict).toBe('unknown');
  });

  test('beyond the limit the answer is unknown and says so', () => {
    const count = 17;
    const rules = inputRules([
      ...many(count, (i) => rule(same(`u${i}`), assign('mark', 2 ** i, 1n << BigInt(i)))),
      ...many(count, (i) => rule(same(`u${i}`), not(field('mark', 2 ** i, 1n << BigInt(i))), drop)),
      rule(accept),
    ]);
    const result = evaluate(rules);
    expect(result.verdict).toBe('unknown');
    expect(result.unknown[0]).toBe(`more than ${MAX_STATES} states of one packet`);
    expect(result.possible).toEqual({ accept: true, drop: true, reject: true });
  });

  test('chains that call each other sixteen deep, many times, end in an unknown', () => {
    const rules = inputRules(
      [rule(jump('c1'))],
      ...Array.from({ length: 16 }, (_, i) =>
        chain(
          `c${i + 1}`,
          ...many(12, () => (i === 15 ? rule(saddr('203.0.113.1'), drop) : rule(jump(`c${i + 2}`)))),
        ),
      ),
    );
    expect(evaluate(rules).unknown[0]).toMatch(/^more than \d+ rules to look at/);
  });

  test('goto under an unknown match leads to the policy or on', () => {
    const rules = inputRules([rule(same('u'), goto('a')), rule(daddr('192.0.2.1'), accept)], chain('a'));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', unknown: ['u'] });
  });
});
