import { expect, test } from 'vitest';
import { escapeLines, escapeText, stringifyVisibly } from '../../src/finding/index.ts';

test.each([
  ['cursor movement and colour', 'a\u001b[2J\u001b[31mb', 'a\\x1b[2J\\x1b[31mb'],
  ['a window title', '\u001b]0;pwned\u0007', '\\x1b]0;pwned\\x07'],
  ['C1 control sequence introducer', '\u009b31m', '\\x9b31m'],
  ['DEL and NUL', '\u007f\u0000', '\\x7f\\x00'],
  ['line breaks and tabs', 'a\r\nb\tc', 'a\\r\\nb\\tc'],
  ['bidirectional override', 'sn-01\u202etxt.exe', 'sn-01\\u202etxt.exe'],
  ['bidirectional isolates', '\u2066\u2069', '\\u2066\\u2069'],
  ['zero width and byte order mark', 'a\u200b\u200d\ufeffb', 'a\\u200b\\u200d\\ufeffb'],
  ['line and paragraph separator', '\u2028\u2029', '\\u2028\\u2029'],
  ['soft hyphen, fillers, variation selectors', '\u00ad\u3164\u115f\ufe0f', '\\xad\\u3164\\u115f\\ufe0f'],
  ['tag characters', 'x\u{e0041}', 'x\\u{e0041}'],
  ['lone surrogates', '\ud800x', '\\ud800x'],
  ['private use', '\ue000', '\\ue000'],
  [
    'commands of GitHub Actions',
    '::error file=a,line=1::x ::add-mask::y',
    '\\x3a:error file=a,line=1\\x3a:x \\x3a:add-mask::y',
  ],
  ['in any case, and behind spaces', '  ::Set-Output name=a::b', '  \\x3a:Set-Output name=a::b'],
  [
    'commands of other services',
    '##[error]a ##vso[task.x]b ##teamcity[c]',
    '#\\x23[error]a #\\x23vso[task.x]b #\\x23teamcity[c]',
  ],
  [
    'IPv6 addresses, which stay',
    '::/0, ::1, ::ffff:192.0.2.1 and fe80::1 ::a ::b',
    '::/0, ::1, ::ffff:192.0.2.1 and fe80::1 ::a ::b',
  ],
  ['backslashes, which stay', 'C:\\x1b', 'C:\\x1b'],
  ['ordinary letters of any script', 'bäckup 備份 сервер 🖥', 'bäckup 備份 сервер 🖥'],
])('%s become visible or stay as they are', (_, text, shown) => {
  expect(escapeText(text)).toBe(shown);
});

test('lines of the rule pack stay lines', () => {
  expect(escapeLines('a\nb\r\u001b')).toBe('a\nb\\r\\x1b');
});

test('JSON with hidden characters escaped means the same', () => {
  const value = { 'k\u202e': ['\u009b', '\u007f', '\u{e0041}', '\n', '\ud800', 'ä"\\', '##[error]', '##'] };
  const json = stringifyVisibly(value, 2);
  expect(JSON.parse(json)).toEqual(value);
  expect(json).not.toMatch(/[\u007f-\u009f\u202e]|##\[/);
  expect(json.split('\n').length).toBe(12);
});
