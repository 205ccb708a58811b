import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareExample, runExample } from '../../src/cli/example-run.ts';
import { parseCheck } from '../../src/rulepack/parse.ts';
import { bindCheck } from '../../src/scan.ts';
import { ROOT, shippedProfile } from '../scan-support.ts';

test('the check in docs/adding-a-check.md can be copied: it is right, and so are its examples', () => {
  const page = readFileSync(join(ROOT, 'docs/adding-a-check.md'), 'utf8');
  const text = (/ {3}```yaml\n([\s\S]*?) {3}```/.exec(page)?.[1] ?? '').replace(/^ {3}/gm, '');
  const decoded = parseCheck(text, 'telnet-accepted.yaml', bindCheck);
  if (decoded.kind === 'bad') throw new Error(JSON.stringify(decoded.problems));
  const { examples } = decoded.value;
  for (const example of [...examples.bad, ...examples.good]) {
    const { findings } = runExample(example, decoded.value, shippedProfile('guide'));
    expect(compareExample(example, findings)).toEqual([]);
  }
});
