import { TCP_FLAG } from '../../model/index.ts';
import { DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from '../../net/index.ts';
import {
  addressRangeConverter,
  dscpConverter,
  icmpConverter,
  macConverter,
  markConverter,
  numberConverter,
  packetTypeConverter,
  portConverter,
  portListConverter,
  rangeConverter,
  stateConverter,
  synConverter,
  tcpFlagConverter,
  tcpFlagsConverter,
  tosConverter,
} from './conditions.ts';
import { type MatchMeaning, type MatchModule, type OptionSpec, option } from './spec.ts';
import {
  addressTypeMatches,
  connmarkMatches,
  conntrackMatches,
  macMatches,
  multiportMatches,
  recentMatches,
  rpfilterMatches,
  setMatches,
} from './whole-modules.ts';

const BY_OPTION: MatchMeaning = { kind: 'by-option', nature: 'deterministic' };
const ALWAYS_SAME: MatchMeaning = { kind: 'opaque', nature: 'deterministic' };
const VARYING: MatchMeaning = { kind: 'opaque', nature: 'varying' };

function match(
  name: string,
  meaning: MatchMeaning,
  options: readonly OptionSpec[],
  protocol?: number,
): MatchModule {
  return { name, meaning, options, protocol };
}

function whole(convert: Extract<MatchMeaning, { kind: 'whole' }>['convert']): MatchMeaning {
  return { kind: 'whole', convert };
}

function portOptions(module: string): readonly OptionSpec[] {
  return [
    option('--sport --source-port', 1, '!', portConverter('sport', module)),
    option('--dport --destination-port', 1, '!', portConverter('dport', module)),
  ];
}

/** Options with one argument each, for modules that are not looked into. */
function plain(flags: '' | '!' | '+' | '!+', ...names: readonly string[]): readonly OptionSpec[] {
  return names.map((name) => option(name, 1, flags));
}

/** Options without an argument. */
function bare(flags: '' | '!' | '+' | '!+', ...names: readonly string[]): readonly OptionSpec[] {
  return names.map((name) => option(name, 0, flags));
}

/**
 * Every match extension of iptables-extensions(8), version 1.8.9, and some of older kernels and xtables-addons.
 * A module or option that is not here is kept as one unknown condition with its text.
 */
export const MATCH_MODULES: readonly MatchModule[] = [
  match(
    'tcp',
    BY_OPTION,
    [
      ...portOptions('tcp'),
      option('--tcp-flags', 2, '!', tcpFlagsConverter),
      option('--syn', 0, '!', synConverter),
      option('--tcp-option', 1, '!'),
    ],
    TCP,
  ),
  match('udp', BY_OPTION, portOptions('udp'), UDP),
  match('udplite', BY_OPTION, portOptions('udplite'), UDPLITE),
  match('sctp', BY_OPTION, [...portOptions('sctp'), option('--chunk-types', 'rest', '!')], SCTP),
  match(
    'dccp',
    BY_OPTION,
    [...portOptions('dccp'), option('--dccp-types', 1, '!'), option('--dccp-option', 1, '!')],
    DCCP,
  ),
  match('icmp', BY_OPTION, [option('--icmp-type', 1, '!', icmpConverter(4))], ICMP),
  match('icmp6', BY_OPTION, [option('--icmpv6-type', 1, '!', icmpConverter(6))], ICMPV6),
  match('multiport', whole(multiportMatches), [
    option('--sports --source-ports', 1, '!', portListConverter(['sport'])),
    option('--dports --destination-ports', 1, '!', portListConverter(['dport'])),
    option('--ports', 1, '!', portListConverter(['sport', 'dport'])),
  ]),
  match('conntrack', whole(conntrackMatches), [
    option('--ctstate', 1, '!', stateConverter),
    ...plain('!', '--ctproto', '--ctorigsrc', '--ctorigdst', '--ctreplsrc', '--ctrepldst'),
    ...plain(
      '!',
      '--ctorigsrcport',
      '--ctorigdstport',
      '--ctreplsrcport',
      '--ctrepldstport',
      '--ctstatus',
      '--ctexpire',
    ),
    option('--ctdir', 1, '!'),
  ]),
  match('state', BY_OPTION, [option('--state', 1, '!', stateConverter)]),
  match('mark', BY_OPTION, [option('--mark', 1, '!', markConverter('mark'))]),
  match('connmark', whole(connmarkMatches), [option('--mark', 1, '!', markConverter('ct-mark'))]),
  match('mac', whole(macMatches), [option('--mac-source', 1, '!', macConverter)]),
  match('addrtype', whole(addressTypeMatches), [
    ...plain('!', '--src-type', '--dst-type'),
    ...bare('', '--limit-iface-in', '--limit-iface-out'),
  ]),
  match('pkttype', BY_OPTION, [option('--pkt-type', 1, '!', packetTypeConverter)]),
  match('iprange', BY_OPTION, [
    option('--src-range', 1, '!', addressRangeConverter('saddr')),
    option('--dst-range', 1, '!', addressRangeConverter('daddr')),
  ]),
  match('dscp', BY_OPTION, [
    option('--dscp', 1, '!', dscpConverter),
    option('--dscp-class', 1, '!', dscpConverter),
  ]),
  match('tos', BY_OPTION, [option('--tos', 1, '!', tosConverter)]),
  match('ttl', BY_OPTION, [
    option('--ttl-eq --ttl', 1, '!', numberConverter('ttl', 255, 'equal')),
    option('--ttl-lt', 1, '', numberConverter('ttl', 255, 'below')),
    option('--ttl-gt', 1, '', numberConverter('ttl', 255, 'above')),
  ]),
  match('hl', BY_OPTION, [
    option('--hl-eq --hl', 1, '!', numberConverter('ttl', 255, 'equal')),
    option('--hl-lt', 1, '', numberConverter('ttl', 255, 'below')),
    option('--hl-gt', 1, '', numberConverter('ttl', 255, 'above')),
  ]),
  match('length', BY_OPTION, [option('--length', 1, '!', rangeConverter('length', 0xffff))]),
  match('ecn', BY_OPTION, [
    option('--ecn-tcp-cwr', 0, '!', tcpFlagConverter(TCP_FLAG.cwr)),
    option('--ecn-tcp-ece', 0, '!', tcpFlagConverter(TCP_FLAG.ece)),
    option('--ecn-ip-ect', 1, '!', numberConverter('ecn', 3, 'equal')),
  ]),
  match('set', whole(setMatches), [
    option('--match-set --set', 2, '!'),
    ...bare('', '--return-nomatch'),
    ...bare('!', '--update-counters', '--update-subcounters'),
    ...plain('!', '--packets-eq', '--bytes-eq'),
    ...plain('', '--packets-lt', '--packets-gt', '--bytes-lt', '--bytes-gt'),
  ]),
  match('rpfilter', whole(rpfilterMatches), bare('', '--loose', '--validmark', '--accept-local', '--invert')),
  match('recent', whole(recentMatches), [
    ...bare('!', '--set', '--rcheck', '--update', '--remove'),
    ...plain('', '--seconds', '--hitcount', '--name', '--mask'),
    ...bare('', '--reap', '--rttl', '--rsource', '--rdest'),
  ]),

  // Same answer for the same packet, but nothing an export shows.
  match('ah', ALWAYS_SAME, [...plain('!', '--ahspi', '--ahlen'), ...bare('', '--ahres')]),
  match('bpf', ALWAYS_SAME, plain('', '--object-pinned', '--bytecode')),
  // Always true; its text becomes the rule's comment.
  match('comment', ALWAYS_SAME, plain('', '--comment')),
  match('cgroup', ALWAYS_SAME, plain('!', '--path', '--cgroup')),
  match('cluster', ALWAYS_SAME, [
    ...plain('', '--cluster-total-nodes', '--cluster-hash-seed'),
    ...plain('!', '--cluster-local-node', '--cluster-local-nodemask'),
  ]),
  match('condition', ALWAYS_SAME, plain('!', '--condition')),
  match('connlabel', ALWAYS_SAME, [...plain('!', '--label'), ...bare('', '--set')]),
  match('cpu', ALWAYS_SAME, plain('!', '--cpu')),
  match('devgroup', ALWAYS_SAME, plain('!', '--src-group', '--dst-group')),
  match('dst', ALWAYS_SAME, [...plain('!', '--dst-len'), ...plain('', '--dst-opts')]),
  match('esp', BY_OPTION, plain('!', '--espspi'), 50),
  match('eui64', ALWAYS_SAME, []),
  match('frag', ALWAYS_SAME, [
    ...plain('!', '--fragid', '--fraglen'),
    ...bare('', '--fragres', '--fragfirst', '--fragmore', '--fraglast'),
  ]),
  match(
    'geoip',
    ALWAYS_SAME,
    plain('!', '--source-country --src-cc', '--destination-country --dst-cc').map(splitNames),
  ),
  match('hbh', ALWAYS_SAME, [...plain('!', '--hbh-len'), ...plain('', '--hbh-opts')]),
  match('helper', ALWAYS_SAME, plain('!', '--helper')),
  match('ipv6header', ALWAYS_SAME, [...bare('', '--soft'), ...plain('!', '--header')]),
  match('ipvs', ALWAYS_SAME, [
    ...bare('!', '--ipvs'),
    ...plain('!', '--vproto', '--vaddr', '--vport', '--vmethod', '--vportctl'),
    ...plain('', '--vdir'),
  ]),
  match('layer7', ALWAYS_SAME, [...plain('!', '--l7proto'), ...plain('', '--l7dir')]),
  match('mh', ALWAYS_SAME, plain('!', '--mh-type')),
  match('osf', ALWAYS_SAME, [...plain('!', '--genre'), ...plain('', '--ttl', '--log')]),
  match('owner', ALWAYS_SAME, [
    ...plain('!', '--uid-owner', '--gid-owner', '--pid-owner', '--sid-owner', '--cmd-owner'),
    ...bare('!', '--suppl-groups', '--socket-exists'),
  ]),
  match('physdev', ALWAYS_SAME, [
    ...plain('!', '--physdev-in', '--physdev-out'),
    ...bare('!', '--physdev-is-in', '--physdev-is-out', '--physdev-is-bridged'),
  ]),
  match('policy', ALWAYS_SAME, [
    ...plain('', '--dir', '--pol'),
    ...bare('+', '--strict', '--next'),
    ...plain('!+', '--reqid', '--spi', '--proto', '--mode', '--tunnel-src', '--tunnel-dst'),
  ]),
  match('realm', ALWAYS_SAME, plain('!', '--realm')),
  match('rt', ALWAYS_SAME, [
    ...plain('!', '--rt-type', '--rt-segsleft', '--rt-len'),
    ...bare('', '--rt-0-res', '--rt-0-not-strict'),
    ...plain('', '--rt-0-addrs'),
  ]),
  match('socket', ALWAYS_SAME, bare('', '--transparent', '--nowildcard', '--restore-skmark')),
  match('string', ALWAYS_SAME, [
    ...plain('', '--algo', '--from', '--to'),
    ...plain('!', '--string', '--hex-string'),
    ...bare('', '--icase'),
  ]),
  match('tcpmss', BY_OPTION, plain('!', '--mss'), TCP),
  match('time', ALWAYS_SAME, [
    ...plain('', '--datestart', '--datestop', '--timestart', '--timestop', '--days'),
    ...plain('!', '--monthdays', '--weekdays'),
    ...bare('', '--contiguous', '--kerneltz', '--utc', '--localtz'),
  ]),
  match('u32', ALWAYS_SAME, plain('!', '--u32')),

  // Rates, counters, chance: a new answer each time.
  match('connbytes', VARYING, [
    ...plain('!', '--connbytes'),
    ...plain('', '--connbytes-dir', '--connbytes-mode'),
  ]),
  match('connlimit', VARYING, [
    ...plain('!', '--connlimit-upto', '--connlimit-above'),
    ...plain('', '--connlimit-mask'),
    ...bare('', '--connlimit-saddr', '--connlimit-daddr'),
  ]),
  match('hashlimit', VARYING, [
    option('--hashlimit-upto --hashlimit', 1, '!'),
    ...plain('!', '--hashlimit-above'),
    ...plain(
      '',
      '--hashlimit-burst',
      '--hashlimit-mode',
      '--hashlimit-srcmask',
      '--hashlimit-dstmask',
      '--hashlimit-name',
    ),
    ...plain(
      '',
      '--hashlimit-htable-size',
      '--hashlimit-htable-max',
      '--hashlimit-htable-expire',
      '--hashlimit-htable-gcinterval',
    ),
    ...bare('', '--hashlimit-rate-match'),
    ...plain('', '--hashlimit-rate-interval'),
  ]),
  match('limit', VARYING, plain('!', '--limit', '--limit-burst')),
  match('nfacct', VARYING, plain('', '--nfacct-name')),
  match('nth', VARYING, plain('!', '--every', '--counter', '--start', '--packet')),
  match(
    'psd',
    VARYING,
    plain(
      '',
      '--psd-weight-threshold',
      '--psd-delay-threshold',
      '--psd-lo-ports-weight',
      '--psd-hi-ports-weight',
    ),
  ),
  match('quota', VARYING, plain('!', '--quota')),
  match('quota2', VARYING, [
    ...plain('!', '--quota'),
    ...plain('', '--name'),
    ...bare('', '--grow', '--no-change', '--packets'),
  ]),
  match('random', VARYING, plain('', '--average')),
  match('rateest', VARYING, [
    ...bare('', '--rateest-delta'),
    ...['--rateest-lt', '--rateest-gt', '--rateest-eq'].map((name) => option(name, 0, '!')),
    ...plain('', '--rateest', '--rateest1', '--rateest2'),
    ...[
      '--rateest-bps',
      '--rateest-pps',
      '--rateest-bps1',
      '--rateest-bps2',
      '--rateest-pps1',
      '--rateest-pps2',
    ].map((name) => option(name, 'optional')),
  ]),
  match('statistic', VARYING, [
    ...plain('', '--mode', '--packet'),
    ...plain('!', '--probability', '--every'),
  ]),
];

function splitNames(spec: OptionSpec): OptionSpec {
  return { ...spec, names: spec.names.flatMap((name) => name.split(' ')) };
}

const BY_NAME: ReadonlyMap<string, MatchModule> = new Map([
  ...MATCH_MODULES.map((m) => [m.name, m] as const),
  // Other names under which `-m` loads the same module.
  ...(['icmpv6', 'ipv6-icmp'] as const).map(
    (alias) => [alias, MATCH_MODULES.find((m) => m.name === 'icmp6')!] as const,
  ),
]);

/** The match module of this name, or `undefined` for one that is not in the table. */
export function matchModule(name: string): MatchModule | undefined {
  return BY_NAME.get(name);
}

const BY_PROTOCOL: ReadonlyMap<number, MatchModule> = new Map(
  MATCH_MODULES.filter((m) => m.protocol !== undefined && m.name !== 'tcpmss').map((m) => [m.protocol!, m]),
);

/** The match module that `-p` brings in for its protocol, when an option asks for it. */
export function moduleOfProtocol(protocol: number): MatchModule | undefined {
  return BY_PROTOCOL.get(protocol);
}
