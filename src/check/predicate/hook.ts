import { ALL_SCOPES, type Predicate, readWords } from './predicate.ts';

/** Which ways through the host are looked at; without it, what comes in. */
export const hook: Predicate = {
  name: 'hook',
  kind: 'hook',
  description: 'The way of the packets: to the host, through it, or from it; without this predicate `input`',
  takes: '`input`, `forward`, `output`, or a list',
  scopes: ALL_SCOPES,
  examples: [
    { yaml: 'forward', means: 'what the host passes on is looked at' },
    { yaml: '[input, forward]', means: 'both are looked at, and each gives findings of its own' },
  ],
  read: (value, path, decoder) => ({
    kind: 'hook',
    hooks: readWords(value, path, decoder, ['input', 'forward', 'output'] as const),
  }),
};
