import { escapeLines, escapeText } from '../finding/index.ts';
import type { CheckDefinition, Example, Profile } from '../rulepack/index.ts';
import {
  highestSeverityOf,
  predicateLines,
  profileMarkdown,
  profileMatrix,
  profileObject,
} from '../rulepack/index.ts';
import { outputWidth } from './color.ts';
import { EXIT, UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';
import { unknownName } from './names.ts';
import { writeStdout } from './output.ts';
import { loadProfile, loadRulePack, requireRoles } from './rule-pack.ts';

/** Options of `nwaudit rules` as the command line gives them. */
export interface RulesCommandOptions {
  readonly rules: readonly string[];
  /** Run the examples instead. */
  readonly test: boolean;
  /** Name or file of a profile: printed instead of checks, or what the examples go by. */
  readonly profile?: string;
  readonly format: MatrixFormat;
}

/** Formats of a profile. */
export type MatrixFormat = 'text' | 'json' | 'markdown';

/** Lists the checks, explains one, runs their examples, or prints the matrix of a profile. */
export async function rulesCommand(
  id: string | undefined,
  options: RulesCommandOptions,
  io: CliIo,
): Promise<number> {
  const pack = await loadRulePack(io, options.rules, options.profile);
  const { checks } = pack;
  if (options.test) {
    const profile = await loadProfile(io, pack, options.profile, undefined);
    const wanted = checks.filter((check) =>
      id === undefined ? options.rules.length === 0 || check.pack !== undefined : check.id === id,
    );
    if (wanted.length > 0) return testChecks(wanted, checks, profile, io);
  }
  if (options.profile !== undefined && !options.test) {
    if (id !== undefined) throw new UsageError('rules takes a check or --profile, not both');
    const profile = await loadProfile(io, pack, options.profile, undefined);
    await writeStdout(io, [printProfile(profile, options.format)]);
    return EXIT.ok;
  }
  if (options.format !== 'text') throw new UsageError(`--format ${options.format} needs --profile`);
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

/** The matrix of a profile in a format. */
function printProfile(profile: Profile, format: MatrixFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(profileObject(profile), undefined, 2)}\n`;
    case 'markdown':
      return escapeLines(profileMarkdown(profile));
    case 'text':
      return profileText(profile);
  }
}

/** The matrix in columns, and the sources below it. */
function profileText(profile: Profile): string {
  const rows = profileMatrix(profile).map((row) => [
    row.flow,
    `${row.from.join(', ')} > ${row.to.join(', ')}`,
    `${row.protocol} ${row.ports.join(', ')}`,
    row.need,
    row.confidence,
    [row.when, row.source].filter((part) => part !== '').join('; '),
  ]);
  const never = profile.neverRemote.map(({ port, title }) => `never from another host: ${port}, ${title}`);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(0, ...rows.map((row) => (row[i] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const sources = profile.sources.map(({ id, title }) => `${id}: ${title}`);
  return `${[`${profile.id}: ${profile.title}`, '', ...lines, '', ...never, '', ...sources].map(escapeText).join('\n')}\n`;
}

/** One line a check: id, highest severity, title. */
function listChecks(checks: readonly CheckDefinition[]): string {
  const idWidth = Math.max(0, ...checks.map((check) => check.id.length));
  const lines = checks.map((check) => {
    const notes = [
      ...(check.pack === undefined ? [] : [`from ${check.pack}`]),
      ...(check.status === 'nursery' ? ['only with --select'] : []),
    ];
    const note = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
    return escapeText(
      `${check.id.padEnd(idWidth)}  ${highestSeverityOf(check).padEnd(8)}  ${check.title}${note}`,
    );
  });
  return `${[...lines, '', 'Explain one with: nwaudit rules ID'].join('\n')}\n`;
}

/** Runs the examples of checks. Exit code 2 when one is wrong: the rule pack is. */
async function testChecks(
  checks: readonly CheckDefinition[],
  all: readonly CheckDefinition[],
  profile: Profile,
  io: CliIo,
): Promise<number> {
  requireRoles(checks, profile);
  const { compareExample, gapsOf, runExample } = await import('./example-run.ts');
  const lines: string[] = [];
  let wrong = 0;
  let examples = 0;
  for (const check of checks) {
    for (const kind of ['bad', 'good'] as const) {
      for (const [i, example] of check.examples[kind].entries()) {
        examples++;
        const problems = problemsOf(() => {
          const report = runExample(example, check, profile, all);
          return [...gapsOf(report, check), ...compareExample(example, report.findings)];
        });
        if (problems.length === 0) continue;
        wrong++;
        const at = check.source.locate(['examples', kind, i]);
        const place = at === null ? check.source.file : `${check.source.file}:${at.line}:${at.column}`;
        lines.push(
          `${place}: ${check.id}, ${kind} example "${example.name}"`,
          ...problems.map((one) => `  ${one}`),
        );
      }
    }
  }
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  const total = `${count(checks.length, 'check')}, ${count(examples, 'example')}: ${wrong === 0 ? 'all as expected' : `${wrong} not as expected`}`;
  await writeStdout(io, [[...lines, total].map((line) => `${escapeText(line)}\n`).join('')]);
  return wrong === 0 ? EXIT.ok : EXIT.usage;
}

/** What is wrong with an example, its configuration included. */
function problemsOf(run: () => string[]): string[] {
  try {
    return run();
  } catch (error) {
    const isTold =
      error instanceof RangeError || (error instanceof Error && error.name === 'CheckBindingError');
    if (!isTold) throw error;
    return [error.message];
  }
}

/** Everything the rule pack says about a check. */
function explainCheck(check: CheckDefinition, width: number): string {
  const sections = [
    [`${check.id}: ${check.title}`, describeSeverity(check)],
    check.when === undefined
      ? []
      : [
          `Reports each ${check.scope} for which all of this holds`,
          ...predicateLines(check.when).map((line) => `  ${line}`),
        ],
    ['Why it matters', ...indented(check.rationale, width)],
    check.severityReason === undefined ? [] : ['Why this severity', ...indented(check.severityReason, width)],
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
  const notes = [
    ...(check.since === undefined ? [] : [`since ${check.since}`]),
    ...(check.pack === undefined ? [] : [`from ${check.pack}`]),
    ...(check.status === 'nursery' ? ['runs only with --select'] : []),
  ];
  const note = notes.length === 0 ? '' : `; ${notes.join(', ')}`;
  if (typeof check.severity === 'string') return `${check.severity}${note}`;
  const severities = [...new Set(check.severity.map((one) => one.is))];
  return `${severities.join(', ')}, as the case may be${note}`;
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
