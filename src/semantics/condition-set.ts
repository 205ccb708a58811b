import type { AddressTypeCondition, Condition } from '../model/index.ts';
import { interval, single } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import { Environment, TUPLE_FIELDS } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { namedSetMembers } from './named-set.ts';
import { fieldBits, inCtState, type Place } from './place.ts';

/**
 * Arriving packets (with valuations of unknown predicates) that meet `condition` at this point of their way. Exact:
 * what is not modelled is a variable of the space.
 */
export function conditionSet(
  host: HostSpace,
  place: Place,
  environment: Environment,
  condition: Condition,
): PacketSet {
  const { space } = host;
  const { version } = place;
  const recurse = (c: Condition) => conditionSet(host, place, environment, c);
  switch (condition.kind) {
    case 'all': {
      let set = space.full;
      for (const part of condition.of) set = space.intersect(set, recurse(part));
      return set;
    }
    case 'any':
      return space.unionAll(condition.of.map(recurse));
    case 'not':
      return space.complement(recurse(condition.of));
    case 'version':
      return condition.version === version ? space.full : space.empty;
    case 'field':
      return space.inIntervals(
        fieldBits(host, environment, condition.field, version),
        condition.values,
        condition.mask,
      );
    case 'address':
      if (condition.version !== version) return space.empty;
      return space.inIntervals(
        fieldBits(host, environment, condition.field, version),
        condition.values,
        condition.mask,
      );
    case 'interface':
      return space.interfaceIn(
        environment.bits(condition.field) ?? space.interfaceBits(condition.field),
        condition.name,
        condition.prefix,
      );
    case 'original': {
      const atTracking = conditionSet(host, place, originalTuple(environment), condition.of);
      const isNew = inCtState(host, environment, version, 'new');
      const later = inCtState(host, environment, version, 'established', 'related');
      return space.union(
        space.intersect(isNew, atTracking),
        space.intersect(later, host.deterministic(condition.text)),
      );
    }
    case 'address-type':
      return addressTypeSet(host, place, environment, condition);
    case 'named-set':
      return namedSetMembers(host, place, environment, condition);
    case 'unknown':
      return condition.nature === 'deterministic'
        ? host.deterministic(condition.text)
        : host.varying(condition.text);
  }
}

/** A test of one field against numbers. */
type NumberCondition = Extract<Condition, { readonly kind: 'field' | 'address' }>;

/**
 * Packets of the place's IP version that meet all conditions. The same as intersecting them one by one, but plain tests of fields are put
 * on top of each other from the last field to the first, so that no diagram is made that the result does not contain.
 */
export function allConditionsSet(
  host: HostSpace,
  place: Place,
  environment: Environment,
  conditions: readonly Condition[],
): PacketSet {
  const { space } = host;
  const { version } = place;
  const numbers: { readonly bits: readonly PacketSet[]; readonly condition: NumberCondition }[] = [];
  const others: Condition[] = [];
  for (const condition of flattened(conditions)) {
    if (condition.kind !== 'field' && condition.kind !== 'address') others.push(condition);
    else if (condition.kind === 'address' && condition.version !== version) return space.empty;
    else numbers.push({ bits: fieldBits(host, environment, condition.field, version), condition });
  }
  let set = space.full;
  for (const condition of others) {
    if (space.isEmpty(set)) return set;
    set = space.intersect(set, conditionSet(host, place, environment, condition));
  }
  numbers.sort((a, b) => space.levelOf(b.bits) - space.levelOf(a.bits));
  for (const { bits, condition } of numbers)
    set = space.narrowed(set, bits, condition.values, condition.mask);
  return space.intersect(set, space.version(version));
}

/** Conditions without `all` around them. */
function flattened(conditions: readonly Condition[]): readonly Condition[] {
  if (!conditions.some(({ kind }) => kind === 'all')) return conditions;
  return conditions.flatMap((c) => (c.kind === 'all' ? flattened(c.of) : [c]));
}

/** The packet as connection tracking saw it. */
function originalTuple(environment: Environment): Environment {
  return Environment.initial.assign(
    TUPLE_FIELDS.map((field) => [field, environment.bits(`original ${field}`)] as const),
  );
}

/** True where the packet's routing type is surely among `types`, false where it surely is not, else the unknown predicate. */
function addressTypeSet(
  host: HostSpace,
  place: Place,
  environment: Environment,
  condition: AddressTypeCondition,
): PacketSet {
  const { space } = host;
  const { path, hook, version } = place;
  const has = (type: string) => condition.types.includes(type);
  const unknown = host.deterministic(condition.text);
  if (condition.limitedToInterface) return unknown;
  const destination = condition.field === 'daddr';
  if ((destination && path === 'input') || (!destination && path === 'output')) {
    return has('LOCAL') ? space.full : space.empty;
  }
  const bits = fieldBits(host, environment, condition.field, version);
  const multicast = space.inIntervals(
    bits,
    version === 4 ? [interval(0xe000_0000n, 0xefff_ffffn)] : [interval(0xffn << 120n, (1n << 128n) - 1n)],
  );
  const broadcast = version === 4 ? space.inIntervals(bits, [single(0xffff_ffffn)]) : space.empty;
  const undecided = condition.types.filter(
    (type) =>
      type !== 'MULTICAST' &&
      !(type === 'BROADCAST' && version === 6) &&
      !(type === 'LOCAL' && destination && path === 'forward' && hook !== 'prerouting'),
  );
  let set = undecided.length > 0 ? unknown : space.empty;
  set = space.ifThenElse(multicast, has('MULTICAST') ? space.full : space.empty, set);
  return space.ifThenElse(broadcast, has('BROADCAST') ? space.full : space.empty, set);
}
