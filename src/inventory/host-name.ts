/**
 * Host names: patterns over them, and which of them mean the same host.
 *
 * Names compare without case (RFC 4343). A fully qualified name is one with a dot that is not an address.
 */
import { parseAddress } from '../net/index.ts';

/** Whether the text is a pattern over host names. Only `*` is special; it stands for any number of characters. */
export function isHostPattern(text: string): boolean {
  return text.includes('*');
}

/** Whether `name` fits `pattern`, without case. Linear in the length of both. */
export function matchesHostPattern(pattern: string, name: string): boolean {
  return matchesWildcards(pattern.toLowerCase(), name.toLowerCase(), false);
}

/**
 * Whether the whole of `text` fits a pattern in which `*` stands for any number of characters and, where
 * `questionMark` is set, `?` for one. Remembers only the last `*`, so the time is bounded by the product of the
 * lengths however many stars a pattern has.
 */
export function matchesWildcards(pattern: string, text: string, questionMark: boolean): boolean {
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === '*') {
      star = inPattern++;
      starAt = at;
    } else if (wanted !== undefined && (wanted === text[at] || (questionMark && wanted === '?'))) {
      inPattern++;
      at++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** The first label of a fully qualified name, in lower case; `undefined` for short names, addresses and names that begin with a dot. */
export function shortNameOf(name: string): string | undefined {
  const dot = name.indexOf('.');
  if (dot <= 0 || parseAddress(name) !== undefined) return undefined;
  return name.slice(0, dot).toLowerCase();
}

/** Finds names in a fixed list of names, in the ways people abbreviate them. */
export class HostNameIndex {
  readonly #byLowerCase = new Map<string, string>();
  /** Short name to the fully qualified names of the list that begin with it. */
  readonly #qualified = new Map<string, string[]>();

  /** Of names that differ in case only, the first counts. */
  constructor(names: Iterable<string>) {
    for (const name of names) {
      const lower = name.toLowerCase();
      if (this.#byLowerCase.has(lower)) continue;
      this.#byLowerCase.set(lower, name);
      const short = shortNameOf(name);
      if (short === undefined) continue;
      const others = this.#qualified.get(short);
      if (others === undefined) this.#qualified.set(short, [name]);
      else others.push(name);
    }
  }

  /**
   * The name of the list that `name` means: the same name without case; for a fully qualified name the short one;
   * for a short name the only fully qualified one. `undefined` when there is none, or several.
   */
  find(name: string): string | undefined {
    const same = this.#byLowerCase.get(name.toLowerCase());
    if (same !== undefined) return same;
    const short = shortNameOf(name);
    if (short !== undefined) {
      return (this.#qualified.get(short)?.length ?? 0) > 0 ? undefined : this.#byLowerCase.get(short);
    }
    const qualified = this.#qualified.get(name.toLowerCase()) ?? [];
    return qualified.length === 1 ? qualified[0] : undefined;
  }
}

/** A short name that could mean several hosts, so that it was kept apart from all of them. */
export interface AmbiguousName {
  readonly name: string;
  readonly candidates: readonly string[];
}

/** Which of the names found mean the same host. */
export interface UnifiedNames {
  /** Every name found, to the name its host goes by. */
  readonly canonical: ReadonlyMap<string, string>;
  readonly ambiguous: readonly AmbiguousName[];
}

/**
 * Joins the names that mean one host: those that differ in case only, and a short name with the only fully
 * qualified one that begins with it. The host goes by the declared name where there is one, else by the short one.
 * Two declared names are never joined. Nothing is joined where several fully qualified names share a short one.
 */
export function unifyHostNames(found: readonly string[], declared: readonly string[]): UnifiedNames {
  const spelling = new Map<string, string>();
  for (const name of [...declared, ...found]) {
    if (!spelling.has(name.toLowerCase())) spelling.set(name.toLowerCase(), name);
  }
  const isDeclared = new Set(declared.map((name) => name.toLowerCase()));
  const qualified = new Map<string, string[]>();
  for (const [lower, name] of spelling) {
    const short = shortNameOf(name);
    if (short !== undefined && spelling.has(short)) {
      qualified.set(short, [...(qualified.get(short) ?? []), lower]);
    }
  }
  const joined = new Map<string, string>();
  const ambiguous: AmbiguousName[] = [];
  for (const [short, names] of qualified) {
    const [only, ...others] = names;
    if (only === undefined) continue;
    if (others.length > 0) {
      if (isDeclared.has(short) && names.every((name) => isDeclared.has(name))) continue;
      const candidates = names.map((name) => spelling.get(name) ?? name).sort();
      ambiguous.push({ name: spelling.get(short) ?? short, candidates });
    } else if (!isDeclared.has(short) && isDeclared.has(only)) joined.set(short, only);
    else if (!(isDeclared.has(short) && isDeclared.has(only))) joined.set(only, short);
  }
  const canonical = new Map<string, string>();
  for (const name of found) {
    const lower = name.toLowerCase();
    canonical.set(name, spelling.get(joined.get(lower) ?? lower) ?? name);
  }
  return { canonical, ambiguous };
}
