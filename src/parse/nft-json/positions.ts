import type { Origin } from '../../model/index.ts';

/** Offsets of one item of the array `nftables`; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What one scan over the text finds. */
export interface Scan {
  /** Complete items of the array, in order. */
  readonly items: readonly Span[];
  /** Whether the array was closed; `false` for a text that was cut. */
  readonly closed: boolean;
}

const QUOTE = 34;
const COMMA = 44;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Finds the items of the root's array `nftables` in one pass, whether the text is valid JSON or not. */
export function scanItems(text: string): Scan {
  let items: Span[] = [];
  let closed = false;
  let depth = 0;
  let start = -1;
  /** 0: elsewhere, 1: after the key, 2: inside the array. */
  let phase = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c <= 32) continue;
    if (phase === 2 && depth === 2 && start < 0 && c !== COMMA && c !== CLOSE_BRACKET) start = i;
    if (c === QUOTE) {
      const end = endOfString(text, i);
      if (end < 0) break;
      if (
        depth === 1 &&
        phase === 0 &&
        end - i === 9 &&
        text.startsWith('"nftables"', i) &&
        /^\s{0,1000}:\s{0,1000}\[/.test(text.slice(end + 1, end + 2003))
      ) {
        phase = 1;
        items = [];
        closed = false;
      }
      i = end;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      depth++;
      if (phase === 1 && depth === 2 && c === OPEN_BRACKET) phase = 2;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      if (phase === 2 && depth === 2) {
        if (start >= 0) items.push({ start, end: trimmedEnd(text, start, i) });
        start = -1;
        closed = true;
        phase = 0;
      }
      depth--;
    } else if (c === COMMA && phase === 2 && depth === 2) {
      if (start >= 0) items.push({ start, end: trimmedEnd(text, start, i) });
      start = -1;
    }
  }
  return { items, closed };
}

function trimmedEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && text.charCodeAt(last - 1) <= 32) last--;
  return last;
}

/** Offset of the quotation mark that closes the string opened at `open`, or -1. */
function endOfString(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (at - 1 - slashes > open && text.charCodeAt(at - 1 - slashes) === 92) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

/** Lines and columns of offsets in one text, and origins made of them. */
export class Positions {
  readonly #file: string;
  readonly #length: number;
  /** Offset at which each line begins. */
  readonly #lines: readonly number[];
  readonly #items: readonly Span[];

  constructor(text: string, file: string, items: readonly Span[]) {
    this.#file = file;
    this.#length = text.length;
    this.#items = items;
    const lines = [0];
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.push(at + 1);
    this.#lines = lines;
  }

  /** The place of item `index`, with `path` inside the document; the whole text where the item was not found. */
  item(index: number, path: string): Origin {
    const span = this.#items[index] ?? { start: 0, end: Math.min(1, this.#length) };
    return this.#origin(span, path);
  }

  /** The place of one offset. */
  at(offset: number): Origin {
    const start = Math.max(0, Math.min(offset, this.#length));
    return this.#origin({ start, end: Math.min(start + 1, this.#length) }, '$');
  }

  #origin({ start, end }: Span, path: string): Origin {
    const from = this.#place(start);
    const to = this.#place(end);
    return {
      file: this.#file,
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
      path,
    };
  }

  #place(offset: number): { readonly line: number; readonly column: number } {
    let low = 0;
    let high = this.#lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lines[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.#lines[low]! + 1 };
  }
}
