/** What fails when firewalld makes rules of a zone or policy. Of those it makes none of, these errors go unnoticed. */
import type { Origin } from '../../model/index.ts';
import type { IpVersion } from '../../net/index.ts';
import { icmpTypeOf } from '../icmp-types.ts';
import type { Policy, RichEndpoint, RichRule, Service, Zone, ZoneOrPolicy } from './configuration.ts';
import { ProblemLog, quote } from './read-log.ts';
import {
  ipv4NetworkLength,
  isIpv4Network,
  isNftNumber,
  isProtocolNumber,
  parsePythonInt,
} from './read-values.ts';
import { isApplied, isAppliedPolicy, isOutside, type World } from './validate-names.ts';

/** Types of sets a zone or rich rule may have as source. */
const SOURCE_TYPES: readonly string[] = [
  'hash:ip',
  'hash:ip,port',
  'hash:ip,mark',
  'hash:net',
  'hash:net,port',
  'hash:net,iface',
  'hash:mac',
];

/** What is looked up while the rules are checked. */
interface Check {
  readonly world: World;
  readonly log: ProblemLog;
  /** Services that rules are made of, and whether with their helpers. */
  readonly services: Map<string, boolean>;
  /** Of a service with all it includes: one with a destination, and whether anything in it is not TCP. */
  readonly destinations: Map<string, Service | undefined>;
  readonly beyondTcp: Map<string, boolean>;
}

/**
 * Checks everything rules are made of. What is bound when firewalld runs already (`boundLater`: names of zones) cannot make it give up;
 * what it does then, nobody knows.
 */
export function checkApplied(world: World, boundLater: ReadonlySet<string>, log: ProblemLog): void {
  const isBoundLater = ({ name }: { readonly name: string }) => boundLater.has(name);
  const zones = [...world.zones.values()];
  const policies = [...world.policies.values()].filter(({ disabled }) => !disabled);
  const now = policies.filter((policy) => isAppliedPolicy(policy, world));
  checkAll(
    zones.filter((zone) => isApplied(zone, world)),
    now,
    world,
    log,
  );
  const later = new ProblemLog();
  checkAll(
    zones.filter((zone) => !isApplied(zone, world) && isBoundLater(zone)),
    policies.filter(
      (policy) => !now.includes(policy) && [...policy.ingressZones, ...policy.egressZones].some(isBoundLater),
    ),
    world,
    later,
  );
  for (const { consequence, origin, detail } of later.problems)
    if (consequence === 'fatal')
      log.doubt(origin, `${detail}, and no zone file binds what makes firewalld use it`);
}

function checkAll(zones: readonly Zone[], policies: readonly Policy[], world: World, log: ProblemLog): void {
  const check: Check = { world, log, services: new Map(), destinations: new Map(), beyondTcp: new Map() };
  for (const zone of zones) {
    checkSources(zone, world, log);
    checkContents(zone, check);
  }
  for (const policy of policies) {
    checkContents(policy, check);
    checkPolicyRules(policy, world, log);
  }
  checkServices(check);
}

function checkSources(zone: Zone, world: World, log: ProblemLog): void {
  for (const { kind, value, origin } of zone.sources) {
    if (kind === 'ipset') checkSourceSet(value, origin, world, log);
    else checkMask(value, origin, world, log);
  }
}

function checkSourceSet(name: string, origin: Origin, world: World, log: ProblemLog): void {
  const set = world.ipsets.get(name);
  if (set === undefined) log.fatal(origin, `the ipset ${quote(name)} is not defined`);
  else if (!SOURCE_TYPES.includes(set.type))
    log.fatal(origin, `the ipset ${quote(name)} of the type "${set.type}" cannot be a source`);
}

/** The nftables backend makes networks of IPv4 masks, and some pass the first check only. */
function checkMask(value: string, origin: Origin, world: World, log: ProblemLog): void {
  if (world.backend === 'nftables' && isIpv4Network(value) && ipv4NetworkLength(value) === undefined)
    log.fatal(origin, `the mask of ${quote(value)} is none of a network`);
}

function checkContents(item: ZoneOrPolicy, check: Check): void {
  const { world, log } = check;
  for (const { name } of item.services) check.services.set(name, true);
  for (const { name, origin } of item.protocols) checkProtocolNumber(name, origin, world, log);
  for (const { name, origin } of item.icmpBlocks) {
    const type = world.icmptypes.get(name);
    if (type !== undefined) checkIcmptype(name, type.ipv4, type.ipv6, origin, world, log);
  }
  for (const rule of item.richRules) checkRichRule(rule, check);
}

/** Services and what they include: helpers must exist, destinations must be networks. */
function checkServices({ world, log, services }: Check): void {
  const names = [...services.keys()];
  for (const service of closure(names, world)) {
    const ipv4 = service.destination?.ipv4;
    if (service.destination !== undefined && ipv4 !== undefined)
      checkMask(ipv4, service.destination.origin, world, log);
    for (const { name, origin } of service.protocols) checkProtocolNumber(name, origin, world, log);
  }
  const withHelpers = names.filter((name) => services.get(name) === true);
  for (const service of closure(withHelpers, world))
    for (const helper of service.helpers)
      if (!world.helpers.has(helper.name))
        log.fatal(
          helper.origin,
          `the helper ${quote(helper.name)} of the service ${quote(service.name)} is not defined`,
        );
}

function closure(names: readonly string[], { services }: World): readonly Service[] {
  const found = new Map<string, Service>();
  const waiting = [...names];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const service = services.get(next);
    if (service === undefined || found.has(next)) continue;
    found.set(next, service);
    for (const include of service.includes) waiting.push(include.name);
  }
  return [...found.values()];
}

/** Python takes underscores and leading zeros in numbers, nftables does not, nor does iptables take what is no octal number. */
function checkProtocolNumber(name: string, origin: Origin, world: World, log: ProblemLog): void {
  const isRefused = world.backend === 'nftables' ? !isProtocolNumber(name) : /^0\d*[89]/.test(name);
  if (parsePythonInt(name) !== undefined && isRefused)
    log.fatal(origin, `${quote(name)} is no protocol for ${world.backend}`);
}

/** firewalld has the numbers of the types it ships; others it cannot put into rules of nftables, and iptables has its own names. */
function checkIcmptype(
  name: string,
  ipv4: boolean,
  ipv6: boolean,
  origin: Origin,
  world: World,
  log: ProblemLog,
): void {
  const known = world.stockIcmptypes.get(name);
  if (world.backend === 'iptables') {
    const isNamed = (version: IpVersion): boolean =>
      /^\d/.test(name) || known?.[`ipv${version}`] === true || icmpTypeOf(version, name) !== undefined;
    if ((ipv4 && !isNamed(4)) || (ipv6 && !isNamed(6)))
      log.fatal(
        origin,
        `${ipv4 && !isNamed(4) ? 'iptables' : 'ip6tables'} does not know the ICMP type ${quote(name)}`,
      );
  } else if (known === undefined)
    log.fatal(origin, `firewalld has no number for the ICMP type ${quote(name)}`);
  else if ((ipv4 && !known.ipv4) || (ipv6 && !known.ipv6))
    log.fatal(
      origin,
      `firewalld has no number for the ICMP type ${quote(name)} in ${known.ipv4 ? 'IPv6' : 'IPv4'}`,
    );
}

function checkRichRule(rule: RichRule, check: Check): void {
  const { world, log } = check;
  const { source, destination, elements, actions } = rule;
  const element = elements[0];
  for (const endpoint of [source, destination])
    if (endpoint?.kind === 'address') checkMask(endpoint.value, endpoint.origin, world, log);
  if (source?.kind === 'ipset') checkSourceSet(source.value, source.origin, world, log);
  if (destination?.kind === 'ipset' && !world.ipsets.has(destination.value))
    log.fatal(destination.origin, `the ipset ${quote(destination.value)} is not defined`);
  const sourceFamily = familyOfSet(source, world);
  checkFamilies(rule, sourceFamily, familyOfSet(destination, world), log);
  if (element?.kind === 'service') checkRichService(rule, element.name, element.origin, check);
  if (element?.kind === 'protocol') checkProtocolNumber(element.name, element.origin, world, log);
  if (element?.kind === 'icmp-block' || element?.kind === 'icmp-type') {
    const type = world.icmptypes.get(element.name);
    const family = rule.family ?? sourceFamily;
    if (type !== undefined && isOutside(rule.family, type))
      log.fatal(element.origin, `the ICMP type ${quote(element.name)} does not exist in ${rule.family}`);
    else if (type !== undefined)
      checkIcmptype(
        element.name,
        family === undefined ? type.ipv4 : family === 'ipv4',
        family === undefined ? type.ipv6 : family === 'ipv6',
        element.origin,
        world,
        log,
      );
  }
  if (element?.kind === 'icmp-type' && actions.length === 0)
    log.fatal(element.origin, 'a rich rule with <icmp-type> logs and has no action');
  const hasLog = rule.logs.some(({ kind }) => kind !== 'audit');
  if (world.backend === 'iptables' && element?.kind === 'forward-port' && hasLog && priorityOf(rule) !== 0)
    log.fatal(
      element.origin,
      'with the iptables backend, a rich rule forwards a port, logs and has a priority',
    );
  if (element?.kind === 'tcp-mss-clamp' && Number(element.value) > 65535)
    log.fatal(element.origin, `the value ${quote(element.value)} of <tcp-mss-clamp> is above 65535`);
  const mark = actions[0]?.kind === 'mark' ? (actions[0].mark ?? '') : '';
  if (world.backend === 'nftables' && mark !== '' && !mark.split('/').every(isNftNumber))
    log.fatal(actions[0]!.origin, `nftables cannot read the mark ${quote(mark)}`);
  checkReset(rule, check);
}

function priorityOf(rule: RichRule): number {
  return parsePythonInt(rule.priority ?? '0') ?? 0;
}

function familyOfSet(endpoint: RichEndpoint | undefined, world: World): 'ipv4' | 'ipv6' | undefined {
  const set = endpoint?.kind === 'ipset' ? world.ipsets.get(endpoint.value) : undefined;
  if (set === undefined || set.type === 'hash:mac') return undefined;
  return set.options.get('family') === 'inet6' ? 'ipv6' : 'ipv4';
}

function checkFamilies(
  rule: RichRule,
  sourceFamily: string | undefined,
  destinationFamily: string | undefined,
  log: ProblemLog,
): void {
  if (rule.family === undefined) return;
  if (sourceFamily !== undefined && sourceFamily !== rule.family)
    log.fatal(
      rule.source!.origin,
      `a rich rule of the family ${rule.family} has a set of ${sourceFamily} as source`,
    );
  if (destinationFamily !== undefined && destinationFamily !== rule.family)
    log.fatal(
      rule.destination!.origin,
      `a rich rule of the family ${rule.family} has a set of ${destinationFamily} as destination`,
    );
}

function checkRichService(rule: RichRule, name: string, origin: Origin, check: Check): void {
  const { world, log, services, destinations } = check;
  if (!world.services.has(name)) {
    log.fatal(origin, `a rich rule names the service ${quote(name)}, which is not defined`);
    return;
  }
  services.set(name, services.get(name) === true || rule.actions[0]?.kind === 'accept');
  if (rule.destination === undefined) return;
  if (!destinations.has(name))
    destinations.set(
      name,
      closure([name], world).find((service) => service.destination !== undefined),
    );
  const bound = destinations.get(name);
  if (bound !== undefined)
    log.fatal(
      rule.destination.origin,
      `a rich rule has a destination, and so has its service ${quote(bound.name)}`,
    );
}

/** A TCP reset answers TCP only, and nftables insists on that where a rule names another protocol. */
function checkReset(rule: RichRule, check: Check): void {
  const action = rule.actions[0];
  if (action?.rejectType !== 'tcp-reset' && action?.rejectType !== 'tcp-rst') return;
  const element = rule.elements[0];
  let other = false;
  if (element?.kind === 'port' || element?.kind === 'source-port') other = !isTcp(element.protocol);
  else if (element?.kind === 'protocol') other = !isTcp(element.name);
  else if (element?.kind === 'icmp-type') other = true;
  else if (element?.kind === 'service') other = holdsBeyondTcp(element.name, check);
  if (other)
    check.log.fatal(action.origin, 'a rich rule resets TCP connections of something that is not TCP');
}

function isTcp(protocol: string): boolean {
  return ['tcp', 'TCP', '6'].includes(protocol);
}

function holdsBeyondTcp(name: string, { world, beyondTcp }: Check): boolean {
  const known = beyondTcp.get(name);
  if (known !== undefined) return known;
  const answer = closure([name], world).some(
    ({ ports, sourcePorts, protocols }) =>
      [...ports, ...sourcePorts].some((port) => !isTcp(port.protocol)) ||
      protocols.some((protocol) => !isTcp(protocol.name)),
  );
  beyondTcp.set(name, answer);
  return answer;
}

/** What policies have no chain for. */
function checkPolicyRules(policy: Policy, world: World, log: ProblemLog): void {
  const fromHost = policy.ingressZones.some((zone) => zone.name === 'HOST');
  const toHost = policy.egressZones.some((zone) => zone.name === 'HOST');
  for (const { source, actions, elements } of policy.richRules) {
    if (fromHost && source?.kind === 'mac' && world.backend === 'iptables')
      log.fatal(
        source.origin,
        `iptables has no MAC address for what begins at HOST, in the policy ${quote(policy.name)}`,
      );
    if (fromHost && actions[0]?.kind === 'mark')
      log.fatal(actions[0].origin, `<mark> in the policy ${quote(policy.name)}, which begins at HOST`);
    // nftables has no route's size on the way in; a size of one's own goes everywhere.
    const clamp = elements[0]?.kind === 'tcp-mss-clamp' ? elements[0] : undefined;
    if (toHost && clamp?.value === 'pmtu' && world.backend === 'nftables')
      log.fatal(
        clamp.origin,
        `<tcp-mss-clamp> with "pmtu" in the policy ${quote(policy.name)}, which leads to HOST`,
      );
  }
}
