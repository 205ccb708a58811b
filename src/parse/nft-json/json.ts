/** Reading values of unknown shape, and writing them back as short text. Nothing here throws or recurses without bound. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** Nesting beyond this is not read: nft itself nests a handful of levels. */
export const DEEPEST = 48;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `JSON.parse` without exceptions. */
export function parseJson(
  text: string,
): { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'broken' } {
  try {
    const value: unknown = JSON.parse(text);
    return { kind: 'value', value };
  } catch {
    return BROKEN;
  }
}

const BROKEN = { kind: 'broken' } as const;

/** An own property, whatever its name (`__proto__` included), or `undefined`. */
export function property(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function textProperty(value: unknown, name: string): string | undefined {
  const found = property(value, name);
  return typeof found === 'string' ? found : undefined;
}

/** A number that is an integer; integers beyond 2^53 have lost their last digits. */
export function integerProperty(value: unknown, name: string): number | undefined {
  const found = property(value, name);
  return typeof found === 'number' && Number.isInteger(found) ? found : undefined;
}

/** Name and value of an object with exactly one property: how the format writes expressions and statements. */
export function onlyProperty(value: unknown): { readonly name: string; readonly value: unknown } | undefined {
  if (!isObject(value)) return undefined;
  const names = Object.keys(value);
  const name = names[0];
  return name === undefined || names.length > 1 ? undefined : { name, value: value[name] };
}

/** A value as a list: what the format writes bare when there is only one. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

/** How many characters of JSON a text shows at most. */
const SHOWN = 400;

/** JSON of a value, cut after some hundred characters; safe for any depth. */
export function shortJson(value: unknown): string {
  const out: string[] = [];
  let length = 0;
  const push = (text: string): void => {
    out.push(text);
    length += text.length;
  };
  const walk = (part: unknown, depth: number): void => {
    if (length > SHOWN) return;
    if (depth > DEEPEST) push('…');
    else if (Array.isArray(part)) {
      push('[');
      for (const [i, item] of part.entries()) {
        if (length > SHOWN) break;
        if (i > 0) push(',');
        walk(item, depth + 1);
      }
      push(']');
    } else if (isObject(part)) {
      push('{');
      let first = true;
      for (const name of Object.keys(part)) {
        if (length > SHOWN) break;
        push(`${first ? '' : ','}${JSON.stringify(name.slice(0, SHOWN))}:`);
        first = false;
        walk(part[name], depth + 1);
      }
      push('}');
    } else push(typeof part === 'string' ? JSON.stringify(part.slice(0, SHOWN)) : String(part));
  };
  walk(value, 0);
  const text = out.join('');
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
