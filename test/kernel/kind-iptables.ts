import { ALL_EXPORTS, readExports, WITHOUT_NFT } from './ask-nwaudit.ts';
import { type GeneratedRules, generateIp6tables, generateIptables } from './generate-iptables.ts';
import type { Files, KernelKind, KindAnswer } from './kernel-kind.ts';
import { aimPackets } from './packets.ts';
import { type KernelExports, type KernelRules, runKernelCase } from './run-kernel-case.ts';
import { withoutLines, withoutWords } from './smaller.ts';
import type { TracePacket } from './trace-packet.ts';

/** Files of a kept case, by the part of the rules they hold. */
const FILES = { iptables: 'ip.rules', ip6tables: 'ip6.rules', ipset: 'sets.ipset', nft: 'more.nft' } as const;
type Part = keyof typeof FILES;
// Object.keys of the object above.
const PARTS = Object.keys(FILES) as Part[];

export const IPTABLES: KernelKind<GeneratedRules> = kindOf('iptables', generateIptables);
export const IP6TABLES: KernelKind<GeneratedRules> = kindOf('ip6tables', generateIp6tables);

function kindOf(name: string, generate: (seed: number) => GeneratedRules): KernelKind<GeneratedRules> {
  return {
    name,
    generate,
    aim: ({ rules, options }, count, seed) => aimPackets(rules, options, count, seed),
    run: runRules,
    readings: [
      { name: 'from iptables-save', read: (_, exports) => readExports(exports, WITHOUT_NFT) },
      {
        name: 'from iptables-save and nft JSON',
        // nft does not see what the legacy tools loaded.
        applies: ({ rules }) => rules.legacy !== true,
        read: (_, exports) => readExports(exports, ALL_EXPORTS),
      },
      {
        name: 'from nft JSON alone, which hides some matches',
        applies: ({ rules }) => rules.legacy !== true,
        read: (_, exports) => readExports(exports, ['nft-json']),
      },
    ],
    smaller: smallerRules,
    toFiles: ({ rules, options }) => ({
      ...Object.fromEntries(
        PARTS.flatMap((part) => (rules[part] === undefined ? [] : [[FILES[part], rules[part]]])),
      ),
      'options.json': `${JSON.stringify({ ...options, ...(rules.legacy === true ? { legacy: true } : {}) })}\n`,
    }),
    fromFiles,
  };
}

/** Loads, exports and sends rules of any of the tools but firewalld. */
export async function runRules(
  { rules, options }: GeneratedRules,
  packets: readonly TracePacket[],
): Promise<KindAnswer> {
  const answer = await runKernelCase({ load: rules, packets, interfaces: options.interfaces ?? [] });
  if (answer.kind === 'load-refused') return { kind: 'refused', detail: answer.detail };
  return { kind: 'ran', outcomes: answer.outcomes, exports: toFiles(answer.exports), notes: [] };
}

function toFiles(exports: KernelExports): Files {
  return Object.fromEntries(Object.entries(exports).filter(([, text]) => text !== ''));
}

function fromFiles(files: Files): GeneratedRules {
  // Written by `toFiles`.
  const { legacy, ...options } = JSON.parse(files['options.json'] ?? '{}') as GeneratedRules['options'] & {
    readonly legacy?: boolean;
  };
  const parts = PARTS.flatMap((part) =>
    files[FILES[part]] === undefined ? [] : [[part, files[FILES[part]]]],
  );
  const rules = Object.fromEntries(parts) as KernelRules;
  return { rules: legacy === true ? { ...rules, legacy } : rules, options };
}

function* smallerRules(made: GeneratedRules): Generator<GeneratedRules> {
  const { rules } = made;
  const withPart = (part: Part, text: string): GeneratedRules => ({
    ...made,
    rules: { ...rules, [part]: text },
  });
  for (const part of PARTS) {
    const { [part]: text, ...rest } = rules;
    if (text !== undefined && Object.keys(rest).some((key) => key !== 'legacy'))
      yield { ...made, rules: rest };
  }
  for (const part of ['iptables', 'ip6tables'] as const) {
    const text = rules[part];
    if (text === undefined) continue;
    for (const table of text.match(/^\*[\s\S]*?^COMMIT$/gm) ?? []) {
      const rest = text.replace(`${table}\n`, '');
      if (rest !== '') yield withPart(part, rest);
    }
    // Rules, and the chains that no rule of the text names any more.
    for (const smaller of withoutLines(text, (line) => !line.startsWith('-A ')))
      yield withPart(part, smaller);
    for (const smaller of withoutLines(text, (line) => !/^:\S+ -/.test(line))) yield withPart(part, smaller);
  }
  if (rules.ipset !== undefined)
    for (const smaller of withoutLines(rules.ipset, (line) => line === '')) yield withPart('ipset', smaller);
  for (const part of ['iptables', 'ip6tables'] as const)
    for (const smaller of withoutWords(rules[part] ?? '', (line) => line.startsWith('-A '), 2))
      yield withPart(part, smaller);
}
