/** firewalld's policies: between which zones they act, and their chains. */
import type { Match } from '../../model/index.ts';
import type { ConfigurationProblem, NamedElement, Policy, ZoneSource } from './configuration.ts';
import { addContents } from './translate-contents.ts';
import { interfaceSide, pairsOf, type Side, sourceSide } from './translate-pairs.ts';
import { deniedLog, policyTarget } from './translate-verdicts.ts';
import { configured, type Holder, type World } from './translate-world.ts';
import { addSubchains, type BoundZone, boundMatch, type Dispatch, sourceMatch } from './translate-zones.ts';

/** A chain that hands packets to policies. */
type Place =
  | 'filter_INPUT'
  | 'filter_FORWARD'
  | 'filter_OUTPUT'
  | 'nat_PREROUTING'
  | 'nat_POSTROUTING'
  | 'nat_OUTPUT'
  | 'mangle_PREROUTING';

const SHORT: Readonly<Record<Place, string>> = {
  filter_INPUT: 'filter_IN',
  filter_FORWARD: 'filter_FWD',
  filter_OUTPUT: 'filter_OUT',
  nat_PREROUTING: 'nat_PRE',
  nat_POSTROUTING: 'nat_POST',
  nat_OUTPUT: 'nat_OUT',
  mangle_PREROUTING: 'mangle_PRE',
};

/** Chains of every policy that acts, and the rules that lead to them: by priority, then by name. */
export function addPolicies(policies: readonly Policy[], dispatch: Dispatch, world: World): void {
  const sorted = [...policies].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const policy of sorted) {
    if (policy.disabled || !isActive(policy, dispatch)) continue;
    if (policy.origin === world.stockOrigin) world.assumed.add('policy', policy.name);
    addPolicy(policy, dispatch, world);
  }
}

const SYMBOLS: readonly string[] = ['HOST', 'ANY'];

function names(elements: readonly NamedElement[]): readonly string[] {
  return elements.map(({ name }) => name);
}

/** Something is bound to one of its ingress zones and to one of its egress zones. */
function isActive(policy: Policy, dispatch: Dispatch): boolean {
  const bound = new Set(
    dispatch.zones
      .filter(
        (zone) =>
          zone.bound.length > 0 ||
          zone.sources.length > 0 ||
          (dispatch.outside !== undefined && zone.name === dispatch.defaultZone),
      )
      .map(({ name }) => name),
  );
  const acts = (elements: readonly NamedElement[]): boolean =>
    names(elements).some((name) => SYMBOLS.includes(name) || bound.has(name));
  return acts(policy.ingressZones) && acts(policy.egressZones);
}

/** Where a policy acts. Source: firewall/core/fw_policy.py of firewalld 1.3.3, the dispatch of policies. */
function placesOf(
  policy: Policy,
  ingress: readonly BoundZone[],
  egress: readonly BoundZone[],
  isIptables: boolean,
): readonly Place[] {
  const from = names(policy.ingressZones);
  const to = names(policy.egressZones);
  if (to.includes('HOST'))
    return from.includes('ANY') ? ['filter_INPUT', 'nat_PREROUTING', 'mangle_PREROUTING'] : ['filter_INPUT'];
  if (from.includes('HOST')) return ['filter_OUTPUT', 'nat_OUTPUT'];
  // After routing iptables knows no arriving interface.
  const isLate = !isIptables || from.includes('ANY') || ingress.every((zone) => zone.bound.length === 0);
  const late: readonly Place[] = isLate ? ['nat_POSTROUTING'] : [];
  if (to.includes('ANY')) return ['filter_FORWARD', 'nat_PREROUTING', ...late, 'mangle_PREROUTING'];
  // Before routing no outgoing interface is known: only zones without interfaces can be told there.
  const early = egress.every((zone) => zone.bound.length === 0);
  return ['filter_FORWARD', ...late, ...(early ? (['nat_PREROUTING', 'mangle_PREROUTING'] as const) : [])];
}

function addPolicy(policy: Policy, dispatch: Dispatch, world: World): void {
  const zonesOf = (elements: readonly NamedElement[]): readonly BoundZone[] =>
    dispatch.zones.filter((zone) => names(elements).includes(zone.name));
  const ingress = zonesOf(policy.ingressZones);
  const egress = zonesOf(policy.egressZones);
  const places = placesOf(policy, ingress, egress, world.isIptables);
  const suffix = `policy_${policy.name}`;
  const priority = Number(policy.priority ?? -1) || 0;
  for (const place of places) addSubchains(`${SHORT[place]}_${suffix}`, policy.origin, world);
  for (const place of places) {
    const from = sidesOf(ingress, 'iif', place, dispatch, world);
    const to = sidesOf(egress, 'oif', place, dispatch, world);
    const { rules, refused } = pairsOf(from, to, world.isIptables);
    if (refused !== undefined) world.refusals.push(refusedPair(policy, refused));
    for (const matches of rules) {
      const words = matches.map((m) => m.text).join(', ');
      world.builder.add(
        `${place}_POLICIES_${priority < 0 ? 'pre' : 'post'}`,
        {
          matches,
          verdict: { kind: 'jump', chain: `${SHORT[place]}_${suffix}` },
          text: `policy ${policy.name}${words === '' ? '' : ` (${words})`}`,
          origin: policy.origin,
        },
        priority,
      );
    }
  }
  const holder = holderOf(policy, places);
  addContents(policy, holder, world);
  addPolicyTarget(policy, holder, world);
}

function refusedPair({ name, origin }: Policy, [one, other]: readonly [Match, Match]): ConfigurationProblem {
  const detail = `the policy ${name} leads from "${one.text}" to "${other.text}", which are of different IP versions, and one of them is a set of several parts: nft refuses the rule`;
  return { consequence: 'fatal', origin, detail };
}

/** One test for each interface and source of the zones; `undefined` where every packet is meant. */
function sidesOf(
  zones: readonly BoundZone[],
  field: 'iif' | 'oif',
  place: Place,
  dispatch: Dispatch,
  world: World,
): readonly Side[] | undefined {
  const sight = place === 'nat_POSTROUTING' || place.endsWith('OUTPUT') ? 'unknown' : 'seen';
  const out: Side[] = [];
  for (const zone of zones) {
    out.push(...zone.bound.map((element) => interfaceSide(boundMatch(field, element, zone.name))));
    if (zone.name !== dispatch.defaultZone || dispatch.outside === undefined) continue;
    if (field === 'iif' || !place.endsWith('PREROUTING')) out.push(interfaceSide(dispatch.outside(field)));
  }
  const sources = zones.flatMap((zone) => zone.sources);
  for (const source of sources) {
    const side = sourceSide(
      source,
      sourceMatch(field === 'iif' ? 'saddr' : 'daddr', source, world, sight),
      world,
    );
    if (world.isIptables && source.kind === 'address' && side.header === 'ether') {
      if (field === 'iif') {
        out.push(side);
        if (place === 'nat_POSTROUTING') world.refusals.push(refusedMac(source, 'begins at'));
      }
      // Only policies that begin at HOST have no chain in which firewalld asks for a destination all the same.
      else if (!place.endsWith('OUTPUT')) world.refusals.push(refusedMac(source, 'leads to'));
    } else out.push(side);
  }
  return out.length === 0 && sources.length === 0 ? undefined : out;
}

function refusedMac({ value, origin }: ZoneSource, how: string): ConfigurationProblem {
  const detail = `a policy ${how} the MAC address ${value}, which iptables cannot ask for there`;
  return { consequence: 'fatal', origin, detail };
}

function holderOf(policy: Policy, places: readonly Place[]): Holder {
  const base = (...wanted: readonly Place[]): string | undefined => {
    const place = wanted.find((one) => places.includes(one));
    return place === undefined ? undefined : `${SHORT[place]}_policy_${policy.name}`;
  };
  const filter = base('filter_INPUT', 'filter_OUTPUT', 'filter_FORWARD') ?? '';
  return {
    label: `policy ${policy.name}`,
    of: { kind: 'policy', name: policy.name },
    filter,
    passing: filter,
    natIn: base('nat_PREROUTING', 'nat_OUTPUT'),
    natOut: base('nat_POSTROUTING'),
    mangle: base('mangle_PREROUTING'),
    inversion: false,
  };
}

function addPolicyTarget(policy: Policy, holder: Holder, world: World): void {
  const verdict = policyTarget(policy.target);
  if (verdict === undefined) return;
  const log = verdict.kind === 'accept' ? undefined : deniedLog(world, holder.label, policy.origin);
  if (log !== undefined) world.builder.add(holder.filter, log);
  const text = `target ${policy.target} of ${holder.label}`;
  const element = configured(holder, 'target', policy.target ?? '');
  world.builder.add(holder.filter, { matches: [], verdict, text, origin: policy.origin, ...element });
}
