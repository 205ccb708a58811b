import type { PreparedChain } from './prepare.ts';

/**
 * Takes away the target of every jump from which a way leads back to the chain it stands in. The kernel refuses to load
 * such a table unless no base chain leads to it, so what the jump does is unknown.
 *
 * Two chains lead to each other exactly when they lie in the same component of Kosaraju's algorithm: chains are
 * collected against the direction of the jumps, from those left last in a walk along them. Loops of our own instead of
 * recursion, since the depth is that of the input.
 */
export function markJumpLoops(chains: readonly PreparedChain[]): void {
  const calls = new Map<PreparedChain, PreparedChain[]>();
  const callers = new Map<PreparedChain, PreparedChain[]>();
  for (const chain of chains) {
    for (const { target } of chain.rules) {
      if (target === undefined) continue;
      append(calls, chain, target);
      append(callers, target, chain);
    }
  }
  const left = orderOfLeaving(chains, calls);
  const component = new Map<PreparedChain, PreparedChain>();
  for (const chain of left.reverse()) collect(chain, callers, component);
  for (const chain of chains) {
    for (const rule of chain.rules) {
      const { target } = rule;
      if (target === undefined || component.get(target) !== component.get(chain)) continue;
      rule.target = undefined;
      rule.problem = `jump loop at ${target.chain.name}`;
    }
  }
}

function append(map: Map<PreparedChain, PreparedChain[]>, key: PreparedChain, value: PreparedChain): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** All chains, each after those it leads to, as far as loops allow. */
function orderOfLeaving(
  chains: readonly PreparedChain[],
  calls: ReadonlyMap<PreparedChain, readonly PreparedChain[]>,
): PreparedChain[] {
  const left: PreparedChain[] = [];
  const met = new Set<PreparedChain>();
  for (const start of chains) {
    if (met.has(start)) continue;
    met.add(start);
    const way = [{ chain: start, next: 0 }];
    for (let top = way[0]; top !== undefined; top = way[way.length - 1]) {
      const target = calls.get(top.chain)?.[top.next++];
      if (target === undefined) {
        left.push(top.chain);
        way.pop();
      } else if (!met.has(target)) {
        met.add(target);
        way.push({ chain: target, next: 0 });
      }
    }
  }
  return left;
}

/** Gives the chain, and those that lead to it and belong to no component yet, the chain as component. */
function collect(
  root: PreparedChain,
  callers: ReadonlyMap<PreparedChain, readonly PreparedChain[]>,
  component: Map<PreparedChain, PreparedChain>,
): void {
  const waiting = [root];
  for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
    if (component.has(chain)) continue;
    component.set(chain, root);
    for (const caller of callers.get(chain) ?? []) waiting.push(caller);
  }
}
