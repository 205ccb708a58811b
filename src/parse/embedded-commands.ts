/**
 * Commands of iptables and ipset inside other formats, such as the direct rules of firewalld: the one door from a format's folder to
 * the parsers of those two. A result's origins count the lines of the text that is handed over.
 */
import type { ParseResult } from '../model/index.ts';
import { parseIpsetSave } from './ipset-save/index.ts';
import { parseIptablesSave } from './iptables-save/index.ts';

/** What a list of iptables (or ip6tables) commands makes, one command a line. */
export function parseIptablesCommands(
  lines: readonly string[],
  family: 'ip' | 'ip6',
  file: string,
): ParseResult {
  return parseIptablesSave(lines.join('\n'), file, { family });
}

/** What a list of ipset commands makes, one command a line. */
export function parseIpsetCommands(lines: readonly string[], file: string): ParseResult {
  return parseIpsetSave(lines.join('\n'), file);
}
