import type { Family } from '../../model/index.ts';
import { type Predicate, readWords } from './predicate.ts';

const FAMILIES = ['ip', 'ip6', 'inet'] as const satisfies readonly Family[];

/** The table has one of the families. */
export const family: Predicate = {
  name: 'family',
  kind: 'subject',
  description:
    'The table has this family: `ip` and `ip6` as with iptables and ip6tables, `inet` for both IP versions',
  takes: '`ip`, `ip6`, `inet`, or a list',
  scopes: ['rule', 'chain'],
  examples: [{ yaml: 'ip6', means: 'only rules of ip6tables, or of such tables of nft, are looked at' }],
  read: (value, path, decoder) => {
    const families: readonly Family[] = readWords(value, path, decoder, FAMILIES);
    return { kind: 'subject', holds: ({ table }) => table !== undefined && families.includes(table.family) };
  },
};
