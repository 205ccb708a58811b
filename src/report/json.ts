import {
  type Exposure,
  type Finding,
  type FindingOrigin,
  type Remediation,
  type Report,
  type ReportBaseline,
  type ReportCheck,
  type ReportHost,
  type ReportInput,
  type ReportSummary,
  type Severity,
  type Suppression,
  stringifyVisibly,
  type Witness,
} from '../finding/index.ts';
import type { ParseDiagnostic } from '../model/index.ts';
import { type ReportOptions, shownFindings } from './options.ts';

/**
 * Version of the JSON report. Raised when a reader of the old form could break: a key goes, changes its
 * meaning or its type. New keys do not raise it. Described by rules/schema/report.schema.json.
 */
export const JSON_SCHEMA_VERSION = 1;

// The types below are the published form. They repeat the internal ones on purpose: renaming something inside
// must not reach a reader of the report.

export interface JsonReport {
  readonly schemaVersion: typeof JSON_SCHEMA_VERSION;
  readonly tool: { readonly name: string; readonly version: string };
  readonly profile: { readonly name: string; readonly description: string };
  readonly inputs: readonly JsonInput[];
  readonly hosts: readonly JsonHost[];
  readonly checks: readonly JsonCheck[];
  readonly findings: readonly JsonFinding[];
  readonly diagnostics: readonly JsonDiagnostic[];
  /** Only with `--baseline` or `--write-baseline`. */
  readonly baseline?: JsonBaseline;
  readonly summary: JsonSummary;
  readonly exitCode: number;
}

export interface JsonInput {
  readonly file: string;
  readonly format: string;
  readonly host: string | null;
  readonly whole: boolean;
  readonly rules: number;
}

export interface JsonHost {
  readonly name: string;
  readonly roles: readonly string[];
  readonly roleSource: 'configuration' | 'name' | 'unknown';
  readonly judged: boolean;
  readonly judgedNote: string | null;
  readonly notRun: readonly { readonly check: string; readonly reason: string }[];
  readonly assumptions: readonly string[];
  readonly rules: number;
}

export interface JsonCheck {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly rationale: string;
  readonly remediation: string;
  readonly references: readonly string[];
  readonly pack: string | null;
}

export interface JsonPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly path: string | null;
}

export interface JsonOrigin extends JsonPlace {
  readonly family: string | null;
  readonly table: string | null;
  readonly chain: string | null;
  readonly rule: string | null;
  readonly handle: number | null;
}

export interface JsonFinding {
  readonly check: string;
  readonly severity: Severity;
  readonly certainty: 'certain' | 'possible';
  readonly host: string | null;
  readonly roles: readonly string[];
  readonly hook: 'input' | 'forward' | 'output' | null;
  readonly title: string;
  readonly message: string;
  readonly why: string;
  readonly origin: JsonOrigin | null;
  readonly related: readonly { readonly label: string; readonly origin: JsonOrigin }[];
  readonly exposure: {
    readonly saddr: readonly string[];
    readonly except: readonly string[];
    readonly proto: readonly string[];
    readonly dport: readonly string[];
    readonly addresses: string;
    readonly ports: number;
  } | null;
  readonly witness: Readonly<Record<string, string | number | readonly string[]>> | null;
  readonly unknowns: readonly string[];
  readonly remediation: {
    readonly text: string;
    readonly commands: readonly {
      readonly dialect: string;
      readonly replace: string | null;
      readonly with: readonly string[];
      readonly command: string;
    }[];
    readonly note: string | null;
  } | null;
  readonly references: readonly string[];
  readonly fingerprint: string;
  readonly suppression: {
    readonly kind: 'waiver' | 'baseline';
    readonly reason: string;
    readonly owner: string | null;
    readonly expires: string | null;
  } | null;
}

export interface JsonDiagnostic {
  readonly kind: string;
  readonly incomplete: boolean;
  readonly detail: string;
  readonly origin: JsonPlace;
}

export interface JsonBaseline {
  readonly file: string;
  readonly recorded: boolean;
  readonly accepted: number;
  readonly risen: number;
  readonly widened: number;
  readonly unused: readonly {
    readonly host: string | null;
    readonly check: string;
    readonly severity: Severity;
    readonly message: string;
    readonly fingerprint: string;
  }[];
  readonly notLookedAt: number;
}

export interface JsonSummary {
  readonly hosts: number;
  readonly judgedHosts: number;
  readonly files: number;
  readonly rules: number;
  readonly findings: Readonly<Record<Severity, number>>;
  readonly suppressed: number;
  readonly failing: number;
  readonly failOn: Severity;
  readonly incomplete: boolean;
  readonly incompleteAllowed: boolean;
  readonly unfinishedHosts: number;
  readonly unfinishedWaived: number;
  readonly unreadFiles: number;
  readonly unreadWaived: number;
}

/** The report as JSON text, ending in a line feed. Keys come in a fixed order. */
export function jsonReport(report: Report, options: ReportOptions): string {
  return `${stringifyVisibly(toJsonReport(report, options), 2)}\n`;
}

/** The report in its published form. */
export function toJsonReport(report: Report, options: ReportOptions): JsonReport {
  return {
    schemaVersion: JSON_SCHEMA_VERSION,
    tool: { name: report.tool.name, version: report.tool.version },
    profile: { name: report.profile.name, description: report.profile.description },
    inputs: report.inputs.map(toJsonInput),
    hosts: report.hosts.map(toJsonHost),
    checks: report.checks.map(toJsonCheck),
    findings: shownFindings(report, options).map(toJsonFinding),
    diagnostics: report.diagnostics.map(toJsonDiagnostic),
    ...(report.baseline === null ? {} : { baseline: toJsonBaseline(report.baseline) }),
    summary: toJsonSummary(report.summary),
    exitCode: report.exitCode,
  };
}

function toJsonBaseline(baseline: ReportBaseline): JsonBaseline {
  const { file, recorded, accepted, risen, widened, unused, notLookedAt } = baseline;
  return {
    file,
    recorded,
    accepted,
    risen,
    widened,
    unused: unused.map(({ host, check, severity, message, fingerprint }) => ({
      host,
      check,
      severity,
      message,
      fingerprint,
    })),
    notLookedAt: notLookedAt.length,
  };
}

function toJsonInput({ file, format, host, whole, rules }: ReportInput): JsonInput {
  return { file, format, host, whole, rules };
}

function toJsonHost(host: ReportHost): JsonHost {
  const { name, roles, roleSource, judged, judgedNote, assumptions, rules } = host;
  const notRun = host.notRun.map(({ check, reason }) => ({ check, reason }));
  return { name, roles, roleSource, judged, judgedNote, notRun, assumptions, rules };
}

function toJsonCheck(check: ReportCheck): JsonCheck {
  const { id, title, severity, rationale, remediation, references, pack } = check;
  return { id, title, severity, rationale, remediation, references, pack };
}

function toJsonPlace({ file, line, column, endLine, endColumn, path }: JsonPlace): JsonPlace {
  return { file, line, column, endLine, endColumn, path };
}

function toJsonOrigin(origin: FindingOrigin): JsonOrigin {
  const { family, table, chain, rule, handle } = origin;
  return { ...toJsonPlace(origin), family, table, chain, rule, handle: handle ?? null };
}

/** One finding in its published form; also what `diff` and other outputs show. */
export function toJsonFinding(finding: Finding): JsonFinding {
  return {
    check: finding.check,
    severity: finding.severity,
    certainty: finding.certainty,
    host: finding.host,
    roles: finding.roles,
    hook: finding.hook,
    title: finding.title,
    message: finding.message,
    why: finding.why,
    origin: finding.origin === null ? null : toJsonOrigin(finding.origin),
    related: finding.related.map(({ label, origin }) => ({ label, origin: toJsonOrigin(origin) })),
    exposure: finding.exposure === null ? null : toJsonExposure(finding.exposure),
    witness: finding.witness === null ? null : toJsonWitness(finding.witness),
    unknowns: finding.unknowns,
    remediation: finding.remediation === null ? null : toJsonRemediation(finding.remediation),
    references: finding.references,
    fingerprint: finding.fingerprint,
    suppression: finding.suppression === null ? null : toJsonSuppression(finding.suppression),
  };
}

function toJsonExposure({
  saddr,
  except,
  proto,
  dport,
  addresses,
  ports,
}: Exposure): JsonFinding['exposure'] {
  return { saddr, except, proto, dport, addresses, ports };
}

/** The fields `trace` takes, without the absent ones, so that the object can be handed to it as it is. */
function toJsonWitness(witness: Witness): Record<string, string | number | readonly string[]> {
  const fields = {
    hook: witness.hook,
    saddr: witness.saddr,
    daddr: witness.daddr,
    proto: witness.proto,
    sport: witness.sport,
    dport: witness.dport,
    icmp_type: witness.icmp_type,
    icmp_code: witness.icmp_code,
    iif: witness.iif,
    oif: witness.oif,
    tcp_flags: witness.tcp_flags,
    ct_state: witness.ct_state,
    mark: witness.mark,
    smac: witness.smac,
  };
  const present: Record<string, string | number | readonly string[]> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) present[name] = value;
  return present;
}

function toJsonRemediation({ text, commands, note }: Remediation): JsonFinding['remediation'] {
  return {
    text,
    commands: commands.map((one) => ({
      dialect: one.dialect,
      replace: one.replace,
      with: one.with,
      command: one.command,
    })),
    note: note ?? null,
  };
}

function toJsonSuppression({ kind, reason, owner, expires }: Suppression): JsonFinding['suppression'] {
  return { kind, reason, owner, expires };
}

function toJsonDiagnostic({ kind, incomplete, detail, origin }: ParseDiagnostic): JsonDiagnostic {
  return { kind, incomplete, detail, origin: toJsonPlace(origin) };
}

function toJsonSummary(summary: ReportSummary): JsonSummary {
  const { info, low, medium, high, critical } = summary.findings;
  return {
    hosts: summary.hosts,
    judgedHosts: summary.judgedHosts,
    files: summary.files,
    rules: summary.rules,
    findings: { critical, high, medium, low, info },
    suppressed: summary.suppressed,
    failing: summary.failing,
    failOn: summary.failOn,
    incomplete: summary.incomplete,
    incompleteAllowed: summary.incompleteAllowed,
    unfinishedHosts: summary.unfinishedHosts,
    unfinishedWaived: summary.unfinishedWaived,
    unreadFiles: summary.unreadFiles,
    unreadWaived: summary.unreadWaived,
  };
}
