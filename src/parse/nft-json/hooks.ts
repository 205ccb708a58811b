import type { Hook } from '../../model/index.ts';
import { textProperty } from './json.ts';
import { visitJumps } from './table-uses.ts';
import { isHeld, type RawTable, rulesOf } from './tables.ts';

/** Places where base chains stand. */
export const HOOKS: readonly string[] = [
  'ingress',
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'egress',
];

/** Hooks from which each chain is reached. */
export function hooksOfChains(table: RawTable): ReadonlyMap<string, ReadonlySet<Hook>> {
  const targets = new Map<string, ReadonlySet<string>>();
  const ofMaps = new Map<string, ReadonlySet<string>>();
  for (const chain of table.chains.values()) {
    const found = new Set<string>();
    for (const rule of rulesOf(chain)) {
      if (!isHeld(rule)) continue;
      const { uses } = rule;
      for (const name of uses.chains) found.add(name);
      for (const name of uses.maps) for (const target of targetsOfMap(table, name, ofMaps)) found.add(target);
    }
    targets.set(chain.name, found);
  }
  const hooks = new Map<string, Set<Hook>>();
  for (const chain of table.chains.values()) {
    const hook = textProperty(chain.declaration, 'hook');
    if (hook === undefined || !HOOKS.includes(hook)) continue;
    const waiting = [chain.name];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const known = hooks.get(name) ?? new Set<Hook>();
      // One of HOOKS, checked above.
      if (known.has(hook as Hook)) continue;
      known.add(hook as Hook);
      hooks.set(name, known);
      for (const target of targets.get(name) ?? []) waiting.push(target);
    }
  }
  return hooks;
}

/** Chains that the verdicts of a named map lead to. Maps are looked through once, however many rules use them. */
function targetsOfMap(
  table: RawTable,
  name: string,
  ofMaps: Map<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const known = ofMaps.get(name);
  if (known !== undefined) return known;
  const targets = new Set<string>();
  const map = table.sets.get(name);
  if (map?.isMap)
    for (const element of map.elements)
      if (Array.isArray(element))
        visitJumps(
          element[1],
          (chain) => targets.add(chain),
          () => {},
        );
  ofMaps.set(name, targets);
  return targets;
}
