/**
 * Who can reach what on a host without being entitled to it, by the rule or policy that lets the packets through.
 *
 * Everything is decided on packet sets: what the whole rule set accepts, minus what flows, exceptions and admin networks
 * explain. Classes and their order are those of design.md, section 6.
 */

import type { ResolvedHost } from '../inventory/index.ts';
import type { Chain, Condition } from '../model/index.ts';
import {
  countIntervals,
  type Interval,
  type IpVersion,
  intersectIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
  subtractIntervals,
  TCP,
  UDP,
} from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import { conditionSet } from '../semantics/index.ts';
import {
  type Blamed,
  collectBlamed,
  isUnconditional,
  judgedRange,
  type Side,
  tellsNothing,
} from './blamed.ts';
import { collectBlamedByTarget } from './blamed-by-target.ts';
import { listed } from './describe.ts';
import { ALL_PORTS, entitlement } from './entitlement.ts';
import { type Excess, type ExposureClass, type HostExposure, Region } from './exposure-region.ts';
import { isGeneratedChain } from './generated-chain.ts';
import type { HostContext } from './host-context.ts';
import { joinTargets, type TargetExposure } from './join-targets.ts';
import { connectionPortsOf, servedAdminPorts, UNBOUNDED_PORTS } from './peers.ts';
import { writerOf } from './remediation.ts';
import { isTakenByDefault, versionsOpenByDefault } from './taken-by-default.ts';
import { targetKind } from './target-kind.ts';

/** The exposures of a host's input side, each blamed rule's most serious class first. Computed once per host. */
export function inputExposures(context: HostContext): readonly HostExposure[] {
  return context.once('input exposures', () => {
    const side: Side = { path: 'input', target: context.host };
    const all = collectBlamed(context, side);
    return all.flatMap((b) => classify(context, side, b, () => all));
  });
}

/**
 * The exposures of a host's forward side: a forward side that is open altogether, and, on gateways, what it lets through to
 * the hosts of the estate. What one rule opens alike on the way to several of them is one exposure, and what a side that is open altogether lets
 * through anyway is told once, there. Computed once per host.
 */
export function forwardExposures(context: HostContext): readonly HostExposure[] {
  return context.once('forward exposures', () => {
    const judged = reallyForwards(context);
    const everybody: Side = { path: 'forward', target: context.host };
    const open = new Set<string>();
    const openChains = new Map<Chain, Set<IpVersion>>();
    const out: HostExposure[] = [];
    for (const blamed of collectBlamed(context, everybody, isUnconditional)) {
      const everything = wholeExcess(context, everybody, blamed);
      if (everything.isEmpty || !isDefaultAccept(context, blamed, everything)) continue;
      open.add(blamed.key);
      const unread = unreadPart(context, blamed);
      if (unread === undefined && blamed.run !== undefined) {
        const versions = openChains.get(blamed.run.chain) ?? new Set();
        for (const version of versionsOpenByDefault(blamed)) versions.add(version);
        openChains.set(blamed.run.chain, versions);
      }
      out.push({
        ...everything.exposure('default-accept'),
        target: undefined,
        judged,
        kept: [],
        ...(unread === undefined ? {} : { certain: false, unknowns: [unread] }),
      });
    }
    if (!judged) return out;
    const targets = [...context.estate.hosts, ...roleNetworkTargets(context)].filter(
      (target) => target !== context.host && target.addresses.length > 0 && target.roles.length > 0,
    );
    const judge = new TargetJudge(context);
    const byRule = new Map<string, TargetExposure[]>();
    for (const [target, all] of collectBlamedByTarget(context, targets)) {
      for (const blamed of all) {
        if (open.has(blamed.key) || isTakenByDefault(context, target, blamed, openChains)) continue;
        const ofRule = byRule.get(blamed.key);
        const found = judge.exposures(target, blamed, all);
        if (ofRule === undefined) byRule.set(blamed.key, [...found]);
        else ofRule.push(...found);
      }
    }
    const translated = [...byRule.values()]
      .flat()
      .filter(({ judged: { acceptedBy } }) => acceptedBy !== undefined);
    for (const ofRule of byRule.values())
      out.push(...joinTargets(ofRule.filter((e) => !isBehindTranslation(e, translated))));
    return out;
  });
}

/** Judges blamed rules on the way to many targets, each rule once for all targets that it lets the same packets reach. */
class TargetJudge {
  readonly #context: HostContext;
  readonly #kinds = new Map<ResolvedHost, string>();
  /** Exposures by blamed rule, then by kind of target, and where other rules had a say in it, by those too. */
  readonly #known = new Map<Blamed, Map<string, readonly HostExposure[]>>();
  readonly #ids = new Map<Blamed, number>();
  readonly #others = new Map<readonly Blamed[], string>();

  constructor(context: HostContext) {
    this.#context = context;
  }

  exposures(target: ResolvedHost, blamed: Blamed, all: readonly Blamed[]): TargetExposure[] {
    const known = this.#known.get(blamed) ?? new Map<string, readonly HostExposure[]>();
    this.#known.set(blamed, known);
    const kind = this.#kindOf(target);
    let judged = known.get(kind) ?? known.get(`${kind} ${this.#othersOf(all)}`);
    if (judged === undefined) {
      let othersCount = false;
      judged = classify(this.#context, { path: 'forward', target }, blamed, () => {
        othersCount = true;
        return all;
      });
      known.set(othersCount ? `${kind} ${this.#othersOf(all)}` : kind, judged);
    }
    return judged.map((exposure, i) => ({
      target,
      judged: exposure,
      own: () =>
        exposure.target === target
          ? exposure
          : classify(this.#context, { path: 'forward', target }, blamed, () => all)[i]!,
    }));
  }

  #kindOf(target: ResolvedHost): string {
    const kind = this.#kinds.get(target) ?? targetKind(this.#context.estate, target);
    this.#kinds.set(target, kind);
    return kind;
  }

  #othersOf(all: readonly Blamed[]): string {
    let text = this.#others.get(all);
    if (text === undefined) {
      text = all.map((blamed) => this.#idOf(blamed)).join();
      this.#others.set(all, text);
    }
    return text;
  }

  #idOf(blamed: Blamed): number {
    const id = this.#ids.get(blamed) ?? this.#ids.size;
    this.#ids.set(blamed, id);
    return id;
  }
}

/**
 * Whether a rule that accepts what was translated opens, for packets that were not, no more than the translation does: one hole, told at
 * the translation.
 */
function isBehindTranslation(
  { target, judged }: TargetExposure,
  translated: readonly TargetExposure[],
): boolean {
  const { rule, acceptedBy } = judged;
  if (rule === undefined || acceptedBy !== undefined || !OTHER_PORTS.has(judged.class)) return false;
  return translated.some(
    ({ target: otherTarget, judged: other }) =>
      other.acceptedBy?.rule === rule &&
      other.class === judged.class &&
      other.source === judged.source &&
      otherTarget === target &&
      judged.protocols.every((protocol) => other.protocols.includes(protocol)) &&
      subtractIntervals(judged.ports, other.ports).length === 0 &&
      [...judged.sources].every(
        ([version, list]) => subtractIntervals(list, other.sources.get(version) ?? []).length === 0,
      ),
  );
}

/** The hosts that live in the networks of a role, as one host each network. */
function roleNetworkTargets(context: HostContext): ResolvedHost[] {
  const networks = context.estate.inventory?.roleNetworks ?? new Map();
  return [...networks].map(([role, addresses]) => ({
    name: `networks of role ${role}`,
    roles: [role],
    roleSource: 'configuration' as const,
    addresses,
    datazone: context.host.datazone,
    interfaces: new Map(),
    hasExport: false,
  }));
}

/** A gateway by role, or a host that translates connections to others. */
function reallyForwards(context: HostContext): boolean {
  if (context.host.roles.includes('gateway')) return true;
  return context.input.ruleset.tables.some((table) =>
    table.chains.some((chain) =>
      chain.rules.some(
        (rule) =>
          rule.verdict.kind === 'nat' &&
          rule.verdict.nat.kind === 'dnat' &&
          (rule.verdict.nat.addresses !== undefined || rule.verdict.nat.unknownTarget),
      ),
    ),
  );
}

/** `all`: every blamed rule of the side, asked for where what they let through together has a say. */
function classify(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  all: () => readonly Blamed[],
): HostExposure[] {
  const found = classifyCertainty(context, side, blamed, all, 'maybe');
  const sure = classifyCertainty(context, side, blamed, all, 'surely');
  const way = found.length === 0 ? undefined : unknownWay(context, side, blamed);
  const ways = way === undefined ? [] : [way];
  let names: readonly string[] | undefined;
  return found.map((exposure) => {
    const unread = unreadPart(context, blamed);
    if (unread !== undefined) return { ...exposure, certain: false, unknowns: [unread, ...ways] };
    const same = sure.find((s) => s.class === exposure.class && s.source === exposure.source);
    if (same !== undefined) return { ...same, certain: way === undefined, unknowns: ways };
    names ??= namesOfUnknowns(context, blamed);
    return { ...exposure, certain: false, unknowns: [...names, ...ways] };
  });
}

/**
 * What of the routes a forwarded packet hangs on, `undefined` where it hangs on none. Routes are in no export: of a rule that names no
 * destination and lets packets out by some interfaces only, nobody can tell whether they lead to the target.
 */
function unknownWay(context: HostContext, side: Side, blamed: Blamed): string | undefined {
  if (side.path !== 'forward' || blamed.acceptedBy !== undefined || blamed.passages.length === 0)
    return undefined;
  const { space } = context.space;
  const oif = space.interfaceBits('oif');
  const named = [...context.mentioned].map((name) => ({ name, set: space.interfaceIn(oif, name, false) }));
  const others = space.minus(space.interfaceValid('oif'), space.unionAll(named.map(({ set }) => set)));
  const leaving = blamed.passages.map(({ version, arriving }) => ({
    version,
    arriving,
    out: space.exists(arriving, space.variablesExcept({ interfaces: ['oif'] })),
  }));
  const isOpen = ({ version, arriving, out }: (typeof leaving)[number]) =>
    space.count(arriving, ['daddr'], version) >= 1n << (version === 4 ? 31n : 127n) &&
    !space.includes(out, others);
  if (!leaving.every(isOpen)) return undefined;
  const names = named.filter(({ set }) => leaving.some(({ out }) => space.intersects(out, set)));
  return names.length === 0
    ? 'the way there leads out by an interface that the rule names'
    : `the way there leads out by ${listed(names.map(({ name }) => name))}`;
}

/** Names of unknown tests that a finding lists at most: a rule set of thousands would make a report of megabytes. */
const MOST_NAMES = 200;

/** The unknown tests on which it hangs what a blamed rule lets through, sorted; of very many the first, and how many more. */
function namesOfUnknowns(context: HostContext, blamed: Blamed): readonly string[] {
  const all = new Set(blamed.passages.flatMap((p) => context.space.unknownsOf(p.arriving)));
  const sorted = [...all].sort();
  if (sorted.length <= MOST_NAMES) return sorted;
  return [...sorted.slice(0, MOST_NAMES), `and ${sorted.length - MOST_NAMES} more`];
}

/** What was not read of a host of which no chain is known: it may hold one. */
function unreadPart(context: HostContext, blamed: Blamed): string | undefined {
  if (blamed.table !== undefined) return undefined;
  const unread = context.input.diagnostics.find((d) => d.incomplete);
  return unread === undefined ? undefined : `what was not read of ${unread.origin.file}`;
}

/** What of the passages nobody is entitled to. */
function excessesOf(context: HostContext, side: Side, blamed: Blamed, which: 'maybe' | 'surely'): Excess[] {
  const { space } = context.space;
  const host = side.target;
  return blamed.passages.map((p) => {
    const entitled = context.once(`entitlement ${p.version} ${host.name}`, () =>
      entitlement(context, host, p.version),
    );
    const beyond = space.minus(p[which], entitled.all);
    return {
      passage: p,
      beyond,
      vendor: entitled.vendor.map(({ flow, set }) => ({ flow, set: space.intersect(beyond, set) })),
      outsideRange: space.intersect(beyond, entitled.outsideRange),
    };
  });
}

/** Everything a blamed rule lets through, entitlements of the judged host itself aside. */
function wholeExcess(context: HostContext, side: Side, blamed: Blamed): Region {
  return new Region(context, side, blamed, excessesOf(context, side, blamed, 'maybe'), PROTOCOLS_WITH_PORTS, [
    ALL_PORTS,
  ]);
}

function classifyCertainty(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  all: () => readonly Blamed[],
  which: 'maybe' | 'surely',
): HostExposure[] {
  const { space } = context.space;
  const { estate } = context;
  const host = side.target;
  const { profile } = estate;
  const excesses = excessesOf(context, side, blamed, which);
  /** Every blamed rule's excess: two rules for half of the addresses each open a port to any source. */
  const together = () => {
    const others = all();
    return context.once(`excesses together ${which} ${side.path} ${host.name}`, () =>
      others.flatMap((b) => excessesOf(context, side, b, which)),
    );
  };
  const region = (protocols: readonly number[], ports: readonly Interval[]): Region =>
    new Region(context, side, blamed, excesses, protocols, ports, together);
  const range = judgedRange(context, side);
  const adminPorts = profile.adminPorts.map((a) => single(a.port));
  const fixed = profile.fixedPorts.map((p) => single(p));
  const otherThanTcp = PROTOCOLS_WITH_PORTS.filter((p) => p !== TCP);
  const everything = region(PROTOCOLS_WITH_PORTS, [ALL_PORTS]);
  if (everything.isEmpty) return [];

  // (a)
  if (side.path === 'input' && isDefaultAccept(context, blamed, everything)) {
    return [everything.exposure('default-accept')];
  }

  const dynamicPorts = subtractIntervals(range, [...fixed, ...adminPorts]);
  const served = servedAdminPorts(estate, host);
  const servedPorts = served.map((p) => single(p));
  const rolesKnown = host.roles.length > 0;

  // (b)
  if (blamed.acceptedBy !== undefined) {
    const viaNat = region([TCP], rolesKnown ? servedPorts : adminPorts);
    if (!viaNat.isEmpty) return viaNat.judged('admin-port-via-nat');
  }

  const variant = connectionPortVariant(context, side, blamed, everything, dynamicPorts);
  if (variant !== undefined) return [{ ...everything.exposure('connection-port-rule'), variant }];

  // What only the vendor requires is told where nothing worse is to be said of the same rule.
  const withoutVendor = excesses.map((e) => ({
    ...e,
    beyond: space.minus(e.beyond, space.union(e.outsideRange, space.unionAll(e.vendor.map((v) => v.set)))),
  }));
  const plain = (protocols: readonly number[], ports: readonly Interval[]): Region =>
    new Region(context, side, blamed, withoutVendor, protocols, ports, together);
  const onlyClient = rolesKnown && host.roles.every((role) => role === 'client');
  const serves = !rolesKnown || served.length > 0;
  const dynamic = plain([TCP], dynamicPorts);
  // (c) absorbs the fixed ports of the same rule; admin ports the host serves have findings of their own.
  const whole = plain([TCP], subtractIntervals(range, servedPorts));
  const candidates: HostExposure[] = [];
  if (!dynamic.isEmpty) {
    const shown = dynamic.isAny || whole.hasSourcesOf(dynamic) ? whole : dynamic;
    const beyond = dynamic.isAny ? 'dynamic-range-any-source' : 'dynamic-range-beyond-peers';
    candidates.push(...shown.mostExposed().judged(onlyClient ? 'client-inbound-unscoped' : beyond));
  }
  candidates.push(
    ...plain([TCP], rolesKnown ? servedPorts : adminPorts)
      .mostExposed()
      .judged('admin-port-beyond-admin-network'),
    ...(rolesKnown
      ? plain([TCP], subtractIntervals(adminPorts, servedPorts))
          .mostExposed()
          .judged('admin-port-on-wrong-host')
      : []),
    ...plain([TCP], fixed).mostExposed().judged('service-port-beyond-peers'),
    ...plain(otherThanTcp, range).mostExposed().judged('udp-on-service-ports'),
  );
  const isMild = (e: HostExposure) =>
    e.class === 'unknown-source' || (e.source === 'admin' && SILENT_FROM_ADMIN.has(e.class));
  const inside = region([TCP], servedPorts);
  const within =
    !inside.isEmpty && admitsRange(context, side, blamed, which)
      ? inside.judged('admin-port-inside-open-range').filter((e) => e.class !== 'unknown-source')
      : [];
  // A rule for the range that peers may use is one about the range, and told as such: not again as one about the admin ports.
  const isSaid = (e: HostExposure) =>
    e.class === 'admin-port-beyond-admin-network' && e.source !== 'vendor' && within.length > 0;
  // Ports on which nothing of the host listens are told where nothing worse is to be said of the same rule either.
  const insideRange = excesses.map((e) => ({ ...e, beyond: space.minus(e.beyond, e.outsideRange) }));
  const inRange = (protocols: readonly number[], ports: readonly Interval[]): Region =>
    new Region(context, side, blamed, insideRange, protocols, ports, together);
  const further = candidates.filter((e) => !isSaid(e));
  const serious = further.find((e) => !isMild(e));
  // (g)
  const other =
    serious === undefined ? otherPorts(context, side, blamed, withoutVendor, together) : undefined;
  const forVendor =
    further.length === 0 ? vendorExposure(inRange, dynamicPorts, adminPorts, serves) : undefined;
  const chosen =
    serious ??
    (other?.source === 'any' ? other : undefined) ??
    forVendor ??
    (other !== undefined && !isMild(other) ? other : undefined) ??
    further[0] ??
    other;
  const out = chosen === undefined ? [] : [chosen];
  out.push(...neverRemote(context, side, blamed, excesses, together));
  if (serious === undefined) out.push(...rangeMismatch(context, side, blamed, excesses));

  out.push(...within);
  return out;
}

/** Classes that are no more than a remark where only the admin networks are let in. */
const SILENT_FROM_ADMIN: ReadonlySet<ExposureClass> = new Set([
  'admin-port-on-wrong-host',
  'undeclared-port',
]);

/** Classes about ports that are not the product's. */
export const OTHER_PORTS: ReadonlySet<ExposureClass> = new Set(['undeclared-port', 'never-remote-port']);

/** Ports of a host's own DHCP and DHCPv6 clients, to which servers answer unasked. Source: RFC 2131, 4.1; RFC 8415, 7.2. */
const DHCP_CLIENTS: readonly Interval[] = [single(68), single(546)];

/**
 * Access to ports that no class before is about: nothing of the profile explains it. Judged on the way to hosts with a role, on their
 * input side outside chains that container engines and hypervisors write for guests of their own.
 */
function otherPorts(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  excesses: readonly Excess[],
  together: () => readonly Excess[],
): HostExposure | undefined {
  if (side.target.roles.length === 0 || (side.path === 'input' && isForGuests(blamed))) return undefined;
  const { space } = context.space;
  const { profile } = context.estate;
  const of = (protocols: readonly number[], ports: readonly Interval[]) =>
    space.intersect(
      space.inIntervals(space.bits('protocol'), protocols.map(single)),
      space.inIntervals(space.bits('dport'), ports),
    );
  const known = space.unionAll([
    of(PROTOCOLS_WITH_PORTS, judgedRange(context, side)),
    of([TCP], [...profile.adminPorts.map((a) => single(a.port)), ...profile.fixedPorts.map(single)]),
    of([UDP], DHCP_CLIENTS),
    neverRemotePorts(context),
  ]);
  const without = (list: readonly Excess[]) =>
    list.map((e) => ({ ...e, beyond: space.minus(e.beyond, known) }));
  const others = new Region(context, side, blamed, without(excesses), PROTOCOLS_WITH_PORTS, [ALL_PORTS], () =>
    without(together()),
  );
  return others.mostExposed().judged('undeclared-port')[0];
}

/** Whether a rule stands in a chain that another program keeps for its containers or virtual machines. */
function isForGuests({ chain, table }: Blamed): boolean {
  if (chain === undefined || table === undefined || writerOf(table) === 'firewalld') return false;
  // The chains of ufw hold what the administrator told it.
  return isGeneratedChain(chain.name) && !/^ufw6?-/.test(chain.name);
}

/** Packets to ports that nobody has to reach from another host. */
function neverRemotePorts(context: HostContext): PacketSet {
  return context.once('never remote', () => {
    const { space } = context.space;
    return space.unionAll(
      context.estate.profile.neverRemote.map(({ port, protocol }) =>
        space.intersect(
          space.inIntervals(space.bits('protocol'), [single(protocol)]),
          space.inIntervals(space.bits('dport'), [single(port)]),
        ),
      ),
    );
  });
}

/**
 * Ports that nobody has to reach from another host, let in by a rule that is about few ports. Those inside the service range are
 * part of it: a rule for the range is judged as such.
 */
function neverRemote(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  excesses: readonly Excess[],
  together: () => readonly Excess[],
): HostExposure[] {
  if (side.target.roles.length === 0) return [];
  const { space } = context.space;
  const range = space.inIntervals(space.bits('dport'), judgedRange(context, side));
  const ports = space.minus(neverRemotePorts(context), range);
  const within = (list: readonly Excess[]) =>
    list.map((e) => ({ ...e, beyond: space.intersect(e.beyond, ports) }));
  const all = new Region(context, side, blamed, excesses, PROTOCOLS_WITH_PORTS, [ALL_PORTS]);
  if (countIntervals(all.ports) >= UNBOUNDED_PORTS) return [];
  return new Region(context, side, blamed, within(excesses), PROTOCOLS_WITH_PORTS, [ALL_PORTS], () =>
    within(together()),
  )
    .mostExposed()
    .judged('never-remote-port')
    .filter((e) => e.class !== 'unknown-source');
}

/** What a rule opens, to those who may use the service range, outside the range that the host really has. */
function rangeMismatch(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  excesses: readonly Excess[],
): HostExposure[] {
  const outside = excesses.map((e) => ({ ...e, beyond: e.outsideRange }));
  const region = new Region(context, side, blamed, outside, [TCP], [ALL_PORTS]);
  return region.isEmpty ? [] : [region.exposure('range-mismatch')];
}

/** What a rule opens to peers that only the vendor asks to let in. */
function vendorExposure(
  region: (protocols: readonly number[], ports: readonly Interval[]) => Region,
  dynamicPorts: readonly Interval[],
  adminPorts: readonly Interval[],
  serves: boolean,
): HostExposure | undefined {
  const dynamic = region([TCP], dynamicPorts);
  const admin = region([TCP], adminPorts);
  const shown = dynamic.isEmpty ? admin : dynamic;
  const flow = shown.vendorFlow;
  if (shown.isEmpty || flow === undefined) return undefined;
  const adminClass = serves ? 'admin-port-beyond-admin-network' : 'admin-port-on-wrong-host';
  const dynamicClass =
    flow.check === 'dynamic-range-open-on-server'
      ? 'dynamic-range-open-on-server'
      : 'dynamic-range-beyond-peers';
  return {
    ...shown.exposure(dynamic.isEmpty ? adminClass : dynamicClass),
    source: 'vendor',
    vendorFlow: flow,
  };
}

/** Whether the blamed rule lets ports of the dynamic range through at all, entitled or not. */
function admitsRange(context: HostContext, side: Side, blamed: Blamed, which: 'maybe' | 'surely'): boolean {
  const { space } = context.space;
  const { profile } = context.estate;
  const excluded = [...profile.fixedPorts, ...profile.adminPorts.map((a) => a.port)].map((p) => single(p));
  const ports = subtractIntervals(judgedRange(context, side), excluded);
  return blamed.passages.some((p) =>
    space.intersects(
      p[which],
      space.intersect(
        space.inIntervals(space.bits('protocol'), [single(TCP)]),
        space.inIntervals(space.bits('dport'), ports),
      ),
    ),
  );
}

/** A chain policy that lets anything through, or a rule that lets everything through from anywhere. */
function isDefaultAccept(context: HostContext, blamed: Blamed, everything: Region): boolean {
  const { rule, chain } = blamed;
  if (rule === undefined) return true;
  // A service whose definition is not known is still one service.
  if (rule.configured?.element === 'service') return false;
  if (blamed.acceptedBy !== undefined || rule.matches.some((m) => namesPackets(m.condition))) return false;
  if (chain?.base !== undefined && rule.matches.every((m) => tellsNothing(m.condition)))
    return everything.isAny;
  const { space } = context.space;
  return blamed.passages.some((p) => {
    const interfaces = space.exists(p.arriving, space.variablesExcept({ interfaces: ['iif'] }));
    const lo = space.interfaceIn(space.interfaceBits('iif'), 'lo', false);
    const missing = space.minus(space.minus(space.interfaceValid('iif'), lo), interfaces);
    return space.isEmpty(missing) && everything.coversEverything(p.version);
  });
}

/** Whether a condition tests an address, port, protocol or interface. */
function namesPackets(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(namesPackets);
    case 'not':
    case 'original':
      return namesPackets(condition.of);
    case 'address':
    case 'interface':
    case 'named-set':
      return true;
    case 'field':
      return ['protocol', 'sport', 'dport', 'icmp-type', 'icmp-code', 'tcp-flags'].includes(condition.field);
    default:
      return false;
  }
}

/** As many ports of the connection range as no single service has. */
const MOST_SERVICES = 500n;

function connectionPortVariant(
  context: HostContext,
  side: Side,
  blamed: Blamed,
  everything: Region,
  dynamicPorts: readonly Interval[],
): HostExposure['variant'] {
  const { space } = context.space;
  const { rule, run } = blamed;
  if (rule === undefined || run === undefined || blamed.acceptedBy !== undefined) return undefined;
  for (const { version, environment } of blamed.passages) {
    const place = { path: side.path, hook: run.base.hook, version } as const;
    const own = space.intersectAll(
      rule.matches.map((m) => conditionSet(context.space, place, environment, m.condition)),
    );
    const within = space.intersect(
      own,
      space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single)),
    );
    const sports = space.values(within, 'sport', version);
    const dports = space.values(within, 'dport', version);
    if (countIntervals(sports) < 65_536n && countIntervals(dports) >= UNBOUNDED_PORTS) return 'source-port';
  }
  const range = connectionPortsOf(context.estate, side.target);
  const inside = countIntervals(intersectIntervals(everything.ports, range));
  // A rule that also opens the dynamic range is about that; one for a few ports is about some service there.
  const alsoDynamic = intersectIntervals(everything.ports, dynamicPorts).length > 0;
  return !alsoDynamic && inside >= MOST_SERVICES ? 'connection-range' : undefined;
}
