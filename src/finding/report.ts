import type { ParseDiagnostic } from '../model/index.ts';
import type { BaselineEntry } from './baseline.ts';
import type { Finding, Severity } from './finding.ts';

/** One input file and what became of it. */
export interface ReportInput {
  readonly file: string;
  /** Detected format, or a short name of what the file is instead (`iptables -L listing`, `empty file`, `binary data`). */
  readonly format: string;
  readonly host: string | null;
  /** Whether everything in it was read. */
  readonly whole: boolean;
  /** Number of rules read from it. */
  readonly rules: number;
}

export interface ReportHost {
  readonly name: string;
  readonly roles: readonly string[];
  /** How the roles are known: from the configuration, guessed from the name, or not at all. */
  readonly roleSource: 'configuration' | 'name' | 'unknown';
  /** Whether role-dependent checks ran, all of them, and if not, why not and what to do. */
  readonly judged: boolean;
  readonly judgedNote: string | null;
  /** Checks that did not run to their end on it; what they found until then is among the findings. */
  readonly notRun: readonly ReportNotRun[];
  /** What the answer takes for granted: reverse-path checks pass, the role guessed from the name. */
  readonly assumptions: readonly string[];
  /** Number of rules over all its exports. */
  readonly rules: number;
}

/** A check that did not run to its end on a host, since that would have taken more memory or time than one host may. */
export interface ReportNotRun {
  /** Its id. */
  readonly check: string;
  /** Which limit, as a part of a sentence. */
  readonly reason: string;
}

/** A check that ran, as SARIF and the documentation need it. */
export interface ReportCheck {
  readonly id: string;
  readonly title: string;
  /** Highest severity a finding of this check can have. */
  readonly severity: Severity;
  readonly rationale: string;
  readonly remediation: string;
  readonly references: readonly string[];
  /** The user's rule pack it comes from, as `--rules` names it; `null` for the built-in one. */
  readonly pack: string | null;
}

export interface ReportSummary {
  readonly hosts: number;
  readonly judgedHosts: number;
  readonly files: number;
  readonly rules: number;
  /** Unsuppressed findings by severity. */
  readonly findings: Readonly<Record<Severity, number>>;
  readonly suppressed: number;
  /** Unsuppressed findings that reach the `failOn` severity. */
  readonly failing: number;
  readonly failOn: Severity;
  /** Whether nothing was read, some input was not read whole, or some check did not run on some host. */
  readonly incomplete: boolean;
  /** Whether exit code 3 was lifted: by `--allow-incomplete`, or by a waiver for every input not read whole. */
  readonly incompleteAllowed: boolean;
  /** Hosts on which some check did not run. */
  readonly unfinishedHosts: number;
  /** Those of them that a waiver accepts. */
  readonly unfinishedWaived: number;
  /** Files of which something was not read. */
  readonly unreadFiles: number;
  /** Those of them that a waiver accepts. */
  readonly unreadWaived: number;
}

/** What a baseline did. */
export interface ReportBaseline {
  readonly file: string;
  /** Whether this run has written it: then it accepts everything that it may. */
  readonly recorded: boolean;
  /** Findings it accepts; those that a waiver accepts besides are not among them. */
  readonly accepted: number;
  /** Findings that are recorded as less severe than they are now, and count. */
  readonly risen: number;
  /** Findings that go further than recorded: more sources, ports or peers. They count. */
  readonly widened: number;
  /** Recorded findings that are gone: what `--write-baseline` would drop. */
  readonly unused: readonly BaselineEntry[];
  /** Recorded findings of checks or hosts that this run did not look at. */
  readonly notLookedAt: readonly BaselineEntry[];
}

/** Exit codes of `scan` (design.md, 4). */
export type ExitCode = 0 | 1 | 2 | 3 | 70;

/** Everything an output format may use. Findings are sorted: host, severity descending, place, check. */
export interface Report {
  readonly tool: { readonly name: 'nwaudit'; readonly version: string };
  readonly profile: { readonly name: string; readonly description: string };
  readonly inputs: readonly ReportInput[];
  readonly hosts: readonly ReportHost[];
  readonly checks: readonly ReportCheck[];
  readonly findings: readonly Finding[];
  readonly diagnostics: readonly ParseDiagnostic[];
  /** What to write into nwaudit.yaml to learn more; one hint each. */
  readonly hints: readonly string[];
  /** `null` without `--baseline`. */
  readonly baseline: ReportBaseline | null;
  readonly summary: ReportSummary;
  readonly exitCode: ExitCode;
}
