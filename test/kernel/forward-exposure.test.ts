/** What findings about a gateway's forward side say, asked of the kernel with forwarded packets. */
import { describe, expect, it } from 'vitest';
import { scanTexts } from '../scan-support.ts';
import { skipsKernelTests } from './environment.ts';
import { type KernelAnswer, type KernelOutcome, type KernelRules, runKernelCase } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const CONFIG = {
  hosts: {
    'nw-server': { role: 'server', addresses: ['192.0.2.10'] },
    'client-01': { role: 'client', addresses: ['203.0.113.101'] },
    'client-02': { role: 'client', addresses: ['203.0.113.102'] },
    'gw-01': { role: 'gateway', addresses: ['192.0.2.1'] },
  },
};
const TARGETS = ['192.0.2.10', '203.0.113.101', '203.0.113.102', '203.0.113.200'];

const packetsTo = (ports: readonly number[]): TracePacket[] =>
  TARGETS.flatMap((daddr) =>
    ports.map((dport) => ({
      hook: 'forward',
      proto: 'tcp',
      saddr: '198.51.100.7',
      daddr,
      sport: 40_000,
      dport,
    })),
  );

async function fates(load: KernelRules, packets: readonly TracePacket[]) {
  const answer: KernelAnswer = await runKernelCase({ load, packets });
  if (answer.kind !== 'ran') throw new Error(answer.detail);
  return answer;
}

const forwardFindings = (files: Readonly<Record<string, string>>) =>
  scanTexts(files, CONFIG).findings.filter((f) => f.hook === 'forward' && f.check !== 'undocumented-rule');

const wayOf = ({ verdict, daddr, dport }: KernelOutcome): string =>
  verdict === 'accept' ? `${daddr}:${dport}` : verdict;

const gateway = (policy: string, rules: readonly string[]): string =>
  `*filter\n:FORWARD ${policy}\n${rules.map((rule) => `-A FORWARD ${rule}\n`).join('')}COMMIT\n`;

describe.skipIf(skipsKernelTests())('the forward side of gateways', () => {
  it('forwards what a joined finding about the service range and one about another port name', async () => {
    const rules = ['-p tcp --dport 7939:9000 -j ACCEPT', '-d 203.0.113.0/25 -p tcp --dport 2375 -j ACCEPT'];
    const packets = packetsTo([7938, 7939, 9000, 9001, 2375]);
    const { outcomes, exports } = await fates({ iptables: gateway('DROP', rules) }, packets);
    const found = forwardFindings({ 'gw-01.rules': exports['iptables-save'] });
    const named = (check: string) =>
      found.filter((f) => f.check === check).map((f) => f.message.split(' accepts ')[0]);
    expect(named('dynamic-range-any-source')).toEqual([
      'gw-01, on the way to client-01, client-02 and nw-server,',
    ]);
    expect(named('undeclared-port')).toEqual(['gw-01, on the way to client-01 and client-02,']);
    const through = packets.flatMap(({ daddr, dport }, i) =>
      outcomes[i]!.verdict === 'accept' ? [`${daddr}:${dport}`] : [],
    );
    expect(through).toEqual(
      TARGETS.flatMap((daddr) => [
        `${daddr}:7939`,
        `${daddr}:9000`,
        ...(/^203\.0\.113\.10/.test(daddr) ? [`${daddr}:2375`] : []),
      ]),
    );
  });

  it('changes no fate where a rule that default-accept covers is deleted', async () => {
    const covered = '-p tcp --dport 2375 -j ACCEPT';
    const told = '-d 192.0.2.10/32 -p tcp --dport 22 -j ACCEPT';
    const stop = '-d 192.0.2.10/32 -p tcp --dport 20:22 -j DROP';
    const packets = packetsTo([22, 2375, 7938]);
    const all = await fates({ iptables: gateway('ACCEPT', [covered, told, stop]) }, packets);
    const found = forwardFindings({ 'gw-01.rules': all.exports['iptables-save'] });
    // The rule before the drop opens something of its own; the covered one has no finding.
    const rulesTold = found.map(
      (f) => `${f.check} ${/dport (\d+)/.exec(f.origin?.rule ?? '')?.[1] ?? 'policy'}`,
    );
    expect(rulesTold.sort()).toEqual(['default-accept policy', 'undeclared-port 22']);
    const without = await fates({ iptables: gateway('ACCEPT', [told, stop]) }, packets);
    expect(without.outcomes).toEqual(all.outcomes);
    const closed = await fates({ iptables: gateway('ACCEPT', [covered, stop]) }, packets);
    expect(closed.outcomes.map((o) => o.verdict)).not.toEqual(all.outcomes.map((o) => o.verdict));
  });

  it('sends what a map translates to the host that the finding names', async () => {
    const nft = `table ip t {
      chain pre { type nat hook prerouting priority -100; dnat to tcp dport map { 2222 : 192.0.2.10, 2223 : 203.0.113.101 }; }
      chain forward { type filter hook forward priority 0; policy drop; ip daddr { 192.0.2.10, 203.0.113.101 } tcp dport { 2222, 2223 } accept; }
    }`;
    const packets = [2222, 2223, 2224].map(
      (dport): TracePacket => ({
        hook: 'forward',
        proto: 'tcp',
        saddr: '198.51.100.7',
        daddr: '192.0.2.99',
        sport: 40_000,
        dport,
      }),
    );
    const { outcomes, exports } = await fates({ nft }, packets);
    expect(outcomes.map(wayOf)).toEqual(['192.0.2.10:2222', '203.0.113.101:2223', 'drop']);
    const found = forwardFindings({ 'gw-01.json': exports['nft-json'] }).filter(
      ({ origin }) => origin?.chain === 'pre',
    );
    const ways = found.map((f) => `${f.witness?.dport} ${f.message.split(',')[1]}`);
    expect(ways.sort()).toEqual(['2222  on the way to nw-server', '2223  on the way to client-01']);
  });
});
