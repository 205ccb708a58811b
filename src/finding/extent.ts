/**
 * How far a finding goes. Two runs may have the same finding about the same rule, and the second lets in more: a jump to the rule, a set or
 * the sources of a zone have become wider, or a further peer is shut out. A fingerprint does not tell them apart, since a finding that became
 * narrower is the same one.
 */
import {
  addressBits,
  formatAddressInterval,
  type Interval,
  type IpVersion,
  normalizeIntervals,
  parseAddress,
  subtractIntervals,
} from '../net/index.ts';
import type { Exposure, ExtentPart } from './finding.ts';

/** Stands for everybody, where no address is known. */
export const ANY_ADDRESS = 'any address';

/** The extent of an exposure: whom it is about, in as few words as they take. Who is entitled to the same access counts as well. */
export function extentOfExposure({ saddr, proto, dport }: Exposure): ExtentPart {
  const { addresses, names } = readWho(saddr);
  return {
    who: [
      ...names,
      ...([4, 6] as const).flatMap((v) => addresses[v].map((range) => formatAddressInterval(v, range))),
    ],
    proto,
    ports: dport,
  };
}

/** Whether each part of `found` lies inside one of `known`. */
export function isWithin(found: readonly ExtentPart[], known: readonly ExtentPart[]): boolean {
  return found.every((part) => known.some((other) => contains(other, part)));
}

function contains(known: ExtentPart, found: ExtentPart): boolean {
  if (!found.proto.every((name) => known.proto.includes(name))) return false;
  if (!isCovered(readPorts(found.ports), readPorts(known.ports))) return false;
  const [own, other] = [readWho(found.who), readWho(known.who)];
  if (other.names.includes(ANY_ADDRESS)) return true;
  return (
    own.names.every((name) => other.names.some((whole) => name === whole || name.endsWith(` of ${whole}`))) &&
    ([4, 6] as const).every((version) => isCovered(own.addresses[version], other.addresses[version]))
  );
}

function isCovered(list: readonly Interval[], by: readonly Interval[]): boolean {
  return subtractIntervals(list, by).length === 0;
}

interface Who {
  readonly addresses: Readonly<Record<IpVersion, readonly Interval[]>>;
  /** What is no address: names of peers, texts of rules. */
  readonly names: readonly string[];
}

function readWho(texts: readonly string[]): Who {
  const addresses: Record<IpVersion, Interval[]> = { 4: [], 6: [] };
  const names: string[] = [];
  for (const text of texts) {
    const range = readRange(text);
    if (range === undefined) names.push(text);
    else addresses[range.version].push({ lo: range.lo, hi: range.hi });
  }
  return { addresses: { 4: normalizeIntervals(addresses[4]), 6: normalizeIntervals(addresses[6]) }, names };
}

/** `192.0.2.10`, `192.0.2.0/24`, `192.0.2.10-192.0.2.19`; `undefined` for anything else. */
function readRange(text: string): (Interval & { readonly version: IpVersion }) | undefined {
  const slash = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const [from, to] = slash === null ? text.split('-', 2) : [slash[1]];
  const lo = parseAddress(from ?? '');
  if (lo === undefined) return undefined;
  const { version, value } = lo;
  if (slash !== null) {
    const free = addressBits(version) - Number(slash[2]);
    return free < 0 ? undefined : { version, lo: value, hi: value | ((1n << BigInt(free)) - 1n) };
  }
  const hi = to === undefined ? lo : parseAddress(to);
  return hi === undefined || hi.version !== version ? undefined : { version, lo: value, hi: hi.value };
}

function readPorts(texts: readonly string[]): Interval[] {
  return normalizeIntervals(
    texts.map((text) => {
      const [lo, hi = lo] = text.split('-', 2);
      return { lo: BigInt(Number(lo) || 0), hi: BigInt(Number(hi) || 0) };
    }),
  );
}
