/**
 * What would have to change for a stopped path to open: accepting rules, where they stand, and whether they do what they are for.
 *
 * The additions are made in the model of the rule set and judged again, so that a path which several chains stop gets a rule in each
 * of them, and what else an addition opens is found out before somebody runs it.
 */
import type { Chain, Condition, Rule, Ruleset, Table } from '../model/index.ts';
import {
  type Interval,
  type IpVersion,
  intervalsMeet,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
  subtractIntervals,
} from '../net/index.ts';
import { PacketSetBudgetError } from '../packet-set/index.ts';
import { compareRulesets } from '../semantics/index.ts';
import { STEPS_OF_FURTHER_SPACES } from './budget.ts';
import { accessRules, type KeptAccess, rulesOfFamily } from './change.ts';
import { HostContext } from './host-context.ts';
import { rangesOfVersion } from './peers.ts';
import { writerOf } from './remediation.ts';
import { type Blocker, judgePairs, pathOf, type StoppedFlow } from './required-path.ts';

/** Accepting rules at one place. */
export interface Addition {
  readonly table: Table;
  readonly chain: Chain;
  /** The rule they have to stand before; `undefined`: at the end of the chain. */
  readonly before: Rule | undefined;
  readonly needed: readonly KeptAccess[];
}

/**
 * What the additions do, found out on the model:
 *
 * - `opens`: the path, and nothing else.
 * - `opens-more`: the path, and other new connections too.
 * - `stays-closed`: not the path; something stops it that no rule added here can help.
 * - `untried`: the rule set is too large to judge it again for every path, or an addition could not be made in the model.
 */
export type AdditionOutcome = 'opens' | 'opens-more' | 'stays-closed' | 'untried';

/** What would have to change. */
export interface AdditionPlan {
  readonly additions: readonly Addition[];
  /** Rules and policies behind the first one that stop the path too, found once that was out of the way. */
  readonly further: readonly Blocker[];
  readonly outcome: AdditionOutcome;
}

/** Rule sets up to this size are judged again for every path that is stopped. */
const MOST_RULES_TRIED = 1_000;

/** Paths of one host that are tried: a rule set in which more are closed has one mistake, not many. */
const MOST_PATHS_TRIED = 12;

/** Chains one after the other that a path is led through. */
const MOST_ADDITIONS = 5;

/** The smallest addition that opens a stopped path; `undefined` where it is no rule that is missing. */
export function planAdditions(context: HostContext, found: StoppedFlow): AdditionPlan | undefined {
  const first = additionFor(context, found, found.blockers);
  if (first === undefined) return undefined;
  if (!isTried(context)) return { additions: [first], further: [], outcome: 'untried' };
  try {
    const plan = followAdditions(context, found, first);
    if (plan.outcome !== 'opens-more') return plan;
    // A chain that other packets pass too: then before everything, in the base chain.
    const outer = outerAddition(found, first);
    const other = outer === undefined ? undefined : followAdditions(context, found, outer);
    return other?.outcome === 'opens' ? other : plan;
  } catch (error) {
    // The proof takes more memory or time than a host may: the proposal stands, unproved, and so do those after it.
    if (!(error instanceof PacketSetBudgetError)) throw error;
    triesOf(context).count = MOST_PATHS_TRIED;
    return { additions: [first], further: [], outcome: 'untried' };
  }
}

function isTried(context: HostContext): boolean {
  const rules = context.once('rules to try', () =>
    context.input.ruleset.tables.reduce((n, t) => n + t.chains.reduce((m, c) => m + c.rules.length, 0), 0),
  );
  return rules <= MOST_RULES_TRIED && ++triesOf(context).count <= MOST_PATHS_TRIED;
}

function triesOf(context: HostContext): { count: number } {
  return context.once('paths tried', () => ({ count: 0 }));
}

function followAdditions(context: HostContext, found: StoppedFlow, first: Addition): AdditionPlan {
  const additions: Addition[] = [];
  const further: Blocker[] = [];
  const done = (outcome: AdditionOutcome): AdditionPlan => ({ additions, further, outcome });
  let ruleset = context.input.ruleset;
  for (let next: Addition | undefined = first; next !== undefined; ) {
    additions.push(next);
    const edited = withAddition(ruleset, next, pathOf(found));
    if (edited === undefined) return done('untried');
    ruleset = edited;
    const again = judgeAgain(context, found, ruleset);
    if (again === undefined)
      return done(opensNothingElse(context, found, additions, ruleset) ? 'opens' : 'opens-more');
    const [blocker] = again.blockers;
    if (blocker === undefined) return done('stays-closed');
    further.push(blocker);
    const here = additions.some(
      ({ chain }) => chain.name === blocker.chain.name && isSamePlace(chain, blocker.chain),
    );
    next =
      here || additions.length >= MOST_ADDITIONS ? undefined : additionFor(context, again, again.blockers);
  }
  return done('stays-closed');
}

/** Chains are copied when a rule is added: they are the same where they are declared at the same place. */
function isSamePlace(a: Chain, b: Chain): boolean {
  return (
    a.origin.file === b.origin.file &&
    a.origin.line === b.origin.line &&
    a.origin.column === b.origin.column &&
    a.origin.path === b.origin.path
  );
}

function judgeAgain(context: HostContext, found: StoppedFlow, ruleset: Ruleset): StoppedFlow | undefined {
  const edited = new HostContext({ ...context.input, ruleset }, context.estate, {
    nodeBudget: context.nodeBudget,
    stepsPerNode: STEPS_OF_FURTHER_SPACES,
  });
  const { flow, direction, reply, later, spare } = found;
  try {
    return judgePairs(edited, { flow, direction, reply, later, spare }, found.pairs);
  } finally {
    // What is found holds addresses and rules, no packet sets: nobody asks the space of the edited rule set any more.
    edited.release();
  }
}

/** Accepting rules before what stops most of a path. */
function additionFor(
  context: HostContext,
  found: StoppedFlow,
  blockers: readonly Blocker[],
): Addition | undefined {
  const [blocker] = blockers;
  // Nothing is added before a translation: it is the translation that has to go.
  if (blocker === undefined || blocker.rule?.verdict.kind === 'nat' || blocker.chain.base?.type === 'nat')
    return undefined;
  const needed = accessOf(context, found);
  if (needed.length === 0) return undefined;
  const { table, chain } = blocker;
  const stopping = new Set(blockers.filter((b) => b.chain === chain).map((b) => b.rule));
  // What stands before the first rule of the chain that stops packets of the flow is not stopped by a later one.
  return { table, chain, before: chain.rules.find((rule) => stopping.has(rule)), needed };
}

/** The same in the base chain: before the first rule from which the packets come to the chain. */
function outerAddition({ blockers }: StoppedFlow, inner: Addition): Addition | undefined {
  const base = blockers[0]?.base;
  if (base === undefined || base === inner.chain) return undefined;
  const leads = (rule: Rule) =>
    (rule.verdict.kind === 'jump' || rule.verdict.kind === 'goto') &&
    leadsTo(inner.table, rule.verdict.chain, inner.chain.name);
  return { ...inner, chain: base, before: base.rules.find(leads) };
}

function leadsTo(table: Table, from: string, to: string): boolean {
  const seen = new Set([from]);
  for (const name of seen) {
    if (name === to) return true;
    for (const { verdict } of table.chains.find((c) => c.name === name)?.rules ?? [])
      if (verdict.kind === 'jump' || verdict.kind === 'goto') seen.add(verdict.chain);
  }
  return false;
}

/** The access that is missing: addresses that do not get through, or all of a peer whose addresses are not told apart. */
function accessOf(context: HostContext, { flow, stopped }: StoppedFlow): KeptAccess[] {
  return stopped.flatMap(({ peer, receiver, ports: missingPorts, version, closed }) => {
    const ports = flow.anyPort ? onePort(context, missingPorts) : missingPorts;
    const all = (peer?.ranges ?? []).filter((r) => r.version === version).map((r) => r.range);
    const missing = all.filter((range) => closed.length === 0 || closed.some((c) => intervalsMeet(c, range)));
    const access = { version, protocol: flow.protocol, ports };
    if (receiver === undefined) return missing.map((saddr) => ({ ...access, saddr }));
    const there = rangesOfVersion(receiver.ranges, version);
    return missing.flatMap((saddr) => there.map((daddr) => ({ ...access, saddr, daddr })));
  });
}

/** Where one port of several is enough: the first, and one without encryption only where there is no other. */
function onePort({ estate }: HostContext, ports: readonly Interval[]): readonly Interval[] {
  const plaintext = estate.profile.plaintextPorts.map(({ port }) => single(port));
  const [best] = [...subtractIntervals(ports, plaintext), ...ports];
  return best === undefined ? [] : [single(best.lo)];
}

/** The rule set with an addition made; `undefined` where its place cannot be told. */
function withAddition(
  ruleset: Ruleset,
  addition: Addition,
  path: 'input' | 'output' | 'forward',
): Ruleset | undefined {
  const place = writerOf(addition.table) === 'firewalld' ? firewalldPlace(ruleset, addition) : addition;
  if (place === undefined) return undefined;
  const { table, chain, before } = place;
  const rules = rulesOfFamily(table.family, accessRules(addition.needed)).flatMap((rule) =>
    rule.kind === 'access' ? [acceptingRule(chain, rule, path)] : [],
  );
  if (rules.length === 0) return undefined;
  const edit = (old: Chain): Chain => {
    const at = before === undefined ? -1 : old.rules.indexOf(before);
    const index = at === -1 ? old.rules.length : at;
    return { ...old, rules: [...old.rules.slice(0, index), ...rules, ...old.rules.slice(index)] };
  };
  const isTarget = (t: Table) =>
    t.family === table.family && t.name === table.name && isSameTablePlace(t, table);
  return {
    ...ruleset,
    tables: ruleset.tables.map((t) =>
      isTarget(t) ? { ...t, chains: t.chains.map((c) => (c.name === chain.name ? edit(c) : c)) } : t,
    ),
  };
}

function isSameTablePlace(a: Table, b: Table): boolean {
  return (
    a.origin.file === b.origin.file && a.origin.line === b.origin.line && a.origin.path === b.origin.path
  );
}

/** Where firewalld puts an accepting rich rule: behind the others that accept, or before a denial by its priority. */
function firewalldPlace(
  ruleset: Ruleset,
  { table, chain, before }: Addition,
): Pick<Addition, 'table' | 'chain' | 'before'> | undefined {
  const current = ruleset.tables.find(
    (t) => t.family === table.family && t.name === table.name && isSameTablePlace(t, table),
  );
  const find = (name: string) => current?.chains.find((c) => c.name === name);
  const bare = chain.name.replace(/_(?:pre|log|deny|allow|post)$/, '');
  if (before !== undefined && /_pre$/.test(chain.name)) return { table, chain, before };
  if (before !== undefined && /_deny$/.test(chain.name)) {
    const early = find(`${bare}_pre`);
    return early === undefined ? undefined : { table, chain: early, before: undefined };
  }
  const allowed = find(`${bare}_allow`);
  return allowed === undefined ? undefined : { table, chain: allowed, before: undefined };
}

interface AddedAccess {
  readonly version: IpVersion;
  readonly protocol: number;
  readonly sources: readonly Interval[];
  readonly destinations: readonly Interval[];
  readonly ports: readonly Interval[];
}

/** The rule that a command for the access makes. */
function acceptingRule(chain: Chain, access: AddedAccess, path: 'input' | 'output' | 'forward'): Rule {
  const { version, protocol, sources, destinations, ports } = access;
  const address = (field: 'saddr' | 'daddr', values: readonly Interval[]): Condition => ({
    kind: 'address',
    field,
    version,
    values: normalizeIntervals(values),
  });
  const conditions: Condition[] = [
    { kind: 'version', version },
    address(path === 'output' ? 'daddr' : 'saddr', sources),
    ...(destinations.length === 0 ? [] : [address('daddr', destinations)]),
    { kind: 'field', field: 'protocol', values: [single(protocol)] },
    ...(ports.length === 0 ? [] : [{ kind: 'field', field: 'dport', values: ports } as const]),
  ];
  return {
    matches: conditions.map((condition) => ({ text: '', condition })),
    statements: [],
    verdict: { kind: 'accept' },
    text: 'an added rule',
    comment: undefined,
    counters: undefined,
    number: undefined,
    handle: undefined,
    origin: chain.origin,
  };
}

/** Whether new connections that only the edited rule set lets through are those of the additions, and none is lost or sent elsewhere. */
function opensNothingElse(
  context: HostContext,
  found: StoppedFlow,
  additions: readonly Addition[],
  edited: Ruleset,
): boolean {
  const path = pathOf(found);
  const needed = additions.flatMap((a) => a.needed);
  const { nodeBudget } = context;
  const { differences, space } = compareRulesets(context.input.ruleset, edited, {
    versions: context.versions,
    maxRegions: 1,
    ...(nodeBudget === undefined ? {} : { nodeBudget }),
  });
  return differences.every((difference) => {
    if (difference.kind !== 'added' || difference.path !== path) return false;
    const { version, packets } = difference;
    const bits = version === 4 ? 32 : 128;
    const wanted = needed
      .filter((access) => access.version === version)
      .map(({ saddr, daddr, protocol, ports }) =>
        space.intersectAll([
          space.inIntervals(space.bits(path === 'output' ? 'daddr' : 'saddr').slice(0, bits), [saddr]),
          ...(daddr === undefined ? [] : [space.inIntervals(space.bits('daddr').slice(0, bits), [daddr])]),
          space.inIntervals(space.bits('protocol'), [single(protocol)]),
          ...(PROTOCOLS_WITH_PORTS.includes(protocol) ? [space.inIntervals(space.bits('dport'), ports)] : []),
        ]),
      );
    return space.includes(space.unionAll(wanted), packets);
  });
}
