/**
 * Where in the input something came from. Lines and columns are 1-based, columns count UTF-16 code units,
 * `endColumn` is exclusive (as SARIF's default). Set where the object is created, never recomputed.
 */
export interface Origin {
  /** File name as the caller gave it; reports print it as it is. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** Path inside a structured document (`$.nftables[37].rule`), `null` for line-oriented formats. */
  readonly path: string | null;
}
