import { ALWAYS, type Condition, type Match, NEVER } from '../../model/index.ts';
import { type Interval, interval } from '../../net/index.ts';
import { type DataType, foldConstant, intervalOf } from './constants.ts';
import { asList, onlyProperty, property, textProperty } from './json.ts';
import { all, type Key, type NumberKey, not, type RuleContext, readKey, unknown } from './keys.ts';
import { addressTypeOrInterface, type Contents, membership, readElements } from './lookups.ts';
import { renderExpression } from './render.ts';

/** What a rule sees of its table: named sets and maps. */
export interface TableScope extends RuleContext {
  /** Contents of a named set or map for a key of `parts` parts; `undefined` when the export does not hold it. */
  readonly contents: (name: string, parts: number) => Contents | undefined;
  /** Place of the rule in words, unique in the ruleset: keeps opaque expressions of different rules apart. */
  readonly place: string;
  /** Table in words: names of sets are per table. */
  readonly tableText: string;
}

const BIT_TYPES: ReadonlySet<DataType> = new Set(['tcp-flags', 'ct-state', 'ct-status']);

/** The keys of a left side: several for a concatenation. */
export function readKeys(expression: unknown, scope: RuleContext): readonly Key[] {
  const concat = property(expression, 'concat');
  return Array.isArray(concat) && concat.length > 0 && concat.length <= 64
    ? concat.map((part) => readKey(part, scope))
    : [readKey(expression, scope)];
}

/** What must hold for all of the keys to have a value. */
export function needsOf(keys: readonly Key[]): Condition {
  return all(...keys.flatMap((k) => (k.kind === 'opaque' && k.never === true ? [NEVER] : k.needs)));
}

/** Contents of a right side that is a set, anonymous or by name; `undefined` when it is none, `unknown` when it is not exported. */
export function contentsOf(
  right: unknown,
  parts: number,
  isMap: boolean,
  scope: TableScope,
): Contents | 'unknown' | undefined {
  if (typeof right === 'string' && right.startsWith('@')) {
    const found = scope.contents(right.slice(1), parts);
    return found ?? 'unknown';
  }
  const set = property(right, 'set');
  if (typeof set === 'string' && set.startsWith('@')) return contentsOf(set, parts, isMap, scope);
  return set === undefined ? undefined : { elements: readElements(set, parts, isMap, false), dynamic: false };
}

/** The condition of a match statement whose text is `text`, with the dependencies that nft adds and does not print. */
export function readMatch(value: unknown, text: string, scope: TableScope): Match {
  const left = property(value, 'left');
  const right = property(value, 'right');
  const op = textProperty(value, 'op') ?? '==';
  const keys = readKeys(left, scope);
  const needs = needsOf(keys);
  if (needs === NEVER) return { text, condition: NEVER };
  return { text, condition: all(needs, comparison(keys, op, left, right, text, scope)) };
}

function comparison(
  keys: readonly Key[],
  op: string,
  left: unknown,
  right: unknown,
  text: string,
  scope: TableScope,
): Condition {
  const negated = op === '!=';
  const equality = op === '==' || op === '!=' || op === 'in';
  const contents = contentsOf(right, keys.length, false, scope);
  if (contents !== undefined) {
    const asked = `${keys.map((k) => k.text).join(' . ')} ${renderExpression(right)}`;
    const place = typeof right === 'string' ? scope.tableText : scope.place;
    if (!equality) return unknown('deterministic', `${text} (${place})`);
    if (contents === 'unknown') {
      const found = unknown('deterministic', `${asked} of ${place}`);
      return negated ? not(found) : found;
    }
    const look = (): Condition => lookUp(keys, contents, negated, `${asked} of ${place}`);
    return typeof right === 'string' ? scope.once(`${op} ${keysIdentity(keys)} ${right}`, look) : look();
  }
  const only = keys.length === 1 ? keys[0]! : undefined;
  if (only === undefined) {
    const values = property(right, 'concat');
    if (!equality || !Array.isArray(values)) return unknown('deterministic', text);
    return lookUp(
      keys,
      { elements: [{ values, uncertain: false, data: undefined }], dynamic: false },
      negated,
      text,
    );
  }
  switch (only.kind) {
    case 'number':
      return compareNumber(only, op, right, text);
    case 'interface':
    case 'address-type':
      return equality ? negate(negated, addressTypeOrInterface(only, right)) : unknown('deterministic', text);
    case 'opaque':
      return reversePath(left, op, right, scope) ?? unknown(only.nature, text);
  }
}

/** Equal for keys that mean the same in one table. */
export function keysIdentity(keys: readonly Key[]): string {
  return keys
    .map((k) => `${k.kind === 'opaque' && k.never === true ? 'never ' : ''}${k.text.length} ${k.text}`)
    .join(' . ');
}

function negate(negated: boolean, condition: Condition): Condition {
  return negated ? not(condition) : condition;
}

/** Membership or its negation. Where part of the key is not modelled, a negation is an unknown of its own: the part may be missing. */
function lookUp(keys: readonly Key[], contents: Contents, negated: boolean, asked: string): Condition {
  if (!negated) return membership(keys, contents, asked);
  const opaque = keys.find((k) => k.kind === 'opaque');
  if (opaque?.kind === 'opaque') return unknown(opaque.nature, `not ${asked}`);
  const only = keys.length === 1 ? keys[0] : undefined;
  if (only?.kind === 'number' && !contents.dynamic) {
    const intervals: Interval[] = [];
    for (const { values, uncertain } of contents.elements) {
      const interval =
        values === 'rest' || uncertain || values.length !== 1
          ? undefined
          : intervalOf(only.type, only.width, values[0]);
      if (interval === undefined) return not(membership(keys, contents, asked));
      intervals.push(interval);
    }
    return only.within(intervals, undefined, true, `not ${asked}`);
  }
  return not(membership(keys, contents, asked));
}

function compareNumber(key: NumberKey, op: string, right: unknown, text: string): Condition {
  const max = (1n << BigInt(key.width)) - 1n;
  const bitTest = BIT_TYPES.has(key.type);
  if (op === '!' || (op === 'in' && bitTest)) {
    const bits = foldConstant(key.type, right, key.width);
    if (bits === undefined) return unknown('deterministic', text);
    return key.within([interval(0, 0)], bits, op === 'in', text);
  }
  if (op === '==' || op === '!=' || op === 'in') {
    const value =
      Array.isArray(right) && bitTest
        ? wholeWord(foldConstant(key.type, right, key.width))
        : intervalOf(key.type, key.width, right);
    return value === undefined
      ? unknown('deterministic', text)
      : key.within([value], undefined, op === '!=', text);
  }
  const bound = foldConstant(key.type, right, key.width);
  const range = bound === undefined ? undefined : orderedRange(op, bound, max);
  return range === undefined ? unknown('deterministic', text) : key.within([range], undefined, false, text);
}

function wholeWord(bits: bigint | undefined): Interval | undefined {
  return bits === undefined ? undefined : { lo: bits, hi: bits };
}

function orderedRange(op: string, bound: bigint, max: bigint): Interval | undefined {
  switch (op) {
    case '<':
      return { lo: 0n, hi: bound - 1n };
    case '<=':
      return { lo: 0n, hi: bound };
    case '>':
      return { lo: bound + 1n, hi: max };
    case '>=':
      return { lo: bound, hi: max };
    default:
      return undefined;
  }
}

/** `fib saddr . iif oif missing`: routes are in no export, so the check is taken as passed, and that is said. */
function reversePath(left: unknown, op: string, right: unknown, scope: TableScope): Condition | undefined {
  const only = onlyProperty(left);
  if (only?.name !== 'fib') return undefined;
  const result = textProperty(only.value, 'result');
  const flags = asList(property(only.value, 'flags'));
  if ((result !== 'oif' && result !== 'oifname') || !flags.includes('saddr')) return undefined;
  const missing = right === false || right === 0 ? true : right === true ? false : undefined;
  if (missing === undefined || (op !== '==' && op !== '!=')) return undefined;
  scope.note(
    'reverse path',
    'the reverse path check depends on routes that no export holds; it is assumed that packets pass it',
  );
  return (op === '==') === missing ? NEVER : ALWAYS;
}
