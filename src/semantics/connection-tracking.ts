import type { Family, Rule, Ruleset, Statement } from '../model/index.ts';
import type { IpVersion } from '../net/index.ts';
import { visitConditions } from './visit-conditions.ts';

const CONNTRACK_FIELDS: ReadonlySet<string> = new Set(['ct-state', 'ct-mark', 'ct-dnat', 'ct-snat']);

/** What is not modelled but needs connection tracking has one of these names in its text. */
const CONNTRACK_NAME =
  /\b(ct|conntrack|ctstate|state|connmark|connlabel|connlimit|connbytes|connsecmark|helper|cluster|clusterip|synproxy)\b/i;

/** Text of a target that changes no modelled field and needs connection tracking all the same. */
const CONNTRACK_TARGET = /^(?:-j\s+)?(?:ct|connmark|connsecmark|synproxy)\b/i;

const VERSIONS_OF: Readonly<Record<Family, readonly IpVersion[]>> = {
  ip: [4],
  ip6: [6],
  inet: [4, 6],
  bridge: [4, 6],
  arp: [],
  netdev: [],
};

/**
 * IP versions for which something in the ruleset makes the kernel track connections, dormant tables included. Source: callers of
 * nf_ct_netns_get() in linux net/netfilter (packet-path.md, order, 5).
 */
export function trackedVersions(ruleset: Ruleset): ReadonlySet<IpVersion> {
  const tracked = new Set<IpVersion>();
  for (const table of ruleset.tables) {
    for (const chain of table.chains) {
      for (const rule of chain.rules) {
        if (tracked.size === 2) return tracked;
        for (const version of versionsTrackedFor(rule, VERSIONS_OF[table.family])) tracked.add(version);
      }
    }
  }
  return tracked;
}

/** Versions that the rule makes the kernel track, out of those of its table. */
function versionsTrackedFor(rule: Rule, versions: readonly IpVersion[]): readonly IpVersion[] {
  if (versions.length === 0 || usesConnection(rule)) return versions;
  if (rule.verdict.kind !== 'nat') return [];
  const { addresses, version } = rule.verdict.nat;
  return addresses === undefined || version === undefined ? versions : versions.filter((v) => v === version);
}

function usesConnection(rule: Rule): boolean {
  if (rule.verdict.kind === 'unknown' && CONNTRACK_NAME.test(rule.verdict.text)) return true;
  let used = rule.statements.some(isOfConnection);
  visitConditions(rule, (c) => {
    used ||=
      c.kind === 'original' ||
      (c.kind === 'field' && CONNTRACK_FIELDS.has(c.field)) ||
      (c.kind === 'unknown' && CONNTRACK_NAME.test(c.text));
  });
  return used;
}

function isOfConnection(statement: Statement): boolean {
  switch (statement.kind) {
    case 'set-field':
    case 'unknown-field':
      return CONNTRACK_FIELDS.has(statement.field);
    case 'copy-field':
      return statement.field === 'ct-mark' || statement.from === 'ct-mark';
    case 'no-effect':
      return CONNTRACK_TARGET.test(statement.text);
    case 'notrack':
    case 'hand-over':
      return false;
  }
}
