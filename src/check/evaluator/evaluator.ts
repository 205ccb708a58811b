import type { Finding } from '../../finding/index.ts';
import type { Evidence } from '../evidence.ts';
import type { HostContext } from '../host-context.ts';
import type { Estate } from '../peers.ts';

/** The whole run, for evaluators that look at no single host's rules. */
export interface RunContext {
  readonly estate: Estate;
  /** What the evaluator's `observe` gave for each judged host, in the order of the hosts. */
  readonly observed: readonly unknown[];
}

/** Everything that was found, for evaluators that look at findings. */
export interface ReportContext {
  readonly estate: Estate;
  /** Names of the audited hosts. */
  readonly hosts: readonly string[];
  /** Findings of all hosts and of the run. */
  readonly findings: readonly Finding[];
  /** Ids of the checks that ran. */
  readonly checks: ReadonlySet<string>;
}

/**
 * The logic of a check. Yields evidence: places and facts. It builds no sentence, picks no severity, and looks at no
 * waiver; the check's YAML and the runner do.
 */
export type Evaluator =
  | {
      readonly scope: 'host';
      /** `options` as the check's YAML has them. Throws a RangeError for options it does not know. */
      readonly run: (context: HostContext, options: unknown) => Iterable<Evidence>;
    }
  | {
      readonly scope: 'run';
      /**
       * What of one host the run has to know: plain data, since the host's packet sets are gone by then. Absent for evaluators that look at
       * no host's rules.
       */
      readonly observe?: (context: HostContext, options: unknown) => unknown;
      readonly run: (context: RunContext, options: unknown) => Iterable<Evidence>;
    }
  | {
      /** Asked last, when all other findings are there. */
      readonly scope: 'report';
      readonly run: (context: ReportContext, options: unknown) => Iterable<Evidence>;
    };

/** The string option `name`, one of `allowed`. */
export function choiceOption<T extends string>(options: unknown, name: string, allowed: readonly T[]): T {
  const value =
    typeof options === 'object' && options !== null
      ? new Map<string, unknown>(Object.entries(options)).get(name)
      : undefined;
  const found = allowed.find((choice) => choice === value);
  if (found === undefined) throw new RangeError(`option ${name} must be one of ${allowed.join(', ')}`);
  return found;
}
