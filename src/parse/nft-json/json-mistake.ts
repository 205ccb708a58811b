import { endOfString, skipSpace } from './scan-document.ts';

/** What may stand at a place of a JSON text. */
type Expected = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end' | 'nothing';

const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/**
 * Offset of the first thing in a text that cannot stand where it stands in JSON; the text's length where its end is missing.
 * `JSON.parse` does not always tell it. Strings are not looked into.
 */
export function offsetOfMistake(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value';
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const c = text[at]!;
    const isEnd = c === (open[open.length - 1] === '{' ? '}' : ']') && open.length > 0;
    if (isEnd && expected.endsWith('end')) {
      open.pop();
      expected = open.length === 0 ? 'nothing' : 'comma or end';
      at++;
    } else if (expected.startsWith('name') && c === '"') {
      const end = endOfString(text, at);
      if (end < 0) return text.length;
      at = end + 1;
      expected = 'colon';
    } else if (expected === 'colon' && c === ':') {
      at++;
      expected = 'value';
    } else if (expected === 'comma or end' && c === ',') {
      at++;
      expected = open[open.length - 1] === '{' ? 'name' : 'value';
    } else if (expected.startsWith('value') && (c === '{' || c === '[')) {
      open.push(c);
      at++;
      expected = c === '{' ? 'name or end' : 'value or end';
    } else if (expected.startsWith('value')) {
      const end = endOfScalar(text, at);
      if (end < 0) return c === '"' ? text.length : at;
      at = end;
      expected = open.length === 0 ? 'nothing' : 'comma or end';
    } else return at;
  }
  return text.length;
}

/** Offset behind the string, number or word at `at`, or -1. */
function endOfScalar(text: string, at: number): number {
  if (text[at] === '"') {
    const end = endOfString(text, at);
    return end < 0 ? -1 : end + 1;
  }
  SCALAR.lastIndex = at;
  return SCALAR.test(text) ? SCALAR.lastIndex : -1;
}
