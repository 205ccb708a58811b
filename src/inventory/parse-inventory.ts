/** `nwaudit.yaml` as text to an inventory. Loads the YAML reader, so import this only when there is YAML. */
import { decodeInventory, type InventoryOptions, type InventoryResult } from './decode-inventory.ts';
import { parsePositionedYaml } from './positioned-yaml.ts';

/** Nobody reads more than this, and a hostile file could have a million. */
const MAX_PROBLEMS = 1000;

/**
 * Reads and decodes a configuration. All problems are returned together, by place; when the text is not valid
 * YAML, what could be read of it is judged as well. An empty text is an empty inventory. Never throws.
 */
export function parseInventoryText(
  text: string,
  file: string,
  options: InventoryOptions = {},
): InventoryResult {
  const { root, problems: syntaxProblems } = parsePositionedYaml(text, file);
  if (root === undefined) return { problems: syntaxProblems };
  const decoded = decodeInventory(root, file, options);
  if (syntaxProblems.length === 0) return decoded;
  const problems = [...syntaxProblems, ...decoded.problems];
  return { problems: problems.sort((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS) };
}

/** The profile a configuration names, `undefined` when it names none or cannot be read. Judges nothing else. */
export function readProfileNameOf(text: string, file: string): string | undefined {
  const { root } = parsePositionedYaml(text, file);
  if (root?.kind !== 'map') return undefined;
  const value = root.entries.find((entry) => entry.key === 'profile')?.value;
  return value?.kind === 'text' ? value.text : undefined;
}
