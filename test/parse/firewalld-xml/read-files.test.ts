import { describe, expect, it } from 'vitest';
import { holdsOnlyBindings, readFirewalldFiles } from '../../../src/parse/firewalld-xml/read-files.ts';
import { describeProblem } from '../../../src/parse/firewalld-xml/read-log.ts';
import { problemsOf, readFiles, readZone } from './read-support.ts';

describe('which file is what', () => {
  it('a whole copy of /etc/firewalld is read, whatever stands around it', () => {
    const read = readFirewalldFiles(
      Object.entries({
        'firewalld.conf': 'DefaultZone=office\n',
        'zones/office.xml': '<zone/>',
        'policies/out.xml': '<policy target="DROP"/>',
        'services/own.xml': '<service/>',
        'ipsets/peers.xml': '<ipset type="hash:ip"/>',
        'icmptypes/own.xml': '<icmptype/>',
        'helpers/own.xml': '<helper module="nf_conntrack_ftp"/>',
        'direct.xml': '<direct/>',
        'lockdown-whitelist.xml': '<whitelist><command name="/bin/x"/></whitelist>',
      }).map(([path, text]) => ({ path: `exports/host1/etc-firewalld/${path}`, text })),
    );
    expect(read.settings?.values.get('defaultzone')?.value).toBe('office');
    for (const list of [read.zones, read.policies, read.services, read.ipsets, read.icmptypes, read.helpers])
      expect(list).toHaveLength(1);
    expect(read.zones[0]?.name).toBe('office');
    expect(read.direct?.rules).toEqual([]);
    expect(problemsOf(read)).toEqual(['note 1:1 the lockdown whitelist has no effect on packets']);
  });

  it('a file without folder is what its root element says', () => {
    const read = readFirewalldFiles([
      { path: 'public.xml', text: '<?xml version="1.0"?>\n<!-- <service/> -->\n<zone/>' },
      { path: 'copy/ssh.txt', text: '<service><port port="22" protocol="tcp"/></service>' },
    ]);
    expect(read.zones.map((z) => z.name)).toEqual(['public']);
    expect(read.services.map((s) => s.name)).toEqual(['ssh.txt']);
  });

  it('a zone from standard input is taken for the zone public', () => {
    const read = readFirewalldFiles([{ path: 'standard input', text: '<zone/>' }]);
    expect(read.zones[0]?.name).toBe('public');
    expect(problemsOf(read)).toEqual(['note 1:1 the zone has no name here; nwaudit takes it for "public"']);
  });

  it('the folder decides, not the root element: a service in zones/ is read as a zone', () => {
    const read = readFiles({ 'zones/a.xml': '<service name="ssh"/>', 'zones/b.xml': '<service/>' });
    expect(read.zones.map((z) => z.services.map((s) => s.name))).toEqual([['ssh'], []]);
    expect(problemsOf(read)).toEqual(['fatal 1:1 <service> has no attribute "name"']);
  });

  it.each(['public.xml.old', 'public.xml~', 'public.xml.rpmsave', 'public.txt'])(
    'zones/%s is passed over',
    (name) => {
      const read = readFiles({ [`zones/${name}`]: '<zone' });
      expect(read.zones).toEqual([]);
      expect(problemsOf(read)).toEqual(['note 1:1 firewalld reads only files whose names end in ".xml"']);
    },
  );

  it('an empty file in zones/ is fatal', () => {
    expect(problemsOf(readFiles({ 'zones/a.xml': '' }))[0]).toMatch(/^fatal 1:1 no well-formed XML/);
  });

  it('a file of /etc/firewalld replaces the one of /usr/lib/firewalld whole, in any order', () => {
    const files = [
      { path: 'x/etc/firewalld/services/a.xml', text: '<service><port port="1" protocol="tcp"/></service>' },
      {
        path: 'x/usr/lib/firewalld/services/a.xml',
        text: '<service><port port="2" protocol="tcp"/></service>',
      },
      { path: 'x/usr/lib/firewalld/services/b.xml', text: '<service/>' },
    ];
    for (const order of [files, files.toReversed()]) {
      const read = readFirewalldFiles(order);
      expect(read.services.map((s) => `${s.name} ${s.ports.map((p) => p.port)}`)).toEqual(['a 1', 'b ']);
      expect(read.problems).toEqual([]);
    }
  });

  it('two different files of one name are said, two equal ones only noted', () => {
    const read = readFirewalldFiles([
      { path: 'a/public.xml', text: '<zone/>' },
      { path: 'b/public.xml', text: '<zone target="ACCEPT"/>' },
      { path: 'c/own.xml', text: '<zone/>' },
      { path: 'd/own.xml', text: '<zone/>' },
    ]);
    expect(problemsOf(read)).toEqual([
      'note? 1:1 "public" is defined here and in a/public.xml, differently; the later file counts here',
      'note 1:1 "own" is defined here and in c/own.xml',
    ]);
  });

  it('the files of zones/NAME/ are one zone NAME: their union, without a target', () => {
    const read = readFiles({
      'zones/dmz2/b.xml':
        '<zone target="ACCEPT"><service name="ssh"/><service name="http"/><port port="1" protocol="tcp"/></zone>',
      'zones/dmz2/a.xml': '<zone><service name="ssh"/><interface name="eth0"/><forward/></zone>',
      'zones/dmz2.xml': '<zone><service name="ftp"/></zone>',
    });
    expect(read.zones).toHaveLength(1);
    expect(read.zones[0]).toMatchObject({
      name: 'dmz2',
      target: undefined,
      services: [{ name: 'ssh' }, { name: 'http' }],
      interfaces: [{ name: 'eth0' }],
      forward: { line: 1 },
    });
    expect(problemsOf(read)).toEqual([
      'skipped 1:1 the target of a part of the combined zone "dmz2"',
      'skipped 1:1 the zone "dmz2", which the folder of that name replaces',
    ]);
  });

  it.each([
    ['zones/abcdefghijklmnopq.xml', '<zone/>', 0],
    ['zones/abcdefghijklmnopqr.xml', '<zone/>', 1],
    ['zones/a.b.xml', '<zone/>', 1],
    ['zones/zoné_-.xml', '<zone/>', 0],
    ['zones/.xml', '<zone/>', 1],
    ['policies/abcdefghijklmnopqr.xml', '<policy target="DROP"/>', 0],
    ['policies/abcdefghijklmnopqrs.xml', '<policy target="DROP"/>', 1],
    ['services/a_b-c.xml', '<service/>', 0],
    ['services/a b.xml', '<service/>', 1],
    ['ipsets/a:b.c_d.xml', '<ipset type="hash:ip"/>', 0],
    ['helpers/a_b.xml', '<helper module="nf_conntrack_x"/>', 1],
  ])('%s: names that firewalld refuses are fatal', (path, text, fatal) => {
    const { problems } = readFiles({ [path]: text });
    expect(problems.filter((p) => p.consequence === 'fatal')).toHaveLength(fatal);
  });

  it('a name that cannot be right is only doubted where the path does not show that it is the name', () => {
    const read = readFirewalldFiles([{ path: 'host1-firewalld-public-zone.xml', text: '<zone/>' }]);
    expect(read.problems).toMatchObject([{ consequence: 'note', uncertain: true }]);
  });

  it('a file that is nothing of firewalld is said to be none', () => {
    const read = readFirewalldFiles([{ path: 'pom.xml', text: '<project/>' }]);
    expect(read.problems).toMatchObject([{ uncertain: true, detail: 'this is no file of firewalld' }]);
  });
});

describe('firewalld.conf', () => {
  const read = (text: string) => readFiles({ 'firewalld.conf': text });

  it('is known by its keys, too', () => {
    const { settings } = readFirewalldFiles([
      { path: 'conf.txt', text: '# x\nDefaultZone=home\nLogDenied=off\n' },
    ]);
    expect(settings?.values.get('defaultzone')).toMatchObject({
      value: 'home',
      origin: { line: 2, column: 1 },
    });
  });

  it('of equal keys the first counts, garbage counts for nothing', () => {
    const configuration = read(
      'DefaultZone=a\n DefaultZone = b\nNonsense\nFoo=1\nLogDenied=\nLockdown=maybe\n;x\nMinimalMark=1=2\n',
    );
    expect([...configuration.settings!.values].map(([key, { value }]) => `${key}=${value}`)).toEqual([
      'defaultzone=a',
    ]);
    expect(problemsOf(configuration)).toEqual([
      'skipped 2:2 the second setting DefaultZone',
      'skipped 3:1 "Nonsense" is no setting',
      'skipped 4:1 the unknown setting "Foo"',
      'skipped 5:1 the setting LogDenied without a value',
      'skipped 6:1 "maybe" is no value of the setting Lockdown; its default counts',
      'skipped 8:1 "MinimalMark=1=2" is no setting',
    ]);
  });

  it.each(['firewalld.conf.old', 'firewalld.conf.rpmsave', 'firewalld.conf~'])(
    'a copy beside it counts for nothing: %s',
    (name) => {
      const text = (zone: string): string => `DefaultZone=${zone}\nLockdown=no\n`;
      const { settings } = readFiles({ 'firewalld.conf': text('trusted'), [name]: text('drop') });
      expect(settings?.values.get('defaultzone')?.value).toBe('trusted');
      expect(readFiles({ [name]: text('drop') }).settings).toBeUndefined();
    },
  );

  it('two that differ leave a doubt', () => {
    const { problems } = readFiles({
      'firewalld.conf': 'DefaultZone=trusted\n',
      'firewalld.conf.txt': 'DefaultZone=drop\n',
    });
    expect(problems).toMatchObject([{ uncertain: true }]);
  });

  it('settings of firewalld 2 are taken', () => {
    const { settings, problems } = read(
      'StrictForwardPorts=yes\nNftablesFlowtable=off\nIPv6_rpfilter=loose\n',
    );
    expect(settings?.values.get('strictforwardports')?.value).toBe('yes');
    expect(problems).toEqual([]);
  });
});

describe('bindings of NetworkManager', () => {
  it('a profile with interface and zone binds them', () => {
    const { bindings } = readFirewalldFiles([
      {
        path: 'system-connections/wired.nmconnection',
        text: '[connection]\nid=wired\n# zone=x\ninterface-name=eth0\nzone=internal\n[ipv4]\nzone=other\n',
      },
    ]);
    expect(bindings).toMatchObject([{ interface: 'eth0', zone: 'internal', origin: { line: 5 } }]);
  });

  it('an ifcfg file does too, with or without quotation marks', () => {
    const { bindings } = readFirewalldFiles([
      { path: 'network-scripts/ifcfg-eth1', text: 'DEVICE="eth1"\nZONE=trusted # x\nONBOOT=yes\n' },
    ]);
    expect(bindings).toMatchObject([{ interface: 'eth1', zone: 'trusted' }]);
  });

  it('a profile without a zone binds nothing; one without an interface is said to', () => {
    const read = readFirewalldFiles([
      { path: 'a.nmconnection', text: '[connection]\ninterface-name=eth0\n' },
      { path: 'b.nmconnection', text: '[connection]\nzone=home\n' },
    ]);
    expect(read.bindings).toEqual([]);
    expect(read.problems).toMatchObject([{ uncertain: true, origin: { file: 'b.nmconnection', line: 2 } }]);
  });
});

describe('an export', () => {
  it('is more than bindings, backups and whitelists', () => {
    const bindings = [
      { path: 'a.nmconnection', text: '[connection]\nzone=home\n' },
      { path: 'ifcfg-eth0', text: 'DEVICE=eth0\nZONE=home\n' },
      { path: 'zones/public.xml.old', text: '<zone/>' },
      { path: 'lockdown-whitelist.xml', text: '<whitelist/>' },
    ];
    expect(holdsOnlyBindings(bindings)).toBe(true);
    expect(holdsOnlyBindings([...bindings, { path: 'firewalld.conf', text: '' }])).toBe(false);
    expect(holdsOnlyBindings([...bindings, { path: 'zones/a.xml', text: '' }])).toBe(false);
  });
});

describe('zones and policies', () => {
  it('hold what the file says, each with its place', () => {
    const { zones, problems } = readFiles({
      'zones/office.xml': `<zone version="1.0" target="%%REJECT%%">
  <interface name="eth0"/>
  <source address="2001:db8::/32"/>
  <source ipset="peers"/>
  <service name="ssh"/>
  <port port="1005-1001" protocol="tcp"/>
  <source-port port="68" protocol="udp"/>
  <protocol value="gre"/>
  <icmp-block name="redirect"/>
  <masquerade/>
  <forward-port port="443" protocol="tcp" to-port="9090" to-addr="192.0.2.1"/>
  <icmp-block-inversion/>
  <forward/>
</zone>`,
    });
    expect(problems).toEqual([]);
    expect(zones[0]).toMatchObject({
      name: 'office',
      target: '%%REJECT%%',
      interfaces: [{ name: 'eth0', origin: { line: 2, column: 3, path: '/zone/interface' } }],
      sources: [
        { kind: 'address', value: '2001:db8::/32' },
        { kind: 'ipset', value: 'peers' },
      ],
      services: [{ name: 'ssh' }],
      ports: [{ port: '1005-1001', protocol: 'tcp' }],
      sourcePorts: [{ port: '68', protocol: 'udp' }],
      protocols: [{ name: 'gre' }],
      icmpBlocks: [{ name: 'redirect' }],
      masquerade: { line: 10 },
      forwardPorts: [{ port: '443', toPort: '9090', toAddress: '192.0.2.1' }],
      icmpBlockInversion: { line: 12 },
      forward: { line: 13 },
    });
  });

  it('target "default" is no target of its own', () => {
    for (const target of ['default', '{chain}_{zone}'])
      expect(readFiles({ 'zones/a.xml': `<zone target="${target}"/>` }).zones[0]?.target).toBeUndefined();
  });

  it.each([
    ['<zone target="REJECT"/>', '"REJECT" is no target of a zone'],
    ['<zone target=""/>', '"" is no target of a zone'],
    ['<zone xmlns="urn:x"/>', 'unknown attribute "xmlns" of <zone>'],
    ['<x:zone xmlns:x="urn:x"/>', 'unknown element <x:zone> in a zone file'],
    ['<zone><oops/></zone>', 'unknown element <oops> in a zone file'],
    ['<zone><port port="1"/></zone>', '<port> has no attribute "protocol"'],
    ['<zone><port port="65536" protocol="tcp"/></zone>', '"65536" is no port'],
    ['<zone><port port="" protocol="tcp"/></zone>', '"" is no port'],
    [
      '<zone><port port="1" protocol="icmp"/></zone>',
      '"icmp" is no protocol with ports (tcp, udp, sctp, dccp)',
    ],
    ['<zone><protocol value="icmpv6"/></zone>', '"icmpv6" is no protocol'],
    ['<zone><protocol value="Tcp"/></zone>', '"Tcp" is no protocol'],
    ['<zone><source address="192.0.2.0/33"/></zone>', '"192.0.2.0/33" is no address, network or MAC address'],
    ['<zone><source address="ipset:a"/></zone>', '"ipset:a" is no address, network or MAC address'],
    ['<zone><source ipset="a"/><source ipset="a"/></zone>', 'the ipset "a" is a source of the zone twice'],
    [
      '<zone><forward-port port="1" protocol="tcp"/></zone>',
      '<forward-port> has neither "to-port" nor "to-addr"',
    ],
    ['<zone><rule><source/></rule></zone>', 'the <source> of a rich rule has no address'],
    ['<zone><rule priority="x"/></zone>', 'the priority "x" is no number'],
    ['<zone><tcp-mss-clamp/></zone>', '<tcp-mss-clamp> without a value outside of a rich rule'],
  ])('%s is fatal', (text, detail) => {
    const read = readFiles({ 'zones/a.xml': text });
    expect(read.problems.find((p) => p.consequence === 'fatal')?.detail).toBe(detail);
  });

  it.each([
    [
      '<source mac="02:00:00:00:00:01"/>',
      'a zone\'s <source> with "mac" (a MAC address goes into "address")',
    ],
    ['<source address="192.0.2.1" invert="yes"/>', 'a zone\'s <source> with "invert"'],
    ['<source address="192.0.2.1" ipset="a"/>', "a zone's <source> with both address and ipset"],
    ['<source/>', "a zone's <source> without address or ipset"],
  ])('%s binds nothing', (content, detail) => {
    const read = readZone(content);
    expect(read.zones[0]?.sources).toEqual([]);
    expect(read.problems).toMatchObject([{ consequence: 'skipped', detail }]);
  });

  it('masquerade masquerades with enabled="no", too', () => {
    const read = readZone('<masquerade enabled="no"/>');
    expect(read.zones[0]?.masquerade).toBeDefined();
    expect(problemsOf(read)[0]).toMatch(/^note/);
  });

  it('what stands twice counts once', () => {
    const read = readZone(
      '<service name="ssh"/><service name="ssh"/><interface name="a"/><interface name="a"/>',
    );
    expect(read.zones[0]).toMatchObject({ services: [{ name: 'ssh' }], interfaces: [{ name: 'a' }] });
    expect(read.problems.map((p) => p.consequence)).toEqual(['note', 'note']);
  });

  it('a port name that is not in our table is left out and doubted', () => {
    const read = readZone('<port port="no-such-name" protocol="tcp"/><port port="ssh" protocol="tcp"/>');
    expect(read.zones[0]?.ports.map((p) => p.port)).toEqual(['ssh']);
    expect(read.problems).toMatchObject([{ consequence: 'skipped', uncertain: true }]);
  });

  it('an action outside of a rule makes firewalld deaf until the next end of a rule', () => {
    const read = readZone(
      '<service name="ssh"/><accept/><service name="http"/><oops/><rule><service name="ftp"/><drop/></rule><service name="dns"/>',
    );
    expect(read.zones[0]?.services.map((s) => s.name)).toEqual(['ssh', 'dns']);
    expect(read.zones[0]?.richRules).toEqual([]);
    expect(problemsOf(read)).toEqual([
      'skipped 1:28 <accept> outside of a rich rule',
      'skipped 1:28 after <accept> outside of a rich rule come 5 elements before the next </rule>',
    ]);
  });

  it('attributes and elements of firewalld 2 are taken, and the first is remembered', () => {
    const read = readFiles({
      'zones/a.xml': '<zone ingress-priority="-5" egress-priority="7"/>',
      'zones/b.xml': '<zone priority="3"/>',
      'policies/p.xml': '<policy target="DROP" priority="5"><disable/><ingress-zone name="ANY"/></policy>',
    });
    expect(read.zones).toMatchObject([
      { ingressPriority: '-5', egressPriority: '7' },
      { ingressPriority: '3', egressPriority: '3' },
    ]);
    expect(read.policies[0]).toMatchObject({
      disabled: true,
      priority: '5',
      ingressZones: [{ name: 'ANY' }],
    });
    expect(read.needsVersion2).toMatchObject({ file: 'etc/firewalld/zones/a.xml' });
    expect(read.problems.map((p) => p.consequence)).toEqual(['note']);
  });

  it('a policy needs a target and takes no interface', () => {
    expect(problemsOf(readFiles({ 'policies/p.xml': '<policy><interface name="a"/></policy>' }))).toEqual([
      'fatal 1:1 <policy> has no attribute "target"',
      'fatal 1:9 unknown element <interface> in a policy file',
    ]);
  });
});

describe('services, sets and types', () => {
  it('a port without number is the protocol itself, a module is a helper', () => {
    const { services, problems } = readFiles({
      'services/own.xml': `<service name="x"><port port="" protocol="esp"/><port port="500" protocol="udp"/>
        <module name="nf_conntrack_netbios_ns"/><helper name="ftp"/><include service="ssh"/>
        <source-port port="1-9" protocol="sctp"/><destination ipv4="192.0.2.0/24"/><destination ipv6="2001:db8::1"/></service>`,
    });
    expect(problems).toEqual([]);
    expect(services[0]).toMatchObject({
      name: 'own',
      protocols: [{ name: 'esp' }],
      ports: [{ port: '500' }],
      helpers: [{ name: 'netbios-ns' }, { name: 'ftp' }],
      includes: [{ name: 'ssh' }],
      sourcePorts: [{ port: '1-9', protocol: 'sctp' }],
      destination: { ipv4: '192.0.2.0/24', ipv6: '2001:db8::1' },
    });
  });

  it('an icmptype exists where a destination says so, or in both versions without one', () => {
    const read = readFiles({
      'icmptypes/a.xml': '<icmptype/>',
      'icmptypes/b.xml': '<icmptype><destination ipv4="no"/><destination ipv6="yes"/></icmptype>',
      'icmptypes/c.xml': '<icmptype><destination ipv4="no"/></icmptype>',
    });
    expect(read.icmptypes.map((t) => `${t.name} ${t.ipv4} ${t.ipv6}`)).toEqual([
      'a true true',
      'b false true',
      'c true true',
    ]);
  });

  it('entries that are none are left out, as are all of a set with a timeout', () => {
    const read = readFiles({
      'ipsets/a.xml':
        '<ipset type="hash:net"><entry>192.0.2.0/24</entry><entry> 192.0.2.9</entry><entry>0.0.0.0/0</entry><entry>2001:db8::1</entry><entry>192.0.2.0/24</entry></ipset>',
      'ipsets/b.xml':
        '<ipset type="hash:ip"><option name="timeout" value="60"/><entry>192.0.2.1</entry></ipset>',
      'ipsets/c.xml':
        '<ipset type="hash:ip"><option name="timeout" value="0"/><entry>192.0.2.1</entry></ipset>',
    });
    expect(read.ipsets.map((s) => s.entries.map((e) => e.text))).toEqual([
      ['192.0.2.0/24'],
      [],
      ['192.0.2.1'],
    ]);
    expect(read.problems.map((p) => p.consequence)).toEqual([
      'skipped',
      'skipped',
      'skipped',
      'note',
      'skipped',
    ]);
  });

  it.each([
    [
      'hash:ip,port',
      'inet',
      '192.0.2.1,80 192.0.2.1,udp:53 192.0.2.1,icmp:ping',
      '192.0.2.1 192.0.2.1,icmp:9/9 a,80',
    ],
    [
      'hash:ip',
      'inet',
      '192.0.2.1 192.0.2.0/24 192.0.2.1-192.0.2.9',
      '0.0.0.0 192.0.2.1-192.0.2.9-1 2001:db8::1',
    ],
    ['hash:ip', 'inet6', '2001:db8::1', '2001:db8::/64 192.0.2.1'],
    ['hash:net,iface', 'inet', '192.0.2.0/24,eth0', '192.0.2.0/24 192.0.2.0/24,e*'],
    ['hash:net,iface', 'inet6', '::/0,eth0', '::/129,eth0'],
    ['hash:ip,mark', 'inet', '192.0.2.1,0x10 192.0.2.1,16', '192.0.2.1,0xg 192.0.2.1,-1'],
    ['hash:net,net', 'inet', '192.0.2.0/24,198.51.100.0/24', '192.0.2.0/0,198.51.100.0/24'],
  ])('entries of %s %s', (type, family, good, bad) => {
    const entries = [...good.split(' '), ...bad.split(' ')].map((e) => `<entry>${e}</entry>`).join('');
    const text = `<ipset type="${type}"><option name="family" value="${family}"/>${entries}</ipset>`;
    const { ipsets } = readFiles({ 'ipsets/a.xml': text });
    expect(ipsets[0]?.entries.map((e) => e.text)).toEqual(good.split(' '));
  });

  it.each([
    ['<ipset/>', '<ipset> has no attribute "type"'],
    ['<ipset type="bitmap:port"/>', '"bitmap:port" is no type of set firewalld makes'],
    ['<ipset type="hash:ip"><option name="comment"/></ipset>', '"comment" is no option of a set'],
    [
      '<ipset type="hash:ip"><option name="maxelem" value="-1"/></ipset>',
      'the value "-1" of the option "maxelem" is no number from 0',
    ],
    [
      '<ipset type="hash:mac"><option name="family" value="inet"/></ipset>',
      'a set of MAC addresses has no family',
    ],
  ])('%s is fatal', (text, detail) => {
    expect(readFiles({ 'ipsets/a.xml': text }).problems[0]).toMatchObject({ consequence: 'fatal', detail });
  });
});

describe('direct.xml', () => {
  const rule = (attributes: string, args: string) => `<rule ${attributes}>${args}</rule>`;
  const INPUT = 'ipv="ipv4" table="filter" chain="INPUT"';

  it('holds chains, rules and passthroughs as written', () => {
    const { direct, problems } = readFiles({
      'direct.xml': `<direct><chain ipv="ipv4" table="filter" chain="own"/>${rule(`${INPUT} priority="-1"`, '-s 192.0.2.1\n -j own')}<passthrough ipv="eb">-N x</passthrough></direct>`,
    });
    expect(problems).toEqual([]);
    expect(direct).toMatchObject({
      chains: [{ family: 'ipv4', table: 'filter', chain: 'own' }],
      rules: [{ family: 'ipv4', chain: 'INPUT', priority: -1, args: '-s 192.0.2.1  -j own' }],
      passthroughs: [{ family: 'eb', args: '-N x' }],
    });
  });

  it.each([
    ['<oops/>', 'unknown element <oops> in direct.xml'],
    ['<chain ipv="ipv7" table="filter" chain="a"/>', 'the IP version "ipv7" is none'],
    ['<chain ipv="eb" table="mangle" chain="a"/>', '"mangle" is no table of eb'],
    [rule(`${INPUT} priority="x"`, '-j DROP'), 'the priority "x" of a direct rule is no number'],
    [
      rule(`${INPUT} priority="0"`, "-m comment --comment 'a"),
      'the arguments of a direct rule have an open quotation mark',
    ],
    [rule(INPUT, '-j DROP'), '<rule> has no attribute "priority"'],
    ['<chain', 'no well-formed XML'],
  ])('%s ends the reading; what came before counts, and nothing is fatal', (broken, detail) => {
    const before = rule(`${INPUT} priority="0"`, '-j ACCEPT');
    const after = rule(`${INPUT} priority="0"`, '-j DROP');
    const { direct, problems } = readFiles({ 'direct.xml': `<direct>${before}${broken}${after}</direct>` });
    expect(direct?.rules.map((r) => r.args)).toEqual(['-j ACCEPT']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ consequence: 'skipped' });
    expect(problems[0]?.detail).toContain(detail);
  });
});

describe('what is said', () => {
  it('a problem is told with what follows from it', () => {
    const [fatal] = readZone('<oops/>').problems;
    expect(describeProblem(fatal!)).toBe(
      'unknown element <oops> in a zone file: firewalld refuses its whole configuration because of this and runs the stock one instead',
    );
    const [skipped] = readZone('<source/>').problems;
    expect(describeProblem(skipped!)).toMatch(/: firewalld leaves this out$/);
  });

  it('at most 5,000 problems of each consequence are kept, and the worst ones never give way to others', () => {
    const { problems } = readZone(`${'<service name="ssh"/>'.repeat(6_000)}${'<oops/>'.repeat(6_000)}`);
    const count = (consequence: string) => problems.filter((p) => p.consequence === consequence).length;
    expect([count('note'), count('fatal')]).toEqual([5_002, 5_000]);
  });

  it('names out of a file are shortened', () => {
    const { problems } = readZone(`<port port="${'9'.repeat(1000)}" protocol="tcp"/>`);
    expect(problems[0]!.detail.length).toBeLessThan(200);
  });
});
