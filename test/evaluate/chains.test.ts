import { describe, expect, test } from 'vitest';
import { evaluatePacket, MAX_JUMP_DEPTH, prepareRuleset } from '../../src/evaluate/index.ts';
import type { Condition } from '../../src/model/index.ts';
import {
  accept,
  assign,
  back,
  base,
  chain,
  chains,
  drop,
  evaluate,
  field,
  goto,
  iif,
  inputRules,
  jump,
  log,
  not,
  oif,
  packet6,
  pathLines,
  reject,
  rule,
  ruleset,
  saddr,
  table,
  tcpDport,
  verdictOf,
} from './build-ruleset.ts';

describe('Base chains', () => {
  test('no base chain at all means accept', () => {
    expect(verdictOf(chains(chain('unused', rule(drop))))).toBe('accept');
  });

  test('a packet that no rule decides gets the policy', () => {
    expect(verdictOf(chains(base('input', { chainPolicy: 'drop' }, rule(tcpDport(80), accept))))).toBe(
      'drop',
    );
    expect(verdictOf(chains(base('input', {}, rule(tcpDport(80), drop))))).toBe('accept');
  });

  test('accept in one base chain does not save the packet from the next', () => {
    const rules = chains(
      base('prerouting', { priority: -300 }, rule(accept)),
      base('input', { priority: -150, name: 'mangle' }, rule(accept)),
      base('input', {}, rule(drop)),
    );
    expect(verdictOf(rules)).toBe('drop');
  });

  test('drop and reject are final in every base chain', () => {
    const later = base('input', { priority: 50, name: 'later' }, rule(accept));
    expect(verdictOf(chains(base('input', {}, rule(drop)), later))).toBe('drop');
    expect(verdictOf(chains(base('input', {}, rule(reject)), later))).toBe('reject');
  });

  test('base chains of a hook run by ascending priority', () => {
    const rules = chains(
      base('input', { priority: 10, name: 'second' }, rule(field('mark', 1), drop)),
      base('input', { priority: 5, name: 'first' }, rule(assign('mark', 1))),
    );
    expect(verdictOf(rules)).toBe('drop');
  });

  test('at equal priority the chain that stands last in the ruleset runs first', () => {
    const marks = base('input', { name: 'marks' }, rule(assign('mark', 1)));
    const drops = base('input', { name: 'drops' }, rule(field('mark', 1), drop));
    expect(verdictOf(chains(drops, marks))).toBe('drop');
    expect(verdictOf(chains(marks, drops))).toBe('accept');
    expect(verdictOf(ruleset(table('inet', drops), table('ip', marks)))).toBe('drop');
  });

  test('a forwarded packet sees prerouting, forward and postrouting, not input or output', () => {
    for (const hook of ['prerouting', 'forward', 'postrouting'] as const) {
      expect(verdictOf(chains(base(hook, {}, rule(drop))), { hook: 'forward' })).toBe('drop');
    }
    for (const hook of ['input', 'output', 'ingress', 'egress'] as const) {
      expect(verdictOf(chains(base(hook, {}, rule(drop))), { hook: 'forward' })).toBe('accept');
    }
  });

  test('a packet to the host sees prerouting and input, one from the host output and postrouting', () => {
    const seen = (way: 'input' | 'output') =>
      (['prerouting', 'input', 'forward', 'output', 'postrouting'] as const).filter(
        (hook) => verdictOf(chains(base(hook, {}, rule(drop))), { hook: way }) === 'drop',
      );
    expect(seen('input')).toEqual(['prerouting', 'input']);
    expect(seen('output')).toEqual(['output', 'postrouting']);
  });

  test('tables of family ip see IPv4 only, ip6 IPv6 only, inet both, others none', () => {
    const dropsV4 = (family: 'ip' | 'ip6' | 'inet' | 'bridge' | 'netdev' | 'arp') =>
      verdictOf(ruleset(table(family, base('input', {}, rule(drop)))));
    const dropsV6 = (family: 'ip' | 'ip6' | 'inet' | 'bridge' | 'netdev' | 'arp') =>
      evaluatePacket(prepareRuleset(ruleset(table(family, base('input', {}, rule(drop))))), packet6())
        .verdict;
    expect(['ip', 'ip6', 'inet', 'bridge', 'netdev', 'arp'].map((f) => dropsV4(f as 'ip'))).toEqual([
      'drop',
      'accept',
      'drop',
      'accept',
      'accept',
      'accept',
    ]);
    expect(['ip', 'ip6', 'inet', 'bridge'].map((f) => dropsV6(f as 'ip'))).toEqual([
      'accept',
      'drop',
      'drop',
      'accept',
    ]);
  });

  test('a dormant table does nothing', () => {
    expect(verdictOf(ruleset({ ...table('ip', base('input', {}, rule(drop))), dormant: true }))).toBe(
      'accept',
    );
  });
});

describe('Jumps', () => {
  test('the end of a regular chain and return lead back to the caller', () => {
    const rules = inputRules(
      [rule(jump('a')), rule(jump('b')), rule(accept)],
      chain('a', rule(back), rule(drop)),
      chain('b', rule(log)),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('return in a base chain means its policy', () => {
    expect(verdictOf(inputRules([rule(back), rule(accept)]))).toBe('drop');
  });

  test('accept in a called chain ends the base chain', () => {
    expect(verdictOf(inputRules([rule(jump('a')), rule(drop)], chain('a', rule(accept))))).toBe('accept');
  });

  test('after goto from a base chain, the end or return of the target leads to the policy', () => {
    expect(verdictOf(inputRules([rule(goto('a')), rule(accept)], chain('a')))).toBe('drop');
    expect(verdictOf(inputRules([rule(goto('a')), rule(accept)], chain('a', rule(back), rule(accept))))).toBe(
      'drop',
    );
  });

  test('goto does not return to the calling chain but to the one that jumped last', () => {
    const rules = inputRules(
      [rule(jump('a')), rule(accept)],
      chain('a', rule(goto('b')), rule(drop)),
      chain('b', rule(log)),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('two gotos in a row lead back to the chain that jumped', () => {
    const rules = inputRules(
      [rule(jump('a')), rule(accept)],
      chain('a', rule(goto('b')), rule(drop)),
      chain('b', rule(goto('c')), rule(drop)),
      chain('c'),
    );
    expect(verdictOf(rules)).toBe('accept');
  });

  test('LOG, MARK and a rule without verdict do not end a chain', () => {
    expect(verdictOf(inputRules([rule(log), rule(assign('mark', 1)), rule(), rule(accept)]))).toBe('accept');
  });

  test('every jump of a loop is unknown, wherever it is entered', () => {
    const rules = inputRules([rule(jump('a'))], chain('a', rule(jump('b'))), chain('b', rule(jump('a'))));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', unknown: ['jump loop at b'] });
  });

  test('a loop of gotos is unknown and ends', () => {
    const rules = inputRules([rule(goto('a'))], chain('a', rule(goto('b'))), chain('b', rule(goto('a'))));
    expect(evaluate(rules)).toMatchObject({ verdict: 'unknown', unknown: ['jump loop at b'] });
  });

  test('a chain that jumps to itself is unknown, and harmless where the packet does not get there', () => {
    const rules = inputRules([rule(tcpDport(22), accept), rule(jump('a'))], chain('a', rule(jump('a'))));
    expect(verdictOf(rules)).toBe('accept');
    expect(verdictOf(rules, { dport: 80 })).toBe('unknown');
  });

  test('chains are followed as deep as iptables-legacy loads them', () => {
    const nested = (depth: number) =>
      inputRules(
        [rule(jump('c1'))],
        ...Array.from({ length: depth }, (_, i) =>
          chain(`c${i + 1}`, i + 1 === depth ? rule(accept) : rule(jump(`c${i + 2}`))),
        ),
      );
    expect(verdictOf(nested(40))).toBe('accept');
    expect(evaluate(nested(MAX_JUMP_DEPTH))).toMatchObject({
      verdict: 'unknown',
      unknown: [`jumps nested too deep at c${MAX_JUMP_DEPTH}`],
    });
  });

  test('chains that all jump to each other end in an unknown, not in a hang', () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    const rules = inputRules(
      [rule(jump('c0'))],
      ...names.map((name) => chain(name, ...names.map((other) => rule(jump(other))))),
    );
    expect(verdictOf(rules)).toBe('unknown');
  });

  test('a jump to a missing chain is unknown', () => {
    expect(evaluate(inputRules([rule(jump('gone')), rule(accept)]))).toMatchObject({
      verdict: 'unknown',
      unknown: ['missing chain gone'],
    });
    expect(verdictOf(chains(base('input', { chainPolicy: 'drop' }, rule(tcpDport(80), jump('gone')))))).toBe(
      'drop',
    );
  });

  test('jumps stay within their table', () => {
    const rules = ruleset(
      table('ip', base('input', {}, rule(jump('a'))), chain('a', rule(accept))),
      table('inet', chain('a', rule(drop))),
    );
    expect(verdictOf(rules)).toBe('accept');
  });
});

describe('Interfaces', () => {
  const matches = (condition: Condition, differences: Parameters<typeof evaluate>[1], hook = 'input') =>
    verdictOf(chains(base(hook as 'input', {}, rule(condition, drop))), differences) === 'drop';

  test('a name equals itself, a prefix matches itself and what begins with it', () => {
    expect(matches(iif('eth0'), {})).toBe(true);
    expect(matches(iif('eth'), {})).toBe(false);
    expect(matches(iif('eth', true), {})).toBe(true);
    expect(matches(iif('eth', true), { iif: 'eth' })).toBe(true);
    expect(matches(iif('', true), {})).toBe(true);
  });

  test('a packet whose interface is not given arrives on one that no rule names', () => {
    expect(matches(iif('eth0'), { iif: undefined })).toBe(false);
    expect(matches(iif('e', true), { iif: undefined })).toBe(false);
    expect(matches(not(iif('eth0')), { iif: undefined })).toBe(true);
    expect(matches(iif('', true), { iif: undefined })).toBe(true);
  });

  test('the outgoing interface is the empty name in prerouting and input, which equals nothing', () => {
    for (const hook of ['prerouting', 'input']) {
      expect(matches(oif('eth1'), { oif: 'eth1' }, hook)).toBe(false);
      expect(matches(not(oif('eth1')), { oif: 'eth1' }, hook)).toBe(true);
      expect(matches(oif(''), { oif: 'eth1' }, hook)).toBe(false);
      expect(matches(oif('', true), { oif: 'eth1' }, hook)).toBe(true);
    }
  });

  test('the incoming interface is the empty name for packets that the host sends, in postrouting too', () => {
    for (const hook of ['output', 'postrouting']) {
      expect(matches(iif('eth0'), { hook: 'output' }, hook)).toBe(false);
      expect(matches(not(iif('eth0')), { hook: 'output' }, hook)).toBe(true);
      expect(matches(oif('eth1'), { hook: 'output', oif: 'eth1' }, hook)).toBe(true);
    }
  });

  test('a forwarded packet has both interfaces in forward and postrouting', () => {
    for (const hook of ['forward', 'postrouting']) {
      const differences = { hook: 'forward', oif: 'eth1' } as const;
      expect(matches(iif('eth0'), differences, hook)).toBe(true);
      expect(matches(oif('eth1'), differences, hook)).toBe(true);
    }
    expect(matches(oif('eth1'), { hook: 'forward', oif: 'eth1' }, 'prerouting')).toBe(false);
  });
});

describe('The path', () => {
  test('it holds every matched rule and every policy that was reached, in order', () => {
    const rules = chains(
      base('prerouting', { priority: -300 }, rule(log)),
      base('input', { chainPolicy: 'drop' }, rule(tcpDport(80), accept), rule(jump('a')), rule(accept)),
      chain('a', rule(assign('mark', 1)), rule(back)),
    );
    expect(pathLines(evaluate(rules))).toEqual([
      'PREROUTING: LOG continue -> continue',
      'PREROUTING: policy -> accept',
      'INPUT: jump a -> jump a',
      'a: set mark 1 continue -> continue',
      'a: return -> return',
      'INPUT: accept -> accept',
    ]);
  });

  test('a policy step stands at the chain, without rule text, at its hook', () => {
    const rules = inputRules([rule(saddr('203.0.113.0/24'), accept)]);
    const step = evaluate(rules).path[0];
    expect(step).toEqual({
      origin: rules.tables[0]!.chains[0]!.origin,
      family: 'ip',
      table: 'filter',
      chain: 'INPUT',
      hook: 'input',
      rule: null,
      verdict: 'drop',
    });
  });

  test('a regular chain reports the hook from which it was reached', () => {
    const rules = chains(
      base('prerouting', {}, rule(jump('a'))),
      base('input', {}, rule(jump('a'))),
      chain('a', rule(log)),
    );
    const hooks = evaluate(rules)
      .path.filter((step) => step.chain === 'a')
      .map((step) => step.hook);
    expect(hooks).toEqual(['prerouting', 'input']);
  });

  test('a stopped packet is delivered nowhere else than where it was stopped', () => {
    expect(evaluate(inputRules([])).delivered).toEqual({ daddr: 0xc0000201n, dport: 22 });
  });
});
