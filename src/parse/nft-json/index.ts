/** Reads what `nft -j` prints: whole rulesets, single tables and chains, and lists of commands. */
import { EMPTY_RULESET, type ParseResult } from '../../model/index.ts';
import { buildTable } from './build-table.ts';
import { property } from './json.ts';
import { Positions, scanItems } from './positions.ts';
import { Remarks } from './remarks.ts';
import { TableCollector } from './tables.ts';

/**
 * Parses JSON in the format of libnftables-json(5), as nft 0.9.3 and later print it. Never throws. A text that is cut is read
 * up to the cut; its chains then end in a rule whose match and verdict are unknown.
 */
export function parseNftJson(text: string, file: string): ParseResult {
  const source = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
  const scan = scanItems(source);
  const positions = new Positions(source, file, scan.items);
  const remarks = new Remarks();
  const collector = new TableCollector(positions, remarks);
  const items = readItems(source);
  if (items.kind === 'items') {
    for (const [index, item] of items.items.entries()) collector.take(item, index);
  } else if (items.kind === 'other') {
    const origin = positions.at(0);
    remarks.add(
      'syntax',
      true,
      origin,
      '$: expected an object with the array "nftables", as "nft -j list ruleset" prints it',
    );
    return { ruleset: EMPTY_RULESET, diagnostics: remarks.finish() };
  } else {
    const origin = positions.at(items.offset ?? scan.items[scan.items.length - 1]?.end ?? 0);
    const what = scan.closed ? 'is not valid JSON' : 'is cut: its end is missing';
    remarks.add(
      'syntax',
      true,
      origin,
      `the text ${what}; export again with "nft -j list ruleset". What can be read was read`,
    );
    for (const [index, span] of scan.items.entries()) {
      const item = readJson(source.slice(span.start, span.end));
      if (item.kind === 'value') collector.take(item.value, index);
      else {
        const place = positions.item(index, `$.nftables[${index}]`);
        remarks.add('syntax', true, place, `${place.path}: not valid JSON`);
        collector.tainted ??= place;
      }
    }
    collector.tainted ??= origin;
  }
  const tables = [...collector.tables.values()].map((table) => buildTable(table, collector.tainted, remarks));
  return { ruleset: { tables, namedSets: [] }, diagnostics: remarks.finish() };
}

type Read =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'broken'; readonly offset: number | undefined };

function readJson(text: string): Read {
  try {
    const value: unknown = JSON.parse(text);
    return { kind: 'value', value };
  } catch (error) {
    const offset = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    return { kind: 'broken', offset: offset === undefined ? undefined : Number(offset) };
  }
}

function readItems(
  text: string,
):
  | { readonly kind: 'items'; readonly items: readonly unknown[] }
  | { readonly kind: 'other' }
  | { readonly kind: 'broken'; readonly offset: number | undefined } {
  const read = readJson(text);
  if (read.kind === 'broken') return read;
  const items = property(read.value, 'nftables');
  return Array.isArray(items) ? { kind: 'items', items } : { kind: 'other' };
}
