import type { SeenAddress, SeenHost } from '../inventory/index.ts';
import type { Chain, Condition, NamedSet, Rule, Ruleset, Table } from '../model/index.ts';
import {
  formatAddressInterval,
  formatProtocol,
  type Interval,
  type IpVersion,
  maxAddress,
  PROTOCOLS_WITH_PORTS,
} from '../net/index.ts';

/** Most sources that are gathered from one rule: an ipset may have a million. */
const MAX_SOURCES_PER_RULE = 256;

/** Most ports that are kept of one source: a set may have all of them, and a few are listed. */
const MAX_PORTS_PER_SOURCE = 32;

/** Conditions nested deeper than this are not looked into. */
const MAX_DEPTH = 100;

/** A source range of a rule that lets something in. */
interface SeenRange {
  readonly version: IpVersion;
  readonly range: Interval;
}

/**
 * The sources that the host's rules let in, with the ports. Only rules that accept on the input side count, and only
 * sources that they name: "any" is no peer. What rules mean together is not looked at; this is a help for writing, no
 * judgement.
 */
export function seenHost(name: string, ruleset: Ruleset): SeenHost {
  const sets = new Map(ruleset.namedSets.map((set) => [set.name, set]));
  const seen = new Map<string, CountedSource>();
  for (const table of ruleset.tables) {
    if (table.dormant) continue;
    for (const chain of chainsFromInput(table)) {
      for (const rule of chain.rules) {
        if (rule.verdict.kind === 'accept') recordRule(rule, sets, seen);
      }
    }
  }
  return { name, addressesSeen: [...seen.values()] };
}

/** A source while it is counted. Most are in one rule: its list of ports is shared by all of its sources. */
interface CountedSource extends SeenAddress {
  count: number;
  ports: readonly string[];
}

function recordRule(rule: Rule, sets: ReadonlyMap<string, NamedSet>, seen: Map<string, CountedSource>): void {
  const conditions = rule.matches.flatMap((match) => [...positiveConditions(match.condition, 0)]);
  const ports = portsOf(conditions).slice(0, MAX_PORTS_PER_SOURCE);
  const addresses = new Set(
    conditions
      .flatMap((condition) => sourcesOf(condition, sets))
      .filter((source) => !isEverything(source))
      .map(({ version, range }) => formatAddressInterval(version, range)),
  );
  for (const address of [...addresses].slice(0, MAX_SOURCES_PER_RULE)) {
    const known = seen.get(address);
    if (known === undefined) seen.set(address, { address, count: 1, ports });
    else {
      known.count++;
      if (ports.some((port) => !known.ports.includes(port)))
        known.ports = [...new Set([...known.ports, ...ports])].slice(0, MAX_PORTS_PER_SOURCE);
    }
  }
}

/** Chains that packets to the host itself come to: base chains of the input hook, and what they jump to. */
function chainsFromInput(table: Table): Chain[] {
  const byName = new Map(table.chains.map((chain) => [chain.name, chain]));
  const found = new Set(
    table.chains.filter((chain) => chain.base?.hook === 'input' && chain.base.type === 'filter'),
  );
  // A set that grows while it is walked: each chain once, whatever loops the jumps make.
  for (const chain of found) {
    for (const { verdict } of chain.rules) {
      const target =
        verdict.kind === 'jump' || verdict.kind === 'goto' ? byName.get(verdict.chain) : undefined;
      if (target !== undefined) found.add(target);
    }
  }
  return [...found];
}

/** Leaves that have to hold or may make the rule match. Negated parts say who is not let in. */
function* positiveConditions(condition: Condition, depth: number): Generator<Condition> {
  if (depth > MAX_DEPTH) return;
  if (condition.kind === 'all' || condition.kind === 'any') {
    for (const part of condition.of) yield* positiveConditions(part, depth + 1);
  } else if (condition.kind !== 'not') yield condition;
}

function sourcesOf(condition: Condition, sets: ReadonlyMap<string, NamedSet>): SeenRange[] {
  if (condition.kind === 'address' && condition.field === 'saddr') {
    const { version, mask } = condition;
    return condition.values.flatMap((range) => unmask(version, range, mask) ?? []);
  }
  if (condition.kind !== 'named-set' || condition.returnNomatch) return [];
  const set = sets.get(condition.set);
  const version = set?.version;
  if (set === undefined || version === undefined) return [];
  const at = set.dimensions.findIndex(
    (dimension, i) => dimension === 'address' && condition.directions[i] === 'src',
  );
  if (at < 0) return [];
  return set.elements.slice(0, MAX_SOURCES_PER_RULE).flatMap((element) => {
    const value = element.values[at];
    return !element.nomatch && value?.kind === 'interval' ? [{ version, range: value.range }] : [];
  });
}

/** The addresses that a value under a mask means; `undefined` where they are no interval. */
function unmask(version: IpVersion, range: Interval, mask: bigint | undefined): SeenRange | undefined {
  if (mask === undefined) return { version, range };
  const free = maxAddress(version) ^ mask;
  if ((free & (free + 1n)) !== 0n || range.lo !== range.hi) return undefined;
  return { version, range: { lo: range.lo & mask, hi: range.lo | free } };
}

function isEverything({ version, range }: SeenRange): boolean {
  return range.lo === 0n && range.hi === maxAddress(version);
}

/** `tcp/7937-7954` for every combination of protocol and destination ports that the rule names. */
function portsOf(conditions: readonly Condition[]): string[] {
  const valuesOf = (field: 'protocol' | 'dport') =>
    conditions.flatMap((condition) =>
      condition.kind === 'field' && condition.field === field && condition.mask === undefined
        ? condition.values
        : [],
    );
  const protocols = valuesOf('protocol')
    .filter(({ lo, hi }) => lo === hi && PROTOCOLS_WITH_PORTS.includes(Number(lo)))
    .map(({ lo }) => formatProtocol(Number(lo)));
  const ports = valuesOf('dport').map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}-${hi}`));
  return [...new Set(protocols)].flatMap((protocol) =>
    [...new Set(ports)].map((port) => `${protocol}/${port}`),
  );
}
