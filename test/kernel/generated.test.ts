import { afterAll, describe, expect, it } from 'vitest';
import { addTally, EMPTY_TALLY, tallyLine } from './compare.ts';
import { skipsFirewalldTests, skipsKernelTests } from './environment.ts';
import { examineSeed } from './examine.ts';
import { findKind, KINDS } from './kinds.ts';

const PACKETS = 120;

/** Seeds that every run takes, and how many new ones besides. `firewalld.test.ts` has firewalld's fixed ones. */
const SEEDS: Readonly<Record<string, { readonly fixed: number; readonly fresh: number }>> = {
  iptables: { fixed: 25, fresh: 5 },
  ip6tables: { fixed: 15, fresh: 5 },
  nft: { fixed: 20, fresh: 5 },
  firewalld: { fixed: 0, fresh: 2 },
};

/** First of the new seeds: others every day, the same for the whole day, so that a failure can be repeated. */
const FRESH = 100_000 + Math.floor(Date.now() / 86_400_000) * 10;

const withoutKernel = skipsKernelTests();

for (const name of KINDS.map((kind) => kind.name)) {
  const skipped =
    withoutKernel || (name === 'firewalld' && skipsFirewalldTests('generated firewalld configurations'));
  const { fixed = 0, fresh = 0 } = SEEDS[name] ?? {};
  const seeds = [
    ...Array.from({ length: fixed }, (_, index) => 1 + index),
    ...Array.from({ length: fresh }, (_, index) => FRESH + index),
  ];
  describe.skipIf(skipped)(
    `generated rule sets of the kind ${name} get the verdicts that the kernel gives`,
    () => {
      const kind = findKind(name)!;
      const total = { ...EMPTY_TALLY };
      let refused = 0;
      afterAll(() =>
        process.stdout.write(
          `${name}, generated: ${tallyLine(total)}, refused ${refused}; new seeds ${FRESH}-${FRESH + fresh - 1}\n`,
        ),
      );
      it.concurrent.each(seeds)('seed %i', async (seed) => {
        const { made, examination } = await examineSeed(kind, seed, PACKETS);
        if (examination.kind === 'refused') {
          refused++;
          return;
        }
        addTally(total, Object.values(examination.tallies)[0] ?? EMPTY_TALLY);
        const reports = examination.problems.map(({ reading, report }) => `${reading}: ${report}`);
        const again = `npm run test:kernel -- --kind ${name} --seeds ${seed} --packets ${PACKETS} --keep`;
        if (reports.length > 0)
          expect.fail(
            [`shrink it with: ${again}`, ...reports, JSON.stringify(kind.toFiles(made))].join('\n'),
          );
      });

      it('are mostly taken by the tools, and mostly decided', () => {
        expect(refused).toBeLessThan(seeds.length / 5);
        expect(total.unknown).toBeLessThan(total.packets / 10);
      });
    },
  );
}
