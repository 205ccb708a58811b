import { type Predicate, readTexts } from './predicate.ts';

/** It stands in a table of one of these names, letter by letter. */
export const table: Predicate = {
  name: 'table',
  kind: 'subject',
  description: 'It stands in the table with this name, or one of these',
  takes: 'a name, or a list',
  scopes: ['rule', 'chain'],
  examples: [{ yaml: 'filter', means: 'other tables are not looked at' }],
  read: (value, path, decoder) => {
    const names = readTexts(value, path, decoder);
    return { kind: 'subject', holds: (subject) => names.includes(subject.table?.name ?? '') };
  },
};
