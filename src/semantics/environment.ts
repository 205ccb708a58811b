import type { PacketSet, SpaceField } from '../packet-set/index.ts';

/** What a connection is known by. */
export const TUPLE_FIELDS = [
  'saddr',
  'daddr',
  'protocol',
  'sport',
  'dport',
  'icmp-type',
  'icmp-code',
] as const;
export type TupleField = (typeof TUPLE_FIELDS)[number];

/** A field of the connection's original tuple, where it was changed before connection tracking saw the packet. */
export type OriginalField = `original ${TupleField}`;

/** The port of the transparent socket that a packet was given to, which is where it is delivered. */
export type HandedField = 'handed port';

/** A field as the space knows it, one of the two interfaces, a field of the original tuple, or the port of a socket. */
export type EnvironmentField = SpaceField | 'iif' | 'oif' | OriginalField | HandedField;

/** Facts about the way so far that are no header field. Notes that different rules may set hold the text of the rule. */
export type NoteName =
  /** A nat chain of the present hook has translated the packet: the rule that did. */
  | 'nat'
  /** The same, of an earlier hook that can change the destination. */
  | 'dnat'
  /** The destination is an own address that `redirect` chose. */
  | 'redirected';

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
  readonly #notes: ReadonlyMap<NoteName, string>;

  private constructor(
    fields: ReadonlyMap<EnvironmentField, readonly PacketSet[]>,
    notes: ReadonlyMap<NoteName, string>,
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

  note(name: NoteName): string | undefined {
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

  /** This environment with only these fields assigned; notes stay. */
  retaining(fields: readonly EnvironmentField[]): Environment {
    return new Environment(
      new Map([...this.#fields].filter(([field]) => fields.includes(field))),
      this.#notes,
    );
  }

  /** This environment with a note set, or removed when `value` is `undefined`. */
  withNote(name: NoteName, value: string | undefined): Environment {
    if (this.#notes.get(name) === value) return this;
    const notes = new Map(this.#notes);
    if (value === undefined) notes.delete(name);
    else notes.set(name, value);
    return new Environment(this.#fields, notes);
  }
}

export function isOriginalField(field: EnvironmentField): field is OriginalField {
  return TUPLE_FIELDS.some((name) => field === `original ${name}`);
}

/** The field that a field of the original tuple is the original of. */
export function tupleField(field: OriginalField): TupleField {
  return TUPLE_FIELDS.find((name) => field === `original ${name}`)!;
}
