import type {
  Condition,
  NamedSet,
  Origin,
  ParseDiagnostic,
  ParseResult,
  Ruleset,
  Table,
} from '../model/index.ts';
import { quote } from './diagnostic-log.ts';
import { dynamicSetsOf, isSameTable } from './iptables-save/index.ts';

/** One host's ruleset, and what is to be said about how its files fit together. */
export interface MergedRulesets {
  readonly ruleset: Ruleset;
  readonly diagnostics: readonly ParseDiagnostic[];
}

/**
 * Puts the parts of one host together. Tables and sets that stand in several files count once when they mean the same; when
 * they differ, the first is kept and a contradiction names both. Sets that rules fill or empty become dynamic; sets that rules
 * name and no file holds are told once each. Diagnostics of the parts themselves are not repeated.
 */
export function mergeRulesets(parts: readonly ParseResult[]): MergedRulesets {
  const diagnostics: ParseDiagnostic[] = [];
  const tables = mergeTables(
    parts.flatMap((p) => p.ruleset.tables),
    diagnostics,
  );
  const sets = mergeSets(
    parts.flatMap((p) => p.ruleset.namedSets),
    diagnostics,
  );
  const dynamic = dynamicSetsOf({ tables, namedSets: sets });
  const namedSets = sets.map((set) => (dynamic.has(set.name) ? { ...set, dynamic: true } : set));
  sayMissingSets(tables, namedSets, diagnostics);
  return { ruleset: { tables, namedSets }, diagnostics };
}

function mergeTables(all: readonly Table[], diagnostics: ParseDiagnostic[]): readonly Table[] {
  const kept = new Map<string, Table>();
  for (const table of all) {
    const key = `${table.family} ${table.name}`;
    const known = kept.get(key);
    if (known === undefined) kept.set(key, table);
    else if (isSameTable(known, table)) {
      diagnostics.push(
        note(
          table.origin,
          `table ${table.name} (${table.family}) is the same as in ${placeText(known.origin)}; it is counted once`,
        ),
      );
    } else {
      diagnostics.push({
        kind: 'contradiction',
        incomplete: true,
        origin: table.origin,
        detail: `table ${table.name} (${table.family}) stands in ${placeText(known.origin)} and in ${placeText(table.origin)}, with different rules; the second is left out: keep the export that is in force`,
      });
    }
  }
  return [...kept.values()];
}

function mergeSets(all: readonly NamedSet[], diagnostics: ParseDiagnostic[]): readonly NamedSet[] {
  const kept = new Map<string, NamedSet>();
  for (const set of all) {
    const known = kept.get(set.name);
    if (known === undefined) kept.set(set.name, set);
    else if (setKey(known) === setKey(set)) {
      diagnostics.push(
        note(
          set.origin,
          `the set ${quote(set.name)} is the same as in ${placeText(known.origin)}; it is counted once`,
        ),
      );
    } else {
      diagnostics.push({
        kind: 'contradiction',
        incomplete: true,
        origin: set.origin,
        detail: `the set ${quote(set.name)} stands in ${placeText(known.origin)} and in ${placeText(set.origin)}, with different contents; the second is left out`,
      });
    }
  }
  return [...kept.values()];
}

function setKey(set: NamedSet): string {
  const elements = set.elements
    .map(({ values, nomatch, timeout }) => stringify([values, nomatch, timeout]))
    .sort();
  return stringify([set.type, set.version, set.netmask, set.dynamic, elements]);
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
}

function note(origin: Origin, detail: string): ParseDiagnostic {
  return { kind: 'note', incomplete: false, origin, detail };
}

function placeText(origin: Origin): string {
  return `${origin.file} line ${origin.line}`;
}

/** Sets of iptables rules and of lists that no file holds: their contents stay unknown, which costs no completeness. */
function sayMissingSets(
  tables: readonly Table[],
  sets: readonly NamedSet[],
  diagnostics: ParseDiagnostic[],
): void {
  const known = new Set(sets.map((s) => s.name));
  const say = (name: string, origin: Origin): void => {
    if (known.has(name)) return;
    known.add(name);
    const detail = `the set ${quote(name)} is in no export; what it holds is unknown: add the output of "ipset save"`;
    diagnostics.push({ kind: 'unresolved-reference', incomplete: false, origin, detail });
  };
  for (const table of tables) {
    if (table.dialect !== 'iptables') continue;
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        for (const match of rule.matches) for (const name of setsIn(match.condition)) say(name, rule.origin);
      }
    }
  }
  for (const set of sets) {
    for (const { values, origin } of set.elements)
      for (const value of values) if (value.kind === 'set') say(value.name, origin);
  }
}

/** Names of the sets a condition asks. */
function setsIn(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'named-set':
      return [condition.set];
    case 'not':
      return setsIn(condition.of);
    case 'all':
    case 'any':
      return condition.of.flatMap(setsIn);
    default:
      return [];
  }
}
