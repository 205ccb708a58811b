/** Choosing one packet of a set: a likely one, since people will read it and probes will be built from it. */
import {
  ICMP,
  ICMPV6,
  type Interval,
  type IpVersion,
  interval,
  maskedAddressInterval,
  PROTOCOLS_WITH_PORTS,
  parseMaskedAddress,
  single,
  TCP,
  UDP,
} from '../net/index.ts';
import type { Block, InterfaceSide, Layout, SpaceField } from './field.ts';
import type { Header } from './header.ts';
import { type InterfaceAtoms, NO_INTERFACE } from './interface-atoms.ts';
import type { PacketSet, PacketSpace, SamplePreferences } from './space.ts';

/** What choosing needs to know of a space beyond its public operations. */
export interface SampleContext {
  readonly space: PacketSpace;
  readonly layout: Layout;
  readonly atoms: InterfaceAtoms;
  /** The set without codes of the block that only repeat another one's meaning. */
  properCodes(set: PacketSet, block: Block): PacketSet;
  /** Whether the set depends on the block. */
  dependsOn(set: PacketSet, block: Block): boolean;
  /** Lowest code of a block in a non-empty set that depends on no field above it, and the set for that code. */
  lowestValue(set: PacketSet, block: Block): { value: bigint; rest: PacketSet };
}

type Draft = { -readonly [K in keyof Header]: Header[K] };

/**
 * One packet of `a`. Walks the variables from the top, so that after each field the set is smaller and the choice
 * is final: earlier fields take precedence where wishes exclude each other.
 */
export function samplePacket(
  context: SampleContext,
  a: PacketSet,
  preferences: SamplePreferences,
): Header | undefined {
  const { space, layout } = context;
  if (space.isEmpty(a)) return undefined;
  const header: Draft = {};
  let rest = a;
  for (const block of layout.blocks) rest = chooseBlock(context, rest, block, header, preferences);
  return header;
}

/** Fixes one block in the header and returns the set for that choice. */
function chooseBlock(
  context: SampleContext,
  set: PacketSet,
  block: Block,
  header: Draft,
  preferences: SamplePreferences,
): PacketSet {
  const { space } = context;
  switch (block.kind) {
    case 'version': {
      const { value, rest } = narrow(
        context,
        set,
        block,
        [[single(preferences.version === 6 ? 1 : 0)]],
        [space.version(6)],
      );
      header.version = value === 1n ? 6 : 4;
      return rest;
    }
    case 'interface': {
      // An interface block is named after its side.
      const side = block.name as InterfaceSide;
      const wanted = preferences[side];
      const matters = context.dependsOn(set, block);
      if (!matters && wanted === undefined) return set;
      const wishes = interfaceWishes(context.atoms, wanted);
      const bits = space.interfaceBits(side);
      const { value, rest } = narrow(context, matters ? set : space.full, block, wishes, bits);
      header[side] = context.atoms.exampleOf(Number(value));
      return matters ? rest : set;
    }
    case 'field': {
      // A field block is named after its field.
      const field = block.name as SpaceField;
      const version = header.version ?? 4;
      const own = (preferences[field] ?? []).map((range) => [range]);
      const matters = context.dependsOn(set, block);
      if (!matters && own.length === 0 && !isExpected(field, header)) return set;
      const wishes = [...own, ...plausibleValues(field, header)];
      const isAddress = field === 'saddr' || field === 'daddr';
      const bits = space.bits(field).slice(0, isAddress && version === 4 ? 32 : undefined);
      const { value, rest } = narrow(context, matters ? set : space.full, block, wishes, bits);
      header[field] = isAddress && version === 4 ? value >> 96n : value;
      return matters ? rest : set;
    }
    default:
      return set;
  }
}

/** The first wish about the number formed by `bits` that leaves something, then the lowest value of the block. */
function narrow(
  context: SampleContext,
  set: PacketSet,
  block: Block,
  wishes: readonly (readonly Interval[])[],
  bits: readonly PacketSet[],
): { value: bigint; rest: PacketSet } {
  const { space } = context;
  for (const wish of wishes) {
    const narrowed = space.intersect(set, space.inIntervals(bits, wish));
    if (!space.isEmpty(narrowed)) return context.lowestValue(context.properCodes(narrowed, block), block);
  }
  return context.lowestValue(context.properCodes(set, block), block);
}

function interfaceWishes(
  atoms: InterfaceAtoms,
  wanted: readonly (string | null)[] | undefined,
): (readonly Interval[])[] {
  const named = (wanted ?? []).map((name) => [single(atoms.atomOf(name ?? ''))]);
  const loopback = atoms.atomOf('lo');
  return [...named, [interval(NO_INTERFACE + 1, loopback - 1), interval(loopback + 1, atoms.other)]];
}

/** Whether a reader expects the field in a packet like this even where the set does not care. */
function isExpected(field: SpaceField, header: Header): boolean {
  switch (field) {
    case 'saddr':
    case 'daddr':
    case 'protocol':
    case 'ct-state':
      return true;
    case 'sport':
    case 'dport':
      return header.protocol !== undefined && PROTOCOLS_WITH_PORTS.includes(Number(header.protocol));
    case 'tcp-flags':
      return header.protocol === BigInt(TCP);
    case 'icmp-type':
    case 'icmp-code':
      return header.protocol === BigInt(ICMP) || header.protocol === BigInt(ICMPV6);
    default:
      return false;
  }
}

/** Values to try in turn, each a list of intervals. */
function plausibleValues(field: SpaceField, header: Header): (readonly Interval[])[] {
  switch (field) {
    case 'protocol':
      return [[single(TCP)], [single(UDP)], [single(header.version === 6 ? ICMPV6 : ICMP)]];
    case 'tcp-flags':
      // SYN alone opens a connection.
      return header.protocol === BigInt(TCP) ? [[single(2)]] : [[single(0)]];
    case 'icmp-type':
      // Echo request: RFC 792 and RFC 4443.
      return [[single(header.protocol === BigInt(ICMP) ? 8 : header.protocol === BigInt(ICMPV6) ? 128 : 0)]];
    case 'dport':
      return [[interval(1, 65535)]];
    case 'sport':
      // Linux's default ip_local_port_range is 32768 to 60999.
      return [[single(40000)], [interval(32768, 60999)], [interval(1024, 65535)], [interval(1, 65535)]];
    case 'saddr':
      return plausibleAddresses(header.version ?? 4, '203.0.113.1/32', '2001:db8:113::1/128');
    case 'daddr':
      return plausibleAddresses(header.version ?? 4, '192.0.2.1/32', '2001:db8:2::1/128');
    case 'ttl':
      return [[single(64)]];
    case 'length':
      return [[single(60)]];
    default:
      return [];
  }
}

/** A documentation address, then the documentation ranges, then unicast addresses of the Internet. */
function plausibleAddresses(version: IpVersion, first: string, first6: string): (readonly Interval[])[] {
  if (version === 6)
    return [[prefix(first6)], [prefix('2001:db8::/32')], [prefix('2000::/3')], [prefix('fc00::/7')]];
  const documentation = [prefix('192.0.2.0/24'), prefix('198.51.100.0/24'), prefix('203.0.113.0/24')];
  const unicast = [interval(0x0100_0000, 0x7eff_ffff), interval(0x8000_0000, 0xdfff_ffff)];
  return [[prefix(first)], documentation, unicast];
}

/** For the constants above only. */
function prefix(text: string): Interval {
  return maskedAddressInterval(parseMaskedAddress(text)!)!;
}
