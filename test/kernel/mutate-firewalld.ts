/** Small changes to firewalld files, of the kinds people and programs make: most of them are wrong. */
import type { Random } from './random.ts';

/** A configuration: texts by path below /etc/firewalld. */
export type Files = Readonly<Record<string, string>>;

/** Configurations to begin with. Together they have every element. */
export const BASE_CONFIGURATIONS: readonly Files[] = [
  {
    'firewalld.conf': 'DefaultZone=office\nFirewallBackend=nftables\nIPv6_rpfilter=no\nLogDenied=off\n',
    'zones/office.xml': `<?xml version="1.0" encoding="utf-8"?>
<zone target="DROP">
  <short>Office</short>
  <description>Desks &amp; printers</description>
  <interface name="eth0"/>
  <source address="192.0.2.0/24"/>
  <source address="02:00:00:00:00:0A"/>
  <service name="ssh"/>
  <service name="backup"/>
  <port port="7937-7954" protocol="tcp"/>
  <port port="7938" protocol="tcp"/>
  <source-port port="68" protocol="udp"/>
  <protocol value="gre"/>
  <icmp-block name="redirect"/>
  <masquerade/>
  <forward-port port="443" protocol="tcp" to-port="9090"/>
  <forward-port port="80" protocol="tcp" to-port="8080" to-addr="198.51.100.7"/>
  <forward/>
</zone>
`,
    'services/backup.xml': `<?xml version="1.0" encoding="utf-8"?>
<service version="1.0">
  <short>Backup</short>
  <port port="9000-9010" protocol="tcp"/>
  <port port="" protocol="esp"/>
  <source-port port="500" protocol="udp"/>
  <protocol value="ah"/>
  <module name="nf_conntrack_ftp"/>
  <helper name="tftp"/>
  <include service="https"/>
  <destination ipv4="198.51.100.0/24" ipv6="2001:db8::/32"/>
</service>
`,
  },
  {
    'zones/rich.xml': `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <source ipset="peers"/>
  <rule family="ipv4" priority="-10">
    <source address="192.0.2.1" invert="yes"/>
    <service name="http"/>
    <log prefix="web" level="info"><limit value="3/m"/></log>
    <accept><limit value="2/second"/></accept>
  </rule>
  <rule>
    <icmp-type name="echo-request"/>
    <drop/>
  </rule>
  <rule family="ipv6">
    <destination address="2001:db8::1/64"/>
    <port port="22" protocol="tcp"/>
    <reject type="icmp6-adm-prohibited"/>
  </rule>
  <rule priority="100">
    <source mac="02:00:00:00:00:0b"/>
    <nflog group="5" queue-size="10"/>
    <audit/>
    <reject/>
  </rule>
  <rule family="ipv4">
    <source ipset="peers"/>
    <protocol value="udp"/>
    <mark set="0x1/0xff"/>
  </rule>
  <rule family="ipv4"><forward-port port="8080" protocol="tcp" to-port="80"/></rule>
  <rule><masquerade/></rule>
  <rule><icmp-block name="timestamp-request"/></rule>
  <rule><tcp-mss-clamp value="1400"/></rule>
  <rule><source-port port="1024-2000" protocol="udp"/><accept/></rule>
  <icmp-block-inversion/>
</zone>
`,
    'ipsets/peers.xml': `<?xml version="1.0" encoding="utf-8"?>
<ipset type="hash:net">
  <short>Peers</short>
  <option name="family" value="inet"/>
  <option name="maxelem" value="1000"/>
  <entry>192.0.2.0/25</entry>
  <entry>198.51.100.7</entry>
  <entry>203.0.113.0/24</entry>
</ipset>
`,
  },
  {
    'zones/inside.xml': '<zone target="ACCEPT"><interface name="eth1"/></zone>',
    'policies/out.xml': `<?xml version="1.0" encoding="utf-8"?>
<policy target="REJECT" priority="-5">
  <short>Out</short>
  <ingress-zone name="inside"/>
  <egress-zone name="ANY"/>
  <service name="https"/>
  <port port="53" protocol="udp"/>
  <protocol value="icmp"/>
  <masquerade/>
  <forward-port port="25" protocol="tcp" to-addr="192.0.2.25"/>
  <rule family="ipv4"><source address="192.0.2.9"/><accept/></rule>
  <rule><service name="dns"/><drop/></rule>
</policy>
`,
    'policies/host.xml':
      '<policy target="CONTINUE"><ingress-zone name="HOST"/><egress-zone name="ANY"/><icmp-block name="echo-reply"/></policy>',
    'ipsets/pairs.xml': `<ipset type="hash:ip,port">
<entry>192.0.2.1,tcp:80</entry>
<entry>192.0.2.1,tcp:8000-8080</entry>
<entry>192.0.2.2,udp:53</entry>
</ipset>
`,
    'icmptypes/echo-request.xml': '<icmptype><destination ipv4="yes"/><destination ipv6="yes"/></icmptype>',
    'helpers/own.xml':
      '<helper module="nf_conntrack_ftp" family="ipv4"><port port="2121" protocol="tcp"/></helper>',
  },
  {
    'direct.xml': `<?xml version="1.0" encoding="utf-8"?>
<direct>
  <chain ipv="ipv4" table="filter" chain="backup"/>
  <rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport 7937 -j backup</rule>
  <rule ipv="ipv4" table="filter" chain="backup" priority="1">-s 192.0.2.0/24 -j ACCEPT</rule>
  <rule ipv="ipv6" table="filter" chain="INPUT" priority="0">-m comment --comment "two words" -j ACCEPT</rule>
  <passthrough ipv="ipv4">-A INPUT -p tcp --dport 7938 -j DROP</passthrough>
</direct>
`,
    'zones/part/a.xml': '<zone target="ACCEPT"><interface name="eth2"/><service name="ssh"/></zone>',
    'zones/part/b.xml':
      '<zone><service name="ssh"/><service name="http"/><source address="198.51.100.0/25"/><forward/></zone>',
    'zones/old.xml.old': '<zone',
    'lockdown-whitelist.xml': '<whitelist><user id="0"/></whitelist>',
  },
];

/** Values that are tried in the place of others: some fit somewhere, most nowhere. */
const VALUES: readonly string[] = [
  '',
  ' ',
  '0',
  '22',
  ' 22 ',
  '-1',
  '+5',
  '65535',
  '65536',
  '1005-1001',
  '5-5',
  'ssh',
  'nope',
  'tcp',
  'TCP',
  'udp',
  'sctp',
  'icmpv6',
  '255',
  '256',
  'ipv4',
  'ipv6',
  'eb',
  'yes',
  'no',
  'accept',
  'ACCEPT',
  'REJECT',
  '%%REJECT%%',
  'DROP',
  'default',
  'CONTINUE',
  'ANY',
  'HOST',
  'public',
  'trusted',
  'eth0',
  'eth+',
  'abcdefghijklmnopq',
  'a b',
  '192.0.2.1',
  '192.0.2.1/33',
  '192.0.2.0/255.255.255.0',
  '192.0.2.0/255.0.255.0',
  '192.0.2.01',
  '2001:db8::1',
  '[2001:db8::1]',
  '2001:db8::/129',
  '02:00:00:00:00:0c',
  'ipset:peers',
  'peers',
  'pairs',
  'echo-request',
  'neighbour-solicitation',
  '1/m',
  '0/s',
  '1/d',
  '99999',
  '-32769',
  'a=b',
  'tcp-reset',
  'hash:ip',
  'hash:mac',
  'hash:ip,port',
  'inet6',
  'timeout',
  'nf_conntrack_tftp',
];

/** Elements that are put where they may not belong. */
const ELEMENTS: readonly string[] = [
  '<service name="ssh"/>',
  '<service name="nope"/>',
  '<port port="80" protocol="tcp"/>',
  '<accept/>',
  '<drop/>',
  '<rule><service name="ftp"/><accept/></rule>',
  '<rule family="inet"><oops/></rule>',
  '<source address="203.0.113.9"/>',
  '<source mac="02:00:00:00:00:0d"/>',
  '<source/>',
  '<destination address="192.0.2.77"/>',
  '<limit value="1/m"/>',
  '<log/>',
  '<audit/>',
  '<masquerade enabled="no"/>',
  '<icmp-type name="echo-reply"/>',
  '<tcp-mss-clamp/>',
  '<tcp-mss-clamp value="pmtu"/>',
  '<interface name="eth5"/>',
  '<forward/>',
  '<oops/>',
  '<!-- a comment -->',
  '<![CDATA[text]]>',
  '<entry>192.0.2.0/26</entry>',
  '<entry> 192.0.2.200 </entry>',
  '<option name="timeout" value="60"/>',
  '<include service="backup"/>',
  '<rule ipv="ipv4" table="filter" chain="INPUT" priority="x">-j ACCEPT</rule>',
  '<passthrough ipv="ipv4">-L</passthrough>',
];

const TAG = /<[a-z][a-z-]*(?:\s[^<>]*)?>/g;
const ATTRIBUTE = /\s([a-z0-9-]+)="([^"<>]*)"/g;

/** One of the base configurations with one to three changes. */
export function mutateConfiguration(random: Random): Files {
  const files: Record<string, string> = { ...random.pick(BASE_CONFIGURATIONS) };
  const times = 1 + random.integer(3);
  for (let i = 0; i < times; i++) {
    const path = random.pick(Object.keys(files).filter((name) => name.endsWith('.xml')));
    files[path] = mutate(files[path]!, random);
  }
  return files;
}

function mutate(text: string, random: Random): string {
  const tags = [...text.matchAll(TAG)];
  const attributes = [...text.matchAll(ATTRIBUTE)].filter((m) => m[1] !== 'version' && m[1] !== 'encoding');
  switch (random.integer(8)) {
    case 0:
    case 1:
    case 2:
      return change(text, attributes, random, (m) => ` ${m[1]}="${random.pick(VALUES)}"`);
    case 3:
      return change(text, attributes, random, () => '');
    case 4:
      return change(
        text,
        attributes,
        random,
        (m) => ` ${random.pick(['name', 'value', 'invert', 'family'])}="${m[2]}"`,
      );
    case 5:
      return change(text, tags, random, (m) => (m[0].endsWith('/>') ? m[0].repeat(2) : m[0]));
    case 6:
      return change(text, tags, random, (m) => (m[0].endsWith('/>') ? '' : m[0]));
    default:
      return random.chance(0.9)
        ? change(text, tags, random, (m) => m[0] + random.pick(ELEMENTS))
        : text.slice(0, random.integer(text.length));
  }
}

/** Replaces one of the places. */
function change(
  text: string,
  places: readonly RegExpExecArray[],
  random: Random,
  replace: (match: RegExpExecArray) => string,
): string {
  if (places.length === 0) return text;
  const match = random.pick(places);
  return text.slice(0, match.index) + replace(match) + text.slice(match.index + match[0].length);
}
