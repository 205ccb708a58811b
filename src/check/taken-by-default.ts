/** What a chain that accepts by default would let through anyway: rules before its end open nothing of their own then. */
import type { ResolvedHost } from '../inventory/index.ts';
import type { Chain, Condition, Rule, Table } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { BaseChainRun, Environment, Place } from '../semantics/index.ts';
import { type Blamed, destination, type Passage } from './blamed.ts';
import type { HostContext } from './host-context.ts';
import { matchIn } from './rule-life.ts';

/** IP versions of which a base chain lets everything through that comes to its end, or to a rule of it without any condition. */
export function versionsOpenByDefault({ chain, rule, passages }: Blamed): Set<IpVersion> {
  const isForAll =
    chain?.base !== undefined && (rule?.matches.every(({ condition }) => isCertain(condition)) ?? true);
  return new Set(isForAll ? passages.map(({ version }) => version) : []);
}

function isCertain(condition: Condition): boolean {
  return condition.kind === 'all' ? condition.of.every(isCertain) : condition.kind !== 'unknown';
}

/**
 * Whether the packets that an accepting rule lets through to a target would get through without it, and without all others like it: no rule of
 * its base chain and of the chains below stops one of them, and its end accepts. Says no in doubt: where rules change packets on their
 * way, or what they do is not known. A translation is a hole of its own.
 */
export function isTakenByDefault(
  context: HostContext,
  target: ResolvedHost,
  blamed: Blamed,
  open: ReadonlyMap<Chain, ReadonlySet<IpVersion>>,
): boolean {
  const { run, rule, acceptedBy, passages } = blamed;
  if (run === undefined || rule === undefined || acceptedBy !== undefined) return false;
  const versions = open.get(run.chain);
  if (versions === undefined || passages.some(({ version }) => !versions.has(version))) return false;
  const { space } = context.space;
  return passages.every((passage) => {
    const stopped = stoppedOf(context, run, passage);
    if (stopped === undefined || space.isEmpty(stopped)) return stopped !== undefined;
    // A translated destination is no longer the one that packets arrive with.
    if (passage.environment.note('dnat') !== undefined) return false;
    return !space.intersects(stopped, destination(context, { path: 'forward', target }, passage.version));
  });
}

/** Of the packets of a passage, those that some rule may stop; `undefined` where that cannot be told. Computed once, whoever shares the passage. */
function stoppedOf(context: HostContext, run: BaseChainRun, passage: Passage): PacketSet | undefined {
  const known = context.once('stopped of passages', () => new Map<Passage, PacketSet | undefined>());
  if (!known.has(passage)) {
    const { version, environment, arriving } = passage;
    const all = stoppable(context, run, version, environment);
    known.set(passage, all === undefined ? undefined : context.space.space.intersect(arriving, all));
  }
  return known.get(passage);
}

/** Packets that some rule stops, whatever rules before it do; `undefined` where that cannot be told. */
function stoppable(
  context: HostContext,
  run: BaseChainRun,
  version: IpVersion,
  environment: Environment,
): PacketSet | undefined {
  const { table, chain, base } = run;
  const place: Place = { path: 'forward', hook: base.hook, version };
  const name = `stoppable ${table.family} ${table.name} ${chain.name} ${version} ${environment.key}`;
  return context.once(name, () => {
    const known = new Map<Chain, PacketSet | undefined>();
    return inChain(context, table, chain, place, environment, known);
  });
}

function inChain(
  context: HostContext,
  table: Table,
  chain: Chain,
  place: Place,
  environment: Environment,
  known: Map<Chain, PacketSet | undefined>,
): PacketSet | undefined {
  if (known.has(chain)) return known.get(chain);
  // Chains that lead back to this one are not followed.
  known.set(chain, undefined);
  const { space } = context.space;
  const parts: PacketSet[] = [];
  const matched = (rule: Rule) => matchIn(context, place, environment, rule);
  for (const rule of chain.rules) {
    if (!rule.statements.every(({ kind }) => kind === 'no-effect')) return undefined;
    const { verdict } = rule;
    if (verdict.kind === 'jump' || verdict.kind === 'goto') {
      const target = context.space.chainIndex(table).target(chain, verdict.chain);
      if (target.kind !== 'chain') return undefined;
      const below = inChain(context, table, target.chain, place, environment, known);
      if (below === undefined) return undefined;
      if (!space.isEmpty(below)) parts.push(space.intersect(below, matched(rule)));
    } else if (!GOES_ON.has(verdict.kind)) parts.push(matched(rule));
  }
  const all = space.unionAll(parts);
  known.set(chain, all);
  return all;
}

/** Verdicts that stop no packet. */
const GOES_ON: ReadonlySet<Rule['verdict']['kind']> = new Set(['accept', 'continue', 'return']);
