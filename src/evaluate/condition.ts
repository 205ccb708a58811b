import {
  type AddressTypeCondition,
  type Condition,
  CT_STATE,
  type FieldName,
  type InterfaceCondition,
  type OriginalFieldCondition,
} from '../model/index.ts';
import { type Interval, type IpVersion, normalizeIntervals } from '../net/index.ts';
import { BROADCAST, isOwnAddress, MULTICAST, mayHaveType } from './address-type.ts';
import { type NamedSetIndex, testNamedSet } from './named-set.ts';
import type { Context, Header, Question, State } from './state.ts';
import { domainOf, FIELD_INDEX, fieldValue, fieldWidth } from './state.ts';
import { testUnknown, type UnknownValue } from './unknown-value.ts';

/** True, false, or what would have to be known to tell. */
export type Answer = boolean | Question;

/** A condition made ready to be asked of a state. */
export type Test = (state: State, context: Context) => Answer;

/** What the compilation of one ruleset's conditions needs. */
export interface Compiler {
  readonly namedSets: NamedSetIndex;
  /** A name for one occurrence of a varying predicate, different at every call. */
  readonly nextOccurrence: () => string;
}

/** The test for a condition. `text` is the match it stands in, quoted where an absent field leaves it undecided. */
export function compileCondition(condition: Condition, text: string, compiler: Compiler): Test {
  switch (condition.kind) {
    case 'all':
      return conjunction(condition.of.map((part) => compileCondition(part, text, compiler)));
    case 'any':
      return negation(
        conjunction(condition.of.map((part) => negation(compileCondition(part, text, compiler)))),
      );
    case 'not':
      return negation(compileCondition(condition.of, text, compiler));
    case 'version':
      return (_, context) => context.packet.version === condition.version;
    case 'field': {
      const test = compileField(condition.field, condition.mask, condition.values, text);
      return (state, context) => test(state, context, state.header);
    }
    case 'address': {
      const test = compileAddress(condition.field, condition.version, condition.mask, condition.values, text);
      return (state, context) => test(state, context, state.header);
    }
    case 'original':
      return compileOriginal(condition);
    case 'interface':
      return compileInterface(condition);
    case 'address-type':
      return compileAddressType(condition);
    case 'named-set':
      return testNamedSet(condition, compiler);
    case 'unknown': {
      if (condition.nature === 'deterministic') return (state) => askDeterministic(state, condition.text);
      const occurrence = compiler.nextOccurrence();
      return (state) => askVarying(state, occurrence, condition.text);
    }
    default:
      return assertNever(condition);
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected condition ${JSON.stringify(value)}`);
}

/** All of `tests` hold. A later test that fails spares the question an earlier one asks. */
export function conjunction(tests: readonly Test[]): Test {
  const only = tests.length === 1 ? tests[0] : undefined;
  if (only !== undefined) return only;
  return (state, context) => {
    let undecided: Question | undefined;
    for (const test of tests) {
      const result = test(state, context);
      if (result === false) return false;
      if (result !== true) undecided ??= result;
    }
    return undecided ?? true;
  };
}

function negation(test: Test): Test {
  return (state, context) => {
    const result = test(state, context);
    return typeof result === 'boolean' ? !result : { ...result, failsWhen: !result.failsWhen };
  };
}

/** The truth value of a deterministic predicate, or the question after it. */
export function askDeterministic(state: State, text: string): Answer {
  return (
    state.local.get(text) ??
    state.knowledge.truths.get(text) ?? { kind: 'deterministic', text, failsWhen: false }
  );
}

/** The truth value of one occurrence of a varying predicate in the present evaluation of its rule, or the question. */
export function askVarying(state: State, occurrence: string, text: string): Answer {
  return state.local.get(occurrence) ?? { kind: 'varying', occurrence, text, failsWhen: false };
}

type HeaderTest = (state: State, context: Context, header: Header) => Answer;

function compileField(
  field: FieldName,
  mask: bigint | undefined,
  values: readonly Interval[],
  text: string,
): HeaderTest {
  const index = FIELD_INDEX[field];
  const intervals = normalizeIntervals(values);
  return (state, context, header) => {
    const value = header.values[index]!;
    if (typeof value === 'bigint') return contains(intervals, mask === undefined ? value : value & mask);
    return askValue(state, value, fieldWidth(field, context.packet.version), mask, intervals, text);
  };
}

function compileAddress(
  field: 'saddr' | 'daddr',
  version: IpVersion,
  mask: bigint | undefined,
  values: readonly Interval[],
  text: string,
): HeaderTest {
  const test = compileField(field, mask, values, text);
  return (state, context, header) => context.packet.version === version && test(state, context, header);
}

/** Whether an unknown value lies in `intervals` (normalized) under `mask`, or the question that decides more of it. */
export function askValue(
  state: State,
  value: UnknownValue,
  width: number,
  mask: bigint | undefined,
  intervals: readonly Interval[],
  text: string,
): Answer {
  const result = testUnknown(value, width, mask, intervals, (variable) =>
    domainOf(state.knowledge, variable, width),
  );
  return typeof result === 'boolean' ? result : { ...result, width, text, failsWhen: false };
}

/** Whether a normalized list contains the value, by halving it. */
function contains(intervals: readonly Interval[], value: bigint): boolean {
  let low = 0;
  let high = intervals.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const { lo, hi } = intervals[middle]!;
    if (value < lo) high = middle - 1;
    else if (value > hi) low = middle + 1;
    else return true;
  }
  return false;
}

/** The header's connection is of this state. A connection state is never unknown: no statement assigns one. */
export function isCtState(header: Header, ...states: readonly (keyof typeof CT_STATE)[]): boolean {
  const value = fieldValue(header, 'ct-state');
  return states.some((name) => value === BigInt(CT_STATE[name]));
}

function compileOriginal(condition: OriginalFieldCondition): Test {
  const { of, text } = condition;
  const test =
    of.kind === 'field'
      ? compileField(of.field, of.mask, of.values, text)
      : compileAddress(of.field, of.version, of.mask, of.values, text);
  const version = of.kind === 'address' ? of.version : undefined;
  return (state, context) => {
    if (version !== undefined && version !== context.packet.version) return false;
    if (isCtState(state.header, 'invalid', 'untracked')) return false;
    return isCtState(state.header, 'new')
      ? test(state, context, state.original)
      : askDeterministic(state, text);
  };
}

/**
 * Name of the packet's interface at its present hook: the empty name where the hook has none, `undefined` for one
 * that no rule names.
 */
export function interfaceName(state: State, context: Context, field: 'iif' | 'oif'): string | undefined {
  const stage = context.way.stages[state.stage];
  if (stage === undefined || stage.kind !== 'chain') return '';
  if (field === 'iif') return stage.hasIif ? context.packet.iif : '';
  return stage.hasOif ? context.packet.oif : '';
}

/** Whether an interface of this name (see `interfaceName`) equals `name`, or begins with it. */
export function interfaceMatches(present: string | undefined, name: string, prefix: boolean): boolean {
  if (present === undefined || present === '') return prefix && name === '';
  return prefix ? present.startsWith(name) : present === name;
}

function compileInterface(condition: InterfaceCondition): Test {
  const { field, name, prefix } = condition;
  return (state, context) => interfaceMatches(interfaceName(state, context, field), name, prefix);
}

function compileAddressType(condition: AddressTypeCondition): Test {
  const { field, types, limitedToInterface, text } = condition;
  const lies = {
    multicast: {
      4: compileAddress(field, 4, undefined, MULTICAST[4], text),
      6: compileAddress(field, 6, undefined, MULTICAST[6], text),
    },
    broadcast: compileAddress(field, 4, undefined, BROADCAST, text),
  };
  return (state, context) => {
    if (limitedToInterface) return askDeterministic(state, text);
    if (isOwnAddress(context, field)) return types.includes('LOCAL');
    const multicast = lies.multicast[context.packet.version](state, context, state.header);
    const broadcast = lies.broadcast(state, context, state.header);
    for (const undecided of [multicast, broadcast]) if (typeof undecided !== 'boolean') return undecided;
    if (multicast) return types.includes('MULTICAST');
    if (broadcast) return types.includes('BROADCAST');
    return types.some((type) => mayHaveType(type, state, context, field))
      ? askDeterministic(state, text)
      : false;
  };
}
