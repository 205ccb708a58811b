import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseInventory } from '../../src/inventory/index.ts';
import { DESIGN_EXAMPLE } from './design-example.ts';

/** Whatever the text: an inventory or problems, and every problem inside the file. */
async function expectSoundAnswer(text: string): Promise<void> {
  const { inventory, problems } = await parseInventory(text, 'f.yaml');
  expect(inventory === undefined).toBe(problems.length > 0);
  const lines = text.split(/\r\n|\r|\n/);
  for (const { file, line, column, message } of problems) {
    expect(file).toBe('f.yaml');
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(message).not.toContain('\n');
  }
}

test('every beginning of a configuration has a sound answer', async () => {
  for (let length = 0; length <= DESIGN_EXAMPLE.length; length += 7) {
    await expectSoundAnswer(DESIGN_EXAMPLE.slice(0, length));
  }
});

test('a configuration with some characters replaced has a sound answer', async () => {
  const edit = fc.record({
    at: fc.nat(DESIGN_EXAMPLE.length),
    cut: fc.nat(12),
    text: fc.oneof(
      fc.constantFrom(
        '*',
        '&a',
        '!',
        '[',
        ']',
        '{',
        '}',
        ': ',
        '- ',
        '"',
        "'",
        '#',
        '|',
        '>',
        '\t',
        '\n',
        '\0',
        '---',
        '%',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let text = DESIGN_EXAMPLE;
      for (const { at, cut, text: inserted } of edits)
        text = text.slice(0, at) + inserted + text.slice(at + cut);
      await expectSoundAnswer(text);
    }),
    { numRuns: 500 },
  );
});

test('any text has a sound answer', async () => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), expectSoundAnswer), {
    numRuns: 500,
  });
});
