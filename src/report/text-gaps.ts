import { escapeLines, escapeText, type Report } from '../finding/index.ts';
import { count, wrap } from './layout.ts';
import { formatPlace, type TextContext } from './text-finding.ts';

/** Unread places shown per file; the rest is counted. */
const MAX_PLACES_PER_FILE = 8;

/** Input that was not read whole: every place, bounded per file. */
export function unreadSection(report: Report, context: TextContext): string[] {
  if (report.summary.unreadFiles === 0 || report.summary.files === 0) return [];
  const places = new Map<string, string[]>();
  for (const input of report.inputs) if (!input.whole) places.set(input.file, []);
  for (const diagnostic of report.diagnostics) {
    if (!diagnostic.incomplete) continue;
    const lines = places.get(diagnostic.origin.file) ?? [];
    lines.push(`  ${context.paint('place', formatPlace(diagnostic.origin))}`);
    lines.push(...wrap(escapeText(diagnostic.detail), context.width - 4).map((line) => `    ${line}`));
    places.set(diagnostic.origin.file, lines);
  }
  const title = context.paint('loud', `NOT READ WHOLE: ${count(places.size, 'file')}`);
  const meaning =
    'What stands there may open or close anything. The findings of these hosts are not the whole story.';
  const out = [title, ...wrap(meaning, context.width)];
  for (const [file, lines] of places) out.push(...unreadFileLines(report, file, lines, context));
  if (report.summary.unreadWaived > 0) {
    out.push(`${count(report.summary.unreadWaived, 'file')} of these accepted by a waiver:`);
    out.push(...waiverLines(report, context));
  }
  return out;
}

/** Checks that did not run to their end, by host. */
export function notRunSection(report: Report, context: TextContext): string[] {
  const hosts = report.hosts.filter((host) => host.notRun.length > 0);
  if (hosts.length === 0) return [];
  const pairs = hosts.flatMap((host) => {
    const groups = groupTexts(host.notRun.map(({ check, reason }) => [reason, check]));
    return [...groups].map(([reason, checks]): [string, string] => [
      `${checks.join(', ')} (${reason})`,
      host.name,
    ]);
  });
  const meaning =
    'These hosts need more memory or time than one host may take. The other checks ran; what else these would find is not known.';
  return [
    context.paint('loud', `NOT RUN TO THE END: checks on ${count(hosts.length, 'host')}`),
    ...wrap(meaning, context.width),
    ...groupLines(groupTexts(pairs), context),
  ];
}

/** Who accepts that input was not read, until when, and why. */
function waiverLines(report: Report, context: TextContext): string[] {
  const texts = report.findings.flatMap(({ check, host, suppression }) => {
    if (check !== 'unread-input' || suppression?.kind !== 'waiver') return [];
    const { reason, owner, expires } = suppression;
    const by = owner === null || owner === '' ? '' : ` by ${owner}`;
    return [`${host ?? 'run'}, accepted${by} until ${expires ?? 'for ever'}: ${reason}`];
  });
  return [...new Set(texts)].flatMap((text) =>
    wrap(escapeText(text), context.width - 4).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`)),
  );
}

function unreadFileLines(
  report: Report,
  file: string,
  lines: readonly string[],
  context: TextContext,
): string[] {
  const input = report.inputs.find((one) => one.file === file);
  if (lines.length === 0)
    return [`  ${context.paint('place', escapeText(file))}: ${escapeText(input?.format ?? 'not read')}`];
  const starts = lines.flatMap((line, i) => (line.startsWith('    ') ? [] : [i]));
  const cut = starts[MAX_PLACES_PER_FILE];
  if (cut === undefined) return [...lines];
  return [
    ...lines.slice(0, cut),
    `  ... and ${count(starts.length - MAX_PLACES_PER_FILE, 'more place')} in this file`,
  ];
}

/** Diagnostics that cost nothing in certainty but should be known; mere notes are counted. */
export function remarksSection(report: Report, context: TextContext): string[] {
  const whole = report.diagnostics.filter((diagnostic) => !diagnostic.incomplete);
  const remarks = whole.filter((diagnostic) => diagnostic.kind !== 'note');
  const notes = whole.length - remarks.length;
  const lines: string[] = [];
  for (const { origin, detail } of remarks.slice(0, 20)) {
    lines.push(`  ${context.paint('place', formatPlace(origin))}`);
    lines.push(...wrap(escapeText(detail), context.width - 4).map((line) => `    ${line}`));
  }
  if (remarks.length > 20) lines.push(`  ... and ${count(remarks.length - 20, 'more remark')}`);
  if (notes > 0) lines.push(`  ${count(notes, 'note')} on harmless oddities (--format json lists them)`);
  return lines.length === 0 ? [] : [context.paint('heading', 'Remarks on the input'), ...lines];
}

/** Hosts whose role is not known. */
export function notJudgedSection(report: Report, context: TextContext): string[] {
  const hosts = report.hosts.filter((host) => !host.judged && host.notRun.length === 0);
  if (hosts.length === 0) return [];
  const lines = groupTexts(hosts.map((host) => [host.judgedNote ?? 'no reason given', host.name]));
  return [
    context.paint('heading', `Not judged by role: ${count(hosts.length, 'host')}`),
    ...groupLines(lines, context),
  ];
}

/** What the answers take for granted. */
export function assumptionSection(report: Report, context: TextContext): string[] {
  const pairs = report.hosts.flatMap((host) =>
    host.assumptions.map((text): [string, string] => [text, host.name]),
  );
  if (pairs.length === 0) return [];
  return [context.paint('heading', 'Taken for granted'), ...groupLines(groupTexts(pairs), context)];
}

/** Equal texts together, with the hosts that share them, in order of first appearance. */
function groupTexts(pairs: readonly (readonly [string, string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [text, host] of pairs) {
    const hosts = groups.get(text);
    if (hosts === undefined) groups.set(text, [host]);
    else hosts.push(host);
  }
  return groups;
}

function groupLines(groups: ReadonlyMap<string, readonly string[]>, context: TextContext): string[] {
  const lines: string[] = [];
  for (const [text, hosts] of groups) {
    const names = hosts.length > 8 ? [...hosts.slice(0, 8), `${hosts.length - 8} more`] : hosts;
    const sentence = escapeText(`${names.join(', ')}: ${text.replace(/\s+/g, ' ')}`);
    lines.push(
      ...wrap(sentence, context.width - 4).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`)),
    );
  }
  return lines;
}

/** What to write into nwaudit.yaml for better answers. */
export function hintSection(report: Report, context: TextContext): string[] {
  if (report.hints.length === 0) return [];
  const lines = report.hints.flatMap((hint) => {
    // YAML to copy comes in several lines and keeps them; a sentence is wrapped.
    const own = hint.includes('\n')
      ? escapeLines(hint.trimEnd()).split('\n')
      : wrap(escapeText(hint), context.width - 4);
    return own.map((line, i) => (i === 0 ? `  - ${line}` : `    ${line}`));
  });
  return [context.paint('heading', 'To learn more'), ...lines];
}
