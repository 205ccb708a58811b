/** The texts that single values of `nwaudit.yaml` are written as: addresses, ports, dates. */
import {
  formatAddress,
  formatAddressInterval,
  type Interval,
  interval,
  maskedAddressInterval,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  parseAddress,
  parseMaskedAddress,
  parseProtocol,
  TCP,
} from '../net/index.ts';
import type { AddressRange, PortSelector } from './inventory.ts';

/** A value, or what is wrong with the text: half a sentence that begins with the text itself. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** Longest piece of input a message quotes. */
const MAX_QUOTED = 60;

/** A name or value as messages show it: in quotes, on one line, shortened. */
export function quote(text: string): string {
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return JSON.stringify(shown);
}

/** `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS-ADDRESS`, of either version. A prefix must not have host bits. */
export function parseAddressRange(text: string): Parsed<AddressRange> {
  if (text.includes('/')) return parsePrefix(text);
  const dash = text.indexOf('-');
  if (dash >= 0) return parseAddressPair(text, text.slice(0, dash).trim(), text.slice(dash + 1).trim());
  const address = parseAddress(text);
  if (address === undefined) {
    return {
      problem: `${quote(text)} is not an address, a prefix or a range of addresses; names are not looked up`,
    };
  }
  return { value: { version: address.version, range: { lo: address.value, hi: address.value } } };
}

function parsePrefix(text: string): Parsed<AddressRange> {
  const masked = parseMaskedAddress(text);
  const range = masked === undefined ? undefined : maskedAddressInterval(masked);
  const address = parseAddress(text.slice(0, text.indexOf('/')));
  if (masked === undefined || range === undefined || address === undefined) {
    return { problem: `${quote(text)} is not a prefix such as 192.0.2.0/24 or 2001:db8::/64` };
  }
  if (address.value !== range.lo) {
    const host = formatAddress(address.version, address.value);
    const network = formatAddressInterval(address.version, range);
    return {
      problem: `${quote(text)} has host bits: write ${host} for the one address or ${network} for the network`,
    };
  }
  return { value: { version: masked.version, range } };
}

function parseAddressPair(text: string, first: string, last: string): Parsed<AddressRange> {
  const lo = parseAddress(first);
  const hi = parseAddress(last);
  if (lo === undefined || hi === undefined) {
    return { problem: `${quote(text)} is not a range of addresses such as 192.0.2.10-192.0.2.19` };
  }
  if (lo.version !== hi.version) return { problem: `${quote(text)} mixes IPv4 and IPv6` };
  if (lo.value > hi.value)
    return { problem: `${quote(text)} is reversed: the first address is above the last` };
  return { value: { version: lo.version, range: { lo: lo.value, hi: hi.value } } };
}

/** Ports and port ranges, separated by commas: `7937-7954`, `7937, 8000-8010`. Normalized, within `[min, 65535]`. */
export function parsePortRanges(text: string, min = 1): Parsed<Interval[]> {
  const ranges: Interval[] = [];
  for (const part of text.split(',')) {
    const found = /^\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?$/.exec(part);
    if (found?.[1] === undefined) {
      const hint = /^\s*\d+:\d+\s*$/.test(part) ? `; write ${part.trim().replace(':', '-')}` : '';
      return { problem: `${quote(text)} is not a port or a range of ports such as 7937-7954${hint}` };
    }
    const lo = Number(found[1]);
    const hi = found[2] === undefined ? lo : Number(found[2]);
    if (lo < min || hi > 65535 || lo > 65535 || hi < min) {
      return { problem: `${quote(text)} reaches outside the ports ${min}-65535` };
    }
    if (lo > hi) return { problem: `${quote(text)} is reversed: the first port is above the last` };
    ranges.push(interval(lo, hi));
  }
  return { value: normalizeIntervals(ranges) };
}

/** `tcp/7938-7999`, `udp/53`, `7938-7999` (tcp), or the bare name of a protocol without ports (`icmp`). */
export function parsePortSelector(text: string): Parsed<PortSelector> {
  const slash = text.indexOf('/');
  if (slash < 0) {
    if (/^\s*[a-z]/i.test(text)) return parseBareProtocol(text);
    const ports = parsePortRanges(text);
    return 'problem' in ports ? ports : { value: { protocol: TCP, ports: ports.value } };
  }
  const before = text.slice(0, slash).trim();
  const after = text.slice(slash + 1).trim();
  if (/^\d/.test(before) && parseProtocol(after) !== undefined && /^[a-z]/i.test(after)) {
    return { problem: `${quote(text)} is the wrong way round: write ${after.toLowerCase()}/${before}` };
  }
  const protocol = parseProtocol(before);
  if (protocol === undefined) return { problem: `${quote(text)} begins with no protocol that is known` };
  if (!PROTOCOLS_WITH_PORTS.includes(protocol)) {
    return { problem: `${quote(text)} gives ports to a protocol that has none: write ${quote(before)}` };
  }
  const ports = parsePortRanges(after);
  return 'problem' in ports ? ports : { value: { protocol, ports: ports.value } };
}

function parseBareProtocol(text: string): Parsed<PortSelector> {
  const protocol = parseProtocol(text.trim());
  if (protocol === undefined) {
    return {
      problem: `${quote(text)} is not a port, a range of ports, or PROTOCOL/PORTS such as tcp/7938-7999`,
    };
  }
  if (PROTOCOLS_WITH_PORTS.includes(protocol)) {
    return {
      problem: `${quote(text)} names no ports: write ${text.trim()}/7938-7999, or ${text.trim()}/1-65535 for all`,
    };
  }
  return { value: { protocol, ports: [] } };
}

/** Joins selectors of the same protocol; sorted by protocol number. */
export function normalizePortSelectors(selectors: readonly PortSelector[]): PortSelector[] {
  const byProtocol = new Map<number, Interval[]>();
  for (const { protocol, ports } of selectors) {
    byProtocol.set(protocol, [...(byProtocol.get(protocol) ?? []), ...ports]);
  }
  return [...byProtocol]
    .sort(([a], [b]) => a - b)
    .map(([protocol, ports]) => ({ protocol, ports: normalizeIntervals(ports) }));
}

/** A day of the calendar as `YYYY-MM-DD`, which is how it is kept: such dates compare as texts. */
export function parseDate(text: string): Parsed<string> {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (found === null) return { problem: `${quote(text)} is not a date such as 2027-03-31` };
  const [year, month, day] = found.slice(1).map(Number) as [number, number, number]; // three groups, all present
  // Date.UTC would read the years 0-99 as 1900-1999.
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const daysOfMonth = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (day < 1 || day > daysOfMonth) return { problem: `${quote(text)} is not a day of the calendar` };
  return { value: text };
}
