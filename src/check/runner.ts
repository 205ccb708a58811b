import type { Remediation } from '../finding/index.ts';
import { type Finding, fingerprintOf } from '../finding/index.ts';
import { type CheckDefinition, messageTemplateOf, renderMessage, severityOf } from '../rulepack/index.ts';
import { EVALUATORS } from './evaluator/index.ts';
import type { Evidence } from './evidence.ts';
import type { HostContext } from './host-context.ts';
import type { Estate } from './peers.ts';

/** A check names an evaluator or options that do not exist: a defect of the rule pack. */
export class CheckBindingError extends Error {
  override readonly name = 'CheckBindingError';
}

/** What one host gave: findings of its own, and what checks about the run as a whole have to know of it, by check. */
export interface HostOutcome {
  readonly findings: readonly Finding[];
  readonly observed: ReadonlyMap<string, unknown>;
}

/** Findings of a check on one host, one after the other; none of a check of the run as a whole. */
export function* checkHost(context: HostContext, check: CheckDefinition): Iterable<Finding> {
  const evaluator = evaluatorOf(check);
  if (evaluator.scope !== 'host') return;
  for (const e of evaluator.run(context, check.options)) yield toFinding(check, e, context.host.roles);
}

/** What a check of the run as a whole has to know of one host; `undefined` for all others. */
export function observeHost(
  context: HostContext,
  check: CheckDefinition,
): { readonly value: unknown } | undefined {
  const evaluator = evaluatorOf(check);
  if (evaluator.scope !== 'run' || evaluator.observe === undefined) return undefined;
  return { value: evaluator.observe(context, check.options) };
}

/** Findings of all checks about the run as a whole. `hosts`: what the judged hosts gave. */
export function checkRun(
  estate: Estate,
  hosts: readonly HostOutcome[],
  checks: readonly CheckDefinition[],
): Finding[] {
  const rolesOf = new Map(estate.hosts.map(({ name, roles }) => [name, roles]));
  return checks.flatMap((check) => {
    const evaluator = evaluatorOf(check);
    if (evaluator.scope !== 'run') return [];
    const observed = hosts.filter((h) => h.observed.has(check.id)).map((h) => h.observed.get(check.id));
    return [...evaluator.run({ estate, observed }, check.options)].map((e) =>
      toFinding(check, e, e.host === null ? [] : (rolesOf.get(e.host) ?? [])),
    );
  });
}

function evaluatorOf(check: CheckDefinition) {
  const evaluator = EVALUATORS.get(check.evaluate);
  if (evaluator === undefined) {
    const known = [...EVALUATORS.keys()].join(', ');
    throw new CheckBindingError(
      `check ${check.id} names the evaluator ${check.evaluate}; there are ${known}`,
    );
  }
  return evaluator;
}

function toFinding(check: CheckDefinition, evidence: Evidence, roles: readonly string[]): Finding {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(evidence.facts)) texts[name] = String(value);
  const remediation: Remediation = {
    text: renderMessage(check.remediation, texts),
    commands: evidence.commands,
    ...(evidence.note === undefined ? {} : { note: evidence.note }),
  };
  return {
    check: check.id,
    severity: severityOf(check, evidence.facts),
    certainty: evidence.certainty,
    host: evidence.host,
    roles,
    hook: evidence.hook,
    title: check.title,
    message: renderMessage(messageTemplateOf(check, evidence.facts), texts),
    why: check.rationale.trim(),
    origin: evidence.origin,
    related: evidence.related,
    exposure: evidence.exposure,
    witness: evidence.witness,
    unknowns: evidence.unknowns,
    remediation,
    references: check.references,
    fingerprint: fingerprintOf({
      host: evidence.host,
      check: check.id,
      hook: evidence.hook,
      meaning: evidence.meaning,
    }),
    suppression: null,
  };
}
