import { type Predicate, readBoolean } from './predicate.ts';

/** Whether the rule carries a comment. A policy cannot. */
export const hasComment: Predicate = {
  name: 'has-comment',
  kind: 'subject',
  description: 'The rule has a comment; a policy, which cannot have one, is never meant',
  takes: '`true` or `false`',
  scopes: ['rule'],
  examples: [{ yaml: 'false', means: 'rules that do not say what they are for' }],
  read: (value, path, decoder) => {
    const wanted = readBoolean(value, path, decoder);
    return {
      kind: 'subject',
      holds: ({ rule }) => rule !== undefined && ((rule.comment ?? '').trim() !== '') === wanted,
    };
  },
};
