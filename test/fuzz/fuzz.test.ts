/**
 * A fixed number of changed inputs for every target, from a printed seed: `FUZZ_SEED=… npx vitest run test/fuzz` repeats them. `npm run
 * fuzz` is the long run, with coverage and in processes of its own.
 */
import { describe, expect, it } from 'vitest';
import { createRandom } from '../kernel/random.ts';
import { type Failure, Fuzzer } from './fuzzer.ts';
import { type FuzzInput, loadCases } from './input.ts';
import { minimise, signatureOf } from './minimise.ts';
import { mutate } from './mutate.ts';
import { OracleError, Places } from './oracle.ts';
import { getTarget, seedsOf, TARGETS } from './targets.ts';

const given = Number(process.env.FUZZ_SEED);
// The same inputs in every run: a change should fail for what it does. New ones are the business of `npm run fuzz`.
const seed = Number.isInteger(given) && given > 0 ? given : 1;
console.log(`fuzz: FUZZ_SEED=${seed}`);

/** Inputs after the seeds; targets that build packet sets get fewer. */
const USUAL = 150;
const FEW = 12;
/** Of the seeds, one in so many. */
const THINNED: Readonly<Record<string, number>> = { trace: 12, scan: 8, detect: 3 };

describe('changed inputs', () => {
  it.each(TARGETS.map((target) => [target.name, target] as const))('do no harm to %s', (name, target) => {
    const failures: Failure[] = [];
    const step = THINNED[name] ?? 1;
    const seeds = seedsOf(target, undefined).filter((_, i) => i % step === seed % step);
    const fuzzer = new Fuzzer(
      { ...target, limit: 64 * 1024 },
      { seed, seeds, onFailure: (f) => failures.push(f) },
    );
    fuzzer.runBatch(seeds.length + (step > 3 ? FEW : USUAL));
    expect(failures.map(({ signature, error }) => `${signature}\n${error}`)).toEqual([]);
  });
});

describe('inputs that failed once', () => {
  const cases = loadCases();
  it.each(cases.map((stored) => [stored.name, stored] as const))('%s', (_, { target, input }) => {
    getTarget(target).run(input);
  });
});

describe('the fuzzer itself', () => {
  const input = [{ path: 'a', bytes: Buffer.from('one\ntwo\nthree xx\nfour\n') }];

  it('makes the same inputs from the same seed', () => {
    const make = (n: number) => {
      const random = createRandom(n);
      const source = { random, words: ['w'], other: () => input, limit: 1000 };
      return Array.from({ length: 50 }, () => Buffer.from(mutate(input, source)[0]!.bytes).toString('hex'));
    };
    expect(make(7)).toEqual(make(7));
    expect(make(7)).not.toEqual(make(8));
  });

  it('finds a failure, once for each kind, and makes its input small', () => {
    const failures: Failure[] = [];
    const target = {
      ...getTarget('ipset'),
      run: ([file]: FuzzInput) => {
        if (file!.bytes.length > 10) throw new Error('too long: 11');
        return [];
      },
    };
    new Fuzzer(target, { seed, seeds: [input], onFailure: (f) => failures.push(f) }).runBatch(40);
    expect(failures.map((f) => f.input[0]!.bytes.length)).toEqual([11]);
  });

  it('keeps of a failing input what makes it fail', () => {
    const check = ([file]: FuzzInput) => (Buffer.from(file!.bytes).includes('xx') ? 'xx' : undefined);
    const small = minimise(input, 'xx', check, 1000);
    expect(Buffer.from(small[0]!.bytes).toString()).toBe('xx');
  });

  it('tells failures apart by place and message, not by what they quote', () => {
    expect(signatureOf(new OracleError('a "b" 1'))).toBe(signatureOf(new OracleError('a "c" 22')));
    expect(signatureOf(new Error('a'))).not.toBe(signatureOf(new TypeError('a')));
  });

  it.each([
    ['another file', { file: 'b', line: 1, column: 1, endLine: 1, endColumn: 1 }],
    ['line 0', { file: 'a', line: 0, column: 1, endLine: 1, endColumn: 1 }],
    ['a line behind the last', { file: 'a', line: 3, column: 1, endLine: 3, endColumn: 1 }],
    ['a column behind the line', { file: 'a', line: 1, column: 5, endLine: 1, endColumn: 5 }],
    ['an end before the start', { file: 'a', line: 1, column: 3, endLine: 1, endColumn: 2 }],
    ['half a column', { file: 'a', line: 1, column: 1.5, endLine: 1, endColumn: 2 }],
  ])('takes no place for one inside the file: %s', (_, origin) => {
    const places = new Places(new Map([['a', 'abc\n']]));
    places.check({ file: 'a', line: 1, column: 4, endLine: 2, endColumn: 1, path: null }, 'good');
    expect(() => places.check({ ...origin, path: null }, 'bad')).toThrow(OracleError);
  });
});
