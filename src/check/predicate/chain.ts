import { type Predicate, readTexts } from './predicate.ts';

/** It stands in a chain of one of these names, letter by letter. */
export const chain: Predicate = {
  name: 'chain',
  kind: 'subject',
  description: 'It is, or stands in, the chain with this name, or one of these',
  takes: 'a name, or a list',
  scopes: ['rule', 'chain'],
  examples: [{ yaml: 'INPUT', means: 'other chains are not looked at' }],
  read: (value, path, decoder) => {
    const names = readTexts(value, path, decoder);
    return { kind: 'subject', holds: (subject) => names.includes(subject.chain?.name ?? '') };
  },
};
