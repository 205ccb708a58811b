/**
 * What may become of packets, by rule set: with everything unknown in it left open, and without a word about what it is. So two readings
 * of one firewall can be compared where one of them knows more.
 *
 * Lighter than `compareRulesets`, which keeps the unknowns of both rule sets apart and says what each difference hangs on: here every rule
 * set is followed alone, with its unknowns merged as the checks have them.
 */
import type { PacketHook, Ruleset } from '../../src/model/index.ts';
import { addressBits, type IpVersion, PROTOCOLS_WITH_PORTS, single, TCP } from '../../src/net/index.ts';
import type { Header, PacketSet, PacketSpace } from '../../src/packet-set/index.ts';
import {
  analysePath,
  DEFAULT_MOST_UNKNOWNS,
  HostSpace,
  type SharedSpace,
  sharedSpace,
} from '../../src/semantics/index.ts';

/** An outcome that one rule set allows and the other does not. A translation to what a packet had already is another outcome than none. */
export interface ForeignOutcome {
  readonly path: PacketHook;
  readonly version: IpVersion;
  /** `accept`, `drop`, `reject`, that the destination is kept, or one bit of the new one. */
  readonly outcome: string;
  /** One of the packets, of any connection state. */
  readonly packet: Header;
}

const PATHS: readonly PacketHook[] = ['input', 'forward', 'output'];
const VERSIONS: readonly IpVersion[] = [4, 6];

/**
 * Outcomes that are possible by `closer` and impossible by `wider`, one for each way through the host and direction; none when `closer`
 * only says more exactly what `wider` says. Both ways round: the rule sets leave the same open. Packets of all connection states, with all
 * marks. Destinations are compared bit by bit, so two that are possible are not told apart from their mixtures.
 */
export function foreignOutcomes(
  closer: Ruleset,
  wider: Ruleset,
  paths: readonly PacketHook[] = PATHS,
): readonly ForeignOutcome[] {
  const shared = sharedSpace([closer, wider]);
  const found: ForeignOutcome[] = [];
  for (const path of paths)
    for (const version of VERSIONS) {
      const allowed = outcomesOf(wider, shared, path, version);
      for (const [outcome, packets] of outcomesOf(closer, shared, path, version)) {
        const { space } = shared;
        const packet = space.sample(space.minus(packets, allowed.get(outcome) ?? space.empty), { version });
        if (packet === undefined) continue;
        found.push({ path, version, outcome, packet });
        break;
      }
    }
  return found;
}

/** Packets for which each outcome is possible. */
function outcomesOf(
  ruleset: Ruleset,
  shared: SharedSpace,
  path: PacketHook,
  version: IpVersion,
): ReadonlyMap<string, PacketSet> {
  const { space } = shared;
  const host = new HostSpace(ruleset, undefined, shared, DEFAULT_MOST_UNKNOWNS);
  const { accepted, acceptedPackets, dropped, rejected } = analysePath(host, path, version);
  const unknowns = space.variables({ keys: 'all' });
  const real = realPackets(space, path, version);
  const some = (set: PacketSet): PacketSet => space.intersect(real, space.exists(set, unknowns));
  const outcomes = new Map([
    ['accept', some(acceptedPackets)],
    ['drop', some(dropped)],
    ['reject', some(rejected)],
  ]);
  const hasPorts = space.inIntervals(space.bits('protocol'), PROTOCOLS_WITH_PORTS.map(single));
  const arriving = {
    daddr: space.bits('daddr').slice(0, addressBits(version)),
    dport: space.bits('dport'),
  };
  for (const field of ['daddr', 'dport'] as const) {
    const within = field === 'dport' ? hasPorts : space.full;
    const entries = [...accepted.values()];
    const kept = entries.filter(({ environment }) => environment.bits(field) === undefined);
    const moved = entries.filter(({ environment }) => environment.bits(field) !== undefined);
    const union = (sets: readonly PacketSet[]) => space.intersect(within, some(space.unionAll(sets)));
    outcomes.set(`${field} kept`, union(kept.map(({ set }) => set)));
    for (const [i, own] of arriving[field].entries()) {
      const bit = ({ environment }: (typeof moved)[number]): PacketSet => environment.bits(field)?.[i] ?? own;
      outcomes.set(`bit ${i} of ${field} set`, union(moved.map((one) => space.intersect(one.set, bit(one)))));
      outcomes.set(`bit ${i} of ${field} not set`, union(moved.map((one) => space.minus(one.set, bit(one)))));
    }
  }
  return outcomes;
}

/** Packets of a version that have the interfaces of their way, and TCP flags only where they are TCP. */
function realPackets(space: PacketSpace, path: PacketHook, version: IpVersion): PacketSet {
  const isTcp = space.inIntervals(space.bits('protocol'), [single(TCP)]);
  return space.intersectAll([
    space.version(version),
    space.union(isTcp, space.inIntervals(space.bits('tcp-flags'), [single(0)])),
    ...(path === 'output' ? [] : [space.interfaceValid('iif')]),
    ...(path === 'input' ? [] : [space.interfaceValid('oif')]),
  ]);
}
