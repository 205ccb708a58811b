import type {
  BaseChain,
  Chain,
  Condition,
  Hook,
  PacketHook,
  PathStep,
  Rule,
  Ruleset,
  Table,
} from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { type Compiler, compileCondition, conjunction, type Test } from './condition.ts';
import { tracksConnections } from './connection-tracking.ts';
import { markJumpLoops } from './jump-loops.ts';
import { indexNamedSets } from './named-set.ts';

/** A ruleset made ready for many packets. */
export interface PreparedRuleset {
  readonly ways: ReadonlyMap<string, Way>;
}

/** The way of packets of one version through one hook: base chains and connection tracking, in order. */
export interface Way {
  readonly hook: PacketHook;
  readonly stages: readonly Stage[];
  /** Whether something makes the kernel track connections of this IP version; without it nat chains do not run. */
  readonly tracksConnections: boolean;
  /** Deterministic predicates that are asked at most once on the whole way, so that answers need no memory. */
  readonly askedOnce: ReadonlySet<string>;
}

export type Stage =
  | { readonly kind: 'conntrack' }
  /** Where a packet that is passed on loses one hop. */
  | { readonly kind: 'routing' }
  | {
      readonly kind: 'chain';
      readonly hook: Hook;
      readonly base: BaseChain;
      readonly chain: PreparedChain;
      /** Whether packets have an incoming or outgoing interface here; otherwise its name is empty. */
      readonly hasIif: boolean;
      readonly hasOif: boolean;
    };

export interface PreparedChain {
  /** Different for every chain of the ruleset. */
  readonly id: number;
  readonly table: Table;
  readonly chain: Chain;
  readonly rules: PreparedRule[];
}

export interface PreparedRule {
  readonly rule: Rule;
  readonly matches: Test;
  /** The chain of a jump or goto that can be followed. */
  target: PreparedChain | undefined;
  /** Why the jump or goto cannot be followed. */
  problem: string | undefined;
  /** Matching changes neither the packet nor its way: whether it does need not be known. */
  inert: boolean;
}

/** The way of a packet through the ruleset. */
export function wayOf(prepared: PreparedRuleset, hook: PacketHook, version: IpVersion): Way {
  return prepared.ways.get(`${hook} ${version}`)!;
}

/** Sorts chains into their order, indexes named sets, and makes conditions ready. */
export function prepareRuleset(ruleset: Ruleset): PreparedRuleset {
  const namedSets = indexNamedSets(ruleset.namedSets);
  let occurrences = 0;
  const compiler: Compiler = { namedSets, nextOccurrence: () => `#${occurrences++}` };
  let chains = 0;
  const nextChain = () => chains++;
  const bases = ruleset.tables
    .filter((table) => !table.dormant)
    .flatMap((table) => prepareTable(table, compiler, nextChain))
    .filter((prepared) => prepared.chain.base !== undefined);
  const ways = new Map<string, Way>();
  for (const version of [4, 6] as const) {
    const tracked = tracksConnections(ruleset, version);
    for (const hook of ['input', 'forward', 'output'] as const) {
      ways.set(`${hook} ${version}`, prepareWay(bases, hook, version, tracked));
    }
  }
  return { ways };
}

/** Prepares all chains of a table. Of two chains with one name, jumps lead to the first. */
function prepareTable(table: Table, compiler: Compiler, nextChain: () => number): PreparedChain[] {
  const chains = table.chains.map((chain): PreparedChain => ({ id: nextChain(), table, chain, rules: [] }));
  const byName = new Map<string, PreparedChain>();
  for (const prepared of chains) {
    if (!byName.has(prepared.chain.name)) byName.set(prepared.chain.name, prepared);
  }
  for (const prepared of chains) {
    for (const rule of prepared.chain.rules) {
      const { verdict } = rule;
      const target = verdict.kind === 'jump' || verdict.kind === 'goto' ? verdict.chain : undefined;
      prepared.rules.push({
        rule,
        matches: conjunction(
          rule.matches.map((match) => compileCondition(match.condition, match.text, compiler)),
        ),
        target: target === undefined ? undefined : byName.get(target),
        problem: target === undefined || byName.has(target) ? undefined : `missing chain ${target}`,
        inert: false,
      });
    }
  }
  markJumpLoops(chains);
  markInertRules(chains);
  return chains;
}

/** Marks the rules that do nothing: no effect, and a verdict that goes on, if by way of chains that do nothing. */
function markInertRules(chains: readonly PreparedChain[]): void {
  const inertChains = new Set<PreparedChain>();
  const goesOn = (rule: PreparedRule, verdicts: readonly string[]): boolean =>
    rule.rule.statements.every((statement) => statement.kind === 'no-effect') &&
    (verdicts.includes(rule.rule.verdict.kind) ||
      (rule.target !== undefined && inertChains.has(rule.target)));
  // Callers become inert after the chains they call.
  const waiting = new Map<PreparedChain, Set<PreparedChain>>();
  for (const chain of chains) {
    for (const { target } of chain.rules) {
      if (target !== undefined) waiting.set(target, (waiting.get(target) ?? new Set()).add(chain));
    }
  }
  const toLookAt = [...chains];
  for (let chain = toLookAt.pop(); chain !== undefined; chain = toLookAt.pop()) {
    if (inertChains.has(chain)) continue;
    if (!chain.rules.every((rule) => goesOn(rule, ['continue', 'return']))) continue;
    inertChains.add(chain);
    toLookAt.push(...(waiting.get(chain) ?? []));
  }
  for (const { rules } of chains) {
    for (const rule of rules) rule.inert = rule.rule.verdict.kind !== 'goto' && goesOn(rule, ['continue']);
  }
}

/** Connection tracking's priority. Source: linux include/uapi/linux/netfilter_ipv4.h, NF_IP_PRI_CONNTRACK. */
const CONNTRACK_PRIORITY = -200;

const HOOKS_ON_WAY: Readonly<Record<PacketHook, readonly Hook[]>> = {
  input: ['prerouting', 'input'],
  forward: ['prerouting', 'forward', 'postrouting'],
  output: ['output', 'postrouting'],
};

function prepareWay(
  bases: readonly PreparedChain[],
  way: PacketHook,
  version: IpVersion,
  tracked: boolean,
): Way {
  const families = version === 4 ? ['ip', 'inet'] : ['ip6', 'inet'];
  const stages: Stage[] = [];
  for (const hook of HOOKS_ON_WAY[way]) {
    if (hook === 'forward') stages.push({ kind: 'routing' });
    const chains = bases
      .flatMap((chain, registered) => {
        const base = chain.chain.base;
        return base?.hook === hook && families.includes(chain.table.family)
          ? [{ chain, base, registered }]
          : [];
      })
      .sort((a, b) => a.base.priority - b.base.priority || b.registered - a.registered)
      .map(({ chain, base }): Stage & { kind: 'chain' } => ({
        kind: 'chain',
        hook,
        base,
        chain,
        hasIif: way !== 'output',
        hasOif: hook !== 'prerouting' && hook !== 'input',
      }));
    if (hook === 'prerouting' || hook === 'output') {
      stages.push(...chains.filter((stage) => stage.base.priority < CONNTRACK_PRIORITY));
      stages.push({ kind: 'conntrack' });
      stages.push(...chains.filter((stage) => stage.base.priority >= CONNTRACK_PRIORITY));
    } else {
      stages.push(...chains);
    }
  }
  return { hook: way, stages, tracksConnections: tracked, askedOnce: predicatesAskedOnce(stages) };
}

/** How often each deterministic predicate may be asked: 1, or 2 for more. */
type AskCounts = ReadonlyMap<string, number>;

function predicatesAskedOnce(stages: readonly Stage[]): ReadonlySet<string> {
  const known = new Map<PreparedChain, AskCounts>();
  const total = new Map<string, number>();
  for (const stage of stages) {
    if (stage.kind !== 'chain') continue;
    const counts = countAsks(stage.chain, known, []);
    if (counts === undefined) return new Set();
    addCounts(total, counts);
  }
  return new Set([...total].filter(([, count]) => count === 1).map(([text]) => text));
}

function addCounts(total: Map<string, number>, more: AskCounts): void {
  for (const [text, count] of more) total.set(text, Math.min(2, (total.get(text) ?? 0) + count));
}

/** Deeper than any walk goes, so that hostile input cannot exhaust the stack here. */
const MAX_COUNT_DEPTH = 64;

/** Counts for one walk through a chain and those it calls; `undefined` when they are nested too deep. */
function countAsks(
  chain: PreparedChain,
  known: Map<PreparedChain, AskCounts>,
  above: readonly PreparedChain[],
): AskCounts | undefined {
  const before = known.get(chain);
  if (before !== undefined) return before;
  if (above.length > MAX_COUNT_DEPTH) return undefined;
  const total = new Map<string, number>();
  for (const { rule, target, inert } of chain.rules) {
    // Of a rule that does nothing it is never asked whether it matches.
    for (const match of inert ? [] : rule.matches) {
      for (const text of deterministicTexts(match.condition)) addCounts(total, new Map([[text, 1]]));
    }
    if (target === undefined) continue;
    const counts = countAsks(target, known, [...above, chain]);
    if (counts === undefined) return undefined;
    addCounts(total, counts);
  }
  known.set(chain, total);
  return total;
}

/** Texts under which a condition may ask for a deterministic predicate, each as often as it stands there. */
function deterministicTexts(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.flatMap(deterministicTexts);
    case 'not':
      return deterministicTexts(condition.of);
    case 'unknown':
    case 'named-set':
    case 'address-type':
    case 'original':
      return [condition.text];
    default:
      return [];
  }
}

/** The step that reports a rule. */
export function ruleStep(chain: PreparedChain, rule: Rule, hook: Hook, verdict: string): PathStep {
  return {
    origin: rule.origin,
    family: chain.table.family,
    table: chain.table.name,
    chain: chain.chain.name,
    hook,
    rule: rule.text,
    verdict,
  };
}

/** The step that reports a chain's policy. */
export function policyStep(chain: PreparedChain, base: BaseChain): PathStep {
  return {
    origin: chain.chain.origin,
    family: chain.table.family,
    table: chain.table.name,
    chain: chain.chain.name,
    hook: base.hook,
    rule: null,
    verdict: base.chainPolicy,
  };
}
