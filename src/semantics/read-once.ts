import type { Chain, Condition, Rule, Ruleset, Table } from '../model/index.ts';
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import { hasEffect } from './chain-index.ts';

/** A deterministic unknown that one rule asks for once, about packets that come to the rule at most once. */
export interface ReadOnce {
  /** Whether the rule ends the packet's way through the base chain (accept, drop, reject): it does that or lets the packet go on. */
  readonly settles: boolean;
  /** The truth value that is worse for all packets alike where acceptance is concerned, if the rule settles. */
  readonly worst: boolean;
}

/**
 * The deterministic unknowns of a ruleset, by text, that occur in one condition only, of a chain that changes no packet and that is not
 * come to from two base chains on one way through the host. So whatever the predicate says about a packet, it says at one place.
 */
export function readOnceUnknowns(ruleset: Ruleset): ReadonlyMap<string, ReadOnce> {
  const uses = new Map<string, number>();
  const found = new Map<string, ReadOnce>();
  for (const table of ruleset.tables) {
    const plain = plainChains(table);
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        visitLeaves(rule, (leaf, negated) => {
          if (!('text' in leaf)) return;
          uses.set(leaf.text, (uses.get(leaf.text) ?? 0) + 1);
          if (leaf.kind !== 'unknown' || leaf.nature !== 'deterministic' || !plain.has(chain)) return;
          found.set(leaf.text, {
            settles: settles(rule),
            worst: (rule.verdict.kind !== 'accept') !== negated,
          });
        });
      }
    }
  }
  for (const [text, count] of uses) if (count > 1) found.delete(text);
  return found;
}

/** Whether a condition says the same about a packet wherever it is asked, and nothing that is not modelled. */
export function isModelled(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.every(isModelled);
    case 'not':
      return isModelled(condition.of);
    case 'version':
    case 'field':
    case 'address':
    case 'interface':
      return true;
    default:
      return false;
  }
}

function settles(rule: Rule): boolean {
  return ['accept', 'drop', 'reject'].includes(rule.verdict.kind) && !rule.statements.some(hasEffect);
}

/** Every condition of a rule that has no parts, with whether it stands under an odd number of negations. */
function visitLeaves(rule: Rule, visit: (leaf: Condition, negated: boolean) => void): void {
  const walk = (condition: Condition, negated: boolean): void => {
    switch (condition.kind) {
      case 'all':
      case 'any':
        for (const part of condition.of) walk(part, negated);
        return;
      case 'not':
        walk(condition.of, !negated);
        return;
      case 'original':
        // Asked beside its own text, and of older connections not at all: counts as two uses of what it holds.
        visit(condition, negated);
        walk(condition.of, negated);
        walk(condition.of, negated);
        return;
      default:
        visit(condition, negated);
    }
  };
  for (const { condition } of rule.matches) walk(condition, false);
}

/**
 * Chains below base chains that change no packet, and of which a packet passes at most one. Where nothing is changed, accepting early is the
 * best that can happen to a packet.
 */
function plainChains(table: Table): ReadonlySet<Chain> {
  const calls = callsOf(table);
  const plain = new Set<Chain>();
  const excluded = new Set<Chain>();
  const baseOf = new Map<Chain, Chain[]>();
  for (const base of table.chains) {
    if (base.base === undefined) continue;
    const below = reachable([base], calls);
    const changes = [...below].some(changesPackets);
    for (const chain of below) {
      (changes ? excluded : plain).add(chain);
      const bases = baseOf.get(chain);
      if (bases === undefined) baseOf.set(chain, [base]);
      else bases.push(base);
    }
  }
  return new Set(
    [...plain].filter((chain) => !excluded.has(chain) && onDifferentWays(baseOf.get(chain) ?? [])),
  );
}

/** Whether no packet passes two of the base chains: they are alone, or of three hooks that lie on three different ways. */
function onDifferentWays(bases: readonly Chain[]): boolean {
  const hooks = bases.map(({ base }) => base?.hook);
  if (hooks.length === 1) return true;
  const areApart = hooks.every((hook) => hook === 'input' || hook === 'forward' || hook === 'output');
  return areApart && new Set(hooks).size === hooks.length;
}

/** A rule that jumps, and the chain it leads to. */
interface Call {
  readonly rule: Rule;
  readonly target: Chain;
}

type Calls = (chain: Chain) => readonly Call[];

const CALLS = new WeakMap<Table, Calls>();

/** The calls of a chain, in the order of its rules. Of two chains of one name the first counts. */
function callsOf(table: Table): Calls {
  let calls = CALLS.get(table);
  if (calls === undefined) {
    calls = findCalls(table);
    CALLS.set(table, calls);
  }
  return calls;
}

function findCalls(table: Table): Calls {
  const byName = new Map<string, Chain>();
  for (const chain of table.chains) if (!byName.has(chain.name)) byName.set(chain.name, chain);
  const calls = new Map<Chain, readonly Call[]>();
  return (chain) => {
    let called = calls.get(chain);
    if (called === undefined) {
      called = chain.rules.flatMap((rule): Call[] => {
        const { verdict } = rule;
        const target =
          verdict.kind === 'jump' || verdict.kind === 'goto' ? byName.get(verdict.chain) : undefined;
        return target === undefined ? [] : [{ rule, target }];
      });
      calls.set(chain, called);
    }
    return called;
  };
}

function reachable(starts: readonly Chain[], calls: Calls): ReadonlySet<Chain> {
  const seen = new Set<Chain>(starts);
  // A set gives the members that are added while it is walked through.
  for (const chain of seen) for (const { target } of calls(chain)) seen.add(target);
  return seen;
}

/** Chains below `base`, callers before the chains they call (in a loop, which no packet follows, in any order). */
function callersFirst(base: Chain, calls: Calls): Chain[] {
  const order: Chain[] = [];
  const seen = new Set<Chain>([base]);
  const way = [{ chain: base, next: 0 }];
  for (let top = way[0]; top !== undefined; top = way[way.length - 1]) {
    const call = calls(top.chain)[top.next++];
    if (call === undefined) {
      order.push(top.chain);
      way.pop();
    } else if (!seen.has(call.target)) {
      seen.add(call.target);
      way.push({ chain: call.target, next: 0 });
    }
  }
  return order.reverse();
}

/** How packets come to the chains below a base chain. */
export interface Ways {
  /** Chains that a packet may enter more than once. */
  readonly several: ReadonlySet<Chain>;
  /** Chains that are traversed anew for packets that enter them again, since they ask for varying unknowns. */
  readonly anew: ReadonlySet<Chain>;
}

/** What `waysBelow` has to know of a table. */
export interface WaysContext {
  readonly space: PacketSpace;
  /** Packets that a rule's matches take at most, unknowns aside. */
  readonly mostOf: (rule: Rule) => PacketSet;
  /** Whether a packet meets other unknown values when it passes the chain again. */
  readonly isFresh: (chain: Chain) => boolean;
}

/**
 * How packets come to the chains below `base`. Several rules may lead to a chain that no packet enters twice: the rules then
 * take different packets.
 */
export function waysBelow(table: Table, base: Chain, { space, mostOf, isFresh }: WaysContext): Ways {
  const calls = callsOf(table);
  const entering = new Map<Chain, PacketSet>([[base, space.full]]);
  const several = new Set<Chain>();
  for (const chain of callersFirst(base, calls)) {
    for (const { rule, target } of calls(chain)) {
      const known = entering.get(target) ?? space.empty;
      const here = space.intersect(entering.get(chain) ?? space.full, mostOf(rule));
      if (several.has(chain) || space.intersects(known, here)) several.add(target);
      entering.set(target, space.union(known, here));
    }
  }
  const again = reachable([...several].filter(isFresh), calls);
  return { several, anew: new Set([...again].filter(isFresh)) };
}

/** Whether a rule of a chain, or of one that it leads to, changes packets. */
export function changesBelow(table: Table, chain: Chain): boolean {
  return [...reachable([chain], callsOf(table))].some(changesPackets);
}

function changesPackets(chain: Chain): boolean {
  return chain.rules.some((rule) => rule.verdict.kind === 'nat' || rule.statements.some(hasEffect));
}
