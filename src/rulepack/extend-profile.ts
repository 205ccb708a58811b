/**
 * A profile that extends another: its data merged into the other's, entry by entry.
 *
 * Lists of things with a name (roles, features, sources, flows), of ports (admin-ports, never-remote, plaintext-ports) and of roles
 * (minimum-ports) are merged: an entry with the name of one in the base changes the keys it has and leaves the others; any other entry is
 * added at the end. `remove` takes entries of the base away. Every other key replaces that of the base. A key without a value
 * (`severity: ~`) takes that of the base away.
 */
import { type Decoder, isMapping, type Mapping, type Path, suggest, type Translate } from './decode.ts';

/** What tells the entries of a list apart. */
const LISTS: Readonly<Record<string, (entry: unknown) => string | undefined>> = {
  roles: idOf,
  features: idOf,
  sources: idOf,
  flows: idOf,
  'admin-ports': portOf,
  'never-remote': portOf,
  'plaintext-ports': portOf,
  'minimum-ports': roleOf,
};

function idOf(entry: unknown): string | undefined {
  return isMapping(entry) && typeof entry.id === 'string' ? entry.id : undefined;
}

function roleOf(entry: unknown): string | undefined {
  return isMapping(entry) && typeof entry.role === 'string' ? entry.role : undefined;
}

/** `514/tcp`: a port may be there once for each protocol. */
function portOf(entry: unknown): string | undefined {
  if (!isMapping(entry) || (typeof entry.port !== 'number' && typeof entry.port !== 'string'))
    return undefined;
  return `${entry.port}/${typeof entry.protocol === 'string' ? entry.protocol.toLowerCase() : 'tcp'}`;
}

/** Merged data, and where its parts come from. */
export interface ExtendedProfile {
  readonly data: Mapping;
  readonly translate: Translate;
}

/**
 * `own` merged into `base`. Problems of `remove` go to `decoder`, which reads `own`; every other problem shows when the
 * result is decoded. `baseName` is how messages call the base.
 */
export function extendProfile(
  own: Mapping,
  base: Mapping,
  baseName: string,
  decoder: Decoder,
): ExtendedProfile {
  const data = new Map<string, unknown>(Object.entries(base));
  /** By list and position in the merged list: where the entry's own keys stand. */
  const places = new Map<string, { readonly index: number; readonly keys: ReadonlySet<string> }>();
  for (const [key, value] of Object.entries(own)) {
    if (key === 'extends' || key === 'remove') continue;
    if (!Object.hasOwn(LISTS, key)) data.set(key, value);
  }
  const removed = decodeRemoved(own.remove, base, baseName, decoder);
  for (const [key, nameOf] of Object.entries(LISTS)) {
    const ours: unknown = own[key];
    // What is no list is reported by whoever decodes the result.
    if (ours !== undefined && !Array.isArray(ours)) {
      data.set(key, ours);
      continue;
    }
    const gone = removed.get(key);
    const merged = listIn(base, key).filter((entry) => !gone?.has(nameOf(entry) ?? ''));
    const inherited = merged.length;
    for (const [index, entry] of (ours ?? []).entries()) {
      const name = nameOf(entry);
      const at = name === undefined ? -1 : merged.slice(0, inherited).findIndex((e) => nameOf(e) === name);
      const before: unknown = merged[at];
      const keys = new Set(isMapping(entry) ? Object.keys(entry) : []);
      if (isMapping(before) && isMapping(entry)) {
        merged[at] = withoutEmpty([...Object.entries(before), ...Object.entries(entry)]);
        places.set(`${key} ${at}`, { index, keys });
      } else {
        places.set(`${key} ${merged.push(entry) - 1}`, { index, keys });
      }
    }
    if (merged.length > 0 || ours !== undefined) data.set(key, merged);
  }
  const translate = (path: Path) => {
    const [list, position, key] = path;
    if (typeof list !== 'string' || !Object.hasOwn(LISTS, list) || position === undefined) {
      const isOwn = list === undefined || Object.hasOwn(own, list);
      return isOwn
        ? { path, prefix: '' }
        : { path: ['extends'], prefix: `in ${list} of the profile ${baseName}: ` };
    }
    const place = places.get(`${list} ${position}`);
    // An entry that is the user's own, or a key of it that the user wrote.
    if (place !== undefined && (key === undefined || place.keys.has(String(key))))
      return { path: [list, place.index, ...path.slice(2)], prefix: '' };
    const value = data.get(list);
    const name = Array.isArray(value) ? LISTS[list]?.(value[Number(position)]) : undefined;
    return {
      path: place === undefined ? ['extends'] : [list, place.index],
      prefix: `in ${list} ${name ?? position} of the profile ${baseName}: `,
    };
  };
  return { data: withoutEmpty(data), translate };
}

/** A mapping of entries of which later ones win, without those that have no value. */
function withoutEmpty(entries: Iterable<readonly [string, unknown]>): Mapping {
  return Object.fromEntries([...new Map(entries)].filter(([, value]) => value !== null));
}

function listIn(data: Mapping, key: string): unknown[] {
  const value: unknown = data[key];
  return Array.isArray(value) ? [...value] : [];
}

/** What `remove` names, by list. */
function decodeRemoved(
  value: unknown,
  base: Mapping,
  baseName: string,
  decoder: Decoder,
): Map<string, Set<string>> {
  const removed = new Map<string, Set<string>>();
  if (value === undefined) return removed;
  const map = decoder.mapping(value, ['remove'], { required: [], optional: Object.keys(LISTS) });
  for (const [key, nameOf] of Object.entries(LISTS)) {
    const known = listIn(base, key).flatMap((entry) => nameOf(entry) ?? []);
    const names = decoder.list(map[key], ['remove', key], (one, path) => {
      // A port may be written as a number; tcp goes without saying.
      const text = typeof one === 'number' ? String(one) : decoder.text(one, path);
      const name = nameOf === portOf && !text.includes('/') ? `${text}/tcp` : text;
      if (text !== '' && !known.includes(name))
        decoder.report(path, `"${text}" is not among the ${key} of ${baseName}; ${suggest(name, known)}`);
      return name;
    });
    removed.set(key, new Set(names));
  }
  return removed;
}
