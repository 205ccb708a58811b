import { applyWaivers } from '../../finding/index.ts';
import { exceptionAppliesTo } from '../../inventory/index.ts';
import { listed } from '../describe.ts';
import { evidence, plainOrigin } from '../evidence.ts';
import { type ExceptionUse, exceptionUses } from '../exception-use.ts';
import type { Evaluator } from './evaluator.ts';
import { isMeant } from './wide-waiver.ts';

/** What of a host is kept: which exceptions open something on it. */
interface ObservedUse {
  readonly name: string;
  readonly uses: ReadonlyMap<string, ExceptionUse>;
}

/**
 * Exceptions in force that let nobody in on any of their hosts. Where a host of them was not audited, or nobody is known by address
 * whom it lets in, nothing is said.
 */
export const unusedException: Evaluator = {
  scope: 'run',
  observe: (context): ObservedUse => ({ name: context.host.name, uses: exceptionUses(context) }),
  *run({ estate, observed }) {
    // What `observe` gave.
    const usesOf = new Map((observed as readonly ObservedUse[]).map(({ name, uses }) => [name, uses]));
    for (const exception of estate.inventory?.exceptions ?? []) {
      if (exception.expires < estate.today) continue;
      const meant = estate.hosts.filter((host) => exceptionAppliesTo(exception, host));
      const uses = meant.map((host) => usesOf.get(host.name)?.get(exception.id));
      if (uses.length === 0 || uses.some((use) => use === undefined || use === 'used')) continue;
      yield evidence({
        host: null,
        origin: plainOrigin(exception.origin),
        facts: {
          name: exception.id,
          hosts: listed(meant.map(({ name }) => name)),
          owner: exception.owner || 'nobody named',
          kind: ALIKE.find((kind) => uses.every((use) => use === kind)) ?? 'closed',
        },
        meaning: [exception.id],
      });
    }
  },
};

/** Kinds of use that are told apart where all hosts have them. */
const ALIKE: readonly ExceptionUse[] = ['needless', 'never-remote'];

/** Waivers in force that accept no finding, although their check ran and a host of theirs was audited. */
export const unusedWaiver: Evaluator = {
  scope: 'report',
  *run({ estate, hosts, findings, checks }) {
    const waivers = estate.inventory?.waivers ?? [];
    for (const waiver of applyWaivers(findings, waivers, estate.today).unused) {
      if (!checks.has(waiver.check) || !hosts.some((name) => isMeant(waiver, name))) continue;
      yield evidence({
        host: null,
        origin: plainOrigin(waiver.origin),
        facts: {
          name: waiver.check,
          where: waiver.host === undefined ? 'any host' : waiver.host,
          owner: waiver.owner || 'nobody named',
        },
        meaning: [waiver.check, waiver.host ?? '', waiver.fingerprint ?? '', waiver.reason],
      });
    }
  },
};
