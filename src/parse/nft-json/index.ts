/** Reads what `nft -j` prints: whole rulesets, single tables and chains, and lists of commands. */
import { EMPTY_RULESET, type Origin, type ParseResult } from '../../model/index.ts';
import { DiagnosticLog } from '../diagnostic-log.ts';
import { buildTable } from './build-table.ts';
import { parseJson, property } from './json.ts';
import { offsetOfMistake } from './json-mistake.ts';
import { type ScannedDocument, scanDocument } from './scan-document.ts';
import { SourceText } from './source-text.ts';
import { TableCollector } from './tables.ts';

/**
 * Parses JSON in the format of libnftables-json(5), as nft 0.9.3 and later print it. Never throws. A text that is cut is read
 * up to the cut; its chains then end in a rule whose match and verdict are unknown. Where something inside the text cannot be read
 * and no chain can be told for it, they begin with one. The items are parsed one by one, so that
 * the values of a large document never exist all at the same time.
 */
export function parseNftJson(text: string, file: string): ParseResult {
  const marked = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
  const source = new SourceText(marked, file);
  const log = new DiagnosticLog(file);
  const collector = new TableCollector(source, log);
  const document = scanDocument(marked, (item) => collector.take(item));
  const problem = problemOf(document, marked);
  let cut: Origin | undefined;
  if (problem !== undefined) {
    const end = Math.min(problem.offset + 1, marked.length);
    const origin = source.originOf({ start: Math.min(problem.offset, end), end }, '$');
    log.addAt('syntax', true, origin, problem.detail);
    if (document.close >= 0) collector.tainted ??= origin;
    else cut = origin;
    if (document.open < 0) return { ruleset: EMPTY_RULESET, diagnostics: log.finish() };
  }
  const tables = [...collector.tables.values()].map((table) =>
    buildTable(table, { among: collector.tainted, after: cut }, source, log),
  );
  return { ruleset: { tables, namedSets: [] }, diagnostics: log.finish() };
}

const AGAIN = 'export again with "nft -j list ruleset". What can be read was read';

/** What is wrong with what surrounds the items. */
function problemOf(
  document: ScannedDocument,
  text: string,
): { readonly offset: number; readonly detail: string } | undefined {
  const { open, close, again } = document;
  if (open < 0) {
    return parseJson(text).kind === 'value'
      ? {
          offset: 0,
          detail: '$: expected an object with the array "nftables", as "nft -j list ruleset" prints it',
        }
      : { offset: offsetOfMistake(text), detail: `$: the text is not valid JSON; ${AGAIN}` };
  }
  if (close < 0)
    return { offset: text.length - 1, detail: `$: the text is cut: its end is missing; ${AGAIN}` };
  if (again >= 0)
    return {
      offset: again,
      detail: `$.nftables: the key stands twice, only the first list was read; ${AGAIN}`,
    };
  const around = `${text.slice(0, open)}[]${text.slice(close + 1)}`;
  const read = parseJson(around);
  const rest = read.kind === 'value' ? property(read.value, 'nftables') : undefined;
  if (Array.isArray(rest) && rest.length === 0) return undefined;
  const offset = read.kind === 'broken' ? offsetOfMistake(around) : 0;
  return {
    offset: offset <= open ? offset : offset + close - open - 1,
    detail: `$: the text around the list is not valid JSON; ${AGAIN}`,
  };
}
