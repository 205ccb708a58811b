import type { ResolvedHost } from '../../inventory/index.ts';
import { listed } from '../describe.ts';
import { evidence, fileOrigin } from '../evidence.ts';
import { meaningOf } from '../host-meaning.ts';
import type { Estate } from '../peers.ts';
import type { Evaluator } from './evaluator.ts';

/** What of a host is compared. */
interface ComparedHost {
  readonly host: ResolvedHost;
  readonly file: string | undefined;
  /** See `meaningOf`. */
  readonly meaning: string | undefined;
}

/** Hosts named in a sentence. */
const MOST_HOSTS = 12;

/**
 * Hosts of roles with different needs that let exactly the same packets through: one finding for each group. Compared by what the rule
 * sets mean, not by their texts.
 */
export const copiedRuleSet: Evaluator = {
  scope: 'run',
  observe: (context): ComparedHost => ({
    host: context.host,
    file: context.input.files[0],
    meaning: context.host.roles.length === 0 ? undefined : meaningOf(context),
  }),
  *run({ estate, observed }) {
    const groups = new Map<string, ComparedHost[]>();
    // What `observe` gave.
    for (const summary of observed as readonly ComparedHost[]) {
      if (summary.meaning === undefined) continue;
      const group = groups.get(summary.meaning);
      if (group === undefined) groups.set(summary.meaning, [summary]);
      else group.push(summary);
    }
    for (const group of groups.values()) {
      const needs = new Set(group.map(({ host }) => needsOf(estate, host)));
      if (needs.size < 2) continue;
      const sorted = [...group].sort((a, b) => (a.host.name < b.host.name ? -1 : 1));
      const roles = [...new Set(sorted.flatMap(({ host }) => host.roles))].sort();
      const [first, ...others] = sorted.flatMap(({ file }) => file ?? []);
      yield evidence({
        host: null,
        origin: first === undefined ? null : fileOrigin(first),
        related: others
          .slice(0, 5)
          .map((file) => ({ origin: fileOrigin(file), label: 'lets the same packets through' })),
        facts: {
          hosts: listed(
            sorted.map(({ host }) => `${host.name} (${host.roles.join(', ')})`),
            MOST_HOSTS,
          ),
          roles: listed(roles),
          count: String(sorted.length),
        },
        extent: [{ who: sorted.map(({ host }) => host.name), proto: [], ports: [] }],
        meaning: [...roles, sorted[0]?.host.name ?? ''],
      });
    }
  },
};

/** The flows that end or begin at a host, whoever the peers are: hosts that share them may well share a rule set. */
function needsOf({ profile }: Estate, host: ResolvedHost): string {
  const concerns = (roles: readonly string[]) => roles.some((role) => host.roles.includes(role));
  const flows = profile.flows.filter((flow) => flow.need !== 'vendor');
  return JSON.stringify([
    flows.filter((flow) => concerns(flow.to)).map((flow) => flow.id),
    flows.filter((flow) => concerns(flow.from)).map((flow) => flow.id),
  ]);
}
