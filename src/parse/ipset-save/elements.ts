import type { SetValue } from '../../model/index.ts';
import {
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  PROTOCOLS_WITH_PORTS,
  parseProtocol,
  single,
  TCP,
} from '../../net/index.ts';
import { icmpTypeOf } from '../icmp-types.ts';
import { networkInterval, parseAddressOf, parseNetwork, parseNumber, parsePort } from '../numbers.ts';
import type { Part } from './set-types.ts';

/** An element's values, or why the text is none. */
export type ReadElement =
  | { readonly kind: 'values'; readonly values: readonly SetValue[] }
  /** Readable, but the model has no value for it: `physdev:eth0`. */
  | { readonly kind: 'unmodelled'; readonly detail: string }
  | { readonly kind: 'problem'; readonly detail: string };

/** What the set says about how its elements are written. */
export interface ElementContext {
  readonly parts: readonly Part[];
  readonly version: IpVersion;
  /** `bitmap:port`: port elements stand for tcp and udp alike. */
  readonly portsOfAnyProtocol: boolean;
}

/** Reads `A,B,C` with one part per dimension; trailing parts may be left out (`bitmap:ip,mac`). */
export function readElement(text: string, context: ElementContext): ReadElement {
  const words = text.split(',', context.parts.length + 1);
  const optional = context.parts.length > 1 && context.parts[context.parts.length - 1]!.syntax === 'mac';
  if (words.length > context.parts.length || words.length < context.parts.length - (optional ? 1 : 0)) {
    return { kind: 'problem', detail: `${words.length} parts where the set has ${context.parts.length}` };
  }
  const values: SetValue[] = [];
  for (const [index, word] of words.entries()) {
    if (word.startsWith('physdev:')) return { kind: 'unmodelled', detail: 'a bridge port' };
    const value = readPart(word, context.parts[index]!, context);
    if (value === undefined)
      return { kind: 'problem', detail: `"${word.slice(0, 60)}" is no ${context.parts[index]!.syntax}` };
    values.push(value);
  }
  return { kind: 'values', values };
}

function readPart(text: string, part: Part, context: ElementContext): SetValue | undefined {
  switch (part.syntax) {
    case 'ip':
    case 'net':
      return interval(readAddresses(text, context.version));
    case 'mac':
      return interval(readMac(text));
    case 'mark': {
      const value = parseNumber(text, 0xffff_ffffn);
      return interval(value === undefined ? undefined : single(value));
    }
    case 'port':
      return readPort(text, context.portsOfAnyProtocol);
    case 'iface':
      // A final `+` is part of the name here; the element option `wildcard` makes a prefix.
      return text !== '' && text.length <= 15 ? { kind: 'interface', name: text, prefix: false } : undefined;
    case 'set':
      return text === '' ? undefined : { kind: 'set', name: text };
  }
}

function interval(range: Interval | undefined): SetValue | undefined {
  return range === undefined ? undefined : { kind: 'interval', range };
}

/** One address, a prefix, or `FROM-TO`. */
function readAddresses(text: string, version: IpVersion): Interval | undefined {
  const dash = text.indexOf('-');
  if (dash < 0) {
    const network = parseNetwork(version, text);
    return network === undefined ? undefined : networkInterval(version, network);
  }
  const lo = parseAddressOf(version, text.slice(0, dash));
  const hi = parseAddressOf(version, text.slice(dash + 1));
  if (lo === undefined || hi === undefined) return undefined;
  // ipset swaps the ends of a reversed range.
  return lo <= hi ? { lo, hi } : { lo: hi, hi: lo };
}

function readMac(text: string): Interval | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return single(text.split(':').reduce((sum, part) => (sum << 8n) | BigInt(`0x${part}`), 0n));
}

/** `PORT`, `PROTO:PORT`, ranges of them, `icmp:NAME`, `icmp:TYPE/CODE`, and `PROTO:0` for protocols without ports. */
function readPort(text: string, anyProtocol: boolean): SetValue | undefined {
  const colon = text.indexOf(':');
  const protocol = colon < 0 ? TCP : readProtocol(text.slice(0, colon));
  const rest = colon < 0 ? text : text.slice(colon + 1);
  if (protocol === undefined) return undefined;
  if (protocol === ICMP || protocol === ICMPV6) {
    const range = readIcmp(rest, protocol === ICMP ? 4 : 6);
    return range === undefined ? undefined : { kind: 'port', protocol, range };
  }
  if (!anyProtocol && !PROTOCOLS_WITH_PORTS.includes(protocol)) {
    return rest === '0' ? { kind: 'port', protocol, range: single(0) } : undefined;
  }
  const range = readPortRange(rest);
  return range === undefined
    ? undefined
    : { kind: 'port', protocol: anyProtocol ? undefined : protocol, range };
}

function readProtocol(text: string): number | undefined {
  const number = parseNumber(text, 255);
  return number === undefined ? parseProtocol(text) : Number(number);
}

function readPortRange(text: string): Interval | undefined {
  const whole = parsePort(text);
  if (typeof whole === 'bigint') return single(whole);
  const dash = text.indexOf('-');
  if (dash < 0) return undefined;
  const lo = parsePort(text.slice(0, dash));
  const hi = parsePort(text.slice(dash + 1));
  if (typeof lo !== 'bigint' || typeof hi !== 'bigint') return undefined;
  return lo <= hi ? { lo, hi } : { lo: hi, hi: lo };
}

/** Type and code as `type * 256 + code`; a name without a code of its own means code 0, as ipset stores it. */
function readIcmp(text: string, version: IpVersion): Interval | undefined {
  const slash = text.indexOf('/');
  if (slash >= 0) {
    const type = parseNumber(text.slice(0, slash), 255);
    const code = parseNumber(text.slice(slash + 1), 255);
    return type === undefined || code === undefined ? undefined : single(type * 256n + code);
  }
  const number = parseNumber(text, 0xffff);
  if (number !== undefined) return single(number);
  const named = text === '' ? undefined : icmpTypeOf(version, text);
  return named === undefined ? undefined : single(named.type * 256 + (named.code ?? 0));
}
