import type { Remediation } from '../finding/index.ts';
import { type Finding, fingerprintOf } from '../finding/index.ts';
import {
  type CheckDefinition,
  type Decoder,
  MissingFactError,
  messageTemplateOf,
  renderMessage,
  severityOf,
  suggest,
} from '../rulepack/index.ts';
import { readDataCheck, runDataCheck } from './data-check.ts';
import { EVALUATORS, type ReportContext } from './evaluator/index.ts';
import type { Evidence } from './evidence.ts';
import type { HostContext } from './host-context.ts';
import type { Estate } from './peers.ts';

/** A check names an evaluator or options that do not exist: a defect of the rule pack. */
export class CheckBindingError extends Error {
  override readonly name = 'CheckBindingError';
}

/**
 * Looks at what only this folder knows about a check of a rule pack: whether its evaluator exists, or its predicates with their options.
 * Problems go to the decoder.
 */
export function bindCheck(check: CheckDefinition, decoder: Decoder): void {
  if (check.when !== undefined) readDataCheck(check, decoder);
  else if (check.evaluate !== undefined && check.evaluate !== '' && !EVALUATORS.has(check.evaluate))
    decoder.report(
      ['evaluate'],
      `there is no such evaluator; ${suggest(check.evaluate, [...EVALUATORS.keys()])}`,
    );
}

/** What one host gave: findings of its own, and what checks about the run as a whole have to know of it, by check. */
export interface HostOutcome {
  readonly findings: readonly Finding[];
  readonly observed: ReadonlyMap<string, unknown>;
}

/** Findings of a check on one host, one after the other; none of a check of the run as a whole. */
export function* checkHost(context: HostContext, check: CheckDefinition): Iterable<Finding> {
  const evaluator = check.when === undefined ? evaluatorOf(check) : undefined;
  if (evaluator?.scope === 'run' || evaluator?.scope === 'report') return;
  const run = () => evaluator?.run(context, check.options) ?? runDataCheck(context, check);
  yield* findingsOf(check, run, () => context.host.roles);
}

/** What a check of the run as a whole has to know of one host; `undefined` for all others. */
export function observeHost(
  context: HostContext,
  check: CheckDefinition,
): { readonly value: unknown } | undefined {
  const evaluator = check.when === undefined ? evaluatorOf(check) : undefined;
  if (evaluator?.scope !== 'run' || evaluator.observe === undefined) return undefined;
  return { value: evaluator.observe(context, check.options) };
}

/** Findings of all checks about the run as a whole. `hosts`: what the judged hosts gave. */
export function checkRun(
  estate: Estate,
  hosts: readonly HostOutcome[],
  checks: readonly CheckDefinition[],
): Finding[] {
  const rolesOfHost = rolesByName(estate);
  return checks.flatMap((check) => {
    if (check.when !== undefined) return [];
    const evaluator = evaluatorOf(check);
    if (evaluator.scope !== 'run') return [];
    const observed = hosts.filter((h) => h.observed.has(check.id)).map((h) => h.observed.get(check.id));
    return [...findingsOf(check, () => evaluator.run({ estate, observed }, check.options), rolesOfHost)];
  });
}

/** Findings about what was found: of the checks that are asked when all others have run, in their order. Each sees those of the ones before. */
export function checkReport(context: ReportContext, checks: readonly CheckDefinition[]): Finding[] {
  const rolesOf = rolesByName(context.estate);
  const found: Finding[] = [];
  for (const check of checks) {
    if (check.when !== undefined) continue;
    const evaluator = evaluatorOf(check);
    if (evaluator.scope !== 'report') continue;
    const sofar = { ...context, findings: [...context.findings, ...found] };
    found.push(...findingsOf(check, () => evaluator.run(sofar, check.options), rolesOf));
  }
  return found;
}

function rolesByName({ hosts }: Estate): (host: string | null) => readonly string[] {
  const rolesOf = new Map(hosts.map(({ name, roles }) => [name, roles]));
  return (host) => (host === null ? [] : (rolesOf.get(host) ?? []));
}

/**
 * Findings from the evidence.
 *
 * @throws CheckBindingError where a user's check takes options or names facts that its evaluator does not have.
 */
function* findingsOf(
  check: CheckDefinition,
  run: () => Iterable<Evidence>,
  rolesOf: (host: string | null) => readonly string[],
): Iterable<Finding> {
  try {
    for (const one of run()) yield toFinding(check, one, rolesOf(one.host));
  } catch (error) {
    const isOption = error instanceof RangeError && error.message.startsWith('option ');
    if (check.pack === undefined || !(isOption || error instanceof MissingFactError)) throw error;
    throw new CheckBindingError(`${check.source.file}: check ${check.id}: ${error.message}`);
  }
}

function evaluatorOf(check: CheckDefinition) {
  const evaluator = EVALUATORS.get(check.evaluate ?? '');
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
    ...(evidence.extent === undefined ? {} : { extent: evidence.extent }),
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
