/** Host policies as `nft -j list ruleset` prints them. */
import { formatAddress, type Interval, type IpVersion, normalizeIntervals } from '../../src/net/index.ts';
import {
  type Addresses,
  addressIntervals,
  type ChainName,
  chainsOf,
  type HookName,
  type HostPolicy,
  type HostRule,
  type Negatable,
  networkInterval,
  prefixLength,
  type Range,
  type TableName,
  versionsOf,
} from './host-policy.ts';

/** How the JSON is written; none of it has a meaning. */
export interface NftStyle {
  /** One table for both IP versions, rather than one for each. */
  readonly inet: boolean;
  /** Sets of addresses by name, rather than in the rule. */
  readonly named: boolean;
}

const PRIORITIES: Readonly<Record<TableName, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0 };
const HOOKS: Readonly<Record<HookName, string>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
};
const TABLES = ['raw', 'mangle', 'nat', 'filter'] as const;

type Family = 'ip' | 'ip6' | 'inet';

export function hostPolicyToNft(policy: HostPolicy, style: NftStyle): string {
  const families: readonly Family[] = style.inet ? ['inet'] : ['ip', 'ip6'];
  const items = families.flatMap((family) => new TableText(policy, family, style).items());
  return JSON.stringify({
    nftables: [{ metainfo: { version: '1.0.6', release_name: 'x', json_schema_version: 1 } }, ...items],
  });
}

/** One table of nft, whose chains are those of all tables of the policy. */
class TableText {
  readonly #policy: HostPolicy;
  readonly #family: Family;
  readonly #named: boolean;
  readonly #sets: object[] = [];
  #handle = 1;

  constructor(policy: HostPolicy, family: Family, { named }: NftStyle) {
    this.#policy = policy;
    this.#family = family;
    this.#named = named;
  }

  items(): readonly object[] {
    const place = { family: this.#family, table: 'host' };
    const chains = TABLES.flatMap((table) => {
      const { atHooks, others } = chainsOf(this.#policy, table);
      return [
        ...atHooks.map((name) => ({ name, base: this.#base(table, name) })),
        ...others.map((name) => ({ name, base: {} })),
      ].map(({ name, base }) => ({
        chain: { ...place, name: chainName(table, name), handle: this.#next(), ...base },
      }));
    });
    const rules = TABLES.flatMap((table) => this.#rules(table));
    return [
      { table: { family: this.#family, name: 'host', handle: this.#next() } },
      ...this.#sets,
      ...chains,
      ...rules,
    ];
  }

  #next(): number {
    return this.#handle++;
  }

  #base(table: TableName, chain: HookName): object {
    const drops = table === 'filter' && this.#policy.dropping.includes(chain);
    // Packets that a program of the host sends are routed anew when a mark changes.
    const type = table === 'nat' ? 'nat' : table === 'mangle' && chain === 'OUTPUT' ? 'route' : 'filter';
    return { type, hook: HOOKS[chain], prio: PRIORITIES[table], policy: drops ? 'drop' : 'accept' };
  }

  #rules(table: TableName): readonly object[] {
    return this.#policy.rules
      .filter((placed) => placed.table === table)
      .flatMap(({ chain, rule }) =>
        this.#versions(rule).map((version) => ({
          rule: {
            family: this.#family,
            table: 'host',
            chain: chainName(table, chain),
            handle: this.#next(),
            expr: this.#expressions(rule, version),
          },
        })),
      );
  }

  /** The IP versions that the rule is written for, each alone; `undefined`: for both at once. */
  #versions(rule: HostRule): readonly (IpVersion | undefined)[] {
    const versions = versionsOf(rule);
    if (this.#family !== 'inet')
      return versions.filter((version) => version === (this.#family === 'ip' ? 4 : 6));
    const { saddr, daddr, pairs, proto, action } = rule;
    const differs =
      [saddr, daddr, pairs].some((part) => part !== undefined) ||
      proto === 'icmp' ||
      proto === 'foreign-icmp' ||
      action.kind === 'dnat';
    return versions.length === 2 && !differs ? [undefined] : versions;
  }

  #expressions(rule: HostRule, version: IpVersion | undefined): readonly object[] {
    const { proto, dport, sport, icmp, flags, saddr, daddr, pairs, iif, oif, states, translated, mark } =
      rule;
    const out: object[] = [];
    // What asks for addresses or ICMP types holds for packets of their version alone: nft prints nothing about that.
    const isImplied = [saddr, daddr, pairs, icmp].some((part) => part !== undefined);
    if (this.#family === 'inet' && version !== undefined && !isImplied)
      out.push(match({ meta: { key: 'nfproto' } }, version === 4 ? 'ipv4' : 'ipv6'));
    const own = version ?? 4;
    if (saddr !== undefined) out.push(this.#address('saddr', saddr, own));
    if (daddr !== undefined) out.push(this.#address('daddr', daddr, own));
    for (const [key, asked] of [
      ['iifname', iif],
      ['oifname', oif],
    ] as const)
      if (asked !== undefined)
        out.push(
          match({ meta: { key } }, `${asked.value.name}${asked.value.prefix ? '*' : ''}`, asked.negated),
        );
    out.push(...this.#protocol(rule, own));
    const named = proto ?? '';
    if (sport !== undefined) out.push(match(payload(named, 'sport'), rangesOf(sport.value), sport.negated));
    if (dport !== undefined) {
      // Of two inequalities side by side nft makes one comparison: a set asks for itself.
      const asked = rangesOf(dport.value);
      const joins = sport?.negated === true && dport.negated && typeof asked === 'number';
      out.push(match(payload(named, 'dport'), joins ? { set: [asked] } : asked, dport.negated));
    }
    if (icmp !== undefined) {
      const protocol = own === 4 ? 'icmp' : 'icmpv6';
      out.push(match(payload(protocol, 'type'), icmp.value.type, icmp.negated));
      if (icmp.value.code !== undefined) out.push(match(payload(protocol, 'code'), icmp.value.code));
    }
    if (flags !== undefined) {
      const { asked, set } = flags.value;
      out.push(match({ '&': [payload('tcp', 'flags'), oneOrList(asked)] }, oneOrList(set), flags.negated));
    }
    if (pairs !== undefined)
      out.push(
        match(
          { concat: [payload(protocolOf(own), 'saddr'), payload(named, 'dport')] },
          {
            set: pairs.value.map(([address, port]) => ({
              concat: [formatAddress(own, networkInterval(own, address).lo), port],
            })),
          },
          pairs.negated,
        ),
      );
    if (states !== undefined) {
      const left = { ct: { key: 'state' } };
      out.push(
        states.negated
          ? match(left, { set: states.value }, true)
          : { match: { op: 'in', left, right: oneOrList(states.value) } },
      );
    }
    if (translated !== undefined)
      out.push({ match: { op: translated ? 'in' : '!', left: { ct: { key: 'status' } }, right: 'dnat' } });
    if (mark !== undefined) {
      const { value, mask } = mark.value;
      const left = { meta: { key: 'mark' } };
      out.push(match(mask === 0xffff_ffff ? left : { '&': [left, mask] }, value, mark.negated));
    }
    return [...out, ...this.#action(rule, version)];
  }

  /** The protocol, where no other part of the rule implies it. */
  #protocol(
    { proto, dport, sport, icmp, flags, pairs, action }: HostRule,
    version: IpVersion,
  ): readonly object[] {
    const isImplied =
      [dport, sport, icmp, flags, pairs].some((part) => part !== undefined) || action.kind === 'by-port';
    if (proto === undefined || isImplied) return [];
    const name = protocolName(proto, version);
    return [match({ meta: { key: 'l4proto' } }, name)];
  }

  #address(field: 'saddr' | 'daddr', { value, negated }: Negatable<Addresses>, version: IpVersion): object {
    const left = payload(protocolOf(version), field);
    const intervals = normalizeIntervals(addressIntervals(version, value));
    if (value.kind === 'network') {
      const { lo } = networkInterval(version, value.network);
      const len = prefixLength(version, value.network);
      const addr = formatAddress(version, lo);
      const isHost = len === (version === 4 ? 32 : 128);
      return match(left, isHost ? addr : { prefix: { addr, len } }, negated);
    }
    const elements = intervals.map((one) => addressElement(version, one));
    if (value.kind === 'range') return match(left, elements[0], negated);
    return match(left, this.#named ? this.#addSet(version, elements) : { set: elements }, negated);
  }

  #addSet(version: IpVersion, elem: readonly unknown[]): string {
    const name = `s${this.#sets.length}`;
    const type = version === 4 ? 'ipv4_addr' : 'ipv6_addr';
    this.#sets.push({
      set: {
        family: this.#family,
        name,
        table: 'host',
        type,
        handle: this.#next(),
        flags: ['interval'],
        ...(elem.length === 0 ? {} : { elem }),
      },
    });
    return `@${name}`;
  }

  #action({ proto, action }: HostRule, version: IpVersion | undefined): readonly object[] {
    switch (action.kind) {
      case 'accept':
      case 'drop':
      case 'return':
      case 'notrack':
        return [{ [action.kind]: null }];
      case 'none':
        return [{ counter: { packets: 0, bytes: 0 } }];
      case 'reject': {
        const type = version === undefined ? 'icmpx' : version === 4 ? 'icmp' : 'icmpv6';
        return [{ reject: { type, expr: 'port-unreachable' } }];
      }
      case 'jump':
      case 'goto':
        return [{ [action.kind]: { target: action.chain } }];
      case 'mark':
        return [{ mangle: { key: { meta: { key: 'mark' } }, value: action.mark } }];
      case 'redirect':
        return [{ redirect: { port: action.port } }];
      case 'dnat': {
        const own = version ?? 4;
        const family = this.#family === 'inet' ? { family: protocolOf(own) } : {};
        const addr = formatAddress(own, networkInterval(own, action.to).lo);
        return [{ dnat: { ...family, addr, ...(action.port === undefined ? {} : { port: action.port }) } }];
      }
      case 'by-port':
        return [
          {
            vmap: {
              key: payload(proto ?? '', 'dport'),
              data: { set: action.verdicts.map(([port, verdict]) => [port, { [verdict]: null }]) },
            },
          },
        ];
    }
  }
}

/** A chain at a hook is one for each table of the policy. */
const chainName = (table: TableName, chain: ChainName): string =>
  Object.hasOwn(HOOKS, chain) ? `${table}_${chain}` : chain;
const protocolName = (proto: NonNullable<HostRule['proto']>, version: IpVersion): string =>
  proto === 'tcp' || proto === 'udp' ? proto : (proto === 'icmp') === (version === 4) ? 'icmp' : 'ipv6-icmp';
const protocolOf = (version: IpVersion): 'ip' | 'ip6' => (version === 4 ? 'ip' : 'ip6');
const payload = (protocol: string, field: string): object => ({ payload: { protocol, field } });
const oneOrList = (list: readonly string[]): unknown => (list.length === 1 ? list[0] : list);

function match(left: object, right: unknown, negated = false): object {
  return { match: { op: negated ? '!=' : '==', left, right } };
}

function addressElement(version: IpVersion, { lo, hi }: Interval): unknown {
  if (lo === hi) return formatAddress(version, lo);
  return { range: [formatAddress(version, lo), formatAddress(version, hi)] };
}

function rangesOf(ranges: readonly Range[]): unknown {
  const all = ranges.map(([lo, hi]) => (lo === hi ? lo : { range: [lo, hi] }));
  return all.length === 1 ? all[0] : { set: all };
}
