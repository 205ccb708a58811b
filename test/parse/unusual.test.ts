import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { NamedSetElement, Rule } from '../../src/model/index.ts';
import { readHostExports } from '../../src/parse/index.ts';
import { printMatches, printOutcome } from './print-condition.ts';

/**
 * Exports with everything that formats allow and hosts rarely have. `printed.json` is what nft 1.0.6 printed; the others are written
 * by hand, after the manuals, for what that version does not print or what is wrong; what is said about firewalld's files was compared
 * with its own readers (1.3.3). Each rule is told with its text.
 */
const FOLDER = new URL('../../fixtures/unusual/', import.meta.url);
const inputs = readdirSync(FOLDER).filter((name) => !name.endsWith('.expected.json'));

/** Paths and contents of a file, or of all files of a folder. */
function filesOf(name: string): readonly { readonly path: string; readonly bytes: Uint8Array }[] {
  if (name.includes('.')) return [{ path: name, bytes: readFileSync(new URL(name, FOLDER)) }];
  const folder = new URL(`${name}/`, FOLDER);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort()
    .map((path) => ({ path: path.slice(FOLDER.pathname.length), bytes: readFileSync(path) }));
}

/** Not one of the jumps that firewalld puts into every zone and policy, nor of the rules of its base chains. */
function isOwn(rule: Rule): boolean {
  const { file, line, column } = rule.origin;
  return !file.includes('firewalld') || ((line > 1 || column > 1) && !/^(?:jump|target) /.test(rule.text));
}

function printElement({ values, nomatch }: NamedSetElement): string {
  const shown = values.map((value) => {
    if (value.kind === 'interface' || value.kind === 'set') return value.name;
    const { lo, hi } = value.range;
    return `${value.kind === 'port' ? `${value.protocol}:` : ''}${lo === hi ? lo : `${lo}-${hi}`}`;
  });
  return `${shown.join(', ')}${nomatch ? ' nomatch' : ''}`;
}

function meaningOf(name: string): unknown {
  const { exports, ruleset, diagnostics } = readHostExports(filesOf(name));
  return {
    formats: exports.map((e) => `${e.file}: ${e.format}${e.whole ? '' : ', not whole'}`),
    chains: Object.fromEntries(
      ruleset.tables.flatMap((table) =>
        table.chains
          .filter(({ origin, rules }) => !origin.file.includes('firewalld') || rules.some(isOwn))
          .map(({ name: chain, base, rules }) => [
            `${table.family} ${table.name} ${chain}${base === undefined ? '' : ` (${base.type} ${base.hook} ${base.priority} ${base.chainPolicy})`}`,
            rules
              .filter(isOwn)
              .map(
                (rule) =>
                  `${rule.number ?? '-'} [${rule.text}] ${printMatches(rule)} => ${printOutcome(rule)}`,
              ),
          ]),
      ),
    ),
    sets: Object.fromEntries(
      ruleset.namedSets.map((set) => [
        set.name,
        [`${set.type}${set.dynamic ? ', dynamic' : ''}`, ...set.elements.map(printElement)],
      ]),
    ),
    diagnostics: diagnostics.map(
      (d) =>
        `${d.origin.file}:${d.origin.line}:${d.origin.column} ${d.kind}${d.incomplete ? ' incomplete' : ''}: ${d.detail}`,
    ),
  };
}

describe('rare and misshapen parts are read exactly, kept as unknown, or said', () => {
  it.each(inputs)('%s', (name) => {
    const expectation = new URL(`${name}.expected.json`, FOLDER);
    const actual = meaningOf(name);
    if (process.env.UPDATE === '1' || !existsSync(expectation)) {
      expect(process.env.UPDATE, `no expectation for ${name}; write it with UPDATE=1`).toBe('1');
      writeFileSync(expectation, `${JSON.stringify(actual, undefined, 2)}\n`);
    }
    expect(actual).toEqual(JSON.parse(readFileSync(expectation, 'utf8')));
  });
});
