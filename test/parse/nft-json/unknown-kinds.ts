import type { Condition, Rule } from '../../../src/model/index.ts';

/** Two words or more that begin the text of what is kept unknown, longest first. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^xt (match|target|watcher) (\S+)/, 'xt $1 $2'],
  [/^limit\b/, 'limit'],
  [/^quota\b/, 'quota'],
  [/^ct count\b/, 'ct count'],
  [/^(?:add|update|delete) @/, 'set update'],
  [/^(?:add|update|delete) \S* ?\{/, 'set update'],
  [/^table \S+ \S+ is dormant/, 'table flags'],
  [/^rule \S+ \S+ \S+ handle/, 'rule without statements'],
  [/\(element with a timeout\)$/, 'element with a timeout'],
  [/\(filled by rules\)$/, 'set filled by rules'],
  [/\(elements that are not known\)$/, 'map filled by rules'],
  [/still there$/, 'element with a timeout'],
  [/ is meant for IPv[46]$/, 'IP version not printed'],
  [/\bvmap\b/, 'vmap'],
  [/\bnumgen\b/, 'numgen'],
  [/\bjhash\b/, 'jhash'],
  [/\bsymhash\b/, 'symhash'],
  [/@(?:nh|th|ih|ll),/, 'raw payload'],
  [/^\(*(meta|ct|rt|socket|osf|fib|tproxy|flow|synproxy|ip option|tcp option|exthdr) ?([a-z0-9-]*)/, '$1 $2'],
  [/^\(*([a-z0-9]+) ([a-z0-9-]+)/, '$1 $2'],
];

/** What an unknown is about, without its values: `xt match comment`, `limit`, `set update`. */
export function kindOfUnknown(text: string): string {
  const plain = text.replace(/^not /, '');
  for (const [pattern, kind] of FAMILIES) {
    const found = pattern.exec(plain);
    if (found !== null)
      return kind.replace(/\$(\d)/g, (_, group: string) => found[Number(group)] ?? '').trim();
  }
  return 'other';
}

function unknownsOf(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.flatMap(unknownsOf);
    case 'not':
      return unknownsOf(condition.of);
    case 'unknown':
      return [kindOfUnknown(condition.text)];
    default:
      return [];
  }
}

/** Kinds of what is kept unknown in a rule, each once. */
export function unknownsOfRule(rule: Rule): ReadonlySet<string> {
  const kinds = new Set(rule.matches.flatMap((m) => unknownsOf(m.condition)));
  if (rule.verdict.kind === 'unknown') kinds.add(`verdict of ${kindOfUnknown(rule.verdict.text)}`);
  for (const statement of rule.statements) {
    if (statement.kind === 'unknown-field')
      kinds.add(`${statement.field} after ${kindOfUnknown(statement.text)}`);
  }
  return kinds;
}
