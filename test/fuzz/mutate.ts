/**
 * Changes inputs at random: bytes and lines of anything, tokens from a format's own words, and the structure of JSON, XML, YAML
 * and rules. Everything follows from the `Random` given.
 */
import type { Random } from '../kernel/random.ts';
import type { FuzzFile, FuzzInput } from './input.ts';
import { mutateJson } from './mutate-json.ts';
import { mutateRules } from './mutate-rules.ts';
import { mutateXml } from './mutate-xml.ts';
import { mutateYaml } from './mutate-yaml.ts';

/** What mutators draw from. */
export interface MutationSource {
  readonly random: Random;
  /** Words of the format: options, keys, values. */
  readonly words: readonly string[];
  /** Another input of the same target. */
  readonly other: () => FuzzInput;
  /** Longest result, in bytes. */
  readonly limit: number;
}

/** Texts that break assumptions about names, numbers and characters. */
export const ODD_WORDS: readonly string[] = [
  '',
  '0',
  '-1',
  '00',
  '08',
  '0x10',
  '1e3',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '18446744073709551616',
  '9007199254740993',
  '1'.repeat(400),
  'NaN',
  'Infinity',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  '0.0.0.0/0',
  '255.255.255.255/33',
  '192.0.2.1-192.0.2.0',
  '192.0.2.0/255.0.255.0',
  '::',
  '::/0',
  '::ffff:192.0.2.1',
  '2001:db8::/129',
  'fe80::1%eth0',
  '\u0000',
  '\ufeff',
  '\u2028',
  '\u202e',
  '\u0085',
  '\u001b[31m',
  '\r',
  '\r\n',
  '\t',
  ' ',
  '"',
  "'",
  '\\',
  '!',
  '--',
  '*',
  '+',
  '$(x)',
  '`',
  '@',
  '%n',
  '|',
  '<b>',
  '&amp;',
  '::warning::x',
  '\u{1f600}',
  'e\u0301',
];

/** Byte sequences that no decoder of text expects. */
const ODD_BYTES: readonly Uint8Array[] = [
  [0],
  [0xff],
  [0xfe, 0xff],
  [0xff, 0xfe],
  [0xef, 0xbb, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xc0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0x0d],
  [0x0b],
  [0x85],
].map((bytes) => Uint8Array.from(bytes));

/** One to eight changes of one input. Paths change only where there is more than one file. */
export function mutate(input: FuzzInput, source: MutationSource): FuzzInput {
  const { random } = source;
  let files = [...input];
  for (let left = random.pick([1, 1, 1, 2, 2, 3, 4, 8]); left > 0; left--) {
    if (files.length > 1 && random.chance(0.15)) files = mutateFiles(files, source);
    const at = random.integer(files.length);
    const file = files[at]!;
    const bytes = mutateBytes(file, source);
    files[at] = { path: file.path, bytes: bytes.subarray(0, source.limit) };
  }
  return files;
}

/** Changes which files there are and how they are called. */
function mutateFiles(files: readonly FuzzFile[], { random, other }: MutationSource): FuzzFile[] {
  const at = random.integer(files.length);
  const to = random.integer(files.length);
  const file = files[at]!;
  switch (random.integer(6)) {
    case 0:
      return files.filter((_, i) => i !== at);
    case 1:
      return files.map((f, i) => (i === at ? { path: f.path, bytes: files[to]!.bytes } : f));
    case 2: {
      const twin = { path: besidePath(file.path, random), bytes: file.bytes };
      return isNewPath(files, twin.path) ? [...files, twin] : [...files];
    }
    case 3: {
      const path = besidePath(file.path, random);
      return isNewPath(files, path)
        ? files.map((f, i) => (i === at ? { path, bytes: f.bytes } : f))
        : [...files];
    }
    case 4: {
      const more = random.pick(other());
      return isNewPath(files, more.path) ? [...files, more] : [...files];
    }
    default:
      return files.map((f, i) => (i === at ? { path: f.path, bytes: random.pick(other()).bytes } : f));
  }
}

function isNewPath(files: readonly FuzzFile[], path: string): boolean {
  return !files.some((file) => file.path === path);
}

const KIND_FOLDERS = [
  'zones',
  'services',
  'ipsets',
  'policies',
  'icmptypes',
  'helpers',
  'zones/sub',
  '..',
  '.',
];

function besidePath(path: string, random: Random): string {
  const parts = path.split('/');
  const name = parts.pop() ?? path;
  const names = [
    `${name}.old`,
    `x-${name}`,
    `${'n'.repeat(300)}.xml`,
    'public.xml',
    'direct.xml',
    'firewalld.conf',
  ];
  const odd = ['a b.xml', '__proto__.xml', 'é\u202e.xml', 'iptables.rules', 'ip6tables.rules', 'ipset.save'];
  const next = random.chance(0.5) ? name : random.pick([...names, ...odd]);
  if (random.chance(0.5)) parts[Math.max(0, parts.length - 1)] = random.pick(KIND_FOLDERS);
  return [...parts, next].join('/');
}

function mutateBytes(file: FuzzFile, source: MutationSource): Uint8Array {
  const { random } = source;
  const { bytes } = file;
  if (random.chance(0.12)) return mutateRaw(bytes, source);
  if (random.chance(0.04)) return encodeWide(bytes, random);
  const text = Buffer.from(bytes).toString('utf8');
  return Buffer.from(mutateText(text, file.path, source), 'utf8');
}

/** Bytes without regard to what they stand for. */
function mutateRaw(bytes: Uint8Array, { random, other }: MutationSource): Uint8Array {
  const from = random.integer(bytes.length + 1);
  const to = Math.min(bytes.length, from + random.integer(random.pick([2, 16, 256])));
  const before = bytes.subarray(0, from);
  const after = bytes.subarray(to);
  switch (random.integer(7)) {
    case 0:
      return Buffer.from(before);
    case 1:
      return Buffer.from(bytes.subarray(from));
    case 2:
      return Buffer.concat([before, after]);
    case 3:
      return Buffer.concat([before, random.pick(ODD_BYTES), bytes.subarray(from)]);
    case 4: {
      const copy = Buffer.from(bytes);
      for (let i = from; i < to; i++) copy[i] = random.integer(256);
      return copy;
    }
    case 5: {
      const more = random.pick(other()).bytes;
      return Buffer.concat([before, more.subarray(random.integer(more.length + 1))]);
    }
    default: {
      const piece = bytes.subarray(from, to);
      const times = random.pick([1, 2, 10, 100]);
      return Buffer.concat([before, ...Array.from({ length: times }, () => piece), bytes.subarray(from)]);
    }
  }
}

/** The text as UTF-16, as PowerShell writes it, with a byte order mark or without, whole or cut within a character. */
function encodeWide(bytes: Uint8Array, random: Random): Uint8Array {
  const wide = Buffer.from(
    `${random.chance(0.7) ? '\ufeff' : ''}${Buffer.from(bytes).toString('utf8')}`,
    'utf16le',
  );
  if (random.chance(0.4)) wide.swap16();
  return random.chance(0.2) ? wide.subarray(0, Math.max(0, wide.length - 1)) : wide;
}

function mutateText(text: string, path: string, source: MutationSource): string {
  const { random } = source;
  if (random.chance(0.45)) {
    const first = text.trimStart()[0];
    if (/\.ya?ml$/.test(path)) return mutateYaml(text, source);
    if (first === '{' || first === '[') return mutateJson(text, source);
    if (first === '<') return mutateXml(text, source);
    return mutateRules(text, source);
  }
  return random.chance(0.6) ? mutateTokens(text, source) : mutateLines(text, source);
}

const TOKEN = /[A-Za-z0-9_./:-]+|\s+|[^A-Za-z0-9_./:-]/g;
/** Longer texts are split in one place only: the whole of them would take longer than the program does. */
const TOKEN_WINDOW = 4096;

/** A word that the format knows, or one that nothing expects. */
export function oddWord({ random, words }: Pick<MutationSource, 'random' | 'words'>): string {
  if (random.chance(0.01)) return 'n'.repeat(random.pick([300, 5000, 70_000]));
  return words.length > 0 && random.chance(0.6) ? random.pick(words) : random.pick(ODD_WORDS);
}

/** Replaces, doubles, swaps and removes words. */
function mutateTokens(text: string, source: MutationSource): string {
  const { random } = source;
  const from = text.length <= TOKEN_WINDOW ? 0 : random.integer(text.length - TOKEN_WINDOW);
  const tokens: string[] = text.slice(from, from + TOKEN_WINDOW).match(TOKEN) ?? [];
  const at = random.integer(tokens.length + 1);
  const to = random.integer(tokens.length + 1);
  const token = tokens[at] ?? '';
  switch (random.integer(7)) {
    case 0:
      tokens.splice(at, 1);
      break;
    case 1:
      tokens.splice(at, 0, oddWord(source), ' ');
      break;
    case 2:
      tokens[at] = tokens[to] ?? '';
      break;
    case 3:
      tokens[at] = tokens[to] ?? '';
      tokens[to] = token;
      break;
    case 4:
      tokens[at] = nudgeNumber(token, random) ?? oddWord(source);
      break;
    case 5:
      tokens.splice(at, 0, ...tokens.slice(to, to + random.integer(12)));
      break;
    default:
      tokens[at] = oddWord(source);
  }
  return `${text.slice(0, from)}${tokens.join('')}${text.slice(from + TOKEN_WINDOW)}`;
}

/** The token with one of its numbers moved to an edge; `undefined` where it has none. */
function nudgeNumber(token: string, random: Random): string | undefined {
  const numbers = [...token.matchAll(/\d+/g)];
  if (numbers.length === 0) return undefined;
  const found = random.pick(numbers);
  const value = BigInt(found[0].slice(0, 30));
  const next = random.pick([
    value + 1n,
    value - 1n,
    0n,
    255n,
    256n,
    65535n,
    65536n,
    1n << 32n,
    value * 2n,
    1n << 64n,
  ]);
  return `${token.slice(0, found.index)}${next}${token.slice(found.index + found[0].length)}`;
}

/** Doubles, drops, moves and mixes lines. */
function mutateLines(text: string, source: MutationSource): string {
  const { random, limit } = source;
  const lines = text.split('\n');
  const at = random.integer(lines.length);
  const to = random.integer(lines.length);
  const line = lines[at]!;
  switch (random.integer(8)) {
    case 0:
      lines.splice(at, 1 + random.integer(3));
      break;
    case 1:
      lines.splice(to, 0, ...lines.splice(at, 1 + random.integer(4)));
      break;
    case 2:
      lines.splice(to, 0, line);
      break;
    case 3: {
      const times = random.pick([10, 100, 1000, 10_000]);
      lines.splice(at, 0, ...Array<string>(Math.min(times, Math.ceil(limit / (line.length + 1)))).fill(line));
      break;
    }
    case 4: {
      const more = Buffer.from(random.pick(source.other()).bytes).toString('utf8').split('\n');
      const from = random.integer(more.length);
      lines.splice(at, random.integer(2), ...more.slice(from, from + 1 + random.integer(6)));
      break;
    }
    case 5:
      return lines.join(random.pick(['\r\n', '\r', '\n\n', '\n ', ' \n', '\\\n']));
    case 6:
      lines[at] = `${line.slice(0, random.integer(line.length + 1))}`;
      break;
    default:
      lines[at] = `${line} ${lines[to]}`;
  }
  return lines.join('\n');
}
