/** Standard priorities. Source: nft(8), "Standard priority names, family and hook compatibility matrix". */
const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};
const BRIDGE_PRIORITIES: Readonly<Record<string, number>> = {
  dstnat: -300,
  filter: -200,
  out: 100,
  srcnat: 300,
};

/** A priority: a number, a name, or a name plus or minus a number. */
export function readPriority(value: unknown, family: string): number | undefined {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) <= 2 ** 31 ? value : undefined;
  if (typeof value !== 'string' || value.length > 60) return undefined;
  if (/^-?\d{1,10}$/.test(value)) return Number(value);
  const found = /^([a-z]+)(?:\s*([+-])\s*(\d{1,10}))?$/.exec(value);
  if (found === null) return undefined;
  const names = family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES;
  const base = Object.hasOwn(names, found[1]!) ? names[found[1]!] : undefined;
  if (base === undefined) return undefined;
  return base + (found[2] === '-' ? -1 : 1) * Number(found[3] ?? 0);
}
