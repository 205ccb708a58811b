/** Changes in the words of nft. Rules go by their handle, which no other change moves. */
import type { Rule, Table } from '../model/index.ts';
import { formatAddressInterval, formatProtocol, type Interval } from '../net/index.ts';
import {
  type Advice,
  type Change,
  isNamedAnew,
  MOST_SOURCES,
  NEXT,
  NO_ADVICE,
  type RulePlace,
  rulesOfFamily,
  TOO_MANY_SOURCES,
  targetOf,
  type WantedRule,
} from './change.ts';

/** Names that nft takes without quotes. Longer ones than the kernel's limit are no names of a real table. */
const NAME = /^[A-Za-z_][A-Za-z0-9_./-]{0,127}$/;

/**
 * Texts of an export that may be repeated in a rule. They stand between single quotes for the shell, and hold nothing that ends a
 * statement of nft, starts a comment or names a variable. `{"` is JSON: a part that could not be told in nft's words.
 */
const REPEATABLE = /^(?!.*(?:\{"|":))[A-Za-z0-9 ._:,@+/=!<>&|^(){}"*%-]*$/;

/** The commands for a change. */
export function nftAdvice(change: Change): Advice {
  const { table, chain } = targetOf(change);
  if (!NAME.test(table.name) || !NAME.test(chain.name)) return NO_ADVICE;
  switch (change.kind) {
    case 'replace':
      return replaceRule(change);
    case 'delete':
      return deleteRule(change.place);
    case 'close-policy':
      return closePolicy(change);
    case 'insert':
      return insertRules(change);
  }
}

/** `'{ policy drop; }'`: quoted for a shell where it is more than plain words. */
function quoted(text: string): string {
  return /^[A-Za-z0-9 ._:,@+/=-]*$/.test(text) ? text : `'${text}'`;
}

/** `inet filter input` */
function placeOf({ table, chain }: Pick<RulePlace, 'table' | 'chain'>): string {
  return `${table.family} ${table.name} ${chain.name}`;
}

/** One value, or an anonymous set. */
function oneOrSet(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `{ ${texts.join(', ')} }`;
}

function portText({ lo, hi }: Interval): string {
  return lo === hi ? `${lo}` : `${lo}-${hi}`;
}

/** Conditions and statements that stand before and behind the sources and ports of an access. */
interface Repeated {
  readonly before: readonly string[];
  readonly behind: readonly string[];
}

const NOTHING_REPEATED: Repeated = { before: [], behind: [] };

function ruleText(rule: WantedRule, { before, behind }: Repeated, direction: 'in' | 'out'): string {
  switch (rule.kind) {
    case 'loopback':
      return `${direction === 'in' ? 'iif' : 'oif'} lo accept`;
    case 'replies':
      return 'ct state established,related accept';
    case 'neighbours':
      return 'icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept';
    case 'access': {
      const { version, protocol, sources, destinations, ports } = rule;
      const family = version === 4 ? 'ip' : 'ip6';
      const address = `${family} ${direction === 'in' ? 'saddr' : 'daddr'}`;
      const name = formatProtocol(protocol);
      const portMatch =
        ports.length === 0 ? `meta l4proto ${name}` : `${name} dport ${oneOrSet(ports.map(portText))}`;
      const told = (list: readonly Interval[]) =>
        oneOrSet(list.map((s) => formatAddressInterval(version, s)));
      const to = destinations.length === 0 ? [] : [`${family} daddr`, told(destinations)];
      return [...before, address, told(sources), ...to, portMatch, ...behind, 'accept'].join(' ');
    }
  }
}

function ruleTexts(
  table: Table,
  rules: readonly WantedRule[],
  repeated: Repeated,
  direction: 'in' | 'out' = 'in',
): string[] | undefined {
  if (rules.some((rule) => rule.kind === 'access' && rule.sources.length > MOST_SOURCES)) return undefined;
  return rulesOfFamily(table.family, rules).map((rule) => ruleText(rule, repeated, direction));
}

/** Words of texts that are no condition of their own: a map, a part that only xt knows, or a whole rule that stands for what nft does not print. */
const NO_CONDITION = /(?:^| )(?:xt|vmap|map|accept|drop|reject|return|continue|queue|jump|goto)(?: |$)/;

/** A match in the words of iptables, which filled it in: nft would not read it. */
const IPTABLES_WORDS = /^(?:! *)?-/;

/** Conditions and statements of a rule that the new rules have to repeat; `undefined` where one cannot be told. */
function repeatedParts(rule: Rule): Repeated | undefined {
  const before: string[] = [];
  const behind: string[] = [];
  let parts = before;
  for (const match of rule.matches) {
    if (isNamedAnew(match.condition)) {
      parts = behind;
      continue;
    }
    // What xt tests is in no export, and a map is more than the one branch of it.
    if (!REPEATABLE.test(match.text) || NO_CONDITION.test(match.text) || IPTABLES_WORDS.test(match.text))
      return undefined;
    parts.push(match.text);
  }
  for (const statement of rule.statements) {
    if (statement.kind !== 'no-effect' || !REPEATABLE.test(statement.text)) return undefined;
    if (statement.text !== 'counter') behind.push(statement.text);
  }
  if (rule.counters !== undefined) behind.push('counter');
  return { before, behind };
}

/** The comment stands behind the verdict. */
function withComment(text: string, rule: Rule): string {
  const { comment } = rule;
  if (comment === undefined || comment === '' || !/^[A-Za-z0-9 ._:,@+/=!()-]{1,120}$/.test(comment))
    return text;
  return `${text} comment "${comment}"`;
}

function replaceRule(change: Extract<Change, { readonly kind: 'replace' }>): Advice {
  const { place, closes } = change;
  const { table, rule } = place;
  const repeated = repeatedParts(rule);
  if (repeated === undefined && change.rules.some((r) => r.kind === 'access'))
    return {
      commands: [],
      note: `${ruleName(place)} has a part that no command here can repeat. ${BY_HAND}`,
    };
  const texts = ruleTexts(table, change.rules, repeated ?? NOTHING_REPEATED);
  if (texts === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  if (texts.length === 0 && closes === undefined) return deleteRule(place);
  const written = texts.map((text) => withComment(text, rule));
  const policy = closes === undefined || !NAME.test(closes.name) ? [] : [dropPolicy(table, closes.name)];
  const all = [...written, ...policy.map(() => 'policy drop')];
  if (rule.handle === undefined) return withoutHandle(place, rule.text, all);
  const last = written[written.length - 1];
  const replaces = last !== undefined && !hasIntervalSet(last);
  const lines = [
    // Inserted rules keep their order, and nothing is closed before all of them stand.
    ...(replaces ? written.slice(0, -1) : written).map(
      (text) => `nft insert rule ${placeOf(place)} handle ${rule.handle} ${quoted(text)}`,
    ),
    replaces
      ? `nft replace rule ${placeOf(place)} handle ${rule.handle} ${quoted(last)}`
      : `nft delete rule ${placeOf(place)} handle ${rule.handle}`,
    ...policy,
  ];
  return { commands: [{ dialect: 'nft', replace: rule.text, with: all, command: lines.join(NEXT) }] };
}

/** Whether a text has an anonymous set with ranges or prefixes: nft 1.0.6 aborts on `replace rule` with one. */
function hasIntervalSet(text: string): boolean {
  return /\{[^}]*[0-9a-f][-/][0-9a-f][^}]*\}/.test(text);
}

const BY_HAND = 'Write the sources into it by hand, and keep the rest.';

/** `The rule with handle 23`, or as much as is known. */
function ruleName({ rule }: RulePlace): string {
  return rule.handle === undefined ? 'The rule' : `The rule with handle ${rule.handle}`;
}

/** The rules to write, and how to learn the handle that a command needs. */
function withoutHandle(place: RulePlace, replace: string | null, written: readonly string[]): Advice {
  const note = `The export does not tell the handle of the rule, which a command needs: "nft -a list chain ${placeOf(place)}" shows it.`;
  return {
    commands: written.length === 0 ? [] : [{ dialect: 'nft', replace, with: written, command: '' }],
    note,
  };
}

function dropPolicy(table: Table, chain: string): string {
  return `nft chain ${table.family} ${table.name} ${chain} '{ policy drop; }'`;
}

function deleteRule(place: RulePlace): Advice {
  const { rule } = place;
  if (rule.handle === undefined) return withoutHandle(place, rule.text, []);
  const command = `nft delete rule ${placeOf(place)} handle ${rule.handle}`;
  return { commands: [{ dialect: 'nft', replace: rule.text, with: [], command }] };
}

function closePolicy({ table, chain, rules }: Extract<Change, { readonly kind: 'close-policy' }>): Advice {
  const texts = ruleTexts(table, rules, NOTHING_REPEATED);
  if (texts === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  const lines = texts.map((text) => `nft add rule ${placeOf({ table, chain })} ${quoted(text)}`);
  const command = [...lines, dropPolicy(table, chain.name)].join(NEXT);
  return { commands: [{ dialect: 'nft', replace: null, with: [...texts, 'policy drop'], command }] };
}

function insertRules(change: Extract<Change, { readonly kind: 'insert' }>): Advice {
  const { table, chain, before, direction } = change;
  const texts = ruleTexts(table, change.rules, NOTHING_REPEATED, direction);
  if (texts === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  if (texts.length === 0) return NO_ADVICE;
  const place = placeOf(change);
  if (before !== undefined && before.handle === undefined)
    return withoutHandle({ table, chain, rule: before }, null, texts);
  const lines = texts.map((text) =>
    before === undefined
      ? `nft add rule ${place} ${quoted(text)}`
      : `nft insert rule ${place} handle ${before.handle} ${quoted(text)}`,
  );
  return { commands: [{ dialect: 'nft', replace: null, with: texts, command: lines.join(NEXT) }] };
}
