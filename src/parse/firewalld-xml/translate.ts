import type { Match, NamedSet, Origin, ParseDiagnostic, Table } from '../../model/index.ts';
import { shorten } from '../diagnostic-log.ts';
import type {
  ConfigurationProblem,
  FirewalldConfiguration,
  InterfaceBinding,
  StockDefinitions,
} from './configuration.ts';
import { type Distribution, STOCK_NAME } from './stock.ts';
import { addBase, type BaseSettings } from './translate-base.ts';
import { ChainBuilder } from './translate-chains.ts';
import {
  boundZones,
  byName,
  defaultZoneOf,
  inferDistribution,
  remarkUnboundZones,
} from './translate-definitions.ts';
import { directTables, namedSetsOf, type SharedDirect, shareFilterTable } from './translate-direct.ts';
import { absentInDoubt, inDoubt, missingNameOf, missingNames } from './translate-doubt.ts';
import { anyIcmp, parseMac, versionIs } from './translate-matches.ts';
import { addPolicies } from './translate-policies.ts';
import { SetMatches } from './translate-sets.ts';
import { Assumed, Remarks, type World } from './translate-world.ts';
import { addZones, type BoundZone, type Dispatch, outsideMatch } from './translate-zones.ts';

/** What is known beside the files. */
export interface TranslateOptions {
  /** Whose package. Absent: told from the files; where they do not show it, what differs is an unknown test. */
  readonly distribution?: Distribution;
  /**
   * Zones of interfaces as the inventory declares them. With this list, empty or not, no interface is bound to a zone that neither
   * it nor a file binds.
   */
  readonly interfaces?: readonly InterfaceBinding[];
  /** Stands for what no file holds: firewalld.conf, or the first file there is. */
  readonly origin: Origin;
}

/** What a configuration makes of a host. */
export interface TranslatedFirewalld {
  readonly tables: readonly Table[];
  readonly namedSets: readonly NamedSet[];
  readonly diagnostics: readonly ParseDiagnostic[];
}

/**
 * The rules that firewalld loads for a configuration, in its own chains: table `firewalld` of family inet, and one iptables table
 * for each that direct rules name. Never throws.
 *
 * With a fatal problem firewalld runs its stock configuration, and that is what is translated; the diagnostics say so.
 * Reference: what firewalld 1.3.3 loads with its nftables backend.
 */
export function translateFirewalld(
  given: FirewalldConfiguration,
  stock: StockDefinitions,
  options: TranslateOptions,
): TranslatedFirewalld {
  const missing = missingNames(given, stock);
  const fatal = given.problems.filter(({ consequence }) => consequence === 'fatal');
  const certain = fatal.find((problem) => missingNameOf(problem, missing) === undefined);
  const distribution = options.distribution ?? inferDistribution(given);
  const known: TranslateOptions = distribution === undefined ? options : { ...options, distribution };
  if (certain !== undefined) return refused(certain, given, stock, known);
  const remarks = new Remarks();
  const built = build(given, stock, known, remarks, false);
  if (built.refusal !== undefined) return refused(built.refusal, given, stock, known);
  const doubt = fatal[0]?.origin ?? built.doubt;
  if (doubt === undefined) return finish(built, remarks);
  const instead = build(withoutFiles(given), stock, known, new Remarks(), true);
  return finish(
    {
      ...built,
      direct: built.direct.map((table) => absentInDoubt(table, doubt)),
      own: inDoubt(built.own, instead.own, doubt),
    },
    remarks,
  );
}

/** The stock configuration, which runs when firewalld refuses its files. */
function refused(
  problem: ConfigurationProblem,
  given: FirewalldConfiguration,
  stock: StockDefinitions,
  options: TranslateOptions,
): TranslatedFirewalld {
  const remarks = new Remarks();
  remarkRefused(problem, remarks);
  return finish(build(withoutFiles(given), stock, options, remarks, true), remarks);
}

interface Built {
  readonly own: Table;
  readonly direct: readonly Table[];
  readonly namedSets: readonly NamedSet[];
  /** Something of which firewalld may refuse everything: a direct rule that nwaudit cannot read. */
  readonly doubt: Origin | undefined;
  /** Why the kernel would refuse it. */
  readonly refusal: ConfigurationProblem | undefined;
}

function finish({ own, direct, namedSets }: Built, remarks: Remarks): TranslatedFirewalld {
  return { tables: [...direct, own], namedSets, diagnostics: remarks.finish() };
}

/** `isStock`: firewalld runs without its files. */
function build(
  given: FirewalldConfiguration,
  stock: StockDefinitions,
  options: TranslateOptions,
  remarks: Remarks,
  isStock: boolean,
): Built {
  const zones = byName(stock.zones, given.zones);
  const defaultZone = isStock
    ? { name: 'public', origin: options.origin }
    : defaultZoneOf(withBindings(given, options, ''), zones, options.origin, remarks);
  const configuration = withBindings(given, options, defaultZone.name);
  const doubtful = doubtfulBindings(configuration.bindings, remarks);
  const isIptables = configuration.settings?.values.get('firewallbackend')?.value === 'iptables';
  const world: World = {
    builder: new ChainBuilder(),
    services: byName(stock.services, configuration.services),
    icmptypes: byName(stock.icmptypes, configuration.icmptypes),
    sets: new SetMatches(byName(stock.ipsets, configuration.ipsets), isIptables),
    logDenied: logDeniedOf(configuration),
    isIptables,
    anyIcmp: anyIcmp(isIptables),
    remarks,
    assumed: new Assumed(),
    stockOrigin: options.origin,
    refusals: [],
  };
  const bound = boundZones(zones, configuration.bindings, doubtful, stock, options.distribution);
  const used = bound.filter(
    (zone) => zone.bound.length > 0 || zone.sources.length > 0 || zone.name === defaultZone.name,
  );
  const isComplete = options.interfaces !== undefined;
  const dispatch: Dispatch = {
    zones: used,
    defaultZone: defaultZone.name,
    defaultOrigin: defaultZone.origin,
    lost: lostBindings(configuration.bindings, zones, remarks),
    outside: outsideOf(used, defaultZone.name, isComplete),
    drifting: isOn(configuration, 'allowzonedrifting', false),
  };
  if (!isComplete) remarkUnboundZones(configuration, stock, defaultZone.name, remarks);
  const { tables: direct, unread } =
    configuration.direct === undefined
      ? { tables: [], unread: undefined }
      : directTables(configuration.direct, remarks);
  const shared = isIptables ? direct.filter((table) => table.name === 'filter').map(shareFilterTable) : [];
  addBase(baseSettings(configuration, shared, options.origin), world);
  addZones(dispatch, world);
  addPolicies([...byName(stock.policies, configuration.policies).values()], dispatch, world);
  remarkSettings(configuration, dispatch, remarks);
  remarkAssumed(used, stock, world);
  return {
    own: world.builder.finish(
      options.origin,
      shared.flatMap(({ chains }) => chains),
    ),
    direct: direct.filter(({ name }) => shared.length === 0 || name !== 'filter'),
    namedSets: direct.length === 0 ? [] : namedSetsOf(configuration.ipsets, remarks),
    doubt: unread,
    refusal: world.refusals[0],
  };
}

/** What firewalld runs when it refuses its files: none of them. Bindings of others stay. */
function withoutFiles({ bindings, problems }: FirewalldConfiguration): FirewalldConfiguration {
  return {
    settings: undefined,
    zones: [],
    policies: [],
    services: [],
    ipsets: [],
    icmptypes: [],
    helpers: [],
    direct: undefined,
    bindings,
    problems,
  };
}

function remarkRefused({ origin, detail }: ConfigurationProblem, remarks: Remarks): void {
  remarks.add(
    'contradiction',
    true,
    origin,
    `firewalld refuses this configuration and runs its stock one, with the default zone public: the running firewall is not what these files say, and the stock one is what is judged here. Cause: ${detail}. Correct it, then see "firewall-cmd --check-config" and "firewall-cmd --state"`,
  );
}

function withBindings(
  configuration: FirewalldConfiguration,
  { interfaces = [] }: TranslateOptions,
  defaultZone: string,
): FirewalldConfiguration {
  const declared = new Set(interfaces.map((binding) => binding.interface));
  const bindings = [...configuration.bindings.filter((b) => !declared.has(b.interface)), ...interfaces];
  const named = new Set(bindings.filter(({ zone }) => zone !== '').map((binding) => binding.interface));
  const inFiles = new Map(
    configuration.zones.flatMap((zone) =>
      zone.interfaces.map(({ name, origin }) => [name, { zone: zone.name, origin }] as const),
    ),
  );
  return {
    ...configuration,
    bindings: bindings.flatMap((binding) => {
      if (binding.zone !== '') return [binding];
      // firewalld.zones(5) says that the default zone is used; firewalld itself has put it where the zone file says.
      const file = inFiles.get(binding.interface) ?? { zone: defaultZone };
      if (file.zone === defaultZone && !named.has(binding.interface)) return [];
      const ofFile = { ...binding, ...file };
      return file.zone === defaultZone ? [ofFile] : [ofFile, { ...binding, zone: defaultZone }];
    }),
  };
}

/** Interfaces that connections bind to different zones: which of them is active no file shows. */
function doubtfulBindings(bindings: readonly InterfaceBinding[], remarks: Remarks): ReadonlySet<string> {
  const first = new Map<string, InterfaceBinding>();
  const doubtful = new Set<string>();
  for (const binding of bindings) {
    const { interface: name, zone, origin } = binding;
    const known = first.get(name);
    if (known === undefined) first.set(name, binding);
    if (known === undefined || known.zone === zone) continue;
    doubtful.add(name);
    remarks.add(
      'contradiction',
      true,
      origin,
      `interface ${shorten(name)} may be in zone ${shorten(zone)}, and in zone ${shorten(known.zone)} by ${known.origin.file}: which connection is active, and whether one without a zone moves it to the default zone, no file shows. Write "interfaces: { ${shorten(name)}: ${shorten(zone)} }" under the host in nwaudit.yaml, with the zone that "firewall-cmd --get-active-zones" tells`,
    );
  }
  return doubtful;
}

function lostBindings(
  bindings: readonly InterfaceBinding[],
  zones: ReadonlyMap<string, unknown>,
  remarks: Remarks,
): Dispatch['lost'] {
  const lost = bindings.filter((binding) => !zones.has(binding.zone));
  for (const { interface: name, zone, origin } of lost) {
    remarks.add(
      'unresolved-reference',
      true,
      origin,
      `interface ${name} is bound to zone ${zone}, which is not in the export: what it admits is unknown. Add zones/${zone}.xml from /etc/firewalld or /usr/lib/firewalld of that host`,
    );
  }
  return lost.map((binding) => ({ name: binding.interface, zone: binding.zone, origin: binding.origin }));
}

/** NetworkManager binds the interfaces of profiles without a zone to the default zone, and no file shows that. */
function outsideOf(
  used: readonly BoundZone[],
  defaultZone: string,
  isComplete: boolean,
): Dispatch['outside'] {
  const zone = used.find(({ name }) => name === defaultZone);
  if (isComplete || zone === undefined || zone.bound.length > 0) return undefined;
  const named = used.flatMap(({ bound }) => bound.map(({ name }) => name));
  return (field): Match => outsideMatch(field, defaultZone, named);
}

/** A switch of firewalld.conf. */
function isOn(configuration: FirewalldConfiguration, name: string, standard: boolean): boolean {
  const value = configuration.settings?.values.get(name)?.value.toLowerCase();
  if (value === undefined || value === '') return standard;
  if (value === 'yes' || value === 'true') return true;
  return value === 'no' || value === 'false' ? false : standard;
}

function logDeniedOf({ settings }: FirewalldConfiguration): string | undefined {
  const value = settings?.values.get('logdenied')?.value.toLowerCase();
  return value === undefined || !['all', 'unicast', 'broadcast', 'multicast'].includes(value)
    ? undefined
    : value;
}

function baseSettings(
  configuration: FirewalldConfiguration,
  shared: readonly SharedDirect[],
  origin: Origin,
): BaseSettings {
  const reverse = configuration.settings?.values.get('ipv6_rpfilter')?.value.toLowerCase() ?? 'yes';
  return {
    origin,
    ipv6ReversePath: reverse !== 'no' && reverse !== 'false',
    rejectMappedIpv4: isOn(configuration, 'rfc3964_ipv4', true),
    strictForwardPorts: isOn(configuration, 'strictforwardports', false),
    direct: shared.flatMap(({ family, entries }) =>
      entries.map(({ hook, chain }) => ({
        chain: hook,
        match: { text: family, condition: versionIs(family === 'ipv4' ? 4 : 6) },
        target: chain,
      })),
    ),
  };
}

function remarkSettings(configuration: FirewalldConfiguration, dispatch: Dispatch, remarks: Remarks): void {
  const { settings } = configuration;
  remarkIptables(configuration, dispatch, remarks);
  const drifting = settings?.values.get('allowzonedrifting');
  if (dispatch.drifting && drifting !== undefined)
    remarks.add(
      'note',
      false,
      drifting.origin,
      'AllowZoneDrifting=yes counts before firewalld 1.0: there a packet that a source puts into a zone may go on to the zone of its interface; whether it does is taken as unknown',
    );
  if (dispatch.outside !== undefined)
    remarks.add(
      'note',
      false,
      dispatch.defaultOrigin,
      `no file binds an interface to the default zone ${dispatch.defaultZone}: it is assumed for every interface that is bound to no other zone. Bindings of NetworkManager are in /etc/NetworkManager/system-connections, or can be given with "interfaces:" in nwaudit.yaml`,
    );
}

/** What the iptables backend does otherwise, and of what nobody can know here what becomes of it. */
function remarkIptables(
  { settings, policies, direct, ipsets }: FirewalldConfiguration,
  { zones }: Dispatch,
  remarks: Remarks,
): void {
  const backend = settings?.values.get('firewallbackend');
  if (backend?.value !== 'iptables') return;
  const cards = new Set(ipsets.filter(({ type }) => type === 'hash:mac').map(({ name }) => name));
  const isMac = (kind: string, value: string): boolean =>
    kind === 'mac' || (kind === 'ipset' ? cards.has(value) : parseMac(value) !== undefined);
  const sources = [
    ...zones.flatMap((zone) => zone.sources),
    ...[...zones, ...policies].flatMap(({ richRules }) => richRules.flatMap(({ source }) => source ?? [])),
  ];
  const tables = [...(direct?.rules ?? []), ...(direct?.chains ?? [])].map(({ table }) => table);
  const causes = [
    ...(sources.some(({ kind, value }) => isMac(kind, value)) ? ['MAC addresses'] : []),
    ...(zones.some((zone) => zone.ingressPriority !== undefined || zone.egressPriority !== undefined)
      ? ['priorities of zones']
      : []),
    ...(tables.some((table) => table !== 'filter') ? ['direct rules beside the table filter'] : []),
  ];
  const advice = 'Give iptables-save and ip6tables-save of the host beside these files';
  if (causes.length === 0)
    remarks.add(
      'note',
      false,
      backend.origin,
      `FirewallBackend=iptables: the rules are those that firewalld 1.3.3 gives to iptables, written in one table. ${advice} to have what runs`,
    );
  else
    remarks.add(
      'unsupported',
      true,
      backend.origin,
      `FirewallBackend=iptables with ${causes.join(' and ')}: what firewalld makes of them there depends on its version and on what iptables takes, so answers may be wrong. ${advice}`,
    );
}

function remarkAssumed(used: readonly BoundZone[], stock: StockDefinitions, world: World): void {
  const own = new Set(stock.zones.map(({ origin }) => origin));
  for (const zone of used) {
    if (!own.has(zone.origin)) continue;
    world.assumed.add('zone', zone.name);
    if (zone.perhaps.length === 0) continue;
    world.remarks.add(
      'note',
      false,
      world.stockOrigin,
      `zone ${zone.name} is assumed as firewalld publishes it; Red Hat's package adds the service cockpit (9090/tcp), and whether this host's does is taken as unknown. Add /usr/lib/firewalld/zones/${zone.name}.xml of that host`,
    );
  }
  const words = world.assumed.inWords();
  if (words !== '')
    world.remarks.add(
      'note',
      false,
      world.stockOrigin,
      `definitions that the export does not hold are assumed as ${STOCK_NAME} has them: ${words}`,
    );
}
