import { escapeLines, escapeText } from '../finding/index.ts';
import type { CheckDefinition, Example } from '../rulepack/index.ts';
import { highestSeverityOf } from '../rulepack/index.ts';
import { outputWidth } from './color.ts';
import { EXIT, UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';
import { unknownName } from './names.ts';
import { writeStdout } from './output.ts';
import { loadRulePack } from './rule-pack.ts';

/** Options of `nwaudit rules` as the command line gives them. */
export interface RulesCommandOptions {
  readonly rules: readonly string[];
}

/** Lists the checks, or explains one. */
export async function rulesCommand(
  id: string | undefined,
  options: RulesCommandOptions,
  io: CliIo,
): Promise<number> {
  const { checks } = await loadRulePack(io, options.rules);
  if (id === undefined) {
    await writeStdout(io, [listChecks(checks)]);
    return EXIT.ok;
  }
  const check = checks.find((candidate) => candidate.id === id);
  if (check === undefined)
    throw new UsageError(
      unknownName(
        'check',
        id,
        checks.map((one) => one.id),
      ),
    );
  await writeStdout(io, [explainCheck(check, Math.min(outputWidth(io), 100))]);
  return EXIT.ok;
}

/** One line a check: id, highest severity, title. */
function listChecks(checks: readonly CheckDefinition[]): string {
  const idWidth = Math.max(0, ...checks.map((check) => check.id.length));
  const lines = checks.map((check) => {
    const note = check.status === 'nursery' ? ' (only with --select)' : '';
    return escapeText(
      `${check.id.padEnd(idWidth)}  ${highestSeverityOf(check).padEnd(8)}  ${check.title}${note}`,
    );
  });
  return `${[...lines, '', 'Explain one with: nwaudit rules ID'].join('\n')}\n`;
}

/** Everything the rule pack says about a check. */
function explainCheck(check: CheckDefinition, width: number): string {
  const sections = [
    [`${check.id}: ${check.title}`, describeSeverity(check)],
    ['Why it matters', ...indented(check.rationale, width)],
    ['What to do', ...indented(check.remediation, width)],
    check.references.length === 0
      ? []
      : ['References', ...check.references.map((reference) => `  ${reference}`)],
    ...check.examples.bad.map((example) => exampleLines('Reported', example)),
    ...check.examples.good.map((example) => exampleLines('Not reported', example)),
  ];
  const shown = sections.filter((section) => section.length > 0);
  return `${shown.map((section) => escapeLines(section.join('\n'))).join('\n\n')}\n`;
}

function describeSeverity(check: CheckDefinition): string {
  const since = `since ${check.since}${check.status === 'nursery' ? ', runs only with --select' : ''}`;
  if (typeof check.severity === 'string') return `${check.severity}; ${since}`;
  const severities = [...new Set(check.severity.map((one) => one.is))];
  return `${severities.join(', ')}, as the case may be; ${since}`;
}

/** Paragraphs of the text, wrapped at spaces and moved in by two. Lines that are moved in already stay as they are. */
function indented(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  const flush = () => {
    if (line !== '') lines.push(`  ${line}`);
    line = '';
  };
  for (const raw of text.trimEnd().split('\n')) {
    if (raw.trim() === '' || /^\s/.test(raw)) {
      flush();
      lines.push(raw.trim() === '' ? '' : `  ${raw}`);
      continue;
    }
    for (const word of raw.split(' ')) {
      if (line !== '' && line.length + word.length + 3 > width) flush();
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  flush();
  return lines;
}

function exampleLines(kind: string, example: Example): string[] {
  const files = Object.entries(example.files).flatMap(([name, text]) => [
    `  ${name}`,
    ...text
      .trimEnd()
      .split('\n')
      .map((line) => `    ${line}`),
  ]);
  return [`${kind}: ${example.name}`, ...files];
}
