/** A seeded source of random choices: the same seed gives the same rule sets and packets on every machine. */
export interface Random {
  /** An integer in `[0, below)`. */
  readonly integer: (below: number) => number;
  /** True with this probability. */
  readonly chance: (probability: number) => boolean;
  /** One of the values. Throws on an empty list. */
  readonly pick: <T>(values: readonly T[]) => T;
}

/** Mulberry32, a 32-bit generator: enough for choices, not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    integer: (below) => Math.floor(next() * below),
    chance: (probability) => next() < probability,
    pick: (values) => {
      if (values.length === 0) throw new Error('nothing to pick from');
      return values[Math.floor(next() * values.length)]!;
    },
  };
}
