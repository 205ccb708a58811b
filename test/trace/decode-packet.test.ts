import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePackets, PACKET_KEYS } from '../../src/trace/index.ts';

const TCP = {
  hook: 'input',
  saddr: '203.0.113.7',
  daddr: '192.0.2.10',
  proto: 'tcp',
  sport: 40000,
  dport: 7938,
};
const ICMP = { hook: 'output', saddr: '2001:db8::1', daddr: '2001:db8::2', proto: 'icmpv6', icmp_type: 128 };

function decodeOne(object: unknown) {
  return decodePackets(JSON.stringify(object), 'packets.jsonl');
}

function problemsOf(object: unknown): string[] {
  return decodeOne(object).problems.map((problem) => problem.message);
}

describe('packets that are read', () => {
  it('a tcp packet gets the defaults of the contract', () => {
    expect(decodeOne(TCP)).toEqual({
      problems: [],
      packets: [
        {
          hook: 'input',
          version: 4,
          saddr: 0xcb007107n,
          daddr: 0xc000020an,
          protocol: 6,
          sport: 40000,
          dport: 7938,
          icmpType: undefined,
          icmpCode: undefined,
          iif: undefined,
          oif: undefined,
          tcpFlags: 2,
          ctState: 'new',
          mark: 0n,
          ctMark: 0n,
          smac: undefined,
          dscp: undefined,
          ecn: undefined,
          ttl: undefined,
          length: undefined,
          pkttype: undefined,
          ctDnat: undefined,
          ctSnat: undefined,
        },
      ],
    });
  });

  it('an ICMP packet has code 0 where none is given, and no flags', () => {
    const [packet] = decodeOne(ICMP).packets;
    expect(packet).toMatchObject({ version: 6, protocol: 58, icmpType: 128, icmpCode: 0, tcpFlags: 0 });
  });

  it.each([
    ['proto as a number', { ...TCP, proto: 17 }, { protocol: 17, tcpFlags: 0 }],
    ['proto as the text of a number', { ...TCP, proto: '132' }, { protocol: 132 }],
    ['proto in capitals', { ...TCP, proto: 'TCP' }, { protocol: 6 }],
    ['IPv4 ICMP over IPv6', { ...ICMP, proto: 'icmp' }, { version: 6, protocol: 1 }],
    ['flags as a list', { ...TCP, tcp_flags: ['SYN', 'ack'] }, { tcpFlags: 18 }],
    ['no flags', { ...TCP, tcp_flags: [] }, { tcpFlags: 0 }],
    ['flags of another protocol mean nothing', { ...ICMP, tcp_flags: ['syn'] }, { tcpFlags: 0 }],
    ['a mark as a number', { ...TCP, mark: 4294967295 }, { mark: 0xffff_ffffn }],
    ['a mark as hexadecimal text', { ...TCP, mark: '0x1F', ct_mark: '7' }, { mark: 31n, ctMark: 7n }],
    ['a hardware address', { ...TCP, smac: '00:53:00:aa:bb:CC' }, { smac: 0x005300aabbccn }],
    ['a hardware address with hyphens', { ...TCP, smac: '00-53-00-00-00-01' }, { smac: 0x005300000001n }],
    ['a packet type', { ...TCP, pkttype: 'broadcast' }, { pkttype: 1 }],
    ['a status', { ...TCP, ct_status: ['dnat'] }, { ctDnat: true, ctSnat: false }],
    ['a status as one name', { ...TCP, ct_status: 'snat' }, { ctDnat: false, ctSnat: true }],
    ['no status at all', { ...TCP, ct_status: [] }, { ctDnat: false, ctSnat: false }],
    ['null is absent', { ...TCP, mark: null, iif: null, icmp_type: null }, { mark: 0n, iif: undefined }],
    [
      'the ends of the ranges',
      { ...TCP, sport: 0, dport: 65535, dscp: 63, ttl: 255, length: 65535 },
      { dport: 65535 },
    ],
    ['an interface', { ...TCP, iif: 'bond0.7@x' }, { iif: 'bond0.7@x' }],
    ['every state', { ...TCP, ct_state: 'untracked' }, { ctState: 'untracked' }],
  ])('%s', (_, object, expected) => {
    const { packets, problems } = decodeOne(object);
    expect(problems).toEqual([]);
    expect(packets[0]).toMatchObject(expected);
  });

  it('empty lines, carriage returns and a byte order mark do no harm', () => {
    const line = JSON.stringify(TCP);
    const { packets, problems } = decodePackets(`\ufeff${line}\r\n\n  \n${line}`, 'f');
    expect(problems).toEqual([]);
    expect(packets).toHaveLength(2);
  });

  it('an empty file has no packets', () => {
    expect(decodePackets('', 'f')).toEqual({ packets: [], problems: [] });
  });
});

describe('packets that are not read', () => {
  it.each([
    ['no object', [TCP], /expected one JSON object/],
    ['null', null, /expected one JSON object, found null/],
    ['a missing hook', { ...TCP, hook: undefined }, /^hook is missing$/],
    ['a missing port', { ...TCP, sport: undefined }, /^sport is missing$/],
    ['a missing ICMP type', { ...ICMP, icmp_type: undefined }, /^icmp_type is missing$/],
    ['an unknown key', { ...TCP, dprot: 1 }, /unknown key "dprot"/],
    [
      'a key of the prototype',
      JSON.parse(JSON.stringify(TCP).replace('{', '{"__proto__":1,')),
      /unknown key "__proto__"/,
    ],
    [
      'a hook of netfilter that is no way',
      { ...TCP, hook: 'prerouting' },
      /hook: expected one of input, forward, output/,
    ],
    ['a hook named like a method', { ...TCP, hook: 'constructor' }, /hook: expected/],
    ['a prefix as address', { ...TCP, saddr: '192.0.2.0/24' }, /saddr: expected an IPv4 or IPv6 address/],
    ['an address in octal', { ...TCP, saddr: '192.0.02.1' }, /saddr/],
    ['addresses of two versions', { ...TCP, saddr: '2001:db8::1' }, /expected one version/],
    ['an unknown protocol', { ...TCP, proto: 'tpc' }, /proto: expected/],
    ['a protocol out of range', { ...TCP, proto: 256 }, /proto: expected/],
    [
      'a port out of range',
      { ...TCP, dport: 65536 },
      /dport: expected a whole number from 0 to 65535, found 65536/,
    ],
    ['a port that is no whole number', { ...TCP, dport: 1.5 }, /dport/],
    ['a port as text', { ...TCP, dport: '22' }, /dport/],
    ['a port for ICMP', { ...ICMP, dport: 22 }, /^dport is for protocols with ports only$/],
    ['an ICMP type for tcp', { ...TCP, icmp_type: 8 }, /^icmp_type is for proto icmp/],
    ['an unknown flag', { ...TCP, tcp_flags: ['syn', 'sin'] }, /tcp_flags: expected a list of fin, syn/],
    ['an unknown state', { ...TCP, ct_state: 'NEW,RELATED' }, /ct_state/],
    ['a mark out of range', { ...TCP, mark: '4294967296' }, /mark/],
    ['a negative mark', { ...TCP, mark: -1 }, /mark/],
    ['a short hardware address', { ...TCP, smac: '00:53:00:aa:bb' }, /smac/],
    ['an empty interface name', { ...TCP, iif: '' }, /iif: expected an interface name/],
    ['an interface name with a NUL', { ...TCP, oif: '\u0000' }, /oif/],
    ['a packet type by number', { ...TCP, pkttype: 1 }, /pkttype/],
    ['an unknown status', { ...TCP, ct_status: ['assured'] }, /ct_status/],
  ])('%s', (_, object, message) => {
    expect(problemsOf(object)).toEqual([expect.stringMatching(message)]);
    expect(decodeOne(object).packets).toEqual([]);
  });

  it('every problem of a line is told, with its number', () => {
    const text = [JSON.stringify(TCP), '', '{"hook":"in"}', '{', JSON.stringify({ ...TCP, ttl: 256 })].join(
      '\n',
    );
    const { problems } = decodePackets(text, 'p.jsonl');
    expect(problems.map((one) => one.line)).toEqual([3, 3, 3, 3, 4, 5]);
    expect(new Set(problems.map((one) => one.file))).toEqual(new Set(['p.jsonl']));
  });

  it('a long value is cut in the message', () => {
    const [message] = problemsOf({ ...TCP, saddr: 'x'.repeat(100_000) });
    expect(message?.length).toBeLessThan(200);
  });

  it('no text makes the decoder throw, and every problem has a line of the text', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string(),
      fc.constantFrom('tcp', 'input', 6, '192.0.2.1', [], null),
    );
    const object = fc
      .dictionary(fc.constantFrom(...PACKET_KEYS, 'other'), value)
      .map((one) => JSON.stringify(one));
    fc.assert(
      fc.property(fc.array(fc.oneof(object, fc.string()), { maxLength: 5 }), (lines) => {
        const text = lines.join('\n');
        const { packets, problems } = decodePackets(text, 'f');
        const count = text.split('\n').length;
        expect(problems.every((one) => one.line >= 1 && one.line <= count && one.message !== '')).toBe(true);
        expect(packets.length).toBeLessThanOrEqual(count);
      }),
    );
  });
});
