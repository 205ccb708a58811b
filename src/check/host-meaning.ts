/** What a host's rule set lets through, as a text that can be compared with that of another host. */
import { createHash } from 'node:crypto';
import type { PacketHook } from '../model/index.ts';
import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import { newFromOutside } from './blamed.ts';
import type { HostContext } from './host-context.ts';

const HOOKS: readonly PacketHook[] = ['input', 'forward', 'output'];

/**
 * A digest of all packets that get through, by way and IP version: equal for two hosts that let the same packets through on every way,
 * whatever their rules look like. `undefined` where nothing is to be learned from that: something was not read, or new connections from outside are
 * all accepted or all stopped.
 */
export function meaningOf(context: HostContext): string | undefined {
  const { space } = context.space;
  if (context.input.diagnostics.some((d) => d.incomplete)) return undefined;
  const filters = context.versions.some((version) => {
    const fresh = newFromOutside(context, version);
    const accepted = context.path('input', version).acceptedPackets;
    return space.intersects(fresh, accepted) && !space.includes(accepted, fresh);
  });
  if (!filters) return undefined;
  const parts: unknown[] = [];
  for (const version of context.versions) {
    for (const hook of HOOKS) {
      const { accepted, acceptedPackets } = context.path(hook, version);
      parts.push([
        version,
        hook,
        digestOf(context, acceptedPackets),
        context.space.unknownsOf(acceptedPackets),
      ]);
      for (const { environment, set } of accepted.values()) {
        const bits = (['daddr', 'dport'] as const).map((field) => environment.bits(field));
        if (bits.every((one) => one === undefined)) continue;
        parts.push([digestOf(context, set), bits.map((one) => one?.map((bit) => digestOf(context, bit)))]);
      }
    }
  }
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** The packets that surely and that possibly are in a set, as texts that are equal in other spaces too. */
function digestOf(context: HostContext, set: PacketSet): unknown {
  const { space } = context.space;
  const unknowns = space.variables({ keys: 'all' });
  return [space.forall(set, unknowns), space.exists(set, unknowns)].map((one) =>
    byInterface(space, one, 'iif', (rest) => byInterface(space, rest, 'oif', (left) => space.digest(left))),
  );
}

/** Interfaces told apart only where they make a difference: names that rules mention differ from host to host. */
function byInterface(
  space: PacketSpace,
  set: PacketSet,
  side: 'iif' | 'oif',
  digest: (set: PacketSet) => unknown,
): unknown {
  if (!space.support(set).fields.includes(side)) return digest(set);
  const names = space.interfacesOf(space.full, side);
  // One restriction each takes too long with many, and hosts with the same many interfaces are compared all the same.
  if (names.length > MOST_INTERFACES) return [names, digest(set)];
  const rest = JSON.stringify(digest(space.restrict(set, { [side]: OTHER_INTERFACE })));
  const others = names
    .map((name) => [name, JSON.stringify(digest(space.restrict(set, { [side]: name })))] as const)
    .filter(([, one]) => one !== rest)
    .sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1));
  return [rest, others];
}

/** Interfaces told apart one by one. */
const MOST_INTERFACES = 8;

/** A name that no rule mentions: it is longer than the kernel allows. */
const OTHER_INTERFACE = 'an interface without a rule';
