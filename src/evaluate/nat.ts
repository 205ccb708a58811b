import type { Nat, Packet } from '../model/index.ts';
import { CT_STATE } from '../model/index.ts';
import { addressBits, type Interval, PROTOCOLS_WITH_PORTS, single } from '../net/index.ts';
import { isCtState } from './condition.ts';
import {
  type Context,
  copyState,
  domainOf,
  fieldValue,
  fieldWidth,
  type Header,
  type State,
  withDomain,
  withField,
} from './state.ts';
import {
  domainContains,
  fullMask,
  keepOutside,
  keepWithin,
  rangeDomain,
  type Value,
  variableValue,
  wholeVariable,
} from './unknown-value.ts';

/**
 * The packet after connection tracking has seen it. Its own state comes true, unless a `notrack` statement was
 * executed before; only a connection has a mark and a NAT status.
 */
export function trackConnection(state: State, packet: Packet): void {
  state.original = withTuple(state.original, state.header);
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

/** What a connection is known by. */
const TUPLE = ['saddr', 'daddr', 'protocol', 'sport', 'dport', 'icmp-type', 'icmp-code'] as const;

/** `header` with the addresses, ports and protocol of `now`; the same object where these are equal. */
function withTuple(header: Header, now: Header): Header {
  let result = header;
  for (const field of TUPLE) {
    const value = fieldValue(now, field);
    if (value !== fieldValue(result, field)) result = withField(result, field, value);
  }
  return result;
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
    [...state.header.values, ...state.original.values, state.handedPort ?? 0n].flatMap((value) =>
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
  const port = fieldValue(state.header, 'sport');
  state.header = withField(state.header, 'sport', translatedPort(state, context, nat, port));
  state.header = withField(state.header, 'ct-snat', 1n);
  return state;
}

function translateDestination(state: State, context: Context, nat: Nat): readonly State[] {
  const before = { daddr: fieldValue(state.header, 'daddr'), dport: fieldValue(state.header, 'dport') };
  const daddr = destination(state, context, nat, before.daddr);
  state.header = withField(state.header, 'daddr', daddr);
  const dport = translatedPort(state, context, nat, before.dport);
  state.header = withField(state.header, 'dport', dport);
  const address = {
    width: fieldWidth('daddr', context.packet.version),
    before: before.daddr,
    after: daddr,
  };
  const port = { width: 16, before: before.dport, after: dport };
  // Whether a packet was sent to the very address that REDIRECT takes, the interface's own, is not told.
  if (nat.kind === 'redirect' && context.way.hook !== 'output') {
    return splitByChange(state, context, [port]).map((next) =>
      fieldValue(next.header, 'ct-dnat') === 1n ? next : withUnknownDnat(next, context),
    );
  }
  return splitByChange(state, context, [address, port]);
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

/** A port that lies in the range stays: seen on Linux 6.18 for SNAT, MASQUERADE, DNAT and REDIRECT. */
function translatedPort(state: State, context: Context, nat: Nat, port: Value): Value {
  if (nat.ports === undefined || !hasPorts(state)) return port;
  const range = usable(nat.ports, 16);
  const stays = typeof port === 'bigint' && range.lo <= port && port <= range.hi && nat.portMoves !== true;
  if (stays) return port;
  return newUnknown(state, context, 16, range);
}

/** The range, or everything where there is none or it is reversed. */
function usable(range: Interval | undefined, width: number): Interval {
  return range === undefined || range.lo > range.hi ? anything(width) : range;
}

/** Whether the packet's protocol has ports. */
export function hasPorts(state: State): boolean {
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

function withUnknownDnat(state: State, context: Context): State {
  return withDnat(state, newUnknown(state, context, 1, anything(1)));
}

/** A field that a translation sets. */
interface Change {
  readonly width: number;
  readonly before: Value;
  readonly after: Value;
}

/** The state with `ct-dnat` set if a field has really changed: where that depends on an unknown, one state for each case. */
function splitByChange(state: State, context: Context, changes: readonly Change[]): readonly State[] {
  const open: Change[] = [];
  for (const change of changes) {
    const changed = differs(state, change.width, change.before, change.after);
    if (changed === true) return [withDnat(state, 1n)];
    if (changed === undefined) open.push(change);
  }
  const [first, ...others] = open;
  if (first === undefined) return [state];
  const { width, before, after } = first;
  const variable = typeof after === 'bigint' ? undefined : wholeVariable(after, width);
  // Two unknown values: whether they are equal is not followed.
  if (typeof before !== 'bigint' || variable === undefined) return [withUnknownDnat(state, context)];
  const same = copyState(state);
  const domain = domainOf(state.knowledge, variable, width);
  const value = [single(before)];
  same.knowledge = withDomain(state.knowledge, context, variable, keepWithin(domain, value));
  state.knowledge = withDomain(state.knowledge, context, variable, keepOutside(domain, value));
  return [...splitByChange(same, context, others), withDnat(state, 1n)];
}
