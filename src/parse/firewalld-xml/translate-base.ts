/** The chains that firewalld lays out whatever the configuration says. Source: firewalld 1.3.3 as loaded. */
import type { BaseChain, Hook, Match, Origin, Verdict } from '../../model/index.ts';
import { type Interval, interval, maxAddress, parseIpv6, prefixMask } from '../../net/index.ts';
import {
  any,
  DNAT_MATCH,
  icmpMatch,
  interfaceMatch,
  stateMatch,
  unknown,
  versionIs,
} from './translate-matches.ts';
import { deniedLog } from './translate-verdicts.ts';
import { ACCEPT, DROP, REJECT, type World } from './translate-world.ts';

/** firewalld's priorities lie 10 behind those of iptables. */
const OFFSET = 10;

const BASE_CHAINS: readonly (readonly [
  name: string,
  type: BaseChain['type'],
  hook: Hook,
  priority: number,
])[] = [
  ['mangle_PREROUTING', 'filter', 'prerouting', -150],
  ['nat_PREROUTING', 'nat', 'prerouting', -100],
  ['nat_POSTROUTING', 'nat', 'postrouting', 100],
  ['nat_OUTPUT', 'nat', 'output', -100],
  ['filter_PREROUTING', 'filter', 'prerouting', 0],
  ['filter_INPUT', 'filter', 'input', 0],
  ['filter_FORWARD', 'filter', 'forward', 0],
  ['filter_OUTPUT', 'filter', 'output', 0],
];

/** What firewalld.conf decides about the chains of the base. */
export interface BaseSettings {
  readonly origin: Origin;
  readonly ipv6ReversePath: boolean;
  readonly rejectMappedIpv4: boolean;
  /** `StrictForwardPorts` of firewalld 2.x: translations by others are not accepted for being translated. */
  readonly strictForwardPorts: boolean;
  /** Jumps to direct rules that stand before the zones. */
  readonly direct: readonly {
    readonly chain: 'INPUT' | 'FORWARD' | 'OUTPUT';
    readonly match: Match;
    readonly target: string;
  }[];
}

/** Base chains, and the rules in them. */
export function addBase(settings: BaseSettings, world: World): void {
  const { builder } = world;
  const { origin } = settings;
  for (const [name, type, hook, priority] of BASE_CHAINS) {
    builder.declare(name, origin, { type, hook, priority: priority + OFFSET, chainPolicy: 'accept' });
    if (name === 'filter_PREROUTING') continue;
    const output = name.endsWith('OUTPUT');
    for (const suffix of output ? ['pre', 'post'] : ['pre', 'zones', 'post'])
      builder.declare(suffix === 'zones' ? `${name}_ZONES` : `${name}_POLICIES_${suffix}`, origin);
    if (name.startsWith('filter')) continue;
    if (!output) builder.jump(name, `${name}_ZONES`, origin);
    else for (const suffix of ['pre', 'post']) builder.jump(name, `${name}_POLICIES_${suffix}`, origin);
  }
  if (settings.ipv6ReversePath) addReversePath(origin, world);
  addFilter('INPUT', settings, world);
  addFilter('FORWARD', settings, world);
  addOutput(settings, world);
}

function own(world: World, chain: string, origin: Origin) {
  return (words: string, verdict: Verdict, ...matches: readonly Match[]): void =>
    world.builder.add(chain, { matches, verdict, text: `${words} (firewalld's own)`, origin });
}

/** Routes are in no export: the check is taken as passed, and that is said. */
function addReversePath(origin: Origin, world: World): void {
  const add = own(world, 'filter_PREROUTING', origin);
  const discovery = any(
    icmpMatch(6, 'router-advertisement').condition,
    icmpMatch(6, 'neighbour-solicitation').condition,
  );
  add('neighbour discovery', ACCEPT, {
    text: 'icmpv6 type { router-advertisement, neighbour-solicitation }',
    condition: discovery,
  });
  world.remarks.add(
    'note',
    false,
    origin,
    'IPv6_rpfilter is on: the reverse path check of IPv6 depends on routes that no export holds; it is assumed that packets pass it',
  );
}

function addFilter(hook: 'INPUT' | 'FORWARD', settings: BaseSettings, world: World): void {
  const { builder } = world;
  const { origin } = settings;
  const chain = `filter_${hook}`;
  const add = own(world, chain, origin);
  const invalid = stateMatch('invalid');
  add('established and related', ACCEPT, stateMatch('established', 'related'));
  add('forwarded ports', ACCEPT, DNAT_MATCH, ...(settings.strictForwardPorts ? [OWN_FORWARD] : []));
  add('loopback', ACCEPT, interfaceMatch('iif', 'lo'));
  const log = deniedLog(world, 'invalid packets', origin, [invalid]);
  if (log !== undefined) builder.add(chain, log);
  add('invalid', DROP, invalid);
  addDirect(hook, settings, world);
  if (hook === 'FORWARD' && settings.rejectMappedIpv4) addMapped(chain, origin, world);
  builder.jump(chain, `${chain}_ZONES`, origin);
  const last = deniedLog(world, 'everything else', origin);
  if (last !== undefined) builder.add(chain, last);
  add('everything else', REJECT);
}

/** In doubt firewalld's own: only where other programs translate too does it make a difference. */
const OWN_FORWARD: Match = {
  text: 'translated by a forward-port',
  condition: unknown('translated by a forward-port of firewalld (StrictForwardPorts=yes)'),
};

function addOutput(settings: BaseSettings, world: World): void {
  const { origin } = settings;
  const add = own(world, 'filter_OUTPUT', origin);
  add('established and related', ACCEPT, stateMatch('established', 'related'));
  add('loopback', ACCEPT, interfaceMatch('oif', 'lo'));
  addDirect('OUTPUT', settings, world);
  if (settings.rejectMappedIpv4) addMapped('filter_OUTPUT', origin, world);
  for (const suffix of ['pre', 'post'])
    world.builder.jump('filter_OUTPUT', `filter_OUTPUT_POLICIES_${suffix}`, origin);
}

function addDirect(hook: 'INPUT' | 'FORWARD' | 'OUTPUT', settings: BaseSettings, world: World): void {
  for (const { chain, match, target } of settings.direct) {
    if (chain !== hook) continue;
    const verdict: Verdict = { kind: 'jump', chain: target };
    const text = `direct rules of ${match.text}`;
    world.builder.add(`filter_${hook}`, { matches: [match], verdict, text, origin: settings.origin });
  }
}

// Addresses of IPv6 that stand for IPv4 ones: RFC 3964 section 5.3.1, in the prefixes firewalld uses.
const MAPPED = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['2002::', 24],
  ['2002:a00::', 24],
  ['2002:7f00::', 24],
  ['2002:a9fe::', 32],
  ['2002:ac10::', 28],
  ['2002:c0a8::', 32],
  ['2002:e000::', 19],
] as const;

function addMapped(chain: string, origin: Origin, world: World): void {
  const values = MAPPED.map(([text, length]): Interval => {
    const from = parseIpv6(text) ?? 0n;
    return interval(from, from | (maxAddress(6) ^ prefixMask(6, length)));
  });
  const match: Match = {
    text: 'ip6 daddr of 6to4 and mapped IPv4',
    condition: { kind: 'address', field: 'daddr', version: 6, values },
  };
  const answer: Verdict = { kind: 'reject', with: 'icmpv6 addr-unreachable' };
  if (world.logDenied === 'unicast' || world.logDenied === 'all') {
    const log = deniedLog({ ...world, logDenied: 'all' }, 'RFC3964_IPv4', origin, [match]);
    if (log !== undefined) world.builder.add(chain, log);
  }
  own(world, chain, origin)('RFC3964_IPv4', answer, match, { text: '', condition: versionIs(6) });
}
