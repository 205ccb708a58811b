import { type Predicate, readWords } from './predicate.ts';

const VERDICTS = ['accept', 'drop', 'reject', 'return', 'jump', 'goto', 'continue', 'queue'] as const;

/** The verdict a rule gives; for a policy, the default of the chain. */
export const verdict: Predicate = {
  name: 'verdict',
  kind: 'subject',
  description: 'The rule ends with this verdict, or one of these; a policy counts like a rule',
  takes:
    '`accept`, `drop`, `reject`, `return`, `jump`, `goto`, `continue` (a rule that only logs or marks), `queue`, or a list',
  scopes: ['rule'],
  examples: [{ yaml: '[drop, reject]', means: 'only rules and policies that stop packets are looked at' }],
  read: (value, path, decoder) => {
    const verdicts: readonly string[] = readWords(value, path, decoder, VERDICTS);
    return {
      kind: 'subject',
      holds: ({ rule, chain }) => verdicts.includes(rule?.verdict.kind ?? chain?.base?.chainPolicy ?? ''),
    };
  },
};
