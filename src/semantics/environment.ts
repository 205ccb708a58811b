import type { PacketSet, SpaceField } from '../packet-set/index.ts';

/** A field as the space knows it, or one of the two interfaces. */
export type EnvironmentField = SpaceField | 'iif' | 'oif';

/**
 * What assignments have made of a packet's fields: for each changed field, its bits as functions of the packet *as it
 * arrived* (and of unknown predicates). Fields not listed still have their arriving value. Immutable.
 *
 * Assignments are substitutions (design.md, 3): packet sets always speak about the arriving packet, and a match
 * after an assignment is built from the environment's bits instead of the field's own.
 */
export class Environment {
  /** Equal keys mean equal environments: bit functions are canonical handles. */
  readonly key: string;
  readonly #fields: ReadonlyMap<EnvironmentField, readonly PacketSet[]>;
  /** Facts about the way so far that are no header field: `nat` once a nat chain of this hook has translated, the rule that did. */
  readonly #notes: ReadonlyMap<string, string>;

  private constructor(
    fields: ReadonlyMap<EnvironmentField, readonly PacketSet[]>,
    notes: ReadonlyMap<string, string>,
  ) {
    this.#fields = fields;
    this.#notes = notes;
    const parts: string[] = [];
    for (const name of [...fields.keys()].sort()) parts.push(`${name}=${fields.get(name)!.join(',')}`);
    for (const name of [...notes.keys()].sort()) parts.push(`${name}:${notes.get(name)}`);
    this.key = parts.join(';');
  }

  /** The environment of a packet nothing has been changed in. */
  static readonly initial: Environment = new Environment(new Map(), new Map());

  /** Bits of a field, most significant first, or `undefined` when it has its arriving value. */
  bits(field: EnvironmentField): readonly PacketSet[] | undefined {
    return this.#fields.get(field);
  }

  /** Fields that have bits of their own here. */
  assignedFields(): EnvironmentField[] {
    return [...this.#fields.keys()];
  }

  note(name: string): string | undefined {
    return this.#notes.get(name);
  }

  /** This environment with some fields assigned; `undefined` gives a field its arriving value back. */
  assign(changes: Iterable<readonly [EnvironmentField, readonly PacketSet[] | undefined]>): Environment {
    const fields = new Map(this.#fields);
    for (const [field, bits] of changes) {
      if (bits === undefined) fields.delete(field);
      else fields.set(field, bits);
    }
    return new Environment(fields, this.#notes);
  }

  /** This environment with a note set, or removed when `value` is `undefined`. */
  withNote(name: string, value: string | undefined): Environment {
    if (this.#notes.get(name) === value) return this;
    const notes = new Map(this.#notes);
    if (value === undefined) notes.delete(name);
    else notes.set(name, value);
    return new Environment(this.#fields, notes);
  }
}
