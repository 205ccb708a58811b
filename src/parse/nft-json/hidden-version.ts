/**
 * Tests of the IP version that nft 1.0.6 does not print.
 *
 * In a table of family inet, `meta nfproto ipv4 reject with tcp reset` is printed as `meta l4proto tcp reject with tcp reset`, and
 * `meta nfproto ipv4 meta l4proto icmp` as `meta l4proto icmp`: nft takes the test for one that it added itself. The same text
 * stands for rules that have no such test. Seen with nft and the kernel. Source: nftables src/netlink_delinearize.c, stmt_reject_postprocess(),
 * and src/payload.c, payload_dependency_kill().
 */
import type { Condition } from '../../model/index.ts';
import { ICMP, ICMPV6, type IpVersion } from '../../net/index.ts';
import { all, any, unknown, versionIs } from './conditions.ts';
import type { Step } from './steps.ts';

/** As much of a statement as is looked at. */
interface Printed {
  readonly text: string;
  readonly steps: readonly Step[];
}

/** Conditions to be put in front of statements of a rule, by the statement's index: that it may be for one IP version only. */
export function hiddenVersions(statements: readonly Printed[]): ReadonlyMap<number, Condition> {
  const found = new Map<number, Condition>();
  for (const [index, { text, steps }] of statements.entries()) {
    const condition = hiddenVersion(text, steps);
    if (condition !== undefined) found.set(index, condition);
  }
  if (found.size > 0 && statements.some(({ steps }) => steps.some(tellsVersion))) found.clear();
  return found;
}

function hiddenVersion(text: string, steps: readonly Step[]): Condition | undefined {
  const resets = steps.some(
    (step) => step.kind === 'end' && step.verdict.kind === 'reject' && step.verdict.with === 'tcp reset',
  );
  if (resets) return any(maybeFor(4, text), maybeFor(6, text));
  if (!text.startsWith('meta l4proto ')) return undefined;
  const only = steps.length === 1 ? steps[0] : undefined;
  const condition = only?.kind === 'match' ? only.match.condition : undefined;
  if (condition?.kind !== 'field' || condition.field !== 'protocol' || condition.values.length !== 1)
    return undefined;
  const { lo, hi } = condition.values[0]!;
  const own = lo !== hi ? undefined : lo === BigInt(ICMP) ? 4 : lo === BigInt(ICMPV6) ? 6 : undefined;
  if (own === undefined) return undefined;
  // A test that its own version hides; the other version has no such packets that anybody sends.
  return any(versionIs(own), maybeFor(own === 4 ? 6 : 4, text));
}

function maybeFor(version: IpVersion, text: string): Condition {
  return all(versionIs(version), unknown('deterministic', `"${text}" is meant for IPv${version}`));
}

function tellsVersion(step: Step): boolean {
  return step.kind === 'match' && tells(step.match.condition);
}

function tells(condition: Condition): boolean {
  switch (condition.kind) {
    case 'version':
    case 'address':
      return true;
    case 'all':
      return condition.of.some(tells);
    case 'any':
      return condition.of.length > 0 && condition.of.every(tells);
    default:
      return false;
  }
}
