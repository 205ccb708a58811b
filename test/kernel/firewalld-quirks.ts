/** Configurations in which firewalld does what nobody expects, or refuses what looks fine: one trap each. */
import type { Files } from './mutate-firewalld.ts';

function zone(content: string, binding = '<interface name="eth0"/>'): Files {
  return { 'zones/office.xml': `<zone>${binding}${content}</zone>` };
}

function policy(ingress: string, egress: string, content: string): Files {
  const zones = `<ingress-zone name="${ingress}"/><egress-zone name="${egress}"/>`;
  return { 'policies/p.xml': `<policy target="DROP">${zones}${content}</policy>` };
}

function set(type: string, entries: readonly string[], options = ''): Files {
  return {
    'ipsets/s.xml': `<ipset type="${type}">${options}${entries.map((e) => `<entry>${e}</entry>`).join('')}</ipset>`,
  };
}

function direct(content: string): Files {
  return { 'direct.xml': `<direct>${content}</direct>` };
}

const INET6 = '<option name="family" value="inet6"/>';
const INPUT = 'ipv="ipv4" table="filter" chain="INPUT" priority="0"';

/** By name. */
export const QUIRKS: Readonly<Record<string, Files>> = {
  'mask with a hole': zone('<rule family="ipv4"><source address="192.0.2.0/255.0.255.0"/><accept/></rule>'),
  'mask with a hole, nothing bound': zone(
    '<rule family="ipv4"><source address="192.0.2.0/255.0.255.0"/><accept/></rule>',
    '',
  ),
  'inverse mask': zone('<source address="192.0.2.0/0.0.0.255"/>'),
  'length with a sign': zone('<source address="192.0.2.0/+24"/>'),
  'IPv6 length with a sign': zone('<source address="2001:db8::/+64"/>'),
  'unknown service in a rich rule': zone('<rule><service name="nope"/><accept/></rule>'),
  'unknown service in a rich rule, nothing bound': zone('<rule><service name="nope"/><accept/></rule>', ''),
  'unknown service, nothing bound': zone('<service name="nope"/>', ''),
  'unknown set as source': zone('<source ipset="nope"/>'),
  'unknown set in a rule': zone('<rule><source ipset="nope"/><accept/></rule>'),
  'unknown set as destination': zone('<rule family="ipv4"><destination ipset="nope"/><accept/></rule>'),
  'interface of 16 letters': zone('', '<interface name="abcdefghijklmnop"/>'),
  'interface of 15 letters': zone('', '<interface name="abcdefghijklmno"/>'),
  'one set as source twice': {
    ...zone('<source ipset="s"/><source ipset="s"/>'),
    ...set('hash:ip', ['192.0.2.1']),
  },
  'set with a dotted mask': set('hash:net', ['192.0.2.0/255.255.255.0']),
  'set with a range': set('hash:net', ['192.0.2.1-192.0.2.9']),
  'overlapping networks': set('hash:net', ['192.0.2.0/24', '192.0.2.0/25']),
  'overlapping networks, the narrow one first': set('hash:net', ['192.0.2.64/26', '192.0.2.0/24']),
  'one network written twice': set('hash:net', ['192.0.2.5/24', '192.0.2.0/24']),
  'adjacent networks': set('hash:net', ['192.0.2.0/25', '192.0.2.128/25']),
  'overlapping pairs': set('hash:net,port', ['192.0.2.0/24,tcp:80', '192.0.2.0/25,80']),
  'overlapping pairs, the narrow one first': set('hash:net,port', ['192.0.2.64/26,80', '192.0.2.0/24,80']),
  'pairs that overlap in one part': set('hash:net,port', ['192.0.2.0/24,80', '192.0.2.0/25,81']),
  'overlapping ranges of ports': set('hash:ip,port', ['192.0.2.1,80-90', '192.0.2.1,85-95']),
  'range of ports turned round': set('hash:ip,port', ['192.0.2.1,90-80']),
  'ports with names': set('hash:ip,port', ['192.0.2.1,ssh', '192.0.2.1, 80']),
  'port with a space behind': set('hash:ip,port', ['192.0.2.1,80 ']),
  'ICMP in a set': set('hash:ip,port', ['192.0.2.1,icmp:echo-request']),
  'name of a port with a hyphen': set('hash:ip,port', ['192.0.2.1,http-alt']),
  'MAC addresses': set('hash:mac', ['02:00:00:00:00:0A', '02:00:00:00:00:0a', '02:00:00:00:00:01 ']),
  'interfaces in a set': set('hash:net,iface', ['192.0.2.0/24,eth0', '192.0.2.0/25,eth1']),
  'overlap with one interface': set('hash:net,iface', ['192.0.2.0/24,eth0', '192.0.2.0/25,eth0']),
  'marks in a set': set('hash:ip,mark', ['192.0.2.1,0x10', '192.0.2.1,16']),
  'mark with an underscore': set('hash:ip,mark', ['192.0.2.1,0x1_0']),
  'more entries than maxelem': set(
    'hash:ip',
    ['192.0.2.1', '192.0.2.2'],
    '<option name="maxelem" value="1"/>',
  ),
  'set with a timeout': set('hash:ip', ['192.0.2.1'], '<option name="timeout" value="10"/>'),
  'IPv6 addresses in brackets': set('hash:ip', ['[2001:db8::1]', '2001:DB8::2'], INET6),
  'set that cannot be a source': {
    ...zone('<source ipset="s"/>'),
    ...set('hash:net,net', ['192.0.2.0/24,198.51.100.0/24']),
  },
  'set of the other family': {
    ...zone('<rule family="ipv6"><source ipset="s"/><accept/></rule>'),
    ...set('hash:ip', ['192.0.2.1']),
  },
  'destination beside that of the service': zone(
    '<rule family="ipv6"><destination address="2001:db8::/64"/><service name="dhcpv6-client"/><accept/></rule>',
  ),
  'log prefix with an equals sign': zone('<rule><service name="ssh"/><log prefix="a=b"/><accept/></rule>'),
  'log prefix with a quotation mark': zone(`<rule><service name="ssh"/><log prefix='a"b'/><accept/></rule>`),
  'log prefix with two': zone(`<rule><service name="ssh"/><log prefix='a"b"c'/><accept/></rule>`),
  'log prefix with two and a space': zone(
    `<rule><service name="ssh"/><log prefix='a"b c"d'/><accept/></rule>`,
  ),
  'log prefix that ends with a backslash': zone(
    '<rule><service name="ssh"/><log prefix="ab\\"/><accept/></rule>',
  ),
  'policy with the priority 0': {
    'policies/p.xml':
      '<policy target="DROP" priority="0"><ingress-zone name="ANY"/><egress-zone name="HOST"/></policy>',
  },
  'policy priority out of range': { 'policies/p.xml': '<policy target="DROP" priority="99999"/>' },
  'rule priority that is no number': zone('<rule priority="abc"><service name="ssh"/><accept/></rule>'),
  'rule priority out of range': zone('<rule priority="40000"><service name="ssh"/><accept/></rule>'),
  'backend in capitals': { 'firewalld.conf': 'FirewallBackend=NFTables\n' },
  'unknown default zone': { 'firewalld.conf': 'DefaultZone=nope\n' },
  'own ICMP type': { 'icmptypes/own.xml': '<icmptype/>', ...zone('<icmp-block name="own"/>') },
  'own ICMP type, unused': { 'icmptypes/own.xml': '<icmptype/>', ...zone('') },
  'ICMP type widened': {
    'icmptypes/packet-too-big.xml': '<icmptype/>',
    ...zone('<icmp-block name="packet-too-big"/>'),
  },
  'ICMP type of the other family': zone('<rule family="ipv4"><icmp-block name="packet-too-big"/></rule>'),
  'unknown helper': {
    'services/own.xml': '<service><helper name="nope"/></service>',
    ...zone('<service name="own"/>'),
  },
  'unknown helper, unused': { 'services/own.xml': '<service><helper name="nope"/></service>' },
  'mark that nftables cannot read': zone('<rule priority="1"><mark set="0o10"/></rule>'),
  'protocol with an underscore': zone('<protocol value="4_7"/>'),
  'protocol that is not in /etc/protocols': zone('<protocol value="icmpv6"/>'),
  'protocol in the wrong case': zone('<protocol value="ESP"/>'),
  'clamping beyond 16 bits': zone('<rule><tcp-mss-clamp value="100000"/></rule>'),
  'reset of UDP': zone(
    '<rule family="ipv4"><port port="53" protocol="udp"/><reject type="tcp-reset"/></rule>',
  ),
  'reset of a service with UDP': zone(
    '<rule family="ipv4"><service name="dns"/><reject type="tcp-reset"/></rule>',
  ),
  'reset of whatever comes': zone(
    '<rule family="ipv4"><source address="192.0.2.1"/><reject type="tcp-reset"/></rule>',
  ),
  'zone and policy of one name': { ...zone(''), 'policies/office.xml': '<policy target="DROP"/>' },
  'masquerading for the host': policy('ANY', 'HOST', '<masquerade/>'),
  'port forwarded away without an address': policy(
    'ANY',
    'ANY',
    '<forward-port port="80" protocol="tcp" to-port="81"/>',
  ),
  'mark on what the host sends': policy('HOST', 'ANY', '<rule><service name="ssh"/><mark set="1"/></rule>'),
  'clamping for the host': policy('ANY', 'HOST', '<rule><tcp-mss-clamp/></rule>'),
  'policy between unbound zones': policy('public', 'ANY', '<rule><service name="nope"/><accept/></rule>'),
  'policy of an unknown zone': policy('nope', 'ANY', ''),
  'direct chain that is built in': direct('<chain ipv="ipv4" table="filter" chain="INPUT"/>'),
  'direct chain with a name of firewalld': direct(
    '<chain ipv="ipv4" table="filter" chain="IN_public_allow"/>',
  ),
  'direct chain of 29 letters': direct(`<chain ipv="ipv4" table="filter" chain="${'a'.repeat(29)}"/>`),
  'direct rule without arguments': direct(`<rule ${INPUT}> </rule>`),
  'direct.xml that ends early': direct(`<rule ${INPUT}>-j ACCEPT</rule><oops/><rule ${INPUT}>-j DROP</rule>`),
  'direct.xml that is cut': { 'direct.xml': `<direct><rule ${INPUT}>-j ACCEPT</rule><chain` },
  'passthrough that is a word': direct('<passthrough ipv="ipv4">hello</passthrough>'),
  'zone name with an accent': { 'zones/zoné.xml': '<zone><interface name="eth0"/></zone>' },
  'zone name with a dot': { 'zones/a.b.xml': '<zone/>' },
  'combined zone of a long name': { [`zones/${'a'.repeat(18)}/a.xml`]: '<zone/>' },
  'combined zone over a plain one': {
    'zones/both.xml': '<zone><service name="http"/></zone>',
    'zones/both/a.xml': '<zone target="DROP"><service name="ssh"/></zone>',
  },
  'one network in two zones, written differently': {
    ...zone('<source address="192.0.2.0/24"/>'),
    'zones/other.xml': '<zone><source address="192.0.2.5/24"/></zone>',
  },
  'one interface in two zones': { ...zone(''), 'zones/other.xml': '<zone><interface name="eth0"/></zone>' },
  'action outside of a rule': {
    'zones/a.xml': '<zone><accept/><service name="nope"/><rule><oops/></rule><service name="ssh"/></zone>',
  },
  'limit behind nflog': zone('<rule><service name="ssh"/><nflog/><limit value="1/m"/><accept/></rule>'),
  'limit in a second log': zone(
    '<rule><service name="ssh"/><log/><log><limit value="1/m"/></log><accept/></rule>',
  ),
  'rule in a rule': zone('<rule><service name="ssh"/><rule><service name="http"/><accept/></rule></rule>'),
  'service that holds an action': zone('<rule><service name="ssh"><accept/></service></rule>'),
  'masquerading that says no': zone('<masquerade enabled="no"/>'),
  'rule of an unknown family': zone('<rule family="inet"><oops/></rule><service name="http"/>'),
  'source without an address': zone('<rule><source/><accept/></rule>'),
  namespace: { 'zones/a.xml': '<zone xmlns="urn:x"/>' },
  'service in the folder of zones': { 'zones/a.xml': '<service name="ssh"/>' },
  'empty file': { 'zones/a.xml': '' },
  'backup of a broken file': { 'zones/a.xml.old': '<zone' },
  'broken whitelist': { 'lockdown-whitelist.xml': '<oops' },
  'comment before the declaration': { 'zones/a.xml': '<!-- a --><?xml version="1.0"?><zone/>' },
  'document type': { 'zones/a.xml': '<!DOCTYPE zone SYSTEM "x.dtd"><zone/>' },
};
