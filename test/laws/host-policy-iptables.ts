/** Host policies as `iptables-save`, `ip6tables-save` and `ipset save` print them. */
import { formatAddress, type IpVersion } from '../../src/net/index.ts';
import {
  type Addresses,
  addressRange,
  chainsOf,
  type HostPolicy,
  type HostRule,
  type Negatable,
  type Network,
  networkInterval,
  prefixLength,
  type Range,
  type TableName,
  versionsOf,
} from './host-policy.ts';

/** Texts of the three files. */
export interface IptablesFiles {
  readonly iptables: string;
  readonly ip6tables: string;
  readonly ipset: string;
}

export function hostPolicyToIptables(policy: HostPolicy): IptablesFiles {
  const sets: string[] = [];
  const text = (version: IpVersion): string =>
    (['raw', 'mangle', 'nat', 'filter'] as const)
      .map((table) => tableText(policy, table, version, sets))
      .join('');
  return { iptables: text(4), ip6tables: text(6), ipset: sets.join('') };
}

function tableText(policy: HostPolicy, table: TableName, version: IpVersion, sets: string[]): string {
  const { dropping, rules } = policy;
  const { atHooks, others } = chainsOf(policy, table);
  const chains = [
    ...atHooks.map((chain) => {
      const drops = table === 'filter' && dropping.includes(chain);
      return `:${chain} ${drops ? 'DROP' : 'ACCEPT'} [0:0]\n`;
    }),
    ...others.map((chain) => `:${chain} - [0:0]\n`),
  ];
  const lines = rules
    .filter((placed) => placed.table === table && versionsOf(placed.rule).includes(version))
    .flatMap(({ chain, rule }) =>
      targets(rule, version).map(([extra, target]) =>
        ['-A', chain, ...options(rule, version, sets, extra), target].filter((word) => word !== '').join(' '),
      ),
    );
  return [`*${table}\n`, ...chains, ...lines.map((line) => `${line}\n`), 'COMMIT\n'].join('');
}

/** The target, or several lines' targets, each with the options that it needs besides. */
function targets({ proto, action }: HostRule, version: IpVersion): readonly (readonly [string, string])[] {
  switch (action.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return [['', `-j ${action.kind.toUpperCase()}`]];
    case 'none':
      return [['', '']];
    case 'reject':
      return [
        ['', `-j REJECT --reject-with ${version === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'}`],
      ];
    case 'notrack':
      return [['', '-j CT --notrack']];
    case 'jump':
      return [['', `-j ${action.chain}`]];
    case 'goto':
      return [['', `-g ${action.chain}`]];
    case 'mark':
      return [['', `-j MARK --set-xmark 0x${action.mark.toString(16)}/0xffffffff`]];
    case 'redirect':
      return [['', `-j REDIRECT --to-ports ${action.port}`]];
    case 'dnat': {
      const address = formatAddress(version, networkInterval(version, action.to).lo);
      if (action.port === undefined) return [['', `-j DNAT --to-destination ${address}`]];
      const shown = version === 4 ? address : `[${address}]`;
      return [['', `-j DNAT --to-destination ${shown}:${action.port}`]];
    }
    case 'by-port':
      return action.verdicts.map(([port, verdict]) => [
        `-m multiport --dports ${port}`,
        `-j ${verdict.toUpperCase()}${proto === undefined ? ' without ports' : ''}`,
      ]);
  }
}

const protocolName = (proto: NonNullable<HostRule['proto']>, version: IpVersion): string =>
  proto === 'tcp' || proto === 'udp' ? proto : (proto === 'icmp') === (version === 4) ? 'icmp' : 'ipv6-icmp';
const not = (negated: boolean): string => (negated ? '! ' : '');

function options(rule: HostRule, version: IpVersion, sets: string[], extra: string): readonly string[] {
  const { proto, dport, sport, icmp, flags, saddr, daddr, pairs, iif, oif, states, translated, mark } = rule;
  const out: string[] = [];
  if (saddr !== undefined) out.push(addressOption(saddr, 'src', version, sets));
  if (daddr !== undefined) out.push(addressOption(daddr, 'dst', version, sets));
  for (const [name, asked] of [
    ['-i', iif],
    ['-o', oif],
  ] as const)
    if (asked !== undefined)
      out.push(`${not(asked.negated)}${name} ${asked.value.name}${asked.value.prefix ? '+' : ''}`);
  if (proto !== undefined) out.push(`-p ${protocolName(proto, version)}`);
  if (sport !== undefined) out.push(portOption(sport, 'sport', proto ?? ''));
  if (dport !== undefined) out.push(portOption(dport, 'dport', proto ?? ''));
  if (icmp !== undefined) {
    const { type, code } = icmp.value;
    const [module, name] = version === 4 ? ['icmp', 'icmp-type'] : ['icmp6', 'icmpv6-type'];
    out.push(`-m ${module} ${not(icmp.negated)}--${name} ${type}${code === undefined ? '' : `/${code}`}`);
  }
  if (flags !== undefined) {
    const list = (names: readonly string[]): string => names.join(',').toUpperCase();
    out.push(`-m tcp ${not(flags.negated)}--tcp-flags ${list(flags.value.asked)} ${list(flags.value.set)}`);
  }
  if (pairs !== undefined) {
    const name = addSet(sets, 'hash:ip,port', version, [
      ...new Set(pairs.value.map(([address, port]) => `${hostText(version, address)},${proto}:${port}`)),
    ]);
    out.push(`-m set ${not(pairs.negated)}--match-set ${name} src,dst`);
  }
  if (states !== undefined)
    out.push(`-m conntrack ${not(states.negated)}--ctstate ${states.value.join(',').toUpperCase()}`);
  // `ct status` of nft never matches a packet without a connection; a negated list of states does, unless it names them.
  if (translated !== undefined)
    out.push(`-m conntrack ${translated ? '--ctstate DNAT' : '! --ctstate INVALID,UNTRACKED,DNAT'}`);
  if (mark !== undefined) {
    const { value, mask } = mark.value;
    const masked = mask === 0xffff_ffff ? '' : `/0x${mask.toString(16)}`;
    out.push(`-m mark ${not(mark.negated)}--mark 0x${value.toString(16)}${masked}`);
  }
  return [...out, extra];
}

const hostText = (version: IpVersion, address: Network): string =>
  formatAddress(version, networkInterval(version, address).lo);
const networkText = (version: IpVersion, address: Network): string =>
  `${hostText(version, address)}/${prefixLength(version, address)}`;

function addressOption(
  { value, negated }: Negatable<Addresses>,
  side: 'src' | 'dst',
  version: IpVersion,
  sets: string[],
): string {
  switch (value.kind) {
    case 'network':
      return `${not(negated)}${side === 'src' ? '-s' : '-d'} ${networkText(version, value.network)}`;
    case 'range': {
      const { lo, hi } = addressRange(version, value.ends);
      return `-m iprange ${not(negated)}--${side}-range ${formatAddress(version, lo)}-${formatAddress(version, hi)}`;
    }
    case 'set': {
      const elements = [
        ...new Set(value.networks.map((one) => networkText(version, one))),
        ...new Set(value.holes.map((one) => `${networkText(version, one)} nomatch`)),
      ];
      return `-m set ${not(negated)}--match-set ${addSet(sets, 'hash:net', version, elements)} ${side}`;
    }
  }
}

/** Adds a set to the text and gives its name. */
function addSet(sets: string[], type: string, version: IpVersion, elements: readonly string[]): string {
  const name = `s${sets.length}`;
  const family = version === 4 ? 'inet' : 'inet6';
  sets.push(
    `create ${name} ${type} family ${family}\n${elements.map((element) => `add ${name} ${element}\n`).join('')}`,
  );
  return name;
}

function portOption(
  { value, negated }: Negatable<readonly Range[]>,
  side: 'sport' | 'dport',
  proto: string,
): string {
  const [first] = value;
  return value.length === 1
    ? `-m ${proto} ${not(negated)}--${side} ${first!.join(':')}`
    : `-m multiport ${not(negated)}--${side}s ${value.map(([lo]) => lo).join(',')}`;
}
