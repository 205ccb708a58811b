/** The predicates that a check may name under `when`: one import and one line each. */
import { acceptsAllOf } from './accepts-all-of.ts';
import { acceptsAnyOf } from './accepts-any-of.ts';
import { blocksAllOf } from './blocks-all-of.ts';
import { blocksAnyOf } from './blocks-any-of.ts';
import { chain } from './chain.ts';
import { chainPolicy } from './chain-policy.ts';
import { family } from './family.ts';
import { generated } from './generated.ts';
import { hasComment } from './has-comment.ts';
import { hook } from './hook.ts';
import { host } from './host.ts';
import { openTo } from './open-to.ts';
import type { Predicate } from './predicate.ts';
import { reachable } from './reachable.ts';
import { role } from './role.ts';
import { table } from './table.ts';
import { verdict } from './verdict.ts';

/** By name. */
export const PREDICATES: readonly Predicate[] = [
  acceptsAllOf,
  acceptsAnyOf,
  blocksAllOf,
  blocksAnyOf,
  chain,
  chainPolicy,
  family,
  generated,
  hasComment,
  hook,
  host,
  openTo,
  reachable,
  role,
  table,
  verdict,
];

export { PACKET_OPTION_KEYS, PEER_OPTION_KEYS } from './packets.ts';
export type { BoundPredicate, Predicate, Subject } from './predicate.ts';
