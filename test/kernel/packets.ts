import { type IpVersion, PROTOCOLS_WITH_PORTS, parseAddress } from '../../src/net/index.ts';
import { type Aim, aimsOf, appendField, emptyAim, FIELDS } from './aim.ts';
import { createRandom, type Random } from './random.ts';
import type { KernelRules } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** What packets to make beyond what the rules say by themselves. */
export interface AimOptions {
  /** Ways to send on; `["input"]` when absent. */
  readonly hooks?: readonly TracePacket['hook'][];
  /** Interfaces to use besides those the rules name; `["eth0", "eth1"]` when absent. */
  readonly interfaces?: readonly string[];
  /** Also send packets of established and related connections, and untracked ones. */
  readonly states?: boolean;
  /** Connection marks of those connections. */
  readonly connectionMarks?: readonly number[];
  /** Marks that packets arrive with, besides those near the rules' own. */
  readonly marks?: readonly number[];
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;

/**
 * `count` packets at the edges of what the rules name, always the same for a seed.
 *
 * Most packets are aimed at one rule: they take its values or their neighbours, and for fields it does not test,
 * values of other rules. The connection state of each is the one the kernel gives such a header.
 */
export function aimPackets(
  rules: KernelRules,
  options: AimOptions,
  count: number,
  seed: number,
): TracePacket[] {
  const random = createRandom(seed);
  const aims = aimsOf(rules);
  const pool = emptyAim();
  for (const aim of aims) for (const field of FIELDS) appendField(pool, aim, field);
  const maker = new PacketMaker(random, options, rules, pool);
  return Array.from({ length: count }, (_, index) => {
    if (aims.length === 0 || random.chance(0.1)) return maker.make(emptyAim());
    // Half of the packets go round the rules in turn, so that none is left out.
    const aim = index % 2 === 0 ? aims[(index / 2) % aims.length]! : random.pick(aims);
    return maker.make(random.chance(0.7) ? withCallers(aim, aims, random) : aim);
  });
}

/** The aim, with fields it leaves open taken from the rules that lead to its chain, up to a built-in one. */
function withCallers(aim: Aim, aims: readonly Aim[], random: Random): Aim {
  let chain = aim.chain;
  const out = emptyAim(aim);
  for (const field of FIELDS) appendField(out, aim, field);
  for (let depth = 0; depth < 20; depth++) {
    const callers = aims.filter((caller) => caller.target === chain && caller.version === aim.version);
    if (callers.length === 0) break;
    const caller = random.pick(callers);
    for (const field of FIELDS) if (out[field].length === 0) appendField(out, caller, field);
    chain = caller.chain;
  }
  return { ...out, chain };
}

class PacketMaker {
  readonly #random: Random;
  readonly #options: AimOptions;
  readonly #versions: readonly IpVersion[];
  readonly #pool: Aim;

  constructor(random: Random, options: AimOptions, rules: KernelRules, pool: Aim) {
    this.#random = random;
    this.#options = options;
    this.#pool = pool;
    const six = rules.ip6tables !== undefined || /\b(ip6|inet)\b/.test(rules.nft ?? '');
    const four = rules.iptables !== undefined || !six || /\b(ip|inet) /.test(rules.nft ?? '');
    this.#versions = [...(four ? [4 as const] : []), ...(six ? [6 as const] : [])];
  }

  make(aim: Aim): TracePacket {
    const hook = this.#hookFor(aim);
    const version = this.#versionFor(aim);
    const proto = this.#protocolFor(aim, version);
    const interfaces = this.#interfaces(aim, hook);
    const packet: TracePacket = {
      hook,
      saddr: this.#address(aim.saddr, this.#pool.saddr, version),
      daddr: this.#address(aim.daddr, this.#pool.daddr, version),
      proto,
      ...interfaces,
      ...this.#upperLayer(aim, proto, version),
      ...onLoopback(this.#rareFields(aim, hook, proto, version), interfaces.iif),
    };
    return this.#withState(packet, aim, proto, version);
  }

  /** One of the aim's values mostly, else one of all rules' values, else a default. */
  #choose<T>(aimed: readonly T[], pool: readonly T[], fallback: () => T): T {
    // The first value is the one the rule names, the others are its neighbours.
    if (aimed.length > 0 && this.#random.chance(0.5)) return aimed[0]!;
    if (aimed.length > 0 && this.#random.chance(0.8)) return this.#random.pick(aimed);
    return pool.length > 0 && this.#random.chance(0.75) ? this.#random.pick(pool) : fallback();
  }

  #hookFor(aim: Aim): TracePacket['hook'] {
    const hooks = this.#options.hooks ?? ['input'];
    const ways = Object.hasOwn(WAYS_PAST, aim.chain) ? WAYS_PAST[aim.chain]! : hooks;
    const named = hooks.filter((hook) => ways.includes(hook));
    return this.#random.pick(named.length > 0 && this.#random.chance(0.9) ? named : hooks);
  }

  #versionFor(aim: Aim): IpVersion {
    const text = [...aim.saddr, ...aim.daddr][0];
    const version = text === undefined ? undefined : parseAddress(text)?.version;
    return version !== undefined && this.#versions.includes(version)
      ? version
      : this.#random.pick(this.#versions);
  }

  #address(aimed: readonly string[], pool: readonly string[], version: IpVersion): string {
    const usable = (text: string): boolean => isUsable(text, version);
    return this.#choose(aimed.filter(usable), pool.filter(usable), () => this.#anyAddress(version));
  }

  #anyAddress(version: IpVersion): string {
    if (version === 6)
      return `2001:db8:${this.#random.integer(4)}::${(1 + this.#random.integer(300)).toString(16)}`;
    const network = this.#random.pick(['192.0.2', '198.51.100', '203.0.113', '192.0.3', '8.8.8']);
    return `${network}.${1 + this.#random.integer(254)}`;
  }

  #protocolFor(aim: Aim, version: IpVersion): number {
    const icmp = version === 4 ? ICMP : ICMPV6;
    const aimed = aim.proto.length > 0 ? aim.proto : aim.icmp.length > 0 ? [icmp] : [];
    const proto = this.#choose(aimed, this.#pool.proto, () =>
      this.#random.pick([TCP, TCP, UDP, icmp, 47, 132]),
    );
    return version === 6 && EXTENSION_HEADERS.includes(proto) ? TCP : proto;
  }

  #interfaces(aim: Aim, hook: TracePacket['hook']): Pick<TracePacket, 'iif' | 'oif'> {
    const given = this.#options.interfaces ?? ['eth0', 'eth1'];
    const choose = (aimed: readonly string[], loopback: boolean): string => {
      // Names are found by a plain search in rules, where they may stand with escapes or be none at all.
      const usable = (name: string): boolean =>
        /^(?=.*[a-z])[\w.-]{1,12}$/i.test(name) && (loopback || name !== 'lo');
      return this.#choose(aimed.filter(usable), [], () => this.#random.pick(given.filter(usable)));
    };
    if (hook === 'input') return { iif: choose(aim.iif, true) };
    if (hook === 'output') return { oif: choose(aim.oif, true) };
    return { iif: choose(aim.iif, false), oif: choose(aim.oif, false) };
  }

  #upperLayer(aim: Aim, proto: number, version: IpVersion): Partial<TracePacket> {
    if (proto === ICMP || proto === ICMPV6) return this.#icmp(aim, proto, version);
    if (!PROTOCOLS_WITH_PORTS.includes(proto)) return {};
    const sport = this.#choose(aim.sport, this.#pool.sport, () => 1024 + this.#random.integer(60000));
    const dport = this.#choose(aim.dport, this.#pool.dport, () => 1 + this.#random.integer(65535));
    if (proto !== TCP) return { sport, dport };
    const flags = this.#choose(aim.tcpFlags, this.#pool.tcpFlags, () => ['syn']);
    const some = this.#random.chance(0.06)
      ? this.#random.pick([['ack'], ['fin'], ['syn', 'ack'], ['rst'], ['psh', 'ack']])
      : flags;
    return { sport, dport, tcp_flags: some };
  }

  #icmp(aim: Aim, proto: number, version: IpVersion): Partial<TracePacket> {
    if ((proto === ICMP) !== (version === 4)) return { icmp_type: 0, icmp_code: 0 };
    const usual: [number, number][] = version === 4 ? USUAL_ICMP : USUAL_ICMPV6;
    const [type, code] = this.#choose(aim.icmp, this.#pool.icmp, () => this.#random.pick(usual));
    return { icmp_type: type, icmp_code: code };
  }

  /** Fields that a packet states only when some rule tests them: stating them costs variety elsewhere. */
  #rareFields(aim: Aim, hook: TracePacket['hook'], proto: number, version: IpVersion): Partial<TracePacket> {
    const { mark, dscp, ttl, length, smac, pkttype } = this.#pool;
    const out: { -readonly [K in keyof TracePacket]?: TracePacket[K] } = {};
    const marks = [...mark, ...(this.#options.marks ?? [])];
    if (marks.length > 0 && this.#random.chance(0.6)) out.mark = this.#choose(aim.mark, marks, () => 0);
    if (dscp.length > 0) out.dscp = this.#choose(aim.dscp, dscp, () => 0);
    // A forwarded packet with a TTL of 1 dies before the rules.
    if (ttl.length > 0)
      out.ttl = Math.max(
        2,
        this.#choose(aim.ttl, ttl, () => 64),
      );
    if (length.length > 0) {
      const least = (version === 4 ? 20 : 40) + (proto === TCP ? 20 : proto === UDP ? 8 : 80);
      out.length = Math.max(
        least,
        this.#choose(aim.length, length, () => 120),
      );
    }
    if (smac.length > 0 && hook !== 'output')
      out.smac = this.#choose(aim.smac, smac, () => '02:00:00:00:00:01');
    if (pkttype.length > 0 && hook === 'input') {
      // The aims hold only these three words.
      out.pkttype = this.#choose(aim.pkttype, pkttype, () => 'unicast') as 'unicast';
    }
    return out;
  }

  #withState(packet: TracePacket, aim: Aim, proto: number, version: IpVersion): TracePacket {
    if (this.#options.states === true) {
      const wanted =
        this.#random.chance(0.5) && aim.ctState.length > 0 ? this.#random.pick(aim.ctState) : undefined;
      if (wanted === 'untracked' || this.#random.chance(0.05)) return { ...packet, ct_state: 'untracked' };
      const connected = wanted === 'established' || wanted === 'related' || this.#random.chance(0.25);
      const known = connected ? this.#ofConnection(packet, proto, version) : undefined;
      if (known !== undefined) return known;
    }
    return { ...packet, ct_state: firstPacketState(packet, proto, version) };
  }

  /** The packet as one of a connection the kernel knows; `undefined` for protocols without such packets here. */
  #ofConnection(packet: TracePacket, proto: number, version: IpVersion): TracePacket | undefined {
    const marks = this.#options.connectionMarks ?? [];
    const ctMark = marks.length > 0 ? { ct_mark: this.#random.pick(marks) } : {};
    if (proto === TCP) return { ...packet, tcp_flags: ['ack'], ct_state: 'established', ...ctMark };
    if (proto === UDP) return { ...packet, ct_state: 'established', ...ctMark };
    if (proto !== ICMP || version === 6) return undefined;
    return { ...packet, icmp_type: 3, icmp_code: 1, ct_state: 'related', ...ctMark };
  }
}

/** Which packets a built-in chain sees. */
const WAYS_PAST: Readonly<Record<string, readonly TracePacket['hook'][]>> = {
  PREROUTING: ['input', 'forward'],
  INPUT: ['input'],
  FORWARD: ['forward'],
  OUTPUT: ['output'],
  POSTROUTING: ['forward', 'output'],
};

const USUAL_ICMP: [number, number][] = [
  [8, 0],
  [0, 0],
  [3, 1],
  [11, 0],
  [13, 0],
];
const USUAL_ICMPV6: [number, number][] = [
  [128, 0],
  [129, 0],
  [1, 4],
  [133, 0],
  [135, 0],
  [143, 0],
];

/** IPv6 next headers that are not an upper-layer protocol, or that the kernel may not hand to one. */
const EXTENSION_HEADERS: readonly number[] = [0, 43, 44, 51, 59, 60, 135, 139, 140];

/**
 * The state that connection tracking gives a packet without a connection (semantics seen in the kernel: TCP opens
 * with SYN or is picked up at a bare ACK; ICMP opens with queries only; neighbour discovery is not tracked).
 */
export function firstPacketState(
  packet: TracePacket,
  proto: number,
  version: IpVersion,
): 'new' | 'invalid' | 'untracked' {
  if (proto === TCP) {
    const flags = new Set(packet.tcp_flags ?? ['syn']);
    for (const free of ['psh', 'ece', 'cwr', 'urg']) flags.delete(free);
    return flags.size === 1 && (flags.has('syn') || flags.has('ack')) ? 'new' : 'invalid';
  }
  const type = packet.icmp_type ?? 0;
  if (proto === ICMP) return version === 4 && [8, 13, 15, 17].includes(type) ? 'new' : 'invalid';
  if (proto === ICMPV6) {
    if (version === 4) return 'invalid';
    if ((type >= 130 && type <= 136) || type === 143) return 'untracked';
    return type === 128 || type === 139 ? 'new' : 'invalid';
  }
  return 'new';
}

/** The loopback interface has no broadcast address: a frame to ff:ff:ff:ff:ff:ff arrives there as multicast. */
function onLoopback(fields: Partial<TracePacket>, iif: string | undefined): Partial<TracePacket> {
  return iif === 'lo' && fields.pkttype === 'broadcast' ? { ...fields, pkttype: 'multicast' } : fields;
}

/** Whether the kernel takes this as a source and a destination of ordinary packets, and it is not the namespace's own. */
function isUsable(text: string, version: IpVersion): boolean {
  const address = parseAddress(text);
  if (address === undefined || address.version !== version) return false;
  if (version === 6) return address.value >> 125n === 1n && !text.startsWith('2001:db8:ffff:');
  const first = Number(address.value >> 24n);
  return first !== 0 && first !== 127 && first < 224 && !text.startsWith('198.18.');
}
