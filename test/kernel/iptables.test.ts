import { afterAll, describe, expect, it } from 'vitest';
import { ALL_EXPORTS, askNwaudit, WITHOUT_NFT } from './ask-nwaudit.ts';
import { addTally, compare, EMPTY_TALLY, type Tally, tallyLine } from './compare.ts';
import { skipsKernelTests } from './environment.ts';
import { readFixtures } from './fixtures.ts';
import { type AimOptions, aimPackets } from './packets.ts';
import { type KernelExports, type KernelRules, runKernelCase } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const PACKETS_PER_FIXTURE = 300;

/** How one rule set went: asked of iptables-save alone, and of iptables-save and the JSON of nft together. */
interface Totals {
  readonly alone: Tally;
  readonly together: Tally;
}

/** Loads, sends, compares and counts; explains every wrong answer in the failure. */
async function check(
  totals: Totals,
  rules: KernelRules,
  packets: readonly TracePacket[],
  options: AimOptions,
): Promise<Totals> {
  const kernel = await runKernelCase({ load: rules, packets, interfaces: options.interfaces ?? [] });
  if (kernel.kind === 'load-refused') throw new Error(`the tools refuse the rule set: ${kernel.detail}`);
  const judge = (given: readonly (keyof KernelExports)[], total: Tally): Tally => {
    const { tally, reports } = compare(
      rules,
      packets,
      kernel.outcomes,
      askNwaudit(kernel.exports, packets, given),
    );
    addTally(total, tally);
    if (reports.length > 0) throw new Error([`read from ${given.join(', ')}`, ...reports].join('\n'));
    return tally;
  };
  const together = judge(ALL_EXPORTS, totals.together);
  // Only nft shows its own tables.
  const alone = rules.nft === undefined ? judge(WITHOUT_NFT, totals.alone) : together;
  return { alone, together };
}

function newTotals(): Totals {
  return { alone: { ...EMPTY_TALLY }, together: { ...EMPTY_TALLY } };
}

function printTotals(what: string, { alone, together }: Totals): void {
  process.stdout.write(`iptables, ${what}: ${tallyLine(alone)}\n`);
  process.stdout.write(`iptables and JSON of nft, ${what}: ${tallyLine(together)}\n`);
}

const skipped = skipsKernelTests();

describe.skipIf(skipped)('iptables rule sets get the verdicts that the kernel gives', () => {
  const totals = newTotals();
  afterAll(() => printTotals('hand-written', totals));

  it.concurrent.each(readFixtures('iptables'))('$name', async ({ rules, options, packets }) => {
    const aimed = aimPackets(rules, options, PACKETS_PER_FIXTURE, 1);
    const { alone, together } = await check(totals, rules, [...packets, ...aimed], options);
    expect(together.untestable).toBeLessThan(together.packets / 10);
    expect(together.unknown).toBeLessThanOrEqual(alone.unknown);
  });
});
