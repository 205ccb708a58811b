/**
 * Random policies of a whole host, which `host-policy-iptables.ts` and `host-policy-nft.ts` write in two formats: both IP versions, four tables,
 * jumps, NAT, marks, sets and connection states.
 */
import fc from 'fast-check';
import type { CtState, TcpFlag } from '../../src/model/index.ts';
import { addressBits, type Interval, type IpVersion, interval } from '../../src/net/index.ts';

export interface Negatable<T> {
  readonly value: T;
  readonly negated: boolean;
}

/** A network of either IP version: host `host` of documentation network `net`, without its last `bits` bits. */
export interface Network {
  readonly net: number;
  readonly host: number;
  /** 0 to 8 are the same number of bits in both versions; 24 and 31 leave 8 or 1 bits of an IPv4 address, 32 or 4 of an IPv6 one. */
  readonly bits: number;
}

/** Addresses that a rule asks for. Of `networks` and `holes` of a set the longest one that holds an address decides. */
export type Addresses =
  | { readonly kind: 'network'; readonly network: Network }
  | { readonly kind: 'range'; readonly ends: readonly [Network, Network] }
  | { readonly kind: 'set'; readonly networks: readonly Network[]; readonly holes: readonly Network[] };

export type Range = readonly [number, number];
/** Hooks, and chains of the table filter to jump to. */
export type ChainName = HookName | 'side' | 'deep' | `zone-${string}`;
export type HookName = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT';
export type TableName = 'raw' | 'mangle' | 'nat' | 'filter';

/** What a rule does. Some belong to one table. */
export type Action =
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'return' | 'none' | 'notrack' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: ChainName }
  | { readonly kind: 'mark'; readonly mark: number }
  | { readonly kind: 'redirect'; readonly port: number }
  | { readonly kind: 'dnat'; readonly to: Network; readonly port?: number }
  /** A verdict for each port; only with `proto` tcp or udp. */
  | { readonly kind: 'by-port'; readonly verdicts: readonly (readonly [number, 'accept' | 'drop'])[] };

/** A rule of a policy. What is absent is not asked. */
export interface HostRule {
  /** Absent: a rule for both. */
  readonly version?: IpVersion;
  /** `icmp` is ICMPv6 in IPv6; `foreign-icmp` is that of the other version, as a protocol number that means nothing there. */
  readonly proto?: 'tcp' | 'udp' | 'icmp' | 'foreign-icmp';
  /** Closed ranges; with tcp and udp only. */
  readonly dport?: Negatable<readonly Range[]>;
  readonly sport?: Negatable<readonly Range[]>;
  /** With `proto` icmp only. Not negated where there is a code. */
  readonly icmp?: Negatable<{ readonly type: number; readonly code?: number }>;
  /** Of the flags `asked` exactly `set` are set; with tcp only. */
  readonly flags?: Negatable<{ readonly asked: readonly TcpFlag[]; readonly set: readonly TcpFlag[] }>;
  readonly saddr?: Negatable<Addresses>;
  readonly daddr?: Negatable<Addresses>;
  /** Pairs of source address and destination port; with tcp and udp only. */
  readonly pairs?: Negatable<readonly (readonly [Network, number])[]>;
  readonly iif?: Negatable<{ readonly name: string; readonly prefix: boolean }>;
  readonly oif?: Negatable<{ readonly name: string; readonly prefix: boolean }>;
  readonly states?: Negatable<readonly CtState[]>;
  /** Whether the connection's destination was translated. */
  readonly translated?: boolean;
  readonly mark?: Negatable<{ readonly value: number; readonly mask: number }>;
  readonly action: Action;
}

export interface HostPolicy {
  /** Built-in chains of the table filter that drop at their end. */
  readonly dropping: readonly ChainName[];
  readonly rules: readonly {
    readonly table: TableName;
    readonly chain: ChainName;
    readonly rule: HostRule;
  }[];
}

const HOOKS: Readonly<Record<TableName, readonly HookName[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'OUTPUT'],
  nat: ['PREROUTING', 'OUTPUT'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** Chains of a table: those at a hook, and those to jump to. */
export function chainsOf(
  { rules }: HostPolicy,
  table: TableName,
): { readonly atHooks: readonly HookName[]; readonly others: readonly ChainName[] } {
  const zones = rules.map(({ chain }) => chain).filter((chain) => chain.startsWith('zone-'));
  return {
    atHooks: HOOKS[table],
    others: table === 'filter' ? ['side', 'deep', ...new Set(zones)] : [],
  };
}

/** The IP versions of a rule. */
export function versionsOf({ version }: HostRule): readonly IpVersion[] {
  return version === undefined ? [4, 6] : [version];
}

// ---- addresses

const NETS: Readonly<Record<IpVersion, readonly bigint[]>> = {
  4: [0xc000_0200n, 0xc633_6400n, 0xcb00_7100n],
  6: [0n, 1n, 2n].map((n) => (0x2001_0db8n << 96n) | (n << 64n)),
};

/** Length of a network's prefix. */
export function prefixLength(version: IpVersion, { bits }: Network): number {
  return addressBits(version) - (version === 6 && bits > 8 ? bits * 4 : bits);
}

/** All addresses of a network. */
export function networkInterval(version: IpVersion, network: Network): Interval {
  const size = 1n << BigInt(addressBits(version) - prefixLength(version, network));
  const address = NETS[version][network.net]! | BigInt(network.host);
  const lo = address - (address % size);
  return interval(lo, lo + size - 1n);
}

/** The addresses as intervals, in no order. */
export function addressIntervals(version: IpVersion, addresses: Addresses): readonly Interval[] {
  switch (addresses.kind) {
    case 'network':
      return [networkInterval(version, addresses.network)];
    case 'range':
      return [addressRange(version, addresses.ends)];
    case 'set':
      return setIntervals(version, addresses);
  }
}

/** From the lower of two first addresses to the higher. */
export function addressRange(version: IpVersion, ends: readonly [Network, Network]): Interval {
  const [a, b] = ends.map((end) => networkInterval(version, end).lo);
  return a! < b! ? interval(a!, b!) : interval(b!, a!);
}

/** Cut at every end of a network or hole; then the longest one decides about each piece. */
function setIntervals(
  version: IpVersion,
  { networks, holes }: Extract<Addresses, { kind: 'set' }>,
): readonly Interval[] {
  const parts = [...networks, ...holes].map((network, i) => ({
    ...networkInterval(version, network),
    isIn: i < networks.length,
  }));
  const starts = [...new Set(parts.flatMap(({ lo, hi }) => [lo, hi + 1n]))].sort((a, b) => (a < b ? -1 : 1));
  return starts.slice(0, -1).flatMap((lo, i) => {
    const around = parts.filter((part) => part.lo <= lo && lo <= part.hi);
    const shortest = around.reduce(
      (best, part) => (best === undefined || part.hi - part.lo < best.hi - best.lo ? part : best),
      around[0],
    );
    return shortest?.isIn === true ? [interval(lo, starts[i + 1]! - 1n)] : [];
  });
}

// ---- random ones

const PORTS = [0, 1, 22, 80, 443, 7937, 7938, 9090, 9936, 65534, 65535];
const port = fc.oneof(fc.constantFrom(...PORTS), fc.nat(65535));
const portRange = fc.tuple(port, port).map(([a, b]): Range => (a < b ? [a, b] : [b, a]));
const portList = fc
  .uniqueArray(fc.constantFrom(22, 80, 443, 7937, 7939, 9090), { minLength: 1, maxLength: 4 })
  .map((ports) => ports.map((one): Range => [one, one]));
const portRanges = fc.oneof(
  portList,
  portRange.map((range) => [range]),
);

/** A negation one time in four. */
const orNot = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Negatable<T>> =>
  fc.record({ value, negated: fc.nat(3).map((n) => n === 0) });

const network = (bits: readonly number[]): fc.Arbitrary<Network> =>
  fc.record({ net: fc.nat(2), host: fc.nat(255), bits: fc.constantFrom(...bits) });
const host = network([0]);
const sameNetwork = (version: IpVersion, a: Network, b: Network): boolean =>
  networkInterval(version, a).lo === networkInterval(version, b).lo &&
  prefixLength(version, a) === prefixLength(version, b);

const addresses: fc.Arbitrary<Addresses> = fc.oneof(
  network([0, 1, 4, 7, 8, 24, 31]).map((one): Addresses => ({ kind: 'network', network: one })),
  fc.tuple(host, host).map((ends): Addresses => ({ kind: 'range', ends })),
  fc
    .record({
      networks: fc.array(network([0, 1, 4, 8, 24]), { minLength: 1, maxLength: 3 }),
      holes: fc.array(network([0, 1, 4]), { maxLength: 2 }),
    })
    .map(({ networks, holes }): Addresses => {
      // A set has a network once, as one or the other.
      const own = holes.filter(
        (hole) => !networks.some((other) => sameNetwork(4, hole, other) || sameNetwork(6, hole, other)),
      );
      return { kind: 'set', networks, holes: own };
    }),
);

const FLAGS = ['fin', 'syn', 'rst', 'ack'] as const satisfies readonly TcpFlag[];
const flags = fc.tuple(fc.subarray([...FLAGS], { minLength: 1 }), fc.nat(15)).map(([asked, some]) => {
  const set = asked.filter((_, i) => ((some >> i) & 1) === 1);
  return { asked, set: set.length > 0 ? set : asked.slice(0, 1) };
});
const interfaceName = fc.constantFrom(
  { name: 'eth0', prefix: false },
  { name: 'eth1', prefix: false },
  { name: 'eth', prefix: true },
  { name: 'lo', prefix: false },
);
const STATES = [
  'new',
  'established',
  'related',
  'invalid',
  'untracked',
] as const satisfies readonly CtState[];
const ICMP = [
  { type: 0 },
  { type: 3 },
  { type: 3, code: 1 },
  { type: 8 },
  { type: 128 },
  { type: 1, code: 4 },
  { type: 135 },
];

interface Place {
  readonly table: TableName;
  readonly chain: ChainName;
}

/** Matches of a rule, each as likely as not, as its place allows. */
const matchesAt = ({ table, chain }: Place): fc.Arbitrary<Omit<HostRule, 'action'>> => {
  const comesIn = chain !== 'OUTPUT';
  const goesOut = !['PREROUTING', 'INPUT'].includes(chain);
  const isTracked = table === 'filter' || table === 'mangle';
  const never = fc.constant(undefined);
  const often = <T>(value: fc.Arbitrary<T>) => fc.oneof(never, value);
  const seldom = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 5, arbitrary: never }, { weight: 1, arbitrary: value });
  return fc
    .record({
      version: fc.constantFrom<IpVersion | undefined>(undefined, 4, 6),
      proto: fc.constantFrom<HostRule['proto']>(undefined, 'tcp', 'tcp', 'udp', 'icmp', 'foreign-icmp'),
      dport: often(orNot(portRanges)),
      sport: seldom(orNot(portRanges)),
      icmp: often(orNot(fc.constantFrom(...ICMP))),
      flags: seldom(orNot(flags)),
      saddr: often(orNot(addresses)),
      daddr: seldom(orNot(addresses)),
      pairs: seldom(
        orNot(fc.array(fc.tuple(host, fc.constantFrom(22, 80, 7937)), { minLength: 1, maxLength: 3 })),
      ),
      iif: comesIn ? seldom(orNot(interfaceName)) : never,
      oif: goesOut ? seldom(orNot(interfaceName)) : never,
      states: isTracked ? seldom(orNot(fc.subarray([...STATES], { minLength: 1 }))) : never,
      translated: isTracked ? seldom(fc.boolean()) : never,
      mark: seldom(orNot(fc.constantFrom({ value: 1, mask: 0xffff_ffff }, { value: 1, mask: 3 }))),
    })
    .map((drawn) => {
      const isPorted = drawn.proto === 'tcp' || drawn.proto === 'udp';
      const { dport, sport, pairs, icmp, flags: asked, ...rest } = drawn;
      const isCoded = icmp?.value.code !== undefined;
      return given({
        ...rest,
        ...(isPorted ? { dport: pairs === undefined ? dport : undefined, sport, pairs } : {}),
        ...(drawn.proto === 'icmp' ? { icmp: isCoded ? { ...icmp, negated: false } : icmp } : {}),
        ...(drawn.proto === 'tcp' ? { flags: asked } : {}),
      });
    });
};

/** Without the keys that have no value. */
function given<T extends object>(record: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  // Keys with a value are what is left.
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

const kinds = (...list: readonly ('accept' | 'drop' | 'reject' | 'return' | 'none' | 'notrack')[]) =>
  fc.constantFrom(...list).map((kind): Action => ({ kind }));
const byPort = fc
  .uniqueArray(fc.constantFrom(22, 80, 443, 7937), { minLength: 1, maxLength: 3 })
  .chain((ports) =>
    fc.tuple(
      ...ports.map((one) => fc.constantFrom('accept', 'drop').map((verdict) => [one, verdict] as const)),
    ),
  )
  .map((verdicts): Action => ({ kind: 'by-port', verdicts }));

const actionAt = ({ table, chain }: Place): fc.Arbitrary<Action> => {
  switch (table) {
    case 'raw':
      return kinds('notrack', 'accept', 'drop', 'none');
    case 'mangle':
      return fc.oneof(
        fc.constantFrom(1, 2).map((mark): Action => ({ kind: 'mark', mark })),
        kinds('accept', 'drop'),
      );
    case 'nat':
      return fc.oneof(
        fc.constantFrom(22, 9090).map((to): Action => ({ kind: 'redirect', port: to })),
        fc.record({ to: host, port: fc.constantFrom(undefined, 80) }).map(
          ({ to, port: toPort }): Action => ({
            kind: 'dnat',
            to,
            ...(toPort === undefined ? {} : { port: toPort }),
          }),
        ),
        kinds('accept'),
      );
    case 'filter': {
      const targets =
        chain === 'deep' ? [] : chain === 'side' ? (['deep'] as const) : (['side', 'deep'] as const);
      const calls = targets.flatMap((to) => [
        fc.constantFrom<'jump' | 'goto'>('jump', 'jump', 'goto').map((kind): Action => ({ kind, chain: to })),
      ]);
      return fc.oneof(
        { weight: 5, arbitrary: kinds('accept', 'accept', 'drop', 'drop', 'reject', 'return', 'none') },
        { weight: 1, arbitrary: byPort },
        ...calls.map((arbitrary) => ({ weight: 2, arbitrary })),
      );
    }
  }
};

/** A rule with what its action needs: ports and their translation belong to a protocol. */
const ruleAt = (place: Place): fc.Arbitrary<HostRule> =>
  fc.tuple(matchesAt(place), actionAt(place)).map(([matches, action]) => {
    const needsPorts =
      action.kind === 'by-port' ||
      action.kind === 'redirect' ||
      (action.kind === 'dnat' && action.port !== undefined);
    const isPorted = matches.proto === 'tcp' || matches.proto === 'udp';
    if (!needsPorts || isPorted) return { ...matches, action };
    const { icmp: _, ...others } = matches;
    return { ...others, proto: 'tcp', action };
  });

const PLACES: readonly Place[] = [
  { table: 'raw', chain: 'PREROUTING' },
  { table: 'mangle', chain: 'PREROUTING' },
  { table: 'nat', chain: 'PREROUTING' },
  { table: 'nat', chain: 'OUTPUT' },
  { table: 'filter', chain: 'INPUT' },
  { table: 'filter', chain: 'INPUT' },
  { table: 'filter', chain: 'INPUT' },
  { table: 'filter', chain: 'FORWARD' },
  { table: 'filter', chain: 'OUTPUT' },
  { table: 'filter', chain: 'side' },
  { table: 'filter', chain: 'side' },
  { table: 'filter', chain: 'deep' },
];

/** Up to twelve rules, most of them in the table filter. */
export const anyHostPolicy: fc.Arbitrary<HostPolicy> = fc.record({
  dropping: fc.subarray<ChainName>(['INPUT', 'FORWARD', 'OUTPUT']),
  rules: fc.array(
    fc.constantFrom(...PLACES).chain((place) => ruleAt(place).map((rule) => ({ ...place, rule }))),
    { minLength: 1, maxLength: 12 },
  ),
});
