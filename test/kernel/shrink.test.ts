import { describe, expect, it } from 'vitest';
import { ALL_EXPORTS, readExports } from './ask-nwaudit.ts';
import { skipsKernelTests } from './environment.ts';
import { examine, examineSeed } from './examine.ts';
import type { GeneratedRules } from './generate-iptables.ts';
import type { KernelKind } from './kernel-kind.ts';
import { IPTABLES } from './kind-iptables.ts';
import { NFT } from './kind-nft.ts';
import { shrink } from './shrink.ts';
import { withoutStretches } from './smaller.ts';
import type { TracePacket } from './trace-packet.ts';

const PACKET: TracePacket = { hook: 'input', saddr: '192.0.2.1', daddr: '198.51.100.1', proto: 6 };

describe('a shrinker under an oracle that is wrong on purpose', () => {
  it('leaves the one rule, option and packet that the oracle complains of', async () => {
    const made = IPTABLES.generate(3);
    const text = (made.rules.iptables ?? '').replace(
      /^(:FORWARD .*\n(?::.*\n)*)(?=-A|COMMIT)/m,
      '$1-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 4711 -m comment --comment "a b" -j ACCEPT\n',
    );
    const packets = Array.from({ length: 30 }, (_, index) => ({ ...PACKET, dport: 4700 + index, ttl: 9 }));
    const small = await shrink(
      IPTABLES,
      { ...made, rules: { ...made.rules, iptables: text } },
      packets,
      async ({ rules }, some) =>
        /-A INPUT .*--dport 4711/.test(rules.iptables ?? '') && some.some((packet) => packet.dport === 4711),
    );
    expect(small.packets).toEqual([{ ...PACKET, dport: 4711 }]);
    expect(small.made.rules).toEqual({
      iptables: expect.stringMatching(/^\*[a-z]+\n(?::[A-Z]+ .*\n)*-A INPUT --dport 4711\nCOMMIT\n$/),
      ...(made.rules.legacy === true ? { legacy: true } : {}),
    });
  });

  it('keeps several packets where only several fail', async () => {
    const packets = [1, 2, 3, 4, 5, 6, 7].map((dport) => ({ ...PACKET, dport }));
    const both = async (_: unknown, some: readonly TracePacket[]): Promise<boolean> =>
      [2, 6].every((dport) => some.some((packet) => packet.dport === dport));
    const small = await shrink({ smaller: () => [] }, 'rules', packets, both);
    expect(small.packets.map(({ dport }) => dport)).toEqual([2, 6]);
  });

  it('returns the case as it is where nothing smaller fails, and asks no more often than allowed', async () => {
    const made = NFT.generate(1);
    let asked = 0;
    const never = async (): Promise<boolean> => {
      asked++;
      return false;
    };
    const small = await shrink(NFT, made, [PACKET, { ...PACKET, dport: 2 }], never, 50);
    expect(small).toEqual({ made, packets: [PACKET, { ...PACKET, dport: 2 }], tries: 50 });
    expect(asked).toBe(50);
  });

  it('leaves out every single member of a list, and never what has to stay', () => {
    const lists = [...withoutStretches(['a', 'b', 'keep', 'c'], (member) => member === 'keep')];
    for (const member of ['a', 'b', 'c'])
      expect(lists).toContainEqual(['a', 'b', 'keep', 'c'].filter((other) => other !== member));
    expect(lists.every((list) => list.includes('keep'))).toBe(true);
  });
});

/** A misreading put in on purpose: rules that accept TCP are read as if they dropped it. */
const MISREAD: KernelKind<GeneratedRules> = {
  ...IPTABLES,
  readings: [
    {
      name: 'misread',
      read: (_, exports) => {
        const twisted = Object.entries(exports).map(([name, text]) => [
          name,
          text.replace(/^(-A INPUT .*-p tcp .*)-j ACCEPT$/gm, '$1-j DROP'),
        ]);
        return readExports(Object.fromEntries(twisted), ALL_EXPORTS.slice(0, 3));
      },
    },
  ],
};

describe.skipIf(skipsKernelTests())('a misreading put in on purpose', () => {
  it('is found, and shrunk to few rules and one packet that show it to the kernel', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { made, packets, examination } = await examineSeed(MISREAD, seed, 60);
      if (examination.kind !== 'ran') continue;
      const first = examination.problems.find(({ kind }) => kind.includes('verdict'));
      if (first?.index === undefined) continue;
      const fails = async (one: GeneratedRules, some: readonly TracePacket[]): Promise<boolean> => {
        const found = await examine(MISREAD, one, some);
        return found.kind === 'ran' && found.problems.some(({ kind }) => kind === first.kind);
      };
      const small = await shrink(MISREAD, made, [packets[first.index]!], fails, 100);
      const rules = `${small.made.rules.iptables ?? ''}${small.made.rules.ip6tables ?? ''}`;
      expect(rules.match(/^-A .*$/gm)?.length).toBeLessThanOrEqual(5);
      expect(rules).toMatch(/^-A INPUT .*-p tcp .*-j ACCEPT$/m);
      expect(small.packets).toHaveLength(1);
      return;
    }
    expect.fail('no seed shows the misreading');
  });
});
