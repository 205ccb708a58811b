/** Where packets come to rules: every visit of a rule on every way through the host, with the packets that really get there. */
import type { Chain, PacketHook, Rule, Table } from '../model/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import {
  allConditionsSet,
  type BaseChainRun,
  type ChainSummary,
  type EnteredChain,
  type Environment,
  enteredChains,
  inCtState,
  type PathAnalysis,
  type Place,
  type RuleVisit,
} from '../semantics/index.ts';
import { isGeneratedChain } from './generated-chain.ts';
import type { HostContext } from './host-context.ts';
import { writerOf } from './remediation.ts';

/** A rule in its chain. */
export interface PlacedRule {
  readonly table: Table;
  readonly chain: Chain;
  readonly rule: Rule;
}

/** A rule that leads packets into a chain. */
export interface CallSite {
  readonly summary: ChainSummary;
  readonly visit: RuleVisit;
}

/** One base chain run, and how its packets come to the chains below it. */
export interface RunView {
  readonly analysis: PathAnalysis;
  /** Position of the run on its way. */
  readonly position: number;
  readonly run: BaseChainRun;
  readonly place: Place;
  /**
   * Packets that enter each chain. More than the model says where the model may know too little of what comes before: of connections that NAT
   * has changed it follows the first packet only, and base chains of one hook and priority may run in another order.
   */
  readonly entering: ReadonlyMap<ChainSummary, PacketSet>;
  /** Packets that the conditions of the jumps let into each chain, whatever earlier rules do. */
  readonly sent: ReadonlyMap<ChainSummary, PacketSet>;
  readonly callers: ReadonlyMap<ChainSummary, readonly CallSite[]>;
}

/** Everything known about one rule over all the ways packets come to it. */
export interface RuleLife extends PlacedRule {
  readonly hook: PacketHook;
  readonly visits: readonly LifeVisit[];
}

/** One visit of a rule. */
export interface LifeVisit {
  readonly view: RunView;
  readonly summary: ChainSummary;
  readonly visit: RuleVisit;
}

const PATHS: readonly PacketHook[] = ['input', 'forward', 'output'];

/** Every base chain run of the host, in the order of its ways. Computed once. */
export function runViews(context: HostContext): readonly RunView[] {
  return context.once('run views', () =>
    context.versions.flatMap((version) =>
      PATHS.flatMap((path) => {
        const analysis = context.path(path, version);
        return analysis.runs.map((_, position) => viewOf(context, analysis, position));
      }),
    ),
  );
}

function viewOf(context: HostContext, analysis: PathAnalysis, position: number): RunView {
  const { space } = context.space;
  const run = widened(context, analysis, position);
  const place: Place = { path: analysis.path, hook: run.base.hook, version: analysis.version };
  const order: readonly EnteredChain[] = enteredChains(context.space, run);
  const sent = new Map<ChainSummary, PacketSet>(run.summaries.map(({ summary }) => [summary, space.full]));
  const callers = new Map<ChainSummary, CallSite[]>();
  for (const { summary } of order) {
    const here = sent.get(summary) ?? space.empty;
    for (const visit of summary.visits) {
      const { callee, match } = visit;
      if (callee === undefined || match === undefined) continue;
      sent.set(callee, space.union(sent.get(callee) ?? space.empty, space.intersect(here, match)));
      const sites = callers.get(callee);
      if (sites === undefined) callers.set(callee, [{ summary, visit }]);
      else sites.push({ summary, visit });
    }
  }
  const entering = new Map(order.map((entered) => [entered.summary, entered.entering]));
  return { analysis, position, run, place, entering, sent, callers };
}

/** The run with all packets that may come to it: see `RunView.entering`. */
function widened(context: HostContext, analysis: PathAnalysis, position: number): BaseChainRun {
  const { space } = context.space;
  const run = analysis.runs[position]!;
  const { version } = analysis;
  let also = space.empty;
  for (const earlier of analysis.runs.slice(0, position)) {
    if (earlier.base.hook !== run.base.hook || earlier.base.priority !== run.base.priority) continue;
    also = space.unionAll([also, earlier.dropped, earlier.rejected]);
  }
  const isTranslated = run.base.type !== 'nat' && translatesAddresses(context);
  const summaries = run.summaries.map(({ summary, entering }) => {
    const older = isTranslated
      ? inCtState(context.space, summary.environment, version, 'established', 'related')
      : space.empty;
    return {
      summary,
      entering: space.unionAll([entering, also, space.intersect(older, space.version(version))]),
    };
  });
  return { ...run, summaries };
}

function translatesAddresses(context: HostContext): boolean {
  return context.once('translates addresses', () =>
    context.input.ruleset.tables.some(({ chains }) =>
      chains.some(({ rules }) =>
        rules.some(({ verdict }) => verdict.kind === 'nat' || verdict.kind === 'unknown'),
      ),
    ),
  );
}

/** Rules that people write, with their visits. Computed once. */
export function ruleLives(context: HostContext): readonly RuleLife[] {
  return context.once('rule lives', () => {
    const lives = new Map<Rule, RuleLife & { readonly visits: LifeVisit[] }>();
    for (const view of runViews(context)) {
      const { run, place } = view;
      if (writerOf(run.table) === 'firewalld') continue;
      for (const summary of view.entering.keys()) {
        const { chain } = summary;
        if (isGeneratedChain(chain.name, run.table.name)) continue;
        for (const visit of summary.visits) {
          if (visit.rule.number === undefined) continue;
          let life = lives.get(visit.rule);
          if (life === undefined) {
            life = { table: run.table, chain, rule: visit.rule, hook: place.path, visits: [] };
            lives.set(visit.rule, life);
          }
          life.visits.push({ view, summary, visit });
        }
      }
    }
    return [...lives.values()];
  });
}

/** Packets that a rule's matches take in an environment, wherever they come from. */
export function matchIn(context: HostContext, place: Place, environment: Environment, rule: Rule): PacketSet {
  const cache = context.once('match sets', () => new Map<Rule, Map<string, PacketSet>>());
  let byPlace = cache.get(rule);
  if (byPlace === undefined) {
    byPlace = new Map();
    cache.set(rule, byPlace);
  }
  const key = `${place.path} ${place.hook} ${place.version} ${environment.key}`;
  let set = byPlace.get(key);
  if (set === undefined) {
    const conditions = rule.matches.map(({ condition }) => condition);
    set = allConditionsSet(context.space, place, environment, conditions);
    byPlace.set(key, set);
  }
  return set;
}

/** Packets that the rule's matches take on this visit, wherever they come from. */
export function matchOf(context: HostContext, { view, visit }: LifeVisit): PacketSet {
  return visit.match ?? matchIn(context, view.place, visit.environment, visit.rule);
}

/** Packets that come to the rule. */
export function reachOf(context: HostContext, { view, summary, visit }: LifeVisit): PacketSet {
  const { space } = context.space;
  return space.intersect(view.entering.get(summary) ?? space.empty, visit.reach);
}

/** Packets that come to the rule and match. */
export function hitOf(context: HostContext, lifeVisit: LifeVisit): PacketSet {
  const { space } = context.space;
  const { hit, reach } = lifeVisit.visit;
  const inChain = hit ?? space.intersect(reach, matchOf(context, lifeVisit));
  return space.intersect(lifeVisit.view.entering.get(lifeVisit.summary) ?? space.empty, inChain);
}

/** Whether some packet comes to the rule and matches. */
export function isHit(context: HostContext, lifeVisit: LifeVisit): boolean {
  const { space } = context.space;
  const { hit, reach } = lifeVisit.visit;
  const entering = lifeVisit.view.entering.get(lifeVisit.summary) ?? space.empty;
  if (hit !== undefined) return space.intersects(entering, hit);
  return space.intersects(space.intersect(entering, reach), matchOf(context, lifeVisit));
}
