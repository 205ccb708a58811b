/**
 * Whole connections between real programs, held against what the checks say about required paths and their replies, and
 * against `trace`, packet by packet of the connection.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { scanTexts } from '../scan-support.ts';
import { ALL_EXPORTS, askNwaudit, type NwauditAnswer, type Said } from './ask-nwaudit.ts';
import { skipsFirewalldTests } from './environment.ts';
import {
  ADDRESS,
  type ExchangeAnswer,
  type ExchangeCase,
  runExchanges,
  type TcpExchange,
  type UnreachableExchange,
} from './exchange-run.ts';
import { createRandom, type Random } from './random.ts';
import type { KernelExports, KernelRules } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

const CONFIG = {
  hosts: {
    'nw-server': { role: 'server', addresses: [ADDRESS.peer[4]] },
    'client-01': { role: 'client', addresses: [ADDRESS.host[4]], service_ports: '7938-7938' },
  },
};

const skipped = skipsFirewalldTests('connection tests');

/** Source ports at both ends of the range that the check asks for, and one within. */
const SOURCE_PORTS = [49152, 55555, 60999];

/** Every connection that the guide asks for between these two hosts. */
const REQUIRED: readonly TcpExchange[] = SOURCE_PORTS.flatMap((sport) => [
  { kind: 'tcp', version: 4, from: 'peer', to: 'host', sport, dport: 7938, listen: [7938, 9090] },
  { kind: 'tcp', version: 4, from: 'host', to: 'peer', sport, dport: 7937, listen: [7937, 9090] },
  { kind: 'tcp', version: 4, from: 'host', to: 'peer', sport, dport: 7938, listen: [7938, 9090] },
]);

interface NamedRules {
  readonly name: string;
  readonly load?: KernelRules;
  readonly files?: Readonly<Record<string, string>>;
}

function iptables(name: string, filter: string, others = ''): NamedRules {
  return { name: `iptables: ${name}`, load: { iptables: `${others}*filter\n${filter}\nCOMMIT\n` } };
}

const CLOSED = ':INPUT DROP\n:FORWARD DROP\n:OUTPUT DROP';
const IN_CLOSED = ':INPUT DROP';
const STATEFUL = '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
const STATEFUL_OUT = '-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
const DATA_IN = '-A INPUT -s 192.0.2.10 -p tcp --dport 7938 -j ACCEPT';
const CONTROL_OUT = '-A OUTPUT -d 192.0.2.10 -p tcp --dport 7937:7938 -j ACCEPT';
const RAW = (lines: string): string => `*raw\n${lines}\nCOMMIT\n`;

const IPTABLES: readonly NamedRules[] = [
  iptables('nothing at all', ''),
  iptables('stateful both ways', `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`),
  iptables('output forgets established', `${CLOSED}\n${STATEFUL}\n${DATA_IN}\n${CONTROL_OUT}`),
  iptables('input forgets established', `${CLOSED}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`),
  iptables('output open, input stateful', `${IN_CLOSED}\n${STATEFUL}\n${DATA_IN}`),
  iptables('output open, input stateless', `${IN_CLOSED}\n${DATA_IN}`),
  iptables(
    'stateless both ways, with replies by source port',
    `${CLOSED}\n${DATA_IN}\n-A INPUT -p tcp --sport 7937:7938 -j ACCEPT\n${CONTROL_OUT}\n-A OUTPUT -p tcp --sport 7938 -j ACCEPT`,
  ),
  iptables(
    'replies by source port, but only to low ports',
    `${CLOSED}\n${DATA_IN}\n-A INPUT -p tcp --sport 7937:7938 --dport 49152:55000 -j ACCEPT\n${CONTROL_OUT}\n-A OUTPUT -p tcp --sport 7938 -j ACCEPT`,
  ),
  iptables(
    'only new connections come in',
    `${IN_CLOSED}\n-A INPUT -p tcp -m conntrack --ctstate NEW -j ACCEPT`,
  ),
  iptables(
    'only packets that begin come in',
    `${IN_CLOSED}\n-A INPUT -p tcp --syn -j ACCEPT\n-A INPUT -p tcp --tcp-flags SYN,ACK SYN,ACK -j ACCEPT`,
  ),
  iptables(
    'replies that carry a SYN are dropped',
    `:INPUT ACCEPT\n-A OUTPUT -p tcp --tcp-flags SYN,ACK SYN,ACK -j DROP`,
  ),
  iptables(
    'established is dropped before it is accepted',
    `${CLOSED}\n-A INPUT -s 192.0.2.10 -p tcp --sport 7937 -j DROP\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`,
  ),
  iptables(
    'one port is missing',
    `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n-A OUTPUT -p tcp --dport 7937 -j ACCEPT`,
  ),
  iptables(
    'rejected with a reset on the way out',
    `:OUTPUT ACCEPT\n-A OUTPUT -p tcp --sport 7938 -m conntrack --ctstate ESTABLISHED -j REJECT --reject-with tcp-reset`,
  ),
  iptables(
    'untracked both ways, stateless rules',
    `${CLOSED}\n${DATA_IN}\n-A INPUT -p tcp --sport 7937:7938 -j ACCEPT\n${CONTROL_OUT}\n-A OUTPUT -p tcp --sport 7938 -j ACCEPT`,
    RAW('-A PREROUTING -j NOTRACK\n-A OUTPUT -j CT --notrack'),
  ),
  ...(
    [
      ['requests into the host', '-A PREROUTING -p tcp --dport 7938 -j NOTRACK'],
      ['answers of the host', '-A OUTPUT -p tcp --sport 7938 -j NOTRACK'],
      ['requests out of the host', '-A OUTPUT -p tcp --dport 7937 -j NOTRACK'],
      ['answers to the host', '-A PREROUTING -p tcp --sport 7937 -j NOTRACK'],
    ] as const
  ).flatMap(([what, exempt]) => [
    iptables(
      `untracked only ${what}, stateful rules`,
      `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}\n-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\n-A OUTPUT -m conntrack --ctstate UNTRACKED -j ACCEPT`,
      RAW(exempt),
    ),
    iptables(
      `untracked only ${what}, what is invalid is let through`,
      `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n-A INPUT -m conntrack --ctstate INVALID,UNTRACKED,NEW -j ACCEPT\n-A OUTPUT -m conntrack --ctstate INVALID,UNTRACKED -j ACCEPT\n${CONTROL_OUT}`,
      RAW(exempt),
    ),
    iptables(
      `untracked only ${what}, what is invalid is stopped`,
      `:INPUT ACCEPT\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A OUTPUT -m conntrack --ctstate INVALID -j DROP`,
      RAW(exempt),
    ),
  ]),
  iptables(
    'untracked on an interface that these connections do not take, stateful rules',
    `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`,
    RAW('-A PREROUTING -i eth1 -p tcp -j NOTRACK\n-A OUTPUT -o eth1 -p tcp -j NOTRACK'),
  ),
  iptables(
    'requests untracked on an interface that these connections do not take, stateful rules',
    `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`,
    RAW('-A PREROUTING -i eth1 -p tcp --dport 7938 -j NOTRACK'),
  ),
  iptables(
    'requests untracked on the one interface that is let in, stateful rules',
    `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n-A INPUT -i eth0 -s 192.0.2.10 -p tcp --dport 7938 -j ACCEPT\n${CONTROL_OUT}`,
    RAW('-A PREROUTING -i eth0 -p tcp --dport 7938 -j NOTRACK'),
  ),
  iptables(
    'untracked both ways, stateful rules',
    `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n${DATA_IN}\n${CONTROL_OUT}`,
    RAW('-A PREROUTING -j NOTRACK\n-A OUTPUT -j NOTRACK'),
  ),
  iptables(
    'untracked both ways, and the state is accepted',
    `${CLOSED}\n-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT\n-A OUTPUT -m conntrack --ctstate UNTRACKED -j ACCEPT`,
    RAW('-A PREROUTING -p tcp -j CT --notrack\n-A OUTPUT -p tcp -j CT --notrack'),
  ),
];

/** nft wants a new line behind every block. */
function nft(name: string, text: string): NamedRules {
  return { name: `nft: ${name}`, load: { nft: text.replaceAll('; }', ';\n}').replaceAll('} }', '}\n}') } };
}

const NFT_IN = 'type filter hook input priority 0; policy drop;';
const NFT_OUT = 'type filter hook output priority 0; policy drop;';
const NFT_STATE = 'ct state established,related accept';
const NFT_DATA = 'ip saddr 192.0.2.10 tcp dport 7938 accept';
const NFT_CONTROL = 'ip daddr 192.0.2.10 tcp dport { 7937, 7938 } accept';

const NFT: readonly NamedRules[] = [
  nft('an empty table', 'table inet t { }'),
  nft(
    'stateful both ways',
    `table inet t { chain i { ${NFT_IN} ${NFT_STATE}; ${NFT_DATA}; }\n chain o { ${NFT_OUT} ${NFT_STATE}; ${NFT_CONTROL}; } }`,
  ),
  nft(
    'output forgets established',
    `table inet t { chain i { ${NFT_IN} ${NFT_STATE}; ${NFT_DATA}; }\n chain o { ${NFT_OUT} ${NFT_CONTROL}; } }`,
  ),
  nft(
    'input forgets established',
    `table inet t { chain i { ${NFT_IN} ${NFT_DATA}; }\n chain o { ${NFT_OUT} ${NFT_STATE}; ${NFT_CONTROL}; } }`,
  ),
  nft('input only, stateless', `table ip t { chain i { ${NFT_IN} ${NFT_DATA}; } }`),
  nft(
    'states in a map',
    `table inet t { chain i { ${NFT_IN} ct state vmap { established : accept, related : accept, invalid : drop }; ${NFT_DATA}; } }`,
  ),
  nft(
    'states in a map without established',
    `table inet t { chain i { ${NFT_IN} ct state vmap { related : accept, invalid : drop }; ${NFT_DATA}; } }`,
  ),
  nft(
    'replies by source port',
    `table ip t { chain i { ${NFT_IN} ${NFT_DATA}; tcp sport { 7937, 7938 } accept; }\n chain o { ${NFT_OUT} ${NFT_CONTROL}; tcp sport 7938 accept; } }`,
  ),
  nft(
    'a later chain drops replies',
    `table inet t { chain i { ${NFT_IN} ${NFT_STATE}; ${NFT_DATA}; } }\ntable inet u { chain i { type filter hook input priority 10; policy accept; tcp flags & (syn|ack) == syn|ack drop; } }`,
  ),
  nft(
    'only what begins comes in',
    `table ip t { chain i { ${NFT_IN} ct state new tcp dport 7938 accept; } }`,
  ),
  nft(
    'invalid is dropped, all else comes in',
    `table inet t { chain i { ${NFT_IN} ct state invalid drop; meta l4proto tcp accept; } }`,
  ),
  nft(
    'untracked, stateless',
    `table ip t { chain p { type filter hook prerouting priority -300; notrack; }\n chain q { type filter hook output priority -300; notrack; }\n chain i { ${NFT_IN} ${NFT_DATA}; tcp sport { 7937, 7938 } accept; } }`,
  ),
  nft(
    'untracked, stateful',
    `table ip t { chain p { type filter hook prerouting priority -300; notrack; }\n chain q { type filter hook output priority -300; notrack; }\n chain i { ${NFT_IN} ${NFT_STATE}; ${NFT_DATA}; } }`,
  ),
  nft(
    'replies are rejected in postrouting',
    `table ip t { chain o { type filter hook postrouting priority 0; policy accept; tcp sport 7938 ct state established drop; } }`,
  ),
];

function firewalld(name: string, files: Readonly<Record<string, string>>): NamedRules {
  return { name: `firewalld: ${name}`, files: { 'firewalld.conf': 'DefaultZone=public\n', ...files } };
}

const zone = (content: string, target = ''): Readonly<Record<string, string>> => ({
  'zones/public.xml': `<zone${target}><interface name="eth0"/>${content}</zone>`,
});
const direct = (chain: string, text: string): Readonly<Record<string, string>> => ({
  'direct.xml': `<direct><rule ipv="ipv4" table="filter" chain="${chain}" priority="0">${text}</rule></direct>`,
});
const OUT_POLICY = (target: string, content: string): Readonly<Record<string, string>> => ({
  'policies/out.xml': `<policy target="${target}"><ingress-zone name="HOST"/><egress-zone name="ANY"/>${content}</policy>`,
});
const PORT = '<port port="7938" protocol="tcp"/>';

const FIREWALLD: readonly NamedRules[] = [
  firewalld('the port is open', zone(PORT)),
  firewalld('the port is closed', zone('')),
  firewalld(
    'for one source',
    zone(`<rule family="ipv4"><source address="192.0.2.10"/>${PORT}<accept/></rule>`),
  ),
  firewalld(
    'for another source',
    zone(`<rule family="ipv4"><source address="192.0.2.11"/>${PORT}<accept/></rule>`),
  ),
  firewalld('target DROP', zone(PORT, ' target="DROP"')),
  firewalld('everything accepted', zone('', ' target="ACCEPT"')),
  firewalld('going out is rejected', { ...zone(PORT), ...OUT_POLICY('REJECT', '') }),
  firewalld('going out to one port', {
    ...zone(PORT),
    ...OUT_POLICY('DROP', '<port port="7937" protocol="tcp"/>'),
  }),
  firewalld('a direct rule drops replies going out', {
    ...zone(PORT),
    ...direct('OUTPUT', '-p tcp --sport 7938 -j DROP'),
  }),
  firewalld('a direct rule drops replies coming in', {
    ...zone(PORT),
    ...direct('INPUT', '-p tcp --sport 7937 --tcp-flags SYN,ACK SYN,ACK -j DROP'),
  }),
  firewalld('a direct rule accepts, the zone does not', {
    ...zone(''),
    ...direct('INPUT', '-p tcp --dport 7938 -j ACCEPT'),
  }),
  firewalld('the port leads elsewhere', zone('<forward-port port="7938" protocol="tcp" to-port="9090"/>')),
];

// ---- random ones

/** In parts of 25: a run of one namespace is limited in time. */
const RANDOM_SEEDS = [0, 25, 50].map((first) => Array.from({ length: 25 }, (_, index) => first + index + 1));

/** A small stateful or stateless rule set about the connections that are tried; half of what it says matters. */
function randomRules(random: Random): NamedRules {
  const chain = (name: 'INPUT' | 'OUTPUT'): string => {
    const peer = name === 'INPUT' ? '-s' : '-d';
    const matches = [
      '-m conntrack --ctstate RELATED,ESTABLISHED',
      '-m conntrack --ctstate ESTABLISHED',
      '-m conntrack --ctstate NEW',
      '-m conntrack ! --ctstate INVALID',
      '-m conntrack --ctstate INVALID',
      `${peer} 192.0.2.10`,
      `${peer} 192.0.2.0/28 -p tcp`,
      '-p tcp --dport 7937:7938',
      '-p tcp --sport 7937:7938',
      '-p tcp --dport 7938',
      '-p tcp --dport 49152:60999',
      '-p tcp --sport 32768:65535',
      '-p tcp --syn',
      '-p tcp ! --syn',
      '-p tcp --tcp-flags SYN,ACK SYN,ACK',
      '-p tcp --tcp-flags ACK ACK',
    ];
    const verdicts = ['ACCEPT', 'ACCEPT', 'ACCEPT', 'DROP', 'REJECT'];
    const lines = Array.from(
      { length: random.integer(5) },
      () => `-A ${name} ${random.pick(matches)} -j ${random.pick(verdicts)}`,
    );
    return [`:${name} ${random.pick(['DROP', 'DROP', 'ACCEPT'])}`, ...lines].join('\n');
  };
  const exempt = Array.from(
    { length: random.chance(0.5) ? 1 + random.integer(3) : 0 },
    () =>
      `-A ${random.pick(['PREROUTING', 'OUTPUT'])} ${random.pick([
        '-p tcp',
        '-p tcp --dport 7937:7938',
        '-p tcp --sport 7937:7938',
        '-p tcp --dport 7938',
        '-p tcp --sport 7938',
        '-s 192.0.2.10',
        '-d 192.0.2.10',
      ])} -j ${random.pick(['NOTRACK', 'CT --notrack'])}`,
  );
  const raw = exempt.length === 0 ? '' : RAW(exempt.join('\n'));
  return iptables('random', `${chain('INPUT')}\n${chain('OUTPUT')}`, raw);
}

// ---- what nwaudit says

function texts(exports: KernelExports): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, text] of Object.entries(exports) as [string, string][])
    if (/^(-A|:|create|\{)/m.test(text)) out[`client-01/${name}.txt`] = text;
  return out;
}

/** Whether the checks find nothing wrong with the connections into the host and out of it. */
function openByChecks(exports: KernelExports): { readonly in: boolean; readonly out: boolean } {
  const report = scanTexts(texts(exports), CONFIG);
  const stopped = { in: false, out: false };
  for (const { check, hook, certainty, message } of report.findings) {
    const required = check === 'missing-required-path';
    if (!required && check !== 'missing-return-path') continue;
    expect(certainty, `${check} hangs on something unknown`).toBe('certain');
    // Later packets go the way of the first one, answers the other way.
    stopped[(hook === 'input') === (required || message.includes('later packets')) ? 'in' : 'out'] = true;
  }
  return { in: !stopped.in, out: !stopped.out };
}

/** The answer that both evaluators give. */
function said(answer: NwauditAnswer | undefined): Said {
  expect(answer?.differ).toBe(false);
  expect(answer?.sets).toBeDefined();
  return answer!.sets!;
}

function hookOf(
  { from, to }: { from: string; to: string },
  reply: boolean,
): Pick<TracePacket, 'hook' | 'iif' | 'oif'> {
  const [begin, end] = reply ? [to, from] : [from, to];
  const side = (party: string): string => (party === 'far' ? 'eth1' : 'eth0');
  if (end === 'host') return { hook: 'input', iif: side(begin) };
  if (begin === 'host') return { hook: 'output', oif: side(end) };
  return { hook: 'forward', iif: side(begin), oif: side(end) };
}

/** The port that answers when every packet of the connection gets what `trace` says; `null` when one is stopped. */
function portByTrace(exports: KernelExports, exchange: TcpExchange): number | null {
  const { version, from, to, sport, dport } = exchange;
  const there = { saddr: ADDRESS[from][version], daddr: ADDRESS[to][version], proto: 'tcp' };
  const back = { saddr: there.daddr, daddr: there.saddr, proto: 'tcp' };
  const [first] = askNwaudit(
    exports,
    [{ ...there, ...hookOf(exchange, false), sport, dport, ct_state: 'new' }],
    ALL_EXPORTS,
  );
  const begin = said(first);
  expect(begin.verdict).not.toBe('unknown');
  if (begin.verdict !== 'accept') return null;
  // Turned to the host itself, whatever it says there: the far host does not answer.
  if (to === 'far' && begin.daddr !== ADDRESS.far[version]) return null;
  const port = begin.dport ?? dport;
  const established = 'established' as const;
  const later: TracePacket[] = [
    {
      ...back,
      ...hookOf(exchange, true),
      sport: port,
      dport: sport,
      tcp_flags: ['syn', 'ack'],
      ct_state: established,
    },
    // Translated already when the filter sees it.
    { ...there, ...hookOf(exchange, false), sport, dport: port, tcp_flags: ['ack'], ct_state: established },
    {
      ...back,
      ...hookOf(exchange, true),
      sport: port,
      dport: sport,
      tcp_flags: ['psh', 'ack'],
      ct_state: established,
    },
  ];
  const answers = askNwaudit(exports, later, ALL_EXPORTS);
  return answers.every((answer) => said(answer).verdict === 'accept') ? port : null;
}

function describeRules({ name, load, files }: NamedRules): string {
  return [name, ...Object.values(load ?? files ?? {})].join('\n');
}

async function runAll<E extends TcpExchange | UnreachableExchange>(
  rules: readonly NamedRules[],
  exchanges: readonly E[],
): Promise<readonly ExchangeAnswer[]> {
  return runExchanges(
    rules.map(
      ({ load, files }): ExchangeCase<E> => ({ ...(load && { load }), ...(files && { files }), exchanges }),
    ),
  );
}

/** What differs between the real connections of one rule set and the two answers of nwaudit about them. */
function disagreements(rules: NamedRules, { exports, answers }: ExchangeAnswer): string[] {
  const out: string[] = [];
  const open = openByChecks(exports);
  for (const way of ['in', 'out'] as const) {
    const worked = REQUIRED.every(
      ({ to, dport }, i) => (to === 'host') !== (way === 'in') || answers[i]!.port === dport,
    );
    if (worked !== open[way]) out.push(`connections ${way}: kernel ${worked}, checks ${open[way]}`);
  }
  // A connection that is untracked in one direction only has a state that hangs on both: the checks are asked about it.
  if (!/notrack/i.test(JSON.stringify(rules)))
    for (const [i, exchange] of REQUIRED.entries()) {
      const port = portByTrace(exports, exchange);
      if (port !== answers[i]!.port)
        out.push(
          `${exchange.from} port ${exchange.sport} to ${exchange.to} port ${exchange.dport}: kernel ${answers[i]!.port}, trace ${port}`,
        );
    }
  return out.length === 0 ? [] : [...out, describeRules(rules)];
}

describe.skipIf(skipped)('a connection works exactly when no required path or return path is missing', () => {
  const counts = { cases: 0, working: 0, stopped: 0 };
  afterAll(() => {
    process.stdout.write(
      `connections: ${counts.cases} rule sets, ${counts.working} connections worked, ${counts.stopped} did not\n`,
    );
  });

  it.each([
    ['iptables', IPTABLES],
    ['nft', NFT],
    ['firewalld', FIREWALLD],
    ...RANDOM_SEEDS.map(
      (seeds) =>
        [
          `random iptables ${seeds[0]}-${seeds.at(-1)}`,
          seeds.map((seed) => ({ ...randomRules(createRandom(seed)), name: `seed ${seed}` })),
        ] as const,
    ),
  ] as const)('%s', async (_, rules) => {
    const answers = await runAll(rules, REQUIRED);
    const wrong = rules.flatMap((one, index) => disagreements(one, answers[index]!));
    for (const { answers: ports } of answers) {
      counts.cases++;
      for (const { port } of ports) counts[port === null ? 'stopped' : 'working']++;
    }
    expect(wrong.join('\n')).toBe('');
  });
});

describe.skipIf(skipped)(
  'an ICMP error about a datagram comes back exactly when trace accepts it as related',
  () => {
    const rules: readonly NamedRules[] = [
      iptables('nothing', ''),
      iptables(
        'established only',
        `${CLOSED}\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A OUTPUT -p udp -j ACCEPT\n-A INPUT -p udp -j ACCEPT`,
      ),
      iptables(
        'related',
        `${CLOSED}\n${STATEFUL}\n${STATEFUL_OUT}\n-A OUTPUT -p udp -j ACCEPT\n-A INPUT -p udp -j ACCEPT\n-A FORWARD -p udp -j ACCEPT\n-A FORWARD -m state --state RELATED -j ACCEPT`,
      ),
      iptables(
        'related comes in, none goes out',
        `${IN_CLOSED}\n${STATEFUL}\n-A INPUT -p udp -j ACCEPT\n-A OUTPUT -m conntrack --ctstate RELATED -j DROP`,
      ),
      iptables(
        'ICMP without states',
        `${CLOSED}\n-A INPUT -p icmp --icmp-type 3/3 -j ACCEPT\n-A OUTPUT -p udp -j ACCEPT\n-A INPUT -p udp -j ACCEPT\n-A OUTPUT -p icmp --icmp-type 3/1 -j ACCEPT`,
      ),
      iptables(
        'not untracked',
        `${IN_CLOSED}\n-A INPUT -p udp -j ACCEPT\n-A INPUT -m conntrack ! --ctstate NEW,INVALID -j ACCEPT`,
      ),
      nft(
        'related in a map',
        `table inet t { chain i { ${NFT_IN} meta l4proto udp accept; ct state vmap { related : accept }; }\n chain o { ${NFT_OUT} meta l4proto udp accept; ct state { established, related } accept; } }`,
      ),
      nft(
        'related missing',
        `table inet t { chain i { ${NFT_IN} meta l4proto udp accept; ct state established accept; }\n chain f { type filter hook forward priority 0; policy accept; ct state related drop; } }`,
      ),
      firewalld('the usual', zone('')),
      firewalld('it is open', {
        ...zone('<port port="4000" protocol="udp"/><forward/>', ' target="ACCEPT"'),
      }),
    ];
    const exchanges: readonly UnreachableExchange[] = (['host peer', 'peer host', 'peer far'] as const).map(
      (way) => {
        const [from, to] = way.split(' ') as ['host' | 'peer', 'host' | 'peer' | 'far'];
        return { kind: 'unreachable', version: 4, from, to, sport: 50000, dport: 4000 };
      },
    );

    it('for every rule set and every hook', async () => {
      const answers = await runAll(rules, exchanges);
      const wrong: string[] = [];
      let told = 0;
      for (const [r, one] of rules.entries())
        for (const [e, exchange] of exchanges.entries()) {
          const { from, to, sport, dport } = exchange;
          const [there, back] = askNwaudit(
            answers[r]!.exports,
            [
              {
                ...hookOf(exchange, false),
                saddr: ADDRESS[from][4],
                daddr: ADDRESS[to][4],
                proto: 'udp',
                sport,
                dport,
              },
              {
                ...hookOf(exchange, true),
                saddr: ADDRESS[to][4],
                daddr: ADDRESS[from][4],
                proto: 'icmp',
                icmp_type: 3,
                icmp_code: 3,
                ct_state: 'related',
              },
            ],
            ALL_EXPORTS,
          );
          const expected = said(there).verdict === 'accept' && said(back).verdict === 'accept';
          const real = answers[r]!.answers[e]!.told === true;
          if (real) told++;
          // A reject of the rule set tells the sender too, in other words: then the datagram itself was stopped.
          if (real !== expected && !(there!.mayReject && said(there).verdict !== 'accept'))
            wrong.push(
              `${one.name}, ${from} to ${to}: kernel ${real}, trace ${said(there).verdict} and ${said(back).verdict}\n${describeRules(one)}`,
            );
        }
      expect(wrong.join('\n')).toBe('');
      expect(told).toBeGreaterThan(3);
      expect(told).toBeLessThan(rules.length * exchanges.length);
    });
  },
);

describe.skipIf(skipped)('a connection is answered on the port that trace names', () => {
  const nat = (lines: string): string => `*nat\n${lines}\nCOMMIT\n`;
  const rules: readonly NamedRules[] = [
    iptables('redirect', '', nat('-A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 9090')),
    iptables(
      'redirect and a filter on the new port',
      `${IN_CLOSED}\n${STATEFUL}\n-A INPUT -p tcp --dport 9090 -j ACCEPT`,
      nat('-A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 9090'),
    ),
    iptables(
      'redirect and a filter on the old port',
      `${IN_CLOSED}\n${STATEFUL}\n-A INPUT -p tcp --dport 443 -j ACCEPT`,
      nat('-A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 9090'),
    ),
    iptables(
      'DNAT to the own address',
      '',
      nat('-A PREROUTING -p tcp --dport 443 -j DNAT --to-destination 192.0.2.101:9090'),
    ),
    iptables(
      'DNAT, and only what was translated comes in',
      `${IN_CLOSED}\n${STATEFUL}\n-A INPUT -m conntrack --ctstate DNAT -j ACCEPT`,
      nat('-A PREROUTING -p tcp --dport 443 -j DNAT --to-destination 192.0.2.101:9090'),
    ),
    iptables(
      'redirect of what the host sends',
      '',
      nat('-A OUTPUT -p tcp --dport 443 -d 192.0.2.10 -j DNAT --to-destination 192.0.2.10:9090'),
    ),
    iptables(
      'the way through, translated',
      ':FORWARD DROP\n-A FORWARD -p tcp --dport 9090 -j ACCEPT\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT',
      nat('-A PREROUTING -d 198.51.100.20 -p tcp --dport 443 -j DNAT --to-destination 198.51.100.20:9090'),
    ),
    nft(
      'redirect',
      'table ip n { chain p { type nat hook prerouting priority -100; tcp dport 443 redirect to :9090; } }',
    ),
    nft(
      'a map of ports',
      'table ip n { chain p { type nat hook prerouting priority -100; meta l4proto tcp redirect to :tcp dport map { 443 : 9090, 80 : 8080 }; } }',
    ),
    nft(
      'through, stateless',
      'table ip t { chain f { type filter hook forward priority 0; policy drop; tcp dport 443 accept; tcp sport 443 accept; } }',
    ),
    nft(
      'through, without replies',
      'table ip t { chain f { type filter hook forward priority 0; policy drop; tcp dport 443 accept; } }',
    ),
    firewalld('a forwarded port', zone('<forward-port port="443" protocol="tcp" to-port="9090"/>')),
    firewalld(
      'a forwarded port in a zone that drops',
      zone('<forward-port port="443" protocol="tcp" to-port="9090"/>', ' target="DROP"'),
    ),
  ];
  const ways = [
    ['peer', 'host'],
    ['host', 'peer'],
    ['peer', 'far'],
  ] as const;
  const exchanges = ways.flatMap(([from, to]) =>
    [443, 80, 9090].map(
      (dport): TcpExchange => ({
        kind: 'tcp',
        version: 4,
        from,
        to,
        sport: 50001,
        dport,
        listen: [443, 80, 8080, 9090],
      }),
    ),
  );

  it('for every rule set, hook and port', async () => {
    const answers = await runAll(rules, exchanges);
    const wrong: string[] = [];
    const moved = new Set<string>();
    for (const [r, one] of rules.entries())
      for (const [e, exchange] of exchanges.entries()) {
        const real = answers[r]!.answers[e]!.port ?? null;
        const traced = portByTrace(answers[r]!.exports, exchange);
        if (real !== null && real !== exchange.dport) moved.add(one.name);
        if (real !== traced)
          wrong.push(
            `${one.name}, ${exchange.from} to ${exchange.to} port ${exchange.dport}: kernel ${real}, trace ${traced}`,
          );
      }
    expect(wrong.join('\n')).toBe('');
    expect(moved.size).toBeGreaterThan(8);
  });
});
