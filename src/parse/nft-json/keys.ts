import {
  ALWAYS,
  type Condition,
  CT_STATE,
  type FieldName,
  type Hook,
  NEVER,
  negateIf,
  type UnknownCondition,
} from '../../model/index.ts';
import {
  addressBits,
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  intervalsContain,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  parseProtocol,
  single,
  TCP,
} from '../../net/index.ts';
import { type DataType, foldConstant } from './constants.ts';
import { asList, DEEPEST, onlyProperty, property, textProperty } from './json.ts';
import { renderExpression } from './render.ts';

/** What the chain around a rule says about the packets that come to it. */
export interface RuleContext {
  readonly family: string;
  /** Hooks from which the chain is reached; empty when it is reached from none. */
  readonly hooks: ReadonlySet<Hook>;
  /** Says something about the rule being read. */
  readonly note: (key: string, detail: string) => void;
  /** What `make` gives, made once for each `key` in a table: many rules ask the same. */
  readonly once: <T>(key: string, make: () => T) => T;
}

/** The left side of a match, the key of a map: what is looked at in the packet. */
export type Key = NumberKey | InterfaceKey | AddressTypeKey | OpaqueKey;

/** A number of the packet. */
export interface NumberKey {
  readonly kind: 'number';
  readonly text: string;
  readonly type: DataType;
  readonly width: number;
  /** What must hold for the expression to have a value, negated or not. */
  readonly needs: readonly Condition[];
  /**
   * The number, under `mask`, lies in one of `values`, or does not where `negated`. `asked` is the text of the whole
   * comparison, for parts of the key that are not modelled.
   */
  readonly within: (
    values: readonly Interval[],
    mask: bigint | undefined,
    negated: boolean,
    asked: string,
  ) => Condition;
}

/** A name of an interface. */
export interface InterfaceKey {
  readonly kind: 'interface';
  readonly text: string;
  readonly field: 'iif' | 'oif';
  readonly needs: readonly Condition[];
}

/** The routing type of an address. */
export interface AddressTypeKey {
  readonly kind: 'address-type';
  readonly text: string;
  readonly field: 'saddr' | 'daddr';
  readonly limited: boolean;
  readonly needs: readonly Condition[];
}

/** Something that is not modelled. */
export interface OpaqueKey {
  readonly kind: 'opaque';
  readonly text: string;
  readonly nature: UnknownCondition['nature'];
  readonly needs: readonly Condition[];
  /** The expression has no value for any packet here, so that no comparison matches. */
  readonly never?: boolean;
}

export function versionIs(version: IpVersion): Condition {
  return { kind: 'version', version };
}

export function protocolIs(...protocols: readonly number[]): Condition {
  return { kind: 'field', field: 'protocol', values: protocols.map(single) };
}

/** The packet belongs to a connection. */
export const HAS_CONNECTION: Condition = {
  kind: 'field',
  field: 'ct-state',
  values: [interval(CT_STATE.new, CT_STATE.related)],
};
const IS_NEW: Condition = { kind: 'field', field: 'ct-state', values: [single(CT_STATE.new)] };

export function all(...of: readonly Condition[]): Condition {
  const parts = of.filter((c) => c !== ALWAYS);
  if (parts.includes(NEVER)) return NEVER;
  return parts.length === 0 ? ALWAYS : parts.length === 1 ? parts[0]! : { kind: 'all', of: parts };
}

export function any(...of: readonly Condition[]): Condition {
  const parts = of.filter((c) => c !== NEVER);
  if (parts.includes(ALWAYS)) return ALWAYS;
  return parts.length === 0 ? NEVER : parts.length === 1 ? parts[0]! : { kind: 'any', of: parts };
}

export function not(condition: Condition): Condition {
  if (condition === ALWAYS) return NEVER;
  if (condition === NEVER) return ALWAYS;
  return negateIf(true, condition);
}

export function unknown(nature: UnknownCondition['nature'], text: string): Condition {
  return { kind: 'unknown', nature, text };
}

type Simple = Exclude<FieldName, 'saddr' | 'daddr'>;

function clip(values: readonly Interval[], width: number): readonly Interval[] {
  return intersectIntervals(values, [interval(0n, (1n << BigInt(width)) - 1n)]);
}

/** A whole field. */
function fieldKey(
  text: string,
  type: DataType,
  field: Simple,
  width: number,
  ...needs: readonly Condition[]
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (values, mask, negated) =>
      negateIf(negated, {
        kind: 'field',
        field,
        ...(mask === undefined ? {} : { mask }),
        values: clip(values, width),
      }),
  };
}

function addressKey(text: string, field: 'saddr' | 'daddr', version: IpVersion): NumberKey {
  return {
    kind: 'number',
    text,
    type: version === 4 ? 'ipv4' : 'ipv6',
    width: addressBits(version),
    needs: [versionIs(version)],
    within: (values, mask, negated) =>
      negateIf(negated, {
        kind: 'address',
        field,
        version,
        ...(mask === undefined ? {} : { mask }),
        values: clip(values, addressBits(version)),
      }),
  };
}

/** A number with few values, each of which is a condition of its own; other values never occur. */
function choiceKey(
  text: string,
  type: DataType,
  width: number,
  needs: readonly Condition[],
  values: readonly (readonly [number, Condition])[],
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (wanted, mask, negated) => {
      const fits = values.filter(
        ([value]) =>
          intervalsContain(wanted, mask === undefined ? BigInt(value) : BigInt(value) & mask) !== negated,
      );
      return any(...fits.map(([, condition]) => condition));
    },
  };
}

/** A number that is another thing for different packets. The last one of `parts` may be `undefined`: not modelled. */
function splitKey(
  text: string,
  type: DataType,
  width: number,
  needs: readonly Condition[],
  parts: readonly { readonly when: Condition; readonly key: NumberKey | undefined }[],
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (values, mask, negated, asked) =>
      any(
        ...parts.map(({ when, key }) =>
          all(
            when,
            key === undefined
              ? unknown('deterministic', asked)
              : all(...key.needs, key.within(values, mask, negated, asked)),
          ),
        ),
      ),
  };
}

/** Bits of a field, counted from its most significant one. */
function sliceKey(text: string, type: DataType, base: NumberKey, from: number, length: number): NumberKey {
  if (from === 0 && length === base.width) return { ...base, text, type };
  const shift = BigInt(base.width - from - length);
  const ones = ((1n << BigInt(length)) - 1n) << shift;
  return {
    kind: 'number',
    text,
    type,
    width: length,
    needs: base.needs,
    within: (values, mask, negated, asked) =>
      base.within(
        clip(values, length).map(({ lo, hi }) => interval(lo << shift, hi << shift)),
        mask === undefined ? ones : (mask << shift) & ones,
        negated,
        asked,
      ),
  };
}

function opaque(text: string, nature: UnknownCondition['nature'], ...needs: readonly Condition[]): OpaqueKey {
  return { kind: 'opaque', text, nature, needs };
}

const NOTHING: Omit<OpaqueKey, 'text'> = { kind: 'opaque', nature: 'deterministic', needs: [], never: true };

/** What a left side means. */
export function readKey(expression: unknown, context: RuleContext, depth = 0): Key {
  const text = renderExpression(expression);
  const only = onlyProperty(expression);
  if (only === undefined || depth > DEEPEST) return opaque(text, 'deterministic');
  const { name, value } = only;
  // Of these the text says all that counts, with the hooks.
  const isPlain = (name === 'payload' && textProperty(value, 'protocol') !== undefined) || name === 'meta';
  if (isPlain && text.length < 100)
    return context.once(`key ${[...context.hooks].join()} ${name} ${text}`, () =>
      readExpression(name, value, text, context, depth),
    );
  return readExpression(name, value, text, context, depth);
}

function readExpression(
  name: string,
  value: unknown,
  text: string,
  context: RuleContext,
  depth: number,
): Key {
  switch (name) {
    case 'payload':
      return payloadKey(value, text, context);
    case 'meta':
      return metaKey(textProperty(value, 'key') ?? (typeof value === 'string' ? value : ''), text, context);
    case 'ct':
      return ctKey(value, text);
    case 'fib':
      return fibKey(value, text);
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return operatorKey(name, value, text, context, depth);
    case 'numgen':
      return opaque(text, 'varying');
    case 'tcp option':
      return opaque(text, 'deterministic', protocolIs(TCP));
    case 'sctp chunk':
      return opaque(text, 'deterministic', protocolIs(132));
    case 'dccp option':
      return opaque(text, 'deterministic', protocolIs(33));
    case 'exthdr':
      return opaque(text, 'deterministic', versionIs(6));
    case 'ip option':
      return opaque(text, 'deterministic', versionIs(4));
    case 'rt':
      return opaque(text, 'deterministic', ...routeNeeds(value));
    default:
      return opaque(text, 'deterministic');
  }
}

function routeNeeds(value: unknown): readonly Condition[] {
  const family = textProperty(value, 'family');
  return family === 'ip' ? [versionIs(4)] : family === 'ip6' ? [versionIs(6)] : [];
}

// ---- packet headers

const V4 = versionIs(4);
const V6 = versionIs(6);

function lengthMinusHeader(text: string): NumberKey {
  return {
    kind: 'number',
    text,
    type: 'integer',
    width: 16,
    needs: [V6],
    // The field of the model counts the 40 bytes of the IPv6 header.
    within: (values, mask, negated, asked) =>
      mask === undefined
        ? negateIf(negated, {
            kind: 'field',
            field: 'length',
            values: clip(
              clip(values, 16).map(({ lo, hi }) => interval(lo + 40n, hi + 40n)),
              16,
            ),
          })
        : unknown('deterministic', asked),
  };
}

/** The packet arrived by Ethernet, which nft adds to every match on an Ethernet header. */
function etherNeeds(context: RuleContext): readonly Condition[] {
  const outward = ['output', 'postrouting'].some((hook) => context.hooks.has(hook as Hook));
  if (outward && context.hooks.size === 1 && context.hooks.has('output')) return [NEVER];
  const notLoopback = not({ kind: 'interface', field: 'iif', name: 'lo', prefix: false });
  return outward ? [notLoopback, unknown('deterministic', 'meta iiftype ether')] : [notLoopback];
}

function payloadKey(value: unknown, text: string, context: RuleContext): Key {
  const protocol = textProperty(value, 'protocol');
  if (protocol === undefined) return rawKey(value, text);
  const field = textProperty(value, 'field') ?? '';
  switch (protocol) {
    case 'ip':
      return ipv4Key(field, text);
    case 'ip6':
      return ipv6Key(field, text);
    case 'th':
      return field === 'sport' || field === 'dport'
        ? transportPort(text, 'port', field)
        : opaque(text, 'deterministic');
    case 'icmp':
      if (field === 'type') return fieldKey(text, 'icmp-type', 'icmp-type', 8, V4, protocolIs(ICMP));
      if (field === 'code') return fieldKey(text, 'icmp-code', 'icmp-code', 8, V4, protocolIs(ICMP));
      return opaque(text, 'deterministic', V4, protocolIs(ICMP));
    case 'icmpv6':
      if (field === 'type') return fieldKey(text, 'icmpv6-type', 'icmp-type', 8, V6, protocolIs(ICMPV6));
      if (field === 'code') return fieldKey(text, 'icmpv6-code', 'icmp-code', 8, V6, protocolIs(ICMPV6));
      return opaque(text, 'deterministic', V6, protocolIs(ICMPV6));
    case 'ether':
      return etherKey(field, text, context);
    case 'arp':
    case 'vlan':
      return opaque(text, 'deterministic');
    default: {
      const number = protocol === 'comp' ? 108 : parseProtocol(protocol);
      if (number === undefined) return opaque(text, 'deterministic');
      const needs = protocolIs(number);
      if ((field === 'sport' || field === 'dport') && PROTOCOLS_WITH_PORTS.includes(number))
        return fieldKey(text, 'port', field, 16, needs);
      if (number === TCP && field === 'flags') return fieldKey(text, 'tcp-flags', 'tcp-flags', 8, needs);
      return opaque(text, 'deterministic', needs);
    }
  }
}

function etherKey(field: string, text: string, context: RuleContext): Key {
  const needs = etherNeeds(context);
  if (field === 'saddr') return fieldKey(text, 'mac', 'smac', 48, ...needs);
  if (field === 'type')
    return choiceKey(text, 'ethertype', 16, needs, [
      [0x0800, V4],
      [0x86dd, V6],
    ]);
  return opaque(text, 'deterministic', ...needs);
}

function ipv4Key(field: string, text: string): Key {
  switch (field) {
    case 'saddr':
    case 'daddr':
      return addressKey(text, field, 4);
    case 'protocol':
      return fieldKey(text, 'protocol', 'protocol', 8, V4);
    case 'ttl':
      return fieldKey(text, 'integer', 'ttl', 8, V4);
    case 'dscp':
      return fieldKey(text, 'dscp', 'dscp', 6, V4);
    case 'ecn':
      return fieldKey(text, 'ecn', 'ecn', 2, V4);
    case 'length':
      return fieldKey(text, 'integer', 'length', 16, V4);
    case 'version':
      return choiceKey(text, 'integer', 4, [V4], [[4, ALWAYS]]);
    case 'frag-off':
      return fragmentKey(text);
    default:
      return opaque(text, 'deterministic', V4);
  }
}

/** Only whether the offset is zero is modelled. */
function fragmentKey(text: string): NumberKey {
  return {
    kind: 'number',
    text,
    type: 'integer',
    width: 16,
    needs: [V4],
    within: (values, mask, negated, asked) => {
      const zero = intervalsContain(values, 0n);
      const onlyZero = normalizeIntervals(values).every(({ lo, hi }) => lo === 0n && hi === 0n);
      if (
        mask !== 0x1fffn ||
        (!zero && values.length > 0 && !intervalsContain(values, 1n)) ||
        (zero && !onlyZero)
      )
        return unknown('deterministic', asked);
      const whole: Condition = { kind: 'field', field: 'fragment', values: [single(0)] };
      return zero ? negateIf(negated, whole) : unknown('deterministic', asked);
    },
  };
}

function ipv6Key(field: string, text: string): Key {
  switch (field) {
    case 'saddr':
    case 'daddr':
      return addressKey(text, field, 6);
    case 'nexthdr':
      return fieldKey(text, 'protocol', 'protocol', 8, V6);
    case 'hoplimit':
      return fieldKey(text, 'integer', 'ttl', 8, V6);
    case 'dscp':
      return fieldKey(text, 'dscp', 'dscp', 6, V6);
    case 'ecn':
      return fieldKey(text, 'ecn', 'ecn', 2, V6);
    case 'length':
      return lengthMinusHeader(text);
    case 'version':
      return choiceKey(text, 'integer', 4, [V6], [[6, ALWAYS]]);
    default:
      return opaque(text, 'deterministic', V6);
  }
}

/** Bytes 0-1 or 2-3 of whatever protocol: ports only where the protocol has them. */
function transportPort(
  text: string,
  type: DataType,
  field: 'sport' | 'dport',
  from = 0,
  length = 16,
): NumberKey {
  const port = sliceKey(text, type, fieldKey(text, type, field, 16), from, length);
  const withPorts = protocolIs(...PROTOCOLS_WITH_PORTS);
  return splitKey(
    text,
    type,
    length,
    [],
    [
      { when: withPorts, key: port },
      { when: not(withPorts), key: undefined },
    ],
  );
}

interface Slot {
  readonly from: number;
  readonly key: NumberKey;
}

function slots(version: IpVersion): readonly Slot[] {
  const key = (name: string): NumberKey => {
    const found = version === 4 ? ipv4Key(name, name) : ipv6Key(name, name);
    return found.kind === 'number' ? found : fieldKey(name, 'integer', 'length', 16);
  };
  const place = version === 4 ? V4_SLOTS : V6_SLOTS;
  return place.map(([from, name]) => ({ from, key: key(name) }));
}

// Bit offsets of RFC 791 section 3.1 and RFC 8200 section 3.
const V4_SLOTS: readonly (readonly [number, string])[] = [
  [0, 'version'],
  [8, 'dscp'],
  [14, 'ecn'],
  [16, 'length'],
  [64, 'ttl'],
  [72, 'protocol'],
  [96, 'saddr'],
  [128, 'daddr'],
];
const V6_SLOTS: readonly (readonly [number, string])[] = [
  [0, 'version'],
  [4, 'dscp'],
  [10, 'ecn'],
  [48, 'nexthdr'],
  [56, 'hoplimit'],
  [64, 'saddr'],
  [192, 'daddr'],
];

/** `@nh,96,32`: exact where it covers a modelled field, or part of one. */
function rawKey(value: unknown, text: string): Key {
  const base = textProperty(value, 'base');
  const offset = property(value, 'offset');
  const length = property(value, 'len');
  if (typeof offset !== 'number' || typeof length !== 'number' || !(length > 0) || !(offset >= 0))
    return opaque(text, 'deterministic');
  const inside = (from: number, width: number): boolean => offset >= from && offset + length <= from + width;
  if (base === 'nh') {
    const part = (version: IpVersion): NumberKey | undefined => {
      const slot = slots(version).find(({ from, key }) => inside(from, key.width));
      return slot === undefined ? undefined : sliceKey(text, 'integer', slot.key, offset - slot.from, length);
    };
    const v4 = part(4);
    const v6 = part(6);
    if (v4 === undefined && v6 === undefined) return opaque(text, 'deterministic');
    return splitKey(
      text,
      'integer',
      length,
      [],
      [
        { when: V4, key: v4 },
        { when: V6, key: v6 },
      ],
    );
  }
  if (base === 'th') {
    if (inside(0, 16))
      return icmpBeside(transportPort(text, 'integer', 'sport', offset, length), text, offset, length);
    if (inside(16, 16)) return transportPort(text, 'integer', 'dport', offset - 16, length);
    if (inside(104, 8)) {
      const flags = sliceKey(
        text,
        'integer',
        fieldKey(text, 'integer', 'tcp-flags', 8),
        offset - 104,
        length,
      );
      return splitKey(
        text,
        'integer',
        length,
        [],
        [
          { when: protocolIs(TCP), key: flags },
          { when: not(protocolIs(TCP)), key: undefined },
        ],
      );
    }
  }
  return opaque(text, 'deterministic');
}

/** The first two bytes: type and code of ICMP, the source port of others. */
function icmpBeside(ports: NumberKey, text: string, offset: number, length: number): NumberKey {
  const isIcmp = any(all(V4, protocolIs(ICMP)), all(V6, protocolIs(ICMPV6)));
  const field = offset + length <= 8 ? 'icmp-type' : offset >= 8 ? 'icmp-code' : undefined;
  const key =
    field === undefined
      ? undefined
      : sliceKey(text, 'integer', fieldKey(text, 'integer', field, 8), offset % 8, length);
  return splitKey(
    text,
    'integer',
    length,
    [],
    [
      { when: isIcmp, key },
      { when: not(isIcmp), key: ports },
    ],
  );
}

// ---- meta, ct, fib

const VARYING_META: ReadonlySet<string> = new Set(['random', 'time', 'hour', 'day']);
const SOCKET_META: ReadonlySet<string> = new Set(['skuid', 'skgid']);

function metaKey(key: string, text: string, context: RuleContext): Key {
  switch (key) {
    case 'l4proto':
      return fieldKey(text, 'protocol', 'protocol', 8);
    case 'nfproto':
      return choiceKey(
        text,
        'nfproto',
        8,
        [],
        [
          [2, V4],
          [10, V6],
        ],
      );
    case 'protocol':
      return choiceKey(
        text,
        'ethertype',
        16,
        [],
        [
          [0x0800, V4],
          [0x86dd, V6],
        ],
      );
    case 'mark':
      return fieldKey(text, 'integer', 'mark', 32);
    case 'length':
      return fieldKey(text, 'integer', 'length', 16);
    case 'pkttype':
      return fieldKey(text, 'pkttype', 'pkttype', 3);
    case 'iif':
    case 'iifname':
      return { kind: 'interface', text, field: 'iif', needs: [] };
    case 'oif':
    case 'oifname':
      return { kind: 'interface', text, field: 'oif', needs: [] };
    default:
      if (
        SOCKET_META.has(key) &&
        context.hooks.size > 0 &&
        !context.hooks.has('output') &&
        !context.hooks.has('postrouting')
      )
        return { ...NOTHING, text };
      return opaque(text, VARYING_META.has(key) ? 'varying' : 'deterministic');
  }
}

const VARYING_CT: ReadonlySet<string> = new Set(['bytes', 'packets', 'avgpkt', 'expiration', 'count']);

function ctKey(value: unknown, text: string): Key {
  const key = textProperty(value, 'key') ?? (typeof value === 'string' ? value : '');
  const direction = textProperty(value, 'dir');
  switch (key) {
    case 'state':
      return ctStateKey(text);
    case 'mark':
      return fieldKey(text, 'integer', 'ct-mark', 32, HAS_CONNECTION);
    case 'status':
      return ctStatusKey(text);
    case 'direction':
      return splitKey(
        text,
        'ct-direction',
        8,
        [HAS_CONNECTION],
        [
          { when: IS_NEW, key: choiceKey(text, 'ct-direction', 8, [], [[0, ALWAYS]]) },
          { when: not(IS_NEW), key: undefined },
        ],
      );
    default:
      return direction === 'original'
        ? originalKey(key, textProperty(value, 'family'), text)
        : opaque(text, VARYING_CT.has(key) ? 'varying' : 'deterministic', HAS_CONNECTION);
  }
}

function ctStateKey(text: string): NumberKey {
  // CT_STATE_BIT has the bits; each state is one value of the model's field.
  const states = Object.entries({
    invalid: 1,
    established: 2,
    related: 4,
    new: 8,
    untracked: 64,
  } satisfies Record<keyof typeof CT_STATE, number>);
  return {
    kind: 'number',
    text,
    type: 'ct-state',
    width: 32,
    needs: [],
    within: (values, mask, negated) => {
      const fits = states.filter(
        ([, bit]) =>
          intervalsContain(values, mask === undefined ? BigInt(bit) : BigInt(bit) & mask) !== negated,
      );
      // The names are the keys of CT_STATE.
      return {
        kind: 'field',
        field: 'ct-state',
        values: fits.map(([name]) => single(CT_STATE[name as keyof typeof CT_STATE])),
      };
    },
  };
}

/**
 * `ct status`: of a new packet's connection only the NAT bits can be set, and those always together with bits that have no
 * name. Tests of single bits are exact for `dnat` and `snat`, and for all named ones of a new connection.
 */
function ctStatusKey(text: string): NumberKey {
  const isSet = (field: 'ct-dnat' | 'ct-snat'): Condition => ({ kind: 'field', field, values: [single(1)] });
  return {
    kind: 'number',
    text,
    type: 'ct-status',
    width: 32,
    needs: [HAS_CONNECTION],
    within: (values, mask, negated, asked) => {
      // Values without one of the bits that always come with NAT are never equal to a whole word with it.
      if (mask === undefined) {
        const natOnly = normalizeIntervals(values).every(
          ({ lo, hi }) => lo === hi && (lo & 48n) !== 0n && lo < 128n,
        );
        return natOnly ? (negated ? ALWAYS : NEVER) : unknown('deterministic', asked);
      }
      if ((mask & ~48n) !== 0n) return newOnlyStatus(values, mask, negated, asked, isSet);
      return any(...natWords(values, mask, negated, isSet));
    },
  };
}

function natWords(
  values: readonly Interval[],
  mask: bigint,
  negated: boolean,
  isSet: (field: 'ct-dnat' | 'ct-snat') => Condition,
): readonly Condition[] {
  const out: Condition[] = [];
  for (const word of [0n, 16n, 32n, 48n]) {
    if (intervalsContain(values, word & mask) === negated) continue;
    out.push(
      all(negateIf((word & 16n) === 0n, isSet('ct-snat')), negateIf((word & 32n) === 0n, isSet('ct-dnat'))),
    );
  }
  return out;
}

/** A mask with bits besides those of NAT, of which nothing is known but for new connections, where they are 0. */
function newOnlyStatus(
  values: readonly Interval[],
  mask: bigint,
  negated: boolean,
  asked: string,
  isSet: (field: 'ct-dnat' | 'ct-snat') => Condition,
): Condition {
  const named = 1n | 2n | 4n | 8n | 16n | 32n | 512n;
  if ((mask & ~named) !== 0n) return unknown('deterministic', asked);
  return any(
    all(IS_NEW, any(...natWords(values, mask, negated, isSet))),
    all(not(IS_NEW), unknown('deterministic', asked)),
  );
}

/** A part of the connection's original tuple. */
function originalKey(key: string, family: string | undefined, text: string): Key {
  const words = key.split(' ');
  const name = words[words.length - 1]!;
  const version =
    (words.length > 1 ? words[0] : family) === 'ip6'
      ? 6
      : (words.length > 1 ? words[0] : family) === 'ip'
        ? 4
        : undefined;
  if ((name === 'saddr' || name === 'daddr') && version !== undefined) {
    const base = addressKey(text, name, version);
    return {
      ...base,
      needs: [...base.needs, HAS_CONNECTION],
      within: (values, mask, negated) =>
        negateIf(negated, {
          kind: 'original',
          of: {
            kind: 'address',
            field: name,
            version,
            ...(mask === undefined ? {} : { mask }),
            values: clip(values, addressBits(version)),
          },
          text: `${text} ${renderIntervals(values)}`,
        }),
    };
  }
  if (name === 'proto-src' || name === 'proto-dst') {
    const field = name === 'proto-src' ? 'sport' : 'dport';
    const withPorts = protocolIs(...PROTOCOLS_WITH_PORTS);
    const port: NumberKey = {
      kind: 'number',
      text,
      type: 'port',
      width: 16,
      needs: [],
      within: (values, mask, negated) =>
        negateIf(negated, {
          kind: 'original',
          of: { kind: 'field', field, ...(mask === undefined ? {} : { mask }), values: clip(values, 16) },
          text: `${text} ${renderIntervals(values)}`,
        }),
    };
    return splitKey(
      text,
      'port',
      16,
      [HAS_CONNECTION],
      [
        { when: withPorts, key: port },
        { when: not(withPorts), key: undefined },
      ],
    );
  }
  return opaque(text, 'deterministic', HAS_CONNECTION);
}

function renderIntervals(values: readonly Interval[]): string {
  const shown = values.slice(0, 20).map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}-${hi}`));
  return `${shown.join(',')}${values.length > 20 ? `,… (${values.length})` : ''}`;
}

function fibKey(value: unknown, text: string): Key {
  const result = textProperty(value, 'result');
  const flags = asList(property(value, 'flags'));
  const field = flags.includes('daddr') ? 'daddr' : flags.includes('saddr') ? 'saddr' : undefined;
  if (result === 'type' && field !== undefined) {
    return {
      kind: 'address-type',
      text,
      field,
      limited: flags.includes('iif') || flags.includes('oif'),
      needs: [],
    };
  }
  return opaque(text, 'deterministic');
}

// ---- operators

function operatorKey(name: string, value: unknown, text: string, context: RuleContext, depth: number): Key {
  if (!Array.isArray(value) || value.length < 2) return opaque(text, 'deterministic');
  let key = readKey(value[0], context, depth + 1);
  for (const operand of value.slice(1)) {
    if (key.kind !== 'number') {
      return {
        kind: 'opaque',
        text,
        nature: key.kind === 'opaque' ? key.nature : 'deterministic',
        needs: key.needs,
        ...(key.kind === 'opaque' && key.never ? { never: true } : {}),
      };
    }
    const constant = foldConstant(name === '<<' || name === '>>' ? 'integer' : key.type, operand, key.width);
    const next = constant === undefined ? undefined : applyOperator(name, key, constant, text);
    if (next === undefined) return opaque(text, 'deterministic', ...key.needs);
    key = next;
  }
  return key;
}

function applyOperator(name: string, key: NumberKey, constant: bigint, text: string): NumberKey | undefined {
  const ones = (1n << BigInt(key.width)) - 1n;
  if (constant > ones) return undefined;
  const wrap = (within: NumberKey['within']): NumberKey => ({ ...key, text, within });
  const and = (mask: bigint): NumberKey =>
    wrap((values, outer, negated, asked) => {
      const both = outer === undefined ? mask : mask & outer;
      return key.within(values, both, negated, asked);
    });
  const xor = (base: NumberKey, bits: bigint): NumberKey => ({
    ...base,
    text,
    within: (values, mask, negated, asked) => {
      const moved = xorIntervals(values, mask === undefined ? bits : bits & mask, base.width);
      return moved === undefined ? unknown('deterministic', asked) : base.within(moved, mask, negated, asked);
    },
  });
  switch (name) {
    case '&':
      return and(constant);
    case '^':
      return xor(key, constant);
    case '|':
      return xor(and(ones ^ constant), constant);
    case '>>':
      return shifted(key, constant, text, true);
    default:
      return shifted(key, constant, text, false);
  }
}

function shifted(key: NumberKey, by: bigint, text: string, right: boolean): NumberKey | undefined {
  const width = BigInt(key.width);
  if (by >= width) return undefined;
  const all1 = (1n << width) - 1n;
  return {
    ...key,
    text,
    within: (values, mask, negated, asked) => {
      const outer = mask ?? all1;
      const within = clip(values, key.width);
      if (right) {
        const kept = (outer << by) & all1 & ~((1n << by) - 1n);
        return key.within(
          within.map(({ lo, hi }) => interval(lo << by, hi << by)),
          kept,
          negated,
          asked,
        );
      }
      const up = 1n << by;
      const low = within.map(({ lo, hi }) => interval((lo + up - 1n) >> by, hi >> by));
      return key.within(low, (outer >> by) & (all1 >> by), negated, asked);
    },
  };
}

/** The numbers whose exclusive or with `bits` lies in `values`; `undefined` when that takes too many pieces. */
function xorIntervals(
  values: readonly Interval[],
  bits: bigint,
  width: number,
): readonly Interval[] | undefined {
  if (bits === 0n) return values;
  const out: Interval[] = [];
  for (const { lo, hi } of clip(values, width)) {
    let next = lo;
    while (next <= hi) {
      let size = 1n;
      while ((next & (size * 2n - 1n)) === 0n && next + size * 2n - 1n <= hi) size *= 2n;
      const start = (next ^ bits) & ~(size - 1n);
      out.push(interval(start, start + size - 1n));
      next += size;
      if (out.length > 100_000) return undefined;
    }
  }
  return out;
}
