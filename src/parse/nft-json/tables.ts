import type { Family, Origin, Rule } from '../../model/index.ts';
import type { DiagnosticLog } from '../diagnostic-log.ts';
import {
  asList,
  integerProperty,
  isObject,
  onlyProperty,
  parseJson,
  property,
  textProperty,
} from './json.ts';
import { offsetOfMistake } from './json-mistake.ts';
import { found } from './misread.ts';
import { type EarlyRule, RuleReader } from './rule-reader.ts';
import { type KnownHeads, type RuleText, readRuleText } from './rule-text.ts';
import { endOfString, LONGEST_STRING, type ScannedItem, type Span } from './scan-document.ts';
import { pathAt, pathText, type SourceText } from './source-text.ts';
import { NO_USES } from './table-uses.ts';

/** A rule where it stands in its chain: made already where it says nothing about its table and needs nothing from it. */
export type RawRule = Rule | HeldRule;

/** A rule, or where to read it again when its table is known, and what it does to the table. */
export interface HeldRule extends Span, EarlyRule {
  readonly handle: number | undefined;
  readonly origin: Origin;
}

/** Tells the kinds of `RawRule` apart. */
export function isHeld(rule: RawRule): rule is HeldRule {
  return 'uses' in rule;
}

/** A chain: its declaration, if there is one, and its rules in the order the kernel has them. */
export interface RawChain {
  readonly name: string;
  declaration: unknown;
  origin: Origin;
  rules: RawRule[];
  /** Rules put before all of `rules`, the last one first. */
  inserted: RawRule[];
}

/** Elements of a set that stand together. */
export interface ElementList extends Span {
  /** Position of the first of them in the set. */
  readonly first: number;
  /** Origin of their item, which begins at `start`, and names from that to the list. */
  readonly origin: Origin;
  readonly names: readonly string[];
}

/** A named set or map. */
export interface RawSet {
  readonly value: unknown;
  readonly isMap: boolean;
  elements: unknown[];
  lists: ElementList[];
}

/** A table as the document has it. */
export interface RawTable {
  readonly family: Family;
  readonly name: string;
  flags: readonly unknown[];
  origin: Origin;
  readonly chains: Map<string, RawChain>;
  readonly sets: Map<string, RawSet>;
  readonly reader: RuleReader;
  /** Something of this table could not be read: any of its chains may hold rules that are not here. */
  tainted: Origin | undefined;
}

/** The rules of a chain in their order, in a list that may be changed. */
export function rulesOf(chain: RawChain): RawRule[] {
  if (chain.inserted.length > 0) {
    chain.rules = [...chain.inserted.reverse(), ...chain.rules];
    chain.inserted = [];
  }
  return chain.rules;
}

function clearRules(chain: RawChain): void {
  chain.rules = [];
  chain.inserted = [];
}

const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'];

const COMMANDS: ReadonlySet<string> = new Set([
  'add',
  'create',
  'insert',
  'replace',
  'delete',
  'destroy',
  'flush',
  'rename',
  'list',
  'reset',
]);

/** Objects that decide nothing by themselves. */
const PASSIVE: ReadonlySet<string> = new Set([
  'metainfo',
  'counter',
  'quota',
  'limit',
  'ct helper',
  'ct timeout',
  'ct expectation',
  'secmark',
  'synproxy',
  'flowtable',
  'tunnel',
]);

/** Names from an item to the rule that it lists: what most items hold. */
const LISTED_RULE: readonly string[] = ['rule'];

/** One object of an item, and the command it stands in. */
interface Placed {
  readonly command: string;
  readonly kind: string;
  readonly value: unknown;
  /** Whether it stands there without a command, as `list` prints it. */
  readonly listed: boolean;
}

/** Puts the items of the document together to tables, in the order in which they take effect. */
export class TableCollector {
  readonly tables = new Map<string, RawTable>();
  /** Something could not be placed: every table may lack rules, from the first one on. */
  tainted: Origin | undefined;
  readonly #source: SourceText;
  readonly #log: DiagnosticLog;
  /** The item being read. */
  #item: Span & { readonly index: number } = { index: 0, start: 0, end: 0 };
  readonly #heads: KnownHeads = new Map();
  /** The table of the last item: mostly that of the next one, too. */
  #last: RawTable | undefined;

  constructor(source: SourceText, log: DiagnosticLog) {
    this.#source = source;
    this.#log = log;
  }

  /** Takes one item of the array `nftables`: an object, or a command with one. */
  take(item: ScannedItem): void {
    this.#item = item;
    if (item.longString >= 0) {
      this.#sayLongString(item);
      return;
    }
    const rule = readRuleText(this.#source.text, item, this.#heads);
    if (rule !== undefined) {
      this.#takeRule(rule);
      return;
    }
    const read = parseJson(this.#source.text.slice(item.start, item.end));
    if (read.kind === 'broken') this.#broken();
    else this.#takeValue(read.value);
  }

  #takeValue(item: unknown): void {
    const only = onlyProperty(item);
    if (only === undefined) {
      this.#unreadable([], `expected an object with one name, found ${found(item)}`);
      return;
    }
    if (!COMMANDS.has(only.name)) {
      this.#carryOut({ command: 'add', kind: only.name, value: only.value, listed: true });
      return;
    }
    const inner = onlyProperty(only.value);
    if (inner === undefined)
      this.#unreadable([only.name], `expected an object with one name, found ${found(only.value)}`);
    else this.#carryOut({ command: only.name, kind: inner.name, value: inner.value, listed: false });
  }

  #takeRule(rule: RuleText): void {
    if (rule.command === undefined || COMMANDS.has(rule.command)) {
      const listed = rule.command === undefined;
      const placed = { command: rule.command ?? 'add', kind: 'rule', value: rule.value, listed };
      this.#carryOut(placed, rule);
    } else this.#unreadable([], `expected an object with one name, found ${found({ [rule.command]: {} })}`);
  }

  // ---- places

  #origin(names: readonly string[]): Origin {
    const suffix = names === LISTED_RULE ? '.rule' : pathText(names);
    return this.#source.originOf(this.#item, `$.nftables[${this.#item.index}]${suffix}`);
  }

  #namesOf({ listed, command, kind }: Placed): readonly string[] {
    return listed ? (kind === 'rule' ? LISTED_RULE : [kind]) : [command, kind];
  }

  #unreadable(names: readonly string[], detail: string, table?: RawTable): void {
    const origin = this.#origin(names);
    this.#log.addAt('syntax', true, origin, `${origin.path}: ${detail}`);
    if (table === undefined) this.tainted ??= origin;
    else table.tainted ??= origin;
  }

  /** Items with such strings are not read: whatever wrote them was not nft. */
  #sayLongString({ longString, start, index }: ScannedItem): void {
    const { text } = this.#source;
    const end = endOfString(text, longString) + 1;
    const path = `$.nftables[${index}]${pathText(pathAt(text, start, longString))}`;
    const origin = this.#source.originOf({ start: longString, end }, path);
    const detail = `expected at most ${LONGEST_STRING} characters, found a text of ${end - longString - 2}; it is not read`;
    this.#log.addAt('syntax', true, origin, `${path}: ${detail}`);
    this.tainted ??= origin;
  }

  /** The item is not valid JSON. */
  #broken(): void {
    const { start, end, index } = this.#item;
    const from = start + offsetOfMistake(this.#source.text.slice(start, end));
    const path = `$.nftables[${index}]${pathText(pathAt(this.#source.text, start, from))}`;
    const origin = this.#source.originOf({ start: from, end }, path);
    this.#log.addAt('syntax', true, origin, `${origin.path}: not valid JSON`);
    // An item that runs to the end of the text is where that is cut: nothing that was read stands behind it.
    if (end < this.#source.text.length) this.tainted ??= origin;
  }

  // ---- commands

  #carryOut(placed: Placed, rule?: RuleText): void {
    const { command, kind, value } = placed;
    if (command === 'list' || command === 'reset' || PASSIVE.has(kind)) return;
    if (kind === 'ruleset') {
      if (command === 'flush') this.#flushRuleset(textProperty(value, 'family'));
      return;
    }
    const table = this.#tableOf(placed);
    if (table === undefined) return;
    if (
      command === 'add' ||
      command === 'create' ||
      ((command === 'insert' || command === 'replace') && kind === 'rule')
    ) {
      this.#add(placed, table, rule);
    } else if (command === 'flush') this.#flush(kind, table, value);
    else if ((command === 'delete' || command === 'destroy') && kind === 'table') {
      this.tables.delete(`${table.family} ${table.name}`);
      this.#last = undefined;
    } else
      this.#unreadable(
        this.#namesOf(placed),
        `the command "${command}" of a ${kind.slice(0, 40)} is not carried out; export with "nft -j list ruleset"`,
        table,
      );
  }

  #tableOf(placed: Placed): RawTable | undefined {
    const { kind, value } = placed;
    const family =
      textProperty(value, 'family') ?? (isObject(value) && !Object.hasOwn(value, 'family') ? 'ip' : '');
    const name = kind === 'table' ? textProperty(value, 'name') : textProperty(value, 'table');
    if (!FAMILIES.includes(family) || name === undefined) {
      this.#unreadable(
        this.#namesOf(placed),
        `expected "family" (${FAMILIES.join(', ')}) and the table's name, found ${found(value)}`,
      );
      return undefined;
    }
    if (this.#last?.name === name && this.#last.family === family) return this.#last;
    const key = `${family} ${name}`;
    this.#last = this.tables.get(key) ?? this.#addTable(key, family, name, placed);
    return this.#last;
  }

  #addTable(key: string, family: string, name: string, placed: Placed): RawTable {
    const table: RawTable = {
      // One of FAMILIES, checked above.
      family: family as Family,
      name,
      flags: [],
      origin: this.#origin(this.#namesOf(placed)),
      chains: new Map(),
      sets: new Map(),
      reader: new RuleReader(family, name, this.#source, this.#log),
      tainted: undefined,
    };
    this.tables.set(key, table);
    return table;
  }

  #add(placed: Placed, table: RawTable, rule: RuleText | undefined): void {
    const { kind, value } = placed;
    switch (kind) {
      case 'table':
        if (property(value, 'flags') !== undefined) table.flags = asList(property(value, 'flags'));
        return;
      case 'chain':
        this.#addChain(placed, table);
        return;
      case 'rule':
        this.#addRule(placed, table, rule);
        return;
      case 'set':
      case 'map':
      case 'meter':
        this.#addSet(placed, table);
        return;
      case 'element': {
        const set = table.sets.get(textProperty(value, 'name') ?? '');
        if (set !== undefined) this.#addElements(placed, set);
        else
          this.#unreadable(
            this.#namesOf(placed),
            `the set ${found(property(value, 'name'))} is not declared before its elements`,
            table,
          );
        return;
      }
      default: {
        const origin = this.#origin(this.#namesOf(placed));
        const detail = `objects of the kind "${kind.slice(0, 60)}" are not known and decide nothing by themselves`;
        this.#log.onceAt(`object ${kind}`, () => ({ kind: 'note', incomplete: false, origin, detail }));
      }
    }
  }

  #addChain(placed: Placed, table: RawTable): void {
    const { value, listed } = placed;
    const name = textProperty(value, 'name');
    if (name === undefined) {
      this.#unreadable(
        [...this.#namesOf(placed), 'name'],
        `expected the chain's name, found ${found(property(value, 'name'))}`,
        table,
      );
      return;
    }
    const origin = this.#origin(this.#namesOf(placed));
    const known = table.chains.get(name);
    if (known === undefined)
      table.chains.set(name, { name, declaration: value, origin, rules: [], inserted: [] });
    else if (known.declaration === undefined) {
      known.declaration = value;
      known.origin = origin;
    } else if (listed) {
      this.#log.addAt(
        'contradiction',
        true,
        origin,
        `${origin.path}: the chain "${name.slice(0, 80)}" of table ${table.family} ${table.name.slice(0, 80)} is declared twice; the first declaration counts`,
      );
    } else if (property(value, 'policy') !== undefined && isObject(known.declaration)) {
      known.declaration = { ...known.declaration, policy: property(value, 'policy') };
    }
  }

  #addSet(placed: Placed, table: RawTable): void {
    const { value, kind } = placed;
    const name = textProperty(value, 'name');
    if (name === undefined) {
      this.#unreadable(
        [...this.#namesOf(placed), 'name'],
        `expected the set's name, found ${found(property(value, 'name'))}`,
        table,
      );
      return;
    }
    let set = table.sets.get(name);
    if (set === undefined) {
      set = { value, isMap: kind === 'map', elements: [], lists: [] };
      table.sets.set(name, set);
    }
    if (property(value, 'elem') !== undefined) this.#addElements(placed, set);
  }

  #addElements(placed: Placed, set: RawSet): void {
    const names = this.#namesOf(placed);
    const { start, end } = this.#item;
    const list = { first: set.elements.length, origin: this.#origin(names), names, start, end };
    const added = asList(property(placed.value, 'elem'));
    set.lists.push(list);
    if (set.elements.length === 0) set.elements = added.slice();
    else for (const element of added) set.elements.push(element);
  }

  #addRule(placed: Placed, table: RawTable, given: RuleText | undefined): void {
    const { value, command, listed } = placed;
    const names = this.#namesOf(placed);
    const name = textProperty(value, 'chain');
    if (name === undefined || !isObject(value)) {
      this.#unreadable(
        [...names, 'chain'],
        `expected the name of the rule's chain, found ${found(property(value, 'chain'))}`,
        table,
      );
      return;
    }
    const origin = this.#origin(names);
    let chain = table.chains.get(name);
    if (chain === undefined) {
      chain = { name, declaration: undefined, origin, rules: [], inserted: [] };
      table.chains.set(name, chain);
    }
    const rule = given ?? { command: listed ? undefined : command, value, spans: undefined, size: 0 };
    const { start, end } = this.#item;
    const item = { start, end };
    const number = chain.rules.length + 1;
    const early = table.reader.readEarly({ rule, chain: name, item, origin, number });
    if (early === undefined) {
      this.#broken();
      return;
    }
    const { rule: made, uses } = early;
    const handle = integerProperty(value, 'handle');
    const raw =
      made !== undefined && uses === NO_USES ? made : { start, end, origin, handle, rule: made, uses };
    if (listed && property(value, 'index') === undefined) chain.rules.push(raw);
    else this.#place(placed, table, chain, raw);
  }

  /** Puts a rule where its command says. */
  #place({ command, value, listed, kind }: Placed, table: RawTable, chain: RawChain, rule: RawRule): void {
    const { handle } = rule;
    const given = integerProperty(value, 'index');
    // nft adds one to it, and takes 0 for none.
    const index = given === -1 ? undefined : given;
    if (command === 'insert' && handle === undefined && index === undefined) {
      chain.inserted.push(rule);
      return;
    }
    const rules = rulesOf(chain);
    // nft 1.0.6 takes no account of the handle of a rule that is added.
    const atEnd = index === undefined && (command === 'add' || command === 'create');
    const named = handle === undefined ? -1 : rules.findIndex((r) => r.handle === handle);
    const position = atEnd ? rules.length - 1 : (index ?? named);
    if (!atEnd && rules[position] === undefined)
      this.#unreadable(
        this.#namesOf({ command, kind, value, listed }),
        `the rule ${command === 'replace' ? 'to replace' : 'that it is to stand beside'} is not in this document`,
        table,
      );
    else if (command === 'replace') rules[position] = rule;
    else rules.splice(command === 'insert' ? position : position + 1, 0, rule);
  }

  /** All tables, or those of one family. */
  #flushRuleset(family: string | undefined): void {
    for (const [key, table] of this.tables)
      if (family === undefined || table.family === family) this.tables.delete(key);
    this.#last = undefined;
  }

  #flush(kind: string, table: RawTable, value: unknown): void {
    const only = kind === 'chain' ? textProperty(value, 'name') : undefined;
    if (kind === 'table') for (const chain of table.chains.values()) clearRules(chain);
    else if (kind === 'chain' && only !== undefined) {
      const chain = table.chains.get(only);
      if (chain !== undefined) clearRules(chain);
    } else if (kind === 'set' || kind === 'map') {
      const set = table.sets.get(textProperty(value, 'name') ?? '');
      if (set !== undefined) {
        set.elements = [];
        set.lists = [];
      }
    }
  }
}
