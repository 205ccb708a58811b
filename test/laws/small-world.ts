/**
 * A world so small that every packet can be listed: a packet set is then the list of its members, and every
 * operation has an obvious second implementation. Shares no code with src/packet-set beyond building the sets.
 */
import fc from 'fast-check';
import type { PacketSet, PacketSpace, SpaceField } from '../../src/packet-set/index.ts';

/** The dimensions of the small world, with every value a packet can have there. */
const DOMAINS = {
  version: [4, 6],
  iif: ['', 'eth0', 'eth1', 'ethx', 'lo', 'wlan0'],
  'ct-state': [0, 1, 2, 3, 4],
  ecn: [0, 1, 2, 3],
  pkttype: [0, 1, 2, 3, 5],
  fragment: [0, 1],
  p: [0, 1],
  q: [0, 1],
} as const;

export type Dimension = keyof typeof DOMAINS;
export type Packet = Readonly<Record<Dimension, number | string>>;
export const DIMENSIONS = Object.keys(DOMAINS).filter((name): name is Dimension => name in DOMAINS);
export const SMALL_FIELDS = [
  'ct-state',
  'ecn',
  'pkttype',
  'fragment',
] as const satisfies readonly SpaceField[];
export type SmallField = (typeof SMALL_FIELDS)[number];
export const KEYS = ['p', 'q'] as const;

/** What the space has to be told so that it can tell the interfaces of the small world apart. */
export const INTERFACES = [
  { name: 'eth', prefix: true },
  { name: 'eth0', prefix: false },
  { name: 'eth1', prefix: false },
  { name: 'lo', prefix: false },
];

/** Every packet there is, truth values of the two unknown predicates included. */
export const ALL: readonly Packet[] = combine(DIMENSIONS);

function combine(dimensions: readonly Dimension[]): Packet[] {
  let packets: Record<string, number | string>[] = [{}];
  for (const dimension of dimensions) {
    const values: readonly (number | string)[] = DOMAINS[dimension];
    packets = packets.flatMap((packet) => values.map((value) => ({ ...packet, [dimension]: value })));
  }
  // Every dimension was filled in.
  return packets as Packet[];
}

/** Distance in `ALL` between packets that differ by one step in a dimension: the last dimension varies fastest. */
const STEPS = stepsOf();

function stepsOf(): Readonly<Record<Dimension, number>> {
  const steps: Partial<Record<Dimension, number>> = {};
  let step = 1;
  for (const dimension of [...DIMENSIONS].reverse()) {
    steps[dimension] = step;
    step *= DOMAINS[dimension].length;
  }
  // Every dimension was filled in.
  return steps as Record<Dimension, number>;
}

/** A condition on packets of the small world. */
export type Expression =
  | { readonly kind: 'and' | 'or' | 'minus' | 'xor'; readonly of: readonly [Expression, Expression] }
  | { readonly kind: 'not'; readonly of: readonly [Expression] }
  | { readonly kind: 'if'; readonly of: readonly [Expression, Expression, Expression] }
  | { readonly kind: 'version'; readonly version: 4 | 6 }
  | { readonly kind: 'key'; readonly key: (typeof KEYS)[number] }
  | { readonly kind: 'interface'; readonly name: string; readonly prefix: boolean }
  | {
      readonly kind: 'field';
      readonly field: SmallField;
      readonly mask: number;
      readonly lo: number;
      readonly hi: number;
    };

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.constantFrom<4 | 6>(4, 6).map((version): Expression => ({ kind: 'version', version })),
  fc.constantFrom(...KEYS).map((key): Expression => ({ kind: 'key', key })),
  fc
    .constantFrom(...INTERFACES, { name: '', prefix: true }, { name: '', prefix: false })
    .map((mention): Expression => ({ kind: 'interface', ...mention })),
  fc
    .record({ field: fc.constantFrom(...SMALL_FIELDS), mask: fc.nat(7), lo: fc.nat(7), hi: fc.nat(8) })
    .map((range): Expression => ({ kind: 'field', ...range })),
);

/** Random expressions of moderate size. */
export const anyExpression: fc.Arbitrary<Expression> = fc.letrec<{ any: Expression }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaf,
    fc
      .tuple(fc.constantFrom('and', 'or', 'minus', 'xor'), tie('any'), tie('any'))
      .map(([kind, a, b]): Expression => ({ kind, of: [a, b] })),
    tie('any').map((a): Expression => ({ kind: 'not', of: [a] })),
    fc.tuple(tie('any'), tie('any'), tie('any')).map((of): Expression => ({ kind: 'if', of })),
  ),
})).any;

/** Whether the expression holds for the packet: the plain reading. */
export function holds(expression: Expression, packet: Packet): boolean {
  const truth = (index: number): boolean => {
    const parts = 'of' in expression ? expression.of : [];
    return holds(parts[index]!, packet);
  };
  switch (expression.kind) {
    case 'and':
      return truth(0) && truth(1);
    case 'or':
      return truth(0) || truth(1);
    case 'minus':
      return truth(0) && !truth(1);
    case 'xor':
      return truth(0) !== truth(1);
    case 'not':
      return !truth(0);
    case 'if':
      return truth(0) ? truth(1) : truth(2);
    case 'version':
      return packet.version === expression.version;
    case 'key':
      return packet[expression.key] === 1;
    case 'interface': {
      const name = String(packet.iif);
      if (expression.prefix) return name.startsWith(expression.name);
      return expression.name !== '' && name === expression.name;
    }
    case 'field': {
      const value = Number(packet[expression.field]) & expression.mask;
      return expression.lo <= value && value <= expression.hi;
    }
  }
}

/** The expression as a packet set. */
export function build(space: PacketSpace, expression: Expression): PacketSet {
  const part = (index: number): PacketSet => {
    const parts = 'of' in expression ? expression.of : [];
    return build(space, parts[index]!);
  };
  switch (expression.kind) {
    case 'and':
      return space.intersect(part(0), part(1));
    case 'or':
      return space.union(part(0), part(1));
    case 'minus':
      return space.minus(part(0), part(1));
    case 'xor':
      return space.symmetricDifference(part(0), part(1));
    case 'not':
      return space.complement(part(0));
    case 'if':
      return space.ifThenElse(part(0), part(1), part(2));
    case 'version':
      return space.version(expression.version);
    case 'key':
      return space.variable(expression.key);
    case 'interface':
      return space.interfaceIn(space.interfaceBits('iif'), expression.name, expression.prefix);
    case 'field': {
      const range = { lo: BigInt(expression.lo), hi: BigInt(expression.hi) };
      return space.inIntervals(space.bits(expression.field), [range], BigInt(expression.mask));
    }
  }
}

/** Whether a packet of the small world is in a set. */
export function isMember(space: PacketSpace, set: PacketSet, packet: Packet): boolean {
  let rest = space.restrict(set, {
    version: packet.version === 4 ? 4 : 6,
    iif: packet.iif === '' ? null : String(packet.iif),
    'ct-state': BigInt(packet['ct-state']),
    ecn: BigInt(packet.ecn),
    pkttype: BigInt(packet.pkttype),
    fragment: BigInt(packet.fragment),
  });
  for (const key of KEYS) {
    const variable = space.variable(key);
    rest = space.intersect(rest, packet[key] === 1 ? variable : space.complement(variable));
  }
  return !space.isEmpty(rest);
}

/** The members of a set by the plain reading: 1 at the positions of its packets in `ALL`. */
export function members(expression: Expression): Uint8Array {
  return Uint8Array.from(ALL, (packet) => (holds(expression, packet) ? 1 : 0));
}

/** Positions in `ALL` of the packets that differ from the one at `position` at most in the given dimensions. */
export function variants(position: number, dimensions: readonly Dimension[]): number[] {
  let positions = [position];
  for (const dimension of dimensions) {
    const step = STEPS[dimension];
    const size = DOMAINS[dimension].length;
    positions = positions.flatMap((at) => {
      const first = at - (Math.floor(at / step) % size) * step;
      return Array.from({ length: size }, (_, i) => first + i * step);
    });
  }
  return positions;
}
