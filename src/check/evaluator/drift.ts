import type { ExtentPart } from '../../finding/index.ts';
import type { Packet, Ruleset } from '../../model/index.ts';
import {
  addressBits,
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  intersectIntervals,
  intervalsContain,
  normalizeIntervals,
  single,
  TCP,
} from '../../net/index.ts';
import { describeAddresses, describePorts, type Header, type PacketSpace } from '../../packet-set/index.ts';
import { type CompareOptions, compareRulesets, type RulesetDifference } from '../../semantics/index.ts';
import { judgedPorts } from '../blamed.ts';
import { describeService, describeSources, describeWitness } from '../describe.ts';
import { type Evidence, evidence, fileOrigin, plainOrigin } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import { rangesOfVersion } from '../peers.ts';
import { writerOf } from '../remediation.ts';
import type { Evaluator } from './evaluator.ts';

/** Groups of packets that a sentence names. */
const MOST_GROUPS = 3;

/**
 * Where the firewall that runs and the configuration it will be made from at the next reload do different things: one finding for what only
 * the running one lets through, one for what only the configuration would, and one for what they send elsewhere.
 */
export const drift: Evaluator = {
  scope: 'host',
  *run(context) {
    const { permanent } = context.input;
    if (permanent === undefined) return;
    const running = runningSide(context);
    const compared = running.kind === 'firewalld' ? firewalldTables(permanent) : permanent;
    const { differences, space } = compareRulesets(compared, running.ruleset, {
      within: (given, path, version) =>
        given.intersect(path === 'output' ? given.full : notFromLoopback(given), withOwnIcmp(given, version)),
      ...running.options,
      ...(context.nodeBudget === undefined ? {} : { nodeBudget: context.nodeBudget }),
    });
    const told = differences.filter((d) => !hangsOnDistribution(d));
    for (const wider of WIDER) {
      const found = told.filter((d) => KINDS[wider] === d.kind);
      if (found.length === 0) continue;
      yield toEvidence(context, wider, found, permanent, running.kind, space);
      // Without firewalld, everything differs for one reason.
      if (running.kind === 'nothing') return;
    }
  },
};

/** Which of the two lets more through; `neither`: packets come to another address or port. */
type Wider = 'running' | 'permanent' | 'neither';

const WIDER: readonly Wider[] = ['running', 'permanent', 'neither'];
const KINDS: Readonly<Record<Wider, RulesetDifference['kind']>> = {
  running: 'added',
  permanent: 'removed',
  neither: 'redelivered',
};

/** What runs, as far as it is compared. */
interface RunningSide {
  /** `firewalld`: its table of nft; `iptables`: its iptables backend; `nothing`: neither of them, whatever else there is. */
  readonly kind: 'firewalld' | 'iptables' | 'nothing';
  readonly ruleset: Ruleset;
  readonly options: Pick<CompareOptions, 'paths' | 'versions'>;
}

function runningSide(context: HostContext): RunningSide {
  const { ruleset } = context.input;
  const own = firewalldTables(ruleset);
  if (own.tables.length > 0) return { kind: 'firewalld', ruleset: own, options: {} };
  // Its layout differs where it forwards; what it lets in has to be the same.
  if (ruleset.tables.some((table) => writerOf(table) === 'firewalld'))
    return { kind: 'iptables', ruleset, options: { paths: ['input'], versions: context.versions } };
  return { kind: 'nothing', ruleset, options: { paths: ['input'] } };
}

/** What firewalld wrote or would write: its own tables. Direct rules go through iptables and are not compared. */
function firewalldTables(ruleset: Ruleset): Ruleset {
  return {
    tables: ruleset.tables.filter((t) => t.dialect !== 'iptables' && t.name === 'firewalld'),
    namedSets: ruleset.namedSets,
  };
}

function notFromLoopback(space: PacketSpace) {
  return space.complement(space.interfaceIn(space.interfaceBits('iif'), 'lo', false));
}

/**
 * Whether there is a difference only if the files mean the stock zones of one distribution and not those of the other: what runs was made
 * from one of them, and nothing shows that it changed since.
 */
function hangsOnDistribution({ certainty, unknowns }: RulesetDifference): boolean {
  return certainty === 'possible' && unknowns.every((text) => text.startsWith(OF_DISTRIBUTION));
}

/** How the reader of firewalld's files begins the unknown test about what a distribution's stock zone admits. */
const OF_DISTRIBUTION = 'the distribution puts the service ';

/** No IPv4 packet carries ICMPv6, and no IPv6 packet ICMP: what the backends of firewalld make of such packets differs, and is no drift. */
function withOwnIcmp(space: PacketSpace, version: IpVersion) {
  const foreign = single(version === 4 ? ICMPV6 : ICMP);
  return space.complement(space.inIntervals(space.bits('protocol'), [foreign]));
}

function toEvidence(
  context: HostContext,
  wider: Wider,
  all: readonly RulesetDifference[],
  permanent: Ruleset,
  running: RunningSide['kind'],
  space: PacketSpace,
): Evidence {
  const isCertain = all.some((d) => d.certainty === 'certain');
  const found = isCertain ? all.filter((d) => d.certainty === 'certain') : all;
  const shown = found.find((d) => d.path === 'input') ?? found[0]!;
  const groups = groupsOf(found);
  const table = permanent.tables.find((t) => t.name === 'firewalld');
  const file = context.input.files[0];
  return evidence({
    host: context.host.name,
    hook: shown.path,
    origin: table !== undefined ? plainOrigin(table.origin) : file === undefined ? null : fileOrigin(file),
    facts: {
      host: context.host.name,
      wider,
      running: running === 'nothing' ? 'nothing' : 'firewalld',
      packets: describePackets(context, groups),
    },
    certainty: isCertain ? 'certain' : 'possible',
    unknowns: isCertain ? [] : [...new Set(found.flatMap((d) => d.unknowns))].sort(),
    witness: describeWitness(shown.path, witnessOf(context, shown, space), context.mentioned),
    extent: groups.map(extentOfGroup),
    meaning: [wider],
  });
}

/** One of the packets, with the host's own address where it can have it. */
function witnessOf(context: HostContext, shown: RulesetDifference, space: PacketSpace): Header {
  const own = rangesOfVersion(context.host.addresses, shown.version);
  const field = shown.path === 'output' ? 'saddr' : 'daddr';
  const likely = headerOf(shown.witness);
  if (own.length === 0 || shown.path === 'forward') return likely;
  const bits = space.bits(field).slice(0, addressBits(shown.version));
  const here = space.intersect(shown.packets, space.inIntervals(bits, own));
  const kept = Object.fromEntries(
    (['saddr', 'daddr', 'protocol', 'sport', 'dport'] as const).flatMap((name) => {
      const value = likely[name];
      return name === field || value === undefined ? [] : [[name, [single(value)]]];
    }),
  );
  return space.sample(here, kept) ?? likely;
}

/** Packets of one kind from several regions, and whom they come from. */
interface Group {
  readonly what: string;
  readonly side: string;
  readonly protocols: readonly Interval[];
  readonly ports: readonly Interval[] | undefined;
  readonly sources: Map<IpVersion, Interval[]>;
}

/** Packets of a group as what a later run may find more of. */
function extentOfGroup({ side, protocols, ports, sources }: Group): ExtentPart {
  return {
    who: [...sources].flatMap(([version, list]) => describeAddresses(version, list).saddr),
    proto: [`${side}${rangesText(protocols)}`],
    ports: ports === undefined ? ['0-65535'] : describePorts(ports),
  };
}

function rangesText(list: readonly Interval[]): string {
  return list.map(({ lo, hi }) => `${lo}-${hi}`).join();
}

function groupsOf(found: readonly RulesetDifference[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const { path, version, regions } of found) {
    for (const { protocols, ports, sources } of regions) {
      const what = `${SIDE_TEXT[path]}${describeProtocols(protocols, ports)}`;
      const key = [SIDE_TEXT[path], rangesText(protocols), ports && rangesText(ports)].join('\n');
      const group = groups.get(key) ?? { what, side: SIDE_TEXT[path], protocols, ports, sources: new Map() };
      groups.set(key, group);
      group.sources.set(version, normalizeIntervals([...(group.sources.get(version) ?? []), ...sources]));
    }
  }
  return [...groups.values()];
}

/** `tcp/9090 from any IPv4 address and any IPv6 address`; what concerns NetWorker comes first. */
function describePackets(context: HostContext, groups: readonly Group[]): string {
  const judged = judgedPorts(context, { path: 'input', target: context.host });
  const concerns = ({ protocols, ports }: Group) =>
    intervalsContain(protocols, BigInt(TCP)) && intersectIntervals(ports ?? [], judged).length > 0;
  const sorted = [...groups].sort((a, b) => Number(concerns(b)) - Number(concerns(a)));
  const texts = sorted.map(({ what, sources }) => `${what} from ${describeSources(sources)}`);
  if (texts.length <= MOST_GROUPS) return texts.join('; ');
  const first = texts.slice(0, MOST_GROUPS - 1);
  return `${first.join('; ')}; and ${texts.length - first.length} more kinds of packets`;
}

const SIDE_TEXT: Readonly<Record<RulesetDifference['path'], string>> = {
  input: '',
  forward: 'forwarded ',
  output: 'outgoing ',
};

function describeProtocols(protocols: readonly Interval[], ports: readonly Interval[] | undefined): string {
  const few = numbers(protocols);
  return few === undefined ? 'most protocols' : describeService(few, ports ?? []);
}

/** The members of a short list of intervals; `undefined` when there are many. */
function numbers(intervals: readonly Interval[]): number[] | undefined {
  const out: number[] = [];
  for (const { lo, hi } of intervals) {
    for (let value = lo; value <= hi; value++) {
      if (out.length >= 8) return undefined;
      out.push(Number(value));
    }
  }
  return out;
}

function headerOf(packet: Packet): Header {
  return {
    version: packet.version,
    saddr: packet.saddr,
    daddr: packet.daddr,
    protocol: BigInt(packet.protocol),
    ...(packet.sport === undefined ? {} : { sport: BigInt(packet.sport) }),
    ...(packet.dport === undefined ? {} : { dport: BigInt(packet.dport) }),
    ...(packet.icmpType === undefined ? {} : { 'icmp-type': BigInt(packet.icmpType) }),
    ...(packet.icmpCode === undefined ? {} : { 'icmp-code': BigInt(packet.icmpCode) }),
    ...(packet.iif === undefined ? {} : { iif: packet.iif }),
    ...(packet.oif === undefined ? {} : { oif: packet.oif }),
    'tcp-flags': BigInt(packet.tcpFlags),
  };
}
