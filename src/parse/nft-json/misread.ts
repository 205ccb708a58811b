import { BIT_TYPES, type DataType, foldConstant, intervalOf, maxOf } from './constants.ts';
import { asList, isObject, onlyProperty, property, shortJson } from './json.ts';

/** Why a constant is not one that the format allows, and where in the value that stands. */
export interface Misread {
  readonly detail: string;
  readonly path: readonly (string | number)[];
  /** It is in what a map gives for an element, not in the element's key. */
  readonly isData?: true;
}

const EXPECTED: Readonly<Partial<Record<DataType, string>>> = {
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  mac: 'an Ethernet address',
};

/** Operators that join constants. */
const OPERATORS: readonly string[] = ['|', '&', '^', '<<', '>>'];

/**
 * What is wrong with a constant: a value of another JSON type, a number beyond the field, text that is no address. `undefined` for
 * values that are right, and for names and expressions that are only not known here.
 */
export function misreadOf(type: DataType, width: number, value: unknown): Misread | undefined {
  const prefix = property(value, 'prefix');
  if (prefix !== undefined) return misreadPrefix(type, width, prefix);
  const range = property(value, 'range');
  if (range !== undefined) {
    if (!Array.isArray(range) || range.length !== 2)
      return { detail: `expected two bounds, found ${found(range)}`, path: ['range'] };
    return firstOf(type, width, range, ['range']);
  }
  if (Array.isArray(value))
    return value.length > 0 && BIT_TYPES.has(type)
      ? firstOf(type, width, value, [])
      : wrong(type, width, value);
  if (isObject(value)) {
    const only = onlyProperty(value);
    if (only === undefined) return wrong(type, width, value);
    return OPERATORS.includes(only.name) ? firstOf(type, width, asList(only.value), [only.name]) : undefined;
  }
  return misreadPlain(type, width, value);
}

function firstOf(
  type: DataType,
  width: number,
  values: readonly unknown[],
  path: readonly (string | number)[],
): Misread | undefined {
  for (const [index, value] of values.entries()) {
    const isList = Array.isArray(value) && !BIT_TYPES.has(type);
    const plain =
      isList || (isObject(value) && onlyProperty(value) === undefined)
        ? wrong(type, width, value)
        : isObject(value) || Array.isArray(value)
          ? undefined
          : misreadPlain(type, width, value);
    if (plain !== undefined) return { detail: plain.detail, path: [...path, index] };
  }
  return undefined;
}

function misreadPlain(type: DataType, width: number, value: unknown): Misread | undefined {
  if (typeof value === 'string' && !/^(?:0x[0-9a-f]+|-?\d+)$/i.test(value)) {
    const isAddress = type === 'ipv4' || type === 'ipv6' || type === 'mac';
    // A name that is not known here may be known to the host.
    return isAddress && foldConstant(type, value, width) === undefined
      ? wrong(type, width, value)
      : undefined;
  }
  const constant = foldConstant(type, value, width);
  return constant === undefined || constant > maxOf(width) ? wrong(type, width, value) : undefined;
}

function misreadPrefix(type: DataType, width: number, prefix: unknown): Misread | undefined {
  if (intervalOf(type, width, { prefix }) !== undefined) return undefined;
  const address = property(prefix, 'addr');
  const constant = foldConstant(type, address, width);
  if (!isObject(prefix) || constant === undefined || constant > maxOf(width))
    return { detail: wrong(type, width, address).detail, path: ['prefix', 'addr'] };
  return {
    detail: `expected a prefix length from 0 to ${width}, found ${found(property(prefix, 'len'))}`,
    path: ['prefix', 'len'],
  };
}

function wrong(type: DataType, width: number, value: unknown): Misread {
  const expected = EXPECTED[type] ?? `a number from 0 to ${maxOf(width)} or its name`;
  return { detail: `expected ${expected}, found ${found(value)}`, path: [] };
}

/** Characters of an interface's name, and of one with a star. Source: linux if.h, IFNAMSIZ with its NUL. */
const LONGEST_INTERFACE = 15;

/** What is wrong with the name of an interface. Numbers are interfaces that were gone when nft printed them. */
export function misreadInterface(value: unknown): Misread | undefined {
  const isName = typeof value === 'string' && value.replace(/\\?\*$/, '').length <= LONGEST_INTERFACE;
  return isName || typeof value === 'number'
    ? undefined
    : { detail: `expected the name of an interface, found ${found(value)}`, path: [] };
}

/** A value for a message, short. */
export function found(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = shortJson(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
