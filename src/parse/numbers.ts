import {
  addressBits,
  type Interval,
  type IpVersion,
  maxAddress,
  parseAddress,
  parseIpv6,
  prefixLengthOf,
  prefixMask,
} from '../net/index.ts';
import { portOfService } from './service-names.ts';

/**
 * A number as iptables reads it (strtoull with base 0): decimal, `0x…` hexadecimal, or octal with a leading zero.
 * `undefined` for anything else and above `max`.
 */
export function parseNumber(text: string, max: bigint | number): bigint | undefined {
  let value: bigint;
  if (text.length > 40) return undefined;
  if (/^(0|[1-9]\d*)$/.test(text)) value = BigInt(text);
  else if (/^0[xX][0-9a-fA-F]+$/.test(text)) value = BigInt(text);
  else if (/^0[0-7]+$/.test(text)) value = BigInt(`0o${text.slice(1)}`);
  else return undefined;
  return value <= BigInt(max) ? value : undefined;
}

/** `VALUE` or `VALUE/MASK`, both 32 bits wide; the mask is all ones when absent. */
export function parseMasked(
  text: string,
  max: bigint,
): { readonly value: bigint; readonly mask: bigint } | undefined {
  const slash = text.indexOf('/');
  const value = parseNumber(slash < 0 ? text : text.slice(0, slash), max);
  const mask = slash < 0 ? max : parseNumber(text.slice(slash + 1), max);
  return value === undefined || mask === undefined ? undefined : { value, mask };
}

/** `A`, `A:B`, `A:` or `:B` as a closed interval; reversed bounds are kept, they mean an empty range. */
export function parseRange(text: string, max: bigint): Interval | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) {
    const value = parseNumber(text, max);
    return value === undefined ? undefined : { lo: value, hi: value };
  }
  const lo = colon === 0 ? 0n : parseNumber(text.slice(0, colon), max);
  const hi = colon === text.length - 1 ? max : parseNumber(text.slice(colon + 1), max);
  return lo === undefined || hi === undefined ? undefined : { lo, hi };
}

/** A port number or service name; `'unknown-name'` for a name that is not in our table; `undefined` for garbage. */
export function parsePort(text: string): bigint | 'unknown-name' | undefined {
  const number = parseNumber(text, 0xffff);
  if (number !== undefined) return number;
  const port = portOfService(text);
  if (port !== undefined) return BigInt(port);
  return isName(text) ? 'unknown-name' : undefined;
}

/** Whether a word could be a service, protocol or host name, or a shell variable in the place of one. */
export function isName(text: string): boolean {
  return (
    text.length <= 255 &&
    (/^[A-Za-z_][\w.+-]*$/.test(text) ||
      /^\d[\w-]*(\.[\w-]+)*\.?[A-Za-z][\w.-]*$/.test(text) ||
      /\$[\w{(]/.test(text))
  );
}

/** A port range `A`, `A:B`, `:B` or `A:` with numbers or names. */
export function parsePortRange(text: string): Interval | 'unknown-name' | undefined {
  const colon = text.indexOf(':');
  const first = colon < 0 ? text : text.slice(0, colon);
  const second = colon < 0 ? text : text.slice(colon + 1);
  if (text === ':' || text === '') return undefined;
  const lo = first === '' ? 0n : parsePort(first);
  const hi = second === '' ? 0xffffn : parsePort(second);
  if (lo === undefined || hi === undefined) return undefined;
  if (lo === 'unknown-name' || hi === 'unknown-name') return 'unknown-name';
  return { lo, hi };
}

/**
 * An IPv4 address as iptables 1.8.9 reads one (`xtables_numeric_to_ipaddr`): each part decimal, octal (`010`) or
 * hexadecimal, missing parts are zero (`10` is 10.0.0.0). Anything net's strict reader takes is read the same.
 */
export function parseLooseIpv4(text: string): bigint | undefined {
  const parts = text.split('.', 5);
  if (parts.length > 4) return undefined;
  let value = 0n;
  for (let i = 0; i < 4; i++) {
    const given = parts[i];
    const part = given === undefined ? 0n : parseNumber(given, 255);
    if (part === undefined) return undefined;
    value = (value << 8n) | part;
  }
  return value;
}

/** An address of `version`, as iptables or ip6tables reads it; `undefined` when it is none. */
export function parseAddressOf(version: IpVersion, text: string): bigint | undefined {
  if (version === 6) return parseIpv6(text);
  const strict = parseAddress(text);
  return strict === undefined ? parseLooseIpv4(text) : strict.version === 4 ? strict.value : undefined;
}

/** An address with prefix length or mask; host bits are cleared. */
export function parseNetwork(
  version: IpVersion,
  text: string,
): { readonly value: bigint; readonly mask: bigint } | undefined {
  const slash = text.indexOf('/');
  const address = parseAddressOf(version, slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { value: address, mask: maxAddress(version) };
  const suffix = text.slice(slash + 1);
  let mask: bigint | undefined;
  if (/^(0|[1-9]\d{0,2})$/.test(suffix)) {
    const length = Number(suffix);
    mask = length <= addressBits(version) ? prefixMask(version, length) : undefined;
  } else {
    const given = parseAddress(suffix);
    mask = given?.version === version ? given.value : undefined;
  }
  return mask === undefined ? undefined : { value: address & mask, mask };
}

/** The interval of a network whose mask has no hole, else `undefined`. */
export function networkInterval(
  version: IpVersion,
  network: { readonly value: bigint; readonly mask: bigint },
): Interval | undefined {
  if (prefixLengthOf(version, network.mask) === undefined) return undefined;
  return { lo: network.value, hi: network.value | (maxAddress(version) ^ network.mask) };
}
