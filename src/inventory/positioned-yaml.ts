/** YAML text to a tree with positions. The only module besides the rule pack that loads the `yaml` package. */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { ConfigEntry, ConfigNode, Span } from './config-node.ts';
import { quote } from './config-value.ts';
import type { ConfigProblem } from './inventory.ts';

/**
 * Longest text that is read, in UTF-16 code units: some forty thousand hosts with a line of a hundred each. The YAML reader takes
 * about two seconds for a million of an ordinary text, and some twenty for a million of the worst one found.
 */
const MAX_LENGTH = 4 * 1024 * 1024;

/** How many values all aliases together may stand for. */
const MAX_ALIASED = 10_000;

/** Deepest nesting. `nwaudit.yaml` needs five levels. */
const MAX_DEPTH = 32;

/** What became of a YAML text. `root` is absent when it could not be read at all. */
export interface YamlTree {
  readonly root?: ConfigNode;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Reads one YAML 1.2 document (core schema). Syntax errors, unknown tags, duplicate keys, keys that are not
 * scalars, too deep nesting and aliases that multiply are problems. Never throws.
 */
export function parsePositionedYaml(text: string, file: string): YamlTree {
  if (text.length > MAX_LENGTH) {
    const message = `the file has ${text.length} characters; at most ${MAX_LENGTH} are read. A pattern ("cl-*") stands for many hosts of one role, role_networks for their addresses`;
    return { problems: [{ file, line: 1, column: 1, path: '$', message }] };
  }
  const source = text.replace(/^\uFEFF/, '');
  const lines = lineStartsOf(source);
  let contents: unknown;
  const problems: ConfigProblem[] = [];
  try {
    const document = parseDocument(source, {
      version: '1.2',
      schema: 'core',
      merge: false,
      // Our own test for duplicates is linear, the library's is quadratic.
      uniqueKeys: false,
      prettyErrors: false,
    });
    for (const error of [...document.errors, ...document.warnings]) {
      const { line, col } = lines.linePos(error.pos[0]);
      problems.push({
        file,
        line,
        column: col,
        path: '$',
        message: `not valid YAML: ${oneLine(error.message)}`,
      });
    }
    contents = document.contents;
  } catch (error) {
    // The reader recurses, so that nesting can exhaust the stack; it has no other way to say so.
    const message = `not readable as YAML: ${error instanceof RangeError ? 'nested too deeply' : oneLine(String(error))}`;
    return { problems: [{ file, line: 1, column: 1, path: '$', message }] };
  }
  const converter = new TreeConverter(file, lines, problems);
  const root = converter.convert(contents, 0, false);
  return { root, problems };
}

/** Where the lines begin. The library itself tells its counter of some lines only, once a text is broken. */
function lineStartsOf(text: string): LineCounter {
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf('\n', at) + 1 || -1) lines.addNewLine(at);
  return lines;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 200);
}

/** State of one conversion: anchors seen so far, and how much aliases have multiplied. */
class TreeConverter {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #problems: ConfigProblem[];
  readonly #anchors = new Map<string, Node>();
  #aliased = 0;
  #reportedBomb = false;

  constructor(file: string, lines: LineCounter, problems: ConfigProblem[]) {
    this.#file = file;
    this.#lines = lines;
    this.#problems = problems;
  }

  convert(node: unknown, depth: number, inAlias: boolean): ConfigNode {
    const span = this.#spanOf(node);
    if (!isNode(node)) return { kind: 'null', span };
    if (depth > MAX_DEPTH) return this.#refuse(span, `nested deeper than ${MAX_DEPTH} levels`);
    if (inAlias && ++this.#aliased > MAX_ALIASED) {
      if (this.#reportedBomb) return { kind: 'other', text: 'alias', span };
      this.#reportedBomb = true;
      return this.#refuse(span, `aliases stand for more than ${MAX_ALIASED} values in total`);
    }
    if (isAlias(node)) return this.#resolveAlias(node.source, span, depth);
    if (node.anchor !== undefined && !inAlias) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#convertMap(node.items, span, depth, inAlias);
    if (isSeq(node)) {
      return { kind: 'list', items: node.items.map((item) => this.convert(item, depth + 1, inAlias)), span };
    }
    return isScalar(node) ? scalarNode(node.value, node.source, span) : { kind: 'other', text: '', span };
  }

  #resolveAlias(name: string, span: Span, depth: number): ConfigNode {
    const target = this.#anchors.get(name);
    if (target === undefined) return this.#refuse(span, `alias ${quote(name)} has no anchor before it`);
    // An alias inside its own anchor ends at the depth limit.
    return this.convert(target, depth + 1, true);
  }

  #convertMap(
    items: readonly { readonly key: unknown; readonly value: unknown }[],
    span: Span,
    depth: number,
    inAlias: boolean,
  ): ConfigNode {
    const firstLine = new Map<string, number>();
    const entries: ConfigEntry[] = [];
    for (const item of items) {
      const keySpan = this.#spanOf(item.key);
      const key = this.#convertKey(item.key);
      if (key === undefined) {
        this.#refuse(keySpan, 'a key must be a plain text');
        continue;
      }
      const before = firstLine.get(key);
      if (before !== undefined) {
        this.#refuse(keySpan, `the key ${quote(key)} is there already, in line ${before}`);
        continue;
      }
      firstLine.set(key, keySpan.line);
      const value = item.value === null ? { kind: 'null' as const, span: keySpan } : undefined;
      entries.push({ key, keySpan, value: value ?? this.convert(item.value, depth + 1, inAlias) });
    }
    return { kind: 'map', entries, span };
  }

  /** Keys are texts, as in JSON: `123:` is the key "123". */
  #convertKey(key: unknown): string | undefined {
    if (!isScalar(key)) return undefined;
    if (key.anchor !== undefined) this.#anchors.set(key.anchor, key);
    return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
  }

  #refuse(span: Span, message: string): ConfigNode {
    this.#problems.push({ file: this.#file, line: span.line, column: span.column, path: '$', message });
    return { kind: 'other', text: '', span };
  }

  #spanOf(node: unknown): Span {
    const range = isNode(node) ? node.range : undefined;
    if (range === undefined || range === null) return { line: 1, column: 1, endLine: 1, endColumn: 1 };
    const start = this.#lines.linePos(range[0]);
    const end = this.#lines.linePos(range[1]);
    return { line: start.line, column: start.col, endLine: end.line, endColumn: end.col };
  }
}

function scalarNode(value: unknown, source: string | undefined, span: Span): ConfigNode {
  if (value === null || value === undefined) return { kind: 'null', span };
  if (typeof value === 'string') return { kind: 'text', text: value, span };
  const text = source ?? String(value);
  if (typeof value === 'number' || typeof value === 'bigint') return { kind: 'number', text, span };
  return { kind: typeof value === 'boolean' ? 'boolean' : 'other', text, span };
}
