/** How much memory the rules of one host take, before any is spent on them: nothing in JavaScript can stop once the heap is full. */
import type { Condition, Ruleset } from '../model/index.ts';
import { visitConditions } from './visit-conditions.ts';

/** What a rule set takes memory for. */
interface HostSize {
  /** Rules of all tables. */
  readonly rules: number;
  /** Elements of named sets, and values of lists that stand in rules. */
  readonly values: number;
}

/** Heap that is set aside for one rule, in bytes. A choice, not a bound that was proved: docs/limits.md has the runs that stayed within it. */
const BYTES_PER_RULE = 9_000;

/** Heap that is set aside for one element or value, in bytes; a choice as above. */
const BYTES_PER_VALUE = 700;

/** Counts the rules, elements and values of a rule set. */
function sizeOf({ tables, namedSets }: Ruleset): HostSize {
  let rules = 0;
  let values = namedSets.reduce((sum, { elements }) => sum + elements.length, 0);
  for (const { chains } of tables) {
    for (const chain of chains) {
      rules += chain.rules.length;
      for (const rule of chain.rules) visitConditions(rule, (c) => (values += valuesIn(c)));
    }
  }
  return { rules, values };
}

function valuesIn(condition: Condition): number {
  return 'values' in condition ? condition.values.length : 0;
}

/**
 * Why a rule set is not judged with so large a heap, as a part of a sentence; `undefined` where there is room. Decided by numbers of rules and
 * values alone, so that the answer is the same on every machine with that heap.
 */
export function tooLarge(ruleset: Ruleset, heapBytes: number): string | undefined {
  const { rules, values } = sizeOf(ruleset);
  const needed = rules * BYTES_PER_RULE + values * BYTES_PER_VALUE;
  if (needed <= heapBytes) return undefined;
  const megabytes = (bytes: number) => Math.ceil(bytes / 1024 ** 2);
  return `its ${rules} rules and ${values} values in lists and sets may need ${megabytes(needed)} MB, more than the heap of ${megabytes(heapBytes)} MB; NODE_OPTIONS=--max-old-space-size=MB sets it`;
}
