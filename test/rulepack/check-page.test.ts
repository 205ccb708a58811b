import { expect, test } from 'vitest';
import { EVALUATORS } from '../../src/check/index.ts';
import {
  type CheckDefinition,
  checkIndexPage,
  checkPage,
  LIMITS_OF_EVALUATOR,
  type ShownExample,
} from '../../src/rulepack/index.ts';
import { shippedChecks } from '../scan-support.ts';

const HEADINGS = [
  'What it reports',
  'Why it matters',
  'Why this severity',
  'Bad example',
  'Good example',
  'Remediation',
  'Certainty and limits',
  'References',
];

const NO_EXAMPLES = { bad: [], good: [] };

/** A shipped check with other parts. */
function checkWith(parts: Partial<CheckDefinition>): CheckDefinition {
  return { ...shippedChecks()[0]!, ...parts };
}

function shown(parts: Partial<ShownExample>): ShownExample {
  return { name: 'an example', config: undefined, files: { 'a.rules': 'COMMIT\n' }, reported: [], ...parts };
}

function headingsOf(page: string): (string | undefined)[] {
  return [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
}

test('every check page has the same headings, whatever the check', () => {
  for (const check of shippedChecks())
    expect(headingsOf(checkPage(check, 'x.yaml', NO_EXAMPLES))).toEqual(HEADINGS);
});

test('every evaluator says what its answers rest on, and no other does', () => {
  expect(Object.keys(LIMITS_OF_EVALUATOR).sort()).toEqual([...EVALUATORS.keys()].sort());
});

test('facts are printed as their names in capitals, and no brace is left', () => {
  const check = checkWith({ message: 'On {host}, {because} decides.', remediation: 'Ask {owner-name}.' });
  const page = checkPage(check, 'x.yaml', NO_EXAMPLES);
  expect(page).toContain('> On HOST, BECAUSE decides.');
  expect(page).toContain('Ask OWNER-NAME.');
  for (const shipped of shippedChecks())
    expect(checkPage(shipped, 'x.yaml', NO_EXAMPLES)).not.toMatch(/\{[a-z]+\}/);
});

test('cases of severity and message are told with their condition', () => {
  const check = checkWith({
    severity: [
      { when: { source: 'any', judged: true }, is: 'critical' },
      { when: undefined, is: 'low' },
    ],
    message: [
      { when: { source: 'any' }, is: 'Open to all.' },
      { when: { source: 'admin' }, is: 'Open to admins.' },
      { when: undefined, is: 'Open to some.' },
    ],
  });
  const page = checkPage(check, 'x.yaml', NO_EXAMPLES);
  expect(page).toContain('Severity: critical when SOURCE is any and JUDGED is true, else low.');
  expect(page).toContain(
    'The finding says when SOURCE is any:\n\n> Open to all.\n\nElse when SOURCE is admin:\n\n> Open to admins.\n\nElse:\n\n> Open to some.',
  );
});

test('text of the rule pack is no Markdown', () => {
  const page = checkPage(
    checkWith({ title: 'a | <b> *c*', rationale: 'see [x](y) and `z`' }),
    'x.yaml',
    NO_EXAMPLES,
  );
  expect(page).toContain('a | \\<b> \\*c\\*');
  expect(page).toContain('see \\[x\\](y) and \\`z\\`');
  expect(checkIndexPage([checkWith({ title: 'a | b' })])).toContain('| a \\| b |');
});

test('an example that contains a fence gets a longer one', () => {
  const page = checkPage(checkWith({}), 'x.yaml', { bad: [shown({ files: { a: 'x\n````\ny' } })], good: [] });
  expect(page).toContain('`````\nx\n````\ny\n`````');
});

test('an example shows its configuration once, its files, and what is reported', () => {
  const config = 'hosts: {}\n';
  const page = checkPage(checkWith({}), 'x.yaml', {
    bad: [shown({ config, reported: ['a.rules:1: high: open'] })],
    good: [shown({ config }), shown({ config }), shown({})],
  });
  expect(page.match(/hosts: \{\}/g)).toHaveLength(2);
  expect(page.match(/`nwaudit\.yaml` as above\./g)).toHaveLength(1);
  expect(page).toContain('Reported:\n\n```\na.rules:1: high: open\n```');
  expect(page.match(/Nothing is reported\./g)).toHaveLength(3);
});

test('a check of the nursery says that it has to be asked for', () => {
  expect(checkPage(checkWith({ status: 'nursery' }), 'x.yaml', NO_EXAMPLES)).toContain(
    'runs only with `--select`',
  );
});
