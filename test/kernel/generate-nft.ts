import type { AimOptions } from './packets.ts';
import { createRandom, type Random } from './random.ts';

/** A random nft rule set, and how to aim packets at it. */
export interface GeneratedNft {
  readonly nft: string;
  readonly options: AimOptions;
}

const ADDRESSES = [
  '192.0.2.1',
  '192.0.2.0/25',
  '198.51.100.7',
  '198.51.100.0/24',
  '203.0.113.5-203.0.113.20',
  '192.0.2.128/26',
];
const SINGLES = ['192.0.2.1', '192.0.2.9', '198.51.100.7', '203.0.113.5'];
const SIX = ['2001:db8::1', '2001:db8:1::/64', '2001:db8::5-2001:db8::50', '2001:db8:2::7'];
const PORTS = ['22', '80', '443', '7937-9936', '53', '1024-2000'];
const SINGLE_PORTS = ['22', '80', '443', '53', '9000'];
const STATES = ['new', 'established', 'related', 'invalid', 'untracked'];

/** The same rule set for the same seed. Every table is loadable: chains jump downward only. */
export function generateNft(seed: number): GeneratedNft {
  const random = createRandom(seed);
  const tables = [table(random, 'inet', 'alpha', ['a1', 'a2', 'a3'])];
  if (random.chance(0.5)) tables.push(table(random, random.pick(['ip', 'ip6']), 'beta', ['b1']));
  return {
    nft: tables.join('\n'),
    options: {
      states: random.chance(0.5),
      marks: [0, 1, 2, 16, 255],
      interfaces: ['lo', 'eth0', 'eth1', 'bond0'],
    },
  };
}

function table(random: Random, family: string, name: string, regular: readonly string[]): string {
  const bodies = regular.map(
    (chain, index) => `\tchain ${chain} {\n${rules(random, family, regular.slice(index + 1), 4)}\t}`,
  );
  const base = (hook: string, priority: number): string =>
    `\tchain ${hook}_${priority < 0 ? 'm' : 'p'}${Math.abs(priority)} {\n\t\ttype filter hook ${hook} priority ${priority}; policy ${random.pick(['accept', 'drop'])};\n${rules(random, family, regular, 8)}\t}`;
  const bases = [base('input', 0)];
  if (random.chance(0.5))
    bases.push(base('prerouting', random.pick([-150, -300, 10])).replace('policy drop', 'policy accept'));
  if (random.chance(0.3)) bases.push(base('input', random.pick([-10, 10])));
  return `table ${family} ${name} {\n${sets(random, family)}${[...bodies.reverse(), ...bases].join('\n')}\n}`;
}

function sets(random: Random, family: string): string {
  const four =
    family !== 'ip6'
      ? `\tset hosts { type ipv4_addr; flags interval; elements = { ${some(random, ['192.0.2.1', '192.0.2.64/26', '198.51.100.0/24', '203.0.113.5-203.0.113.20'])} } }\n\tset pairs { type ipv4_addr . inet_service; flags interval; elements = { ${some(random, ['192.0.2.1 . 22', '198.51.100.0/24 . 80-90', '203.0.113.5 . 1-65535'])} } }\n`
      : '';
  return `${four}\tset ports { type inet_service; flags interval; elements = { ${some(random, ['22', '80-90', '7937-9936', '53'])} } }\n\tmap verdicts { type inet_service : verdict; elements = { ${some(random, ['22 : accept', '80 : drop', '443 : return', '53 : continue'])} } }\n\tmap marks { type inet_service : mark; elements = { ${some(random, ['22 : 0x1', '80 : 0x2', '53 : 0x10'])} } }\n`;
}

function some(random: Random, list: readonly string[]): string {
  const picked = list.filter(() => random.chance(0.6));
  return (picked.length > 0 ? picked : [list[0]!]).join(', ');
}

function rules(random: Random, family: string, targets: readonly string[], most: number): string {
  const count = 1 + random.integer(most);
  return Array.from({ length: count }, () => `\t\t${rule(random, family, targets)}\n`).join('');
}

function rule(random: Random, family: string, targets: readonly string[]): string {
  const parts: string[] = [];
  const matches = random.integer(3);
  for (let i = 0; i < matches; i++) parts.push(match(random, family));
  if (random.chance(0.2)) parts.push('counter');
  if (random.chance(0.1)) parts.push('log prefix "x"');
  if (random.chance(0.25)) {
    parts.push(effect(random));
    if (random.chance(0.6)) parts.push(match(random, family));
  }
  parts.push(verdict(random, targets));
  return compatible(parts.filter((p) => p !== ''));
}

/** nft refuses rules that ask for two protocols or versions at once: of such matches the first stays. */
function compatible(parts: readonly string[]): string {
  let protocol = '';
  let version = '';
  const kept = parts.filter((part) => {
    const p = /^(tcp|udp|icmp|icmpv6|sctp) |l4proto \S+ th|vmap|map @/.exec(part);
    const asked =
      p === null
        ? ''
        : (p[1] ??
          (part.startsWith('meta l4proto')
            ? 'l4'
            : part.includes('tcp')
              ? 'tcp'
              : part.includes('udp')
                ? 'udp'
                : ''));
    const v = /^ip6 |^icmpv6/.test(part) ? '6' : /^ip |^icmp /.test(part) ? '4' : '';
    if (asked !== '' && protocol !== '' && asked !== protocol) return false;
    if (v !== '' && version !== '' && v !== version) return false;
    protocol = asked === '' ? protocol : asked;
    version = v === '' ? version : v;
    return true;
  });
  return kept.length > 0 ? kept.join(' ') : 'counter';
}

function set(random: Random, list: readonly string[]): string {
  const picked = [...new Set([random.pick(list), random.pick(list)])];
  return `{ ${picked.join(', ')} }`;
}

function operand(random: Random, list: readonly string[], singles: readonly string[]): string {
  const not = random.chance(0.3) ? '!= ' : '';
  return `${not}${random.chance(0.4) ? set(random, singles) : random.pick(list)}`;
}

function match(random: Random, family: string): string {
  const choices: (() => string)[] = [
    () => `tcp dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp dport ${random.pick(['>=', '<', '!=', '>'])} ${random.pick(SINGLE_PORTS)}`,
    () => `udp dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp sport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () => `tcp dport ${random.pick(['', '!= '])}@ports`,
    () =>
      `meta l4proto ${random.pick(['{ tcp, udp }', 'tcp', 'udp'])} th dport ${operand(random, PORTS, SINGLE_PORTS)}`,
    () =>
      `meta l4proto ${random.pick(['', '!= '])}${random.pick(['tcp', 'udp', 'icmp', '{ tcp, udp }', 'ipv6-icmp'])}`,
    () =>
      `iifname ${random.pick(['', '!= '])}${random.pick(['"lo"', '"eth*"', '"eth0"', '{ "eth1", "bond*" }'])}`,
    () => `meta mark ${random.pick(['1', '!= 0x2', '& 0x10 == 0x10', '{ 1, 2 }', '& 0xf != 0x1'])}`,
    () =>
      `ct state ${random.pick(['new', 'established,related', 'invalid', '{ new, untracked }', '!= { established, related }', '! established,related', `!= ${random.pick(STATES)}`])}`,
    () =>
      `tcp flags ${random.pick(['syn', '! syn', '& (syn|ack) == syn', '== syn', '!= ack', '& (fin|syn|rst) != 0'])}`,
    () => `tcp dport . tcp sport ${random.pick(['', '!= '])}{ 22 . 1024-2000, 80-90 . 1-65535 }`,
    () => `meta nfproto ${random.pick(['ipv4', 'ipv6', '!= ipv4'])}`,
  ];
  if (family !== 'ip6') {
    choices.push(
      () => `ip ${random.pick(['saddr', 'daddr'])} ${operand(random, ADDRESSES, SINGLES)}`,
      () => `ip saddr ${random.pick(['', '!= '])}@hosts`,
      () => `ip saddr . tcp dport ${random.pick(['', '!= '])}@pairs`,
      () => `ip protocol ${random.pick(['tcp', '!= udp', '{ icmp, udp }'])}`,
      () =>
        `icmp type ${random.pick(['echo-request', '{ echo-request, destination-unreachable }', '!= echo-reply'])}`,
    );
  }
  if (family !== 'ip') {
    choices.push(
      () =>
        `ip6 ${random.pick(['saddr', 'daddr'])} ${operand(random, SIX, ['2001:db8::1', '2001:db8:2::7'])}`,
      () => `ip6 nexthdr ${random.pick(['tcp', '!= udp'])}`,
      () =>
        `icmpv6 type ${random.pick(['echo-request', '!= echo-request', '{ nd-neighbor-solicit, echo-reply }'])}`,
    );
  }
  return random.pick(choices)();
}

function effect(random: Random): string {
  return random.pick([
    'meta mark set 0x1',
    'meta mark set 0x2',
    'meta mark set meta mark | 0x10',
    'meta mark set meta mark & 0xf',
    'meta mark set tcp dport map @marks',
    'ct mark set 0x5',
  ]);
}

function verdict(random: Random, targets: readonly string[]): string {
  const simple = ['accept', 'drop', 'accept', 'drop', 'reject', 'return', 'continue', ''];
  if (targets.length > 0 && random.chance(0.35))
    return `${random.pick(['jump', 'jump', 'goto'])} ${random.pick(targets)}`;
  if (random.chance(0.15)) return 'tcp dport vmap @verdicts';
  if (random.chance(0.1) && targets.length > 0)
    return `tcp dport vmap { 22 : accept, 80-90 : jump ${random.pick(targets)}, 443 : goto ${random.pick(targets)}, * : ${random.pick(['drop', 'continue', 'return'])} }`;
  if (random.chance(0.1))
    return `udp dport vmap { 53 : accept, 80 : drop${random.chance(0.5) ? ', * : return' : ''} }`;
  return random.pick(simple);
}
