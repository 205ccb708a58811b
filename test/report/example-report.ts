import {
  exitCodeOf,
  type Finding,
  type FindingOrigin,
  fingerprintOf,
  normalizeRuleText,
  type Report,
  type ReportCheck,
  type ReportHost,
  type ReportInput,
  type Severity,
  sortFindings,
  summarize,
} from '../../src/finding/index.ts';
import type { ParseDiagnostic } from '../../src/model/index.ts';
import type { ReportOptions } from '../../src/report/index.ts';

/** Options of a plain 100-column run. */
export const PLAIN: ReportOptions = { color: false, width: 100, minSeverity: 'info', showSuppressed: false };

/** A place in one line of an iptables export. */
export function originAt(file: string, line: number, rule: string | null, chain = 'INPUT'): FindingOrigin {
  const endColumn = 1 + (rule ?? ':INPUT ACCEPT [0:0]').length;
  const place = { file, line, column: 1, endLine: line, endColumn, path: null };
  return { ...place, family: 'ip', table: 'filter', chain, rule };
}

/** A finding with everything absent that may be absent, and a fingerprint of its own. */
export function finding(given: Partial<Finding> & Pick<Finding, 'check' | 'message'>): Finding {
  const { origin = null, host = 'client-01', hook = 'input' } = given;
  const meaning =
    origin === null ? [given.message] : ['ip filter INPUT', normalizeRuleText(origin.rule ?? 'policy')];
  return {
    severity: 'medium',
    certainty: 'certain',
    host,
    roles: ['client'],
    hook,
    title: `Title of ${given.check}`,
    why: '',
    origin,
    related: [],
    exposure: null,
    witness: null,
    unknowns: [],
    remediation: null,
    references: [],
    fingerprint: fingerprintOf({ host, check: given.check, hook, meaning }),
    suppression: null,
    ...given,
  };
}

export interface ReportParts {
  readonly findings: readonly Finding[];
  readonly inputs: readonly ReportInput[];
  readonly hosts: readonly ReportHost[];
  readonly diagnostics: readonly ParseDiagnostic[];
  readonly hints: readonly string[];
  readonly checks: readonly ReportCheck[];
  readonly failOn: Severity;
  readonly allowIncomplete: boolean;
  readonly exitZero: boolean;
}

/** A report whose summary and exit code follow from its parts. */
export function reportOf(given: Partial<ReportParts>): Report {
  const parts: ReportParts = {
    findings: [],
    inputs: INPUTS,
    hosts: HOSTS,
    diagnostics: [],
    hints: [],
    checks: CHECKS,
    failOn: 'medium',
    allowIncomplete: false,
    exitZero: false,
    ...given,
  };
  const summary = summarize(parts);
  return {
    tool: { name: 'nwaudit', version: '0.0.0-test' },
    profile: { name: 'guide', description: 'Open only what each role needs' },
    inputs: parts.inputs,
    hosts: parts.hosts,
    checks: parts.checks,
    findings: sortFindings(parts.findings),
    diagnostics: parts.diagnostics,
    hints: parts.hints,
    baseline: null,
    summary,
    exitCode: exitCodeOf(summary, { exitZero: parts.exitZero }),
  };
}

export const INPUTS: readonly ReportInput[] = [
  { file: 'exports/client-01.rules', format: 'iptables-save', host: 'client-01', whole: true, rules: 9 },
  { file: 'exports/nmc-01/public.xml', format: 'firewalld', host: 'nmc-01', whole: true, rules: 3 },
  { file: 'exports/nw-server.json', format: 'nft-json', host: 'nw-server', whole: true, rules: 14 },
  { file: 'exports/sn 01.rules', format: 'iptables-save', host: 'sn-01', whole: true, rules: 11 },
];

const RETURN_PATH = 'Replies take the way the requests came, so reverse-path checks let them through.';

export const HOSTS: readonly ReportHost[] = [
  host('client-01', ['client'], 9, { assumptions: [RETURN_PATH] }),
  host('nmc-01', ['nmc'], 3, { roleSource: 'name', assumptions: ['The role is guessed from the name.'] }),
  host('nw-server', ['server'], 14, {}),
  host('sn-01', ['storage-node'], 11, { assumptions: [RETURN_PATH] }),
];

export function host(
  name: string,
  roles: readonly string[],
  rules: number,
  more: Partial<ReportHost>,
): ReportHost {
  return {
    name,
    roles,
    roleSource: 'configuration',
    judged: true,
    judgedNote: null,
    notRun: [],
    assumptions: [],
    rules,
    ...more,
  };
}

const REFERENCES = ['CWE-284: Improper Access Control', 'NIST SP 800-53 r5 SC-7(5)'];

export const CHECKS: readonly ReportCheck[] = [
  check('client-inbound-unscoped', 'Client accepts data connections from any host', 'critical'),
  check('admin-port-inside-open-range', 'An open port range includes an admin port', 'critical'),
  check('missing-required-path', 'A connection that the role needs is blocked', 'high'),
  check('shadowed-rule', 'Rule that no packet reaches', 'medium'),
  check('unread-input', 'Part of the input was not read', 'high'),
  check('unused-waiver', 'Waiver that matches nothing', 'low'),
  check('undocumented-rule', 'Rule without a comment', 'info'),
];

function check(id: string, title: string, severity: Severity): ReportCheck {
  return {
    id,
    title,
    severity,
    rationale: `Why ${id} is reported: it makes the attack surface larger than the role needs.`,
    remediation: `What to do about ${id}: name the hosts that need the access, and accept only those.`,
    references: REFERENCES,
    pack: null,
  };
}

const CLIENT_RULE = '-A INPUT -p tcp -m tcp --dport 7938:9936 -j ACCEPT';
const WHY_CLIENT =
  'Data connections come from the server and the storage nodes only. Whoever else reaches these ports talks to services that act for the backup server, and can read or replace files.';
const FIX_CLIENT =
  'Accept the range from the server and the storage nodes only, in place of the rule as it stands. A storage node that is missing from nwaudit.yaml would lose its connection.';

/** Findings of every shape, on the hosts above. */
export const FINDINGS: readonly Finding[] = [
  finding({
    check: 'client-inbound-unscoped',
    severity: 'critical',
    title: 'Client accepts data connections from any host',
    message: 'client-01 accepts tcp/7938-9936 from any IPv4 address; only nw-server and sn-01 need it.',
    why: WHY_CLIENT,
    origin: originAt('exports/client-01.rules', 7, CLIENT_RULE),
    exposure: {
      saddr: ['0.0.0.0/0'],
      except: ['192.0.2.10/32', '192.0.2.20/32'],
      proto: ['tcp'],
      dport: ['7938-9936'],
      addresses: '4294967294',
      ports: 1999,
    },
    witness: {
      hook: 'input',
      saddr: '203.0.113.1',
      daddr: '192.0.2.101',
      proto: 'tcp',
      sport: 40000,
      dport: 7938,
    },
    remediation: {
      text: FIX_CLIENT,
      commands: [
        {
          dialect: 'iptables',
          replace: CLIENT_RULE,
          with: [
            '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
            '-A INPUT -s 192.0.2.20/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
          ],
          command:
            'iptables -R INPUT 3 -s 192.0.2.10/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT\niptables -I INPUT 4 -s 192.0.2.20/32 -p tcp -m tcp --dport 7938:9936 -j ACCEPT',
        },
      ],
    },
    references: REFERENCES,
  }),
  finding({
    check: 'client-inbound-unscoped',
    severity: 'high',
    certainty: 'possible',
    title: 'Client accepts data connections from any host',
    message: 'client-01 may accept tcp/9000-9100 from 198.51.100.0/24; no peer lives there.',
    why: WHY_CLIENT,
    origin: originAt(
      'exports/client-01.rules',
      9,
      '-A INPUT -s 198.51.100.0/24 -p tcp -m multiport --dports 9000,9001,9002,9003,9010,9020,9030,9040:9100 -m owner --uid-owner 0 -m comment --comment "vendor case 1042" -j ACCEPT',
    ),
    unknowns: ['-m owner --uid-owner 0'],
    witness: {
      hook: 'input',
      saddr: '2001:db8::7',
      daddr: '2001:db8::101',
      proto: 'tcp',
      sport: 40000,
      dport: 9000,
      iif: 'eth0',
    },
    remediation: { text: FIX_CLIENT, commands: [] },
  }),
  finding({
    check: 'shadowed-rule',
    severity: 'low',
    title: 'Rule that no packet reaches',
    message: 'Every packet of this rule is taken by an earlier one with the same verdict.',
    why: 'A rule without effect misleads whoever reads the rule set next.',
    origin: originAt(
      'exports/client-01.rules',
      12,
      '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 8000 -j ACCEPT',
    ),
    related: [
      { label: 'shadowed by this rule', origin: originAt('exports/client-01.rules', 7, CLIENT_RULE) },
    ],
    remediation: {
      text: 'Remove the rule, or move it before the one that takes its packets.',
      commands: [
        {
          dialect: 'iptables',
          replace: '-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 8000 -j ACCEPT',
          with: [],
          command: 'iptables -D INPUT 8',
        },
      ],
    },
  }),
  finding({
    check: 'admin-port-inside-open-range',
    severity: 'critical',
    host: 'nw-server',
    roles: ['server', 'auth'],
    title: 'An open port range includes an admin port',
    message: 'nw-server accepts tcp/9090 from any IPv4 address through the rule for tcp/7937-9936.',
    why: 'Whoever reaches the console port may try passwords and change every backup job.',
    origin: {
      file: 'exports/nw-server.json',
      line: 1,
      column: 2210,
      endLine: 1,
      endColumn: 2419,
      path: '$.nftables[17].rule',
      family: 'inet',
      table: 'filter',
      chain: 'input',
      rule: 'tcp dport 7937-9936 accept',
      handle: 23,
    },
    witness: {
      hook: 'input',
      saddr: '203.0.113.1',
      daddr: '192.0.2.10',
      proto: 'tcp',
      sport: 40000,
      dport: 9090,
    },
    remediation: {
      text: 'Accept the range from the hosts that need it, and 9090 from the admin network.',
      commands: [
        {
          dialect: 'nft',
          replace: 'tcp dport 7937-9936 accept',
          with: ['ip saddr { 192.0.2.20, 192.0.2.101 } tcp dport 7938 accept'],
          command:
            "nft replace rule inet filter input handle 23 'ip saddr { 192.0.2.20, 192.0.2.101 } tcp dport 7938 accept'",
        },
      ],
      note: 'sn-02 needs this access too and has no address in nwaudit.yaml: declare it before you run the command.',
    },
    references: REFERENCES,
  }),
  finding({
    check: 'missing-required-path',
    severity: 'high',
    host: 'sn-01',
    roles: ['storage-node'],
    title: 'A connection that the role needs is blocked',
    message: 'sn-01 blocks tcp/7937 from nw-server (192.0.2.10).',
    why: 'The server cannot start its processes on the storage node, and backups to it fail.',
    remediation: {
      text: 'Accept the port from the server.',
      commands: [
        {
          dialect: 'iptables',
          replace: null,
          with: ['-A INPUT -s 192.0.2.10/32 -p tcp -m tcp --dport 7937 -j ACCEPT'],
          command: 'iptables -I INPUT 5 -s 192.0.2.10/32 -p tcp -m tcp --dport 7937 -j ACCEPT',
        },
      ],
    },
  }),
  finding({
    check: 'shadowed-rule',
    host: 'sn-01',
    roles: ['storage-node'],
    title: 'Rule that no packet reaches',
    message: 'Every packet of this rule is taken by an earlier one with another verdict.',
    origin: originAt('exports/sn 01.rules', 20, '-A INPUT -p udp -m udp --dport 53 -j ACCEPT'),
    suppression: {
      kind: 'waiver',
      reason: 'generated by the hypervisor, removed with the next template',
      owner: 'platform-team',
      expires: '2027-01-31',
    },
  }),
  finding({
    check: 'unused-waiver',
    severity: 'low',
    host: null,
    roles: [],
    hook: null,
    title: 'Waiver that matches nothing',
    message: 'The waiver for redundant-rule on client-02 matches no finding.',
    why: 'It may hide a finding that comes back.',
  }),
];

export const DIAGNOSTICS: readonly ParseDiagnostic[] = [
  {
    kind: 'syntax',
    incomplete: true,
    origin: { file: 'exports/sn 01.rules', line: 15, column: 1, endLine: 15, endColumn: 40, path: null },
    detail:
      'Unknown option --dprot in "-A INPUT -p tcp --dprot 7937 -j ACCEPT"; the rule is kept as one that may match anything.',
  },
  {
    kind: 'unresolved-reference',
    incomplete: false,
    origin: { file: 'exports/client-01.rules', line: 11, column: 1, endLine: 11, endColumn: 60, path: null },
    detail: 'The set "backup-hosts" was not exported; run ipset save beside iptables-save.',
  },
  {
    kind: 'note',
    incomplete: false,
    origin: { file: 'exports/client-01.rules', line: 2, column: 1, endLine: 2, endColumn: 5, path: null },
    detail: 'Trailing white space.',
  },
];

const UNJUDGED = host('web-7', [], 2, {
  roleSource: 'unknown',
  judged: false,
  judgedNote: 'No role is known. Give it one under hosts: in nwaudit.yaml.',
});

/** A run with a bit of everything: findings, unread input, an unjudged host, assumptions, hints. */
export function exampleReport(): Report {
  return reportOf({
    findings: FINDINGS,
    diagnostics: DIAGNOSTICS,
    inputs: [
      ...INPUTS.map((input) => (input.file === 'exports/sn 01.rules' ? { ...input, whole: false } : input)),
      { file: 'exports/web-7.txt', format: 'iptables -L listing', host: 'web-7', whole: false, rules: 0 },
    ],
    hosts: [...HOSTS, UNJUDGED],
    hints: [
      'Name the networks of your administrators, so that access to 9090 can be judged.',
      'nmc-01 is judged by its name; confirm its role:\nhosts:\n  nmc-01: { role: nmc }',
    ],
  });
}
