import type { Hook } from '../../model/index.ts';
import { integerProperty } from './json.ts';
import type { Say } from './key.ts';
import type { Contents } from './lookups.ts';
import type { TableScope } from './matches.ts';
import type { PlacedRule, TableKnowledge } from './rule-reader.ts';
import type { Path } from './source-text.ts';

/** Something to say about a statement, wherever that stands. */
export interface Remark {
  readonly what: Parameters<Say>[0];
  readonly detail: string;
  readonly path: Path;
}

const NO_HOOKS: ReadonlySet<Hook> = new Set();
const NO_REMARKS: Remark[] = [];

/**
 * What a statement sees of its rule and table while it is read. Notices what it looked at: what a statement says by itself is the
 * same in every rule that has it, and what needs the whole table waits until that is known.
 */
export class StatementScope implements TableScope {
  readonly family: string;
  readonly tableText: string;
  readonly #table: string;
  readonly #made = new Map<string, unknown>();
  #placed: PlacedRule | undefined;
  #knowledge: TableKnowledge | undefined;
  #remarks = NO_REMARKS;
  #isOpen = false;
  #isGeneral = true;

  constructor(family: string, table: string) {
    this.family = family;
    this.#table = table;
    this.tableText = `table ${family} ${table}`;
  }

  /** The whole table is known from now on. */
  learn(knowledge: TableKnowledge): void {
    this.#knowledge = knowledge;
  }

  /** The next statement to be read is one of this rule. */
  begin(placed: PlacedRule): void {
    this.#placed = placed;
    this.#remarks = NO_REMARKS;
    this.#isOpen = false;
    this.#isGeneral = true;
  }

  /** What is to be said about the statement. */
  get remarks(): readonly Remark[] {
    return this.#remarks;
  }

  /** The statement asked for something of the table that is not known yet. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The statement means the same in all rules of the table. */
  get isGeneral(): boolean {
    return this.#isGeneral;
  }

  get hooks(): ReadonlySet<Hook> {
    this.#isGeneral = false;
    if (this.#knowledge === undefined) this.#isOpen = true;
    return this.#knowledge?.hooksOf(this.#placed?.chain ?? '') ?? NO_HOOKS;
  }

  get place(): string {
    this.#isGeneral = false;
    return this.#placed === undefined ? this.tableText : placeOf(this.family, this.#table, this.#placed);
  }

  say(what: Remark['what'], detail: string, path: Path = []): void {
    if (this.#remarks === NO_REMARKS) this.#remarks = [];
    this.#remarks.push({ what, detail, path });
  }

  once<T>(key: string, make: () => T): T {
    // Keys of different kinds of values begin differently.
    const known = this.#made.get(key) as T | undefined;
    if (known !== undefined) return known;
    const value = make();
    this.#made.set(key, value);
    return value;
  }

  contents(name: string, parts: number): Contents | undefined {
    if (this.#knowledge === undefined) {
      this.#isOpen = true;
      return undefined;
    }
    const found = this.#knowledge.contents(name, parts);
    if (found === undefined)
      this.say(
        { kind: 'unresolved-reference', key: `set ${this.tableText} ${name}` },
        `the set "@${name.slice(0, 80)}" of ${this.tableText} is not in the export; what it holds is unknown`,
      );
    return found;
  }
}

/** Place of a rule, unique in the ruleset. */
export function placeOf(family: string, table: string, { chain, rule, origin }: PlacedRule): string {
  const handle = integerProperty(rule.value, 'handle');
  return `${family} ${table} ${chain} ${handle === undefined ? (origin.path ?? '') : `handle ${handle}`}`;
}
