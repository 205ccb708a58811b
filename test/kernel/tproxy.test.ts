/** Packets that a rule gives to the transparent socket of a local program: the mark they get, and the port that answers. */
import { describe, expect, it } from 'vitest';
import { scanTexts } from '../scan-support.ts';
import { ALL_EXPORTS, askNwaudit } from './ask-nwaudit.ts';
import { skipsKernelTests } from './environment.ts';
import { ADDRESS, runExchanges, type TcpExchange } from './exchange-run.ts';
import type { KernelExports, KernelRules } from './run-kernel-case.ts';

interface Case {
  readonly name: string;
  readonly load: KernelRules;
  /** The port that answers where a program has a transparent socket, and where its socket is an ordinary one. */
  readonly transparent: number | null;
  readonly ordinary: number | null;
  /** What `trace` says of the first packet. */
  readonly verdict: 'accept' | 'drop' | 'unknown';
  readonly to?: 'far';
  /** Where the programs are, if not on the host. */
  readonly serve?: 'far';
}

const INPUT = (lines: string): string => `*filter\n:INPUT DROP\n${lines}\nCOMMIT\n`;
const MANGLE = (lines: string): string => `*mangle\n${lines}\nCOMMIT\n`;
const nft = (prerouting: string, input: string): KernelRules => ({
  nft: `table inet t {\nchain p {\ntype filter hook prerouting priority -150\n${prerouting}\n}\nchain i {\ntype filter hook input priority 0; policy drop;\n${input}\n}\n}\n`,
});

const CASES: readonly Case[] = [
  {
    name: 'the mark that the target sets',
    load: {
      iptables:
        MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090 --tproxy-mark 0x7') +
        INPUT('-A INPUT -m mark --mark 0x7 -j ACCEPT'),
    },
    transparent: 9090,
    ordinary: null,
    verdict: 'unknown',
  },
  {
    name: 'the mark within a mask, over an older one',
    load: {
      iptables:
        MANGLE(
          '-A PREROUTING -j MARK --set-mark 0x6\n-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090 --tproxy-mark 0x1/0x3',
        ) + INPUT('-A INPUT -m mark --mark 0x5 -j ACCEPT'),
    },
    transparent: 9090,
    ordinary: null,
    verdict: 'unknown',
  },
  {
    name: 'a mark that it does not set',
    load: {
      iptables:
        MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090 --tproxy-mark 0x1') +
        INPUT('-A INPUT -m mark --mark 0x2 -j ACCEPT'),
    },
    transparent: null,
    ordinary: null,
    verdict: 'drop',
  },
  {
    name: 'no mark, and a filter that knows the port the packet was sent to',
    load: {
      iptables:
        MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090') +
        INPUT('-A INPUT -p tcp --dport 443 -j ACCEPT'),
    },
    transparent: 9090,
    ordinary: null,
    verdict: 'unknown',
  },
  {
    name: 'the filter does not see the port of the socket',
    load: {
      iptables:
        MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090') +
        INPUT('-A INPUT -p tcp --dport 9090 -j ACCEPT'),
    },
    transparent: null,
    ordinary: null,
    verdict: 'drop',
  },
  {
    name: 'no port: the own one',
    load: {
      iptables:
        MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 0 --tproxy-mark 1') +
        INPUT('-A INPUT -m mark --mark 1 -j ACCEPT'),
    },
    transparent: 443,
    ordinary: null,
    verdict: 'unknown',
  },
  {
    name: 'the rest of an nft rule',
    load: nft('tcp dport 443 tproxy ip to :9090 meta mark set 0x7', 'meta mark 0x7 accept'),
    transparent: 9090,
    ordinary: null,
    verdict: 'unknown',
  },
  {
    name: 'without a socket an nft rule lets the packet go on',
    load: nft('tcp dport 443 tproxy ip to :9090 drop', 'tcp dport 443 accept'),
    transparent: null,
    ordinary: 443,
    verdict: 'unknown',
  },
  {
    name: 'what has a socket is not passed on',
    load: { iptables: MANGLE('-A PREROUTING -p tcp --dport 443 -j TPROXY --on-port 9090') },
    to: 'far',
    transparent: null,
    ordinary: null,
    verdict: 'drop',
  },
  {
    name: 'what other rules did to other packets stays apart from it, however many they are',
    load: {
      iptables: MANGLE(
        [
          '-A PREROUTING -p tcp --dport 8443 -j TPROXY --on-port 9090',
          ...Array.from(
            { length: 30 },
            (_, i) => `-A PREROUTING -p tcp --dport ${i + 1} -j MARK --set-mark ${i + 1}`,
          ),
        ].join('\n'),
      ),
    },
    to: 'far',
    serve: 'far',
    transparent: 443,
    ordinary: 443,
    verdict: 'accept',
  },
];

function exchange({ to, serve }: Case, transparent: boolean): TcpExchange {
  return {
    kind: 'tcp',
    version: 4,
    from: 'peer',
    to: to ?? 'host',
    serve: serve ?? 'host',
    sport: 50_000,
    dport: 443,
    listen: [443, 9090],
    transparent,
  };
}

/** What both evaluators say of the first packet. */
function firstPacket({ to }: Case, exports: KernelExports): unknown {
  const way = to === undefined ? { hook: 'input' as const } : { hook: 'forward' as const, oif: 'eth1' };
  const [answer] = askNwaudit(
    exports,
    [
      {
        ...way,
        iif: 'eth0',
        saddr: ADDRESS.peer[4],
        daddr: ADDRESS[to ?? 'host'][4],
        proto: 'tcp',
        sport: 50_000,
        dport: 443,
        ct_state: 'new',
      },
    ],
    ALL_EXPORTS,
  );
  expect(answer?.differ).toBe(false);
  return answer?.sets;
}

describe.skipIf(skipsKernelTests())('transparent proxies', () => {
  it.each(CASES)('$name', async (one) => {
    const [{ exports, answers }] = (await runExchanges([
      { load: one.load, exchanges: [exchange(one, true), exchange(one, false)] },
    ])) as [Awaited<ReturnType<typeof runExchanges>>[number]];
    expect(answers.map(({ port }) => port)).toEqual([one.transparent, one.ordinary]);
    const ports = [one.transparent, one.ordinary].filter((port) => port !== null);
    expect(firstPacket(one, exports)).toMatchObject({
      verdict: one.verdict,
      ...(one.verdict !== 'drop' && { dport: ports[0] }),
    });
  });

  it('a port that is reached that way only is found', async () => {
    const [{ exports }] = (await runExchanges([{ load: CASES[0]!.load, exchanges: [] }])) as [
      Awaited<ReturnType<typeof runExchanges>>[number],
    ];
    const config = { hosts: { 'nmc-01': { role: 'nmc', addresses: [ADDRESS.host[4]] } } };
    const report = scanTexts({ 'nmc-01.rules': Object.values(exports).join('') }, config);
    const found = report.findings.filter(({ message }) => message.includes('9090'));
    expect(found.map(({ certainty }) => certainty)).toContain('possible');
  });
});
