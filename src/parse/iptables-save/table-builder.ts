import type { BaseChain, Chain, Condition, Hook, Match, Rule, Table, Verdict } from '../../model/index.ts';
import type { DiagnosticLog, Place } from '../diagnostic-log.ts';
import { quote, shorten } from '../diagnostic-log.ts';
import { findJumpLoops } from './jump-loops.ts';
import { kernelRules, storedAlike } from './rule-parts.ts';

type BasePlace = Pick<BaseChain, 'type' | 'hook' | 'priority'>;

function at(hook: Hook, priority: number, type: BaseChain['type'] = 'filter'): BasePlace {
  return { type, hook, priority };
}

/** Builtin chains of the five tables. Priorities: linux include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities. */
export const BUILTIN_CHAINS: ReadonlyMap<string, ReadonlyMap<string, BasePlace>> = new Map([
  [
    'filter',
    new Map([
      ['INPUT', at('input', 0)],
      ['FORWARD', at('forward', 0)],
      ['OUTPUT', at('output', 0)],
    ]),
  ],
  [
    'nat',
    new Map([
      ['PREROUTING', at('prerouting', -100, 'nat')],
      ['INPUT', at('input', 100, 'nat')],
      ['OUTPUT', at('output', -100, 'nat')],
      ['POSTROUTING', at('postrouting', 100, 'nat')],
    ]),
  ],
  [
    'mangle',
    new Map([
      ['PREROUTING', at('prerouting', -150)],
      ['INPUT', at('input', -150)],
      ['FORWARD', at('forward', -150)],
      ['OUTPUT', at('output', -150, 'route')],
      ['POSTROUTING', at('postrouting', -150)],
    ]),
  ],
  [
    'raw',
    new Map([
      ['PREROUTING', at('prerouting', -300)],
      ['OUTPUT', at('output', -300)],
    ]),
  ],
  [
    'security',
    new Map([
      ['INPUT', at('input', 50)],
      ['FORWARD', at('forward', 50)],
      ['OUTPUT', at('output', 50)],
    ]),
  ],
]);

type Policy = 'accept' | 'drop';

export interface BuiltRule {
  readonly rule: Rule;
  /** Kernel rules that the line stands for; 0 for a stand-in of something that is no rule. */
  readonly span: number;
  /** The rule may not be there, or more than once. */
  readonly unsure: boolean;
  /** Of its jump target, for messages. */
  readonly place: Place;
}

/** How many rules jump to each chain of a table. */
type References = Map<string, number>;

/** The rules of a chain. Adding at either end, and asking for a rule that is not there, take constant time. */
class RuleList {
  /** The first rules in reverse order. */
  #front: BuiltRule[] = [];
  #rest: BuiltRule[] = [];
  /** How many rules there are of each meaning; built when a rule is first looked for. */
  #counts: Map<string, number> | undefined;
  readonly #references: References;

  constructor(references: References) {
    this.#references = references;
  }

  get length(): number {
    return this.#front.length + this.#rest.length;
  }

  push(built: BuiltRule): void {
    this.#rest.push(built);
    this.#count(built, 1);
  }

  unshift(built: BuiltRule): void {
    this.#front.push(built);
    this.#count(built, 1);
  }

  /** All rules in order; not to be kept over a change. */
  all(): readonly BuiltRule[] {
    if (this.#front.length > 0) {
      this.#rest = this.#front.reverse().concat(this.#rest);
      this.#front = [];
    }
    return this.#rest;
  }

  /** Takes away `removed` rules (0 or 1) at `index` and puts `added` there, if any. */
  splice(index: number, removed: 0 | 1, added: BuiltRule | undefined): void {
    this.all();
    const gone =
      added === undefined ? this.#rest.splice(index, removed) : this.#rest.splice(index, removed, added);
    for (const built of gone) this.#count(built, -1);
    if (added !== undefined) this.#count(added, 1);
  }

  /** Indexes of the rules that mean the same as `rule`. */
  indexesOf(rule: Rule): readonly number[] {
    if (this.#counts === undefined) {
      this.#counts = new Map();
      for (const built of this.all()) addTo(this.#counts, meaningKey(built.rule), 1);
    }
    const key = meaningKey(rule);
    if ((this.#counts.get(key) ?? 0) === 0) return [];
    return this.all().flatMap((built, index) => (meaningKey(built.rule) === key ? [index] : []));
  }

  /** Makes the kernel's rules of lines that stand for several. */
  unfold(): void {
    const all = this.all();
    if (!all.some(({ span }) => span > 1)) return;
    this.#counts = undefined;
    this.#rest = all.flatMap((built) => {
      const rules = kernelRules(built.rule);
      if (rules.length !== built.span) return [built];
      this.#refer(built, rules.length - 1);
      return rules.map((rule) => ({ ...built, rule, span: 1 }));
    });
  }

  /** Takes all rules away. */
  clear(): void {
    for (const built of this.all()) this.#refer(built, -1);
    this.#front = [];
    this.#rest = [];
    this.#counts = undefined;
  }

  #refer({ rule: { verdict } }: BuiltRule, by: number): void {
    if (verdict.kind !== 'jump' && verdict.kind !== 'goto') return;
    addTo(this.#references, verdict.chain, by);
  }

  #count(built: BuiltRule, by: 1 | -1): void {
    this.#refer(built, by);
    if (this.#counts !== undefined) addTo(this.#counts, meaningKey(built.rule), by);
  }
}

function addTo(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

interface ChainBuilder {
  readonly name: string;
  declared: boolean;
  policy: Policy | undefined;
  place: Place;
  rules: RuleList;
  /** Something that may decide at the end of the chain and could not be read. */
  unknownPolicy: Rule | undefined;
}

/** A rule that stands for input that could not be read: it may match, and may then do anything. */
export function unknownRule(log: DiagnosticLog, place: Place, text: string): Rule {
  const short = shorten(text);
  return {
    matches: [{ text: short, condition: { kind: 'unknown', nature: 'varying', text: short } }],
    statements: [],
    verdict: { kind: 'unknown', text: short },
    text: short,
    comment: undefined,
    counters: undefined,
    number: undefined,
    handle: undefined,
    origin: log.originOf(place),
  };
}

/** Builds one table from chain declarations, rules and commands in the order of the input. */
export class TableBuilder {
  readonly family: 'ip' | 'ip6';
  readonly name: string;
  readonly place: Place;
  readonly #log: DiagnosticLog;
  readonly #chains = new Map<string, ChainBuilder>();
  readonly #references: References = new Map();
  readonly #taints: Rule[] = [];
  /** Commands whose rule number may mean several rules. */
  readonly #doubted = new Set<Place>();
  readonly #isScript: boolean;

  constructor(family: 'ip' | 'ip6', name: string, place: Place, log: DiagnosticLog, isScript: boolean) {
    this.family = family;
    this.name = name;
    this.place = place;
    this.#log = log;
    this.#isScript = isScript;
  }

  /** Whether a chain of this name is declared or has rules. */
  has(chain: string): boolean {
    return this.#chains.has(chain);
  }

  /** Nothing was added at all. */
  get isEmpty(): boolean {
    return this.#chains.size === 0 && this.#taints.length === 0;
  }

  /** `:CHAIN POLICY`, `-N CHAIN` (policy `-`) or `-P CHAIN POLICY`. */
  declare(name: string, policy: string, place: Place): void {
    const known = this.#chains.get(name);
    const builtin = this.#builtin(name);
    const chain = known ?? this.#create(name, place);
    const value = builtin === undefined ? undefined : this.#readPolicy(chain, policy, place);
    if (builtin === undefined && policy !== '-') {
      this.#log.add(
        'syntax',
        BUILTIN_CHAINS.has(this.name),
        place,
        `chain ${quote(name)} is not a builtin chain of table ${this.name} and cannot have the policy ${quote(policy)}`,
      );
    }
    if (known?.declared === true && !this.#isScript && chain.policy !== value) {
      this.#log.add(
        'contradiction',
        true,
        place,
        `chain ${name} of table ${this.name} is declared twice with different policies; the last one is used`,
      );
    } else if (known !== undefined && policy === '-') {
      this.#log.add('note', false, place, `chain ${name} of table ${this.name} is declared more than once`);
    }
    chain.declared = true;
    chain.policy = value ?? chain.policy;
  }

  #readPolicy(chain: ChainBuilder, policy: string, place: Place): Policy | undefined {
    chain.unknownPolicy = undefined;
    if (policy === 'ACCEPT') return 'accept';
    if (policy === 'DROP') return 'drop';
    if (policy === '-') {
      this.#log.add(
        'note',
        false,
        place,
        `chain ${chain.name} has no policy; accept is assumed, as the kernel does`,
      );
      return 'accept';
    }
    this.#log.add(
      'syntax',
      true,
      place,
      `${quote(policy)} is no chain policy; what ${chain.name} does at its end is unknown`,
    );
    chain.unknownPolicy = unknownRule(this.#log, place, `policy ${policy}`);
    return 'drop';
  }

  /** `-A`, `-I` (with its position) and `-R`. */
  put(kind: 'append' | 'insert' | 'replace', name: string, number: number, built: BuiltRule): void {
    const { place } = built;
    const chain = this.#chains.get(name) ?? this.#create(name, place);
    if (kind === 'append') {
      chain.rules.push(built);
      return;
    }
    if (kind === 'insert' && number === 1) {
      chain.rules.unshift(built);
      return;
    }
    const index = this.#indexOf(chain, number, place);
    const fits = kind === 'insert' ? index <= chain.rules.length : index < chain.rules.length;
    if (!fits) {
      this.#log.add(
        'contradiction',
        true,
        place,
        `chain ${name} has no rule ${number}; the rule is taken to stand at its end`,
      );
      chain.rules.push(built);
    } else chain.rules.splice(index, kind === 'replace' ? 1 : 0, built);
  }

  /** `-D CHAIN NUMBER`. */
  removeAt(name: string, number: number, place: Place): void {
    const chain = this.#chains.get(name);
    const index = chain === undefined ? 0 : this.#indexOf(chain, number, place);
    if (chain === undefined || index >= chain.rules.length) this.#sayNoSuchRule(name, place);
    else chain.rules.splice(index, 1, undefined);
  }

  /**
   * `-D CHAIN RULE`. iptables deletes the first rule that is stored like this one. With lists of addresses, which it takes apart, it
   * deletes a rule for each or none at all (seen with iptables 1.8.9, both kinds).
   */
  remove(name: string, like: Rule, place: Place): void {
    const rules = this.#chains.get(name)?.rules;
    rules?.unfold();
    const sure = new Set<number>();
    const unsure = new Set<number>();
    for (const one of kernelRules(like)) {
      const found = candidates(rules, one, sure);
      if (found.sure === undefined && found.unsure.length === 0) {
        this.#sayNoSuchRule(name, place);
        return;
      }
      if (found.sure !== undefined) sure.add(found.sure);
      for (const index of found.unsure) unsure.add(index);
    }
    if (rules === undefined) return;
    if (unsure.size === 0) {
      for (const index of [...sure].sort((a, b) => b - a)) rules.splice(index, 1, undefined);
      return;
    }
    this.#log.add(
      'unsupported',
      true,
      place,
      `whether the command deletes ${quote(rules.all()[[...unsure][0]!]!.rule.text)} is not known, as both mean the same and are written differently: export with "iptables-save" instead`,
    );
    const text = `line ${place.line} does not delete the rule`;
    const match: Match = { text, condition: { kind: 'unknown', nature: 'deterministic', text } };
    for (const index of new Set([...sure, ...unsure])) {
      const built = rules.all()[index]!;
      const rule = { ...built.rule, matches: [...built.rule.matches, match] };
      rules.splice(index, 1, { ...built, rule, unsure: true });
    }
  }

  #sayNoSuchRule(chain: string, place: Place): void {
    this.#log.add('note', false, place, `chain ${chain} holds no such rule to delete`);
  }

  /**
   * Array index of the rule with this kernel number; the length of the list for the number after the last. Where a rule before it, or
   * this one, may not be there, it may be another's number: then what the command did may be a rule of any chain.
   */
  #indexOf(chain: ChainBuilder, number: number, place: Place): number {
    chain.rules.unfold();
    let next = 1;
    for (const [index, built] of chain.rules.all().entries()) {
      if (built.unsure || built.span > 1) this.#doubtNumber(chain, number, place);
      if (number < next + built.span) return index;
      next += built.span;
    }
    return number === next ? chain.rules.length : chain.rules.length + 1;
  }

  #doubtNumber(chain: ChainBuilder, number: number, place: Place): void {
    if (this.#doubted.has(place)) return;
    this.#doubted.add(place);
    const detail = `which rule of chain ${chain.name} has the number ${number} depends on commands before that are not certain: export with "iptables-save" instead`;
    this.#log.add('unsupported', true, place, detail);
    this.taint(unknownRule(this.#log, place, `line ${place.line} changes rule ${number} of ${chain.name}`));
  }

  /** `-F [CHAIN]`. */
  flush(name: string | undefined): void {
    const chain = name === undefined ? undefined : this.#chains.get(name);
    chain?.rules.clear();
    if (name === undefined) for (const each of this.#chains.values()) each.rules.clear();
  }

  /**
   * `-X [CHAIN]`: builtin chains stay. Where one of the chains has rules, or a rule leads to it, iptables deletes none (seen with 1.8.9,
   * both kinds). A rule that may not be there counts: an empty chain decides nothing either way.
   */
  deleteChain(name: string | undefined, place: Place): void {
    const chains = [...this.#chains.values()].filter(
      (chain) => (name === undefined || chain.name === name) && this.#builtin(chain.name) === undefined,
    );
    const used = chains.find(
      ({ rules, name: own }) => rules.length > 0 || (this.#references.get(own) ?? 0) > 0,
    );
    if (used === undefined) for (const chain of chains) this.#chains.delete(chain.name);
    else
      this.#log.add(
        'note',
        false,
        place,
        `iptables refuses to delete ${name === undefined ? 'the chains' : 'the chain'}, since ${quote(used.name)} ${used.rules.length > 0 ? 'has rules' : 'is the target of a rule'}; nothing is deleted`,
      );
  }

  /** `-E OLD NEW`: jumps follow the chain, as in the kernel. */
  rename(from: string, to: string, place: Place): void {
    const chain = this.#chains.get(from);
    if (chain === undefined || this.#chains.has(to)) {
      this.#log.add('contradiction', true, place, `chain ${quote(from)} cannot be renamed to ${quote(to)}`);
      return;
    }
    this.#chains.delete(from);
    this.#chains.set(to, { ...chain, name: to });
    for (const other of this.#chains.values()) {
      for (const [index, built] of other.rules.all().entries()) {
        const { verdict } = built.rule;
        if ((verdict.kind !== 'jump' && verdict.kind !== 'goto') || verdict.chain !== from) continue;
        other.rules.splice(index, 1, {
          ...built,
          rule: { ...built.rule, verdict: { ...verdict, chain: to } },
        });
      }
    }
  }

  /** Something that may be a rule of any chain of this table. */
  taint(rule: Rule): void {
    this.#taints.push(rule);
  }

  #builtin(chain: string): BasePlace | undefined {
    return BUILTIN_CHAINS.get(this.name)?.get(chain);
  }

  #create(name: string, place: Place): ChainBuilder {
    const chain: ChainBuilder = {
      name,
      declared: false,
      policy: undefined,
      place,
      rules: new RuleList(this.#references),
      unknownPolicy: undefined,
    };
    this.#chains.set(name, chain);
    return chain;
  }

  /** The finished table: jumps resolved, rules numbered, missing declarations and loops told. */
  finish(): Table {
    if (this.#taints.length > 0) {
      for (const name of BUILTIN_CHAINS.get(this.name)?.keys() ?? [])
        if (!this.has(name)) this.#create(name, this.place);
    }
    const chains = [...this.#chains.values()].map((chain) => this.#finishChain(chain));
    const table: Table = {
      family: this.family,
      name: this.name,
      dialect: 'iptables',
      dormant: false,
      chains: this.name === 'nat' ? settleNetmaps(chains) : chains,
      origin: this.#log.originOf(this.place),
    };
    for (const loop of findJumpLoops(table)) {
      const via = loop.chains.join(' -> ');
      const first = this.#chains.get(loop.chains[0]!)?.place ?? this.place;
      this.#log.add(
        'contradiction',
        loop.reachable,
        first,
        `the chains of table ${this.name} jump in a circle: ${shorten(via)}; the kernel would refuse this${loop.reachable ? '' : ' if a base chain led there'}`,
      );
    }
    return table;
  }

  #finishChain(chain: ChainBuilder): Chain {
    const builtin = this.#builtin(chain.name);
    if (!chain.declared && !this.#isScript) this.#sayUndeclared(chain, builtin !== undefined);
    else if (!chain.declared && builtin === undefined) this.#sayUndeclared(chain, false);
    const rules: Rule[] = builtin === undefined ? [] : [...this.#taints];
    let number = 1;
    for (const built of chain.rules.all()) {
      rules.push({
        ...built.rule,
        verdict: this.#resolve(built),
        number: built.span === 0 ? undefined : number,
      });
      number += built.span;
    }
    if (chain.unknownPolicy !== undefined) rules.push(chain.unknownPolicy);
    return {
      name: chain.name,
      base: builtin === undefined ? undefined : { ...builtin, chainPolicy: chain.policy ?? 'accept' },
      rules,
      origin: this.#log.originOf(chain.place),
    };
  }

  #sayUndeclared(chain: ChainBuilder, builtin: boolean): void {
    if (builtin) {
      this.#log.add(
        'note',
        false,
        chain.place,
        `chain ${chain.name} of table ${this.name} is not declared; its policy is assumed to be accept`,
      );
    } else {
      this.#log.add(
        'unresolved-reference',
        true,
        chain.place,
        `chain ${quote(chain.name)} of table ${this.name} is used but not declared; some of its rules may be missing`,
      );
    }
  }

  /** The rule's verdict, or an unknown one where it leads to a chain that is not there. */
  #resolve(built: BuiltRule): Verdict {
    const { verdict } = built.rule;
    if (verdict.kind !== 'jump' && verdict.kind !== 'goto') return verdict;
    const { chain } = verdict;
    if (this.#chains.has(chain) && this.#builtin(chain) === undefined) return verdict;
    const what =
      this.#builtin(chain) === undefined
        ? 'is not declared in'
        : 'is a builtin chain and cannot be a target in';
    this.#log.add(
      'unresolved-reference',
      true,
      built.place,
      `the target ${quote(chain)} is no known target, and a chain of that name ${what} table ${this.name}; what it does is unknown`,
    );
    return { kind: 'unknown', text: `-${verdict.kind === 'jump' ? 'j' : 'g'} ${chain}` };
  }
}

/** The rule that iptables deletes on the word of `like`, and those before it (or all) where that cannot be told. `taken` are gone. */
function candidates(
  rules: RuleList | undefined,
  like: Rule,
  taken: ReadonlySet<number>,
): { readonly sure: number | undefined; readonly unsure: readonly number[] } {
  const unsure: number[] = [];
  for (const index of rules?.indexesOf(like) ?? []) {
    if (taken.has(index)) continue;
    const built = rules!.all()[index]!;
    const alike = storedAlike(built.rule, like);
    if (alike === true && !built.unsure) return { sure: index, unsure };
    if (alike !== false) unsure.push(index);
  }
  return { sure: undefined, unsure };
}

/** NETMAP in a chain of the user's own changes what the builtin chains that lead to it change; both ways make it unknown. */
function settleNetmaps(chains: readonly Chain[]): readonly Chain[] {
  const isNetmap = (rule: Rule): boolean =>
    rule.verdict.kind === 'nat' && rule.verdict.nat.unknownTarget && / NETMAP /.test(rule.text);
  if (!chains.some((c) => c.base === undefined && c.rules.some(isNetmap))) return chains;
  const incoming = reachableFrom(chains, ['PREROUTING', 'OUTPUT']);
  const outgoing = reachableFrom(chains, ['POSTROUTING', 'INPUT']);
  return chains.map((chain) => {
    if (chain.base !== undefined || !outgoing.has(chain.name)) return chain;
    const settle = (rule: Rule): Rule => {
      if (!isNetmap(rule) || rule.verdict.kind !== 'nat') return rule;
      const verdict: Verdict = incoming.has(chain.name)
        ? { kind: 'unknown', text: rule.text }
        : { kind: 'nat', nat: { ...rule.verdict.nat, kind: 'snat' } };
      return { ...rule, verdict };
    };
    return { ...chain, rules: chain.rules.map(settle) };
  });
}

function reachableFrom(chains: readonly Chain[], starts: readonly string[]): ReadonlySet<string> {
  const byName = new Map(chains.map((c) => [c.name, c]));
  const seen = new Set(starts);
  for (const name of seen) {
    for (const rule of byName.get(name)?.rules ?? []) {
      if (rule.verdict.kind === 'jump' || rule.verdict.kind === 'goto') seen.add(rule.verdict.chain);
    }
  }
  return seen;
}

/** A text that is equal for rules that mean the same, whatever their spelling, comments, counters and places. */
export function meaningKey(rule: Rule): string {
  let key = keys.get(rule);
  if (key === undefined) {
    key = makeKey(rule);
    keys.set(rule, key);
  }
  return key;
}

const keys = new WeakMap<Rule, string>();

function makeKey(rule: Rule): string {
  const conditions = rule.matches.map((m) => conditionKey(m.condition)).filter((key) => key !== ALWAYS_KEY);
  const statements = rule.statements.filter((s) => s.kind !== 'no-effect' || / SET /.test(s.text));
  return stringify([conditions.sort(), statements, rule.verdict]);
}

const ALWAYS_KEY = '{"kind":"all","of":[]}';

function conditionKey(condition: Condition): string {
  return stringify(condition);
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
}
