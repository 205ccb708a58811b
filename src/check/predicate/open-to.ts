import type { Predicate } from './predicate.ts';

const WIDTHS = ['any', 'narrow'] as const;

/** How wide the access is that an `accepts` predicate found. */
export const openTo: Predicate = {
  name: 'open-to',
  kind: 'found',
  description: 'How wide the access is that `accepts-any-of` or `accepts-all-of` found',
  takes: '`any`: at least half of the addresses of an IP version; `narrow`: fewer',
  scopes: ['rule', 'chain', 'host'],
  examples: [
    { yaml: 'any', means: 'what is found is open to anybody' },
    { yaml: 'narrow', means: 'what is found is open to some addresses only' },
  ],
  read: (value, path, decoder) => {
    const wanted = decoder.oneOf(value ?? null, path, WIDTHS);
    return { kind: 'found', holds: (found) => found.isAny === (wanted === 'any') };
  },
};
