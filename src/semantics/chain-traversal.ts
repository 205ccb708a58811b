import type { Chain, Condition, Rule, Table } from '../model/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import { conditionSet } from './condition-set.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import type { Place } from './place.ts';
import { afterNat, afterStatement, hasEffect } from './statement-effect.ts';
import { type State, StateBuilder } from './state.ts';

/** More nested jumps than this are refused; the kernel allows 16 (nft) or as many as there are chains (legacy). */
const DEEPEST_JUMP = 1500;

/** A rule met by packets of one environment: which of them reach it, and which of those match. */
export interface RuleVisit {
  readonly rule: Rule;
  /** Position in the chain's rule list, from 0. */
  readonly index: number;
  readonly environment: Environment;
  readonly reach: PacketSet;
  /**
   * Packets that its matches take, wherever they come from, and those of them that reach it. `undefined` for a rule without
   * effect and verdict (LOG): what it matches changes nothing and is not computed.
   */
  readonly match: PacketSet | undefined;
  readonly hit: PacketSet | undefined;
  /** Where matching packets go, for jump and goto. */
  readonly callee: ChainSummary | undefined;
}

/** Packets decided by one rule, with the environment they leave it in. */
export interface LocalDecision {
  readonly rule: Rule;
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly environment: Environment;
  readonly set: PacketSet;
}

/**
 * What a chain does with every conceivable packet (of one IP version) that enters it in one environment. Sets are over arriving packets and
 * valuations of unknown predicates, and suppose that the packet enters the chain at all: intersect with the entering set.
 */
export interface ChainSummary {
  readonly chain: Chain;
  readonly environment: Environment;
  readonly visits: readonly RuleVisit[];
  /** Decisions of this chain's own rules; those of called chains stand in their own summaries. */
  readonly decisions: readonly LocalDecision[];
  /** Accepted, here or in a called chain. */
  readonly accepted: State;
  readonly dropped: PacketSet;
  readonly rejected: PacketSet;
  /** Packets that come to the end of the chain or return from it. */
  readonly ended: State;
}

/** A jump loop, or nesting beyond any use, found during traversal. */
export interface ChainTrouble {
  readonly kind: 'loop' | 'depth' | 'missing';
  readonly table: Table;
  readonly chain: string;
}

/** Traverses the chains of one table for one kind of base chain, at one place. */
export class ChainTraversal {
  readonly #host: HostSpace;
  readonly #place: Place;
  readonly #table: Table;
  readonly #tracked: boolean;
  readonly #natChain: boolean;
  readonly #chains: ReadonlyMap<string, Chain>;
  readonly #summaries = new Map<string, ChainSummary>();
  readonly #underWay = new Set<string>();
  readonly #varying: ReadonlySet<string>;
  readonly troubles: ChainTrouble[] = [];

  /** `tracked`: the base chain runs after connection tracking. `natChain`: NAT verdicts have effect. */
  constructor(host: HostSpace, place: Place, table: Table, tracked: boolean, natChain: boolean) {
    this.#host = host;
    this.#place = place;
    this.#table = table;
    this.#tracked = tracked;
    this.#natChain = natChain;
    this.#chains = new Map(table.chains.map((c) => [c.name, c]));
    this.#varying = chainsWithFreshUnknowns(table, host);
  }

  /**
   * Summary of a chain entered in `environment`. Memoized, but for chains with varying predicates: a packet that passes
   * such a chain twice meets a fresh truth value each time.
   */
  summarize(chain: Chain, environment: Environment): ChainSummary {
    const key = `${chain.name}\n${environment.key}`;
    const known = this.#summaries.get(key);
    if (known !== undefined) return known;
    this.#underWay.add(chain.name);
    const summary = this.#traverse(chain, environment);
    this.#underWay.delete(chain.name);
    if (!this.#varying.has(chain.name)) this.#summaries.set(key, summary);
    return summary;
  }

  #traverse(chain: Chain, entry: Environment): ChainSummary {
    const { space } = this.#host;
    const visits: RuleVisit[] = [];
    const decisions: LocalDecision[] = [];
    const accepted = new StateBuilder(space);
    const ended = new StateBuilder(space);
    let dropped = space.empty;
    let rejected = space.empty;
    let remaining = new Map<string, { environment: Environment; set: PacketSet }>([
      [entry.key, { environment: entry, set: space.version(this.#place.version) }],
    ]);

    chain.rules.forEach((rule, index) => {
      const next = new StateBuilder(space);
      for (const { environment, set: reach } of remaining.values()) {
        if (!matters(rule)) {
          visits.push({ rule, index, environment, reach, match: undefined, hit: undefined, callee: undefined });
          next.add(environment, reach);
          continue;
        }
        const match = this.#match(rule, environment);
        const hit = space.intersect(reach, match);
        const after = space.isEmpty(hit) ? environment : this.#afterStatements(rule, environment);
        let callee: ChainSummary | undefined;
        next.add(environment, space.minus(reach, match));
        const decide = (verdict: LocalDecision['verdict'], set: PacketSet, leaving: Environment) => {
          if (space.isEmpty(set)) return;
          decisions.push({ rule, verdict, environment: leaving, set });
          if (verdict === 'accept') accepted.add(leaving, set);
          else if (verdict === 'drop') dropped = space.union(dropped, set);
          else rejected = space.union(rejected, set);
        };
        const undecided = (text: string, mayGoOn: boolean) => {
          if (space.isEmpty(hit)) return;
          const accepts = this.#host.varying(text);
          decide('accept', space.intersect(hit, accepts), after);
          const stops = mayGoOn ? space.minus(this.#host.varying(text), accepts) : space.complement(accepts);
          decide('drop', space.intersect(hit, stops), after);
          next.add(after, space.minus(hit, space.union(accepts, stops)));
        };
        const { verdict } = rule;
        switch (verdict.kind) {
          case 'accept':
          case 'drop':
          case 'reject':
            decide(verdict.kind, hit, after);
            break;
          case 'continue':
            next.add(after, hit);
            break;
          case 'return':
            ended.add(after, hit);
            break;
          case 'nat':
            if (!this.#natChain) undecided(rule.text, true);
            else if (!space.isEmpty(hit)) {
              for (const { within, environment: to } of afterNat(this.#host, this.#place, after, verdict.nat, rule.text)) {
                decide('accept', space.intersect(hit, within), to.withNote('nat', rule.text));
              }
            }
            break;
          case 'queue':
            undecided(verdict.text, false);
            break;
          case 'unknown':
            undecided(verdict.text, true);
            break;
          case 'jump':
          case 'goto': {
            if (space.isEmpty(hit)) break;
            callee = this.#call(verdict.chain, after);
            if (callee === undefined) {
              undecided(rule.text, true);
              break;
            }
            accepted.addWithin(callee.accepted, hit);
            dropped = space.union(dropped, space.intersect(hit, callee.dropped));
            rejected = space.union(rejected, space.intersect(hit, callee.rejected));
            (verdict.kind === 'jump' ? next : ended).addWithin(callee.ended, hit);
            break;
          }
        }
        visits.push({ rule, index, environment, reach, match, hit, callee });
      }
      remaining = new Map(next.build());
    });
    for (const { environment, set } of remaining.values()) ended.add(environment, set);
    return {
      chain,
      environment: entry,
      visits,
      decisions,
      accepted: accepted.build(),
      dropped,
      rejected,
      ended: ended.build(),
    };
  }

  #call(name: string, environment: Environment): ChainSummary | undefined {
    const chain = this.#chains.get(name);
    const trouble =
      chain === undefined
        ? 'missing'
        : this.#underWay.has(name)
          ? 'loop'
          : this.#underWay.size >= DEEPEST_JUMP
            ? 'depth'
            : undefined;
    if (chain === undefined || trouble !== undefined) {
      this.troubles.push({ kind: trouble ?? 'missing', table: this.#table, chain: name });
      return undefined;
    }
    return this.summarize(chain, environment);
  }

  /** Packets a rule's matches take, wherever they come from. Built apart from what reaches the rule: it is small, that is not. */
  #match(rule: Rule, environment: Environment): PacketSet {
    const { space } = this.#host;
    let match = space.version(this.#place.version);
    for (const { condition } of rule.matches) {
      if (space.isEmpty(match)) return match;
      match = space.intersect(match, conditionSet(this.#host, this.#place, environment, condition));
    }
    return match;
  }

  #afterStatements(rule: Rule, environment: Environment): Environment {
    let after = environment;
    for (const statement of rule.statements) {
      if (hasEffect(statement)) after = afterStatement(this.#host, this.#place, after, statement, this.#tracked);
    }
    return after;
  }
}

/** Whether a rule can decide or change a packet. */
export function matters(rule: Rule): boolean {
  return rule.verdict.kind !== 'continue' || rule.statements.some(hasEffect);
}

/** Names of the chains that meet a fresh unknown value somewhere in or below them. */
function chainsWithFreshUnknowns(table: Table, host: HostSpace): ReadonlySet<string> {
  const callers = new Map<string, string[]>();
  const fresh = new Set<string>();
  const queue: string[] = [];
  for (const chain of table.chains) {
    for (const rule of chain.rules) {
      if (rule.verdict.kind === 'jump' || rule.verdict.kind === 'goto') {
        const list = callers.get(rule.verdict.chain);
        if (list === undefined) callers.set(rule.verdict.chain, [chain.name]);
        else list.push(chain.name);
      }
      if (!fresh.has(chain.name) && meetsFreshUnknown(rule, host)) {
        fresh.add(chain.name);
        queue.push(chain.name);
      }
    }
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const caller of callers.get(name) ?? []) {
      if (fresh.has(caller)) continue;
      fresh.add(caller);
      queue.push(caller);
    }
  }
  return fresh;
}

function meetsFreshUnknown(rule: Rule, host: HostSpace): boolean {
  if (!matters(rule)) return false;
  if (['queue', 'unknown', 'nat'].includes(rule.verdict.kind)) return true;
  if (rule.statements.some((s) => s.kind === 'unknown-field')) return true;
  const walk = (condition: Condition): boolean => {
    switch (condition.kind) {
      case 'all':
      case 'any':
        return condition.of.some(walk);
      case 'not':
        return walk(condition.of);
      case 'unknown':
        return condition.nature === 'varying';
      case 'named-set': {
        const set = host.namedSets.get(condition.set);
        return set !== undefined && (set.dynamic || set.elements.some((e) => e.timeout || e.values[0]?.kind === 'set'));
      }
      default:
        return false;
    }
  };
  return rule.matches.some((m) => walk(m.condition));
}
