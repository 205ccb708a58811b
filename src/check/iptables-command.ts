/** Changes in the words of iptables, for tables that iptables wrote. */
import type { Condition, Match, Rule, Table } from '../model/index.ts';
import { CT_STATE } from '../model/index.ts';
import {
  formatAddress,
  formatAddressInterval,
  formatProtocol,
  type Interval,
  type IpVersion,
  intervalToPrefixes,
} from '../net/index.ts';
import {
  type Advice,
  type Change,
  freeSetName,
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

/** More rules than this become one rule on an ipset. */
const MOST_RULES = 12;

/** Ports that one multiport match takes; a range counts as two. Source: iptables-extensions(8). */
const MOST_PORTS = 15;

/** Without what a shell acts on, in double quotes too. An exclamation mark before anything but a space calls up history in bash. */
const PLAIN = /^(?:[A-Za-z0-9 ._:,@+/=-]|!(?= |$))*$/;

/**
 * Whether text of an export may stand in a command for a shell. Exports are not to be trusted: a chain name with a dollar sign
 * or a quote in it gets no command rather than a quoted one, since people edit commands before they run them.
 */
function isPlainName(text: string): boolean {
  return PLAIN.test(text) && !/^[-!]|\s/.test(text) && text !== '';
}

/** The commands for a change. Rules go by their number, so that a command holds for the rule set as it was exported. */
export function iptablesAdvice(change: Change): Advice {
  const { table, chain } = targetOf(change);
  if (
    (table.family !== 'ip' && table.family !== 'ip6') ||
    !isPlainName(chain.name) ||
    !isPlainName(table.name)
  )
    return NO_ADVICE;
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

function programOf(table: Table): string {
  return `${table.family === 'ip6' ? 'ip6tables' : 'iptables'}${table.name === 'filter' ? '' : ` -t ${table.name}`}`;
}

/** `-s 192.0.2.10/32`, or an iprange match where the interval is no prefix. */
function addressMatch(version: IpVersion, range: Interval, direction: 'in' | 'out'): string {
  const text = formatAddressInterval(version, range);
  if (text.includes('-')) return `-m iprange --${direction === 'in' ? 'src' : 'dst'}-range ${text}`;
  const prefix = text.includes('/') ? text : `${text}/${version === 4 ? 32 : 128}`;
  return `${direction === 'in' ? '-s' : '-d'} ${prefix}`;
}

/** Protocol and ports; more than one match where the ports are more than one takes. */
function portMatches(protocol: number, ports: readonly Interval[]): string[] {
  const name = formatProtocol(protocol);
  if (ports.length === 0) return [`-p ${name}`];
  const text = ({ lo, hi }: Interval) => (lo === hi ? `${lo}` : `${lo}:${hi}`);
  if (ports.length === 1) return [`-p ${name} -m ${name} --dport ${text(ports[0]!)}`];
  const lists: string[][] = [];
  let room = 0;
  for (const port of ports) {
    const cost = port.lo === port.hi ? 1 : 2;
    if (room < cost) {
      lists.push([]);
      room = MOST_PORTS;
    }
    lists[lists.length - 1]!.push(text(port));
    room -= cost;
  }
  return lists.map((list) =>
    list.length === 1
      ? `-p ${name} -m ${name} --dport ${list[0]}`
      : `-p ${name} -m multiport --dports ${list.join(',')}`,
  );
}

/** The text of a match in the words of iptables; `undefined` where it cannot be told. */
function matchText(match: Match): string | undefined {
  const text = /^(?:! )?-/.test(match.text) ? match.text : conditionText(match.condition);
  return text !== undefined && PLAIN.test(text) ? text : undefined;
}

const STATE_NAMES: ReadonlyMap<bigint, string> = new Map(
  Object.entries(CT_STATE).map(([name, value]) => [BigInt(value), name.toUpperCase()]),
);

/** The usual conditions of tables that iptables-nft wrote, where an export of nft shows them in nft's syntax. */
function conditionText(condition: Condition): string | undefined {
  if (condition.kind === 'interface') {
    const name = `${condition.name}${condition.prefix ? '+' : ''}`;
    return isPlainName(name) ? `${condition.field === 'iif' ? '-i' : '-o'} ${name}` : undefined;
  }
  if (condition.kind === 'address' && condition.field === 'daddr' && condition.mask === undefined) {
    const [only, ...more] = condition.values;
    return only === undefined || more.length > 0 ? undefined : addressMatch(condition.version, only, 'out');
  }
  if (condition.kind === 'field' && condition.field === 'ct-state' && condition.mask === undefined) {
    const names = [...STATE_NAMES].filter(([state]) =>
      condition.values.some((v) => v.lo <= state && state <= v.hi),
    );
    return names.length === 0 ? undefined : `-m conntrack --ctstate ${names.map(([, name]) => name).join()}`;
  }
  return undefined;
}

/** The matches of a rule that the new rules have to repeat, its comment among them; `undefined` where one cannot be told. */
function repeatedMatches(rule: Rule): string | undefined {
  const texts: string[] = [];
  for (const match of rule.matches) {
    if (isNamedAnew(match.condition)) continue;
    const text = matchText(match);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  const { comment } = rule;
  if (comment !== undefined && comment !== '' && PLAIN.test(comment) && !/^[-!]/.test(comment))
    texts.push(`-m comment --comment ${comment.includes(' ') ? `"${comment}"` : comment}`);
  return texts.join(' ');
}

/** Commands to run before, and rules without their chain. */
interface Bodies {
  readonly before: readonly string[];
  readonly bodies: readonly string[];
}

function bodiesOf(
  rules: readonly WantedRule[],
  other: string,
  direction: 'in' | 'out' = 'in',
): Bodies | undefined {
  const sources = rules.reduce((n, rule) => n + (rule.kind === 'access' ? rule.sources.length : 0), 0);
  if (sources > MOST_SOURCES) return undefined;
  const before: string[] = [];
  const bodies: string[] = [];
  const names = new Set<string>();
  const accept = (...parts: readonly string[]) => [...parts, '-j ACCEPT'].filter((p) => p !== '').join(' ');
  for (const rule of rules) {
    switch (rule.kind) {
      case 'loopback':
        bodies.push(accept(direction === 'in' ? '-i lo' : '-o lo'));
        break;
      case 'replies':
        bodies.push(accept('-m conntrack --ctstate RELATED,ESTABLISHED'));
        break;
      case 'neighbours':
        for (const type of NEIGHBOUR_TYPES)
          bodies.push(accept(`-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`));
        break;
      case 'access': {
        let matches = rule.sources.map((source) => addressMatch(rule.version, source, direction));
        if (sources > MOST_RULES && matches.length > 1) {
          const set = ipsetOf(rule, names);
          before.push(...set.commands);
          matches = [`-m set --match-set ${set.name} ${direction === 'in' ? 'src' : 'dst'}`];
        }
        // Destinations of their own are named where packets pass through the host.
        const to = rule.destinations.map((d) => addressMatch(rule.version, d, 'out'));
        for (const match of matches)
          for (const destination of to.length === 0 ? [''] : to)
            for (const ports of portMatches(rule.protocol, rule.ports))
              bodies.push(accept(match, destination, ports, other));
      }
    }
  }
  return { before, bodies };
}

/** Router advertisement, neighbour solicitation and advertisement (RFC 4861). */
const NEIGHBOUR_TYPES = [134, 135, 136];

function ipsetOf(
  rule: Extract<WantedRule, { readonly kind: 'access' }>,
  taken: Set<string>,
): {
  readonly name: string;
  readonly commands: readonly string[];
} {
  const { version, protocol, sources, ports } = rule;
  const parts = [...(version === 6 ? ['v6'] : []), formatProtocol(protocol), ...ports.map((p) => p.lo)];
  const name = freeSetName(`nw-${parts.join('-')}`, taken);
  const prefixes = sources.flatMap((source) => intervalToPrefixes(version, source));
  const add = prefixes.map(
    (prefix) => `ipset add ${name} ${formatAddress(version, prefix.value)}/${prefix.prefixLength}`,
  );
  return { name, commands: [`ipset create ${name} hash:net${version === 6 ? ' family inet6' : ''}`, ...add] };
}

function replaceRule(change: Extract<Change, { readonly kind: 'replace' }>): Advice {
  const { table, chain, rule } = change.place;
  const { number } = rule;
  if (number === undefined) return NO_ADVICE;
  const wanted = rulesOfFamily(table.family, change.rules);
  const other = repeatedMatches(rule);
  if (other === undefined && wanted.some((r) => r.kind === 'access'))
    return { commands: [], note: UNTOLD_MATCH };
  const told = bodiesOf(wanted, other ?? '');
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  const program = programOf(table);
  const [first, ...more] = told.bodies;
  const { closes } = change;
  const lines =
    first === undefined
      ? [`${program} -D ${chain.name} ${number}`]
      : [
          ...told.before,
          `${program} -R ${chain.name} ${number} ${first}`,
          ...more.map((body, i) => `${program} -I ${chain.name} ${number + i + 1} ${body}`),
        ];
  const written = told.bodies.map((body) => `-A ${chain.name} ${body}`);
  if (closes !== undefined && isPlainName(closes.name)) {
    lines.push(`${program} -P ${closes.name} DROP`);
    written.push(`-P ${closes.name} DROP`);
  }
  return {
    commands: [{ dialect: 'iptables', replace: rule.text, with: written, command: lines.join(NEXT) }],
  };
}

const UNTOLD_MATCH =
  'The rule has a condition that no command here can repeat: write its source into the rule by hand, and keep the condition.';

function deleteRule({ table, chain, rule }: RulePlace): Advice {
  if (rule.number === undefined) return NO_ADVICE;
  const command = `${programOf(table)} -D ${chain.name} ${rule.number}`;
  return { commands: [{ dialect: 'iptables', replace: rule.text, with: [], command }] };
}

function closePolicy({ table, chain, rules }: Extract<Change, { readonly kind: 'close-policy' }>): Advice {
  const told = bodiesOf(rulesOfFamily(table.family, rules), '');
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  const written = [...told.bodies.map((body) => `-A ${chain.name} ${body}`), `-P ${chain.name} DROP`];
  const command = [...told.before, ...written.map((text) => `${programOf(table)} ${text}`)].join(NEXT);
  return { commands: [{ dialect: 'iptables', replace: null, with: written, command }] };
}

function insertRules(change: Extract<Change, { readonly kind: 'insert' }>): Advice {
  const { table, chain, before, direction } = change;
  const told = bodiesOf(rulesOfFamily(table.family, change.rules), '', direction);
  if (told === undefined) return { commands: [], note: TOO_MANY_SOURCES };
  if (told.bodies.length === 0 || (before !== undefined && before.number === undefined)) return NO_ADVICE;
  const program = programOf(table);
  const at = before?.number;
  const lines = told.bodies.map((body, i) =>
    at === undefined
      ? `${program} -A ${chain.name} ${body}`
      : `${program} -I ${chain.name} ${at + i} ${body}`,
  );
  const written = told.bodies.map((body) => `-A ${chain.name} ${body}`);
  return {
    commands: [
      { dialect: 'iptables', replace: null, with: written, command: [...told.before, ...lines].join(NEXT) },
    ],
  };
}
