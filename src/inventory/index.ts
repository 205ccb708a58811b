/** `nwaudit.yaml`: hosts, roles, addresses, networks, exceptions; which files belong to which host. */
import type { InventoryOptions, InventoryResult } from './decode-inventory.ts';

export {
  type AssignmentOptions,
  type AssignmentProblem,
  assignFilesToHosts,
  type HostAssignment,
  hostNameOfFile,
} from './assign-files.ts';
export { parseAddressRange } from './config-value.ts';
export { checkDeclarations, type DeclarationFact, type DeclarationKind } from './declarations.ts';
export { decodeInventoryData, type InventoryOptions, type InventoryResult } from './decode-inventory.ts';
export { exceptionAppliesTo, exceptionSources, rangesOverlap } from './exception-scope.ts';
export { isHostPattern, matchesHostPattern } from './host-name.ts';
export * from './inventory.ts';
export { resolveHosts } from './resolve-hosts.ts';
export { guessRolesByName } from './role-by-name.ts';
export {
  type SeenAddress,
  type SeenHost,
  type SuggestionInput,
  suggestInventory,
  withMostUsedSources,
} from './suggest-inventory.ts';

/** `parseInventoryText` of parse-inventory.ts; loads the YAML reader when it is first called. */
export async function parseInventory(
  text: string,
  file: string,
  options: InventoryOptions = {},
): Promise<InventoryResult> {
  const { parseInventoryText } = await import('./parse-inventory.ts');
  return parseInventoryText(text, file, options);
}

/**
 * The profile a configuration names, for callers that must load a profile of the user's own before they know
 * which roles exist. `undefined` when none is named or the text cannot be read.
 */
export async function readProfileName(text: string, file: string): Promise<string | undefined> {
  const { readProfileNameOf } = await import('./parse-inventory.ts');
  return readProfileNameOf(text, file);
}
