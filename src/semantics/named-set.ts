import type { NamedSet, NamedSetCondition, NamedSetElement, SetDimension, SetValue } from '../model/index.ts';
import {
  addressBits,
  ICMP,
  ICMPV6,
  type Interval,
  interval,
  intervalToPrefixes,
  prefixMask,
  SCTP,
  single,
  TCP,
  UDP,
  UDPLITE,
} from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits, type Place } from './place.ts';

/** Protocols whose ports an ipset reads; for others its port is 0. Source: linux net/netfilter/ipset/ip_set_getport.c. */
const SET_PORT_PROTOCOLS = [TCP, UDP, SCTP, UDPLITE];

/** A lookup of one set by one match at one point of the way. */
interface Lookup {
  readonly host: HostSpace;
  readonly place: Place;
  readonly environment: Environment;
  readonly directions: readonly ('src' | 'dst')[];
  readonly returnNomatch: boolean;
  readonly text: string;
}

/**
 * Packets that the set match accepts (before negation). Source: ipset(8), linux net/netfilter/ipset/ip_set_core.c
 * `ip_set_test`: too few directions or another IP version never match. What a fixed set holds is computed once per environment.
 */
export function namedSetMembers(
  host: HostSpace,
  place: Place,
  environment: Environment,
  condition: NamedSetCondition,
): PacketSet {
  const { directions, returnNomatch, text } = condition;
  const set = host.namedSets.get(condition.set);
  if (set === undefined) return host.deterministic(text);
  const lookup = { host, place, environment, directions, returnNomatch, text };
  if (!host.isFixedSet(set.name)) return members(lookup, set);
  const key = JSON.stringify([set.name, directions, returnNomatch, text, place.version, environment.key]);
  let found = host.membersCache.get(key);
  if (found === undefined) {
    found = members(lookup, set);
    host.membersCache.set(key, found);
  }
  return found;
}

function members(lookup: Lookup, set: NamedSet): PacketSet {
  const { host, place } = lookup;
  const { space } = host;
  if (set.type === 'list:set') return listMembers(lookup, set);
  if (lookup.directions.length < set.dimensions.length) return space.empty;
  if (set.version !== undefined && set.version !== place.version) return space.empty;
  if (set.dynamic) return host.varying(lookup.text);
  const unsupported = set.dimensions.some((d, i) => d === 'mac' && lookup.directions[i] === 'dst');
  if (unsupported) return host.deterministic(lookup.text);

  const wantsHoles = lookup.returnNomatch && mayHaveHoles(set);
  const there = () => host.varying(`${lookup.text} (element with a timeout)`);
  let found = space.empty;
  let open = space.full;
  for (const { groups, networks, fadingNetworks } of levelsOf(lookup, set)) {
    for (const { packets, timeout, nomatch } of groups) {
      const reached = space.intersect(open, packets);
      const hit = timeout ? space.intersect(reached, there()) : reached;
      if (nomatch === wantsHoles) found = space.union(found, hit);
      open = space.minus(open, hit);
    }
    open = space.minus(open, networks);
    if (!space.isEmpty(fadingNetworks)) open = space.minus(open, space.intersect(there(), fadingNetworks));
  }
  return found;
}

/** Elements with the same prefix lengths, which the kernel looks up together. */
export interface SetLevel {
  /** Packets that elements of one kind hold, in the order in which they are asked. */
  readonly groups: readonly {
    readonly packets: PacketSet;
    readonly timeout: boolean;
    readonly nomatch: boolean;
  }[];
  /**
   * Packets for which the search ends with this level though no element of it holds them: surely, and if an element with a timeout
   * is there. In `hash:net,iface` the longest network that the address lies in decides, whatever its interface. Source:
   * ip_set_hash_gen.h, `multi`.
   */
  readonly networks: PacketSet;
  readonly fadingNetworks: PacketSet;
}

/** The levels of a set for packets in an environment, most specific first. Made once. */
function levelsOf(lookup: Lookup, set: NamedSet): readonly SetLevel[] {
  const { host, place, environment, directions } = lookup;
  const key = JSON.stringify([set.name, directions, place.version, environment.key]);
  let levels = host.setLevelsCache.get(key);
  if (levels === undefined) {
    levels = byPrecedence(set).map((level) => makeLevel(lookup, set, level));
    host.setLevelsCache.set(key, levels);
  }
  return levels;
}

function makeLevel(lookup: Lookup, set: NamedSet, level: readonly NamedSetElement[]): SetLevel {
  const { space } = lookup.host;
  const networks = (elements: readonly NamedSetElement[]): PacketSet =>
    networksBlock(set) && elements.length > 0
      ? dimensionIn(lookup, set, 0, firstValues(elements))
      : space.empty;
  return {
    groups: inTurn(set, level).map((elements) => ({
      packets: tuples(lookup, set, elements),
      timeout: elements[0]!.timeout,
      nomatch: elements[0]!.nomatch,
    })),
    networks: networks(level.filter((e) => !e.timeout)),
    fadingNetworks: networks(level.filter((e) => e.timeout)),
  };
}

function firstValues(elements: readonly NamedSetElement[]): SetValue[] {
  return elements.map((e) => e.values[0]!);
}

/** Only types with networks know holes; for others `--return-nomatch` is a match like any other. Source: ip_set_core.c, IPSET_TYPE_NOMATCH. */
function mayHaveHoles(set: NamedSet): boolean {
  return /\bnet\b/.test(set.type);
}

/**
 * The elements of a level in groups of one kind, to be asked in turn. Elements of a level hold different packets, so that the
 * order does not count, except where interface prefixes overlap: there the first in the export decides, as in the kernel.
 */
function inTurn(set: NamedSet, level: readonly NamedSetElement[]): NamedSetElement[][] {
  const groups: NamedSetElement[][] = [];
  const isLike = (a: NamedSetElement, b: NamedSetElement) =>
    a.timeout === b.timeout && a.nomatch === b.nomatch;
  for (const element of level) {
    const open = networksBlock(set) ? groups.slice(-1) : groups;
    const group = open.find((members) => isLike(members[0]!, element));
    if (group === undefined) groups.push([element]);
    else group.push(element);
  }
  return groups;
}

function networksBlock(set: NamedSet): boolean {
  return set.type === 'hash:net,iface';
}

/** Member sets are asked in turn; the first that matches decides. A member that is not exported is a deterministic unknown. */
function listMembers(lookup: Lookup, list: NamedSet): PacketSet {
  const { host } = lookup;
  if (list.dynamic) return host.varying(lookup.text);
  let found = host.space.empty;
  for (const element of list.elements) {
    const value = element.values[0];
    if (value?.kind !== 'set') continue;
    const set = host.namedSets.get(value.name);
    // The kernel does not allow a list inside a list, so this does not recurse further.
    if (set?.type === 'list:set') continue;
    const text = `${lookup.text} (member ${value.name})`;
    let inside = set === undefined ? host.deterministic(text) : members({ ...lookup, text }, set);
    if (element.timeout) inside = host.space.intersect(inside, host.varying(`${text} with a timeout`));
    found = host.space.union(found, inside);
  }
  return found;
}

/**
 * Elements in the order the kernel looks them up: longer prefixes first, by the first network dimension and then
 * the second. Sets without holes and timeouts need no order. Source: ip_set_hash_gen.h `mtype_test_cidrs`.
 */
function byPrecedence(set: NamedSet): NamedSetElement[][] {
  const elements = set.elements.filter((element) => fits(set, element));
  if (!networksBlock(set) && !elements.some((e) => e.nomatch || e.timeout)) return [elements];
  const levels = new Map<string, NamedSetElement[]>();
  for (const element of elements) {
    for (const split of splitIntoPrefixes(set, element)) {
      const key = split.lengths.map((n) => String(128 - n).padStart(3, '0')).join(',');
      const level = levels.get(key);
      if (level === undefined) levels.set(key, [split.element]);
      else level.push(split.element);
    }
  }
  return [...levels.keys()].sort().map((key) => levels.get(key)!);
}

/**
 * Whether the element has a value of the right kind for every dimension. A MAC may be missing (`bitmap:ip,mac`): the
 * kernel fills in the first one that comes by, so the element matches any. Source: ipset(8).
 */
function fits(set: NamedSet, element: NamedSetElement): boolean {
  return set.dimensions.every((dimension, i) => {
    const value = element.values[i];
    if (value === undefined) return dimension === 'mac' && i > 0;
    if (dimension === 'port' || dimension === 'interface' || dimension === 'set')
      return value.kind === dimension;
    return value.kind === 'interval';
  });
}

function splitIntoPrefixes(
  set: NamedSet,
  element: NamedSetElement,
): { readonly lengths: readonly number[]; readonly element: NamedSetElement }[] {
  let splits: { lengths: number[]; values: SetValue[] }[] = [{ lengths: [], values: [] }];
  element.values.forEach((value, i) => {
    if (set.dimensions[i] !== 'address' || value.kind !== 'interval' || set.version === undefined) {
      splits = splits.map((s) => ({ lengths: s.lengths, values: [...s.values, value] }));
      return;
    }
    const { version } = set;
    const prefixes = intervalToPrefixes(version, value.range);
    splits = splits.flatMap((s) =>
      prefixes.map((p) => {
        const hi = p.value + (1n << BigInt(addressBits(version) - p.prefixLength)) - 1n;
        return {
          lengths: [...s.lengths, p.prefixLength],
          values: [...s.values, { kind: 'interval' as const, range: { lo: p.value, hi } }],
        };
      }),
    );
  });
  return splits.map((s) => ({ lengths: s.lengths, element: { ...element, values: s.values } }));
}

/** Packets equal to one of the elements in every dimension. */
function tuples(lookup: Lookup, set: NamedSet, elements: readonly NamedSetElement[]): PacketSet {
  const { space } = lookup.host;
  if (set.dimensions.length === 1)
    return dimensionIn(
      lookup,
      set,
      0,
      elements.map((e) => e.values[0]!),
    );
  // Elements that agree in all dimensions but the first are looked up together.
  const groups = new Map<string, { rest: readonly SetValue[]; first: SetValue[] }>();
  for (const element of elements) {
    const rest = element.values.slice(1);
    const key = rest.map(valueKey).join(';');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { rest, first: [element.values[0]!] });
    else group.first.push(element.values[0]!);
  }
  return space.unionAll(
    [...groups.values()].map(({ rest, first }) => {
      let all = dimensionIn(lookup, set, 0, first);
      rest.forEach((value, i) => {
        all = space.intersect(all, dimensionIn(lookup, set, i + 1, [value]));
      });
      return all;
    }),
  );
}

function valueKey(value: SetValue): string {
  switch (value.kind) {
    case 'interval':
      return `${value.range.lo}-${value.range.hi}`;
    case 'port':
      return `${value.protocol}:${value.range.lo}-${value.range.hi}`;
    case 'interface':
      return `${value.name}${value.prefix ? '+' : ''}`;
    case 'set':
      return value.name;
  }
}

/** Packets whose part for dimension `index` equals one of `values`. */
function dimensionIn(lookup: Lookup, set: NamedSet, index: number, values: readonly SetValue[]): PacketSet {
  const { host, place, environment } = lookup;
  const { space } = host;
  const source = lookup.directions[index] === 'src';
  const dimension: SetDimension = set.dimensions[index]!;
  const ranges = values.flatMap((v) => (v.kind === 'interval' ? [v.range] : []));
  switch (dimension) {
    case 'address': {
      const bits = fieldBits(host, environment, source ? 'saddr' : 'daddr', place.version);
      const mask = addressMask(set);
      const masked = mask === undefined ? ranges : ranges.map(({ lo, hi }) => interval(lo & mask, hi & mask));
      return space.inIntervals(bits, masked, mask);
    }
    case 'mac':
      return space.inIntervals(fieldBits(host, environment, 'smac', place.version), ranges);
    case 'mark':
      return space.inIntervals(fieldBits(host, environment, 'mark', place.version), ranges);
    case 'interface': {
      const side = source ? 'iif' : 'oif';
      const bits = environment.bits(side) ?? space.interfaceBits(side);
      return space.unionAll(
        values.map((v) => (v.kind === 'interface' ? space.interfaceIn(bits, v.name, v.prefix) : space.empty)),
      );
    }
    case 'port':
      return portIn(lookup, source, values);
    case 'set':
      return space.empty;
  }
}

function addressMask(set: NamedSet): bigint | undefined {
  return set.netmask === undefined || set.version === undefined
    ? undefined
    : prefixMask(set.version, set.netmask);
}

function portIn(lookup: Lookup, source: boolean, values: readonly SetValue[]): PacketSet {
  const { host, place, environment } = lookup;
  const { space } = host;
  const bits = (field: 'protocol' | 'sport' | 'dport' | 'icmp-type' | 'icmp-code') =>
    fieldBits(host, environment, field, place.version);
  const byProtocol = new Map<number, Interval[]>();
  for (const value of values) {
    if (value.kind !== 'port') continue;
    for (const protocol of value.protocol === undefined ? [TCP, UDP] : [value.protocol]) {
      const list = byProtocol.get(protocol);
      if (list === undefined) byProtocol.set(protocol, [value.range]);
      else list.push(value.range);
    }
  }
  return space.unionAll(
    [...byProtocol].map(([protocol, ranges]) => {
      const isProtocol = space.inIntervals(bits('protocol'), [single(protocol)]);
      if (SET_PORT_PROTOCOLS.includes(protocol)) {
        return space.intersect(isProtocol, space.inIntervals(bits(source ? 'sport' : 'dport'), ranges));
      }
      if (protocol === ICMP || protocol === ICMPV6) {
        const typeAndCode = [...bits('icmp-type'), ...bits('icmp-code')];
        return space.intersect(isProtocol, space.inIntervals(typeAndCode, ranges));
      }
      return ranges.some((r) => r.lo === 0n) ? isProtocol : space.empty;
    }),
  );
}
