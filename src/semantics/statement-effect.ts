import type { Nat, Statement } from '../model/index.ts';
import { addressBits, type Interval, interval, PROTOCOLS_WITH_PORTS, single } from '../net/index.ts';
import type { PacketSet, SpaceField } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits, hasConnection, inCtState, type Place } from './place.ts';

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
      return withoutTracking(host, place, environment, tracked);
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
          : host.unknownBits(
              statement.text,
              width,
              PORTS.find((port) => port === statement.field),
            );
      return assign(statement.field, bits, statement.field === 'ct-mark');
    }
    case 'hand-over': {
      const { port, text } = statement;
      const bits =
        port === 'own'
          ? bitsOf('dport')
          : port === undefined
            ? host.unknownBits(text, 16)
            : space.constantBits(16, BigInt(port));
      return environment.assign([['handed port', bits]]);
    }
  }
}

/**
 * Fields whose unknown values are put beside them: a translated port is compared with the one that arrived. With all fields here, kernel tests
 * with marks took some fifty seconds; that the marks are the reason was not looked into.
 */
const PORTS = ['sport', 'dport'] as const;

/** Before connection tracking every packet loses its tracking; after it those that belong to no connection. Source: linux nft_ct.c `nft_notrack_eval`. */
function withoutTracking(
  host: HostSpace,
  place: Place,
  environment: Environment,
  tracked: boolean,
): Environment {
  const { space } = host;
  const untracked = space.constantBits(3, 4n);
  if (!tracked) return environment.assign([['ct-state', untracked]]);
  const invalid = inCtState(host, environment, place.version, 'invalid');
  const old = fieldBits(host, environment, 'ct-state', place.version);
  return environment.assign([
    ['ct-state', old.map((bit, i) => space.ifThenElse(invalid, untracked[i]!, bit))],
  ]);
}

/** Part of the packets a NAT rule takes, and what the rule makes of them. */
export interface Translation {
  readonly within: PacketSet;
  readonly environment: Environment;
}

/** What a translation sets, and what reports call the values it chooses. All rules of a chain share these unknowns. */
interface Side {
  readonly address: 'saddr' | 'daddr';
  readonly port: 'sport' | 'dport';
  readonly name: string;
}

const SOURCE: Side = { address: 'saddr', port: 'sport', name: 'source' };
const DESTINATION: Side = { address: 'daddr', port: 'dport', name: 'destination' };

/**
 * Address translation by a rule of a nat chain (packet-path.md, "Fields along the way"). Packets whose port changes and
 * packets whose port stays (no ports, or a port in the wanted range already) come apart, so that new ports are constants or
 * unknowns and never functions of the old ones. Source: linux nf_nat_core.c, nf_nat_l4proto_in_range().
 */
export function afterNat(host: HostSpace, place: Place, environment: Environment, nat: Nat): Translation[] {
  const { space } = host;
  const side = nat.kind === 'dnat' || nat.kind === 'redirect' ? DESTINATION : SOURCE;
  const now = (field: SpaceField) => fieldBits(host, environment, field, place.version);
  const address = newAddress(host, place, nat, side, now(side.address));
  const translate = (port: Bits) => withNewTarget(host, place, environment, nat, side, address, port);
  const ports = usable(nat.ports, 16);
  const old = now(side.port);
  if (ports === undefined) return [{ within: space.full, environment: translate(old) }];
  const hasPorts = space.inIntervals(now('protocol'), PROTOCOLS_WITH_PORTS.map(single));
  const onlyOne = ports.lo === ports.hi;
  const moves =
    onlyOne || nat.portMoves === true ? hasPorts : space.minus(hasPorts, space.inIntervals(old, [ports]));
  const wanted = unknownIn(host, `the ${side.name} port that NAT chooses`, 16, ports, side.port);
  return [
    { within: moves, environment: translate(wanted) },
    { within: space.complement(moves), environment: translate(old) },
  ];
}

/** The range, or everything where it is reversed. */
function usable(range: Interval | undefined, width: number): Interval | undefined {
  if (range === undefined || range.lo <= range.hi) return range;
  return interval(0n, (1n << BigInt(width)) - 1n);
}

/** The address's new bits. */
function newAddress(host: HostSpace, place: Place, nat: Nat, side: Side, now: Bits): Bits {
  const { version, path } = place;
  const width = addressBits(version);
  if (nat.kind === 'redirect') {
    return path === 'output'
      ? host.space.constantBits(width, version === 4 ? 0x7f00_0001n : 1n)
      : host.deterministicBits(`own IPv${version} address`, width, 'daddr');
  }
  const text = `the ${side.name} address that NAT chooses`;
  if (nat.kind === 'masquerade' || nat.unknownTarget) return host.unknownBits(text, width, side.address);
  const addresses = usable(nat.addresses, width);
  return addresses === undefined ? now : unknownIn(host, text, width, addresses, side.address);
}

/** The environment after translation, given the new bits of address and port. */
function withNewTarget(
  host: HostSpace,
  place: Place,
  environment: Environment,
  nat: Nat,
  side: Side,
  address: Bits,
  port: Bits,
): Environment {
  const { space } = host;
  const now = (field: SpaceField) => fieldBits(host, environment, field, place.version);
  const changes = [
    [side.address, address],
    [side.port, port],
  ] as const;
  if (side === SOURCE) return translated(host, place, environment, changes, 'ct-snat', space.full);
  const isRedirect = nat.kind === 'redirect';
  const addressChanged =
    isRedirect && place.path !== 'output'
      ? host.varying("whether the packet was sent to the interface's own address")
      : differ(host, address, now('daddr'));
  const changed = space.union(addressChanged, differ(host, port, now('dport')));
  return translated(host, place, environment, changes, 'ct-dnat', changed).withNote(
    'redirected',
    isRedirect ? 'yes' : undefined,
  );
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
  const inner = host.unknownBits(text, width, beside);
  const choices = Array.from({ length: Math.max(1, Math.ceil(Math.log2(blocks.length))) }, () =>
    host.varying(text),
  );
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
