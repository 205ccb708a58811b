/**
 * The pipeline: texts in, report out. Also the library entry. Reads no file, clock or environment: everything it goes by
 * stands in its arguments.
 */
import {
  auditHost,
  checkReport,
  checkRun,
  createEstate,
  type Estate,
  type HostInput,
  type HostOutcome,
  type NotRunCheck,
} from './check/index.ts';

import {
  applyBaseline,
  applyWaivers,
  type Baseline,
  baselineEntries,
  compareFindings,
  exitCodeOf,
  type Finding,
  type Report,
  type ReportCheck,
  type ReportHost,
  type ReportInput,
  type Severity,
  summarize,
} from './finding/index.ts';
import {
  type AssignmentProblem,
  assignFilesToHosts,
  type Inventory,
  type ResolvedHost,
  resolveHosts,
} from './inventory/index.ts';
import type { ParseDiagnostic, PortRanges, Ruleset } from './model/index.ts';
import {
  DEFAULT_HEAP_BYTES,
  filesTooLarge,
  type HostExports,
  type ReadExport,
  readHostExports,
  readPortRanges,
} from './parse/index.ts';
import { type CheckDefinition, highestSeverityOf, type Profile } from './rulepack/index.ts';

/** One file as the caller read it. */
export interface ScanInput {
  /** Path as reports print it, with `/`. */
  readonly path: string;
  /** Content; `undefined` when it could not be read, and then `problem` says why. */
  readonly bytes: Uint8Array | undefined;
  /** Why it could not be read: `permission denied`, `is a named pipe`. */
  readonly problem?: string;
}

/** What a scan goes by. No clock, environment or file is consulted besides these. */
export interface ScanOptions {
  readonly version: string;
  readonly profile: Profile;
  /** Checks to run, after `--select` and `--ignore`. */
  readonly checks: readonly CheckDefinition[];
  readonly inventory?: Inventory;
  /** Folders (or files) the user named, with `/`, `.` for the current one; decides which folder is a host. */
  readonly roots: readonly string[];
  /** ISO date. */
  readonly today: string;
  readonly failOn: Severity;
  readonly allowIncomplete: boolean;
  readonly exitZero: boolean;
  /** Name for a single input or standard input. */
  readonly host?: string;
  /** Absolute path of the current folder, to name the host of `.`. */
  readonly currentFolder?: string;
  /** Size limit of one host's packet sets in diagram nodes. */
  readonly nodeBudget?: number;
  /** Size of the JavaScript heap in bytes: what may not fit into it is refused, host by host. Absent: 4 GB. */
  readonly heapBytes?: number;
  /** Findings of the run at most. */
  readonly mostFindings?: number;
  /** Findings recorded earlier, which do not count again. */
  readonly baseline?: Baseline;
  /**
   * Record this run's findings under this file name: they count as accepted by it already, and what the earlier baseline holds about
   * hosts and checks that are not looked at is kept. Nothing is recorded where the run is incomplete. The caller writes the file.
   */
  readonly recordAs?: string;
  /** Called as hosts are finished. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Heap that a finding takes with the reports of it, in bytes. */
const HEAP_PER_FINDING = 10_000;

/** Findings of a run at most, so that every report of them fits into memory and into one string. */
const MOST_FINDINGS = 100_000;

/** Audits exports. Never throws for what the inputs contain: what is wrong with them stands in the report. */
export function scan(inputs: readonly ScanInput[], options: ScanOptions): Report {
  const { inventory, profile, today } = options;
  const assignment = assignFilesToHosts(
    inputs.map(({ path }) => ({ path })),
    options.roots,
    inventory,
    {
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.currentFolder === undefined ? {} : { currentFolder: options.currentFolder }),
    },
  );
  const filesOf = groupByHost(inputs, assignment.hosts);
  const run: RunState = {
    findings: [],
    outcomes: [],
    inputs: [],
    hosts: [],
    diagnostics: [],
    hints: new Set(),
  };
  const resolved = resolveHosts([...filesOf.keys()], inventory).map((host) =>
    withRolesOfProfile(run, host, profile),
  );
  const reportedPorts = portsByHost(filesOf, resolved);
  const hosts = resolved.map((host) => withReportedPorts(host, reportedPorts.get(host.name)));
  const estate = createEstate({ profile, inventory, hosts, reportedPorts, today });
  const hostOf = hostFinder(hosts);
  const toldOfHosts = new Set<string>();
  let done = 0;
  for (const [name, files] of filesOf) {
    const host = hostOf(name);
    if (host !== undefined) {
      const apart = foldersApart(name, host, assignment.problems);
      if (apart !== undefined) toldOfHosts.add(apart);
      auditFiles(run, estate, host, files, options, apart);
    }
    options.onProgress?.(++done, filesOf.size);
  }
  for (const { detail } of assignment.problems) if (!toldOfHosts.has(detail)) run.hints.add(detail);
  for (const finding of checkRun(estate, run.outcomes, options.checks)) run.findings.push(finding);
  addRunHints(run, estate);
  return assemble(run, estate, options);
}

/** Why files may be of several hosts; `undefined` where nothing speaks for it, or the host is declared. */
function foldersApart(
  name: string,
  host: ResolvedHost,
  problems: readonly AssignmentProblem[],
): string | undefined {
  if (host.roleSource === 'configuration') return undefined;
  return problems.find(({ kind, hosts }) => kind === 'several-folders' && hosts.includes(name))?.detail;
}

/** What a run has gathered so far. */
interface RunState {
  readonly findings: Finding[];
  /** Of the hosts that could be judged. */
  readonly outcomes: HostOutcome[];
  readonly inputs: ReportInput[];
  readonly hosts: ReportHost[];
  readonly diagnostics: ParseDiagnostic[];
  readonly hints: Set<string>;
}

/** A role of every profile: nwaudit itself knows what it means. */
const GATEWAY = 'gateway';

/** The host with those of its roles that the profile knows: of others it says nothing, so nothing could be judged by it. */
function withRolesOfProfile(run: RunState, host: ResolvedHost, profile: Profile): ResolvedHost {
  const known = new Set([GATEWAY, ...profile.roles.map((role) => role.id)]);
  const strange = host.roles.filter((role) => !known.has(role));
  if (strange.length === 0) return host;
  if (host.roleSource === 'configuration')
    run.hints.add(
      `The profile ${profile.id} has no role ${strange.join(', ')}, which ${host.name} has in nwaudit.yaml.`,
    );
  const roles = host.roles.filter((role) => known.has(role));
  return { ...host, roles, roleSource: roles.length === 0 ? 'unknown' : host.roleSource };
}

function groupByHost(
  inputs: readonly ScanInput[],
  hostOf: ReadonlyMap<string, string>,
): Map<string, ScanInput[]> {
  const groups = new Map<string, ScanInput[]>();
  for (const input of inputs) {
    const host = hostOf.get(input.path) ?? input.path;
    const group = groups.get(host);
    if (group === undefined) groups.set(host, [input]);
    else group.push(input);
  }
  return groups;
}

/** Finds hosts by name. `resolveHosts` may join a short name with the fully qualified one of the configuration. */
function hostFinder(hosts: readonly ResolvedHost[]): (name: string) => ResolvedHost | undefined {
  const byName = new Map(hosts.map((h) => [h.name, h]));
  return (name) => {
    const whole = name.toLowerCase();
    const short = whole.split('.')[0];
    return (
      byName.get(name) ??
      hosts.find((h) => h.name.toLowerCase() === whole) ??
      hosts.find((h) => h.name.toLowerCase().split('.')[0] === short)
    );
  };
}

/** What `nsrports` among the exports says, by host. */
function portsByHost(
  filesOf: ReadonlyMap<string, readonly ScanInput[]>,
  hosts: readonly ResolvedHost[],
): Map<string, PortRanges> {
  const out = new Map<string, PortRanges>();
  const hostOf = hostFinder(hosts);
  for (const [name, files] of filesOf) {
    const ranges = readPortRanges(files);
    const host = hostOf(name);
    if (host !== undefined && (ranges.service ?? ranges.connection) !== undefined) out.set(host.name, ranges);
  }
  return out;
}

/** The host with the ports that it reports itself: what it listens on counts, whatever was written down about it. */
function withReportedPorts(host: ResolvedHost, reported: PortRanges | undefined): ResolvedHost {
  if (reported === undefined) return host;
  const { service, connection } = reported;
  const { servicePorts, servicePortsBy, connectionPorts, ...rest } = host;
  const declared = service === undefined ? undefined : servicePorts;
  const services = service?.ranges ?? servicePorts;
  const connections = connection?.ranges ?? connectionPorts;
  return {
    ...rest,
    ...(services !== undefined && { servicePorts: services }),
    ...(service === undefined && servicePortsBy !== undefined && { servicePortsBy }),
    ...(connections !== undefined && connections.length > 0 && { connectionPorts: connections }),
    ...(declared !== undefined && { declaredServicePorts: declared }),
  };
}

function auditFiles(
  run: RunState,
  estate: Estate,
  host: ResolvedHost,
  files: readonly ScanInput[],
  options: ScanOptions,
  apart: string | undefined,
): void {
  const configuration = estate.inventory?.file;
  const facts = {
    interfaces: host.interfaces,
    ...(host.distribution === undefined ? {} : { distribution: host.distribution }),
    ...(configuration === undefined ? {} : { configuration }),
  };
  const heapBytes = options.heapBytes ?? DEFAULT_HEAP_BYTES;
  const read = withNothingSaid(
    host,
    readApart(readHostExports(withinHeap(host, files, heapBytes), facts), apart),
  );
  for (const e of read.exports) run.inputs.push(toReportInput(e, host));
  for (const d of read.diagnostics) run.diagnostics.push(d);
  const input: HostInput = {
    host,
    ruleset: read.ruleset,
    permanent: read.permanent,
    files: files.map((f) => f.path),
    diagnostics: read.diagnostics,
  };
  const mostFindings =
    options.mostFindings ?? Math.min(MOST_FINDINGS, Math.floor(heapBytes / HEAP_PER_FINDING));
  const outcome = auditHost(input, estate, options.checks, {
    nodeBudget: options.nodeBudget,
    heapBytes,
    findings: Math.max(0, mostFindings - run.findings.length),
  });
  for (const f of outcome.findings) run.findings.push(f);
  run.outcomes.push(outcome);
  for (const d of outcome.troubles) run.diagnostics.push(d);
  run.hosts.push(toReportHost(input, outcome.notRun));
}

/** The files of a host; none of them where together they are too large for the heap. */
function withinHeap(
  host: ResolvedHost,
  files: readonly ScanInput[],
  heapBytes: number,
): readonly ScanInput[] {
  const problem = filesTooLarge(host.name, files, heapBytes);
  if (problem === undefined) return files;
  return files.map((file) =>
    file.bytes === undefined ? file : { path: file.path, bytes: undefined, problem },
  );
}

/** What stops packets on one host stops none on another: what was read together of folders that may be several hosts is no all-clear. */
function readApart(read: HostExports, apart: string | undefined): HostExports {
  const last = read.exports.at(-1);
  return apart === undefined || last === undefined ? read : asIncomplete(read, last, 'contradiction', apart);
}

/** The same with one export that does not count as read whole, and why. */
function asIncomplete(
  read: HostExports,
  part: ReadExport,
  kind: ParseDiagnostic['kind'],
  detail: string,
): HostExports {
  const origin = { file: part.file, line: 1, column: 1, endLine: 1, endColumn: 1, path: null };
  return {
    ...read,
    exports: read.exports.map((e) => (e === part ? { ...e, whole: false } : e)),
    diagnostics: [...read.diagnostics, { kind, incomplete: true, origin, detail }],
  };
}

/** Files without a single table of IP are no all-clear: says so, unless something about them is said already. */
function withNothingSaid(host: ResolvedHost, read: HostExports): HostExports {
  const [first] = read.exports;
  // Tables of netdev, arp and bridge decide nothing that is judged.
  const isJudged = read.ruleset.tables.some(({ family }) => ['ip', 'ip6', 'inet'].includes(family));
  if (first === undefined || isJudged || read.diagnostics.some((d) => d.incomplete)) return read;
  const detail = `there are no firewall rules among the files of ${host.name}; add the output of iptables-save and ip6tables-save, of "nft -j list ruleset", or a copy of /etc/firewalld`;
  return asIncomplete(read, first, 'unsupported', detail);
}

function toReportInput(read: ReadExport, host: ResolvedHost): ReportInput {
  return {
    file: read.file,
    format: read.format,
    host: host.name,
    whole: read.whole,
    rules: countRules(read.ruleset),
  };
}

function countRules(ruleset: Ruleset): number {
  let rules = 0;
  for (const table of ruleset.tables) {
    for (const chain of table.chains) for (const rule of chain.rules) if (rule.number !== undefined) rules++;
  }
  return rules;
}

function toReportHost(input: HostInput, notRun: readonly NotRunCheck[]): ReportHost {
  const { host } = input;
  const assumptions: string[] = [];
  if (host.roleSource === 'name') {
    assumptions.push(
      `its role (${host.roles.join(', ')}) is guessed from its name; say it in nwaudit.yaml to be sure`,
    );
  }
  for (const diagnostic of input.diagnostics) {
    if (diagnostic.kind === 'note' && /assum/.test(diagnostic.detail)) assumptions.push(diagnostic.detail);
  }
  const rules = countRules(input.ruleset);
  const nothingRead = input.ruleset.tables.length === 0;
  const judged = host.roles.length > 0 && notRun.length === 0 && !nothingRead;
  return {
    name: host.name,
    roles: host.roles,
    roleSource: host.roleSource,
    judged,
    judgedNote: judged ? null : whyNotJudged(nothingRead, notRun),
    notRun,
    assumptions,
    rules,
  };
}

function whyNotJudged(nothingRead: boolean, notRun: readonly NotRunCheck[]): string {
  if (nothingRead) return 'no rule set of it could be read';
  return notRun.length > 0
    ? 'its rules need more memory or time than one host may take: some checks were not run'
    : 'its role is not known: only what holds for every host was checked; declare its role in nwaudit.yaml';
}

/** What to declare in nwaudit.yaml to learn more. */
function addRunHints(run: RunState, estate: Estate): void {
  const { inventory, hosts } = estate;
  if (inventory === undefined) {
    run.hints.add(
      'No nwaudit.yaml was found. Run `nwaudit init` on these exports: it writes a first one with the hosts and addresses it sees.',
    );
  }
  const gateways = new Set(hosts.flatMap((h) => h.behind ?? []));
  const unseen = hosts.filter((h) => gateways.has(h.name) && !h.hasExport).map((h) => h.name);
  if (unseen.length > 0) {
    run.hints.add(
      `Paths through ${listNames(unseen)} are judged at their ends only: what a gateway lets through is not shown without its export.`,
    );
  }
  const guessed = hosts
    .filter((h) => h.hasExport && h.addresses.length === 0 && h.roles.length > 0)
    .map((h) => h.name);
  if (guessed.length > 0) {
    run.hints.add(
      `The addresses of ${listNames(guessed)} are not declared: whether a rule names the right peer cannot be judged. Write: hosts: { ${guessed[0]}: { role: ${hosts.find((h) => h.name === guessed[0])?.roles[0]}, addresses: [ADDRESS] } }`,
    );
  }
  if ((inventory?.adminNetworks.length ?? 0) === 0) {
    run.hints.add(
      'No admin_networks are declared: access to admin ports is judged only where it is open to anybody.',
    );
  }
}

function listNames(names: readonly string[]): string {
  return names.length <= 5
    ? names.join(', ')
    : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}

function assemble(run: RunState, estate: Estate, options: ScanOptions): Report {
  const waivers = estate.inventory?.waivers ?? [];
  // Hosts that are only declared have no export and are not listed as audited.
  const hosts = [...run.hosts].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const checks = new Set(options.checks.map((check) => check.id));
  // Of a host on which some check did not run to its end, nothing is said to be gone.
  const names = hosts.filter(({ notRun }) => notRun.length === 0).map(({ name }) => name);
  for (const finding of checkReport({ estate, hosts: names, findings: run.findings, checks }, options.checks))
    run.findings.push(finding);
  const sorted = [...run.findings].sort(compareFindings);
  const waived = applyWaivers(sorted, waivers, options.today).findings;
  const parts = (findings: readonly Finding[]) => ({
    inputs: run.inputs,
    hosts,
    findings,
    diagnostics: run.diagnostics,
    failOn: options.failOn,
    allowIncomplete: options.allowIncomplete,
  });
  const { incomplete, incompleteAllowed } = summarize(parts(waived));
  const lookedAt = { checks, hosts: new Set(names.map((name) => name.toLowerCase())) };
  const recorded = options.baseline && applyBaseline(sorted, options.baseline, lookedAt);
  // What an incomplete run did not see would be missing in its baseline.
  const isRecording = options.recordAs !== undefined && (!incomplete || incompleteAllowed);
  const baseline: Baseline | undefined = isRecording
    ? { file: options.recordAs ?? '', entries: baselineEntries(waived, recorded?.notLookedAt) }
    : options.baseline;
  const accepted = baseline && applyBaseline(sorted, baseline, lookedAt);
  // A waiver says more than a baseline, so it counts where both accept a finding.
  const { findings } = applyWaivers(accepted?.findings ?? sorted, waivers, options.today);
  const summary = summarize(parts(findings));
  return {
    tool: { name: 'nwaudit', version: options.version },
    profile: { name: options.profile.id, description: options.profile.description },
    inputs: run.inputs,
    hosts,
    checks: options.checks.map(toReportCheck),
    findings,
    diagnostics: run.diagnostics,
    hints: [...run.hints],
    baseline:
      baseline === undefined || accepted === undefined
        ? null
        : {
            file: baseline.file,
            recorded: isRecording,
            accepted: findings.filter((finding) => finding.suppression?.kind === 'baseline').length,
            risen: accepted.risen,
            widened: accepted.widened,
            unused: accepted.unused,
            notLookedAt: accepted.notLookedAt,
          },
    summary,
    exitCode: exitCodeOf(summary, { exitZero: options.exitZero }),
  };
}

function toReportCheck(check: CheckDefinition): ReportCheck {
  return {
    id: check.id,
    title: check.title,
    severity: highestSeverityOf(check),
    rationale: check.rationale.trim(),
    // Facts of a finding have no value here: their names stand for them.
    remediation: check.remediation.trim().replace(/\{([a-z]+)\}/g, (_, name: string) => name.toUpperCase()),
    references: check.references,
    pack: check.pack ?? null,
  };
}

export {
  bindCheck,
  CheckBindingError,
  FACTS_OF_DATA_CHECKS,
  foreignRoles,
  PACKET_OPTION_KEYS,
  PEER_OPTION_KEYS,
  PREDICATES,
} from './check/index.ts';
export type { Report, ReportInput } from './finding/index.ts';
