/** What to write instead of a blamed rule, in the dialect of the export. */
import type { RemediationCommand } from '../finding/index.ts';
import type { Chain, Condition, Match, Rule, Table } from '../model/index.ts';
import { formatAddressInterval, formatProtocol, type Interval, type IpVersion } from '../net/index.ts';

/** One entitled access that the replacement has to keep. */
export interface KeptAccess {
  readonly version: IpVersion;
  readonly saddr: Interval;
  readonly protocol: number;
  readonly ports: readonly Interval[];
}

/** Between commands that only make sense one after the other; a shell takes the lines as one. */
const NEXT = ' && \\\n';

/** More replacement rules than this are not printed; the text then says to use a set. */
const MOST_RULES = 12;

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

/** Rule texts that keep exactly the entitled access; one per source and port list. */
function replacementRules(chain: Chain, rule: Rule | undefined, kept: readonly KeptAccess[]): string[] {
  const other = rule === undefined ? '' : keptMatches(rule);
  return kept.slice(0, MOST_RULES).map(({ version, saddr, protocol, ports }) =>
    [`-A ${chain.name}`, sourceMatch(version, saddr), portMatch(protocol, ports), other, '-j ACCEPT']
      .filter((part) => part !== '')
      .join(' '),
  );
}

/** Replaces a rule by rules for the entitled access, or deletes it where nobody is entitled. */
export function replaceRule(
  table: Table,
  chain: Chain,
  rule: Rule,
  kept: readonly KeptAccess[],
): RemediationCommand[] {
  if (table.dialect !== 'iptables' || rule.number === undefined) return [];
  const program = programOf(table);
  const own = kept.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const rules = replacementRules(chain, rule, own);
  const [first, ...more] = rules;
  const body = (text: string) => text.replace(/^-A \S+ /, '');
  const number = rule.number;
  const command =
    first === undefined
      ? `${program} -D ${chain.name} ${number}`
      : [
          `${program} -R ${chain.name} ${number} ${body(first)}`,
          ...more.map((text, i) => `${program} -I ${chain.name} ${number + i + 1} ${body(text)}`),
        ].join(NEXT);
  return [{ dialect: 'iptables', replace: rule.text, with: rules, command }];
}

/** Deletes a rule. */
export function deleteRule(table: Table, chain: Chain, rule: Rule): RemediationCommand[] {
  if (table.dialect !== 'iptables' || rule.number === undefined) return [];
  const command = `${programOf(table)} -D ${chain.name} ${rule.number}`;
  return [{ dialect: 'iptables', replace: rule.text, with: [], command }];
}

/** Accepts the entitled access and then sets the chain policy to DROP. */
export function closePolicy(table: Table, chain: Chain, kept: readonly KeptAccess[]): RemediationCommand[] {
  if (table.dialect !== 'iptables') return [];
  const program = programOf(table);
  const own = kept.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const rules = [
    `-A ${chain.name} -i lo -j ACCEPT`,
    `-A ${chain.name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    ...replacementRules(chain, undefined, own),
  ];
  const command = [...rules.map((r) => `${program} ${r}`), `${program} -P ${chain.name} DROP`].join(NEXT);
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
  if (table.dialect !== 'iptables') return [];
  const program = programOf(table);
  const own = needed.filter((k) => (k.version === 4) === (table.family === 'ip'));
  const rules = replacementRules(chain, undefined, own).map((text) =>
    direction === 'in' ? text : text.replace(' -s ', ' -d ').replace('--src-range', '--dst-range'),
  );
  if (rules.length === 0) return [];
  const at = blocker?.number;
  const command = rules
    .map((text, i) =>
      at === undefined ? `${program} ${text}` : `${program} -I ${chain.name} ${at + i} ${text.replace(/^-A \S+ /, '')}`,
    )
    .join(NEXT);
  return [{ dialect: 'iptables', replace: null, with: rules, command }];
}
