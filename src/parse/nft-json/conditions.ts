import {
  ALWAYS,
  type Condition,
  CT_STATE,
  NEVER,
  negateIf,
  type UnknownCondition,
} from '../../model/index.ts';
import { type IpVersion, interval, single } from '../../net/index.ts';

const VERSIONS: Readonly<Record<IpVersion, Condition>> = {
  4: { kind: 'version', version: 4 },
  6: { kind: 'version', version: 6 },
};

export function versionIs(version: IpVersion): Condition {
  return VERSIONS[version];
}

export function protocolIs(...protocols: readonly number[]): Condition {
  return { kind: 'field', field: 'protocol', values: protocols.map(single) };
}

/** The packet belongs to a connection. */
export const HAS_CONNECTION: Condition = {
  kind: 'field',
  field: 'ct-state',
  values: [interval(CT_STATE.new, CT_STATE.related)],
};

/** The packet is the first one of its connection. */
export const IS_NEW: Condition = { kind: 'field', field: 'ct-state', values: [single(CT_STATE.new)] };

/** All of the conditions hold; constants are folded. */
export function all(...of: readonly Condition[]): Condition {
  return allOf(of);
}

/** One of the conditions holds; constants are folded. */
export function any(...of: readonly Condition[]): Condition {
  return anyOf(of);
}

/** `all` of a list of any length. */
export function allOf(of: readonly Condition[]): Condition {
  const parts = of.includes(ALWAYS) ? of.filter((c) => c !== ALWAYS) : of;
  if (parts.includes(NEVER)) return NEVER;
  return parts.length === 0 ? ALWAYS : parts.length === 1 ? parts[0]! : { kind: 'all', of: parts };
}

/** `any` of a list of any length. */
export function anyOf(of: readonly Condition[]): Condition {
  const parts = of.includes(NEVER) ? of.filter((c) => c !== NEVER) : of;
  if (parts.includes(ALWAYS)) return ALWAYS;
  return parts.length === 0 ? NEVER : parts.length === 1 ? parts[0]! : { kind: 'any', of: parts };
}

export function not(condition: Condition): Condition {
  if (condition === ALWAYS) return NEVER;
  if (condition === NEVER) return ALWAYS;
  return negateIf(true, condition);
}

export function unknown(nature: UnknownCondition['nature'], text: string): Condition {
  return { kind: 'unknown', nature, text };
}
