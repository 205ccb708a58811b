/** What would become of packets if one rule were not there: proof that a rule repeats what later ones do. */
import type { Chain, Condition, Rule, Statement, Table, Verdict } from '../model/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { ChainSummary, Environment, RuleVisit } from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import { hitOf, type LifeVisit, matchIn, type PlacedRule, type RunView } from './rule-life.ts';

/** The packets came to the end of a chain without a verdict. */
const END = 'end';

/**
 * All packets that come to a rule of a chain, by what that rule and those behind it make of them: a key of `verdictKeyOf`, or `END`.
 * Disjoint. Packets in no set meet something that leaves a trace besides their verdict (a log, a mark, a rate limit, a program),
 * or that is not known.
 */
type Outcome = ReadonlyMap<string, PacketSet>;

/** The verdict of a rule that does nothing else, for telling equal ones from different ones; `undefined` for all other rules. */
export function verdictKeyOf({ verdict, statements }: Rule): string | undefined {
  if (!statements.every(isCounter)) return undefined;
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
      return verdict.kind;
    case 'reject':
      // nft does not print how a rule of iptables rejects.
      return verdict.with === 'unknown' ? undefined : `reject ${verdict.with}`;
    case 'nat':
      return `nat ${JSON.stringify(verdict.nat, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`;
    default:
      return undefined;
  }
}

/** Counting is no effect that anybody relies on: every rule counts. */
function isCounter(statement: Statement): boolean {
  return statement.kind === 'no-effect' && /^counter\b/.test(statement.text);
}

/** Proves rules redundant, chain by chain. */
export class Continuations {
  readonly #context: HostContext;
  /** Rules that decide nothing or were found redundant: nothing may rest on them being there, or gone. */
  readonly #unsure: Set<Rule>;
  /** What holds around every chain whose packets cannot come back to it. */
  readonly #shared: Around = { folds: new Map(), unsure: new Set() };
  readonly #ids = new Map<Chain, number>();
  /** What is in `#shared` relies on a rule that was found redundant since. */
  #isStale = false;

  constructor(context: HostContext, dead: Iterable<Rule>) {
    this.#context = context;
    this.#unsure = new Set(dead);
  }

  /**
   * For one chain, whose rules are to be asked from the last to the first: whether all packets that a visit decides would get the same
   * verdict from rules behind it, and leave the same traces. What was found redundant of this chain is not relied on, so that all
   * such rules can go together. Where packets may come into the chain a second time, its rules are not relied on there: a rule
   * would prove itself.
   */
  judgeOf(table: Table, chain: Chain): (visit: LifeVisit) => boolean {
    if (this.#isStale) this.#shared.folds.clear();
    this.#isStale = false;
    const own = new Map<RunView, Map<string, Fold>>();
    const around: Around = this.#context.space.chainIndex(table).mayBeEnteredAgain(chain)
      ? { folds: new Map(), unsure: new Set(chain.rules) }
      : this.#shared;
    return (lifeVisit) => {
      const { view, summary, visit } = lifeVisit;
      const key = verdictKeyOf(visit.rule);
      if (key === undefined) return false;
      const hit = hitOf(this.#context, lifeVisit);
      if (this.#context.space.space.isEmpty(hit)) return true;
      const fold = this.#foldIn(own, view, summary.chain, visit.environment, this.#shared);
      return this.#getSame(view, summary, visit.environment, fold, visit.index + 1, hit, key, around);
    };
  }

  /** From now on the rule is not relied on. */
  addRedundant(table: Table, chain: Chain, rule: Rule): void {
    this.#unsure.add(rule);
    this.#isStale ||= this.#context.space.chainIndex(table).mayBeEnteredAgain(chain);
  }

  #getSame(
    view: RunView,
    summary: ChainSummary,
    environment: Environment,
    fold: Fold,
    from: number,
    packets: PacketSet,
    key: string,
    around: Around,
  ): boolean {
    const { space } = this.#context.space;
    const outcome = fold.from(from);
    const left = space.minus(packets, outcome.get(key) ?? space.empty);
    if (space.isEmpty(left)) return true;
    // A policy is no rule: an accept before a policy that accepts is how one prepares to change the policy.
    if (summary.chain.base !== undefined) return false;
    if (!space.includes(outcome.get(END) ?? space.empty, left)) return false;
    const sites = view.callers.get(summary) ?? [];
    return sites.every((site) => {
      const entering = view.entering.get(site.summary) ?? space.empty;
      const here = space.intersectAll([left, entering, site.visit.hit ?? space.empty]);
      if (space.isEmpty(here)) return true;
      // What the jumping rule itself assigns is gone from no packet, but the caller may have been entered with other values.
      const back = this.#foldIn(around.folds, view, site.summary.chain, environment, around);
      const next = behind(site.visit);
      return this.#getSame(view, site.summary, environment, back, next, here, key, around);
    });
  }

  #foldIn(
    folds: Map<RunView, Map<string, Fold>>,
    view: RunView,
    chain: Chain,
    environment: Environment,
    around: Around,
  ): Fold {
    let ofView = folds.get(view);
    if (ofView === undefined) {
      ofView = new Map();
      folds.set(view, ofView);
    }
    let id = this.#ids.get(chain);
    if (id === undefined) {
      id = this.#ids.size;
      this.#ids.set(chain, id);
    }
    const name = `${id} ${environment.key}`;
    let fold = ofView.get(name);
    if (fold === undefined) {
      fold = new Fold({
        context: this.#context,
        view,
        chain,
        environment,
        isUnsure: (rule) => this.#unsure.has(rule) || around.unsure.has(rule),
        calleeOf: (target) => this.#foldIn(around.folds, view, target, environment, around),
      });
      ofView.set(name, fold);
    }
    return fold;
  }
}

/** Outcomes of the chains around the one that is judged, and rules not to be relied on there. */
interface Around {
  readonly folds: Map<RunView, Map<string, Fold>>;
  readonly unsure: ReadonlySet<Rule>;
}

/** Where packets go on that come back from a jump; behind the last rule for a goto. */
function behind({ rule, index }: RuleVisit): number {
  return rule.verdict.kind === 'goto' ? Number.POSITIVE_INFINITY : index + 1;
}

interface FoldContext {
  readonly context: HostContext;
  readonly view: RunView;
  readonly chain: Chain;
  readonly environment: Environment;
  readonly isUnsure: (rule: Rule) => boolean;
  readonly calleeOf: (chain: Chain) => Fold;
}

/** The outcomes from each rule of a chain on, for packets in one environment; made from the last rule to the first, as far as asked. */
class Fold {
  readonly #of: FoldContext;
  /** Outcomes by the number of rules behind the place. */
  readonly #outcomes: Outcome[];
  #isOpen = false;

  constructor(of: FoldContext) {
    this.#of = of;
    this.#outcomes = [new Map([[END, of.context.space.space.full]])];
  }

  /** What becomes of packets that come to the rule at `index`, and past the last one. */
  from(index: number): Outcome {
    const { rules } = this.#of.chain;
    const remaining = Math.max(0, rules.length - index);
    // Chains that lead to each other are not followed.
    if (this.#isOpen) return new Map();
    this.#isOpen = true;
    while (this.#outcomes.length <= remaining) {
      const rule = rules[rules.length - this.#outcomes.length]!;
      const after = this.#outcomes[this.#outcomes.length - 1]!;
      this.#outcomes.push(this.#before(rule, after));
    }
    this.#isOpen = false;
    return this.#outcomes[remaining]!;
  }

  #before(rule: Rule, after: Outcome): Outcome {
    const before = this.#withRule(rule, after);
    if (before === after || !this.#of.isUnsure(rule)) return before;
    const { space } = this.#of.context.space;
    return new Map(
      [...before].map(([key, set]) => [key, space.intersect(set, after.get(key) ?? space.empty)]),
    );
  }

  #withRule(rule: Rule, after: Outcome): Outcome {
    const { verdict } = rule;
    if (verdict.kind === 'continue' && rule.statements.every(isCounter)) return after;
    const { context, view, environment } = this.#of;
    const { space } = context.space;
    const modelled = rule.matches.filter(({ condition }) => !asksVarying(context, condition));
    const wide = modelled.length < rule.matches.length ? { ...rule, matches: modelled } : rule;
    const match =
      wide === rule ? matchIn(context, view.place, environment, rule) : this.#wideMatch(rule, wide);
    if (space.isEmpty(match)) return after;
    const inner = wide === rule ? this.#whenMatching(rule, verdict, after) : new Map<string, PacketSet>();
    const keys = new Set([...after.keys(), ...inner.keys()]);
    return new Map(
      [...keys].map((key) => [
        key,
        space.ifThenElse(match, inner.get(key) ?? space.empty, after.get(key) ?? space.empty),
      ]),
    );
  }

  #wideMatch(rule: Rule, wide: Rule): PacketSet {
    const cache = this.#of.context.once('wide matches', () => new Map<Rule, Rule>());
    const known = cache.get(rule) ?? wide;
    cache.set(rule, known);
    return matchIn(this.#of.context, this.#of.view.place, this.#of.environment, known);
  }

  /** What becomes of packets that the rule matches. */
  #whenMatching(rule: Rule, verdict: Verdict, after: Outcome): Outcome {
    const { space } = this.#of.context.space;
    const nothing: Outcome = new Map();
    if (!rule.statements.every(isCounter)) return nothing;
    switch (verdict.kind) {
      case 'return':
        return new Map([[END, space.full]]);
      case 'jump':
      case 'goto': {
        const { chain, context, view } = this.#of;
        const target = context.space.chainIndex(view.run.table).target(chain, verdict.chain);
        if (target.kind !== 'chain') return nothing;
        const callee = this.#of.calleeOf(target.chain).from(0);
        const end = callee.get(END) ?? space.empty;
        if (verdict.kind === 'goto') return callee;
        const out = new Map<string, PacketSet>();
        for (const key of new Set([...callee.keys(), ...after.keys()])) {
          const decided = key === END ? space.empty : (callee.get(key) ?? space.empty);
          out.set(key, space.union(decided, space.intersect(end, after.get(key) ?? space.empty)));
        }
        return out;
      }
      default: {
        const key = verdictKeyOf(rule);
        return key === undefined ? nothing : new Map([[key, space.full]]);
      }
    }
  }
}

/** Whether the answer to a condition may change from packet to packet, or leaves a trace. */
export function asksVarying(context: HostContext, condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some((one) => asksVarying(context, one));
    case 'not':
      return asksVarying(context, condition.of);
    case 'unknown':
      return condition.nature === 'varying';
    case 'named-set':
      return !context.space.isFixedSet(condition.set);
    default:
      return false;
  }
}

/** Rules that take the packets of a visit where it is not there, nearest first: those that repeat it. */
export function repeatersOf(context: HostContext, lifeVisit: LifeVisit): PlacedRule[] {
  const { view, summary, visit } = lifeVisit;
  const { space } = context.space;
  const found: PlacedRule[] = [];
  const seen = new Set<ChainSummary>();
  let left = hitOf(context, lifeVisit);
  const walk = (at: ChainSummary, from: number): void => {
    /** Packets that have left the chain without a verdict. */
    let gone = space.empty;
    for (const [index, rule] of at.chain.rules.entries()) {
      if (space.isEmpty(left)) break;
      if (index < from || rule.verdict.kind === 'continue') continue;
      const taken = space.intersect(left, matchIn(context, view.place, visit.environment, rule));
      if (space.isEmpty(taken)) continue;
      const isJump = rule.verdict.kind === 'jump' || rule.verdict.kind === 'goto';
      const decided = isJump ? space.intersect(taken, decidedBy(context, at, index)) : taken;
      const isReturn = rule.verdict.kind === 'return';
      if (!isReturn && !space.isEmpty(decided)) found.push({ table: view.run.table, chain: at.chain, rule });
      if (isReturn) gone = space.union(gone, taken);
      else if (rule.verdict.kind === 'goto') gone = space.union(gone, space.minus(taken, decided));
      left = space.minus(left, isJump && rule.verdict.kind === 'jump' ? decided : taken);
    }
    left = space.union(left, gone);
    for (const site of view.callers.get(at) ?? []) {
      if (space.isEmpty(left) || seen.has(site.summary)) continue;
      seen.add(site.summary);
      walk(site.summary, behind(site.visit));
    }
  };
  walk(summary, visit.index + 1);
  return found;
}

/** Packets that the chain which a rule calls decides; none where no packet comes to the rule. */
function decidedBy(context: HostContext, at: ChainSummary, index: number): PacketSet {
  const { space } = context.space;
  const callees = at.visits.flatMap((v) => (v.index === index && v.callee !== undefined ? [v.callee] : []));
  return space.unionAll(
    callees.flatMap(({ accepted, dropped, rejected }) => [
      dropped,
      rejected,
      ...[...accepted.values()].map(({ set }) => set),
    ]),
  );
}
