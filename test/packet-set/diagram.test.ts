/** Operations on diagrams beside truth tables: enough of them that the caches are overwritten and grow many times. */
import { describe, expect, test } from 'vitest';
import { DiagramTable, EMPTY, FULL, PacketSetBudgetError } from '../../src/packet-set/diagram.ts';
import { createRandom } from '../kernel/random.ts';

const VARIABLES = 8;
const ROWS = 1 << VARIABLES;
const ALL = (1n << BigInt(ROWS)) - 1n;

/** A function of all variables, twice: bit i of `rows` is its value where bit v of i is variable v + 1. */
interface Both {
  readonly node: number;
  readonly rows: bigint;
}

function variable(table: DiagramTable, number: number): Both {
  let rows = 0n;
  for (let row = 0; row < ROWS; row++) if ((row >> (number - 1)) & 1) rows |= 1n << BigInt(row);
  return { node: table.node(number, EMPTY, FULL), rows };
}

/** The truth table of a diagram, by walking down it for each row. */
function rowsOf(table: DiagramTable, node: number): bigint {
  let rows = 0n;
  for (let row = 0; row < ROWS; row++) {
    let at = node;
    while (at > FULL) at = (row >> (table.variableOf(at) - 1)) & 1 ? table.highOf(at) : table.lowOf(at);
    if (at === FULL) rows |= 1n << BigInt(row);
  }
  return rows;
}

/** `rows` with a variable set to a value. */
function fixed(rows: bigint, number: number, value: number): bigint {
  let out = 0n;
  const bit = 1 << (number - 1);
  for (let row = 0; row < ROWS; row++)
    if ((rows >> BigInt(value === 1 ? row | bit : row & ~bit)) & 1n) out |= 1n << BigInt(row);
  return out;
}

describe.each([1, 2, 3])('random operations, seed %i', (seed) => {
  const random = createRandom(seed);
  const table = new DiagramTable(10_000_000);
  table.addVariables(VARIABLES);
  const pool: Both[] = [
    { node: EMPTY, rows: 0n },
    { node: FULL, rows: ALL },
  ];
  for (let number = 1; number <= VARIABLES; number++) pool.push(variable(table, number));

  test('give what the truth tables give, whatever the caches hold', () => {
    for (let step = 0; step < 12_000; step++) {
      const [a, b, c] = [random.pick(pool), random.pick(pool), random.pick(pool)];
      const made: Both = random.pick([
        () => ({ node: table.and(a.node, b.node), rows: a.rows & b.rows }),
        () => ({ node: table.or(a.node, b.node), rows: a.rows | b.rows }),
        () => ({ node: table.minus(a.node, b.node), rows: a.rows & ~b.rows }),
        () => ({ node: table.xor(a.node, b.node), rows: a.rows ^ b.rows }),
        () => ({ node: table.not(a.node), rows: ALL & ~a.rows }),
        () => ({
          node: table.ifThenElse(c.node, a.node, b.node),
          rows: (c.rows & a.rows) | (ALL & ~c.rows & b.rows),
        }),
      ])();
      // Diagrams are canonical: equal functions are one node.
      expect(made.node === a.node).toBe(made.rows === a.rows);
      expect(table.isSubset(a.node, b.node)).toBe((a.rows & ~b.rows) === 0n);
      expect(table.intersects(a.node, b.node)).toBe((a.rows & b.rows) !== 0n);
      if (step % 16 === 0) expect(rowsOf(table, made.node)).toBe(made.rows);
      if (pool.length < 600) pool.push(made);
      else pool[2 + VARIABLES + random.integer(pool.length - 2 - VARIABLES)] = made;
    }
    for (const { node, rows } of pool) expect(rowsOf(table, node)).toBe(rows);
  });

  test('restrict, exists and forall take a variable away', () => {
    for (const { node, rows } of pool) {
      const number = 1 + random.integer(VARIABLES);
      const [low, high] = [fixed(rows, number, 0), fixed(rows, number, 1)];
      for (const [value, wanted] of [
        [0, low],
        [1, high],
      ] as const) {
        const assigned = new Int8Array(VARIABLES + 1).fill(-1);
        assigned[number] = value;
        expect(rowsOf(table, table.restrict(node, assigned))).toBe(wanted);
      }
      const removed = new Uint8Array(VARIABLES + 1);
      removed[number] = 1;
      const quantifier = table.quantifier(removed);
      expect(rowsOf(table, table.exists(node, quantifier))).toBe(low | high);
      expect(rowsOf(table, table.forall(node, quantifier))).toBe(low & high);
      expect(table.support(node).includes(number)).toBe(low !== high);
    }
  });
});

test('a table whose steps are spent says how many it had, in every operation and for the steps of others', () => {
  const parity = (table: DiagramTable): number => {
    table.addVariables(VARIABLES);
    let odd = EMPTY;
    for (let number = 1; number <= VARIABLES; number++) odd = table.xor(odd, table.node(number, EMPTY, FULL));
    return odd;
  };
  expect(() => parity(new DiagramTable(1000, 0.01))).toThrow(
    new PacketSetBudgetError('packet sets need more than 10 steps'),
  );

  const table = new DiagramTable(1000, 1);
  const odd = parity(table);
  expect(rowsOf(table, table.not(odd))).toBe(ALL & ~rowsOf(table, odd));
  // All nodes but a few are left: it is the steps that are counted.
  table.spend(Math.floor(1000 * (1 - table.spent)));
  expect(table.spent).toBeCloseTo(1, 2);
  for (const operation of [
    () => table.spend(2),
    () => table.and(odd, table.node(1, EMPTY, FULL)),
    () => table.ifThenElse(odd, table.node(1, EMPTY, FULL), table.node(2, EMPTY, FULL)),
  ])
    expect(operation).toThrow(new PacketSetBudgetError('packet sets need more than 1000 steps'));
  expect(table.count).toBeLessThan(200);
});
