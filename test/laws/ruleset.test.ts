/**
 * Laws of whole rule sets: what is printed and parsed again means the same, comparing is an equivalence with a direction, a second copy of an
 * export adds nothing, and fingerprints follow the meaning.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CT_STATE, type CtState, type Packet, type Ruleset } from '../../src/model/index.ts';
import { interval } from '../../src/net/index.ts';
import type { Header } from '../../src/packet-set/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { jsonReport } from '../../src/report/index.ts';
import { scan } from '../../src/scan.ts';
import { type CompareOptions, compareRulesets, type DifferenceKind } from '../../src/semantics/index.ts';
import { evaluate } from '../evaluate/build-ruleset.ts';
import { scanOptions } from '../scan-support.ts';
import { anyPolicy, type Policy, type Style, toIptables, toModel, toNftJson } from './policy.ts';
import { runs, useSeed } from './seed.ts';

useSeed('rule set laws', 40);

const OPTIONS: CompareOptions = { paths: ['input'], versions: [4], packets: 'any' };

/** Fails when the texts were not read whole. */
function parse(...texts: readonly string[]): Ruleset {
  const files = texts.map((text, i) => ({ path: `f${i}`, bytes: Buffer.from(text) }));
  const { ruleset, diagnostics } = readHostExports(files);
  expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  return ruleset;
}

const differences = (a: Ruleset, b: Ruleset) => compareRulesets(a, b, OPTIONS).differences;
const isSame = (a: Ruleset, b: Ruleset): boolean => differences(a, b).length === 0;

/** A comparison, and whether it says that a packet was added or removed. */
function comparison(before: Ruleset, after: Ruleset, options: CompareOptions = {}) {
  const { space, differences: found } = compareRulesets(before, after, {
    ...OPTIONS,
    maxRegions: 1,
    ...options,
  });
  const holds = (kind: DifferenceKind, packet: Partial<Packet>): boolean => {
    const header = headerOf(packet);
    return found.some((one) => one.kind === kind && !space.isEmpty(space.restrict(one.packets, header)));
  };
  return { holds };
}

/** The fields that the packets of `packetsAround` have. */
function headerOf({ saddr, daddr, sport, dport, protocol, iif, ctState }: Partial<Packet>): Header {
  return {
    version: 4,
    saddr,
    daddr,
    sport: BigInt(sport!),
    dport: BigInt(dport!),
    protocol: BigInt(protocol!),
    iif: iif!,
    'ct-state': BigInt(CT_STATE[ctState!]),
  };
}

/** A policy, and one that differs by a rule more or less, its order, or nothing. */
const neighbours = fc
  .tuple(anyPolicy, anyPolicy, fc.nat(3))
  .map(([policy, other, how]): readonly [Policy, Policy] => {
    const { input } = policy;
    if (how === 0) return [policy, { ...policy, input: input.slice(0, -1) }];
    if (how === 1) return [policy, { ...policy, input: [...input.slice(1), ...input.slice(0, 1)] }];
    if (how === 2) return [policy, { ...policy, input: [...other.input.slice(0, 1), ...input] }];
    return [policy, other];
  });

describe('printed and parsed again, a policy means what its model means', () => {
  const style: fc.Arbitrary<Style> = fc.record({
    counters: fc.boolean(),
    comments: fc.boolean(),
    long: fc.boolean(),
    reversed: fc.boolean(),
    sets: fc.boolean(),
  });

  test('as iptables-save, with ipsets, in any style', () => {
    fc.assert(
      fc.property(anyPolicy, style, (policy, how) => {
        expect(differences(toModel(policy), parse(toIptables(policy, how)))).toEqual([]);
      }),
    );
  });

  test('as JSON of nft, whatever its handles', () => {
    fc.assert(
      fc.property(anyPolicy, fc.integer({ min: 1, max: 9000 }), (policy, handle) => {
        expect(differences(toModel(policy), parse(toNftJson(policy, handle)))).toEqual([]);
      }),
    );
  });
});

describe('a comparison', () => {
  test('finds nothing between a rule set and itself', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        expect(isSame(toModel(policy), toModel(policy))).toBe(true);
      }),
    );
  });

  test('turned round has the same packets, with added and removed exchanged', () => {
    fc.assert(
      fc.property(neighbours, ([one, other]) => {
        const list = (from: Policy, to: Policy, swap: boolean) =>
          differences(toModel(from), toModel(to))
            .map(({ kind, certainty, regions }) => {
              const turned = kind === 'added' ? 'removed' : kind === 'removed' ? 'added' : kind;
              const shown = regions.map(({ sources, ports, protocols }) => ({ sources, ports, protocols }));
              return printed({ kind: swap ? turned : kind, certainty, shown });
            })
            .sort();
        expect(list(other, one, true)).toEqual(list(one, other, false));
      }),
    );
  });

  test('names a difference exactly where the plain evaluator sees one, and its example shows it', () => {
    let seen = 0;
    fc.assert(
      fc.property(neighbours, ([one, other]) => {
        const [before, after] = [toModel(one), toModel(other)];
        const found = differences(before, after);
        const verdicts = (packet: Partial<Packet>) => [
          evaluate(before, packet).verdict,
          evaluate(after, packet).verdict,
        ];
        for (const { witness, kind } of found) {
          const isAdded = kind === 'added';
          expect(verdicts(witness)).toEqual(isAdded ? ['drop', 'accept'] : ['accept', 'drop']);
        }
        const differs = packetsAround(one, other).some((packet) => {
          const [was, is] = verdicts(packet);
          return was !== is;
        });
        if (differs) seen++;
        // The packets are a sample: where none of them differs, others may.
        if (differs) expect(found).not.toEqual([]);
      }),
    );
    expect(seen).toBeGreaterThan(0);
  });

  test('holds exactly the packets whose verdict changes', () => {
    let changed = 0;
    fc.assert(
      fc.property(neighbours, ([one, other]) => {
        const [before, after] = [toModel(one), toModel(other)];
        const { holds } = comparison(before, after);
        for (const packet of packetsAround(one, other)) {
          const [was, is] = [before, after].map((rules) => evaluate(rules, packet).verdict === 'accept');
          expect([holds('added', packet), holds('removed', packet)]).toEqual([!was && is, was && !is]);
          if (was !== is) changed++;
        }
      }),
      { numRuns: runs(15) },
    );
    expect(changed).toBeGreaterThan(0);
  });

  test('of some packets holds what the comparison of all holds of them', () => {
    fc.assert(
      fc.property(neighbours, fc.nat(65535), ([one, other], port) => {
        const [before, after] = [toModel(one), toModel(other)];
        const some: CompareOptions['within'] = (space) =>
          space.inIntervals(space.bits('dport'), [interval(0, port)]);
        const [all, restricted] = [comparison(before, after), comparison(before, after, { within: some })];
        for (const packet of packetsAround(one, other))
          for (const kind of ['added', 'removed'] as const)
            expect(restricted.holds(kind, packet)).toBe(packet.dport! <= port && all.holds(kind, packet));
      }),
      { numRuns: runs(15) },
    );
  });

  test('over a step between is made of those of both steps', () => {
    fc.assert(
      fc.property(neighbours, anyPolicy, ([one, other], between) => {
        const [first, middle, last] = [one, between, other].map(toModel) as [Ruleset, Ruleset, Ruleset];
        const [there, onward, direct] = [
          comparison(first, middle),
          comparison(middle, last),
          comparison(first, last),
        ];
        for (const packet of packetsAround(one, between, other)) {
          const steps = (kind: 'added' | 'removed', back: 'added' | 'removed') =>
            (there.holds(kind, packet) && !onward.holds(back, packet)) ||
            (onward.holds(kind, packet) && !there.holds(back, packet));
          expect(direct.holds('added', packet)).toBe(steps('added', 'removed'));
          expect(direct.holds('removed', packet)).toBe(steps('removed', 'added'));
        }
      }),
      { numRuns: runs(15) },
    );
  });

  test('of equal ones is transitive, and what is equal to one of them differs alike from a third', () => {
    fc.assert(
      fc.property(neighbours, ([one, other]) => {
        const again = parse(toIptables(one, { reversed: true }));
        const json = parse(toNftJson(one));
        expect(isSame(again, json)).toBe(true);
        expect(isSame(again, toModel(other))).toBe(isSame(json, toModel(other)));
      }),
    );
  });
});

describe('a second export', () => {
  test('that says the same adds nothing, whatever its counters, comments and handles', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const once = parse(toIptables(policy));
        const twice = parse(toIptables(policy), toIptables(policy, { counters: true, comments: true }));
        expect(twice.tables.length).toBe(once.tables.length);
        expect(isSame(once, twice)).toBe(true);
        const json = toNftJson(policy);
        expect(parse(json, toNftJson(policy, 700)).tables.length).toBe(1);
        expect(isSame(parse(json), parse(json, json))).toBe(true);
      }),
      { numRuns: runs(20) },
    );
  });
});

describe('fingerprints of findings', () => {
  const usual = scanOptions({ host: 'client-01', roots: ['.'] });
  // That one is about counters, so it comes and goes with them.
  const options = { ...usual, checks: usual.checks.filter((check) => check.id !== 'never-hit-rule') };
  const fingerprints = (text: string): readonly string[] => {
    const report = scan([{ path: 'client-01.rules', bytes: Buffer.from(text) }], options);
    const parsed = JSON.parse(jsonReport(report, REPORT)) as { findings: { fingerprint: string }[] };
    expect(parsed.findings.map((f) => f.fingerprint)).toEqual(report.findings.map((f) => f.fingerprint));
    return report.findings.map((f) => f.fingerprint).sort();
  };
  const REPORT = { color: false, width: 100, minSeverity: 'info', showSuppressed: true } as const;

  test('do not change with counters, comments, moved lines and the order of options', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const plain = fingerprints(toIptables(policy));
        expect(fingerprints(toIptables(policy, { counters: true, comments: true }))).toEqual(plain);
        expect(fingerprints(`\n\n${toIptables(policy, { reversed: true })}`)).toEqual(plain);
        expect(fingerprints(toIptables(policy, { long: true }))).toEqual(plain);
      }),
      { numRuns: runs(8) },
    );
  });

  test('change when the chain policy turns from drop to accept', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const open = { ...policy, input: [], drops: false };
        expect(fingerprints(toIptables(open))).not.toEqual(
          fingerprints(toIptables({ ...open, drops: true })),
        );
      }),
      { numRuns: runs(3) },
    );
  });
});

/** Packets at the edges of what two policies ask, in every combination that is not too many. */
function packetsAround(...policies: readonly Policy[]): readonly Partial<Packet>[] {
  const rules = policies.flatMap(({ input, side }) => [...input, ...side]);
  const ports = new Set([22, 40_000]);
  const sources = new Set([0x0808_0808n]);
  const targets = new Set([0xc000_0201n]);
  for (const { dport, saddr, daddr } of rules) {
    for (const [lo, hi] of dport?.value ?? []) for (const port of [lo, hi]) ports.add(port);
    for (const [address] of saddr?.value ?? []) sources.add(address);
    if (daddr !== undefined) targets.add(daddr.value[0]);
  }
  const packets: Partial<Packet>[] = [];
  for (const dport of [...ports].slice(0, 8))
    for (const saddr of [...sources].slice(0, 4))
      for (const daddr of [...targets].slice(0, 3))
        for (const iif of ['eth0', 'eth7', 'lo'])
          for (const ctState of ['new', 'invalid'] satisfies CtState[])
            for (const protocol of [6, 17])
              packets.push({ dport, sport: 40_000, saddr, daddr, iif, ctState, protocol });
  return packets;
}

function printed(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
}
