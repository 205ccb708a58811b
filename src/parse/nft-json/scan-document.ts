/** Offsets of a part of the text; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One item of the array `nftables`, as the scan finds it. The object is used again for the next item. */
export interface ScannedItem extends Span {
  /** 0-based position in the array. */
  readonly index: number;
  /**
   * Where the item is an object with one array `expr` two levels down (a rule, bare or within a command): offsets of the
   * array's brackets, `open` on the first and `close` on the last. -1 where it is not.
   */
  readonly open: number;
  readonly close: number;
  /** Start and end of each element of that array, one after the other; numbers behind `size` elements are of earlier items. */
  readonly statements: readonly number[];
  readonly size: number;
  /** Offset of a string of more than `LONGEST_STRING` characters; -1 where there is none. */
  readonly longString: number;
}

/** No string of a ruleset is longer: names have 255 characters at most, texts somewhat more. */
export const LONGEST_STRING = 65_536;

/** What surrounds the items. */
export interface ScannedDocument {
  /** Number of items. */
  readonly items: number;
  /** Offset of the bracket that opens the array; -1 where the root has no array `nftables`. */
  readonly open: number;
  /** Offset of the bracket that closes it; -1 for a text that was cut. */
  readonly close: number;
  /** Offset of a second key `nftables` of the root; -1 where there is none. */
  readonly again: number;
}

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** A mutable `ScannedItem`. */
class Item implements ScannedItem {
  index = 0;
  start = 0;
  end = 0;
  open = -1;
  close = -1;
  readonly statements: number[] = [];
  size = 0;
  longString = -1;

  reset(index: number, start: number): void {
    this.index = index;
    this.start = start;
    this.end = start;
    this.open = -1;
    this.close = -1;
    this.size = 0;
    this.longString = -1;
  }
}

/**
 * Finds the items of the root's array `nftables` in one pass and hands each to `visit`, whether the text is valid JSON or not.
 * Anything between two commas is an item, so that an item which is valid JSON by itself stands in a valid array. Needs no
 * memory but for one item, and no recursion.
 */
export function scanDocument(text: string, visit: (item: ScannedItem) => void): ScannedDocument {
  const open = findArray(text, 0, 0);
  if (open < 0) return { items: 0, open, close: -1, again: -1 };
  const item = new Item();
  let items = 0;
  let at = open + 1;
  for (;;) {
    item.reset(items, skipSpace(text, at));
    const end = scanItem(text, item);
    if (end < 0) {
      // What is left belongs to an item that was cut.
      if (item.start < text.length) {
        item.end = text.length;
        item.open = -1;
        visit(item);
        items++;
      }
      return { items, open, close: -1, again: -1 };
    }
    const closes = text.charCodeAt(end) === CLOSE_BRACKET;
    if (!closes || items > 0 || item.end > item.start) {
      visit(item);
      items++;
    }
    if (closes) return { items, open, close: end, again: findArray(text, end + 1, 1) };
    at = end + 1;
  }
}

/** The item that begins at `start`, scanned again. */
export function scanItemAt(text: string, start: number): ScannedItem {
  const item = new Item();
  item.reset(0, start);
  scanItem(text, item);
  return item;
}

/** Offset of the bracket after the root's key `nftables`, or -1. `depth` is the nesting at `from`. */
function findArray(text: string, from: number, depth: number): number {
  let level = depth;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = endOfString(text, i);
      if (end < 0) return -1;
      if (level === 1 && end - i === 9 && text.startsWith('"nftables"', i)) {
        const colon = skipSpace(text, end + 1);
        const bracket = text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : -1;
        if (bracket >= 0 && text.charCodeAt(bracket) === OPEN_BRACKET) return bracket;
      }
      i = end;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) level++;
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) level--;
  }
  return -1;
}

/** Scans the item that begins at `item.start`. Gives the offset of the comma or bracket after it, -1 for a cut text. */
function scanItem(text: string, item: Item): number {
  let depth = 0;
  /** The array `expr` stands at this depth; 0 outside of it. */
  let list = 0;
  let start = -1;
  for (let i = item.start; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = endOfString(text, i);
      if (end < 0) return -1;
      if (end - i > LONGEST_STRING) item.longString = i;
      const bracket =
        end - i === 5 && list === 0 && (depth === 2 || depth === 3) && text.startsWith('"expr"', i)
          ? arrayAfterKey(text, end + 1)
          : -1;
      i = end;
      if (bracket < 0) continue;
      // Of two such arrays the item tells nothing; see `open`.
      item.open = item.open === -1 ? bracket : -2;
      if (item.open < 0) continue;
      list = ++depth;
      start = bracket + 1;
      i = bracket;
    } else if (c >= OPEN_BRACKET) {
      if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
      else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
        if (depth === 0) {
          // A brace that closes nothing makes the item invalid.
          if (c === CLOSE_BRACE) continue;
          return endItem(text, item, i);
        }
        if (depth === list) {
          pushSpan(text, start, i, item, true);
          if (c === CLOSE_BRACKET) item.close = i;
          list = 0;
        }
        depth--;
      }
    } else if (c === COMMA) {
      if (depth === 0) return endItem(text, item, i);
      if (depth === list) {
        pushSpan(text, start, i, item, false);
        start = i + 1;
      }
    }
  }
  return -1;
}

function endItem(text: string, item: Item, end: number): number {
  item.end = trimmedEnd(text, item.start, end);
  if (item.open < 0 || item.close < 0) item.open = -1;
  return end;
}

/** Offset of the bracket when a colon and an array follow, or -1. */
function arrayAfterKey(text: string, from: number): number {
  const colon = skipSpace(text, from);
  if (text.charCodeAt(colon) !== COLON) return -1;
  const bracket = skipSpace(text, colon + 1);
  return text.charCodeAt(bracket) === OPEN_BRACKET ? bracket : -1;
}

/** Adds the trimmed span of an array's element. The empty array has none. */
function pushSpan(text: string, from: number, to: number, item: Item, last: boolean): void {
  const start = Math.min(skipSpace(text, from), to);
  if (last && start === to && item.size === 0) return;
  item.statements[item.size * 2] = start;
  item.statements[item.size * 2 + 1] = trimmedEnd(text, start, to);
  item.size++;
}

/** Offset of the next character that is no white space. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return at;
}

function trimmedEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && text.charCodeAt(last - 1) <= 32) last--;
  return last;
}

/** Most strings are shorter: up to this length a loop finds their end faster than a search. */
const SHORT = 24;

/** Offset of the quotation mark that closes the string opened at `open`, or -1. */
export function endOfString(text: string, open: number): number {
  const limit = Math.min(open + SHORT, text.length);
  for (let i = open + 1; i < limit; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i;
    if (c === BACKSLASH) break;
  }
  return searchEnd(text, open);
}

function searchEnd(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    if (text.charCodeAt(at - 1) !== BACKSLASH) return at;
    let slashes = 1;
    while (at - 1 - slashes > open && text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

/** Offset behind the value that begins at `from`, or -1 when it does not end. White space around it is not part of it. */
export function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = endOfString(text, i);
      if (end < 0) return -1;
      i = end;
      if (depth === 0) return end + 1;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      if (depth <= 1) return depth === 1 ? i + 1 : trimmedEnd(text, from, i);
      depth--;
    } else if (c === COMMA && depth === 0) return trimmedEnd(text, from, i);
  }
  return depth === 0 ? text.length : -1;
}
