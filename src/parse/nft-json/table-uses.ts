import type { FieldName } from '../../model/index.ts';
import { fieldsAssignedBy } from './assemble.ts';
import { asList, DEEPEST, isObject, onlyProperty, property, textProperty } from './json.ts';
import type { Step } from './steps.ts';

/** What rules do to, and want from, the rest of their table. */
export interface TableUses {
  /** Chains they jump or go to. */
  readonly chains: readonly string[];
  /** Named maps whose verdicts they use. */
  readonly maps: readonly string[];
  /** Sets and maps that they fill or empty. */
  readonly updates: readonly string[];
  /** Fields that they assign. */
  readonly fields: readonly FieldName[];
}

export const NO_USES: TableUses = { chains: [], maps: [], updates: [], fields: [] };

/** The uses of two rules or statements together. */
export function joinUses(a: TableUses, b: TableUses): TableUses {
  if (a === NO_USES || b === NO_USES) return a === NO_USES ? b : a;
  return {
    chains: [...a.chains, ...b.chains],
    maps: [...a.maps, ...b.maps],
    updates: [...a.updates, ...b.updates],
    fields: [...a.fields, ...b.fields],
  };
}

/** Frequent statements that neither jump nor change a set. */
const LOCAL: ReadonlySet<string> = new Set([
  'match',
  'counter',
  'accept',
  'drop',
  'return',
  'continue',
  'reject',
  'log',
  'limit',
  'queue',
]);

const ASSIGNING: ReadonlySet<string> = new Set(['mangle', 'xt', 'notrack']);

/** The uses of one statement, whose steps are `steps`. */
export function usesOfStatement(statement: unknown, steps: readonly Step[]): TableUses {
  const name = onlyProperty(statement)?.name;
  if (name !== undefined && LOCAL.has(name)) return NO_USES;
  const chains: string[] = [];
  const maps: string[] = [];
  const updates: string[] = [];
  visitJumps(
    statement,
    (chain) => chains.push(chain),
    (map) => maps.push(map),
  );
  collectUpdates(statement, updates, 0);
  const fields = name !== undefined && ASSIGNING.has(name) ? fieldsAssignedBy(steps) : [];
  return chains.length + maps.length + updates.length + fields.length === 0
    ? NO_USES
    : { chains, maps, updates, fields };
}

/** Chains that a value jumps or goes to, and named maps whose data it uses. */
export function visitJumps(
  value: unknown,
  jump: (chain: string) => void,
  lookUp: (map: string) => void,
  depth = 0,
): void {
  if (depth > DEEPEST) return;
  if (Array.isArray(value)) {
    for (const part of value) visitJumps(part, jump, lookUp, depth + 1);
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const inner = value[name];
    const target = name === 'jump' || name === 'goto' ? (textProperty(inner, 'target') ?? inner) : undefined;
    if (typeof target === 'string') jump(target);
    else if (name === 'data' && typeof inner === 'string' && inner.startsWith('@')) lookUp(inner.slice(1));
    else if (typeof inner === 'object') visitJumps(inner, jump, lookUp, depth + 1);
  }
}

/** Sets that a statement fills or empties. */
function collectUpdates(statement: unknown, updates: string[], depth: number): void {
  if (depth > DEEPEST) return;
  if (typeof statement === 'string') {
    for (const found of statement.slice(0, 2000).matchAll(/(?:add|update|delete)\s+@([^\s{]+)/g))
      updates.push(found[1]!);
    return;
  }
  const only = onlyProperty(statement);
  if (only === undefined) return;
  if (only.name === 'set' || only.name === 'map') {
    const target = textProperty(only.value, only.name) ?? textProperty(only.value, 'set');
    if (target !== undefined) updates.push(target.replace(/^@/, ''));
  } else if (only.name === 'meter') {
    const target = textProperty(only.value, 'name');
    if (target !== undefined) updates.push(target);
    for (const inner of asList(property(only.value, 'stmt'))) collectUpdates(inner, updates, depth + 1);
  }
}
