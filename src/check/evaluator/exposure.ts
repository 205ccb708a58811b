import type { FindingOrigin } from '../../finding/index.ts';
import { normalizeRuleText } from '../../finding/index.ts';
import { CT_STATE, type Rule } from '../../model/index.ts';
import { intervalsContain, TCP, UDP } from '../../net/index.ts';
import { describeAddresses, describePorts } from '../../packet-set/index.ts';
import { visitConditions } from '../../semantics/index.ts';
import { describeExposure, describeService, describeSources, describeWitness, listed } from '../describe.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import { type ExposureClass, forwardExposures, type HostExposure, inputExposures } from '../exposure.ts';
import type { HostContext } from '../host-context.ts';
import { closePolicy, deleteRule, replaceRule } from '../iptables-command.ts';
import { choiceOption, type Evaluator } from './evaluator.ts';

const CLASSES: readonly ExposureClass[] = [
  'default-accept',
  'admin-port-via-nat',
  'connection-port-rule',
  'client-inbound-unscoped',
  'dynamic-range-any-source',
  'dynamic-range-open-on-server',
  'dynamic-range-beyond-peers',
  'service-port-beyond-peers',
  'admin-port-beyond-admin-network',
  'admin-port-on-wrong-host',
  'udp-on-service-ports',
  'admin-port-inside-open-range',
  'unknown-source',
];

/** Exposures of one class on the input and forward sides; the option `class` says which. */
export const exposure: Evaluator = {
  scope: 'host',
  *run(context, options) {
    const wanted = choiceOption(options, 'class', CLASSES);
    for (const found of [...inputExposures(context), ...forwardExposures(context)]) {
      if (found.class === wanted) yield toEvidence(context, found);
    }
  },
};

function toEvidence(context: HostContext, found: HostExposure): Evidence {
  const { host } = context;
  const { table, chain, rule } = found;
  const sources = describeSources(found.sources);
  const service = describeService(found.protocols.length > 2 ? [TCP, UDP] : found.protocols, found.ports);
  const names = found.entitledPeers.map((p) => p.name);
  return evidence({
    host: host.name,
    hook: found.path,
    origin: originOf(context, found),
    related:
      found.acceptedBy === undefined
        ? []
        : [
            {
              origin:
                found.acceptedBy.rule === undefined
                  ? chainOrigin(found.acceptedBy.table, found.acceptedBy.chain)
                  : ruleOrigin(found.acceptedBy.table, found.acceptedBy.chain, found.acceptedBy.rule),
              label: 'lets the translated packets in',
            },
          ],
    facts: {
      host:
        found.path === 'forward' && found.target !== undefined
          ? `${host.name}, on the way to ${found.target.name},`
          : host.name,
      side: found.path,
      judged: found.judged,
      sources,
      service,
      ports: listed(describePorts(found.ports), 8),
      source: found.source,
      variant: found.variant ?? 'none',
      place: chain === undefined ? 'no base chain at all' : placeText(rule, chain),
      need: needText(names, found.peersUnknown),
      entitled: names.length === 0 ? 'nobody' : listed(names),
      via: found.acceptedBy === undefined ? 'none' : translatedPorts(found),
      roles: host.roles.length === 0 ? 'unknown' : listed(host.roles),
      yaml: found.class === 'unknown-source' ? yamlHint(found) : 'none',
    },
    certainty: found.certain ? 'certain' : 'possible',
    unknowns: found.unknowns,
    exposure: describeExposure(found.sources, found.entitled, found.protocols, found.ports),
    witness:
      found.witness === undefined ? null : describeWitness(found.path, found.witness, context.mentioned),
    commands: commandsFor(found),
    meaning: [
      table?.family ?? '',
      table?.name ?? '',
      chain?.name ?? '',
      rule === undefined ? 'policy' : normalizeRuleText(rule.text),
      ...(found.path === 'forward' && found.target !== undefined ? [found.target.name] : []),
    ],
  });
}

function originOf(context: HostContext, found: HostExposure): FindingOrigin | null {
  if (found.table !== undefined && found.chain !== undefined) {
    return found.rule === undefined
      ? chainOrigin(found.table, found.chain)
      : ruleOrigin(found.table, found.chain, found.rule);
  }
  const file = context.input.files[0];
  return file === undefined ? null : fileOrigin(file);
}

function needText(names: readonly string[], peersUnknown: boolean): string {
  if (peersUnknown) return 'who needs it is not declared in nwaudit.yaml, so nobody is known to be entitled';
  if (names.length === 0) return 'no host of the profile needs it';
  return `only ${listed(names)} ${names.length === 1 && !names[0]!.startsWith('networks') && names[0] !== 'admin networks' ? 'needs' : 'need'} it`;
}

/** The port as it arrives, for a sentence about a translation. */
function translatedPorts(found: HostExposure): string {
  return found.witness?.dport === undefined ? 'another port' : `port ${found.witness.dport}`;
}

/** What to write into nwaudit.yaml about the sources: hosts for single addresses, a network of a role for wider ranges. */
function yamlHint(found: HostExposure): string {
  const addresses = [...found.sources].flatMap(([version, list]) => describeAddresses(version, list).saddr);
  const single = addresses.every((a) => !/[/-]/.test(a));
  const quoted = listed(addresses.map((a) => (a.includes(':') ? `"${a}"` : a)));
  return single
    ? `hosts: { NAME: { role: ROLE, addresses: [${quoted}] } }`
    : `role_networks: { ROLE: [${quoted}] }`;
}

function commandsFor(found: HostExposure) {
  const { table, chain, rule } = found;
  // What the vendor requires is not taken away by a command to copy.
  if (
    table === undefined ||
    chain === undefined ||
    found.source === 'vendor' ||
    found.class === 'unknown-source'
  )
    return [];
  if (found.path === 'forward' || (rule !== undefined && acceptsEstablished(rule))) return [];
  if (rule === undefined) return closePolicy(table, chain, found.kept);
  if (DELETED.has(found.class)) return deleteRule(table, chain, rule);
  // A translation cannot be replaced by an accepting rule.
  if (found.acceptedBy !== undefined) return [];
  // Peers without a declared address need the access too: deleting the rule would stop their backups.
  if (
    found.kept.length === 0 &&
    (found.peersUnknown || found.entitledPeers.some((p) => p.ranges.length === 0))
  )
    return [];
  return replaceRule(table, chain, rule, found.kept);
}

/** A rule for the packets of existing connections: taking it away would end them all. */
function acceptsEstablished(rule: Rule): boolean {
  let found = false;
  visitConditions(rule, (c) => {
    if (
      c.kind === 'field' &&
      c.field === 'ct-state' &&
      intervalsContain(c.values, BigInt(CT_STATE.established))
    )
      found = true;
  });
  return found;
}

/** Classes whose rule has no use at all. */
const DELETED: ReadonlySet<ExposureClass> = new Set([
  'admin-port-via-nat',
  'admin-port-on-wrong-host',
  'connection-port-rule',
]);
