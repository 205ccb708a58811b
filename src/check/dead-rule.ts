/**
 * Rules that decide nothing: matched by no packet, hidden behind earlier rules, or repeated by later ones.
 *
 * Proved on packet sets over everything a packet can be, unknown predicates included, so that an unknown can hide a dead
 * rule but never invent one.
 */
import type { Chain, PacketHook, Rule, Table } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import {
  type BaseChainRun,
  type ChainSummary,
  conditionSet,
  enteredChains,
  matters,
  type Place,
  type RuleVisit,
} from '../semantics/index.ts';
import type { HostContext } from './host-context.ts';
import { writerOf } from './remediation.ts';

/** A rule in its chain. */
export interface PlacedRule {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule;
}

export interface DeadRule extends PlacedRule {
  readonly kind: 'unmatchable' | 'shadowed' | 'redundant';
  readonly hook: PacketHook;
  /** Rules that take its packets first, or repeat its verdict later. One that does it alone, or several together. */
  readonly because: readonly PlacedRule[];
  /** Whether those decide otherwise than the rule would. */
  readonly differs: boolean;
}

/** Names of chains that other programs write and rewrite; their owners' business, not the administrator's. */
const GENERATED_CHAIN =
  /^(DOCKER|KUBE-|LIBVIRT_|f2b-|fail2ban-|CNI-|CNI|cali-|cali:|FELIX|ufw6?-|OPENSHIFT-|WEAVE-|FLANNEL|NETAVARK|PODMAN|LXD|nm-sh-|sshguard|YJ-FIREWALL|FWDI_|FWDO_|IN_|FWD_|POST_|PRE_)/;

/** Whether a chain is written by another program. */
export function isGeneratedChain(name: string): boolean {
  return GENERATED_CHAIN.test(name);
}

/** Everything known about one rule over all the ways packets come to it. */
interface RuleLife extends PlacedRule {
  readonly hook: PacketHook;
  readonly visits: {
    readonly summary: ChainSummary;
    readonly visit: RuleVisit;
    readonly place: Place;
    readonly run: BaseChainRun;
  }[];
}

/** Dead rules of the host, in the order of the export. Computed once. */
export function deadRules(context: HostContext): readonly DeadRule[] {
  return context.once('dead rules', () => {
    const lives = collectLives(context);
    const out: DeadRule[] = [];
    for (const parts of sameRule(lives.values())) {
      const dead = parts.map((life) => judge(context, life));
      const first = dead[0];
      if (first !== undefined && dead.every((d) => d?.kind === first.kind)) out.push(first);
    }
    return out.sort((a, b) => {
      const [x, y] = [a.rule.origin, b.rule.origin];
      return x.line - y.line || x.column - y.column;
    });
  });
}

/** Lives by the rule of the export: a parser may tell one rule as several (one per element of a verdict map), which live or die together. */
function sameRule(lives: Iterable<RuleLife>): RuleLife[][] {
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

const PATHS: readonly PacketHook[] = ['input', 'forward', 'output'];

function collectLives(context: HostContext): Map<Rule, RuleLife> {
  const lives = new Map<Rule, RuleLife>();
  for (const version of context.versions) {
    for (const path of PATHS) {
      for (const run of context.path(path, version).runs) collectRun(context, path, version, run, lives);
    }
  }
  return lives;
}

function collectRun(
  context: HostContext,
  path: PacketHook,
  version: IpVersion,
  run: BaseChainRun,
  lives: Map<Rule, RuleLife>,
): void {
  const place: Place = { path, hook: run.base.hook, version };
  for (const { summary } of enteredChains(context.space, run)) {
    const { chain } = summary;
    if (writerOf(run.table) === 'firewalld' || isGeneratedChain(chain.name)) continue;
    for (const visit of summary.visits) {
      if (visit.rule.number === undefined) continue;
      let life = lives.get(visit.rule);
      if (life === undefined) {
        life = { table: run.table, chain, rule: visit.rule, hook: path, visits: [] };
        lives.set(visit.rule, life);
      }
      life.visits.push({ summary, visit, place, run });
    }
  }
}

function judge(context: HostContext, life: RuleLife): DeadRule | undefined {
  const { space } = context.space;
  const own = life.visits.map(({ visit, place }) => matchSet(context, place, visit));
  if (own.every((set) => space.isEmpty(set))) {
    if (restsOnReversePath(life.rule)) return undefined;
    return { ...life, kind: 'unmatchable', because: [], differs: false };
  }
  const reached = life.visits.some(({ visit }, i) =>
    visit.hit === undefined ? space.intersects(visit.reach, own[i]!) : !space.isEmpty(visit.hit),
  );
  if (!reached) {
    const taking = blockers(context, life, own);
    const differs = taking.some((b) => [...b.verdicts].some((v) => v !== verdictKey(life.rule)));
    const because = taking.map(({ rule }) => ({ table: life.table, chain: life.chain, rule }));
    return { ...life, kind: 'shadowed', because, differs };
  }
  const repeated = laterRepeat(context, life);
  return repeated === undefined
    ? undefined
    : { ...life, kind: 'redundant', because: repeated, differs: false };
}

/** A reverse-path check is taken to pass, since routes are in no export; a rule for packets that fail it is not dead for that. */
function restsOnReversePath(rule: Rule): boolean {
  return rule.matches.some((match) => /\brpfilter\b|\bfib saddr\b/.test(match.text));
}

/** Packets the rule's matches take, wherever they come from. */
function matchSet(context: HostContext, place: Place, visit: RuleVisit): PacketSet {
  if (visit.match !== undefined) return visit.match;
  const cache = context.once('match sets', () => new Map<RuleVisit, PacketSet>());
  const known = cache.get(visit);
  if (known !== undefined) return known;
  const { space } = context.space;
  let set = space.version(place.version);
  for (const match of visit.rule.matches) {
    if (space.isEmpty(set)) break;
    set = space.intersect(set, conditionSet(context.space, place, visit.environment, match.condition));
  }
  cache.set(visit, set);
  return set;
}

/** What a rule does with a packet, for telling equal verdicts from different ones. */
function verdictKey(rule: Rule): string {
  const { verdict } = rule;
  switch (verdict.kind) {
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${verdict.chain}`;
    case 'reject':
    case 'drop':
      return 'stop';
    case 'nat':
      return rule.text;
    default:
      return verdict.kind;
  }
}

/** Most earlier rules that are tried when looking for the smallest set of blockers. */
const MOST_BLOCKERS = 64;

/** A rule that takes packets away from later ones: which, and whether some of them are let through or stopped. */
interface Blocker {
  readonly rule: Rule;
  readonly taken: PacketSet;
  readonly verdicts: ReadonlySet<string>;
}

/** Earlier rules of the chain that together take the rule's packets: one that does it alone if there is one, else no more than needed. */
function blockers(context: HostContext, life: RuleLife, own: readonly PacketSet[]): Blocker[] {
  const { space } = context.space;
  const found = new Map<Rule, Blocker>();
  for (const [i, { summary, visit, place }] of life.visits.entries()) {
    const wanted = own[i]!;
    if (space.isEmpty(wanted)) continue;
    const earlier = summary.visits
      .filter((v) => v.index < visit.index && v.hit !== undefined)
      .map((v) => blockerOf(context, life.chain, place, v, wanted))
      .filter((b) => space.intersects(b.taken, wanted));
    const alone = earlier.find((b) => space.includes(b.taken, wanted));
    for (const b of alone === undefined ? smallestCover(context, earlier, wanted) : [alone])
      found.set(b.rule, b);
  }
  return [...found.values()];
}

/** What one earlier rule takes of `wanted`: all it matches where it decides by itself, what its chain decides where it jumps. */
function blockerOf(
  context: HostContext,
  chain: Chain,
  place: Place,
  visit: RuleVisit,
  wanted: PacketSet,
): Blocker {
  const { space } = context.space;
  const { rule, callee } = visit;
  if (callee === undefined)
    return { rule, taken: matchSet(context, place, visit), verdicts: new Set([verdictKey(rule)]) };
  const entering = space.intersect(visit.hit ?? space.empty, wanted);
  const verdicts = new Set<string>();
  const stopped = space.intersect(entering, space.union(callee.dropped, callee.rejected));
  const passed = space.unionAll([...callee.accepted.values()].map((e) => space.intersect(entering, e.set)));
  if (!space.isEmpty(stopped)) verdicts.add('stop');
  if (!space.isEmpty(passed)) verdicts.add('accept');
  const decided = space.union(stopped, passed);
  if (rule.verdict.kind !== 'goto') return { rule, taken: decided, verdicts };
  // A goto takes even what its chain does not decide: that has come to the end of this chain.
  if (!space.includes(decided, entering)) verdicts.add(verdictAtEnd(chain));
  return { rule, taken: entering, verdicts };
}

/** What a packet meets at the end of a chain, in the words of `verdictKey`: the policy, or the way back to the caller. */
function verdictAtEnd({ base }: Chain): string {
  if (base === undefined) return 'return';
  return base.chainPolicy === 'drop' ? 'stop' : 'accept';
}

/** Drops rules that are not needed to cover `wanted`, first those that stand early: rules such as "accept established" take a share of everything. */
function smallestCover(context: HostContext, candidates: readonly Blocker[], wanted: PacketSet): Blocker[] {
  const { space } = context.space;
  if (candidates.length > MOST_BLOCKERS) return [...candidates];
  let kept = [...candidates];
  for (const candidate of candidates) {
    const others = kept.filter((b) => b !== candidate);
    if (space.includes(space.unionAll(others.map((b) => b.taken)), wanted)) kept = others;
  }
  return kept;
}

/**
 * Later rules of the same chain that give the rule's packets the same verdict, so that removing the rule changes nothing.
 * Only rules count: an accept before a policy that accepts is how one prepares to change the policy.
 */
function laterRepeat(context: HostContext, life: RuleLife): PlacedRule[] | undefined {
  const { space } = context.space;
  const { rule } = life;
  if (!isPlainDecision(rule)) return undefined;
  const repeating = new Set<Rule>();
  for (const { summary, visit, place } of life.visits) {
    const hit = visit.hit ?? space.empty;
    if (space.isEmpty(hit)) continue;
    const later = laterDecisions(context, place, summary).get(visit);
    if (later === undefined) return undefined;
    const same =
      rule.verdict.kind === 'accept'
        ? later.accepted
        : rule.verdict.kind === 'drop'
          ? later.dropped
          : later.rejected;
    if (!space.includes(same, hit)) return undefined;
    for (const repeat of repeatersOf(context, place, summary, visit)) repeating.add(repeat);
  }
  if (repeating.size === 0) return undefined;
  return [...repeating].map((r) => ({ table: life.table, chain: life.chain, rule: r }));
}

/** Whether a rule does nothing but accept, drop or reject. */
function isPlainDecision(rule: Rule): boolean {
  return (
    ['accept', 'drop', 'reject'].includes(rule.verdict.kind) &&
    rule.statements.every((s) => s.kind === 'no-effect')
  );
}

/** What the rules after a visit, in the same chain and environment, decide by themselves. */
interface LaterDecisions {
  readonly accepted: PacketSet;
  readonly dropped: PacketSet;
  readonly rejected: PacketSet;
}

/** For every visit in the chain's entering environment, the decisions of the rules behind it; one pass from the end. */
function laterDecisions(
  context: HostContext,
  place: Place,
  summary: ChainSummary,
): ReadonlyMap<RuleVisit, LaterDecisions> {
  const cache = context.once(
    'later decisions',
    () => new Map<ChainSummary, Map<RuleVisit, LaterDecisions>>(),
  );
  const known = cache.get(summary);
  if (known !== undefined) return known;
  const { space } = context.space;
  const out = new Map<RuleVisit, LaterDecisions>();
  let later: LaterDecisions = { accepted: space.empty, dropped: space.empty, rejected: space.empty };
  for (let i = summary.visits.length - 1; i >= 0; i--) {
    const visit = summary.visits[i]!;
    if (visit.environment.key !== summary.environment.key) continue;
    out.set(visit, later);
    if (!matters(visit.rule)) continue;
    const taken = matchSet(context, place, visit);
    const { kind } = visit.rule.verdict;
    const plain = isPlainDecision(visit.rule);
    const next = (set: PacketSet, mine: boolean) =>
      mine ? space.union(set, taken) : space.minus(set, taken);
    later = {
      accepted: next(later.accepted, plain && kind === 'accept'),
      dropped: next(later.dropped, plain && kind === 'drop'),
      rejected: next(later.rejected, plain && kind === 'reject'),
    };
  }
  cache.set(summary, out);
  return out;
}

/** Later rules that together take the packets of a visit. */
function repeatersOf(context: HostContext, place: Place, summary: ChainSummary, visit: RuleVisit): Rule[] {
  const { space } = context.space;
  const out: Rule[] = [];
  let left = visit.hit ?? space.empty;
  for (const later of summary.visits) {
    if (space.isEmpty(left)) break;
    if (later.index <= visit.index || later.environment.key !== visit.environment.key || !matters(later.rule))
      continue;
    const taken = matchSet(context, place, later);
    if (!space.intersects(left, taken)) continue;
    out.push(later.rule);
    left = space.minus(left, taken);
  }
  return out;
}
