import type { Origin } from '../../model/index.ts';
import { endOfString, endOfValue, type Span, skipSpace } from './scan-document.ts';

/** A path inside a document: names of members and positions in arrays. */
export type Path = readonly (string | number)[];

/** The text of one file, and where in it things stand. */
export class SourceText {
  readonly text: string;
  readonly file: string;
  /** The line that was asked last; neighbours are found from it. */
  #line = 1;
  #lineStart = 0;
  /** Offset of the line feed that ends it; the text's length for the last line. */
  #lineEnd: number;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
    this.#lineEnd = this.#nextLineFeed(0);
  }

  /** The origin of a part of the text; `path` is where it stands in the document. Cheap where parts follow each other. */
  originOf({ start, end }: Span, path: string): Origin {
    this.#moveTo(start);
    const line = this.#line;
    const column = start - this.#lineStart + 1;
    this.#moveTo(end);
    return { file: this.file, line, column, endLine: this.#line, endColumn: end - this.#lineStart + 1, path };
  }

  /** The origin of a part of an item that begins at `start` and has the origin `item`. */
  originInside(item: Origin, start: number, part: Span, path: string): Origin {
    const from = this.#placeAfter(item, start, part.start);
    const to = this.#placeAfter(item, start, part.end);
    return {
      file: this.file,
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
      path,
    };
  }

  #placeAfter(
    item: Origin,
    start: number,
    offset: number,
  ): { readonly line: number; readonly column: number } {
    if (item.line === item.endLine) return { line: item.line, column: item.column + offset - start };
    let line = item.line;
    let lineStart = start - item.column + 1;
    for (
      let at = this.text.indexOf('\n', start);
      at >= 0 && at < offset;
      at = this.text.indexOf('\n', at + 1)
    ) {
      line++;
      lineStart = at + 1;
    }
    return { line, column: offset - lineStart + 1 };
  }

  #nextLineFeed(from: number): number {
    const at = this.text.indexOf('\n', from);
    return at < 0 ? this.text.length : at;
  }

  #moveTo(offset: number): void {
    while (offset < this.#lineStart) {
      this.#lineEnd = this.#lineStart - 1;
      this.#lineStart = this.#lineEnd === 0 ? 0 : this.text.lastIndexOf('\n', this.#lineEnd - 1) + 1;
      this.#line--;
    }
    while (offset > this.#lineEnd && this.#lineEnd < this.text.length) {
      this.#lineStart = this.#lineEnd + 1;
      this.#lineEnd = this.#nextLineFeed(this.#lineStart);
      this.#line++;
    }
  }
}

/** The part of `text` that `path` names inside the value at `span`; the deepest part on the way where it is not there. */
export function locate(text: string, span: Span, path: Path): Span {
  let found = span;
  for (const step of path) {
    const inside = partAt(text, skipSpace(text, found.start), step);
    if (inside === undefined) break;
    found = inside;
  }
  return found;
}

/** The member or element of the object or array that begins at `from`. */
function partAt(text: string, from: number, step: string | number): Span | undefined {
  const opening = typeof step === 'number' ? '[' : '{';
  if (text[from] !== opening) return undefined;
  let at = skipSpace(text, from + 1);
  for (let index = 0; at < text.length; index++) {
    let name: string | undefined;
    if (opening === '{') {
      const end = text[at] === '"' ? endOfString(text, at) : -1;
      if (end < 0) return undefined;
      name = text.slice(at + 1, end);
      at = skipSpace(text, skipSpace(text, end + 1) + 1);
    }
    const end = endOfValue(text, at);
    if (end <= at) return undefined;
    if (name === step || (name === undefined && index === step)) return { start: at, end };
    at = skipSpace(text, end);
    if (text[at] !== ',') return undefined;
    at = skipSpace(text, at + 1);
  }
  return undefined;
}

/** Deeper parts of a path are left out. */
const DEEPEST_PATH = 20;

/** Where in the value that begins at `start` an offset lies, as far as the text before it tells. */
export function pathAt(text: string, start: number, offset: number): Path {
  const path: (string | number)[] = [];
  let depth = 0;
  let isName = false;
  for (let i = start; i < offset; i++) {
    const c = text[i];
    if (c === '"') {
      const end = endOfString(text, i);
      if (end < 0 || end >= offset) break;
      if (isName && depth <= DEEPEST_PATH) path[depth - 1] = text.slice(i + 1, Math.min(end, i + 100));
      isName = false;
      i = end;
    } else if (c === '{' || c === '[') {
      depth++;
      if (depth <= DEEPEST_PATH) path.push(c === '[' ? 0 : '');
      isName = c === '{';
    } else if (c === '}' || c === ']') {
      if (depth <= DEEPEST_PATH) path.pop();
      depth--;
      isName = false;
    } else if (c === ',' && depth > 0 && depth <= DEEPEST_PATH) {
      const last = path[depth - 1];
      isName = typeof last === 'string';
      if (typeof last === 'number') path[depth - 1] = last + 1;
    }
  }
  return path.filter((step) => step !== '');
}

/** `path` as text, to be put behind another: `.expr[2].match`. */
export function pathText(path: Path): string {
  return path.map((step) => (typeof step === 'number' ? `[${step}]` : memberText(step))).join('');
}

function memberText(name: string): string {
  return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 60))}]`;
}
