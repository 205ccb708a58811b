/** Services, ports, ICMP blocks, masquerading and forward ports of a zone or policy. */
import type { ConfiguredElement, Match, Origin } from '../../model/index.ts';
import type { ForwardPortElement, NamedElement, ZoneOrPolicy } from './configuration.ts';
import type { RuleDraft } from './translate-chains.ts';
import { familyMatch, icmpMatch, interfaceMatch, portMatch, protocolMatch } from './translate-matches.ts';
import { forwardTarget, MASQUERADE } from './translate-nat.ts';
import { addRichRule } from './translate-rich.ts';
import { serviceTests } from './translate-services.ts';
import { deniedLog } from './translate-verdicts.ts';
import { ACCEPT, addTo, configured, type Holder, REJECT, versionsOf, type World } from './translate-world.ts';

/** Rules for everything a zone or policy lists, in firewalld's order. */
export function addContents(content: ZoneOrPolicy, holder: Holder, world: World): void {
  const { builder } = world;
  const allow = `${holder.filter}_allow`;
  const admit = (
    element: ConfiguredElement['element'],
    value: string,
    origin: Origin,
    ...matches: readonly Match[]
  ): void =>
    builder.add(allow, {
      matches,
      verdict: ACCEPT,
      text: `${element} ${value} in ${holder.label}`,
      origin,
      ...configured(holder, element, value),
    });
  for (const element of content.services) addService(element, holder, world);
  for (const { port, protocol, origin } of content.ports)
    admit('port', `${port}/${protocol}`, origin, portMatch('dport', port, protocol));
  if (content.masquerade !== undefined) addMasquerade(content.masquerade, holder, world);
  for (const element of content.forwardPorts) addForwardPort(element, holder, world);
  for (const { port, protocol, origin } of content.sourcePorts)
    admit('source-port', `${port}/${protocol}`, origin, portMatch('sport', port, protocol));
  for (const element of content.icmpBlocks) addIcmpBlock(element, holder, world);
  for (const rule of content.richRules) addRichRule(rule, holder, world);
  for (const { name, origin } of content.protocols) admit('protocol', name, origin, protocolMatch(name));
}

/** `perhaps`: the zone is assumed, and some distributions leave the service out of it. */
export function addService(
  element: NamedElement,
  holder: Holder,
  world: World,
  perhaps: readonly Match[] = [],
): void {
  const { configured: named } = configured(holder, 'service', element.name);
  for (const { matches, words, service } of serviceTests(element, world)) {
    world.builder.add(`${holder.filter}_allow`, {
      matches: [...perhaps, ...matches],
      verdict: ACCEPT,
      text: `service ${element.name} (${words}) in ${holder.label}`,
      origin: element.origin,
      configured: { ...named, service },
    });
  }
}

function addMasquerade(origin: Origin, holder: Holder, world: World): void {
  const draft: RuleDraft = {
    matches: [familyMatch('ipv4'), interfaceMatch('oif', 'lo', true)],
    verdict: { kind: 'nat', nat: MASQUERADE },
    text: `masquerade in ${holder.label}`,
    origin,
    ...configured(holder, 'masquerade', ''),
  };
  addTo(holder.natOut, 'allow', draft, holder, world);
}

function addForwardPort(element: ForwardPortElement, holder: Holder, world: World): void {
  const { port, protocol, toPort, toAddress, origin } = element;
  const to = forwardTarget(element);
  const parts = [
    `port=${port}`,
    `proto=${protocol}`,
    ...(toPort === undefined || toPort === '' ? [] : [`toport=${toPort}`]),
    ...(toAddress === undefined || toAddress === '' ? [] : [`toaddr=${toAddress}`]),
  ];
  const draft: RuleDraft = {
    matches: [familyMatch(to.family), portMatch('dport', port, protocol)],
    verdict: to.verdict,
    text: `forward-port ${port}/${protocol} to ${to.words} in ${holder.label}`,
    origin,
    ...configured(holder, 'forward-port', parts.join(':')),
  };
  addTo(holder.natIn, 'allow', draft, holder, world);
}

function addIcmpBlock({ name, origin }: NamedElement, holder: Holder, world: World): void {
  const icmptype = world.icmptypes.get(name);
  const element = configured(holder, 'icmp-block', name);
  for (const version of versionsOf(icmptype)) {
    const match = icmpMatch(version, name);
    if (holder.inversion) {
      const text = `icmp-block ${name} under icmp-block-inversion in ${holder.label}`;
      const draft: RuleDraft = { matches: [match], verdict: ACCEPT, text, origin, ...element };
      world.builder.add(`${holder.filter}_allow`, draft);
      continue;
    }
    const deny = `${holder.filter}_deny`;
    const log = deniedLog(world, `icmp-block ${name}`, origin, [match]);
    if (log !== undefined) world.builder.add(deny, log);
    const text = `icmp-block ${name} in ${holder.label}`;
    world.builder.add(deny, { matches: [match], verdict: REJECT, text, origin, ...element });
  }
}
