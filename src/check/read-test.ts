/** What a rule asks of a packet, where it is no more than addresses, a protocol and ports. */
import type { Condition, Match } from '../model/index.ts';
import { type Interval, type IpVersion, intersectIntervals } from '../net/index.ts';

/** Addresses of one IP version, normalized. */
export interface TestedAddresses {
  readonly version: IpVersion;
  readonly values: readonly Interval[];
}

/** A plain test. What is absent is not asked. */
export interface PlainTest {
  readonly version?: IpVersion;
  readonly protocol?: number;
  readonly sports?: readonly Interval[];
  readonly dports?: readonly Interval[];
  readonly saddr?: TestedAddresses;
  readonly daddr?: TestedAddresses;
}

type Draft = { -readonly [K in keyof PlainTest]: PlainTest[K] };

/** The test that matches make together; `undefined` where they ask for anything else, or for something in several ways. */
export function readTest(matches: readonly Match[]): PlainTest | undefined {
  const test: Draft = {};
  return matches.every(({ condition }) => add(test, condition)) ? test : undefined;
}

function add(test: Draft, condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
      return condition.of.every((one) => add(test, one));
    case 'version':
      if (test.version !== undefined && test.version !== condition.version) return false;
      test.version = condition.version;
      return true;
    case 'address': {
      const { field, version, mask, values } = condition;
      if (mask !== undefined || test[field] !== undefined) return false;
      test[field] = { version, values };
      test.version ??= version;
      return test.version === version;
    }
    case 'field':
      return condition.mask === undefined && addField(test, condition.field, condition.values);
    default:
      return false;
  }
}

function addField(test: Draft, field: string, values: readonly Interval[]): boolean {
  if (field === 'sport' || field === 'dport') {
    const name = field === 'sport' ? 'sports' : 'dports';
    test[name] = test[name] === undefined ? values : intersectIntervals(test[name], values);
    return true;
  }
  const [only, ...more] = values;
  if (field !== 'protocol' || only === undefined || more.length > 0 || only.lo !== only.hi) return false;
  const protocol = Number(only.lo);
  if (test.protocol !== undefined && test.protocol !== protocol) return false;
  test.protocol = protocol;
  return true;
}
