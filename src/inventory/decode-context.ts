import { findClosestName } from './closest-name.ts';
import type { ConfigEntry, ConfigNode, Span } from './config-node.ts';
import { type Parsed, quote } from './config-value.ts';
import type { ConfigOrigin, ConfigProblem } from './inventory.ts';

/** Problems beyond this many are not kept: nobody reads them, and a hostile file could have a million. */
const MAX_PROBLEMS = 1000;

/** What a handler of one key gets: the value, its path, and the place of the key. */
export type KeyHandler = (value: ConfigNode, path: string, keySpan: Span) => void;

/** Collects problems while a tree is decoded, and makes the origins of what is decoded. */
export class DecodeContext {
  readonly file: string;
  readonly #problems: ConfigProblem[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /** The problems so far, by place. */
  get problems(): readonly ConfigProblem[] {
    return [...this.#problems].sort(byPlace);
  }

  /** Notes a problem. A message that is costly to make (a suggestion) is given as a function. */
  report(span: Span, path: string, message: string | (() => string)): void {
    if (this.#problems.length >= MAX_PROBLEMS) return;
    const text = typeof message === 'string' ? message : message();
    this.#problems.push({ file: this.file, line: span.line, column: span.column, path, message: text });
  }

  origin(span: Span, path: string): ConfigOrigin {
    const { line, column, endLine, endColumn } = span;
    return { file: this.file, line, column, endLine, endColumn, path };
  }

  /** The value of `parsed`, or a problem and `undefined`. */
  accept<T>(parsed: Parsed<T>, span: Span, path: string): T | undefined {
    if ('value' in parsed) return parsed.value;
    this.report(span, path, parsed.problem);
    return undefined;
  }

  /** Entries of a mapping; none for null (a key with everything below it commented out). */
  entriesOf(node: ConfigNode, path: string, expected: string): readonly ConfigEntry[] {
    if (node.kind === 'map') return node.entries;
    if (node.kind !== 'null') this.reportType(node, path, expected);
    return [];
  }

  /** Items of a list with their paths; a single value counts as a list of one, null as an empty list. */
  itemsOf(node: ConfigNode, path: string): readonly { readonly node: ConfigNode; readonly path: string }[] {
    if (node.kind === 'list') return node.items.map((item, i) => ({ node: item, path: `${path}[${i}]` }));
    return node.kind === 'null' ? [] : [{ node, path }];
  }

  /** Text that is more than white space, or a problem and `undefined`. */
  textOf(node: ConfigNode, path: string, expected: string): string | undefined {
    if (node.kind !== 'text') {
      this.reportType(node, path, expected);
      return undefined;
    }
    if (node.text.trim() !== '') return node.text;
    this.report(node.span, path, `found an empty text, expected ${expected}`);
    return undefined;
  }

  /** As `textOf`, but unquoted numbers count as the text they are written with: ports. */
  textOrNumberOf(node: ConfigNode, path: string, expected: string): string | undefined {
    return node.kind === 'number' ? node.text : this.textOf(node, path, expected);
  }

  reportType(node: ConfigNode, path: string, expected: string): void {
    this.report(node.span, path, `found ${describe(node)}, expected ${expected}`);
  }

  /** Runs the handler of each key; a key without one is a problem. */
  decodeKeys(
    entries: readonly ConfigEntry[],
    path: string,
    where: string,
    handlers: ReadonlyMap<string, KeyHandler>,
  ): void {
    for (const { key, keySpan, value } of entries) {
      const handler = handlers.get(key);
      if (handler !== undefined) handler(value, childPath(path, key), keySpan);
      else
        this.report(keySpan, childPath(path, key), () =>
          unknownName('key', key, [...handlers.keys()], where),
        );
    }
  }
}

function byPlace(a: ConfigProblem, b: ConfigProblem): number {
  return (
    a.line - b.line ||
    a.column - b.column ||
    compareTexts(a.path, b.path) ||
    compareTexts(a.message, b.message)
  );
}

/** Order by UTF-16 code units: the same on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** "unknown key "adresses" in a host; did you mean "addresses"?" */
export function unknownName(kind: string, name: string, known: readonly string[], where: string): string {
  const closest = findClosestName(name, known);
  const hint =
    closest !== undefined ? `did you mean ${quote(closest)}?` : `known: ${known.slice(0, 20).join(', ')}`;
  return `unknown ${kind} ${quote(name)} ${where}; ${hint}`;
}

/** `$.hosts.client-01`, or `$.hosts["db-*"]` where the key is more than a word. */
export function childPath(path: string, key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `${path}.${key}` : `${path}[${quote(key)}]`;
}

function describe(node: ConfigNode): string {
  switch (node.kind) {
    case 'map':
      return 'a mapping';
    case 'list':
      return 'a list';
    case 'null':
      return 'nothing';
    case 'text':
      return `the text ${quote(node.text)}`;
    case 'number':
      return `the number ${node.text.slice(0, 40)}`;
    case 'boolean':
      return node.text;
    case 'other':
      return 'something that is neither text nor number';
  }
}
