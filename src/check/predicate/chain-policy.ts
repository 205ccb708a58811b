import { type Predicate, readWords } from './predicate.ts';

/** The default verdict at the end of a base chain. */
export const chainPolicy: Predicate = {
  name: 'chain-policy',
  kind: 'subject',
  description: 'It is a base chain with this policy; never holds for chains that others jump to',
  takes: '`accept` or `drop`',
  scopes: ['chain'],
  examples: [{ yaml: 'accept', means: 'what no rule decides is accepted' }],
  read: (value, path, decoder) => {
    const policies: readonly string[] = readWords(value, path, decoder, ['accept', 'drop'] as const);
    return { kind: 'subject', holds: ({ chain }) => policies.includes(chain?.base?.chainPolicy ?? '') };
  },
};
