import type { Invocation, Log, Notification, Result, Run } from 'sarif';
import {
  FINGERPRINT_VERSION,
  type Finding,
  numberOccurrences,
  type Report,
  type ReportBaseline,
  type Suppression,
  severityRank,
  stringifyVisibly,
} from '../finding/index.ts';
import { listWords } from './layout.ts';
import { type ReportOptions, shownFindings } from './options.ts';
import {
  type ArtifactIndex,
  artifactLocation,
  findingLocation,
  messageText,
  originLocation,
  regionOf,
  truncate,
  uriOf,
} from './sarif-location.ts';
import {
  NOTIFICATION_KINDS,
  type NotificationKind,
  notificationDescriptors,
  rulesOf,
  SARIF_LEVEL,
  SECURITY_SEVERITY,
} from './sarif-rules.ts';
import { describeWitness } from './text-finding.ts';

/** Results in one run. GitHub shows the first 5,000, GitLab takes no more. */
const MAX_RESULTS = 5000;

/** Notifications in one run; further diagnostics are counted. */
const MAX_NOTIFICATIONS = 1000;

/** Related places of one result. */
const MAX_RELATED = 50;

/** The report as SARIF 2.1.0 text, for code-scanning services. Without indentation: GitLab takes 10 MB, not compressed. */
export function sarifReport(report: Report, options: ReportOptions): string {
  return `${stringifyVisibly(toSarif(report, options), 0)}\n`;
}

/** The report as a SARIF log of one run. */
export function toSarif(report: Report, options: ReportOptions): Log {
  const run: Run = runOf(report, options);
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [run],
  };
}

function runOf(report: Report, options: ReportOptions): Run {
  const artifacts: ArtifactIndex = new Map(report.inputs.map((input, i) => [input.file, i]));
  const { rules, indexOf } = rulesOf(report);
  const { findings, leftOut } = selectFindings(report, options);
  const numbers = numberOccurrences(findings.map((finding) => `${finding.check} ${finding.fingerprint}`));
  const category = options.sarifCategory === undefined ? '' : `${encodeURIComponent(options.sarifCategory)}/`;
  return {
    tool: {
      driver: {
        name: report.tool.name,
        fullName: 'nwaudit firewall auditor for NetWorker',
        semanticVersion: report.tool.version,
        version: report.tool.version,
        rules,
        notifications: notificationDescriptors(),
      },
    },
    automationDetails: { id: `nwaudit/${category}` },
    columnKind: 'utf16CodeUnits',
    invocations: [invocationOf(report, leftOut, artifacts)],
    artifacts: report.inputs.map((input) => ({
      location: { uri: uriOf(input.file).uri },
      roles: ['analysisTarget'],
      properties: { format: input.format, host: input.host, whole: input.whole, rules: input.rules },
    })),
    results: findings.map((finding, i) =>
      resultOf(finding, numbers[i] ?? 1, indexOf.get(finding.check) ?? -1, report, artifacts),
    ),
    properties: {
      profile: report.profile.name,
      summary: report.summary,
      ...(report.baseline === null ? {} : { baseline: baselineProperties(report.baseline) }),
    },
  };
}

/** The findings that become results: the worst first, suppressed ones last, as many as services take. */
function selectFindings(report: Report, options: ReportOptions): { findings: Finding[]; leftOut: number } {
  const shown = shownFindings(report, options).filter(
    (finding) => finding.suppression === null || options.sarifOmitSuppressed !== true,
  );
  const suppressedLast = (finding: Finding): number => (finding.suppression === null ? 0 : 1);
  shown.sort(
    (a, b) => suppressedLast(a) - suppressedLast(b) || severityRank(b.severity) - severityRank(a.severity),
  );
  return { findings: shown.slice(0, MAX_RESULTS), leftOut: Math.max(0, shown.length - MAX_RESULTS) };
}

function resultOf(
  finding: Finding,
  occurrence: number,
  ruleIndex: number,
  report: Report,
  artifacts: ArtifactIndex,
): Result {
  const score = SECURITY_SEVERITY[finding.severity];
  const digits = finding.fingerprint.slice(FINGERPRINT_VERSION.length + 1);
  const result: Result = {
    ruleId: finding.check,
    ruleIndex,
    kind: 'fail',
    level: SARIF_LEVEL[finding.severity],
    message: { text: resultText(finding) },
    locations: [findingLocation(finding, report, artifacts)],
    partialFingerprints: {
      primaryLocationLineHash: `${digits.slice(0, 16)}:${occurrence}`,
      [FINGERPRINT_VERSION]: `${digits}:${occurrence}`,
    },
    properties: propertiesOf(finding),
  };
  if (score !== undefined) result.rank = score * 10;
  if (finding.related.length > 0) {
    result.relatedLocations = finding.related.slice(0, MAX_RELATED).map(({ label, origin }, i) => ({
      id: i + 1,
      message: { text: messageText(label) },
      ...originLocation(origin, finding.host, artifacts),
    }));
  }
  // An empty list would say that suppressions are known and there is none; absent says nothing (SARIF 2.1.0, 3.27.23).
  if (finding.suppression !== null) result.suppressions = [suppressionOf(finding.suppression)];
  return result;
}

/** The message, then what it hangs on, an example, the advice, and links to the related places. */
function resultText(finding: Finding): string {
  const lines = [`${finding.message}${placeSuffix(finding)}`];
  if (finding.certainty === 'possible') {
    const unknowns = finding.unknowns.slice(0, 3).map((text) => `"${text.slice(0, 100)}"`);
    lines.push(
      `Possible, not certain: depends on ${listWords(unknowns) || 'something the exports do not show'}.`,
    );
  }
  if (finding.witness !== null) lines.push(`Example: ${describeWitness(finding.witness)}.`);
  if (finding.remediation !== null)
    lines.push(
      `Instead: ${[finding.remediation.text, finding.remediation.note ?? ''].join(' ').replace(/\s+/g, ' ').trim()}`,
    );
  const links = finding.related.slice(0, 3).map(({ label }, i) => {
    const text = messageText(label.slice(0, 80)).replace(/[\\[\]]/g, '\\$&');
    return `[${text}](${i + 1})`;
  });
  const related = links.length === 0 ? '' : `\nRelated: ${listWords(links)}.`;
  return `${truncate(lines.map(messageText).join('\n'), 1000 - related.length)}${related}`;
}

/**
 * ` (inet filter input, handle 12)` for a place in a structured document: it may stand on a line of many thousand characters, of
 * which code-scanning services show the beginning.
 */
function placeSuffix({ origin }: Finding): string {
  if (origin === null || origin.path === null || origin.table === null) return '';
  const chain = [origin.family, origin.table, origin.chain]
    .filter((part) => part !== null)
    .map((part) => part.slice(0, 80))
    .join(' ');
  return ` (${chain}${origin.handle === undefined ? '' : `, handle ${origin.handle}`})`;
}

function propertiesOf(finding: Finding): NonNullable<Result['properties']> {
  return {
    severity: finding.severity,
    certainty: finding.certainty,
    host: finding.host,
    roles: finding.roles,
    hook: finding.hook,
    ...(finding.exposure === null ? {} : { exposure: finding.exposure }),
    ...(finding.witness === null ? {} : { witness: finding.witness }),
    ...(finding.remediation === null
      ? {}
      : {
          commands: finding.remediation.commands
            .map((one) => one.command)
            .filter((command) => command !== ''),
        }),
    ...(finding.origin === null || finding.origin.path === null
      ? {}
      : { place: { path: finding.origin.path, handle: finding.origin.handle ?? null } }),
  };
}

function suppressionOf(suppression: Suppression): NonNullable<Result['suppressions']>[number] {
  const owner = suppression.owner === null ? '' : ` (${suppression.owner})`;
  const until = suppression.expires === null ? '' : `, until ${suppression.expires}`;
  const text = `${suppression.kind === 'waiver' ? 'Waiver' : 'Baseline'}: ${suppression.reason}${owner}${until}`;
  return { kind: 'external', status: 'accepted', justification: messageText(text) };
}

/** What became of the baseline, in numbers. */
function baselineProperties({ unused, notLookedAt, ...numbers }: ReportBaseline) {
  return { ...numbers, unused: unused.length, notLookedAt: notLookedAt.length };
}

// The run itself ----------------------------------------------------------------------------------------------

const EXIT_TEXT: Readonly<Record<Report['exitCode'], string>> = {
  0: 'everything asked for was read, and no finding counts as failing',
  1: 'at least one finding reaches the failing severity',
  2: 'wrong arguments, configuration or rule pack',
  3: 'the audit is incomplete: some input was not read, or some check not run',
  70: 'a defect of nwaudit itself',
};

function invocationOf(report: Report, leftOut: number, artifacts: ArtifactIndex): Invocation {
  const notifications = [...runNotifications(report, leftOut), ...diagnosticNotifications(report, artifacts)];
  return {
    executionSuccessful: report.exitCode === 0 || report.exitCode === 1,
    exitCode: report.exitCode,
    exitCodeDescription: EXIT_TEXT[report.exitCode],
    ...(notifications.length === 0 ? {} : { toolExecutionNotifications: notifications }),
  };
}

function notification(
  kind: NotificationKind,
  level: Notification['level'] & string,
  text: string,
): Notification {
  return {
    descriptor: { id: kind, index: NOTIFICATION_KINDS.indexOf(kind) },
    level,
    message: { text: messageText(text) },
  };
}

/** What the run as a whole has to say. */
function runNotifications(report: Report, leftOut: number): Notification[] {
  const list: Notification[] = [];
  if (report.inputs.length === 0)
    list.push(notification('nothing-read', 'error', 'No input was found; nothing was checked.'));
  const indexOf = new Map(report.checks.map((check, i) => [check.id, i]));
  for (const host of report.hosts) {
    for (const { check, reason } of host.notRun) {
      const text = `${check} was not run to its end on ${host.name}: ${reason}. What else it would find there is not known.`;
      const index = indexOf.get(check);
      list.push({
        ...notification('check-not-run', 'error', text),
        associatedRule: { id: check, ...(index === undefined ? {} : { index }) },
      });
    }
  }
  if (leftOut > 0) {
    list.push(
      notification(
        'results-left-out',
        'warning',
        `${leftOut} less severe results were left out of this file.`,
      ),
    );
  }
  const outside = report.inputs.filter((input) => uriOf(input.file).outside);
  if (outside.length > 0) {
    const text = `${outside.length} files lie outside the current folder; their paths are given without the leading "..".`;
    list.push(notification('outside-folder', 'warning', text));
  }
  return list;
}

/** One notification per diagnostic, those that cost something first, and one per file that no diagnostic explains. */
function diagnosticNotifications(report: Report, artifacts: ArtifactIndex): Notification[] {
  const explained = new Set(report.diagnostics.filter((one) => one.incomplete).map((one) => one.origin.file));
  const list: Notification[] = [];
  for (const input of report.inputs) {
    if (input.whole || explained.has(input.file)) continue;
    list.push({
      ...notification('not-read-whole', 'error', `${input.file} was not read whole (${input.format}).`),
      locations: [{ physicalLocation: { artifactLocation: artifactLocation(input.file, artifacts) } }],
    });
  }
  const sorted = [...report.diagnostics].sort((a, b) => Number(b.incomplete) - Number(a.incomplete));
  for (const { kind, incomplete, origin, detail } of sorted) {
    const level = incomplete ? 'error' : kind === 'note' ? 'note' : 'warning';
    list.push({
      ...notification(kind, level, detail),
      locations: [
        {
          physicalLocation: {
            artifactLocation: artifactLocation(origin.file, artifacts),
            region: regionOf(origin, null),
          },
        },
      ],
    });
  }
  if (list.length <= MAX_NOTIFICATIONS) return list;
  const cut = list.length - MAX_NOTIFICATIONS;
  const more = notification('note', 'warning', `${cut} further diagnostics were left out of this file.`);
  return [...list.slice(0, MAX_NOTIFICATIONS), more];
}
