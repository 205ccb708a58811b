import { ALWAYS, type Condition, CT_STATE, type Match, NEVER, negateIf } from '../../model/index.ts';
import { type Interval, maxAddress, PROTOCOLS_WITH_PORTS, single } from '../../net/index.ts';
import { quote } from '../diagnostic-log.ts';
import { printWord } from '../words.ts';
import {
  addressConverter,
  both,
  CONNECTED,
  canonicalText,
  deterministic,
  fieldIn,
  fieldIs,
  portConverter,
  protocolConverter,
} from './conditions.ts';
import { type ModuleUse, type OptionUse, type Problem, problem, type RuleContext } from './spec.ts';

/** The text of one option of a module as its author wrote it. */
export function matchText(use: ModuleUse, optionUse: OptionUse): string {
  return use.explicit ? `-m ${use.name} ${optionUse.source}` : optionUse.source;
}

/** The text of a module with all its options as the author wrote it. */
export function moduleText(use: ModuleUse): string {
  return [...(use.explicit ? [`-m ${use.name}`] : []), ...use.options.map((o) => o.source)].join(' ');
}

/**
 * Canonical text of a module with all its options. With a single option the negation is left out and told
 * beside it; with several it stays inside, where it is part of the predicate's identity.
 */
export function opaqueMatch(use: ModuleUse, nature: 'deterministic' | 'varying'): Match {
  const only = use.options.length === 1 ? use.options[0] : undefined;
  const parts = use.options.flatMap((o) => [
    ...(o.negated && only === undefined ? ['!'] : []),
    o.name,
    ...o.args.map((a) => printWord(a, /\s|^$/.test(a))),
  ]);
  const condition: Condition = { kind: 'unknown', nature, text: ['-m', use.name, ...parts].join(' ') };
  return { text: moduleText(use), condition: negateIf(only?.negated ?? false, condition) };
}

/** What ip6tables makes of a list of types: see `addressTypeMatches`. */
function ipv6AddressTypes(
  field: 'saddr' | 'daddr',
  types: readonly string[],
  byRoute: (types: readonly string[]) => Condition,
): Condition {
  const rest = types.filter((type) => !Object.hasOwn(IPV6_TYPES, type));
  return types.reduce<Condition>(
    (all, type) => {
      const values = Object.hasOwn(IPV6_TYPES, type) ? IPV6_TYPES[type] : undefined;
      return values === undefined ? all : both(all, { kind: 'address', field, version: 6, values });
    },
    rest.length > 0 ? byRoute(rest) : ALWAYS,
  );
}

/** Types `-m addrtype` knows. Source: iptables-extensions(8), addrtype. */
const ADDRESS_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
] as const;

/** Types that ip6tables decides by the address alone. */
const IPV6_TYPES: Readonly<Record<string, readonly Interval[]>> = {
  UNSPEC: [single(0n)],
  UNICAST: [{ lo: 1n, hi: (0xffn << 120n) - 1n }],
  MULTICAST: [{ lo: 0xffn << 120n, hi: maxAddress(6) }],
};

/**
 * `-m addrtype`: its `--limit-iface-*` options bear on all types of the same use.
 *
 * ip6tables reads a list otherwise than iptables: UNSPEC, UNICAST and MULTICAST are each required, and are decided by the
 * address, so that a host's own address is UNICAST too; of the other types one suffices.
 * Source: linux net/netfilter/xt_addrtype.c, match_type6().
 */
export function addressTypeMatches(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  const limits = use.options.filter((o) => o.name.startsWith('--limit-iface'));
  const matches: Match[] = [];
  for (const o of use.options) {
    if (limits.includes(o)) continue;
    const types: string[] = [];
    for (const word of o.args[0]!.split(',')) {
      const wanted = word.trim().toUpperCase();
      const type =
        wanted === '' ? undefined : ADDRESS_TYPES.find((candidate) => candidate.startsWith(wanted));
      if (type === undefined) return problem(`${quote(word)} is no address type`);
      types.push(type);
    }
    const text = [`-m addrtype ${o.name} ${types.join(',')}`, ...limits.map((l) => l.name)].join(' ');
    const field = o.name === '--src-type' ? 'saddr' : 'daddr';
    const byRoute = (asked: readonly string[]): Condition => ({
      kind: 'address-type',
      field,
      types: asked,
      limitedToInterface: limits.length > 0,
      text,
    });
    const condition = context.version === 4 ? byRoute(types) : ipv6AddressTypes(field, types, byRoute);
    matches.push({
      text: moduleText({ ...use, options: [o, ...limits] }),
      condition: negateIf(o.negated, condition),
    });
  }
  return matches.length > 0 ? matches : problem('addrtype needs --src-type or --dst-type');
}

/**
 * `-m conntrack`. Without a connection (invalid, untracked) the kernel answers with the state test alone and
 * skips all others; without a state test it answers false, whatever is negated.
 * Source: linux net/netfilter/xt_conntrack.c, conntrack_mt.
 */
export function conntrackMatches(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  const hasState = use.options.some((o) => o.name === '--ctstate');
  const matches: Match[] = [];
  for (const o of use.options) {
    const condition = conntrackCondition(o, context);
    if (condition.kind === 'problem') return condition;
    const tested = negateIf(o.negated, condition);
    if (o.name === '--ctstate') matches.push({ text: matchText(use, o), condition: tested });
    else {
      const outcome: Condition = hasState
        ? { kind: 'any', of: [{ kind: 'not', of: CONNECTED }, tested] }
        : { kind: 'all', of: [CONNECTED, tested] };
      matches.push({ text: matchText(use, o), condition: outcome });
    }
  }
  return matches.length > 0 ? matches : problem('conntrack needs an option');
}

function conntrackCondition(use: OptionUse, context: RuleContext): Condition | Problem {
  const text = canonicalText('conntrack', use);
  switch (use.name) {
    case '--ctstate':
      return use.spec.convert === undefined ? deterministic(text) : use.spec.convert(use, context);
    case '--ctproto':
      return original(protocolConverter(use, context), text);
    case '--ctorigsrc':
      return original(addressConverter('saddr')({ ...use, negated: false }, context), text);
    case '--ctorigdst':
      return original(addressConverter('daddr')({ ...use, negated: false }, context), text);
    case '--ctorigsrcport':
      return originalPort(portConverter('sport', 'conntrack')(use, context), text);
    case '--ctorigdstport':
      return originalPort(portConverter('dport', 'conntrack')(use, context), text);
    case '--ctdir':
      return direction(use);
    case '--ctexpire':
      return { kind: 'unknown', nature: 'varying', text };
    default:
      return deterministic(text);
  }
}

function original(condition: Condition | Problem, text: string): Condition | Problem {
  if (condition.kind === 'field' || condition.kind === 'address')
    return { kind: 'original', of: condition, text };
  return condition;
}

/** For ICMP the kernel compares the tuple's type, code or identifier with the port: kept as an unknown. */
function originalPort(condition: Condition | Problem, text: string): Condition | Problem {
  if (condition.kind !== 'field') return condition;
  const withPorts = fieldIn('protocol', PROTOCOLS_WITH_PORTS.map(single));
  return {
    kind: 'any',
    of: [
      { kind: 'all', of: [withPorts, { kind: 'original', of: condition, text }] },
      { kind: 'all', of: [{ kind: 'not', of: withPorts }, deterministic(text)] },
    ],
  };
}

/** The first packet of a connection has the direction ORIGINAL; the header of a later one does not show it. */
function direction(use: OptionUse): Condition | Problem {
  const word = use.args[0]!.toUpperCase();
  if (word !== 'ORIGINAL' && word !== 'REPLY') return problem(`${quote(use.args[0]!)} is no direction`);
  const isOriginal: Condition = {
    kind: 'any',
    of: [fieldIs('ct-state', CT_STATE.new), deterministic('-m conntrack --ctdir ORIGINAL')],
  };
  return negateIf(word === 'REPLY', isOriginal);
}

/** `-m connmark`: false without a connection, also under negation (linux net/netfilter/xt_connmark.c). */
export function connmarkMatches(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  return eachOption(use, context, (condition, o) => both(CONNECTED, negateIf(o.negated, condition)));
}

/**
 * `-m mac`: false, also under negation, for packets that came over no Ethernet device (linux net/netfilter/xt_mac.c); of those
 * only `lo` can be told from its name.
 */
export function macMatches(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  const notLoopback: Condition = {
    kind: 'not',
    of: { kind: 'interface', field: 'iif', name: 'lo', prefix: false },
  };
  return eachOption(use, context, (condition, o) => both(notLoopback, negateIf(o.negated, condition)));
}

function eachOption(
  use: ModuleUse,
  context: RuleContext,
  finish: (condition: Condition, o: OptionUse) => Condition,
): readonly Match[] | Problem {
  const matches: Match[] = [];
  for (const o of use.options) {
    const condition = o.spec.convert?.(o, context) ?? deterministic(canonicalText(use.name, o));
    if (condition.kind === 'problem') return condition;
    matches.push({ text: matchText(use, o), condition: finish(condition, o) });
  }
  return matches.length > 0 ? matches : problem(`${use.name} needs an option`);
}

/** `-m multiport`: within the rule's protocol; where `-p` does not name one, within those that have ports. */
export function multiportMatches(use: ModuleUse, context: RuleContext): readonly Match[] | Problem {
  const known = context.protocol !== undefined && PROTOCOLS_WITH_PORTS.includes(context.protocol);
  if (!known) {
    context.remark(
      'multiport protocol',
      'note',
      'multiport without a protocol that has ports is refused by iptables; it is read as "any protocol with ports"',
    );
  }
  const within = known ? ALWAYS : fieldIn('protocol', PROTOCOLS_WITH_PORTS.map(single));
  return eachOption(use, context, (condition, o) => both(within, negateIf(o.negated, condition)));
}

/**
 * `-m rpfilter`: whether a route leads back is not in any export. Assumed passed (design.md, 3), said once per file.
 */
export function rpfilterMatches(use: ModuleUse, context: RuleContext): readonly Match[] {
  context.remark(
    'rpfilter',
    'note',
    'assumed: every packet passes the reverse path filter, since routes are not part of an export',
  );
  const inverted = use.options.some((o) => o.name === '--invert');
  return [{ text: moduleText(use), condition: inverted ? NEVER : ALWAYS }];
}

/**
 * `-m recent`: `--set` enters the address and always matches (linux net/netfilter/xt_recent.c, recent_mt); the
 * other modes depend on what came before.
 */
export function recentMatches(use: ModuleUse): readonly Match[] {
  const set = use.options.find((o) => o.name === '--set');
  if (set === undefined) return [opaqueMatch(use, 'varying')];
  return [{ text: moduleText(use), condition: set.negated ? NEVER : ALWAYS }];
}

const COUNTER_OPTIONS = /^--(packets|bytes)-/;

/** `-m set`: lookups in named sets; tests of an element's counters are varying unknowns beside the lookup. */
export function setMatches(use: ModuleUse): readonly Match[] | Problem {
  const lookups = use.options.filter((o) => o.name === '--match-set');
  if (lookups.length !== 1) return problem('set needs exactly one --match-set');
  const lookup = lookups[0]!;
  const set = lookup.args[0]!;
  const directions: ('src' | 'dst')[] = [];
  for (const word of lookup.args[1]!.split(',')) {
    if (word !== 'src' && word !== 'dst') return problem(`${quote(word)} is neither src nor dst`);
    directions.push(word);
  }
  const returnNomatch = use.options.some((o) => o.name === '--return-nomatch');
  const tail = returnNomatch ? ' --return-nomatch' : '';
  const text = `-m set --match-set ${printWord(set, false)} ${directions.join(',')}${tail}`;
  const found = negateIf(lookup.negated, { kind: 'named-set', set, directions, returnNomatch, text });
  const counters = use.options.filter((o) => COUNTER_OPTIONS.test(o.name));
  if (counters.length === 0) return [{ text: moduleText(use), condition: found }];
  const counted = opaqueMatch({ ...use, explicit: true, options: [lookup, ...counters] }, 'varying');
  return [{ text: moduleText(use), condition: both(found, counted.condition) }];
}
