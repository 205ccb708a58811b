/**
 * Fills what the JSON of nft does not tell about a table of iptables-nft (`xt` matches and targets) from the iptables-save text of the same
 * table. See docs/decisions/two-exports.md.
 */
import type {
  Chain,
  Match,
  Origin,
  ParseDiagnostic,
  Rule,
  Statement,
  Table,
  Verdict,
} from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { type Comparison, compareMeanings, meaningOf } from './condition-meaning.ts';
import { quote } from './diagnostic-log.ts';
import { BUILTIN_CHAINS, kernelRules, partsOfRule, type RuleParts } from './iptables-save/index.ts';

/** What came of putting two exports of one table together. */
export interface FilledTable {
  /** The table of nft, with the rules of iptables where both agree. */
  readonly table: Table;
  /** Both say the same of every chain and every rule. */
  readonly agrees: boolean;
  readonly counts: FillCounts;
  readonly diagnostics: readonly ParseDiagnostic[];
}

/** Rules of nft, by what became of them. */
export interface FillCounts {
  /** Rules that both exports describe alike; `filled` of them had an opaque part. */
  readonly agreed: number;
  readonly filled: number;
  /** Rules with an opaque part that stays. */
  readonly opaque: number;
}

/**
 * Puts the iptables-save text of a table into what nft says of it: chains by name, rules by their number. The rule of iptables replaces that
 * of nft only where everything that nft tells of it agrees; nothing is added, and what iptables-save does not show stays.
 */
export function fillTable(nft: Table, iptables: Table): FilledTable {
  const others = new Map(iptables.chains.map((chain) => [chain.name, chain]));
  const filler = new TableFiller(nft, iptables);
  const chains = nft.chains.map((chain) => filler.fillChain(chain, others.get(chain.name)));
  for (const chain of iptables.chains)
    if (!nft.chains.some((c) => c.name === chain.name)) filler.sayExtraChain(chain);
  return filler.finish(chains);
}

/** Whether a rule of nft has a part that only iptables-save shows. */
export function isOpaque(rule: Rule): boolean {
  return opaqueMatches(rule).length > 0 || opaqueTarget(rule) !== undefined;
}

class TableFiller {
  readonly #nft: Table;
  readonly #iptables: Table;
  readonly #version: IpVersion;
  readonly #diagnostics: ParseDiagnostic[] = [];
  #agrees = true;
  #showsAllChains = true;
  #agreed = 0;
  #filled = 0;
  #opaque = 0;

  constructor(nft: Table, iptables: Table) {
    this.#nft = nft;
    this.#iptables = iptables;
    this.#version = nft.family === 'ip6' ? 6 : 4;
  }

  finish(chains: readonly Chain[]): FilledTable {
    // iptables finds its way in a table whose chains it shows all.
    const shown = this.#showsAllChains;
    return {
      table: {
        ...this.#nft,
        dialect: shown ? 'iptables' : this.#nft.dialect,
        chains,
        origin: shown ? this.#iptables.origin : this.#nft.origin,
      },
      agrees: this.#agrees,
      counts: { agreed: this.#agreed, filled: this.#filled, opaque: this.#opaque },
      diagnostics: this.#diagnostics,
    };
  }

  fillChain(chain: Chain, other: Chain | undefined): Chain {
    this.#showsAllChains &&= other !== undefined && isSameBase(chain, other);
    const result = this.#compareChain(chain, other);
    if (result.kind === 'filled') return result.chain;
    this.#agrees = false;
    const opaque = rulesByNumber(chain)?.filter((rules) => rules.some(isOpaque)).length ?? 0;
    this.#opaque += opaque;
    // What both lack is nobody's mistake: iptables-save leaves chains of nft's own out.
    if (result.detail !== undefined && (other !== undefined || opaque > 0))
      this.#say(result.origin ?? chain.origin, result.detail, opaque);
    return chain;
  }

  #compareChain(
    chain: Chain,
    other: Chain | undefined,
  ):
    | { readonly kind: 'filled'; readonly chain: Chain }
    | { readonly kind: 'left'; readonly detail: string | undefined; readonly origin?: Origin } {
    const what = this.#chainText(chain.name);
    if (other === undefined)
      return { kind: 'left', detail: `${what} is not in ${this.#iptables.origin.file}` };
    const nftRules = rulesByNumber(chain);
    const iptablesRules = rulesByNumber(other)?.flatMap((rules) => rules.flatMap(kernelRules));
    if (nftRules === undefined || iptablesRules === undefined)
      return { kind: 'left', detail: `${what} could not be read whole in both exports` };
    if (nftRules.length !== iptablesRules.length)
      return {
        kind: 'left',
        detail: `${what} has ${count(nftRules.length)} in ${placeText(chain.origin)} and ${count(iptablesRules.length)} in ${placeText(other.origin)}`,
      };
    const pairs = nftRules.map((rules, i) => compareRules(rules, iptablesRules[i]!, this.#version));
    const odd = pairs.findIndex((pair) => pair.kind === 'different');
    if (odd >= 0) {
      const [rule] = nftRules[odd]!;
      const detail = `rule ${odd + 1} of ${what} is ${quote(rule!.text)} in ${placeText(rule!.origin)} and ${quote(iptablesRules[odd]!.text)} in ${placeText(iptablesRules[odd]!.origin)}`;
      return { kind: 'left', detail, origin: rule!.origin };
    }
    const sameBase = this.#compareBase(chain, other);
    return { kind: 'filled', chain: this.#fill(chain, other, nftRules, pairs, sameBase) };
  }

  /** Policy and place of base chains, and what iptables calls builtin. */
  #compareBase(chain: Chain, other: Chain): boolean {
    if (isSameBase(chain, other) && chain.base?.chainPolicy === other.base?.chainPolicy) return true;
    this.#agrees = false;
    this.#say(
      chain.origin,
      `${this.#chainText(chain.name)} is ${baseText(chain)} in ${placeText(chain.origin)} and ${baseText(other)} in ${placeText(other.origin)}`,
      0,
    );
    return false;
  }

  #fill(
    chain: Chain,
    other: Chain,
    nftRules: readonly (readonly Rule[])[],
    pairs: readonly PairResult[],
    sameBase: boolean,
  ): Chain {
    const unclear: number[] = [];
    const rules = nftRules.flatMap((own, i): readonly Rule[] => {
      const pair = pairs[i]!;
      const opaque = own.some(isOpaque);
      if (pair.kind === 'same') {
        this.#agreed++;
        if (opaque) this.#filled++;
        const { handle, number, counters } = own[0]!;
        return [{ ...pair.rule, handle, number, counters: pair.rule.counters ?? counters }];
      }
      this.#agrees = false;
      if (opaque) {
        this.#opaque++;
        unclear.push(i);
      }
      return own;
    });
    const [first] = unclear;
    if (first !== undefined)
      this.#say(
        nftRules[first]![0]!.origin,
        `rule ${first + 1} of ${this.#chainText(chain.name)} cannot be compared with ${placeText(other.origin)}, where it should be`,
        unclear.length,
      );
    return { ...chain, rules, origin: sameBase ? other.origin : chain.origin };
  }

  /** A chain that only iptables-save shows: a builtin one without rules means nothing. */
  sayExtraChain(chain: Chain): void {
    const isEmpty = chain.rules.length === 0 && chain.base?.chainPolicy === 'accept';
    if (isEmpty) return;
    this.#agrees = false;
    this.#say(
      chain.origin,
      `${this.#chainText(chain.name)} is not in ${this.#nft.origin.file}, and is not counted`,
      0,
    );
  }

  #say(origin: Origin, detail: string, opaque: number): void {
    const left =
      opaque === 0
        ? ''
        : `; ${opaque === 1 ? 'one rule' : `${opaque} rules`} whose tests nft does not print ${opaque === 1 ? 'stays' : 'stay'} unknown`;
    this.#diagnostics.push({
      kind: 'note',
      incomplete: false,
      origin,
      detail: `${detail}${left}. What nft says counts: export both again, one right after the other`,
    });
  }

  #chainText(name: string): string {
    return `chain ${quote(name)} of table ${this.#nft.name} (${this.#nft.family})`;
  }
}

function count(rules: number): string {
  return rules === 1 ? '1 rule' : `${rules} rules`;
}

/** Both stand at the same place, or are no base chains. */
function isSameBase({ base: a }: Chain, { base: b }: Chain): boolean {
  return a?.hook === b?.hook && a?.priority === b?.priority;
}

function baseText({ base }: Chain): string {
  return base === undefined ? 'no base chain' : `at hook ${base.hook} with policy ${base.chainPolicy}`;
}

/** A place in words: file and line, and the path where there is one. */
export function placeText({ file, line, path }: Origin): string {
  return path === null ? `${file} line ${line}` : `${file} at ${path}`;
}

/** The model's rules of each rule of the kernel; `undefined` where something stands in the chain that is no rule of its own. */
function rulesByNumber(chain: Chain): readonly (readonly Rule[])[] | undefined {
  const groups: Rule[][] = [];
  let last: Rule | undefined;
  for (const rule of chain.rules) {
    if (rule.number === undefined) return undefined;
    if (last !== undefined && last.number === rule.number) groups[groups.length - 1]!.push(rule);
    else groups.push([rule]);
    last = rule;
  }
  return groups;
}

type PairResult =
  | { readonly kind: 'same'; readonly rule: Rule }
  /** They cannot be one rule: the exports do not show the same chain. */
  | { readonly kind: 'different' }
  /** They may be one rule. */
  | { readonly kind: 'unclear' };

const UNCLEAR: PairResult = { kind: 'unclear' };

/** Whether a rule of nft, as read into `own`, can be the rule that iptables-save shows as `iptables`. */
function compareRules(own: readonly Rule[], iptables: Rule, version: IpVersion): PairResult {
  const [nft] = own;
  if (nft === undefined || own.length > 1 || isNative(nft)) return UNCLEAR;
  const parts = partsOfRule(iptables);
  if (parts === undefined) return UNCLEAR;
  const results = [
    compareMatches(nft, parts, version),
    compareAction(nft, iptables, parts),
    compareComments(nft, iptables),
  ];
  if (results.includes('different')) return { kind: 'different' };
  return results.includes('unclear') ? UNCLEAR : { kind: 'same', rule: iptables };
}

/** The rule uses what iptables has no words for: sets and maps. iptables-save leaves such parts out without a word. */
function isNative(rule: Rule): boolean {
  return /[{}@]|\bv?map\b/.test(rule.text.replace(/"[^"]*"/g, ''));
}

// ---- matches

const OPAQUE_MATCH = /^xt match (.+)$/;

/** Names of the matches whose arguments nft does not print. */
function opaqueMatches(rule: Rule): readonly string[] {
  return rule.matches.flatMap(({ text, condition }) => {
    const name = OPAQUE_MATCH.exec(text)?.[1];
    return name !== undefined && condition.kind === 'unknown' ? [name] : [];
  });
}

/** Modules that the kernel knows by another name. Seen with iptables 1.8.9. */
const KERNEL_NAMES: Readonly<Record<string, string>> = { state: 'conntrack' };

/** Each opaque match needs a module of its name; the other modules say in their way what nft says in its own. */
function compareMatches(nft: Rule, parts: RuleParts, version: IpVersion): Comparison {
  const hidden = new Map<string, number>();
  for (const name of opaqueMatches(nft)) hidden.set(name, (hidden.get(name) ?? 0) + 1);
  const shown: Match[] = [...parts.basics];
  const modules = new Map<string, number>();
  for (const { name, matches } of parts.modules) {
    const kernelName = KERNEL_NAMES[name] ?? name;
    if (hidden.has(kernelName)) modules.set(kernelName, (modules.get(kernelName) ?? 0) + 1);
    else shown.push(...matches);
  }
  for (const [name, times] of hidden) if (modules.get(name) !== times) return 'different';
  const told = nft.matches.filter(
    ({ text, condition }) =>
      !(OPAQUE_MATCH.test(text) && condition.kind === 'unknown') && opaqueTargetOf(text) === undefined,
  );
  return compareMeanings(
    meaningOf(
      told.map((m) => m.condition),
      version,
    ),
    meaningOf(
      shown.map((m) => m.condition),
      version,
    ),
  );
}

// ---- statements and verdict

function opaqueTargetOf(text: string): string | undefined {
  return /^xt (?:target|watcher) (\S+)/.exec(text)?.[1];
}

/** Name of the target whose arguments nft does not print. */
function opaqueTarget(rule: Rule): string | undefined {
  const texts = [...rule.matches, ...rule.statements].map((part) => part.text);
  for (const text of texts) {
    const name = opaqueTargetOf(text);
    if (name !== undefined) return name;
  }
  const { verdict } = rule;
  if (verdict.kind === 'reject') return verdict.with === 'unknown' ? 'REJECT' : undefined;
  return verdict.kind === 'unknown' || verdict.kind === 'queue' ? opaqueTargetOf(verdict.text) : undefined;
}

/** Targets that the kernel knows by another name. Seen with iptables 1.8.9. */
const KERNEL_TARGETS: Readonly<Record<string, string>> = { NOTRACK: 'CT' };

/** Targets of iptables-nft that nft prints in its own words, and what those begin with. */
const NATIVE_TARGETS: Readonly<Record<string, RegExp>> = {
  LOG: /^log\b/,
  NFLOG: /^log\b/,
  TRACE: /^meta nftrace set\b/,
};

function compareAction(nft: Rule, iptables: Rule, parts: RuleParts): Comparison {
  const hidden = opaqueTarget(nft);
  const effects = nft.statements.filter((s) => !/^counter\b/.test(s.text));
  if (hidden !== undefined) {
    const name = parts.target === undefined ? undefined : (KERNEL_TARGETS[parts.target] ?? parts.target);
    if (name !== hidden && parts.target !== hidden) return 'different';
    return effects.every((s) => opaqueTargetOf(s.text) === hidden) ? 'same' : 'unclear';
  }
  if (!sameVerdict(nft.verdict, iptables.verdict)) return 'different';
  return sameEffects(effects, iptables.statements, parts.target) ? 'same' : 'unclear';
}

function sameVerdict(a: Verdict, b: Verdict): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'jump':
    case 'goto':
      return b.kind === a.kind && a.chain === b.chain;
    case 'nat':
      return b.kind === 'nat' && stringify({ ...a.nat, version: 0 }) === stringify({ ...b.nat, version: 0 });
    case 'queue':
      return b.kind === 'queue' && a.bypass === b.bypass;
    case 'unknown':
      return false;
    default:
      return true;
  }
}

function sameEffects(
  nft: readonly Statement[],
  iptables: readonly Statement[],
  target: string | undefined,
): boolean {
  const native = NATIVE_TARGETS[target ?? ''];
  if (native !== undefined) return nft.length === 1 && native.test(nft[0]!.text);
  const keys = (list: readonly Statement[]) => list.map((s) => stringify({ ...s, text: '' }));
  return stringify(keys(nft)) === stringify(keys(iptables)) && !nft.some((s) => s.kind === 'no-effect');
}

function compareComments(nft: Rule, iptables: Rule): Comparison {
  return nft.comment === undefined || nft.comment === iptables.comment ? 'same' : 'different';
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
}

/** Whether nft's table can be one that iptables made: it has a builtin chain where iptables puts it. */
export function looksLikeIptables(nft: Table): boolean {
  const builtin = BUILTIN_CHAINS.get(nft.name);
  return nft.chains.some((chain) => {
    const place = builtin?.get(chain.name);
    return place !== undefined && place.hook === chain.base?.hook && place.priority === chain.base.priority;
  });
}
