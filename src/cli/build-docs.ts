/**
 * `npm run docs`: writes the generated documentation from the rule pack, the command line's help and real runs.
 * With `--check` nothing is written; a file that would change is named, and the exit code is 1.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Document, isScalar, isSeq, visit } from 'yaml';
import {
  type CheckDefinition,
  checkIndexPage,
  checkPage,
  type Example,
  type Profile,
  profileMarkdown,
  type ShownExample,
} from '../rulepack/index.ts';
import { parseRulePack } from '../rulepack/parse.ts';
import { FACTS_OF_DATA_CHECKS, PACKET_OPTION_KEYS, PEER_OPTION_KEYS, PREDICATES } from '../scan.ts';
import { describeFinding, EXAMPLE_DAY, runExample } from './example-run.ts';
import type { CliIo } from './io.ts';
import { run } from './program.ts';
import { readRulePackFolder } from './rule-pack-files.ts';

/** Columns of documented output. */
const WIDTH = 100;

const CHECKS_FOLDER = 'docs/checks';

const PROFILES_FOLDER = 'docs/profiles';

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
      bad: check.examples.bad.map((example) => showExample(example, check, profile, checks)),
      good: check.examples.good.map((example) => showExample(example, check, profile, checks)),
    };
    files.set(`${CHECKS_FOLDER}/${check.id}.md`, checkPage(check, `rules/checks/${check.id}.yaml`, examples));
  }
  files.set('docs/predicates.md', predicatePage());
  for (const one of profiles)
    files.set(
      `${PROFILES_FOLDER}/${one.id}.md`,
      `<!-- Made from rules/profiles/${one.id}.yaml by \`npm run docs\`. Changes here are overwritten. -->\n\n${profileMarkdown(one)}`,
    );
  files.set('docs/cli.md', await commandPage(root));
  files.set(FILE_WITH_RUNS, await withRuns(readFileSync(join(root, FILE_WITH_RUNS), 'utf8'), root));
  return files;
}

/** An example with what nwaudit says about it today. */
function showExample(
  example: Example,
  check: CheckDefinition,
  profile: Profile,
  all: readonly CheckDefinition[],
): ShownExample {
  return {
    name: example.name,
    config: example.config === undefined ? undefined : printYaml(example.config),
    files: example.files,
    reported: runExample(example, check, profile, all).findings.map(describeFinding),
  };
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

/** `docs/predicates.md`: what a check may name under `when`, from the predicates' own descriptions. */
function predicatePage(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const table = (heads: readonly string[], rows: readonly (readonly string[])[]) =>
    [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
  const overview = PREDICATES.map((one) => [
    `[${one.name}](#${one.name})`,
    one.scopes.join(', '),
    one.description,
  ]);
  const parts = [
    '<!-- Made from src/check/predicate/ by `npm run docs`. Changes here are overwritten. -->',
    '# Predicates',
    PREDICATES_INTRODUCTION,
    table(['predicate', 'scopes', 'holds when'], overview),
    ...PREDICATES.flatMap((one) => [
      `## ${one.name}`,
      `${one.description}. Takes ${one.takes}. Scopes: ${one.scopes.join(', ')}.`,
      table(
        ['for example', 'means'],
        one.examples.map(({ yaml, means }) => [`\`${one.name}: ${yaml}\``, means]),
      ),
    ]),
    '## Packets',
    'Options of `accepts-any-of`, `accepts-all-of`, `blocks-any-of` and `blocks-all-of`. All of them narrow the packets; meant are always first packets of new connections (TCP with SYN alone), never from or to the interface `lo`.',
    table(
      ['key', 'takes', 'means'],
      PACKET_OPTION_KEYS.map(({ key, takes, means }) => [`\`${key}\``, takes, means]),
    ),
    'Peers, under `from`, `except-from`, `to` and `except-to`; what several keys name counts together:',
    table(
      ['key', 'takes', 'means'],
      PEER_OPTION_KEYS.map(({ key, takes, means }) => [`\`${key}\``, takes, means]),
    ),
    PEERS_NOTE,
    '## Facts',
    'What `message`, `remediation` and the cases of `severity` and `message` may name, in braces in a text:',
    table(
      ['fact', 'is', 'there'],
      FACTS_OF_DATA_CHECKS.map(({ name, means, when }) => [`\`{${name}}\``, means, FACT_WHEN[when]]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

const PREDICATES_INTRODUCTION = `What a check may name under \`when\`. A check finds something where all its predicates hold; there is no "or": two reasons to report
are two checks. \`scope\` says of what they are asked, and what a finding is about: each \`rule\` (the policy of a chain is asked like
one), each \`chain\`, or the \`host\` as a whole on one way through it. Only chains count that packets of the hook come to: base chains of that hook,
and chains that these jump to. [Adding a check](adding-a-check.md) has a whole one.`;

const PEERS_NOTE = `Who is excepted but has no address in \`nwaudit.yaml\` may be exactly who gets in: access from few addresses is then reported as possible, and names whose
addresses are missing. Of a host or a network with addresses of both IP versions, \`blocks-any-of\` and \`blocks-all-of\` ask that one version works.
With the scopes \`rule\` and \`chain\`, the chain counts that decides: of several base chains of a hook the one of the table \`filter\`, or with priority 0, that
stops anything.`;

const FACT_WHEN: Readonly<Record<(typeof FACTS_OF_DATA_CHECKS)[number]['when'], string>> = {
  always: 'always',
  'rule or chain': 'with the scopes `rule` and `chain`',
  packets: 'with a predicate on packets',
  accepts: 'where the first of them is `accepts-any-of` or `accepts-all-of`',
  blocks: 'where it is `blocks-any-of` or `blocks-all-of`',
};

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
    env: { NWAUDIT_TODAY: EXAMPLE_DAY },
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
    .filter((path) => path.startsWith(`${CHECKS_FOLDER}/`) || path.startsWith(`${PROFILES_FOLDER}/`));
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
