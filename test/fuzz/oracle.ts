/** What must hold whatever the input is. A violation is thrown as `OracleError`; any other exception is a finding as well. */
import type { Origin, ParseDiagnostic, Ruleset } from '../../src/model/index.ts';

/** Something the program said that cannot be true. */
export class OracleError extends Error {
  override readonly name = 'OracleError';
}

/** Length of a message that no quoted line of input explains. */
const LONGEST_DETAIL = 4000;

/** Texts of the files that diagnostics may name, and names without a text (one whose place is the start). */
export class Places {
  readonly #lines = new Map<string, readonly (readonly number[])[]>();

  constructor(texts: ReadonlyMap<string, string>) {
    for (const [file, text] of texts) this.#lines.set(file, lineLengths(text));
  }

  /** Throws unless `origin` is a place inside one of the files, and its end not before its start. */
  check(origin: Origin, what: string): void {
    const shown = `${what}: ${JSON.stringify(origin)}`;
    const counts = this.#lines.get(origin.file);
    if (counts === undefined) throw new OracleError(`names a file that is none of the input: ${shown}`);
    const { line, column, endLine, endColumn } = origin;
    for (const n of [line, column, endLine, endColumn]) {
      if (!Number.isInteger(n) || n < 1) throw new OracleError(`is no place: ${shown}`);
    }
    if (endLine < line || (endLine === line && endColumn < column))
      throw new OracleError(`ends before it begins: ${shown}`);
    const isInside = counts.some(
      (lengths) =>
        endLine <= lengths.length &&
        column <= lengths[line - 1]! + 1 &&
        endColumn <= lengths[endLine - 1]! + 1,
    );
    if (!isInside) throw new OracleError(`is outside the file: ${shown}`);
  }

  checkDiagnostics(diagnostics: readonly ParseDiagnostic[]): void {
    for (const { origin, detail, kind } of diagnostics) {
      this.check(origin, `${kind} "${detail.slice(0, 200)}"`);
      if (detail.trim() === '') throw new OracleError(`says nothing: ${JSON.stringify(origin)}`);
      if (detail.length > LONGEST_DETAIL)
        throw new OracleError(`has ${detail.length} characters: ${detail.slice(0, 200)}`);
    }
  }

  /** Every origin of a ruleset. */
  checkRuleset({ tables, namedSets }: Ruleset): void {
    for (const table of tables) {
      this.check(table.origin, `table ${table.name.slice(0, 60)}`);
      for (const chain of table.chains) {
        this.check(chain.origin, `chain ${chain.name.slice(0, 60)}`);
        for (const rule of chain.rules) this.check(rule.origin, `rule ${rule.text.slice(0, 120)}`);
      }
    }
    for (const set of namedSets) {
      this.check(set.origin, `set ${set.name.slice(0, 60)}`);
      for (const element of set.elements) this.check(element.origin, `element of ${set.name.slice(0, 60)}`);
    }
  }
}

/** Lengths of the lines under both readings of a lone carriage return. */
function lineLengths(text: string): readonly (readonly number[])[] {
  const byLineFeed = text.split('\n').map((line) => line.length);
  if (text.includes('\n') || !text.includes('\r')) return [byLineFeed];
  return [byLineFeed, text.split('\r').map((line) => line.length)];
}

/** Characters that act on a terminal or hide from the eye, by their own list: src/finding/escape.ts is what is tested. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** Throws when a report holds characters that a terminal would act on. */
export function checkVisible(report: string, format: string): void {
  const found = ACTIVE.exec(report);
  if (found !== null)
    throw new OracleError(
      `the ${format} report holds U+${report.charCodeAt(found.index).toString(16)}: ${JSON.stringify(report.slice(Math.max(0, found.index - 60), found.index + 20))}`,
    );
  if (/\p{Cs}/u.test(report)) throw new OracleError(`the ${format} report holds half a surrogate pair`);
}

/** The kinds of things a parse said, without what it quotes: new ones are a reason to keep an input. */
export function shapesOf(diagnostics: readonly ParseDiagnostic[]): string[] {
  return diagnostics.slice(0, 50).map(({ kind, incomplete, detail }) => {
    const shape = detail.replace(/"[^"]*"/g, '""').replace(/[0-9a-f.:]*\d[0-9a-f.:]*/gi, '0');
    return `${kind}${incomplete ? '!' : ''} ${shape.slice(0, 60)}`;
  });
}
