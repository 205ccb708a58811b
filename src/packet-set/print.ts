/** Values of fields as people write them, and back. */
import {
  addressBits,
  complementIntervals,
  countIntervals,
  formatAddress,
  formatAddressInterval,
  type Interval,
  type IpVersion,
  intersectIntervals,
  maskedAddressInterval,
  maxAddress,
  normalizeIntervals,
  parseAddress,
  parseMaskedAddress,
  subtractIntervals,
} from '../net/index.ts';

/** A set of addresses of one IP version as text: everything in `saddr` that is not in `except`. */
export interface AddressDescription {
  /** Prefixes, single addresses and ranges `lo-hi`, ascending. Empty for no address. */
  readonly saddr: readonly string[];
  /** Empty unless `saddr` is the whole address space. */
  readonly except: readonly string[];
}

/** How a single address is written: `192.0.2.1` or `192.0.2.1/32`. */
export type SingleAddressStyle = 'plain' | 'prefix';

/**
 * Addresses as people read them: a prefix where the interval is one, else a range. "Everything except …" is
 * chosen for sets of at least half the address space where it is not longer. Exact: `parseAddresses` gives the
 * same set back.
 */
export function describeAddresses(
  version: IpVersion,
  intervals: Iterable<Interval>,
  style: SingleAddressStyle = 'plain',
): AddressDescription {
  const whole: Interval = { lo: 0n, hi: maxAddress(version) };
  const inside = intersectIntervals(intervals, [whole]);
  const print = (list: readonly Interval[]): string[] =>
    list.map((range) => formatRange(version, range, style));
  const plain: AddressDescription = { saddr: print(inside), except: [] };
  if (!isAnySource(version, inside)) return plain;
  const inverse: AddressDescription = {
    saddr: print([whole]),
    except: print(complementIntervals(inside, whole.hi)),
  };
  return textLength(inverse) <= textLength(plain) ? inverse : plain;
}

/** The addresses that `describeAddresses` described, normalized; `undefined` when a text is not an address set. */
export function parseAddresses(version: IpVersion, description: AddressDescription): Interval[] | undefined {
  const positive = parseRanges(version, description.saddr);
  const negative = parseRanges(version, description.except);
  return positive && negative && subtractIntervals(positive, negative);
}

/** Ports, or other small numbers, as `22` and `7938-9936`, ascending. */
export function describePorts(intervals: Iterable<Interval>): string[] {
  return normalizeIntervals(intervals).map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}-${hi}`));
}

/** The ports that `describePorts` described, normalized; `undefined` when a text is not a number or range up to 65535. */
export function parsePorts(texts: readonly string[]): Interval[] | undefined {
  const out: Interval[] = [];
  for (const text of texts) {
    const parts = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
    if (parts === null) return undefined;
    const lo = BigInt(parts[1]!);
    const hi = parts[2] === undefined ? lo : BigInt(parts[2]);
    if (lo > hi || hi > 0xffffn) return undefined;
    out.push({ lo, hi });
  }
  return normalizeIntervals(out);
}

/** Whether the addresses are "any source": at least half of the version's address space. */
export function isAnySource(version: IpVersion, intervals: Iterable<Interval>): boolean {
  const inside = intersectIntervals(intervals, [{ lo: 0n, hi: maxAddress(version) }]);
  return countIntervals(inside) >= 1n << BigInt(addressBits(version) - 1);
}

function formatRange(version: IpVersion, range: Interval, style: SingleAddressStyle): string {
  if (range.lo === range.hi && style === 'prefix') {
    return `${formatAddress(version, range.lo)}/${addressBits(version)}`;
  }
  return formatAddressInterval(version, range);
}

/** Characters that the description takes when its parts are listed. */
function textLength(description: AddressDescription): number {
  return [...description.saddr, ...description.except].reduce((sum, text) => sum + text.length + 2, 0);
}

function parseRanges(version: IpVersion, texts: readonly string[]): Interval[] | undefined {
  const out: Interval[] = [];
  for (const text of texts) {
    const range = parseRange(version, text);
    if (range === undefined) return undefined;
    out.push(range);
  }
  return normalizeIntervals(out);
}

function parseRange(version: IpVersion, text: string): Interval | undefined {
  const dash = text.indexOf('-');
  if (dash < 0) {
    const masked = parseMaskedAddress(text);
    return masked?.version === version ? maskedAddressInterval(masked) : undefined;
  }
  const lo = parseAddress(text.slice(0, dash));
  const hi = parseAddress(text.slice(dash + 1));
  if (lo?.version !== version || hi?.version !== version || lo.value > hi.value) return undefined;
  return { lo: lo.value, hi: hi.value };
}
