/** `direct.xml`: iptables rules of their own, put in words of iptables and read by its parser. */
import type { Chain, NamedSet, Origin, Rule, Table, Verdict } from '../../model/index.ts';
import { parseIpsetCommands, parseIptablesCommands } from '../embedded-commands.ts';
import type { Direct, Ipset } from './configuration.ts';
import { expires } from './translate-sets.ts';
import type { Remarks } from './translate-world.ts';

type IpFamily = 'ipv4' | 'ipv6';

/** A line made of one element. */
interface Line {
  readonly text: string;
  readonly origin: Origin;
}

/** What direct rules make. */
export interface DirectTables {
  /** Chains and rules have the places they have in `direct.xml`. */
  readonly tables: readonly Table[];
  /** First rule that could not be read whole: iptables may refuse it, and then firewalld refuses everything. */
  readonly unread: Origin | undefined;
}

/** The tables of iptables that the direct rules make. */
export function directTables(direct: Direct, remarks: Remarks): DirectTables {
  for (const { family, origin } of [...direct.rules, ...direct.chains, ...direct.passthroughs]) {
    if (family !== 'ipv4' && family !== 'ipv6')
      remarks.add(
        'note',
        false,
        origin,
        'direct rules of ebtables act on bridged frames, which nwaudit does not judge',
      );
  }
  const each = (['ipv4', 'ipv6'] as const).map((family) => tablesOf(family, direct, remarks));
  return {
    tables: each.flatMap(({ tables }) => tables),
    unread: each.map(({ unread }) => unread).find((origin) => origin !== undefined),
  };
}

function tablesOf(family: IpFamily, direct: Direct, remarks: Remarks): DirectTables {
  const lines = linesOf(family, direct);
  if (lines.length === 0) return { tables: [], unread: undefined };
  const parsed = parseIptablesCommands(
    lines.map(({ text }) => text),
    family === 'ipv4' ? 'ip' : 'ip6',
    direct.origin.file,
  );
  const place = (origin: Origin): Origin => lines[origin.line - 1]?.origin ?? direct.origin;
  let unread: Origin | undefined;
  for (const { kind, incomplete, origin, detail } of parsed.diagnostics) {
    // Notes on how a script is written mean nothing for lines made here.
    if (!incomplete && kind === 'note') continue;
    unread ??= place(origin);
    remarks.add(
      kind,
      true,
      place(origin),
      `direct rule: ${detail}. If iptables refuses it, firewalld refuses its whole configuration and runs the stock one; "firewall-cmd --state" tells`,
    );
  }
  const tables = parsed.ruleset.tables.map(
    (table): Table => ({
      ...table,
      dialect: 'firewalld',
      origin: place(table.origin),
      chains: table.chains.map((chain) => ({
        ...chain,
        origin: place(chain.origin),
        rules: chain.rules.map((rule) => directRule(rule, family, place(rule.origin))),
      })),
    }),
  );
  return { tables, unread };
}

function directRule(rule: Rule, family: IpFamily, origin: Origin): Rule {
  return { ...rule, text: `direct ${family} ${rule.text}`, origin };
}

/** Chains first, then rules by priority, then passthroughs: the order in which firewalld 1.3.3 runs them. */
function linesOf(family: IpFamily, direct: Direct): readonly Line[] {
  const program = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const own = <T extends { readonly family: string }>(list: readonly T[]): readonly T[] =>
    list.filter((one) => one.family === family);
  const chains = own(direct.chains).map(({ table, chain, origin }) => ({
    text: `${program} -t ${word(table)} -N ${word(chain)}`,
    origin,
  }));
  const rules = [...own(direct.rules)]
    .sort((a, b) => a.priority - b.priority)
    .map(({ table, chain, args, origin }) => ({
      text: `${program} -t ${word(table)} -A ${word(plainChain(chain))} ${words(args)}`,
      origin,
    }));
  const passthroughs = own(direct.passthroughs).map(({ args, origin }) => ({
    text: `${program} ${words(args)}`,
    origin,
  }));
  return [...chains, ...rules, ...passthroughs];
}

/** `INPUT_direct` is an old name for `INPUT`. */
function plainChain(chain: string): string {
  return /^(?:PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)_direct$/.test(chain)
    ? chain.slice(0, -'_direct'.length)
    : chain;
}

/** Arguments as a shell splits them, each quoted for the reader of scripts. */
function words(args: string): string {
  return splitArguments(args).map(word).join(' ');
}

function word(text: string): string {
  if (/^[\w!%@+:,./=[\]-]+$/.test(text)) return text;
  return `'${text.replace(/[\r\n]/g, ' ').replaceAll("'", `'"'"'`)}'`;
}

/** Splits as a POSIX shell does, without any expansion. A quote that is not closed goes on to the end. */
export function splitArguments(text: string): readonly string[] {
  const out: string[] = [];
  let current: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote !== '') {
      if (c === quote) quote = '';
      else if (c === '\\' && quote === '"' && /["\\]/.test(text[i + 1] ?? '')) current += text[++i]!;
      else current += c;
    } else if (/\s/.test(c)) {
      if (current !== undefined) out.push(current);
      current = undefined;
    } else {
      current ??= '';
      if (c === '"' || c === "'") quote = c;
      else if (c === '\\' && i + 1 < text.length) current += text[++i]!;
      else current += c;
    }
  }
  if (current !== undefined) out.push(current);
  return out;
}

/** What the direct rules of a family become where they share the chains of the zones (`FirewallBackend=iptables`). */
export interface SharedDirect {
  readonly family: IpFamily;
  /** Chains that firewalld's own filter chains jump to, by hook. */
  readonly entries: readonly { readonly hook: 'INPUT' | 'FORWARD' | 'OUTPUT'; readonly chain: string }[];
  readonly chains: readonly Chain[];
}

/** Takes a filter table apart into regular chains for another table. */
export function shareFilterTable(table: Table): SharedDirect {
  const family = table.family === 'ip' ? 'ipv4' : 'ipv6';
  const named = (chain: string): string => `direct_${family}_${chain}`;
  const renamed = (verdict: Verdict): Verdict =>
    verdict.kind === 'jump' || verdict.kind === 'goto'
      ? { ...verdict, chain: named(verdict.chain) }
      : verdict;
  const hooks = ['INPUT', 'FORWARD', 'OUTPUT'] as const;
  return {
    family,
    entries: hooks
      .filter((hook) => table.chains.some((chain) => chain.name === hook && chain.rules.length > 0))
      .map((hook) => ({ hook, chain: named(hook) })),
    chains: table.chains.map((chain) => ({
      ...chain,
      name: named(chain.name),
      base: undefined,
      rules: chain.rules.map((rule) => ({ ...rule, verdict: renamed(rule.verdict) })),
    })),
  };
}

/** The ipsets that firewalld makes beside those of nftables when there are direct rules. */
export function namedSetsOf(ipsets: readonly Ipset[], remarks: Remarks): readonly NamedSet[] {
  const lines: Line[] = [];
  for (const ipset of ipsets) {
    const options = [...ipset.options].filter(([name]) => name !== 'hashsize' && name !== 'maxelem');
    const given = options.map(([name, value]) => `${name} ${value}`).join(' ');
    lines.push({ text: `create ${word(ipset.name)} ${ipset.type} ${given}`, origin: ipset.origin });
    if (expires(ipset)) continue;
    for (const { text, origin } of ipset.entries)
      lines.push({ text: `add ${word(ipset.name)} ${word(text.trim())}`, origin });
  }
  const file = ipsets[0]?.origin.file ?? '';
  const parsed = parseIpsetCommands(
    lines.map(({ text }) => text),
    file,
  );
  const place = (origin: Origin): Origin => lines[origin.line - 1]?.origin ?? origin;
  for (const { kind, incomplete, origin, detail } of parsed.diagnostics)
    if (incomplete) remarks.add(kind, incomplete, place(origin), detail);
  return parsed.ruleset.namedSets.map((set) => ({
    ...set,
    origin: place(set.origin),
    elements: set.elements.map((element) => ({ ...element, origin: place(element.origin) })),
  }));
}
