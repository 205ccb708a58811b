/** What to write instead of a blamed rule, in the dialect of the export. */
import type { RemediationCommand } from '../finding/index.ts';
import type { Chain, Condition, Match, Rule, Table } from '../model/index.ts';
import {
  formatAddress,
  formatAddressInterval,
  formatProtocol,
  type Interval,
  type IpVersion,
  intervalToPrefixes,
} from '../net/index.ts';

/** One entitled access that the replacement has to keep. */
export interface KeptAccess {
  readonly version: IpVersion;
  readonly saddr: Interval;
  readonly protocol: number;
  readonly ports: readonly Interval[];
}

/** Between commands that only make sense one after the other; a shell takes the lines as one. */
const NEXT = ' && \\\n';

/** More rules than this are replaced by one rule on an ipset, and more members than the second number by nothing: no command is better than half of one. */
const MOST_RULES = 12;
const MOST_MEMBERS = 200;

/**
 * Whether text of an export may stand in a command for a shell. Exports are not to be trusted: a chain name with a dollar sign
 * or a quote in it gets no command rather than a quoted one, since people edit commands before they run them.
 */
function isPlain(text: string): boolean {
  return /^[A-Za-z0-9 ._:,@+/=!-]*$/.test(text) && !text.startsWith('-');
}

function programOf(table: Table): string {
  return `${table.family === 'ip6' ? 'ip6tables' : 'iptables'}${table.name === 'filter' ? '' : ` -t ${table.name}`}`;
}

/** `192.0.2.10/32`, or an iprange match where the interval is no prefix. */
function sourceMatch(version: IpVersion, range: Interval): string {
  const text = formatAddressInterval(version, range);
  if (text.includes('-')) return `-m iprange --src-range ${text}`;
  return `-s ${text.includes('/') ? text : `${text}/${version === 4 ? 32 : 128}`}`;
}

function portMatch(protocol: number, ports: readonly Interval[]): string {
  const name = formatProtocol(protocol);
  const texts = ports.map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}:${hi}`));
  if (texts.length <= 1) return `-p ${name} -m ${name}${texts.length === 1 ? ` --dport ${texts[0]}` : ''}`;
  return `-p ${name} -m multiport --dports ${texts.slice(0, 7).join(',')}`;
}

/** Matches of the old rule that narrow it by something other than addresses, protocol and ports. */
function keptMatches(rule: Rule): string {
  return rule.matches
    .filter(narrowsOtherwise)
    .map((m) => m.text)
    .join(' ');
}

function narrowsOtherwise(match: Match): boolean {
  const walk = (c: Condition): boolean => {
    switch (c.kind) {
      case 'all':
      case 'any':
        return c.of.some(walk);
      case 'not':
        return walk(c.of);
      case 'field':
        return !['protocol', 'sport', 'dport'].includes(c.field);
      case 'address':
        return c.field === 'daddr';
      case 'interface':
        return true;
      default:
        return false;
    }
  };
  return walk(match.condition);
}

/** Commands to run before, and rule texts that keep exactly the entitled access. */
interface Replacement {
  readonly before: readonly string[];
  readonly rules: readonly string[];
}

/** One rule per source and port list, or one per port list on an ipset where there are many sources; `undefined` where there are too many. */
function replacementRules(
  chain: Chain,
  rule: Rule | undefined,
  kept: readonly KeptAccess[],
): Replacement | undefined {
  const other = rule === undefined ? '' : keptMatches(rule);
  if (!/^[A-Za-z0-9 ._:,@+/=!-]*$/.test(other)) return undefined;
  const text = (source: string, { protocol, ports }: KeptAccess) =>
    [`-A ${chain.name}`, source, portMatch(protocol, ports), other, '-j ACCEPT']
      .filter((part) => part !== '')
      .join(' ');
  if (kept.length <= MOST_RULES) {
    return { before: [], rules: kept.map((k) => text(sourceMatch(k.version, k.saddr), k)) };
  }
  if (kept.length > MOST_MEMBERS) return undefined;
  const groups = new Map<string, KeptAccess[]>();
  for (const k of kept) {
    const key = `${k.version} ${portMatch(k.protocol, k.ports)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [k]);
    else group.push(k);
  }
  const before: string[] = [];
  const rules: string[] = [];
  for (const group of groups.values()) {
    const first = group[0]!;
    const name = `nw-${first.version === 4 ? '' : 'v6-'}${first.ports.map((p) => p.lo).join('-')}`.slice(
      0,
      31,
    );
    before.push(`ipset create ${name} hash:net${first.version === 6 ? ' family inet6' : ''}`);
    for (const member of group) {
      for (const prefix of intervalToPrefixes(member.version, member.saddr)) {
        before.push(
          `ipset add ${name} ${formatAddress(member.version, prefix.value)}/${prefix.prefixLength}`,
        );
      }
    }
    rules.push(text(`-m set --match-set ${name} src`, first));
  }
  return { before, rules };
}

/** Replaces a rule by rules for the entitled access, or deletes it where nobody is entitled. */
export function replaceRule(
  table: Table,
  chain: Chain,
  rule: Rule,
  kept: readonly KeptAccess[],
): RemediationCommand[] {
  if (
    table.dialect !== 'iptables' ||
    rule.number === undefined ||
    !isPlain(chain.name) ||
    !isPlain(table.name)
  )
    return [];
  const program = programOf(table);
  const own = kept.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const replacement = replacementRules(chain, rule, own);
  if (replacement === undefined) return [];
  const { before, rules } = replacement;
  const [first, ...more] = rules;
  const body = (text: string) => text.replace(/^-A \S+ /, '');
  const number = rule.number;
  const command =
    first === undefined
      ? `${program} -D ${chain.name} ${number}`
      : [
          ...before,
          `${program} -R ${chain.name} ${number} ${body(first)}`,
          ...more.map((text, i) => `${program} -I ${chain.name} ${number + i + 1} ${body(text)}`),
        ].join(NEXT);
  return [{ dialect: 'iptables', replace: rule.text, with: rules, command }];
}

/** Deletes a rule. */
export function deleteRule(table: Table, chain: Chain, rule: Rule): RemediationCommand[] {
  if (
    table.dialect !== 'iptables' ||
    rule.number === undefined ||
    !isPlain(chain.name) ||
    !isPlain(table.name)
  )
    return [];
  const command = `${programOf(table)} -D ${chain.name} ${rule.number}`;
  return [{ dialect: 'iptables', replace: rule.text, with: [], command }];
}

/** Accepts the entitled access and then sets the chain policy to DROP. */
export function closePolicy(table: Table, chain: Chain, kept: readonly KeptAccess[]): RemediationCommand[] {
  if (table.dialect !== 'iptables' || !isPlain(chain.name) || !isPlain(table.name)) return [];
  const program = programOf(table);
  const own = kept.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const replacement = replacementRules(chain, undefined, own);
  if (replacement === undefined) return [];
  const rules = [
    `-A ${chain.name} -i lo -j ACCEPT`,
    `-A ${chain.name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    ...replacement.rules,
  ];
  const command = [
    ...replacement.before,
    ...rules.map((r) => `${program} ${r}`),
    `${program} -P ${chain.name} DROP`,
  ].join(NEXT);
  return [{ dialect: 'iptables', replace: null, with: [...rules, `-P ${chain.name} DROP`], command }];
}

/** Inserts accepting rules before a rule that stops required packets, or appends them before a policy that does. */
export function insertAccept(
  table: Table,
  chain: Chain,
  blocker: Rule | undefined,
  direction: 'in' | 'out',
  needed: readonly KeptAccess[],
): RemediationCommand[] {
  if (table.dialect !== 'iptables' || !isPlain(chain.name) || !isPlain(table.name)) return [];
  const program = programOf(table);
  const own = needed.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const replacement = replacementRules(chain, undefined, own);
  if (replacement === undefined || replacement.rules.length === 0) return [];
  const rules = replacement.rules.map((text) =>
    direction === 'in'
      ? text
      : text
          .replace(' -s ', ' -d ')
          .replace('--src-range', '--dst-range')
          .replace(/(--match-set \S+) src/, '$1 dst'),
  );
  const at = blocker?.number;
  const inserts = rules.map((text, i) =>
    at === undefined
      ? `${program} ${text}`
      : `${program} -I ${chain.name} ${at + i} ${text.replace(/^-A \S+ /, '')}`,
  );
  const command = [...replacement.before, ...inserts].join(NEXT);
  return [{ dialect: 'iptables', replace: null, with: rules, command }];
}
