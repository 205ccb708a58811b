import { afterAll, describe, expect, it } from 'vitest';
import { WITHOUT_NFT } from './ask-nwaudit.ts';
import { findDead, reductions, withDeadRules } from './dead-rules.ts';
import { skipsKernelTests } from './environment.ts';
import { generateIptables } from './generate-iptables.ts';
import { generateNft } from './generate-nft.ts';
import { withoutRefusedLines } from './kind-nft.ts';
import { aimPackets } from './packets.ts';
import { type KernelOutcome, type KernelRules, runKernelCase } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** Longer runs name their seeds: `NWAUDIT_DEAD_RULE_SEEDS=1-200`. */
const [FIRST_SEED = 1, LAST_SEED = 8] =
  (process.env.NWAUDIT_DEAD_RULE_SEEDS ?? '').match(/\d+/g)?.map(Number) ?? [];
const SEEDS = Array.from({ length: LAST_SEED - FIRST_SEED + 1 }, (_, index) => FIRST_SEED + index);
const PACKETS = 120;

interface Totals {
  sets: number;
  shadowed: number;
  unmatchable: number;
  redundant: number;
  elements: number;
  variants: number;
  packets: number;
  untestable: number;
}

function newTotals(): Totals {
  return {
    sets: 0,
    shadowed: 0,
    unmatchable: 0,
    redundant: 0,
    elements: 0,
    variants: 0,
    packets: 0,
    untestable: 0,
  };
}

function printTotals(what: string, totals: Totals): void {
  const parts = Object.entries(totals).map(([name, count]) => `${name} ${count}`);
  process.stdout.write(`dead rules of ${what}: ${parts.join(', ')}, changed 0 where no test fails\n`);
}

async function ran(load: KernelRules, packets: readonly TracePacket[], interfaces: readonly string[] = []) {
  const answer = await runKernelCase({ load, packets, interfaces });
  if (answer.kind === 'load-refused')
    throw new Error(`refused: ${answer.detail}\n${JSON.stringify(load, null, 1)}`);
  return answer;
}

/** A generated rule set without what nft refuses of it. */
async function loadable(nft: string): Promise<string> {
  const answer = await runKernelCase({ load: { nft }, packets: [], interfaces: [] });
  if (answer.kind !== 'load-refused') return nft;
  const rest = withoutRefusedLines(nft, answer.detail);
  if (rest === undefined) throw new Error(`refused: ${answer.detail}\n${nft}`);
  return await loadable(rest);
}

/** Packets whose fate is not the same, in words. */
function changes(
  packets: readonly TracePacket[],
  before: readonly KernelOutcome[],
  after: readonly KernelOutcome[],
  totals: Totals,
): string[] {
  return packets.flatMap((packet, i) => {
    const [a, b] = [before[i]!, after[i]!];
    totals.packets++;
    if (a.verdict === 'untestable' || b.verdict === 'untestable') {
      totals.untestable++;
      return [];
    }
    const isSame = a.verdict === b.verdict && a.daddr === b.daddr && a.dport === b.dport;
    return isSame ? [] : [`${JSON.stringify(packet)}: ${JSON.stringify(a)} became ${JSON.stringify(b)}`];
  });
}

const skipped = skipsKernelTests();

describe.skipIf(skipped)('without what is dead, iptables rule sets do the same in the kernel', () => {
  const totals = newTotals();
  afterAll(() => printTotals('iptables', totals));

  it.concurrent.each(SEEDS)('seed %i', async (seed) => {
    const { rules: plain, options } = generateIptables(seed);
    const rules: KernelRules = {
      ...plain,
      iptables: withDeadRules(plain.iptables ?? '', seed, 4),
      ...(plain.ip6tables === undefined ? {} : { ip6tables: withDeadRules(plain.ip6tables, seed, 6) }),
    };
    const packets = aimPackets(rules, options, PACKETS, seed);
    const whole = await ran(rules, packets, options.interfaces);
    const dead = findDead(whole.exports, WITHOUT_NFT);
    totals.sets++;
    totals.elements += dead.elements.length;
    for (const { kind } of dead.rules) totals[kind]++;
    for (const { what, rules: reduced } of reductions(whole.exports, rules.legacy === true, dead)) {
      totals.variants++;
      const { outcomes } = await ran(reduced, packets, options.interfaces);
      const found = changes(packets, whole.outcomes, outcomes, totals);
      expect(found, `without ${what}\n${JSON.stringify(whole.exports, null, 1)}`).toEqual([]);
    }
  });
});

describe.skipIf(skipped)('without what is dead, nft rule sets do the same in the kernel', () => {
  const totals = newTotals();
  afterAll(() => printTotals('nft', totals));

  it.concurrent.each(SEEDS)('seed %i', async (seed) => {
    const { nft: generated, options } = generateNft(seed);
    const nft = await loadable(generated);
    const packets = aimPackets({ nft }, options, PACKETS, seed);
    const whole = await ran({ nft }, packets, options.interfaces);
    const { rules } = findDead(whole.exports, ['nft-json']);
    totals.sets++;
    for (const { kind } of rules) totals[kind]++;
    const hidden = rules.filter(({ kind }) => kind !== 'redundant');
    const variants = [
      ...(hidden.length > 0 ? [hidden] : []),
      ...rules.filter(({ kind }) => kind === 'redundant').map((one) => [one]),
    ];
    for (const gone of variants) {
      totals.variants++;
      const commands = gone.map(
        ({ table, chain, rule }) =>
          `delete rule ${table.family} ${table.name} ${chain.name} handle ${rule.handle}\n`,
      );
      const { outcomes } = await ran({ nft, nftThen: commands.join('') }, packets, options.interfaces);
      const found = changes(packets, whole.outcomes, outcomes, totals);
      expect(
        found,
        `without ${gone.map(({ kind, rule }) => `${kind}: ${rule.text}`).join('\n')}\n${nft}`,
      ).toEqual([]);
    }
  });
});
