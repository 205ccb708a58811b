import type { Nat, Packet } from '../model/index.ts';
import { CT_STATE } from '../model/index.ts';
import { addressBits, type Interval, PROTOCOLS_WITH_PORTS, single, subtractIntervals } from '../net/index.ts';
import { isCtState } from './condition.ts';
import {
  type Context,
  copyState,
  domainOf,
  fieldValue,
  fieldWidth,
  type State,
  withDomain,
  withField,
} from './state.ts';
import {
  domainContains,
  fullMask,
  keepWithin,
  rangeDomain,
  type Value,
  variableValue,
} from './unknown-value.ts';

/**
 * The packet after connection tracking has seen it. Its own state comes true, unless a `notrack` statement was
 * executed before; only a connection has a mark and a NAT status.
 */
export function trackConnection(state: State, packet: Packet): void {
  const ctState = isCtState(state.header, 'untracked') ? 'untracked' : packet.ctState;
  const hasConnection = ctState !== 'invalid' && ctState !== 'untracked';
  const isOld = ctState === 'established' || ctState === 'related';
  const status = (given: boolean | undefined, field: 'ct-dnat' | 'ct-snat'): Value => {
    if (!isOld) return 0n;
    return given === undefined ? variableValue(field, 1) : given ? 1n : 0n;
  };
  let header = withField(state.header, 'ct-state', BigInt(CT_STATE[ctState]));
  header = withField(header, 'ct-dnat', status(packet.ctDnat, 'ct-dnat'));
  header = withField(header, 'ct-snat', status(packet.ctSnat, 'ct-snat'));
  state.header = withField(header, 'ct-mark', hasConnection ? packet.ctMark : 0n);
}

/**
 * Puts a value that lies in `range` and is otherwise unknown into the state's knowledge. `name` makes it one value
 * for the whole walk; without a name it is a new one each time.
 */
export function newUnknown(
  state: State,
  context: Context,
  width: number,
  range: Interval,
  name?: string,
): Value {
  if (range.lo === range.hi) return range.lo;
  const used = new Set(
    state.header.values.flatMap((value) =>
      typeof value === 'bigint' ? [] : value.terms.map((term) => term.variable),
    ),
  );
  let number = 0;
  while (used.has(`$${number}`)) number++;
  const variable = name ?? `$${number}`;
  if (name === undefined || !state.knowledge.domains.has(name)) {
    state.knowledge = withDomain(state.knowledge, context, variable, rangeDomain(range));
  }
  return variableValue(variable, width);
}

/** Everything that `width` bits can hold. */
export function anything(width: number): Interval {
  return { lo: 0n, hi: fullMask(width) };
}

/**
 * Translates the packet. The result is one state, or two where a destination chosen from a range may or may not be
 * the one the packet already had, which is what `ct-dnat` tells.
 */
export function translate(state: State, context: Context, nat: Nat): readonly State[] {
  return nat.kind === 'dnat' || nat.kind === 'redirect'
    ? translateDestination(state, context, nat)
    : [translateSource(state, context, nat)];
}

function translateSource(state: State, context: Context, nat: Nat): State {
  const width = addressBits(context.packet.version);
  const kept = nat.kind === 'snat' && nat.addresses === undefined && !nat.unknownTarget;
  if (!kept) {
    const range = nat.kind === 'masquerade' || nat.unknownTarget ? undefined : nat.addresses;
    state.header = withField(state.header, 'saddr', newUnknown(state, context, width, usable(range, width)));
  }
  if (nat.ports !== undefined && hasPorts(state)) {
    state.header = withField(state.header, 'sport', newUnknown(state, context, 16, usable(nat.ports, 16)));
  }
  state.header = withField(state.header, 'ct-snat', 1n);
  return state;
}

function translateDestination(state: State, context: Context, nat: Nat): readonly State[] {
  const address = fieldValue(state.header, 'daddr');
  const port = fieldValue(state.header, 'dport');
  const newAddress = destination(state, context, nat, address);
  state.header = withField(state.header, 'daddr', newAddress);
  const newPort = destinationPort(state, context, nat, port);
  state.header = withField(state.header, 'dport', newPort);
  const width = fieldWidth('daddr', context.packet.version);
  const addressChanged = differs(state, width, address, newAddress);
  const portChanged = differs(state, 16, port, newPort);
  if (addressChanged === true || portChanged === true) return [withDnat(state, 1n)];
  if (addressChanged === false && portChanged === false) return [state];
  if (nat.kind === 'dnat' && portChanged === false && typeof newAddress !== 'bigint') {
    return splitByChange(state, context, width, address, newAddress.terms[0]!.variable);
  }
  return [withDnat(state, newUnknown(state, context, 1, anything(1)))];
}

/** The address that a packet sent to itself is redirected to. */
const LOOPBACK = { 4: 0x7f00_0001n, 6: 1n } as const;

function destination(state: State, context: Context, nat: Nat, address: Value): Value {
  const { version } = context.packet;
  const width = addressBits(version);
  state.redirected = nat.kind === 'redirect';
  if (nat.kind === 'redirect') {
    if (context.way.hook === 'output') return LOOPBACK[version];
    return newUnknown(state, context, width, anything(width), 'own address');
  }
  if (nat.unknownTarget) return newUnknown(state, context, width, anything(width));
  return nat.addresses === undefined
    ? address
    : newUnknown(state, context, width, usable(nat.addresses, width));
}

function destinationPort(state: State, context: Context, nat: Nat, port: Value): Value {
  if (nat.ports === undefined || !hasPorts(state)) return port;
  const range = usable(nat.ports, 16);
  if (typeof port === 'bigint' && range.lo <= port && port <= range.hi) return port;
  return newUnknown(state, context, 16, range);
}

/** The range, or everything where there is none or it is reversed. */
function usable(range: Interval | undefined, width: number): Interval {
  return range === undefined || range.lo > range.hi ? anything(width) : range;
}

function hasPorts(state: State): boolean {
  const protocol = fieldValue(state.header, 'protocol');
  return typeof protocol === 'bigint' && PROTOCOLS_WITH_PORTS.includes(Number(protocol));
}

/** Whether two values differ; `undefined` when they may. */
function differs(state: State, width: number, before: Value, after: Value): boolean | undefined {
  if (before === after) return false;
  if (typeof before === 'bigint' && typeof after === 'bigint') return before !== after;
  const [known, unknown] = typeof before === 'bigint' ? [before, after] : [after, before];
  if (typeof known !== 'bigint' || typeof unknown === 'bigint' || unknown.terms.length > 1) return undefined;
  const domain = domainOf(state.knowledge, unknown.terms[0]!.variable, width);
  return domainContains(domain, known) ? undefined : true;
}

function withDnat(state: State, value: Value): State {
  state.header = withField(state.header, 'ct-dnat', value);
  return state;
}

/** Two states: the variable is the address before, or it is another and the connection's destination has changed. */
function splitByChange(
  state: State,
  context: Context,
  width: number,
  address: Value,
  variable: string,
): readonly State[] {
  if (typeof address !== 'bigint') return [withDnat(state, newUnknown(state, context, 1, anything(1)))];
  const same = copyState(state);
  const domain = domainOf(state.knowledge, variable, width);
  const others = subtractIntervals(domain.intervals, [single(address)]);
  same.knowledge = withDomain(state.knowledge, context, variable, keepWithin(domain, [single(address)]));
  state.knowledge = withDomain(state.knowledge, context, variable, keepWithin(domain, others));
  return [same, withDnat(state, 1n)];
}
