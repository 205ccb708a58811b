/** How much memory the rules of one host take, before any is spent on them: nothing in JavaScript can stop once the heap is full. */
import type { Condition, Ruleset } from '../model/index.ts';
import { visitConditions } from './visit-conditions.ts';

/** What a rule set takes memory for. */
interface HostSize {
  /** Rules of all tables. */
  readonly rules: number;
  /** Elements of named sets, and values of lists that stand in rules. */
  readonly values: number;
  /** Rules that translate addresses or ports. */
  readonly translations: number;
}

/** Heap that is set aside for one rule, in bytes. A choice, not a bound that was proved: docs/limits.md has the runs that stayed within it. */
const BYTES_PER_RULE = 9_000;

/** Heap that is set aside for one element or value, in bytes; a choice as above. */
const BYTES_PER_VALUE = 700;

/**
 * Heap that is set aside for each pair of translations, in bytes: what one leaves over is a packet set of its own for all after it. 10,000 that all
 * differ took 2.3 GB with their packet sets.
 */
const BYTES_PER_PAIR_OF_TRANSLATIONS = 24;

/** Counts the rules, elements and values of a rule set. */
function sizeOf({ tables, namedSets }: Ruleset): HostSize {
  let rules = 0;
  let translations = 0;
  let values = namedSets.reduce((sum, { elements }) => sum + elements.length, 0);
  for (const { chains } of tables) {
    for (const chain of chains) {
      rules += chain.rules.length;
      for (const rule of chain.rules) {
        if (rule.verdict.kind === 'nat') translations++;
        visitConditions(rule, (c) => (values += valuesIn(c)));
      }
    }
  }
  return { rules, values, translations };
}

function valuesIn(condition: Condition): number {
  return 'values' in condition ? condition.values.length : 0;
}

/**
 * Why a rule set is not judged with so large a heap, as a part of a sentence; `undefined` where there is room. Decided by numbers of rules and
 * values alone, so that the answer is the same on every machine with that heap.
 */
export function tooLarge(ruleset: Ruleset, heapBytes: number): string | undefined {
  const { rules, values, translations } = sizeOf(ruleset);
  const pairs = translations * translations;
  const needed = rules * BYTES_PER_RULE + values * BYTES_PER_VALUE + pairs * BYTES_PER_PAIR_OF_TRANSLATIONS;
  if (needed <= heapBytes) return undefined;
  const translating = translations === 0 ? '' : ` (${translations} of them translate)`;
  const megabytes = (bytes: number) => Math.ceil(bytes / 1024 ** 2);
  return `its ${rules} rules${translating} and ${values} values in lists and sets may need ${megabytes(needed)} MB, more than the heap of ${megabytes(heapBytes)} MB; NODE_OPTIONS=--max-old-space-size=MB sets it`;
}
