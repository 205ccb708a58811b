/** Which rules keep packets from a rule: in its own chain, in those that call it, and in base chains before. */
import type { Chain, Rule, Table } from '../model/index.ts';
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import type { ChainSummary, RuleVisit } from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import { type LifeVisit, matchOf, type RunView } from './rule-life.ts';

/** A rule or, with `rule` undefined, a chain policy that takes packets away from a later rule. */
export interface BlockingPlace {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule | undefined;
}

/**
 * How good a set of blockers is: `one` of them does it alone, `fewest`: no smaller set of these rules does it, `irredundant`: none of them
 * can be left out, but a smaller set was not looked for.
 */
export type CoverQuality = 'one' | 'fewest' | 'irredundant';

/** A blocker, and what becomes of the packets that it takes: some pass the base chain, some are stopped. */
export interface Blocker extends BlockingPlace {
  readonly passes: boolean;
  readonly stops: boolean;
}

/** Rules that together take all packets that are wanted. */
export interface Cover {
  readonly blockers: readonly Blocker[];
  readonly quality: CoverQuality;
}

interface Candidate extends BlockingPlace {
  readonly taken: PacketSet;
  /** Packets of which it is to be seen what becomes of them; `undefined` where the rule's own verdict says it. */
  readonly followed: PacketSet | undefined;
}

/** More ways from the base chain to a rule than this are not told apart. */
const MOST_WAYS = 32;

/** One way from a base chain to a rule: the calls, and the packets that their conditions let through. */
interface WayToRule {
  readonly before: readonly { readonly at: ChainSummary; readonly index: number }[];
  readonly sent: PacketSet;
}

/**
 * The rules that take the packets `wanted` from a visit. Each takes what its conditions say, also where another one came first, so that one rule
 * that does it alone is found. Rules of the visited chain come first; where they do not suffice, each way that leads there has a set of
 * its own. `undefined`: no rule takes any of the packets, so they never come here for another reason.
 */
export function coverOf(context: HostContext, lifeVisit: LifeVisit, wanted: PacketSet): Cover | undefined {
  const { view, summary, visit } = lifeVisit;
  const { space } = context.space;
  const ways = waysTo(context, view, summary, visit.index);
  if (ways.length > 1) {
    const own = [{ at: summary, index: visit.index }];
    const here = coverBefore(context, view, own, wanted, false);
    if (here?.isWhole === true) return here;
  }
  const covers = ways.flatMap(({ before, sent }) => {
    const onThisWay = space.intersect(wanted, sent);
    return space.isEmpty(onThisWay) ? [] : (coverBefore(context, view, before, onThisWay, true) ?? []);
  });
  if (covers.length <= 1) return covers[0];
  const blockers = new Map(covers.flatMap((one) => one.blockers.map((b) => [b.rule ?? b.chain, b] as const)));
  return { blockers: [...blockers.values()], quality: blockers.size === 1 ? 'one' : 'irredundant' };
}

/** Every way that leads to a place; past the limit all the rest as if it were one. */
function waysTo(context: HostContext, view: RunView, summary: ChainSummary, index: number): WayToRule[] {
  const { space } = context.space;
  const found: WayToRule[] = [];
  const walk = (at: ChainSummary, from: number, behind: WayToRule): void => {
    const before = [{ at, index: from }, ...behind.before];
    const sites = view.callers.get(at) ?? [];
    if (view.run.summaries.some((root) => root.summary === at)) found.push({ before, sent: behind.sent });
    for (const site of sites) {
      if (found.length >= MOST_WAYS) return;
      const sent = space.intersect(behind.sent, site.visit.match ?? space.empty);
      if (!space.isEmpty(sent)) walk(site.summary, site.visit.index, { before, sent });
    }
  };
  walk(summary, index, { before: [], sent: space.full });
  return found;
}

function coverBefore(
  context: HostContext,
  view: RunView,
  before: WayToRule['before'],
  wanted: PacketSet,
  withEarlierRuns: boolean,
): (Cover & { readonly isWhole: boolean }) | undefined {
  const { space } = context.space;
  const inRun = candidatesBefore(context, view, before, wanted);
  const told = ({ blockers, quality }: CandidateCover, isWhole: boolean) => ({
    blockers: blockers.map((one) => blockerOf(context, view, one)),
    quality,
    isWhole,
  });
  const alone = inRun.find((one) => space.includes(one.taken, wanted));
  if (alone !== undefined) return told({ blockers: [alone], quality: 'one' }, true);
  const rest = space.minus(wanted, space.unionAll(inRun.map(({ taken }) => taken)));
  const earlier = space.isEmpty(rest) || !withEarlierRuns ? [] : stoppedBefore(context, view, rest);
  const all = [...inRun, ...earlier];
  const covered = space.intersect(wanted, space.unionAll(all.map(({ taken }) => taken)));
  if (space.isEmpty(covered)) return undefined;
  return told(smallestCover(space, all, covered), space.isEmpty(rest));
}

function blockerOf(context: HostContext, view: RunView, candidate: Candidate): Blocker {
  const { table, chain, rule, followed } = candidate;
  const { space } = context.space;
  const place = { table, chain, rule };
  if (followed !== undefined) {
    const runs = view.analysis.runs.slice(0, view.position + 1);
    const passed = [...view.run.passed.values()].map(({ set }) => set);
    return {
      ...place,
      passes: passed.some((set) => space.intersects(set, followed)),
      stops: runs.some(
        ({ dropped, rejected }) =>
          space.intersects(dropped, followed) || space.intersects(rejected, followed),
      ),
    };
  }
  const stops = rule === undefined || rule.verdict.kind === 'drop' || rule.verdict.kind === 'reject';
  return { ...place, stops, passes: !stops };
}

/** Whether a rule's own verdict says what becomes of all its packets in the base chain. */
function decidesByItself({ verdict }: Rule): boolean {
  return ['accept', 'drop', 'reject', 'nat'].includes(verdict.kind);
}

/** Rules before the places of a way that take some of the packets; the outermost first. Where one takes all of them, it is the last one. */
function candidatesBefore(
  context: HostContext,
  view: RunView,
  before: WayToRule['before'],
  wanted: PacketSet,
): Candidate[] {
  const { space } = context.space;
  const byRule = new Map<Rule, Candidate>();
  let alone: Rule | undefined;
  for (const { at, index } of before) {
    for (const visit of at.visits) {
      if (visit.index >= index) break;
      // Visits of one rule follow each other.
      if (alone !== undefined && visit.rule !== alone) return [...byRule.values()];
      if (visit.hit === undefined) continue;
      const taken = space.intersect(takenBy(context, view, at, visit), wanted);
      if (space.isEmpty(taken)) continue;
      const known = byRule.get(visit.rule);
      const candidate = {
        table: view.run.table,
        chain: at.chain,
        rule: visit.rule,
        taken: space.union(known?.taken ?? space.empty, taken),
        followed: decidesByItself(visit.rule)
          ? undefined
          : space.union(
              known?.followed ?? space.empty,
              space.intersectAll([taken, visit.hit, view.entering.get(at) ?? space.empty]),
            ),
      };
      byRule.set(visit.rule, candidate);
      if (space.includes(candidate.taken, wanted)) alone = visit.rule;
    }
  }
  return [...byRule.values()];
}

/** What a rule takes away from those behind it: all it matches where it decides by itself, what its chain decides where it jumps. */
function takenBy(context: HostContext, view: RunView, at: ChainSummary, visit: RuleVisit): PacketSet {
  const { space } = context.space;
  const { rule, callee } = visit;
  const hit = visit.hit ?? space.empty;
  if (callee !== undefined) {
    // A goto takes even what its chain does not decide: that has come to the end of this chain.
    if (rule.verdict.kind === 'goto') return hit;
    const accepted = [...callee.accepted.values()].map(({ set }) => set);
    return space.intersect(hit, space.unionAll([callee.dropped, callee.rejected, ...accepted]));
  }
  switch (rule.verdict.kind) {
    case 'continue':
    case 'jump':
    case 'goto':
    case 'unknown':
      return space.empty;
    default:
      // With changed fields a match says nothing about packets in which they are not changed.
      return visit.environment.key === at.environment.key
        ? matchOf(context, { view, summary: at, visit })
        : hit;
  }
}

/** What stopped the packets in base chains before this one, the first of them first. */
function stoppedBefore(context: HostContext, view: RunView, wanted: PacketSet): Candidate[] {
  const { space } = context.space;
  const found: Candidate[] = [];
  for (const decisions of context.decisions(view.analysis).slice(0, view.position)) {
    for (const { table, chain, rule, verdict, set } of decisions) {
      if (verdict === 'accept' || !space.intersects(set, wanted)) continue;
      found.push({ table, chain, rule, taken: space.intersect(set, wanted), followed: undefined });
    }
  }
  return found;
}

/** More rules than this are not tried in all combinations. */
const MOST_TRIED = 16;
/** Combinations of up to so many rules are tried. */
const MOST_TOGETHER = 4;

interface CandidateCover {
  readonly blockers: readonly Candidate[];
  readonly quality: CoverQuality;
}

function smallestCover(
  space: PacketSpace,
  candidates: readonly Candidate[],
  wanted: PacketSet,
): CandidateCover {
  const useful = irredundant(space, candidates, wanted);
  const done = (blockers: readonly Candidate[], quality: CoverQuality): CandidateCover => ({
    blockers,
    quality: blockers.length === 1 ? 'one' : quality,
  });
  if (useful.length <= 1) return done(useful, 'one');
  const tried = undominated(space, candidates, wanted);
  if (tried === undefined) return done(useful, useful.length === 2 ? 'fewest' : 'irredundant');
  for (let size = 1; size < Math.min(useful.length, MOST_TOGETHER + 1); size++) {
    const found = coverOfSize(space, tried, size, wanted);
    if (found !== undefined) return done(found, 'fewest');
  }
  return done(useful, useful.length <= MOST_TOGETHER + 1 ? 'fewest' : 'irredundant');
}

/** Candidates that take something no other single one takes too; `undefined` where they are too many to be tried in combinations. */
function undominated(
  space: PacketSpace,
  candidates: readonly Candidate[],
  wanted: PacketSet,
): Candidate[] | undefined {
  if (candidates.length > 20 * MOST_TRIED) return undefined;
  const sets = new Map<PacketSet, Candidate>();
  for (const candidate of candidates) {
    const taken = space.intersect(candidate.taken, wanted);
    if (!space.isEmpty(taken) && !sets.has(taken)) sets.set(taken, { ...candidate, taken });
  }
  const all = [...sets.values()];
  const kept = all.filter(
    (one) => !all.some((other) => other !== one && space.includes(other.taken, one.taken)),
  );
  return kept.length > MOST_TRIED ? undefined : kept;
}

/** The first combination of so many candidates that takes all packets. */
function coverOfSize(
  space: PacketSpace,
  candidates: readonly Candidate[],
  size: number,
  left: PacketSet,
): Candidate[] | undefined {
  if (size === 0) return space.isEmpty(left) ? [] : undefined;
  for (const [i, candidate] of candidates.entries()) {
    if (candidates.length - i < size) return undefined;
    const more = coverOfSize(space, candidates.slice(i + 1), size - 1, space.minus(left, candidate.taken));
    if (more !== undefined) return [candidate, ...more];
  }
  return undefined;
}

/**
 * Drops rules that are not needed, first those that stand early: rules such as "accept established" take a share of everything. Takes
 * one step for each candidate.
 */
function irredundant(space: PacketSpace, candidates: readonly Candidate[], wanted: PacketSet): Candidate[] {
  // Largest first would be no smaller, only dearer.
  const taken = candidates.map((candidate) => space.intersect(candidate.taken, wanted));
  const behind: PacketSet[] = [space.empty];
  for (let i = taken.length - 1; i > 0; i--) behind.unshift(space.union(behind[0]!, taken[i]!));
  let kept = space.empty;
  return candidates.filter((_, i) => {
    if (space.includes(space.union(kept, behind[i]!), wanted)) return false;
    kept = space.union(kept, taken[i]!);
    return true;
  });
}
