/** What of a blamed rule's excess lies in some protocols and ports: its sources, its share, and what would end with it. */

import type { ResolvedHost } from '../inventory/index.ts';
import type { Chain, Rule, Table } from '../model/index.ts';
import {
  countIntervals,
  type Interval,
  type IpVersion,
  intersectIntervals,
  interval,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
  subtractIntervals,
  TCP,
} from '../net/index.ts';
import { type Header, isAnySource, type PacketSet } from '../packet-set/index.ts';
import type { Flow } from '../rulepack/index.ts';
import { deliveredPreimage } from '../semantics/index.ts';
import {
  type Blamed,
  carriedBy,
  deliveredFields,
  destination,
  judgedPorts,
  type Passage,
  type Side,
  takenByPolicy,
} from './blamed.ts';
import { type CarriedTraffic, type KeptAccess, NOTHING_CARRIED } from './change.ts';
import { MOST_INTERVALS, type Sources } from './describe.ts';
import { entitledAccess } from './entitlement.ts';
import type { HostContext } from './host-context.ts';
import {
  flowPorts,
  flowsTo,
  impossibleSources,
  type Peer,
  rangesOfVersion,
  sendersKnown,
  sendersOf,
  UNBOUNDED_PORTS,
} from './peers.ts';

/** What the excess of a blamed rule is; the check that reports it. */
export type ExposureClass =
  | 'default-accept'
  | 'admin-port-via-nat'
  | 'connection-port-rule'
  | 'client-inbound-unscoped'
  | 'dynamic-range-any-source'
  | 'dynamic-range-open-on-server'
  | 'dynamic-range-beyond-peers'
  | 'service-port-beyond-peers'
  | 'admin-port-beyond-admin-network'
  | 'admin-port-on-wrong-host'
  | 'udp-on-service-ports'
  | 'admin-port-inside-open-range'
  | 'range-mismatch'
  | 'never-remote-port'
  | 'undeclared-port'
  | 'unknown-source';

/** From where the excess comes, as far as the severity depends on it. */
export type SourceKind = 'any' | 'narrow' | 'admin' | 'vendor';

/** One blamed rule or policy, with packets it lets through that nobody is entitled to send. */
export interface HostExposure {
  readonly path: Side['path'];
  /** Whom the packets reach: the host itself, or a host behind this one. */
  readonly target: ResolvedHost | undefined;
  /** Names of others behind this host that the same rule lets the same packets reach. */
  readonly furtherTargets: readonly string[];
  /** Whether the side counts: input always, forward for gateways and hosts that really forward. */
  readonly judged: boolean;
  readonly class: ExposureClass;
  readonly source: SourceKind;
  /** How the connection-port-rule was recognised; `undefined` for other classes. */
  readonly variant: 'source-port' | 'connection-range' | undefined;
  readonly certain: boolean;
  readonly unknowns: readonly string[];
  readonly table: Table | undefined;
  readonly chain: Chain | undefined;
  /** The accepting rule, `undefined` for a chain policy. For `admin-port-via-nat` the translating rule. */
  readonly rule: Rule | undefined;
  /** The accepting rule behind a translation. */
  readonly acceptedBy:
    | { readonly table: Table; readonly chain: Chain; readonly rule: Rule | undefined }
    | undefined;
  readonly sources: Sources;
  /** Sources of the same ports that are entitled to them. */
  readonly entitled: Sources;
  readonly entitledPeers: readonly Peer[];
  readonly protocols: readonly number[];
  readonly ports: readonly Interval[];
  /** A packet of it, found when first asked for. */
  readonly witness: () => Header | undefined;
  /** Flow that explains a `vendor` exposure. */
  readonly vendorFlow: Flow | undefined;
  /** What the blamed rule or policy lets through by right: what a replacement has to keep. Empty on the forward side, where none is proposed. */
  readonly kept: readonly KeptAccess[];
  /** Ports outside every range that is judged, let in by the same rule: what of them is needed, nobody has said. */
  readonly beside: readonly Interval[];
  /** What else would stop with the rule or policy, and with `closes`. */
  readonly carried: CarriedTraffic;
  /** The base chain whose policy accepts what a rule that accepts everything leaves over: without closing it, nothing is gained. */
  readonly closes: Chain | undefined;
  /** Some who may need these ports are not known by address: nobody can say that the rule has no use. */
  readonly peersUnknown: boolean;
  /** Who needs these ports is not the same on the way to each of the targets. */
  readonly peersDiffer: boolean;
}

/** The excess of one blamed rule, in one version, by what matters for its class. */
export interface Excess {
  readonly passage: Passage;
  /** Beyond every entitlement. */
  readonly beyond: PacketSet;
  /** Of `beyond`, what a flow that only the vendor requires would explain. */
  readonly vendor: readonly { readonly flow: Flow; readonly set: PacketSet }[];
  /** Of `beyond`, what those who may use the service range send to ports outside the host's own. */
  readonly outsideRange: PacketSet;
}

/** Fewer addresses than a /8 (or, in IPv6, a /32) are no share of "any source". */
const SHARE_OF_ANY: Readonly<Record<IpVersion, bigint>> = { 4: 1n << 24n, 6: 1n << 96n };

/** The base chain that a rule which accepts everything leaves open behind it; `undefined` where its policy drops or has a finding of its own. */
function chainToClose(blamed: Blamed): Chain | undefined {
  const { rule, run } = blamed;
  if (rule === undefined || run === undefined || run.base.chainPolicy === 'drop') return undefined;
  return rule.matches.some(({ condition }) => condition.kind === 'unknown') ? undefined : run.chain;
}

/** Access of entitled peers and exceptions that the blamed rule or policy gives. */
function keptAccess(context: HostContext, side: Side, blamed: Blamed, as: ExposureClass): KeptAccess[] {
  const given = blamed.passages.map(({ version, maybe }) => ({ version, set: maybe }));
  // What the vendor requires is not taken away by the way.
  const withVendor = as === 'dynamic-range-open-on-server' || as === 'range-mismatch';
  return entitledAccess(context, side.target, given, withVendor);
}

/** The part of a blamed rule's excess that lies in some protocols and delivered ports. */
export class Region {
  readonly #context: HostContext;
  readonly #side: Side;
  readonly #blamed: Blamed;
  readonly #excesses: readonly Excess[];
  readonly #together: (() => readonly Excess[]) | undefined;
  readonly #protocols: readonly number[];
  /** Computed when first asked for: a region does not change. */
  #sources: Sources | undefined;
  #isAny: boolean | undefined;
  #found: { readonly header: Header | undefined } | undefined;
  readonly #parts: readonly { readonly excess: Excess; readonly set: PacketSet }[];

  constructor(
    context: HostContext,
    side: Side,
    blamed: Blamed,
    excesses: readonly Excess[],
    protocols: readonly number[],
    ports: readonly Interval[],
    together?: () => readonly Excess[],
  ) {
    const { space } = context.space;
    this.#together = together;
    this.#protocols = protocols;
    this.#context = context;
    this.#side = side;
    this.#blamed = blamed;
    this.#excesses = excesses;
    const filter = space.intersect(
      space.inIntervals(
        space.bits('protocol'),
        protocols.map((p) => single(p)),
      ),
      space.inIntervals(space.bits('dport'), ports),
    );
    this.#parts = excesses
      .map((excess) => ({ excess, set: space.intersect(excess.beyond, filter) }))
      .filter(({ set }) => !space.isEmpty(set));
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get sources(): Sources {
    this.#sources ??= this.#listSources();
    return this.#sources;
  }

  #listSources(): Sources {
    const out = new Map<IpVersion, Interval[]>();
    for (const { excess, set } of this.#parts) {
      const { version } = excess.passage;
      const values = this.#context.space.space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS).intervals;
      out.set(version, normalizeIntervals([...(out.get(version) ?? []), ...values]));
    }
    return out;
  }

  /**
   * Whether the sources are any source: with what cannot arrive and who is entitled added back, at least half of the
   * address space, by this rule alone or, where it has a large share, by all rules for these ports together.
   */
  get isAny(): boolean {
    this.#isAny ??= this.#judgeAny();
    return this.#isAny;
  }

  #judgeAny(): boolean {
    const own = this.sources;
    if ([...own].some(([version, list]) => this.#isAnyOf(version, list))) return true;
    if (this.#parts.some(({ excess, set }) => this.#isAnyIn(set, excess.passage.version))) return true;
    const share = [...own].some(([version, list]) => countIntervals(list) >= SHARE_OF_ANY[version]);
    if (!share || this.#together === undefined) return false;
    const all = new Region(
      this.#context,
      this.#side,
      this.#blamed,
      this.#together(),
      this.#protocols,
      this.ports,
    );
    return [...all.sources].some(
      ([version, list]) => (own.get(version)?.length ?? 0) > 0 && this.#isAnyOf(version, list),
    );
  }

  /** Whether the sources of one set are any source; counted where they are too scattered to list. */
  #isAnyIn(set: PacketSet, version: IpVersion): boolean {
    const { space } = this.#context.space;
    const { intervals, complete } = space.valuesUpTo(set, 'saddr', version, MOST_INTERVALS);
    if (complete) return this.#isAnyOf(version, intervals);
    return space.count(set, ['saddr'], version) >= 1n << (version === 4 ? 31n : 127n);
  }

  #isAnyOf(version: IpVersion, list: readonly Interval[]): boolean {
    if (countIntervals(list) < SHARE_OF_ANY[version]) return false;
    const { estate } = this.#context;
    const host = this.#side.target;
    const addedBack = this.#context.once(`impossible or entitled ${version} ${host.name}`, () => {
      const peers = flowsTo(estate, host).flatMap((flow) => sendersOf(estate, flow, host));
      const ranges = peers.flatMap((p) => p.ranges);
      return [...impossibleSources(this.#context.host, version), ...rangesOfVersion(ranges, version)];
    });
    return isAnySource(version, [...list, ...addedBack]);
  }

  /** Whether both regions are reached from the same sources. */
  hasSourcesOf(other: Region): boolean {
    const a = this.sources;
    const b = other.sources;
    return [...a, ...b].every(([version]) => {
      const x = a.get(version) ?? [];
      const y = b.get(version) ?? [];
      return subtractIntervals(x, y).length === 0 && subtractIntervals(y, x).length === 0;
    });
  }

  /** The region, or where only some of its ports are open to any source, those alone: sources and ports are told side by side. */
  mostExposed(): Region {
    if (this.isEmpty || !this.isAny) return this;
    const { space } = this.#context.space;
    const ports = this.#parts.flatMap(
      ({
        excess: {
          passage: { version },
        },
        set,
      }) =>
        space
          .partition(space.exists(set, space.variables({ fields: ['protocol'] })), 'dport', version)
          .filter(({ rest }) => this.#isAnyIn(rest, version))
          .flatMap(({ values }) => values),
    );
    if (ports.length === 0) return this;
    return new Region(
      this.#context,
      this.#side,
      this.#blamed,
      this.#excesses,
      this.#protocols,
      intersectIntervals(ports, this.ports),
      this.#together,
    );
  }

  get ports(): Interval[] {
    const { space } = this.#context.space;
    const all = this.#parts.flatMap(({ excess, set }) => space.values(set, 'dport', excess.passage.version));
    return normalizeIntervals(all);
  }

  get protocols(): number[] {
    const { space } = this.#context.space;
    const all = this.#parts.flatMap(({ excess, set }) =>
      space.values(set, 'protocol', excess.passage.version),
    );
    return PROTOCOLS_WITH_PORTS.filter((p) => all.some((i) => i.lo <= BigInt(p) && BigInt(p) <= i.hi));
  }

  /** The flow only the vendor requires that explains the whole region, if there is one. */
  get vendorFlow(): Flow | undefined {
    const { space } = this.#context.space;
    const flows = new Set(this.#excesses.flatMap((e) => e.vendor.map((v) => v.flow)));
    return [...flows].find((flow) =>
      this.#parts.every(({ excess, set }) => {
        const explained = excess.vendor.find((v) => v.flow === flow)?.set ?? space.empty;
        return space.includes(explained, set);
      }),
    );
  }

  /** TCP and another protocol, nearly every port, from anywhere. */
  coversEverything(version: IpVersion): boolean {
    const { space } = this.#context.space;
    const set = space.unionAll(
      this.#parts.filter((p) => p.excess.passage.version === version).map((p) => p.set),
    );
    return (
      this.protocols.every((protocol) => {
        const part = space.intersect(set, space.inIntervals(space.bits('protocol'), [single(protocol)]));
        return (
          this.#isAnyIn(part, version) &&
          countIntervals(space.values(part, 'dport', version)) >= UNBOUNDED_PORTS
        );
      }) && this.protocols.length > 1
    );
  }

  /**
   * The exposure of this class, or `unknown-source` where the sources are narrow and some who may use these ports are
   * not known by address. A host whose role is not known is judged on access from anywhere only.
   */
  judged(as: ExposureClass): HostExposure[] {
    if (this.isEmpty) return [];
    const exposure = this.exposure(as);
    if (exposure.source === 'any') return [exposure];
    if (this.#side.target.roles.length === 0) return [];
    // Any port may be for the admin networks, as long as nobody has said which those are.
    const adminKnown =
      as !== 'undeclared-port' || (this.#context.estate.inventory?.adminNetworks ?? []).length > 0;
    // A source that is a known host is not unknown, only not entitled.
    const strangers =
      (adminKnown && this.#sendersKnown(exposure.ports)) || this.#areKnownHosts(exposure.sources);
    return strangers ? [exposure] : [{ ...exposure, class: 'unknown-source' }];
  }

  #areKnownHosts(sources: Sources): boolean {
    const { estate } = this.#context;
    return [...sources].every(
      ([version, list]) => subtractIntervals(list, estate.hostAddresses(version)).length === 0,
    );
  }

  #sendersKnown(ports: readonly Interval[]): boolean {
    const { estate } = this.#context;
    const host = this.#side.target;
    return flowsTo(estate, host).every(
      (flow) =>
        flow.need === 'vendor' ||
        intersectIntervals(flowPorts(estate, flow, host), ports).length === 0 ||
        sendersKnown(estate, flow, host),
    );
  }

  exposure(as: ExposureClass): HostExposure {
    const { estate } = this.#context;
    const { path, target: host } = this.#side;
    const { sources, ports, protocols } = this;
    const peers = flowsTo(estate, host)
      .filter(
        (flow) =>
          flow.need !== 'vendor' && intersectIntervals(flowPorts(estate, flow, host), ports).length > 0,
      )
      .flatMap((flow) => sendersOf(estate, flow, host));
    const unique = [...new Map(peers.map((p) => [p.name, p])).values()];
    const entitled = new Map(
      ([4, 6] as const).map(
        (v) =>
          [
            v,
            rangesOfVersion(
              unique.flatMap((p) => p.ranges),
              v,
            ),
          ] as const,
      ),
    );
    return {
      path,
      target: host,
      furtherTargets: [],
      judged: true,
      class: as,
      source: this.isAny ? 'any' : this.#onlyAdmin(sources) ? 'admin' : 'narrow',
      variant: undefined,
      certain: true,
      unknowns: [],
      table: this.#blamed.table,
      chain: this.#blamed.chain,
      rule: this.#blamed.rule,
      acceptedBy: this.#blamed.acceptedBy,
      sources,
      entitled,
      entitledPeers: unique,
      protocols,
      ports,
      witness: () => this.#witness(),
      vendorFlow: undefined,
      peersDiffer: false,
      peersUnknown: host.roles.length === 0 || !this.#sendersKnown(ports),
      kept:
        as === 'unknown-source' || path === 'forward'
          ? []
          : [
              ...keptAccess(this.#context, this.#side, this.#blamed, as),
              ...(as === 'undeclared-port' ? this.#keptForAdmin() : []),
            ],
      beside: this.#portsBeside(as),
      ...this.#carried(as),
    };
  }

  /** What the admin networks reach by the region: a port that they use stays open to them. */
  #keptForAdmin(): KeptAccess[] {
    const { space } = this.#context.space;
    return (this.#context.estate.inventory?.adminNetworks ?? []).flatMap(({ version, range }) =>
      this.protocols.flatMap((protocol) => {
        const both = this.#parts
          .filter(({ excess }) => excess.passage.version === version)
          .map(({ set }) =>
            space.intersectAll([
              set,
              space.inIntervals(space.bits('saddr').slice(0, version === 4 ? 32 : 128), [range]),
              space.inIntervals(space.bits('protocol'), [single(protocol)]),
            ]),
          );
        const ports = space.values(space.unionAll(both), 'dport', version);
        return ports.length === 0 ? [] : [{ version, saddr: range, protocol, ports }];
      }),
    );
  }

  #portsBeside(as: ExposureClass): Interval[] {
    const { space } = this.#context.space;
    const withPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
    const all = this.#blamed.passages.flatMap((p) =>
      space.values(space.intersect(p.maybe, withPorts), 'dport', p.version),
    );
    if (as === 'undeclared-port' || as === 'never-remote-port')
      return subtractIntervals(normalizeIntervals(all), this.ports);
    return subtractIntervals(normalizeIntervals(all), judgedPorts(this.#context, this.#side));
  }

  #carried(as: ExposureClass): Pick<HostExposure, 'carried' | 'closes'> {
    const { acceptedBy } = this.#blamed;
    if (as === 'unknown-source' || this.#side.path !== 'input' || acceptedBy !== undefined)
      return { carried: NOTHING_CARRIED, closes: undefined };
    const closes = as === 'default-accept' ? chainToClose(this.#blamed) : undefined;
    const { taken } = this.#blamed;
    const withPolicy =
      closes === undefined ? taken : [...taken, ...takenByPolicy(this.#context, this.#side, this.#blamed)];
    return { carried: carriedBy(this.#context, withPolicy), closes };
  }

  #onlyAdmin(sources: Sources): boolean {
    const admin = this.#context.estate.inventory?.adminNetworks ?? [];
    return [...sources].every(
      ([version, list]) => subtractIntervals(list, rangesOfVersion(admin, version)).length === 0,
    );
  }

  #witness(): Header | undefined {
    this.#found ??= { header: this.#findWitness() };
    return this.#found.header;
  }

  #findWitness(): Header | undefined {
    const hostSpace = this.#context.space;
    const { space } = hostSpace;
    const host = this.#side.target;
    const part = this.#parts[0];
    if (part === undefined) return undefined;
    const { version, environment, arriving } = part.excess.passage;
    const wanted = space.intersect(part.set, destination(this.#context, this.#side, version));
    const fields = deliveredFields(this.#side);
    const before = space.intersect(
      arriving,
      deliveredPreimage(hostSpace, environment, version, wanted, fields),
    );
    const sure = space.forall(before, space.variables({ keys: 'all' }));
    // What is translated on its way was sent to the host that translates it.
    const addressee = this.#blamed.acceptedBy === undefined ? host : this.#context.host;
    const own = rangesOfVersion(addressee.addresses, version);
    return space.sample(space.isEmpty(sure) ? before : sure, {
      saddr:
        version === 4
          ? [interval(0xcb00_7101n, 0xcb00_71fen)]
          : [interval((0x2001_0db8n << 96n) + 0xfff1n, (0x2001_0db8n << 96n) + 0xffffn)],
      ...(own.length > 0
        ? { daddr: own }
        : { daddr: version === 4 ? [single(0xc000_020an)] : [single((0x2001_0db8n << 96n) + 10n)] }),
      sport: [interval(40000, 60999)],
      protocol: [single(TCP)],
    });
  }
}
