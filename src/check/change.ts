/** What to change in a rule set, before it is told in the words of a dialect. */
import type { RemediationCommand } from '../finding/index.ts';
import type { Chain, Condition, Rule, Table } from '../model/index.ts';
import { type Interval, type IpVersion, normalizeIntervals } from '../net/index.ts';

/** One entitled access that has to keep working, or that is missing. */
export interface KeptAccess {
  readonly version: IpVersion;
  /** The peer; where the host itself sends, its destination. */
  readonly saddr: Interval;
  /** Only this destination; absent: the rule names none. */
  readonly daddr?: Interval;
  readonly protocol: number;
  readonly ports: readonly Interval[];
}

/**
 * Traffic besides the entitled access that a rule or policy lets through and no other rule does: what would stop with it
 * although it has nothing to do with the excess.
 */
export interface CarriedTraffic {
  /** The host to itself. */
  readonly loopback: boolean;
  /** Packets of existing connections, replies to the host's own requests among them. */
  readonly replies: boolean;
  /** IPv6 neighbour discovery, without which there is no IPv6. */
  readonly neighbours: boolean;
}

export const NOTHING_CARRIED: CarriedTraffic = { loopback: false, replies: false, neighbours: false };

/** A rule to write, in no dialect. `sources` and `ports` are normalized; no ports: all of them. */
export type WantedRule =
  | {
      readonly kind: 'access';
      readonly version: IpVersion;
      readonly protocol: number;
      readonly sources: readonly Interval[];
      /** Empty: the rule names none. */
      readonly destinations: readonly Interval[];
      readonly ports: readonly Interval[];
    }
  | { readonly kind: 'loopback' | 'replies' | 'neighbours' };

/** A rule in its chain and table. */
export interface RulePlace {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule;
}

/** What is known beside the rule set about a rule that goes. */
export interface ChangeContext {
  /** The rule of firewalld's configuration that the rule comes from, where only what runs is judged. */
  readonly counterpart?: RulePlace | undefined;
  /** The files of firewalld are there, and none of them makes this rule: it was added at run time. */
  readonly isRuntimeOnly?: boolean;
  /** Destination ports that are judged. An element may admit others that have nothing to do with the change. */
  readonly judged?: readonly Interval[] | undefined;
  /** What the change is about, where that is none of the ports that are judged: it is not kept either. */
  readonly fault?: { readonly protocols: readonly number[]; readonly ports: readonly Interval[] } | undefined;
}

/** One change of a rule set. */
export type Change =
  /** Accepting rules take the place of one rule, with its other conditions; `closes`: the base chain whose policy becomes drop besides. */
  | {
      readonly kind: 'replace';
      readonly place: RulePlace;
      readonly rules: readonly WantedRule[];
      readonly closes: Chain | undefined;
      readonly known: ChangeContext;
    }
  | { readonly kind: 'delete'; readonly place: RulePlace; readonly known: ChangeContext }
  /** Rules at the end of a base chain, then its policy becomes drop. */
  | {
      readonly kind: 'close-policy';
      readonly table: Table;
      readonly chain: Chain;
      readonly rules: readonly WantedRule[];
    }
  /** Accepting rules before a rule, or at the end of a chain. `out`: the addresses are destinations. */
  | {
      readonly kind: 'insert';
      readonly table: Table;
      readonly chain: Chain;
      readonly before: Rule | undefined;
      readonly direction: 'in' | 'out';
      readonly rules: readonly WantedRule[];
    };

/** Commands for a change, and what a person has to know about them: why there is none, or what to look at first. */
export interface Advice {
  readonly commands: readonly RemediationCommand[];
  readonly note?: string;
}

export const NO_ADVICE: Advice = { commands: [] };

/** Between commands that only make sense one after the other; a shell takes the lines as one. */
export const NEXT = ' && \\\n';

/** More sources than this give no command: no command is better than half of one. */
export const MOST_SOURCES = 200;

export const TOO_MANY_SOURCES = `More than ${MOST_SOURCES} sources need this access: write them as a set of your own.`;

/** Characters in the name of an ipset. Source: IPSET_MAXNAMELEN in the kernel's linux/netfilter/ipset/ip_set.h, with the closing zero. */
const LONGEST_SET_NAME = 31;

/** The table and the chain a change is about. */
export function targetOf(change: Change): { readonly table: Table; readonly chain: Chain } {
  return 'place' in change ? change.place : change;
}

/** The access of both versions as few rules as it takes: one per version, protocol and port list. */
export function accessRules(kept: readonly KeptAccess[]): Extract<WantedRule, { readonly kind: 'access' }>[] {
  const told = ({ lo, hi }: Interval) => `${lo}-${hi}`;
  const portsOf = new Map<string, { access: KeptAccess; ports: Interval[] }>();
  for (const access of kept) {
    const to = access.daddr === undefined ? '' : told(access.daddr);
    const key = `${access.version} ${access.protocol} ${told(access.saddr)} ${to}`;
    const known = portsOf.get(key);
    if (known === undefined) portsOf.set(key, { access, ports: [...access.ports] });
    else
      known.ports =
        known.ports.length === 0 || access.ports.length === 0 ? [] : [...known.ports, ...access.ports];
  }
  const groups = new Map<string, { access: KeptAccess; ports: Interval[]; sources: Interval[] }>();
  for (const { access, ports } of portsOf.values()) {
    const normalized = normalizeIntervals(ports);
    const to = access.daddr === undefined ? '' : told(access.daddr);
    const key = `${access.version} ${access.protocol} ${to} ${normalized.map(told).join()}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { access, ports: normalized, sources: [access.saddr] });
    else group.sources.push(access.saddr);
  }
  return [...groups.values()].map(({ access, ports, sources }) => ({
    kind: 'access',
    version: access.version,
    protocol: access.protocol,
    sources: distinctSources(sources),
    destinations: access.daddr === undefined ? [] : [access.daddr],
    ports,
  }));
}

/** Sources without those that lie in others. Neighbours stay apart: two hosts are not one range. */
function distinctSources(sources: readonly Interval[]): Interval[] {
  const sorted = [...sources].sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : a.hi > b.hi ? -1 : 1));
  const out: Interval[] = [];
  for (const source of sorted) {
    const last = out[out.length - 1];
    if (last === undefined || source.lo > last.hi) out.push(source);
    else if (source.hi > last.hi) out[out.length - 1] = { lo: last.lo, hi: source.hi };
  }
  return out;
}

/** Rules for carried traffic, then those for the access. */
export function wantedRules(carried: CarriedTraffic, kept: readonly KeptAccess[]): WantedRule[] {
  const kinds = ['loopback', 'replies', 'neighbours'] as const;
  return [...kinds.filter((kind) => carried[kind]).map((kind) => ({ kind })), ...accessRules(kept)];
}

/** The rules of a list that a table of this family can hold. */
export function rulesOfFamily(family: Table['family'], rules: readonly WantedRule[]): WantedRule[] {
  return rules.filter((rule) => {
    if (rule.kind === 'access') return family === 'inet' || (rule.version === 4) === (family === 'ip');
    return rule.kind !== 'neighbours' || family !== 'ip';
  });
}

/**
 * Whether a condition says no more than which sources, protocols and ports a rule is about: the rules that take its place
 * name those exactly.
 */
export function isNamedAnew(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.every(isNamedAnew);
    case 'not':
      return isNamedAnew(condition.of);
    case 'field':
      return condition.field === 'protocol' || condition.field === 'sport' || condition.field === 'dport';
    case 'address':
      return condition.field === 'saddr';
    case 'version':
      return true;
    case 'named-set':
      return condition.directions[0] === 'src';
    default:
      return false;
  }
}

/** Whether the rule of the export became several in the model: what is said about one of them is no word about the rule. */
export function isPartOfRule({ chain, rule }: RulePlace): boolean {
  const { file, line, column, path } = rule.origin;
  return chain.rules.some(
    ({ origin, number }, i) =>
      chain.rules[i] !== rule &&
      number === rule.number &&
      origin.file === file &&
      origin.line === line &&
      origin.column === column &&
      origin.path === path,
  );
}

/** A name that none of a command's sets has yet, which is then taken: those of two lists of ports may begin alike. */
export function freeSetName(wanted: string, taken: Set<string>): string {
  let name = wanted.slice(0, LONGEST_SET_NAME);
  for (let i = 2; taken.has(name); i++) {
    const ending = `-${i}`;
    name = `${wanted.slice(0, LONGEST_SET_NAME - ending.length)}${ending}`;
  }
  taken.add(name);
  return name;
}
