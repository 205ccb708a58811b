/** Which packets a predicate is about, as its options say it, and who sends or gets them. */

import type { AddressRange, ResolvedHost } from '../inventory/index.ts';
import {
  exceptionSources,
  isHostPattern,
  matchesHostPattern,
  parseAddressRange,
} from '../inventory/index.ts';
import type { PacketHook } from '../model/index.ts';
import {
  formatAddressInterval,
  type Interval,
  type IpVersion,
  interval,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  parseProtocol,
  single,
  subtractIntervals,
} from '../net/index.ts';
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import { type Decoder, describe, isMapping, type Mapping, type Path, suggest } from '../rulepack/index.ts';
import type { HostContext } from './host-context.ts';
import { exceptionsTo, rangesOfVersion, serviceRangeOf } from './peers.ts';
import { type NamedRole, readTexts } from './predicate/predicate.ts';

/** Some addresses, by what they belong to. A host counts with its declared addresses, a role with its hosts and networks. */
export interface PeerOption {
  readonly addresses: readonly AddressRange[];
  readonly roles: readonly string[];
  /** Names or patterns. */
  readonly hosts: readonly string[];
  readonly adminNetworks: boolean;
  /** Sources of exceptions of nwaudit.yaml that are in force for the host: all of them, or those with these ids. */
  readonly exceptions: 'all' | readonly string[];
}

/** The packets a predicate is about; absent parts do not narrow them. */
export interface PacketOption {
  readonly version: IpVersion | undefined;
  readonly protocols: readonly number[] | undefined;
  /** Destination ports as delivered. `service-range`: the host's service range. */
  readonly dports: readonly (Interval | 'service-range')[] | undefined;
  readonly sports: readonly Interval[] | undefined;
  readonly icmpTypes: readonly Interval[] | undefined;
  readonly interfaces: readonly string[] | undefined;
  /** `undefined`: anybody. */
  readonly from: PeerOption | undefined;
  readonly exceptFrom: PeerOption | undefined;
  readonly to: PeerOption | undefined;
  readonly exceptTo: PeerOption | undefined;
  /** Every role that the options name. */
  readonly namedRoles: readonly NamedRole[];
}

const PACKET_KEYS = [
  'protocol',
  'dport',
  'sport',
  'icmp-type',
  'ip-version',
  'interface',
  'from',
  'except-from',
  'to',
  'except-to',
] as const;

const PEER_KEYS = ['addresses', 'roles', 'hosts', 'admin-networks', 'exceptions'] as const;

/** Reads the options that say which packets are meant. */
export function readPacketOption(value: unknown, path: Path, decoder: Decoder): PacketOption {
  const map = decoder.mapping(value, path, { required: [], optional: PACKET_KEYS });
  const namedRoles: NamedRole[] = [];
  const peers = (key: 'from' | 'except-from' | 'to' | 'except-to') =>
    readPeers(map, key, path, decoder, namedRoles);
  const option = {
    version: readVersion(map['ip-version'], [...path, 'ip-version'], decoder),
    protocols: readList(map, 'protocol', path, decoder, readProtocol),
    dports: readList(map, 'dport', path, decoder, readPort),
    sports: readList(map, 'sport', path, decoder, readNumbers(65535)),
    icmpTypes: readList(map, 'icmp-type', path, decoder, readNumbers(255)),
    interfaces:
      map.interface === undefined ? undefined : readTexts(map.interface, [...path, 'interface'], decoder),
    from: peers('from'),
    exceptFrom: peers('except-from'),
    to: peers('to'),
    exceptTo: peers('except-to'),
    namedRoles,
  };
  if (option.icmpTypes !== undefined && (option.dports ?? option.sports) !== undefined)
    decoder.report([...path, 'icmp-type'], 'packets with a type of ICMP have no ports');
  return option;
}

function readVersion(value: unknown, path: Path, decoder: Decoder): IpVersion | undefined {
  if (value === undefined || value === 4 || value === 6) return value;
  decoder.report(path, `expected 4 or 6; found ${describe(value)}`);
  return undefined;
}

function readList<T>(
  map: Mapping,
  key: string,
  path: Path,
  decoder: Decoder,
  read: (value: unknown, path: Path, decoder: Decoder) => T | undefined,
): T[] | undefined {
  const value = map[key];
  if (value === undefined) return undefined;
  const at = [...path, key];
  const items = Array.isArray(value)
    ? decoder.list(value, at, (one, place) => read(one, place, decoder), 1)
    : [read(value, at, decoder)];
  return items.filter((item) => item !== undefined);
}

function readProtocol(value: unknown, path: Path, decoder: Decoder): number | undefined {
  const protocol =
    typeof value === 'string' || typeof value === 'number' ? parseProtocol(String(value)) : undefined;
  if (protocol === undefined)
    decoder.report(path, `expected a protocol such as tcp, udp, icmp or 47; found ${describe(value)}`);
  return protocol;
}

function readPort(value: unknown, path: Path, decoder: Decoder): Interval | 'service-range' | undefined {
  return value === 'service-range' ? value : readNumbers(65535)(value, path, decoder);
}

/** `7937` or `7937-9936`, up to `highest`. */
function readNumbers(highest: number) {
  return (value: unknown, path: Path, decoder: Decoder): Interval | undefined => {
    const match =
      typeof value === 'string' || typeof value === 'number'
        ? /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value))
        : null;
    const lo = Number(match?.[1] ?? Number.NaN);
    const hi = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
    if (lo <= hi && hi <= highest) return interval(lo, hi);
    const range = highest > 255 ? '7937-9936' : '0-255';
    const other = path.includes('dport') ? ', or service-range' : '';
    decoder.report(path, `expected a number, or a range such as ${range}${other}; found ${describe(value)}`);
    return undefined;
  };
}

function readPeers(
  map: Mapping,
  key: string,
  path: Path,
  decoder: Decoder,
  namedRoles: NamedRole[],
): PeerOption | undefined {
  const value = map[key];
  if (value === undefined) return undefined;
  const at = [...path, key];
  if (value === 'any' && !key.startsWith('except')) return undefined;
  if (!isMapping(value)) {
    const any = key.startsWith('except') ? '' : 'any, or ';
    decoder.report(
      at,
      `expected ${any}a mapping with some of the keys ${PEER_KEYS.join(', ')}; found ${describe(value)}`,
    );
    return undefined;
  }
  const peers = decoder.mapping(value, at, { required: [], optional: PEER_KEYS });
  if (Object.keys(peers).length === 0)
    decoder.report(at, `names nobody; allowed keys: ${PEER_KEYS.join(', ')}`);
  const texts = (name: (typeof PEER_KEYS)[number]) => readTexts(peers[name], [...at, name], decoder);
  const roles = texts('roles');
  roles.forEach((role, i) => {
    namedRoles.push({ role, path: Array.isArray(peers.roles) ? [...at, 'roles', i] : [...at, 'roles'] });
  });
  return {
    addresses: texts('addresses').flatMap((text, i) => {
      const place = Array.isArray(peers.addresses) ? [...at, 'addresses', i] : [...at, 'addresses'];
      return readAddresses(text, place, decoder);
    }),
    roles,
    hosts: texts('hosts'),
    adminNetworks: readFlag(peers['admin-networks'], [...at, 'admin-networks'], decoder),
    exceptions: peers.exceptions === true ? 'all' : texts('exceptions'),
  };
}

function readAddresses(text: string, path: Path, decoder: Decoder): AddressRange[] {
  if (text === '') return [];
  const parsed = parseAddressRange(text);
  if ('value' in parsed) return [parsed.value];
  decoder.report(path, parsed.problem);
  return [];
}

function readFlag(value: unknown, path: Path, decoder: Decoder): boolean {
  if (value !== undefined && value !== true) decoder.report(path, 'expected true, or no such key');
  return value === true;
}

/** Addresses of an option on one host, and whom of it nobody has given an address. */
export interface ResolvedPeers {
  /** Each host by itself, since it may have addresses of both IP versions of which one will do; else each entry. */
  readonly groups: readonly { readonly name: string; readonly ranges: readonly AddressRange[] }[];
  /** What the addresses belong to, for a sentence. */
  readonly names: readonly string[];
  /** Named, but without a known address. */
  readonly unknown: readonly string[];
}

/** Whom an option means from the point of view of one host. The host itself is never meant. */
export function resolvePeers(context: HostContext, option: PeerOption): ResolvedPeers {
  const { estate, host } = context;
  const groups: { name: string; ranges: readonly AddressRange[] }[] = [];
  const unknown: string[] = [];
  const add = (name: string, ranges: readonly AddressRange[]) => {
    if (ranges.length === 0) unknown.push(name);
    else groups.push({ name, ranges });
  };
  const addHosts = (name: string, hosts: readonly ResolvedHost[], networks: readonly AddressRange[]) => {
    const others = hosts.filter((one) => one !== host);
    for (const one of others) add(one.name, one.addresses);
    if (networks.length > 0) add(`networks of role ${name}`, networks);
    if (others.length === 0 && networks.length === 0 && hosts.length === 0) unknown.push(name);
  };
  for (const range of option.addresses) add('', [range]);
  for (const role of option.roles)
    addHosts(role, estate.hostsByRole.get(role) ?? [], estate.inventory?.roleNetworks.get(role) ?? []);
  for (const pattern of option.hosts)
    addHosts(
      pattern,
      estate.hosts.filter((one) => isNamed(pattern, one.name)),
      [],
    );
  if (option.adminNetworks) add('admin networks', estate.inventory?.adminNetworks ?? []);
  for (const exception of exceptionsTo(estate, host)) {
    if (option.exceptions !== 'all' && !option.exceptions.includes(exception.id)) continue;
    if (estate.inventory === undefined) break;
    add(`exception ${exception.id}`, exceptionSources(exception, estate.hosts, estate.inventory));
  }
  const names = groups.map((group) => group.name).filter((name) => name !== '');
  const plain = option.addresses.map(({ version, range }) => formatAddressInterval(version, range));
  return { groups, names: [...new Set([...names, ...plain])], unknown: [...new Set(unknown)] };
}

function isNamed(pattern: string, name: string): boolean {
  return isHostPattern(pattern)
    ? matchesHostPattern(pattern, name)
    : pattern.toLowerCase() === name.toLowerCase();
}

/** Whether a host's name fits one of the names or patterns. */
export function hostIsNamed(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => isNamed(pattern, name));
}

/** Ranges of all groups. */
export function allRanges(peers: ResolvedPeers): AddressRange[] {
  return peers.groups.flatMap((group) => group.ranges);
}

/** Protocol, ports, type and interface of the packets, whoever sends and gets them, on one way through the host. */
export function serviceSet(
  context: HostContext,
  hook: PacketHook,
  version: IpVersion,
  option: PacketOption,
): PacketSet {
  const { space } = context.space;
  if (option.version !== undefined && option.version !== version) return space.empty;
  const dports = option.dports && dportsOf(context, option.dports);
  const { sports, interfaces } = option;
  const protocols =
    option.protocols ?? (dports === undefined && sports === undefined ? undefined : PROTOCOLS_WITH_PORTS);
  const side = hook === 'output' ? 'oif' : 'iif';
  return space.intersectAll([
    space.version(version),
    ...(protocols === undefined ? [] : [space.inIntervals(space.bits('protocol'), protocols.map(single))]),
    ...(dports === undefined ? [] : [space.inIntervals(space.bits('dport'), dports)]),
    ...(sports === undefined ? [] : [space.inIntervals(space.bits('sport'), sports)]),
    ...(option.icmpTypes === undefined
      ? []
      : [
          space.inIntervals(space.bits('protocol'), [single(version === 4 ? 1 : 58)]),
          space.inIntervals(space.bits('icmp-type'), option.icmpTypes),
        ]),
    ...(interfaces === undefined
      ? []
      : [space.unionAll(interfaces.map((name) => interfaceIs(space, side, name)))]),
  ]);
}

/** Packets on the interface with this name, which rules may name or not. */
function interfaceIs(space: PacketSpace, side: 'iif' | 'oif', name: string): PacketSet {
  const wanted = space.interfaceAtom(name);
  return space.intersectAll(
    space.interfaceBits(side).map((bit, i) => space.complement(space.symmetricDifference(bit, wanted[i]!))),
  );
}

/** Destination ports on this host, normalized. */
export function dportsOf(context: HostContext, dports: NonNullable<PacketOption['dports']>): Interval[] {
  return normalizeIntervals(
    dports.flatMap((one) => (one === 'service-range' ? serviceRangeOf(context.estate, context.host) : [one])),
  );
}

/** Packets whose source or destination lies in the ranges. */
export function addressSet(
  context: HostContext,
  version: IpVersion,
  field: 'saddr' | 'daddr',
  ranges: readonly Interval[],
): PacketSet {
  const { space } = context.space;
  return space.inIntervals(space.bits(field).slice(0, version === 4 ? 32 : 128), ranges);
}

/** What an option leaves over of some addresses once the excepted ones are taken away; `undefined` for everybody. */
export function namedRanges(
  peers: ResolvedPeers | undefined,
  except: ResolvedPeers | undefined,
  version: IpVersion,
  whole: readonly Interval[],
): Interval[] {
  const wanted = peers === undefined ? whole : rangesOfVersion(allRanges(peers), version);
  return except === undefined
    ? normalizeIntervals(wanted)
    : subtractIntervals(wanted, rangesOfVersion(allRanges(except), version));
}

/** Roles that no profile in use has, as sentences with their places. */
export function unknownRoles(
  named: readonly NamedRole[],
  known: readonly string[],
): { readonly path: Path; readonly detail: string }[] {
  return named
    .filter(({ role }) => !known.includes(role))
    .map(({ role, path }) => ({
      path,
      detail: `"${role}" is no role of the profile; ${suggest(role, known)}`,
    }));
}
