/**
 * IPv4 and IPv6 addresses as integers, and the ways people write them.
 *
 * Strict where the common libraries are not: no octal, no shortened IPv4 forms, no prefix lengths out of
 * range, no zone index. Sources: RFC 4291 section 2.2 (IPv6 text), RFC 5952 (how to print it), inet_pton(3).
 */
import type { Interval } from './interval.ts';

/** The IP version of an address or packet. */
export type IpVersion = 4 | 6;

/** Number of address bits of a version: 32 or 128. */
export function addressBits(version: IpVersion): 32 | 128 {
  return version === 4 ? 32 : 128;
}

/** The highest address of a version. */
export function maxAddress(version: IpVersion): bigint {
  return version === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
}

/** An address with its version; `value` lies in `[0, maxAddress(version)]`. */
export interface Address {
  readonly version: IpVersion;
  readonly value: bigint;
}

/**
 * Addresses selected by value under a mask: an address `a` belongs when `(a & mask) === value`.
 * `value` has no bits outside `mask`. The mask may be non-contiguous, as iptables(8) allows (`10.0.0.1/255.0.255.0`).
 */
export interface MaskedAddress {
  readonly version: IpVersion;
  readonly value: bigint;
  readonly mask: bigint;
}

/** The dotted-quad address in `text`, or `undefined` when it is not exactly four decimal numbers without leading zeros. */
export function parseIpv4(text: string): bigint | undefined {
  let value = 0;
  let parts = 0;
  let digits = 0;
  let part = 0;
  for (let i = 0; i <= text.length; i++) {
    const c = i < text.length ? text.charCodeAt(i) : 46;
    if (c === 46) {
      if (digits === 0 || part > 255) return undefined;
      value = value * 256 + part;
      parts++;
      part = 0;
      digits = 0;
    } else if (c >= 48 && c <= 57) {
      if (digits > 0 && part === 0) return undefined;
      part = part * 10 + (c - 48);
      digits++;
      if (digits > 3) return undefined;
    } else return undefined;
  }
  return parts === 4 ? BigInt(value) : undefined;
}

/** The IPv6 address in `text` (RFC 4291 section 2.2, all three forms), or `undefined`. No zone index, no brackets. */
export function parseIpv6(text: string): bigint | undefined {
  if (text.length < 2 || text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = halves[0] === '' ? [] : halves[0]!.split(':');
  const tail = halves.length === 2 ? (halves[1] === '' ? [] : halves[1]!.split(':')) : [];
  const last = halves.length === 2 ? tail : head;
  let trailing: bigint | undefined;
  const lastPart = last[last.length - 1];
  if (lastPart?.includes('.')) {
    trailing = parseIpv4(lastPart);
    if (trailing === undefined) return undefined;
    last.splice(-1, 1, (trailing >> 16n).toString(16), (trailing & 0xffffn).toString(16));
  }
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 7 : given !== 8) return undefined;
  let value = 0n;
  const groups = [...head, ...Array<string>(8 - given).fill('0'), ...tail];
  for (const group of groups) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(Number.parseInt(group, 16));
  }
  return value;
}

/** The address in `text`, of either version, or `undefined`. */
export function parseAddress(text: string): Address | undefined {
  const version: IpVersion = text.includes(':') ? 6 : 4;
  const value = version === 4 ? parseIpv4(text) : parseIpv6(text);
  return value === undefined ? undefined : { version, value };
}

/** Mask with the top `prefixLength` bits set. `prefixLength` must lie in `[0, addressBits(version)]`. */
export function prefixMask(version: IpVersion, prefixLength: number): bigint {
  const bits = BigInt(addressBits(version));
  return maxAddress(version) ^ ((1n << (bits - BigInt(prefixLength))) - 1n);
}

/** Prefix length of a contiguous mask, or `undefined` when the mask has a hole. */
export function prefixLengthOf(version: IpVersion, mask: bigint): number | undefined {
  const inverse = maxAddress(version) ^ mask;
  if ((inverse & (inverse + 1n)) !== 0n) return undefined;
  return addressBits(version) - (inverse === 0n ? 0 : inverse.toString(2).length);
}

/**
 * `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK` as a masked address; host bits are cleared, as iptables and nft do.
 * `undefined` when the text is none of these or the length is out of range.
 */
export function parseMaskedAddress(text: string): MaskedAddress | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const { version } = address;
  let mask = maxAddress(version);
  if (slash >= 0) {
    const suffix = text.slice(slash + 1);
    if (/^(0|[1-9]\d{0,2})$/.test(suffix)) {
      const length = Number(suffix);
      if (length > addressBits(version)) return undefined;
      mask = prefixMask(version, length);
    } else {
      const given = version === 4 ? parseIpv4(suffix) : parseIpv6(suffix);
      if (given === undefined) return undefined;
      mask = given;
    }
  }
  return { version, value: address.value & mask, mask };
}

/** The interval a masked address with a contiguous mask covers, or `undefined` when the mask has a hole. */
export function maskedAddressInterval(masked: MaskedAddress): Interval | undefined {
  if (prefixLengthOf(masked.version, masked.mask) === undefined) return undefined;
  return { lo: masked.value, hi: masked.value | (maxAddress(masked.version) ^ masked.mask) };
}

/** Canonical text of an address: dotted quad, or RFC 5952 (lower case, longest zero run shortened). */
export function formatAddress(version: IpVersion, value: bigint): string {
  if (version === 4) {
    const n = Number(value);
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
  }
  const groups: number[] = [];
  for (let i = 7; i >= 0; i--) groups.push(Number((value >> BigInt(16 * i)) & 0xffffn));
  // RFC 5952 4.2.4 and 5: ::ffff:0:0/96 is printed with the IPv4 address.
  if (value >> 32n === 0xffffn) return `::ffff:${formatAddress(4, value & 0xffff_ffffn)}`;
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  const hex = groups.map((g) => g.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}

/** Smallest list of prefixes that covers exactly `[lo, hi]`, in ascending order. */
export function intervalToPrefixes(
  version: IpVersion,
  range: Interval,
): { readonly value: bigint; readonly prefixLength: number }[] {
  const out: { value: bigint; prefixLength: number }[] = [];
  const bits = addressBits(version);
  let lo = range.lo;
  while (lo <= range.hi) {
    let size = 0;
    while (size < bits) {
      const span = 1n << BigInt(size + 1);
      if ((lo & (span - 1n)) !== 0n || lo + span - 1n > range.hi) break;
      size++;
    }
    out.push({ value: lo, prefixLength: bits - size });
    lo += 1n << BigInt(size);
  }
  return out;
}

/** Text of an address interval as people read it: one address, a prefix, or `lo-hi`. */
export function formatAddressInterval(version: IpVersion, range: Interval): string {
  if (range.lo === range.hi) return formatAddress(version, range.lo);
  const prefixes = intervalToPrefixes(version, range);
  const only = prefixes.length === 1 ? prefixes[0] : undefined;
  if (only !== undefined) return `${formatAddress(version, only.value)}/${only.prefixLength}`;
  return `${formatAddress(version, range.lo)}-${formatAddress(version, range.hi)}`;
}
