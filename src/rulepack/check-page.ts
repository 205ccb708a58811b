/** Documentation pages of checks, as Markdown. What the pages say comes from the rule pack; see docs/adding-a-check.md. */
import { highestSeverityOf } from './message.ts';
import { predicateLines } from './predicate-text.ts';
import type { Case, CheckDefinition } from './rulepack.ts';

/** An example as its page shows it. */
export interface ShownExample {
  readonly name: string;
  /** The configuration as YAML; `undefined` for none. */
  readonly config: string | undefined;
  /** Texts by file name. */
  readonly files: Readonly<Record<string, string>>;
  /** What nwaudit says about it, one line a finding; empty for a good example. */
  readonly reported: readonly string[];
}

/** The examples of a check. */
export interface ShownExamples {
  readonly bad: readonly ShownExample[];
  readonly good: readonly ShownExample[];
}

/**
 * What the answers of an evaluator rest on and where they end, by evaluator: "certainty and limits" of every check
 * that names it. A test demands one entry for each evaluator there is.
 */
export const LIMITS_OF_EVALUATOR: Readonly<Record<string, string>> = {
  'copied-rule-set': `Compares what rule sets let through, on every way through the host and in every connection state, not their texts; tests that nwaudit
cannot decide have to be named alike. Certain. Only hosts whose roles need different flows of the profile are compared. Passed over are hosts without a role,
hosts of which something was not read, and hosts where the input side accepts all new connections, or none: the former are a finding of their own.
Rule sets that differ in the host's own address are different, and so are those that name more than eight interfaces and not the same ones.`,
  'unused-exception': `Certain, for the audited hosts: what the exception allows beyond the profile is compared with all new connections that may get in. Where a
host of the exception was not audited, or none of its sources is known by address, nothing is said.`,
  'unused-waiver': `Certain. Judged only where the check ran and a host of the waiver was audited, whatever --min-severity leaves out.`,
  'dead-rule': `Proved on packet sets over everything a packet can be, marks and connection states included. A test that nwaudit
cannot decide counts as both true and false, so it can hide a dead rule and never invents one: every finding is certain. What comes to a rule is
followed through the chains that call it and the base chains before it. Not followed are packets of connections that NAT has
changed, beyond the first, and the order of base chains of one hook and priority: there earlier chains count as if they stopped nothing. A
rule is redundant where all its packets get the same verdict (drop, and each kind of reject, are different ones) from later rules, at every call
site, without meeting a log, a mark, a rate limit or another test that leaves a trace. A chain policy is no such rule: an accept before a
policy that accepts is how one prepares to change the policy, and an explicit drop before a policy that drops says what is meant. All shadowed rules,
and all redundant rules of one chain, may be deleted together; before more redundant rules go, scan again. Elements are judged for ports,
addresses and ICMP types in multiport, anonymous sets and verdict maps, for nft sets of one such field and for ipsets of addresses or networks
without timeouts and nomatch; of a named set an element is told only where it is dead for every rule that asks. Ranges of nft that lie side by side
are one element. Rules of a chain that nothing enters are not reported beside what leads there. Passed over are chains that other
programs write (Docker, Kubernetes, libvirt, fail2ban and the like), rules that rest on reverse-path checks, rules that note addresses (recent), and directions of a host that
no export shows.`,
  exposure: `Judged on the whole way of a packet, for new connections from outside: TCP with SYN alone, and other protocols with ports,
on any interface but lo. The input side always counts. The forward side counts on gateways, by role or because they translate connections to
other hosts, for each declared host behind them; elsewhere only a forward side that is open altogether is told, as info. Where a gateway's
forward side is open altogether, default-accept covers its rules too: what it would let through without a rule is told there, and once. A rule
whose packets some other rule may stop, one that changes packets, and a translation keep findings of their own. What one rule opens alike on the
way to several hosts is one finding. A finding is certain when it holds whatever undecided tests answer; else it is possible and names them. Rate limits, counters and chance make
it possible too. Not judged are ICMP and other protocols without ports, and whether a service listens. Ports that the profile does not know
are judged on the input side of hosts with a role, but not in chains that container engines and hypervisors write for guests of their own, nor
the ports of DHCP clients (udp/68, udp/546). On the input side a rule for another destination address than the host's own counts like any other.
Where not all who may use a port are known by address, access from a narrow source is reported as unknown-source instead; where the role
of the host is not known, only access from anywhere is reported.`,
  drift: `Compares the tables of firewalld in the JSON of nft with what the XML files of the same host would load, for new connections on
all three ways through the host, as packet sets. With firewalld's iptables backend, or where nothing of firewalld runs, everything that runs is
compared with everything that the files would load, on the input side. Otherwise direct rules are not compared. Interfaces that only the
running firewall binds to a zone are taken as bound by NetworkManager, and a note names them. What depends on whose stock zones the host has is not told. Both exports have to be there.`,
  egress: `Judged for new TCP connections on the way out of a host with a role, to any interface but lo. It is reported where they
reach at least half of all addresses on at least 60,000 ports whatever undecided tests answer.`,
  'explicit-rule': `Certain. Seen over everything that comes to the rule, so that a zone or a chain for one source names it. Asked only for rules
that let new TCP connections into the host's service range; rules that an exposure finding blames are left to it.`,
  'expired-declaration': `Certain: dates are compared, as ISO dates, with the date of the run. The last day named still counts.`,
  'further-requirement': `Judged as missing-required-path is, by the flows of the profile that the one in use is compared with; flows of low confidence are
none of them. Only what is surely stopped is told, and nothing that the profile in use requires itself. It is advice about a
decision, not a fault of the rule set.`,
  'host-not-judged': `Certain. A role is known from nwaudit.yaml or guessed from whole words of the host's name; the report says which.`,
  'ip-version-not-exported': `Certain about the exports, and silent about the host: that IPv6 is switched off there no export of rules shows.`,
  'ipv6-wider-than-ipv4': `Compares ports that at least half of all addresses reach, over all rules of both IP versions. Rules that another
exposure finding blames already are left to it. A difference between narrow sources is not reported. Undecided tests count
as passed.`,
  'never-hit-rule': `Certain as far as the counters go: since when they count, no export says (a reload, a restart or -Z begins anew), so look
again after backup, restore and a reboot. Judged are rules that carry a counter, in chains where some rule has counted; chains in
which nothing was counted, exports without counters (iptables-save without -c prints none) and named counters of nft say nothing. Dead rules, and chains that other programs write, are not listed.`,
  'opaque-match': `Certain: it says what nwaudit does not know. Rate limits, counters and chance are not listed: an export cannot
settle them. Findings that hang on the test say so themselves.`,
  'plaintext-port': `Judged for new TCP connections from outside on the input side of hosts that serve the port. That the service runs, and that it
does not speak TLS on this port after all, no export shows.`,
  reject: `Certain: only rules that refuse at least half of all sources whatever undecided tests answer are told. Refusals of packets that belong to no
new connection do not count.`,
  'range-mismatch': `Judged where the service range of the host is known, from its nsrports output or service_ports, on the packet sets of
exposures: what rules let in to ports of the profile's range that the host's own does not have, from those who may use the range. Where the same rule
lets in others too, that finding says it. Part of the range that is closed is missing-required-path's. A range outside the profile's that rules
still open is not looked at.`,
  'range-too-small': `Certain about the numbers given. The minimum of a host with several roles is that of the role that needs most; devices count where
nwaudit.yaml declares them. The numbers are those of release 8: what release 19 needs could not be verified, and a range that passes may still
be too small.`,
  'required-path': `Judged where the path is stopped: at the receiver's input side, at the sender's output side and at the forward side of
gateways that one end names with \`behind\`, each if it was exported; what the other places do is told in the message. Asked for every declared
peer and every port of the flow, with initiating ports 49152 to 60999, over the IP version both have addresses of; where both versions
are shared, one that works is enough, and the other is told as low. Every address of a peer has to get through, to one of the host's own; at a
gateway every address of the sender to one of the receiver. A test that may pass at times, such as a rate limit, counts as
open. A finding is certain when no answer to an undecided test opens the path; else it is possible. Where no peer is known by
address, only a path that nobody outside can use is reported. The proposed rules are tried on the model of the rule set and compared with it for
all new connections, in rule sets of up to 1,000 rules and for the first 12 paths of a host.`,
  'return-path': `Judged as missing-required-path is, for packets of an established connection in the other direction, and only where the first
packet gets through. What connection tracking itself does (table full, timeouts) is not modelled.`,
  'trusted-peer': `Judged for new connections from outside on the input side. A peer is a declared host with a role and an address, or a
network of a role. It counts as trusted where one rule or policy lets it in on at least 60,000 TCP and as many UDP ports. Rules that let in
any source are exposure findings instead. The proposed rules keep what the profile and exceptions entitle the peer to, and no more.`,
  'undocumented-rule': `Judged are rules that accept some first packet of a connection from outside, on the input or forward side, in chains that people
write. Comments are those of the rule itself (-m comment, comment in nft); a ticket in another file is not seen.`,
  'unread-input': `Certain. A rule that cannot be read stays in its place as one that may match anything and do anything, so other findings
become possible where they hang on it. A file of which nothing is read leaves no trace in other findings.`,
  'unused-chain': `Certain: it rests on which rule leads to which chain, verdict maps included. A rule without a model that names the chain counts as leading
there; where a line of the table could not be read, nothing is said about its chains. Chains that other programs write are passed over.`,
  'via-service': `Beside an exposure of an admin port, never alone: it rests on the same packet sets and is as certain. It says where the port comes
from, so it needs the files of firewalld; where the JSON of nft is judged, the files of the same host have to explain the rule. A
definition that is in no file is assumed as firewalld has it, and the message says so.`,
  'wide-declaration': `Certain: it rests on the configuration, and on what nsrports printed. A range counts as too wide from an IPv4 /8 or an IPv6 /32 on; a
narrower one is reported only where declared hosts of other roles lie in it. A service range counts as too wide above 4,000 ports, or above twice
the profile's own range or what role and devices need where that is more, and where it holds ports below 1024 that the profile's does not. It is believed
all the same: NetWorker listens where the host says. A waiver counts as too wide where it names neither a fingerprint nor less than all
audited hosts, of at least two, and accepts findings that are high or worse.`,
};

/** The same for checks that say with predicates what they look for. */
export const LIMITS_OF_PREDICATES = `Decided on packet sets over the whole way of a packet, for new connections, by delivered port. A finding is
certain when it holds whatever undecided tests answer; else it is possible and names them. The page on
predicates says what each of them asks.`;

/** First line of every generated page. */
function banner(source: string): string {
  return `<!-- Made from ${source} by \`npm run docs\`. Changes here are overwritten. -->`;
}

/** The page of one check. `file` is the YAML file it comes from. */
export function checkPage(check: CheckDefinition, file: string, examples: ShownExamples): string {
  const limits = check.evaluate === undefined ? LIMITS_OF_PREDICATES : LIMITS_OF_EVALUATOR[check.evaluate];
  return page([
    banner(file),
    `# ${check.id}`,
    `${escapeMarkdown(check.title)}. Severity: ${describeSeverity(check)}. Since ${check.since ?? 'ever'}${check.status === 'nursery' ? ', runs only with `--select`' : ''}.`,
    '## What it reports',
    ...(check.when === undefined
      ? []
      : [
          `Each ${check.scope} for which all of this holds:`,
          fenced(predicateLines(check.when).join('\n'), 'yaml'),
        ]),
    ...describeMessages(check),
    '## Why it matters',
    prose(check.rationale),
    ...(check.severityReason === undefined ? [] : ['## Why this severity', prose(check.severityReason)]),
    '## Bad example',
    ...shownExamples(examples.bad),
    '## Good example',
    ...shownExamples(examples.good),
    '## Remediation',
    prose(check.remediation),
    '## Certainty and limits',
    ...(limits === undefined ? [] : [limits.replaceAll('\n', ' ')]),
    'What nwaudit does not model at all stands in [limitations](../limitations.md).',
    '## References',
    check.references.length === 0
      ? 'None.'
      : check.references.map((one) => `- ${escapeMarkdown(one)}`).join('\n'),
  ]);
}

/** The list of all checks. */
export function checkIndexPage(checks: readonly CheckDefinition[]): string {
  const rows = checks.map(
    (check) =>
      `| [${check.id}](${check.id}.md) | ${highestSeverityOf(check)} | ${escapeMarkdown(check.title).replaceAll('|', '\\|')} |`,
  );
  return page([
    banner('rules/checks/'),
    '# Checks',
    'Every check of the rule pack, with the highest severity a finding of it can have. `nwaudit rules` prints the same list, `nwaudit rules ID` explains one.',
    ['| id | severity | title |', '|---|---|---|', ...rows].join('\n'),
  ]);
}

function page(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}

function describeSeverity({ severity }: CheckDefinition): string {
  if (typeof severity === 'string') return severity;
  return severity.map((one, i) => `${i === 0 ? '' : 'else '}${one.is}${describeWhen(one)}`).join(', ');
}

/** The condition of a case; empty for the last one. */
function describeWhen({ when }: Case<unknown>): string {
  if (when === undefined) return '';
  return ` when ${Object.entries(when)
    .map(([fact, value]) => `${factName(fact)} is ${String(value)}`)
    .join(' and ')}`;
}

function describeMessages({ message }: CheckDefinition): string[] {
  if (typeof message === 'string') return ['The finding says:', `> ${prose(message)}`];
  return message.flatMap((one, i) => [
    `${i === 0 ? 'The finding says' : 'Else'}${describeWhen(one)}:`,
    `> ${prose(one.is)}`,
  ]);
}

/** Facts have no value on a page: their names stand for them, in capitals. */
function factName(fact: string): string {
  return fact.toUpperCase();
}

/** Text of the rule pack with its facts named and nothing in it taken for Markdown. Keeps paragraphs and line breaks. */
function prose(text: string): string {
  return escapeMarkdown(
    text.trim().replace(/\{([a-zA-Z][a-zA-Z0-9_-]*)\}/g, (_, name: string) => factName(name)),
  );
}

function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_<[\]]/g, (character) => `\\${character}`);
}

function shownExamples(examples: readonly ShownExample[]): string[] {
  let shownConfig: string | undefined;
  return examples.flatMap((example) => {
    const isAbove = example.config !== undefined && example.config === shownConfig;
    shownConfig = example.config ?? shownConfig;
    return [
      `### ${escapeMarkdown(example.name)}`,
      ...(example.config === undefined
        ? []
        : isAbove
          ? ['`nwaudit.yaml` as above.']
          : ['`nwaudit.yaml`', fenced(example.config, 'yaml')]),
      ...Object.entries(example.files).flatMap(([name, text]) => [`\`${name}\``, fenced(text, '')]),
      ...(example.reported.length === 0
        ? ['Nothing is reported.']
        : ['Reported:', fenced(example.reported.join('\n'), '')]),
    ];
  });
}

/** A code block whose fence is longer than any row of backticks in the text. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}
