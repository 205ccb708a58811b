/**
 * What every built-in check has to say besides what it finds: why it is as severe as that, whose demand it is, and how the defect
 * looks in each format in which there can be one. The last two are asked of the checks of the contract alone.
 */
import { describe, expect, test } from 'vitest';
import { runExample } from '../../src/cli/example-run.ts';
import type { CheckDefinition, Example } from '../../src/rulepack/index.ts';
import { shippedChecks, shippedProfile } from '../scan-support.ts';
import { isAdded } from './contract.ts';

/** Formats of exports with rules in them, as reports name them. */
const FORMATS = ['iptables-save', 'nft-json', 'firewalld'] as const;
type Format = (typeof FORMATS)[number];

const ORDERED_BY_FIREWALLD =
  'firewalld writes and orders the rules; what it makes of its files is not judged for tidiness';

/** Formats in which a defect cannot occur, and why. A check that is not here has examples in all three. */
const CANNOT_OCCUR: Readonly<Record<string, Partial<Record<Format, string>>>> = {
  'admin-port-via-service': {
    'iptables-save': 'iptables has port numbers, no services',
    'nft-json': 'as iptables; beside the files of firewalld, they are what shows the service',
  },
  'ip-version-not-exported': { firewalld: 'its files are about both versions' },
  'missing-return-path': { firewalld: 'it accepts established connections before everything else' },
  'never-hit-rule': { firewalld: 'no counters' },
  'opaque-match': { firewalld: ORDERED_BY_FIREWALLD },
  'redundant-rule': { firewalld: ORDERED_BY_FIREWALLD },
  'shadowed-rule': { firewalld: ORDERED_BY_FIREWALLD },
  'undocumented-rule': { firewalld: 'elements of a zone have no comments' },
  'unmatchable-rule': { firewalld: ORDERED_BY_FIREWALLD },
  'unused-chain': { firewalld: ORDERED_BY_FIREWALLD },
};

/** What checks look at that are not about rules: one format of the rules beside it is enough. */
const NOT_ABOUT_RULES: Readonly<Record<string, string>> = {
  'expired-exception': 'nwaudit.yaml',
  'expired-waiver': 'nwaudit.yaml',
  'host-not-judged': 'names of hosts and nwaudit.yaml',
  'range-too-small-for-role': 'nsrports output and nwaudit.yaml',
  'runtime-permanent-drift': 'two formats at once: nft JSON and the files of firewalld',
  'too-wide-declaration': 'nwaudit.yaml',
  'unused-exception': 'nwaudit.yaml',
  'unused-waiver': 'nwaudit.yaml',
};

/** Sections of the guide, in its own words but for the dash in "7937-9936". */
const GUIDE_SECTIONS = [
  'Open fewer NetWorker ports, or you are just backing up your attack surface',
  'Why backup traffic is still network traffic',
  'What the minimum-secure mindset changes',
  'Stop treating service ports and connection ports like the same thing',
  'Service ports are where the service lives; connection ports are where the session lands',
  'Why the difference matters when you write firewall rules',
  'Keep 7937 and 7938 fixed, and treat 7937-9936 like a risk boundary',
  'The two fixed ports everyone should remember',
  'Why the dynamic range is the part that needs discipline',
  'Build the smallest safe firewall baseline for each NetWorker role',
  'Client, server, and storage node do not need the same access',
  'Add NMC and authentication without turning them into a free-for-all',
  'Verify the ports without proving too much',
  'The goal is reachability, not openness everywhere',
  'How to test from each role without exposing extra services',
  'Avoid the three mistakes that quietly blow the whole baseline open',
  'Opening the whole dynamic range because one thing failed',
  'Forgetting the client side and only hardening the server',
  'Put NMC, authentication, and TLS in the port plan instead of bolting them on later',
  'Port 9090 is part of security, not a side quest',
  'TLS helps, but it does not erase firewall hygiene',
  'Frequently Asked Questions',
  'Conclusion',
];

/** What else may be cited: documents that were opened and found to say so. Another one goes here once somebody has read it. */
const CITABLE = [
  'NIST SP 800-41 Rev. 1: deny by default',
  'NIST SP 800-53 Rev. 5 CM-7: ports, protocols and services are restricted to what is needed',
  'NIST SP 800-53 Rev. 5 CM-7(1): review periodically, and remove what is unnecessary',
  'NIST SP 800-53 Rev. 5 SC-7(5): deny by default, allow by exception',
  'NIST SP 800-53 Rev. 5 SC-7(5): deny by default, inbound and outbound',
  'PCI DSS v4.0 1.2.5: every allowed service, protocol and port is identified, approved and has a business need',
  'PCI DSS v4.0 1.2.6: insecure services need defined security features',
  'PCI DSS v4.0 1.2.7: configurations are reviewed at least every six months',
  'PCI DSS v4.0 1.2.8: configuration files are consistent with what runs',
  'PCI DSS v4.0 1.3.1: inbound traffic is limited to what is necessary',
  'PCI DSS v4.0 1.3.2: outbound traffic is limited to what is necessary',
  'CIS Controls v8 4.4: firewall on servers',
  'CIS Controls v8 13.4: traffic between network segments is filtered',
  'DISA STIG RHEL 9 RHEL-09-251020: the target of firewalld zones is DROP, access is allowed by exception',
  'DISA STIG RHEL 9 RHEL-09-251035: allowed ports and services match the approved list',
  'EMC Community 2013, calculating and configuring the NetWorker port range in firewalls',
  'dell/terraforming-dps, security groups of NVE (2025)',
  'qkaiser, So Many Ways to Own Dell EMC Networker (2021)',
  'firewall-cmd(1), options --permanent and --runtime-to-permanent',
  'firewalld.service(5)',
  'iptables(8), iptables-extensions(8), nft(8)',
  'iptables-extensions(8), libnftables-json(5)',
];

const CHECKS = shippedChecks();
const PROFILE = shippedProfile('guide');

const isGuide = (reference: string) =>
  GUIDE_SECTIONS.some((section) =>
    new RegExp(
      `^NetWorker ports security guide: ${section.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}( \\(.+\\))?$`,
    ).test(reference),
  );

/** Formats of what an example's findings blame; of everything it has where it has no findings, or they blame no file. */
function formatsOf(example: Example, check: CheckDefinition): Format[] {
  const { findings, inputs } = runExample(example, check, PROFILE, CHECKS);
  const blamed = new Set(findings.flatMap(({ origin }) => origin?.file ?? []));
  return FORMATS.filter((format) =>
    inputs.some(
      (input) =>
        input.format.replace('ip6tables', 'iptables') === format &&
        (blamed.size === 0 || blamed.has(input.file)),
    ),
  );
}

describe.each(CHECKS)('$id', (check) => {
  test('says why it is as severe as that', () => {
    expect(check.severityReason).toMatch(/^[A-Z].*\.$/s);
  });

  test('refers to something; of the contract, to the guide, and otherwise to what was read', () => {
    expect(check.references).not.toEqual([]);
    if (isAdded(check.id)) return;
    expect(check.references.filter(isGuide)).not.toEqual([]);
    expect(check.references.filter((one) => !isGuide(one) && !CITABLE.includes(one))).toEqual([]);
  });

  test.each(['bad', 'good'] as const)(
    'has a %s example in every format in which the defect can occur',
    (kind) => {
      const shown = new Set(check.examples[kind].flatMap((example) => formatsOf(example, check)));
      if (NOT_ABOUT_RULES[check.id] !== undefined || isAdded(check.id)) return;
      const cannot = CANNOT_OCCUR[check.id] ?? {};
      expect(FORMATS.filter((format) => !shown.has(format))).toEqual(
        FORMATS.filter((format) => cannot[format] !== undefined),
      );
    },
  );
});

test('the tables name checks that there are', () => {
  const named = [...Object.keys(CANNOT_OCCUR), ...Object.keys(NOT_ABOUT_RULES)];
  expect(named.filter((id) => !CHECKS.some((check) => check.id === id))).toEqual([]);
});
