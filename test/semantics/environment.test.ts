import { describe, expect, test } from 'vitest';
import { conditionSet, Environment, fieldBits, HostSpace, type Place } from '../../src/semantics/index.ts';
import { chains, daddr, field } from '../evaluate/build-ruleset.ts';

const PLACE: Place = { path: 'input', hook: 'input', version: 4 };

describe('Environments', () => {
  const host = new HostSpace(chains());
  const { space } = host;
  const ports = space.bits('dport');
  const constant = space.constantBits(16, 443n);

  test('a field that was not assigned has its arriving bits', () => {
    expect(fieldBits(host, Environment.initial, 'dport', 4)).toEqual(ports);
    expect(fieldBits(host, Environment.initial, 'daddr', 4)).toHaveLength(32);
    expect(fieldBits(host, Environment.initial, 'daddr', 6)).toHaveLength(128);
  });

  test('a match after an assignment is about the assigned value, in terms of the arriving packet', () => {
    const assigned = Environment.initial.assign([['dport', constant]]);
    expect(conditionSet(host, PLACE, assigned, field('dport', 443))).toBe(space.full);
    expect(conditionSet(host, PLACE, assigned, field('dport', 22))).toBe(space.empty);
    const copied = Environment.initial.assign([['dport', space.bits('sport')]]);
    const bySource = conditionSet(host, PLACE, Environment.initial, field('sport', 22));
    expect(conditionSet(host, PLACE, copied, field('dport', 22))).toBe(bySource);
  });

  test('assignments to one field leave the others alone', () => {
    const assigned = Environment.initial.assign([['dport', constant]]);
    const plain = conditionSet(host, PLACE, Environment.initial, daddr('192.0.2.1'));
    expect(conditionSet(host, PLACE, assigned, daddr('192.0.2.1'))).toBe(plain);
  });

  test('equal environments have equal keys, however they came about', () => {
    const one = Environment.initial.assign([
      ['dport', constant],
      ['sport', ports],
    ]);
    const other = Environment.initial
      .assign([['sport', constant]])
      .assign([['sport', ports]])
      .assign([['dport', constant]]);
    expect(other.key).toBe(one.key);
    expect(one.assign([['dport', undefined]]).key).not.toBe(one.key);
    expect(one.withNote('nat', 'a').withNote('nat', undefined).key).toBe(one.key);
  });

  test('a field gets its arriving value back, and a selection of fields is kept', () => {
    const one = Environment.initial.assign([
      ['dport', constant],
      ['mark', space.constantBits(32, 1n)],
    ]);
    expect(one.assign([['dport', undefined]]).bits('dport')).toBeUndefined();
    expect(one.retaining(['mark']).assignedFields()).toEqual(['mark']);
  });
});
