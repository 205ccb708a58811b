import {
  type BaseChain,
  type Chain,
  type Condition,
  CT_STATE,
  type CtState,
  type FieldCondition,
  type FieldName,
  type Hook,
  type NamedSet,
  type NamedSetElement,
  type Packet,
  type PacketHook,
  type Rule,
  type Ruleset,
  type SetValue,
  type Table,
  TCP_FLAG,
  type Verdict,
} from '../../src/model/index.ts';
import { type IpVersion, single } from '../../src/net/index.ts';
import * as build from '../evaluate/build-ruleset.ts';
import { createRandom, type Random } from '../kernel/random.ts';

/** A ruleset, and packets to ask both evaluators about. */
export interface RandomCase {
  readonly ruleset: Ruleset;
  readonly packets: readonly Packet[];
}

/** Values that rules and packets share, so that packets meet rules. */
interface Pools {
  readonly version: IpVersion;
  readonly hosts: readonly string[];
  readonly nets: readonly string[];
  readonly ranges: readonly string[];
}

const POOLS: Readonly<Record<IpVersion, Pools>> = {
  4: {
    version: 4,
    hosts: [
      '192.0.2.1',
      '192.0.2.2',
      '192.0.2.3',
      '198.51.100.7',
      '203.0.113.9',
      '224.0.0.5',
      '255.255.255.255',
    ],
    nets: ['192.0.2.0/30', '192.0.2.0/24', '198.51.100.0/24', '0.0.0.0/0', '192.0.2.2/31'],
    ranges: ['192.0.2.1-192.0.2.2', '192.0.2.1-192.0.2.6'],
  },
  6: {
    version: 6,
    hosts: ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:1::7', '2001:db8:2::9', 'ff02::1'],
    nets: ['2001:db8::/126', '2001:db8::/64', '2001:db8:1::/64', '::/0', '2001:db8::2/127'],
    ranges: ['2001:db8::1-2001:db8::2', '2001:db8::1-2001:db8::6'],
  },
};

const PORTS = [22, 23, 443, 2222, 7937] as const;
const PORT_RANGES: readonly build.Range[] = [
  22,
  23,
  443,
  2222,
  [20, 23],
  [0, 1023],
  [7937, 9936],
  [65535, 65535],
];
const INTERFACES = ['eth0', 'eth1', 'lo', 'ppp0'] as const;
const MARKS = [0, 1, 2, 3] as const;
const PROTOCOLS = [6, 6, 6, 17, 17, 1, 58, 47, 132] as const;
const STATES = ['new', 'new', 'new', 'new', 'new', 'established', 'related', 'invalid', 'untracked'] as const;
const REGULAR_CHAINS = ['a', 'b', 'c', 'd'] as const;
const SETS = [
  'hosts',
  'nets',
  'pairs',
  'ifaces',
  'ports',
  'macs',
  'marks',
  'hostmacs',
  'list',
  'dynamic',
  'gone',
] as const;

/**
 * The random case of a seed: the same on every machine. Not generated, since the plain evaluator is not exact there: unknown values
 * assigned to addresses, ports and protocol.
 */
export function makeCase(seed: number): RandomCase {
  const random = createRandom(seed);
  const pools = POOLS[random.chance(0.7) ? 4 : 6];
  const ruleset = makeRuleset(random, pools);
  const hooks: readonly PacketHook[] = ['input', 'forward', 'output'];
  const ways = [random.pick(hooks), random.pick(hooks)];
  const packets = ways.flatMap((hook) => Array.from({ length: 4 }, () => makePacket(random, pools, hook)));
  return { ruleset, packets };
}

function several<T>(random: Random, least: number, most: number, make: () => T): T[] {
  return Array.from({ length: least + random.integer(most - least + 1) }, make);
}

function maybeNot(random: Random, condition: Condition): Condition {
  return random.chance(0.2) ? build.not(condition) : condition;
}

function ctStates(...names: readonly CtState[]): Condition {
  return build.field(
    'ct-state',
    names.map((name) => single(CT_STATE[name])),
  );
}

/** A match as parsers make them: mostly what real files hold, and now and then everything else the model knows. */
function makeCondition(random: Random, pools: Pools, depth = 0): Condition {
  const kind = random.integer(depth > 1 ? 24 : 28);
  if (kind < 5) return maybeNot(random, makeAddress(random, pools));
  if (kind < 9) return makePorts(random);
  if (kind < 11) return maybeNot(random, ctStates(...several(random, 1, 2, () => random.pick(STATES))));
  if (kind < 13) return maybeNot(random, makeInterface(random));
  if (kind < 15) return build.field('protocol', random.pick(PROTOCOLS));
  if (kind < 17) return maybeNot(random, makeSetLookup(random));
  if (kind < 19) return makeUnknown(random);
  if (kind < 21) return maybeNot(random, makeMark(random));
  if (kind < 24) return maybeNot(random, makeRareField(random, pools));
  if (kind === 24) return build.not(makeCondition(random, pools, depth + 1));
  const parts = several(random, 2, 3, () => makeCondition(random, pools, depth + 1));
  return kind < 27 ? build.any(...parts) : build.all(...parts);
}

function makeAddress(random: Random, pools: Pools): Condition {
  const texts = random.chance(0.5)
    ? [random.pick(pools.hosts)]
    : several(random, 1, 2, () => random.pick(pools.nets));
  const plain = random.chance(0.5) ? build.saddr(...texts) : build.daddr(...texts);
  if (plain.kind !== 'address' || random.chance(0.9)) return plain;
  return { ...plain, mask: 0xffff_00ffn, values: plain.values.map(({ lo }) => single(lo & 0xffff_00ffn)) };
}

function makePorts(random: Random): Condition {
  const protocol = build.field('protocol', random.chance(0.75) ? 6 : 17);
  const ranges = several(random, 1, 3, () => build.toInterval(random.pick(PORT_RANGES)));
  const field = (name: 'sport' | 'dport') => build.field(name, ranges);
  const tests = [
    field('dport'),
    field('dport'),
    field('dport'),
    field('sport'),
    build.any(field('sport'), field('dport')),
  ];
  const test = maybeNot(random, random.pick(tests));
  return build.all(protocol, test);
}

function makeInterface(random: Random): Condition {
  const make = random.chance(0.5) ? build.iif : build.oif;
  const names: readonly (readonly [string, boolean])[] = [
    ...INTERFACES.map((name) => [name, false] as const),
    ['eth', true],
    ['ppp', true],
    ['', true],
  ];
  return make(...random.pick(names));
}

function makeSetLookup(random: Random): Condition {
  const directions = several(random, 1, 3, () => random.pick(['src', 'dst'])).join(',');
  return build.inSet(random.pick(SETS), directions, random.chance(0.15));
}

function makeUnknown(random: Random): Condition {
  return random.chance(0.5)
    ? build.same(random.pick(['u', 'v', 'w']))
    : build.varying(random.pick(['l1', 'l2']));
}

function makeMark(random: Random): Condition {
  const name = random.chance(0.7) ? 'mark' : 'ct-mark';
  return build.field(name, random.pick(MARKS), random.pick([undefined, undefined, 1n, 2n, 3n]));
}

function makeRareField(random: Random, pools: Pools): Condition {
  const original = (of: FieldCondition | Condition): Condition => {
    // Only fields and addresses are asked of the original tuple.
    if (of.kind !== 'field' && of.kind !== 'address') return of;
    return { kind: 'original', of, text: `original ${random.pick(['x', 'y'])}` };
  };
  const addressType: Condition = {
    kind: 'address-type',
    field: random.pick(['saddr', 'daddr'] as const),
    types: several(random, 1, 2, () =>
      random.pick(['LOCAL', 'UNICAST', 'MULTICAST', 'BROADCAST', 'BLACKHOLE']),
    ),
    limitedToInterface: random.chance(0.1),
    text: `type ${random.pick(['x', 'y'])}`,
  };
  const port = random.pick(PORT_RANGES);
  const list: readonly Condition[] = [
    build.field(random.pick(['ct-dnat', 'ct-snat']), 1),
    build.field(random.pick(['ct-dnat', 'ct-snat']), 1),
    original(build.field(random.pick(['sport', 'dport', 'protocol'] as const), port)),
    original(
      random.chance(0.5) ? build.daddr(random.pick(pools.hosts)) : build.saddr(random.pick(pools.nets)),
    ),
    addressType,
    addressType,
    build.field('ttl', random.pick([[0, 5], [3, 64], 4, [5, 255]] as const)),
    build.field('dscp', random.integer(4), random.pick([undefined, 1n, 6n])),
    build.field(
      'length',
      random.pick([
        [0, 99],
        [60, 1500],
      ] as const),
    ),
    build.field('pkttype', random.integer(6)),
    build.field('smac', 7),
    build.field('tcp-flags', random.pick([2, 16, 18]), random.pick([2n, 18n, 23n])),
    build.all(
      build.field('protocol', pools.version === 4 ? 1 : 58),
      build.field('icmp-type', random.pick([0, 8, [3, 5]] as const)),
    ),
    build.field('fragment', random.integer(2)),
    { kind: 'version', version: random.pick([4, 6]) },
    random.pick([build.all(), build.any()]),
  ];
  return random.pick(list);
}

function makeStatements(random: Random): build.Part[] {
  switch (random.integer(16)) {
    case 0:
    case 1:
      return [build.log];
    case 2:
    case 3:
      return [build.assign('mark', random.pick(MARKS), random.pick([0xffff_ffffn, 1n, 3n]))];
    case 4:
      return [build.assign('ct-mark', random.pick(MARKS), random.pick([0xffff_ffffn, 1n]))];
    case 5:
      return [build.copy('mark', 'ct-mark', random.pick([0xffff_ffffn, 1n]))];
    case 6:
      return [build.copy('ct-mark', 'mark', random.pick([0xffff_ffffn, 1n]))];
    case 7:
      return random.chance(0.4)
        ? [build.assignUnknown(random.pick(['mark', 'ct-mark', 'ttl', 'dscp'] as const))]
        : [];
    case 8:
      return random.chance(0.4) ? [build.notrack] : [];
    case 9:
      return random.chance(0.4) ? [setField(random)] : [];
    default:
      return [];
  }
}

/** What nft can assign besides marks. */
function setField(random: Random): build.Part {
  const values: readonly (readonly [FieldName, number])[] = [
    ['ttl', 64],
    ['ttl', 2],
    ['ttl', 1],
    ['dscp', 3],
    ['dport', 22],
    ['sport', 443],
    ['pkttype', 0],
  ];
  const [field, value] = random.pick(values);
  return { kind: 'set-field', field, and: 0n, xor: BigInt(value), text: `set ${field} ${value}` };
}

/** Where a rule stands, which decides what it may do. */
interface Setting {
  readonly pools: Pools;
  readonly nat: 'destination' | 'source' | undefined;
  readonly targets: readonly string[];
}

function makeVerdict(random: Random, { pools, nat, targets }: Setting): Verdict | undefined {
  if (nat !== undefined && random.chance(0.5)) return makeNat(random, pools, nat);
  if (targets.length > 0 && random.chance(0.3)) {
    return random.chance(0.75) ? build.jump(random.pick(targets)) : build.goto(random.pick(targets));
  }
  const kind = random.integer(24);
  if (kind < 9) return build.accept;
  if (kind < 14) return build.drop;
  if (kind < 16) return build.reject;
  if (kind < 18) return build.back;
  if (kind === 18 && random.chance(0.4)) return build.unknownVerdict(random.pick(['odd', '-j CT helper']));
  if (kind === 19 && random.chance(0.4)) return { kind: 'queue', bypass: random.chance(0.5), text: 'QUEUE' };
  if (kind === 20 && random.chance(0.2)) return makeNat(random, pools, 'destination');
  return undefined;
}

function makeNat(random: Random, pools: Pools, side: 'destination' | 'source'): Verdict {
  const [first, second] = pools.hosts;
  const verdicts: Readonly<Record<typeof side, readonly Verdict[]>> = {
    destination: [
      build.redirect(),
      build.redirect(2222),
      build.redirect(2222),
      build.redirect([22, 30]),
      build.dnat(first),
      build.dnat(second, 22),
      build.dnat(second, 2222),
      build.dnat(random.pick(pools.ranges)),
      build.dnat(pools.ranges[0], [2220, 2230]),
      build.dnat(undefined, 443),
      build.dnat(undefined, [20, 30]),
    ],
    source: [
      build.snat(first!),
      build.snat(second!, 5000),
      build.snat(first!, [40000, 40007]),
      build.snat(random.pick(pools.ranges)),
      build.masquerade,
    ],
  };
  const verdict = random.pick(verdicts[side]);
  if (verdict.kind !== 'nat' || random.chance(0.85)) return verdict;
  const { nat } = verdict;
  const odd = random.pick([
    { unknownTarget: true },
    { portMoves: true },
    { version: nat.addresses && (4 as const) },
  ]);
  return { kind: 'nat', nat: { ...nat, ...odd } };
}

function makeRules(random: Random, most: number, setting: Setting): Rule[] {
  return several(random, 1, most, () => {
    const conditions = several(random, 0, 2, () => makeCondition(random, setting.pools));
    const verdict = makeVerdict(random, setting);
    return build.rule(...conditions, ...makeStatements(random), ...(verdict === undefined ? [] : [verdict]));
  });
}

function makeTable(random: Random, pools: Pools, family: Table['family']): Table {
  const chains: Chain[] = [];
  const add = (hook: Hook, priority: number, type: BaseChain['type'], chance: number) => {
    if (!random.chance(chance)) return;
    const nat =
      type !== 'nat' ? undefined : hook === 'prerouting' || hook === 'output' ? 'destination' : 'source';
    const setting: Setting = { pools, nat, targets: REGULAR_CHAINS };
    const chainPolicy = type === 'nat' || random.chance(0.6) ? 'accept' : 'drop';
    const options = { name: `${hook}${chains.length}`, priority, type, chainPolicy } as const;
    chains.push(build.base(hook, options, ...makeRules(random, 5, setting)));
  };
  add('prerouting', -300, 'filter', 0.35);
  add('prerouting', -150, 'filter', 0.25);
  add('prerouting', -100, 'nat', 0.4);
  add('prerouting', -90, 'nat', 0.15);
  add('output', -300, 'filter', 0.15);
  add('output', -100, 'nat', 0.3);
  add('input', 0, 'filter', 0.8);
  add('input', random.pick([0, 10]), 'filter', 0.2);
  add('input', 100, 'nat', 0.1);
  add('forward', 0, 'filter', 0.8);
  add('output', 0, 'filter', 0.7);
  add('postrouting', -150, 'filter', 0.15);
  add('postrouting', 100, 'nat', 0.35);
  add('postrouting', random.pick([100, 150]), 'filter', 0.25);
  REGULAR_CHAINS.forEach((name, index) => {
    // Later chains only, but for a rare loop or missing chain.
    const targets = random.chance(0.03) ? ['a', name, 'missing'] : REGULAR_CHAINS.slice(index + 1);
    chains.push(build.chain(name, ...makeRules(random, 3, { pools, nat: undefined, targets })));
  });
  return { ...build.table(family, ...chains), dormant: random.chance(0.04) };
}

function makeRuleset(random: Random, pools: Pools): Ruleset {
  const own = pools.version === 4 ? 'ip' : 'ip6';
  const tables = [makeTable(random, pools, own)];
  if (random.chance(0.3)) tables.push(makeTable(random, pools, 'inet'));
  if (random.chance(0.15)) tables.push(makeTable(random, pools, pools.version === 4 ? 'ip6' : 'ip'));
  return build.ruleset(...tables, ...makeSets(random, pools));
}

type ElementValues = readonly (string | number | SetValue)[];

function makeSets(random: Random, pools: Pools): NamedSet[] {
  const { version } = pools;
  const kind = (...values: ElementValues): NamedSetElement => {
    const make = random.pick([build.element, build.element, build.element, build.hole, build.fading]);
    return make(...values);
  };
  const plain = (...values: ElementValues): NamedSetElement =>
    (random.chance(0.85) ? build.element : build.fading)(...values);
  const host = () => random.pick(pools.hosts);
  const net = () => random.pick([...pools.nets, ...pools.hosts]);
  const port = () => build.port(random.pick([6, 6, 17, 132]), random.pick(PORTS));
  const named = () => random.pick([build.named('eth0'), build.named('eth1'), build.named('eth', true)]);
  const options = { version };
  return [
    build.namedSet('hosts', 'hash:ip', distinct(several(random, 0, 4, () => plain(host()))), options),
    build.namedSet('nets', 'hash:net', distinct(several(random, 0, 5, () => kind(net()))), options),
    build.namedSet(
      'pairs',
      'hash:ip,port',
      distinct(several(random, 0, 4, () => plain(host(), port()))),
      options,
    ),
    build.namedSet(
      'ifaces',
      'hash:net,iface',
      distinct(several(random, 0, 5, () => kind(net(), named()))),
      options,
    ),
    build.namedSet(
      'ports',
      'bitmap:port',
      distinct(several(random, 0, 3, () => plain(build.port(undefined, random.pick(PORTS))))),
    ),
    build.namedSet('macs', 'hash:mac', distinct(several(random, 0, 2, () => plain(random.pick([7, 9]))))),
    build.namedSet(
      'marks',
      'hash:ip,mark',
      distinct(several(random, 0, 4, () => plain(host(), random.pick(MARKS)))),
      options,
    ),
    build.namedSet(
      'hostmacs',
      'bitmap:ip,mac',
      distinct(several(random, 0, 3, () => (random.chance(0.5) ? plain(host()) : plain(host(), 7)))),
      options,
    ),
    build.namedSet(
      'list',
      'list:set',
      distinct(several(random, 1, 3, () => plain(build.member(random.pick(SETS))))),
    ),
    build.namedSet('dynamic', 'hash:ip', [build.element(host())], { ...options, dynamic: true }),
  ];
}

/** No set holds two elements of the same values. */
function distinct(elements: readonly NamedSetElement[]): NamedSetElement[] {
  const seen = new Map(elements.map((element) => [toJson(element.values), element]));
  return [...seen.values()];
}

/** JSON with numbers of any size as text. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part), indent);
}

function makePacket(random: Random, pools: Pools, hook: PacketHook): Packet {
  const protocol = random.pick(PROTOCOLS);
  const hasPorts = [6, 17, 132].includes(protocol);
  const hasType = protocol === 1 || protocol === 58;
  const near = (port: number) => Math.max(0, Math.min(65535, port + random.pick([0, 0, 0, 0, -1, 1])));
  const maybe = <T>(chance: number, make: () => T): T | undefined =>
    random.chance(chance) ? make() : undefined;
  const address = () => build.ip(random.pick(pools.hosts)) ^ (random.chance(0.1) ? 1n : 0n);
  return {
    hook,
    version: pools.version,
    saddr: address(),
    daddr: address(),
    protocol,
    sport: hasPorts ? near(random.pick([40000, 40000, 443, 22])) : undefined,
    dport: hasPorts ? near(random.pick(PORTS)) : undefined,
    icmpType: hasType ? random.pick([0, 8, 3, 128]) : undefined,
    icmpCode: hasType ? random.integer(2) : undefined,
    iif: hook === 'output' ? undefined : maybe(0.8, () => random.pick([...INTERFACES, 'eth', 'wlan0'])),
    oif: hook === 'input' ? undefined : maybe(0.8, () => random.pick([...INTERFACES, 'wlan0'])),
    tcpFlags:
      protocol === 6
        ? random.pick([TCP_FLAG.syn, TCP_FLAG.syn, TCP_FLAG.ack, TCP_FLAG.syn | TCP_FLAG.ack])
        : 0,
    ctState: random.pick(STATES),
    mark: BigInt(random.integer(4)),
    ctMark: BigInt(random.integer(4)),
    smac: maybe(0.3, () => BigInt(random.pick([7, 8, 9]))),
    dscp: maybe(0.3, () => random.integer(8)),
    ecn: maybe(0.3, () => random.integer(4)),
    ttl: maybe(0.3, () => random.pick([1, 2, 4, 64])),
    length: maybe(0.3, () => random.pick([60, 99, 100, 1500])),
    pkttype: maybe(0.3, () => random.pick([0, 1, 2])),
    ctDnat: maybe(0.4, () => random.chance(0.5)),
    ctSnat: maybe(0.4, () => random.chance(0.5)),
  };
}
