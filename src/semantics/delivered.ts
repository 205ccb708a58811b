import type { IpVersion } from '../net/index.ts';
import type { PacketSet } from '../packet-set/index.ts';
import type { Environment } from './environment.ts';
import type { HostSpace } from './host-space.ts';
import { fieldBits } from './place.ts';

/** Fields that NAT changes at the destination. */
export type DeliveredField = 'daddr' | 'dport';

/** Bits of the assigned ones among the fields: the field's own variable and the function that replaces it. */
function changedBits(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  fields: readonly DeliveredField[],
): { readonly own: PacketSet; readonly now: PacketSet }[] {
  return fields.flatMap((field) => {
    if (environment.bits(field) === undefined) return [];
    const own = host.space.bits(field);
    return fieldBits(host, environment, field, version).map((now, i) => ({ own: own[i]!, now }));
  });
}

/**
 * The packets of `set` as they are delivered: the named fields in the result are those after NAT, all others as they
 * arrived. Exact (an image, not a substitution): a packet is in the result when some arriving packet of `set` becomes it.
 */
export function deliveredImage(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  set: PacketSet,
  fields: readonly DeliveredField[],
): PacketSet {
  const { space } = host;
  const changed = changedBits(host, environment, version, fields);
  if (changed.length === 0) return set;
  let image = set;
  if (environment.note('merged') === undefined) {
    // New values do not depend on old ones (see afterNat), so one bit after the other can be replaced.
    for (const { own, now } of changed) {
      const one = space.existsBits(space.intersect(image, now), [own]);
      const zero = space.existsBits(space.minus(image, now), [own]);
      image = space.ifThenElse(own, one, zero);
    }
    return image;
  }
  const fresh = scratch(host, changed.length);
  changed.forEach(({ now }, i) => {
    image = space.intersect(image, same(host, fresh[i]!, now));
  });
  image = space.existsBits(image, changed.map((c) => c.own));
  changed.forEach(({ own }, i) => {
    image = space.intersect(image, same(host, own, fresh[i]!));
  });
  return space.existsBits(image, fresh);
}

/** Arriving packets that are delivered as a member of `set`, in which the named fields are those after NAT. */
export function deliveredPreimage(
  host: HostSpace,
  environment: Environment,
  version: IpVersion,
  set: PacketSet,
  fields: readonly DeliveredField[],
): PacketSet {
  const { space } = host;
  const changed = changedBits(host, environment, version, fields);
  if (changed.length === 0) return set;
  const fresh = scratch(host, changed.length);
  let before = set;
  // Through scratch variables, since in a merged environment a new value may depend on any old one.
  changed.forEach(({ own }, i) => {
    const one = space.existsBits(space.intersect(before, own), [own]);
    const zero = space.existsBits(space.minus(before, own), [own]);
    before = space.ifThenElse(fresh[i]!, one, zero);
  });
  changed.forEach(({ now }, i) => {
    const one = space.existsBits(space.intersect(before, fresh[i]!), [fresh[i]!]);
    const zero = space.existsBits(space.minus(before, fresh[i]!), [fresh[i]!]);
    before = space.ifThenElse(now, one, zero);
  });
  return before;
}

function same(host: HostSpace, a: PacketSet, b: PacketSet): PacketSet {
  return host.space.complement(host.space.symmetricDifference(a, b));
}

/** Variables for use inside one computation; no result depends on them. */
function scratch(host: HostSpace, count: number): PacketSet[] {
  return Array.from({ length: count }, (_, i) => host.space.variable(`scratch ${i}`));
}
