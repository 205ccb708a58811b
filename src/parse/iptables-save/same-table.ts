import type { Table } from '../../model/index.ts';
import { meaningKey } from './table-builder.ts';

/** Whether two tables hold the same chains, policies and rules, whatever their counters, comments, spelling and files. */
export function isSameTable(a: Table, b: Table): boolean {
  if (a.family !== b.family || a.name !== b.name || a.chains.length !== b.chains.length) return false;
  const others = new Map(b.chains.map((c) => [c.name, c]));
  return a.chains.every((chain) => {
    const other = others.get(chain.name);
    if (other === undefined || other.rules.length !== chain.rules.length) return false;
    if (chain.base?.chainPolicy !== other.base?.chainPolicy || chain.base?.hook !== other.base?.hook)
      return false;
    return chain.rules.every(
      (rule, i) => rule.text === other.rules[i]!.text || meaningKey(rule) === meaningKey(other.rules[i]!),
    );
  });
}
