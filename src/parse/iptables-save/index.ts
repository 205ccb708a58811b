/**
 * Reads what iptables-save, ip6tables-save and `iptables -S` print, and scripts of iptables commands, into the
 * model. Usable on its own. Coverage is listed in README.md beside this file.
 */
import type { ParseResult } from '../../model/index.ts';
import { type FamilyDecision, familyOfFile } from './family.ts';
import { FileReader } from './file-reader.ts';
import { scanLines } from './lines.ts';
import type { IptablesFacts } from './program.ts';

export { dynamicSetsOf } from './dynamic-sets.ts';
export type { FamilyDecision } from './family.ts';
export { findJumpLoops, type JumpLoop } from './jump-loops.ts';
export type { HiddenRules, IptablesFacts, IptablesProgram } from './program.ts';
export { kernelRules, type ModulePart, partsOfRule, type RuleParts } from './rule-parts.ts';
export { isSameTable } from './same-table.ts';
export { BUILTIN_CHAINS } from './table-builder.ts';

/** How to read a text. */
export interface IptablesSaveOptions {
  /** The IP version of everything that does not name its program itself. Absent: decided by content. */
  readonly family?: 'ip' | 'ip6';
}

/**
 * Parses a text in the format of iptables-save or ip6tables-save. Never throws; takes time linear in the length.
 *
 * Nothing is dropped: a match that is not known becomes an unknown condition, a rule that cannot be read a rule
 * with unknown match and verdict, a line that names no chain such a rule in every base chain of its table.
 */
export function parseIptablesSave(
  text: string,
  file: string,
  options: IptablesSaveOptions = {},
): ParseResult & { readonly facts: IptablesFacts } {
  const { lines, crlf } = scanLines(text);
  const { tables, diagnostics, facts } = new FileReader(lines, file, options.family).read(crlf);
  return { ruleset: { tables, namedSets: [] }, diagnostics, facts };
}

/** The IP version of a text as a whole, with the reason; parts of a text may differ from it. */
export function decideFamily(text: string, file: string): FamilyDecision {
  return familyOfFile(scanLines(text).lines, file);
}

const KNOWN_TABLE = /^\*(?:filter|nat|mangle|raw|security)$/;
const DECLARATION = /^:\S+\s+(?:-|ACCEPT|DROP)(?:\s|$)/;
const RULE =
  /^(?:\[\d+:\d+\]\s+)?(?:-P\s+\S+\s+(?:ACCEPT|DROP)\b|(?:-[AID]|--append|--insert)\s+\S+.*\s(?:-[jgmpsdio]|--[a-z][a-z-]+)\s)/;
const CHANGING_OPTION = /^-(?:[AIPNRD]|-append|-insert|-policy|-new-chain|-replace|-delete)$/;

/** Whether a text holds at least one table, chain or rule, or an iptables command that changes one. */
export function holdsIptablesRules(text: string): boolean {
  return scanLines(text).lines.some((line) => {
    const begin = line.text.slice(line.start, line.start + 2000);
    if (line.kind === 'table') return KNOWN_TABLE.test(begin);
    if (line.kind === 'chain') return DECLARATION.test(begin);
    if (line.kind === 'rule') return RULE.test(begin);
    return line.commands.some((c) => c.words.some((w) => CHANGING_OPTION.test(w.value)));
  });
}
