import type {
  BaseChain,
  Chain,
  Condition,
  FieldName,
  Hook,
  PacketHook,
  PathStep,
  Rule,
  Ruleset,
  Statement,
  Table,
} from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { type Compiler, compileCondition, conjunction, type Test } from './condition.ts';
import { indexNamedSets } from './named-set.ts';

/** A ruleset made ready for many packets. */
export interface PreparedRuleset {
  /** Whether something makes the kernel track connections; without it nat chains do not run. */
  readonly tracksConnections: boolean;
  readonly ways: ReadonlyMap<string, Way>;
}

/** The way of packets of one version through one hook: base chains and connection tracking, in order. */
export interface Way {
  readonly hook: PacketHook;
  readonly stages: readonly Stage[];
  /** Deterministic predicates that are asked at most once on the whole way, so that answers need no memory. */
  readonly askedOnce: ReadonlySet<string>;
}

export type Stage =
  | { readonly kind: 'conntrack' }
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
  /** The chain of a jump or goto; `undefined` when there is none of that name, or the verdict is another. */
  readonly target: PreparedChain | undefined;
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
  for (const hook of ['input', 'forward', 'output'] as const) {
    for (const version of [4, 6] as const) {
      ways.set(`${hook} ${version}`, prepareWay(bases, hook, version));
    }
  }
  return { tracksConnections: needsConnectionTracking(ruleset), ways };
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
      const jumps = verdict.kind === 'jump' || verdict.kind === 'goto';
      prepared.rules.push({
        rule,
        matches: conjunction(
          rule.matches.map((match) => compileCondition(match.condition, match.text, compiler)),
        ),
        target: jumps ? byName.get(verdict.chain) : undefined,
        inert: false,
      });
    }
  }
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
  // Callers become inert after the chains they call; chains in a loop, or above one, never do.
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

function prepareWay(bases: readonly PreparedChain[], way: PacketHook, version: IpVersion): Way {
  const families = version === 4 ? ['ip', 'inet'] : ['ip6', 'inet'];
  const stages: Stage[] = [];
  for (const hook of HOOKS_ON_WAY[way]) {
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
  return { hook: way, stages, askedOnce: predicatesAskedOnce(stages) };
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

/** Counts for one walk through a chain and those it calls; `undefined` when they call each other in a loop. */
function countAsks(
  chain: PreparedChain,
  known: Map<PreparedChain, AskCounts>,
  above: readonly PreparedChain[],
): AskCounts | undefined {
  const before = known.get(chain);
  if (before !== undefined) return before;
  if (above.includes(chain) || above.length > MAX_COUNT_DEPTH) return undefined;
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

/** Fields that exist only while connections are tracked. */
const CONNECTION_FIELDS: readonly FieldName[] = ['ct-state', 'ct-mark', 'ct-dnat', 'ct-snat'];

/** Matches and targets that make the kernel track connections, in the text of something that is not modelled. */
const CONNECTION_WORDS = /\b(conntrack|state|connmark|helper|connlimit|connbytes)\b/;

function needsConnectionTracking(ruleset: Ruleset): boolean {
  return ruleset.tables.some((table) =>
    table.chains.some((chain) => chain.rules.some(ruleNeedsConnectionTracking)),
  );
}

function ruleNeedsConnectionTracking(rule: Rule): boolean {
  const { verdict } = rule;
  if (verdict.kind === 'nat') return true;
  return (
    (verdict.kind === 'unknown' && CONNECTION_WORDS.test(verdict.text)) ||
    rule.statements.some(statementNeedsConnectionTracking) ||
    rule.matches.some((match) => conditionNeedsConnectionTracking(match.condition))
  );
}

function statementNeedsConnectionTracking(statement: Statement): boolean {
  switch (statement.kind) {
    case 'set-field':
    case 'unknown-field':
      return CONNECTION_FIELDS.includes(statement.field);
    case 'copy-field':
      return statement.field === 'ct-mark' || statement.from === 'ct-mark';
    default:
      return false;
  }
}

function conditionNeedsConnectionTracking(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(conditionNeedsConnectionTracking);
    case 'not':
      return conditionNeedsConnectionTracking(condition.of);
    case 'field':
      return CONNECTION_FIELDS.includes(condition.field);
    case 'original':
      return true;
    case 'unknown':
      return CONNECTION_WORDS.test(condition.text);
    default:
      return false;
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
