import type { PacketSet, PacketSpace } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';

/** Packets under way, grouped by what assignments have made of them. The sets of different environments are disjoint. */
export type State = ReadonlyMap<string, { readonly environment: Environment; readonly set: PacketSet }>;

/** Builds a state by adding packets; empty sets leave no entry. */
export class StateBuilder {
  readonly #space: PacketSpace;
  readonly #entries = new Map<string, { readonly environment: Environment; set: PacketSet }>();

  constructor(space: PacketSpace) {
    this.#space = space;
  }

  add(environment: Environment, set: PacketSet): void {
    if (this.#space.isEmpty(set)) return;
    const entry = this.#entries.get(environment.key);
    if (entry === undefined) this.#entries.set(environment.key, { environment, set });
    else entry.set = this.#space.union(entry.set, set);
  }

  /** Adds what of `state` lies in `within`, of which no packet has been added before. */
  addWithin(state: State, within: PacketSet): void {
    for (const { environment, set } of state.values()) {
      const entry = this.#entries.get(environment.key);
      if (entry === undefined) this.add(environment, this.#space.intersect(set, within));
      else entry.set = this.#space.ifThenElse(within, set, entry.set);
    }
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  build(): State {
    return this.#entries;
  }
}

/** All packets of a state, whatever their environment. */
export function packetsOf(space: PacketSpace, state: State): PacketSet {
  let all = space.empty;
  for (const { set } of state.values()) all = space.union(all, set);
  return all;
}
