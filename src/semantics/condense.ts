import type { IpVersion } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import {
  Environment,
  type EnvironmentField,
  isOriginalField,
  type NoteName,
  tupleField,
} from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits } from './place.ts';
import { type State, StateBuilder } from './state.ts';

/** More environments than this are merged: each one costs a traversal of all that follows. */
export const MOST_ENVIRONMENTS = 16;

/**
 * The same state with fewer environments: where there are many (hundreds of DNAT or MARK rules), environments become one whose
 * bits are those of the environment each packet is in. Exact, since the sets of different environments are disjoint.
 * Packets that NAT treated differently stay apart, and those that were given to a socket.
 */
export function condense(
  host: HostSpace,
  state: State,
  version: IpVersion,
  most: number = MOST_ENVIRONMENTS,
): State {
  if (state.size <= most) return state;
  const groups = new Map<string, Entry[]>();
  for (const entry of state.values()) {
    const { environment } = entry;
    const noted = NOTES.map((note) => environment.note(note) !== undefined);
    const key = [...noted, environment.bits('handed port') !== undefined].join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  const builder = new StateBuilder(host.space);
  for (const group of groups.values()) {
    const all = host.space.unionAll(group.map(({ set }) => set));
    builder.add(merge(host, group, version), all);
  }
  return builder.build();
}

interface Entry {
  readonly environment: Environment;
  readonly set: PacketSet;
}

const NOTES: readonly NoteName[] = ['nat', 'dnat', 'redirected'];

function merge(host: HostSpace, group: readonly Entry[], version: IpVersion): Environment {
  const first = group[0]!.environment;
  const fields = new Set(group.flatMap(({ environment }) => environment.assignedFields()));
  let merged = first.assign(
    [...fields].map((field) => [field, mergedBits(host, group, field, version)] as const),
  );
  for (const note of NOTES) {
    const texts = new Set(group.map(({ environment }) => environment.note(note)));
    if (texts.size > 1) merged = merged.withNote(note, 'several rules');
  }
  return merged;
}

function mergedBits(
  host: HostSpace,
  group: readonly Entry[],
  field: EnvironmentField,
  version: IpVersion,
): readonly PacketSet[] | undefined {
  const { space } = host;
  const vectors = group.map(({ environment, set }) => ({
    set,
    bits: bitsNow(host, environment, field, version),
  }));
  const first = vectors[0]!.bits;
  const isSame = vectors.every(({ bits }) => bits.every((bit, i) => bit === first[i]));
  if (isSame) return group[0]!.environment.bits(field) ?? first;
  return first.map((_, i) => space.unionAll(vectors.map(({ set, bits }) => space.intersect(set, bits[i]!))));
}

/** Bits of any field of an environment, its arriving ones where it has no others. */
function bitsNow(
  host: HostSpace,
  environment: Environment,
  field: EnvironmentField,
  version: IpVersion,
): readonly PacketSet[] {
  const assigned = environment.bits(field);
  if (assigned !== undefined) return assigned;
  if (field === 'iif' || field === 'oif') return host.space.interfaceBits(field);
  if (field === 'handed port') throw new Error('handed and other packets in one group');
  // Where it is not assigned, the original tuple is that of the arriving packet, whatever became of the packet since.
  const name = isOriginalField(field) ? tupleField(field) : field;
  return fieldBits(host, Environment.initial, name, version);
}
