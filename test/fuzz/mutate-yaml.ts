/** Changes of YAML: anchors and aliases that multiply, tags, merge keys, documents, indentation, keys twice. */
import { type MutationSource, oddWord } from './mutate.ts';

const VALUES: readonly string[] = [
  '!!binary aGVsbG8=',
  '!!js/function "x"',
  '!<tag:example.com,2026:x> y',
  '!!set {a, b}',
  '!!timestamp 2026-01-01',
  '? x',
  '{a: 1, a: 2}',
  '[[], {}, ~]',
  '*gone',
  '&a [*a]',
  '&b {x: *b}',
  '0o17',
  '0x1F',
  '1_000',
  '.inf',
  '.nan',
  'yes',
  '~',
  '""',
  "''",
  '|\n  text\n  more',
  '>-\n  text',
  '"\\ud800"',
  '"\\x00"',
  '2026-02-30',
  '9999999999999999999999',
  '{__proto__: {a: 1}}',
  '{<<: {role: server}}',
];
const LINES: readonly string[] = [
  '---',
  '...',
  '%YAML 1.1',
  '%TAG ! tag:example.com:',
  '<<: *a',
  '\t- x',
  '? [a, b]',
  '- ',
  ': ',
  '#',
  '__proto__: {x: 1}',
  '"": x',
];

/** A YAML text after one change. */
export function mutateYaml(text: string, source: MutationSource): string {
  const { random, limit } = source;
  if (random.chance(0.06)) return `${text}\n${aliasBomb(source)}\n`;
  if (random.chance(0.04)) {
    const depth = Math.min(random.pick([30, 33, 2000, 20_000]), Math.ceil(limit / 2));
    const [open, close] = random.pick([['[', ']'] as const, ['{a: ', '}'] as const, ['- ', ''] as const]);
    return `${text}\nhosts2: ${open.repeat(depth)}${close.repeat(random.chance(0.7) ? depth : 0)}\n`;
  }
  const lines = text.split('\n');
  const at = random.integer(lines.length);
  const line = lines[at]!;
  const indent = /^\s*/.exec(line)?.[0] ?? '';
  switch (random.integer(7)) {
    case 0:
      lines[at] = line.replace(/:\s.*$/s, () => `: ${random.pick(VALUES)}`);
      break;
    case 1:
      lines.splice(at, 0, `${indent}${random.pick(LINES)}`);
      break;
    case 2:
      lines[at] =
        `${random.pick(['', ' ', '  ', '    ', '\t'])}${random.chance(0.5) ? line : line.trimStart()}`;
      break;
    case 3:
      lines.splice(at, 0, line);
      break;
    case 4:
      lines[at] =
        `${indent}${oddWord(source)}: ${random.chance(0.5) ? oddWord(source) : random.pick(VALUES)}`;
      break;
    case 5:
      lines[at] = line.replace(
        /(:\s+|-\s+)/,
        (found) => `${found}${random.pick(['&x ', '*x ', '!!str ', '!x ', '[', '{', '"', "'", '| '])}`,
      );
      break;
    default:
      lines[at] = line.replace(/[\w./-]+(?=[\s,\]}]*$)/, () => oddWord(source));
  }
  return lines.join('\n');
}

/** Nine aliases of nine aliases of …: a small text that stands for a billion values. */
function aliasBomb({ random }: MutationSource): string {
  const levels = random.pick([2, 4, 9]);
  const rows = ['b0: &b0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < levels; i++)
    rows.push(
      `b${i}: &b${i} [${Array(9)
        .fill(`*b${i - 1}`)
        .join(', ')}]`,
    );
  if (random.chance(0.5)) rows.push(`hosts: *b${levels - 1}`);
  return rows.join('\n');
}
