import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Ruleset } from '../../src/model/index.ts';
import { answersOf, type NwauditAnswer } from './ask-nwaudit.ts';
import { addTally, compare, EMPTY_TALLY, type Tally, tallyLine, undecidedOtherwise } from './compare.ts';
import { skipsFirewalldTests } from './environment.ts';
import { firewalldAimOptions, firewalldAsRules } from './firewalld-aim.ts';
import { readFirewalldExports, readFirewalldXml } from './firewalld-ask.ts';
import { type FirewalldFixture, readFirewalldCorpus, readFirewalldFixtures } from './firewalld-fixtures.ts';
import {
  type FirewalldAnswer,
  type FirewalldFiles,
  runFirewalldCase,
  runFirewalldDaemon,
} from './firewalld-run.ts';
import { generateFirewalld } from './generate-firewalld.ts';
import { aimPackets } from './packets.ts';
import type { TracePacket } from './trace-packet.ts';

const PACKETS_PER_FIXTURE = 150;
const PACKETS_PER_GENERATED = 120;
/** Random configurations that the whole daemon is started with as well. */
const DAEMON_SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
/** Longer runs name their seeds: `NWAUDIT_KERNEL_SEEDS=1000-1999`. */
const [FIRST_SEED = 1, LAST_SEED = 12] =
  (process.env.NWAUDIT_KERNEL_SEEDS ?? '').match(/\d+/g)?.map(Number) ?? [];
/** A folder of whole configurations, each in `NAME/etc-firewalld`, to be run besides. */
const CORPUS = process.env.NWAUDIT_FIREWALLD_CORPUS;

const skipped = skipsFirewalldTests('firewalld kernel tests');

interface Totals {
  readonly json: Tally;
  readonly xml: Tally;
}

function newTotals(): Totals {
  return { json: { ...EMPTY_TALLY }, xml: { ...EMPTY_TALLY } };
}

function printTotals(what: string, totals: Totals): void {
  process.stdout.write(`firewalld, ${what}, from nft JSON: ${tallyLine(totals.json)}\n`);
  process.stdout.write(`firewalld, ${what}, from its XML: ${tallyLine(totals.xml)}\n`);
}

interface Checked {
  readonly kernel: FirewalldAnswer;
  readonly tallies: readonly Tally[];
  /** Answers that are unknown for another reason than what nft does not print of the IP version. */
  readonly undecided: readonly NwauditAnswer[];
}

/** Starts, sends, compares both ways and counts; explains every wrong answer of either in the failure. */
async function check(
  totals: Totals,
  fixture: FirewalldFixture,
  count: number,
  seed: number,
): Promise<Checked> {
  const { files } = fixture;
  const rules = firewalldAsRules(files);
  const options = firewalldAimOptions(files, fixture.options);
  const packets = aimPackets(rules, options, count, seed);
  const kernel = await runFirewalldCase({ files, packets, interfaces: options.interfaces ?? [] });
  const problems: string[] = [];
  const tallies: Tally[] = [];
  const undecided: NwauditAnswer[] = [];
  const judge = (total: Tally, way: string, read: () => Ruleset): void => {
    try {
      const answers = answersOf(read(), packets);
      const { tally, reports } = compare({}, packets, kernel.outcomes, answers);
      undecided.push(...undecidedOtherwise(answers));
      addTally(total, tally);
      tallies.push(tally);
      if (reports.length > 0) problems.push(`from ${way}:`, ...reports);
    } catch (error) {
      problems.push(`from ${way}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    }
  };
  if (fixture.options.jsonLoses === undefined)
    judge(totals.json, 'nft JSON', () => readFirewalldExports(kernel.exports));
  if (fixture.options.xmlDiffers === undefined) judge(totals.xml, 'XML', () => readFirewalldXml(files));
  if (problems.length > 0) throw new Error([...problems, describeCase(files, kernel, packets)].join('\n'));
  return { kernel, tallies, undecided };
}

function describeCase(
  files: FirewalldFiles,
  kernel: FirewalldAnswer,
  packets: readonly TracePacket[],
): string {
  const texts = Object.entries(files).map(([path, text]) => `---- ${path}\n${text}`);
  return [`---- firewalld: ${kernel.state}, ${packets.length} packets`, ...kernel.log, ...texts].join('\n');
}

describe.skipIf(skipped)(
  'firewalld configurations get the verdicts that the kernel gives under the real firewalld',
  () => {
    const totals = newTotals();
    afterAll(() => printTotals('hand-written', totals));

    const fixtures = skipped ? [] : readFirewalldFixtures();
    for (const { name, options } of fixtures) {
      if (options.jsonLoses !== undefined)
        process.stdout.write(`not compared from nft JSON: ${name} (${options.jsonLoses})\n`);
      if (options.xmlDiffers !== undefined)
        process.stdout.write(`not compared from XML: ${name} (${options.xmlDiffers})\n`);
    }
    it.concurrent.each(fixtures)('$name', async (fixture) => {
      const { kernel, tallies, undecided } = await check(totals, fixture, PACKETS_PER_FIXTURE, 1);
      expect(kernel.state).toBe(fixture.options.failed === true ? 'FAILED' : 'RUNNING');
      for (const tally of tallies) {
        expect(tally.untestable).toBeLessThan(tally.packets / 4);
      }
      if (fixture.options.unknown !== true && fixture.options.failed !== true) expect(undecided).toEqual([]);
    });
  },
);

/** What firewalld loaded, without times, and without what ipset draws by lot. */
function loadedBy({ state, log, exports }: FirewalldAnswer): unknown {
  // The exports are texts by name.
  const lines = (Object.entries(exports) as [string, string][]).map(([name, text]): [string, string[]] => [
    name,
    text
      .replace(/ initval 0x[0-9a-f]+/g, '')
      .split('\n')
      .filter((line) => !line.startsWith('# ')),
  ]);
  const { 'ipset-save': sets, ...others } = Object.fromEntries(lines);
  return { state, log, ...others, 'ipset-save': sets?.sort() };
}

describe.skipIf(skipped)('the engine of firewalld alone, loads what the daemon loads', () => {
  it.each(DAEMON_SEEDS)('seed %i', async (seed) => {
    const { files } = generateFirewalld(seed);
    const firewalldCase = { files, packets: [], interfaces: ['eth0'] };
    const engine = await runFirewalldCase(firewalldCase);
    expect(engine.exports['nft-json']).toContain(
      files['firewalld.conf']?.includes('FirewallBackend=iptables') ? 'INPUT' : 'firewalld',
    );
    expect(loadedBy(engine)).toEqual(loadedBy(await runFirewalldDaemon(firewalldCase)));
  });
});

describe.skipIf(skipped)('random firewalld configurations get the verdicts that the kernel gives', () => {
  const totals = newTotals();
  let failed = 0;
  afterAll(() => {
    printTotals('generated', totals);
    process.stdout.write(
      `firewalld, generated: refused by firewalld ${failed} of ${LAST_SEED - FIRST_SEED + 1}\n`,
    );
  });

  const seeds = Array.from({ length: LAST_SEED - FIRST_SEED + 1 }, (_, index) => FIRST_SEED + index);
  it.concurrent.each(seeds)('seed %i', async (seed) => {
    const { files, options } = generateFirewalld(seed);
    const { kernel } = await check(
      totals,
      { name: `seed ${seed}`, files, options },
      PACKETS_PER_GENERATED,
      seed,
    );
    if (kernel.state === 'FAILED') failed++;
  });
});

describe.skipIf(skipped || CORPUS === undefined || !existsSync(CORPUS))(
  'configurations of real hosts get the verdicts that the kernel gives under the real firewalld',
  () => {
    const totals = newTotals();
    afterAll(() => printTotals('corpus', totals));

    it.concurrent.each(skipped || CORPUS === undefined ? [] : readFirewalldCorpus(CORPUS))(
      '$name',
      async (fixture) => {
        await check(totals, fixture, PACKETS_PER_FIXTURE, 1);
      },
    );
  },
);
