import type { Chain, Nat, Rule, Table, Verdict } from '../model/index.ts';
import { type PacketSet, PacketSetBudgetError } from '../packet-set/index.ts';
import { type ChainIndex, hasEffect, matters } from './chain-index.ts';
import { condense } from './condense.ts';
import { allConditionsSet } from './condition-set.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { mergeUnknowns, type OpenUnknown } from './merge-unknowns.ts';
import type { UnknownEntry } from './merged-names.ts';
import type { Place } from './place.ts';
import { changesBelow, isModelled, type Ways, waysBelow } from './read-once.ts';
import { type State, StateBuilder } from './state.ts';
import { afterNat, afterStatement } from './statement-effect.ts';

/** More nested jumps than this are refused; the kernel allows 16 (nft) or as many as there are chains (legacy). */
const DEEPEST_JUMP = 1500;

/** A chain is left in no more environments than this. More than in `condense`, since what leaves the last chain is not traversed again. */
const MOST_RESULTS = 1000;

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
  /** The unknown predicates asked for by these rules and in called chains, and by nothing else. */
  readonly unknowns: ChainUnknowns;
}

/** Unknown predicates of a chain and the chains it calls. */
export interface ChainUnknowns {
  /** Every place where packets come to some. */
  readonly entries: readonly UnknownEntry[];
  /** Packets that come to some, whatever the unknowns are. */
  readonly touched: PacketSet;
  /** How many of them the chain's sets may depend on for one packet, roughly: those that settle the packet's fate or vary, and others. */
  readonly loose: number;
  readonly steering: number;
}

/** A jump loop, or nesting beyond any use, found during traversal. */
export interface ChainTrouble {
  readonly kind: 'loop' | 'depth' | 'missing';
  readonly table: Table;
  readonly chain: string;
}

/**
 * Unknowns of one chain. They serve all packets that pass the chain for the first time, in whatever environment; packets that have been
 * there need another scope.
 */
interface Scope {
  readonly name: string;
  entered: PacketSet;
  /** By environment. */
  readonly summaries: Map<string, ChainSummary>;
}

/** A chain leaves no more unknowns open than this to those who call it, once there are so many that they are merged. */
const MOST_LEFT_OPEN = 2;

/** The latest scopes of a chain are looked through for one that the packets have not been in: so many. */
const SCOPES_TRIED = 8;

/** One traversal of a chain under way. */
interface Pass {
  readonly chain: Chain;
  readonly scope: string;
  readonly visits: RuleVisit[];
  readonly decisions: LocalDecision[];
  accepted: StateBuilder;
  ended: StateBuilder;
  dropped: PacketSet;
  rejected: PacketSet;
  /** Packets that go on with the rule after the present one. */
  next: StateBuilder;
  readonly unknowns: PassUnknowns;
}

/** Unknown predicates met in a traversal. */
interface PassUnknowns {
  readonly entries: UnknownEntry[];
  readonly others: Set<string>;
  touched: PacketSet;
  /** Not merged yet: how many that settle a packet's fate or vary, how many others, and the packets that come to them. */
  loose: number;
  looseZone: PacketSet;
  steering: number;
  steeringZone: PacketSet;
}

/** The packets that match one rule in one environment, and what its statements have made of them. */
interface Hit {
  readonly rule: Rule;
  readonly set: PacketSet;
  readonly after: Environment;
}

/** A visit of a rule that leads packets to another chain. */
interface Jump {
  readonly chain: Chain;
  readonly hit: Hit;
  readonly visit: RuleVisit & { readonly match: PacketSet };
}

/** A chain that is to be summarized. */
interface Call {
  readonly chain: Chain;
  readonly environment: Environment;
  readonly entering: PacketSet;
}

/** A traversal asks for the summaries of the chains it comes to, and ends with that of its own. */
type Traversal = Generator<Call, ChainSummary, ChainSummary | undefined>;

interface Waiting {
  readonly scope: Scope;
  readonly environment: Environment;
  readonly traversal: Traversal;
}

/** Traverses the chains of one table for one kind of base chain, at one place. */
export class ChainTraversal {
  readonly #host: HostSpace;
  readonly #place: Place;
  readonly #table: Table;
  readonly #tracked: boolean;
  readonly #natChain: boolean;
  readonly #index: ChainIndex;
  readonly #scopes = new Map<Chain, Scope[]>();
  readonly #natScope: string;
  #depth = 0;
  /** Whether unknowns are merged at all: below the base chain nothing changes packets. */
  #merges = false;
  /** Unknown predicates met that may be merged. */
  #met = 0;
  /** Those that may be merged, by key. */
  readonly #known = new Map<string, OpenUnknown>();
  /** Chains whose deterministic unknowns are merged no more. */
  readonly #kept = new Set<ChainSummary>();
  #ways: Ways = { several: new Set(), anew: new Set() };
  readonly troubles: ChainTrouble[] = [];

  /** `tracked`: the base chain runs after connection tracking. `natChain`: NAT verdicts have effect. */
  constructor(host: HostSpace, place: Place, table: Table, tracked: boolean, natChain: boolean) {
    this.#host = host;
    this.#place = place;
    this.#table = table;
    this.#tracked = tracked;
    this.#natChain = natChain;
    this.#index = host.chainIndex(table);
    this.#natScope = host.newScope();
  }

  /**
   * Summary of a chain entered in `environment` by the packets `entering`. A packet that passes a chain with varying predicates twice
   * meets a fresh truth value each time: such a chain is traversed anew for packets that have been there, while
   * packets that have not share its unknowns. All other chains are traversed once for each environment.
   *
   * Traversals that wait for a chain they jump to stand on a stack of their own: chains may be nested deeper than functions.
   */
  summarize(chain: Chain, environment: Environment, entering: PacketSet): ChainSummary {
    const waiting: Waiting[] = [];
    this.#merges = this.#host.mostUnknowns !== Number.POSITIVE_INFINITY && !changesBelow(this.#table, chain);
    if (this.#merges && this.#host.mergesReadOnce) {
      this.#ways = waysBelow(this.#table, chain, {
        space: this.#host.space,
        mostOf: (rule) => this.#most(rule, environment),
        isFresh: (below) => this.#index.hasFreshUnknowns(below),
      });
    }
    let summary = this.#call(waiting, { chain, environment, entering });
    for (let top = waiting.pop(); top !== undefined; top = waiting.pop()) {
      this.#depth = waiting.length + 1;
      const step = top.traversal.next(summary);
      if (step.done === true) {
        summary = step.value;
        top.scope.summaries.set(top.environment.key, summary);
      } else {
        waiting.push(top);
        summary = this.#call(waiting, step.value);
      }
    }
    // The last traversal to end is that of `chain`.
    return summary!;
  }

  /** The summary if there is one, else `undefined` and a traversal that will make it. */
  #call(waiting: Waiting[], { chain, environment, entering }: Call): ChainSummary | undefined {
    const scope = this.#scopeFor(chain, entering);
    const known = scope.summaries.get(environment.key);
    if (known === undefined) {
      waiting.push({ scope, environment, traversal: this.#traverse(chain, environment, scope.name) });
    }
    return known;
  }

  #scopeFor(chain: Chain, entering: PacketSet): Scope {
    const { space } = this.#host;
    const scopes = entryOf(this.#scopes, chain, (): Scope[] => []);
    const isFree = ({ entered }: Scope) =>
      !this.#index.hasFreshUnknowns(chain) || !space.intersects(entered, entering);
    let scope = scopes.slice(-SCOPES_TRIED).find(isFree);
    if (scope === undefined) {
      scope = { name: this.#host.newScope(), entered: space.empty, summaries: new Map() };
      scopes.push(scope);
    }
    if (this.#index.hasFreshUnknowns(chain)) scope.entered = space.union(scope.entered, entering);
    return scope;
  }

  *#traverse(chain: Chain, entry: Environment, scope: string): Traversal {
    const { space } = this.#host;
    const { version } = this.#place;
    const pass: Pass = {
      chain,
      scope,
      visits: [],
      decisions: [],
      accepted: new StateBuilder(space),
      ended: new StateBuilder(space),
      dropped: space.empty,
      rejected: space.empty,
      next: new StateBuilder(space),
      unknowns: {
        entries: [],
        others: new Set(),
        touched: space.empty,
        loose: 0,
        looseZone: space.empty,
        steering: 0,
        steeringZone: space.empty,
      },
    };
    pass.next.add(entry, space.version(version));
    for (const [index, rule] of chain.rules.entries()) {
      this.#mergeUnknowns(pass, entry, false);
      const remaining = condense(this.#host, pass.next.build(), version);
      pass.next = new StateBuilder(space);
      // Nothing comes here any more. The rule is visited all the same, to be known as one that nothing reaches.
      const visited = remaining.size > 0 ? remaining.values() : [{ environment: entry, set: space.empty }];
      for (const { environment, set } of visited) {
        const visit = { rule, index, environment, reach: set };
        const jump = this.#host.withinScope(`${scope}.${index}`, () => this.#visit(pass, visit));
        if (jump === undefined) continue;
        const { chain: target, hit } = jump;
        const callee = yield { chain: target, environment: hit.after, entering: hit.set };
        // What is asked for is answered, by the loop in `summarize`.
        this.#comeBack(pass, jump, callee!);
      }
    }
    for (const { environment, set } of pass.next.build().values()) pass.ended.add(environment, set);
    pass.next = new StateBuilder(space);
    this.#mergeUnknowns(pass, entry, true);
    return {
      chain,
      environment: entry,
      visits: pass.visits,
      decisions: pass.decisions,
      accepted: condense(this.#host, pass.accepted.build(), version, MOST_RESULTS),
      dropped: pass.dropped,
      rejected: pass.rejected,
      ended: condense(this.#host, pass.ended.build(), version, MOST_RESULTS),
      unknowns: pass.unknowns,
    };
  }

  /** Replaces the unknowns of the chain where they are too many. All packets are in the environment in which they entered. */
  #mergeUnknowns(pass: Pass, entry: Environment, atEnd: boolean): void {
    const host = this.#host;
    const { space } = host;
    const { unknowns } = pass;
    const waiting = unknowns.loose + (atEnd ? unknowns.steering : 0);
    const most = atEnd ? Math.min(MOST_LEFT_OPEN, host.mostUnknowns) : host.mostUnknowns;
    if (waiting <= most || this.#met <= host.mostUnknowns) return;
    const flows = [pass.ended, pass.next, pass.accepted].map(
      (builder) => builder.build().get(entry.key)?.set ?? space.empty,
    );
    const { outcomes, made } = mergeUnknowns(host, {
      outcomes: [pass.dropped, pass.rejected, ...flows],
      zone: atEnd ? space.union(unknowns.looseZone, unknowns.steeringZone) : unknowns.looseZone,
      known: (key) => this.#known.get(key),
      atEnd,
      entries: unknowns.entries,
      others: unknowns.others,
    });
    const [dropped, rejected, ended, next, accepted] = outcomes.map((set) => {
      const builder = new StateBuilder(space);
      builder.add(entry, set);
      return { set, builder };
    });
    pass.dropped = dropped!.set;
    pass.rejected = rejected!.set;
    pass.ended = ended!.builder;
    pass.next = next!.builder;
    pass.accepted = accepted!.builder;
    for (const [key, unknown] of made) this.#known.set(key, unknown);
    unknowns.looseZone = space.empty;
    unknowns.loose = atEnd ? 1 : 0;
    if (!atEnd) return;
    unknowns.steering = 0;
    unknowns.steeringZone = space.empty;
  }

  /** Remembers unknowns that only this rule asks for, of the packets in `within`. */
  #noteUnknowns(pass: Pass, keys: ReadonlySet<string>, within: PacketSet): void {
    if (!this.#merges) return;
    for (const key of keys) {
      const isVarying = key.startsWith('varying ');
      const readOnce = isVarying || this.#ways.anew.has(pass.chain) ? undefined : this.#host.readOnce(key);
      if (readOnce === undefined && !isVarying) continue;
      const isSteering = readOnce !== undefined && !readOnce.settles;
      this.#known.set(key, {
        kind: isVarying ? 'varying' : isSteering ? 'steering' : 'settling',
        worst: readOnce?.worst ?? false,
      });
      this.#met++;
      const entry = { within, to: key };
      this.#touch(pass.unknowns, entry, this.#host.packetsIn(within), isSteering ? 0 : 1, isSteering ? 1 : 0);
    }
  }

  /** Remembers the unknowns of a called chain, for the packets of `within`. */
  #noteCallee(pass: Pass, callee: ChainSummary, within: PacketSet): void {
    const { space } = this.#host;
    const { entries, touched, loose, steering } = callee.unknowns;
    if (space.isEmpty(touched)) return;
    // A deterministic unknown says the same when a packet comes to it again, so it is kept until then.
    if (this.#ways.several.has(callee.chain) || this.#ways.anew.has(pass.chain))
      this.#keepDeterministic(callee);
    const packets = space.intersect(this.#host.packetsIn(within), touched);
    if (!space.isEmpty(packets))
      this.#touch(pass.unknowns, { within, to: entries }, packets, loose, steering);
  }

  #touch(
    unknowns: PassUnknowns,
    entry: UnknownEntry,
    packets: PacketSet,
    loose: number,
    steering: number,
  ): void {
    const { space } = this.#host;
    unknowns.entries.push(entry);
    unknowns.touched = space.union(unknowns.touched, packets);
    unknowns.loose += loose;
    unknowns.steering += steering;
    if (loose > 0) unknowns.looseZone = space.union(unknowns.looseZone, packets);
    if (steering > 0) unknowns.steeringZone = space.union(unknowns.steeringZone, packets);
  }

  /** From here on the deterministic unknowns that the chain's sets depend on are not merged. */
  #keepDeterministic(callee: ChainSummary): void {
    if (this.#kept.has(callee)) return;
    this.#kept.add(callee);
    const { space } = this.#host;
    const flows = [...callee.accepted.values(), ...callee.ended.values()].map(({ set }) => set);
    for (const set of [callee.dropped, callee.rejected, ...flows]) {
      for (const key of space.support(set).keys) {
        if (this.#known.get(key)?.kind !== 'varying') this.#known.delete(key);
      }
    }
  }

  /** What a rule does with the packets of one environment. The result is where some of them go from here, if it jumps. */
  #visit(pass: Pass, visit: Pick<RuleVisit, 'rule' | 'index' | 'environment' | 'reach'>): Jump | undefined {
    const { space } = this.#host;
    const { rule, environment, reach } = visit;
    const { visits } = this.#host;
    if (--visits.left < 0) {
      throw new PacketSetBudgetError(`chains need more than ${visits.most} rule visits`);
    }
    if (!matters(rule)) {
      pass.visits.push({ ...visit, match: undefined, hit: undefined, callee: undefined });
      pass.next.add(environment, reach);
      return undefined;
    }
    const asked = new Set<string>();
    const match = this.#host.noting(asked, () => this.#match(rule, environment));
    const set = space.intersect(reach, match);
    const done = { ...visit, match, hit: set, callee: undefined };
    if (!space.isEmpty(set)) {
      this.#noteUnknowns(pass, asked, set);
      const hit = { rule, set, after: this.#afterStatements(rule, environment) };
      const chain = this.#apply(pass, hit, rule.verdict);
      if (chain !== undefined) return { chain, hit, visit: done };
    }
    pass.next.add(environment, space.minus(reach, match));
    pass.visits.push(done);
    return undefined;
  }

  /** Packets a rule's matches take, wherever they come from. Built apart from what reaches the rule: it is small, that is not. */
  #match(rule: Rule, environment: Environment): PacketSet {
    const conditions = rule.matches.map(({ condition }) => condition);
    return allConditionsSet(this.#host, this.#place, environment, conditions);
  }

  /** Packets a rule's matches take at most: without those that are not modelled. */
  #most(rule: Rule, environment: Environment): PacketSet {
    const modelled = rule.matches.map(({ condition }) => condition).filter(isModelled);
    return allConditionsSet(this.#host, this.#place, environment, modelled);
  }

  #afterStatements(rule: Rule, environment: Environment): Environment {
    let after = environment;
    for (const statement of rule.statements) {
      if (hasEffect(statement))
        after = afterStatement(this.#host, this.#place, after, statement, this.#tracked);
    }
    return after;
  }

  /** What a verdict does with the packets it applies to. The result is where a jump leads, for which nothing is done yet. */
  #apply(pass: Pass, hit: Hit, verdict: Verdict): Chain | undefined {
    switch (verdict.kind) {
      case 'jump':
      case 'goto':
        return this.#target(pass, hit, verdict.chain);
      case 'accept':
      case 'drop':
      case 'reject':
        this.#settle(pass, hit, verdict.kind, hit.set, hit.after);
        return undefined;
      case 'continue':
        pass.next.add(hit.after, hit.set);
        return undefined;
      case 'return':
        pass.ended.add(hit.after, hit.set);
        return undefined;
      case 'queue':
        this.#undecided(pass, hit, verdict.text, false);
        return undefined;
      case 'unknown':
        this.#undecided(pass, hit, verdict.text, true);
        return undefined;
      case 'nat':
        this.#translate(pass, hit, verdict.nat);
        return undefined;
    }
  }

  #translate(pass: Pass, hit: Hit, nat: Nat): void {
    const { rule, after, set } = hit;
    const isForOther =
      nat.addresses !== undefined && nat.version !== undefined && nat.version !== this.#place.version;
    // Outside nat chains no kernel loads it. The address of one IP version says nothing about packets of the other.
    if (!this.#natChain) this.#undecided(pass, hit, rule.text, true);
    else if (isForOther) pass.next.add(after, set);
    else {
      // No packet is translated twice in one base chain, so that all its rules share their unknowns.
      const translations = this.#host.withinScope(this.#natScope, () =>
        afterNat(this.#host, this.#place, after, nat),
      );
      for (const { within, environment } of translations) {
        const part = this.#host.space.intersect(set, within);
        this.#settle(pass, hit, 'accept', part, environment.withNote('nat', rule.text));
      }
    }
  }

  /** A final verdict for some of the packets. */
  #settle(
    pass: Pass,
    hit: Hit,
    verdict: LocalDecision['verdict'],
    set: PacketSet,
    leaving: Environment,
  ): void {
    const { space } = this.#host;
    if (space.isEmpty(set)) return;
    pass.decisions.push({ rule: hit.rule, verdict, environment: leaving, set });
    if (verdict === 'accept') pass.accepted.add(leaving, set);
    else if (verdict === 'drop') pass.dropped = space.union(pass.dropped, set);
    else pass.rejected = space.union(pass.rejected, set);
  }

  /** Accepted, dropped or, where `mayGoOn`, on to the next rule: by fresh unknown values. */
  #undecided(pass: Pass, hit: Hit, text: string, mayGoOn: boolean): void {
    const { space } = this.#host;
    const asked = new Set<string>();
    const varying = () => this.#host.noting(asked, () => this.#host.varying(text));
    const accepts = varying();
    this.#settle(pass, hit, 'accept', space.intersect(hit.set, accepts), hit.after);
    const stops = mayGoOn ? space.minus(varying(), accepts) : space.complement(accepts);
    this.#noteUnknowns(pass, asked, hit.set);
    this.#settle(pass, hit, 'drop', space.intersect(hit.set, stops), hit.after);
    if (mayGoOn) pass.next.add(hit.after, space.minus(hit.set, space.union(accepts, stops)));
  }

  /** The chain that a jump leads to. One that cannot be followed may do anything. */
  #target(pass: Pass, hit: Hit, name: string): Chain | undefined {
    const target = this.#index.target(pass.chain, name);
    const trouble = target.kind !== 'chain' ? target.kind : this.#depth >= DEEPEST_JUMP ? 'depth' : undefined;
    if (target.kind === 'chain' && trouble === undefined) return target.chain;
    this.troubles.push({ kind: trouble ?? 'missing', table: this.#table, chain: name });
    this.#undecided(pass, hit, hit.rule.text, true);
    return undefined;
  }

  /** Adds what a called chain did with the packets that jumped there. */
  #comeBack(pass: Pass, { hit, visit }: Jump, callee: ChainSummary): void {
    const { space } = this.#host;
    const { environment, reach, match } = visit;
    pass.visits.push({ ...visit, callee });
    this.#noteCallee(pass, callee, hit.set);
    pass.accepted.addWithin(callee.accepted, hit.set);
    // Packets that jump have not been decided yet: one step instead of an intersection and a union.
    pass.dropped = space.ifThenElse(hit.set, callee.dropped, pass.dropped);
    pass.rejected = space.ifThenElse(hit.set, callee.rejected, pass.rejected);
    if (hit.rule.verdict.kind === 'goto') {
      pass.next.add(environment, space.minus(reach, match));
      pass.ended.addWithin(callee.ended, hit.set);
      return;
    }
    // Packets that come back as they went never leave the set: it is large, and taking them out and putting them back is dear.
    const unchanged = callee.ended.get(environment.key)?.set ?? space.empty;
    pass.next.add(environment, space.minus(reach, space.minus(match, unchanged)));
    for (const end of callee.ended.values()) {
      if (end.environment.key !== environment.key)
        pass.next.add(end.environment, space.intersect(end.set, hit.set));
    }
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
