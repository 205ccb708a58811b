import { describe, expect, it } from 'vitest';
import { dynamicSetsOf, parseIptablesSave } from '../../../src/parse/iptables-save/index.ts';
import { printOutcome } from '../print-condition.ts';
import { readOne } from './read-rule.ts';

const FILTER: readonly (readonly [target: string, outcome: string])[] = [
  ['', 'continue'],
  ['-j ACCEPT', 'accept'],
  ['--jump DROP', 'drop'],
  ['--jump=DROP', 'drop'],
  ['-jDROP', 'drop'],
  ['-j RETURN', 'return'],
  ['-j REJECT', 'reject icmp-port-unreachable'],
  ['-p tcp -j REJECT --reject-with tcp-reset', 'reject tcp-reset'],
  ['-j QUEUE', 'queue'],
  ['-j NFQUEUE --queue-num 1', 'queue'],
  ['-j NFQUEUE --queue-balance 0:3 --queue-bypass --queue-cpu-fanout', 'queue bypass'],
  ['-j user', 'jump user'],
  ['-g user', 'goto user'],
  ['--goto user', 'goto user'],
  ['-j LOG --log-prefix "a -j DROP " --log-level 4', 'no-effect; continue'],
  ['-j NFLOG --nflog-group 1', 'no-effect; continue'],
  ['-j ULOG --ulog-prefix x', 'no-effect; continue'],
  ['-j AUDIT --type drop', 'no-effect; continue'],
  ['-j TRACE', 'no-effect; continue'],
  ['-j TEE --gateway 192.0.2.9', 'no-effect; continue'],
  ['-j SET --add-set seen src --exist', 'no-effect; continue'],
  ['-j CT --helper ftp', 'no-effect; continue'],
  ['-j CT --notrack', 'notrack; continue'],
  ['-j NOTRACK', 'notrack; continue'],
  ['-j SYNPROXY --sack-perm --timestamp', 'unknown'],
  ['-j TARPIT', 'unknown'],
  ['-j NOSUCH --a 1', 'unknown'],
];

const MANGLE: readonly (readonly [target: string, outcome: string])[] = [
  ['-j MARK --set-mark 1', 'mark = &0x0 ^0x1; continue'],
  ['-j MARK --set-mark 4/0x3', 'mark = &0xfffffff8 ^0x4; continue'],
  ['-j MARK --set-xmark 4/0x3', 'mark = &0xfffffffc ^0x4; continue'],
  ['-j MARK --and-mark 5', 'mark = &0x5 ^0x0; continue'],
  ['-j MARK --or-mark 5', 'mark = &0xfffffffa ^0x5; continue'],
  ['-j MARK --xor-mark 5', 'mark = &0xffffffff ^0x5; continue'],
  ['-j CONNMARK --set-mark 4/0x3', 'ct-mark = &0xfffffff8 ^0x4; continue'],
  ['-j CONNMARK --save-mark', 'ct-mark = &0x0 ^(mark&0xffffffff); continue'],
  ['-j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xff', 'ct-mark = &0xffffff00 ^(mark&0xf0); continue'],
  ['-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xff', 'mark = &0xffffff0f ^(ct-mark&0xff); continue'],
  ['-j CONNMARK --restore-mark --mask 0xf', 'mark = &0xfffffff0 ^(ct-mark&0xf); continue'],
  ['-j TOS --set-tos 0x10', 'dscp = &0x0 ^0x4; ecn = &0x0 ^0x0; continue'],
  ['-j TOS --set-tos 0x10/0x18', 'dscp = &0x39 ^0x4; continue'],
  ['-j TOS --and-tos 4', 'dscp = &0x1 ^0x0; ecn = &0x0 ^0x0; continue'],
  ['-j DSCP --set-dscp 46', 'dscp = &0x0 ^0x2e; continue'],
  ['-j DSCP --set-dscp-class AF11', 'dscp = &0x0 ^0xa; continue'],
  ['-p tcp -j ECN --ecn-tcp-remove', 'tcp-flags = &0x3f ^0x0; continue'],
  ['-j TTL --ttl-set 64', 'ttl = &0x0 ^0x40; continue'],
  ['-j TTL --ttl-dec 1', 'ttl = unknown; continue'],
  ['-j HL --hl-inc 1', 'ttl = unknown; continue'],
  ['-j HMARK --hmark-tuple src --hmark-mod 10', 'mark = unknown; continue'],
  ['-j SET --map-set m src --map-mark', 'mark = unknown; continue'],
  ['-j TCPMSS --clamp-mss-to-pmtu', 'no-effect; continue'],
  ['-j CHECKSUM --checksum-fill', 'no-effect; continue'],
  ['-j CLASSIFY --set-class 1:2', 'no-effect; continue'],
  ['-j TPROXY --on-port 3128', 'unknown'],
];

const NAT: readonly (readonly [target: string, outcome: string])[] = [
  ['-j DNAT --to-destination 192.0.2.9', 'dnat 192.0.2.9'],
  ['-j DNAT --to 192.0.2.9:7937', 'dnat 192.0.2.9 ports 7937'],
  ['-j DNAT --to-destination 192.0.2.9-192.0.2.12:80-90', 'dnat 192.0.2.9-192.0.2.12 ports 80-90'],
  ['-j DNAT --to-destination :80', 'dnat ports 80'],
  ['-j DNAT --to-destination 192.0.2.9:5000-5010/6000', 'unknown'],
  ['-j DNAT --to-destination 192.0.2.9:80-90 --random', 'unknown'],
  ['-j DNAT --to-destination 192.0.2.9 --to-destination 192.0.2.12', 'dnat 192.0.2.9-192.0.2.12 unknown'],
  ['-j DNAT --to-destination backup.example.com:80', 'unknown'],
  ['-j REDIRECT --to-ports 9090', 'redirect ports 9090'],
  ['-j REDIRECT --to-port ssh', 'redirect ports 22'],
  ['-j REDIRECT', 'redirect'],
  ['-j SNAT --to-source 192.0.2.9:1024-65535 --persistent', 'snat 192.0.2.9 ports 1024-65535'],
  ['-j MASQUERADE --to-ports 1024-65535 --random-fully', 'masquerade ports 1024-65535'],
  ['-j NETMAP --to 192.0.2.0/24', 'dnat 192.0.2.0-192.0.2.255 unknown'],
];

describe('targets', () => {
  it.each(FILTER)('"%s" gives "%s"', (target, outcome) => {
    const { rule, diagnostics } = readOne(target);
    expect(printOutcome(rule)).toBe(outcome);
    expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });

  it.each(MANGLE)('"%s" in mangle gives "%s"', (target, outcome) => {
    expect(printOutcome(readOne(target, { table: 'mangle', chain: 'PREROUTING' }).rule)).toBe(outcome);
  });

  it.each(NAT)('"%s" in nat gives "%s"', (target, outcome) => {
    expect(printOutcome(readOne(`-p tcp ${target}`, { table: 'nat', chain: 'PREROUTING' }).rule)).toBe(outcome);
  });

  it.each([
    ['-j DNAT --to-destination [2001:db8::1]:80', 'dnat 2001:db8::1 ports 80'],
    ['-j DNAT --to-destination [2001:db8::1-2001:db8::5]:80', 'dnat 2001:db8::1-2001:db8::5 ports 80'],
    ['-j DNAT --to-destination 2001:db8::1', 'dnat 2001:db8::1'],
    ['-j DNAT --to-destination 2001:db8::1-2001:db8::5', 'dnat 2001:db8::1-2001:db8::5'],
    ['-j DNAT --to-destination :80', 'dnat ports 80'],
    ['-j DNAT --to-destination [2001:db8::1]', 'dnat 2001:db8::1'],
  ])('"%s" in the nat table of ip6tables gives "%s"', (target, outcome) => {
    const options = { table: 'nat', chain: 'PREROUTING', family: 'ip6' } as const;
    expect(printOutcome(readOne(`-p tcp ${target}`, options).rule)).toBe(outcome);
  });

  it.each([
    '-j DNAT --to-destination 192.0.2.300',
    '-j DNAT',
    '-j REDIRECT --to-ports 90-80',
    '-j MARK',
    '-j MARK --set-mark x',
    '-j TOS --set-tos 256',
    '-j DSCP --set-dscp 64',
    '-j ACCEPT -j DROP',
    '-j',
  ])('"%s" makes the rule unknown and the reading incomplete', (target) => {
    const { rule, diagnostics } = readOne(target, { table: 'mangle', chain: 'PREROUTING' });
    expect(rule.verdict.kind).toBe('unknown');
    expect(diagnostics.some((d) => d.incomplete && d.origin.line === 4)).toBe(true);
  });

  it.each(['-j missing', '-g missing', '-j INPUT', '-j accept'])('"%s" leads nowhere: verdict unknown, incomplete', (target) => {
    const { rule, diagnostics } = readOne(target);
    expect(rule.verdict.kind).toBe('unknown');
    expect(diagnostics.filter((d) => d.incomplete).map((d) => [d.kind, d.origin.line])).toEqual([['unresolved-reference', 4]]);
  });

  it('names the sets that rules fill or empty', () => {
    const text = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j SET --add-set seen src --timeout 60\n-A INPUT --jump=SET --del-set "a b" src,dst\n-A INPUT -m set --match-set fixed src\nCOMMIT\n';
    expect([...dynamicSetsOf(parseIptablesSave(text, 'x').ruleset)].sort()).toEqual(['a b', 'seen']);
  });

  it('takes NETMAP in a chain reached from POSTROUTING only as a change of the source', () => {
    const text = '*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:map - [0:0]\n-A POSTROUTING -j map\n-A map -j NETMAP --to 192.0.2.0/24\nCOMMIT\n';
    const chain = parseIptablesSave(text, 'x').ruleset.tables[0]!.chains.find((c) => c.name === 'map')!;
    expect(printOutcome(chain.rules[0]!)).toBe('snat 192.0.2.0-192.0.2.255 unknown');
  });
});
