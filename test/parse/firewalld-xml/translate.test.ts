import { describe, expect, it } from 'vitest';
import { conf, type Files, KNOWN, parse, policy, verdicts, zone } from './translate-support.ts';

// Each line: a packet, and what becomes of it. The facts are those of firewalld 1.3.3 seen in the kernel; test/kernel asks it again.

interface Case {
  readonly name: string;
  readonly files: Files;
  readonly expected: Readonly<Record<string, 'accept' | 'drop' | 'reject' | 'unknown'>>;
}

const PUBLIC = 'zones/public.xml';

function rule(content: string, attributes = 'family="ipv4"'): string {
  return `<rule ${attributes}>${content}</rule>`;
}

const TARGETS: readonly Case[] = [
  {
    name: 'an empty zone rejects all but ICMP',
    files: { [PUBLIC]: zone('') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 22': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'accept',
      'input eth0 2001:db8::9 2001:db8::1 icmpv6 128': 'accept',
      'input lo 192.0.2.10 192.0.2.10 tcp 22': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 22 ct=established': 'accept',
      'forward eth0>eth1 203.0.113.9 198.51.100.1 icmp 8': 'reject',
      'output >eth0 192.0.2.10 203.0.113.9 tcp 22': 'accept',
    },
  },
  {
    name: 'target ACCEPT passes everything but invalid packets',
    files: { [PUBLIC]: zone('', 'ACCEPT') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 9090': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 9090 ct=invalid': 'drop',
      'forward eth0>eth1 203.0.113.9 198.51.100.1 tcp 80': 'accept',
    },
  },
  {
    name: 'target DROP stops ICMP too',
    files: { [PUBLIC]: zone('', 'DROP') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'drop',
      'input eth0 2001:db8::9 2001:db8::1 icmpv6 128': 'drop',
      'input eth0 2001:db8::9 2001:db8::1 icmpv6 135': 'accept',
    },
  },
  {
    name: 'target %%REJECT%% stops ICMP too',
    files: { [PUBLIC]: zone('', '%%REJECT%%') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 tcp 1': 'reject',
    },
  },
  {
    name: 'packets to mapped IPv4 addresses are rejected on the way out',
    files: { [PUBLIC]: zone('', 'ACCEPT') },
    expected: {
      'output >eth0 2001:db8::1 2002:c0a8:101::1 tcp 80': 'reject',
      'forward eth0>eth1 2001:db8::9 ::ffff:192.0.2.1 tcp 80': 'reject',
      'output >eth0 2001:db8::1 2002:c000:201::1 tcp 80': 'accept',
    },
  },
  {
    name: 'RFC3964_IPv4=no lets packets to mapped IPv4 addresses out',
    files: { 'firewalld.conf': conf('RFC3964_IPv4=no'), [PUBLIC]: zone('') },
    expected: { 'output >eth0 2001:db8::1 2002:c0a8:101::1 tcp 80': 'accept' },
  },
];

const BACKEND: readonly Case[] = [
  {
    name: 'nftables takes ICMP of either number in both IP versions',
    files: { [PUBLIC]: zone('') },
    expected: { 'input eth0 2001:db8::9 2001:db8::1 icmp 8': 'accept' },
  },
  {
    name: 'iptables takes the ICMP of the IP version only',
    files: { 'firewalld.conf': conf('FirewallBackend=iptables'), [PUBLIC]: zone('') },
    expected: {
      'input eth0 2001:db8::9 2001:db8::1 icmp 8': 'reject',
      'input eth0 2001:db8::9 2001:db8::1 icmpv6 128': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'accept',
    },
  },
];

const DISPATCH: readonly Case[] = [
  {
    name: 'sources go by the name of the zone, not by the length of the prefix',
    files: {
      'zones/aaa.xml': zone('<source address="192.0.2.0/24"/><port port="1" protocol="tcp"/>'),
      'zones/bbb.xml': zone('<source address="192.0.2.7"/><port port="2" protocol="tcp"/>'),
      'zones/Zzz.xml': zone('<source address="192.0.2.128/25"/><port port="3" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 2': 'reject',
      'input eth0 192.0.2.200 198.51.100.1 tcp 3': 'accept',
      'input eth0 192.0.2.200 198.51.100.1 tcp 1': 'reject',
    },
  },
  {
    name: 'sources come before interfaces',
    files: {
      'zones/aaa.xml': zone('<interface name="eth0"/><port port="1" protocol="tcp"/>'),
      'zones/bbb.xml': zone('<source address="192.0.2.0/24"/><port port="2" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'reject',
      'input eth0 192.0.2.7 198.51.100.1 tcp 2': 'accept',
      'input eth0 203.0.113.7 198.51.100.1 tcp 1': 'accept',
    },
  },
  {
    name: 'of interfaces the zone with the last name comes first',
    files: {
      'zones/aaa.xml': zone('<interface name="eth0"/><port port="1" protocol="tcp"/>'),
      'zones/zzz.xml': zone('<interface name="eth+"/><port port="2" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'reject',
      'input eth0 192.0.2.7 198.51.100.1 tcp 2': 'accept',
      'input ens1 192.0.2.7 198.51.100.1 tcp 2': 'reject',
    },
  },
  {
    name: 'DefaultZone takes what nothing is bound to',
    files: {
      'firewalld.conf': conf('DefaultZone=work'),
      'zones/work.xml': zone('<port port="7938" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 7938': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 22': 'reject',
    },
  },
  {
    name: 'a MAC address is a source',
    files: {
      'zones/aaa.xml': zone('<source address="02:00:00:00:00:07"/><port port="1" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 1 smac=02:00:00:00:00:07': 'accept',
      'input eth0 2001:db8::7 2001:db8::1 tcp 1 smac=02:00:00:00:00:07': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 1 smac=02:00:00:00:00:08': 'reject',
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'unknown',
    },
  },
  {
    name: 'priorities of firewalld 2.x come before kinds and names of zones',
    files: {
      'zones/aaa.xml': zone('<source address="192.0.2.0/24"/><port port="1" protocol="tcp"/>'),
      'zones/bbb.xml':
        '<zone ingress-priority="-5"><interface name="eth0"/><port port="2" protocol="tcp"/></zone>',
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 2': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'reject',
      'input eth1 192.0.2.7 198.51.100.1 tcp 1': 'accept',
    },
  },
];

const CONTENTS: readonly Case[] = [
  {
    name: 'ports, protocols and source ports admit alone',
    files: {
      [PUBLIC]: zone(
        '<port port="7937-7940" protocol="tcp"/><protocol value="gre"/><source-port port="53" protocol="udp"/>',
      ),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 7938': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 udp 7938': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 tcp 7941': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 gre': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 udp 9999 sport=53': 'accept',
      'forward eth0>eth1 203.0.113.9 192.0.2.10 tcp 7938': 'reject',
    },
  },
  {
    name: 'bounds of a range stand in either order',
    files: { [PUBLIC]: zone('<port port="1005-1001" protocol="tcp"/>') },
    expected: { 'input eth0 203.0.113.9 192.0.2.10 tcp 1003': 'accept' },
  },
  {
    name: 'a service includes others, in circles too',
    files: {
      'services/one.xml': '<service><port port="1" protocol="tcp"/><include service="two"/></service>',
      'services/two.xml':
        '<service><port port="esp" protocol=""/><port port="2" protocol="tcp"/><include service="one"/></service>'.replace(
          '<port port="esp" protocol=""/>',
          '<port port="" protocol="esp"/>',
        ),
      [PUBLIC]: zone('<service name="one"/>'),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 1': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 2': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 esp': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 3': 'reject',
    },
  },
  {
    name: 'a service with an IPv4 destination leaves IPv6 out',
    files: {
      'services/one.xml':
        '<service><port port="1" protocol="tcp"/><destination ipv4="192.0.2.10"/></service>',
      [PUBLIC]: zone('<service name="one"/>'),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 1': 'accept',
      'input eth0 203.0.113.9 192.0.2.11 tcp 1': 'reject',
      'input eth0 2001:db8::9 2001:db8::1 tcp 1': 'reject',
    },
  },
  {
    name: 'a file of a service replaces the stock one whole',
    files: {
      'services/ssh.xml': '<service><port port="2222" protocol="tcp"/></service>',
      [PUBLIC]: zone('<service name="ssh"/>'),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 22': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 tcp 2222': 'accept',
    },
  },
  {
    name: 'icmp-block stops one type in the versions that have it',
    files: { [PUBLIC]: zone('<icmp-block name="echo-request"/>') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'reject',
      'input eth0 2001:db8::9 2001:db8::1 icmpv6 128': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 icmp 13': 'accept',
    },
  },
  {
    name: 'under inversion only listed types pass, even under target ACCEPT',
    files: { [PUBLIC]: zone('<icmp-block-inversion/><icmp-block name="echo-request"/>', 'ACCEPT') },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 icmp 8': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 icmp 13': 'reject',
      'input eth0 203.0.113.9 192.0.2.10 tcp 1': 'accept',
    },
  },
  {
    name: 'a forward port admits the port it comes by, and leaves the target port closed',
    files: {
      [PUBLIC]: zone(
        '<forward-port port="443" protocol="tcp" to-port="9090"/><forward-port port="443" protocol="tcp" to-port="22"/>',
        'DROP',
      ),
    },
    expected: {
      'input eth0 203.0.113.9 192.0.2.10 tcp 443': 'accept',
      'input eth0 203.0.113.9 192.0.2.10 tcp 9090': 'drop',
      'input eth0 2001:db8::9 2001:db8::1 tcp 443': 'drop',
    },
  },
  {
    name: 'a forward port to another host passes the forward side',
    files: {
      [PUBLIC]: zone('<forward-port port="80" protocol="tcp" to-port="8080" to-addr="198.51.100.5"/>'),
    },
    expected: {
      'forward eth0>eth1 203.0.113.9 192.0.2.10 tcp 80': 'accept',
      'forward eth0>eth1 203.0.113.9 198.51.100.5 tcp 8080': 'reject',
    },
  },
  {
    name: 'forwarding within a zone goes to what is bound to it',
    files: { 'zones/lan.xml': zone('<forward/><interface name="eth0"/><source address="192.0.2.0/24"/>') },
    expected: {
      'forward eth0>eth0 203.0.113.9 198.51.100.5 tcp 80': 'accept',
      'forward eth0>eth1 203.0.113.9 192.0.2.5 tcp 80': 'accept',
      'forward eth0>eth1 203.0.113.9 198.51.100.5 tcp 80': 'reject',
    },
  },
  {
    name: 'masquerading admits nothing',
    files: { [PUBLIC]: zone('<masquerade/>') },
    expected: { 'forward eth0>eth1 203.0.113.9 198.51.100.5 tcp 80': 'reject' },
  },
];

const RICH: readonly Case[] = [
  {
    name: 'deny comes before allow at priority 0',
    files: {
      [PUBLIC]: zone(
        `<port port="22" protocol="tcp"/>${rule('<source address="192.0.2.0/24"/><accept/>')}${rule('<port port="22" protocol="tcp"/><drop/>')}`,
      ),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'drop',
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'accept',
      'input eth0 2001:db8::9 2001:db8::1 tcp 22': 'accept',
    },
  },
  {
    name: 'negative priorities come first, in ascending order, positive ones last',
    files: {
      [PUBLIC]: zone(
        [
          rule('<port port="22" protocol="tcp"/><reject/>', 'priority="-1"'),
          rule(
            '<port port="22" protocol="tcp"/><source address="192.0.2.0/24"/><accept/>',
            'family="ipv4" priority="-2"',
          ),
          rule('<drop/>', 'priority="32767"'),
          rule('<port port="23" protocol="tcp"/><accept/>', 'priority="5"'),
        ].join(''),
      ),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'accept',
      'input eth0 203.0.113.7 198.51.100.1 tcp 22': 'reject',
      'input eth0 203.0.113.7 198.51.100.1 tcp 23': 'accept',
      'input eth0 203.0.113.7 198.51.100.1 tcp 24': 'drop',
      'input eth0 203.0.113.7 198.51.100.1 icmp 8': 'drop',
    },
  },
  {
    name: 'an inverted source stays within its IP version',
    files: {
      [PUBLIC]: zone(
        rule('<source address="192.0.2.0/24" invert="True"/><port port="22" protocol="tcp"/><accept/>'),
      ),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'reject',
      'input eth0 203.0.113.7 198.51.100.1 tcp 22': 'accept',
      'input eth0 2001:db8::9 2001:db8::1 tcp 22': 'reject',
    },
  },
  {
    name: 'a limit makes a rule act on some packets only',
    files: {
      [PUBLIC]: zone(rule('<port port="22" protocol="tcp"/><accept><limit value="2/m"/></accept>', '')),
    },
    expected: { 'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'unknown' },
  },
  {
    name: 'logging admits nothing',
    files: {
      'firewalld.conf': conf('LogDenied=all'),
      [PUBLIC]: zone(rule('<port port="22" protocol="tcp"/><log prefix="x"/>', '')),
    },
    expected: { 'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'reject' },
  },
  {
    name: 'a forward port of negative priority comes before those of the zone',
    files: {
      [PUBLIC]: zone(
        `<forward-port port="443" protocol="tcp" to-port="22" to-addr="198.51.100.5"/>${rule('<source address="192.0.2.7"/><forward-port port="443" protocol="tcp" to-port="9090"/>', 'family="ipv4" priority="-1"')}`,
      ),
    },
    expected: { 'input eth0 192.0.2.7 192.0.2.10 tcp 443': 'accept' },
  },
  {
    name: 'a service in a rich rule opens its ports to the source only',
    files: {
      [PUBLIC]: zone(rule('<source address="192.0.2.0/24"/><service name="cockpit"/><accept/>')),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 9090': 'accept',
      'input eth0 203.0.113.7 198.51.100.1 tcp 9090': 'reject',
    },
  },
  {
    name: 'reject by TCP reset is for TCP only',
    files: {
      [PUBLIC]: zone(rule('<reject type="tcp-reset"/>', 'family="ipv4" priority="-1"')),
    },
    expected: {
      'input eth0 203.0.113.7 198.51.100.1 tcp 9090': 'reject',
      'input eth0 203.0.113.7 198.51.100.1 icmp 8': 'accept',
    },
  },
];

const SETS: readonly Case[] = [
  {
    name: 'a zone is bound to a set of networks',
    files: {
      'ipsets/peers.xml':
        '<ipset type="hash:net"><entry>192.0.2.0/25</entry><entry>203.0.113.7</entry></ipset>',
      'zones/backup.xml': zone('<source ipset="peers"/><port port="7938" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 7938': 'accept',
      'input eth0 192.0.2.200 198.51.100.1 tcp 7938': 'reject',
      'input eth0 203.0.113.7 198.51.100.1 tcp 7938': 'accept',
    },
  },
  {
    name: 'a set with ports compares the source port',
    files: {
      'ipsets/peers.xml':
        '<ipset type="hash:ip,port"><option name="family" value="inet6"/><entry>2001:db8::7,tcp:1000-1010</entry></ipset>',
      [PUBLIC]: zone(rule('<source ipset="peers"/><accept/>', '')),
    },
    expected: {
      'input eth0 2001:db8::7 2001:db8::1 tcp 80 sport=1005': 'accept',
      'input eth0 2001:db8::7 2001:db8::1 tcp 1005': 'reject',
      'input eth0 2001:db8::7 2001:db8::1 udp 80 sport=1005': 'reject',
    },
  },
  {
    name: 'what a set with timeout holds is not known',
    files: {
      'ipsets/peers.xml':
        '<ipset type="hash:ip"><option name="timeout" value="60"/><entry>192.0.2.7</entry></ipset>',
      [PUBLIC]: zone(rule('<source ipset="peers"/><accept/>', '')),
    },
    expected: {
      'input eth0 192.0.2.9 198.51.100.1 tcp 80': 'unknown',
      'input eth0 2001:db8::7 2001:db8::1 tcp 80': 'reject',
    },
  },
];

const POLICIES: readonly Case[] = [
  {
    name: 'a policy to HOST acts before the zone',
    files: {
      'policies/p.xml': policy(
        'ANY',
        'HOST',
        'CONTINUE',
        rule('<port port="22" protocol="tcp"/><drop/>', ''),
      ),
      [PUBLIC]: zone('<service name="ssh"/>'),
    },
    expected: { 'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'drop' },
  },
  {
    name: 'a policy of positive priority acts after what the zone admits',
    files: {
      'policies/p.xml': policy('ANY', 'HOST', 'DROP', '', 10),
      [PUBLIC]: zone('<service name="ssh"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'drop',
      'input eth0 192.0.2.7 198.51.100.1 icmp 8': 'drop',
    },
  },
  {
    name: 'a policy whose zone has nothing bound does nothing',
    files: {
      'policies/p.xml': policy('public', 'HOST', 'ACCEPT'),
      [PUBLIC]: zone(''),
    },
    expected: { 'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'reject' },
  },
  {
    name: 'the ingress zone of a policy means its interfaces, wherever a source puts the packet',
    files: {
      'policies/p.xml': policy('public', 'HOST', 'ACCEPT'),
      [PUBLIC]: zone('<interface name="eth0"/>'),
      'zones/aaa.xml': zone('<source address="192.0.2.0/24"/>', 'DROP'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'accept',
      'input eth1 192.0.2.7 198.51.100.1 tcp 22': 'drop',
    },
  },
  {
    name: 'a policy from HOST filters what the host sends',
    files: {
      'policies/p.xml': policy('HOST', 'ANY', 'REJECT', '<port port="443" protocol="tcp"/>'),
    },
    expected: {
      'output >eth0 192.0.2.10 203.0.113.9 tcp 443': 'accept',
      'output >eth0 192.0.2.10 203.0.113.9 tcp 25': 'reject',
      'output >lo 192.0.2.10 192.0.2.10 tcp 25': 'accept',
    },
  },
  {
    name: 'a policy between zones decides forwarding',
    files: {
      'policies/p.xml': policy('lan', 'wan', 'ACCEPT'),
      'zones/lan.xml': zone('<interface name="eth0"/>'),
      'zones/wan.xml': zone('<interface name="eth1"/>'),
    },
    expected: {
      'forward eth0>eth1 192.0.2.7 203.0.113.9 tcp 80': 'accept',
      'forward eth1>eth0 203.0.113.9 192.0.2.7 tcp 80': 'reject',
    },
  },
  {
    name: 'of policies with one priority the first name acts first',
    files: {
      'policies/a.xml': policy('ANY', 'HOST', 'DROP'),
      'policies/b.xml': policy('ANY', 'HOST', 'ACCEPT'),
      'policies/c.xml': policy('ANY', 'HOST', 'CONTINUE', '<port port="22" protocol="tcp"/>', -2),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'drop',
    },
  },
  {
    name: 'a disabled policy does nothing',
    files: {
      'policies/p.xml':
        '<policy target="ACCEPT"><disable/><ingress-zone name="ANY"/><egress-zone name="HOST"/></policy>',
      [PUBLIC]: zone(''),
    },
    expected: { 'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'reject' },
  },
];

const DIRECT: readonly Case[] = [
  {
    name: 'a direct accept does not skip the zones, a direct drop is final',
    files: {
      'direct.xml':
        '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="1">-p tcp --dport 22 -j DROP</rule><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 1:24 -s 192.0.2.7 -j ACCEPT</rule></direct>',
      [PUBLIC]: zone('<service name="ssh"/>'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 22': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'reject',
      'input eth0 203.0.113.9 198.51.100.1 tcp 22': 'drop',
      'input eth0 2001:db8::9 2001:db8::1 tcp 22': 'accept',
    },
  },
  {
    name: 'with the iptables backend a set asks the arriving interface',
    files: {
      'firewalld.conf': 'FirewallBackend=iptables\n',
      'ipsets/peers.xml': '<ipset type="hash:net,iface"><entry>203.0.113.0/24,eth0</entry></ipset>',
      'zones/backup.xml': zone('<source ipset="peers"/><port port="7938" protocol="tcp"/>'),
    },
    expected: {
      'input eth0 203.0.113.7 198.51.100.1 tcp 7938': 'accept',
      'input eth1 203.0.113.7 198.51.100.1 tcp 7938': 'reject',
    },
  },
  {
    name: 'with the iptables backend a direct accept is final',
    files: {
      'firewalld.conf': conf('FirewallBackend=iptables'),
      'direct.xml':
        '<direct><chain ipv="ipv4" table="filter" chain="MINE"/><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp -j MINE</rule><rule ipv="ipv4" table="filter" chain="MINE" priority="0">-p tcp --dport 23 -j ACCEPT</rule></direct>',
      [PUBLIC]: zone(''),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 24': 'reject',
      'input eth0 2001:db8::9 2001:db8::1 tcp 23': 'reject',
      'input eth0 192.0.2.7 198.51.100.1 tcp 23 ct=invalid': 'drop',
    },
  },
  {
    name: 'direct rules see ipsets',
    files: {
      'ipsets/peers.xml': '<ipset type="hash:net"><entry>192.0.2.0/25</entry></ipset>',
      'direct.xml':
        '<direct><passthrough ipv="ipv4">-A INPUT -m set --match-set peers src -j DROP</passthrough></direct>',
      [PUBLIC]: zone('', 'ACCEPT'),
    },
    expected: {
      'input eth0 192.0.2.7 198.51.100.1 tcp 23': 'drop',
      'input eth0 192.0.2.200 198.51.100.1 tcp 23': 'accept',
    },
  },
];

describe.each([
  ['targets', TARGETS],
  ['the two backends', BACKEND],
  ['which zone a packet is in', DISPATCH],
  ['what zones hold', CONTENTS],
  ['rich rules', RICH],
  ['ipsets', SETS],
  ['policies', POLICIES],
  ['direct rules', DIRECT],
] as const)('%s', (_, cases) => {
  it.each(cases)('$name', ({ files, expected }) => {
    expect(verdicts(files, Object.keys(expected), KNOWN)).toEqual(expected);
  });
});

describe('the parts of a combined zone', () => {
  const parts = [
    '<source address="192.0.2.0/24"/><service name="ssh"/><port port="1" protocol="tcp"/><protocol value="gre"/>',
    '<source address="192.0.2.0/24"/><source-port port="2" protocol="tcp"/><source-port port="3" protocol="udp"/>',
    '<protocol value="esp"/><protocol value="gre"/><icmp-block name="echo-request"/><masquerade/>',
    '<icmp-block name="echo-request"/><icmp-block name="redirect"/><icmp-block-inversion/><forward/>',
    '<forward-port port="1" protocol="tcp" to-port="9"/><source-port port="2" protocol="tcp"/><port port="1" protocol="tcp"/>',
    '<forward-port port="1" protocol="tcp" to-port="9"/><forward-port port="2" protocol="tcp" to-addr="192.0.2.9"/>',
  ];
  const rulesOf = (files: Files) =>
    parse(files).ruleset.tables.map((table) =>
      table.chains.map((chain) => [chain.name, chain.rules.map(({ text, verdict }) => [text, verdict])]),
    );

  it('are one zone with everything in them once', () => {
    const many = Object.fromEntries(parts.map((part, i) => [`zones/lab/${i}.xml`, zone(part)]));
    const elements = [...new Set(parts.join('').split(/(?<=>)(?=<)/))];
    expect(rulesOf(many)).toEqual(rulesOf({ 'zones/lab.xml': zone(elements.join('')) }));
  });
});
