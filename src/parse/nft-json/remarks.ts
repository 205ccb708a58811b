import type { Origin, ParseDiagnostic } from '../../model/index.ts';

/** Single statements kept per file; the others are counted in a last one. */
const MOST_REMARKS = 20_000;

type Mutable = {
  kind: ParseDiagnostic['kind'];
  incomplete: boolean;
  origin: Origin;
  detail: string;
  more: number;
};

/** Collects what is said about one document: one by one, and once for all places that share a key. */
export class Remarks {
  readonly #all: Mutable[] = [];
  readonly #once = new Map<string, Mutable>();
  #overflow: Mutable | undefined;

  add(kind: ParseDiagnostic['kind'], incomplete: boolean, origin: Origin, detail: string): void {
    this.#push({ kind, incomplete, origin, detail, more: 0 });
  }

  /** Of several calls with the same `key` the first is kept, with the number of the others. */
  once(
    key: string,
    kind: ParseDiagnostic['kind'],
    incomplete: boolean,
    origin: Origin,
    detail: string,
  ): void {
    const known = this.#once.get(key);
    if (known !== undefined) {
      known.more++;
      return;
    }
    const entry: Mutable = { kind, incomplete, origin, detail, more: 0 };
    if (this.#once.size < MOST_REMARKS) this.#once.set(key, entry);
    this.#push(entry);
  }

  #push(entry: Mutable): void {
    if (this.#all.length < MOST_REMARKS) {
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

  /** Everything said, in the order of the document. */
  finish(): readonly ParseDiagnostic[] {
    const all = this.#overflow === undefined ? [...this.#all] : [...this.#all, this.#overflow];
    return all
      .sort((a, b) => a.origin.line - b.origin.line || a.origin.column - b.origin.column)
      .map(({ more, ...rest }) => (more === 0 ? rest : { ...rest, detail: `${rest.detail} (${more} more)` }));
  }
}
