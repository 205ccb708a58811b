import { describe, expect, it, vi } from 'vitest';
import * as evaluate from '../../src/evaluate/index.ts';
import type { Packet, Ruleset } from '../../src/model/index.ts';
import { parseIptablesSave } from '../../src/parse/iptables-save/index.ts';
import { decodePackets, encodeAnswer, TraceDisagreement, traceHost } from '../../src/trace/index.ts';

vi.mock('../../src/evaluate/index.ts', { spy: true });

const RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 9090
-A PREROUTING -p tcp -m tcp --dport 8443 -j DNAT --to-destination 192.0.2.9:7940
-A OUTPUT -p tcp -m tcp --dport 444 -j REDIRECT --to-ports 9090
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:NW - [0:0]
-A INPUT -p tcp -m tcp --dport 7937:9936 -j NW
-A INPUT -p tcp -m tcp --dport 22 -m owner --uid-owner 7 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 23 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -m mac --mac-source 00:53:00:00:00:01 -j ACCEPT
-A FORWARD -d 192.0.2.9/32 -p tcp -m tcp --dport 7940 -j ACCEPT
-A NW -s 192.0.2.0/24 -j ACCEPT
COMMIT
`;

function ruleset(text = RULES): Ruleset {
  return parseIptablesSave(text, 'host.rules').ruleset;
}

function packetsOf(...objects: object[]): readonly Packet[] {
  const base = {
    hook: 'input',
    saddr: '192.0.2.1',
    daddr: '192.0.2.10',
    proto: 'tcp',
    sport: 40000,
    dport: 7938,
  };
  const { packets, problems } = decodePackets(
    objects.map((one) => JSON.stringify({ ...base, ...one })).join('\n'),
    'p',
  );
  expect(problems).toEqual([]);
  return packets;
}

function encoded(...objects: object[]) {
  const packets = packetsOf(...objects);
  return traceHost(ruleset(), packets).map((answer, i) => encodeAnswer(i, packets[i]!.version, answer));
}

describe('answers', () => {
  it('have the keys of the contract, in its order, and name every matched rule with its place', () => {
    const [answer] = encoded({});
    expect(JSON.parse(JSON.stringify(answer))).toEqual({
      packet: 0,
      verdict: 'accept',
      certain: true,
      delivered: { daddr: '192.0.2.10', dport: 7938 },
      path: expect.arrayContaining([
        {
          file: 'host.rules',
          line: 13,
          column: 1,
          path: null,
          family: 'ip',
          table: 'filter',
          chain: 'INPUT',
          rule: '-A INPUT -p tcp -m tcp --dport 7937:9936 -j NW',
          verdict: 'jump NW',
        },
        {
          file: 'host.rules',
          line: 18,
          column: 1,
          path: null,
          family: 'ip',
          table: 'filter',
          chain: 'NW',
          rule: '-A NW -s 192.0.2.0/24 -j ACCEPT',
          verdict: 'accept',
        },
      ]),
      unknown: [],
    });
    expect(Object.keys(answer ?? {})).toEqual([
      'packet',
      'verdict',
      'certain',
      'delivered',
      'path',
      'unknown',
    ]);
  });

  it('stand in the order of the packets', () => {
    const verdicts = encoded({}, { dport: 80 }, { dport: 23 }, {}).map(({ packet, verdict }) => [
      packet,
      verdict,
    ]);
    expect(verdicts).toEqual([
      [0, 'accept'],
      [1, 'unknown'],
      [2, 'reject'],
      [3, 'accept'],
    ]);
  });

  it('a policy that decides is the last step, without a rule', () => {
    const [answer] = encoded({ dport: 80, smac: '00:53:00:00:00:02' });
    expect(answer?.verdict).toBe('drop');
    expect(answer?.path.at(-1)).toMatchObject({ chain: 'INPUT', rule: null, verdict: 'drop', line: 9 });
  });

  it('unknown names the predicate it hangs on', () => {
    const [answer] = encoded({ dport: 22, smac: '00:53:00:00:00:02' });
    expect(answer).toMatchObject({ verdict: 'unknown', certain: false });
    expect(answer?.unknown).toEqual([expect.stringMatching(/owner/)]);
  });

  it('a field that the packet does not give is an unknown', () => {
    const [answer] = encoded({ dport: 80 });
    expect(answer?.verdict).toBe('unknown');
    expect(answer?.unknown).toHaveLength(1);
    const given = encoded({ dport: 80, smac: '00:53:00:00:00:01' });
    expect(given[0]).toMatchObject({ verdict: 'accept', unknown: [] });
  });

  it('after DNAT the new destination is the one delivered to', () => {
    const [answer] = encoded({ hook: 'forward', dport: 8443 });
    expect(answer).toMatchObject({ verdict: 'accept', delivered: { daddr: '192.0.2.9', dport: 7940 } });
  });

  it.each(['input', 'output'])(
    'after REDIRECT on %s the address is null and the port the new one',
    (hook) => {
      const [answer] = encoded({ hook, dport: hook === 'input' ? 443 : 444 });
      expect(answer).toMatchObject({ verdict: 'accept', delivered: { daddr: null, dport: 9090 } });
    },
  );

  it('a protocol without ports has no port', () => {
    const [answer] = encoded({ hook: 'output', proto: 'icmp', sport: null, dport: null, icmp_type: 8 });
    expect(answer).toMatchObject({ verdict: 'accept', delivered: { daddr: '192.0.2.10', dport: null } });
  });

  it('a ruleset without tables accepts', () => {
    expect(traceHost({ tables: [], namedSets: [] }, packetsOf({}))).toMatchObject([
      { verdict: 'accept', path: [] },
    ]);
  });

  it('equal packets are computed once', () => {
    vi.mocked(evaluate.evaluatePacket).mockClear();
    traceHost(
      ruleset(),
      packetsOf({}, {}, { iif: 'a' }, { iif: 'a' }, { oif: 'a' }, { mark: 1 }, { ct_status: [] }),
    );
    expect(evaluate.evaluatePacket).toHaveBeenCalledTimes(5);
  });
});

describe('the two ways to an answer', () => {
  it('a different verdict is a defect and both answers are told', () => {
    const real = evaluate.evaluatePacket(evaluate.prepareRuleset(ruleset()), packetsOf({})[0]!);
    vi.mocked(evaluate.evaluatePacket).mockReturnValueOnce({ ...real, verdict: 'drop' });
    const attempt = () => traceHost(ruleset(), packetsOf({}));
    expect(attempt).toThrow(TraceDisagreement);
    vi.mocked(evaluate.evaluatePacket).mockReturnValueOnce({ ...real, verdict: 'drop' });
    expect(attempt).toThrow(
      expect.objectContaining({
        packetIndex: 0,
        bySets: expect.objectContaining({ verdict: 'accept' }),
        byWalk: expect.objectContaining({ verdict: 'drop' }),
      }),
    );
  });

  it('another destination of an accepted packet is a defect too', () => {
    const real = evaluate.evaluatePacket(evaluate.prepareRuleset(ruleset()), packetsOf({})[0]!);
    const elsewhere = { ...real, delivered: { ...real.delivered, dport: 1 } };
    vi.mocked(evaluate.evaluatePacket).mockReturnValueOnce(elsewhere);
    expect(() => traceHost(ruleset(), packetsOf({}))).toThrow(TraceDisagreement);
  });

  it('where packet sets are over their budget the plain evaluator answers, and that is told once for each way', () => {
    const reasons: string[] = [];
    const answers = traceHost(ruleset(), packetsOf({}, { dport: 23 }, { hook: 'output' }), {
      nodeBudget: 2000,
      onUncompared: (reason) => reasons.push(reason),
    });
    expect(answers.map((answer) => answer.verdict)).toEqual(['accept', 'reject', 'accept']);
    expect(reasons.length).toBeGreaterThan(0);
    expect(new Set(reasons.map((reason) => reason.split(':')[0])).size).toBe(reasons.length);
  });
});
