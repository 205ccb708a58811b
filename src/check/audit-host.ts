/**
 * The checks of one host within its budgets.
 *
 * Packet sets of one host live in one space that all its checks share. A check that goes past a budget is tried once more in a space of
 * its own, where what others have left behind does not count; if it goes past the budget there too, what it has found so far stands
 * (each finding is true by itself), and the result says that it has not run to its end. Why so: docs/decisions/budgets.md.
 */
import type { Finding } from '../finding/index.ts';
import { EMPTY_RULESET, type ParseDiagnostic } from '../model/index.ts';
import { type CheckDefinition, REPORTS_GAPS } from '../rulepack/index.ts';
import { MOST_VISITS, tooLarge } from '../semantics/index.ts';
import { isNearlyUnused, limitReached, STEPS_OF_FURTHER_SPACES } from './budget.ts';
import { HostContext, type HostInput, type NotRunCheck } from './host-context.ts';
import type { Estate } from './peers.ts';
import { checkHost, type HostOutcome, observeHost } from './runner.ts';

/** What the checks of one host came to. */
export interface HostAudit extends HostOutcome {
  /** What the traversals had to leave open. */
  readonly troubles: readonly ParseDiagnostic[];
  /** Checks that went past a limit, in the order of their definitions. */
  readonly notRun: readonly NotRunCheck[];
}

/** Limits of one host's audit. */
export interface AuditLimits {
  /** Size limit of packet sets in diagram nodes; absent: the default. */
  readonly nodeBudget?: number | undefined;
  /** Size of the JavaScript heap in bytes. A host that may not fit into it is not judged. */
  readonly heapBytes: number;
  /** Findings of all checks together. */
  readonly findings: number;
}

/** Findings of one check on one host. Nobody reads more; corrected ones make room for others. */
export const MOST_FINDINGS_OF_CHECK = 10_000;

/** Runs all checks on one host. */
export function auditHost(
  input: HostInput,
  estate: Estate,
  checks: readonly CheckDefinition[],
  limits: AuditLimits,
): HostAudit {
  const reason = tooLarge(input.ruleset, limits.heapBytes);
  if (reason !== undefined) {
    const notRun = checks.filter((c) => c.evaluate !== REPORTS_GAPS).map((c) => ({ check: c.id, reason }));
    return {
      findings: findingsAboutGaps(input, estate, checks, notRun),
      observed: new Map(),
      troubles: [],
      notRun,
    };
  }
  const attempts = new Attempts(input, estate, limits);
  const notRun: NotRunCheck[] = [];
  const findings: Finding[] = [];
  const observed = new Map<string, unknown>();
  for (const check of checks) {
    if (check.evaluate === REPORTS_GAPS) continue;
    const most = Math.min(MOST_FINDINGS_OF_CHECK, limits.findings - findings.length);
    const outcome = attempts.run(check, most);
    for (const finding of outcome.findings) findings.push(finding);
    if (outcome.observed !== undefined) observed.set(check.id, outcome.observed.value);
    if (outcome.limit !== undefined) notRun.push({ check: check.id, reason: outcome.limit });
  }
  const troubles = attempts.finish();
  for (const finding of findingsAboutGaps(input, estate, checks, notRun)) findings.push(finding);
  return { findings, observed, troubles, notRun };
}

/** What is said of input that was not read and of checks that were not run. Asks no rule. */
function findingsAboutGaps(
  input: HostInput,
  estate: Estate,
  checks: readonly CheckDefinition[],
  notRun: readonly NotRunCheck[],
): Finding[] {
  const context = new HostContext({ ...input, ruleset: EMPTY_RULESET, notRun }, estate);
  const findings = checks.flatMap((c) => (c.evaluate === REPORTS_GAPS ? [...checkHost(context, c)] : []));
  context.release();
  return findings;
}

interface Outcome {
  readonly findings: readonly Finding[];
  /** What a check of the run as a whole has seen. */
  readonly observed?: { readonly value: unknown } | undefined;
  /** The limit that ended the check before its end. */
  readonly limit: string | undefined;
}

/** The spaces of one host, one after the other. */
class Attempts {
  readonly #input: HostInput;
  readonly #estate: Estate;
  readonly #limits: { readonly nodeBudget: number | undefined; readonly mostVisits: number };
  /** What goes past the budget even in a space of its own. */
  readonly #hopeless = new Map<string, Error>();
  readonly #troubles = new Map<string, ParseDiagnostic>();
  #context: HostContext;

  constructor(input: HostInput, estate: Estate, { nodeBudget, heapBytes }: AuditLimits) {
    this.#input = input;
    this.#estate = estate;
    this.#limits = { nodeBudget, mostVisits: Math.min(MOST_VISITS, Math.floor(heapBytes / BYTES_PER_VISIT)) };
    this.#context = new HostContext(input, estate, { ...this.#limits, hopeless: this.#hopeless });
  }

  /** Findings of one check, `most` of them at most. */
  run(check: CheckDefinition, most: number): Outcome {
    const hadAll = isNearlyUnused(this.#context.space);
    const first = this.#attempt(check, most);
    return first.limit === undefined || hadAll ? first : this.#attempt(check, most);
  }

  /** What the traversals of all spaces had to leave open. Lets go of the memory. */
  finish(): readonly ParseDiagnostic[] {
    this.#leave();
    return [...this.#troubles.values()];
  }

  #attempt(check: CheckDefinition, most: number): Outcome {
    const findings: Finding[] = [];
    try {
      for (const finding of checkHost(this.#context, check)) {
        if (findings.length >= most)
          return { findings, limit: `it has more findings than are listed, which are ${most}` };
        findings.push(finding);
      }
      return { findings, observed: observeHost(this.#context, check), limit: undefined };
    } catch (error) {
      const limit = limitReached(error);
      if (limit === undefined) throw error;
      // What a broken-off computation has left behind is not used again.
      this.#leave();
      this.#context = new HostContext(this.#input, this.#estate, {
        ...this.#limits,
        hopeless: this.#hopeless,
        stepsPerNode: STEPS_OF_FURTHER_SPACES,
      });
      return { findings, limit };
    }
  }

  #leave(): void {
    for (const d of this.#context.troubles()) this.#troubles.set(d.detail, d);
    this.#context.release();
  }
}

/** Heap that is set aside for a rule visit and what is decided there, in bytes. A choice, not a bound that was proved. */
const BYTES_PER_VISIT = 1_000;
