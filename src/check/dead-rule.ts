/**
 * Rules that decide nothing: matched by no packet, hidden behind earlier rules, or repeated by later ones.
 *
 * Proved on packet sets over everything a packet can be, unknown predicates included, so that an unknown can hide a dead
 * rule but never invent one.
 */

import type { Chain, Rule, Verdict } from '../model/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import { visitConditions } from '../semantics/index.ts';
import { type Blocker, type BlockingPlace, type CoverQuality, coverOf } from './blockers.ts';
import { Continuations, repeatersOf, verdictKeyOf } from './continuation.ts';
import type { HostContext } from './host-context.ts';
import {
  hitOf,
  isHit,
  type LifeVisit,
  matchOf,
  type PlacedRule,
  type RuleLife,
  ruleLives,
} from './rule-life.ts';

/**
 * Why no packet can match a rule: `conditions` exclude each other, cannot occur in the chain (`place`), or no rule that
 * leads to the chain lets such a packet through (`calls`).
 */
export type UnmatchableReason = 'conditions' | 'place' | 'calls';

export interface DeadRule extends PlacedRule {
  readonly kind: 'unmatchable' | 'shadowed' | 'redundant';
  readonly hook: RuleLife['hook'];
  /** Rules that take its packets first, or repeat its verdict later. */
  readonly because: readonly BlockingPlace[];
  /** How good a set `because` is, for shadowed rules. */
  readonly quality: CoverQuality;
  /** Whether packets that the rule is about meet another fate than it would give them. */
  readonly differs: boolean;
  readonly reason: UnmatchableReason | undefined;
}

/** What is dead on a host. */
interface DeadOfHost {
  readonly rules: readonly DeadRule[];
  readonly parts: readonly DeadRule[];
}

/** Dead rules of the host, in the order of the export. */
export function deadRules(context: HostContext): readonly DeadRule[] {
  return deadOf(context).rules;
}

/**
 * Parts of rules that the parser told as several, that are hidden or match nothing while other parts of the same rule live: elements
 * of a verdict map.
 */
export function deadParts(context: HostContext): readonly DeadRule[] {
  return deadOf(context).parts;
}

/** Computed once. */
function deadOf(context: HostContext): DeadOfHost {
  return context.once('dead rules', () => {
    const lives = ruleLives(context);
    const hidden = new Map<Rule, DeadRule>();
    for (const life of lives) {
      const dead = judgeReach(context, life);
      if (dead !== undefined) hidden.set(life.rule, dead);
    }
    const redundant = redundantRules(context, lives, hidden);
    const out: DeadRule[] = [];
    const deadPartsFound: DeadRule[] = [];
    for (const parts of sameRule(lives)) {
      const dead = parts.map(({ rule }) => hidden.get(rule) ?? redundant.get(rule));
      const first = dead[0];
      if (first !== undefined && dead.every((d) => d?.kind === first.kind)) out.push(joined(first, dead));
      else deadPartsFound.push(...parts.flatMap(({ rule }) => hidden.get(rule) ?? []));
    }
    return { rules: out.sort(byOrigin), parts: deadPartsFound.sort(byOrigin) };
  });
}

function byOrigin(a: PlacedRule, b: PlacedRule): number {
  const [x, y] = [a.rule.origin, b.rule.origin];
  return x.line - y.line || x.column - y.column;
}

/** What is said of a rule that the parser told as several, all of which are dead in one way. */
function joined(first: DeadRule, parts: readonly (DeadRule | undefined)[]): DeadRule {
  if (parts.length === 1) return first;
  const because = parts.flatMap((part) => part?.because ?? []);
  return {
    ...first,
    because: distinct(because),
    differs: parts.some((part) => part?.differs === true),
    quality: parts.some((part) => part?.quality !== 'one') ? 'irredundant' : 'one',
  };
}

/** Lives by the rule of the export: a parser may tell one rule as several (one per element of a verdict map), which live or die together. */
export function sameRule(lives: Iterable<RuleLife>): RuleLife[][] {
  const groups = new Map<string, RuleLife[]>();
  for (const life of lives) {
    const { file, line, column, path } = life.rule.origin;
    const key = `${file}:${line}:${column}:${path}:${life.rule.number}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [life]);
    else group.push(life);
  }
  return [...groups.values()];
}

/** Whether no packet comes to the rule and matches, and why. Rules of a chain that nothing enters are not judged: what leads there is. */
function judgeReach(context: HostContext, life: RuleLife): DeadRule | undefined {
  const { space } = context.space;
  const { visits } = life;
  const isEntered = visits.some(
    ({ view, summary }) => !space.isEmpty(view.entering.get(summary) ?? space.empty),
  );
  if (!isEntered || restsOnAssumption(context, life)) return undefined;
  const base = { table: life.table, chain: life.chain, rule: life.rule, hook: life.hook };
  const none = { ...base, kind: 'unmatchable', because: [], quality: 'one', differs: false } as const;
  if (asksForOwner(life)) return { ...none, reason: 'place' };
  if (visits.some((visit) => isHit(context, visit))) return undefined;
  if (leavesTraceUnmatched(life.rule)) return undefined;
  const wanted = visits.map((visit) => {
    const match = matchOf(context, visit);
    return { visit, match, sent: space.intersect(match, visit.view.sent.get(visit.summary) ?? space.empty) };
  });
  if (wanted.every(({ match }) => space.isEmpty(match))) return { ...none, reason: 'conditions' };
  if (wanted.every(({ sent }) => space.isEmpty(sent))) return { ...none, reason: 'calls' };
  const because: BlockingPlace[] = [];
  let quality: CoverQuality = 'one';
  let differs = false;
  for (const { visit, sent } of wanted) {
    if (space.isEmpty(sent)) continue;
    const cover = coverOf(context, visit, sent);
    if (cover === undefined) continue;
    because.push(...cover.blockers);
    if (cover.quality !== 'one') quality = quality === 'irredundant' ? quality : cover.quality;
    differs ||= decidesOtherwise(context, visit, sent, cover.blockers);
  }
  const places = distinct(because);
  if (places.length === 0) return { ...none, reason: 'place' };
  // The smallest sets of two ways through the host need not be the smallest set of both.
  const isOneWay = wanted.filter(({ sent }) => !space.isEmpty(sent)).length === 1;
  const told = places.length === 1 ? 'one' : isOneWay ? quality : 'irredundant';
  return { ...base, kind: 'shadowed', because: places, quality: told, differs, reason: undefined };
}

function distinct(places: readonly BlockingPlace[]): BlockingPlace[] {
  const seen = new Map<Rule | Chain, BlockingPlace>();
  for (const place of places)
    if (!seen.has(place.rule ?? place.chain)) seen.set(place.rule ?? place.chain, place);
  return [...seen.values()];
}

/**
 * A rule is not dead for what is only taken for granted: that reverse-path checks pass, since routes are in no export, and that fragments are
 * put together before rules see them, which only connection tracking and local delivery do.
 */
function restsOnAssumption(context: HostContext, { rule, visits }: RuleLife): boolean {
  if (rule.matches.some((match) => /\brpfilter\b|\bfib saddr\b/.test(match.text))) return true;
  let asksFragment = false;
  visitConditions(rule, (c) => {
    asksFragment ||= c.kind === 'field' && c.field === 'fragment';
  });
  return (
    asksFragment &&
    visits.some(
      ({ view: { place } }) => place.hook !== 'input' && !context.space.trackedVersions.has(place.version),
    )
  );
}

/** iptables' `owner` knows packets that the host sends. Source: linux xt_owner.c, hooks of `owner_mt_reg`. */
function asksForOwner({ rule, visits }: RuleLife): boolean {
  const asks = rule.matches.some(
    ({ condition }) => condition.kind === 'unknown' && /^-m owner\b/.test(condition.text),
  );
  const hooks = new Set(visits.map(({ view }) => view.place.hook));
  return asks && !hooks.has('output') && !hooks.has('postrouting');
}

/** `recent` notes addresses even where a later condition of its rule fails. */
function leavesTraceUnmatched(rule: Rule): boolean {
  return rule.matches.some(({ text }) => /\brecent\b.*--(?:set|update|remove)\b/.test(text));
}

/** Whether the blockers give some of their packets another fate than the rule would. */
function decidesOtherwise(
  context: HostContext,
  lifeVisit: LifeVisit,
  packets: PacketSet,
  blockers: readonly Blocker[],
): boolean {
  const { space } = context.space;
  const { view, summary, visit } = lifeVisit;
  const verdict = asInBaseChain(visit.rule.verdict, summary.chain);
  const someStop = blockers.some(({ stops }) => stops);
  const somePass = blockers.some(({ passes }) => passes);
  switch (verdict.kind) {
    case 'accept':
      return someStop;
    case 'drop':
    case 'reject':
      return somePass;
    case 'jump':
    case 'goto': {
      const callee = calleeElsewhere(view, visit.environment.key, verdict.chain);
      if (callee === undefined) return true;
      const wouldStop = space.intersects(packets, space.union(callee.dropped, callee.rejected));
      const wouldPass = [...callee.accepted.values()].some(({ set }) => space.intersects(packets, set));
      return (wouldPass && someStop) || (wouldStop && somePass);
    }
    case 'return':
      return blockers.some(({ rule, chain }) => rule?.verdict.kind !== 'return' || chain !== summary.chain);
    case 'nat':
      return blockers.some(
        ({ rule }) => rule === undefined || verdictKeyOf(rule) !== verdictKeyOf(visit.rule),
      );
    default:
      return true;
  }
}

/** Returning from a base chain is what its policy says. */
function asInBaseChain(verdict: Verdict, { base }: Chain): Verdict {
  return verdict.kind === 'return' && base !== undefined ? { kind: base.chainPolicy } : verdict;
}

/** What a chain does with packets of an environment, where another rule of the run calls it. */
function calleeElsewhere(view: LifeVisit['view'], environment: string, name: string) {
  return [...view.entering.keys()].find(
    ({ chain, environment: own }) => chain.name === name && own.key === environment,
  );
}

/**
 * Rules that later ones repeat, chain by chain from the last rule to the first. What was found redundant in a chain is not relied
 * on by the rules before it, so that all of them can be deleted together.
 */
function redundantRules(
  context: HostContext,
  lives: readonly RuleLife[],
  hidden: ReadonlyMap<Rule, DeadRule>,
): Map<Rule, DeadRule> {
  const byChain = new Map<Chain, Map<Rule, RuleLife>>();
  for (const life of lives) {
    const ofChain = byChain.get(life.chain);
    if (ofChain === undefined) byChain.set(life.chain, new Map([[life.rule, life]]));
    else ofChain.set(life.rule, life);
  }
  const continuations = new Continuations(context, hidden.keys());
  const found = new Map<Rule, DeadRule>();
  for (const [chain, ofChain] of byChain) {
    const { table } = ofChain.values().next().value!;
    const isRepeated = continuations.judgeOf(table, chain);
    for (const rule of [...chain.rules].reverse()) {
      const life = ofChain.get(rule);
      if (life === undefined || hidden.has(rule) || verdictKeyOf(rule) === undefined) continue;
      if (leavesTraceUnmatched(rule) || !life.visits.every((visit) => isRepeated(visit))) continue;
      const because = life.visits
        .filter((visit) => !context.space.space.isEmpty(hitOf(context, visit)))
        .flatMap((visit) => repeatersOf(context, visit));
      if (because.length === 0) continue;
      continuations.addRedundant(table, chain, rule);
      found.set(rule, {
        table: life.table,
        chain,
        rule,
        hook: life.hook,
        kind: 'redundant',
        because: distinct(because),
        quality: 'irredundant',
        differs: false,
        reason: undefined,
      });
    }
  }
  return found;
}
