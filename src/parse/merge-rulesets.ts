import type {
  Chain,
  Condition,
  NamedSet,
  Origin,
  ParseDiagnostic,
  ParseResult,
  Rule,
  Ruleset,
  Table,
} from '../model/index.ts';
import { quote } from './diagnostic-log.ts';
import {
  type FillCounts,
  type FilledTable,
  fillTable,
  isOpaque,
  looksLikeIptables,
  placeText,
} from './fill-opaque.ts';
import {
  dynamicSetsOf,
  type IptablesFacts,
  type IptablesProgram,
  isSameTable,
} from './iptables-save/index.ts';

/** What one file of a host says. */
export interface RulesetPart extends ParseResult {
  /** The file is JSON of nft: where it lists several tables, or none, it lists all that nft has. */
  readonly isNftJson?: boolean;
  /** Of iptables-save texts. */
  readonly facts?: IptablesFacts;
}

/** One host's ruleset, and what is to be said about how its files fit together. */
export interface MergedRulesets {
  readonly ruleset: Ruleset;
  readonly diagnostics: readonly ParseDiagnostic[];
  /** Diagnostics of the parts that another file has made good: they no longer hold. */
  readonly settled: ReadonlySet<ParseDiagnostic>;
  /** Rules of iptables-nft, by what became of them when the JSON of nft and iptables-save were put together. */
  readonly filling: FillCounts;
}

/**
 * Puts the parts of one host together. Tables and sets that stand in several files count once when they mean the same; when
 * they differ, the first is kept and a contradiction names both. A table that JSON of nft and iptables-save both show counts once: what nft
 * says, filled from iptables-save where nft prints no arguments. Sets that rules fill or empty become dynamic; sets that rules
 * name and no file holds are told once each. Diagnostics of the parts themselves are not repeated.
 */
export function mergeRulesets(parts: readonly RulesetPart[]): MergedRulesets {
  const merger = new TableMerger(parts);
  const tables = merger.merge();
  const diagnostics = [...merger.diagnostics];
  const sets = mergeSets(
    parts.flatMap((p) => p.ruleset.namedSets),
    diagnostics,
  );
  const dynamic = dynamicSetsOf({ tables, namedSets: sets });
  const namedSets = sets.map((set) => (dynamic.has(set.name) ? { ...set, dynamic: true } : set));
  sayMissingSets(tables, namedSets, diagnostics);
  const { settled, filling } = merger;
  return { ruleset: { tables, namedSets }, diagnostics, settled, filling };
}

/** A table as one file shows it. */
interface ShownTable {
  readonly table: Table;
  readonly isNft: boolean;
  readonly program: IptablesProgram | undefined;
}

class TableMerger {
  readonly diagnostics: ParseDiagnostic[] = [];
  readonly settled = new Set<ParseDiagnostic>();
  filling: FillCounts = { agreed: 0, filled: 0, opaque: 0 };
  readonly #parts: readonly RulesetPart[];
  /** JSON of nft is there, and it is all of nft's tables. */
  #allOfNft = false;

  constructor(parts: readonly RulesetPart[]) {
    this.#parts = parts;
  }

  merge(): readonly Table[] {
    const shown = this.#parts.flatMap((part) =>
      part.ruleset.tables.map((table): ShownTable => {
        const isNft = table.dialect !== 'iptables';
        return { table, isNft, program: part.facts?.programs.get(table) };
      }),
    );
    const ofNft = this.#countOnce(shown.filter((s) => s.isNft));
    const ofIptables = this.#countOnce(shown.filter((s) => !s.isNft));
    const isWhole = (part: RulesetPart) => !part.diagnostics.some((d) => d.incomplete);
    this.#allOfNft = this.#parts.some((p) => p.isNftJson === true && isWhole(p)) && ofNft.length !== 1;
    const tables = this.#join(ofNft, ofIptables);
    this.#settleHidden(ofNft, ofIptables);
    this.#settleArguments(tables, ofIptables);
    return tables;
  }

  /** Tables of one kind, each once. Tables of iptables-legacy are in force beside those of iptables-nft. */
  #countOnce(all: readonly ShownTable[]): readonly ShownTable[] {
    const kept: ShownTable[] = [];
    const byName = new Map<string, ShownTable[]>();
    for (const next of all) {
      const { table, isNft, program } = next;
      const name = `${table.family} ${table.name}`;
      const known = byName
        .get(name)
        ?.find((k) => k.program === undefined || program === undefined || k.program === program);
      if (known === undefined) {
        kept.push(next);
        byName.set(name, [...(byName.get(name) ?? []), next]);
      } else if (isNft ? isSameNftTable(known.table, table) : isSameTable(known.table, table)) {
        this.#note(
          table.origin,
          `${tableText(table)} is the same as in ${placeText(known.table.origin)}; it is counted once`,
        );
      } else {
        this.diagnostics.push({
          kind: 'contradiction',
          incomplete: true,
          origin: table.origin,
          detail: `${tableText(table)} stands in ${placeText(known.table.origin)} and in ${placeText(table.origin)}, with different rules; the second is left out: keep the export that is in force`,
        });
      }
    }
    return kept;
  }

  /** The tables of both kinds: those of nft filled, those that only iptables-save shows after them. */
  #join(ofNft: readonly ShownTable[], ofIptables: readonly ShownTable[]): readonly Table[] {
    const tables = ofNft.map((s) => s.table);
    const pairs = ofIptables.map((shown) => {
      const { family, name } = shown.table;
      const index = tables.findIndex((t) => t.family === family && t.name === name);
      const own = tables[index];
      return { shown, index, own, filled: own && fillTable(own, shown.table) };
    });
    // One program wrote all of a file that does not tell which.
    const fromNft = new Set(
      pairs.filter((p) => (p.filled?.counts.agreed ?? 0) > 0).map((p) => p.shown.table.origin.file),
    );
    for (const { shown, index, own, filled } of pairs) {
      const { table } = shown;
      const program = shown.program ?? (fromNft.has(table.origin.file) ? 'nf_tables' : undefined);
      if (own === undefined || filled === undefined) {
        this.#sayOnlyInText(table, program);
        tables.push(table);
      } else if (filled.agrees || program === 'nf_tables') {
        tables[index] = filled.table;
        this.#count(filled);
      } else if (program === 'legacy' || !looksLikeIptables(own)) {
        this.#note(
          table.origin,
          `${tableText(table)} of iptables-legacy is in force beside the table of that name in ${placeText(own.origin)}; both count`,
        );
        tables.push(table);
      } else if (decides(table)) {
        this.diagnostics.push({
          kind: 'contradiction',
          incomplete: true,
          origin: table.origin,
          detail: `${tableText(table)} has nothing in common with the table of that name in ${placeText(own.origin)} and is left out; export both again, and name the program: "iptables-nft-save" prints the tables that nft shows, "iptables-legacy-save" others`,
        });
      }
    }
    return tables;
  }

  #count({ counts, diagnostics }: FilledTable): void {
    this.diagnostics.push(...diagnostics);
    this.filling = {
      agreed: this.filling.agreed + counts.agreed,
      filled: this.filling.filled + counts.filled,
      opaque: this.filling.opaque + counts.opaque,
    };
  }

  /** A table of iptables-save that no JSON of nft shows. */
  #sayOnlyInText(table: Table, program: IptablesProgram | undefined): void {
    if (!this.#parts.some((p) => p.isNftJson === true) || !decides(table) || program === 'legacy') return;
    if (program === 'nf_tables' && this.#allOfNft) {
      this.diagnostics.push({
        kind: 'contradiction',
        incomplete: true,
        origin: table.origin,
        detail: `${tableText(table)} is a table of nft, and the JSON of nft does not hold it: the exports are not of one moment or not of one host; export both again`,
      });
    } else {
      this.#note(
        table.origin,
        `${tableText(table)} is not in the JSON of nft; it counts besides, as iptables-legacy has it`,
      );
    }
  }

  /** Lines of iptables-save about rules it does not show: made good by an export that shows them. */
  #settleHidden(ofNft: readonly ShownTable[], ofIptables: readonly ShownTable[]): void {
    for (const { diagnostic, families, table } of this.#parts.flatMap((p) => p.facts?.hidden ?? [])) {
      const places = families.flatMap((family) => {
        const found =
          table === undefined
            ? ofIptables.find((s) => s.program === 'legacy' && s.table.family === family)
            : ofNft.find((s) => s.table.family === family && s.table.name === table);
        return found === undefined ? [] : [found.table];
      });
      const [first] = places;
      if (first === undefined || (places.length < families.length && !this.#allOfNft)) continue;
      this.settled.add(diagnostic);
      this.#note(
        diagnostic.origin,
        `what iptables-save does not show here is read from ${placeText(first.origin)}`,
      );
    }
  }

  /** "nft prints … without their arguments": no longer so for rules that are filled. */
  #settleArguments(tables: readonly Table[], ofIptables: readonly ShownTable[]): void {
    for (const part of this.#parts) {
      const said = part.diagnostics.find((d) => d.detail.startsWith(WITHOUT_ARGUMENTS));
      if (said === undefined) continue;
      const own = part.ruleset.tables.flatMap((table) => {
        // Tables of nft come before those that only iptables-save shows.
        const now = tables.find((t) => t.family === table.family && t.name === table.name);
        const rules = countOpaque(now ?? table);
        const isShown = ofIptables.some(({ table: t }) => t.family === table.family && t.name === table.name);
        return { family: table.family, text: tableText(table), before: countOpaque(table), rules, isShown };
      });
      const open = own.filter((t) => t.rules > 0);
      if (!own.some((t) => t.rules < t.before || t.isShown)) continue;
      this.settled.add(said);
      if (open.length === 0) continue;
      const list = open.map((t) => `${t.rules} in ${t.text}`).join(', ');
      const programs = [
        ...new Set(open.map((t) => (t.family === 'ip6' ? '"ip6tables-save"' : '"iptables-save"'))),
      ];
      this.diagnostics.push({
        ...said,
        detail: `${WITHOUT_ARGUMENTS}; no other export makes good for some rules (${list}): add the output of ${programs.join(' and ')}, taken right after that of nft`,
      });
    }
  }

  #note(origin: Origin, detail: string): void {
    this.diagnostics.push(note(origin, detail));
  }
}

/** How the reader of nft JSON begins to say that it met opaque matches. */
const WITHOUT_ARGUMENTS = 'nft prints matches and targets of iptables-nft without their arguments';

function tableText({ name, family }: Table): string {
  return `table ${name} (${family})`;
}

function hasRules(table: Table): boolean {
  return table.chains.some((chain) => chain.rules.length > 0);
}

/** The table is more than empty chains that accept. */
function decides(table: Table): boolean {
  return hasRules(table) || table.chains.some((chain) => chain.base?.chainPolicy === 'drop');
}

function countOpaque(table: Table): number {
  return table.chains.reduce((sum, chain) => sum + chain.rules.filter(isOpaque).length, 0);
}

/** Whether two readings of a table of nft mean the same, whatever their counters, handles and files. */
function isSameNftTable(a: Table, b: Table): boolean {
  if (a.dormant !== b.dormant || a.chains.length !== b.chains.length) return false;
  const others = new Map(b.chains.map((c) => [c.name, c]));
  return a.chains.every((chain) => {
    const other = others.get(chain.name);
    return (
      other !== undefined &&
      stringify(chain.base ?? null) === stringify(other.base ?? null) &&
      chain.rules.length === other.rules.length &&
      chain.rules.every((rule, i) => nftRuleKey(a, chain, rule) === nftRuleKey(b, other, other.rules[i]!))
    );
  });
}

/** What a rule of nft means, without the place that its opaque parts are told apart by. */
function nftRuleKey(table: Table, chain: Chain, rule: Rule): string {
  const { matches, statements, verdict, text, comment, number, handle, origin } = rule;
  const place = `${table.family} ${table.name} ${chain.name} ${handle === undefined ? origin.path : `handle ${handle}`}`;
  const key = stringify([matches, statements, verdict, text, comment ?? null, number ?? null]);
  return key.replaceAll(JSON.stringify(place).slice(1, -1), 'this rule');
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
    // Sets of nft are no ipsets: no condition names them.
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
