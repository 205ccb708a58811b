import {
  escapeLines,
  escapeText,
  type Finding,
  type FindingOrigin,
  type Remediation,
  type Witness,
} from '../finding/index.ts';
import { cutMiddle, listWords, type Painter, quoteLine, wrap } from './layout.ts';

/** What the parts of one text report share while it is written. */
export interface TextContext {
  readonly width: number;
  readonly paint: Painter;
  /** Reasons and advice already printed, so that a host's tenth finding of a kind stays short. */
  readonly told: Set<string>;
}

/** Column at which the text beside a label such as `Why` begins. */
const LABEL_WIDTH = 13;

/** How many replacement lines of one finding are shown. */
const MAX_LINES = 12;

/** Lines of one finding, without a blank line around them. */
export function findingLines(finding: Finding, context: TextContext): string[] {
  return [
    headline(finding, context),
    ...placeLines(finding.origin, context),
    ...wrap(escapeText(finding.message), context.width - 4).map((line) => `    ${line}`),
    ...uncertaintyLines(finding, context),
    ...suppressionLines(finding, context),
    ...onceLines('Why', finding.why, finding, context),
    ...(finding.witness === null ? [] : labelled('Example', describeWitness(finding.witness), context)),
    ...(finding.remediation === null ? [] : remediationLines(finding.remediation, finding, context)),
    ...relatedLines(finding, context),
  ];
}

function headline(finding: Finding, context: TextContext): string {
  const badge = finding.severity.toUpperCase();
  const possible = finding.certainty === 'possible' ? 'possible: ' : '';
  const title = `${possible}${escapeText(finding.title)}`;
  const gap = ' '.repeat(Math.max(1, 9 - badge.length));
  const check = context.paint('faint', `[${escapeText(finding.check)}]`);
  return `  ${context.paint(finding.severity, badge)}${gap}${context.paint('heading', title)}  ${check}`;
}

/** `file:line:column`, with the path inside a structured document where no chain and handle say it better. */
export function formatPlace(origin: {
  file: string;
  line: number;
  column: number;
  path: string | null;
}): string {
  const place = `${escapeText(origin.file)}:${origin.line}:${origin.column}`;
  return origin.path === null ? place : `${place} (${quoteLine(origin.path, 60)})`;
}

/** `inet filter input handle 12`, as far as it is known; empty for a place that is no chain. */
function formatChain(origin: FindingOrigin): string {
  const parts = [origin.family, origin.table, origin.chain].filter((part) => part !== null).map(escapeText);
  if (origin.handle !== undefined) parts.push(`handle ${origin.handle}`);
  return parts.join(' ');
}

/** The chain, and behind it the path inside a structured document. */
function pathAfter(where: string, { path }: FindingOrigin, context: TextContext): string {
  return context.paint('faint', `  ${where}${path === null ? '' : `  ${quoteLine(path, 60)}`}`);
}

function placeLines(origin: FindingOrigin | null, context: TextContext, indent = '    '): string[] {
  if (origin === null) return [];
  const where = formatChain(origin);
  const place =
    where === ''
      ? `${indent}${context.paint('place', formatPlace(origin))}`
      : `${indent}${context.paint('place', formatPlace({ ...origin, path: null }))}${pathAfter(where, origin, context)}`;
  if (origin.rule === null) return [place];
  return [
    place,
    `${indent}  ${context.paint('quote', quoteLine(origin.rule, context.width - indent.length - 2))}`,
  ];
}

function uncertaintyLines(finding: Finding, context: TextContext): string[] {
  if (finding.certainty === 'certain') return [];
  const quoted = finding.unknowns.map((text) => `"${quoteLine(text, 70)}"`);
  const shown = quoted.length > 4 ? [...quoted.slice(0, 4), `${quoted.length - 4} more`] : quoted;
  const text =
    shown.length === 0
      ? 'It depends on something the exports do not show.'
      : `It depends on ${listWords(shown)}, which the exports do not settle.`;
  return labelled('Possible', text, context);
}

function suppressionLines(finding: Finding, context: TextContext): string[] {
  const { suppression } = finding;
  if (suppression === null) return [];
  const owner = suppression.owner === null ? '' : ` by ${suppression.owner}`;
  const until = suppression.expires === null ? '' : ` until ${suppression.expires}`;
  const how = suppression.kind === 'waiver' ? `waived${owner}${until}` : 'in the baseline';
  return labelled('Not counted', escapeText(`${how}: ${suppression.reason}`), context);
}

/** A labelled text that is told once per host and check, and only pointed at after that. */
function onceLines(label: string, text: string, finding: Finding, context: TextContext): string[] {
  if (text.trim() === '') return [];
  const key = JSON.stringify([label, finding.host, finding.check, text]);
  if (context.told.has(key)) return [];
  context.told.add(key);
  return labelled(label, escapeText(text.replace(/\s+/g, ' ')), context);
}

function remediationLines(remediation: Remediation, finding: Finding, context: TextContext): string[] {
  const text = onceLines('Instead', remediation.text, finding, context);
  const lines =
    text.length > 0 || remediation.text.trim() === ''
      ? text
      : labelled('Instead', 'As advised above.', context);
  if (remediation.note !== undefined) lines.push(...onceLines('Note', remediation.note, finding, context));
  const indent = ' '.repeat(4 + LABEL_WIDTH);
  for (const one of remediation.commands) {
    if (one.with.length > 0)
      lines.push(`${indent}${context.paint('faint', one.replace === null ? 'add' : 'write')}`);
    for (const line of one.with.slice(0, MAX_LINES)) lines.push(`${indent}  ${escapeText(line)}`);
    if (one.with.length > MAX_LINES) lines.push(`${indent}  ... ${one.with.length - MAX_LINES} more lines`);
    if (one.command === '') continue;
    const key = JSON.stringify(['run', finding.host, one.command]);
    const what = context.told.has(key) ? 'run, only once, what was said above already' : 'run';
    lines.push(`${indent}${context.paint('faint', what)}`);
    context.told.add(key);
    for (const line of escapeLines(one.command).split('\n')) lines.push(`${indent}  ${line}`);
  }
  return lines;
}

function relatedLines(finding: Finding, context: TextContext): string[] {
  const indent = ' '.repeat(4 + LABEL_WIDTH);
  const lines: string[] = [];
  for (const { label, origin } of finding.related.slice(0, 5)) {
    lines.push(...labelled('Related', `${escapeText(label)}:`, context));
    lines.push(...placeLines(origin, context, indent));
  }
  if (finding.related.length > 5) lines.push(`${indent}... ${finding.related.length - 5} more places`);
  return lines;
}

/** The packet on one line: `tcp 203.0.113.1:40000 -> 192.0.2.101:7938, in by eth0`. */
export function describeWitness(witness: Witness): string {
  const icmp =
    witness.icmp_type === undefined ? '' : ` type ${witness.icmp_type} code ${witness.icmp_code ?? 0}`;
  const from = endpoint(witness.saddr, witness.sport);
  const to = endpoint(witness.daddr, witness.dport);
  const more = [
    witness.iif === undefined ? undefined : `in by ${witness.iif}`,
    witness.oif === undefined ? undefined : `out by ${witness.oif}`,
    witness.ct_state === undefined || witness.ct_state === 'new'
      ? undefined
      : `connection state ${witness.ct_state}`,
    witness.tcp_flags === undefined ? undefined : `TCP flags ${witness.tcp_flags.join(',') || 'none'}`,
    witness.mark === undefined ? undefined : `mark ${witness.mark}`,
    witness.smac === undefined ? undefined : `from MAC ${witness.smac}`,
  ].filter((part) => part !== undefined);
  return escapeText([`${witness.proto}${icmp} ${from} -> ${to}`, ...more].join(', '));
}

function endpoint(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `Label` and the text beside it, wrapped and indented. The text is escaped already. */
export function labelled(label: string, text: string, context: TextContext): string[] {
  const lines = wrap(text, context.width - 4 - LABEL_WIDTH);
  return lines.map((line, i) => {
    const shown =
      i === 0
        ? context.paint('faint', cutMiddle(label, LABEL_WIDTH - 1).padEnd(LABEL_WIDTH))
        : ' '.repeat(LABEL_WIDTH);
    return `    ${shown}${line}`;
  });
}
