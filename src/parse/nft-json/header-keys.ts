import { ALWAYS, type Condition, type Hook, NEVER, negateIf } from '../../model/index.ts';
import {
  ICMP,
  ICMPV6,
  type IpVersion,
  interval,
  intervalsContain,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  parseProtocol,
  single,
  TCP,
} from '../../net/index.ts';
import { all, any, not, protocolIs, unknown, versionIs } from './conditions.ts';
import type { DataType } from './constants.ts';
import { clipIntervals } from './intervals.ts';
import { property, textProperty } from './json.ts';
import {
  addressKey,
  choiceKey,
  fieldKey,
  type Key,
  type NumberKey,
  opaqueKey,
  type RuleContext,
  sliceKey,
  splitKey,
} from './key.ts';

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
            values: clipIntervals(
              clipIntervals(values, 16).map(({ lo, hi }) => interval(lo + 40n, hi + 40n)),
              16,
            ),
          })
        : unknown('deterministic', asked()),
  };
}

/** The packet arrived by Ethernet, which nft adds to every match on an Ethernet header. */
function etherNeeds(context: RuleContext): readonly Condition[] {
  const outward = ['output', 'postrouting'].some((hook) => context.hooks.has(hook as Hook));
  if (outward && context.hooks.size === 1 && context.hooks.has('output')) return [NEVER];
  const notLoopback = not({ kind: 'interface', field: 'iif', name: 'lo', prefix: false });
  return outward ? [notLoopback, unknown('deterministic', 'meta iiftype ether')] : [notLoopback];
}

/** A field of a header, or raw bits of one. */
export function payloadKey(value: unknown, text: string, context: RuleContext): Key {
  const protocol = textProperty(value, 'protocol');
  if (protocol === undefined) return rawKey(value, text);
  const field = textProperty(value, 'field') ?? '';
  switch (protocol) {
    case 'ip':
      return ipKey(4, field, text);
    case 'ip6':
      return ipKey(6, field, text);
    case 'th':
      return field === 'sport' || field === 'dport'
        ? transportPort(text, 'port', field)
        : opaqueKey(text, 'deterministic');
    case 'icmp':
      if (field === 'type') return fieldKey(text, 'icmp-type', 'icmp-type', 8, V4, protocolIs(ICMP));
      if (field === 'code') return fieldKey(text, 'icmp-code', 'icmp-code', 8, V4, protocolIs(ICMP));
      return opaqueKey(text, 'deterministic', V4, protocolIs(ICMP));
    case 'icmpv6':
      if (field === 'type') return fieldKey(text, 'icmpv6-type', 'icmp-type', 8, V6, protocolIs(ICMPV6));
      if (field === 'code') return fieldKey(text, 'icmpv6-code', 'icmp-code', 8, V6, protocolIs(ICMPV6));
      return opaqueKey(text, 'deterministic', V6, protocolIs(ICMPV6));
    case 'ether':
      return etherKey(field, text, context);
    case 'arp':
    case 'vlan':
      return opaqueKey(text, 'deterministic');
    default: {
      const number = protocol === 'comp' ? 108 : parseProtocol(protocol);
      // Whether a header of no known name is there cannot be told.
      if (number === undefined)
        return opaqueKey(text, 'deterministic', unknown('deterministic', `${text} has a value`));
      const needs = protocolIs(number);
      if ((field === 'sport' || field === 'dport') && PROTOCOLS_WITH_PORTS.includes(number))
        return fieldKey(text, 'port', field, 16, needs);
      if (number === TCP && field === 'flags') return fieldKey(text, 'tcp-flags', 'tcp-flags', 8, needs);
      return opaqueKey(text, 'deterministic', needs);
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
  return opaqueKey(text, 'deterministic', ...needs);
}

/** A field of the IP header. Both versions have most of them, some under another name. */
function ipKey(version: IpVersion, field: string, text: string): Key {
  const needs = versionIs(version);
  switch (field) {
    case 'saddr':
    case 'daddr':
      return addressKey(text, field, version);
    case 'dscp':
      return fieldKey(text, 'dscp', 'dscp', 6, needs);
    case 'ecn':
      return fieldKey(text, 'ecn', 'ecn', 2, needs);
    case 'version':
      return choiceKey(text, 'integer', 4, [needs], [[version, ALWAYS]]);
    case 'length':
      return version === 4 ? fieldKey(text, 'integer', 'length', 16, needs) : lengthMinusHeader(text);
    case version === 4 ? 'protocol' : 'nexthdr':
      return fieldKey(text, 'protocol', 'protocol', 8, needs);
    case version === 4 ? 'ttl' : 'hoplimit':
      return fieldKey(text, 'integer', 'ttl', 8, needs);
    default:
      return version === 4 && field === 'frag-off'
        ? fragmentKey(text)
        : opaqueKey(text, 'deterministic', needs);
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
        return unknown('deterministic', asked());
      const whole: Condition = { kind: 'field', field: 'fragment', values: [single(0)] };
      return zero ? negateIf(negated, whole) : unknown('deterministic', asked());
    },
  };
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
    const found = ipKey(version, name, name);
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
    return opaqueKey(text, 'deterministic', unknown('deterministic', `${text} has a value`));
  const inside = (from: number, width: number): boolean => offset >= from && offset + length <= from + width;
  if (base === 'nh') {
    const part = (version: IpVersion): NumberKey | undefined => {
      const slot = slots(version).find(({ from, key }) => inside(from, key.width));
      return slot === undefined ? undefined : sliceKey(text, 'integer', slot.key, offset - slot.from, length);
    };
    const v4 = part(4);
    const v6 = part(6);
    if (v4 === undefined && v6 === undefined) return opaqueKey(text, 'deterministic');
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
  return opaqueKey(text, 'deterministic');
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
