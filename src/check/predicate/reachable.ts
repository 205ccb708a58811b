import { isReached } from '../reached.ts';
import { type Predicate, readBoolean } from './predicate.ts';

/** Whether some packet comes to the rule and matches, or enters the chain. */
export const reachable: Predicate = {
  name: 'reachable',
  kind: 'subject',
  description:
    'Some packet, of any connection state, comes to the rule and matches it, comes to the policy, or enters the chain',
  takes: '`true` or `false`',
  scopes: ['rule', 'chain'],
  examples: [
    { yaml: 'true', means: 'rules that decide nothing are not looked at' },
    { yaml: 'false', means: 'only what no packet comes to is looked at' },
  ],
  read: (value, path, decoder) => {
    const wanted = readBoolean(value, path, decoder);
    return { kind: 'subject', holds: (subject) => isReached(subject) === wanted };
  },
};
