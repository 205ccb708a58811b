/** Which code of the program ran, by V8's own block counters: no instrumentation, no further dependency. */
import { readdirSync, statSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface CoverageRange {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly CoverageRange[] }[];
}

/** Characters of the built program that have run, by file. `start` has to be called before the program is loaded. */
export class Coverage {
  readonly #folder: string;
  readonly #session = new Session();
  readonly #reached = new Map<string, Uint8Array>();
  readonly #sizes = new Map<string, number>();

  /** `folder`: the built `src`. */
  constructor(folder: string) {
    this.#folder = folder;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.js')) this.#sizes.set(name, statSync(join(folder, name)).size);
    }
  }

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Counts what ran since the last call. Answers whether some of it had never run; with `learn`, it has from now on. */
  take(learn: boolean): boolean {
    let scripts: readonly ScriptCoverage[] = [];
    // The callback runs before `post` returns: the session is of this thread.
    this.#session.post('Profiler.takePreciseCoverage', (_, answer) => {
      scripts = answer.result;
    });
    let isNew = false;
    for (const script of scripts) if (this.#add(script, learn)) isNew = true;
    return isNew;
  }

  #add({ url, functions }: ScriptCoverage, learn: boolean): boolean {
    if (!url.startsWith('file://')) return false;
    const name = relative(this.#folder, fileURLToPath(url));
    const size = this.#sizes.get(name);
    if (size === undefined) return false;
    const ran = new Uint8Array(size);
    // Outer functions come first, and inner ranges have the last word.
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges)
        ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    }
    let reached = this.#reached.get(name);
    if (reached === undefined) {
      reached = new Uint8Array(size);
      this.#reached.set(name, reached);
    }
    let isNew = false;
    for (let i = 0; i < size; i++) {
      if (ran[i] === 1 && reached[i] === 0) {
        isNew = true;
        if (!learn) break;
        reached[i] = 1;
      }
    }
    return isNew;
  }

  /** Share of the characters of these folders and files that have run, from 0 to 1. */
  share(places: readonly string[]): number {
    let all = 0;
    let ran = 0;
    for (const [name, size] of this.#sizes) {
      if (!places.some((place) => name === place || name.startsWith(`${place}/`))) continue;
      all += size;
      for (const one of this.#reached.get(name) ?? []) ran += one;
    }
    return all === 0 ? 0 : ran / all;
  }
}
