/**
 * Blamed rules on the way to many hosts. What a rule lets through is computed once and then split by destination, so that its work does
 * not grow with the hosts that it treats alike: they share one object.
 */

import type { ResolvedHost } from '../inventory/index.ts';
import type { Rule } from '../model/index.ts';
import {
  type Interval,
  type IpVersion,
  normalizeIntervals,
  PROTOCOLS_WITH_PORTS,
  single,
} from '../net/index.ts';
import { type PacketSet, PacketSetBudgetError } from '../packet-set/index.ts';
import { deliveredImage, type Environment, type LocalDecision } from '../semantics/index.ts';
import {
  acceptances,
  type Blamed,
  concernsAnyone,
  destination,
  EXPOSURE_FIELDS,
  type Passage,
} from './blamed.ts';
import type { HostContext } from './host-context.ts';
import { rangesOfVersion } from './peers.ts';

/** The targets that have addresses of one IP version, with what is needed to tell packets to them apart. */
interface Addressed {
  readonly version: IpVersion;
  readonly ranges: readonly { readonly target: ResolvedHost; readonly list: readonly Interval[] }[];
  /** Packets to any of them. */
  readonly toSome: PacketSet;
}

/** So many intervals of destinations are told apart at once; where a rule makes more of them, target by target is cheaper. */
const MOST_DESTINATIONS = 10_000;

/**
 * What `collectBlamed` finds on the forward side for each of the targets, which all have a role. Equal entries are one object: who
 * judges an entry may remember what came of it.
 */
export function collectBlamedByTarget(
  context: HostContext,
  targets: readonly ResolvedHost[],
): Map<ResolvedHost, Blamed[]> {
  const { space } = context.space;
  const shared = new SharedBlame();
  const found = new Map(targets.map((target) => [target, new Map<string, Blamed>()]));
  for (const version of context.versions) {
    const addressed = withAddresses(context, version, targets);
    if (addressed.ranges.length === 0) continue;
    const interesting = new Interesting(context, addressed);
    for (const acceptance of acceptances(context, 'forward', version, (local) => interesting.add(local))) {
      const { key, blame, environment, arriving, taken, acceptor } = acceptance;
      const delivered = (set: PacketSet) =>
        byTarget(
          context,
          addressed,
          space.exists(
            deliveredImage(context.space, environment, version, set, ['daddr', 'dport']),
            space.variablesExcept({ fields: [...EXPOSURE_FIELDS.fields, 'daddr'], version: true }),
          ),
        );
      const sure = space.forall(arriving, space.variables({ keys: 'all' }));
      const maybe = delivered(arriving);
      const surely = sure === arriving ? maybe : delivered(sure);
      const isInteresting = interesting.of(acceptor, environment);
      const passages = new Map<string, { readonly passage: Passage; readonly set: PacketSet }>();
      for (const [target, within] of maybe) {
        if (!isInteresting(target)) continue;
        const sureWithin = surely.get(target) ?? space.empty;
        const name = `${within} ${sureWithin}`;
        let next = passages.get(name);
        if (next === undefined) {
          next = {
            passage: { version, environment, arriving, surely: sureWithin, maybe: within },
            set: taken,
          };
          passages.set(name, next);
        }
        const entries = found.get(target)!;
        entries.set(key, shared.with(entries.get(key), key, blame, next));
      }
    }
  }
  return new Map([...found].map(([target, entries]) => [target, [...entries.values()]]));
}

/** Blamed entries by what they are made of: the same passages added to the same entry give the same entry again. */
class SharedBlame {
  readonly #first = new Map<Passage, Blamed>();
  readonly #longer = new Map<Blamed, Map<Passage, Blamed>>();

  with(
    before: Blamed | undefined,
    key: string,
    blame: Omit<Blamed, 'passages' | 'taken' | 'key'>,
    { passage, set }: { readonly passage: Passage; readonly set: PacketSet },
  ): Blamed {
    const known =
      before === undefined ? this.#first : (this.#longer.get(before) ?? new Map<Passage, Blamed>());
    if (before !== undefined) this.#longer.set(before, known);
    let entry = known.get(passage);
    if (entry === undefined) {
      const taken = { version: passage.version, set };
      entry =
        before === undefined
          ? { ...blame, key, passages: [passage], taken: [taken] }
          : { ...before, passages: [...before.passages, passage], taken: [...before.taken, taken] };
      known.set(passage, entry);
    }
    return entry;
  }
}

/** Which rules have to be looked at, and on the way to whom: most rules of most gateways are about other hosts and ports. */
class Interesting {
  readonly #context: HostContext;
  readonly #addressed: Addressed;
  readonly #withPorts: PacketSet;
  readonly #filter: PacketSet;
  readonly #known = new Map<Rule, Map<string, PacketSet | 'anyone'>>();

  constructor(context: HostContext, addressed: Addressed) {
    const { space } = context.space;
    this.#context = context;
    this.#addressed = addressed;
    // Of a host with a role, every port it opens has to have a reason.
    this.#withPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
    this.#filter = space.intersect(this.#withPorts, addressed.toSome);
  }

  /** Whether some target is concerned by what a rule accepts; remembered. */
  add(local: LocalDecision): boolean {
    const { space } = this.#context.space;
    const { rule, environment, set } = local;
    const forAnyone = concernsAnyone(local);
    if (!forAnyone && !space.intersects(set, this.#filter)) return false;
    const byEnvironment = this.#known.get(rule) ?? new Map<string, PacketSet | 'anyone'>();
    this.#known.set(rule, byEnvironment);
    const before = byEnvironment.get(environment.key) ?? space.empty;
    byEnvironment.set(
      environment.key,
      forAnyone || before === 'anyone' ? 'anyone' : space.union(before, set),
    );
    return true;
  }

  /** Whom a rule concerns. Policies concern everybody. */
  of(rule: Rule | undefined, environment: Environment): (target: ResolvedHost) => boolean {
    const set = rule === undefined ? 'anyone' : this.#known.get(rule)?.get(environment.key);
    if (set === undefined || set === 'anyone') return () => true;
    const { space } = this.#context.space;
    const destinations = space.exists(
      space.intersect(set, this.#withPorts),
      space.variablesExcept({ fields: ['daddr'], version: true }),
    );
    const concerned = byTarget(this.#context, this.#addressed, destinations);
    return (target) => concerned.has(target);
  }
}

function withAddresses(
  context: HostContext,
  version: IpVersion,
  targets: readonly ResolvedHost[],
): Addressed {
  const { space } = context.space;
  const ranges = targets
    .map((target) => ({ target, list: rangesOfVersion(target.addresses, version) }))
    .filter(({ list }) => list.length > 0);
  const daddr = space.bits('daddr').slice(0, version === 4 ? 32 : 128);
  const all = normalizeIntervals(ranges.flatMap(({ list }) => list));
  return { version, ranges, toSome: space.inIntervals(daddr, all) };
}

/** What of a set is for each target, its destination left out. Targets for which nothing is are absent. */
function byTarget(context: HostContext, addressed: Addressed, set: PacketSet): Map<ResolvedHost, PacketSet> {
  const { space } = context.space;
  const { version, ranges, toSome } = addressed;
  if (space.isEmpty(set)) return new Map();
  const toAnybody = space.exists(set, space.variables({ fields: ['daddr'] }));
  if (toAnybody === set) return new Map(ranges.map(({ target }) => [target, set]));
  const classes = split(context, space.intersect(set, toSome), version);
  if (classes === undefined) {
    const each = ranges.map(({ target }) => {
      const within = destination(context, { path: 'forward', target }, version);
      const rest = space.exists(space.intersect(set, within), space.variables({ fields: ['daddr'] }));
      return [target, rest] as const;
    });
    return new Map(each.filter(([, rest]) => !space.isEmpty(rest)));
  }
  const out = new Map<ResolvedHost, PacketSet>();
  for (const { target, list } of ranges) {
    const rest = space.unionAll(
      classes.filter(({ values }) => list.some((range) => meets(values, range))).map((c) => c.rest),
    );
    if (!space.isEmpty(rest)) out.set(target, rest);
  }
  return out;
}

function split(context: HostContext, set: PacketSet, version: IpVersion) {
  try {
    return context.space.space.partition(set, 'daddr', version, MOST_DESTINATIONS);
  } catch (error) {
    // Where it was the host's budget that is spent, what is tried instead ends the same way.
    if (error instanceof PacketSetBudgetError) return undefined;
    throw error;
  }
}

/** Whether a range has a value in common with sorted, disjoint intervals. */
function meets(sorted: readonly Interval[], range: Interval): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.hi < range.lo) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low]!.lo <= range.hi;
}
