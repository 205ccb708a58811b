import { describe, expect, it } from 'vitest';
import { printMatches } from '../print-condition.ts';
import { V4_MATCHES, V6_MATCHES } from './match-examples.ts';
import { readOne } from './read-rule.ts';

describe('matches of iptables', () => {
  it.each(V4_MATCHES)('"%s" means "%s"', (options, meaning) => {
    const { rule, diagnostics } = readOne(`${options} -j ACCEPT`);
    expect(printMatches(rule)).toBe(meaning);
    expect(rule.verdict.kind).toBe('accept');
    expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });
});

describe('matches of ip6tables', () => {
  it.each(V6_MATCHES)('"%s" means "%s"', (options, meaning) => {
    const { rule, diagnostics } = readOne(`${options} -j DROP`, { family: 'ip6' });
    expect(printMatches(rule)).toBe(meaning);
    expect(diagnostics.filter((d) => d.incomplete)).toEqual([]);
  });
});

describe('values that cannot be read', () => {
  it.each([
    '-s 192.0.2.256',
    '-s 192.0.2.0/33',
    '-s 192.0.2.1,',
    '! -s 192.0.2.1,192.0.2.2',
    '-s 2001:db8::1',
    '-p 256',
    '-p tcp --dport 65536',
    '-p tcp --dport 22-80',
    '-p tcp --dport 22 --dport 23',
    '-p tcp --tcp-flags SYN,NOFLAG SYN',
    '-p icmp --icmp-type echo',
    '-p icmp --icmp-type 8/0-3',
    '-m conntrack --ctstate NOSTATE',
    '-m conntrack --ctdir SIDEWAYS',
    '-m mark --mark 0x1ffffffff',
    '-m mac --mac-source 00:11',
    '-m addrtype --dst-type NEARBY',
    '-m pkttype --pkt-type loud',
    '-m iprange --src-range 192.0.2.1-x',
    '-m dscp --dscp 64',
    '-m tos --tos loud',
    '-m ttl --ttl-eq 256',
    '-m length --length x',
    '-m set --match-set a sideways',
    '-i abcdefghijklmnop',
    '-p tcp -p udp',
    '-p',
    '-m limit --limit',
    '! -m tcp',
    'stray',
    '-m comment --comment "open',
  ])('"%s" makes the rule unknown in its place and the reading incomplete', (options) => {
    const { rule, diagnostics } = readOne(options);
    expect(rule.verdict.kind).toBe('unknown');
    expect(rule.matches.map((m) => m.condition.kind)).toEqual(['unknown']);
    expect(rule.number).toBe(1);
    expect(diagnostics.filter((d) => d.incomplete).map((d) => d.origin.line)).toEqual([4]);
  });
});
