import { describe, expect, test } from 'vitest';
import { scanTexts } from '../scan-support.ts';

const closed = '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n';
const rule = (handle: number, expr: object[]) => ({
  rule: { family: 'ip', table: 't', chain: 'input', handle, expr },
});
/** Accepts everything: on one host with the DROP of the other format, nothing would come of it. */
const open = JSON.stringify({
  nftables: [
    { table: { family: 'ip', name: 't', handle: 1 } },
    {
      chain: {
        family: 'ip',
        table: 't',
        name: 'input',
        handle: 1,
        type: 'filter',
        hook: 'input',
        prio: 0,
        policy: 'accept',
      },
    },
    rule(2, [{ accept: null }]),
  ],
});
const files = { 'x/site-a/h1/closed.rules': closed, 'x/site-a/h2/open.json': open };
const roots = { roots: ['x'] };

describe('exports in several folders below one', () => {
  test('that nobody declared are not taken for one host without a word that counts', () => {
    const { hosts, findings, exitCode, summary, hints } = scanTexts(files, {}, roots);
    expect(hosts.map(({ name }) => name)).toEqual(['site-a']);
    expect(summary.incomplete).toBe(true);
    expect(exitCode).toBe(3);
    const said = findings.filter(({ check }) => check === 'unread-input').map(({ message }) => message);
    expect(hints.filter((hint) => hint.includes('site-a'))).toEqual([]);
    expect(said).toEqual([expect.stringMatching(/x\/site-a\/h2\/open\.json.*scan the folder site-a itself/)]);
  });

  test('are one host where it is declared, or where --host says so', () => {
    const declared = { hosts: { 'site-a': { role: 'client', addresses: ['192.0.2.101'] } } };
    expect(scanTexts(files, declared, roots).summary.incomplete).toBe(false);
    expect(scanTexts(files, {}, { ...roots, host: 'site-a' }).summary.incomplete).toBe(false);
  });

  test('are the hosts they are called after where those are declared', () => {
    const hosts = {
      h1: { role: 'client', addresses: ['192.0.2.101'] },
      h2: { role: 'client', addresses: ['192.0.2.102'] },
    };
    const report = scanTexts(files, { hosts }, roots);
    expect(report.hosts.map(({ name }) => name)).toEqual(['h1', 'h2']);
    expect(report.summary.incomplete).toBe(false);
    expect(report.findings.some((f) => f.host === 'h2' && f.check === 'default-accept')).toBe(true);
  });
});
