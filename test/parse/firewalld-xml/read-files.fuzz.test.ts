import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFirewalldFiles } from '../../../src/parse/firewalld-xml/read-files.ts';
import { stockDefinitions } from '../../../src/parse/firewalld-xml/stock.ts';
import { validateConfiguration } from '../../../src/parse/firewalld-xml/validate.ts';
import { mutateConfiguration } from '../../kernel/mutate-firewalld.ts';
import { createRandom } from '../../kernel/random.ts';

const STOCK = stockDefinitions({ file: 'stock', line: 1, column: 1, endLine: 1, endColumn: 1, path: null });

const piece = fc.constantFrom(
  ...'< > / " \' = & ; <? ?> <!-- --> <![CDATA[ ]]> <!DOCTYPE [ ] zone rule source address name value \n \t \u0000 \uFEFF 😀 é 192.0.2.1 1/m'.split(
    ' ',
  ),
);
const path = fc.constantFrom(
  'zones/a.xml',
  'zones/a/b.xml',
  'policies/a.xml',
  'services/a.xml',
  'ipsets/a.xml',
  'direct.xml',
  'firewalld.conf',
  'a.nmconnection',
  'ifcfg-a',
  'a',
  '',
);

describe('reading and checking never throw', () => {
  it('whatever the files hold', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(path, fc.array(piece))), (files) => {
        const read = readFirewalldFiles(
          files.map(([name, pieces]) => ({ path: `etc/firewalld/${name}`, text: pieces.join('') })),
        );
        expect(validateConfiguration(read, STOCK).problems).toBeInstanceOf(Array);
      }),
      { numRuns: 2_000 },
    );
  });

  it('and every problem stands in one of the files, or in what the distribution ships', () => {
    const random = createRandom(11);
    for (let i = 0; i < 1_000; i++) {
      const files = Object.entries(mutateConfiguration(random)).map(([name, text]) => ({ path: name, text }));
      const { problems } = validateConfiguration(readFirewalldFiles(files), STOCK);
      for (const { origin } of problems) {
        const lines = files.find((file) => file.path === origin.file)?.text.split('\n');
        if (origin.file === 'stock') continue;
        expect(origin.line).toBeLessThanOrEqual(lines!.length);
        expect(origin.column).toBeLessThanOrEqual(lines![origin.line - 1]!.length + 1);
        expect(origin.endLine).toBeGreaterThanOrEqual(origin.line);
      }
    }
  });
});
