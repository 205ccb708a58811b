import type { Chain, PacketHook, Rule, Table } from '../../model/index.ts';
import type { CheckScope, Decoder, Path } from '../../rulepack/index.ts';
import type { FoundPackets } from '../found-packets.ts';
import type { HostContext } from '../host-context.ts';

/** What a check with `when` is asked about: a rule or policy, a chain, or a whole side of a host, on one way through it. */
export interface Subject {
  readonly scope: CheckScope;
  readonly context: HostContext;
  /** The way through the host that packets take. */
  readonly hook: PacketHook;
  /** Absent for the scope `host`. */
  readonly table: Table | undefined;
  readonly chain: Chain | undefined;
  /** `undefined` for the scopes `chain` and `host`, and for the policy of a chain. */
  readonly rule: Rule | undefined;
}

/**
 * A predicate with its options read.
 *
 * - `host`: asked first, of the host alone.
 * - `hook`: which ways through the host are looked at.
 * - `subject`: asked of each rule, chain or host.
 * - `packets`: looks for packets; the finding shows those of the first such predicate.
 * - `found`: asked of the packets that were found.
 */
export type BoundPredicate =
  | {
      readonly kind: 'host';
      readonly roles: readonly NamedRole[];
      readonly holds: (context: HostContext) => boolean;
    }
  | { readonly kind: 'hook'; readonly hooks: readonly PacketHook[] }
  | { readonly kind: 'subject'; readonly holds: (subject: Subject) => boolean }
  | {
      readonly kind: 'packets';
      /** Roles that the options name: whether a profile has them is known only when one is chosen. */
      readonly roles: readonly NamedRole[];
      readonly find: (subject: Subject) => FoundPackets | undefined;
    }
  | { readonly kind: 'found'; readonly holds: (found: FoundPackets) => boolean };

/** A role that options name, with its place in the file. */
export interface NamedRole {
  readonly role: string;
  readonly path: Path;
}

/** An option that a predicate takes, and what it then means. */
export interface PredicateExample {
  /** What stands behind the name of the predicate, as YAML in one line. */
  readonly yaml: string;
  /** What it asks, as the end of a sentence about the scope's unit. */
  readonly means: string;
}

/**
 * One condition that a check may name under `when`. Everything about it stands in one file: what it asks, in which scopes, how its
 * options are read, and examples for its documentation.
 */
export interface Predicate {
  readonly name: string;
  readonly kind: BoundPredicate['kind'];
  /** What it asks, in one line. */
  readonly description: string;
  /** Which values it takes, in one line. */
  readonly takes: string;
  readonly scopes: readonly CheckScope[];
  readonly examples: readonly [PredicateExample, ...PredicateExample[]];
  /** Reads the options. What is wrong with them goes to the decoder; the result is of no use then. */
  readonly read: (value: unknown, path: Path, decoder: Decoder, scope: CheckScope) => BoundPredicate;
}

export const ALL_SCOPES: readonly CheckScope[] = ['rule', 'chain', 'host'];

/** One text or a list of texts, at least one. */
export function readTexts(value: unknown, path: Path, decoder: Decoder): string[] {
  if (!Array.isArray(value)) return value === undefined ? [] : [decoder.text(value, path)];
  return decoder.list(value, path, (one, at) => decoder.text(one, at), 1);
}

/** One of the words or a list of them, at least one. */
export function readWords<T extends string>(
  value: unknown,
  path: Path,
  decoder: Decoder,
  allowed: readonly T[],
): T[] {
  if (!Array.isArray(value)) return [decoder.oneOf(value ?? null, path, allowed)];
  return decoder.list(value, path, (one, at) => decoder.oneOf(one, at, allowed), 1);
}

/** `true` or `false`. */
export function readBoolean(value: unknown, path: Path, decoder: Decoder): boolean {
  if (typeof value === 'boolean') return value;
  decoder.report(path, 'expected true or false');
  return false;
}
