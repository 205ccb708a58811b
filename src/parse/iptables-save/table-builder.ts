import type { BaseChain, Chain, Condition, Hook, Rule, Table, Verdict } from '../../model/index.ts';
import type { DiagnosticLog, Place } from '../diagnostic-log.ts';
import { quote, shorten } from '../diagnostic-log.ts';
import { findJumpLoops } from './jump-loops.ts';

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

interface BuiltRule {
  readonly rule: Rule;
  /** Kernel rules that the line stands for; 0 for a stand-in of something that is no rule. */
  readonly span: number;
  /** Of its jump target, for messages. */
  readonly place: Place;
}

/** The rules of a chain. Adding at either end, and asking for a rule that is not there, take constant time. */
class RuleList {
  /** The first rules in reverse order. */
  #front: BuiltRule[] = [];
  #rest: BuiltRule[] = [];
  /** How many rules there are of each meaning; built when a rule is first looked for. */
  #counts: Map<string, number> | undefined;

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

  /** Index of the first rule that means the same as `rule`, or -1. */
  indexOf(rule: Rule): number {
    if (this.#counts === undefined) {
      this.#counts = new Map();
      for (const built of this.all()) this.#count(built, 1);
    }
    const key = meaningKey(rule);
    if ((this.#counts.get(key) ?? 0) === 0) return -1;
    return this.all().findIndex((built) => meaningKey(built.rule) === key);
  }

  #count(built: BuiltRule, by: 1 | -1): void {
    if (this.#counts === undefined) return;
    const key = meaningKey(built.rule);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
  }
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
  readonly #taints: Rule[] = [];
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
  put(
    kind: 'append' | 'insert' | 'replace',
    name: string,
    number: number,
    rule: Rule,
    span: number,
    place: Place,
  ): void {
    const chain = this.#chains.get(name) ?? this.#create(name, place);
    const built: BuiltRule = { rule, span, place };
    if (kind === 'append') {
      chain.rules.push(built);
      return;
    }
    const index = this.#indexOf(chain, number);
    if (kind === 'insert' && index === 0) {
      chain.rules.unshift(built);
      return;
    }
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

  /** `-D CHAIN NUMBER`, or the first rule that means the same as `like`. */
  remove(name: string, which: number | { readonly like: Rule }, place: Place): void {
    const chain = this.#chains.get(name);
    let index = -1;
    if (chain !== undefined && typeof which === 'number') index = this.#indexOf(chain, which);
    else if (chain !== undefined && typeof which === 'object') {
      index = chain.rules.indexOf(which.like);
    }
    if (chain === undefined || index < 0 || index >= chain.rules.length) {
      this.#log.add('note', false, place, `chain ${name} holds no such rule to delete`);
      return;
    }
    chain.rules.splice(index, 1, undefined);
  }

  /** Array index of the rule with this kernel number; the length of the list for the number after the last. */
  #indexOf(chain: ChainBuilder, number: number): number {
    if (number === 1) return 0;
    let next = 1;
    for (const [index, built] of chain.rules.all().entries()) {
      if (number < next + built.span) return index;
      next += built.span;
    }
    return number === next ? chain.rules.length : chain.rules.length + 1;
  }

  /** `-F [CHAIN]`. */
  flush(name: string | undefined): void {
    const chain = name === undefined ? undefined : this.#chains.get(name);
    if (chain !== undefined) chain.rules = new RuleList();
    if (name === undefined) for (const each of this.#chains.values()) each.rules = new RuleList();
  }

  /** `-X [CHAIN]`: builtin chains stay. */
  deleteChain(name: string | undefined): void {
    for (const chain of [...this.#chains.values()]) {
      if ((name === undefined || chain.name === name) && this.#builtin(chain.name) === undefined)
        this.#chains.delete(chain.name);
    }
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
      rules: new RuleList(),
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
