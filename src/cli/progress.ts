import type { CliIo } from './io.ts';

/** Shortest time between two updates, in milliseconds: a terminal over a slow line should not hold up the work. */
const INTERVAL_MS = 100;

/** One line on standard error that says how far a run is, on a terminal only. */
export class Progress {
  readonly #io: CliIo;
  readonly #active: boolean;
  readonly #what: string;
  #shown = false;
  #nextAt = 0;

  /** `what` is what is counted: `hosts`. */
  constructor(io: CliIo, wanted: boolean, what: string) {
    this.#io = io;
    this.#active = wanted && io.stderr.isTerminal && (io.env.CI ?? '') === '' && io.env.TERM !== 'dumb';
    this.#what = what;
  }

  update(done: number, total: number): void {
    const now = Date.now();
    if (!this.#active || now < this.#nextAt) return;
    this.#nextAt = now + INTERVAL_MS;
    this.#shown = true;
    // Not awaited: writes to a terminal are done at once, and a lost one does no harm.
    void this.#io.stderr.write(`\r${done} of ${total} ${this.#what}\u001b[K`);
  }

  /** Takes the line away again. */
  async clear(): Promise<void> {
    if (!this.#shown) return;
    this.#shown = false;
    await this.#io.stderr.write('\r\u001b[K');
  }
}
