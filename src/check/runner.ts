import type { Remediation } from '../finding/index.ts';
import { type Finding, fingerprintOf } from '../finding/index.ts';
import { type CheckDefinition, messageTemplateOf, renderMessage, severityOf } from '../rulepack/index.ts';
import { EVALUATORS, type RunContext } from './evaluator/index.ts';
import type { Evidence } from './evidence.ts';
import type { HostContext } from './host-context.ts';

/** A check names an evaluator or options that do not exist: a defect of the rule pack. */
export class CheckBindingError extends Error {
  override readonly name = 'CheckBindingError';
}

/** Findings of all host-scoped checks on one host. */
export function checkHost(context: HostContext, checks: readonly CheckDefinition[]): Finding[] {
  return checks.flatMap((check) => {
    const evaluator = evaluatorOf(check);
    if (evaluator.scope !== 'host') return [];
    return [...evaluator.run(context, check.options)].map((e) => toFinding(check, e, context.host.roles));
  });
}

/** Findings of all checks about the run as a whole. */
export function checkRun(context: RunContext, checks: readonly CheckDefinition[]): Finding[] {
  return checks.flatMap((check) => {
    const evaluator = evaluatorOf(check);
    if (evaluator.scope !== 'run') return [];
    return [...evaluator.run(context, check.options)].map((e) => toFinding(check, e, []));
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
