import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readHostExports } from '../../src/parse/index.ts';
import { printChain } from './print-condition.ts';

const FOLDER = new URL('../../fixtures/malformed/', import.meta.url);
const inputs = readdirSync(FOLDER).filter((name) => !name.endsWith('.expected.json'));

/** What is read from a file and what is said about it, in a form that people can check. */
function describeFile(name: string): unknown {
  const host = readHostExports([{ path: name, bytes: readFileSync(new URL(name, FOLDER)) }]);
  return {
    format: host.exports[0]!.format,
    whole: host.exports[0]!.whole,
    tables: Object.fromEntries(
      host.ruleset.tables.map((table) => [
        `${table.family} ${table.name}`,
        Object.fromEntries(
          table.chains.map((c) => [
            c.base === undefined ? c.name : `${c.name} ${c.base.chainPolicy}`,
            printChain(table, c.name),
          ]),
        ),
      ]),
    ),
    sets: Object.fromEntries(
      host.ruleset.namedSets.map((s) => [
        s.name,
        `${s.type}, ${s.elements.length} elements${s.dynamic ? ', dynamic' : ''}`,
      ]),
    ),
    diagnostics: host.diagnostics.map(
      (d) => `${d.origin.line}:${d.origin.column} ${d.kind}${d.incomplete ? ' incomplete' : ''}: ${d.detail}`,
    ),
  };
}

describe('broken exports are read as far as they go, with everything said about the rest', () => {
  it.each(inputs)('%s', (name) => {
    const expectation = new URL(`${name}.expected.json`, FOLDER);
    const actual = describeFile(name);
    if (process.env.UPDATE === '1' || !existsSync(expectation)) {
      expect(process.env.UPDATE, `no expectation for ${name}; write it with UPDATE=1`).toBe('1');
      writeFileSync(expectation, `${JSON.stringify(actual, undefined, 2)}\n`);
    }
    expect(actual).toEqual(JSON.parse(readFileSync(expectation, 'utf8')));
  });
});
