/** The ids that the contract promises (design of the checks). They are stable for ever: others may come, none may go. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Severity } from '../../src/finding/index.ts';
import { highestSeverityOf } from '../../src/rulepack/index.ts';
import { ROOT, shippedChecks } from '../scan-support.ts';

/** Id and the highest severity a finding of it may have. */
const CONTRACT: Readonly<Record<string, Severity>> = {
  'default-accept': 'critical',
  'admin-port-via-nat': 'critical',
  'client-inbound-unscoped': 'critical',
  'dynamic-range-any-source': 'critical',
  'dynamic-range-open-on-server': 'low',
  'dynamic-range-beyond-peers': 'high',
  'service-port-beyond-peers': 'high',
  'admin-port-beyond-admin-network': 'critical',
  'udp-on-service-ports': 'high',
  'undeclared-port': 'medium',
  'admin-port-inside-open-range': 'critical',
  'connection-port-rule': 'high',
  'ipv6-wider-than-ipv4': 'medium',
  'admin-port-on-wrong-host': 'critical',
  'missing-required-path': 'high',
  'missing-return-path': 'high',
  'admin-port-via-service': 'critical',
  'peer-fully-trusted': 'medium',
  'never-remote-port': 'medium',
  'range-mismatch': 'medium',
  'range-too-small-for-role': 'medium',
  'too-wide-declaration': 'medium',
  'copied-rule-set': 'medium',
  'runtime-permanent-drift': 'medium',
  'host-not-judged': 'medium',
  'expired-exception': 'medium',
  'expired-waiver': 'medium',
  'shadowed-rule': 'medium',
  'redundant-rule': 'low',
  'unmatchable-rule': 'low',
  'unused-chain': 'low',
  'opaque-match': 'low',
  'plaintext-message-bus': 'low',
  'ip-version-not-exported': 'low',
  'unused-exception': 'low',
  'unused-waiver': 'low',
  'unread-input': 'high',
  'egress-unrestricted': 'info',
  'unknown-source': 'info',
  'reject-reveals-host': 'info',
  'never-hit-rule': 'info',
  'rule-not-explicit': 'info',
  'undocumented-rule': 'info',
  'vendor-requires-more': 'info',
};

const CHECKS = shippedChecks();

test('every check of the contract is there, none more severe than it says', () => {
  const there = Object.fromEntries(CHECKS.map((check) => [check.id, highestSeverityOf(check)]));
  expect(there).toMatchObject(CONTRACT);
});

test('only undocumented-rule has to be asked for', () => {
  const nursery = CHECKS.filter((check) => check.status === 'nursery' && check.id in CONTRACT);
  expect(nursery.map((check) => check.id)).toEqual(['undocumented-rule']);
});

test('each check has its file and its page', () => {
  const names = (folder: string, ending: string) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name !== 'index.md')
      .map((name) => name.slice(0, -ending.length));
  const ids = CHECKS.map((check) => check.id).sort();
  expect(names('rules/checks', '.yaml').sort()).toEqual(ids);
  expect(names('docs/checks', '.md').sort()).toEqual(ids);
});
