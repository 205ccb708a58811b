import { getBorderCharacters, table } from 'table';
import {
  compareText,
  countBySeverity,
  escapeText,
  type Finding,
  type Report,
  type ReportHost,
  type Severity,
} from '../finding/index.ts';
import { count, wrap } from './layout.ts';
import type { TextContext } from './text-finding.ts';
import { compareCounts, groupByHost, RUN_GROUP, WORST_FIRST } from './text-hosts.ts';

/** Hosts in the summary table; further ones share a row. */
const MAX_TABLE_HOSTS = 40;

/** Hosts by severities, the worst host first. */
export function summarySection(report: Report, context: TextContext): string[] {
  const counted = report.findings.filter((finding) => finding.suppression === null);
  const byHost = new Map(groupByHost(counted).map(({ host, findings }) => [host, countBySeverity(findings)]));
  const order = [...byHost.keys()].filter((host) => host !== null);
  const clean = report.hosts.filter((host) => !byHost.has(host.name)).map((host) => host.name);
  const names = [...order, ...clean];
  if (names.length === 0) return [];
  const hosts = new Map(report.hosts.map((host) => [host.name, host]));
  const unread = hostsNotReadWhole(report);
  const rows = names.slice(0, MAX_TABLE_HOSTS).map((name) => {
    const host = hosts.get(name);
    const counts = countCells(byHost.get(name), context);
    return [tableCell(name), tableCell(describeRole(host)), ...counts, describeGaps(host, unread.has(name))];
  });
  const rest = new Set(names.slice(MAX_TABLE_HOSTS));
  if (rest.size > 0) {
    const own = counted.filter((finding) => finding.host !== null && rest.has(finding.host));
    rows.push([count(rest.size, 'more host'), '', ...countCells(countBySeverity(own), context), '']);
  }
  const run = byHost.get(null);
  if (run !== undefined) rows.push([RUN_GROUP, '', ...countCells(run, context), '']);
  if (rows.length > 1) rows.push(['all', '', ...countCells(report.summary.findings, context), '']);
  const header = ['Host', 'Role', ...WORST_FIRST, ''].map((cell) => context.paint('heading', cell));
  return [drawTable([header, ...rows])];
}

/** Where there are more hosts than the table of hosts shows: findings by check, so that what ails a whole estate is seen at once. */
export function checkSection(report: Report, context: TextContext): string[] {
  if (report.hosts.length <= MAX_TABLE_HOSTS) return [];
  const groups = new Map<string, Finding[]>();
  for (const finding of report.findings) {
    if (finding.suppression !== null) continue;
    const group = groups.get(finding.check);
    if (group === undefined) groups.set(finding.check, [finding]);
    else group.push(finding);
  }
  if (groups.size === 0) return [];
  const counted = [...groups].map(([check, findings]) => ({
    check,
    findings,
    counts: countBySeverity(findings),
  }));
  counted.sort((a, b) => compareCounts(a.counts, b.counts) || compareText(a.check, b.check));
  const rows = counted.map(({ check, findings, counts }) => {
    const hosts = new Set(findings.flatMap(({ host }) => host ?? [])).size;
    return [tableCell(check), hosts === 0 ? '-' : String(hosts), ...countCells(counts, context), ''];
  });
  const header = ['Check', 'Hosts', ...WORST_FIRST, ''].map((cell) => context.paint('heading', cell));
  return [drawTable([header, ...rows])];
}

function hostsNotReadWhole(report: Report): ReadonlySet<string> {
  const files = new Set(report.diagnostics.filter((one) => one.incomplete).map((one) => one.origin.file));
  const inputs = report.inputs.filter((input) => !input.whole || files.has(input.file));
  return new Set(inputs.flatMap((input) => (input.host === null ? [] : [input.host])));
}

function describeRole(host: ReportHost | undefined): string {
  if (host === undefined || host.roles.length === 0) return 'unknown';
  return `${host.roles.join(', ')}${host.roleSource === 'name' ? ' (by name)' : ''}`;
}

/** Why a row without findings is not a clean one. */
function describeGaps(host: ReportHost | undefined, unread: boolean): string {
  const unfinished = host !== undefined && host.notRun.length > 0;
  const gaps = [
    unread ? 'not read whole' : '',
    unfinished ? 'checks not run' : host?.judged === false ? 'not judged by role' : '',
  ];
  return gaps.filter((gap) => gap !== '').join(', ');
}

/** A cell `table` takes: escaped (it throws on control characters) and of bounded length. */
function tableCell(text: string): string {
  const characters = [...escapeText(text)];
  return characters.length > 40 ? `${characters.slice(0, 37).join('')}...` : characters.join('');
}

function countCells(counts: Readonly<Record<Severity, number>> | undefined, context: TextContext): string[] {
  return WORST_FIRST.map((severity) => {
    const number = counts?.[severity] ?? 0;
    return number === 0 ? context.paint('faint', '-') : context.paint(severity, String(number));
  });
}

function drawTable(rows: string[][]): string {
  const text = table(rows, {
    border: getBorderCharacters('void'),
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
    columns: Object.fromEntries(WORST_FIRST.map((_, i) => [i + 2, { alignment: 'right' as const }])),
    drawHorizontalLine: () => false,
  });
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .join('\n');
}

/** The exit code and its cause, in one sentence or two. */
export function exitLine(report: Report, context: TextContext): string[] {
  return wrap(`Exit code ${report.exitCode}: ${exitReason(report)}`, context.width).map((line) =>
    context.paint('heading', line),
  );
}

function exitReason(report: Report): string {
  const { summary, exitCode } = report;
  const failing = `${count(summary.failing, 'finding')} ${summary.failing === 1 ? 'is' : 'are'} ${summary.failOn === 'critical' ? 'critical' : `${summary.failOn} or worse`}`;
  const unread =
    summary.files === 0
      ? 'nothing was read'
      : summary.unreadFiles > 0
        ? 'not everything was read'
        : 'not every check was run to its end';
  const isWaived =
    summary.unreadWaived === summary.unreadFiles && summary.unfinishedWaived === summary.unfinishedHosts;
  const allowed =
    summary.files > 0 && isWaived
      ? `${unread}, accepted by waiver`
      : `${unread}, accepted by --allow-incomplete`;
  switch (exitCode) {
    case 0:
      if (summary.failing > 0)
        return `${failing}, but --exit-zero is set${summary.incomplete ? `; ${allowed}` : ''}.`;
      if (summary.incomplete) return `no finding is ${summary.failOn} or worse; ${allowed}.`;
      return `everything was read, and no finding is ${summary.failOn === 'critical' ? 'critical' : `${summary.failOn} or worse`}.`;
    case 1:
      return `${failing} (--fail-on ${summary.failOn})${summary.incomplete ? `; ${allowed}` : ''}.`;
    case 3:
      return `the audit is incomplete, ${unread}. ${summary.failing > 0 ? `What is known: ${failing}.` : 'Do not take this for a clean result.'}`;
    case 2:
      return 'wrong arguments, configuration or rule pack.';
    case 70:
      return 'a defect of nwaudit itself.';
  }
}
