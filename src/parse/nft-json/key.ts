import {
  type Condition,
  type FieldName,
  type Hook,
  negateIf,
  type UnknownCondition,
} from '../../model/index.ts';
import { addressBits, type Interval, type IpVersion, interval, intervalsContain } from '../../net/index.ts';
import { all, any, unknown, versionIs } from './conditions.ts';
import type { DataType } from './constants.ts';
import { clipIntervals } from './intervals.ts';

/** What the chain around a rule says about the packets that come to it. */
export interface RuleContext {
  readonly family: string;
  /** Hooks from which the chain is reached; empty when it is reached from none. */
  readonly hooks: ReadonlySet<Hook>;
  /** Says something about the statement being read. */
  readonly say: Say;
  /** What `make` gives, made once for each `key` in a table: many rules ask the same. */
  readonly once: <T>(key: string, make: () => T) => T;
}

/**
 * Says something about the statement being read. `misshaped`: it is not what the format allows, and the rule is not known for that.
 * The others are said once for each `key`. `path`: names and indexes from the statement to the part that is meant.
 */
export type Say = (
  what:
    | { readonly kind: 'misshaped' }
    | {
        readonly kind: 'unsupported' | 'note' | 'unresolved-reference';
        readonly key: string;
        /** It concerns the whole export, not this rule. */
        readonly general?: boolean;
      },
  detail: string,
  path?: readonly (string | number)[],
) => void;

/** Text of a comparison, made where some part of it is not modelled. */
export type Asked = () => string;

/** The left side of a match, the key of a map: what is looked at in the packet. */
export type Key = NumberKey | InterfaceKey | AddressTypeKey | OpaqueKey;

/** A number of the packet. */
export interface NumberKey {
  readonly kind: 'number';
  readonly text: string;
  readonly type: DataType;
  readonly width: number;
  /** What must hold for the expression to have a value, negated or not. */
  readonly needs: readonly Condition[];
  /**
   * The number, under `mask`, lies in one of `values`, or does not where `negated`. `asked` is the text of the whole
   * comparison, for parts of the key that are not modelled.
   */
  readonly within: (
    values: readonly Interval[],
    mask: bigint | undefined,
    negated: boolean,
    asked: Asked,
  ) => Condition;
}

/** A name of an interface. */
export interface InterfaceKey {
  readonly kind: 'interface';
  readonly text: string;
  readonly field: 'iif' | 'oif';
  readonly needs: readonly Condition[];
}

/** The routing type of an address. */
export interface AddressTypeKey {
  readonly kind: 'address-type';
  readonly text: string;
  readonly field: 'saddr' | 'daddr';
  readonly limited: boolean;
  readonly needs: readonly Condition[];
}

/** Something that is not modelled. */
export interface OpaqueKey {
  readonly kind: 'opaque';
  readonly text: string;
  readonly nature: UnknownCondition['nature'];
  readonly needs: readonly Condition[];
  /** The expression has no value for any packet here, so that no comparison matches. */
  readonly never?: boolean;
}

type Simple = Exclude<FieldName, 'saddr' | 'daddr'>;

/** A whole field. */
export function fieldKey(
  text: string,
  type: DataType,
  field: Simple,
  width: number,
  ...needs: readonly Condition[]
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (values, mask, negated) =>
      negateIf(
        negated,
        mask === undefined
          ? { kind: 'field', field, values: clipIntervals(values, width) }
          : { kind: 'field', field, mask, values: clipIntervals(values, width) },
      ),
  };
}

/** A source or destination address of one IP version. */
export function addressKey(text: string, field: 'saddr' | 'daddr', version: IpVersion): NumberKey {
  const width = addressBits(version);
  return {
    kind: 'number',
    text,
    type: version === 4 ? 'ipv4' : 'ipv6',
    width,
    needs: [versionIs(version)],
    within: (values, mask, negated) =>
      negateIf(
        negated,
        mask === undefined
          ? { kind: 'address', field, version, values: clipIntervals(values, width) }
          : { kind: 'address', field, version, mask, values: clipIntervals(values, width) },
      ),
  };
}

/** A number with few values, each of which is a condition of its own; other values never occur. */
export function choiceKey(
  text: string,
  type: DataType,
  width: number,
  needs: readonly Condition[],
  values: readonly (readonly [number, Condition])[],
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (wanted, mask, negated) => {
      const fits = values.filter(
        ([value]) =>
          intervalsContain(wanted, mask === undefined ? BigInt(value) : BigInt(value) & mask) !== negated,
      );
      return any(...fits.map(([, condition]) => condition));
    },
  };
}

/** A number that is another thing for different packets. The `key` of a part may be `undefined`: not modelled. */
export function splitKey(
  text: string,
  type: DataType,
  width: number,
  needs: readonly Condition[],
  parts: readonly { readonly when: Condition; readonly key: NumberKey | undefined }[],
): NumberKey {
  return {
    kind: 'number',
    text,
    type,
    width,
    needs,
    within: (values, mask, negated, asked) =>
      any(
        ...parts.map(({ when, key }) =>
          all(
            when,
            key === undefined
              ? unknown('deterministic', asked())
              : all(...key.needs, key.within(values, mask, negated, asked)),
          ),
        ),
      ),
  };
}

/** Bits of a field, counted from its most significant one. */
export function sliceKey(
  text: string,
  type: DataType,
  base: NumberKey,
  from: number,
  length: number,
): NumberKey {
  if (from === 0 && length === base.width) return { ...base, text, type };
  const shift = BigInt(base.width - from - length);
  const ones = ((1n << BigInt(length)) - 1n) << shift;
  return {
    kind: 'number',
    text,
    type,
    width: length,
    needs: base.needs,
    within: (values, mask, negated, asked) =>
      base.within(
        clipIntervals(values, length).map(({ lo, hi }) => interval(lo << shift, hi << shift)),
        mask === undefined ? ones : (mask << shift) & ones,
        negated,
        asked,
      ),
  };
}

/** Something that is not modelled, and what must hold for it to have a value. */
export function opaqueKey(
  text: string,
  nature: UnknownCondition['nature'],
  ...needs: readonly Condition[]
): OpaqueKey {
  return { kind: 'opaque', text, nature, needs };
}
