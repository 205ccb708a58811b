import { describe, expect, test } from 'vitest';
import type { PacketSet } from '../../src/packet-set/index.ts';
import { deliveredImage, deliveredPreimage } from '../../src/semantics/index.ts';
import { base, chains, daddr, dnat, redirect, rule, saddr, tcpDport } from '../evaluate/build-ruleset.ts';
import { createRandom } from '../kernel/random.ts';
import { type Analysed, analyse } from './ask.ts';
import { makeCase } from './random-case.ts';

const FIELDS = ['daddr', 'dport'] as const;

const nat = (...rules: Parameters<typeof base>[2][]) =>
  chains(base('prerouting', { type: 'nat', priority: -100 }, ...rules));

/** Accepted packets as they are delivered. */
function delivered({ host, analysis }: Analysed): PacketSet {
  const parts = [...analysis.accepted.values()].map(({ environment, set }) =>
    deliveredImage(host, environment, analysis.version, set, FIELDS),
  );
  return host.space.unionAll(parts);
}

describe('Delivered packets', () => {
  test('port 443 redirected to 9090 is access to 9090, and none to 443', () => {
    const analysed = analyse(nat(rule(tcpDport(443), redirect(9090))));
    const { space } = analysed.host;
    const isNew = space.inIntervals(space.bits('ct-state'), [{ lo: 0n, hi: 0n }]);
    const isTcp = space.inIntervals(space.bits('protocol'), [{ lo: 6n, hi: 6n }]);
    const asked = space.intersect(isNew, isTcp);
    const ports = space.values(space.intersect(delivered(analysed), asked), 'dport', 4);
    expect(ports).toEqual([
      { lo: 0n, hi: 442n },
      { lo: 444n, hi: 65535n },
    ]);
  });

  test('the image holds the sources of what is translated', () => {
    const analysed = analyse(
      nat(rule(saddr('198.51.100.7'), tcpDport(443), dnat('192.0.2.1', 9090))),
      'forward',
    );
    const { host, analysis } = analysed;
    const { space } = host;
    const entry = [...analysis.accepted.values()].find((e) => e.environment.bits('dport') !== undefined)!;
    const image = deliveredImage(host, entry.environment, 4, entry.set, FIELDS);
    expect(space.values(image, 'daddr', 4)).toEqual([{ lo: 0xc0000201n, hi: 0xc0000201n }]);
    expect(space.values(image, 'dport', 4)).toEqual([{ lo: 9090n, hi: 9090n }]);
    expect(space.values(image, 'saddr', 4)).toEqual([{ lo: 0xc6336407n, hi: 0xc6336407n }]);
  });

  test('fields that are not asked for stay as they arrived', () => {
    const { host, analysis } = analyse(
      nat(rule(daddr('203.0.113.1'), tcpDport(443), dnat('192.0.2.1', 9090))),
      'forward',
    );
    const entry = [...analysis.accepted.values()].find((e) => e.environment.bits('dport') !== undefined)!;
    const image = deliveredImage(host, entry.environment, 4, entry.set, ['dport']);
    expect(host.space.values(image, 'daddr', 4)).toEqual([{ lo: 0xcb007101n, hi: 0xcb007101n }]);
  });

  test('an image lies in a set exactly when what is imaged lies in its preimage', () => {
    const random = createRandom(5);
    let held = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const { ruleset, packets } = makeCase(seed);
      const { version } = packets[0]!;
      const { host, analysis } = analyse(ruleset, packets[0]!.hook, version);
      const { space } = host;
      const ports = space.inIntervals(space.bits('dport'), [{ lo: 0n, hi: BigInt(random.integer(3000)) }]);
      for (const { environment, set } of analysis.accepted.values()) {
        for (const target of [ports, set, delivered({ host, analysis })]) {
          const image = deliveredImage(host, environment, version, set, FIELDS);
          const preimage = deliveredPreimage(host, environment, version, target, FIELDS);
          const inTarget = space.includes(target, image);
          expect(inTarget, `seed ${seed}`).toBe(space.includes(preimage, set));
          if (inTarget) held++;
          const back = space.intersect(preimage, set);
          expect(space.includes(target, deliveredImage(host, environment, version, back, FIELDS))).toBe(true);
        }
      }
    }
    expect(held).toBeGreaterThan(100);
  });

  test('preimages respect complements, unions and intersections', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { ruleset, packets } = makeCase(seed);
      const { hook, version } = packets[0]!;
      const { host, analysis } = analyse(ruleset, hook, version);
      const { space } = host;
      const a = analysis.acceptedPackets;
      const b = space.inIntervals(space.bits('dport'), [{ lo: 22n, hi: 443n }]);
      for (const { environment } of analysis.accepted.values()) {
        const pre = (set: PacketSet) => deliveredPreimage(host, environment, version, set, FIELDS);
        expect(pre(space.complement(a)) === space.complement(pre(a))).toBe(true);
        expect(pre(space.union(a, b)) === space.union(pre(a), pre(b))).toBe(true);
        expect(pre(space.intersect(a, b)) === space.intersect(pre(a), pre(b))).toBe(true);
      }
    }
  });
});
