import { ALWAYS, type Condition, NEVER } from '../../model/index.ts';
import type { Interval } from '../../net/index.ts';
import { intervalOf } from './constants.ts';
import { asList, isObject, property, shortJson } from './json.ts';
import { all, any, type Key, not, unknown } from './keys.ts';
import { renderExpression } from './render.ts';

/** One element of a set or map. */
export interface Element {
  /** One value for each part of the key; `rest` is the catch-all element. */
  readonly values: readonly unknown[] | 'rest';
  /** The element may be gone, or matches only within a rate or quota of its own. */
  readonly uncertain: boolean;
  /** What a map gives for it. */
  readonly data: unknown;
}

/** What a rule can look up. */
export interface Contents {
  readonly elements: readonly Element[];
  /** Some rule adds or deletes elements. */
  readonly dynamic: boolean;
}

/** Statements that make an element match only sometimes. */
const LIMITING = ['limit', 'quota', 'ct count'];

/** The elements of a set or map as the format writes them. `parts` is the number of parts of the key. */
export function readElements(
  list: unknown,
  parts: number,
  isMap: boolean,
  uncertain: boolean,
): readonly Element[] {
  return asList(list).map((item) => {
    const pair = isMap && Array.isArray(item) ? item : [item, undefined];
    return readElement(pair[0], pair[1], parts, uncertain);
  });
}

function readElement(given: unknown, data: unknown, parts: number, uncertainSet: boolean): Element {
  const wrapped = property(given, 'elem');
  const value = isObject(wrapped) && Object.hasOwn(wrapped, 'val') ? wrapped.val : given;
  const uncertain =
    uncertainSet || ['timeout', 'expires', ...LIMITING].some((name) => property(wrapped, name) !== undefined);
  // A catch-all prints as "*"; in a set of interface names the bare prefix means the same.
  if (value === '*') return { values: 'rest', uncertain, data };
  const concat = property(value, 'concat');
  const values = parts > 1 && Array.isArray(concat) ? concat : [value];
  return { values, uncertain, data };
}

/** The packet's key is one of the elements. Without the needs of the keys. */
export function membership(keys: readonly Key[], contents: Contents, asked: string): Condition {
  const certain = contents.elements.filter((e) => !e.uncertain);
  const uncertain = contents.elements.filter((e) => e.uncertain);
  return any(
    oneOf(keys, certain, asked),
    uncertain.length === 0
      ? NEVER
      : all(oneOf(keys, uncertain, asked), unknown('varying', `${asked} (element with a timeout)`)),
    contents.dynamic ? unknown('varying', `${asked} (filled by rules)`) : NEVER,
  );
}

function oneOf(keys: readonly Key[], elements: readonly Element[], asked: string): Condition {
  if (elements.some((e) => e.values === 'rest')) return ALWAYS;
  const tuples = elements.flatMap((e) => (e.values === 'rest' ? [] : [e.values]));
  const only = keys.length === 1 ? keys[0] : undefined;
  if (only !== undefined)
    return partIn(
      only,
      tuples.map((t) => (t.length === 1 ? t[0] : t)),
      asked,
    );
  // Elements that agree in all parts but the first are asked together.
  const groups = new Map<string, { readonly rest: readonly unknown[]; readonly first: unknown[] }>();
  const unread: Condition[] = [];
  for (const tuple of tuples) {
    if (tuple.length !== keys.length) {
      unread.push(unknown('deterministic', `${asked}: ${tuple.map((v) => renderExpression(v)).join(' . ')}`));
      continue;
    }
    const rest = tuple.slice(1);
    const key = rest.map(shortJson).join(';');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { rest, first: [tuple[0]] });
    else group.first.push(tuple[0]);
  }
  return any(
    ...unread,
    ...[...groups.values()].map(({ rest, first }) =>
      all(partIn(keys[0]!, first, asked), ...rest.map((value, i) => partIn(keys[i + 1]!, [value], asked))),
    ),
  );
}

/** One part of the key equals one of `values`. */
function partIn(key: Key, values: readonly unknown[], asked: string): Condition {
  if (values.length === 0) return NEVER;
  switch (key.kind) {
    case 'number': {
      const intervals: Interval[] = [];
      const unread: Condition[] = [];
      for (const value of values) {
        const interval = intervalOf(key.type, key.width, value);
        if (interval !== undefined) intervals.push(interval);
        else if (value === '*') return ALWAYS;
        else unread.push(unknown('deterministic', `${key.text} ${renderExpression(value)}`));
      }
      const text = values.length === 1 ? `${key.text} ${renderExpression(values[0])}` : asked;
      return any(intervals.length === 0 ? NEVER : key.within(intervals, undefined, false, text), ...unread);
    }
    case 'interface':
      return any(...values.map((value) => interfaceIs(key.field, value, key.text)));
    case 'address-type':
      return addressTypeIn(key, values);
    case 'opaque':
      if (key.never === true) return NEVER;
      return unknown(key.nature, values.length === 1 ? `${key.text} ${renderExpression(values[0])}` : asked);
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
      return unknown('deterministic', `${key.text} ${values.map((v) => renderExpression(v)).join(',')}`);
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
}

/** The branches of a map, the catch-all one last. Without the needs of the keys. */
export function mapBranches(keys: readonly Key[], contents: Contents, asked: string): readonly MapBranch[] {
  const groups = new Map<string, { readonly data: unknown; readonly elements: Element[] }>();
  let rest: Element | undefined;
  for (const [index, element] of contents.elements.entries()) {
    if (element.values === 'rest') {
      rest = element;
      continue;
    }
    // Shortened texts do not identify long data.
    const json = shortJson(element.data);
    const key = `${json.length > 300 ? index : json} ${element.uncertain ? index : ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { data: element.data, elements: [element] });
    else group.elements.push(element);
  }
  const branches = [...groups.values()].map(({ data, elements }): MapBranch => {
    const condition = oneOf(keys, elements, asked);
    const first = elements[0]!;
    const shown =
      first.values === 'rest'
        ? '*'
        : elements
            .slice(0, 6)
            .map((e) => (e.values === 'rest' ? '*' : e.values.map((v) => renderExpression(v)).join(' . ')));
    const text = `${keys.map((k) => k.text).join(' . ')} { ${shown}${elements.length > 6 ? ', …' : ''} }`;
    // One truth value for the element, so that the catch-all branch sees the same as this one.
    return {
      condition: first.uncertain
        ? all(condition, unknown('deterministic', `${asked}: element ${shown} still there`))
        : condition,
      data,
      text,
    };
  });
  if (rest === undefined) return branches;
  const others = not(any(...branches.map((b) => b.condition)));
  const condition = rest.uncertain
    ? all(others, unknown('deterministic', `${asked}: element * still there`))
    : others;
  return [...branches, { condition, data: rest.data, text: `${keys.map((k) => k.text).join(' . ')} { * }` }];
}
