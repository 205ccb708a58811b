import { describe, expect, test } from 'vitest';
import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import type { Condition, NamedSet, NamedSetElement, Packet, Rule, Ruleset } from '../../src/model/index.ts';
import { answerPacket } from '../../src/semantics/index.ts';
import {
  accept,
  assign,
  back,
  base,
  chain,
  chains,
  dnat,
  drop,
  element,
  fading,
  field,
  goto,
  handOver,
  hole,
  icmp,
  inputRules,
  inSet,
  ip,
  jump,
  member,
  named,
  namedSet,
  notrack,
  packet,
  packet6,
  port,
  redirect,
  rule,
  ruleset,
  same,
  snat,
  table,
  tcpDport,
  varying,
} from '../evaluate/build-ruleset.ts';
import { analyse, verdictOfBoth } from './ask.ts';

/** Facts of the kernel (Linux 6.18) on which the evaluators once differed: both have to know them. */

/** Where both evaluators deliver a packet. */
function deliveredPorts(rules: Ruleset, asked: Packet): (number | undefined)[] {
  const { host, analysis } = analyse(rules, asked.hook, asked.version);
  const answers = [answerPacket(host, analysis, asked), evaluatePacket(prepareRuleset(rules), asked)];
  return answers.map(({ delivered }) => delivered.dport);
}

const dropIf = (...conditions: readonly Condition[]) => base('input', {}, rule(...conditions, drop));

describe('Connection tracking', () => {
  const stops = base('prerouting', { type: 'nat', priority: -100 }, rule(drop));
  const isNew = field('ct-state', 0);

  test('is switched on for each IP version on its own', () => {
    const needs = (family: 'ip' | 'ip6' | 'inet') => table(family, base('forward', {}, rule(isNew, accept)));
    expect(verdictOfBoth(ruleset(table('ip6', stops), needs('ip')), packet6())).toBe('accept');
    expect(verdictOfBoth(ruleset(table('ip6', stops), needs('ip6')), packet6())).toBe('drop');
    expect(verdictOfBoth(ruleset(table('ip6', stops), needs('inet')), packet6())).toBe('drop');
  });

  test('is switched on by dormant tables, and by a translation for the version of its address only', () => {
    const dormant = { ...table('ip', base('forward', {}, rule(isNew, accept))), dormant: true };
    expect(verdictOfBoth(ruleset(table('ip', stops), dormant), packet())).toBe('drop');
    const translates = (to: string) =>
      table('inet', base('output', { type: 'nat', priority: -100 }, rule(tcpDport(1), dnat(to))));
    expect(verdictOfBoth(ruleset(table('ip', stops), translates('192.0.2.1')), packet())).toBe('drop');
    expect(verdictOfBoth(ruleset(table('ip', stops), translates('2001:db8::1')), packet())).toBe('accept');
  });

  test('keeps the header that it saw as the original tuple', () => {
    const original: Condition = {
      kind: 'original',
      of: { kind: 'field', field: 'dport', values: [{ lo: 443n, hi: 443n }] },
      text: '--ctorigdstport 443',
    };
    const moves = rule({ kind: 'set-field', field: 'dport', and: 0n, xor: 443n, text: 'dport 443' });
    const at = (priority: number) =>
      verdictOfBoth(chains(base('prerouting', { priority }, moves), dropIf(original)), packet());
    expect(at(-300)).toBe('drop');
    expect(at(-150)).toBe('accept');
    const translated = base('prerouting', { type: 'nat', priority: -100 }, rule(redirect(22)));
    expect(verdictOfBoth(chains(translated, dropIf(original)), packet({ dport: 443 }))).toBe('drop');
  });
});

describe('Address translation', () => {
  test('a source port that lies in the range stays', () => {
    const translate = base(
      'postrouting',
      { type: 'nat', priority: 100 },
      rule(snat('192.0.2.9', [5000, 5010])),
    );
    const later = base('postrouting', { priority: 150 }, rule(field('sport', 5007), drop));
    const from = (sport: number) =>
      verdictOfBoth(chains(translate, later), packet({ hook: 'forward', sport }));
    expect(from(5007)).toBe('drop');
    expect(from(5008)).toBe('accept');
    expect(from(4444)).toBe('unknown');
  });

  test('a rule with an address of the other IP version is as if it were not there', () => {
    const translate = base(
      'prerouting',
      { type: 'nat', priority: -100 },
      rule(dnat('2001:db8::1')),
      rule(redirect(443)),
    );
    expect(verdictOfBoth(ruleset(table('inet', translate, dropIf(field('dport', 443)))), packet())).toBe(
      'drop',
    );
  });
});

describe('Named sets', () => {
  const inside = (
    set: NamedSet | readonly NamedSet[],
    directions: string,
    asked: Packet,
    returnNomatch = false,
  ) => {
    const sets = 'name' in set ? [set] : set;
    const condition = inSet(sets[0]!.name, directions, returnNomatch);
    const verdict = verdictOfBoth(ruleset(table('ip', dropIf(condition)), ...sets), asked);
    return { drop: 'in', accept: 'out' }[verdict] ?? verdict;
  };

  test('in hash:net,iface the longest network decides, whatever its interface', () => {
    const nets = (...elements: readonly NamedSetElement[]) =>
      namedSet('s', 'hash:net,iface', [element('198.51.0.0/16', named('eth0')), ...elements]);
    expect(inside(nets(), 'src,src', packet())).toBe('in');
    expect(inside(nets(element('198.51.100.0/24', named('eth1'))), 'src,src', packet())).toBe('out');
    expect(inside(nets(hole('198.51.100.0/24', named('eth1'))), 'src,src', packet())).toBe('out');
    expect(inside(nets(fading('198.51.100.0/24', named('eth1'))), 'src,src', packet())).toBe('unknown');
  });

  test('where interface prefixes overlap, the first element of a network decides', () => {
    const wide = element('198.51.100.0/24', named('eth', true));
    const narrow = hole('198.51.100.0/24', named('eth0'));
    expect(inside(namedSet('s', 'hash:net,iface', [wide, narrow]), 'src,src', packet())).toBe('in');
    expect(inside(namedSet('s', 'hash:net,iface', [narrow, wide]), 'src,src', packet())).toBe('out');
  });

  test('--return-nomatch means nothing for types without networks, in lists too', () => {
    const hosts = namedSet('hosts', 'hash:ip', [element('198.51.100.7')]);
    const nets = namedSet('nets', 'hash:net', [element('198.51.100.0/24'), hole('198.51.100.8')]);
    const list = (name: string) => [namedSet('list', 'list:set', [element(member(name))]), hosts, nets];
    expect(inside(hosts, 'src', packet(), true)).toBe('in');
    expect(inside(list('hosts'), 'src', packet(), true)).toBe('in');
    expect(inside(list('nets'), 'src', packet(), true)).toBe('out');
    expect(inside(list('nets'), 'src', packet({ saddr: ip('198.51.100.8') }), true)).toBe('in');
  });

  test('an element of bitmap:ip,mac without a MAC matches any', () => {
    const pairs = namedSet('s', 'bitmap:ip,mac', [element('198.51.100.7'), element('198.51.100.8', 7)]);
    expect(inside(pairs, 'src,src', packet({ smac: 1n }))).toBe('in');
    expect(inside(pairs, 'src,src', packet())).toBe('in');
    expect(inside(pairs, 'src,src', packet({ saddr: ip('198.51.100.8'), smac: 8n }))).toBe('out');
  });

  test('a hole that may be gone leaves packets in or out, one that may be gone beside a sure element changes nothing', () => {
    const fadingHole = { ...hole('198.51.100.0/24'), timeout: true };
    const nets = namedSet('s', 'hash:net', [element('198.51.0.0/16'), fadingHole]);
    expect(inside(nets, 'src', packet())).toBe('unknown');
    const twice = namedSet('s', 'hash:net', [element('198.51.0.0/16'), fading('198.51.100.0/24')]);
    expect(inside(twice, 'src', packet())).toBe('in');
  });

  test('an address and a port that are both unknown are looked up together', () => {
    const pairs = namedSet('s', 'hash:ip,port', [
      element('192.0.2.2', port(6, 25)),
      element('192.0.2.3', port(6, 99)),
    ]);
    const translate = base(
      'prerouting',
      { type: 'nat', priority: -100 },
      rule(dnat('192.0.2.1-192.0.2.6', [20, 30])),
    );
    const verdict = (...rules: readonly Rule[]) =>
      verdictOfBoth(
        ruleset(table('ip', translate, base('input', {}, ...rules)), pairs),
        packet({ dport: 80 }),
      );
    expect(verdict(rule(inSet('s', 'dst,dst'), drop))).toBe('unknown');
    expect(verdict(rule(field('dport', 25), accept), rule(inSet('s', 'dst,dst'), drop))).toBe('accept');
  });

  test('an ICMP type is the port of a set element in either IP version', () => {
    const echo = namedSet('s', 'hash:ip,port', [element('198.51.100.7', port(1, 8 * 256))]);
    expect(inside(echo, 'src,dst', icmp(8))).toBe('in');
    expect(inside(echo, 'src,dst', icmp(0))).toBe('out');
  });
});

describe('Other facts', () => {
  test('no IPv6 address is BROADCAST', () => {
    const broadcast: Condition = {
      kind: 'address-type',
      field: 'saddr',
      types: ['BROADCAST'],
      limitedToInterface: false,
      text: 'broadcast',
    };
    expect(verdictOfBoth(ruleset(table('inet', dropIf(broadcast))), packet6())).toBe('accept');
    expect(verdictOfBoth(ruleset(table('inet', dropIf(broadcast))), packet())).toBe('unknown');
  });

  test('a forwarded packet loses a hop before the forward hook, and goes no further without', () => {
    const forward = (...rules: readonly Rule[]) => chains(base('forward', {}, ...rules));
    const asked = (ttl: number | undefined) => packet({ hook: 'forward', ttl });
    expect(verdictOfBoth(forward(), asked(1))).toBe('drop');
    expect(verdictOfBoth(forward(), asked(2))).toBe('accept');
    expect(verdictOfBoth(forward(rule(field('ttl', 63), drop)), asked(64))).toBe('drop');
    expect(verdictOfBoth(forward(rule(field('ttl', 0), drop)), asked(undefined))).toBe('accept');
    expect(verdictOfBoth(forward(rule(field('ttl', 1), drop)), asked(undefined))).toBe('unknown');
    expect(
      verdictOfBoth(
        forward(rule(field('ttl', 1, 1n), drop), rule(field('ttl', 0, 1n), drop)),
        asked(undefined),
      ),
    ).toBe('drop');
  });

  test('a TTL that is not told and cut to a few values ends the way for those that are too low', () => {
    const cut = (kept: bigint, ...rules: readonly Rule[]) =>
      chains(
        base('prerouting', { priority: -150 }, rule(assign('ttl', 0, 0xffn & ~kept))),
        base('forward', {}, ...rules),
      );
    const asked = packet({ hook: 'forward' });
    expect(verdictOfBoth(cut(1n), asked)).toBe('drop');
    expect(verdictOfBoth(cut(3n), asked)).toBe('unknown');
    // Of 0 to 3 only 2 and 3 go on, as 1 and 2.
    expect(verdictOfBoth(cut(3n, rule(field('ttl', [1, 2]), drop)), asked)).toBe('drop');
    expect(
      verdictOfBoth(cut(3n, rule(field('ttl', 3), drop), rule(field('ttl', [1, 2]), accept)), asked),
    ).toBe('unknown');
  });

  test('what is given to a socket is delivered here and goes no further, whatever its port', () => {
    const handed = (port: number | 'own' | undefined) =>
      chains(
        base('prerouting', { priority: -150 }, rule(tcpDport(80), handOver(port), accept)),
        base('forward', {}),
      );
    for (const port of [3128, 'own', undefined] as const) {
      expect(verdictOfBoth(handed(port), packet({ hook: 'forward', dport: 80, ttl: 64 }))).toBe('drop');
      expect(verdictOfBoth(handed(port), packet({ hook: 'forward', dport: 81, ttl: 64 }))).toBe('accept');
      const own = port === 'own' ? 80 : port;
      expect(deliveredPorts(handed(port), packet({ dport: 80 }))).toEqual([own, own]);
      expect(deliveredPorts(handed(port), packet({ dport: 81 }))).toEqual([81, 81]);
    }
  });

  test('packet types without a meaning do not occur', () => {
    const known = [rule(field('pkttype', [0, 3]), accept), rule(field('pkttype', 5), accept)];
    expect(verdictOfBoth(inputRules(known), packet())).toBe('accept');
    expect(verdictOfBoth(inputRules(known.slice(1)), packet())).toBe('unknown');
  });

  test('every jump of a loop may do anything, wherever the loop is entered', () => {
    const loop = [chain('a', rule(jump('b'))), chain('b', rule(jump('a')))];
    expect(verdictOfBoth(inputRules([rule(jump('a'))], ...loop), packet())).toBe('unknown');
    expect(verdictOfBoth(inputRules([rule(jump('b'))], ...loop), packet())).toBe('unknown');
    expect(verdictOfBoth(inputRules([rule(jump('missing')), rule(accept)]), packet())).toBe('unknown');
  });

  test('loops of gotos too, and only what lies on the loop: other jumps, to chains called twice as well, are what they are', () => {
    const loop = [
      chain('c', rule(goto('a'))),
      chain('b', rule(jump('leaf')), rule(goto('c'))),
      chain('a', rule(tcpDport(22), accept), rule(goto('b'))),
      chain('leaf', rule(tcpDport(80), accept)),
      chain('x', rule(jump('leaf')), rule(jump('leaf')), rule(jump('a'))),
    ];
    const asked = (first: string, dport: number) =>
      verdictOfBoth(inputRules([rule(jump(first)), rule(drop)], ...loop), packet({ dport }));
    expect(asked('x', 80)).toBe('accept');
    expect(asked('x', 22)).toBe('accept');
    expect(asked('x', 25)).toBe('unknown');
    expect(asked('b', 80)).toBe('accept');
    expect(asked('b', 22)).toBe('unknown');
    expect(asked('leaf', 22)).toBe('drop');
    // Entered where the walk over all chains meets it late.
    expect(verdictOfBoth(inputRules([rule(jump('x'))], ...loop.toReversed()), packet({ dport: 80 }))).toBe(
      'accept',
    );
    expect(verdictOfBoth(inputRules([rule(jump('c'))], ...loop.toReversed()), packet())).toBe('unknown');
  });

  test('a destination is the host itself on input, never on its way through, and not known before routing', () => {
    const local = (field: 'saddr' | 'daddr'): Condition => ({
      kind: 'address-type',
      field,
      types: ['LOCAL'],
      limitedToInterface: false,
      text: `${field} is local`,
    });
    const asked = (hook: 'prerouting' | 'forward' | 'postrouting', field: 'saddr' | 'daddr') =>
      verdictOfBoth(chains(base(hook, {}, rule(local(field), drop))), packet({ hook: 'forward' }));
    expect(asked('forward', 'daddr')).toBe('accept');
    expect(asked('postrouting', 'daddr')).toBe('accept');
    expect(asked('prerouting', 'daddr')).toBe('unknown');
    expect(asked('forward', 'saddr')).toBe('unknown');
    expect(verdictOfBoth(chains(dropIf(local('daddr'))), packet())).toBe('drop');
  });

  test('notrack behind connection tracking changes packets without a connection only', () => {
    const late = base('prerouting', { priority: -100 }, rule(notrack));
    const asked = (ctState: 'new' | 'established' | 'invalid', seen: number) =>
      verdictOfBoth(chains(late, dropIf(field('ct-state', seen))), packet({ ctState }));
    const [isNew, established, invalid, untracked] = [0, 1, 3, 4];
    expect(asked('invalid', untracked)).toBe('drop');
    expect(asked('invalid', invalid)).toBe('accept');
    expect(asked('new', isNew)).toBe('drop');
    expect(asked('established', established)).toBe('drop');
    expect(asked('established', untracked)).toBe('accept');
  });

  test('a chain with a limit that is passed twice asks the limit twice', () => {
    const limited = chain('limited', rule(varying('limit'), back), rule(drop));
    const twice = inputRules([rule(jump('limited')), rule(jump('limited')), rule(accept)], limited);
    expect(verdictOfBoth(twice, packet())).toBe('unknown');
    const marks = chain(
      'marks',
      rule(varying('limit'), { kind: 'set-field', field: 'mark', and: 1n, xor: 1n, text: 'mark ^ 1' }),
    );
    const odd = inputRules(
      [rule(jump('marks')), rule(jump('marks')), rule(field('mark', 0), accept), rule(drop)],
      marks,
    );
    expect(verdictOfBoth(odd, packet())).toBe('unknown');
    const sure = chain(
      'marks',
      rule(same('u'), { kind: 'set-field', field: 'mark', and: 1n, xor: 1n, text: 'mark ^ 1' }),
    );
    const even = inputRules(
      [rule(jump('marks')), rule(jump('marks')), rule(field('mark', 0), accept), rule(drop)],
      sure,
    );
    expect(verdictOfBoth(even, packet())).toBe('accept');
  });
});
