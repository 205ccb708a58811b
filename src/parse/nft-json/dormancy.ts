import type { Family, Origin, Rule } from '../../model/index.ts';
import type { DiagnosticLog } from '../diagnostic-log.ts';
import { unknown } from './conditions.ts';
import { found } from './misread.ts';

/** Whether a table does anything. */
export type Dormancy =
  | { readonly kind: 'active' | 'dormant' }
  /** The flags do not tell. `guard` begins each base chain: it lets packets pass where the table is dormant. */
  | { readonly kind: 'unsure'; readonly guard: Rule };

/** Flags that do not put a table to sleep. */
const OTHER_FLAGS: ReadonlySet<unknown> = new Set(['owner', 'persist']);

/**
 * What the flags of a table say. nft 1.0.6 prints other text in place of a flag's name: the table's own name, or the name of the
 * release. So text that is no flag stands for a flag that is not known, and the flag of a table that is called like a flag
 * tells nothing either.
 */
export function readDormancy(
  family: Family,
  name: string,
  flags: readonly unknown[],
  origin: Origin,
  log: DiagnosticLog,
): Dormancy {
  const told = flags.filter((flag) => flag !== name);
  if (told.includes('dormant')) return { kind: 'dormant' };
  const garbled = flags.find((flag) => flag === name || !OTHER_FLAGS.has(flag));
  if (garbled === undefined) return { kind: 'active' };
  const table = `table ${family} ${name.slice(0, 80)}`;
  const begin = `${origin.path}.flags: expected "dormant", "owner" or "persist", found ${found(garbled)}, as nft 1.0.6 prints`;
  if (name === 'firewalld') {
    // firewalld owns its table and never lets it sleep.
    log.addAt('note', false, origin, `${begin}; firewalld's own flag "owner" is assumed`);
    return { kind: 'active' };
  }
  log.addAt(
    'unsupported',
    false,
    origin,
    `${begin}; ${table} may be dormant and do nothing, so its verdicts are unknown: look at the flags with "nft list ${table}", and export with a newer nft`,
  );
  const text = `${table} is dormant`;
  return {
    kind: 'unsure',
    guard: {
      matches: [{ text, condition: unknown('deterministic', text) }],
      statements: [],
      verdict: { kind: 'accept' },
      text,
      comment: undefined,
      counters: undefined,
      number: undefined,
      handle: undefined,
      origin,
    },
  };
}
