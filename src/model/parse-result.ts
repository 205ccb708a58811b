import type { ParseDiagnostic } from './diagnostic.ts';
import type { Ruleset } from './ruleset.ts';

/** Formats that carry rules or sets of one host. */
export type ExportFormat =
  | 'iptables-save'
  | 'ip6tables-save'
  | 'ipset-save'
  | 'nft-json'
  | 'firewalld'
  | 'nsrports';

/** What a parser makes of one text. Parsers never throw: every problem is a diagnostic. */
export interface ParseResult {
  readonly ruleset: Ruleset;
  readonly diagnostics: readonly ParseDiagnostic[];
}
