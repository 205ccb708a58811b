import { parseAddress } from '../../src/net/index.ts';
import type { AimOptions } from './packets.ts';
import { createRandom, type Random } from './random.ts';
import type { KernelRules } from './run-kernel-case.ts';

/** A random rule set that the real tools load, and what packets it wants. */
export interface GeneratedRules {
  readonly rules: KernelRules;
  readonly options: AimOptions;
}

const INTERFACES = ['eth0', 'eth1', 'bond0'];
const HOOKS = ['input', 'forward', 'output'] as const;

/** The rule set of a seed: iptables tables, often ip6tables beside them, often ipsets that both ask. */
export function generateIptables(seed: number): GeneratedRules {
  const random = createRandom(seed);
  const sets = random.chance(0.6) ? generateSets(random) : [];
  const both = random.chance(0.4);
  const iptables = new TableWriter(random, 4, sets).write();
  const rules: KernelRules = {
    iptables,
    ...(both ? { ip6tables: new TableWriter(random, 6, sets).write() } : {}),
    ...(sets.length > 0 ? { ipset: sets.map((set) => set.text).join('') } : {}),
    ...(random.chance(0.2) ? { legacy: true } : {}),
  };
  const hooks = random.chance(0.5) ? (['input'] as const) : HOOKS;
  return {
    rules,
    options: {
      hooks,
      interfaces: [...INTERFACES, 'lo'],
      states: random.chance(0.5),
      connectionMarks: [0, 0, 1, 0x10],
    },
  };
}

/** The rule set of a seed for ip6tables alone, with the options that only IPv6 has. */
export function generateIp6tables(seed: number): GeneratedRules {
  const random = createRandom(seed ^ 0x1b60_0000);
  const sets = random.chance(0.6) ? generateSets(random) : [];
  const rules: KernelRules = {
    ip6tables: new TableWriter(random, 6, sets).write(),
    ...(sets.length > 0 ? { ipset: sets.map((set) => set.text).join('') } : {}),
    ...(random.chance(0.2) ? { legacy: true } : {}),
  };
  const hooks = random.chance(0.4) ? (['input'] as const) : HOOKS;
  return {
    rules,
    options: {
      hooks,
      interfaces: [...INTERFACES, 'lo'],
      states: random.chance(0.5),
      connectionMarks: [0, 0, 1, 0x10],
    },
  };
}

// ---- addresses and ports: few, so that rules overlap

type Version = 4 | 6;

function anyAddress(random: Random, version: Version): string {
  const host = random.integer(16);
  if (version === 6) return `2001:db8:${random.integer(3)}::${host.toString(16)}`;
  return `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${host * random.pick([1, 1, 8, 16])}`;
}

function anyNetwork(random: Random, version: Version): string {
  const address = anyAddress(random, version);
  if (random.chance(0.4)) return address;
  if (version === 6) return `${address}/${random.pick([32, 47, 48, 64, 124, 127, 128])}`;
  if (random.chance(0.1)) return `${address}/${random.pick(['255.255.255.1', '255.0.255.240', '0.0.0.15'])}`;
  return `${address}/${random.pick([0, 1, 8, 22, 24, 25, 26, 28, 29, 30, 31, 32])}`;
}

/** A network with plain bits, not "any". */
function anyNetworkOf(random: Random, version: Version): string {
  return `${anyAddress(random, version)}/${version === 4 ? random.pick([8, 24, 28, 32]) : random.pick([32, 64, 128])}`;
}

function byAddress(a: string, b: string): number {
  const [first, second] = [parseAddress(a)!.value, parseAddress(b)!.value];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Lists for `--dst-type`: ip6tables knows no broadcast. */
const ADDRESS_TYPES: Readonly<Record<Version, readonly string[]>> = {
  4: ['LOCAL', 'UNICAST', 'LOCAL,BROADCAST'],
  6: ['LOCAL', 'UNICAST', 'UNICAST,LOCAL', 'MULTICAST'],
};

/** Comments that look like rules. */
const COMMENTS = [
  '"rule 7 -j DROP"',
  '"it\'s \\"quoted\\" -j ACCEPT # ! -s 0/0"',
  '"back\\\\slash"',
  'plain',
  '"-A INPUT -j ACCEPT"',
];

/** Every way to write all ports as a range. */
const ALL_PORTS = ['0:65535', ':65535', '0:'];
const PORTS = [22, 53, 80, 443, 7937, 7938, 7939, 7954, 9000, 9090, 9936];

function anyPort(random: Random): number {
  return random.chance(0.85) ? random.pick(PORTS) : random.integer(65536);
}

function anyPortRange(random: Random, separator: string): string {
  const first = anyPort(random);
  if (random.chance(0.6)) return String(first);
  const second = anyPort(random);
  if (first === second) return String(first);
  return `${Math.min(first, second)}${separator}${Math.max(first, second)}`;
}

// ---- sets

interface GeneratedSet {
  readonly name: string;
  readonly version: Version | undefined;
  readonly dimensions: number;
  readonly text: string;
}

const SET_TYPES: readonly (readonly [string, (random: Random, version: Version) => string])[] = [
  ['hash:ip', anyAddress],
  ['hash:net', anySetNetwork],
  ['hash:ip,port', (random, version) => `${anyAddress(random, version)},${anySetPort(random)}`],
  ['hash:net,port', (random, version) => `${anySetNetwork(random, version)},${anySetPort(random)}`],
  ['hash:net,iface', (random, version) => `${anySetNetwork(random, version)},${random.pick(INTERFACES)}`],
  [
    'hash:ip,port,net',
    (random, version) =>
      `${anyAddress(random, version)},${anySetPort(random)},${anySetNetwork(random, version)}`,
  ],
  [
    'hash:ip,port,ip',
    (random, version) =>
      `${anyAddress(random, version)},${anySetPort(random)},${anyAddress(random, version)}`,
  ],
];

/** Networks as ipset takes them: contiguous, and not /0. */
function anySetNetwork(random: Random, version: Version): string {
  const lengths = version === 4 ? [1, 8, 22, 24, 25, 26, 28, 31, 32] : [3, 32, 47, 48, 64, 124, 128];
  return `${anyAddress(random, version)}/${random.pick(lengths)}`;
}

function anySetPort(random: Random): string {
  const port = anyPort(random);
  return random.chance(0.3) ? String(port) : `${random.pick(['tcp', 'udp', 'sctp'])}:${port}`;
}

function generateSets(random: Random): GeneratedSet[] {
  const out: GeneratedSet[] = [];
  for (let i = 0; i < 1 + random.integer(4); i++)
    out.push(random.chance(0.15) ? portSet(random, i) : hashSet(random, i));
  const members = out.filter((set) => set.dimensions === 1);
  if (members.length > 0 && random.chance(0.4)) {
    const adds = members.map((set) => `add list ${set.name}\n`).join('');
    const versions = new Set(members.map((set) => set.version));
    const version = versions.size === 1 ? members[0]!.version : undefined;
    out.push({ name: 'list', version, dimensions: 1, text: `create list list:set size 8\n${adds}` });
  }
  return out;
}

function portSet(random: Random, index: number): GeneratedSet {
  const name = `ports${index}`;
  const adds = [7937, 7939, 9090].filter(() => random.chance(0.6)).map((port) => `add ${name} ${port}\n`);
  const text = `create ${name} bitmap:port range 7000-10000\n${adds.join('')}`;
  return { name, version: undefined, dimensions: 1, text };
}

function hashSet(random: Random, index: number): GeneratedSet {
  const name = `set${index}`;
  const version = random.chance(0.75) ? 4 : 6;
  const [type, element] = random.pick(SET_TYPES);
  const elements = new Set<string>();
  for (let i = 0; i < random.integer(7); i++) elements.add(element(random, version));
  const adds = [...elements].map((text) => {
    const hole = type.includes('net') && random.chance(0.25) ? ' nomatch' : '';
    return `add ${name} ${text}${hole}\n`;
  });
  const family = version === 4 ? 'inet' : 'inet6';
  // `hash:ip` over networks of one size, entries with comments: what ipset prints besides the elements.
  const wide = type === 'hash:ip' && version === 4 && random.chance(0.2) ? ' netmask 24' : '';
  const tail = random.chance(0.2) ? ' comment' : random.chance(0.2) ? ' counters' : '';
  // Two elements may be one after masking: -exist is the restore command's way to say so.
  const text = `create ${name} ${type} family ${family}${wide}${tail}\n${adds.join('').replaceAll('add ', 'add -exist ')}`;
  return { name, version, dimensions: type.split(',').length, text };
}

// ---- tables

interface ChainPlace {
  readonly table: string;
  readonly chain: string;
  /** Built-in chains from which this chain can be reached; itself for a built-in chain. */
  readonly hooks: readonly string[];
}

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** How often a table is there, and how many rules a built-in chain of it gets at most. */
const TABLE_ODDS: readonly (readonly [string, number, number])[] = [
  ['raw', 0.3, 2],
  ['mangle', 0.4, 3],
  ['nat', 0.4, 4],
  ['filter', 1, 8],
  ['security', 0.15, 3],
];

class TableWriter {
  readonly #random: Random;
  readonly #version: Version;
  readonly #sets: readonly GeneratedSet[];

  constructor(random: Random, version: Version, sets: readonly GeneratedSet[]) {
    this.#random = random;
    this.#version = version;
    this.#sets = sets.filter((set) => set.version === undefined || set.version === version);
  }

  /** Text for `iptables-restore`. */
  write(): string {
    return TABLE_ODDS.filter(([, odds]) => this.#random.chance(odds))
      .map(([table, , most]) => this.#table(table, most))
      .join('');
  }

  #table(table: string, most: number): string {
    const random = this.#random;
    const builtIn = BUILT_IN[table]!;
    const names = Array.from(
      { length: random.integer(table === 'filter' ? 5 : 3) },
      (_, i) => `${table}-${i}`,
    );
    const policies = builtIn.map((chain) => {
      const mayDrop = table !== 'nat' && random.chance(table === 'filter' ? 0.5 : 0.03);
      return `:${chain} ${mayDrop ? 'DROP' : 'ACCEPT'} [0:0]\n`;
    });
    const lines = [`*${table}\n`, ...policies, ...names.map((name) => `:${name} - [0:0]\n`)];
    for (const chain of builtIn) {
      const place = { table, chain, hooks: [chain] };
      for (let i = 0; i < random.integer(most + 1); i++) lines.push(this.#rule(place, names));
    }
    // Jumps lead to later chains only, so there are no loops.
    for (const [index, chain] of names.entries()) {
      const place = { table, chain, hooks: builtIn };
      for (let i = 0; i < 1 + random.integer(4); i++) lines.push(this.#rule(place, names.slice(index + 1)));
    }
    return `${lines.join('')}COMMIT\n`;
  }

  #rule(place: ChainPlace, targets: readonly string[]): string {
    const { text: header, proto } = this.#protocolPart();
    const parts = [...this.#addressPart(), ...this.#interfacePart(place), header];
    for (let i = 0; i < this.#random.pick([0, 0, 0, 1, 1, 2]); i++)
      parts.push(this.#extraMatch(place, proto));
    const line = parts.filter((part) => part !== '').join(' ');
    return `-A ${place.chain} ${line}${line === '' ? '' : ' '}${this.#target(place, targets, proto)}\n`;
  }

  #not(): string {
    return this.#random.chance(0.15) ? '! ' : '';
  }

  #addressPart(): string[] {
    const out: string[] = [];
    const push = (option: string): void => {
      const network = anyNetwork(this.#random, this.#version);
      // iptables-nft refuses to negate "any address".
      out.push(`${network.endsWith('/0') ? '' : this.#not()}${option} ${network}`);
    };
    if (this.#random.chance(0.4)) push('-s');
    if (this.#random.chance(0.2)) push('-d');
    return out;
  }

  #interfacePart({ hooks }: ChainPlace): string[] {
    const only = hooks.length === 1 ? hooks[0]! : '';
    const out: string[] = [];
    const name = (): string => this.#random.pick([...INTERFACES, 'eth+', 'bond+', 'lo']);
    if (['PREROUTING', 'INPUT', 'FORWARD'].includes(only) && this.#random.chance(0.2)) {
      out.push(`${this.#not()}-i ${name()}`);
    }
    if (['OUTPUT', 'POSTROUTING', 'FORWARD'].includes(only) && this.#random.chance(0.2)) {
      out.push(`${this.#not()}-o ${name()}`);
    }
    return out;
  }

  #protocolPart(): { text: string; proto: string } {
    const random = this.#random;
    if (random.chance(0.25)) return { text: '', proto: '' };
    const icmp = this.#version === 4 ? 'icmp' : 'ipv6-icmp';
    const proto = random.pick([
      'tcp',
      'tcp',
      'tcp',
      'tcp',
      'udp',
      'udp',
      icmp,
      'sctp',
      'gre',
      'esp',
      'all',
      '132',
      this.#version === 6 ? 'icmp' : 'ipv6-icmp',
    ]);
    if (proto === 'all') return { text: '-p all', proto: '' };
    if (random.chance(0.05)) return { text: `! -p ${proto}`, proto: '' };
    const parts = [`-p ${proto}`];
    if (proto === icmp && random.chance(0.7)) parts.push(this.#icmpMatch());
    if (['tcp', 'udp', 'sctp'].includes(proto) && random.chance(0.75)) parts.push(this.#portMatch(proto));
    if (proto === 'tcp' && random.chance(0.1)) parts.push(`-m tcp ${this.#not()}${this.#tcpFlags()}`);
    return { text: parts.join(' '), proto };
  }

  #icmpMatch(): string {
    const random = this.#random;
    if (this.#version === 6)
      return `-m icmp6 ${this.#not()}--icmpv6-type ${random.pick(['128', '129', '1/4', '135', '1', '2', '3/0', '133', '134', '143', 'echo-request', 'packet-too-big'])}`;
    return `-m icmp ${this.#not()}--icmp-type ${random.pick(['8', '0', '3/1', '3', '11', '13', 'any', '3/4', '5/1', 'echo-reply', 'destination-unreachable', 'fragmentation-needed'])}`;
  }

  #portMatch(proto: string): string {
    const random = this.#random;
    if (random.chance(0.3)) {
      const list = Array.from({ length: 1 + random.integer(4) }, () => anyPortRange(random, ':')).join(',');
      return `-m multiport ${this.#not()}--${random.pick(['dports', 'dports', 'sports', 'ports'])} ${list}`;
    }
    const side = random.chance(0.85) ? '--dport' : '--sport';
    const wanted = random.chance(0.1) ? this.#oddRange(proto) : anyPortRange(random, ':');
    const both = random.chance(0.08) ? ` --sport ${anyPortRange(random, ':')}` : '';
    const not = this.#not();
    // iptables-save leaves "not any port" out, so that a rule that matches nothing reads like one that matches every port.
    const range = not !== '' && ALL_PORTS.includes(wanted) ? '443' : wanted;
    return `-m ${proto} ${not}${side} ${range}${side === '--dport' ? both : ''}`;
  }

  /** Open at one end, or, where the tools still take it, with the greater port first. */
  #oddRange(proto: string): string {
    const port = anyPort(this.#random);
    const odd = [`:${port}`, `${port}:`, '0:65535'];
    return this.#random.pick(proto === 'udp' ? [...odd, `${Math.max(port, 2)}:1`] : odd);
  }

  #tcpFlags(): string {
    if (this.#random.chance(0.3)) return '--syn';
    const flags = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];
    if (this.#random.chance(0.1)) return '--tcp-flags ALL NONE';
    const some = (): string => flags.filter(() => this.#random.chance(0.4)).join(',') || 'NONE';
    return `--tcp-flags ${some().replace('NONE', 'SYN')} ${some()}`;
  }

  #extraMatch({ table, hooks }: ChainPlace, proto: string): string {
    const random = this.#random;
    const choices = [
      `-m mark ${this.#not()}--mark ${random.pick(['0x1', '0x2', '0x0', '0x10/0xf0', '0x3/0x3', '0x13', '0/0xff'])}`,
      `-m iprange ${this.#not()}--${random.pick(['src', 'dst'])}-range ${this.#addressRange()}`,
      `-m comment --comment ${random.pick(COMMENTS)}`,
      `-m length ${this.#not()}--length ${random.pick(['40:100', '60', '0:63', '100:65535', ':52', '120:'])}`,
      ...this.#hopMatches(),
      `-m dscp ${this.#not()}--dscp ${random.pick(['0x00', '0x0a', '0x2e'])}`,
      `-m tos ${this.#not()}--tos ${random.pick(['0x28/0xfc', '0x00/0xff', '0xb8/0xe0'])}`,
    ];
    if (table !== 'raw') {
      const states = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED', 'DNAT', 'SNAT'];
      const list = states.filter(() => random.chance(0.3)).join(',') || 'NEW';
      const match = `-m conntrack ${this.#not()}--ctstate ${list}`;
      const plain = states.slice(0, 5).filter(() => random.chance(0.3));
      choices.push(
        match,
        match,
        `-m state ${this.#not()}--state ${plain.join(',') || 'RELATED,ESTABLISHED'}`,
        `-m conntrack ${this.#not()}--${this.#connectionTuple()}`,
        `-m connmark ${this.#not()}--mark ${random.pick(['0x0', '0x1', '0x10/0xf0'])}`,
      );
    }
    if (hooks.every((hook) => ['PREROUTING', 'INPUT', 'FORWARD'].includes(hook))) {
      choices.push(`-m mac ${this.#not()}--mac-source 02:00:00:00:00:0${1 + random.integer(2)}`);
      // Where everything is the host's own, or nothing is.
      if (!hooks.includes('PREROUTING'))
        choices.push(`-m addrtype ${this.#not()}--dst-type ${random.pick(ADDRESS_TYPES[this.#version])}`);
    }
    if (hooks.every((hook) => ['PREROUTING', 'INPUT'].includes(hook))) {
      choices.push(
        `-m pkttype ${this.#not()}--pkt-type ${random.pick(['unicast', 'broadcast', 'multicast'])}`,
      );
    }
    if (this.#sets.length > 0) choices.push(...Array.from({ length: 5 }, () => this.#setMatch()));
    return random.pick(proto === '' ? choices : [...choices, '']);
  }

  #addressRange(): string {
    const ends = [anyAddress(this.#random, this.#version), anyAddress(this.#random, this.#version)];
    // Mostly in order; the other way round it matches nothing.
    return (this.#random.chance(0.9) ? ends.sort(byAddress) : ends).join('-');
  }

  #hopMatches(): string[] {
    const [module, name] = this.#version === 4 ? ['ttl', 'ttl'] : ['hl', 'hl'];
    const value = this.#random.pick([1, 2, 63, 64, 65, 255]);
    return [
      `-m ${module} --${name}-${this.#random.pick(['eq', 'lt', 'gt'])} ${value}`,
      `-m ${module} ! --${name}-eq ${value}`,
    ];
  }

  /** A question about the first packet of the connection, as it was before NAT. */
  #connectionTuple(): string {
    const random = this.#random;
    return random.pick([
      `ctorigsrc ${anyNetworkOf(random, this.#version)}`,
      `ctorigdst ${anyNetworkOf(random, this.#version)}`,
      `ctproto ${random.pick(['tcp', 'udp', '132'])}`,
      `ctorigdstport ${anyPortRange(random, ':')}`,
      `ctorigsrcport ${anyPortRange(random, ':')}`,
    ]);
  }

  #setMatch(): string {
    const random = this.#random;
    const set = random.pick(this.#sets);
    const count = random.chance(0.9) ? set.dimensions : 1 + random.integer(3);
    const directions = Array.from({ length: count }, () => random.pick(['src', 'dst'])).join(',');
    const holes = set.name !== 'list' && random.chance(0.08) ? ' --return-nomatch' : '';
    return `-m set ${this.#not()}--match-set ${set.name} ${directions}${holes}`;
  }

  #target(place: ChainPlace, targets: readonly string[], proto: string): string {
    const random = this.#random;
    if (targets.length > 0 && random.chance(0.3))
      return `${random.pick(['-j', '-j', '-g'])} ${random.pick(targets)}`;
    if (random.chance(0.12)) return this.#assignment(place);
    if (random.chance(0.07)) return '-j RETURN';
    switch (place.table) {
      case 'raw':
        return random.pick(['-j CT --notrack', '-j CT --notrack', '-j ACCEPT', '-j DROP']);
      case 'mangle':
      case 'security':
        return random.pick([
          '-j ACCEPT',
          '-j ACCEPT',
          '-j DROP',
          `-j MARK --set-xmark 0x${1 + random.integer(3)}/0xf`,
        ]);
      case 'nat':
        return this.#translation(place, proto);
      default:
        return random.pick([
          '-j ACCEPT',
          '-j ACCEPT',
          '-j ACCEPT',
          '-j DROP',
          `-j REJECT${this.#rejectWith(proto)}`,
        ]);
    }
  }

  #assignment({ table }: ChainPlace): string {
    const marks = [
      `-j MARK --set-xmark 0x${this.#random.integer(4)}/0xffffffff`,
      '-j MARK --or-mark 0x10',
      '-j MARK --xor-mark 0x3',
      '-j LOG --log-prefix "seen: "',
      '-j MARK --and-mark 0x3',
      '-j MARK --set-mark 0x10',
      '-j NFLOG --nflog-group 1',
    ];
    const rewriting =
      table === 'mangle'
        ? [
            '-j DSCP --set-dscp 0x0a',
            '-j TOS --set-tos 0x28/0xfc',
            this.#version === 4 ? '-j TTL --ttl-set 64' : '-j HL --hl-set 64',
            this.#version === 4 ? '-j TTL --ttl-inc 1' : '-j HL --hl-inc 1',
          ]
        : [];
    const connectionMarks = [
      '-j CONNMARK --set-xmark 0x1/0xffffffff',
      '-j CONNMARK --save-mark',
      '-j CONNMARK --save-mark --nfmask 0xf --ctmask 0xff',
      '-j CONNMARK --restore-mark',
      '-j CONNMARK --set-xmark 0x10/0xf0',
      '-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
    ];
    return this.#random.pick(table === 'raw' ? marks : [...marks, ...connectionMarks, ...rewriting]);
  }

  #rejectWith(proto: string): string {
    if (proto === 'tcp' && this.#random.chance(0.4)) return ' --reject-with tcp-reset';
    if (this.#random.chance(0.6)) return '';
    const [four, six] = [
      ['icmp-host-prohibited', 'icmp-port-unreachable', 'icmp-admin-prohibited'],
      ['icmp6-adm-prohibited', 'icmp6-port-unreachable'],
    ];
    return ` --reject-with ${this.#random.pick(this.#version === 4 ? four : six)}`;
  }

  #translation({ hooks }: ChainPlace, proto: string): string {
    const random = this.#random;
    const only = hooks.length === 1 ? hooks[0]! : '';
    const ports = ['tcp', 'udp', 'sctp'].includes(proto);
    if (only === 'PREROUTING' || only === 'OUTPUT') {
      const address = anyAddress(random, this.#version);
      const withPort =
        this.#version === 4 ? `${address}:${anyPort(random)}` : `[${address}]:${anyPort(random)}`;
      const choices = ['-j ACCEPT', '-j REDIRECT', `-j DNAT --to-destination ${address}`];
      if (!ports) return random.pick(choices);
      const redirect = `-j REDIRECT --to-ports ${anyPort(random)}`;
      const range = '-j REDIRECT --to-ports 9000-9003';
      return random.pick([
        ...choices,
        redirect,
        redirect,
        redirect,
        range,
        `-j DNAT --to-destination ${withPort}`,
      ]);
    }
    if (only === 'POSTROUTING')
      return random.pick([
        '-j ACCEPT',
        '-j MASQUERADE',
        `-j SNAT --to-source ${anyAddress(random, this.#version)}`,
      ]);
    return '-j ACCEPT';
  }
}
