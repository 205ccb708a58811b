/** Something wrong in a file of a rule pack. */
export interface RulePackProblem {
  readonly file: string;
  /** 1-based; `null` where the data came from JSON, which has no positions here. */
  readonly line: number | null;
  readonly column: number | null;
  /** Where in the data: `flows[2].ports[0]`; empty for the document itself. */
  readonly path: string;
  /** What was found and what is expected. */
  readonly detail: string;
}

/** `file:line:column: path: detail`, with what is known. */
export function formatProblem({ file, line, column, path, detail }: RulePackProblem): string {
  const place = line === null ? file : `${file}:${line}:${column ?? 1}`;
  return path === '' ? `${place}: ${detail}` : `${place}: ${path}: ${detail}`;
}

/** A rule pack that cannot be used, with everything that is wrong in it. */
export class RulePackError extends Error {
  override readonly name = 'RulePackError';
  readonly problems: readonly RulePackProblem[];

  constructor(problems: readonly RulePackProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** A decoded value, or everything that is wrong with the text. */
export type Decoded<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'bad'; readonly problems: readonly RulePackProblem[] };
