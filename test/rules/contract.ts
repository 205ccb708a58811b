/** The ids that the contract promises (design of the checks). They are stable for ever: others may come, none may go. */
import type { Severity } from '../../src/finding/index.ts';

/** Id and the highest severity a finding of it may have. */
export const CONTRACT: Readonly<Record<string, Severity>> = {
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

/**
 * Whether a check is not of the contract: somebody added it. Its own examples and the estates in which nothing is wrong judge it; what it
 * finds in the labs beside the mistakes planted there is its own affair, so that a new check is one new file.
 */
export function isAdded(check: string): boolean {
  return !Object.hasOwn(CONTRACT, check);
}
