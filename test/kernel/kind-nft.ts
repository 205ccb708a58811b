import { readExports } from './ask-nwaudit.ts';
import type { GeneratedRules } from './generate-iptables.ts';
import { generateNft } from './generate-nft.ts';
import type { KernelKind } from './kernel-kind.ts';
import { runRules } from './kind-iptables.ts';
import { aimPackets } from './packets.ts';
import { withoutLines, withoutWords } from './smaller.ts';

export const NFT: KernelKind<GeneratedRules> = {
  name: 'nft',
  generate: (seed) => {
    const { nft, options } = generateNft(seed);
    return { rules: { nft }, options };
  },
  aim: ({ rules, options }, count, seed) => aimPackets(rules, options, count, seed),
  run: runRules,
  mend: withoutRefused,
  readings: [{ name: 'from nft JSON', read: (_, exports) => readExports(exports, ['nft-json']) }],
  smaller: smallerText,
  toFiles: ({ rules, options }) => ({
    'ruleset.nft': rules.nft ?? '',
    'options.json': `${JSON.stringify(options)}\n`,
  }),
  fromFiles: (files) => ({
    rules: { nft: files['ruleset.nft'] ?? '' },
    // Written by `toFiles`.
    options: JSON.parse(files['options.json'] ?? '{}') as GeneratedRules['options'],
  }),
};

function withoutRefused(made: GeneratedRules, detail: string): GeneratedRules | undefined {
  const nft = withoutRefusedLines(made.rules.nft ?? '', detail);
  return nft === undefined ? undefined : { ...made, rules: { ...made.rules, nft } };
}

/** A rule set without the lines that nft complains about: random matches may contradict each other. `undefined` where it names none. */
export function withoutRefusedLines(nft: string, detail: string): string | undefined {
  const refused = new Set([...detail.matchAll(/stdin:(\d+):/g)].map((found) => Number(found[1])));
  if (refused.size === 0) return undefined;
  return nft
    .split('\n')
    .filter((_, index) => !refused.has(index + 1))
    .join('\n');
}

/** Opening and closing lines, and what makes a chain a base chain. */
const FRAME = /[{]$|^\s*\}?$|^\s*type \w+ hook/;

function* smallerText(made: GeneratedRules): Generator<GeneratedRules> {
  const text = made.rules.nft ?? '';
  const withText = (nft: string): GeneratedRules => ({ ...made, rules: { ...made.rules, nft } });
  for (const table of text.match(/^table [\s\S]*?^\}/gm) ?? []) {
    const rest = text.replace(table, '');
    if (/^table/m.test(rest)) yield withText(rest);
  }
  for (const chain of text.match(/^\tchain [\s\S]*?^\t\}\n?/gm) ?? [])
    yield withText(text.replace(chain, ''));
  for (const smaller of withoutLines(text, (line) => FRAME.test(line))) yield withText(smaller);
  yield* [...withoutWords(text, (line) => !FRAME.test(line), 0, 6)].map(withText);
}
