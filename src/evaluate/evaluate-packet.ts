import type { Packet, PacketAnswer, PathStep } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { hasPorts } from './nat.ts';
import { type PreparedRuleset, wayOf } from './prepare.ts';
import {
  arrivingHeader,
  type Context,
  domainOf,
  fieldValue,
  fieldWidth,
  type State,
  startState,
  stateKey,
} from './state.ts';
import { onlyValue } from './unknown-value.ts';
import { type WalkStep, walk } from './walk.ts';

/** States that one packet may be in, all unknowns considered, before the evaluation gives up. */
export const MAX_STATES = 20_000;

/** Rules that may be looked at for one packet, all unknowns considered, before the evaluation gives up. */
export const MAX_STEPS = 5_000_000;

/** What happens to a packet, and by which rules. */
export interface Evaluation extends PacketAnswer {
  /**
   * The rules that matched and the policies that decided, in order. Where the verdict does not hang on unknown
   * predicates, those do not match; where it does, the rules that may match are included with verdict `unknown`.
   */
  readonly path: readonly PathStep[];
  /**
   * Texts of the predicates the verdict hangs on, in the order in which they are met; empty when it hangs on none.
   * A predicate is listed when somewhere on the way its truth decides between accepting and stopping the packet.
   */
  readonly unknown: readonly string[];
  /** Verdicts that the packet gets under some truth of the unknown predicates. All three when the evaluation gave up. */
  readonly possible: { readonly accept: boolean; readonly drop: boolean; readonly reject: boolean };
}

/** A stretch of a walk between two forks. */
interface Node {
  readonly steps: WalkStep[];
  /** What the walk hung on where it forked. A node with neither fork nor end was not walked: the evaluation gave up. */
  fork: string | undefined;
  /** Where the walk goes on after a fork. */
  readonly next: Node[];
  /** Where the packet was when the walk ended. */
  end: End | undefined;
}

interface End {
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly daddr: bigint | undefined;
  readonly dport: bigint | undefined;
}

/**
 * Walks a packet through the ruleset, chain by chain and rule by rule, as `docs/decisions/packet-path.md` says.
 *
 * Where the walk depends on something that is not known, it forks; walks that meet in equal states go on as one.
 * The answer is exact, except that evaluation gives up after `MAX_STATES` or `MAX_STEPS` with verdict `unknown` and
 * a text that says so.
 */
export function evaluatePacket(prepared: PreparedRuleset, packet: Packet): Evaluation {
  const arriving = arrivingHeader(packet);
  const way = wayOf(prepared, packet.hook, packet.version);
  const context: Context = { way, packet, facts: new Map(), stepsLeft: MAX_STEPS };
  const { nodes, limit } = explore(startState(arriving, packet), context);
  const ends = nodes.flatMap((node) => node.end ?? []);
  const verdicts = new Set(
    limit === undefined ? ends.map((end) => end.verdict) : (['accept', 'drop', 'reject'] as const),
  );
  const possible = {
    accept: verdicts.has('accept'),
    drop: verdicts.has('drop'),
    reject: verdicts.has('reject'),
  };
  const verdict = joinVerdicts(possible);
  const relevant = verdict === 'unknown' ? findRelevant(nodes[0]!) : [];
  return {
    verdict,
    delivered: joinDelivered(ends.filter((end) => !possible.accept || end.verdict === 'accept')),
    path: pathOf(nodes[0]!, verdict === 'unknown'),
    unknown: limit === undefined ? relevant : [limit, ...relevant],
    possible,
  };
}

function joinVerdicts(possible: Evaluation['possible']): PacketAnswer['verdict'] {
  const stopped = possible.drop || possible.reject;
  if (possible.accept) return stopped ? 'unknown' : 'accept';
  return possible.drop ? 'drop' : 'reject';
}

/**
 * Walks all ways from `start`. The first node is where the packet begins. `limit` says what the evaluation ran
 * into, in which case some nodes were not walked.
 */
function explore(
  start: State,
  context: Context,
): { readonly nodes: readonly Node[]; readonly limit: string | undefined } {
  const nodes = [newNode()];
  const known = new Map<string, Node>();
  // Not in the nodes, so that a state is forgotten as soon as it is walked.
  const waiting = [{ node: nodes[0]!, state: start }];
  for (let walked = waiting.pop(); walked !== undefined; walked = waiting.pop()) {
    const { node, state } = walked;
    const halt = walk(state, context, node.steps);
    if (halt.kind === 'exhausted')
      return { nodes, limit: `more than ${MAX_STEPS} rules to look at for one packet` };
    if (halt.kind === 'ended') {
      node.end = endOf(state, context.packet.version, halt.verdict);
      continue;
    }
    node.fork = halt.text;
    for (const next of halt.states) {
      const key = stateKey(next);
      let branch = known.get(key);
      if (branch === undefined) {
        branch = newNode();
        known.set(key, branch);
        nodes.push(branch);
        waiting.push({ node: branch, state: next });
      }
      node.next.push(branch);
    }
    if (nodes.length > MAX_STATES) return { nodes, limit: `more than ${MAX_STATES} states of one packet` };
  }
  return { nodes, limit: undefined };
}

function newNode(): Node {
  return { steps: [], fork: undefined, next: [], end: undefined };
}

function endOf(state: State, version: IpVersion, verdict: End['verdict']): End {
  const known = (field: 'daddr' | 'dport'): bigint | undefined => {
    const handed = field === 'dport' ? state.handedPort : undefined;
    const value = handed ?? fieldValue(state.header, field);
    if (typeof value === 'bigint') return value;
    const width = fieldWidth(field, version);
    return onlyValue(value, (variable) => domainOf(state.knowledge, variable, width));
  };
  return {
    verdict,
    daddr: state.redirected ? undefined : known('daddr'),
    dport: hasPorts(state) ? known('dport') : undefined,
  };
}

/** What all ends have in common. */
function joinDelivered(ends: readonly End[]): PacketAnswer['delivered'] {
  const first = ends[0];
  const daddr = ends.every((end) => end.daddr === first?.daddr) ? first?.daddr : undefined;
  const dport = ends.every((end) => end.dport === first?.dport) ? first?.dport : undefined;
  return { daddr, dport: dport === undefined ? undefined : Number(dport) };
}

/** Whether the packet may be accepted, and whether it may be stopped, from a node on. */
interface Fate {
  readonly mayAccept: boolean;
  readonly mayStop: boolean;
}

/** Texts of the forks whose branches have different fates. */
function findRelevant(root: Node): string[] {
  const fates = findFates(root);
  const texts = new Set<string>();
  for (const [node, fate] of fates) {
    if (node.fork === undefined) continue;
    const differ = node.next.some((next) => {
      const other = fates.get(next)!;
      return other.mayAccept !== fate.mayAccept || other.mayStop !== fate.mayStop;
    });
    if (differ) texts.add(node.fork);
  }
  return [...texts].reverse();
}

/** The fate of every node that can be reached, those further on first. Forks never lead back, so this ends. */
function findFates(root: Node): ReadonlyMap<Node, Fate> {
  const fates = new Map<Node, Fate>();
  const open: { readonly node: Node; nextBranch: number }[] = [{ node: root, nextBranch: 0 }];
  for (let top = open[open.length - 1]; top !== undefined; top = open[open.length - 1]) {
    const branch = top.node.next[top.nextBranch++];
    if (branch !== undefined) {
      if (!fates.has(branch)) open.push({ node: branch, nextBranch: 0 });
      continue;
    }
    fates.set(top.node, fateOf(top.node, fates));
    open.pop();
  }
  return fates;
}

function fateOf(node: Node, fates: ReadonlyMap<Node, Fate>): Fate {
  if (node.end !== undefined) {
    const accepted = node.end.verdict === 'accept';
    return { mayAccept: accepted, mayStop: !accepted };
  }
  if (node.fork === undefined) return { mayAccept: true, mayStop: true };
  const next = node.next.map((branch) => fates.get(branch)!);
  return { mayAccept: next.some((fate) => fate.mayAccept), mayStop: next.some((fate) => fate.mayStop) };
}

/** The steps of the walk on which nothing unknown matches. */
function pathOf(root: Node, withUnsure: boolean): PathStep[] {
  const path: WalkStep[] = [];
  for (let node: Node | undefined = root; node !== undefined; node = node.next[0]) {
    for (const step of node.steps) {
      const last = path[path.length - 1];
      // The rule at a fork is met again after it: the later meeting knows more.
      if (last !== undefined && !last.sure && last.rule === step.rule) path.pop();
      if (step.sure || withUnsure) path.push(step);
    }
  }
  return path.map(({ step }) => step);
}
