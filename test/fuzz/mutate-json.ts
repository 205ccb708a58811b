/** Changes of JSON that keep it JSON, mostly: types, nesting, keys twice, numbers no reader holds, references in circles. */
import { type MutationSource, ODD_WORDS, oddWord } from './mutate.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Texts that JSON.stringify would not print. They stand in for a value, by number. */
const RAW_VALUES: readonly (() => string)[] = [
  () => '1e400',
  () => '-0',
  () => '1'.repeat(500),
  () => '1.5',
  () => '-1',
  () => '18446744073709551616',
  () => `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  () => `${'{"set":['.repeat(3000)}${']}'.repeat(3000)}`,
  () => `${'{"prefix":{"addr":'.repeat(500)}"x"${',"len":8}}'.repeat(500)}`,
  () => '{"__proto__":{"polluted":1},"a":1}',
  () => '{"op":"==","op":"!="}',
  () => '"\\ud800"',
  () => '"\\u0000\\u202e"',
  () => 'null',
  () => 'true',
  () => '[]',
  () => '{}',
  () => '""',
];

/** Wrappers that nft knows around a value. */
const WRAPPERS: readonly ((value: Json) => Json)[] = [
  (value) => [value],
  (value) => ({ set: [value, value] }),
  (value) => ({ range: [value, value] }),
  (value) => ({ prefix: { addr: value, len: 8 } }),
  (value) => ({ elem: { val: value, timeout: 5 } }),
  (value) => ({ concat: [value, value] }),
  (value) => ({ '&': [value, 255] }),
  (value) => ({ '|': [value, value] }),
  (value) => ({ '^': [value, value] }),
  (value) => ({ '<<': [value, 4] }),
  (value) => ({ map: { key: value, data: '@m' } }),
  (value) => ({ match: { op: 'in', left: value, right: value } }),
  (value) => ({ not: value }),
];

const MARK = '\u0001raw';

/** A JSON text after one change; a text that is no JSON gets a word more. */
export function mutateJson(text: string, source: MutationSource): string {
  const { random } = source;
  const lines = text.split('\n');
  // JSON Lines are changed one at a time.
  if (lines.length > 1 && lines.every((line) => line.trim() === '' || /^\s*\{.*\}\s*$/.test(line))) {
    const at = random.integer(lines.length);
    lines[at] = mutateDocument(lines[at]!, source);
    return lines.join('\n');
  }
  return mutateDocument(text, source);
}

/** `text` with a word more for what is nested too deep to print: an earlier change wrapped it ten thousand times. */
function mutateDocument(text: string, source: MutationSource): string {
  try {
    return changeDocument(text, source);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${text.slice(0, -1)}${oddWord(source)}`;
  }
}

function changeDocument(text: string, source: MutationSource): string {
  const { random } = source;
  let root: Json;
  try {
    // A JSON text holds JSON.
    root = JSON.parse(text) as Json;
  } catch {
    const at = random.integer(text.length + 1);
    return `${text.slice(0, at)}${oddWord(source)}${text.slice(at)}`;
  }
  if (random.chance(0.08)) return addCircle(root, source);
  const raws: string[] = [];
  const raw = (value: string): string => `${MARK}${raws.push(value) - 1};`;
  const spot = findSpot(root, source);
  if (spot === undefined) root = raw(random.pick(RAW_VALUES)());
  else changeSpot(spot, root, raw, source);
  const printed = JSON.stringify(root, null, random.pick([0, 0, 1]));
  return printed.replace(/"\\u0001raw(\d+);([^"\\]*)"/g, (_, index: string, key: string) =>
    key === '' ? raws[Number(index)]! : JSON.stringify(key),
  );
}

interface Spot {
  readonly holder: { [key: string]: Json };
  readonly key: string;
}

/** A random member or element: from the top, one step at a time. */
function findSpot(root: Json, { random }: MutationSource): Spot | undefined {
  let spot: Spot | undefined;
  let value: Json = root;
  while (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    if (keys.length === 0) break;
    const key = random.pick(keys);
    // Arrays are objects with numbers as keys here.
    const holder = value as { [key: string]: Json };
    spot = { holder, key };
    value = holder[key]!;
    if (random.chance(0.12)) break;
  }
  return spot;
}

function changeSpot(
  { holder, key }: Spot,
  root: Json,
  raw: (value: string) => string,
  source: MutationSource,
): void {
  const { random } = source;
  const value = holder[key]!;
  const set = (name: string, next: Json): void => {
    Object.defineProperty(holder, name, {
      value: next,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  };
  switch (random.integer(9)) {
    case 0:
      set(key, raw(random.pick(RAW_VALUES)()));
      return;
    case 1:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      return;
    case 2:
      set(key, random.pick(WRAPPERS)(value));
      return;
    case 3: {
      const other = findSpot(root, source);
      // Copied by way of text: a value inside itself would have no end.
      if (other !== undefined) set(key, JSON.parse(JSON.stringify(other.holder[other.key])) as Json);
      return;
    }
    case 4:
      if (Array.isArray(holder)) {
        const times = random.pick([1, 1, 2, 50, 1000]);
        const copies = Math.max(
          1,
          Math.min(times, Math.floor(source.limit / 4 / (JSON.stringify(value).length + 1))),
        );
        holder.splice(Number(key), 0, ...Array<Json>(copies).fill(value));
      } else
        set(`${raw('')}${/^[\w ]+$/.test(key) ? key : 'handle'}`, random.pick([value, 'x', 7, null, []]));
      return;
    case 5:
      if (!Array.isArray(holder)) set(oddWord(source), value);
      else set(key, [value]);
      return;
    case 6:
      if (!Array.isArray(holder)) {
        delete holder[key];
        set(oddWord(source), value);
      } else holder.reverse();
      return;
    case 7:
      set(
        key,
        typeof value === 'number'
          ? random.pick([0, -1, 65536, 2 ** 53, value + 1, String(value)])
          : random.integer(70_000),
      );
      return;
    default:
      set(key, random.chance(0.5) ? oddWord(source) : random.pick(ODD_WORDS));
  }
}

/** Chains that jump in a circle or a long row, and maps that lead to them, in every table of the document. */
function addCircle(root: Json, { random, limit }: MutationSource): string {
  const list = typeof root === 'object' && root !== null && !Array.isArray(root) ? root.nftables : undefined;
  if (!Array.isArray(list)) return JSON.stringify([root]);
  const table = list.flatMap((item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) && typeof item.table === 'object'
      ? [item.table]
      : [],
  )[0];
  const name =
    typeof table === 'object' && table !== null && !Array.isArray(table)
      ? table
      : { family: 'ip', name: 't' };
  const place = { family: name.family ?? 'ip', table: name.name ?? 't' };
  const length = Math.min(random.pick([1, 2, 20, 400]), Math.ceil(limit / 400));
  const verdict = random.pick(['jump', 'goto']);
  const closes = random.chance(0.5);
  const chains: Json[] = [];
  const rules: Json[] = [];
  for (let i = 0; i < length; i++) {
    chains.push({ chain: { ...place, name: `loop${i}` } });
    const target = i + 1 < length ? `loop${i + 1}` : closes ? 'loop0' : 'gone';
    rules.push({ rule: { ...place, chain: `loop${i}`, expr: [{ [verdict]: { target } }] } });
  }
  const first = list.flatMap((item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) && item.chain !== undefined
      ? [item.chain]
      : [],
  )[0];
  const start =
    typeof first === 'object' && first !== null && !Array.isArray(first) ? (first.name ?? 'x') : 'x';
  const vmap: Json = {
    vmap: {
      key: { meta: { key: 'l4proto' } },
      data: {
        set: [
          ['tcp', { jump: { target: 'loop0' } }],
          ['udp', { goto: { target: start } }],
        ],
      },
    },
  };
  rules.push({
    rule: { ...place, chain: start, expr: [random.chance(0.5) ? vmap : { jump: { target: 'loop0' } }] },
  });
  return JSON.stringify({ nftables: [...list, ...chains, ...rules] });
}
