import type { FieldName, Packet } from '../model/index.ts';
import { CT_STATE, FIELD_BITS, PACKET_TYPE } from '../model/index.ts';
import { addressBits, type Interval, type IpVersion, normalizeIntervals, single } from '../net/index.ts';
import type { PreparedChain, Way } from './prepare.ts';
import {
  type Domain,
  domainKey,
  fixBit,
  fullDomain,
  isEmptyDomain,
  keepOutside,
  keepWithin,
  rangeDomain,
  type Value,
  valueKey,
  variableValue,
} from './unknown-value.ts';

/** The position of every field in `Header.values`. */
export const FIELD_INDEX = {
  saddr: 0,
  daddr: 1,
  protocol: 2,
  sport: 3,
  dport: 4,
  'icmp-type': 5,
  'icmp-code': 6,
  'tcp-flags': 7,
  'ct-state': 8,
  'ct-dnat': 9,
  'ct-snat': 10,
  mark: 11,
  'ct-mark': 12,
  smac: 13,
  dscp: 14,
  ecn: 15,
  ttl: 16,
  length: 17,
  pkttype: 18,
  fragment: 19,
} as const satisfies Record<FieldName, number>;

/** Width of a field in bits, for a packet of `version`. */
export function fieldWidth(field: FieldName, version: IpVersion): number {
  return field === 'saddr' || field === 'daddr' ? addressBits(version) : FIELD_BITS[field];
}

/** The value of every field at one moment of the walk. Never changed: an assignment makes another header. */
export interface Header {
  readonly values: readonly Value[];
  /** Cached by `headerKey`. */
  key: string | undefined;
}

/** The header with one field changed. */
export function withField(header: Header, field: FieldName, value: Value): Header {
  const values = [...header.values];
  values[FIELD_INDEX[field]] = value;
  return { values, key: undefined };
}

/** The value of a field. */
export function fieldValue(header: Header, field: FieldName): Value {
  return header.values[FIELD_INDEX[field]]!;
}

/**
 * What a walk has assumed so far: truth values of deterministic predicates by text, and the domains of unknown
 * values. A variable without an entry is an absent field of the packet, of which nothing is known yet.
 */
export interface Knowledge {
  readonly truths: ReadonlyMap<string, boolean>;
  readonly domains: ReadonlyMap<string, Domain>;
  /**
   * What was learned, in the order in which it was learned, as a number of the evaluation (see `Context.facts`).
   * Equal numbers mean equal knowledge; equal knowledge from different orders may have different numbers.
   */
  readonly id: number;
}

const NOTHING_KNOWN: Knowledge = { truths: new Map(), domains: new Map(), id: 0 };

/** The domain of a variable of `width` bits. */
export function domainOf(knowledge: Knowledge, variable: string, width: number): Domain {
  return knowledge.domains.get(variable) ?? fullDomain(width);
}

/** The knowledge with another domain for a variable. */
export function withDomain(
  knowledge: Knowledge,
  context: Context,
  variable: string,
  domain: Domain,
): Knowledge {
  const domains = new Map(knowledge.domains).set(variable, domain);
  const id = learn(knowledge, context, `${variable}:${domainKey(domain)}`);
  return { truths: knowledge.truths, domains, id };
}

function withTruth(knowledge: Knowledge, context: Context, text: string, value: boolean): Knowledge {
  const truths = new Map(knowledge.truths).set(text, value);
  return { truths, domains: knowledge.domains, id: learn(knowledge, context, truthKey([text, value])) };
}

/** The number of the knowledge that `fact` makes of `knowledge`. */
function learn(knowledge: Knowledge, { facts }: Context, fact: string): number {
  const key = `${knowledge.id} ${fact}`;
  const id = facts.get(key) ?? facts.size + 1;
  facts.set(key, id);
  return id;
}

/** A chain being walked, and the position of the rule that comes next. */
export interface Frame {
  readonly chain: PreparedChain;
  next: number;
}

/** No answers: what `State.local` is at the beginning of each rule. */
export const NO_ANSWERS: ReadonlyMap<string, boolean> = new Map();

/** One packet somewhere on its way. The walk changes it; where it forks, it makes copies. */
export interface State {
  /** Position in the stages of the way. */
  stage: number;
  /** Chains entered, the current one last. Empty between two base chains. */
  frames: Frame[];
  header: Header;
  /** The packet as connection tracking saw it, or, before that, as it arrived: the connection's original tuple. */
  original: Header;
  knowledge: Knowledge;
  /** Answers that hold for the present evaluation of the present rule only. */
  local: ReadonlyMap<string, boolean>;
  /** The last hook in which a nat chain translated; `undefined` when none did. */
  translatedIn: string | undefined;
  /** A `redirect` has set the destination: which own address it is does not count as known, on output neither. */
  redirected: boolean;
  /** The port of the transparent socket that the packet was given to; `undefined` when it was not. */
  handedPort: Value | undefined;
  /** How the packet was stopped; `undefined` while it is on the way. */
  ending: 'drop' | 'reject' | undefined;
}

/** What stays the same during one evaluation. */
export interface Context {
  readonly way: Way;
  readonly packet: Packet;
  /** Numbers of everything known so far: the number of what was known before and one more fact, to its own. */
  readonly facts: Map<string, number>;
  /** Rules that may still be looked at before the evaluation gives up. */
  stepsLeft: number;
}

/** Another state that is equal and shares nothing that changes. */
export function copyState(state: State): State {
  return { ...state, frames: state.frames.map((frame) => ({ ...frame })) };
}

/** What a TTL or hop limit may be that is not told: packets without hops left are not asked about. */
export const UNTOLD_TTL: Interval = { lo: 2n, hi: 255n };

/** Packet types that exist. */
const PACKET_TYPES: readonly Interval[] = normalizeIntervals(Object.values(PACKET_TYPE).map(single));

/** What is known of a packet at the start about the fields that it does not give. */
function startKnowledge(packet: Packet): Knowledge {
  const domains = new Map<string, Domain>();
  if (packet.hook === 'forward' && packet.ttl === undefined) domains.set('ttl', rangeDomain(UNTOLD_TTL));
  if (packet.pkttype === undefined) {
    domains.set('pkttype', { ...fullDomain(FIELD_BITS.pkttype), intervals: PACKET_TYPES });
  }
  return { ...NOTHING_KNOWN, domains };
}

/** The state of a packet that has met no chain yet. */
export function startState(arriving: Header, packet: Packet): State {
  return {
    stage: 0,
    frames: [],
    header: arriving,
    original: arriving,
    knowledge: startKnowledge(packet),
    local: NO_ANSWERS,
    translatedIn: undefined,
    redirected: false,
    handedPort: undefined,
    ending: undefined,
  };
}

/** The header of a packet before the first chain: no connection is known yet. */
export function arrivingHeader(packet: Packet): Header {
  const given = (field: FieldName, value: number | bigint | undefined): Value =>
    value === undefined ? ABSENT[field] : BigInt(value);
  const values: Value[] = [
    packet.saddr,
    packet.daddr,
    BigInt(packet.protocol),
    given('sport', packet.sport),
    given('dport', packet.dport),
    given('icmp-type', packet.icmpType),
    given('icmp-code', packet.icmpCode),
    BigInt(packet.tcpFlags),
    BigInt(CT_STATE.invalid),
    0n,
    0n,
    packet.mark,
    0n,
    given('smac', packet.smac),
    given('dscp', packet.dscp),
    given('ecn', packet.ecn),
    given('ttl', packet.ttl),
    given('length', packet.length),
    given('pkttype', packet.pkttype),
    0n,
  ];
  return { values, key: undefined };
}

/** For each field, the value it has where the packet does not give one: a variable named after the field. */
export const ABSENT: Readonly<Record<FieldName, Value>> = absentValues();

function absentValues(): Record<FieldName, Value> {
  const of = (field: FieldName): Value => variableValue(field, fieldWidth(field, 4));
  return {
    saddr: of('saddr'),
    daddr: of('daddr'),
    protocol: of('protocol'),
    sport: of('sport'),
    dport: of('dport'),
    'icmp-type': of('icmp-type'),
    'icmp-code': of('icmp-code'),
    'tcp-flags': of('tcp-flags'),
    'ct-state': of('ct-state'),
    'ct-dnat': of('ct-dnat'),
    'ct-snat': of('ct-snat'),
    mark: of('mark'),
    'ct-mark': of('ct-mark'),
    smac: of('smac'),
    dscp: of('dscp'),
    ecn: of('ecn'),
    ttl: of('ttl'),
    length: of('length'),
    pkttype: of('pkttype'),
    fragment: of('fragment'),
  };
}

/**
 * Something a walk cannot decide. `failsWhen` is the answer with which the match it stands in fails.
 * `deterministic`: the predicate `text`, the same everywhere. `varying`: the one occurrence `occurrence`, this time.
 * `range` and `bit`: a property of an unknown value (see `ValueTest`).
 */
export type Question =
  | { readonly kind: 'deterministic'; readonly text: string; readonly failsWhen: boolean }
  | {
      readonly kind: 'varying';
      readonly occurrence: string;
      readonly text: string;
      readonly failsWhen: boolean;
    }
  | {
      readonly kind: 'range';
      readonly variable: string;
      readonly width: number;
      readonly intervals: readonly Interval[];
      readonly text: string;
      readonly failsWhen: boolean;
    }
  | {
      readonly kind: 'bit';
      readonly variable: string;
      readonly width: number;
      readonly bit: bigint;
      readonly text: string;
      readonly failsWhen: boolean;
    };

/** A copy of the state in which the question has this answer, or `undefined` when it cannot have it. */
export function answer(
  state: State,
  context: Context,
  question: Question,
  value: boolean,
): State | undefined {
  const next = copyState(state);
  if (question.kind === 'varying') {
    next.local = new Map(state.local).set(question.occurrence, value);
    return next;
  }
  if (question.kind === 'deterministic') {
    // A predicate that no later rule can ask again need not be remembered: states then become equal again.
    if (context.way.askedOnce.has(question.text)) {
      next.local = new Map(state.local).set(question.text, value);
    } else {
      next.knowledge = withTruth(state.knowledge, context, question.text, value);
    }
    return next;
  }
  const domain = domainOf(state.knowledge, question.variable, question.width);
  const narrowed =
    question.kind === 'bit'
      ? fixBit(domain, question.bit, value)
      : value
        ? keepWithin(domain, question.intervals)
        : keepOutside(domain, question.intervals);
  if (isEmptyDomain(narrowed)) return undefined;
  next.knowledge = withDomain(state.knowledge, context, question.variable, narrowed);
  return next;
}

/** Text that is equal for states with an equal future. */
export function stateKey(state: State): string {
  const frames = state.frames.map((frame) => `${frame.chain.id}.${frame.next}`).join('/');
  const local = [...state.local].map(truthKey).sort();
  return [
    state.stage,
    frames,
    state.ending ?? '',
    state.translatedIn ?? '',
    state.redirected ? 'redirected' : '',
    state.handedPort === undefined ? '' : valueKey(state.handedPort),
    headerKey(state.header),
    headerKey(state.original),
    state.knowledge.id,
    ...local,
  ].join('\n');
}

/** Quoted, because a text from an export may contain line breaks. */
function truthKey([text, value]: readonly [string, boolean]): string {
  return `${value ? '+' : '-'}${JSON.stringify(text)}`;
}

function headerKey(header: Header): string {
  header.key ??= header.values.map(valueKey).join(' ');
  return header.key;
}
