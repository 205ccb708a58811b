/**
 * One packet of the trace contract (design.md, 4.2), from a JSON value.
 *
 * Every problem of an object is collected. `null` counts as absent, since programs print it for fields they do not
 * have. Names are taken in any case.
 */
import { type CtState, PACKET_TYPE, type Packet, type PacketHook, TCP_FLAG } from '../model/index.ts';
import {
  type Address,
  ICMP,
  ICMPV6,
  PROTOCOLS_WITH_PORTS,
  parseAddress,
  parseProtocol,
  TCP,
} from '../net/index.ts';

/** Keys of a packet object, in the order of the contract. */
export const PACKET_KEYS = [
  'hook',
  'saddr',
  'daddr',
  'proto',
  'sport',
  'dport',
  'icmp_type',
  'icmp_code',
  'iif',
  'oif',
  'tcp_flags',
  'ct_state',
  'mark',
  'ct_mark',
  'smac',
  'dscp',
  'ttl',
  'length',
  'pkttype',
  'ct_status',
] as const;
type PacketKey = (typeof PACKET_KEYS)[number];

const HOOKS: Readonly<Record<PacketHook, PacketHook>> = {
  input: 'input',
  forward: 'forward',
  output: 'output',
};
const CT_STATUS = { dnat: 'dnat', snat: 'snat' } as const;

/** A packet, or what is wrong with it: one sentence per problem. */
export type DecodedPacket =
  | { readonly packet: Packet; readonly problems?: undefined }
  | { readonly packet?: undefined; readonly problems: readonly string[] };

/** Decodes one object of the contract. Never throws. */
export function decodePacketObject(value: unknown): DecodedPacket {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problems: [`expected one JSON object, found ${describe(value)}`] };
  }
  const reader = new PacketReader(value);
  const packet = reader.read();
  return packet === undefined ? { problems: reader.problems } : { packet };
}

/** Reads the keys of one object and remembers what is wrong with them. */
class PacketReader {
  readonly problems: string[] = [];
  readonly #values = new Map<string, unknown>();

  constructor(object: object) {
    for (const [key, value] of Object.entries(object)) {
      if (!isPacketKey(key)) {
        this.problems.push(`unknown key ${quote(key)}; the keys are ${PACKET_KEYS.join(', ')}`);
      } else if (value !== null) this.#values.set(key, value);
    }
  }

  read(): Packet | undefined {
    const hook = this.#required('hook', () => this.#name('hook', HOOKS));
    const saddr = this.#required('saddr', () => this.#address('saddr'));
    const daddr = this.#required('daddr', () => this.#address('daddr'));
    if (saddr !== undefined && daddr !== undefined && saddr.version !== daddr.version) {
      this.problems.push(
        `saddr is an IPv${saddr.version} address and daddr an IPv${daddr.version} one; expected one version`,
      );
    }
    const protocol = this.#required('proto', () => this.#protocol());
    const layer4 = protocol === undefined ? undefined : this.#layer4(protocol);
    const rest = this.#optionalFields();
    if (this.problems.length > 0) return undefined;
    if (hook === undefined || saddr === undefined || daddr === undefined) return undefined;
    if (protocol === undefined || layer4 === undefined) return undefined;
    return {
      hook,
      version: saddr.version,
      saddr: saddr.value,
      daddr: daddr.value,
      protocol,
      ...layer4,
      ...rest,
    };
  }

  /** Ports for protocols with ports, type and code for ICMP and ICMPv6; an error where they do not belong. */
  #layer4(protocol: number): Pick<Packet, 'sport' | 'dport' | 'icmpType' | 'icmpCode' | 'tcpFlags'> {
    const hasPorts = PROTOCOLS_WITH_PORTS.includes(protocol);
    const isIcmp = protocol === ICMP || protocol === ICMPV6;
    const port = (key: 'sport' | 'dport') => this.#placed(key, hasPorts, true, 65535, 'protocols with ports');
    const icmp = (key: 'icmp_type' | 'icmp_code', required: boolean) =>
      this.#placed(key, isIcmp, required, 255, 'proto icmp and ipv6-icmp');
    // Flags of another protocol are read, so that a wrong list is told, and mean nothing.
    const flags = this.#tcpFlags();
    return {
      sport: port('sport'),
      dport: port('dport'),
      icmpType: icmp('icmp_type', true),
      icmpCode: icmp('icmp_code', false) ?? (isIcmp ? 0 : undefined),
      tcpFlags: protocol === TCP ? flags : 0,
    };
  }

  #optionalFields(): Omit<
    Packet,
    | 'hook'
    | 'version'
    | 'saddr'
    | 'daddr'
    | 'protocol'
    | 'sport'
    | 'dport'
    | 'icmpType'
    | 'icmpCode'
    | 'tcpFlags'
  > {
    const pkttype = this.#name('pkttype', PACKET_TYPE);
    const status = this.#names('ct_status', CT_STATUS);
    const state = this.#name('ct_state', CT_STATE_NAMES);
    return {
      iif: this.#interface('iif'),
      oif: this.#interface('oif'),
      ctState: state ?? 'new',
      mark: this.#mark('mark'),
      ctMark: this.#mark('ct_mark'),
      smac: this.#mac('smac'),
      dscp: this.#number('dscp', 63),
      ecn: undefined,
      ttl: this.#number('ttl', 255),
      length: this.#number('length', 65535),
      pkttype,
      ctDnat: status?.includes('dnat'),
      ctSnat: status?.includes('snat'),
    };
  }

  /** The value of `read`, with a problem when the key is absent. */
  #required<T>(key: PacketKey, read: () => T | undefined): T | undefined {
    if (!this.#values.has(key)) {
      this.problems.push(`${key} is missing`);
      return undefined;
    }
    return read();
  }

  /** A number that belongs to some protocols only: required or optional there, an error elsewhere. */
  #placed(
    key: PacketKey,
    belongs: boolean,
    required: boolean,
    max: number,
    where: string,
  ): number | undefined {
    if (belongs) return required ? this.#required(key, () => this.#number(key, max)) : this.#number(key, max);
    if (this.#values.has(key)) this.problems.push(`${key} is for ${where} only`);
    return undefined;
  }

  #wrong(key: PacketKey, expected: string): undefined {
    this.problems.push(`${key}: expected ${expected}, found ${describe(this.#values.get(key))}`);
    return undefined;
  }

  #number(key: PacketKey, max: number): number | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
    return this.#wrong(key, `a whole number from 0 to ${max}`);
  }

  #address(key: 'saddr' | 'daddr'): Address | undefined {
    const value = this.#values.get(key);
    const address = typeof value === 'string' ? parseAddress(value) : undefined;
    return address ?? this.#wrong(key, 'an IPv4 or IPv6 address');
  }

  #protocol(): number | undefined {
    const value = this.#values.get('proto');
    if (typeof value === 'number') return this.#number('proto', 255);
    const protocol = typeof value === 'string' ? parseProtocol(value) : undefined;
    return protocol ?? this.#wrong('proto', 'a protocol name such as tcp, or a number from 0 to 255');
  }

  /** Value that a name of the table stands for. */
  #name<T>(key: PacketKey, table: Readonly<Record<string, T>>): T | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    const name = typeof value === 'string' ? value.toLowerCase() : '';
    if (Object.hasOwn(table, name)) return table[name];
    return this.#wrong(key, `one of ${Object.keys(table).join(', ')}`);
  }

  /** Values of a list of names, or of one name. */
  #names<T>(key: PacketKey, table: Readonly<Record<string, T>>): T[] | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    const found: T[] = [];
    for (const item of Array.isArray(value) ? value : [value]) {
      const name = typeof item === 'string' ? item.toLowerCase() : '';
      const known = Object.hasOwn(table, name) ? table[name] : undefined;
      if (known === undefined) return this.#wrong(key, `a list of ${Object.keys(table).join(', ')}`);
      found.push(known);
    }
    return found;
  }

  #tcpFlags(): number {
    if (!this.#values.has('tcp_flags')) return TCP_FLAG.syn;
    return (this.#names('tcp_flags', TCP_FLAG) ?? []).reduce((bits: number, bit) => bits | bit, 0);
  }

  /** Not empty, and nothing that no interface name contains. Source: linux net/core/dev.c, dev_valid_name(). */
  #interface(key: 'iif' | 'oif'): string | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (typeof value === 'string' && /^[^\u0000-\u0020/\u007f]+$/.test(value)) return value;
    return this.#wrong(key, 'an interface name');
  }

  /** A number, or its text in decimal or, after `0x`, hexadecimal. */
  #mark(key: 'mark' | 'ct_mark'): bigint {
    const value = this.#values.get(key) ?? 0;
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)) {
      const mark = BigInt(text);
      if (mark <= 0xffff_ffffn) return mark;
    }
    this.#wrong(key, 'a number from 0 to 4294967295, or a text such as "0x1f"');
    return 0n;
  }

  #mac(key: 'smac'): bigint | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(value)) {
      return BigInt(`0x${value.replace(/[:-]/g, '')}`);
    }
    return this.#wrong(key, 'six bytes such as 00:53:00:aa:bb:cc');
  }
}

const CT_STATE_NAMES: Readonly<Record<CtState, CtState>> = {
  new: 'new',
  established: 'established',
  related: 'related',
  invalid: 'invalid',
  untracked: 'untracked',
};

function isPacketKey(key: string): key is PacketKey {
  return (PACKET_KEYS as readonly string[]).includes(key);
}

/** A value as a message quotes it: JSON, cut after 60 characters. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const isNested = (item: unknown): boolean => typeof item === 'object' && item !== null;
  // Printing what is nested could take more stack than there is.
  if (Array.isArray(value)) {
    if (value.length > 20 || value.some(isNested)) return `a list of ${value.length} items`;
  } else if (isNested(value)) return 'an object';
  return quote(value);
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
