/** Exports made to be too large, cut to a size for tests, under budgets cut as much: a right answer or a refusal that names host and budget. */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Report } from '../../src/finding/index.ts';
import { REPORTERS } from '../../src/report/index.ts';
import { scanTexts } from '../scan-support.ts';
import { fleet, type HostFiles, INPUTS, NEIGHBOUR } from './inputs.mjs';

const CONFIG = {
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101'] },
    'client-neighbour': { role: 'client', addresses: ['192.0.2.102'] },
  },
};

const inFolder = (folder: string, files: HostFiles) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));

/** Without advice, which is tried out only where there is room to. */
const findingsOf = (report: Report, host: string) =>
  report.findings.filter((f) => f.host === host).map(({ remediation, ...rest }) => rest);

/** Those that count in thousands, or make more of each. */
const SMALLER: Readonly<Record<string, number>> = {
  ipsets: 2,
  'one-ipset': 1,
  'nft-map': 1,
  'nft-sets': 2,
  zones: 4,
};
const SIZE = 10;
const MEGABYTE = 1024 ** 2;

interface Budgets {
  readonly nodeBudget?: number;
  readonly heapBytes?: number;
}

describe.each(Object.entries(INPUTS))('%s', (name, { files }) => {
  const texts = {
    ...inFolder('client-01', files(SMALLER[name] ?? SIZE)),
    ...inFolder(NEIGHBOUR.name, NEIGHBOUR.files),
  };
  const run = (budgets: Budgets) => scanTexts(texts, CONFIG, budgets);
  let known: Report | undefined;
  const judgedWhole = () => {
    known ??= run({});
    return known;
  };

  test('of a size that is no trouble, it is judged whole', () => {
    const whole = judgedWhole();
    expect(whole.hosts.every(({ notRun }) => notRun.length === 0)).toBe(true);
    expect(findingsOf(whole, NEIGHBOUR.name).map(({ check }) => check)).toContain('client-inbound-unscoped');
  });

  test.each<Budgets>([
    { nodeBudget: 5_000 },
    { nodeBudget: 50_000 },
    { heapBytes: MEGABYTE / 20 },
    { heapBytes: MEGABYTE / 2 },
  ])('within %j what is said is what is said without limits, and what is missing is told', (budgets) => {
    const report = run(budgets);
    const whole = judgedWhole();
    const wholeOf = new Map(whole.hosts.map(({ name }) => [name, findingsOf(whole, name)]));
    let isCut = false;
    for (const host of report.hosts) {
      const lost = new Set(host.notRun.map(({ check }) => check));
      const isUnread = report.inputs.some((input) => input.host === host.name && !input.whole);
      isCut ||= lost.size > 0 || isUnread;
      const all = wholeOf.get(host.name) ?? [];
      const here = findingsOf(report, host.name);
      for (const { reason } of host.notRun)
        expect(reason).toMatch(/(?:nodes|steps|rule visits|heap).*|findings than are listed, which are \d/);
      if (isUnread) {
        expect(here.map(({ check }) => check)).toContain('unread-input');
        continue;
      }
      for (const check of new Set([...all, ...here].map((f) => f.check))) {
        if (check === 'unread-input') continue;
        const [mine, theirs] = [here, all].map((list) => list.filter((f) => f.check === check));
        if (lost.has(check)) for (const finding of mine ?? []) expect(theirs).toContainEqual(finding);
        else expect(mine, check).toEqual(theirs);
      }
      expect(here.some(({ check }) => check === 'unread-input')).toBe(lost.size > 0);
    }
    expect(report.exitCode === 3).toBe(isCut);
    const text = REPORTERS.text(report, {
      color: false,
      width: 100,
      minSeverity: 'info',
      showSuppressed: true,
    });
    if (isCut) expect(text).toMatch(/INCOMPLETE/);
  });
});

describe('limits of memory', () => {
  const RULES = INPUTS['different-rules']!.files(300);
  const texts = { ...inFolder('client-01', RULES), ...inFolder(NEIGHBOUR.name, NEIGHBOUR.files) };

  test('a host with more rules than the heap may hold is refused by name, and the others are judged', () => {
    const report = scanTexts(texts, CONFIG, { heapBytes: 2 * MEGABYTE });
    const [host, neighbour] = report.hosts;
    expect(host?.name).toBe('client-01');
    expect(host?.judged).toBe(false);
    expect(host?.notRun[0]?.reason).toMatch(/its 300 rules and \d+ values.* heap of 2 MB/);
    expect(neighbour?.notRun).toEqual([]);
    expect(findingsOf(report, NEIGHBOUR.name).length).toBeGreaterThan(1);
    expect(findingsOf(report, 'client-01').map(({ check }) => check)).toEqual(['unread-input']);
    expect(report.exitCode).toBe(3);
  });

  test('rules that translate take more, with the square of their number', () => {
    const reasonFor = (input: string) =>
      scanTexts(inFolder('client-01', INPUTS[input]!.files(400)), CONFIG, { heapBytes: 6 * MEGABYTE })
        .hosts[0]?.notRun[0]?.reason ?? '';
    expect(reasonFor('nat')).toMatch(/its 402 rules \(400 of them translate\) and \d+ values.* heap of 6 MB/);
    expect(reasonFor('different-rules')).not.toMatch(/may need/);
  });

  test('a host with more bytes than the heap may hold is not read, and the others are judged', () => {
    const report = scanTexts(texts, CONFIG, { heapBytes: MEGABYTE / 4 });
    expect(report.inputs.filter(({ whole }) => !whole).map(({ host }) => host)).toEqual(['client-01']);
    expect(report.diagnostics.map(({ detail }) => detail).join()).toMatch(
      /the files of client-01 have 0\.0 MB, more than the 0\.0 MB that a heap of 0\.3 MB is enough for/,
    );
    expect(findingsOf(report, NEIGHBOUR.name).map(({ check }) => check)).toContain('client-inbound-unscoped');
    expect(report.exitCode).toBe(3);
  });

  test('with the heap it needs the same host is judged whole', () => {
    const report = scanTexts(texts, CONFIG, { heapBytes: 16 * MEGABYTE });
    expect(report.hosts.every(({ notRun }) => notRun.length === 0)).toBe(true);
  });
});

describe('many hosts', () => {
  test('what is said of each pair of hosts does not depend on how many there are', () => {
    const { files, config } = fleet(3);
    const report = scanTexts(files, parse(config));
    expect(report.hosts).toHaveLength(6);
    expect(report.hosts.every(({ notRun }) => notRun.length === 0)).toBe(true);
    const perHost = new Set(
      report.hosts.map(
        ({ name }) => findingsOf(report, name).filter((f) => f.check === 'missing-required-path').length,
      ),
    );
    expect(perHost.size).toBeLessThanOrEqual(2);
  });
});
