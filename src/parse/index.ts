/** From files to rulesets: what a file is, what it says, and how the files of one host fit together. */
import {
  EMPTY_RULESET,
  type Origin,
  type ParseDiagnostic,
  type ParseResult,
  type PortRanges,
  type Ruleset,
} from '../model/index.ts';
import { type DecodedText, decodeText } from './decode-text.ts';
import { type Detection, detectFormat, type MistakenFormat } from './detect.ts';
import {
  type Distribution,
  type FirewalldFile,
  type InterfaceBinding,
  parseFirewalld,
} from './firewalld-xml/index.ts';
import { isIpsetLine, parseIpsetSave } from './ipset-save/index.ts';
import { parseIptablesSave } from './iptables-save/index.ts';
import { joinFirewalld, partOf } from './join-firewalld.ts';
import { mergeRulesets, type RulesetPart } from './merge-rulesets.ts';
import { parseNftJson } from './nft-json/index.ts';
import { holdsNsrports, joinNsrports, type NsrportsResult, parseNsrports } from './nsrports/index.ts';

export { type DecodedText, decodeText } from './decode-text.ts';
export { type Detection, detectFormat, type MistakenFormat } from './detect.ts';
export { DEFAULT_HEAP_BYTES, filesTooLarge } from './heap-limit.ts';
export { type MergedRulesets, mergeRulesets, type RulesetPart } from './merge-rulesets.ts';
export { isSameRange } from './nsrports/index.ts';

/**
 * Parses a text as what it was detected to be. Formats that are recognised but not read, and files sent by mistake, give an
 * empty ruleset and a diagnostic that says what to export instead. Never throws.
 */
export function parseExport(text: string, file: string, detection: Detection): RulesetPart {
  if (detection.kind === 'mistaken') {
    const advice = detection.advice === undefined ? '' : `: ${detection.advice}`;
    return unread(file, `the file is not used, ${detection.reason}${advice}`, true);
  }
  switch (detection.format) {
    case 'iptables-save':
    case 'ip6tables-save':
      return parseRules(text, file);
    case 'ipset-save':
      return parseIpsetSave(text, file);
    case 'nft-json':
      return { ...parseNftJson(text, file), isNftJson: true };
    case 'firewalld':
      return parseFirewalld([{ path: file, text }]);
    case 'nsrports':
      return { ruleset: EMPTY_RULESET, diagnostics: parseNsrports(text, file).diagnostics };
  }
}

/** Rules, and the sets that stand between them. The IP version stays open: one file can hold both. */
function parseRules(text: string, file: string): RulesetPart {
  if (!/\bipset\s|^\s*create\s/m.test(text)) return parseIptablesSave(text, file);
  const ruleLines: string[] = [];
  const setLines: string[] = [];
  for (const line of text.split('\n')) {
    const isSet = isIpsetLine(line);
    // Both texts keep every line's number.
    ruleLines.push(isSet ? '' : line);
    setLines.push(isSet ? line : '');
  }
  const rules = parseIptablesSave(ruleLines.join('\n'), file);
  const sets = parseIpsetSave(setLines.join('\n'), file);
  return {
    ruleset: { tables: rules.ruleset.tables, namedSets: sets.ruleset.namedSets },
    diagnostics: [...rules.diagnostics, ...sets.diagnostics],
    facts: rules.facts,
  };
}

function unread(file: string, detail: string, incomplete: boolean): ParseResult {
  const diagnostic: ParseDiagnostic = {
    kind: incomplete ? 'unsupported' : 'note',
    incomplete,
    origin: fileOrigin(file),
    detail,
  };
  return { ruleset: EMPTY_RULESET, diagnostics: [diagnostic] };
}

function fileOrigin(file: string): Origin {
  return { file, line: 1, column: 1, endLine: 1, endColumn: 1, path: null };
}

/** One file of a host as the caller read it. */
export interface ExportFile {
  /** Path as reports print it. */
  readonly path: string;
  /** Content; `undefined` when it could not be read, and then `problem` says why. */
  readonly bytes: Uint8Array | undefined;
  readonly problem?: string;
}

/** What became of one file. */
export interface ReadExport {
  readonly file: string;
  /** Detected format, or a short name of what the file is instead. */
  readonly format: string;
  /** Whether everything in it was read. */
  readonly whole: boolean;
  readonly ruleset: Ruleset;
}

/** Everything the files of one host say. */
export interface HostExports {
  /** One entry for each file, in the order given. */
  readonly exports: readonly ReadExport[];
  readonly ruleset: Ruleset;
  /** What firewalld would load at its next reload, where the files show that beside what runs. */
  readonly permanent: Ruleset | undefined;
  /** What `nsrports` of the host printed, where it is among the files. */
  readonly ports: PortRanges;
  /** Of the files, in their order, then of how they fit together. */
  readonly diagnostics: readonly ParseDiagnostic[];
}

/** What is known of a host beside its files. */
export interface HostFacts {
  /** Firewalld zone of each interface, as `nwaudit.yaml` declares them. */
  readonly interfaces?: ReadonlyMap<string, string>;
  /** Whose package of firewalld it has; absent: told from its files where they show it. */
  readonly distribution?: Distribution;
  /** Path of `nwaudit.yaml`, for what is said about them. */
  readonly configuration?: string;
}

/** Short names of files that are no exports, as reports print them. */
const FORMAT_NAMES: Readonly<Record<MistakenFormat, string>> = {
  'iptables-listing': 'iptables -L listing',
  'nft-text': 'nft text listing',
  'firewall-cmd-listing': 'firewall-cmd listing',
  'windows-firewall': 'Windows firewall export',
  'ufw-listing': 'ufw listing',
  'other-json': 'other JSON',
  'other-xml': 'other XML',
  empty: 'empty file',
  binary: 'binary data',
  'other-text': 'other text',
};

/** Decodes, detects and parses the files of one host and puts them together. Never throws. */
export function readHostExports(files: readonly ExportFile[], facts: HostFacts = {}): HostExports {
  const read = files.map(readFile);
  const parts = read.flatMap(({ result }) => (result === undefined ? [] : [result]));
  const merged = mergeRulesets(parts);
  const zoneFiles = read.flatMap(({ firewalld }) => (firewalld === undefined ? [] : [firewalld]));
  const joined = joinFirewalld(zoneFiles, merged.ruleset, {
    interfaces: bindingsOf(facts),
    distribution: facts.distribution,
    hasNftJson: parts.some((part) => part.isNftJson === true),
  });
  const ports = joinNsrports(read.flatMap(({ nsrports }) => nsrports ?? []));
  const together = [...merged.diagnostics, ...joined.diagnostics, ...ports.diagnostics];
  const holds = (d: ParseDiagnostic): boolean => !merged.settled.has(d);
  const broken = new Set(together.filter((d) => d.incomplete).map((d) => d.origin.file));
  return {
    exports: read.map(({ file, format, result, notes }) => ({
      file,
      format,
      whole:
        !broken.has(file) &&
        ![...notes, ...(result?.diagnostics ?? [])].some((d) => d.incomplete && holds(d)),
      ruleset: result?.ruleset ?? partOf(joined.own, file),
    })),
    ruleset: joined.ruleset,
    permanent: joined.permanent,
    ports: ports.ranges,
    diagnostics: [
      ...read.flatMap(({ notes, result }) => [...notes, ...(result?.diagnostics.filter(holds) ?? [])]),
      ...together,
    ],
  };
}

function bindingsOf({ interfaces, configuration }: HostFacts): readonly InterfaceBinding[] | undefined {
  if (interfaces === undefined || interfaces.size === 0) return undefined;
  const origin = fileOrigin(configuration ?? 'nwaudit.yaml');
  return [...interfaces].map(([name, zone]) => ({ interface: name, zone, origin }));
}

/** Longest file of firewalld that is read, in characters: an XML reader takes some forty times that in memory. */
const MOST_XML = 16 * 1024 * 1024;

interface ReadFile {
  readonly file: string;
  readonly format: string;
  /** About the file itself, before its content. */
  readonly notes: readonly ParseDiagnostic[];
  /** What a file says that stands for itself. */
  readonly result: RulesetPart | undefined;
  /** A file that means something only together with the others of its kind. */
  readonly firewalld: FirewalldFile | undefined;
  /** Port ranges of NetWorker, in a file of their own or beside rules. */
  readonly nsrports?: NsrportsResult;
}

function readFile(input: ExportFile): ReadFile {
  const file = input.path;
  if (input.bytes === undefined) {
    const result = unread(file, `the file could not be read: ${input.problem ?? 'unknown reason'}`, true);
    return { file, format: 'unreadable file', notes: [], result, firewalld: undefined };
  }
  const { text, encoding, note }: DecodedText = decodeText(input.bytes);
  const detection = detectFormat(text, file, encoding === 'binary' ? 'binary' : undefined);
  const notes: readonly ParseDiagnostic[] =
    note === undefined || encoding === 'binary'
      ? []
      : [{ kind: 'note', incomplete: false, origin: fileOrigin(file), detail: note }];
  const format = detection.kind === 'export' ? detection.format : FORMAT_NAMES[detection.format];
  if (format === 'firewalld' && text.length > MOST_XML) {
    const result = unread(file, 'it is larger than 16 MB, which no file of firewalld should be', true);
    return { file, format, notes, result, firewalld: undefined };
  }
  if (format === 'firewalld' && encoding !== 'binary')
    return { file, format, notes, result: undefined, firewalld: { path: file, text, encoding } };
  const result = parseExport(text, file, detection);
  const ranges = portRangesIn(text, file, detection);
  if (ranges === undefined) return { file, format, notes, result, firewalld: undefined };
  const diagnostics = format === 'nsrports' ? [] : ranges.diagnostics;
  return { file, format, notes: [...notes, ...diagnostics], result, firewalld: undefined, nsrports: ranges };
}

/** How much of a file is looked at for port ranges that stand beside rules. */
const HEAD = 65_536;

function portRangesIn(text: string, file: string, detection: Detection): NsrportsResult | undefined {
  if (detection.kind !== 'export' || !LINE_FORMATS.has(detection.format)) return undefined;
  return holdsNsrports(text.slice(0, HEAD)) ? parseNsrports(text, file) : undefined;
}

const LINE_FORMATS: ReadonlySet<string> = new Set([
  'iptables-save',
  'ip6tables-save',
  'ipset-save',
  'nsrports',
]);

/**
 * The port ranges that `nsrports` among the files of a host tells. They decide what is asked of other hosts too, so they are read before the
 * first host is judged; `readHostExports` tells what is wrong with them. Looks at the beginning of each file only to find them.
 */
export function readPortRanges(files: readonly ExportFile[]): PortRanges {
  const results = files.flatMap(({ path, bytes }) => {
    if (bytes === undefined || !holdsNsrports(decodeText(bytes.subarray(0, HEAD)).text)) return [];
    const { text } = decodeText(bytes);
    return portRangesIn(text, path, detectFormat(text, path)) ?? [];
  });
  return joinNsrports(results).ranges;
}
