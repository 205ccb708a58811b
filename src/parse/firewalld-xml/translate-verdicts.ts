/** Targets of zones and policies, kinds of rejection, and the logging of what is denied. */
import { type Match, type Origin, PACKET_TYPE, type Verdict } from '../../model/index.ts';
import { single, TCP } from '../../net/index.ts';
import type { RuleDraft } from './translate-chains.ts';
import { protocolIs, versionIs } from './translate-matches.ts';
import { ACCEPT, CONTINUE, DROP, needs, REJECT, type World } from './translate-world.ts';

/** The last word of a zone: reject for `default` and `%%REJECT%%`. Other texts are no targets, and firewalld refuses them. */
export function zoneTarget(target: string | undefined): Verdict {
  switch (target) {
    case 'ACCEPT':
      return ACCEPT;
    case 'DROP':
      return DROP;
    default:
      return REJECT;
  }
}

/** The last word of a policy; `undefined`: none, the packet goes on. */
export function policyTarget(target: string | undefined): Verdict | undefined {
  switch (target) {
    case 'ACCEPT':
      return ACCEPT;
    case 'DROP':
      return DROP;
    case 'REJECT':
      return REJECT;
    default:
      return undefined;
  }
}

// Names of firewalld.richlanguage(5), with the reject of nft(8) behind them.
const REJECT_TYPES: Readonly<Record<string, string>> = {
  'icmp-host-prohibited': 'icmp host-prohibited',
  'host-prohib': 'icmp host-prohibited',
  'icmp-net-prohibited': 'icmp net-prohibited',
  'net-prohib': 'icmp net-prohibited',
  'icmp-admin-prohibited': 'icmp admin-prohibited',
  'admin-prohib': 'icmp admin-prohibited',
  'icmp6-adm-prohibited': 'icmpv6 admin-prohibited',
  'adm-prohibited': 'icmpv6 admin-prohibited',
  'icmp-net-unreachable': 'icmp net-unreachable',
  'net-unreach': 'icmp net-unreachable',
  'icmp-host-unreachable': 'icmp host-unreachable',
  'host-unreach': 'icmp host-unreachable',
  'icmp-port-unreachable': 'icmp port-unreachable',
  'icmp6-port-unreachable': 'icmpv6 port-unreachable',
  'port-unreach': 'icmpx port-unreachable',
  'icmp-proto-unreachable': 'icmp prot-unreachable',
  'proto-unreach': 'icmp prot-unreachable',
  'icmp6-addr-unreachable': 'icmpv6 addr-unreachable',
  'addr-unreach': 'icmpv6 addr-unreachable',
  'icmp6-no-route': 'icmpv6 no-route',
  'no-route': 'icmpv6 no-route',
  'tcp-reset': 'tcp reset',
  'tcp-rst': 'tcp reset',
};

/** `reject` with a type of a rich rule, and what the kind of answer demands of the packet. */
export function rejectOf(type: string | undefined): {
  readonly matches: readonly Match[];
  readonly verdict: Verdict;
} {
  if (type === undefined) return { matches: [], verdict: { kind: 'reject', with: 'default' } };
  const how = Object.hasOwn(REJECT_TYPES, type) ? REJECT_TYPES[type]! : type;
  const word = how.split(' ')[0];
  const demand =
    word === 'tcp'
      ? [needs(protocolIs(TCP))]
      : word === 'icmp'
        ? [needs(versionIs(4))]
        : word === 'icmpv6'
          ? [needs(versionIs(6))]
          : [];
  return { matches: demand, verdict: { kind: 'reject', with: how } };
}

/** The log entry that `LogDenied` puts before a denial; `undefined` where it is off. */
export function deniedLog(
  world: World,
  what: string,
  origin: Origin,
  matches: readonly Match[] = [],
): RuleDraft | undefined {
  if (world.logDenied === undefined) return undefined;
  const type = Object.entries(PACKET_TYPE).find(([name]) => name === world.logDenied)?.[1];
  const only: readonly Match[] =
    type === undefined
      ? []
      : [
          {
            text: `meta pkttype ${world.logDenied}`,
            condition: { kind: 'field', field: 'pkttype', values: [single(type)] },
          },
        ];
  const text = `log: ${what} (LogDenied)`;
  return {
    matches: [...matches, ...only],
    statements: [{ kind: 'no-effect', text: 'log' }],
    verdict: CONTINUE,
    text,
    origin,
  };
}
