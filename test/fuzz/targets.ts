/** What is fuzzed: the reader of each format, the files people write for nwaudit, and the whole scan. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parseInventoryText } from '../../src/inventory/parse-inventory.ts';
import type { Packet, ParseResult, Ruleset } from '../../src/model/index.ts';
import { decodeText, detectFormat, parseExport, readHostExports } from '../../src/parse/index.ts';
import { parseIpsetSave } from '../../src/parse/ipset-save/index.ts';
import { parseIptablesSave } from '../../src/parse/iptables-save/index.ts';
import { parseNftJson } from '../../src/parse/nft-json/index.ts';
import { parseNsrports } from '../../src/parse/nsrports/index.ts';
import { REPORT_FORMATS, REPORTERS, type ReportOptions } from '../../src/report/index.ts';
import type { CheckDefinition, Decoded, Profile, RulePackProblem } from '../../src/rulepack/index.ts';
import { parseCheck, parseProfile, parseRulePack } from '../../src/rulepack/parse.ts';
import { scan } from '../../src/scan.ts';
import { decodePackets, encodeAnswer, traceHost } from '../../src/trace/index.ts';
import { createRandom } from '../kernel/random.ts';
import { type FuzzFile, type FuzzInput, filesBelow, hashOf, ROOT, sizeOf } from './input.ts';
import { checkVisible, OracleError, Places, shapesOf } from './oracle.ts';
import { collectSeeds, type Seeds } from './seeds.ts';
import { wordsOf } from './words.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Folders and files of `src/` whose coverage is the target's figure. */
  readonly covers: readonly string[];
  readonly seeds: (seeds: Seeds) => readonly FuzzInput[];
  /** Folders of `src/` whose literals are the target's words. */
  readonly words: readonly string[];
  /** Longest input, in bytes. */
  readonly limit: number;
  /** Processor time an input may take: milliseconds, and more for every kilobyte. What takes longer is a finding. */
  readonly time: { readonly base: number; readonly perKilobyte: number };
  /** Runs the program on an input and throws when something does not hold. Answers with what was new about the outcome. */
  readonly run: (input: FuzzInput) => readonly string[];
}

const PARSER_TIME = { base: 4000, perKilobyte: 20 };
const PARSER_LIMIT = 1024 * 1024;

const textOf = ({ bytes }: FuzzFile): string => decodeText(bytes).text;
const placesOf = (input: FuzzInput): Places =>
  new Places(new Map(input.map((file) => [file.path, textOf(file)])));

/** A reader of one text. */
function parserTarget(
  name: string,
  folder: string,
  formats: readonly string[],
  parse: (text: string, file: string) => ParseResult,
): FuzzTarget {
  return {
    name,
    covers: [`parse/${folder}`],
    words: [`parse/${folder}`],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ byFormat }) =>
      formats.flatMap((format) => byFormat.get(format) ?? []).map(({ bytes }) => [{ path: 'input', bytes }]),
    run: ([file]) => {
      const text = textOf(file!);
      const { ruleset, diagnostics } = parse(text, file!.path);
      const places = new Places(new Map([[file!.path, text]]));
      places.checkDiagnostics(diagnostics);
      places.checkRuleset(ruleset);
      return shapesOf(diagnostics);
    },
  };
}

/** Reads the files of one host and checks what it is told about each. */
function readHost(input: FuzzInput): { readonly ruleset: Ruleset; readonly shapes: readonly string[] } {
  const read = readHostExports(input);
  const places = placesOf(input);
  places.checkDiagnostics(read.diagnostics);
  places.checkRuleset(read.ruleset);
  if (read.permanent !== undefined) places.checkRuleset(read.permanent);
  if (read.exports.length !== input.length)
    throw new OracleError(`${input.length} files, but ${read.exports.length} were accounted for`);
  const whole = new Map(read.exports.map((e) => [e.file, e.whole]));
  for (const { incomplete, origin, detail } of read.diagnostics) {
    if (incomplete && whole.get(origin.file) === true)
      throw new OracleError(`${origin.file} counts as read whole in spite of: ${detail.slice(0, 200)}`);
  }
  return { ruleset: read.ruleset, shapes: shapesOf(read.diagnostics) };
}

/** Kinds of single firewalld files, by where they lie. */
function placeOfKind(text: string): string {
  const kind = /<(zone|service|ipset|policy|icmptype|helper|direct)[\s>/]/.exec(text)?.[1];
  if (kind === undefined)
    return /DefaultZone/.test(text) ? 'firewalld/firewalld.conf' : 'system-connections/eth0.nmconnection';
  if (kind === 'direct') return 'firewalld/direct.xml';
  return `firewalld/${kind === 'policy' ? 'policies' : `${kind}s`}/public.xml`;
}

function checkProblems(
  text: string,
  file: string,
  problems: readonly {
    readonly file: string;
    readonly line: number | null;
    readonly column: number | null;
  }[],
  messageOf: (index: number) => string,
): readonly string[] {
  const places = new Places(new Map([[file, text]]));
  return problems.slice(0, 200).map(({ file: named, line, column }, index) => {
    const message = messageOf(index);
    const place = {
      file: named,
      line: line ?? 0,
      column: column ?? 0,
      endLine: line ?? 0,
      endColumn: column ?? 0,
      path: null,
    };
    places.check(place, message.slice(0, 200));
    if (message.trim() === '' || message.length > 4000)
      throw new OracleError(`is no message: ${message.slice(0, 100)}`);
    return message
      .replace(/"[^"]*"/g, '""')
      .replace(/\d+/g, '0')
      .slice(0, 60);
  });
}

function runRulePack([file]: FuzzInput): readonly string[] {
  const text = Buffer.from(file!.bytes).toString('utf8');
  const decoded: Decoded<Profile | CheckDefinition> = file!.path.startsWith('profiles/')
    ? parseProfile(text, file!.path)
    : parseCheck(text, file!.path);
  if (decoded.kind === 'ok') return ['ok'];
  const problems: readonly RulePackProblem[] = decoded.problems;
  if (problems.length === 0) throw new OracleError('is refused without a reason');
  return checkProblems(text, file!.path, problems, (i) => problems[i]!.detail);
}

function runInventory([file]: FuzzInput): readonly string[] {
  const text = Buffer.from(file!.bytes).toString('utf8');
  const { inventory, problems } = parseInventoryText(text, file!.path);
  if ((inventory === undefined) !== problems.length > 0)
    throw new OracleError('an inventory and problems, or neither');
  return checkProblems(text, file!.path, problems, (i) => problems[i]!.message);
}

let packetRules: Ruleset | undefined;

function runPackets([file]: FuzzInput): readonly string[] {
  const text = textOf(file!);
  const { packets, problems } = decodePackets(text, file!.path);
  const places = problems.map((problem) => ({ ...problem, column: 1 }));
  const shapes = checkProblems(text, file!.path, places, (i) => problems[i]!.message);
  if (problems.length > 0) return shapes;
  packetRules ??= readHostExports([
    { path: 'rules', bytes: readFileSync(join(ROOT, 'fixtures/lab/exports/nw-server/iptables-save.txt')) },
  ]).ruleset;
  return traceAll(packetRules, packets.slice(0, 50));
}

/** Traces by both evaluators, which throw when they differ. */
function traceAll(ruleset: Ruleset, packets: readonly Packet[]): readonly string[] {
  const answers = traceHost(ruleset, packets, { nodeBudget: SMALL_BUDGET });
  return answers.map((answer, index) => {
    const encoded = encodeAnswer(index, packets[index]!.version, answer);
    if (encoded.certain !== (encoded.unknown.length === 0))
      throw new OracleError(
        `a certain answer hangs on something, or an uncertain one on nothing: ${JSON.stringify(encoded)}`,
      );
    return `${encoded.verdict} after ${Math.min(encoded.path.length, 5)}`;
  });
}

/** Nodes of packet sets; the program's own limit would make most of the time a wait for one input. */
const SMALL_BUDGET = 300_000;

/** Packets with addresses, ports and interfaces that the texts mention, chosen by the input itself. */
function packetsFor(input: FuzzInput): readonly Packet[] {
  const text = input.map(textOf).join('\n').slice(0, 200_000);
  const random = createRandom(Number.parseInt(hashOf(input).slice(0, 8), 16));
  const pickOf = (pattern: RegExp, more: readonly string[]): string => {
    const found = text.match(pattern)?.slice(0, 400) ?? [];
    return found.length > 0 && random.chance(0.7) ? random.pick(found) : random.pick(more);
  };
  const lines: string[] = [];
  for (let i = 0; i < 12; i++) {
    const isV6 = random.chance(0.3);
    const address = (): string =>
      isV6
        ? pickOf(/\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){2,7}\b/gi, ['2001:db8::1', '2001:db8:1::7'])
        : pickOf(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, ['192.0.2.1', '198.51.100.7', '127.0.0.1']);
    const proto = random.pick(['tcp', 'tcp', 'tcp', 'udp', isV6 ? 'ipv6-icmp' : 'icmp', 'gre']);
    const port = (): number =>
      Math.min(
        65535,
        Math.max(0, Number(pickOf(/\b\d{1,5}\b/g, ['22', '7938', '40000'])) + random.pick([-1, 0, 0, 1])),
      );
    const iface = random.chance(0.4) ? { iif: pickOf(/\b(?:eth|ens|br|lo|wg)\d*\b/g, ['eth0', 'lo']) } : {};
    const layer4 = ['tcp', 'udp'].includes(proto)
      ? { sport: port(), dport: port() }
      : proto === 'gre'
        ? {}
        : { icmp_type: random.pick([0, 3, 8, 128, 135]) };
    const state = random.chance(0.2)
      ? { ct_state: random.pick(['established', 'related', 'invalid', 'untracked']) }
      : {};
    lines.push(
      JSON.stringify({
        hook: random.pick(['input', 'input', 'forward', 'output']),
        saddr: address(),
        daddr: address(),
        proto,
        ...layer4,
        ...iface,
        ...state,
      }),
    );
  }
  // Texts that look like addresses and are none give lines that are refused; the others remain.
  return lines.flatMap((line) => decodePackets(line, 'p').packets);
}

function shippedRules(): { readonly profile: Profile; readonly checks: readonly CheckDefinition[] } {
  const files = ['profiles', 'checks'].flatMap((folder) =>
    filesBelow(join(ROOT, 'rules', folder)).map(({ path, bytes }) => ({
      file: `${folder}/${path}`,
      text: Buffer.from(bytes).toString('utf8'),
    })),
  );
  const { profiles, checks } = parseRulePack(files);
  const profile = profiles.find(({ id }) => id === 'guide');
  if (profile === undefined) throw new Error('the rule pack has no profile "guide"');
  return { profile, checks };
}

interface ScanParts {
  readonly rules: ReturnType<typeof shippedRules>;
  readonly fits: (report: unknown) => string | undefined;
}
let scanParts: ScanParts | undefined;

function getScanParts(): ScanParts {
  if (scanParts !== undefined) return scanParts;
  const schema: object = JSON.parse(readFileSync(join(ROOT, 'rules/schema/report.schema.json'), 'utf8'));
  const validate = new Ajv2020({ strict: true, strictTypes: false, allErrors: false }).compile(schema);
  scanParts = {
    rules: shippedRules(),
    fits: (report) => (validate(report) ? undefined : JSON.stringify(validate.errors?.[0])),
  };
  return scanParts;
}

const REPORT_OPTIONS: ReportOptions = {
  color: false,
  width: 100,
  minSeverity: 'info',
  showSuppressed: true,
  sarifCategory: 'fuzz',
  sarifOmitSuppressed: false,
};

function runScan(input: FuzzInput): readonly string[] {
  const { rules, fits } = getScanParts();
  const config = input.find(({ path }) => path === 'nwaudit.yaml');
  const exports = input.filter((file) => file !== config);
  const roles = rules.profile.roles.map((role) => role.id);
  const checks = rules.checks.map((check) => check.id);
  const inventory =
    config === undefined
      ? undefined
      : parseInventoryText(Buffer.from(config.bytes).toString('utf8'), config.path, { roles, checks })
          .inventory;
  const report = scan(exports, {
    version: '0.0.0-fuzz',
    ...rules,
    ...(inventory === undefined ? {} : { inventory }),
    roots: ['.'],
    today: '2026-11-22',
    failOn: 'medium',
    allowIncomplete: false,
    exitZero: false,
    nodeBudget: SMALL_BUDGET,
  });
  const places = new Places(
    new Map([
      ...exports.map((file) => [file.path, textOf(file)] as const),
      ['nwaudit.yaml', config === undefined ? '' : Buffer.from(config.bytes).toString('utf8')],
    ]),
  );
  places.checkDiagnostics(report.diagnostics);
  if (![0, 1, 3].includes(report.exitCode)) throw new OracleError(`exit code ${report.exitCode}`);
  const incomplete = exports.length === 0 || report.diagnostics.some((d) => d.incomplete);
  // A waiver of unread-input lifts the code; the configuration of most inputs has none.
  const waived = inventory?.waivers.some((waiver) => waiver.check === 'unread-input') === true;
  if (incomplete && report.exitCode !== 3 && !waived)
    throw new OracleError(`something was not read, and the exit code is ${report.exitCode}`);
  for (const format of REPORT_FORMATS) {
    const text = REPORTERS[format](report, REPORT_OPTIONS);
    checkVisible(text, format);
    if (format === 'text') continue;
    const value = JSON.parse(text) as { readonly exitCode?: unknown; readonly runs?: unknown };
    if (format === 'json') {
      const problem = fits(value);
      if (problem !== undefined) throw new OracleError(`the JSON report does not fit its schema: ${problem}`);
      if (value.exitCode !== report.exitCode) throw new OracleError('the JSON report has another exit code');
    }
    if (format === 'sarif' && !Array.isArray(value.runs))
      throw new OracleError('the SARIF report has no runs');
  }
  return [
    ...report.findings.map(
      (f) => `${f.check} ${f.severity} ${f.certainty} ${(f.remediation?.commands.length ?? 0) > 0}`,
    ),
    ...shapesOf(report.diagnostics),
  ];
}

/** All targets, the quick ones first. */
export const TARGETS: readonly FuzzTarget[] = [
  parserTarget('iptables', 'iptables-save', ['iptables-save', 'ip6tables-save'], parseIptablesSave),
  parserTarget('ipset', 'ipset-save', ['ipset-save'], parseIpsetSave),
  parserTarget('nft-json', 'nft-json', ['nft-json'], parseNftJson),
  {
    name: 'firewalld-file',
    covers: ['parse/firewalld-xml'],
    words: ['parse/firewalld-xml'],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ byFormat }) =>
      (byFormat.get('firewalld') ?? []).map((file) => [
        { path: placeOfKind(textOf(file)), bytes: file.bytes },
      ]),
    run: (input) => readHost(input).shapes,
  },
  {
    name: 'firewalld',
    covers: ['parse/firewalld-xml', 'parse/join-firewalld.js'],
    words: ['parse/firewalld-xml'],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ firewalld }) => firewalld,
    run: (input) => readHost(input).shapes,
  },
  {
    name: 'nsrports',
    covers: ['parse/nsrports'],
    words: ['parse/nsrports'],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ byFormat }) => [
      [{ path: 'input', bytes: Buffer.from('Service ports: 7937-9936\nConnection ports: 0-0\n') }],
      ...(byFormat.get('nsrports') ?? []).map(({ bytes }) => [{ path: 'input', bytes }]),
    ],
    run: ([file]) => {
      const text = textOf(file!);
      const { diagnostics } = parseNsrports(text, file!.path);
      new Places(new Map([[file!.path, text]])).checkDiagnostics(diagnostics);
      return shapesOf(diagnostics);
    },
  },
  {
    name: 'detect',
    covers: ['parse/detect.js', 'parse/decode-text.js', 'parse/index.js'],
    words: ['parse'],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ byFormat }) =>
      [...byFormat.values()].flatMap((files) =>
        files
          .filter((_, i) => i % 4 === 0)
          .map(({ path, bytes }) => [{ path: path.slice(path.lastIndexOf('/') + 1), bytes }]),
      ),
    run: (input) => {
      const [file] = input;
      const { text, encoding } = decodeText(file!.bytes);
      const found = detectFormat(text, file!.path, encoding === 'binary' ? 'binary' : undefined);
      if (found.reason.trim() === '') throw new OracleError('a detection without a reason');
      new Places(new Map([[file!.path, text]])).checkDiagnostics(
        parseExport(text, file!.path, found).diagnostics,
      );
      return [found.format, ...readHost(input).shapes];
    },
  },
  {
    name: 'inventory',
    covers: ['inventory'],
    words: ['inventory'],
    limit: 256 * 1024,
    time: { base: 4000, perKilobyte: 60 },
    seeds: ({ inventories }) => inventories,
    run: runInventory,
  },
  {
    name: 'rulepack',
    covers: ['rulepack'],
    words: ['rulepack', 'check/evaluator'],
    limit: 256 * 1024,
    time: { base: 4000, perKilobyte: 60 },
    seeds: ({ rulePacks }) => rulePacks,
    run: runRulePack,
  },
  {
    name: 'packets',
    covers: ['trace'],
    words: ['trace', 'net'],
    limit: PARSER_LIMIT,
    time: PARSER_TIME,
    seeds: ({ packets }) => packets,
    run: runPackets,
  },
  {
    name: 'trace',
    covers: ['semantics', 'evaluate', 'packet-set', 'parse/fill-opaque.js', 'parse/merge-rulesets.js'],
    words: ['parse/iptables-save', 'parse/nft-json', 'parse/firewalld-xml'],
    limit: 128 * 1024,
    time: { base: 60_000, perKilobyte: 500 },
    seeds: ({ bundles, byFormat, firewalld }) =>
      [
        ...bundles
          .map((bundle) => bundle.filter(({ path }) => path !== 'nwaudit.yaml').slice(0, 3))
          .filter((bundle) => bundle.length > 0),
        ...['iptables-save', 'nft-json'].flatMap((format) =>
          (byFormat.get(format) ?? [])
            .filter((_, i) => i % 3 === 0)
            .map((file) => [{ path: 'host', bytes: file.bytes }]),
        ),
        ...firewalld.filter((_, i) => i % 5 === 0),
      ].filter((input) => sizeOf(input) <= 24 * 1024),
    run: (input) => {
      const { ruleset } = readHost(input);
      return traceAll(ruleset, packetsFor(input));
    },
  },
  {
    name: 'scan',
    covers: ['scan.js', 'check', 'report', 'finding', 'inventory/assign-files.js'],
    words: ['parse/iptables-save', 'parse/nft-json', 'parse/firewalld-xml', 'inventory'],
    limit: 128 * 1024,
    time: { base: 60_000, perKilobyte: 500 },
    seeds: ({ bundles }) => bundles,
    run: runScan,
  },
];

let collected: { readonly corpus: string | undefined; readonly seeds: Seeds } | undefined;

/** The seeds of a target, those that failed once included. */
export function seedsOf(target: FuzzTarget, corpus: string | undefined): readonly FuzzInput[] {
  if (collected === undefined || collected.corpus !== corpus)
    collected = { corpus, seeds: collectSeeds(corpus) };
  const { seeds } = collected;
  const found = [...target.seeds(seeds), ...(seeds.regressions.get(target.name) ?? [])];
  if (found.length === 0) throw new Error(`there are no seeds for ${target.name}`);
  return found;
}

export function wordsFor(target: FuzzTarget): readonly string[] {
  return wordsOf(target.words);
}

/** The target of a name. */
export function getTarget(name: string): FuzzTarget {
  const target = TARGETS.find((t) => t.name === name);
  if (target === undefined)
    throw new Error(`there is no target ${name}; there are ${TARGETS.map((t) => t.name).join(', ')}`);
  return target;
}
