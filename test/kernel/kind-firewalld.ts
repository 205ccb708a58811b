import { firewalldAimOptions, firewalldAsRules } from './firewalld-aim.ts';
import { readFirewalldExports, readFirewalldXml } from './firewalld-ask.ts';
import type { FirewalldFixtureOptions } from './firewalld-fixtures.ts';
import { runFirewalldCase } from './firewalld-run.ts';
import { type GeneratedFirewalld, generateFirewalld } from './generate-firewalld.ts';
import type { KernelKind } from './kernel-kind.ts';
import { aimPackets } from './packets.ts';
import type { KernelExports } from './run-kernel-case.ts';
import { withoutLines, withoutStretches } from './smaller.ts';

/** The real firewalld over a random configuration: read from what it loaded, and from its XML. */
export const FIREWALLD: KernelKind<GeneratedFirewalld> = {
  name: 'firewalld',
  generate: generateFirewalld,
  aim: ({ files, options }, count, seed) =>
    aimPackets(firewalldAsRules(files), firewalldAimOptions(files, options), count, seed),
  run: async ({ files, options }, packets) => {
    const interfaces = firewalldAimOptions(files, options).interfaces ?? [];
    const { state, outcomes, exports } = await runFirewalldCase({ files, packets, interfaces });
    const texts = Object.fromEntries(Object.entries(exports).filter(([, text]) => text !== ''));
    return {
      kind: 'ran',
      outcomes,
      exports: texts,
      notes: state === 'FAILED' ? ['firewalld refuses the configuration and runs its stock one'] : [],
    };
  },
  readings: [
    {
      name: 'from its XML',
      applies: ({ options }) => options.xmlDiffers === undefined,
      read: ({ files }) => readFirewalldXml(files),
    },
    {
      name: 'from nft JSON and iptables-save',
      applies: ({ options }) => options.jsonLoses === undefined,
      // Written by `run`.
      read: (_, exports) => readFirewalldExports(exports as unknown as KernelExports),
    },
  ],
  smaller: smallerFiles,
  toFiles: ({ files, options }) => ({ ...files, 'options.json': `${JSON.stringify(options)}\n` }),
  fromFiles: ({ 'options.json': options, ...files }) => ({
    files,
    // Written by `toFiles`.
    options: JSON.parse(options ?? '{}') as FirewalldFixtureOptions,
  }),
};

/** Opening and closing lines of a file. */
const FRAME = /^<\?xml|^<\/?(zone|policy|service|ipset|direct|icmptype|helper)\b|^$/;

function* smallerFiles(made: GeneratedFirewalld): Generator<GeneratedFirewalld> {
  const entries = Object.entries(made.files);
  for (const some of withoutStretches(entries, ([path]) => path === 'firewalld.conf'))
    yield { ...made, files: Object.fromEntries(some) };
  for (const [path, text] of entries)
    for (const smaller of withoutLines(text, (line) => FRAME.test(line)))
      yield { ...made, files: { ...made.files, [path]: smaller } };
}
