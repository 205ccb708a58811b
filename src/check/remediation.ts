/** What to write instead of a blamed rule, in the dialect of the program that wrote the table. */
import type { Chain, Rule, Table } from '../model/index.ts';
import {
  type Advice,
  type CarriedTraffic,
  type Change,
  type ChangeContext,
  isPartOfRule,
  type KeptAccess,
  NO_ADVICE,
  type RulePlace,
  targetOf,
  wantedRules,
} from './change.ts';
import { firewalldAdvice } from './firewalld-command.ts';
import { iptablesAdvice } from './iptables-command.ts';
import { nftAdvice } from './nft-command.ts';

/** Replaces a rule by rules for the entitled access and what it carries besides, or deletes it where there is neither. */
export function replaceRule(
  place: RulePlace,
  carried: CarriedTraffic,
  kept: readonly KeptAccess[],
  closes?: Chain,
  known: ChangeContext = {},
): Advice {
  if (place.rule.verdict.kind !== 'accept') return { commands: [], note: NO_PLAIN_ACCEPT };
  if (isPartOfRule(place)) return { commands: [], note: partNote(place) };
  return advise({ kind: 'replace', place, rules: wantedRules(carried, kept), closes, known });
}

const NO_PLAIN_ACCEPT =
  'The rule does not accept by itself: see what it hands its packets to before you change it.';

function partNote({ rule }: RulePlace): string {
  const name = rule.handle === undefined ? 'The rule' : `The rule with handle ${rule.handle}`;
  return `${name} decides by a map or in several steps, and only a part of it is at fault: change that part, not the whole rule.`;
}

/** Deletes a rule. `whole`: every part of it is meant, where a rule of the export was taken apart. */
export function deleteRule(place: RulePlace, whole = false, known: ChangeContext = {}): Advice {
  if (!whole && isPartOfRule(place)) return { commands: [], note: partNote(place) };
  return advise({ kind: 'delete', place, known });
}

/** Accepts what only the policy lets through of the entitled access and what it carries besides, then sets the policy to drop. */
export function closePolicy(
  table: Table,
  chain: Chain,
  carried: CarriedTraffic,
  kept: readonly KeptAccess[],
): Advice {
  return advise({ kind: 'close-policy', table, chain, rules: wantedRules(carried, kept) });
}

/** Inserts accepting rules before a rule that stops required packets, or appends them before a policy that does. */
export function insertAccept(
  table: Table,
  chain: Chain,
  before: Rule | undefined,
  direction: 'in' | 'out',
  needed: readonly KeptAccess[],
): Advice {
  if (chain.base?.type === 'nat' || needed.length === 0) return NO_ADVICE;
  const rules = wantedRules({ loopback: false, replies: false, neighbours: false }, needed);
  return advise({ kind: 'insert', table, chain, before, direction, rules });
}

function advise(change: Change): Advice {
  const { table } = targetOf(change);
  switch (writerOf(table)) {
    case 'iptables':
      return iptablesAdvice(change);
    case 'nft':
      return nftAdvice(change);
    case 'firewalld':
      return firewalldAdvice(change);
  }
}

/**
 * The program whose commands change the table. A table that iptables-nft wrote is changed with iptables, wherever it was exported; what
 * firewalld wrote only with firewalld, which writes it anew at every reload.
 */
export function writerOf(table: Table): Table['dialect'] {
  if (isFromFirewalld(table)) return 'firewalld';
  return table.dialect === 'nft' && isFromIptables(table) ? 'iptables' : table.dialect;
}

/** firewalld's own table of nft, direct rules of its configuration, or a table of its iptables backend. */
function isFromFirewalld(table: Table): boolean {
  if (table.dialect === 'firewalld') return true;
  if (table.dialect === 'nft') return table.name === 'firewalld';
  return table.chains.some(({ name }) => /^(?:INPUT|PREROUTING)_ZONES(?:_SOURCE)?$/.test(name));
}

/** Base chains that iptables-nft makes, by table: hook and priority. Source: iptables iptables/nft.c. */
const IPTABLES_CHAINS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  filter: { INPUT: 0, FORWARD: 0, OUTPUT: 0 },
  nat: { PREROUTING: -100, INPUT: 100, OUTPUT: -100, POSTROUTING: 100 },
  mangle: { PREROUTING: -150, INPUT: -150, FORWARD: -150, OUTPUT: -150, POSTROUTING: -150 },
  raw: { PREROUTING: -300, OUTPUT: -300 },
  security: { INPUT: 50, FORWARD: 50, OUTPUT: 50 },
};

/**
 * Whether iptables-nft wrote the table: its name and all its base chains are those of iptables, and no rule has a set, which
 * iptables never writes. nft would change such a table too, but iptables may then refuse to read it.
 */
function isFromIptables(table: Table): boolean {
  if (table.family !== 'ip' && table.family !== 'ip6') return false;
  const known = Object.hasOwn(IPTABLES_CHAINS, table.name) ? IPTABLES_CHAINS[table.name] : undefined;
  if (known === undefined) return false;
  const base = table.chains.filter((chain) => chain.base !== undefined);
  return (
    base.length > 0 &&
    base.every(
      ({ name, base: b }) =>
        Object.hasOwn(known, name) && b?.priority === known[name] && b?.hook === name.toLowerCase(),
    ) &&
    !table.chains.some(({ rules }) => rules.some(({ matches }) => matches.some((m) => / [@{]/.test(m.text))))
  );
}
