import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { type CheckBinder, decodeCheck } from './check.ts';
import { Decoder, type Locate, MAX_PROBLEMS, type Path } from './decode.ts';
import {
  COMPILED_VERSION,
  type CompiledFile,
  type CompiledRulePack,
  decodeFiles,
  decodeOneProfile,
} from './pack.ts';
import { type Decoded, RulePackError, type RulePackProblem } from './problem.ts';
import type { CheckDefinition, Profile, RulePack } from './rulepack.ts';

/** A file of a rule pack: `profiles/*.yaml` hold profiles, every other file a check. */
export interface RulePackFile {
  readonly file: string;
  readonly text: string;
}

/** Longest file of a rule pack that is read. The longest of ours has a hundredth of it. */
const MAX_TEXT_LENGTH = 1_000_000;

/** One profile from YAML, or all that is wrong with it. `known`: the profiles it may extend or be compared with. */
export function parseProfile(text: string, file: string, known: readonly Profile[] = []): Decoded<Profile> {
  const { data, locate, problems } = readYaml(text, file);
  if (problems.length > 0) return { kind: 'bad', problems };
  const outcome = decodeOneProfile(data, file, locate, new Map(known.map((one) => [one.id, one])));
  return outcome.problems.length === 0
    ? { kind: 'ok', value: outcome.profile }
    : { kind: 'bad', problems: outcome.problems };
}

/** One check from YAML, or all that is wrong with it. `bind` looks at what only src/check knows. */
export function parseCheck(text: string, file: string, bind?: CheckBinder): Decoded<CheckDefinition> {
  return parseWith(text, file, (data, decoder) => {
    const check = decodeCheck(data, decoder);
    bind?.(check, decoder);
    return check;
  });
}

function parseWith<T>(
  text: string,
  file: string,
  decode: (data: unknown, decoder: Decoder) => T,
): Decoded<T> {
  const { data, locate, problems } = readYaml(text, file);
  if (problems.length > 0) return { kind: 'bad', problems };
  const decoder = new Decoder(file, locate);
  const value = decode(data, decoder);
  return decoder.problems.length === 0 ? { kind: 'ok', value } : { kind: 'bad', problems: decoder.problems };
}

/**
 * The rule pack of these YAML files. `known`: profiles of other packs, which those of this one may extend; `bind` looks at what only
 * src/check knows.
 *
 * @throws RulePackError with every problem of every file.
 */
export function parseRulePack(
  files: readonly RulePackFile[],
  known: readonly Profile[] = [],
  bind?: CheckBinder,
): RulePack {
  const { pack, problems } = readRulePack(files, known, bind);
  if (problems.length > 0) throw new RulePackError(problems);
  return pack;
}

/**
 * As `parseRulePack`, but for a look at what else is wrong: profiles and checks may have stand-ins where there are problems, and are not
 * to be used then.
 */
export function readRulePack(
  files: readonly RulePackFile[],
  known: readonly Profile[] = [],
  bind?: CheckBinder,
): { readonly pack: RulePack; readonly problems: readonly RulePackProblem[] } {
  return readFiles(files, known, bind);
}

/**
 * The YAML files as data for `rulePackFromJson`, after they have been checked. Survives JSON.
 *
 * @throws RulePackError with every problem of every file.
 */
export function compileRulePack(files: readonly RulePackFile[]): CompiledRulePack {
  const { compiled, problems } = readFiles(files, []);
  if (problems.length > 0) throw new RulePackError(problems);
  return { version: COMPILED_VERSION, files: compiled };
}

function readFiles(
  files: readonly RulePackFile[],
  known: readonly Profile[],
  bind?: CheckBinder,
): { pack: RulePack; compiled: CompiledFile[]; problems: RulePackProblem[] } {
  const locates = new Map<string, Locate>();
  const problems: RulePackProblem[] = [];
  const compiled: CompiledFile[] = [];
  for (const { file, text } of files) {
    const yaml = readYaml(text, file);
    problems.push(...yaml.problems);
    locates.set(file, yaml.locate);
    const kind = /(^|\/)profiles\/[^/]*$/.test(file) ? 'profile' : 'check';
    if (yaml.problems.length === 0) compiled.push({ kind, file, data: yaml.data });
  }
  const decoded = decodeFiles(compiled, (file) => locates.get(file) ?? (() => null), known, bind);
  problems.push(...decoded.problems);
  return { pack: decoded.pack, compiled, problems };
}

interface YamlText {
  readonly data: unknown;
  readonly locate: Locate;
  readonly problems: readonly RulePackProblem[];
}

/** The data of one YAML document, or what makes it no YAML. */
function readYaml(text: string, file: string): YamlText {
  const bad = (detail: string): YamlText => ({
    data: undefined,
    locate: () => null,
    problems: [{ file, line: 1, column: 1, path: '', detail }],
  });
  if (text.length > MAX_TEXT_LENGTH) return bad(`longer than ${MAX_TEXT_LENGTH} characters`);
  const lines = lineStartsOf(text);
  try {
    // The library's own test for keys that stand twice takes the square of their number.
    const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', uniqueKeys: false });
    const mistakes = [
      ...[...document.errors, ...document.warnings].map(({ pos, message }) => ({ at: pos[0], message })),
      ...repeatedKeys(document),
    ];
    const problems = mistakes.slice(0, MAX_PROBLEMS).map(({ at, message }): RulePackProblem => {
      const { line, col } = lines.linePos(at);
      return { file, line, column: col, path: '', detail: `not valid YAML: ${oneLine(message)}` };
    });
    const data: unknown = problems.length === 0 ? document.toJS({ maxAliasCount: 100 }) : undefined;
    return { data, locate: (path) => locateNode(document.contents, path, lines), problems };
  } catch (error) {
    // The library throws on too deep nesting and on too many aliases; it has no other way to say so.
    return bad(`not usable YAML: ${oneLine(error instanceof Error ? error.message : String(error))}`);
  }
}

interface YamlMistake {
  /** Offset in the text. */
  readonly at: number;
  readonly message: string;
}

function repeatedKeys(document: Document.Parsed): YamlMistake[] {
  const found: YamlMistake[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name))
          found.push({ at: key.range?.[0] ?? 0, message: `the key "${name}" stands twice` });
        seen.add(name);
      }
    },
  });
  return found;
}

/** The library quotes what it does not take, up to the rest of the file. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 200);
}

/** Where the lines begin. The library itself tells its counter of some lines only, once a text is broken. */
function lineStartsOf(text: string): LineCounter {
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) lines.addNewLine(at);
  return lines;
}

/** Position of the key or list item a path names, or of the nearest thing around it. */
function locateNode(root: unknown, path: Path, lines: LineCounter): { line: number; column: number } | null {
  let node = root;
  let best = startOf(node);
  for (const step of path) {
    if (isAlias(node) || !isCollection(node)) break;
    const found: unknown = isMap(node)
      ? node.items.find(
          (pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === String(step),
        )
      : node.items[Number(step)];
    if (found === undefined) break;
    best = startOf(isPair(found) ? found.key : found) ?? best;
    node = isPair(found) ? found.value : found;
  }
  if (best === undefined) return { line: 1, column: 1 };
  const { line, col } = lines.linePos(best);
  return { line, column: col };
}

function startOf(node: unknown): number | undefined {
  // Every node that came from a text has its range; the guard is for those made in memory.
  const range =
    typeof node === 'object' && node !== null && 'range' in node ? (node as Node).range : undefined;
  return range?.[0];
}
