/** A configuration document as a tree with positions, whatever syntax it was read from. */

/** Where a value stands. Lines and columns are 1-based; `endColumn` is exclusive. */
export interface Span {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** One key of a mapping with its value. */
export interface ConfigEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: ConfigNode;
}

/** `text` of numbers, booleans and other scalars is the source text, so that `08` stays `08`. */
export type ConfigNode =
  | { readonly kind: 'map'; readonly entries: readonly ConfigEntry[]; readonly span: Span }
  | { readonly kind: 'list'; readonly items: readonly ConfigNode[]; readonly span: Span }
  | { readonly kind: 'text' | 'number' | 'boolean' | 'other'; readonly text: string; readonly span: Span }
  | { readonly kind: 'null'; readonly span: Span };

const NOWHERE: Span = { line: 1, column: 1, endLine: 1, endColumn: 1 };

/** Nesting beyond this is no configuration; deeper values become `other`. */
const MAX_DEPTH = 32;

/** Plain data (parsed JSON or YAML) as a tree. It has no positions: everything stands at line 1, column 1. */
export function nodeFromData(data: unknown, depth = 0): ConfigNode {
  if (data === null || data === undefined) return { kind: 'null', span: NOWHERE };
  if (typeof data === 'string') return { kind: 'text', text: data, span: NOWHERE };
  if (typeof data === 'number' || typeof data === 'bigint')
    return { kind: 'number', text: `${data}`, span: NOWHERE };
  if (typeof data === 'boolean') return { kind: 'boolean', text: `${data}`, span: NOWHERE };
  if (typeof data !== 'object' || depth >= MAX_DEPTH)
    return { kind: 'other', text: typeof data, span: NOWHERE };
  if (Array.isArray(data)) {
    return { kind: 'list', items: data.map((item) => nodeFromData(item, depth + 1)), span: NOWHERE };
  }
  const entries = Object.entries(data).map(([key, value]) => ({
    key,
    keySpan: NOWHERE,
    value: nodeFromData(value, depth + 1),
  }));
  return { kind: 'map', entries, span: NOWHERE };
}
