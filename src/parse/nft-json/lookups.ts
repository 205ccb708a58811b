import { ALWAYS, type Condition, NEVER } from '../../model/index.ts';
import type { Interval } from '../../net/index.ts';
import { all, anyOf, not, unknown } from './conditions.ts';
import { intervalOf, maxOf } from './constants.ts';
import { asList, isObject, property, shortJson } from './json.ts';
import type { Asked, Key, NumberKey } from './key.ts';
import { found, type Misread, misreadInterface, misreadOf } from './misread.ts';
import { renderExpression } from './render.ts';

/** One element of a set or map. */
export interface Element {
  /** Position in the list. */
  readonly index: number;
  /** One value for each part of the key; `rest` is the catch-all element. */
  readonly values: readonly unknown[] | 'rest';
  /** The element may be gone, or matches only within a rate or quota of its own. */
  readonly uncertain: boolean;
  /** What a map gives for it. */
  readonly data: unknown;
}

/** What a rule can look up. */
export interface Contents {
  /** The elements as the format writes them. */
  readonly list: readonly unknown[];
  /** Number of parts of the key. */
  readonly parts: number;
  readonly isMap: boolean;
  /** All elements may be gone, or match only within a rate of the set. */
  readonly uncertain: boolean;
  /** Some rule adds or deletes elements. */
  readonly dynamic: boolean;
  /** Says what is wrong with the element at `index`. */
  readonly sayMisread: (index: number, misread: Misread) => void;
}

/** Statements that make an element match only sometimes, and what makes it go away. */
const LIMITING = ['timeout', 'expires', 'limit', 'quota', 'ct count'];

function elementsOf(contents: Contents): readonly Element[] {
  return contents.list.map((item, index) => {
    const isPair = contents.isMap && Array.isArray(item);
    const given: unknown = isPair ? item[0] : item;
    const value = plainValue(given);
    const data: unknown = isPair ? item[1] : undefined;
    const uncertain = contents.uncertain || isUncertain(given);
    if (value === '*') return { index, values: 'rest', uncertain, data };
    const concat = contents.parts > 1 ? property(value, 'concat') : undefined;
    return { index, values: Array.isArray(concat) ? concat : [value], uncertain, data };
  });
}

/** The value of an element, without what stands beside it. A catch-all is "*"; in a set of interface names it means the same. */
function plainValue(given: unknown): unknown {
  if (!isObject(given)) return given;
  const wrapped = property(given, 'elem');
  return isObject(wrapped) && Object.hasOwn(wrapped, 'val') ? wrapped.val : given;
}

function isUncertain(given: unknown): boolean {
  const wrapped = property(given, 'elem');
  return isObject(wrapped) && LIMITING.some((name) => property(wrapped, name) !== undefined);
}

/** The packet's key is one of the elements. Without the needs of the keys. */
export function membership(keys: readonly Key[], contents: Contents, asked: Asked): Condition {
  const only = keys.length === 1 ? keys[0] : undefined;
  const [certain, uncertain] =
    only?.kind === 'number' ? numbersIn(only, contents, asked) : elementsIn(keys, contents, asked);
  return anyOf([
    certain,
    uncertain === NEVER ? NEVER : all(uncertain, unknown('varying', `${asked()} (element with a timeout)`)),
    contents.dynamic ? unknown('varying', `${asked()} (filled by rules)`) : NEVER,
  ]);
}

/** Membership by the elements that are there for sure, and by the others. */
type TwoParts = readonly [certain: Condition, uncertain: Condition];

function elementsIn(keys: readonly Key[], contents: Contents, asked: Asked): TwoParts {
  const elements = elementsOf(contents);
  const certain = elements.filter((e) => !e.uncertain);
  const uncertain = certain.length === elements.length ? [] : elements.filter((e) => e.uncertain);
  return [oneOf(keys, certain, contents, asked), oneOf(keys, uncertain, contents, asked)];
}

/** `elementsIn` for one number, where sets can be very large. */
function numbersIn(key: NumberKey, contents: Contents, asked: Asked): TwoParts {
  const certain = new NumberList(key, contents, asked);
  let uncertain: NumberList | undefined;
  const { list } = contents;
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    const given: unknown = contents.isMap && Array.isArray(item) ? item[0] : item;
    if (contents.uncertain || isUncertain(given)) {
      uncertain ??= new NumberList(key, contents, asked);
      uncertain.add(plainValue(given), index);
    } else certain.add(plainValue(given), index);
  }
  return [certain.finish(), uncertain?.finish() ?? NEVER];
}

/** Collects values of one number. */
class NumberList {
  readonly #key: NumberKey;
  readonly #contents: Contents;
  readonly #asked: Asked;
  readonly #intervals: Interval[] = [];
  readonly #unread: Condition[] = [];
  #rest = false;
  #size = 0;
  #first: unknown;

  constructor(key: NumberKey, contents: Contents, asked: Asked) {
    this.#key = key;
    this.#contents = contents;
    this.#asked = asked;
  }

  add(value: unknown, index: number): void {
    const { type, width, text } = this.#key;
    if (this.#size++ === 0) this.#first = value;
    const interval = value === '*' ? undefined : intervalOf(type, width, value);
    if (interval !== undefined && fits(interval, width)) this.#intervals.push(interval);
    else if (value === '*') this.#rest = true;
    else {
      const misread = misreadOf(type, width, value);
      if (misread !== undefined) this.#contents.sayMisread(index, misread);
      this.#unread.push(unknown('deterministic', `${text} ${renderExpression(value)}`));
    }
  }

  finish(): Condition {
    if (this.#rest) return ALWAYS;
    const key = this.#key;
    const asked = this.#size === 1 ? () => `${key.text} ${renderExpression(this.#first)}` : this.#asked;
    const known = this.#intervals.length === 0 ? NEVER : key.within(this.#intervals, undefined, false, asked);
    return anyOf([known, ...joined(this.#unread, asked)]);
  }
}

/** Both bounds are numbers of the width. */
export function fits({ lo, hi }: Interval, width: number): boolean {
  const max = maxOf(width);
  return hi <= max && lo <= max;
}

/** Unknown conditions beyond this number are one. */
const MOST_UNKNOWNS = 1000;

function joined(unknowns: readonly Condition[], asked: Asked): readonly Condition[] {
  return unknowns.length <= MOST_UNKNOWNS ? unknowns : [unknown('deterministic', asked())];
}

function oneOf(
  keys: readonly Key[],
  elements: readonly Element[],
  contents: Contents,
  asked: Asked,
): Condition {
  if (elements.some((e) => e.values === 'rest')) return ALWAYS;
  if (elements.length === 0) return NEVER;
  const only = keys.length === 1 ? keys[0] : undefined;
  if (only !== undefined) return partIn(only, elements.map(singleValue), contents, asked);
  // Elements that agree in all parts but the first are asked together.
  const groups = new Map<string, { readonly rest: readonly unknown[]; readonly first: PartValue[] }>();
  const unread: Condition[] = [];
  for (const { values, index } of elements) {
    if (values === 'rest') continue;
    if (values.length !== keys.length) {
      const detail = `expected ${keys.length} parts, found ${found(values)}`;
      contents.sayMisread(index, { detail, path: [] });
      unread.push(
        unknown('deterministic', `${asked()}: ${values.map((v) => renderExpression(v)).join(' . ')}`),
      );
      continue;
    }
    const rest = values.slice(1);
    const key =
      rest.length === 1 && typeof rest[0] === 'number' ? String(rest[0]) : rest.map(shortJson).join(';');
    const group = groups.get(key);
    const value = { value: values[0], index };
    if (group === undefined) groups.set(key, { rest, first: [value] });
    else group.first.push(value);
  }
  const parts: Condition[] = [...joined(unread, asked)];
  for (const { rest, first } of groups.values()) {
    const { index } = first[0]!;
    parts.push(
      all(
        partIn(keys[0]!, first, contents, asked),
        ...rest.map((value, i) => partIn(keys[i + 1]!, [{ value, index }], contents, asked)),
      ),
    );
  }
  return anyOf(parts);
}

/** A value for one part of the key, and the element it is from. */
interface PartValue {
  readonly value: unknown;
  readonly index: number;
}

function singleValue({ values, index }: Element): PartValue {
  return { value: values === 'rest' ? '*' : values.length === 1 ? values[0] : values, index };
}

/** One part of the key equals one of `values`. */
function partIn(key: Key, values: readonly PartValue[], contents: Contents, asked: Asked): Condition {
  const only = values.length === 1 ? values[0] : undefined;
  switch (key.kind) {
    case 'number': {
      const list = new NumberList(key, contents, asked);
      for (const { value, index } of values) list.add(value, index);
      return list.finish();
    }
    case 'interface':
      return anyOf(
        values.map(({ value, index }) => {
          const misread = misreadInterface(value);
          if (misread !== undefined) {
            contents.sayMisread(index, misread);
            return unknown('deterministic', `${key.text} ${renderExpression(value)}`);
          }
          return interfaceIs(key.field, value, key.text);
        }),
      );
    case 'address-type':
      return addressTypeIn(
        key,
        values.map(({ value }) => value),
      );
    case 'opaque':
      if (key.never === true) return NEVER;
      return unknown(
        key.nature,
        only === undefined ? asked() : `${key.text} ${renderExpression(only.value)}`,
      );
  }
}

/** The interface is the one that `value` names; `eth*` is a prefix, `\*` at the end a literal star. */
export function interfaceIs(field: 'iif' | 'oif', value: unknown, text: string): Condition {
  if (typeof value !== 'string' || value === '')
    return unknown('deterministic', `${text} ${renderExpression(value)}`);
  if (value.endsWith('\\*'))
    return { kind: 'interface', field, name: `${value.slice(0, -2)}*`, prefix: false };
  return value.endsWith('*')
    ? { kind: 'interface', field, name: value.slice(0, -1), prefix: true }
    : { kind: 'interface', field, name: value, prefix: false };
}

const ADDRESS_TYPES: ReadonlySet<string> = new Set([
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
]);

function addressTypeIn(key: Key & { kind: 'address-type' }, values: readonly unknown[]): Condition {
  const types: string[] = [];
  for (const value of values) {
    if (typeof value !== 'string' || !ADDRESS_TYPES.has(value))
      return unknown(
        'deterministic',
        `${key.text} ${values
          .slice(0, 20)
          .map((v) => renderExpression(v))
          .join(',')}`,
      );
    types.push(value.toUpperCase());
  }
  const sorted = [...new Set(types)].sort();
  return {
    kind: 'address-type',
    field: key.field,
    types: sorted,
    limitedToInterface: key.limited,
    text: `${key.text} ${sorted.join(',').toLowerCase()}`,
  };
}

/** The interface or address type equals one value. */
export function addressTypeOrInterface(
  key: Key & { kind: 'interface' | 'address-type' },
  value: unknown,
): Condition {
  return key.kind === 'interface' ? interfaceIs(key.field, value, key.text) : addressTypeIn(key, [value]);
}

/** What a map decides, for each group of elements with the same data. The conditions exclude each other. */
export interface MapBranch {
  readonly condition: Condition;
  readonly data: unknown;
  readonly text: string;
  /** Position of the first element of the group. */
  readonly index: number;
}

/** The branches of a map, the catch-all one last. Without the needs of the keys. */
export function mapBranches(keys: readonly Key[], contents: Contents, asked: Asked): readonly MapBranch[] {
  const groups = new Map<string, { readonly data: unknown; readonly elements: Element[] }>();
  let rest: Element | undefined;
  for (const element of elementsOf(contents)) {
    const { data, index } = element;
    if (data === undefined)
      contents.sayMisread(index, {
        detail: `expected a pair of a key and what the map gives for it, found ${found(contents.list[index])}`,
        path: [],
        isData: true,
      });
    if (element.values === 'rest') {
      rest = element;
      continue;
    }
    // Shortened texts do not identify long data.
    const json = shortJson(data);
    const key = `${json.length > 300 ? index : json} ${element.uncertain ? index : ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { data, elements: [element] });
    else group.elements.push(element);
  }
  const left = keys.map((k) => k.text).join(' . ');
  const branches = [...groups.values()].map(({ data, elements }): MapBranch => {
    const condition = oneOf(keys, elements, contents, asked);
    const shown = elements.slice(0, SHOWN_KEYS).map(renderKey).join(',');
    const more = elements.length > SHOWN_KEYS ? ', …' : '';
    // One truth value for the element, so that the catch-all branch sees the same as this one.
    return {
      condition: elements[0]!.uncertain
        ? all(condition, unknown('deterministic', `${asked()}: element ${shown} still there`))
        : condition,
      data,
      text: `${left} { ${shown}${more} }`,
      index: elements[0]!.index,
    };
  });
  if (rest === undefined) return branches;
  const others = not(anyOf(branches.map((b) => b.condition)));
  const condition = rest.uncertain
    ? all(others, unknown('deterministic', `${asked()}: element * still there`))
    : others;
  return [...branches, { condition, data: rest.data, text: `${left} { * }`, index: rest.index }];
}

/** How many keys of a branch its text shows. */
const SHOWN_KEYS = 6;

function renderKey({ values }: Element): string {
  return values === 'rest' ? '*' : values.map((v) => renderExpression(v)).join(' . ');
}

/** The elements of an anonymous set or map. Of elements that are misread only the first is said: all of them may be. */
export function anonymousContents(
  set: unknown,
  parts: number,
  isMap: boolean,
  say: Contents['sayMisread'],
): Contents {
  let isSaid = false;
  const sayMisread: Contents['sayMisread'] = (index, misread) => {
    if (!isSaid) say(index, misread);
    isSaid = true;
  };
  return { list: asList(set), parts, isMap, uncertain: false, dynamic: false, sayMisread };
}
