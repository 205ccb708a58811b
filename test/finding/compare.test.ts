import { expect, test } from 'vitest';
import { reachesSeverity, sortFindings, worstSeverity } from '../../src/finding/index.ts';
import { finding, originAt } from '../report/example-report.ts';

test('findings are sorted by host, severity, place, check and message; those of the run come last', () => {
  const one = (message: string, more: Partial<ReturnType<typeof finding>>) =>
    finding({ check: 'c', message, ...more });
  const sorted = [
    one('1', { host: 'a', severity: 'high', origin: originAt('f', 9, null) }),
    one('2', { host: 'a', severity: 'low', origin: originAt('e', 10, null) }),
    one('3', { host: 'a', severity: 'low', origin: originAt('f', 2, null) }),
    one('4', { host: 'a', severity: 'low', origin: originAt('f', 10, null), check: 'b' }),
    one('5', { host: 'a', severity: 'low', origin: originAt('f', 10, null) }),
    one('6', { host: 'a', severity: 'low', origin: originAt('f', 10, null) }),
    one('7', { host: 'a', severity: 'low' }),
    one('8', { host: 'b', severity: 'critical' }),
    one('9', { host: null, severity: 'critical' }),
  ];
  expect(sortFindings([...sorted].reverse()).map((each) => each.message)).toEqual(
    sorted.map((each) => each.message),
  );
});

test('severities compare by rank', () => {
  expect(reachesSeverity('high', 'medium')).toBe(true);
  expect(reachesSeverity('low', 'medium')).toBe(false);
  expect(worstSeverity(['low', 'critical', 'info'])).toBe('critical');
  expect(worstSeverity([])).toBeUndefined();
});
