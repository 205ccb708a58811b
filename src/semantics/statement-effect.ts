import type { Nat, Statement } from '../model/index.ts';
import { addressBits, type Interval, interval, PROTOCOLS_WITH_PORTS, single } from '../net/index.ts';
import type { PacketSet, SpaceField } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits, hasConnection, type Place } from './place.ts';

type Bits = readonly PacketSet[];

/** What a TTL or hop limit may be that is not told: packets without hops left are not asked about. */
export const UNTOLD_TTL: Interval = interval(2, 255);

/**
 * The environment after a statement was executed. `tracked`: connection tracking has already seen the packet, so
 * `notrack` comes too late.
 */
export function afterStatement(
  host: HostSpace,
  place: Place,
  environment: Environment,
  statement: Statement,
  tracked: boolean,
): Environment {
  const { space } = host;
  const bitsOf = (field: Parameters<typeof fieldBits>[2]) =>
    fieldBits(host, environment, field, place.version);
  /** `bits`, but only for packets with a connection where the statement needs one. */
  const assign = (
    field: Parameters<typeof fieldBits>[2],
    bits: Bits,
    needsConnection: boolean,
  ): Environment => {
    if (!needsConnection) return environment.assign([[field, bits]]);
    const connected = hasConnection(host, environment, place.version);
    const old = bitsOf(field);
    return environment.assign([[field, bits.map((bit, i) => space.ifThenElse(connected, bit, old[i]!))]]);
  };
  switch (statement.kind) {
    case 'no-effect':
      return environment;
    case 'notrack':
      return tracked ? environment : environment.assign([['ct-state', space.constantBits(3, 4n)]]);
    case 'set-field': {
      const old = bitsOf(statement.field);
      const bits = old.map((bit, i) => {
        const position = BigInt(old.length - 1 - i);
        const kept = ((statement.and >> position) & 1n) === 1n ? bit : space.empty;
        return ((statement.xor >> position) & 1n) === 1n ? space.complement(kept) : kept;
      });
      return assign(statement.field, bits, statement.field === 'ct-mark');
    }
    case 'copy-field': {
      const old = bitsOf(statement.field);
      const from = bitsOf(statement.from);
      const bits = old.map((bit, i) => {
        const position = BigInt(old.length - 1 - i);
        const kept = ((statement.and >> position) & 1n) === 1n ? bit : space.empty;
        const taken = ((statement.fromMask >> position) & 1n) === 1n ? from[i]! : space.empty;
        return space.symmetricDifference(kept, taken);
      });
      return assign(statement.field, bits, statement.field === 'ct-mark' || statement.from === 'ct-mark');
    }
    case 'unknown-field': {
      const width = bitsOf(statement.field).length;
      const bits =
        statement.field === 'ttl'
          ? unknownIn(host, statement.text, width, UNTOLD_TTL, 'ttl')
          : host.unknownBits(statement.text, width, statement.field);
      return assign(statement.field, bits, statement.field === 'ct-mark');
    }
  }
}

/** Part of the packets a NAT rule takes, and what the rule makes of them. */
export interface Translation {
  readonly within: PacketSet;
  readonly environment: Environment;
}

/**
 * Address translation by a rule of a nat chain (packet-path.md, "Fields along the way"). Packets whose port changes and
 * packets whose port stays (no ports, or a port in the wanted range already) come apart, so that new ports are constants or
 * unknowns and never functions of the old ones. Source: linux nf_nat_core.c, nf_nat_l4proto_in_range().
 */
export function afterNat(
  host: HostSpace,
  place: Place,
  environment: Environment,
  nat: Nat,
  text: string,
): Translation[] {
  const { space } = host;
  const { version } = place;
  const field = nat.kind === 'dnat' || nat.kind === 'redirect' ? 'dport' : 'sport';
  const old = fieldBits(host, environment, field, version);
  const ports = usable(nat.ports, 16);
  if (ports === undefined)
    return [{ within: space.full, environment: withNewPort(host, place, environment, nat, text, old) }];
  const hasPorts = space.inIntervals(
    fieldBits(host, environment, 'protocol', version),
    PROTOCOLS_WITH_PORTS.map(single),
  );
  const onlyOne = ports.lo === ports.hi;
  const moves =
    onlyOne || nat.portMoves === true ? hasPorts : space.minus(hasPorts, space.inIntervals(old, [ports]));
  const wanted = unknownIn(host, `port of: ${text}`, 16, ports, field);
  return [
    { within: moves, environment: withNewPort(host, place, environment, nat, text, wanted) },
    { within: space.complement(moves), environment: withNewPort(host, place, environment, nat, text, old) },
  ];
}

/** The range, or everything where it is reversed. */
function usable(range: Interval | undefined, width: number): Interval | undefined {
  if (range === undefined || range.lo <= range.hi) return range;
  return interval(0n, (1n << BigInt(width)) - 1n);
}

/** The environment after translation, given the port's new bits. */
function withNewPort(
  host: HostSpace,
  place: Place,
  environment: Environment,
  nat: Nat,
  text: string,
  port: Bits,
): Environment {
  const { space } = host;
  const { version } = place;
  const width = addressBits(version);
  const now = (field: 'saddr' | 'daddr' | 'sport' | 'dport') => fieldBits(host, environment, field, version);
  const address = (field: 'saddr' | 'daddr'): Bits => {
    if (nat.unknownTarget) return host.unknownBits(`address of: ${text}`, width, field);
    const addresses = usable(nat.addresses, width);
    return addresses === undefined
      ? now(field)
      : unknownIn(host, `address of: ${text}`, width, addresses, field);
  };
  switch (nat.kind) {
    case 'dnat': {
      const daddr = address('daddr');
      const changed = space.union(differ(host, daddr, now('daddr')), differ(host, port, now('dport')));
      return translated(
        host,
        place,
        environment,
        [
          ['daddr', daddr],
          ['dport', port],
        ],
        'ct-dnat',
        changed,
      ).withNote('redirected', undefined);
    }
    case 'redirect': {
      const local = place.path === 'output';
      const daddr = local
        ? space.constantBits(width, version === 4 ? 0x7f00_0001n : 1n)
        : host.deterministicBits(`own IPv${version} address`, width, 'daddr');
      const addressChanged = local
        ? differ(host, daddr, now('daddr'))
        : host.varying(`whether the packet was sent to the interface's own address: ${text}`);
      const changed = space.union(differ(host, port, now('dport')), addressChanged);
      return translated(
        host,
        place,
        environment,
        [
          ['daddr', daddr],
          ['dport', port],
        ],
        'ct-dnat',
        changed,
      ).withNote('redirected', 'yes');
    }
    case 'snat':
    case 'masquerade': {
      const saddr =
        nat.kind === 'snat' ? address('saddr') : host.unknownBits(`address of: ${text}`, width, 'saddr');
      return translated(
        host,
        place,
        environment,
        [
          ['saddr', saddr],
          ['sport', port],
        ],
        'ct-snat',
        space.full,
      );
    }
  }
}

function translated(
  host: HostSpace,
  place: Place,
  environment: Environment,
  changes: readonly (readonly [SpaceField, Bits])[],
  status: 'ct-dnat' | 'ct-snat',
  changed: PacketSet,
): Environment {
  const old = fieldBits(host, environment, status, place.version)[0]!;
  // A field that keeps its arriving value is not listed, so that later steps know it is the packet's own.
  const real = changes.map(([field, bits]) => [field, isOwn(host, field, bits) ? undefined : bits] as const);
  return environment.assign([...real, [status, [host.space.union(old, changed)]]]);
}

/** Whether the bits are the arriving packet's own value of the field. */
function isOwn(host: HostSpace, field: SpaceField, bits: Bits): boolean {
  const own = host.space.bits(field);
  return bits.every((bit, i) => bit === own[i]);
}

/** Where two numbers differ. */
function differ(host: HostSpace, a: Bits, b: Bits): PacketSet {
  const { space } = host;
  let out = space.empty;
  a.forEach((bit, i) => {
    out = space.union(out, space.symmetricDifference(bit, b[i]!));
  });
  return out;
}

/**
 * A number that may be any value of the closed interval and nothing else. The interval is cut into aligned blocks; fresh
 * unknown variables choose the block and the bits inside it, so every valuation gives a value of the interval.
 */
export function unknownIn(
  host: HostSpace,
  text: string,
  width: number,
  range: Interval,
  beside: SpaceField,
): Bits {
  const { space } = host;
  if (range.lo >= range.hi) return space.constantBits(width, range.lo);
  const blocks = alignedBlocks(range);
  const choices = host.unknownBits(text, Math.max(1, Math.ceil(Math.log2(blocks.length))), beside);
  const inner = host.unknownBits(text, width, beside);
  let bits: Bits = [];
  blocks.forEach((block, index) => {
    const own = space
      .constantBits(width, block.value)
      .map((bit, i) => (width - 1 - i < block.freeBits ? inner[i]! : bit));
    // Spare codes of the choice mean the last block.
    const last = index === blocks.length - 1;
    const chosen = space.inIntervals(choices, [
      last ? interval(index, (1n << BigInt(choices.length)) - 1n) : single(index),
    ]);
    bits = index === 0 ? own : bits.map((bit, i) => space.ifThenElse(chosen, own[i]!, bit));
  });
  return bits;
}

function alignedBlocks(range: Interval): { readonly value: bigint; readonly freeBits: number }[] {
  const out: { value: bigint; freeBits: number }[] = [];
  let lo = range.lo;
  while (lo <= range.hi) {
    let freeBits = 0;
    while (
      (lo & ((1n << BigInt(freeBits + 1)) - 1n)) === 0n &&
      lo + (1n << BigInt(freeBits + 1)) - 1n <= range.hi
    ) {
      freeBits++;
    }
    out.push({ value: lo, freeBits });
    lo += 1n << BigInt(freeBits);
  }
  return out;
}
