/** Membership in a firewalld ipset, as the sets of its nftables backend decide it. */
import type { Condition, Match } from '../../model/index.ts';
import {
  type Interval,
  type IpVersion,
  interval,
  maskedAddressInterval,
  PROTOCOLS_WITH_PORTS,
  parseAddress,
  parseMaskedAddress,
  single,
} from '../../net/index.ts';
import { parseNumber } from '../numbers.ts';
import type { Ipset } from './configuration.ts';
import {
  all,
  any,
  type MacSight,
  not,
  parseMac,
  parsePorts,
  protocolIs,
  protocolNumber,
  unknown,
  varying,
  versionIs,
} from './translate-matches.ts';

/** What a set is asked with: the packet's source side or its destination side. */
export type SetSide = 'saddr' | 'daddr';

/** IP version of a set's addresses; `undefined` for sets of MAC addresses. */
export function ipsetVersion(ipset: Ipset): IpVersion | undefined {
  if (ipset.type === 'hash:mac') return undefined;
  return ipset.options.get('family') === 'inet6' ? 6 : 4;
}

/** Entries of the set come and go: firewalld does not load those of its file. */
export function expires(ipset: Ipset): boolean {
  const timeout = ipset.options.get('timeout');
  return timeout !== undefined && timeout !== '0';
}

/** Asks each set once for each side, so that rules with one set share one condition. */
export class SetMatches {
  readonly #ipsets: ReadonlyMap<string, Ipset>;
  readonly #isIptables: boolean;
  readonly #known = new Map<string, Condition>();

  /** `isIptables`: the backend is iptables. */
  constructor(ipsets: ReadonlyMap<string, Ipset>, isIptables: boolean) {
    this.#ipsets = ipsets;
    this.#isIptables = isIptables;
  }

  get(name: string): Ipset | undefined {
    return this.#ipsets.get(name);
  }

  /**
   * The packet's addresses (ports, …) of `side` are in the set. An inverted test stays within the set's IP version. A set that is not
   * defined is an unknown test.
   */
  match(name: string, side: SetSide, invert = false, sight: MacSight = 'seen'): Match {
    const ipset = this.#ipsets.get(name);
    const text = `${side} ${invert ? '!= ' : ''}ipset:${name}`;
    if (ipset === undefined) {
      const asked = unknown(`${side} in ipset:${name}, which is not in the export`);
      return { text, condition: invert ? not(asked) : asked };
    }
    const key = `${name} ${side} ${sight}`;
    const known = this.#known.get(key);
    const condition =
      known ??
      membership(ipset, { side, sight, version: ipsetVersion(ipset) ?? 4, isIptables: this.#isIptables });
    if (known === undefined) this.#known.set(key, condition);
    if (!invert) return { text, condition };
    return { text, condition: all(...needsOf(ipset), not(condition)) };
  }
}

function needsOf(ipset: Ipset): readonly Condition[] {
  const version = ipsetVersion(ipset);
  return version === undefined
    ? [not({ kind: 'interface', field: 'iif', name: 'lo', prefix: false })]
    : [versionIs(version)];
}

function membership(ipset: Ipset, reader: PartReader): Condition {
  const asked = `${reader.side} in ipset:${ipset.name}`;
  const needs = needsOf(ipset);
  if (expires(ipset)) return all(...needs, varying(`${asked}, whose entries come and go`));
  const parts = (ipset.type.split(':')[1] ?? '').split(',');
  // Entries that agree in all parts but the first are asked together.
  const groups = new Map<string, { readonly rest: readonly Condition[]; readonly first: Interval[] }>();
  const others: Condition[] = [];
  for (const { text } of ipset.entries) {
    const words = text.trim().split(',');
    const [kind, ...kinds] = parts;
    const range = kind === 'ip' || kind === 'net' ? addressRange(words[0] ?? '', reader.version) : undefined;
    if (words.length !== parts.length || range === undefined) {
      others.push(entryCondition(parts, words, reader, `${asked}: ${text}`));
      continue;
    }
    const key = words.slice(1).join(',');
    const group = groups.get(key);
    if (group === undefined) {
      const rest = kinds.map((k, i) => partCondition(k, words[i + 1]!, reader));
      groups.set(key, { rest, first: [range] });
    } else group.first.push(range);
  }
  const together = [...groups.values()].map(({ rest, first }) => {
    const address: Condition = {
      kind: 'address',
      field: reader.side,
      version: reader.version,
      values: first,
    };
    return all(address, ...rest);
  });
  return all(...needs, any(...together, ...others));
}

interface PartReader {
  readonly side: SetSide;
  readonly sight: MacSight;
  readonly version: IpVersion;
  readonly isIptables: boolean;
}

function entryCondition(
  kinds: readonly string[],
  words: readonly string[],
  reader: PartReader,
  asked: string,
): Condition {
  if (words.length !== kinds.length) return unknown(asked);
  return all(...kinds.map((kind, i) => partCondition(kind, words[i]!, reader)));
}

/** One part of an entry. */
function partCondition(kind: string, word: string, reader: PartReader): Condition {
  const { side, sight, version, isIptables } = reader;
  switch (kind) {
    case 'ip':
    case 'net': {
      const range = addressRange(word, version);
      if (range === undefined) return unknown(`${side} ${word}`);
      return { kind: 'address', field: side, version, values: [range] };
    }
    case 'port':
      return portPart(word, side === 'saddr' ? 'sport' : 'dport');
    case 'iface': {
      // With nftables firewalld asks the interface of the other side.
      const field = (side === 'saddr') === isIptables ? 'iif' : 'oif';
      return { kind: 'interface', field, name: word, prefix: false };
    }
    case 'mark': {
      const mark = parseNumber(word, 0xffff_ffff);
      return mark === undefined
        ? unknown(`mark ${word}`)
        : { kind: 'field', field: 'mark', values: [single(mark)] };
    }
    case 'mac': {
      const mac = parseMac(word);
      if (mac === undefined || side === 'daddr' || sight === 'unknown')
        return unknown(`ether ${side} ${word.toLowerCase()}`);
      return { kind: 'field', field: 'smac', values: [single(mac)] };
    }
    default:
      return unknown(`${kind} ${word}`);
  }
}

function portPart(word: string, field: 'sport' | 'dport'): Condition {
  const colon = word.indexOf(':');
  const protocol = protocolNumber(colon < 0 ? 'tcp' : word.slice(0, colon));
  const ports = parsePorts(word.slice(colon + 1));
  if (protocol === undefined) return unknown(`${field} ${word}`);
  if (ports === undefined || !PROTOCOLS_WITH_PORTS.includes(protocol))
    return all(protocolIs(protocol), unknown(`${field} ${word}`));
  return all(protocolIs(protocol), { kind: 'field', field, values: [ports] });
}

/** An address, network or range of a version. */
function addressRange(text: string, version: IpVersion): Interval | undefined {
  const masked = parseMaskedAddress(text.replace(/[[\]]/g, ''));
  if (masked !== undefined) return masked.version === version ? maskedAddressInterval(masked) : undefined;
  const [lo, hi, ...more] = text.split('-').map((part) => parseAddress(part.trim()));
  if (more.length > 0 || lo?.version !== version || hi?.version !== version) return undefined;
  return interval(lo.value, hi.value);
}
