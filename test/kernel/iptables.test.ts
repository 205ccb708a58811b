import { afterAll, describe, expect, it } from 'vitest';
import { askNwaudit } from './ask-nwaudit.ts';
import { addTally, compare, EMPTY_TALLY, type Tally, tallyLine } from './compare.ts';
import { skipsKernelTests } from './environment.ts';
import { readFixtures } from './fixtures.ts';
import { generateIptables } from './generate-iptables.ts';
import { type AimOptions, aimPackets } from './packets.ts';
import { type KernelRules, runKernelCase } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const PACKETS_PER_FIXTURE = 300;
const PACKETS_PER_GENERATED = 60;
/** Longer runs name their seeds: `NWAUDIT_KERNEL_SEEDS=1000-1999`. */
const [FIRST_SEED = 1, LAST_SEED = 40] =
  (process.env.NWAUDIT_KERNEL_SEEDS ?? '').match(/\d+/g)?.map(Number) ?? [];

/** Loads, sends, compares and counts; explains every wrong answer in the failure. */
async function check(
  total: Tally,
  rules: KernelRules,
  packets: readonly TracePacket[],
  options: AimOptions,
): Promise<Tally> {
  const kernel = await runKernelCase({ load: rules, packets, interfaces: options.interfaces ?? [] });
  if (kernel.kind === 'load-refused') throw new Error(`the tools refuse the rule set: ${kernel.detail}`);
  const answers = askNwaudit(kernel.exports, packets);
  const { tally, reports } = compare(rules, packets, kernel.outcomes, answers);
  addTally(total, tally);
  if (reports.length > 0) throw new Error(reports.join('\n'));
  return tally;
}

const skipped = skipsKernelTests();
const fixtures = readFixtures('iptables');
// Native nft tables beside iptables need the whole of trace.
const native = fixtures.filter(({ rules }) => rules.nft !== undefined);
if (native.length > 0) process.stdout.write(`not compared yet: ${native.map((f) => f.name).join(', ')}\n`);

describe.skipIf(skipped)('iptables rule sets get the verdicts that the kernel gives', () => {
  const total = { ...EMPTY_TALLY };
  afterAll(() => process.stdout.write(`iptables, hand-written: ${tallyLine(total)}\n`));

  it.concurrent.each(fixtures.filter((fixture) => !native.includes(fixture)))(
    '$name',
    async ({ rules, options, packets }) => {
      const aimed = aimPackets(rules, options, PACKETS_PER_FIXTURE, 1);
      const tally = await check(total, rules, [...packets, ...aimed], options);
      expect(tally.untestable).toBeLessThan(tally.packets / 10);
    },
  );
});

describe.skipIf(skipped)('random iptables rule sets get the verdicts that the kernel gives', () => {
  const total = { ...EMPTY_TALLY };
  afterAll(() => process.stdout.write(`iptables, generated: ${tallyLine(total)}\n`));

  const seeds = Array.from({ length: LAST_SEED - FIRST_SEED + 1 }, (_, index) => FIRST_SEED + index);
  it.concurrent.each(seeds)('seed %i', async (seed) => {
    const { rules, options } = generateIptables(seed);
    await check(total, rules, aimPackets(rules, options, PACKETS_PER_GENERATED, seed), options);
  });
});
