import { describe, expect, it } from 'vitest';
import { problemsOf, readZone } from './read-support.ts';

/** The rules of a zone with this content, each as its parts. */
function rulesOf(content: string): readonly string[] {
  return readZone(content).zones[0]!.richRules.map(({ source, destination, elements, logs, actions }) =>
    [
      ...[source, destination].flatMap((e) =>
        e === undefined ? [] : [`${e.invert ? 'not ' : ''}${e.value}`],
      ),
      ...[...elements, ...logs, ...actions].map((part) => part.kind),
    ].join(' '),
  );
}

describe('a rich rule', () => {
  it('holds what it says, in one piece', () => {
    const read = readZone(
      '<rule family="ipv4" priority="-5"><source address="192.0.2.0/24" invert="True"/><destination ipset="x"/>' +
        '<service name="ssh"/><log prefix="a" level="info"><limit value="3/m"/></log><audit/>' +
        '<reject type="tcp-reset"><limit value="1/second"/></reject></rule>',
    );
    expect(read.problems).toEqual([]);
    expect(read.zones[0]?.richRules).toMatchObject([
      {
        family: 'ipv4',
        priority: '-5',
        source: { kind: 'address', value: '192.0.2.0/24', invert: true },
        destination: { kind: 'ipset', value: 'x', invert: false },
        elements: [{ kind: 'service', name: 'ssh' }],
        logs: [
          { kind: 'log', limit: '3/m' },
          { kind: 'audit', limit: undefined },
        ],
        actions: [{ kind: 'reject', rejectType: 'tcp-reset', limit: '1/second' }],
        origin: { path: '/zone/rule', line: 1, column: 7 },
      },
    ]);
  });

  it.each([
    ['<rule><service name="ssh"/><accept/></rule>', 'service accept'],
    ['<rule><source mac="02:00:00:00:00:0a"/><drop/></rule>', '02:00:00:00:00:0A drop'],
    ['<rule><source ipset="a"/><accept/></rule>', 'a accept'],
    ['<rule priority="1"><drop/></rule>', 'drop'],
    ['<rule priority="1"><log/></rule>', 'log'],
    ['<rule><service name="ssh"/><log/></rule>', 'service log'],
    ['<rule><icmp-block name="redirect"/></rule>', 'icmp-block'],
    ['<rule><masquerade/></rule>', 'masquerade'],
    ['<rule><tcp-mss-clamp/></rule>', 'tcp-mss-clamp'],
    [
      '<rule family="ipv6"><forward-port port="80" protocol="tcp" to-addr="[2001:db8::1]"/></rule>',
      'forward-port',
    ],
    ['<rule><protocol value="IGMP"/><mark set="0x1/0xff"/></rule>', 'protocol mark'],
    ['<rule><source-port port="ssh" protocol="dccp"/><accept/></rule>', 'source-port accept'],
    [
      '<rule family="ipv4"><source address="192.0.2.1/255.0.255.0"/><accept/></rule>',
      '192.0.2.1/255.0.255.0 accept',
    ],
    ['<rule><service name="ssh"><accept/></service></rule>', 'service accept'],
  ])('%s is taken', (text, parts) => {
    expect(rulesOf(text)).toEqual([parts]);
    expect(readZone(text).problems).toEqual([]);
  });

  it.each([
    ['<rule><service name="ssh"/></rule>', 'a rich rule has no action'],
    ['<rule><accept/></rule>', 'a rich rule has neither element nor address, and the priority 0'],
    ['<rule><log/><accept/></rule>', 'a rich rule has neither element nor address, and the priority 0'],
    ['<rule/>', 'a rich rule has neither element nor action'],
    [
      '<rule><source address="192.0.2.1"/><accept/></rule>',
      'a rich rule with a source address has no family',
    ],
    ['<rule><destination ipset="a"/><accept/></rule>', 'a rich rule with a destination has no family'],
    [
      '<rule><forward-port port="1" protocol="tcp" to-port="2"/></rule>',
      'a rich rule with a forward-port has no family',
    ],
    [
      '<rule><service name="ssh"/><reject type="tcp-reset"/></rule>',
      'a rich rule with a reject type has no family',
    ],
    ['<rule family="inet"><service name="ssh"/><accept/></rule>', 'a rich rule of the unknown family "inet"'],
    [
      '<rule priority="32768"><service name="ssh"/><accept/></rule>',
      'the priority "32768" of a rich rule is outside of -32768 to 32767',
    ],
    [
      '<rule><service name="ssh"/><port port="1" protocol="tcp"/><accept/></rule>',
      'a rich rule with both <service> and <port>',
    ],
    ['<rule><service name="ssh"/><accept/><drop/></rule>', 'a rich rule with more than one action'],
    [
      '<rule><source ipset="a"/><source ipset="b"/><accept/></rule>',
      'a rich rule with more than one <source>',
    ],
    [
      '<rule><interface name="eth0"/><service name="ssh"/><accept/></rule>',
      'a rich rule with an <interface>',
    ],
    ['<rule><masquerade/><accept/></rule>', 'a rich rule has both <masquerade> and an action'],
    ['<rule><icmp-block name="a"/><drop/></rule>', 'a rich rule has both <icmp-block> and an action'],
    ['<rule><service name="ssh"/><audit/></rule>', 'a rich rule with <audit> has no accept, reject or drop'],
    ['<rule><service name=""/><accept/></rule>', 'the <service> of a rich rule has an empty name'],
    ['<rule><port port="99999" protocol="tcp"/><accept/></rule>', 'the port "99999" of a rich rule is none'],
    [
      '<rule><port port="1" protocol="esp"/><accept/></rule>',
      'the protocol "esp" of a rich rule has no ports (tcp, udp, sctp, dccp)',
    ],
    ['<rule><protocol value="nope"/><accept/></rule>', 'the protocol "nope" of a rich rule is none'],
    [
      '<rule family="ipv6"><source address="192.0.2.1"/><accept/></rule>',
      'the source "192.0.2.1" of a rich rule is no address of its family',
    ],
    [
      '<rule family="ipv4"><source address="192.0.2.1" ipset="a"/><accept/></rule>',
      'the source of a rich rule has more than one of address, mac and ipset',
    ],
    ['<rule><source mac="02:00"/><accept/></rule>', 'the source "02:00" of a rich rule is no MAC address'],
    [
      '<rule family="ipv4"><forward-port port="1" protocol="tcp"/></rule>',
      'the <forward-port> of a rich rule has no target',
    ],
    [
      '<rule family="ipv4"><service name="ssh"/><reject type="icmp6-no-route"/></rule>',
      'the reject type "icmp6-no-route" of a rich rule is none of its family',
    ],
    ['<rule><service name="ssh"/><mark set="x"/></rule>', 'the mark "x" is none'],
    [
      '<rule><service name="ssh"/><accept><limit value="0/s"/></accept></rule>',
      'the limit "0/s" of a rich rule is none',
    ],
    [
      '<rule><service name="ssh"/><accept><limit value="1/d"/></accept></rule>',
      'the limit "1/d" of a rich rule is too slow',
    ],
    [
      '<rule><service name="ssh"/><accept><limit value="1/m"/><limit value="1/m"/></accept></rule>',
      'a rich rule with more than one <limit> at one place',
    ],
    [
      '<rule><service name="ssh"/><limit value="1/m"/><accept/></rule>',
      '<limit> outside of an action, log or audit',
    ],
    [
      '<rule><service name="ssh"/><log/><log><limit value="1/m"/></log><accept/></rule>',
      '<limit> outside of an action, log or audit',
    ],
    [
      '<rule><service name="ssh"/><log level="warn"/><accept/></rule>',
      'a rich rule with the log level "warn"',
    ],
    [
      '<rule><service name="ssh"/><nflog group="65536"/><accept/></rule>',
      'a rich rule with an nflog number that is none',
    ],
    [
      '<rule><tcp-mss-clamp value="535"/></rule>',
      'the value "535" of <tcp-mss-clamp> is neither "pmtu" nor from 536',
    ],
  ])('%s vanishes', (text, detail) => {
    const { zones, problems } = readZone(text);
    expect(zones[0]?.richRules).toEqual([]);
    expect(problems.filter((p) => p.consequence === 'skipped').map((p) => p.detail)).toContain(detail);
    expect(problems.some((p) => p.consequence === 'fatal')).toBe(false);
  });

  it.each([
    ['<log prefix="a=b"/>', true],
    [`<log prefix='a"b'/>`, true],
    ['<log prefix="a\\"/>', true],
    [`<log prefix='a"b"c'/>`, false],
    [`<log prefix='a"b c"d'/>`, true],
    [`<log prefix='"a" b'/>`, false],
    ['<log prefix="a\\b"/>', false],
    ['<log prefix="it\'s"/>', false],
  ])('%s: firewalld writes rules as text and must be able to read them back', (log, fatal) => {
    const { problems } = readZone(`<rule><service name="ssh"/>${log}<accept/></rule>`);
    expect(problems.some((p) => p.consequence === 'fatal')).toBe(fatal);
  });

  it('with a second log or destination keeps the first of each', () => {
    const text =
      '<rule family="ipv4"><destination address="192.0.2.1"/><destination address="192.0.2.2"/><log/><log/><accept/></rule>';
    expect(rulesOf(text)).toEqual(['192.0.2.1 log accept']);
    expect(readZone(text).problems.map((p) => p.consequence)).toEqual(['skipped', 'skipped']);
  });

  it('a limit behind <nflog/> is still that of the log', () => {
    expect(
      readZone('<rule><service name="ssh"/><nflog/><limit value="1/m"/><accept/></rule>').zones[0]?.richRules,
    ).toMatchObject([{ logs: [{ kind: 'nflog', limit: '1/m' }], actions: [{ limit: undefined }] }]);
  });

  it("inside another ends the other, and what follows its end is the zone's", () => {
    const read = readZone(
      '<rule><service name="ssh"/><rule><service name="http"/><accept/></rule><service name="dns"/></rule>',
    );
    expect(read.zones[0]?.richRules).toMatchObject([{ elements: [{ name: 'http' }] }]);
    expect(read.zones[0]?.services).toMatchObject([{ name: 'dns' }]);
    expect(problemsOf(read)[0]).toBe('skipped 1:7 a rich rule in which another one begins');
  });

  it('counts once when it stands twice, however its priority is written', () => {
    const read = readZone(
      '<rule priority="0"><service name="ssh"/><accept/></rule><rule><service name="ssh"/><accept/></rule>',
    );
    expect(read.zones[0]?.richRules).toHaveLength(1);
    expect(read.problems).toMatchObject([{ consequence: 'note' }]);
  });

  it('is passed over to its end after its first error, unknown elements included', () => {
    const read = readZone('<rule family="x"><oops/><source/></rule><service name="ssh"/>');
    expect(problemsOf(read)).toEqual(['skipped 1:13 a rich rule of the unknown family "x"']);
    expect(read.zones[0]?.services).toHaveLength(1);
  });
});
