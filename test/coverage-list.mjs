/**
 * Lists what no test executed in the folders that decide answers, and compares it with docs/coverage.md. Run after
 * `NWAUDIT_COVERAGE=1 npm test`; it reads `coverage/coverage-final.json` and starts nothing itself.
 *
 *   node test/coverage-list.mjs [--all] [FILE]
 *
 * `--all` prints what the page names, too, with lines. The exit code is 1 only where there is no coverage to read: which lines
 * a run reaches depends on the seeds of its random tests, so that a list can be printed but not demanded.
 */
import { existsSync, readFileSync } from 'node:fs';

const ROOT = new URL('../', import.meta.url);
const FOLDERS = /\/(src\/(?:parse|semantics|packet-set|evaluate)\/.*)$/;

const args = process.argv.slice(2);
const all = args.includes('--all');
const file =
  args.find((arg) => !arg.startsWith('-')) ?? new URL('coverage/coverage-final.json', ROOT).pathname;
if (!existsSync(file)) {
  console.error(`coverage-list: no ${file}; run NWAUDIT_COVERAGE=1 npm test first`);
  process.exit(1);
}

/** What the page names: `src/…/file.ts` to names of functions. */
function readPage() {
  const named = new Map();
  let current;
  for (const line of readFileSync(new URL('docs/coverage.md', ROOT), 'utf8').split('\n')) {
    const begin = /^- `(src\/[^`]+\.ts)`:/.exec(line);
    if (begin !== null) {
      current = named.get(begin[1]) ?? new Set();
      named.set(begin[1], current);
    } else if (!line.startsWith('  ')) current = undefined;
    if (current === undefined) continue;
    for (const [, name] of line.slice(begin?.[0].length ?? 0).matchAll(/`([^`]+)`/g)) current.add(name);
  }
  return named;
}

/** Whether the place lies inside the function. */
function contains({ loc }, { line, column }) {
  const from = loc.start.line < line || (loc.start.line === line && loc.start.column <= column);
  return from && (loc.end.line > line || (loc.end.line === line && (loc.end.column ?? Infinity) >= column));
}

/** The innermost function with a name around a place, or the file's own level: constants and what they hold. */
function functionAt(functions, place, source) {
  let found;
  for (const one of functions) {
    if (nameOf(one, source) === undefined || !contains(one, place)) continue;
    if (found === undefined || contains(found, one.loc.start)) found = one;
  }
  return found === undefined ? 'top level' : nameOf(found, source);
}

/** Private methods have no name of their own in the coverage; functions of one name get a number there. */
function nameOf({ name, decl }, source) {
  if (!name.startsWith('(')) return name.replace(/_\d+$/, '');
  return /^\s*(#\w+)\s*[(<]/.exec(source[decl.start.line - 1] ?? '')?.[1];
}

/** Never-executed statements and branches of one file. Right sides of `??` are told apart. */
function missedIn(entry, source) {
  const functions = Object.values(entry.fnMap);
  const missed = [];
  for (const [id, count] of Object.entries(entry.s)) {
    if (count > 0) continue;
    const { start } = entry.statementMap[id];
    missed.push({ kind: 'statement', line: start.line, name: functionAt(functions, start, source) });
  }
  for (const [id, counts] of Object.entries(entry.b)) {
    const branch = entry.branchMap[id];
    counts.forEach((count, index) => {
      if (count > 0) return;
      const start =
        branch.locations[index]?.start?.line === undefined ? branch.loc.start : branch.locations[index].start;
      const before = `${source[start.line - 2] ?? ''}\n${(source[start.line - 1] ?? '').slice(0, start.column)}`;
      const isFallback = branch.type === 'binary-expr' && /\?\?\s*$/.test(before);
      missed.push({
        kind: isFallback ? 'fallback' : 'branch',
        line: start.line,
        name: functionAt(functions, start, source),
      });
    });
  }
  return missed;
}

const page = readPage();
const totals = { statement: 0, branch: 0, fallback: 0 };
const unnamed = [];
const seen = new Set();
for (const [path, entry] of Object.entries(JSON.parse(readFileSync(file, 'utf8'))).sort()) {
  const name = FOLDERS.exec(path)?.[1];
  if (name === undefined) continue;
  const source = readFileSync(new URL(name, ROOT), 'utf8').split('\n');
  const groups = new Map();
  for (const { kind, line, name: fn } of missedIn(entry, source)) {
    totals[kind]++;
    if (kind !== 'fallback' || all) groups.set(fn, [...(groups.get(fn) ?? []), line]);
  }
  for (const [fn, lines] of groups) {
    seen.add(`${name} ${fn}`);
    if (all || page.get(name)?.has(fn) !== true)
      unnamed.push(`${name}: ${fn}, lines ${[...new Set(lines)].sort((a, b) => a - b).join(', ')}`);
  }
}
const stale = [...page].flatMap(([name, functions]) =>
  [...functions].filter((fn) => !seen.has(`${name} ${fn}`)).map((fn) => `${name}: ${fn}`),
);

console.log(
  `Never executed in src/parse, semantics, packet-set and evaluate: ${totals.statement} statements, ${totals.branch} branches, ${totals.fallback} right sides of "??".`,
);
console.log(
  unnamed.length === 0
    ? 'docs/coverage.md names them all.'
    : `${all ? 'All of them' : 'Not in docs/coverage.md: test them, or add them with a reason'}:\n  ${unnamed.join('\n  ')}`,
);
if (stale.length > 0)
  console.log(`Named in docs/coverage.md, and executed by this run:\n  ${stale.join('\n  ')}`);
