import type { Table } from '../../model/index.ts';

/** Chains that jump in a circle. */
export interface JumpLoop {
  /** The chains on the circle in jump order, the first one repeated at the end. */
  readonly chains: readonly string[];
  /** A base chain leads into it: such a table cannot be loaded. */
  readonly reachable: boolean;
}

/**
 * One circle for each way in which a depth-first walk over jumps and gotos returns to a chain it is in. Empty when there is
 * none. Iterative: the depth of the input does not become depth of our stack. Linear in chains and rules.
 */
export function findJumpLoops(table: Table): readonly JumpLoop[] {
  const targets = new Map<string, readonly string[]>();
  for (const chain of table.chains) {
    const list = new Set<string>();
    for (const { verdict } of chain.rules)
      if (verdict.kind === 'jump' || verdict.kind === 'goto') list.add(verdict.chain);
    targets.set(chain.name, [...list]);
  }
  const loops: JumpLoop[] = [];
  const done = new Set<string>();
  const bases = table.chains.filter((c) => c.base !== undefined);
  for (const chain of bases) walk(chain.name, targets, done, true, loops);
  for (const chain of table.chains) walk(chain.name, targets, done, false, loops);
  return loops;
}

function walk(
  start: string,
  targets: ReadonlyMap<string, readonly string[]>,
  done: Set<string>,
  reachable: boolean,
  loops: JumpLoop[],
): void {
  const path: { readonly name: string; next: number }[] = [];
  const depthOf = new Map<string, number>();
  const enter = (name: string): void => {
    depthOf.set(name, path.length);
    path.push({ name, next: 0 });
    done.add(name);
  };
  if (!done.has(start)) enter(start);
  while (path.length > 0) {
    const top = path[path.length - 1]!;
    const target = targets.get(top.name)?.[top.next++];
    if (target === undefined) {
      depthOf.delete(top.name);
      path.pop();
    } else if (depthOf.has(target)) {
      // Keep only the first circle per place: a fully connected table has far more circles than chains.
      if (loops.length < 100)
        loops.push({ chains: [...path.slice(depthOf.get(target)).map((p) => p.name), target], reachable });
    } else if (!done.has(target) && targets.has(target)) enter(target);
  }
}
