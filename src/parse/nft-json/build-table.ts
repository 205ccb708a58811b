import type { BaseChain, Chain, FieldName, Hook, Origin, Rule, Table } from '../../model/index.ts';
import type { DiagnosticLog } from '../diagnostic-log.ts';
import { unknown } from './conditions.ts';
import { readDormancy } from './dormancy.ts';
import { HOOKS, hooksOfChains } from './hooks.ts';
import { asList, isObject, onlyProperty, parseJson, property, textProperty } from './json.ts';
import type { Contents } from './lookups.ts';
import { found, type Misread } from './misread.ts';
import { readPriority } from './priority.ts';
import { type KnownHeads, type RuleText, readRuleText } from './rule-text.ts';
import { scanItemAt } from './scan-document.ts';
import { locate, type SourceText } from './source-text.ts';
import { isHeld, type RawChain, type RawRule, type RawSet, type RawTable, rulesOf } from './tables.ts';

/** What of a document was not read and may have held rules of every table. */
export interface Unread {
  /** Something among the items, for which no table could be told: it may stand before any rule. */
  readonly among: Origin | undefined;
  /** The text was cut here: what is lost stood after all that was read. */
  readonly after: Origin | undefined;
}

/** Makes a table of the model. */
export function buildTable(raw: RawTable, unread: Unread, source: SourceText, log: DiagnosticLog): Table {
  return new TableBuilder(raw, unread, source, log).build();
}

class TableBuilder {
  readonly #raw: RawTable;
  readonly #unread: Unread;
  readonly #source: SourceText;
  readonly #log: DiagnosticLog;
  /** Sets that some rule changes. */
  readonly #dynamic = new Set<string>();
  readonly #contents = new Map<string, Contents>();
  readonly #heads: KnownHeads = new Map();
  /** Table in words. */
  readonly #tableText: string;

  constructor(raw: RawTable, unread: Unread, source: SourceText, log: DiagnosticLog) {
    this.#raw = raw;
    this.#unread = { among: unread.among ?? raw.tainted, after: unread.after };
    this.#source = source;
    this.#log = log;
    this.#tableText = `table ${raw.family} ${raw.name}`;
  }

  build(): Table {
    const { family, name, origin, flags } = this.#raw;
    const { among, after } = this.#unread;
    this.#learn();
    this.#sayFamily();
    const dormancy = readDormancy(family, name, flags, origin, this.#log);
    const chains = [...this.#raw.chains.values()].map((chain): Chain => {
      const base = this.#baseOf(chain);
      const rules = dormancy.kind === 'unsure' && base !== undefined ? [dormancy.guard] : [];
      if (among !== undefined) rules.push(this.#standIn(chain, among));
      let number = 0;
      for (const raw of rulesOf(chain)) this.#makeRules(chain, raw, ++number, rules);
      if (after !== undefined) rules.push(this.#standIn(chain, after));
      return { name: chain.name, base, rules, origin: chain.origin };
    });
    this.#sayMissingChains(chains);
    const dialect = name === 'firewalld' ? 'firewalld' : 'nft';
    return { family, name, dialect, dormant: dormancy.kind === 'dormant', chains, origin };
  }

  #sayFamily(): void {
    const { family, name, origin } = this.#raw;
    if (family === 'arp' || family === 'bridge') {
      this.#log.addAt(
        'note',
        false,
        origin,
        `table ${family} ${name.slice(0, 80)} sees no IP packets of the host itself; its rules are not judged`,
      );
    }
    for (const chain of this.#raw.chains.values()) {
      const hook = textProperty(chain.declaration, 'hook');
      if (family !== 'netdev' && hook !== 'ingress' && hook !== 'egress') continue;
      const silent = rulesOf(chain).length === 0 && textProperty(chain.declaration, 'policy') !== 'drop';
      this.#log.addAt(
        'note',
        false,
        chain.origin,
        `the chain ${chain.name.slice(0, 80)} of table ${family} ${name.slice(0, 80)} stands at the device${silent ? '' : ' and may drop packets before all others'}; its rules are not judged`,
      );
    }
  }

  // ---- what the rules need to know

  #learn(): void {
    const assigned = new Set<FieldName>();
    for (const chain of this.#raw.chains.values()) {
      for (const rule of rulesOf(chain)) {
        if (!isHeld(rule)) continue;
        for (const name of rule.uses.updates) this.#dynamic.add(name);
        for (const field of rule.uses.fields) assigned.add(field);
      }
    }
    const hooks = hooksOfChains(this.#raw);
    const none: ReadonlySet<Hook> = new Set();
    this.#raw.reader.learn({
      hooksOf: (chain) => hooks.get(chain) ?? none,
      contents: (name, parts) => this.#contentsOf(name, parts),
      assigned,
    });
  }

  #contentsOf(name: string, parts: number): Contents | undefined {
    const key = `${parts} ${name}`;
    const known = this.#contents.get(key);
    if (known !== undefined) return known;
    const set = this.#raw.sets.get(name);
    if (set === undefined) return undefined;
    const contents: Contents = {
      list: set.elements,
      parts,
      isMap: set.isMap,
      uncertain: isLimited(set),
      dynamic: this.#dynamic.has(name) || changesByItself(set),
      sayMisread: (index, misread) => this.#sayMisread(name, set, index, misread),
    };
    this.#contents.set(key, contents);
    return contents;
  }

  #sayMisread(name: string, set: RawSet, index: number, { detail, isData }: Misread): void {
    this.#log.onceAt(`${isData ? 'data' : 'elements'} of ${this.#tableText} ${name}`, () => {
      const list = set.lists.findLast(({ first }) => first <= index) ?? set.lists[0]!;
      const position = index - list.first;
      const path = `${list.origin.path}.elem[${position}]`;
      const span = locate(this.#source.text, list, [...list.names, 'elem', position]);
      const origin = this.#source.originInside(list.origin, list.start, span, path);
      const where = `set ${this.#raw.family} ${this.#raw.name} ${name}`.slice(0, 200);
      return {
        kind: 'syntax',
        incomplete: true,
        origin,
        detail: `${path} (${where}): ${detail}; ${isData ? 'what the element does' : 'whether the element matches'} is unknown`,
      };
    });
  }

  // ---- rules

  /** Adds the rules of the model that one rule of nft becomes. */
  #makeRules({ name }: RawChain, raw: RawRule, number: number, rules: Rule[]): void {
    const made = isHeld(raw) ? raw.rule : raw;
    if (made !== undefined || !isHeld(raw)) {
      // Commands may have put other rules before it.
      if (made !== undefined) rules.push(made.number === number ? made : { ...made, number });
      return;
    }
    const { text } = this.#source;
    const { origin, start, end } = raw;
    const rule =
      readRuleText(text, scanItemAt(text, start), this.#heads) ??
      wholeRule(parseJson(text.slice(start, end)));
    const placed = { rule, chain: name, item: { start, end }, origin, number };
    for (const one of this.#raw.reader.readLate(placed)) rules.push(one);
  }

  /** Stands for rules that the document may have lost. */
  #standIn(chain: RawChain, origin: Origin): Rule {
    const text = `unread rules of ${this.#raw.family} ${this.#raw.name} ${chain.name}`;
    return {
      matches: [{ text, condition: unknown('deterministic', text) }],
      statements: [],
      verdict: { kind: 'unknown', text },
      text,
      comment: undefined,
      counters: undefined,
      number: undefined,
      handle: undefined,
      origin,
    };
  }

  // ---- chains

  #baseOf({ declaration, origin, name }: RawChain): BaseChain | undefined {
    const hook = property(declaration, 'hook');
    const type = property(declaration, 'type');
    if (hook === undefined && type === undefined) return undefined;
    const priority = readPriority(property(declaration, 'prio'), this.#raw.family);
    const given = property(declaration, 'policy');
    const policy = given === undefined ? 'accept' : given;
    const where = `(chain ${this.#raw.family} ${this.#raw.name} ${name})`.slice(0, 200);
    const wrong = (member: string, expected: string, value: unknown, then: string): void =>
      this.#log.addAt(
        'syntax',
        true,
        origin,
        `${origin.path}.${member} ${where}: expected ${expected}, found ${found(value)}; ${then}`,
      );
    if (typeof hook !== 'string' || !HOOKS.includes(hook)) {
      wrong('hook', `one of ${HOOKS.join(', ')}`, hook, 'the chain is not judged');
      return undefined;
    }
    if (priority === undefined)
      wrong('prio', 'a number or the name of a priority', property(declaration, 'prio'), '0 is assumed');
    if (policy !== 'accept' && policy !== 'drop')
      wrong('policy', '"accept" or "drop"', policy, 'accept is assumed');
    if (type !== 'filter' && type !== 'nat' && type !== 'route')
      wrong('type', '"filter", "nat" or "route"', type, 'filter is assumed');
    return {
      type: type === 'nat' || type === 'route' ? type : 'filter',
      // One of HOOKS, checked above.
      hook: hook as Hook,
      priority: priority ?? 0,
      chainPolicy: policy === 'drop' ? 'drop' : 'accept',
    };
  }

  /** Jumps to chains that the export does not hold, and jumps in a circle. */
  #sayMissingChains(chains: readonly Chain[]): void {
    const names = new Set(chains.map((c) => c.name));
    for (const chain of chains) {
      if (this.#raw.chains.get(chain.name)?.declaration === undefined) {
        this.#log.addAt(
          'unresolved-reference',
          true,
          chain.origin,
          `the chain "${chain.name.slice(0, 80)}" of ${this.#tableText} has rules and no declaration; whether it is a base chain is not known`,
        );
      }
      for (const { verdict, origin, handle } of chain.rules) {
        if ((verdict.kind !== 'jump' && verdict.kind !== 'goto') || names.has(verdict.chain)) continue;
        this.#log.onceAt(`chain ${this.#tableText} ${verdict.chain}`, () => ({
          kind: 'unresolved-reference',
          incomplete: true,
          origin,
          detail: `${origin.path} (${this.#where(chain, handle)}): the chain "${verdict.chain.slice(0, 80)}" of ${this.#tableText} is not in the export; what it decides is unknown`,
        }));
      }
    }
    this.#sayLoops(chains);
  }

  /** Place of a rule in words. */
  #where(chain: Chain, handle: number | undefined): string {
    const names = `${this.#raw.family} ${this.#raw.name} ${chain.name}`.slice(0, 160);
    return handle === undefined ? names : `${names}, handle ${handle}`;
  }

  #sayLoops(chains: readonly Chain[]): void {
    const byName = new Map(chains.map((c) => [c.name, c]));
    const state = new Map<string, 'open' | 'done'>();
    for (const start of chains) {
      if (state.has(start.name)) continue;
      const stack = [{ chain: start, next: 0 }];
      state.set(start.name, 'open');
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!;
        const rule = top.chain.rules[top.next++];
        if (rule === undefined) {
          state.set(top.chain.name, 'done');
          stack.pop();
          continue;
        }
        const { verdict } = rule;
        if (verdict.kind !== 'jump' && verdict.kind !== 'goto') continue;
        const target = byName.get(verdict.chain);
        if (target === undefined || state.get(target.name) === 'done') continue;
        if (state.get(target.name) === 'open') {
          this.#log.onceAt(`loop ${this.#tableText} ${target.name}`, () => ({
            kind: 'contradiction',
            incomplete: true,
            origin: rule.origin,
            detail: `${rule.origin.path} (${this.#where(top.chain, rule.handle)}): the chains of ${this.#tableText} jump in a circle through "${target.name.slice(0, 80)}"; such a table cannot be loaded where packets reach it`,
          }));
        } else {
          state.set(target.name, 'open');
          stack.push({ chain: target, next: 0 });
        }
      }
    }
  }
}

/** A set whose elements expire is filled at run time: by rules of this table, or by programs. */
function changesByItself(set: RawSet): boolean {
  const flags = asList(property(set.value, 'flags'));
  return (
    flags.includes('timeout') || flags.includes('dynamic') || property(set.value, 'timeout') !== undefined
  );
}

/** Elements of a set with a rate, quota or timeout of the set's own match only sometimes. */
function isLimited(set: RawSet): boolean {
  if (property(set.value, 'timeout') !== undefined) return true;
  return asList(property(set.value, 'stmt')).some((statement) => {
    const name = onlyProperty(statement)?.name;
    return name !== 'counter' && name !== 'last';
  });
}

/** The rule of an item that is read as a whole. */
function wholeRule(read: ReturnType<typeof parseJson>): RuleText {
  const item = read.kind === 'value' ? onlyProperty(read.value) : undefined;
  const inner = item?.name === 'rule' ? undefined : onlyProperty(item?.value);
  const value = item?.name === 'rule' ? item.value : inner?.value;
  return {
    command: item?.name === 'rule' ? undefined : item?.name,
    value: isObject(value) ? value : {},
    spans: undefined,
    size: 0,
  };
}
