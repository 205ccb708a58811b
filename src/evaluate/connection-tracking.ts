import type { Condition, Family, FieldName, Rule, Ruleset, Statement } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';

/**
 * Whether the kernel tracks connections at all: it begins to, for each IP version on its own, when a rule that needs it is
 * loaded. Source: callers of nf_ct_netns_get() in linux net/netfilter; seen on Linux 6.18 for the matches and targets below.
 */

/** Fields that exist only while connections are tracked. */
const CONNECTION_FIELDS: readonly FieldName[] = ['ct-state', 'ct-mark', 'ct-dnat', 'ct-snat'];

/** Matches and targets that need tracking, as they occur in the text of something that is not modelled. */
const CONNECTION_WORDS =
  /\b(conntrack|ctstate|state|connmark|connlabel|connlimit|connbytes|connsecmark|helper|cluster|clusterip|synproxy|ct)\b/i;

/** The same at the beginning of a target without effect on a packet. Elsewhere in such a text a word means nothing. */
const CONNECTION_TARGET = /^(-j\s+)?(CT|CONNMARK|CONNSECMARK|SYNPROXY)\b/i;

/** Whether some rule, also one of a dormant table, makes the kernel track connections of this IP version. */
export function tracksConnections(ruleset: Ruleset, version: IpVersion): boolean {
  return ruleset.tables.some((table) =>
    table.chains.some((chain) => chain.rules.some((rule) => needsTracking(rule, table.family, version))),
  );
}

function needsTracking(rule: Rule, family: Family, version: IpVersion): boolean {
  const { verdict } = rule;
  const inFamily = versionsOf(family).includes(version);
  // A translation to an address needs it for that address's version only, in a table of family inet too.
  if (verdict.kind === 'nat') {
    const target = verdict.nat.addresses === undefined ? undefined : verdict.nat.version;
    if (inFamily && (target ?? version) === version) return true;
  }
  if (!inFamily) return false;
  return (
    (verdict.kind === 'unknown' && CONNECTION_WORDS.test(verdict.text)) ||
    rule.statements.some(statementNeedsTracking) ||
    rule.matches.some((match) => conditionNeedsTracking(match.condition))
  );
}

function versionsOf(family: Family): readonly IpVersion[] {
  switch (family) {
    case 'ip':
      return [4];
    case 'ip6':
      return [6];
    case 'inet':
    case 'bridge':
      return [4, 6];
    case 'arp':
    case 'netdev':
      return [];
  }
}

function statementNeedsTracking(statement: Statement): boolean {
  switch (statement.kind) {
    case 'set-field':
    case 'unknown-field':
      return CONNECTION_FIELDS.includes(statement.field);
    case 'copy-field':
      return statement.field === 'ct-mark' || statement.from === 'ct-mark';
    case 'no-effect':
      return CONNECTION_TARGET.test(statement.text);
    case 'notrack':
    case 'hand-over':
      return false;
  }
}

function conditionNeedsTracking(condition: Condition): boolean {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return condition.of.some(conditionNeedsTracking);
    case 'not':
      return conditionNeedsTracking(condition.of);
    case 'field':
      return CONNECTION_FIELDS.includes(condition.field);
    case 'original':
      return true;
    case 'unknown':
      return CONNECTION_WORDS.test(condition.text);
    default:
      return false;
  }
}
