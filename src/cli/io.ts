/** What the command line needs from its surroundings, so that tests can run it without a process. */

/** Standard output or standard error. */
export interface OutputStream {
  /** Settles when the text was handed over; false when nobody reads any more (EPIPE). Throws on other failures. */
  write(text: string): Promise<boolean>;
  readonly isTerminal: boolean;
  /** Columns of the terminal; `undefined` where it is none. */
  readonly columns: number | undefined;
}

export interface CliIo {
  /** Absolute path of the current folder. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** All of standard input, at most `limit` bytes; `undefined` when there is more. */
  readStdin(limit: number): Promise<Uint8Array | undefined>;
  /** Absolute path of the compiled rule pack. */
  readonly rulePackFile: string;
  readonly version: string;
  /** Size of the JavaScript heap in bytes, as Node.js was started; absent: not known. */
  readonly heapBytes?: number;
}
