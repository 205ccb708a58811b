import type { RulePackProblem } from './problem.ts';

/** Nobody reads more than this of one file, and a hostile one could have a hundred thousand. */
export const MAX_PROBLEMS = 1000;

/** Steps from the document to a value: keys and list positions. */
export type Path = readonly (string | number)[];

/** Where a path of merged data stands in the file that is decoded, and what to say first when it stands elsewhere. */
export type Translate = (path: Path) => { readonly path: Path; readonly prefix: string };

/** Finds the line and column of a path in the text the data came from; `null` when it has none. */
export type Locate = (path: Path) => { readonly line: number; readonly column: number } | null;

/**
 * Reads typed values out of data, and collects every problem instead of stopping at the first. Each reading
 * method returns a stand-in (empty text, zero, empty list) for what is wrong, so that reading goes on; the
 * result may be used only when no problem was collected.
 */
export class Decoder {
  private readonly collected: RulePackProblem[] = [];
  private readonly file: string;
  private readonly locate: Locate;
  private readonly translate: Translate;

  constructor(file: string, locate: Locate, translate: Translate = (path) => ({ path, prefix: '' })) {
    this.file = file;
    this.locate = locate;
    this.translate = translate;
  }

  /** The file that is read, for what is found out about its content later. */
  get source(): { readonly file: string; readonly locate: Locate } {
    return { file: this.file, locate: this.locate };
  }

  /** What was collected, in the order of the text. */
  get problems(): readonly RulePackProblem[] {
    return this.collected.toSorted(
      (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
  }

  /** Says what is wrong at `at`. The first thousand are kept: finding the place of one takes as long as its mapping is wide. */
  report(at: Path, detail: string): void {
    if (this.collected.length >= MAX_PROBLEMS) return;
    const { path, prefix } = this.translate(at);
    const place = this.locate(path);
    const { line, column } = place ?? { line: null, column: null };
    this.collected.push({
      file: this.file,
      line,
      column,
      path: formatPath(path),
      detail: `${prefix}${detail}`,
    });
  }

  /** The mapping at `path`, after complaining about keys that are unknown or missing. */
  mapping(
    value: unknown,
    path: Path,
    keys: { required: readonly string[]; optional?: readonly string[] },
  ): Mapping {
    if (!isMapping(value)) {
      this.report(
        path,
        `expected a mapping with the keys ${keys.required.join(', ')}; found ${describe(value)}`,
      );
      return {};
    }
    const known = [...keys.required, ...(keys.optional ?? [])];
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.report([...path, key], `unknown key; ${suggest(key, known)}`);
    }
    for (const key of keys.required) {
      if (!Object.hasOwn(value, key)) this.report(path, `the key "${key}" is missing`);
    }
    return value;
  }

  list<T>(value: unknown, path: Path, item: (value: unknown, path: Path) => T, minimum = 0): T[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.report(path, `expected a list; found ${describe(value)}`);
      return [];
    }
    if (value.length < minimum)
      this.report(path, `expected at least ${minimum} in the list; found ${value.length}`);
    return value.map((one: unknown, i) => item(one, [...path, i]));
  }

  /** A text with something in it. */
  text(value: unknown, path: Path): string {
    if (value === undefined) return '';
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.report(path, `expected text; found ${describe(value)}`);
    return '';
  }

  /** A kebab-case name: lower-case words joined by hyphens. */
  id(value: unknown, path: Path): string {
    const text = this.text(value, path);
    if (text !== '' && !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text)) {
      this.report(path, `expected lower-case words joined by hyphens; found ${describe(value)}`);
    }
    return text;
  }

  integer(value: unknown, path: Path, lowest: number, highest: number): number {
    if (value === undefined) return lowest;
    if (typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest)
      return value;
    this.report(path, `expected a whole number from ${lowest} to ${highest}; found ${describe(value)}`);
    return lowest;
  }

  oneOf<T extends string>(value: unknown, path: Path, allowed: readonly T[]): T {
    const found = allowed.find((one) => one === value);
    const [fallback] = allowed;
    if (found !== undefined) return found;
    if (fallback === undefined) throw new Error('oneOf needs at least one allowed value');
    if (value !== undefined) {
      const hint =
        typeof value === 'string' ? suggest(value, allowed) : `expected one of ${allowed.join(', ')}`;
      this.report(path, `found ${describe(value)}; ${hint}`);
    }
    return fallback;
  }
}

/** A mapping whose values are not read yet. */
export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `flows[2].ports[0]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`;
  return text;
}

/** A value in a few words, for messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string' && value.trim() === '') return 'an empty text';
  const text = String(value);
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;
}

/** `did you mean "x"?` where one of the allowed words is close, and else all of them. */
export function suggest(word: string, allowed: readonly string[]): string {
  const best = closestWord(word, allowed);
  const all = `allowed: ${allowed.join(', ')}`;
  return best === undefined ? all : `did you mean "${best}"? (${all})`;
}

/** The one of these words that somebody who wrote `word` probably meant: at most one slip in three letters. */
export function closestWord(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of words) {
    const slips = countSlips(word.toLowerCase(), candidate);
    if (slips < fewest) {
      best = candidate;
      fewest = slips;
    }
  }
  return best;
}

/** Missing, added and changed letters, and swapped neighbours (optimal string alignment); long words count as far apart. */
function countSlips(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return a === b ? 0 : 64;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (beforeLast[j - 2] ?? 0) + 1 : changed;
      row.push(Math.min(changed, swapped, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
