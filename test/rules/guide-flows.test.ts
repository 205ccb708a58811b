/** The flows that the guide lists for each role: a host that lets all of them through has no finding, and closing one is told. */
import { describe, expect, test } from 'vitest';
import { scanTexts, shippedChecks } from '../scan-support.ts';
import { CONFIG, exportOf, FLOWS } from './guide-flows.ts';

const CHECKS = shippedChecks();
const PATHS = CHECKS.filter((check) => check.id === 'missing-required-path');

test('hosts with exactly these flows have no finding that counts', () => {
  const files = Object.fromEntries(
    Object.keys(CONFIG.hosts).map((host) => [`${host}.rules`, exportOf(host)]),
  );
  const { findings } = scanTexts(files, CONFIG, {
    checks: CHECKS.filter((check) => check.status === 'stable'),
  });
  const serious = findings.filter((finding) => ['medium', 'high', 'critical'].includes(finding.severity));
  expect(serious.map((finding) => `${finding.host} ${finding.check}: ${finding.message}`)).toEqual([]);
});

describe.each(FLOWS.map((flow, i) => [...flow, i] as const))(
  '%s, %s, %s, %s',
  (host, direction, _peer, _ports, i) => {
    test('closed is a missing path on that side, and open it is none', () => {
      const found = (without?: number) =>
        scanTexts({ [`${host}.rules`]: exportOf(host, without) }, CONFIG, { checks: PATHS }).findings.map(
          (finding) => `${finding.host} ${finding.hook}`,
        );
      expect(found()).toEqual([]);
      expect(found(i)).toEqual([`${host} ${direction === 'in' ? 'input' : 'output'}`]);
    });
  },
);
