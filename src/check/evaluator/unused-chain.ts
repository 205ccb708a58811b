import type { Chain, Rule, Table } from '../../model/index.ts';
import { listed } from '../describe.ts';
import { chainOrigin, evidence } from '../evidence.ts';
import { isGeneratedChain } from '../generated-chain.ts';
import { writerOf } from '../remediation.ts';
import type { Evaluator } from './evaluator.ts';

/** Regular chains that no base chain leads to. Of chains that only call each other the first one is told. */
export const unusedChain: Evaluator = {
  scope: 'host',
  *run(context) {
    for (const table of context.input.ruleset.tables) {
      if (table.dormant || writerOf(table) === 'firewalld') continue;
      for (const { chain, below } of unusedChains(table)) {
        const rules = chain.rules.filter(({ number }) => number !== undefined).length;
        yield evidence({
          host: context.host.name,
          origin: chainOrigin(table, chain),
          related: below.map((one) => ({
            origin: chainOrigin(table, one),
            label: 'is only called from there',
          })),
          facts: {
            host: context.host.name,
            chain: chain.name,
            table: table.name,
            rules: rules === 0 ? 'has no rules' : rules === 1 ? 'has one rule' : `has ${rules} rules`,
            empty: rules === 0,
            below: below.length === 0 ? '' : ` Nor does any to ${listed(below.map(({ name }) => name))}.`,
          },
          meaning: [table.family, table.name, chain.name],
        });
      }
    }
  },
};

interface UnusedChain {
  readonly chain: Chain;
  /** Chains that are unused for the same reason, and called from it. */
  readonly below: readonly Chain[];
}

function unusedChains(table: Table): UnusedChain[] {
  const byName = new Map<string, Chain>();
  for (const chain of table.chains) if (!byName.has(chain.name)) byName.set(chain.name, chain);
  const used = reachable(
    table.chains.filter(({ base }) => base !== undefined),
    byName,
  );
  // A rule that was not read may lead anywhere; one whose text names the chain, to that chain.
  if (used === undefined) return [];
  const unused = [...byName.values()].filter(
    (chain) => !used.has(chain) && !isGeneratedChain(chain.name, table.name),
  );
  const told = new Set<Chain>();
  const called = new Set(unused.flatMap((chain) => targetsOf(chain, byName).filter((one) => one !== chain)));
  const out: UnusedChain[] = [];
  for (const chain of [...unused.filter((one) => !called.has(one)), ...unused]) {
    if (told.has(chain)) continue;
    const below = [...(reachable([chain], byName) ?? [])].filter(
      (one) => unused.includes(one) && !told.has(one),
    );
    for (const one of below) told.add(one);
    out.push({ chain, below: below.filter((one) => one !== chain) });
  }
  return out.sort(
    (a, b) => a.chain.origin.line - b.chain.origin.line || a.chain.origin.column - b.chain.origin.column,
  );
}

/** Chains that packets may come to from these, themselves included; `undefined`: perhaps any. */
function reachable(
  starts: readonly Chain[],
  byName: ReadonlyMap<string, Chain>,
): ReadonlySet<Chain> | undefined {
  const seen = new Set(starts);
  // A set gives the members that are added while it is walked through.
  for (const chain of seen) {
    if (chain.rules.some(isUnread)) return undefined;
    for (const target of targetsOf(chain, byName)) seen.add(target);
  }
  return seen;
}

/** Stands for something that was not read. */
function isUnread({ verdict, number }: Rule): boolean {
  return verdict.kind === 'unknown' && number === undefined;
}

function targetsOf(chain: Chain, byName: ReadonlyMap<string, Chain>): Chain[] {
  return chain.rules.flatMap(({ verdict, text }) => {
    if (verdict.kind === 'jump' || verdict.kind === 'goto') return byName.get(verdict.chain) ?? [];
    if (verdict.kind !== 'unknown') return [];
    const words = new Set(text.split(/[^\w.+-]+/));
    return [...byName.values()].filter(({ name }) => words.has(name));
  });
}
