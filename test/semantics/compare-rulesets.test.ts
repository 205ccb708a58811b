import { describe, expect, test } from 'vitest';
import { evaluatePacket, MAX_STATES, MAX_STEPS, prepareRuleset } from '../../src/evaluate/index.ts';
import { CT_STATE, type Packet, type Rule, type Ruleset } from '../../src/model/index.ts';
import { interval, single } from '../../src/net/index.ts';
import { type Header, PacketSetBudgetError } from '../../src/packet-set/index.ts';
import {
  type CompareOptions,
  compareRulesets,
  type RulesetComparison,
  type RulesetDifference,
} from '../../src/semantics/index.ts';
import * as build from '../evaluate/build-ruleset.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import { makeCase, toJson } from './random-case.ts';

const { rule, tcpDport, saddr } = build;

/** A host whose input chain drops what these rules do not take. */
function host(...rules: readonly Rule[]): Ruleset {
  return build.inputRules(rules);
}

const ON_INPUT: CompareOptions = { paths: ['input'], versions: [4] };

function onInput(before: Ruleset, after: Ruleset): readonly RulesetDifference[] {
  return compareRulesets(before, after, ON_INPUT).differences;
}

const ssh = rule(tcpDport(22), build.accept);
const https = rule(tcpDport(443), saddr('192.0.2.0/24'), build.accept);

describe('a comparison of two rule sets', () => {
  test('says nothing where the order of rules changes and their meaning does not', () => {
    expect(onInput(host(ssh, https), host(https, ssh))).toEqual([]);
  });

  test('names protocol, ports and sources of what is newly let through', () => {
    const [only, ...others] = onInput(host(ssh), host(ssh, https));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ kind: 'added', certainty: 'certain', unknowns: [], regionsComplete: true });
    expect(only?.regions).toMatchObject([
      {
        protocols: [single(6)],
        ports: [single(443)],
        icmpTypes: undefined,
        sources: [build.ipRange('192.0.2.0/24')],
        alsoDependsOn: [],
        delivered: { ports: [single(443)] },
      },
    ]);
    expect(only?.witness).toMatchObject({ protocol: 6, dport: 443, ctState: 'new', tcpFlags: 2 });
    expect(only?.answers.before.verdict).toBe('drop');
    expect(only?.answers.after.verdict).toBe('accept');
  });

  test('calls what is no longer let through removed', () => {
    expect(onInput(host(ssh, https), host(ssh)).map(({ kind }) => kind)).toEqual(['removed']);
  });

  test('tells an unchanged rate limit no difference, and a new one a possible difference', () => {
    const limited = rule(tcpDport(22), build.varying('-m limit --limit 5/min'), build.accept);
    expect(onInput(host(limited), host(https, limited)).map(({ kind }) => kind)).toEqual(['added']);
    expect(onInput(host(ssh), host(limited))).toMatchObject([
      { kind: 'removed', certainty: 'possible', unknowns: ['-m limit --limit 5/min'] },
    ]);
  });

  test('tells an unknown predicate of the same text no difference', () => {
    const geo = rule(build.same('-m geoip --source-country NL'), build.accept);
    const other = rule(build.same('-m geoip --source-country BE'), build.accept);
    expect(onInput(host(geo), host(geo))).toEqual([]);
    expect(onInput(host(geo), host(other)).map((d) => `${d.kind} ${d.certainty}`)).toEqual([
      'added possible',
      'removed possible',
    ]);
  });

  test('sees that packets are delivered to another port', () => {
    const forward = (port: number): Ruleset => {
      const nat = rule(tcpDport(8080), build.redirect(port));
      return build.chains(build.base('prerouting', { type: 'nat', priority: -100 }, nat));
    };
    const [only, ...others] = onInput(forward(80), forward(81));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ kind: 'redelivered', certainty: 'certain' });
    expect(only?.regions).toMatchObject([{ ports: [single(8080)], delivered: { ports: [single(81)] } }]);
    expect(only?.answers.before.delivered.dport).toBe(80);
    expect(only?.answers.after.delivered.dport).toBe(81);
  });

  test('names the interface as what a difference depends on besides', () => {
    const [only] = onInput(host(), host(rule(build.iif('eth1'), tcpDport(22), build.accept)));
    expect(only?.regions[0]?.alsoDependsOn).toEqual(['iif']);
    expect(only?.witness.iif).toBe('eth1');
  });

  test('looks at first packets only unless told otherwise', () => {
    const established = rule(build.field('ct-state', CT_STATE.established), build.accept);
    expect(onInput(host(ssh), host(ssh, established))).toEqual([]);
    const all = compareRulesets(host(ssh), host(ssh, established), { ...ON_INPUT, packets: 'any' });
    expect(all.differences).toMatchObject([{ kind: 'added', certainty: 'certain' }]);
  });

  test('cuts a list of regions off and says so', () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      rule(tcpDport(1000 + 10 * i), saddr(`192.0.2.${i + 1}`), build.accept),
    );
    const [only] = compareRulesets(host(), host(...many), { ...ON_INPUT, maxRegions: 5 }).differences;
    expect(only?.regions).toHaveLength(5);
    expect(only?.regionsComplete).toBe(false);
  });

  test('keeps to the packets it is told to', () => {
    const within: CompareOptions['within'] = (space) =>
      space.inIntervals(space.bits('dport'), [interval(1, 100)]);
    const of = (after: Ruleset) => compareRulesets(host(), after, { ...ON_INPUT, within }).differences.length;
    expect([of(host(https)), of(host(ssh))]).toEqual([0, 1]);
  });
});

const FIRST_SEED = Number(process.env.NWAUDIT_SEED ?? 1);
const CASES = Number(process.env.NWAUDIT_CASES ?? 400);
const NODE_BUDGET = 1_000_000;

/** The rule set with one part of one rule changed, or a rule taken out or moved. */
function changed(random: Random, original: Ruleset): Ruleset {
  const places = original.tables.flatMap((t) => t.chains.filter((c) => c.rules.length > 0));
  if (places.length === 0) return original;
  const place = random.pick(places);
  const index = random.integer(place.rules.length);
  const old = place.rules[index]!;
  const others = place.rules.filter((_, i) => i !== index);
  const rules = random.pick([
    () => others,
    () => [old, ...others],
    () => place.rules.map((r, i) => (i === index ? { ...r, matches: r.matches.slice(1) } : r)),
    () => place.rules.map((r, i) => (i === index ? { ...r, verdict: build.accept } : r)),
  ])();
  const tables = original.tables.map((t) => ({
    ...t,
    chains: t.chains.map((c) => (c === place ? { ...c, rules } : c)),
  }));
  return { ...original, tables };
}

/** The comparison, or `undefined` where the packet sets grow past the budget of these tests. */
function compared(before: Ruleset, after: Ruleset, options: CompareOptions): RulesetComparison | undefined {
  try {
    return compareRulesets(before, after, { ...options, nodeBudget: NODE_BUDGET });
  } catch (error) {
    if (error instanceof PacketSetBudgetError) return undefined;
    throw error;
  }
}

/** What of a difference does not depend on the space it was found in. */
function outline({ kind, certainty, path, version, unknowns, witness }: RulesetDifference): string {
  return toJson({ kind, certainty, path, version, unknowns, witness });
}

const OPPOSITE = { added: 'removed', removed: 'added', redelivered: 'redelivered' } as const;

function gaveUp(unknown: readonly string[]): boolean {
  return [`more than ${MAX_STATES} states`, `more than ${MAX_STEPS} rules`].some((limit) =>
    unknown[0]?.startsWith(limit),
  );
}

/** What is wrong with the witness of a difference, by the plain evaluator; `undefined` when it bears the difference out. */
function refutation(before: Ruleset, after: Ruleset, difference: RulesetDifference): string | undefined {
  const { kind, certainty, witness } = difference;
  const earlier = evaluatePacket(prepareRuleset(before), witness);
  const later = evaluatePacket(prepareRuleset(after), witness);
  if (gaveUp(earlier.unknown) || gaveUp(later.unknown)) return undefined;
  // The generator asks for original ports without a protocol, which no parser does: a witness without ports cannot say them.
  if (witness.dport === undefined && [...earlier.unknown, ...later.unknown].includes('original x'))
    return undefined;
  const mayStop = (e: typeof earlier) => e.possible.drop || e.possible.reject;
  const [passes, stops] = kind === 'added' ? [later, earlier] : [earlier, later];
  const same =
    toJson(earlier.delivered) === toJson(later.delivered) && !toJson(later.delivered).includes('}');
  const wrong =
    kind === 'redelivered'
      ? !earlier.possible.accept ||
        !later.possible.accept ||
        same ||
        (certainty === 'certain' && (mayStop(earlier) || mayStop(later)))
      : !passes.possible.accept ||
        !mayStop(stops) ||
        (certainty === 'certain' && (mayStop(passes) || stops.possible.accept));
  if (!wrong) return undefined;
  return `${kind} ${certainty}: before ${earlier.verdict}, after ${later.verdict}, ${toJson(witness)}`;
}

/** The packet as a header: whole, so that a set either holds it or not. */
function headerOf(packet: Packet): Header {
  const big = (n: number | undefined) => (n === undefined ? undefined : BigInt(n));
  const older = packet.ctState === 'established' || packet.ctState === 'related';
  const flag = (b: boolean | undefined) => (older && b !== undefined ? BigInt(b) : undefined);
  return {
    version: packet.version,
    saddr: packet.saddr,
    daddr: packet.daddr,
    protocol: BigInt(packet.protocol),
    sport: big(packet.sport),
    dport: big(packet.dport),
    'icmp-type': big(packet.icmpType),
    'icmp-code': big(packet.icmpCode),
    'tcp-flags': BigInt(packet.tcpFlags),
    'ct-state': BigInt(CT_STATE[packet.ctState]),
    'ct-dnat': flag(packet.ctDnat),
    'ct-snat': flag(packet.ctSnat),
    mark: packet.mark,
    'ct-mark': packet.ctMark,
    smac: packet.smac,
    dscp: big(packet.dscp),
    ecn: big(packet.ecn),
    ttl: big(packet.ttl),
    length: big(packet.length),
    pkttype: big(packet.pkttype),
    iif: packet.hook === 'output' ? null : (packet.iif ?? '\u0000'),
    oif: packet.hook === 'input' ? null : (packet.oif ?? '\u0000'),
  };
}

/** Where the plain evaluator sees a certain difference that the comparison does not, or the other way round. */
function missed(before: Ruleset, after: Ruleset, all: RulesetComparison, packet: Packet): string | undefined {
  const earlier = evaluatePacket(prepareRuleset(before), packet);
  const later = evaluatePacket(prepareRuleset(after), packet);
  if (gaveUp(earlier.unknown) || gaveUp(later.unknown)) return undefined;
  const stopped = (verdict: string) => verdict === 'drop' || verdict === 'reject';
  const byWalk =
    earlier.verdict === 'accept' && stopped(later.verdict)
      ? 'removed'
      : later.verdict === 'accept' && stopped(earlier.verdict)
        ? 'added'
        : undefined;
  const header = headerOf(packet);
  const holding = all.differences.filter(
    (d) =>
      d.path === packet.hook &&
      d.version === packet.version &&
      d.kind !== 'redelivered' &&
      all.space.contains(d.packets, header),
  );
  const certain = holding.find((d) => d.certainty === 'certain')?.kind;
  if (certain === byWalk) return undefined;
  return `${byWalk ?? 'no certain difference'} by walk, ${certain ?? 'none'} by sets: ${toJson(packet)}`;
}

describe(`comparisons of ${CASES} random rule sets from seed ${FIRST_SEED} on`, () => {
  const seeds = Array.from({ length: CASES }, (_, i) => FIRST_SEED + i);
  const options = (seed: number): CompareOptions => ({ packets: seed % 2 === 0 ? 'any' : 'new' });

  test('find no difference between a rule set and itself', () => {
    for (const seed of seeds.slice(0, CASES / 2)) {
      const { ruleset: one } = makeCase(seed);
      const result = compared(one, structuredClone(one), options(seed));
      expect(result?.differences.map(outline) ?? [], `seed ${seed}`).toEqual([]);
    }
  });

  test('find the opposite when the rule sets are exchanged', () => {
    for (const seed of seeds.slice(0, CASES / 4)) {
      const { ruleset: one } = makeCase(seed);
      const other = changed(createRandom(seed), one);
      const there = compared(one, other, options(seed));
      const back = compared(other, one, options(seed));
      if (there === undefined || back === undefined) continue;
      const turned = back.differences.map((d) => outline({ ...d, kind: OPPOSITE[d.kind] }));
      expect(there.differences.map(outline).sort(), `seed ${seed}`).toEqual(turned.sort());
    }
  });

  test('have witnesses that the plain evaluator confirms, and miss no difference that it sees', () => {
    const counts: Record<string, number> = {};
    let checked = 0;
    for (const seed of seeds) {
      const { ruleset: one, packets } = makeCase(seed);
      const other = seed % 3 === 0 ? makeCase(seed + 1_000_000).ruleset : changed(createRandom(seed), one);
      const result = compared(one, other, options(seed));
      if (result === undefined) continue;
      for (const difference of result.differences) {
        const name = `${difference.kind} ${difference.certainty}`;
        counts[name] = (counts[name] ?? 0) + 1;
        expect(refutation(one, other, difference), `seed ${seed}`).toBeUndefined();
      }
      if (options(seed).packets !== 'any') continue;
      for (const packet of packets) {
        checked++;
        // A packet whose TTL is not given is one with hops left.
        const whole = {
          ...packet,
          ttl: packet.ttl ?? 64,
          ctDnat: packet.ctDnat ?? false,
          ctSnat: packet.ctSnat ?? false,
        };
        expect(missed(one, other, result, whole), `seed ${seed}`).toBeUndefined();
      }
    }
    console.log(`compared: ${toJson(counts)}, ${checked} packets asked`);
    if (CASES >= 200) {
      for (const kind of ['added', 'removed', 'redelivered'])
        for (const certainty of ['certain', 'possible'])
          expect(counts[`${kind} ${certainty}`]).toBeGreaterThan(0);
    }
  });
});
