import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipsKernelTests } from './environment.ts';
import { compareReadings, examine } from './examine.ts';
import { findKind } from './kinds.ts';
import { keepRegression, REGRESSIONS, type Regression, readRegressions } from './regression.ts';

const kept = readRegressions(REGRESSIONS);

describe('disagreements with the kernel that were mended stay mended', () => {
  it.each(kept)('$name: the exports of then get the verdicts of then', (regression) => {
    const kind = findKind(regression.kind)!;
    const made = kind.fromFiles(regression.rules);
    const { problems } = compareReadings(
      kind,
      made,
      regression.packets,
      regression.verdicts,
      regression.exports,
    );
    expect(problems.map(({ report }) => report)).toEqual([]);
  });
});

describe.skipIf(skipsKernelTests())('the kernel still does what it did with kept disagreements', () => {
  it.concurrent.each(kept)('$name', async (regression) => {
    const kind = findKind(regression.kind)!;
    const found = await examine(kind, kind.fromFiles(regression.rules), regression.packets);
    if (found.kind === 'refused') expect.fail(found.detail);
    expect(found.problems.map(({ report }) => report)).toEqual([]);
    expect(found.outcomes).toEqual(regression.verdicts);
  });
});

describe('a kept disagreement', () => {
  it('is read back as it was written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nwaudit-regression-'));
    const regression: Regression = {
      name: 'nft-1-sets',
      kind: 'nft',
      was: 'from nft JSON: packet sets and kernel differ in the verdict',
      rules: { 'ruleset.nft': 'table ip t {\n}\n', 'zones/a.xml': '<zone/>' },
      packets: [{ hook: 'input', saddr: '192.0.2.1', daddr: '192.0.2.2', proto: 47 }],
      verdicts: [{ verdict: 'accept', daddr: '192.0.2.2' }],
      exports: { 'nft-json': '{}' },
    };
    try {
      keepRegression(folder, regression);
      expect(readRegressions(folder)).toEqual([regression]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
