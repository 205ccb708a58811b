import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';

const CORPUS = new URL('../../../../shared/corpus/nft-json/', import.meta.url);
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

const schema: unknown = JSON.parse(
  readFileSync(new URL('../../../rules/schema/nftables.schema.json', import.meta.url), 'utf8'),
);
// The file is ours: an object.
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema as object);

describe('the JSON Schema of the format', () => {
  it.skipIf(!present)('accepts every export of real hosts', () => {
    const refused = readdirSync(CORPUS).flatMap((file) => {
      const errors = validate(JSON.parse(readFileSync(new URL(file, CORPUS), 'utf8')))
        ? []
        : (validate.errors ?? []);
      const deepest = [...errors].sort((a, b) => b.instancePath.length - a.instancePath.length)[0];
      return deepest === undefined ? [] : [`${file}: ${deepest.instancePath} ${deepest.message}`];
    });
    expect(refused).toEqual([]);
  });

  it.each([
    ['no list', {}],
    ['an item with two names', { nftables: [{ table: { family: 'ip', name: 'a' }, chain: {} }] }],
    ['an unknown family', { nftables: [{ table: { family: 'ipx', name: 'a' } }] }],
    ['a rule without a chain', { nftables: [{ rule: { family: 'ip', table: 'a', expr: [] } }] }],
    [
      'a statement of no known name',
      { nftables: [{ rule: { family: 'ip', table: 'a', chain: 'c', expr: [{ allow: null }] } }] },
    ],
    [
      'a match without operator',
      {
        nftables: [
          { rule: { family: 'ip', table: 'a', chain: 'c', expr: [{ match: { left: 1, right: 2 } }] } },
        ],
      },
    ],
  ])('refuses %s', (_, value) => {
    expect(validate(value)).toBe(false);
  });
});
