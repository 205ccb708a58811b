/**
 * Random zones of firewalld, as the files under /etc/firewalld and as the rules that they stand for on the input side, written out from what
 * firewalld.zones(5), firewalld.richlanguage(5) and the real firewalld 1.3.3 do.
 */
import fc from 'fast-check';
import { formatAddress, type IpVersion } from '../../src/net/index.ts';
import {
  type Action,
  type HostPolicy,
  type HostRule,
  type Network,
  networkInterval,
  prefixLength,
  type Range,
} from './host-policy.ts';

type Proto = 'tcp' | 'udp';

interface Port {
  readonly proto: Proto;
  readonly range: Range;
}

interface RichRule {
  readonly source:
    | { readonly version: IpVersion; readonly network: Network; readonly negated: boolean }
    | undefined;
  readonly port: Port;
  readonly action: 'accept' | 'drop' | 'reject';
  /** 0: denying rules before allowing ones. Below and above: before and after those, the lowest first. */
  readonly priority: number;
}

interface Zone {
  readonly name: string;
  readonly target: 'default' | 'ACCEPT' | 'DROP' | '%%REJECT%%';
  readonly sources: readonly { readonly version: IpVersion; readonly network: Network }[];
  readonly interfaces: readonly string[];
  readonly ports: readonly Port[];
  readonly sourcePorts: readonly Port[];
  readonly rules: readonly RichRule[];
}

/** Zones of which the first is the default zone. */
export type ZonePolicy = readonly Zone[];

// ---- random ones

const port: fc.Arbitrary<Port> = fc.record({
  proto: fc.constantFrom<Proto>('tcp', 'udp'),
  range: fc.oneof(
    fc.constantFrom(22, 7937, 9090).map((one): Range => [one, one]),
    fc.tuple(fc.constantFrom(7937, 8000), fc.constantFrom(8100, 9936)).map(([lo, hi]): Range => [lo, hi]),
  ),
});
const network: fc.Arbitrary<Network> = fc.record({
  net: fc.nat(2),
  host: fc.nat(255),
  bits: fc.constantFrom(0, 1, 4, 7, 8, 24),
});
const version = fc.constantFrom<IpVersion>(4, 6);
const richRule: fc.Arbitrary<RichRule> = fc.record({
  source: fc.option(fc.record({ version, network, negated: fc.nat(4).map((n) => n === 0) }), {
    nil: undefined,
  }),
  port,
  action: fc.constantFrom('accept', 'accept', 'drop', 'reject'),
  priority: fc.constantFrom(0, 0, 0, -5, -1, 3, 7),
});
const portKey = ({ proto, range }: Port): string => `${proto} ${range.join('-')}`;
const portList = fc.uniqueArray(port, { maxLength: 3, selector: portKey });

/** Names that are not in the order of their sources: `Z` comes before `_`, and that before `a`. */
const NAMES = ['public', 'alpha', '_mid', 'Zulu'];

/** A default zone and up to three others; no source or interface is in two of them. */
export const anyZonePolicy: fc.Arbitrary<ZonePolicy> = fc
  .record({
    count: fc.integer({ min: 1, max: NAMES.length }),
    sources: fc.uniqueArray(fc.tuple(fc.nat(3), version, network), {
      maxLength: 5,
      selector: ([, ...source]) => sourceText({ version: source[0], network: source[1] }),
    }),
    interfaces: fc.uniqueArray(fc.tuple(fc.nat(3), fc.constantFrom('eth0', 'eth1', 'eth+')), {
      maxLength: 3,
      selector: ([, name]) => name,
    }),
    contents: fc.array(
      fc.record({
        target: fc.constantFrom<Zone['target']>('default', 'default', 'ACCEPT', 'DROP', '%%REJECT%%'),
        ports: portList,
        sourcePorts: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: portList }),
        rules: fc.uniqueArray(richRule, { maxLength: 4, selector: richRuleText }),
      }),
      { minLength: NAMES.length, maxLength: NAMES.length },
    ),
  })
  .map(({ count, sources, interfaces, contents }) =>
    NAMES.slice(0, count).map((name, i) => ({
      name,
      ...contents[i]!,
      sources: sources
        .filter(([zone]) => zone % count === i)
        .map(([, own, where]) => ({ version: own, network: where })),
      interfaces: interfaces.filter(([zone]) => zone % count === i).map(([, own]) => own),
    })),
  );

// ---- files

function sourceText(source: { readonly version: IpVersion; readonly network: Network }): string {
  const { lo } = networkInterval(source.version, source.network);
  return `${formatAddress(source.version, lo)}/${prefixLength(source.version, source.network)}`;
}

const portAttributes = ({ proto, range: [lo, hi] }: Port): string =>
  `port="${lo === hi ? lo : `${lo}-${hi}`}" protocol="${proto}"`;

function richRuleText({ source, port: own, action, priority }: RichRule): string {
  const family = source === undefined ? '' : ` family="ipv${source.version}"`;
  const from =
    source === undefined
      ? ''
      : `<source address="${sourceText(source)}"${source.negated ? ' invert="True"' : ''}/>`;
  return `<rule${family}${priority === 0 ? '' : ` priority="${priority}"`}>${from}<port ${portAttributes(own)}/><${action}/></rule>`;
}

/** Texts by their path below /etc/firewalld. */
export function toFirewalldFiles(policy: ZonePolicy): Readonly<Record<string, string>> {
  const zones = policy.map((zone): readonly [string, string] => [
    `zones/${zone.name}.xml`,
    [
      '<?xml version="1.0" encoding="utf-8"?>',
      `<zone${zone.target === 'default' ? '' : ` target="${zone.target}"`}>`,
      ...zone.interfaces.map((name) => `  <interface name="${name}"/>`),
      ...zone.sources.map((source) => `  <source address="${sourceText(source)}"/>`),
      ...zone.ports.map((one) => `  <port ${portAttributes(one)}/>`),
      ...zone.sourcePorts.map((one) => `  <source-port ${portAttributes(one)}/>`),
      ...zone.rules.map((rule) => `  ${richRuleText(rule)}`),
      '</zone>',
      '',
    ].join('\n'),
  ]);
  return {
    // What checks reverse paths and addresses of 6to4 has no like in rules.
    'firewalld.conf': `DefaultZone=${policy[0]!.name}\nFirewallBackend=nftables\nIPv6_rpfilter=no\nRFC3964_IPv4=no\n`,
    ...Object.fromEntries(zones),
  };
}

// ---- rules

type Placed = HostPolicy['rules'][number];

const is = <T>(value: T) => ({ value, negated: false });
const byBytes = (a: Zone, b: Zone): number => (a.name < b.name ? -1 : 1);

/** The same on the input side, as rules. */
export function zonesToHostPolicy(policy: ZonePolicy): HostPolicy {
  const input = (rule: HostRule): Placed => ({ table: 'filter', chain: 'INPUT', rule });
  const enter = ({ name }: Zone): Action => ({ kind: 'goto', chain: `zone-${name}` });
  const zones = [...policy].sort(byBytes);
  return {
    dropping: [],
    rules: [
      input({ states: is(['established', 'related']), action: { kind: 'accept' } }),
      input({ translated: true, action: { kind: 'accept' } }),
      input({ iif: is({ name: 'lo', prefix: false }), action: { kind: 'accept' } }),
      input({ states: is(['invalid']), action: { kind: 'drop' } }),
      // Sources by the name of their zone, then interfaces by the name of theirs the other way round.
      ...zones.flatMap((zone) =>
        zone.sources.map((source) =>
          input({
            version: source.version,
            saddr: is({ kind: 'network', network: source.network }),
            action: enter(zone),
          }),
        ),
      ),
      ...[...zones].reverse().flatMap((zone) =>
        zone.interfaces.map((name) =>
          input({
            iif: is({ name: name.replace('+', ''), prefix: name.endsWith('+') }),
            action: enter(zone),
          }),
        ),
      ),
      input({ action: enter(policy[0]!) }),
      ...policy.flatMap(zoneRules),
    ],
  };
}

/** ICMPv6 types that firewalld's own policy `allow-host-ipv6` lets in before all zones: router and neighbour advertisement, redirect. */
const ALWAYS_IN = [134, 135, 136, 137];

function zoneRules({ name, target, ports, sourcePorts, rules }: Zone): readonly Placed[] {
  const sorted = (wanted: (priority: number) => boolean): readonly RichRule[] =>
    rules.filter(({ priority }) => wanted(priority)).sort((a, b) => a.priority - b.priority);
  const plain = sorted((priority) => priority === 0);
  const out: HostRule[] = [
    ...ALWAYS_IN.map(
      (type): HostRule => ({ version: 6, proto: 'icmp', icmp: is({ type }), action: { kind: 'accept' } }),
    ),
    ...sorted((priority) => priority < 0).map(asRule),
    ...plain.filter(({ action }) => action !== 'accept').map(asRule),
    ...ports.map(({ proto, range }): HostRule => ({ proto, dport: is([range]), action: { kind: 'accept' } })),
    ...sourcePorts.map(
      ({ proto, range }): HostRule => ({ proto, sport: is([range]), action: { kind: 'accept' } }),
    ),
    ...plain.filter(({ action }) => action === 'accept').map(asRule),
    ...sorted((priority) => priority > 0).map(asRule),
    ...atEnd(target),
  ];
  return out.map((rule) => ({ table: 'filter', chain: `zone-${name}`, rule }));
}

function asRule({ source, port: { proto, range }, action }: RichRule): HostRule {
  return {
    proto,
    dport: is([range]),
    action: { kind: action },
    ...(source === undefined
      ? {}
      : {
          version: source.version,
          saddr: { value: { kind: 'network', network: source.network }, negated: source.negated },
        }),
  };
}

/** What becomes of the rest; ICMP of either version comes in where the target is the default one. */
function atEnd(target: Zone['target']): readonly HostRule[] {
  switch (target) {
    case 'default':
      return [
        { proto: 'icmp', action: { kind: 'accept' } },
        { proto: 'foreign-icmp', action: { kind: 'accept' } },
        { action: { kind: 'reject' } },
      ];
    case '%%REJECT%%':
      return [{ action: { kind: 'reject' } }];
    case 'ACCEPT':
      return [{ action: { kind: 'accept' } }];
    case 'DROP':
      return [{ action: { kind: 'drop' } }];
  }
}
