import type { Condition, NamedSet, Rule, Ruleset, Statement } from '../model/index.ts';
import { type InterfaceName, type PacketSet, PacketSpace, type SpaceField } from '../packet-set/index.ts';

/** Default size limit of one host's packet sets, in diagram nodes (about 24 bytes each with its hash slot). */
export const DEFAULT_NODE_BUDGET = 60_000_000;

/**
 * The header space of one host, with the names of its unknown predicates.
 *
 * Keys of deterministic predicates are their text; varying ones and unknown values get a number.
 */
export class HostSpace {
  readonly space: PacketSpace;
  readonly ruleset: Ruleset;
  /** Named sets by name. */
  readonly namedSets: ReadonlyMap<string, NamedSet>;
  /** Whether connection tracking runs on this host at all (packet-path.md, order, 5). */
  readonly tracksConnections: boolean;
  readonly #textOf = new Map<string, string>();
  #fresh = 0;

  constructor(ruleset: Ruleset, nodeBudget: number = DEFAULT_NODE_BUDGET) {
    this.ruleset = ruleset;
    this.namedSets = new Map(ruleset.namedSets.map((s) => [s.name, s]));
    this.space = new PacketSpace({ interfaces: collectInterfaces(ruleset), nodeBudget });
    this.tracksConnections = needsConnectionTracking(ruleset);
  }

  /** The truth value of a deterministic predicate: the same variable for the same text. */
  deterministic(text: string): PacketSet {
    const key = `deterministic ${text}`;
    this.#textOf.set(key, text);
    return this.space.variable(key);
  }

  /** Keys of the deterministic predicates met so far: those whose answer does not change from packet to packet. */
  deterministicKeys(): string[] {
    return [...this.#textOf.keys()].filter((key) => !key.startsWith('varying '));
  }

  /** A fresh truth value. `text` is what reports call it. */
  varying(text: string): PacketSet {
    return this.space.variable(this.#freshKey(text));
  }

  /** A fresh unknown number of `width` bits that stands in for the field `beside`, next to whose variables its own are put. */
  unknownBits(text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    return this.#named(this.#freshKey(text), text, width, beside);
  }

  /** One unknown number per text. */
  deterministicBits(text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    return this.#named(`value ${text}`, text, width, beside);
  }

  /** Texts of the unknown predicates that `set` depends on, sorted. */
  unknownsOf(set: PacketSet): string[] {
    const texts = new Set<string>();
    for (const key of this.space.support(set).keys) {
      const text = this.#textOf.get(key) ?? this.#textOf.get(key.replace(/\[\d+\]$/, '')) ?? key;
      texts.add(text);
    }
    return [...texts].sort();
  }

  #freshKey(text: string): string {
    const key = `varying ${this.#fresh++}`;
    this.#textOf.set(key, text);
    return key;
  }

  #named(key: string, text: string, width: number, beside: SpaceField): readonly PacketSet[] {
    this.#textOf.set(key, text);
    return this.space.unknownBits(key, width, beside);
  }
}

/** Visits every condition of a rule, nested ones included. */
export function visitConditions(rule: Rule, visit: (condition: Condition) => void): void {
  const walk = (condition: Condition): void => {
    visit(condition);
    switch (condition.kind) {
      case 'all':
      case 'any':
        for (const part of condition.of) walk(part);
        return;
      case 'not':
      case 'original':
        walk(condition.of);
        return;
      default:
        return;
    }
  };
  for (const match of rule.matches) walk(match.condition);
}

function* rulesOf(ruleset: Ruleset): Iterable<Rule> {
  for (const table of ruleset.tables) for (const chain of table.chains) yield* chain.rules;
}

/** Every interface name and prefix that a rule or a set element mentions, and `lo`. */
function collectInterfaces(ruleset: Ruleset): InterfaceName[] {
  const seen = new Map<string, InterfaceName>();
  const add = (name: string, prefix: boolean) => {
    if (name !== '') seen.set(`${name}${prefix ? '+' : ''}`, { name, prefix });
  };
  add('lo', false);
  for (const rule of rulesOf(ruleset)) {
    visitConditions(rule, (c) => {
      if (c.kind === 'interface') add(c.name, c.prefix);
    });
  }
  for (const set of ruleset.namedSets) {
    for (const element of set.elements) {
      for (const value of element.values) if (value.kind === 'interface') add(value.name, value.prefix);
    }
  }
  return [...seen.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : Number(a.prefix) - Number(b.prefix)));
}

const CONNTRACK_FIELDS: ReadonlySet<string> = new Set(['ct-state', 'ct-mark', 'ct-dnat', 'ct-snat']);
const CONNTRACK_WORDS = /\b(conntrack|state|connmark|helper|connlimit|connbytes)\b/;

function usesConnection(statement: Statement): boolean {
  switch (statement.kind) {
    case 'set-field':
    case 'unknown-field':
      return statement.field === 'ct-mark';
    case 'copy-field':
      return true;
    default:
      return false;
  }
}

/** Whether something in the rule set makes the kernel track connections. Source: nf_ct_netns_get() callers, semantics.md section 1. */
export function needsConnectionTracking(ruleset: Ruleset): boolean {
  for (const rule of rulesOf(ruleset)) {
    if (rule.verdict.kind === 'nat' || rule.statements.some(usesConnection)) return true;
    let needed = false;
    visitConditions(rule, (c) => {
      if (c.kind === 'original') needed = true;
      if (c.kind === 'field' && CONNTRACK_FIELDS.has(c.field)) needed = true;
      if (c.kind === 'unknown' && CONNTRACK_WORDS.test(c.text)) needed = true;
    });
    if (needed) return true;
  }
  return false;
}
