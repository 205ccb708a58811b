import type { Ruleset } from '../../model/index.ts';
import { splitSavedLine } from '../words.ts';

/** Names of the sets to which some rule adds elements or from which it takes them (`-j SET --add-set`, `--del-set`). */
export function dynamicSetsOf(ruleset: Ruleset): ReadonlySet<string> {
  const names = new Set<string>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        for (const statement of rule.statements) {
          // One rule may set a mark from one set and change another.
          const mayChange = statement.kind === 'no-effect' || statement.kind === 'unknown-field';
          if (mayChange && statement.text.includes(' SET ')) addChanged(statement.text, names);
        }
      }
    }
  }
  return names;
}

function addChanged(text: string, names: Set<string>): void {
  const words = splitSavedLine(text, 0);
  if ('kind' in words) return;
  for (const [index, word] of words.entries()) {
    const name = words[index + 1];
    // `--map-set` only reads.
    if (name !== undefined && /^--(?:add|del)-set$/.test(word.value)) names.add(name.value);
  }
}
