import type { FindingOrigin } from '../../finding/index.ts';
import { normalizeRuleText } from '../../finding/index.ts';
import type { Rule } from '../../model/index.ts';
import {
  countIntervals,
  type Interval,
  type IpVersion,
  intersectIntervals,
  single,
  subtractIntervals,
  TCP,
  UDP,
} from '../../net/index.ts';
import { describeAddresses, describePorts, type PacketSet } from '../../packet-set/index.ts';
import { judgedPorts } from '../blamed.ts';
import { type Advice, type ChangeContext, type KeptAccess, NO_ADVICE, NOTHING_CARRIED } from '../change.ts';
import { elementRules, knownOf } from '../counterpart.ts';
import { describeExposure, describeService, describeSources, describeWitness, listed } from '../describe.ts';
import { entitledAccess } from '../entitlement.ts';
import { chainOrigin, type Evidence, evidence, fileOrigin, placeText, ruleOrigin } from '../evidence.ts';
import { forwardExposures, inputExposures, OTHER_PORTS } from '../exposure.ts';
import type { ExposureClass, HostExposure } from '../exposure-region.ts';
import type { HostContext } from '../host-context.ts';
import { readTest } from '../read-test.ts';
import { closePolicy, deleteRule, replaceRule } from '../remediation.ts';
import { judgedFlows } from '../required-path.ts';
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
  'never-remote-port',
  'undeclared-port',
  'unknown-source',
];

/** Exposures of one class on the input and forward sides; the option `class` says which. */
export const exposure: Evaluator = {
  scope: 'host',
  *run(context, options) {
    const wanted = choiceOption(options, 'class', CLASSES);
    // One side after the other: what is told of the input side stands even where the forward side goes past a budget.
    for (const exposures of [inputExposures, forwardExposures]) {
      for (const found of exposures(context))
        if (found.class === wanted) yield exposureEvidence(context, found);
    }
  },
};

/** An exposure as evidence. */
export function exposureEvidence(context: HostContext, found: HostExposure): Evidence {
  const { host } = context;
  const { table, chain, rule } = found;
  const sources = describeSources(found.sources);
  const service = describeService(protocolsTold(found.protocols), found.ports);
  const names = found.entitledPeers.map((p) => p.name);
  const witness = found.witness();
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
          ? `${host.name}, on the way to ${listed([found.target.name, ...found.furtherTargets])},`
          : host.name,
      side: found.path,
      judged: found.judged,
      sources,
      service: `${service}${OTHER_PORTS.has(found.class) ? translatedText(found) : furtherText(found)}`,
      ports: listed(describePorts(found.ports), 8),
      source: found.source,
      variant: found.variant ?? 'none',
      place: chain === undefined ? noChainText(found) : placeText(rule, chain),
      need: found.peersDiffer
        ? 'each of these hosts needs it from its own peers only'
        : needText(names, found.peersUnknown),
      entitled: names.length === 0 ? 'nobody' : listed(names),
      via: found.acceptedBy === undefined ? 'none' : translatedPorts(found),
      roles: host.roles.length === 0 ? 'unknown' : listed(host.roles),
      listener: listenersOf(context, found),
      yaml: found.class === 'unknown-source' ? yamlHint(found) : 'none',
      stranded: found.class === 'unknown-source' ? strandedPeers(context, found) : '',
    },
    certainty: found.certain ? 'certain' : 'possible',
    unknowns: found.unknowns,
    exposure: describeExposure(found.sources, found.entitled, found.protocols, found.ports),
    witness: witness === undefined ? null : describeWitness(found.path, witness, context.mentioned),
    ...adviceFor(context, found),
    meaning: [
      table?.family ?? '',
      table?.name ?? '',
      chain?.name ?? '',
      rule === undefined ? 'policy' : normalizeRuleText(rule.text),
    ],
  });
}

/** More addresses than this are a network, not somebody's old address. */
const MOST_OLD = 8n;

/** Declared peers that need the ports of a stranger and are not let in: the stranger may be one of them, before it moved. */
function strandedPeers(context: HostContext, found: HostExposure): string {
  const count = [...found.sources].reduce((n, [, list]) => n + countIntervals(list), 0n);
  if (found.path !== 'input' || count > MOST_OLD) return '';
  const names = judgedFlows(context)
    .stopped.filter(({ direction, reply, spare }) => direction === 'in' && !reply && !spare)
    .flatMap(({ stopped }) => stopped)
    .filter(
      ({ peer, ports }) => peer?.host !== undefined && intersectIntervals(ports, found.ports).length > 0,
    )
    .map(({ peer }) => peer!.name);
  const unique = [...new Set(names)];
  if (unique.length === 0) return '';
  return ` ${listed(unique)} ${unique.length === 1 ? 'needs' : 'need'} these ports and ${unique.length === 1 ? 'is' : 'are'} not let in: has ${unique.length === 1 ? 'it' : 'one of them'} moved?`;
}

/** What listens on the ports that nobody has to reach from another host. */
function listenersOf(context: HostContext, found: HostExposure): string {
  const titles = context.estate.profile.neverRemote
    .filter(
      ({ port, protocol }) =>
        found.protocols.includes(protocol) &&
        found.ports.some(({ lo, hi }) => lo <= BigInt(port) && BigInt(port) <= hi),
    )
    .map(({ title }) => title);
  return titles.length === 0 ? 'nothing' : listed(titles);
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

/** Where no chain of the export looks at the packets. */
function noChainText({ path, sources }: HostExposure): string {
  const versions = listed([...sources.keys()].map((version) => `IPv${version}`));
  return `the kernel's own default: no chain of the export filters ${path === 'forward' ? 'forwarded' : 'incoming'} ${versions} packets`;
}

/** What to do where there is no chain to correct. */
function noChainNote({ path }: HostExposure): string {
  const chain = path === 'forward' ? 'FORWARD' : 'INPUT';
  return `There is no rule to correct. If another tool filters these packets (nftables beside iptables, firewalld), export its rules too: sudo nft -j list ruleset. Else add the rules for what is needed to a filter chain, and let it drop the rest: iptables -P ${chain} DROP (ip6tables for IPv6), or in nft a chain with "type filter hook ${path} priority filter; policy drop;".`;
}

function needText(names: readonly string[], peersUnknown: boolean): string {
  if (peersUnknown) return 'who needs it is not declared in nwaudit.yaml, so nobody is known to be entitled';
  if (names.length === 0) return 'no host of the profile needs it';
  return `only ${listed(names)} ${names.length === 1 && !names[0]!.startsWith('networks') && names[0] !== 'admin networks' ? 'needs' : 'need'} it`;
}

/** The port as it arrives, for a sentence about a translation. */
function translatedPorts(found: HostExposure): string {
  const dport = found.witness()?.dport;
  return dport === undefined ? 'another port' : `port ${dport}`;
}

/** Protocols as a sentence names them: of many, TCP and UDP stand for all, as far as they are among them. */
function protocolsTold(protocols: readonly number[]): readonly number[] {
  const usual = protocols.filter((protocol) => protocol === TCP || protocol === UDP);
  return protocols.length > 2 && usual.length > 0 ? usual : protocols;
}

/** Behind ports of the product: that the rule lets in others besides. */
function furtherText({ class: as, beside }: HostExposure): string {
  return beside.length === 0 || !NAMES_A_PART.has(as) ? '' : ' and further ports';
}

/** Behind the ports that are reached, in brackets: that they are reached by a translation. Empty where they are not. */
function translatedText(found: HostExposure): string {
  if (found.acceptedBy === undefined) return '';
  const example = countIntervals(found.ports) === 1n ? '' : 'for example ';
  return ` (translated, ${example}from ${translatedPorts(found)})`;
}

/** What to write into nwaudit.yaml about the sources: hosts for single addresses, a network of a role for wider ranges. */
function yamlHint(found: HostExposure): string {
  const addresses = [...found.sources].flatMap(([version, list]) => describeAddresses(version, list).saddr);
  const single = addresses.every((a) => !/[/-]/.test(a));
  const quoted = listed(addresses.map((a) => (a.includes(':') ? `"${a}"` : a)));
  // No flow is about the port: its users are administrators, or nobody.
  if (!found.peersUnknown) return `admin_networks: [${quoted}]`;
  return single
    ? `hosts: { NAME: { role: ROLE, addresses: [${quoted}] } }`
    : `role_networks: { ROLE: [${quoted}] }`;
}

function adviceFor(context: HostContext, found: HostExposure): Advice {
  const { table, chain, rule, carried } = found;
  if (chain === undefined && found.class === 'default-accept' && found.judged)
    return { commands: [], note: noChainNote(found) };
  if (found.path === 'forward' && OTHER_PORTS.has(found.class) && found.source !== 'admin')
    return { commands: [], note: forwardNote(context, found) };
  // What the vendor requires is not taken away by a command to copy.
  if (
    table === undefined ||
    chain === undefined ||
    found.path === 'forward' ||
    found.source === 'vendor' ||
    (found.source === 'admin' && found.class === 'undeclared-port') ||
    found.class === 'unknown-source'
  )
    return NO_ADVICE;
  // A translation cannot be replaced by an accepting rule.
  if (found.acceptedBy !== undefined && !DELETED.has(found.class)) return NO_ADVICE;
  const place = rule === undefined ? undefined : { table, chain, rule };
  const known: ChangeContext = {
    ...knownOf(context, place),
    judged: judgedPorts(context, { path: 'input', target: context.host }),
    fault: found,
  };
  const kept = keptBy(context, found, known);
  // A service may have other ports that are needed.
  const isService = (known.counterpart?.rule ?? rule)?.configured?.service !== undefined;
  if (found.class === 'never-remote-port' && found.beside.length > 0)
    return { commands: [], note: otherPortsNote(found) };
  if (place !== undefined && DELETED.has(found.class)) {
    // Without connection tracking, such a rule is often what lets the host's own replies in.
    const carries = found.class === 'connection-port-rule' && carried.replies;
    if (carries) return replaceRule(place, carried, [], undefined, known);
    const others = withoutPorts(kept, found.ports);
    return (isService || found.class === 'admin-port-on-wrong-host') && others.length > 0
      ? replaceRule(place, NOTHING_CARRIED, others, undefined, known)
      : deleteRule(place, false, known);
  }
  const silent = found.entitledPeers.filter((p) => p.ranges.length === 0).map((p) => p.name);
  // Peers without a declared address need the access too: without them, no rule would let their backups through.
  if (kept.length === 0 && (found.peersUnknown || silent.length > 0))
    return { commands: [], note: NOBODY_DECLARED };
  if (found.class === 'undeclared-port' && kept.length === 0) return { commands: [], note: NOBODY_NAMED };
  const advice =
    place === undefined
      ? closePolicy(table, chain, carried, kept)
      : replaceRule(place, carried, kept, found.closes, known);
  if (advice.commands.length === 0) return advice;
  const notes = [advice.note, undeclaredNote(silent), isService ? undefined : besideNote(found)].filter(
    (n) => n !== undefined,
  );
  return notes.length === 0 ? advice : { ...advice, note: notes.join(' ') };
}

/**
 * What is kept. An element of firewalld that makes several rules goes as a whole: where each of them is judged by itself, what the others
 * give by right is kept too.
 */
function keptBy(
  context: HostContext,
  found: HostExposure,
  { counterpart }: ChangeContext,
): readonly KeptAccess[] {
  const element = counterpart?.rule.configured;
  if (counterpart === undefined || element?.service === undefined) return found.kept;
  const given = ([4, 6] as const).map((version) => ({
    version,
    set: admittedBy(context, elementRules(counterpart), version),
  }));
  return [...found.kept, ...entitledAccess(context, context.host, given)];
}

function withoutPorts(kept: readonly KeptAccess[], ports: readonly Interval[]): KeptAccess[] {
  return kept
    .map((access) => ({ ...access, ports: subtractIntervals(access.ports, ports) }))
    .filter((access) => access.ports.length > 0);
}

/** Source, protocol and port of packets that plain rules admit. */
function admittedBy(context: HostContext, rules: readonly Rule[], version: IpVersion): PacketSet {
  const { space } = context.space;
  return space.unionAll(
    rules.flatMap(({ matches }) => {
      const test = readTest(matches);
      if (test === undefined || (test.version ?? version) !== version) return [];
      const { protocol, dports, saddr } = test;
      const address = space.bits('saddr').slice(0, version === 4 ? 32 : 128);
      return [
        space.intersectAll([
          space.version(version),
          ...(protocol === undefined ? [] : [space.inIntervals(space.bits('protocol'), [single(protocol)])]),
          ...(dports === undefined ? [] : [space.inIntervals(space.bits('dport'), dports)]),
          ...(saddr === undefined ? [] : [space.inIntervals(address, saddr.values)]),
        ]),
      ];
    }),
  );
}

/** What to do where the packets are for somebody behind the host. */
function forwardNote({ host }: HostContext, found: HostExposure): string {
  const receiver = found.target?.name ?? 'NAME';
  const exception =
    found.class === 'never-remote-port' || receiver.includes(' ')
      ? ''
      : ` Where it is needed, say so in nwaudit.yaml with an exception to ${listed([receiver, ...found.furtherTargets])}.`;
  const where =
    found.acceptedBy === undefined
      ? 'delete the rule, or write into it who may send to whom on these ports'
      : 'delete the translation and what lets its packets through, or write into both who may send';
  return `The place to change is ${host.name}: ${where}.${exception}`;
}

const NOBODY_NAMED =
  'nwaudit.yaml names nobody who uses these ports: whether the rule goes or is limited to somebody, you have to say.';

const NOBODY_DECLARED =
  'The commands follow once nwaudit.yaml says who needs this access, with roles and addresses.';

function undeclaredNote(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  return `${listed(names)} ${names.length === 1 ? 'needs' : 'need'} this access too and ${names.length === 1 ? 'has' : 'have'} no address in nwaudit.yaml: declare it before you run the command.`;
}

/** What a rule for more than NetWorker lets in besides: a command that takes SSH away locks its user out. */
function besideNote({ beside, class: as }: HostExposure): string | undefined {
  if (beside.length === 0 || as === 'default-accept') return undefined;
  return `The rule also lets in port ${listed(describePorts(beside), 8)}, which ends with it: add rules for what of that is needed before you run the command.`;
}

function otherPortsNote({ beside }: HostExposure): string {
  return `The rule also lets in port ${listed(describePorts(beside), 8)}: take out of it only the ports named here.`;
}

/** Classes that are about the product's ports, of a rule that may be about more. */
const NAMES_A_PART: ReadonlySet<ExposureClass> = new Set([
  'client-inbound-unscoped',
  'dynamic-range-any-source',
  'dynamic-range-open-on-server',
  'dynamic-range-beyond-peers',
  'service-port-beyond-peers',
  'admin-port-beyond-admin-network',
  'admin-port-on-wrong-host',
  'udp-on-service-ports',
]);

/** Classes whose rule has no use at all. */
const DELETED: ReadonlySet<ExposureClass> = new Set([
  'admin-port-via-nat',
  'admin-port-on-wrong-host',
  'connection-port-rule',
  'never-remote-port',
]);
