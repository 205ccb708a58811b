import { countBySeverity, escapeText, type Finding, type Report } from '../finding/index.ts';
import { count, listWords, painter, usableWidth, wrap } from './layout.ts';
import { type ReportOptions, shownFindings } from './options.ts';
import { findingLines, type TextContext } from './text-finding.ts';
import {
  assumptionSection,
  hintSection,
  notJudgedSection,
  notRunSection,
  remarksSection,
  unreadSection,
} from './text-gaps.ts';
import { describeCounts, groupByHost, RUN_GROUP } from './text-hosts.ts';
import { checkSection, exitLine, summarySection } from './text-totals.ts';

/** The report as people read it: findings by host, worst first, then what was not checked, then the totals. */
export function textReport(report: Report, options: ReportOptions): string {
  const context: TextContext = {
    width: usableWidth(options.width),
    paint: painter(options.color),
    told: new Set(),
  };
  const shown = shownFindings(report, options);
  const listed = shown.filter((finding) => options.showSuppressed || finding.suppression === null);
  const sections = [
    headSection(report, context),
    ...hostSections(report, listed, context),
    nothingFoundSection(report, context),
    leftOutSection(report, shown, options, context),
    baselineSection(report, context),
    commandsSection(listed, context),
    unreadSection(report, context),
    notRunSection(report, context),
    remarksSection(report, context),
    notJudgedSection(report, context),
    assumptionSection(report, context),
    hintSection(report, context),
    checkSection(report, context),
    summarySection(report, context),
    exitLine(report, context),
  ];
  return `${sections
    .filter((section) => section.length > 0)
    .map((section) => section.join('\n'))
    .join('\n\n')}\n`;
}

function headSection(report: Report, context: TextContext): string[] {
  const { summary } = report;
  const some = summary.judgedHosts === 0 ? 'none' : String(summary.judgedHosts);
  const judged = summary.judgedHosts === summary.hosts ? '' : `, ${some} of them judged by role`;
  const lines = [
    context.paint('heading', `nwaudit ${report.tool.version}, profile ${escapeText(report.profile.name)}`),
    `${count(summary.hosts, 'host')}${judged}; ${count(summary.files, 'file')}, ${count(summary.rules, 'rule')}, ${count(report.checks.length, 'check')}`,
  ];
  const counts = describeCounts(summary.findings);
  if (counts !== '') lines.push(`Findings: ${counts}`);
  if (summary.incomplete) {
    const gaps: string[] = [];
    if (summary.files === 0) gaps.push('nothing was read.');
    if (summary.unreadFiles > 0)
      gaps.push(
        `${summary.unreadFiles} of ${count(summary.files, 'file')} not read whole, see NOT READ WHOLE below.`,
      );
    if (summary.unfinishedHosts > 0)
      gaps.push(
        `checks not run to the end on ${count(summary.unfinishedHosts, 'host')}, see NOT RUN TO THE END below.`,
      );
    for (const gap of gaps) lines.push(context.paint('loud', `INCOMPLETE: ${gap}`));
  }
  return lines;
}

// Findings ----------------------------------------------------------------------------------------------------

function hostSections(report: Report, findings: readonly Finding[], context: TextContext): string[][] {
  const roles = new Map(report.hosts.map((host) => [host.name, host.roles]));
  return groupByHost(findings).map(({ host, findings: own }) => {
    const known = host === null ? [] : (roles.get(host) ?? []);
    const name = host === null ? RUN_GROUP : escapeText(host);
    const title = known.length === 0 ? name : `${name} (${known.map(escapeText).join(', ')})`;
    const active = own.filter((finding) => finding.suppression === null);
    const counts = describeCounts(countBySeverity(active)) || 'nothing that counts';
    const blocks = own.map((finding) => findingLines(finding, context).join('\n'));
    const rule = '-'.repeat(Math.min(context.width, [...title].length + counts.length + 2));
    return [context.paint('heading', `${title}: ${counts}`), rule, blocks.join('\n\n')];
  });
}

function nothingFoundSection(report: Report, context: TextContext): string[] {
  if (report.findings.some((finding) => finding.suppression === null)) return [];
  const { summary } = report;
  if (summary.files === 0) return [];
  const some = report.findings.length === 0 ? 'Nothing found' : 'Nothing that counts';
  const what = `${some} in what was checked: ${count(summary.rules, 'rule')} of ${count(summary.hosts, 'host')}, ${count(report.checks.length, 'check')}.`;
  const holes: string[] = [];
  if (summary.unreadFiles > 0) holes.push('part of the input was not read');
  if (summary.unfinishedHosts > 0)
    holes.push(`some checks were not run to the end on ${count(summary.unfinishedHosts, 'host')}`);
  if (summary.judgedHosts < summary.hosts) {
    holes.push(`${count(summary.hosts - summary.judgedHosts, 'host')} could not be judged by role`);
  }
  if (holes.length === 0) return [context.paint('good', what)];
  return [what, ...wrap(`This is no clean result: ${listWords(holes)} (below).`, context.width)];
}

/** Findings that exist but are not listed, and how to see them. */
function leftOutSection(
  report: Report,
  shown: readonly Finding[],
  options: ReportOptions,
  context: TextContext,
): string[] {
  const lines: string[] = [];
  const suppressed = shown.filter((finding) => finding.suppression !== null);
  const waived = suppressed.filter((finding) => finding.suppression?.kind === 'waiver').length;
  if (suppressed.length > 0 && !options.showSuppressed) {
    const parts = [
      waived === 0 ? '' : `${waived} waived`,
      waived === suppressed.length ? '' : `${suppressed.length - waived} in the baseline`,
    ].filter((part) => part !== '');
    lines.push(`Not listed: ${count(suppressed.length, 'suppressed finding')} (${parts.join(', ')}).`);
  }
  const below = report.findings.length - shown.length;
  if (below > 0)
    lines.push(`Not listed: ${count(below, 'finding')} less severe than ${options.minSeverity}.`);
  return lines.map((line) => context.paint('faint', line));
}

/** Rules by their number: `iptables -D INPUT 7`, `ip6tables -t nat -R PREROUTING 2 ...`. */
const NUMBERED = /^ip6?tables(?: -t \S+)? -[DRI] \S+ \d/m;

/** Whoever runs one numbered command after the other hits other rules than those meant. */
function commandsSection(findings: readonly Finding[], context: TextContext): string[] {
  const seen = new Map<string | null, Set<string>>();
  for (const { host, remediation } of findings) {
    const own = seen.get(host) ?? new Set();
    seen.set(host, own);
    for (const { command } of remediation?.commands ?? []) if (NUMBERED.test(command)) own.add(command);
  }
  if ([...seen.values()].every((commands) => commands.size < 2)) return [];
  return wrap(
    'Commands that name a rule by its number are for the rule set as it was exported: each one shifts the numbers behind it. Run one on a host, export, and scan again before the next.',
    context.width,
  ).map((line) => context.paint('loud', line));
}

/** Recorded findings listed one by one. */
const MOST_UNUSED = 10;

/** What the baseline accepted, and what of it is to be looked at. */
function baselineSection({ baseline }: Report, context: TextContext): string[] {
  if (baseline === null) return [];
  const { file, recorded, accepted, risen, widened, unused, notLookedAt } = baseline;
  const name = escapeText(file);
  const lines = recorded
    ? [`Recorded in ${name}: ${count(accepted, 'finding')}, which no longer count.`]
    : [`Baseline ${name}: ${count(accepted, 'finding')} accepted.`];
  if (risen > 0) lines.push(`${count(risen, 'finding')} recorded there as less severe: counted, look again.`);
  if (widened > 0)
    lines.push(
      `${count(widened, 'finding')} recorded there with fewer sources, ports or peers: counted, look again.`,
    );
  if (unused.length > 0) {
    lines.push(`${count(unused.length, 'recorded finding')} gone; --write-baseline ${name} drops what is:`);
    for (const { host, check, message } of unused.slice(0, MOST_UNUSED))
      lines.push(
        ...wrap(escapeText(`- ${host ?? 'run'}, ${check}: ${message}`), context.width - 2).map(
          (line) => `  ${line}`,
        ),
      );
    if (unused.length > MOST_UNUSED) lines.push(`  ... and ${unused.length - MOST_UNUSED} more`);
  }
  if (notLookedAt.length > 0)
    lines.push(
      `${count(notLookedAt.length, 'recorded finding')} of hosts or checks that this run did not look at.`,
    );
  return lines.map((line) => context.paint('faint', line));
}
