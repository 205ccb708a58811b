import type { Origin, ParseDiagnostic } from '../model/index.ts';

/** Where in a file a piece of text stands; line and columns 1-based, `endColumn` exclusive. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** Line of its end; `line` where absent. */
  readonly endLine?: number;
  readonly endColumn: number;
}

/** How many characters of input a message quotes at most. */
const QUOTED_CHARACTERS = 100;

/** `text` in quotation marks for a message, shortened to about 100 characters. */
export function quote(text: string): string {
  return `"${shorten(text)}"`;
}

/** `text`, cut after about 100 characters with an ellipsis. */
export function shorten(text: string): string {
  return text.length <= QUOTED_CHARACTERS ? text : `${text.slice(0, QUOTED_CHARACTERS)}…`;
}

/** Characters that one message may have: names, keys and paths of an export have no limit of their own. */
const MOST_CHARACTERS = 1_500;

/** `detail`, cut where it is longer than a message may be. */
export function boundedDetail(detail: string): string {
  return detail.length <= MOST_CHARACTERS ? detail : `${detail.slice(0, MOST_CHARACTERS)}…`;
}

/** Single statements kept per file; the others are counted in one last statement. */
const MOST_STATEMENTS = 20_000;

type Mutable = {
  kind: ParseDiagnostic['kind'];
  incomplete: boolean;
  origin: Origin;
  detail: string;
  more: number;
};

/** Collects what is said about one file: single statements, and statements made once for all places they fit. */
export class DiagnosticLog {
  readonly file: string;
  readonly #all: Mutable[] = [];
  readonly #once = new Map<string, Mutable>();
  #overflow: Mutable | undefined;

  constructor(file: string) {
    this.file = file;
  }

  /** The origin of a place in this file. */
  originOf(place: Place): Origin {
    const { line, column, endLine = line, endColumn } = place;
    return { file: this.file, line, column, endLine, endColumn, path: null };
  }

  /** Says `detail` about `place`. `incomplete`: the model lacks something because of it. */
  add(kind: ParseDiagnostic['kind'], incomplete: boolean, place: Place, detail: string): void {
    this.addAt(kind, incomplete, this.originOf(place), detail);
  }

  /** Says `detail` about a place that is known as an origin. */
  addAt(kind: ParseDiagnostic['kind'], incomplete: boolean, origin: Origin, detail: string): void {
    this.#push({ kind, incomplete, origin, detail, more: 0 });
  }

  #push(entry: Mutable): void {
    entry.detail = boundedDetail(entry.detail);
    if (this.#all.length < MOST_STATEMENTS) {
      this.#all.push(entry);
      return;
    }
    this.#overflow ??= {
      ...entry,
      incomplete: false,
      detail: 'there are more remarks about this file than can be shown',
    };
    this.#overflow.incomplete ||= entry.incomplete;
    this.#overflow.more++;
  }

  /** Says a remark about a run of lines as one diagnostic. */
  addLines(
    kind: ParseDiagnostic['kind'],
    incomplete: boolean,
    first: Place,
    last: Place,
    detail: string,
  ): void {
    const origin = { ...this.originOf(first), endLine: last.endLine ?? last.line, endColumn: last.endColumn };
    this.#push({ kind, incomplete, origin, detail, more: 0 });
  }

  /** Like `add`, but of several calls with the same `key` the first is kept, with the number of the others. */
  once(key: string, kind: ParseDiagnostic['kind'], incomplete: boolean, place: Place, detail: string): void {
    this.onceAt(key, () => ({ kind, incomplete, origin: this.originOf(place), detail }));
  }

  /** `once` for what takes time to say: `make` is called for the first place only. */
  onceAt(key: string, make: () => ParseDiagnostic): void {
    const known = this.#once.get(key);
    if (known !== undefined) {
      known.more++;
      return;
    }
    const entry: Mutable = { ...make(), more: 0 };
    if (this.#once.size < MOST_STATEMENTS) this.#once.set(key, entry);
    this.#push(entry);
  }

  /** Everything said, by line and column. */
  finish(): readonly ParseDiagnostic[] {
    const all = this.#overflow === undefined ? this.#all : [...this.#all, this.#overflow];
    return [...all]
      .sort((a, b) => a.origin.line - b.origin.line || a.origin.column - b.origin.column)
      .map(({ more, ...rest }) => (more === 0 ? rest : { ...rest, detail: `${rest.detail} (${more} more)` }));
  }
}
