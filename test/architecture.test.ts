import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ARCHITECTURE_TABLE as TABLE } from './architecture-table.ts';

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
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g),
  ].map((m) => m[1] ?? m[2]!);
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
      if (
        target !== area &&
        inside !== '' &&
        inside.includes('.ts') &&
        !/(^|\/)(index|parse|parse-inventory)\.ts$/.test(inside)
      ) {
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
    for (const word of [
      /\bnode:(fs|child_process|net|http|https|dgram|os)\b/,
      /\bprocess\./,
      /\bconsole\./,
    ]) {
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

test('the table in docs/architecture.md says what the code is held to', () => {
  const text = readFileSync(resolve(SRC, '../docs/architecture.md'), 'utf8');
  const documented = [...text.matchAll(/^\| `([a-z-]+)(?:\/|\.ts)` \| [^|]+ \| ([^|]+) \|$/gm)].map(
    ([, area = '', may = '']) => [area, may === 'nothing' ? [] : may.split(', ')],
  );
  expect(documented).toEqual(Object.entries(TABLE).map(([area, { may }]) => [area, may]));
});

test('docs/architecture.md gives a reason for every runtime dependency and names no other', () => {
  const text = readFileSync(resolve(SRC, '../docs/architecture.md'), 'utf8');
  // Ours, and read by npm in this shape.
  const { dependencies } = JSON.parse(readFileSync(resolve(SRC, '../package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const documented = [...text.matchAll(/^\| `([a-z0-9@/-]+)` \|(?: [^|]+ \|){4}$/gm)].map(
    (match) => match[1],
  );
  expect(documented.sort()).toEqual(Object.keys(dependencies).sort());
});
