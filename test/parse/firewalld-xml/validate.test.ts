import { describe, expect, it } from 'vitest';
import type { FirewalldConfiguration } from '../../../src/parse/firewalld-xml/configuration.ts';
import { stockDefinitions } from '../../../src/parse/firewalld-xml/stock.ts';
import { isRefused, validateConfiguration } from '../../../src/parse/firewalld-xml/validate.ts';
import { problemsOf, readFiles } from './read-support.ts';

const STOCK = stockDefinitions({ file: 'stock', line: 1, column: 1, endLine: 1, endColumn: 1, path: null });

type Files = Readonly<Record<string, string>>;

function check(files: Files): FirewalldConfiguration {
  return validateConfiguration(readFiles(files), STOCK);
}

/** A zone to which something is bound, so that rules are made of it. */
function bound(content: string): Files {
  return { 'zones/office.xml': `<zone><interface name="eth0"/>${content}</zone>` };
}

function policy(content: string, target = 'DROP'): Files {
  return { 'policies/p.xml': `<policy target="${target}">${content}</policy>` };
}

function set(type: string, entries: string, family = 'inet'): Files {
  const texts = entries.split(' ').map((entry) => `<entry>${entry}</entry>`);
  return {
    'ipsets/s.xml': `<ipset type="${type}"><option name="family" value="${family}"/>${texts.join('')}</ipset>`,
  };
}

function fatalsOf(files: Files): readonly string[] {
  return check(files)
    .problems.filter((p) => p.consequence === 'fatal')
    .map((p) => p.detail);
}

describe('the stock configuration and clean files', () => {
  it('have no problems', () => {
    expect(check({}).problems).toEqual([]);
    const own = validateConfiguration(
      { ...readFiles({}), ...STOCK },
      { zones: [], services: [], icmptypes: STOCK.icmptypes, ipsets: [], helpers: [], policies: [] },
    );
    expect(own.problems).toEqual([]);
    expect(isRefused(own)).toBe(false);
  });
});

describe('what voids the configuration wherever it stands', () => {
  it.each<[string, Files, string]>([
    [
      'an unknown service in a zone',
      { 'zones/a.xml': '<zone><service name="x"/></zone>' },
      'the zone "a" names the service "x", which is not defined',
    ],
    [
      'an unknown service in a policy',
      policy('<service name="x"/>'),
      'the policy "p" names the service "x", which is not defined',
    ],
    [
      'an unknown included service',
      { 'services/a.xml': '<service><include service="x"/></service>' },
      'the service "a" includes "x", which is not defined',
    ],
    [
      'an unknown ICMP type',
      { 'zones/a.xml': '<zone><icmp-block name="x"/></zone>' },
      'the zone "a" names the ICMP type "x", which is not defined',
    ],
    [
      'an unknown ICMP type in a rich rule',
      { 'zones/a.xml': '<zone><rule><icmp-block name="x"/></rule></zone>' },
      'a rich rule names the ICMP type "x", which is not defined',
    ],
    [
      'an ICMP type that a file took out of a family',
      {
        'icmptypes/echo-request.xml': '<icmptype><destination ipv6="yes"/></icmptype>',
        'zones/a.xml': '<zone><rule family="ipv4"><icmp-block name="echo-request"/></rule></zone>',
      },
      'the ICMP type "echo-request" does not exist in ipv4',
    ],
    [
      'an unknown zone in a policy',
      policy('<ingress-zone name="x"/><egress-zone name="ANY"/>'),
      'the ingress zones of the policy "p" name "x", which is not defined',
    ],
    [
      'ANY beside a zone',
      policy('<ingress-zone name="ANY"/><ingress-zone name="public"/>'),
      'the ingress zones of the policy "p" have others beside ANY',
    ],
    [
      'HOST on both sides',
      policy('<ingress-zone name="HOST"/><egress-zone name="HOST"/>'),
      'the policy "p" has HOST on both sides',
    ],
    [
      'masquerading of what is meant for the host',
      policy('<ingress-zone name="ANY"/><egress-zone name="HOST"/><masquerade/>'),
      '<masquerade> in the policy "p", which has HOST as a zone',
    ],
    [
      'a forwarded port that leads away from the host without an address',
      policy(
        '<ingress-zone name="ANY"/><egress-zone name="ANY"/><forward-port port="1" protocol="tcp" to-port="2"/>',
      ),
      '<forward-port> without "to-addr" in the policy "p", which does not lead to HOST',
    ],
    [
      'a forwarded port to another host in a policy for the host',
      policy(
        '<ingress-zone name="ANY"/><egress-zone name="HOST"/><forward-port port="1" protocol="tcp" to-addr="192.0.2.1"/>',
      ),
      '<forward-port> with "to-addr" in the policy "p", which leads to HOST',
    ],
    [
      'a priority of a policy out of range',
      { 'policies/p.xml': '<policy target="DROP" priority="99999"/>' },
      'the priority of the policy "p" is outside of -32768 to 32767',
    ],
    [
      'an interface in two zones',
      { ...bound(''), 'zones/b.xml': '<zone><interface name="eth0"/></zone>' },
      'the interface "eth0" is in the zones "b" and "office"',
    ],
    [
      'a source in two zones',
      {
        'zones/a.xml': '<zone><source address="192.0.2.1"/></zone>',
        'zones/b.xml': '<zone><source address="192.0.2.1"/></zone>',
      },
      'the source "192.0.2.1" is in the zones "a" and "b"',
    ],
    [
      'a long interface name',
      { 'zones/a.xml': '<zone><interface name="abcdefghijklmnop"/></zone>' },
      'the interface name "abcdefghijklmnop" has more than 15 characters',
    ],
    [
      'an interface name that is none',
      { 'zones/a.xml': '<zone><interface name="eth*"/></zone>' },
      '"eth*" is no name of an interface',
    ],
    [
      'a zone and a policy of one name',
      { 'zones/p.xml': '<zone/>', ...policy('') },
      'a zone and a policy have the name "p"',
    ],
    [
      'a backend in capitals',
      { 'firewalld.conf': 'FirewallBackend=NFTables\nDefaultZone=public\n' },
      'the firewall backend "NFTables" must be written in lower case',
    ],
  ])('%s', (_, files, detail) => {
    expect(fatalsOf(files)).toEqual([detail]);
  });

  it('the same address written in two ways may be in two zones', () => {
    const files = {
      'zones/a.xml': '<zone><source address="192.0.2.0/24"/></zone>',
      'zones/b.xml': '<zone><source address="192.0.2.1/24"/></zone>',
    };
    expect(fatalsOf(files)).toEqual([]);
  });

  it('the priority 0 of a policy passes', () => {
    expect(fatalsOf({ 'policies/p.xml': '<policy target="DROP" priority="0"/>' })).toEqual([]);
  });

  it('a definition of the host replaces the stock one for everything that names it', () => {
    const files = { 'services/ssh.xml': '<service><helper name="nope"/></service>' };
    expect(fatalsOf(files)).toEqual(['the helper "nope" of the service "ssh" is not defined']);
  });
});

describe('what voids the configuration only where rules are made of it', () => {
  const contents: readonly (readonly [string, string])[] = [
    ['<rule><service name="x"/><accept/></rule>', 'a rich rule names the service "x", which is not defined'],
    ['<rule><source ipset="x"/><accept/></rule>', 'the ipset "x" is not defined'],
    ['<rule family="ipv4"><destination ipset="x"/><accept/></rule>', 'the ipset "x" is not defined'],
    [
      '<rule family="ipv4"><source address="192.0.2.0/255.0.255.0"/><accept/></rule>',
      'the mask of "192.0.2.0/255.0.255.0" is none of a network',
    ],
    [
      '<rule family="ipv6"><destination address="2001:db8::1"/><service name="dhcpv6-client"/><accept/></rule>',
      'a rich rule has a destination, and so has its service "dhcpv6-client"',
    ],
    [
      '<rule family="ipv4"><port port="53" protocol="udp"/><reject type="tcp-reset"/></rule>',
      'a rich rule resets TCP connections of something that is not TCP',
    ],
    [
      '<rule family="ipv4"><service name="dns"/><reject type="tcp-rst"/></rule>',
      'a rich rule resets TCP connections of something that is not TCP',
    ],
    ['<rule><tcp-mss-clamp value="70000"/></rule>', 'the value "70000" of <tcp-mss-clamp> is above 65535'],
    ['<rule><service name="ssh"/><mark set="0o10"/></rule>', 'nftables cannot read the mark "0o10"'],
    ['<rule><service name="ssh"/><mark set="+1/3"/></rule>', 'nftables cannot read the mark "+1/3"'],
    [
      '<rule family="ipv4"><icmp-block name="packet-too-big"/></rule>',
      'the ICMP type "packet-too-big" does not exist in ipv4',
    ],
    [
      '<rule family="ipv4"><icmp-type name="echo-request"/><log/></rule>',
      'a rich rule with <icmp-type> logs and has no action',
    ],
  ];

  it.each(contents)('%s in a zone to which something is bound, or the default zone', (content, detail) => {
    expect(fatalsOf(bound(content))).toEqual([detail]);
    const home = { 'zones/home.xml': `<zone>${content}</zone>` };
    expect(fatalsOf({ ...home, 'firewalld.conf': 'DefaultZone=home\nLogDenied=off\n' })).toEqual([detail]);
    expect(fatalsOf(home)).toEqual([]);
  });

  it.each(contents)('%s in a policy between zones that have something', (content, detail) => {
    expect(fatalsOf(policy(`<ingress-zone name="ANY"/><egress-zone name="ANY"/>${content}`))).toEqual([
      detail,
    ]);
    expect(fatalsOf(policy(`<ingress-zone name="public"/><egress-zone name="ANY"/>${content}`))).toEqual([]);
    expect(fatalsOf(policy(content))).toEqual([]);
  });

  it('in a zone that only NetworkManager or the inventory binds, nobody knows what becomes of it', () => {
    const bad = readFiles({ 'zones/home.xml': '<zone><rule><service name="x"/><accept/></rule></zone>' });
    const binding = { interface: 'eth0', zone: 'home', origin: bad.zones[0]!.origin };
    expect(validateConfiguration(bad, STOCK, [binding]).problems).toMatchObject([
      {
        consequence: 'note',
        uncertain: true,
        detail: expect.stringMatching(/^a rich rule names the service "x"/),
      },
    ]);
    expect(validateConfiguration(bad, STOCK, []).problems).toEqual([]);
  });

  it('with iptables, a rich rule that forwards a port, logs and has a priority', () => {
    const rule = (priority: string) =>
      `<rule family="ipv4"${priority}><forward-port port="443" protocol="tcp" to-port="1"/><log/></rule>`;
    const conf = { 'firewalld.conf': 'FirewallBackend=iptables\nLogDenied=off\n' };
    expect(fatalsOf({ ...conf, ...bound(rule(' priority="1"')) })).toHaveLength(1);
    expect(fatalsOf({ ...conf, ...bound(rule('')) })).toEqual([]);
    expect(fatalsOf(bound(rule(' priority="1"')))).toEqual([]);
  });

  it('a reset is fine where TCP is, or where nothing says otherwise', () => {
    for (const part of ['<service name="ssh"/>', '<protocol value="6"/>', '<source address="192.0.2.1"/>'])
      expect(fatalsOf(bound(`<rule family="ipv4">${part}<reject type="tcp-reset"/></rule>`))).toEqual([]);
  });

  it('the inverse of a mask passes', () => {
    expect(fatalsOf(bound('<source address="192.0.2.0/0.0.0.255"/>'))).toEqual([]);
    expect(fatalsOf(bound('<source address="192.0.2.0/255.0.255.0"/>'))).toHaveLength(1);
  });

  it('sources that are sets must exist, have a usable type and the family of the rule', () => {
    expect(fatalsOf(bound('<source ipset="x"/>'))).toEqual(['the ipset "x" is not defined']);
    expect(
      fatalsOf({ ...bound('<source ipset="s"/>'), ...set('hash:net,net', '192.0.2.0/24,192.0.2.0/24') }),
    ).toEqual(['the ipset "s" of the type "hash:net,net" cannot be a source']);
    const rule = '<rule family="ipv6"><source ipset="s"/><accept/></rule>';
    expect(fatalsOf({ ...bound(rule), ...set('hash:ip', '192.0.2.1') })).toEqual([
      'a rich rule of the family ipv6 has a set of ipv4 as source',
    ]);
    expect(fatalsOf({ ...bound(rule), ...set('hash:ip', '2001:db8::1', 'inet6') })).toEqual([]);
  });

  it('ICMP types that firewalld does not ship have no number', () => {
    const own = { 'icmptypes/own.xml': '<icmptype/>' };
    expect(fatalsOf({ ...own, ...bound('<icmp-block name="own"/>') })).toEqual([
      'firewalld has no number for the ICMP type "own"',
    ]);
    expect(fatalsOf(own)).toEqual([]);
    expect(
      fatalsOf({
        'icmptypes/packet-too-big.xml': '<icmptype/>',
        ...bound('<icmp-block name="packet-too-big"/>'),
      }),
    ).toEqual(['firewalld has no number for the ICMP type "packet-too-big" in IPv4']);
  });

  it('marks and clamping have no chain in some policies', () => {
    const mark = '<rule><service name="ssh"/><mark set="1"/></rule>';
    expect(fatalsOf(policy(`<ingress-zone name="HOST"/><egress-zone name="ANY"/>${mark}`))).toHaveLength(1);
    expect(fatalsOf(policy(`<ingress-zone name="ANY"/><egress-zone name="HOST"/>${mark}`))).toEqual([]);
    const clamp = '<rule><tcp-mss-clamp/></rule>';
    expect(fatalsOf(policy(`<ingress-zone name="ANY"/><egress-zone name="HOST"/>${clamp}`))).toHaveLength(1);
    const own = '<rule><tcp-mss-clamp value="1000"/></rule>';
    expect(fatalsOf(policy(`<ingress-zone name="ANY"/><egress-zone name="HOST"/>${own}`))).toEqual([]);
  });

  it('a protocol is a number as C reads it, in services and sets too', () => {
    const problem = '"08" is no protocol for nftables';
    expect(fatalsOf(bound('<protocol value="08"/>'))).toEqual([problem]);
    expect(
      fatalsOf({ 'firewalld.conf': 'FirewallBackend=iptables\n', ...bound('<protocol value="08"/>') }),
    ).toHaveLength(1);
    const service = { 'services/s.xml': '<service><protocol value="08"/></service>' };
    expect(fatalsOf({ ...service, ...bound('<service name="s"/>') })).toEqual([problem]);
    expect(fatalsOf(service)).toEqual([]);
    for (const taken of ['010', '+6', ' 47', '47'])
      expect(fatalsOf(bound(`<protocol value="${taken}"/>`))).toEqual([]);
    expect(fatalsOf(bound('<protocol value="47 "/>'))).toHaveLength(1);
    expect(fatalsOf(set('hash:ip,port', '192.0.2.1,08:5'))).toHaveLength(1);
    expect(fatalsOf(set('hash:ip,port', '192.0.2.1,021:5'))).toEqual([]);
  });

  it('iptables has names of its own for ICMP types', () => {
    const files = (type: string, families: string) => ({
      'firewalld.conf': 'FirewallBackend=iptables\n',
      [`icmptypes/${type}.xml`]: `<icmptype>${families}</icmptype>`,
      ...bound(`<icmp-block name="${type}"/>`),
    });
    const only = (version: number) => `<destination ipv${version}="yes"/>`;
    expect(fatalsOf(files('mine', only(4)))).toEqual(['iptables does not know the ICMP type "mine"']);
    expect(fatalsOf(files('mine', only(6)))).toEqual(['ip6tables does not know the ICMP type "mine"']);
    expect(fatalsOf(files('source-quench', ''))).toEqual([
      'ip6tables does not know the ICMP type "source-quench"',
    ]);
    expect(fatalsOf(files('source-quench', only(4)))).toEqual([]);
    expect(fatalsOf(files('beyond-scope', only(6)))).toEqual([]);
    expect(fatalsOf(files('ping', only(4)))).toEqual([]);
    expect(fatalsOf(files('8', only(4)))).toEqual([]);
  });
});

/** Each of these was given to firewalld 1.3.3. */
describe('what firewalld refuses and takes', () => {
  const SERVICES: Files = {
    'services/mixed.xml': '<service><port port="1" protocol="tcp"/><include service="other"/></service>',
    'services/other.xml': '<service><source-port port="1" protocol="udp"/></service>',
    'services/gre.xml': '<service><protocol value="gre"/></service>',
    'services/plain.xml': '<service><helper name="ftp"/><protocol value="tcp"/></service>',
    'services/six.xml': '<service><port port="1" protocol="tcp"/><destination ipv6="2001:db8::1"/></service>',
    'services/outer.xml': '<service><include service="six"/></service>',
  };

  it.each([
    ['<forward-port port="1" protocol="udp" to-port="2"/>', false],
    ['<icmp-type name="echo-request"/>', true],
    ['<icmp-block name="echo-request"/>', false],
    ['<protocol value="tcp"/>', false],
    ['<protocol value="TCP"/>', false],
    ['<protocol value="udp"/>', true],
    ['<source-port port="1" protocol="udp"/>', true],
    ['<source-port port="1" protocol="tcp"/>', false],
    ['<service name="mixed"/>', true],
    ['<service name="gre"/>', true],
    ['<service name="plain"/>', false],
    ['<source address="192.0.2.1"/>', false],
  ])('a TCP reset of %s: refused is %s', (element, refused) => {
    const rule = `<rule family="ipv4">${element}<reject type="tcp-reset"/></rule>`;
    expect(fatalsOf({ ...SERVICES, ...bound(rule) }).length).toBe(refused ? 1 : 0);
    // Asked a second time about the same service.
    const other = rule.replace('<rule family="ipv4">', '<rule family="ipv4" priority="5">');
    expect(fatalsOf({ ...SERVICES, ...bound(rule + other) }).length).toBe(refused ? 2 : 0);
  });

  it.each([
    ['ssh', false],
    ['six', true],
    ['outer', true],
  ])('a destination beside the service %s: refused is %s', (name, refused) => {
    const rule = `<rule family="ipv4"><destination address="192.0.2.1"/><service name="${name}"/><accept/></rule>`;
    expect(fatalsOf({ ...SERVICES, ...bound(rule) }).length).toBe(refused ? 1 : 0);
  });

  const TO_PORT = '<forward-port port="1" protocol="tcp" to-port="3"/>';
  const TO_HOST = '<forward-port port="1" protocol="tcp" to-addr="192.0.2.9"/>';
  const rich = (content: string) => `<rule family="ipv4">${content}</rule>`;
  const MAC = rich('<source mac="00:11:22:33:44:55"/><port port="1" protocol="tcp"/><accept/>');
  const MARK = '<mark set="1"/>';

  it.each([
    ['nftables', 'a', 'ANY', TO_PORT, true],
    ['nftables', 'a', 'ANY', TO_HOST, false],
    ['nftables', 'a', 'b', TO_HOST, true],
    ['nftables', 'a', '', TO_PORT, false],
    ['nftables', 'HOST', 'ANY', TO_HOST, false],
    ['nftables', 'ANY', 'HOST', rich(TO_PORT), false],
    ['nftables', 'ANY', 'HOST', rich(TO_HOST), true],
    ['nftables', 'a', 'b', '<masquerade/>', false],
    ['iptables', 'a', 'b', '<masquerade/>', true],
    ['nftables', 'HOST', 'b', rich('<masquerade/>'), true],
    ['nftables', 'ANY', 'b', rich(`<port port="1" protocol="tcp"/>${MARK}`), true],
    ['nftables', 'ANY', 'ANY', rich(`<port port="1" protocol="tcp"/>${MARK}`), false],
    ['nftables', 'HOST', 'b', MAC, false],
    ['iptables', 'HOST', 'b', MAC, true],
  ])('%s, a policy from %s to "%s" with %s: refused is %s', (backend, from, to, content, refused) => {
    const egress = to === '' ? '' : `<egress-zone name="${to}"/>`;
    const files = {
      'firewalld.conf': `DefaultZone=public\nFirewallBackend=${backend}\n`,
      'zones/a.xml': '<zone><interface name="eth0"/></zone>',
      'zones/b.xml': '<zone><interface name="eth1"/></zone>',
      ...policy(`<ingress-zone name="${from}"/>${egress}${content}`, 'CONTINUE'),
    };
    expect(fatalsOf(files).length > 0).toBe(refused);
  });
});

describe('entries of sets', () => {
  it.each([
    ['hash:net', '192.0.2.0/24 192.0.2.0/25'],
    ['hash:net', '192.0.2.0/25 192.0.2.0/24'],
    ['hash:ip', '192.0.2.0/24 198.51.100.1 192.0.2.7'],
    ['hash:net', '192.0.2.0/255.255.255.0'],
    ['hash:ip', '192.0.2.1-192.0.2.9'],
    ['hash:net,port', '192.0.2.0/24,80 192.0.2.0/25,tcp:80'],
    ['hash:ip,port', '192.0.2.1,80-90 192.0.2.1,85-95'],
    ['hash:ip,port', '192.0.2.1,90-80'],
    ['hash:ip,port', '192.0.2.1,icmp:echo-request'],
    ['hash:ip,port', '192.0.2.1,http-alt'],
    ['hash:net,iface', '192.0.2.0/24,eth0 192.0.2.0/25,eth0'],
    ['hash:ip,mark', '192.0.2.1,0x1_0'],
  ])('%s with %s is refused by nftables', (type, entries) => {
    expect(fatalsOf(set(type, entries))).toHaveLength(1);
    expect(
      fatalsOf({ ...set(type, entries), 'firewalld.conf': 'FirewallBackend=iptables\nLogDenied=off' }),
    ).toEqual([]);
  });

  it.each([
    ['hash:net', '192.0.2.0/25 192.0.2.128/25'],
    ['hash:net', '192.0.2.5/24 192.0.2.0/24'],
    ['hash:ip', '192.0.2.5 192.0.2.5/32'],
    ['hash:net,port', '192.0.2.0/24,80 192.0.2.0/25,81'],
    ['hash:net,port', '192.0.2.64/26,80 192.0.2.0/24,80'],
    ['hash:ip,port', '192.0.2.1,tcp:80 192.0.2.1,udp:80 192.0.2.1,80-80 192.0.2.1,ssh'],
    ['hash:net,iface', '192.0.2.0/24,eth0 192.0.2.0/24,eth1'],
    ['hash:ip,mark', '192.0.2.1,0x10 192.0.2.1,16'],
    ['hash:mac', '02:00:00:00:00:0A 02:00:00:00:00:0a'],
  ])('%s with %s is taken', (type, entries) => {
    const files = {
      'ipsets/s.xml': set(type!, entries!)['ipsets/s.xml']!.replace(
        type === 'hash:mac' ? /<option[^>]*>/ : /$^/,
        '',
      ),
    };
    expect(fatalsOf(files)).toEqual([]);
  });

  it('a hundred thousand networks are compared in a moment', () => {
    const entries = Array.from(
      { length: 100_000 },
      (_, i) => `${i % 200}.${(i >> 8) & 255}.${i & 255}.${i % 250}`,
    );
    const ports = entries.map((address, i) => `${address},${1 + (i % 60_000)}`);
    expect(fatalsOf(set('hash:ip,port', [...new Set(ports)].join(' ')))).toEqual([]);
  });
});

describe('direct rules', () => {
  const direct = (content: string): Files => ({ 'direct.xml': `<direct>${content}</direct>` });
  const rule = (chain: string, args: string) =>
    `<rule ipv="ipv4" table="filter" chain="${chain}" priority="0">${args}</rule>`;

  it.each([
    ['INPUT', 'the direct chain "INPUT" is there from the beginning'],
    ['IN_public_allow', 'the name of the direct chain "IN_public_allow" is one of firewalld\'s own'],
    ['a'.repeat(29), `the name of the direct chain "${'a'.repeat(29)}" has more than 28 characters`],
  ])('a chain %s is fatal', (chain, detail) => {
    expect(fatalsOf(direct(`<chain ipv="ipv4" table="filter" chain="${chain}"/>`))).toEqual([detail]);
  });

  it('chains and targets that nothing declares are doubted: something else may have made them', () => {
    for (const content of [
      rule('FOO', '-j ACCEPT'),
      rule('INPUT', '-j FOO'),
      rule('INPUT', '-p tcp -g "FOO"'),
    ]) {
      const { problems } = check(direct(content));
      expect(problems).toMatchObject([{ consequence: 'note', uncertain: true }]);
    }
  });

  it('chains built in, with "_direct", or declared are known', () => {
    const declared = '<chain ipv="ipv4" table="filter" chain="FOO"/>';
    const rules = rule('INPUT_direct', '-j FOO') + rule('FOO', '-j LOG --log-prefix "a -j b"');
    expect(check(direct(declared + rules)).problems).toEqual([]);
  });

  it('passthroughs that do not add a rule or chain are left out', () => {
    const { direct: left, problems } = check(
      direct(
        '<passthrough ipv="ipv4">-A INPUT -j DROP</passthrough><passthrough ipv="ipv4">-P INPUT DROP</passthrough><passthrough ipv="ipv4">hello</passthrough>',
      ),
    );
    expect(left?.passthroughs.map((p) => p.args)).toEqual(['-A INPUT -j DROP']);
    expect(problems.map((p) => p.detail)).toEqual([
      'a passthrough rule with -P',
      'a passthrough rule without -A, -I or -N',
    ]);
  });
});

describe('what is only said', () => {
  it('an unknown default zone gives way to public', () => {
    expect(problemsOf(check({ 'firewalld.conf': 'DefaultZone=nope\nLogDenied=off\n' }))).toEqual([
      'skipped 1:1 the default zone "nope" is not defined, "public" takes its place',
    ]);
  });

  it('one cause is said once, however often it is met', () => {
    const files = {
      'services/a.xml': '<service><helper name="x"/></service>',
      ...bound('<service name="a"/>'),
      'zones/b.xml': '<zone><interface name="eth1"/><service name="a"/></zone>',
    };
    expect(fatalsOf(files)).toHaveLength(1);
  });

  it('services that include each other end', () => {
    const files = {
      'services/a.xml': '<service><include service="b"/></service>',
      'services/b.xml': '<service><include service="a"/></service>',
      ...bound('<service name="a"/>'),
    };
    expect(fatalsOf(files)).toEqual([]);
  });
});
