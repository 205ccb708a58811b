import { describe, expect, test } from 'vitest';
import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import { type Condition, CT_STATE, type CtState } from '../../src/model/index.ts';
import {
  accept,
  assign,
  assignUnknown,
  base,
  chains,
  copy,
  daddr,
  dnat,
  drop,
  evaluate,
  field,
  ip,
  masquerade,
  not,
  notrack,
  packet6,
  type Range,
  redirect,
  rule,
  ruleset,
  saddr,
  same,
  snat,
  table,
  tcpDport,
  unknownVerdict,
  verdictOf,
} from './build-ruleset.ts';

const state = (...names: readonly CtState[]): Condition =>
  field(
    'ct-state',
    names.map((name) => ({ lo: BigInt(CT_STATE[name]), hi: BigInt(CT_STATE[name]) })),
  );
const isDnat = field('ct-dnat', 1);
const isSnat = field('ct-snat', 1);
const nat = (
  hook: 'prerouting' | 'input' | 'output' | 'postrouting',
  priority: number,
  ...rules: readonly ReturnType<typeof rule>[]
) => base(hook, { type: 'nat', priority, name: `nat${priority}` }, ...rules);
const dropIf = (condition: Condition) => base('input', {}, rule(condition, drop));
const raw = (...rules: readonly ReturnType<typeof rule>[]) =>
  base('prerouting', { priority: -300, name: 'raw' }, ...rules);
const original = (of: Condition & { kind: 'field' | 'address' }): Condition => ({
  kind: 'original',
  of,
  text: 'original',
});
const origDport = (range: Range) => original(field('dport', range) as Condition & { kind: 'field' });

describe('Connection tracking', () => {
  test('a packet is invalid before it and of its own state after it', () => {
    for (const ctState of ['new', 'established', 'related', 'invalid', 'untracked'] as const) {
      expect(verdictOf(chains(raw(rule(not(state('invalid')), drop))), { ctState })).toBe('accept');
      expect(verdictOf(chains(dropIf(not(state(ctState)))), { ctState })).toBe('accept');
      expect(verdictOf(chains(dropIf(state(ctState))), { ctState })).toBe('drop');
    }
  });

  test('it stands between the chains below priority -200 and the others, in prerouting and output', () => {
    for (const [way, hook] of [
      ['input', 'prerouting'],
      ['output', 'output'],
    ] as const) {
      const seesNew = (priority: number) =>
        verdictOf(chains(base(hook, { priority }, rule(state('new'), drop))), { hook: way }) === 'drop';
      expect([-300, -201, -200, -199, 0].map(seesNew)).toEqual([false, false, true, true, true]);
    }
  });

  test('notrack before it makes the packet untracked, neither new nor invalid', () => {
    expect(verdictOf(chains(raw(rule(notrack)), dropIf(state('untracked'))))).toBe('drop');
    expect(verdictOf(chains(raw(rule(notrack)), dropIf(state('new', 'invalid', 'established'))))).toBe(
      'accept',
    );
    expect(
      verdictOf(chains(raw(rule(notrack)), dropIf(state('untracked'))), { ctState: 'established' }),
    ).toBe('drop');
  });

  test('notrack makes the packet untracked at once, for later rules before connection tracking too', () => {
    expect(verdictOf(chains(raw(rule(notrack), rule(state('untracked'), drop))))).toBe('drop');
    expect(verdictOf(chains(raw(rule(notrack), rule(state('invalid'), drop))))).toBe('accept');
  });

  test('notrack after it has no effect', () => {
    const late = base('prerouting', { priority: -150, name: 'late' }, rule(notrack));
    expect(verdictOf(chains(late, dropIf(state('untracked'))))).toBe('accept');
  });

  test('notrack under an unknown match makes the state unknown', () => {
    const rules = chains(raw(rule(same('u'), notrack)), dropIf(state('untracked')));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', unknown: ['u'] });
  });

  test('a new, established or related packet has its connection mark, others have 0', () => {
    const dropsMarked = (ctState: CtState) =>
      verdictOf(chains(dropIf(field('ct-mark', 5))), { ctState, ctMark: 5n });
    expect((['new', 'established', 'related', 'invalid', 'untracked'] as const).map(dropsMarked)).toEqual([
      'drop',
      'drop',
      'drop',
      'accept',
      'accept',
    ]);
    expect(verdictOf(chains(raw(rule(field('ct-mark', 5), drop))), { ctMark: 5n })).toBe('accept');
    expect(verdictOf(chains(raw(rule(notrack)), dropIf(field('ct-mark', 5))), { ctMark: 5n })).toBe('accept');
  });

  test('an established packet has the NAT status it comes with, a new one none', () => {
    expect(verdictOf(chains(dropIf(isDnat)), { ctState: 'established', ctDnat: true })).toBe('drop');
    expect(verdictOf(chains(dropIf(isDnat)), { ctState: 'established', ctDnat: false })).toBe('accept');
    expect(verdictOf(chains(dropIf(isDnat)), { ctState: 'related' })).toBe('unknown');
    expect(verdictOf(chains(dropIf(isSnat)), { ctState: 'established' })).toBe('unknown');
    expect(verdictOf(chains(dropIf(isDnat)), { ctState: 'new', ctDnat: true })).toBe('accept');
    expect(verdictOf(chains(dropIf(isDnat)), { ctState: 'invalid', ctDnat: true })).toBe('accept');
  });
});

describe('Marks', () => {
  test('an assigned mark is seen by every later match, across chains', () => {
    expect(verdictOf(chains(raw(rule(assign('mark', 7))), dropIf(field('mark', 7))))).toBe('drop');
  });

  test('an assignment under a mask keeps the other bits', () => {
    const rules = chains(raw(rule(assign('mark', 0x10, 0xf0n))), dropIf(field('mark', 0x11f)));
    expect(verdictOf(rules, { mark: 0x2afn })).toBe('accept');
    expect(verdictOf(rules, { mark: 0x12fn })).toBe('drop');
  });

  test('a match under a mask looks at those bits only', () => {
    expect(verdictOf(chains(dropIf(field('mark', 0x10, 0xf0n))), { mark: 0x71fn })).toBe('drop');
    expect(verdictOf(chains(dropIf(field('mark', 0x10, 0xf0n))), { mark: 0x72fn })).toBe('accept');
  });

  test('a mark saved to the connection can be restored', () => {
    const mangle = base(
      'prerouting',
      { priority: -150, name: 'mangle' },
      rule(copy('ct-mark', 'mark')),
      rule(assign('mark', 0)),
      rule(copy('mark', 'ct-mark')),
    );
    expect(verdictOf(chains(mangle, dropIf(field('mark', 3))), { mark: 3n })).toBe('drop');
  });

  test('without a connection nothing is saved or restored', () => {
    const saves = base(
      'prerouting',
      { priority: -150, name: 'mangle' },
      rule(copy('ct-mark', 'mark')),
      rule(assign('ct-mark', 3)),
    );
    const restores = base('prerouting', { priority: -150, name: 'mangle' }, rule(copy('mark', 'ct-mark')));
    for (const ctState of ['invalid', 'untracked'] as const) {
      expect(verdictOf(chains(saves, dropIf(field('ct-mark', 3))), { ctState, mark: 3n })).toBe('accept');
      expect(verdictOf(chains(restores, dropIf(field('mark', 3))), { ctState, mark: 3n })).toBe('drop');
    }
    expect(
      verdictOf(chains(raw(rule(copy('mark', 'ct-mark'))), dropIf(field('mark', 3))), { mark: 3n }),
    ).toBe('drop');
  });

  test('an unknown mark is one value for all matches, and stays so when it is saved and restored', () => {
    const unknownMark = raw(rule(assignUnknown('mark')));
    expect(verdictOf(chains(unknownMark, dropIf(field('mark', 3))))).toBe('unknown');
    const mangle = base('prerouting', { priority: -150 }, rule(copy('ct-mark', 'mark')));
    const agree = base(
      'input',
      { chainPolicy: 'drop' },
      rule(field('mark', 3), field('ct-mark', 3), accept),
      rule(not(field('mark', 3)), not(field('ct-mark', 3)), accept),
    );
    expect(verdictOf(chains(unknownMark, mangle, agree))).toBe('accept');
  });

  test('a part of an unknown mark that is assigned afterwards is known', () => {
    const mangle = raw(rule(assignUnknown('mark')), rule(assign('mark', 0x10, 0xf0n)));
    expect(verdictOf(chains(mangle, dropIf(field('mark', 0x10, 0xf0n))))).toBe('drop');
    expect(verdictOf(chains(mangle, dropIf(field('mark', 0x1, 0x1n))))).toBe('unknown');
    const halves = base('input', {}, rule(field('mark', 1, 1n), drop), rule(field('mark', 0, 1n), drop));
    expect(verdictOf(chains(mangle, halves))).toBe('drop');
  });

  test('two unknown marks put together are followed bit by bit', () => {
    const mangle = base(
      'prerouting',
      { priority: -150 },
      rule(assignUnknown('mark')),
      rule(assignUnknown('ct-mark')),
      rule(copy('mark', 'ct-mark', 0xffn)),
    );
    const low = base(
      'input',
      { chainPolicy: 'drop' },
      rule(field('mark', 3, 0xffn), field('ct-mark', 3, 0xffn), accept),
      rule(not(field('mark', 3, 0xffn)), not(field('ct-mark', 3, 0xffn)), accept),
    );
    expect(verdictOf(chains(mangle, low))).toBe('accept');
    const whole = base(
      'input',
      { chainPolicy: 'drop' },
      rule(field('mark', 0x1203), field('ct-mark', 3, 0xffn), accept),
      rule(not(field('mark', 0x1203)), accept),
    );
    expect(verdictOf(chains(mangle, whole))).toBe('accept');
  });
});

describe('Chains of type nat', () => {
  const stops = nat('prerouting', -100, rule(drop));
  const tests = dropIf(field('ct-state', CT_STATE.related));

  test('they see new packets only', () => {
    const seen = (ctState: CtState) => verdictOf(chains(stops, tests), { ctState });
    expect(seen('new')).toBe('drop');
    expect(seen('established')).toBe('accept');
    expect(seen('invalid')).toBe('accept');
    expect(seen('untracked')).toBe('accept');
    expect(verdictOf(chains(raw(rule(notrack)), stops, tests))).toBe('accept');
  });

  test('they do not run when nothing needs connection tracking for the IP version of the packet', () => {
    expect(verdictOf(chains(stops))).toBe('accept');
    const needing = [
      rule(tcpDport(1), redirect(2)),
      rule(isDnat, accept),
      rule(isSnat, accept),
      rule(field('ct-mark', 1), accept),
      rule(not(state('new')), accept),
      rule(origDport(1), accept),
      rule(tcpDport(1), copy('mark', 'ct-mark')),
      rule(tcpDport(1), assign('ct-mark', 1)),
      rule(tcpDport(1), assignUnknown('ct-mark')),
      rule(tcpDport(1), same('-m connlimit --connlimit-above 3'), accept),
      rule(tcpDport(1), same('-m conntrack --ctexpire 3'), accept),
      rule(tcpDport(1), unknownVerdict('-j CONNMARK helper')),
    ];
    for (const one of needing) {
      expect(verdictOf(ruleset(table('ip', stops), table('inet', base('forward', {}, one))))).toBe('drop');
      expect(verdictOf(ruleset(table('ip', stops), table('ip6', base('forward', {}, one))))).toBe('accept');
    }
    const dormant = { ...table('ip', base('forward', {}, rule(state('new'), drop))), dormant: true };
    expect(verdictOf(ruleset(table('ip', stops), dormant))).toBe('drop');
    const to6 = table('inet', base('output', { type: 'nat' }, rule(tcpDport(1), dnat('2001:db8::1'))));
    expect(verdictOf(ruleset(table('ip', stops), to6))).toBe('accept');
    expect(verdictOf(chains(stops, base('forward', {}, rule(same('-m string --string x'), drop))))).toBe(
      'accept',
    );
  });

  test('the first one that translates wins, the others of that hook are skipped', () => {
    const first = nat('prerouting', -100, rule(tcpDport(22), redirect(2222)));
    const second = nat('prerouting', -90, rule(drop));
    expect(evaluate(chains(first, second))).toMatchObject({ verdict: 'accept', delivered: { dport: 2222 } });
    expect(verdictOf(chains(first, second), { dport: 23 })).toBe('drop');
  });

  test('accept or no match in one leaves the next its turn', () => {
    const first = nat('prerouting', -100, rule(tcpDport(22), accept));
    const second = nat('prerouting', -90, rule(redirect(2222)));
    expect(evaluate(chains(first, second)).delivered.dport).toBe(2222);
  });

  test('a translation in prerouting does not keep the nat chain of input from running', () => {
    const rules = chains(nat('prerouting', -100, rule(redirect(2222))), nat('input', 100, rule(drop)));
    expect(verdictOf(rules)).toBe('drop');
  });

  test('a drop in one is final', () => {
    expect(verdictOf(chains(stops, tests, base('input', { name: 'a' }, rule(accept))))).toBe('drop');
  });
});

describe('Destination translation', () => {
  test('a filter chain before it sees the old destination, one after it the new', () => {
    const translate = nat('prerouting', -100, rule(tcpDport(443), dnat('192.0.2.9', 9090)));
    const before = base('prerouting', { priority: -150, name: 'before' }, rule(tcpDport(9090), drop));
    const after = base('forward', {}, rule(tcpDport(9090), daddr('192.0.2.9'), drop));
    const differences = { hook: 'forward', dport: 443 } as const;
    expect(verdictOf(chains(translate, before), differences)).toBe('accept');
    expect(verdictOf(chains(translate, after), differences)).toBe('drop');
    expect(evaluate(chains(translate), differences).delivered).toEqual({
      daddr: ip('192.0.2.9'),
      dport: 9090,
    });
  });

  test('a port is translated only for protocols with ports', () => {
    const rules = chains(nat('prerouting', -100, rule(dnat('192.0.2.9', 9090))));
    const ping = { protocol: 1, sport: undefined, dport: undefined, icmpType: 8, icmpCode: 0 };
    expect(evaluate(rules, ping).delivered).toEqual({ daddr: ip('192.0.2.9'), dport: undefined });
    expect(evaluate(rules, { protocol: 132 }).delivered.dport).toBe(9090);
  });

  test('a target of several addresses is one unknown value within them', () => {
    const translate = nat('prerouting', -100, rule(dnat('192.0.2.8-192.0.2.9')));
    expect(evaluate(chains(translate)).delivered).toEqual({ daddr: undefined, dport: 22 });
    expect(verdictOf(chains(translate, dropIf(daddr('192.0.2.9'))))).toBe('unknown');
    expect(verdictOf(chains(translate, dropIf(daddr('192.0.2.10'))))).toBe('accept');
    expect(verdictOf(chains(translate, dropIf(daddr('192.0.2.8/31'))))).toBe('drop');
    const either = base('input', {}, rule(daddr('192.0.2.8'), drop), rule(daddr('192.0.2.9'), drop));
    expect(verdictOf(chains(translate, either))).toBe('drop');
  });

  test('a port that lies in the range already stays, another becomes unknown within it', () => {
    const translate = nat('prerouting', -100, rule(dnat('192.0.2.9', [8000, 8009])));
    expect(evaluate(chains(translate), { dport: 8005 }).delivered.dport).toBe(8005);
    expect(evaluate(chains(translate), { dport: 80 }).delivered.dport).toBeUndefined();
    expect(verdictOf(chains(translate, dropIf(tcpDport([8000, 8009]))), { dport: 80 })).toBe('drop');
    expect(verdictOf(chains(translate, dropIf(tcpDport(80))), { dport: 80 })).toBe('accept');
  });

  test('ct-dnat is set only when address or port really changed', () => {
    const to = (address: string | undefined, port?: Range) =>
      verdictOf(chains(nat('prerouting', -100, rule(dnat(address, port))), dropIf(isDnat)));
    expect(to('192.0.2.1')).toBe('accept');
    expect(to('192.0.2.1', 22)).toBe('accept');
    expect(to(undefined, 22)).toBe('accept');
    expect(to('192.0.2.1', [20, 30])).toBe('accept');
    expect(to('192.0.2.1', 23)).toBe('drop');
    expect(to('192.0.2.1', [23, 30])).toBe('drop');
    expect(to('192.0.2.2')).toBe('drop');
    expect(to('192.0.2.2-192.0.2.9')).toBe('drop');
    expect(to('192.0.2.1-192.0.2.9')).toBe('unknown');
  });

  test('with a target range, ct-dnat goes with the address that was chosen', () => {
    const rules = chains(
      nat('prerouting', -100, rule(dnat('192.0.2.1-192.0.2.9'))),
      base('input', { chainPolicy: 'drop' }, rule(isDnat, accept), rule(daddr('192.0.2.1'), accept)),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('redirect makes the address unknown, in the same way for all matches, and tells the port', () => {
    const translate = nat('prerouting', -100, rule(tcpDport(443), redirect(9090)));
    const differences = { dport: 443 };
    expect(evaluate(chains(translate), differences)).toMatchObject({
      verdict: 'accept',
      delivered: { daddr: undefined, dport: 9090 },
    });
    expect(verdictOf(chains(translate, dropIf(tcpDport(9090))), differences)).toBe('drop');
    expect(verdictOf(chains(translate, dropIf(daddr('192.0.2.1'))), differences)).toBe('unknown');
    const both = base('input', {}, rule(daddr('192.0.2.1'), drop), rule(not(daddr('192.0.2.1')), drop));
    expect(verdictOf(chains(translate, both), differences)).toBe('drop');
  });

  test('redirect on output goes to the loopback address of the version, though none is told as delivered', () => {
    const seen = (address: string) => base('output', {}, rule(daddr(address), drop));
    const to = (address: string) =>
      ruleset(table('inet', nat('output', -100, rule(redirect(9090))), seen(address)));
    expect(verdictOf(to('127.0.0.1'), { hook: 'output' })).toBe('drop');
    expect(verdictOf(to('192.0.2.1'), { hook: 'output' })).toBe('accept');
    const v6 = packet6({ hook: 'output' });
    expect(evaluatePacket(prepareRuleset(to('::1')), v6).verdict).toBe('drop');
    expect(evaluatePacket(prepareRuleset(to('127.0.0.1')), v6).delivered).toEqual({
      daddr: undefined,
      dport: 9090,
    });
  });

  test('after redirect ct-dnat is 1 when the port changed, and unknown otherwise', () => {
    const to = (port?: Range) =>
      verdictOf(chains(nat('prerouting', -100, rule(redirect(port))), dropIf(isDnat)));
    expect(to(23)).toBe('drop');
    expect(to(22)).toBe('unknown');
    expect(to()).toBe('unknown');
  });

  test('a translation for the other IP version does not apply', () => {
    const rules = ruleset(
      table('inet', nat('prerouting', -100, rule(dnat('2001:db8::9')), rule(dnat('192.0.2.9')))),
    );
    expect(evaluate(rules).delivered.daddr).toBe(ip('192.0.2.9'));
  });

  test('outside nat chains a translation may do anything', () => {
    const rules = chains(base('input', { chainPolicy: 'drop' }, rule(redirect(2222))));
    expect(evaluate(rules)).toMatchObject({
      verdict: 'unknown',
      delivered: { daddr: ip('192.0.2.1'), dport: 22 },
    });
  });

  test('under an unknown match it happens or not', () => {
    const translate = nat('prerouting', -100, rule(same('u'), redirect(9090)));
    expect(evaluate(chains(translate))).toMatchObject({
      verdict: 'accept',
      delivered: { dport: undefined },
      unknown: [],
    });
    expect(evaluate(chains(translate, dropIf(tcpDport(9090))))).toMatchObject({
      verdict: 'unknown',
      unknown: ['u'],
    });
  });
});

describe('Source translation', () => {
  const forward = { hook: 'forward' } as const;
  const afterwards = (condition: Condition) =>
    base('postrouting', { priority: 200, name: 'after' }, rule(condition, drop));

  test('later chains see the new source address and port, and ct-snat', () => {
    const translate = nat('postrouting', 100, rule(snat('203.0.113.5', 5000)));
    expect(verdictOf(chains(translate, afterwards(saddr('203.0.113.5'))), forward)).toBe('drop');
    expect(verdictOf(chains(translate, afterwards(field('sport', 5000))), forward)).toBe('drop');
    expect(verdictOf(chains(translate, afterwards(isSnat)), forward)).toBe('drop');
    expect(verdictOf(chains(translate, afterwards(not(isSnat))), forward)).toBe('accept');
    expect(verdictOf(chains(nat('postrouting', 100), afterwards(isSnat)), forward)).toBe('accept');
  });

  test('masquerade makes the source address unknown, a port range the port', () => {
    const hidden = nat('postrouting', 100, rule(masquerade));
    expect(verdictOf(chains(hidden, afterwards(saddr('203.0.113.5'))), forward)).toBe('unknown');
    expect(verdictOf(chains(hidden, afterwards(field('sport', 40000))), forward)).toBe('drop');
    const ranged = nat('postrouting', 100, rule(snat('203.0.113.5', [5000, 5009])));
    expect(verdictOf(chains(ranged, afterwards(field('sport', 5000))), forward)).toBe('unknown');
    expect(verdictOf(chains(ranged, afterwards(field('sport', 40000))), forward)).toBe('accept');
  });
});

describe('Ports of a range', () => {
  test('one that lies in the range stays, for sources too', () => {
    const sport = (value: Range) => base('postrouting', { priority: 200 }, rule(field('sport', value), drop));
    const translate = nat('postrouting', 100, rule(snat('192.0.2.9', [5000, 5010])));
    const verdict = (port: number) =>
      verdictOf(chains(translate, sport(5007)), { hook: 'forward', sport: port });
    expect(verdict(5007)).toBe('drop');
    expect(verdict(5008)).toBe('accept');
    expect(verdict(4444)).toBe('unknown');
  });

  test('a destination that what is known leaves no choice is told as delivered', () => {
    const translate = nat('prerouting', -100, rule(dnat('192.0.2.1-192.0.2.2')));
    const rules = chains(translate, dropIf(daddr('192.0.2.2')));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', delivered: { daddr: ip('192.0.2.1') } });
  });
});

describe('The original tuple', () => {
  test('it is the header that connection tracking saw: what a rule changes before that counts, later changes do not', () => {
    const moves = rule({ kind: 'set-field', field: 'dport', and: 0n, xor: 443n, text: 'set dport 443' });
    const before = chains(raw(moves), dropIf(origDport(443)));
    expect(verdictOf(before)).toBe('drop');
    const after = chains(base('prerouting', { priority: -150 }, moves), dropIf(origDport(443)));
    expect(verdictOf(after)).toBe('accept');
  });

  const translate = nat('prerouting', -100, rule(tcpDport(443), redirect(9090)));

  test('for a new packet it is the packet as it arrived', () => {
    expect(verdictOf(chains(translate, dropIf(origDport(443))), { dport: 443 })).toBe('drop');
    expect(verdictOf(chains(translate, dropIf(origDport(9090))), { dport: 443 })).toBe('accept');
    const origDaddr = original(daddr('192.0.2.1') as Condition & { kind: 'address' });
    expect(verdictOf(chains(translate, dropIf(origDaddr)), { dport: 443 })).toBe('drop');
  });

  test('without a connection it matches nothing', () => {
    for (const ctState of ['invalid', 'untracked'] as const) {
      expect(verdictOf(chains(dropIf(origDport([0, 65535]))), { ctState })).toBe('accept');
    }
    expect(verdictOf(chains(raw(rule(origDport([0, 65535]), drop))))).toBe('accept');
  });

  test('for established and related packets it is unknown', () => {
    for (const ctState of ['established', 'related'] as const) {
      expect(evaluate(chains(dropIf(origDport(22))), { ctState })).toMatchObject({
        verdict: 'unknown',
        unknown: ['original'],
      });
    }
  });
});
