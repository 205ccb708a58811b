/** Entries of sets that firewalld reads and nftables refuses, above all those that overlap. */
import { addressBits, type Interval, type IpVersion, maxAddress, parseAddress } from '../../net/index.ts';
import { parseNumber } from '../numbers.ts';
import type { Ipset } from './configuration.ts';
import { type ProblemLog, quote } from './read-log.ts';
import { isNftNumber, isProtocolNumber, parsePortRange, parsePythonInt } from './read-values.ts';
import type { World } from './validate-names.ts';

/** Pairs of entries of one concatenated set that are compared; beyond, overlaps are not looked for. */
const MOST_PAIRS = 5_000_000;

type Entry = Ipset['entries'][number];

/** An entry as one interval for each of its parts; texts (interfaces, protocols) are told by `texts`. */
interface Box {
  readonly entry: Entry;
  readonly parts: readonly Interval[];
  readonly texts: string;
  readonly position: number;
}

/** Checks all sets, used or not: firewalld makes them all. ipset, behind the iptables backend, takes what nftables refuses. */
export function checkSets(world: World, log: ProblemLog): void {
  if (world.backend !== 'nftables') return;
  for (const set of world.ipsets.values()) {
    if (set.type === 'hash:mac' || set.type === '') continue;
    checkSet(set, log);
  }
}

function checkSet(set: Ipset, log: ProblemLog): void {
  const kinds = set.type.slice(5).split(',');
  const version: IpVersion = set.options.get('family') === 'inet6' ? 6 : 4;
  const boxes: Box[] = [];
  set.entries.forEach((entry, position) => {
    const box = toBox(entry, kinds, version, position);
    if (typeof box === 'string')
      log.fatal(
        entry.origin,
        `nftables refuses the entry ${quote(entry.text)} of the ipset ${quote(set.name)}: ${box}`,
      );
    else boxes.push(box);
  });
  const overlap = kinds.length === 1 ? findOverlap(boxes) : findCornerOverlap(boxes);
  if (overlap === 'too-many')
    log.doubt(set.origin, `the ipset ${quote(set.name)} has too many entries to look for overlaps`);
  else if (overlap !== undefined) {
    const [a, b] = overlap;
    const detail = `the entries ${quote(a.entry.text)} and ${quote(b.entry.text)} of the ipset ${quote(set.name)} overlap`;
    log.fatal(b.entry.origin, detail);
  }
}

function toBox(entry: Entry, kinds: readonly string[], version: IpVersion, position: number): Box | string {
  const items = entry.text.split(',');
  const parts: Interval[] = [];
  const texts: string[] = [];
  for (const [i, kind] of kinds.entries()) {
    const item = items[i] ?? '';
    if (kind === 'iface') texts.push(item);
    else if (kind === 'mark') {
      if (!isNftNumber(item)) return 'it reads the mark as no number';
      const mark = parseNumber(item.trim().replace(/^-/, ''), 0xffff_ffff) ?? 0n;
      parts.push({ lo: mark, hi: mark });
    } else {
      const part = kind === 'port' ? toPorts(item, texts) : toAddresses(item, version);
      if (typeof part === 'string') return part;
      parts.push(part);
    }
  }
  return { entry, parts, texts: texts.join('\n'), position };
}

function toAddresses(item: string, version: IpVersion): Interval | string {
  if (version === 4 && item.includes('-')) return 'firewalld hands ranges of addresses over as names';
  const slash = item.indexOf('/');
  const text = (slash < 0 ? item : item.slice(0, slash)).replace(/^[[\]]+|[[\]]+$/g, '');
  const address = parseAddress(text);
  if (address === undefined) return 'it has a range of addresses';
  if (slash < 0) return { lo: address.value, hi: address.value };
  const length = parsePythonInt(item.slice(slash + 1));
  if (length === undefined) return 'firewalld takes only a length behind "/" here';
  const host = maxAddress(version) >> BigInt(length);
  const lo = length === addressBits(version) ? address.value : (address.value | host) ^ host;
  return { lo, hi: lo | host };
}

function toPorts(item: string, texts: string[]): Interval | string {
  const colon = item.indexOf(':');
  const protocol = colon < 0 ? 'tcp' : item.slice(0, colon);
  const port = item.slice(colon + 1);
  if (/\d_\d/.test(port) && parsePythonInt(port) !== undefined) return 'it takes no underscore in a port';
  if (port !== port.trimEnd()) return 'it takes no space behind a port';
  if (/^(icmp|icmpv6|ipv6-icmp)$/.test(protocol)) return 'it has no word for ICMP types there';
  if (parsePythonInt(protocol) !== undefined && !isProtocolNumber(protocol))
    return 'it reads the protocol as no number';
  texts.push(protocol.toLowerCase());
  const ends = port.split('-').map((end) => parsePortRange(end));
  const [lo, hi] = [ends[0], ends[ends.length - 1]];
  if (lo === undefined || hi === undefined || lo === 'name' || hi === 'name' || ends.length > 2)
    return 'it cuts the name of the port at its hyphen';
  if (lo.lo > hi.lo) return 'its range of ports is turned round';
  return { lo: BigInt(lo.lo), hi: BigInt(hi.hi) };
}

/** Two entries of a set of single values that share some and not all. */
function findOverlap(boxes: readonly Box[]): readonly [Box, Box] | undefined {
  const sorted = [...boxes].sort((a, b) => compare(a.parts[0]!.lo, b.parts[0]!.lo));
  let widest: Box | undefined;
  for (const box of sorted) {
    const [part, last] = [box.parts[0]!, widest?.parts[0]];
    if (last !== undefined && part.lo <= last.hi && (part.lo !== last.lo || part.hi !== last.hi))
      return [widest!, box];
    if (last === undefined || part.hi > last.hi) widest = box;
  }
  return undefined;
}

/**
 * For concatenations the kernel looks only whether the lowest or the highest corner of a new entry lies in an older one: a
 * wide entry behind a narrow one inside it passes. Equal entries pass too.
 */
function findCornerOverlap(boxes: readonly Box[]): readonly [Box, Box] | 'too-many' | undefined {
  const groups = new Map<string, Box[]>();
  for (const box of boxes) {
    const group = groups.get(box.texts);
    if (group === undefined) groups.set(box.texts, [box]);
    else group.push(box);
  }
  let pairs = 0;
  for (const group of groups.values()) {
    group.sort((a, b) => compare(a.parts[0]!.lo, b.parts[0]!.lo));
    let open: Box[] = [];
    for (const box of group) {
      open = open.filter((other) => other.parts[0]!.hi >= box.parts[0]!.lo);
      for (const other of open) {
        if (++pairs > MOST_PAIRS) return 'too-many';
        const [older, newer] = other.position < box.position ? [other, box] : [box, other];
        if (!isEqual(older, newer) && (holds(older, newer, 'lo') || holds(older, newer, 'hi')))
          return [older, newer];
      }
      open.push(box);
    }
  }
  return undefined;
}

function holds(box: Box, other: Box, corner: 'lo' | 'hi'): boolean {
  return box.parts.every((part, i) => {
    const value = other.parts[i]![corner];
    return part.lo <= value && value <= part.hi;
  });
}

function isEqual(a: Box, b: Box): boolean {
  return a.parts.every((part, i) => part.lo === b.parts[i]!.lo && part.hi === b.parts[i]!.hi);
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
