import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/**
 * Which folder of src/ may import which (docs/architecture.md). A file directly in src/ is a folder of its own here. The
 * sentence is what a violation prints.
 */
const TABLE: Readonly<Record<string, { may: readonly string[]; because: string }>> = {
  net: { may: [], because: 'net/ is plain values and imports nothing' },
  model: { may: ['net'], because: 'model/ is what exports say; it knows numbers and nothing of analysis' },
  'packet-set': { may: ['net'], because: 'packet-set/ does not know what a rule is' },
  parse: { may: ['net', 'model'], because: 'parse/ turns text into the model and does not know what a packet set is' },
  semantics: { may: ['net', 'model', 'packet-set'], because: 'rules and packet sets meet in semantics/' },
  evaluate: { may: ['net', 'model'], because: 'evaluate/ is the oracle of semantics/ and shares no code with it' },
  inventory: { may: ['net'], because: 'inventory/ is what people declare, whatever the exports say' },
  finding: { may: ['model'], because: 'finding/ is plain data about places in exports' },
  rulepack: { may: ['net', 'model', 'finding'], because: 'rulepack/ is checks and profiles as data' },
  check: {
    may: ['net', 'model', 'packet-set', 'semantics', 'inventory', 'finding', 'rulepack'],
    because: 'check/ gets models, never texts: parsers are out of its sight',
  },
  trace: { may: ['net', 'model', 'packet-set', 'semantics', 'evaluate'], because: 'trace/ asks both evaluators one packet at a time' },
  init: { may: ['net', 'model', 'parse', 'inventory'], because: 'init/ suggests an inventory from what parsers read' },
  report: { may: ['finding', 'model'], because: 'report/ sees a report and nothing of how it came about' },
  scan: {
    may: ['net', 'model', 'packet-set', 'parse', 'semantics', 'inventory', 'finding', 'rulepack', 'check'],
    because: 'scan.ts is the pipeline up to the report, without its formats',
  },
  cli: {
    may: ['net', 'model', 'parse', 'evaluate', 'semantics', 'inventory', 'finding', 'rulepack', 'report', 'scan', 'trace', 'init'],
    because: 'cli/ uses the entry points of the parts, never their insides',
  },
};

const SRC = resolve(import.meta.dirname, '../src');

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? sourceFiles(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function areaOf(path: string): string {
  return relative(SRC, path).split('/')[0]!.replace(/\.ts$/, '');
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g)].map(
    (m) => m[1] ?? m[2]!,
  );
}

const files = sourceFiles(SRC);

test('every folder imports only what the architecture allows', () => {
  const violations: string[] = [];
  for (const file of files) {
    const area = areaOf(file);
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const target = areaOf(resolve(dirname(file), specifier));
      if (target === area) continue;
      const row = TABLE[area];
      if (row === undefined) violations.push(`${relative(SRC, file)}: src/${area} is not in the table`);
      else if (!row.may.includes(target)) {
        violations.push(`${relative(SRC, file)} imports ${target}: ${row.because}`);
      }
    }
  }
  expect(violations).toEqual([]);
});

test('a folder uses other folders through their index only', () => {
  const violations: string[] = [];
  for (const file of files) {
    const area = areaOf(file);
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.')) continue;
      const path = resolve(dirname(file), specifier);
      const target = areaOf(path);
      const inside = relative(join(SRC, target), path);
      if (inside.startsWith('..')) continue; // a file directly in src/
      if (target !== area && inside !== '' && inside.includes('.ts') && !/(^|\/)(index|parse|parse-inventory)\.ts$/.test(inside)) {
        violations.push(`${relative(SRC, file)} reaches into ${target}/${inside}`);
      }
    }
  }
  expect(violations).toEqual([]);
});

test('files, process and console are touched in cli only', () => {
  const violations: string[] = [];
  for (const file of files) {
    if (areaOf(file) === 'cli') continue;
    const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '');
    for (const word of [/\bnode:(fs|child_process|net|http|https|dgram|os)\b/, /\bprocess\./, /\bconsole\./]) {
      if (word.test(text)) violations.push(`${relative(SRC, file)} uses ${word.source}`);
    }
  }
  expect(violations).toEqual([]);
});

test('parsers do not import each other', () => {
  const violations = files
    .filter((file) => areaOf(file) === 'parse')
    .flatMap((file) => {
      const own = relative(join(SRC, 'parse'), file).split('/');
      if (own.length < 2) return [];
      return importsOf(file)
        .filter((s) => s.startsWith('.'))
        .map((s) => relative(join(SRC, 'parse'), resolve(dirname(file), s)).split('/'))
        .filter((parts) => parts.length > 1 && parts[0] !== own[0] && parts[0] !== '..')
        .map((parts) => `${own.join('/')} imports ${parts.join('/')}`);
    });
  expect(violations).toEqual([]);
});
