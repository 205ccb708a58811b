import type { ConfigNode } from './config-node.ts';
import { parseAddressRange } from './config-value.ts';
import type { DecodeContext } from './decode-context.ts';
import type { DeclaredRange } from './inventory.ts';

/** Addresses, prefixes and ranges; a single one need not be a list. Nothing given: none. */
export function decodeRanges(
  context: DecodeContext,
  node: ConfigNode | undefined,
  path: string,
): DeclaredRange[] {
  const ranges: DeclaredRange[] = [];
  if (node === undefined) return ranges;
  for (const item of context.itemsOf(node, path)) {
    const text = context.textOf(item.node, item.path, 'an address, a prefix or a range of addresses');
    if (text === undefined) continue;
    const range = context.accept(parseAddressRange(text.trim()), item.node.span, item.path);
    if (range !== undefined) ranges.push({ ...range, origin: context.origin(item.node.span, item.path) });
  }
  return ranges;
}
