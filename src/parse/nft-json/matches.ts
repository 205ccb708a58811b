import { ALWAYS, type Condition, type Match, NEVER } from '../../model/index.ts';
import { type Interval, interval } from '../../net/index.ts';
import { allOf, not, unknown } from './conditions.ts';
import { BIT_TYPES, foldConstant, intervalOf, maxOf } from './constants.ts';
import { asList, onlyProperty, property, textProperty } from './json.ts';
import type { Asked, Key, NumberKey, RuleContext } from './key.ts';
import { readKey } from './keys.ts';
import { addressTypeOrInterface, anonymousContents, type Contents, fits, membership } from './lookups.ts';
import { found, type Misread, misreadInterface, misreadOf } from './misread.ts';
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

/** A path inside a statement. */
type Path = readonly (string | number)[];

/** The keys of a left side: several for a concatenation. */
export function readKeys(expression: unknown, scope: RuleContext): readonly Key[] {
  const concat = property(expression, 'concat');
  return Array.isArray(concat) && concat.length > 0 && concat.length <= 64
    ? concat.map((part) => readKey(part, scope))
    : [readKey(expression, scope)];
}

/** What must hold for all of the keys to have a value. */
export function needsOf(keys: readonly Key[]): Condition {
  const only = keys.length === 1 ? keys[0]! : undefined;
  if (only !== undefined && only.kind !== 'opaque' && only.needs.length <= 1) return only.needs[0] ?? ALWAYS;
  return allOf(keys.flatMap((k) => (k.kind === 'opaque' && k.never === true ? [NEVER] : k.needs)));
}

/**
 * Contents of a right side that is a set, anonymous or by name; `undefined` when it is none, `unknown` when it is not exported.
 * `path` leads from the statement to the right side.
 */
export function contentsOf(
  right: unknown,
  parts: number,
  isMap: boolean,
  scope: TableScope,
  path: Path,
): Contents | 'unknown' | undefined {
  if (typeof right === 'string') {
    return right.startsWith('@') ? (scope.contents(right.slice(1), parts) ?? 'unknown') : undefined;
  }
  const set = property(right, 'set');
  if (set === undefined) return undefined;
  if (typeof set === 'string' && set.startsWith('@')) return contentsOf(set, parts, isMap, scope, path);
  return anonymousContents(set, parts, isMap, (index, misread) => {
    const inside = Array.isArray(set) ? ['set', index] : ['set'];
    scope.say({ kind: 'misshaped' }, misread.detail, [...path, ...inside, ...misread.path]);
  });
}

/** What a match statement says before its right side: many matches differ only in that. */
export interface LeftSide {
  readonly op: string;
  readonly left: unknown;
  readonly keys: readonly Key[];
  /** What must hold for the keys to have a value. */
  readonly needs: Condition;
}

/** Reads a match but for its right side. `undefined` where it is misshaped, which is said. */
export function readLeftSide(value: unknown, scope: TableScope): LeftSide | undefined {
  const left = property(value, 'left');
  if (left === undefined || property(value, 'right') === undefined) {
    const missing = left === undefined ? 'left' : 'right';
    scope.say({ kind: 'misshaped' }, `expected a match with the key "${missing}"`, ['match']);
    return undefined;
  }
  const op = property(value, 'op');
  if (typeof op !== 'string' || !OPERATORS.has(op)) {
    scope.say({ kind: 'misshaped' }, `expected a comparison operator, found ${found(op)}`, ['match', 'op']);
    return undefined;
  }
  const keys = readKeys(left, scope);
  return { op, left, keys, needs: needsOf(keys) };
}

/** The condition of a match statement whose text is `text`, with the dependencies that nft adds and does not print. */
export function readMatch(
  side: LeftSide | undefined,
  right: unknown,
  text: string,
  scope: TableScope,
): Match {
  if (side === undefined) return { text, condition: unknown('deterministic', text) };
  const { op, left, keys, needs } = side;
  if (needs === NEVER) return { text, condition: NEVER };
  const asked = comparison(keys, op, left, right, text, scope);
  return { text, condition: needs === ALWAYS ? asked : allOf([needs, asked]) };
}

const OPERATORS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in', '!']);
const RIGHT: Path = ['match', 'right'];

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
  const contents = contentsOf(right, keys.length, false, scope, RIGHT);
  if (contents !== undefined) return setComparison(keys, op, contents, right, text, scope);
  const only = keys.length === 1 ? keys[0]! : undefined;
  if (only === undefined) {
    const values = property(right, 'concat');
    if (!equality || !Array.isArray(values)) return unknown('deterministic', text);
    const one = anonymousContents([{ concat: values }], keys.length, false, (_, misread) =>
      scope.say({ kind: 'misshaped' }, misread.detail, [...RIGHT, ...misread.path]),
    );
    return lookUp(keys, one, negated, () => text);
  }
  switch (only.kind) {
    case 'number':
      return compareNumber(only, op, right, text, scope);
    case 'interface': {
      const misread = misreadInterface(right);
      if (misread !== undefined) {
        sayMisread(misread, scope);
        return unknown('deterministic', text);
      }
      return equality ? negate(negated, addressTypeOrInterface(only, right)) : unknown('deterministic', text);
    }
    case 'address-type':
      return equality ? negate(negated, addressTypeOrInterface(only, right)) : unknown('deterministic', text);
    case 'opaque':
      return reversePath(left, op, right, scope) ?? unknown(only.nature, text);
  }
}

function setComparison(
  keys: readonly Key[],
  op: string,
  contents: Contents | 'unknown',
  right: unknown,
  text: string,
  scope: TableScope,
): Condition {
  const negated = op === '!=';
  const named = typeof right === 'string' || typeof property(right, 'set') === 'string';
  const place = (): string => (named ? scope.tableText : scope.place);
  const left = keys.map((k) => k.text).join(' . ');
  const asked = (): string => `${left} ${renderExpression(right)} of ${place()}`;
  if (op !== '==' && op !== '!=' && op !== 'in') return unknown('deterministic', `${text} (${place()})`);
  if (contents === 'unknown') return negate(negated, unknown('deterministic', asked()));
  const look = (): Condition => lookUp(keys, contents, negated, asked);
  return typeof right === 'string' ? scope.once(`${op} ${keysIdentity(keys)} ${right}`, look) : look();
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
function lookUp(keys: readonly Key[], contents: Contents, negated: boolean, asked: Asked): Condition {
  if (!negated) return membership(keys, contents, asked);
  const opaque = keys.find((k) => k.kind === 'opaque');
  if (opaque?.kind === 'opaque') return unknown(opaque.nature, `not ${asked()}`);
  const only = keys.length === 1 ? keys[0] : undefined;
  const intervals = only?.kind === 'number' ? plainIntervals(only, contents) : undefined;
  return intervals !== undefined && only?.kind === 'number'
    ? only.within(intervals, undefined, true, () => `not ${asked()}`)
    : not(membership(keys, contents, asked));
}

/** The elements of a set of numbers, where all are known and there for sure. */
function plainIntervals(key: NumberKey, contents: Contents): readonly Interval[] | undefined {
  if (contents.dynamic || contents.uncertain) return undefined;
  const intervals: Interval[] = [];
  for (const value of contents.list) {
    // "*" and elements with something beside their value are no intervals.
    const interval = intervalOf(key.type, key.width, value);
    if (interval === undefined || !fits(interval, key.width)) return undefined;
    intervals.push(interval);
  }
  return intervals;
}

function compareNumber(
  key: NumberKey,
  op: string,
  right: unknown,
  text: string,
  scope: TableScope,
): Condition {
  const bitTest = BIT_TYPES.has(key.type);
  const max = maxOf(key.width);
  const asked = (): string => text;
  if (op === '!' || (op === 'in' && bitTest)) {
    const bits = foldConstant(key.type, right, key.width);
    if (bits !== undefined && bits <= max) return key.within([interval(0, 0)], bits, op === 'in', asked);
  } else if (op === '==' || op === '!=' || op === 'in') {
    const value =
      Array.isArray(right) && bitTest
        ? wholeWord(foldConstant(key.type, right, key.width))
        : intervalOf(key.type, key.width, right);
    if (value !== undefined && fits(value, key.width))
      return key.within([value], undefined, op === '!=', asked);
  } else {
    const bound = foldConstant(key.type, right, key.width);
    const range = bound === undefined || bound > max ? undefined : orderedRange(op, bound, max);
    if (range !== undefined) return key.within([range], undefined, false, asked);
  }
  const misread = misreadOf(key.type, key.width, right);
  if (misread !== undefined) sayMisread(misread, scope);
  return unknown('deterministic', text);
}

function sayMisread({ detail, path }: Misread, scope: TableScope): void {
  scope.say({ kind: 'misshaped' }, detail, [...RIGHT, ...path]);
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
  scope.say(
    { kind: 'note', key: 'reverse path', general: true },
    'the reverse path check depends on routes that no export holds; it is assumed that packets pass it',
  );
  return (op === '==') === missing ? NEVER : ALWAYS;
}
