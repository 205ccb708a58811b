import type { Interval, IpVersion } from '../net/index.ts';
import type { FieldName } from './field.ts';

/**
 * A condition on one packet: a small boolean expression whose leaves test fields, interfaces, named sets, or
 * something that is not modelled. A condition that names addresses of one IP version is false for packets of
 * the other; write `not` outside a version test when the kernel keeps the dependency positive under negation.
 */
export type Condition =
  | { readonly kind: 'all'; readonly of: readonly Condition[] }
  | { readonly kind: 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | FieldCondition
  | AddressCondition
  | OriginalFieldCondition
  | InterfaceCondition
  | AddressTypeCondition
  | NamedSetCondition
  | UnknownCondition
  /** The packet is of this IP version. */
  | { readonly kind: 'version'; readonly version: IpVersion };

/**
 * `(field & mask)` lies in one of `values`; without `mask`, the field itself does. Intervals with `lo > hi` are
 * empty. An empty `values` never matches. The test looks only at the field's bits: a parser adds the protocol
 * test that a port or flag match needs.
 */
export interface FieldCondition {
  readonly kind: 'field';
  readonly field: Exclude<FieldName, 'saddr' | 'daddr'>;
  readonly mask?: bigint;
  readonly values: readonly Interval[];
}

/** The address (of a packet of `version`) under `mask`, or whole, lies in one of `values`. False for the other IP version. */
export interface AddressCondition {
  readonly kind: 'address';
  readonly field: 'saddr' | 'daddr';
  readonly version: IpVersion;
  readonly mask?: bigint;
  readonly values: readonly Interval[];
}

/**
 * The same as a field or address condition, asked of the connection's *original* tuple, before any NAT:
 * conntrack's `--ctorigdst` and its siblings. For the first packet of a connection that is the packet as it
 * arrived. False for a packet without connection (invalid, untracked); unknown for established and related
 * packets, whose direction the header does not show.
 */
export interface OriginalFieldCondition {
  readonly kind: 'original';
  readonly of: FieldCondition | AddressCondition;
  /** Text of the match, for when it has to be treated as unknown. */
  readonly text: string;
}

/**
 * The interface name equals `name`, or begins with it when `prefix` is set (`eth+` also matches `eth`).
 * An interface that the hook does not have counts as the empty name: `name: '', prefix: true` matches
 * everything, even that; nothing else matches it.
 */
export interface InterfaceCondition {
  readonly kind: 'interface';
  readonly field: 'iif' | 'oif';
  readonly name: string;
  readonly prefix: boolean;
}

/**
 * Routing type of an address (`-m addrtype`, `fib daddr type`): true when it is one of `types`.
 * On input the destination is LOCAL. Types are upper case as in iptables-extensions(8).
 */
export interface AddressTypeCondition {
  readonly kind: 'address-type';
  readonly field: 'saddr' | 'daddr';
  readonly types: readonly string[];
  /** `--limit-iface-in` or `--limit-iface-out` is given: not decidable from an export, always unknown. */
  readonly limitedToInterface: boolean;
  /** Text of the match, for when it has to be treated as unknown. */
  readonly text: string;
}

/** What a named-set lookup takes from the packet for one dimension of the set. */
export type SetKeyPart =
  | { readonly kind: 'field'; readonly field: FieldName }
  | { readonly kind: 'interface'; readonly field: 'iif' | 'oif' };

/**
 * The packet is in the named set. `directions` are those of `--match-set NAME src,dst`, one per dimension;
 * the set's type says which field a direction means (address, port, MAC, interface, mark). Too few
 * directions never match, extra ones are ignored. A set that no export defines is a deterministic unknown.
 */
export interface NamedSetCondition {
  readonly kind: 'named-set';
  readonly set: string;
  readonly directions: readonly ('src' | 'dst')[];
  /**
   * `--return-nomatch`: in types with networks true only for elements marked `nomatch`. Means nothing for other types; in a list each
   * member goes by its own type.
   */
  readonly returnNomatch: boolean;
  /** Canonical text, used as the unknown predicate's key where the set's contents are not known. */
  readonly text: string;
}

/**
 * A test that is not modelled. `deterministic`: the same text always gives the same answer for a packet, so all
 * occurrences share one unknown predicate. `varying`: depends on time, rates, counters or chance, so each
 * occurrence is its own.
 */
export interface UnknownCondition {
  readonly kind: 'unknown';
  readonly nature: 'deterministic' | 'varying';
  /** Canonical text without negation: identity of a deterministic predicate, and what reports quote. */
  readonly text: string;
}

/** A condition that always holds, and one that never does. */
export const ALWAYS: Condition = { kind: 'all', of: [] };
export const NEVER: Condition = { kind: 'any', of: [] };

/** `condition`, or its negation when `negated`. */
export function negateIf(negated: boolean, condition: Condition): Condition {
  return negated ? { kind: 'not', of: condition } : condition;
}
