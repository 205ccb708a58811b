import { isObject, type JsonObject, onlyProperty, parseJson, property } from './json.ts';
import type { ScannedItem, Span } from './scan-document.ts';
import { locate, type Path } from './source-text.ts';

/** A rule as it stands in the text: what is said about it as values, its statements one by one. */
export interface RuleText {
  /** The command it stands in; `undefined` where it is listed. */
  readonly command: string | undefined;
  /** The rule's object; its `expr` is empty where `spans` has the statements. */
  readonly value: JsonObject;
  /** Start and end of each statement, `size` of them; `undefined` where `value` has the statements. */
  readonly spans: readonly number[] | undefined;
  readonly size: number;
}

/** Names from an item to the rule in it. */
export function pathToRule(command: string | undefined): Path {
  return command === undefined ? ['rule'] : [command, 'rule'];
}

/** What stands before the handle of a listed rule, in the text of those before it; the others of its chain have the same. */
export type KnownHeads = Map<
  string,
  { readonly family: string; readonly table: string; readonly chain: string }
>;

const HANDLE = '"handle": ';
const EXPR = ', "expr": ';
const MOST_HEADS = 1000;

/**
 * The rule in an item whose statements the scan has found: only what surrounds them is parsed. `undefined` when it is no rule of
 * the usual shape, or not valid JSON.
 */
export function readRuleText(text: string, item: ScannedItem, heads: KnownHeads): RuleText | undefined {
  if (item.open < 0) return undefined;
  const before = text.slice(item.start, item.open);
  const after = text.slice(item.close + 1, item.end);
  const known = after === '}}' ? readKnown(before, heads) : undefined;
  if (known !== undefined)
    return { command: undefined, value: known, spans: item.statements, size: item.size };
  const around = `${before}[]${after}`;
  // With escapes, two spellings could be one name.
  if (around.includes('\\')) return undefined;
  const read = parseJson(around);
  if (read.kind === 'broken') return undefined;
  let only = onlyProperty(read.value);
  let command: string | undefined;
  if (only !== undefined && only.name !== 'rule') {
    command = only.name;
    only = onlyProperty(only.value);
  }
  if (only?.name !== 'rule' || !isObject(only.value)) return undefined;
  const { value } = only;
  const expr = property(value, 'expr');
  if (!Array.isArray(expr) || expr.length > 0) return undefined;
  if (command === undefined && after === '}}') rememberHead(before, value, heads);
  return { command, value, spans: item.statements, size: item.size };
}

/** A rule of which only the handle is new. */
function readKnown(before: string, heads: KnownHeads): JsonObject | undefined {
  if (!before.endsWith(EXPR)) return undefined;
  const at = before.lastIndexOf(HANDLE) + HANDLE.length;
  const head = heads.get(before.slice(0, at));
  const handle = head === undefined ? undefined : before.slice(at, -EXPR.length);
  if (head === undefined || handle === undefined || !/^[1-9]\d{0,14}$/.test(handle)) return undefined;
  return { family: head.family, table: head.table, chain: head.chain, handle: Number(handle) };
}

/** Remembers a head after which, but for the handle, come only the statements. */
function rememberHead(before: string, value: JsonObject, heads: KnownHeads): void {
  const at = before.lastIndexOf(HANDLE) + HANDLE.length;
  const { handle } = value;
  const isRest = typeof handle === 'number' && before.slice(at) === `${handle}${EXPR}`;
  if (!isRest || Object.keys(value).length !== 5) return;
  const { family, table, chain } = value;
  if (typeof family !== 'string' || typeof table !== 'string' || typeof chain !== 'string') return;
  if (heads.size >= MOST_HEADS) heads.clear();
  heads.set(before.slice(0, at), { family, table, chain });
}

/** Where a statement stands. */
export function statementSpan(text: string, item: Span, rule: RuleText, index: number): Span {
  const { spans, size, command } = rule;
  if (spans !== undefined && index < size)
    return { start: spans[index * 2] ?? item.start, end: spans[index * 2 + 1] ?? item.end };
  return locate(text, item, [...pathToRule(command), 'expr', index]);
}
