/** The loop: seeds first, then cuts of small seeds, then changes of whatever reached something new. */
import { createRandom, type Random } from '../kernel/random.ts';
import { type FuzzInput, sizeOf } from './input.ts';
import { minimise, signatureOf } from './minimise.ts';
import { type MutationSource, mutate } from './mutate.ts';
import { type FuzzTarget, wordsFor } from './targets.ts';

export interface Failure {
  readonly signature: string;
  /** Message and stack. */
  readonly error: string;
  /** Already minimised. */
  readonly input: FuzzInput;
}

export interface FuzzerOptions {
  readonly seed: number;
  readonly seeds: readonly FuzzInput[];
  /** Called with every input before the program gets it. */
  readonly beforeRun?: (input: FuzzInput) => void;
  /** Called when the program is done with it: what the fuzzer then does takes time that is not the program's. */
  readonly afterRun?: () => void;
  /** Whether something ran that had not before, and with `true` remembers it. Absent: inputs are kept by what they made the program say. */
  readonly takeCoverage?: (learn: boolean) => boolean;
  /** Called with an input that took longer than all before it, and longer than `SLOW_MS`. */
  readonly onSlow?: (input: FuzzInput, milliseconds: number) => void;
  /** Called once for each signature. */
  readonly onFailure: (failure: Failure) => void;
}

/** Seeds of at most this many bytes are cut at every byte. */
const SMALL = 400;
/** Cuts in all, so that they leave time for the rest. */
const MOST_CUTS = 3000;
/** An input that took longer is not a start for others. */
const SLOW_MS = 2000;
const MINIMISE_TRIALS = 1500;

/** Fuzzes one target. The same seed, seeds and number of runs give the same inputs, as long as no coverage is taken. */
export class Fuzzer {
  readonly #target: FuzzTarget;
  readonly #options: FuzzerOptions;
  readonly #random: Random;
  readonly #seeds: readonly FuzzInput[];
  readonly #source: MutationSource;
  /** Inputs that reached something new. */
  readonly #kept: FuzzInput[] = [];
  readonly #shapes = new Set<string>();
  readonly #failed = new Set<string>();
  /** What is run before chance begins. */
  readonly #planned: Iterator<FuzzInput>;
  #executions = 0;
  #slowest = { milliseconds: 0, bytes: 0 };

  constructor(target: FuzzTarget, options: FuzzerOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#seeds = options.seeds;
    this.#source = {
      random: this.#random,
      words: wordsFor(target),
      other: () => this.#random.pick(this.#seeds),
      limit: target.limit,
    };
    this.#planned = planOf(this.#seeds);
  }

  /** Runs `count` inputs, or fewer when `end` (milliseconds since 1970) comes first. */
  runBatch(count: number, end = Number.POSITIVE_INFINITY): void {
    const batch: FuzzInput[] = [];
    for (let i = 0; i < count && (i === 0 || Date.now() < end); i++) {
      const input = this.#next();
      if (this.#run(input)) batch.push(input);
    }
    const { takeCoverage } = this.#options;
    if (takeCoverage === undefined || !takeCoverage(false)) return;
    for (const input of batch) {
      this.#runTarget(input);
      if (takeCoverage(true)) this.#kept.push(input);
    }
  }

  state(): {
    readonly executions: number;
    readonly kept: number;
    readonly slowest: { readonly milliseconds: number; readonly bytes: number };
  } {
    return { executions: this.#executions, kept: this.#kept.length, slowest: this.#slowest };
  }

  #next(): FuzzInput {
    const planned = this.#planned.next();
    if (planned.done !== true) return planned.value;
    const recent = this.#kept.slice(-200);
    const pool =
      this.#kept.length > 0 && this.#random.chance(0.7)
        ? this.#random.chance(0.5)
          ? recent
          : this.#kept
        : this.#seeds;
    return mutate(this.#random.pick(pool), this.#source);
  }

  #runTarget(input: FuzzInput): ReturnType<FuzzTarget['run']> {
    this.#options.beforeRun?.(input);
    try {
      return this.#target.run(input);
    } finally {
      this.#options.afterRun?.();
    }
  }

  /** Whether the input is fit to start from: it passed, and quickly. */
  #run(input: FuzzInput): boolean {
    this.#executions++;
    const start = performance.now();
    try {
      const shapes = this.#runTarget(input);
      const milliseconds = performance.now() - start;
      const isSlow = milliseconds > SLOW_MS;
      if (milliseconds > this.#slowest.milliseconds) {
        this.#slowest = { milliseconds, bytes: sizeOf(input) };
        if (isSlow) this.#options.onSlow?.(input, milliseconds);
      }
      if (isSlow) return false;
      const known = this.#shapes.size;
      for (const shape of shapes) if (this.#shapes.size < 50_000) this.#shapes.add(shape);
      if (this.#shapes.size > known) this.#kept.push(input);
      return true;
    } catch (error) {
      this.#fail(input, error);
      return false;
    }
  }

  #fail(input: FuzzInput, error: unknown): void {
    const signature = signatureOf(error);
    if (this.#failed.has(signature)) return;
    this.#failed.add(signature);
    const check = (candidate: FuzzInput): string | undefined => {
      try {
        this.#runTarget(candidate);
        return undefined;
      } catch (again) {
        return signatureOf(again);
      }
    };
    const small = minimise(input, signature, check, MINIMISE_TRIALS);
    const text = error instanceof Error ? `${error.stack ?? error.message}` : String(error);
    this.#options.onFailure({ signature, error: text, input: small });
  }
}

/** Every seed, then every beginning of the small ones, shortest seeds first. */
function* planOf(seeds: readonly FuzzInput[]): Generator<FuzzInput> {
  yield* seeds;
  let cuts = 0;
  const small = seeds.filter((input) => sizeOf(input) <= SMALL).sort((a, b) => sizeOf(a) - sizeOf(b));
  for (const input of small) {
    const file = input.at(-1)!;
    for (let length = 0; length < file.bytes.length; length++) {
      if (++cuts > MOST_CUTS) return;
      yield [...input.slice(0, -1), { path: file.path, bytes: file.bytes.subarray(0, length) }];
    }
  }
}
