import { normalizeIntervals, single } from '../net/index.ts';
import { newUnknown } from './nat.ts';
import {
  type Context,
  domainOf,
  fieldValue,
  type Question,
  type State,
  UNTOLD_TTL,
  withDomain,
  withField,
} from './state.ts';
import { domainContains, rangeDomain, type UnknownValue } from './unknown-value.ts';

/** TTL or hop limit with which a packet is still passed on. Source: linux net/ipv4/ip_forward.c, net/ipv6/ip6_output.c. */
const LEAST_TTL = UNTOLD_TTL.lo;

/** The packet is passed on: its TTL or hop limit is one less, or it goes no further. The result is what has to be asked first. */
export function loseHop(state: State, context: Context): Question | undefined {
  // A packet that has a socket is not passed on: linux net/ipv4/ip_forward.c, net/ipv6/ip6_output.c, at their beginning.
  if (state.handedPort !== undefined) {
    state.ending = 'drop';
    return undefined;
  }
  const ttl = fieldValue(state.header, 'ttl');
  if (typeof ttl === 'bigint') {
    if (ttl < LEAST_TTL) state.ending = 'drop';
    else state.header = withField(state.header, 'ttl', ttl - 1n);
    return undefined;
  }
  const { variable } = ttl.terms[0]!;
  const possible = valuesOf(ttl, state);
  const spent = possible.filter(({ now }) => now < LEAST_TTL);
  if (spent.length === possible.length) {
    state.ending = 'drop';
    return undefined;
  }
  if (spent.length > 0) {
    const intervals = normalizeIntervals(spent.map(({ from }) => single(from)));
    return { kind: 'range', variable, width: 8, intervals, text: 'the TTL of the packet', failsWhen: false };
  }
  const lowered = normalizeIntervals(possible.map(({ now }) => single(now - 1n)));
  const first = lowered[0]!;
  const isOne = lowered.length === 1 && first.lo === first.hi;
  const after = isOne ? first.lo : newUnknown(state, context, 8, UNTOLD_TTL);
  if (typeof after !== 'bigint') {
    const domain = { ...rangeDomain(first), intervals: lowered };
    state.knowledge = withDomain(state.knowledge, context, after.terms[0]!.variable, domain);
  }
  state.header = withField(state.header, 'ttl', after);
  return undefined;
}

/** The values that an unknown TTL may have, each with the value of its variable. No statement combines two variables in a TTL. */
function valuesOf(ttl: UnknownValue, state: State): { readonly from: bigint; readonly now: bigint }[] {
  const { variable, and } = ttl.terms[0]!;
  const domain = domainOf(state.knowledge, variable, 8);
  const values = Array.from({ length: 256 }, (_, i) => BigInt(i));
  return values
    .filter((from) => domainContains(domain, from))
    .map((from) => ({ from, now: (from & and) ^ ttl.xor }));
}
