/**
 * `npm run docs`: writes the generated documentation from the rule pack, the command line's help and real runs.
 * With `--check` nothing is written; a file that would change is named, and the exit code is 1.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Document, isScalar, isSeq, visit } from 'yaml';
import type { Finding } from '../finding/index.ts';
import { decodeInventoryData } from '../inventory/index.ts';
import {
  type CheckDefinition,
  checkIndexPage,
  checkPage,
  type Example,
  type Profile,
  type ShownExample,
} from '../rulepack/index.ts';
import { parseRulePack } from '../rulepack/parse.ts';
import { scan } from '../scan.ts';
import type { CliIo } from './io.ts';
import { run } from './program.ts';
import { readRulePackFolder } from './rule-pack-files.ts';

/** The day on which examples and documented runs take place. */
const TODAY = '2026-11-22';

/** Columns of documented output. */
const WIDTH = 100;

const CHECKS_FOLDER = 'docs/checks';

/** Hand-written, with documented runs in it. */
const FILE_WITH_RUNS = 'README.md';

/** Contents of generated files by path below `root`. */
export async function buildDocs(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const { checks, profiles } = parseRulePack(readRulePackFolder(join(root, 'rules'), 'rules'));
  const profile = profiles.find((one) => one.id === 'guide');
  if (profile === undefined) throw new Error('rules/profiles has no profile "guide"');
  files.set(`${CHECKS_FOLDER}/index.md`, checkIndexPage(checks));
  for (const check of checks) {
    const examples = {
      bad: check.examples.bad.map((example) => runExample(example, check, profile)),
      good: check.examples.good.map((example) => runExample(example, check, profile)),
    };
    files.set(`${CHECKS_FOLDER}/${check.id}.md`, checkPage(check, `rules/checks/${check.id}.yaml`, examples));
  }
  files.set('docs/cli.md', await commandPage(root));
  files.set(FILE_WITH_RUNS, await withRuns(readFileSync(join(root, FILE_WITH_RUNS), 'utf8'), root));
  return files;
}

/** An example with what nwaudit says about it today. */
function runExample(example: Example, check: CheckDefinition, profile: Profile): ShownExample {
  const inventory =
    example.config === undefined ? undefined : decodeInventoryData(example.config, 'nwaudit.yaml').inventory;
  const inputs = Object.entries(example.files).map(([path, text]) => ({
    path,
    bytes: new TextEncoder().encode(text),
  }));
  const report = scan(inputs, {
    version: '0.0.0',
    profile,
    checks: [check],
    ...(inventory === undefined ? {} : { inventory }),
    roots: ['.'],
    today: TODAY,
    failOn: 'medium',
    allowIncomplete: false,
    exitZero: false,
  });
  return {
    name: example.name,
    config: example.config === undefined ? undefined : printYaml(example.config),
    files: example.files,
    reported: report.findings.map(describeFinding),
  };
}

function describeFinding({ origin, severity, certainty, message }: Finding): string {
  const place = origin === null ? '' : `${origin.file}:${origin.line}: `;
  return `${place}${certainty === 'possible' ? 'possible, ' : ''}${severity}: ${message}`;
}

/** The data as YAML: a line for each host, exception or waiver. */
function printYaml(data: unknown): string {
  const document = new Document(data);
  visit(document, {
    Collection: (_, node, path) => {
      node.flow = path.length >= 4 || (isSeq(node) && node.items.every(isScalar));
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** `docs/cli.md`: the help of the program and of every command it lists. */
async function commandPage(root: string): Promise<string> {
  const main = await helpOf(root, []);
  const commands = [...main.matchAll(/^ {2}([a-z][a-z-]*) .*\[/gm)]
    .map((match) => match[1] ?? '')
    .filter((name) => name !== 'help');
  const parts = [
    '<!-- Made from the help of the program by `npm run docs`. Changes here are overwritten. -->',
    '# Command line',
    'What `nwaudit --help` and the help of each command print.',
    '## nwaudit',
    fencedText(main),
  ];
  for (const command of commands)
    parts.push(`## nwaudit ${command}`, fencedText(await helpOf(root, [command])));
  return `${parts.join('\n\n')}\n`;
}

async function helpOf(root: string, command: readonly string[]): Promise<string> {
  return (await runProgram(root, [...command, '--help'])).trimEnd();
}

function fencedText(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}

const RUN = /(<!-- output of: nwaudit (.*?) -->\n)(```text\n[\s\S]*?\n```\n)?/g;

/** The text with the output of every run it names renewed: a comment, and the code block right after it. */
async function withRuns(text: string, root: string): Promise<string> {
  let result = '';
  let at = 0;
  for (const match of text.matchAll(RUN)) {
    const [whole, comment = '', command = ''] = match;
    const output = await runProgram(root, command.split(' '));
    result += `${text.slice(at, match.index)}${comment}${fencedText(output)}\n`;
    at = match.index + whole.length;
  }
  return result + text.slice(at);
}

/** Standard output of a command line run in `root`, without colours. */
async function runProgram(root: string, argv: readonly string[]): Promise<string> {
  const out: string[] = [];
  const io: CliIo = {
    cwd: root,
    env: { NWAUDIT_TODAY: TODAY },
    stdout: { write: async (text) => out.push(text) > 0, isTerminal: false, columns: WIDTH },
    stderr: { write: async () => true, isTerminal: false, columns: undefined },
    readStdin: async () => new Uint8Array(),
    rulePackFile: fileURLToPath(new URL('../rulepack.json', import.meta.url)),
    version: readVersion(root),
  };
  const exitCode = await run(argv, io);
  if (exitCode > 1) throw new Error(`nwaudit ${argv.join(' ')}: exit code ${exitCode}`);
  return out.join('');
}

/** The version in package.json. */
function readVersion(root: string): string {
  const content: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version =
    typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  return String(version);
}

/** Paths below `root` that differ from `files`, those that no longer belong there included. */
function findStale(root: string, files: ReadonlyMap<string, string>): string[] {
  const there = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name}`)
    .filter((path) => path.startsWith(`${CHECKS_FOLDER}/`));
  const differing = [...files]
    .filter(([path, text]) => readOrUndefined(join(root, path)) !== text)
    .map(([path]) => path);
  return [...differing, ...there.filter((path) => !files.has(path))].sort();
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there, or no file: different from any text, either way.
    return undefined;
  }
}

async function main(): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const files = await buildDocs(root);
  const stale = findStale(root, files);
  if (process.argv.includes('--check')) {
    for (const path of stale) process.stderr.write(`${path} is out of date; run: npm run docs\n`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const path of stale) {
    const text = files.get(path);
    if (text === undefined) rmSync(join(root, path), { recursive: true });
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    process.stdout.write(`${text === undefined ? 'removed' : 'wrote'} ${path}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
