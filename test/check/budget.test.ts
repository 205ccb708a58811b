/** Rule sets that are too large for the budgets: which checks still run, and that what they say is the same. */
import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/finding/index.ts';
import { REPORTERS, type ReportOptions } from '../../src/report/index.ts';
import { scanTexts } from '../scan-support.ts';

const PLAIN: ReportOptions = { color: false, width: 100, minSeverity: 'info', showSuppressed: true };

/** Ranges and masks that cross each other, and a dead rule at the end. */
function rules(): string {
  const lines = [
    '*filter',
    ':INPUT DROP [0:0]',
    ':FORWARD DROP [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -p tcp -m tcp --dport 9090 -j ACCEPT',
  ];
  for (let i = 0; i < 100; i++) {
    const [a, b] = [(i * 37) % 256, (i * 101) % 256];
    lines.push(
      `-A ${i % 4 ? 'FORWARD' : 'INPUT'} -s 192.0.${a}.${b}/255.255.${b | 1}.${a | 1} -p tcp -m tcp --dport ${7937 + i * 13}:${8000 + i * 30} -j ${i % 3 ? 'ACCEPT' : 'DROP'}`,
    );
  }
  lines.push('-A INPUT -p tcp -m tcp --dport 9090 -j DROP', 'COMMIT');
  return `${lines.join('\n')}\n`;
}

const CONFIG = {
  admin_networks: ['198.51.100.0/28'],
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'client-01': { role: 'client', addresses: ['192.0.2.101'] },
    'sn-01': { role: 'storage-node', addresses: ['192.0.2.20'] },
    'nmc-01': { role: 'nmc', addresses: ['192.0.2.30'] },
  },
};

const run = (nodeBudget?: number, config: object = CONFIG): Report =>
  scanTexts({ 'client-01.rules': rules() }, config, nodeBudget === undefined ? {} : { nodeBudget });

/** Findings of one check. The advice may say less under a budget: it is tried out only where there is room to. */
const findingsOf = (report: Report, check: string) =>
  report.findings.filter((f) => f.check === check).map(({ remediation, ...rest }) => rest);

const BUDGETS = [
  1_000, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 16_000, 20_000, 24_000, 28_000, 32_000, 40_000, 60_000,
  80_000, 120_000, 200_000,
];

describe('a host that is too large for the budget', () => {
  const whole = run();
  const cut = BUDGETS.map((budget) => ({ budget, report: run(budget) }));

  test('with room enough every check runs', () => {
    expect(whole.hosts[0]?.notRun).toEqual([]);
    expect(findingsOf(whole, 'shadowed-rule')).not.toEqual([]);
  });

  test.each(cut)('what runs within $budget nodes says the same as without a limit', ({ report }) => {
    const notRun = new Set(report.hosts[0]?.notRun.map(({ check }) => check));
    for (const { id } of report.checks) {
      if (id === 'unread-input') continue;
      const all = findingsOf(whole, id);
      if (notRun.has(id)) for (const finding of findingsOf(report, id)) expect(all).toContainEqual(finding);
      else expect(findingsOf(report, id), id).toEqual(all);
    }
  });

  test.each(cut)(
    'within $budget nodes the run is incomplete exactly when a check did not run',
    ({ report }) => {
      const isCut = (report.hosts[0]?.notRun.length ?? 0) > 0;
      expect(report.summary.incomplete).toBe(isCut);
      expect(report.summary.unfinishedHosts).toBe(isCut ? 1 : 0);
      expect(findingsOf(report, 'unread-input')).toHaveLength(isCut ? 1 : 0);
      if (isCut) expect(report.exitCode).toBe(3);
    },
  );

  test('the number of checks that run grows with the budget, from some to all', () => {
    const counts = cut.map(({ report }) => report.hosts[0]?.notRun.length ?? 0);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(counts[0]).toBeLessThan(whole.checks.length - 5);
    expect(new Set(counts).size).toBeGreaterThan(2);
    const partly = cut.filter(
      ({ report }) => (report.hosts[0]?.notRun.length ?? 0) > 0 && report.findings.length > 1,
    );
    expect(partly.length).toBeGreaterThan(2);
    expect(counts[counts.length - 1]).toBe(0);
  });

  test('every output names each check that did not run, the host and the limit', () => {
    const report = cut.find(({ report }) => (report.hosts[0]?.notRun.length ?? 0) > 0)!.report;
    const notRun = report.hosts[0]!.notRun;
    const text = REPORTERS.text(report, PLAIN).replace(/\s+/g, ' ');
    expect(text).toMatch(/INCOMPLETE: checks not run to the end on 1 host/);
    expect(text).toMatch(/NOT RUN TO THE END: checks on 1 host/);
    expect(text).not.toMatch(/NOT READ WHOLE/);
    const json = JSON.parse(REPORTERS.json(report, PLAIN));
    expect(json.hosts[0].notRun).toEqual(notRun);
    expect(json.hosts[0].judged).toBe(false);
    const [sarif] = JSON.parse(REPORTERS.sarif(report, PLAIN)).runs;
    expect(sarif.invocations[0].executionSuccessful).toBe(false);
    const told = sarif.invocations[0].toolExecutionNotifications.flatMap(
      (n: { associatedRule?: { id: string; index: number } }) =>
        n.associatedRule === undefined ? [] : [n.associatedRule],
    );
    expect(told.map(({ id }: { id: string }) => id)).toEqual(notRun.map(({ check }) => check));
    for (const { id, index } of told) expect(sarif.tool.driver.rules[index].id).toBe(id);
    for (const { check, reason } of notRun) {
      expect(reason).toMatch(/more than/);
      expect(text).toContain(check);
    }
  });

  test('a check with very many findings on a host lists some, and says that there are more', () => {
    const report = scanTexts({ 'client-01.rules': rules() }, CONFIG, { mostFindings: 1 });
    // What is found about the run as a whole comes after the hosts.
    const others = new Set(['unread-input', 'missing-required-path']);
    expect(report.findings.filter((f) => !others.has(f.check) && f.host !== null)).toHaveLength(1);
    const { notRun } = report.hosts[0]!;
    expect(notRun.length).toBeGreaterThan(0);
    expect(notRun.every(({ reason }) => /more findings than are listed/.test(reason))).toBe(true);
    expect(report.exitCode).toBe(3);
  });

  test('a waiver that names the host accepts it, and the report says so', () => {
    const budget = cut.find(({ report }) => (report.hosts[0]?.notRun.length ?? 0) > 0)!.budget;
    const waiver = {
      check: 'unread-input',
      host: 'client-01',
      reason: 'too large, looked at by hand',
      owner: 'platform',
      expires: '2027-01-31',
    };
    const report = run(budget, { ...CONFIG, waivers: [waiver] });
    expect(report.summary).toMatchObject({ incomplete: true, incompleteAllowed: true, unfinishedWaived: 1 });
    expect(report.exitCode).not.toBe(3);
    expect(REPORTERS.text(report, PLAIN)).toMatch(/not every check was run to its end, accepted by waiver/);
  });
});

test('an unknown port beside an unknown address of one translation takes few nodes', () => {
  const chain = (name: string, type: string, hook: string, prio: number, policy: string) => ({
    chain: { family: 'ip', table: 't', name, handle: 1, type, hook, prio, policy },
  });
  const rule = (name: string, expr: readonly unknown[]) => ({
    rule: { family: 'ip', table: 't', chain: name, handle: 3, expr },
  });
  const dport = { payload: { protocol: 'tcp', field: 'dport' } };
  const text = JSON.stringify({
    nftables: [
      { table: { family: 'ip', name: 't', handle: 1 } },
      chain('pre', 'nat', 'prerouting', -100, 'accept'),
      chain('fwd', 'filter', 'forward', 0, 'drop'),
      // A map that the export does not hold: neither address nor port is known.
      rule('pre', [{ dnat: { family: 'ip', addr: { map: { key: dport, data: '@missing' } } } }]),
      rule('fwd', [
        { match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right: '192.0.2.10' } },
        { accept: null },
      ]),
    ],
  });
  const report = scanTexts({ 'client-01.json': text }, CONFIG, { nodeBudget: 200_000 });
  expect(report.hosts.find((host) => host.name === 'client-01')?.notRun).toEqual([]);
  expect(report.findings.map((f) => f.check)).toContain('dynamic-range-any-source');
});
