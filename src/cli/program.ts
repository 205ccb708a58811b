/** The commands and their options (design.md, 4). Each command's module is loaded when it runs, so that help is quick. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { escapeLines, escapeText, SEVERITIES, type Severity } from '../finding/index.ts';
import { COLOR_CHOICES, outputWidth } from './color.ts';
import { EXIT, InputProblemsError, UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';

const EXIT_CODES = `
Exit codes:
  0   everything was read, and no finding reaches --fail-on
  1   at least one finding does
  2   wrong arguments, wrong configuration or rule pack
  3   the audit is incomplete: nothing to read, or something could not be read whole
  70  a defect of nwaudit itself`;

const SCAN_NOTES = `
Without paths the current folder is scanned; - reads standard input. The configuration is the nwaudit.yaml in or
beside the paths, or upward from the current folder. --output FILE takes the main report off standard output;
--output FORMAT=FILE writes a further report and may be repeated.

Environment: NO_COLOR and FORCE_COLOR, as everywhere.
${EXIT_CODES}

Examples:
  nwaudit scan ./exports
  nwaudit scan ./exports --fail-on high --output sarif=nwaudit.sarif
  nwaudit scan ./exports --baseline known.json --write-baseline known.json
  ssh sn-01 sudo iptables-save | nwaudit scan - --host sn-01`;

const TRACE_NOTES = `
All paths are exports of one host. Each line of the packet file is one JSON object:
  {"hook":"input","saddr":"203.0.113.7","daddr":"192.0.2.10","proto":"tcp","sport":40000,"dport":7938}
hook is input, forward or output. sport and dport for protocols with ports, icmp_type (and icmp_code) for ICMP.
Optional: iif, oif, tcp_flags, ct_state, mark, ct_mark, smac, dscp, ttl, length, pkttype, ct_status.

Exit code 0 whatever the verdicts; 2 for a bad packet line, and then no answers; 3 when an export was not read whole.`;

const RULES_NOTES = `
Exit code 2 when a rule pack is wrong, or an example does not give what it says.

Examples:
  nwaudit rules ssh-open-to-any --rules ./our-rules
  nwaudit rules --rules ./our-rules --test`;

/**
 * Runs one command line (without the program's name) and returns its exit code. Never throws: a defect is told on
 * standard error and is exit code 70.
 */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  const outcome = { exitCode: EXIT.ok as number };
  const texts: { readonly stream: 'stdout' | 'stderr'; readonly text: string }[] = [];
  try {
    const program = buildProgram(io, texts, (exitCode) => {
      outcome.exitCode = exitCode;
    });
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    outcome.exitCode = await tellError(error, io, texts);
  }
  for (const { stream, text } of texts) await io[stream].write(text);
  return outcome.exitCode;
}

/** Tells what went wrong, and what exit code that is. */
async function tellError(
  error: unknown,
  io: CliIo,
  texts: { readonly stream: 'stdout' | 'stderr'; readonly text: string }[],
): Promise<number> {
  // Commander has told its own errors; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const tell = (text: string) => texts.push({ stream: 'stderr', text: `${text}\n` });
  if (error instanceof UsageError) {
    tell(`nwaudit: ${escapeText(error.message)}`);
    return EXIT.usage;
  }
  if (error instanceof InputProblemsError) {
    for (const line of error.lines) tell(escapeText(line));
    tell(`nwaudit: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof Error && error.name === 'CheckBindingError') {
    // By name: the checks are loaded only by the commands that need them.
    tell(`nwaudit: ${escapeText(error.message)}`);
    return EXIT.usage;
  }
  tell(describeDefect(error, io.version));
  return EXIT.defect;
}

/** What to put into a report about a defect. */
export function describeDefect(error: unknown, version: string): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    'nwaudit: this is a defect of nwaudit, not of your input. Please report it with the text below and, if you may,',
    'the exports that cause it.',
    `nwaudit ${version}, Node ${process.version}, ${process.platform} ${process.arch}`,
    ...stack.split('\n').map(escapeText),
  ].join('\n');
}

function buildProgram(
  io: CliIo,
  texts: { readonly stream: 'stdout' | 'stderr'; readonly text: string }[],
  done: (exitCode: number) => void,
): Command {
  const program = new Command('nwaudit')
    .description('Audits the firewalls of Dell NetWorker hosts from their exports.')
    .version(io.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => texts.push({ stream: 'stdout', text }),
      writeErr: (text) => texts.push({ stream: 'stderr', text: escapeLines(text) }),
      getOutHelpWidth: () => Math.min(outputWidth(io), 110),
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(nwaudit --help lists commands and options)')
    .addHelpText('after', EXIT_CODES);
  addScan(program, io, done);
  addTrace(program, io, done);
  addRules(program, io, done);
  addInit(program, io, done);
  return program;
}

type Done = (exitCode: number) => void;

/** Values of options that are not given; as commander's own defaults they would stand in the help. */
const SCAN_DEFAULTS = {
  rules: [],
  output: [],
  select: [],
  ignore: [],
  exitZero: false,
  allowIncomplete: false,
  showSuppressed: false,
  sarifOmitSuppressed: false,
} as const;

function addScan(program: Command, io: CliIo, done: Done): void {
  program
    .command('scan')
    .description('audit exports')
    .argument('[paths...]', 'files or folders with exports, or -')
    .optionsGroup('Input:')
    .option('-c, --config <file>', 'configuration instead of the nwaudit.yaml that is found')
    .option('--no-config', 'use no configuration')
    .option(
      '--profile <name|file>',
      'who needs what: the name of a profile, or a file of your own (default: guide)',
    )
    .option('--rules <dir>', 'a further rule pack; may be repeated', collect)
    .option('--host <name>', 'name of the host that the single path, or standard input, belongs to')
    .optionsGroup('What counts:')
    .addOption(severityOption('--fail-on <severity>', 'exit with 1 from this severity up', 'medium'))
    .addOption(
      severityOption('--min-severity <severity>', 'leave less severe findings out of the reports', 'info'),
    )
    .option('--select <check>', 'run these checks only; may be repeated, commas allowed', collect)
    .option('--ignore <check>', 'do not run these checks; may be repeated, commas allowed', collect)
    .option('--baseline <file>', 'findings recorded in this file do not count')
    .option(
      '--write-baseline <file>',
      'record the findings in this file, so that with --baseline only new ones count',
    )
    .option('--exit-zero', 'exit with 0 where it would be 1')
    .option('--allow-incomplete', 'exit with 0 or 1 where it would be 3; the report says so')
    .optionsGroup('Output:')
    .addOption(formatOption(['text', 'json', 'sarif'], 'text'))
    .option('-o, --output <[format=]file>', 'write a report to a file; may be repeated', collect)
    .option('--show-suppressed', 'list waived and recorded findings in the text report too')
    .option('--sarif-category <name>', 'tells several SARIF runs over one repository apart')
    .option('--sarif-omit-suppressed', 'leave waived and recorded findings out of SARIF')
    .addOption(colorOption())
    .option('--no-progress', 'never show progress')
    .addHelpText('after', SCAN_NOTES)
    .action(async (paths: string[], options) => {
      const { scanCommand } = await import('./scan-command.ts');
      done(await scanCommand(paths, { ...SCAN_DEFAULTS, ...options }, io));
    });
}

function addTrace(program: Command, io: CliIo, done: Done): void {
  program
    .command('trace')
    .description('what happens to these packets, rule by rule')
    .argument('[paths...]', 'exports of one host, or -')
    .requiredOption('-p, --packets <file>', 'packets as JSON Lines, or - for standard input')
    .addOption(formatOption(['text', 'jsonl'], 'text'))
    .option('-o, --output <[format=]file>', 'write the answers to a file; may be repeated', collect)
    .option('--no-progress', 'never show progress')
    .addHelpText('after', TRACE_NOTES)
    .action(async (paths: string[], options) => {
      const { traceCommand } = await import('./trace-command.ts');
      done(await traceCommand(paths, { output: [], ...options }, io));
    });
}

function addRules(program: Command, io: CliIo, done: Done): void {
  program
    .command('rules')
    .description('list the checks, explain one, or print the matrix of a profile')
    .argument('[check]', 'id of a check')
    .option('--rules <dir>', 'a further rule pack; may be repeated', collect)
    .option('--profile <name|file>', 'print who may open connections to whom in this profile')
    .addOption(
      new Option('-f, --format <format>', 'format of the profile')
        .choices(['text', 'json', 'markdown'])
        .default('text'),
    )
    .option('--test', 'run the examples: of the named check, else of the packs of --rules, else of all')
    .addHelpText('after', RULES_NOTES)
    .action(async (id: string | undefined, options) => {
      const { rulesCommand } = await import('./rules-command.ts');
      done(await rulesCommand(id, { rules: [], test: false, ...options }, io));
    });
}

function addInit(program: Command, io: CliIo, done: Done): void {
  program
    .command('init')
    .description('write a first nwaudit.yaml from what the exports show')
    .argument('[paths...]', 'files or folders with exports, or -')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .option('--force', 'replace the file if it is there')
    .option('--host <name>', 'name of the host that the single path, or standard input, belongs to')
    .action(async (paths: string[], options) => {
      const { initCommand } = await import('./init-command.ts');
      done(await initCommand(paths, { force: false, ...options }, io));
    });
}

/** Gathers a repeatable option. */
function collect(value: string, before: readonly string[] = []): string[] {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return [...before, value];
}

function severityOption(flags: string, description: string, value: Severity): Option {
  return new Option(flags, description).choices(SEVERITIES).default(value);
}

function formatOption(formats: readonly string[], value: string): Option {
  return new Option('-f, --format <format>', 'format of the main report').choices(formats).default(value);
}

function colorOption(): Option {
  return new Option('--color <when>', 'colours in the text report').choices(COLOR_CHOICES).default('auto');
}
