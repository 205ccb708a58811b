import { describe, expect, test } from 'vitest';
import { PacketSetBudgetError } from '../../src/packet-set/index.ts';
import { analysePath, enteredChains, HostSpace } from '../../src/semantics/index.ts';
import {
  accept,
  back,
  chain,
  drop,
  inputRules,
  jump,
  rule,
  saddr,
  same,
  tcpDport,
  varying,
} from '../evaluate/build-ruleset.ts';
import { analyse } from './ask.ts';

const limited = chain('limited', rule(varying('limit'), back), rule(drop));
const calls = (count: number, port: (i: number) => number | readonly [number, number]) =>
  inputRules(
    [...Array.from({ length: count }, (_, i) => rule(tcpDport(port(i)), jump('limited'))), rule(accept)],
    limited,
  );

describe('Varying predicates', () => {
  test('packets that pass a chain once share its unknowns, from however many rules they come', () => {
    const { host, analysis } = analyse(calls(40, (i) => i));
    expect(enteredChains(host, analysis.runs[0]!)).toHaveLength(2);
    expect(host.space.support(analysis.acceptedPackets).keys).toHaveLength(1);
  });

  test('packets that pass it again meet others', () => {
    const { host, analysis } = analyse(calls(3, () => [0, 1023]));
    expect(enteredChains(host, analysis.runs[0]!)).toHaveLength(4);
    expect(host.space.support(analysis.acceptedPackets).keys).toHaveLength(3);
  });

  test('two evaluations of one text are two unknowns, two of a deterministic one are one', () => {
    const twice = (condition: ReturnType<typeof same>) => {
      const { host, analysis } = analyse(inputRules([rule(condition, accept), rule(condition, accept)]));
      return host.space.support(analysis.acceptedPackets).keys.length;
    };
    expect(twice(varying('limit'))).toBe(2);
    expect(twice(same('owner'))).toBe(1);
  });

  test('are named by their text', () => {
    const { host, analysis } = analyse(
      inputRules([rule(varying('limit 3/s'), accept), rule(same('owner'), accept)]),
    );
    expect(host.unknownsOf(analysis.acceptedPackets)).toEqual(['limit 3/s', 'owner']);
  });
});

describe('Budgets', () => {
  test('packet sets over the budget end in an error that says so', () => {
    const rules = inputRules(
      Array.from({ length: 200 }, (_, i) => rule(saddr(`198.51.100.${i}`), tcpDport(i * 7), accept)),
    );
    const tight = new HostSpace(rules, 2000);
    expect(() => analysePath(tight, 'input', 4)).toThrow(PacketSetBudgetError);
    expect(() => analysePath(new HostSpace(rules), 'input', 4)).not.toThrow();
  });

  test('chains with limits that call each other by the billion end in that error', () => {
    const deep = Array.from({ length: 12 }, (_, depth) =>
      chain(
        `c${depth}`,
        ...Array.from({ length: 12 }, () =>
          depth === 11 ? rule(varying('limit'), saddr('203.0.113.1'), drop) : rule(jump(`c${depth + 1}`)),
        ),
      ),
    );
    const host = new HostSpace(inputRules([rule(jump('c0'))], ...deep), 200_000);
    expect(() => analysePath(host, 'input', 4)).toThrow(PacketSetBudgetError);
  });

  test('jumps nested deeper than anyone nests them are followed to a limit, without exhausting the stack', () => {
    const nested = (depth: number) =>
      Array.from({ length: depth }, (_, i) =>
        chain(`c${i + 1}`, i + 1 === depth ? rule(accept) : rule(jump(`c${i + 2}`))),
      );
    const within = analyse(inputRules([rule(jump('c1'))], ...nested(1499)));
    expect(within.analysis.acceptedPackets).toBe(within.host.space.version(4));
    const beyond = analyse(inputRules([rule(jump('c1'))], ...nested(5000)));
    expect(beyond.analysis.troubles).toMatchObject([{ kind: 'depth', chain: 'c1500' }]);
  });
});
