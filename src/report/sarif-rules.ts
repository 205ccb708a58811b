import type { ReportingDescriptor, Result } from 'sarif';
import {
  type Finding,
  type Report,
  type ReportCheck,
  type Severity,
  worstSeverity,
} from '../finding/index.ts';
import type { ParseDiagnostic } from '../model/index.ts';
import { messageText, truncate } from './sarif-location.ts';

/** SARIF has three levels; dashboards that show more read the score or the rank. */
export const SARIF_LEVEL: Readonly<Record<Severity, Result.level>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
};

/**
 * `security-severity` of a rule: GitHub shows above 9.0 as critical, from 7.0 as high, from 4.0 as medium, from
 * 0.1 as low. `info` has none. `result.rank` is ten times the score, since GitLab reads the rank first.
 */
export const SECURITY_SEVERITY: Readonly<Record<Severity, number | undefined>> = {
  critical: 9.5,
  high: 8,
  medium: 5.5,
  low: 2,
  info: undefined,
};

/** Weaknesses that GitLab files under secret detection: their tag would put a firewall finding in the wrong report. */
const SECRET_DETECTION_CWES = new Set(['256', '257', '259', '312', '319', '321', '522', '540', '798']);

/** The checks that ran as SARIF rules, in their order, and the place of each id in the list. */
export function rulesOf(report: Report): {
  rules: ReportingDescriptor[];
  indexOf: ReadonlyMap<string, number>;
} {
  const checks = [...report.checks];
  const indexOf = new Map(checks.map((check, i) => [check.id, i]));
  for (const finding of report.findings) {
    if (indexOf.has(finding.check)) continue;
    indexOf.set(finding.check, checks.length);
    checks.push(checkFromFinding(finding, report));
  }
  return { rules: checks.map(ruleOf), indexOf };
}

/** Stand-in for a check that the report does not list, so that no result is without its rule. */
function checkFromFinding(finding: Finding, report: Report): ReportCheck {
  const same = report.findings.filter((one) => one.check === finding.check).map((one) => one.severity);
  return {
    id: finding.check,
    title: finding.title,
    severity: worstSeverity(same) ?? finding.severity,
    rationale: finding.why,
    remediation: finding.remediation?.text ?? '',
    references: finding.references,
    pack: null,
  };
}

function ruleOf(check: ReportCheck): ReportingDescriptor {
  const score = SECURITY_SEVERITY[check.severity];
  return {
    id: check.id,
    name: truncate(displayName(check.id), 255),
    shortDescription: { text: messageText(sentence(check.title)) },
    fullDescription: { text: messageText(sentence(oneLine(check.rationale || check.title))) },
    help: { text: truncate(helpText(check), 8000), markdown: truncate(helpMarkdown(check), 8000) },
    defaultConfiguration: { level: SARIF_LEVEL[check.severity] },
    properties: {
      tags: tagsOf(check),
      precision: 'very-high',
      'problem.severity':
        SARIF_LEVEL[check.severity] === 'note' ? 'recommendation' : SARIF_LEVEL[check.severity],
      ...(score === undefined ? {} : { 'security-severity': score.toFixed(1) }),
      ...(check.pack === null ? {} : { pack: check.pack }),
    },
  };
}

function pascalCase(id: string): string {
  const words = id.split(/[^a-zA-Z0-9]+/).filter((word) => word !== '');
  return words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('');
}

/** A name that differs from the id even without regard to case (SARIF 2.1.0, 3.49.7). */
function displayName(id: string): string {
  const name = pascalCase(id);
  return name.toLowerCase() === id.toLowerCase() ? `${name}Check` : name;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** The text with a full stop, as SARIF viewers expect of a sentence. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function helpText(check: ReportCheck): string {
  const parts = [
    oneLine(check.rationale),
    check.remediation === '' ? '' : `What to do: ${oneLine(check.remediation)}`,
  ];
  if (check.references.length > 0) parts.push(`References: ${check.references.join('; ')}`);
  return parts.filter((part) => part !== '').join('\n\n') || sentence(check.title);
}

function helpMarkdown(check: ReportCheck): string {
  const parts = [`# ${check.title}`, check.rationale.trim()];
  if (check.remediation !== '') parts.push('## What to do', check.remediation.trim());
  if (check.references.length > 0) {
    parts.push('## References', check.references.map((reference) => `- ${reference}`).join('\n'));
  }
  return parts.filter((part) => part !== '').join('\n\n');
}

/** At most ten tags: GitHub shows ten and rejects more than twenty. */
function tagsOf(check: ReportCheck): string[] {
  const tags = ['security', 'firewall', 'networker'];
  for (const [, number = ''] of check.references.join('\n').matchAll(/\bCWE-(\d{1,5})\b/g)) {
    if (tags.length > 8 || SECRET_DETECTION_CWES.has(number) || tags.includes(`cwe-${number}`)) continue;
    tags.push(`external/cwe/cwe-${number}`, `cwe-${number}`);
  }
  return tags;
}

/** What a notification of each kind means. */
const NOTIFICATION_TEXT: Readonly<Record<NotificationKind, readonly [string, string]>> = {
  syntax: [
    'A line or element could not be read.',
    'Export the rule set again, and check that the file is complete.',
  ],
  unsupported: [
    'The input is of a kind that is not judged.',
    'Export with iptables-save, ip6tables-save, ipset save or nft -j list ruleset, or copy /etc/firewalld.',
  ],
  'unresolved-reference': [
    'Something names a chain or a set that the export does not contain.',
    'Export all tables, and the sets beside them.',
  ],
  contradiction: [
    'Two statements of the input cannot both hold.',
    'Export the rule set again from one host at one time.',
  ],
  note: ['Something in the input is worth knowing and costs nothing.', 'Nothing needs to be done.'],
  'not-read-whole': [
    'An input was not read whole.',
    'Findings may be missing. Give a complete export, or accept the gap with a waiver.',
  ],
  'check-not-run': [
    'A check did not run to its end on a host: it would have taken more memory or time than one host may.',
    'What else the check would find there is not known. A rule set with fewer unknown tests, marks and masks helps.',
  ],
  'nothing-read': ['No input was found.', 'Name the folder that holds the exports.'],
  'results-left-out': [
    'The report has more results than code-scanning services take.',
    'Read the JSON report for all.',
  ],
  'outside-folder': [
    'A file lies outside the current folder.',
    'Run nwaudit from the top of the repository, so that paths can be resolved.',
  ],
};

/** Everything the run can say about itself. */
export type NotificationKind =
  | ParseDiagnostic['kind']
  | 'not-read-whole'
  | 'check-not-run'
  | 'nothing-read'
  | 'results-left-out'
  | 'outside-folder';

/** All kinds, in the order of the descriptors. */
// Object.keys loses the key type; the record above has exactly these.
export const NOTIFICATION_KINDS = Object.keys(NOTIFICATION_TEXT) as NotificationKind[];

/** Descriptors of all notifications; with help, which GitHub's rules for SARIF ask for. */
export function notificationDescriptors(): ReportingDescriptor[] {
  return NOTIFICATION_KINDS.map((kind) => {
    const [what, help] = NOTIFICATION_TEXT[kind];
    return {
      id: kind,
      name: `${pascalCase(kind)}Notification`,
      shortDescription: { text: what },
      fullDescription: { text: `${what} ${help}` },
      help: { text: help, markdown: help },
    };
  });
}
