import type { Family, Hook, Origin } from '../../model/index.ts';
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
import type { Positions } from './positions.ts';
import type { Remarks } from './remarks.ts';

/** A rule as it stands in the document. */
export interface RawRule {
  readonly value: unknown;
  readonly origin: Origin;
}

/** A chain: its declaration, if there is one, and its rules in the order the kernel has them. */
export interface RawChain {
  readonly name: string;
  declaration: unknown;
  origin: Origin;
  rules: RawRule[];
}

/** A named set or map. */
export interface RawSet {
  readonly value: unknown;
  readonly isMap: boolean;
  readonly elements: unknown[];
}

export interface RawTable {
  readonly family: Family;
  readonly name: string;
  flags: readonly unknown[];
  origin: Origin;
  readonly chains: Map<string, RawChain>;
  readonly sets: Map<string, RawSet>;
  /** Something of this table could not be read: any of its chains may hold rules that are not here. */
  tainted: Origin | undefined;
}

const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'];
export const HOOKS: readonly string[] = [
  'ingress',
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'egress',
];

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

/** Puts the items of the document together to tables, in the order in which they take effect. */
export class TableCollector {
  readonly tables = new Map<string, RawTable>();
  /** Something could not be placed: every table may lack rules. */
  tainted: Origin | undefined;
  readonly #positions: Positions;
  readonly #remarks: Remarks;

  constructor(positions: Positions, remarks: Remarks) {
    this.#positions = positions;
    this.#remarks = remarks;
  }

  /** Takes one item of the array `nftables`: an object, or a command with one. */
  take(item: unknown, index: number): void {
    const only = onlyProperty(item);
    if (only === undefined) {
      this.#unreadable(index, '', `expected an object with one name, found ${shortJson(item).slice(0, 80)}`);
      return;
    }
    if (COMMANDS.has(only.name)) {
      const inner = onlyProperty(only.value);
      if (inner === undefined)
        this.#unreadable(
          index,
          `.${only.name}`,
          `expected an object with one name, found ${shortJson(only.value).slice(0, 80)}`,
        );
      else this.#command(only.name, inner.name, inner.value, index, `.${only.name}.${inner.name}`);
    } else this.#command('add', only.name, only.value, index, `.${only.name}`, true);
  }

  #origin(index: number, suffix: string): Origin {
    return this.#positions.item(index, `$.nftables[${index}]${suffix}`);
  }

  #unreadable(index: number, suffix: string, detail: string, table?: RawTable): void {
    const origin = this.#origin(index, suffix);
    this.#remarks.add('syntax', true, origin, `${origin.path}: ${detail}`);
    if (table === undefined) this.tainted ??= origin;
    else table.tainted ??= origin;
  }

  #command(
    command: string,
    kind: string,
    value: unknown,
    index: number,
    suffix: string,
    listed = false,
  ): void {
    if (command === 'list' || command === 'reset' || PASSIVE.has(kind)) return;
    if (kind === 'ruleset') {
      if (command === 'flush') this.tables.clear();
      return;
    }
    const table = this.#tableOf(kind, value, index, suffix);
    if (table === undefined) return;
    if (
      command === 'add' ||
      command === 'create' ||
      ((command === 'insert' || command === 'replace') && kind === 'rule')
    ) {
      this.#add(command, kind, table, value, index, suffix, listed);
    } else if (command === 'flush') this.#flush(kind, table, value);
    else if ((command === 'delete' || command === 'destroy') && kind === 'table')
      this.tables.delete(`${table.family} ${table.name}`);
    else
      this.#unreadable(
        index,
        suffix,
        `the command "${command}" of a ${kind.slice(0, 40)} is not carried out; export with "nft -j list ruleset"`,
        table,
      );
  }

  #tableOf(kind: string, value: unknown, index: number, suffix: string): RawTable | undefined {
    const family =
      textProperty(value, 'family') ?? (isObject(value) && !Object.hasOwn(value, 'family') ? 'ip' : '');
    const name = kind === 'table' ? textProperty(value, 'name') : textProperty(value, 'table');
    if (!FAMILIES.includes(family) || name === undefined) {
      this.#unreadable(
        index,
        suffix,
        `expected "family" (${FAMILIES.join(', ')}) and the table's name, found ${shortJson(value).slice(0, 120)}`,
      );
      return undefined;
    }
    const key = `${family} ${name}`;
    const known = this.tables.get(key);
    if (known !== undefined) return known;
    // One of FAMILIES, checked above.
    const table: RawTable = {
      family: family as Family,
      name,
      flags: [],
      origin: this.#origin(index, suffix),
      chains: new Map(),
      sets: new Map(),
      tainted: undefined,
    };
    this.tables.set(key, table);
    return table;
  }

  #add(
    command: string,
    kind: string,
    table: RawTable,
    value: unknown,
    index: number,
    suffix: string,
    listed: boolean,
  ): void {
    switch (kind) {
      case 'table':
        if (property(value, 'flags') !== undefined) table.flags = asList(property(value, 'flags'));
        return;
      case 'chain':
        this.#addChain(table, value, index, suffix, listed);
        return;
      case 'rule':
        this.#addRule(command, table, value, index, suffix);
        return;
      case 'set':
      case 'map':
      case 'meter':
        this.#addSet(table, value, kind === 'map', index, suffix);
        return;
      case 'element': {
        const set = table.sets.get(textProperty(value, 'name') ?? '');
        if (set === undefined)
          this.#unreadable(
            index,
            suffix,
            `the set ${shortJson(property(value, 'name')).slice(0, 80)} is not declared before its elements`,
            table,
          );
        else for (const element of asList(property(value, 'elem'))) set.elements.push(element);
        return;
      }
      default: {
        const origin = this.#origin(index, suffix);
        this.#remarks.once(
          `object ${kind}`,
          'note',
          false,
          origin,
          `objects of the kind "${kind.slice(0, 60)}" are not known and decide nothing by themselves`,
        );
      }
    }
  }

  #addChain(table: RawTable, value: unknown, index: number, suffix: string, listed: boolean): void {
    const name = textProperty(value, 'name');
    const origin = this.#origin(index, suffix);
    if (name === undefined) {
      this.#unreadable(index, suffix, 'expected the chain\'s "name"', table);
      return;
    }
    const known = table.chains.get(name);
    if (known === undefined) table.chains.set(name, { name, declaration: value, origin, rules: [] });
    else if (known.declaration === undefined) {
      known.declaration = value;
      known.origin = origin;
    } else if (listed) {
      this.#remarks.add(
        'contradiction',
        true,
        origin,
        `${origin.path}: the chain "${name.slice(0, 80)}" of table ${table.family} ${table.name.slice(0, 80)} is declared twice; the first declaration counts`,
      );
    } else if (property(value, 'policy') !== undefined && isObject(known.declaration)) {
      known.declaration = { ...known.declaration, policy: property(value, 'policy') };
    }
  }

  #addSet(table: RawTable, value: unknown, isMap: boolean, index: number, suffix: string): void {
    const name = textProperty(value, 'name');
    if (name === undefined) {
      this.#unreadable(index, suffix, 'expected the set\'s "name"', table);
      return;
    }
    const known = table.sets.get(name);
    const elements = [...asList(property(value, 'elem'))];
    if (known === undefined) table.sets.set(name, { value, isMap, elements });
    else for (const element of elements) known.elements.push(element);
  }

  #addRule(command: string, table: RawTable, value: unknown, index: number, suffix: string): void {
    const name = textProperty(value, 'chain');
    if (name === undefined) {
      this.#unreadable(index, suffix, 'expected the rule\'s "chain"', table);
      return;
    }
    const origin = this.#origin(index, suffix);
    let chain = table.chains.get(name);
    if (chain === undefined) {
      chain = { name, declaration: undefined, origin, rules: [] };
      table.chains.set(name, chain);
    }
    const rule: RawRule = { value, origin };
    const handle = integerProperty(value, 'handle');
    const position =
      integerProperty(value, 'index') ??
      (command === 'add' || command === 'create' || handle === undefined
        ? -1
        : chain.rules.findIndex((r) => integerProperty(r.value, 'handle') === handle));
    if (command === 'replace') {
      if (chain.rules[position] === undefined)
        this.#unreadable(index, suffix, 'the rule to replace is not in this document', table);
      else chain.rules[position] = rule;
    } else if (command === 'insert') chain.rules.splice(Math.max(0, position), 0, rule);
    else if (position >= 0 && position < chain.rules.length) chain.rules.splice(position + 1, 0, rule);
    else chain.rules.push(rule);
  }

  #flush(kind: string, table: RawTable, value: unknown): void {
    const only = kind === 'chain' ? textProperty(value, 'name') : undefined;
    if (kind === 'table') for (const chain of table.chains.values()) chain.rules = [];
    else if (kind === 'chain' && only !== undefined) {
      const chain = table.chains.get(only);
      if (chain !== undefined) chain.rules = [];
    } else if (kind === 'set' || kind === 'map')
      table.sets.get(textProperty(value, 'name') ?? '')?.elements.splice(0);
  }
}

/** Standard priorities. Source: nft(8), "Standard priority names, family and hook compatibility matrix". */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};
const BRIDGE_PRIORITIES: Readonly<Record<string, number>> = {
  dstnat: -300,
  filter: -200,
  out: 100,
  srcnat: 300,
};

/** A priority: a number, a name, or a name plus or minus a number. */
export function readPriority(value: unknown, family: string): number | undefined {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) <= 2 ** 31 ? value : undefined;
  if (typeof value !== 'string' || value.length > 60) return undefined;
  if (/^-?\d{1,10}$/.test(value)) return Number(value);
  const found = /^([a-z]+)(?:\s*([+-])\s*(\d{1,10}))?$/.exec(value);
  if (found === null) return undefined;
  const names = family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES;
  const base = Object.hasOwn(names, found[1]!) ? names[found[1]!] : undefined;
  if (base === undefined) return undefined;
  return base + (found[2] === '-' ? -1 : 1) * Number(found[3] ?? 0);
}

/** Chains that a rule may jump or go to, maps by name included. */
export function visitJumps(
  value: unknown,
  maps: ReadonlyMap<string, RawSet>,
  visit: (chain: string) => void,
  depth = 0,
): void {
  if (depth > DEEPEST) return;
  if (Array.isArray(value)) {
    for (const part of value) visitJumps(part, maps, visit, depth + 1);
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const inner = value[name];
    if ((name === 'jump' || name === 'goto') && textProperty(inner, 'target') !== undefined)
      visit(textProperty(inner, 'target')!);
    else if (name === 'data' && typeof inner === 'string' && inner.startsWith('@')) {
      const map = maps.get(inner.slice(1));
      if (map?.isMap)
        for (const element of map.elements)
          if (Array.isArray(element)) visitJumps(element[1], NO_MAPS, visit, depth + 1);
    } else if (typeof inner === 'object') visitJumps(inner, maps, visit, depth + 1);
  }
}

const NO_MAPS: ReadonlyMap<string, RawSet> = new Map();

/** Hooks from which each chain is reached. */
export function hooksOfChains(table: RawTable): ReadonlyMap<string, ReadonlySet<Hook>> {
  const targets = new Map<string, ReadonlySet<string>>();
  const ofMaps = new Map<string, ReadonlySet<string>>();
  for (const chain of table.chains.values()) {
    const found = new Set<string>();
    for (const rule of chain.rules) collectTargets(property(rule.value, 'expr'), table, found, ofMaps);
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

/** Named maps are looked through once, however many rules use them. */
function collectTargets(
  expr: unknown,
  table: RawTable,
  found: Set<string>,
  ofMaps: Map<string, ReadonlySet<string>>,
): void {
  for (const statement of asList(expr)) {
    const data = property(property(statement, 'vmap'), 'data');
    if (typeof data === 'string' && data.startsWith('@')) {
      const name = data.slice(1);
      let targets = ofMaps.get(name);
      if (targets === undefined) {
        const list = new Set<string>();
        visitJumps({ data }, table.sets, (chain) => list.add(chain));
        targets = list;
        ofMaps.set(name, targets);
      }
      for (const target of targets) found.add(target);
    } else visitJumps(statement, table.sets, (chain) => found.add(chain));
  }
}
