import type { Condition, Match, Statement, Verdict } from '../../model/index.ts';

/** What one statement of a rule does, in order. */
export type Step =
  /** The rule goes on only for packets that match. */
  | { readonly kind: 'match'; readonly match: Match }
  | { readonly kind: 'effect'; readonly statement: Statement }
  /** The rule goes on with the one option that matches, if any. */
  | { readonly kind: 'choose'; readonly options: readonly Option[] }
  | { readonly kind: 'end'; readonly verdict: Verdict };

/** One way on: its test, what it assigns, and its verdict unless the rule goes on. */
export interface Option extends Match {
  readonly effects: readonly Statement[];
  readonly verdict: Verdict | undefined;
}

/** The rule goes on where `condition` holds. Without `text`: nft does not print the test. */
export function match(text: string, condition: Condition): Step {
  return { kind: 'match', match: { text, condition } };
}

/** The rule ends with a verdict. */
export function end(verdict: Verdict): Step {
  return { kind: 'end', verdict };
}

/** A statement that changes nothing that is modelled. */
export function noEffect(text: string): Step {
  return { kind: 'effect', statement: { kind: 'no-effect', text } };
}
