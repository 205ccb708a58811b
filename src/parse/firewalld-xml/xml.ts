/** XML as a stream of elements with places, strict and without DTDs: what firewalld reads through expat. */
import { SaxesParser } from 'saxes';
import type { Origin } from '../../model/index.ts';
import { quote, shorten } from '../diagnostic-log.ts';

/** One attribute; the value as XML says it (the five entities and numbers resolved, line breaks as spaces). */
export interface XmlAttribute {
  readonly name: string;
  readonly value: string;
  readonly origin: Origin;
}

/** A start tag. `origin` spans the tag; its path counts equal siblings: `/zone/rule[2]/source`, the first without a number. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, XmlAttribute>;
  readonly origin: Origin;
}

/** Where a document is no XML, or holds what is not read. */
export interface XmlStop {
  /** `malformed`: firewalld refuses the file too. `unread`: firewalld may read it, nwaudit does not. */
  readonly kind: 'malformed' | 'unread';
  readonly detail: string;
  readonly origin: Origin;
}

/** Receives the document in order. `text` of an end: the characters since the last start tag, as firewalld collects them. */
export interface XmlHandler {
  readonly start: (element: XmlElement) => void;
  readonly end: (name: string, text: string, origin: Origin) => void;
  /** A remark without consequence for the document. */
  readonly note: (detail: string, origin: Origin) => void;
}

/** How the bytes of a file were encoded, where the caller knows; UTF-8 otherwise. */
export type TextEncodingName = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Elements may stand this deep in each other; firewalld's own files need four levels. */
const MOST_LEVELS = 100;
/** Start tags per file that are read. */
const MOST_ELEMENTS = 2_000_000;

/** Reads `text` and tells `handler` what it finds, up to the first error, which is returned. Never throws; no recursion. */
export function readXml(
  text: string,
  file: string,
  encoding: TextEncodingName,
  handler: XmlHandler,
): XmlStop | undefined {
  try {
    return new Reading(text, file, encoding, handler).run();
  } catch (error) {
    if (error instanceof Stop) return error.stop;
    throw error;
  }
}

class Stop extends Error {
  readonly stop: XmlStop;

  constructor(stop: XmlStop) {
    super(stop.detail);
    this.stop = stop;
  }
}

interface Level {
  readonly path: string;
  readonly children: Map<string, number>;
}

class Reading {
  readonly #text: string;
  readonly #encoding: TextEncodingName;
  readonly #handler: XmlHandler;
  readonly #places: Places;
  readonly #levels: Level[] = [{ path: '', children: new Map() }];
  #elements = 0;
  #characters = '';
  #hasDoctype = false;

  constructor(text: string, file: string, encoding: TextEncodingName, handler: XmlHandler) {
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.#encoding = encoding;
    this.#handler = handler;
    this.#places = new Places(this.#text, file);
  }

  run(): XmlStop | undefined {
    // expat knows XML 1.0 only, whatever the declaration says.
    const parser = new SaxesParser({
      xmlns: false,
      position: false,
      forceXMLVersion: true,
      defaultXMLVersion: '1.0',
    });
    parser.on('error', (error) => this.#malformed(parser.position, error.message));
    parser.on('xmldecl', ({ encoding }) => this.#checkEncoding(encoding, parser.position));
    parser.on('doctype', (doctype) => this.#doctype(doctype, parser.position));
    parser.on('opentag', ({ name, attributes }) => this.#start(name, attributes, parser.position));
    parser.on('closetag', ({ name }) => this.#end(name, parser.position));
    const collect = (part: string) => {
      this.#characters += part;
    };
    parser.on('text', collect);
    parser.on('cdata', collect);
    parser.write(this.#text);
    parser.close();
    const replaced = this.#text.indexOf('\uFFFD');
    if (replaced >= 0) {
      return this.#stop(
        'unread',
        'the file holds bytes that are no text in its encoding',
        replaced,
        replaced + 1,
      );
    }
    return undefined;
  }

  #start(name: string, values: Readonly<Record<string, string>>, end: number): void {
    if (++this.#elements > MOST_ELEMENTS)
      throw new Stop(this.#stop('unread', `more than ${MOST_ELEMENTS} elements are not read`, end - 1, end));
    if (this.#levels.length > MOST_LEVELS)
      throw new Stop(
        this.#stop('unread', `elements more than ${MOST_LEVELS} deep are not read`, end - 1, end),
      );
    // A start tag holds no other "<": XML forbids it in attribute values.
    const start = this.#text.lastIndexOf('<', end - 1);
    const parent = this.#levels[this.#levels.length - 1]!;
    const count = (parent.children.get(name) ?? 0) + 1;
    parent.children.set(name, count);
    const path = `${parent.path}/${name}${count === 1 ? '' : `[${count}]`}`;
    this.#levels.push({ path, children: new Map() });
    // In ascending order of offsets, as `Places` likes it: the tag's begin, its attributes, its end.
    const begin = this.#places.origin(start, start, path);
    const attributes = new Map<string, XmlAttribute>();
    for (const found of findAttributes(this.#text, start + 1 + name.length, end)) {
      const value = values[found.name];
      if (value === undefined) continue;
      const place = this.#places.origin(found.start, found.end, `${path}/@${found.name}`);
      attributes.set(found.name, { name: found.name, value, origin: place });
    }
    const last = this.#places.origin(end, end, path);
    const origin = { ...begin, endLine: last.line, endColumn: last.column };
    this.#characters = '';
    this.#handler.start({ name, attributes, origin });
  }

  #end(name: string, end: number): void {
    const level = this.#levels.pop()!;
    const start = this.#text.lastIndexOf('<', end - 1);
    this.#handler.end(name, this.#characters, this.#places.origin(start, end, level.path));
  }

  #doctype(doctype: string, end: number): void {
    this.#hasDoctype = true;
    const start = this.#text.lastIndexOf('<!DOCTYPE', end);
    if (doctype.includes('['))
      throw new Stop(
        this.#stop('unread', 'a document type with declarations of its own is not read', start, start + 9),
      );
    this.#handler.note('the document type has no effect', this.#places.origin(start, end, null));
  }

  #malformed(position: number, message: string): never {
    const at = Math.max(0, Math.min(position, this.#text.length) - 1);
    const detail = `no well-formed XML: ${shorten(message.replace(/\.$/, ''))}`;
    // expat passes over entities it cannot know behind an external document type, and over versions.
    const isTaken = this.#hasDoctype || message.startsWith('version number');
    throw new Stop(this.#stop(isTaken ? 'unread' : 'malformed', detail, at, at + 1));
  }

  #checkEncoding(declared: string | undefined, end: number): void {
    if (declared === undefined) return;
    const name = declared.toLowerCase();
    const wide = this.#encoding !== 'utf-8';
    const saysWide = /^utf-?16/.test(name);
    if (wide !== saysWide) {
      const detail = `the declaration says encoding ${quote(declared)}, the file is in ${this.#encoding.toUpperCase()}`;
      if (wide || /^utf-?(16|32)|^ucs-?[24]/.test(name))
        throw new Stop(this.#stop('malformed', detail, 0, end));
    }
    if (!wide && !isKnownEncoding(name))
      throw new Stop(this.#stop('unread', `the encoding ${quote(declared)} is not read`, 0, end));
    if (/^(us-)?ascii$/.test(name)) {
      const at = this.#text.search(/[^\0-\x7f]/);
      if (at >= 0) throw new Stop(this.#stop('malformed', 'a character outside of US-ASCII', at, at + 1));
    }
  }

  #stop(kind: XmlStop['kind'], detail: string, start: number, end: number): XmlStop {
    const path = this.#levels[this.#levels.length - 1]!.path;
    // An error at the end of the file has no character of its own.
    const last = this.#text.length;
    const places = new Places(this.#text, this.#places.file);
    return {
      kind,
      detail,
      origin: places.origin(Math.min(start, last), Math.min(end, last), path || null),
    };
  }
}

/** Encodings whose letters below 128 are those of UTF-8, and all of whose other bytes are letters of descriptions. */
function isKnownEncoding(name: string): boolean {
  return /^(utf-?8|(us-)?ascii|iso-?8859-?\d{1,2}|latin-?1|windows-125\d|cp125\d)$/.test(name);
}

/** Names and places of the attributes of a start tag that is known to be well-formed; `end` is behind its ">". */
function findAttributes(
  text: string,
  from: number,
  end: number,
): { readonly name: string; readonly start: number; readonly end: number }[] {
  const found: { name: string; start: number; end: number }[] = [];
  let at = from;
  for (;;) {
    while (at < end && /[\s/>]/.test(text[at]!)) at++;
    if (at >= end) return found;
    const equals = text.indexOf('=', at);
    if (equals < 0 || equals >= end) return found;
    let open = equals + 1;
    while (open < end && text[open] !== '"' && text[open] !== "'") open++;
    const close = text.indexOf(text[open]!, open + 1);
    if (close < 0 || close >= end) return found;
    found.push({ name: text.slice(at, equals).trimEnd(), start: at, end: close + 1 });
    at = close + 1;
  }
}

/** Lines and columns of offsets. Cheap when asked in ascending order. */
class Places {
  readonly file: string;
  readonly #text: string;
  #line = 1;
  #lineStart = 0;
  #next: number;

  constructor(text: string, file: string) {
    this.#text = text;
    this.file = file;
    this.#next = text.indexOf('\n');
  }

  origin(start: number, end: number, path: string | null): Origin {
    const from = this.#place(start);
    const to = this.#place(end);
    return {
      file: this.file,
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
      path,
    };
  }

  #place(offset: number): { readonly line: number; readonly column: number } {
    if (offset < this.#lineStart) {
      // Inside a tag of several lines: attributes are asked after the tag's end.
      let line = this.#line;
      let start = this.#lineStart;
      while (offset < start && start > 0) {
        start = this.#text.lastIndexOf('\n', start - 2) + 1;
        line--;
      }
      return { line, column: offset - start + 1 };
    }
    while (this.#next >= 0 && this.#next < offset) {
      this.#line++;
      this.#lineStart = this.#next + 1;
      this.#next = this.#text.indexOf('\n', this.#lineStart);
    }
    return { line: this.#line, column: offset - this.#lineStart + 1 };
  }
}
