import type { ParseDiagnostic, Rule } from '../../../src/model/index.ts';
import { parseIptablesSave } from '../../../src/parse/iptables-save/index.ts';

/** The one rule made of `-A CHAIN rest` in a table, with everything said about it. */
export function readOne(
  rest: string,
  options: { readonly family?: 'ip' | 'ip6'; readonly table?: string; readonly chain?: string } = {},
): { readonly rule: Rule; readonly diagnostics: readonly ParseDiagnostic[] } {
  const { family = 'ip', table = 'filter', chain = 'INPUT' } = options;
  const text = `*${table}\n:${chain} ACCEPT [0:0]\n:user - [0:0]\n-A ${chain} ${rest}\nCOMMIT\n`;
  const { ruleset, diagnostics } = parseIptablesSave(text, 'test.rules', { family });
  const rules = ruleset.tables[0]?.chains[0]?.rules ?? [];
  if (rules.length !== 1 || rules[0] === undefined) throw new Error(`${rules.length} rules for ${rest}`);
  return { rule: rules[0], diagnostics };
}
