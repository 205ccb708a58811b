/**
 * Fewer unknown predicates for the same answers.
 *
 * A chain with hundreds of independent unknown predicates (rate limits, opaque extensions) treats almost every packet as a
 * different boolean function of them, and diagrams of so many functions are huge. But what can happen to a packet in a chain is one of
 * a handful of outcomes: dropped, rejected, at the chain's end, on to the next rule, accepted. Which of them are possible for a packet is
 * all that any later step can find out about predicates that no later step asks for. So these are replaced by two or three fresh ones that
 * choose among the possible outcomes. Only packets that come to one of the predicates are looked at: the others stay what they are.
 *
 * Let o(p, x, u) be the outcome of packet p, where u are the predicates to be replaced and x all others, and P_j = { (p, x) : o = j for
 * some u }. The result o'(p, x, w) is chosen so that { o'(p, x, w) : w } = { o(p, x, u) : u } for all p and x. Later steps are functions of
 * p, x, the outcome, and predicates of their own; by induction, every set that comes after holds a packet for some, or for all, values of
 * the unknowns exactly when it would have without the replacement. Sets from before (what hits one rule) keep their own predicates; both
 * statements hold for their intersections with later ones as well, since what hits a rule for some u, and what it does then, is a part of
 * P_j for the rule's outcome j, and what hits it for all u is in no other outcome. For this the outcome has to say all about how a packet
 * goes on, so nothing is merged below a base chain with rules that change packets (marks, NAT, notrack). One statement is weaker: where a packet
 * comes to the same rule by one call or by another, and which one hangs on merged unknowns, the rule is said to decide it possibly, though it
 * does so surely.
 *
 * Deterministic predicates need more, because a check may ask: is there, for all their values, *some* packet that is accepted
 * (required paths: some interface)? One fresh predicate stands for different ones at different packets, and these could then be played off
 * against each other. They cannot where one value of the fresh ones is the worst for all packets alike, and leads to what the worst values
 * of the replaced ones lead to. An unknown in a rule that accepts, drops or rejects has a worst value, the same for all packets. Others
 * (in a rule that returns or jumps) are replaced at the end of the chain only, where the possible outcomes have an order: the worst is then
 * the lowest possible one, which for some packet is worse than what the same predicate does to another packet it has opposite effects on. Such a path is
 * called possibly closed instead of open: never the other way round.
 */
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import type { HostSpace } from './host-space.ts';
import type { UnknownEntry } from './merged-names.ts';

/** What is known of an unknown predicate that nothing outside its chain asks for. */
export interface OpenUnknown {
  /** Varying, or deterministic: then in a rule that accepts, drops or rejects (`settling`), or in another (`steering`). */
  readonly kind: 'varying' | 'settling' | 'steering';
  /** For `settling`: the truth value that is worse for acceptance. */
  readonly worst: boolean;
}

/** What can happen to a packet, from the worst to the best; disjoint sets. */
export type Outcomes = readonly PacketSet[];

/** What is to be merged. */
export interface MergeRequest {
  readonly outcomes: Outcomes;
  /** Packets that come to one of the predicates, whatever the unknowns are. */
  readonly zone: PacketSet;
  /** The predicates that may be replaced, by key. */
  readonly known: (key: string) => OpenUnknown | undefined;
  /** Whether the chain ends here: going on and returning are then the same. */
  readonly atEnd: boolean;
  /** Which predicates there are, for the names of those that replace them. Others that count beside them are added. */
  readonly entries: UnknownEntry[];
  /** Keys of the others that were added. */
  readonly others: Set<string>;
}

/** The outcomes with few fresh unknowns instead of many, and what is known of the fresh ones. */
export interface Merged {
  readonly outcomes: Outcomes;
  readonly made: ReadonlyMap<string, OpenUnknown>;
}

/** Replaces unknowns by few: all at the end of a chain, before that those which do not tell going on from returning. */
export function mergeUnknowns(host: HostSpace, request: MergeRequest): Merged {
  const { space } = host;
  const inside = request.outcomes.map((set) => space.intersect(set, request.zone));
  const fixed = new Map<string, OpenUnknown>();
  const varying = new Map<string, OpenUnknown>();
  for (const key of new Set(inside.flatMap((set) => space.support(set).keys))) {
    const unknown = request.known(key);
    if (unknown === undefined) nameOther(host, request, key);
    else if (unknown.kind === 'varying') varying.set(key, unknown);
    else if (unknown.kind === 'settling' || request.atEnd) fixed.set(key, unknown);
  }
  // Deterministic ones first: then the worst of them is the worst for each value of the varying ones.
  const byFixed = new Replacement(host, request, fixed, true).apply(inside);
  const byBoth = new Replacement(host, request, varying, false).apply(byFixed.outcomes);
  const outcomes = request.outcomes.map((set, i) =>
    byBoth.outcomes[i] === inside[i] ? set : space.union(space.minus(set, request.zone), byBoth.outcomes[i]!),
  );
  return { outcomes, made: new Map([...byFixed.made, ...byBoth.made]) };
}

/** Once both outcomes are possible whatever another predicate says, it is gone from the sets; it is to be named all the same. */
function nameOther(host: HostSpace, { entries, others, zone }: MergeRequest, key: string): void {
  if (others.has(key)) return;
  others.add(key);
  entries.push({ within: zone, to: host.mergedBehind(key)?.entries ?? key });
}

/** The replacement of some unknowns of one nature. */
class Replacement {
  readonly #host: HostSpace;
  readonly #space: PacketSpace;
  readonly #request: MergeRequest;
  readonly #replaced: ReadonlyMap<string, OpenUnknown>;
  readonly #isDeterministic: boolean;
  readonly #made = new Map<string, OpenUnknown>();

  constructor(
    host: HostSpace,
    request: MergeRequest,
    replaced: ReadonlyMap<string, OpenUnknown>,
    isDeterministic: boolean,
  ) {
    this.#host = host;
    this.#space = host.space;
    this.#request = request;
    this.#replaced = replaced;
    this.#isDeterministic = isDeterministic;
  }

  apply(outcomes: Outcomes): Merged {
    const made = this.#made;
    if (this.#replaced.size === 0) return { outcomes, made };
    const variables = this.#space.variables({ keys: [...this.#replaced.keys()] });
    const possible = outcomes.map((outcome) => this.#space.exists(outcome, variables));
    if (!this.#isDeterministic) return { outcomes: this.#choose(possible), made };
    const worst = this.#worst(outcomes, possible);
    const some = possible.filter((set) => !this.#space.isEmpty(set));
    const chosen = some.length === 2 ? this.#others(possible, worst) : this.#choose(possible);
    const isFree = this.#fresh();
    return { outcomes: chosen.map((set, i) => this.#space.ifThenElse(isFree, set, worst[i]!)), made };
  }

  /** Of two possible outcomes the one that is not in `given`, if both are possible. */
  #others(possible: Outcomes, given: Outcomes): Outcomes {
    const space = this.#space;
    return possible.map((set, i) => {
      const alone = possible.reduce((rest, other, k) => (k === i ? rest : space.minus(rest, other)), set);
      return space.union(alone, space.minus(set, given[i]!));
    });
  }

  /** One of the possible outcomes: fresh unknowns name one, and where it is not possible it is the best possible one. */
  #choose(possible: Outcomes): Outcomes {
    const space = this.#space;
    const some = possible.flatMap((set, i) => (space.isEmpty(set) ? [] : [i]));
    if (some.length < 2) return possible;
    const best = highest(space, possible);
    /** The outcomes where a code names the one at `index`. */
    const named = (index: number): Outcomes =>
      possible.map((set, i) => (i === index ? set : space.minus(best[i]!, possible[index]!)));
    let byCode = some.map(named);
    // One bit after the other halves the number of codes; a code without a partner stays as it is.
    while (byCode.length > 1) {
      const bit = this.#fresh();
      const halves: Outcomes[] = [];
      for (let i = 0; i < byCode.length; i += 2) {
        const low = byCode[i]!;
        const high = byCode[i + 1];
        halves.push(high === undefined ? low : low.map((set, k) => space.ifThenElse(bit, high[k]!, set)));
      }
      byCode = halves;
    }
    return byCode[0]!;
  }

  /** What the worst values of the replaced unknowns lead to. */
  #worst(outcomes: Outcomes, possible: Outcomes): Outcomes {
    if ([...this.#replaced.values()].some(({ kind }) => kind === 'steering')) {
      return highest(this.#space, [...possible].reverse()).reverse();
    }
    const values = new Map([...this.#replaced].map(([key, { worst }]) => [key, worst]));
    return outcomes.map((outcome) => this.#space.withUnknowns(outcome, values));
  }

  #fresh(): PacketSet {
    const { entries, zone } = this.#request;
    const { key, set } = this.#host.merged(this.#isDeterministic, {
      entries,
      count: entries.length,
      within: zone,
    });
    this.#made.set(key, { kind: this.#isDeterministic ? 'settling' : 'varying', worst: false });
    return set;
  }
}

/** Of every set what is in no later one. */
function highest(space: PacketSpace, sets: Outcomes): PacketSet[] {
  let above = space.empty;
  const out: PacketSet[] = [];
  for (const set of [...sets].reverse()) {
    out.unshift(space.minus(set, above));
    above = space.union(above, set);
  }
  return out;
}
