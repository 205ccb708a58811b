import type { Match, Rule } from '../../model/index.ts';
import { parsePort } from '../numbers.ts';
import { splitSavedLine } from '../words.ts';
import { type RuleSyntax, readRule } from './rule-syntax.ts';
import type { OptionUse } from './spec.ts';

/** One use of a match module in a rule, with the matches it became. */
export interface ModulePart {
  /** As iptables-save names it; aliases are resolved (`icmp6`). */
  readonly name: string;
  readonly matches: readonly Match[];
}

/** A rule taken apart into what stands in front of its modules, the modules, and the target. */
export interface RuleParts {
  /** `-s`, `-d`, `-i`, `-o`, `-p`, `-f`. */
  readonly basics: readonly Match[];
  /** Without `comment`. */
  readonly modules: readonly ModulePart[];
  /** Name after `-j` or `-g`; `undefined` for a rule without target. */
  readonly target: string | undefined;
}

/** Takes a rule of an iptables table apart, or `undefined` for a rule that was not read. */
export function partsOfRule(rule: Rule): RuleParts | undefined {
  const syntax = syntaxOf(rule);
  if (syntax === undefined) return undefined;
  const left = [...rule.matches];
  const take = (wanted: (match: Match) => boolean): Match[] => {
    const taken = left.filter(wanted);
    for (const match of taken) left.splice(left.indexOf(match), 1);
    return taken;
  };
  const modules: ModulePart[] = [];
  for (const use of syntax.modules) {
    if (use.name === 'comment') continue;
    const implied = new Set(use.options.map((o) => o.source));
    const matches = use.explicit
      ? take((m) => m.text === `-m ${use.name}` || m.text.startsWith(`-m ${use.name} `))
      : take((m) => implied.has(m.text));
    modules.push({ name: use.name, matches });
  }
  return { basics: left, modules: mergeUses(modules), target: syntax.jump?.name };
}

/** Two uses of one module: whose match is whose cannot be told by their texts, and need not be. */
function mergeUses(modules: readonly ModulePart[]): readonly ModulePart[] {
  const matches = new Map<string, Match[]>();
  for (const part of modules) matches.set(part.name, [...(matches.get(part.name) ?? []), ...part.matches]);
  const given = new Set<string>();
  return modules.map(({ name }) => {
    if (given.has(name)) return { name, matches: [] };
    given.add(name);
    return { name, matches: matches.get(name) ?? [] };
  });
}

/** `-s a,b` under any of its names, which may be cut short and joined with `=`. */
const ADDRESS_LIST = /^-(?:[sd]|-(?:src|so[urce]*|dst|de[stinaon]*))[ =]?[^ ]*,/;

/** The rules that the kernel makes of one line: `-s a,b -d c,d` makes four, in this order. */
export function kernelRules(rule: Rule): readonly Rule[] {
  if (!rule.text.startsWith('-A ') || !rule.text.includes(',')) return [rule];
  let rules: readonly Rule[] = [rule];
  for (const [index, match] of rule.matches.entries()) {
    const list = ADDRESS_LIST.test(match.text) && match.condition.kind === 'any' ? match.condition.of : [];
    if (list.length < 2) continue;
    rules = rules.flatMap((one) =>
      list.map(
        (condition): Rule => ({
          ...one,
          matches: one.matches.with(index, { text: match.text, condition }),
        }),
      ),
    );
  }
  return rules.map((one, index) => ({
    ...one,
    number: one.number === undefined ? undefined : one.number + index,
  }));
}

/**
 * Whether iptables stores two rules alike that mean the same: the same modules in the same order with the same options.
 * `undefined` where options are written differently, of which some are stored alike (`--tos 16` and `0x10`). Source: iptables
 * iptables/nft-shared.c `nft_ipt_rule_find`, libiptc/libiptc.c `TC_DELETE_ENTRY`; seen with iptables 1.8.9.
 */
export function storedAlike(a: Rule, b: Rule): boolean | undefined {
  if (a.text === b.text) return true;
  const [one, other] = [writtenForm(a), writtenForm(b)];
  if (one === undefined || other === undefined) return undefined;
  if (one.modules !== other.modules || one.target !== other.target) return false;
  return one.options === other.options || undefined;
}

function writtenForm(
  rule: Rule,
): { readonly modules: string; readonly options: string; readonly target: string } | undefined {
  const syntax = syntaxOf(rule);
  if (syntax === undefined) return undefined;
  const written = (options: readonly OptionUse[]) =>
    options
      .map(({ name, negated, args }) => [
        name,
        negated,
        /^--[sd]port$/.test(name) ? args.map(portNumber) : args,
      ])
      .sort();
  const modules = syntax.modules.map(({ name, options }) =>
    name === 'comment' ? [name, ...written(options)] : [name],
  );
  return {
    modules: JSON.stringify(modules),
    options: JSON.stringify(
      [...syntax.modules, ...(syntax.jump === undefined ? [] : [syntax.jump])].map((m) => written(m.options)),
    ),
    target: syntax.jump === undefined ? '' : `${syntax.jump.kind} ${syntax.jump.name}`,
  };
}

function portNumber(text: string): string {
  const port = parsePort(text);
  return typeof port === 'bigint' ? `${port}` : text;
}

function syntaxOf(rule: Rule): RuleSyntax | undefined {
  const words = splitSavedLine(rule.text, 0);
  if ('kind' in words) return undefined;
  const syntax = readRule(rule.text, words);
  return syntax.problem === undefined ? syntax : undefined;
}
