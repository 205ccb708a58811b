/** What firewalld refuses or leaves out when it puts the files together and applies them. Facts: firewalld 1.3.3, seen running. */
import type {
  ConfigurationProblem,
  FirewalldConfiguration,
  InterfaceBinding,
  Policy,
  StockDefinitions,
  Zone,
  ZoneOrPolicy,
} from './configuration.ts';
import { ProblemLog, quote } from './read-log.ts';
import { isInterface, parsePythonInt } from './read-values.ts';
import { checkApplied } from './validate-applied.ts';
import { checkDirect } from './validate-direct.ts';
import { indexDefinitions, isOutside, type World } from './validate-names.ts';
import { checkSets } from './validate-sets.ts';

/**
 * Checks a configuration as firewalld does between reading and running. What is found is added to `problems`; what has no
 * effect is left out. `interfaces`: bindings that no file holds,
 * `undefined` where nobody listed them. With a `fatal` problem the running firewall is the stock one, whatever the files say.
 */
export function validateConfiguration(
  configuration: FirewalldConfiguration,
  stock: StockDefinitions,
  interfaces?: readonly InterfaceBinding[],
): FirewalldConfiguration {
  const log = new ProblemLog();
  const world = indexDefinitions(configuration, stock);
  checkServices(world, log);
  checkZones(world, log);
  for (const policy of world.policies.values()) checkPolicy(policy, world, log);
  checkSettings(configuration, world, log);
  checkSets(world, log);
  const boundLater = [...configuration.bindings, ...(interfaces ?? [])].map(({ zone }) => zone);
  // Without a list of interfaces, NetworkManager may bind some to the default zone, and a policy begins to act.
  if (interfaces === undefined) boundLater.push(world.defaultZone);
  checkApplied(world, new Set(boundLater), log);
  const direct = checkDirect(configuration.direct, world, log);
  return { ...configuration, direct, problems: withoutRepeats([...configuration.problems, ...log.problems]) };
}

/** Whether firewalld refuses the configuration: then it runs the stock one. */
export function isRefused(configuration: FirewalldConfiguration): boolean {
  return configuration.problems.some((p) => p.consequence === 'fatal');
}

/** One cause at one place is said once. */
function withoutRepeats(problems: readonly ConfigurationProblem[]): readonly ConfigurationProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ origin, consequence, detail }) => {
    const key = `${origin.file}\n${origin.line}\n${origin.column}\n${consequence}\n${detail}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function checkServices({ services }: World, log: ProblemLog): void {
  for (const service of services.values())
    for (const include of service.includes)
      if (!services.has(include.name))
        log.fatal(
          include.origin,
          `the service ${quote(service.name)} includes ${quote(include.name)}, which is not defined`,
        );
}

function checkZones(world: World, log: ProblemLog): void {
  const interfaces = new Map<string, string>();
  const sources = new Map<string, string>();
  for (const zone of world.zones.values()) {
    checkShared('zone', zone, world, log);
    const policy = world.policies.get(zone.name);
    if (policy !== undefined)
      log.fatal(policy.origin, `a zone and a policy have the name ${quote(zone.name)}`);
    for (const { name, origin } of zone.interfaces) {
      if (!isInterface(name)) log.fatal(origin, `${quote(name)} is no name of an interface`);
      // The kernel takes 15; firewalld looks for more than 16.
      else if (new TextEncoder().encode(name).length > 15 && !name.endsWith('+'))
        log.fatal(origin, `the interface name ${quote(name)} has more than 15 characters`);
      claim(interfaces, name, zone, (other) =>
        log.fatal(
          origin,
          `the interface ${quote(name)} is in the zones ${quote(other)} and ${quote(zone.name)}`,
        ),
      );
    }
    for (const { kind, value, origin } of zone.sources)
      claim(sources, `${kind} ${value}`, zone, (other) =>
        log.fatal(
          origin,
          `the source ${quote(value)} is in the zones ${quote(other)} and ${quote(zone.name)}`,
        ),
      );
  }
}

function claim(owners: Map<string, string>, key: string, zone: Zone, report: (other: string) => void): void {
  const owner = owners.get(key);
  if (owner === undefined) owners.set(key, zone.name);
  else if (owner !== zone.name) report(owner);
}

/** What both zones and policies name: services and ICMP types. Rich rules' services are looked up when they are applied. */
function checkShared(what: string, item: ZoneOrPolicy, world: World, log: ProblemLog): void {
  for (const { name, origin } of item.services)
    if (!world.services.has(name))
      log.fatal(
        origin,
        `the ${what} ${quote(item.name)} names the service ${quote(name)}, which is not defined`,
      );
  for (const { name, origin } of item.icmpBlocks)
    if (!world.icmptypes.has(name))
      log.fatal(
        origin,
        `the ${what} ${quote(item.name)} names the ICMP type ${quote(name)}, which is not defined`,
      );
  for (const rule of item.richRules) {
    for (const element of rule.elements) {
      if (element.kind !== 'icmp-block' && element.kind !== 'icmp-type') continue;
      const type = world.icmptypes.get(element.name);
      if (type === undefined)
        log.fatal(
          element.origin,
          `a rich rule names the ICMP type ${quote(element.name)}, which is not defined`,
        );
      // A type that firewalld itself has in that family: a file took it away. Otherwise it sees this when it applies the rule.
      else if (
        isOutside(rule.family, type) &&
        !isOutside(rule.family, world.stockIcmptypes.get(element.name))
      )
        log.fatal(element.origin, `the ICMP type ${quote(element.name)} does not exist in ${rule.family}`);
    }
  }
}

function checkPolicy(policy: Policy, world: World, log: ProblemLog): void {
  checkShared('policy', policy, world, log);
  const priority = parsePythonInt(policy.priority ?? '-1') ?? -1;
  if (priority < -32768 || priority > 32767)
    log.fatal(
      policy.origin,
      `the priority of the policy ${quote(policy.name)} is outside of -32768 to 32767`,
    );
  checkZoneList(policy, 'ingress', world, log);
  checkZoneList(policy, 'egress', world, log);
  checkTranslations(policy, world, log);
}

function checkZoneList(policy: Policy, side: 'ingress' | 'egress', world: World, log: ProblemLog): void {
  const list = side === 'ingress' ? policy.ingressZones : policy.egressZones;
  const others = side === 'ingress' ? policy.egressZones : policy.ingressZones;
  const what = `the ${side} zones of the policy ${quote(policy.name)}`;
  for (const { name, origin } of list) {
    const isSpecial = name === 'ANY' || name === 'HOST';
    if (!isSpecial && !world.zones.has(name))
      log.fatal(origin, `${what} name ${quote(name)}, which is not defined`);
    if (isSpecial && list.length > 1) log.fatal(origin, `${what} have others beside ${name}`);
    if (name === 'HOST' && side === 'egress' && others.some((other) => other.name === 'HOST'))
      log.fatal(origin, `the policy ${quote(policy.name)} has HOST on both sides`);
  }
}

/** Masquerading, forwarded ports and marks do not go with every pair of zones. */
function checkTranslations(policy: Policy, world: World, log: ProblemLog): void {
  const where = `in the policy ${quote(policy.name)}`;
  const fromHost = policy.ingressZones.some((zone) => zone.name === 'HOST');
  const toHost = policy.egressZones.some((zone) => zone.name === 'HOST');
  const boundEgress = policy.egressZones.find(
    (zone) => (world.zones.get(zone.name)?.interfaces.length ?? 0) > 0,
  );
  const boundIngress = policy.ingressZones.find(
    (zone) => (world.zones.get(zone.name)?.interfaces.length ?? 0) > 0,
  );
  const masquerades = [
    ...(policy.masquerade === undefined ? [] : [policy.masquerade]),
    ...policy.richRules.flatMap((r) =>
      r.elements.filter((e) => e.kind === 'masquerade').map((e) => e.origin),
    ),
  ];
  for (const origin of masquerades) {
    if (fromHost || toHost) log.fatal(origin, `<masquerade> ${where}, which has HOST as a zone`);
    else if (boundIngress !== undefined && world.backend === 'iptables')
      log.fatal(
        origin,
        `<masquerade> ${where}, whose ingress zone ${quote(boundIngress.name)} has interfaces`,
      );
  }
  const richPorts = policy.richRules.flatMap((r) => r.elements.filter((e) => e.kind === 'forward-port'));
  for (const { toAddress, origin } of [...policy.forwardPorts, ...richPorts]) {
    if (policy.egressZones.length === 0) continue;
    if (toHost) {
      if (toAddress !== undefined)
        log.fatal(origin, `<forward-port> with "to-addr" ${where}, which leads to HOST`);
    } else if (toAddress === undefined)
      log.fatal(origin, `<forward-port> without "to-addr" ${where}, which does not lead to HOST`);
    else if (boundEgress !== undefined)
      log.fatal(
        origin,
        `<forward-port> ${where}, whose egress zone ${quote(boundEgress.name)} has interfaces`,
      );
  }
  for (const { actions, elements } of policy.richRules)
    if (actions[0]?.kind === 'mark' && boundEgress !== undefined && elements[0]?.kind !== 'forward-port')
      log.fatal(
        actions[0].origin,
        `<mark> ${where}, whose egress zone ${quote(boundEgress.name)} has interfaces`,
      );
}

function checkSettings({ settings }: FirewalldConfiguration, world: World, log: ProblemLog): void {
  const zone = settings?.values.get('defaultzone');
  if (zone !== undefined && !world.zones.has(zone.value))
    log.skipped(
      zone.origin,
      `the default zone ${quote(zone.value)} is not defined, "${world.defaultZone}" takes its place`,
    );
  const backend = settings?.values.get('firewallbackend');
  if (backend !== undefined && backend.value !== backend.value.toLowerCase())
    log.fatal(backend.origin, `the firewall backend ${quote(backend.value)} must be written in lower case`);
}
