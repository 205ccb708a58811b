import type { BaseChain, Chain, FieldName, Hook, Match, Origin, Rule, Table } from '../../model/index.ts';
import { assemble, fieldsAssignedBy } from './assemble.ts';
import {
  asList,
  DEEPEST,
  integerProperty,
  isObject,
  onlyProperty,
  property,
  shortJson,
  textProperty,
} from './json.ts';
import { unknown } from './keys.ts';
import { type Contents, readElements } from './lookups.ts';
import type { TableScope } from './matches.ts';
import type { Remarks } from './remarks.ts';
import { renderStatement } from './render.ts';
import { readStatement, type Step } from './statements.ts';
import {
  HOOKS,
  hooksOfChains,
  type RawChain,
  type RawRule,
  type RawSet,
  type RawTable,
  readPriority,
} from './tables.ts';

/** Makes a table of the model. `tainted`: somewhere in the document is something that no table could be told for. */
export function buildTable(raw: RawTable, tainted: Origin | undefined, remarks: Remarks): Table {
  return new TableBuilder(raw, tainted, remarks).build();
}

class TableBuilder {
  readonly #raw: RawTable;
  readonly #tainted: Origin | undefined;
  readonly #remarks: Remarks;
  readonly #hooks: ReadonlyMap<string, ReadonlySet<Hook>>;
  /** Sets that some rule changes. */
  readonly #dynamic = new Set<string>();
  /** Fields that some rule assigns. */
  readonly #assigned = new Set<FieldName>();
  readonly #contents = new Map<string, Contents>();
  /** See `TableScope.once`. */
  readonly #made = new Map<string, unknown>();
  /** Rules of the model made so far. */
  #rulesMade = 0;
  readonly #tableText: string;

  constructor(raw: RawTable, tainted: Origin | undefined, remarks: Remarks) {
    this.#raw = raw;
    this.#tainted = tainted ?? raw.tainted;
    this.#remarks = remarks;
    this.#tableText = `table ${raw.family} ${raw.name}`;
    this.#hooks = hooksOfChains(raw);
    for (const chain of raw.chains.values()) {
      for (const rule of chain.rules)
        for (const statement of asList(property(rule.value, 'expr'))) this.#noteUpdates(statement, 0);
    }
    for (const chain of raw.chains.values())
      for (const rule of chain.rules) this.#noteAssignments(chain, rule);
  }

  build(): Table {
    const { family, name, origin, flags } = this.#raw;
    this.#sayFamily();
    const chains = [...this.#raw.chains.values()].map((chain): Chain => {
      const made: Rule[] = [];
      for (const [index, rule] of chain.rules.entries())
        for (const one of this.#makeRules(this.#readRule(chain, rule), index)) made.push(one);
      if (this.#tainted !== undefined) made.push(this.#standIn(chain, this.#tainted));
      return { name: chain.name, base: this.#baseOf(chain), rules: made, origin: chain.origin };
    });
    this.#sayMissingChains(chains);
    const dormant = this.#isDormant(flags);
    return { family, name, dialect: name === 'firewalld' ? 'firewalld' : 'nft', dormant, chains, origin };
  }

  /**
   * nft 1.0.6 prints the table's own name for each flag it has. A table of firewalld has an owner; for others the one flag
   * that people set is dormant.
   */
  #isDormant(flags: readonly unknown[]): boolean {
    const { name, origin } = this.#raw;
    if (flags.some((flag) => flag === 'dormant' || (flag === 't' && name !== 'firewalld'))) return true;
    const unnamed = flags.filter((flag) => flag === name).length;
    if (unnamed !== 1 || name === 'firewalld' || name === 'owner' || name === 'persist') return false;
    this.#remarks.add(
      'note',
      false,
      origin,
      `nft 1.0.6 prints the table's name in place of a flag of table ${name.slice(0, 80)}; it is taken as "dormant": the table does nothing`,
    );
    return true;
  }

  #sayFamily(): void {
    const { family, name, origin } = this.#raw;
    if (family === 'arp' || family === 'bridge') {
      this.#remarks.add(
        'note',
        false,
        origin,
        `table ${family} ${name.slice(0, 80)} sees no IP packets of the host itself; its rules are not judged`,
      );
    }
    for (const chain of this.#raw.chains.values()) {
      const hook = textProperty(chain.declaration, 'hook');
      if (family !== 'netdev' && hook !== 'ingress' && hook !== 'egress') continue;
      const silent = chain.rules.length === 0 && textProperty(chain.declaration, 'policy') !== 'drop';
      this.#remarks.add(
        'note',
        false,
        chain.origin,
        `the chain ${chain.name.slice(0, 80)} of table ${family} ${name.slice(0, 80)} stands at the device${silent ? '' : ' and may drop packets before all others'}; its rules are not judged`,
      );
    }
  }

  // ---- sets

  /** Remembers the sets that a statement fills or empties. */
  #noteUpdates(statement: unknown, depth: number): void {
    if (depth > DEEPEST) return;
    if (typeof statement === 'string') {
      for (const found of statement.slice(0, 2000).matchAll(/(?:add|update|delete)\s+@([^\s{]+)/g))
        this.#dynamic.add(found[1]!);
      return;
    }
    const only = onlyProperty(statement);
    if (only === undefined) return;
    if (only.name === 'set' || only.name === 'map') {
      const target = textProperty(only.value, only.name) ?? textProperty(only.value, 'set');
      if (target !== undefined) this.#dynamic.add(target.replace(/^@/, ''));
    } else if (only.name === 'meter') {
      const target = textProperty(only.value, 'name');
      if (target !== undefined) this.#dynamic.add(target);
      this.#noteUpdates(property(only.value, 'stmt'), depth + 1);
    }
  }

  /** Remembers the fields that a rule assigns. */
  #noteAssignments(chain: RawChain, { value, origin }: RawRule): void {
    for (const statement of asList(property(value, 'expr'))) {
      const name = onlyProperty(statement)?.name;
      if (name !== 'mangle' && name !== 'xt' && name !== 'notrack') continue;
      const steps = readStatement(statement, '', {
        ...this.#scope(chain, origin, ''),
        note: () => {},
        once: (_, make) => make(),
      });
      for (const field of fieldsAssignedBy(steps)) this.#assigned.add(field);
    }
  }

  #contentsOf(name: string, parts: number): Contents | undefined {
    const key = `${parts} ${name}`;
    const known = this.#contents.get(key);
    if (known !== undefined) return known;
    const set = this.#raw.sets.get(name);
    if (set === undefined) return undefined;
    const contents = {
      elements: readElements(set.elements, parts, set.isMap, isLimited(set)),
      dynamic: this.#dynamic.has(name) || changesByItself(set),
    };
    this.#contents.set(key, contents);
    return contents;
  }

  #once<T>(key: string, make: () => T): T {
    // Keys of different kinds of values begin differently.
    const known = this.#made.get(key) as T | undefined;
    if (known !== undefined) return known;
    const value = make();
    this.#made.set(key, value);
    return value;
  }

  // ---- rules

  #readRule(chain: RawChain, raw: RawRule): ReadRule {
    const { value, origin } = raw;
    const handle = integerProperty(value, 'handle');
    const path = origin.path ?? '';
    const place = `${this.#raw.family} ${this.#raw.name} ${chain.name} ${handle === undefined ? path : `handle ${handle}`}`;
    const scope = this.#scope(chain, origin, place);
    const expr = property(value, 'expr');
    const comment = textProperty(value, 'comment');
    if (!Array.isArray(expr) || expr.length === 0) {
      this.#remarks.add(
        'syntax',
        true,
        origin,
        `${path}: expected the array "expr" with the rule's statements (nft 1.0.2 leaves it out); what the rule does is unknown`,
      );
      const text =
        comment === undefined ? `rule ${place}` : `rule ${place} comment "${comment.slice(0, 100)}"`;
      return {
        raw,
        handle,
        comment,
        text,
        counters: undefined,
        steps: [
          { kind: 'match', text, condition: unknown('deterministic', text) },
          { kind: 'end', verdict: { kind: 'unknown', text } },
        ],
      };
    }
    const steps: Step[] = [];
    const texts: string[] = [];
    for (const statement of expr) {
      const text = renderStatement(statement);
      if (!isObject(property(statement, 'counter'))) texts.push(text);
      for (const step of readStatement(statement, text, scope)) steps.push(step);
    }
    const text = ruleText(texts, comment);
    return { raw, handle, comment, text, counters: countersOf(expr), steps };
  }

  #scope(chain: RawChain, origin: Origin, place: string): TableScope {
    return {
      family: this.#raw.family,
      hooks: this.#hooks.get(chain.name) ?? new Set<Hook>(),
      place,
      tableText: this.#tableText,
      once: (key, make) => this.#once(key, make),
      note: (key, detail) =>
        this.#remarks.once(
          key,
          key === 'shape' ? 'syntax' : key === 'reverse path' ? 'note' : 'unsupported',
          key === 'shape',
          origin,
          detail,
        ),
      contents: (name, parts) => {
        const found = this.#contentsOf(name, parts);
        if (found === undefined) {
          this.#remarks.once(
            `set ${this.#tableText} ${name}`,
            'unresolved-reference',
            true,
            origin,
            `the set "@${name.slice(0, 80)}" of ${this.#tableText} is not in the export; what it holds is unknown`,
          );
        }
        return found;
      },
    };
  }

  #makeRules(rule: ReadRule, index: number): readonly Rule[] {
    const { raw, handle, comment, text, counters, steps } = rule;
    const pieces = assemble(steps, text, this.#assigned, MOST_RULES - this.#rulesMade);
    this.#rulesMade += pieces.length;
    return pieces.map(
      (piece): Rule => ({
        ...piece,
        matches: piece.matches.every((m) => m.text !== '')
          ? piece.matches
          : namedMatches(piece.matches, text),
        text,
        comment,
        counters,
        number: index + 1,
        handle,
        origin: raw.origin,
      }),
    );
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
    const policy = property(declaration, 'policy') ?? 'accept';
    const path = origin.path ?? '';
    if (typeof hook !== 'string' || !HOOKS.includes(hook)) {
      this.#remarks.add(
        'syntax',
        true,
        origin,
        `${path}.hook: expected one of ${HOOKS.join(', ')}, found ${shortJson(hook).slice(0, 60)}; the chain "${name.slice(0, 60)}" is not judged`,
      );
      return undefined;
    }
    if (priority === undefined)
      this.#remarks.add(
        'syntax',
        true,
        origin,
        `${path}.prio: expected a number or the name of a priority, found ${shortJson(property(declaration, 'prio')).slice(0, 60)}; 0 is assumed`,
      );
    if (policy !== 'accept' && policy !== 'drop')
      this.#remarks.add(
        'syntax',
        true,
        origin,
        `${path}.policy: expected "accept" or "drop", found ${shortJson(policy).slice(0, 60)}; accept is assumed`,
      );
    if (type !== 'filter' && type !== 'nat' && type !== 'route')
      this.#remarks.add(
        'syntax',
        true,
        origin,
        `${path}.type: expected "filter", "nat" or "route", found ${shortJson(type).slice(0, 60)}; filter is assumed`,
      );
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
        this.#remarks.add(
          'unresolved-reference',
          true,
          chain.origin,
          `the chain "${chain.name.slice(0, 80)}" of ${this.#tableText} has rules and no declaration; whether it is a base chain is not known`,
        );
      }
      for (const { verdict, origin } of chain.rules) {
        if ((verdict.kind !== 'jump' && verdict.kind !== 'goto') || names.has(verdict.chain)) continue;
        this.#remarks.once(
          `chain ${this.#tableText} ${verdict.chain}`,
          'unresolved-reference',
          true,
          origin,
          `${origin.path}: the chain "${verdict.chain.slice(0, 80)}" of ${this.#tableText} is not in the export; what it decides is unknown`,
        );
      }
    }
    this.#sayLoops(chains);
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
          this.#remarks.once(
            `loop ${this.#tableText} ${target.name}`,
            'contradiction',
            true,
            rule.origin,
            `${rule.origin.path}: the chains of ${this.#tableText} jump in a circle through "${target.name.slice(0, 80)}"; such a table cannot be loaded where packets reach it`,
          );
        } else {
          state.set(target.name, 'open');
          stack.push({ chain: target, next: 0 });
        }
      }
    }
  }
}

interface ReadRule {
  readonly raw: RawRule;
  readonly handle: number | undefined;
  readonly comment: string | undefined;
  readonly text: string;
  readonly counters: Rule['counters'];
  readonly steps: readonly Step[];
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

/** Matches that nft does not print get the rule's text; those that always hold are left out. */
function namedMatches(matches: readonly Match[], text: string): readonly Match[] {
  return matches
    .filter((m) => m.text !== '' || m.condition.kind !== 'all' || m.condition.of.length > 0)
    .map((m) => (m.text === '' ? { ...m, text } : m));
}

/** Rules of the model in one table; a rule of nft with a large map becomes many. Beyond, such rules stay unknown. */
const MOST_RULES = 250_000;

/** Characters of a rule's text. */
const LONGEST_TEXT = 2000;

function ruleText(statements: readonly string[], comment: string | undefined): string {
  const parts: string[] = [];
  let length = 0;
  for (const text of statements) {
    parts.push(text);
    length += text.length;
    if (length > LONGEST_TEXT) {
      parts.push('…');
      break;
    }
  }
  if (comment !== undefined) parts.push(`comment "${comment.slice(0, 200)}"`);
  return parts.length === 0 ? 'counter' : parts.join(' ');
}

function countersOf(expr: readonly unknown[]): Rule['counters'] {
  for (const statement of expr) {
    const counter = property(statement, 'counter');
    if (!isObject(counter)) continue;
    const packets = property(counter, 'packets');
    const bytes = property(counter, 'bytes');
    if (
      typeof packets === 'number' &&
      typeof bytes === 'number' &&
      Number.isInteger(packets) &&
      Number.isInteger(bytes) &&
      packets >= 0 &&
      bytes >= 0
    ) {
      return { packets: BigInt(packets), bytes: BigInt(bytes) };
    }
  }
  return undefined;
}
