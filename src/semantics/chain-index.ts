import type { Chain, Condition, Rule, Statement, Table } from '../model/index.ts';

/** Whether executing the statement can change what a later match sees. */
export function hasEffect(statement: Statement): boolean {
  return statement.kind !== 'no-effect';
}

function isHandOverToUnknown(statement: Statement): boolean {
  return statement.kind === 'hand-over' && statement.port === undefined;
}

/** Whether a rule can decide or change a packet. */
export function matters(rule: Rule): boolean {
  return rule.verdict.kind !== 'continue' || rule.statements.some(hasEffect);
}

/** What a jump or goto leads to. A jump in a loop, which no kernel loads, is not followed. */
export type JumpTarget =
  | { readonly kind: 'chain'; readonly chain: Chain }
  | { readonly kind: 'loop' | 'missing' };

/**
 * The chains of one table by name, and what can be told about them before any packet comes. Of two chains with one
 * name, jumps lead to the first.
 */
export class ChainIndex {
  readonly #byName = new Map<string, Chain>();
  readonly #componentOf: ReadonlyMap<Chain, number>;
  /** For each chain that is called, the chains that do, once for each place. */
  readonly #callers = new Map<Chain, Chain[]>();
  readonly #fresh: ReadonlySet<Chain>;

  /** `isFixed`: whether the contents of the named set are known and do not change. */
  constructor(table: Table, isFixed: (namedSet: string) => boolean) {
    for (const chain of table.chains) if (!this.#byName.has(chain.name)) this.#byName.set(chain.name, chain);
    this.#componentOf = findComponents(table.chains, this.#byName);
    for (const chain of table.chains) {
      for (const { verdict } of chain.rules) {
        if (verdict.kind !== 'jump' && verdict.kind !== 'goto') continue;
        const target = this.target(chain, verdict.chain);
        if (target.kind === 'chain') append(this.#callers, target.chain, chain);
      }
    }
    this.#fresh = this.#chainsWithFreshUnknowns(table.chains, isFixed);
  }

  /** Where a jump from `chain` to the chain named `target` leads. */
  target(chain: Chain, target: string): JumpTarget {
    const found = this.#byName.get(target);
    if (found === undefined) return { kind: 'missing' };
    return this.#componentOf.get(found) === this.#componentOf.get(chain)
      ? { kind: 'loop' }
      : { kind: 'chain', chain: found };
  }

  /** Whether a packet that passes the chain twice meets different unknown values: somewhere in the chain or below it is a varying one. */
  hasFreshUnknowns(chain: Chain): boolean {
    return this.#fresh.has(chain);
  }

  /** Whether a packet that has been in the chain may come to it once more: it, or a chain that leads to it, is called at several places. */
  mayBeEnteredAgain(chain: Chain): boolean {
    // A jump in a loop is not among the callers, so that this ends.
    for (let at: Chain | undefined = chain; at !== undefined; ) {
      const callers: readonly Chain[] = this.#callers.get(at) ?? [];
      if (callers.length > 1) return true;
      at = callers[0];
    }
    return false;
  }

  #chainsWithFreshUnknowns(
    chains: readonly Chain[],
    isFixed: (namedSet: string) => boolean,
  ): ReadonlySet<Chain> {
    const fresh = new Set<Chain>();
    const waiting: Chain[] = [];
    for (const chain of chains) {
      let isFresh = false;
      for (const rule of chain.rules) {
        isFresh ||= meetsFreshUnknown(rule, isFixed);
        const { verdict } = rule;
        if (verdict.kind !== 'jump' && verdict.kind !== 'goto') continue;
        isFresh ||= this.target(chain, verdict.chain).kind !== 'chain';
      }
      if (isFresh) waiting.push(chain);
    }
    for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
      if (fresh.has(chain)) continue;
      fresh.add(chain);
      for (const caller of this.#callers.get(chain) ?? []) waiting.push(caller);
    }
    return fresh;
  }
}

function append(map: Map<Chain, Chain[]>, key: Chain, value: Chain): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function meetsFreshUnknown(rule: Rule, isFixed: (namedSet: string) => boolean): boolean {
  if (!matters(rule)) return false;
  if (['queue', 'unknown', 'nat'].includes(rule.verdict.kind)) return true;
  if (rule.statements.some((s) => s.kind === 'unknown-field' || isHandOverToUnknown(s))) return true;
  const walk = (condition: Condition): boolean => {
    switch (condition.kind) {
      case 'all':
      case 'any':
        return condition.of.some(walk);
      case 'not':
        return walk(condition.of);
      case 'unknown':
        return condition.nature === 'varying';
      case 'named-set':
        return !isFixed(condition.set);
      default:
        return false;
    }
  };
  return rule.matches.some((m) => walk(m.condition));
}

/**
 * Numbers the strongly connected components of the jump graph: two chains get the same number exactly when they lead to each
 * other. Tarjan's algorithm, with a stack instead of recursion.
 */
function findComponents(
  chains: readonly Chain[],
  byName: ReadonlyMap<string, Chain>,
): ReadonlyMap<Chain, number> {
  const order = new Map<Chain, number>();
  const lowest = new Map<Chain, number>();
  const component = new Map<Chain, number>();
  const open: Chain[] = [];
  let components = 0;
  const enter = (chain: Chain) => {
    order.set(chain, order.size);
    lowest.set(chain, order.size - 1);
    open.push(chain);
    return { chain, next: 0 };
  };
  const reach = (chain: Chain, number: number) => {
    if (number < lowest.get(chain)!) lowest.set(chain, number);
  };
  for (const start of chains) {
    if (order.has(start)) continue;
    const way = [enter(start)];
    for (let top = way[0]; top !== undefined; top = way[way.length - 1]) {
      const { chain } = top;
      const rule = chain.rules[top.next++];
      if (rule !== undefined) {
        const { verdict } = rule;
        const target =
          verdict.kind === 'jump' || verdict.kind === 'goto' ? byName.get(verdict.chain) : undefined;
        if (target === undefined) continue;
        if (!order.has(target)) way.push(enter(target));
        else if (!component.has(target)) reach(chain, order.get(target)!);
        continue;
      }
      way.pop();
      const caller = way[way.length - 1];
      if (caller !== undefined) reach(caller.chain, lowest.get(chain)!);
      if (lowest.get(chain) !== order.get(chain)) continue;
      for (let member = open.pop(); member !== undefined; member = open.pop()) {
        component.set(member, components);
        if (member === chain) break;
      }
      components++;
    }
  }
  return component;
}
