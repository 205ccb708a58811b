/** When work on a host has gone past what one host may take. */
import { PacketSetBudgetError } from '../packet-set/index.ts';
import type { HostSpace } from '../semantics/index.ts';

/** Messages of V8 about what is too large for it: a call stack, an array, a map. */
const TOO_LARGE: readonly (readonly [RegExp, string])[] = [
  [/call stack/, 'its chains are nested too deeply'],
  [
    /(?:Map|Set) maximum size|Invalid array length|allocation failed|Invalid string length/,
    'it needs more memory than there is',
  ],
];

/** Why the work was broken off, as a part of a sentence; `undefined` for any other error. */
export function limitReached(error: unknown): string | undefined {
  if (error instanceof PacketSetBudgetError) return error.message;
  if (!(error instanceof RangeError)) return undefined;
  return TOO_LARGE.find(([pattern]) => pattern.test(error.message))?.[1];
}

/**
 * Steps for every node of the budget in each space after the first. Real rule sets take one to three; a host on which checks fail one after
 * the other is not to take many times as long as one that fails at once.
 */
export const STEPS_OF_FURTHER_SPACES = 6;

/** Whether what goes past a budget now would do so in a new space as well: hardly anything of this one was used. */
export function isNearlyUnused(space: HostSpace): boolean {
  return space.spent <= 0.1;
}
