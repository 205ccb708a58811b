/**
 * Findings that were there before: recorded once, and not counted again as long as they stay what they were.
 *
 * A baseline is no decision of a person, so it accepts less than a waiver: never input that was not read, and never a
 * finding that has become more severe or goes further than it did.
 */
import { compareText, severityRank } from './compare.ts';
import { stringifyVisibly } from './escape.ts';
import { extentOfExposure, isWithin } from './extent.ts';
import { type ExtentPart, type Finding, SEVERITIES, type Severity } from './finding.ts';
import { FINGERPRINT_VERSION } from './fingerprint.ts';

/** Version of the file. Another one is refused. */
export const BASELINE_VERSION = 1;

/** The check whose findings no baseline takes: what was not read may hide anything. */
const UNREAD_INPUT = 'unread-input';

/** One recorded finding. Two equal ones, such as two equal rules, have an entry each. */
export interface BaselineEntry {
  readonly fingerprint: string;
  readonly check: string;
  /** `null` for a finding about the run itself. */
  readonly host: string | null;
  readonly severity: Severity;
  /** What the finding said, for those who read the file. Not compared. */
  readonly message: string;
  /** How far it went; absent where that cannot grow, and in files of older versions: then it is not compared. */
  readonly extent?: readonly ExtentPart[];
}

/** A baseline as it was read. */
export interface Baseline {
  /** As reports name it. */
  readonly file: string;
  readonly entries: readonly BaselineEntry[];
}

/** What a run looked at, to tell an entry whose finding is gone from one that was not looked for. */
export interface LookedAt {
  readonly checks: ReadonlySet<string>;
  /** Names in lower case. */
  readonly hosts: ReadonlySet<string>;
}

/** What a baseline did to a list of findings. */
export interface BaselineResult {
  /** The same findings in the same order, with `suppression` set where an entry accepts one. */
  readonly findings: readonly Finding[];
  /** Entries that no finding has used, although their check and host were looked at. */
  readonly unused: readonly BaselineEntry[];
  /** Entries of checks or hosts that were not looked at. */
  readonly notLookedAt: readonly BaselineEntry[];
  /** Findings that are recorded as less severe than they are now: they count. */
  readonly risen: number;
  /** Findings that go further than recorded: they count. */
  readonly widened: number;
}

/**
 * Applies a baseline. Every entry accepts one finding of its fingerprint whose severity is not above the recorded one, and that goes no further; the
 * most severe findings choose first. Findings of `unread-input` are never accepted.
 */
export function applyBaseline(
  findings: readonly Finding[],
  baseline: Baseline,
  lookedAt: LookedAt,
): BaselineResult {
  const left = new Map<string, BaselineEntry[]>();
  for (const entry of baseline.entries)
    left.set(entry.fingerprint, [...(left.get(entry.fingerprint) ?? []), entry]);
  const accepted = new Set<Finding>();
  let risen = 0;
  let widened = 0;
  for (const finding of [...findings].sort((a, b) => severityRank(b.severity) - severityRank(a.severity))) {
    const entries = finding.check === UNREAD_INPUT ? undefined : left.get(finding.fingerprint);
    const isAsSevere = (entry: BaselineEntry) =>
      severityRank(entry.severity) >= severityRank(finding.severity);
    const extent = extentOf(finding);
    const at =
      entries?.findIndex(
        (entry) => isAsSevere(entry) && (entry.extent === undefined || isWithin(extent ?? [], entry.extent)),
      ) ?? -1;
    if (at >= 0) {
      accepted.add(finding);
      entries?.splice(at, 1);
    } else if (entries !== undefined && entries.length > 0) {
      // It is still there, so its entry is not gone.
      if (entries.some(isAsSevere)) widened++;
      else risen++;
      entries.shift();
    }
  }
  const unusedEntries = [...left.values()].flat();
  const wasLookedAt = ({ check, host }: BaselineEntry) =>
    lookedAt.checks.has(check) && (host === null || lookedAt.hosts.has(host.toLowerCase()));
  return {
    findings: findings.map((finding) =>
      accepted.has(finding) && finding.suppression === null
        ? { ...finding, suppression: suppressionBy(baseline) }
        : finding,
    ),
    unused: unusedEntries.filter(wasLookedAt),
    notLookedAt: unusedEntries.filter((entry) => !wasLookedAt(entry)),
    risen,
    widened,
  };
}

/** How far a finding goes; `undefined` where that cannot grow. */
function extentOf({ extent, exposure }: Finding): readonly ExtentPart[] | undefined {
  return extent ?? (exposure === null ? undefined : [extentOfExposure(exposure)]);
}

function suppressionBy({ file }: Baseline): NonNullable<Finding['suppression']> {
  return { kind: 'baseline', reason: `recorded in ${file}`, owner: null, expires: null };
}

/**
 * The entries to record: all findings but those that a waiver accepts (when it ends, they are to be seen again) and input that was
 * not read; and `kept`, what this run did not look at.
 */
export function baselineEntries(
  findings: readonly Finding[],
  kept: readonly BaselineEntry[] = [],
): BaselineEntry[] {
  const recorded = findings
    .filter((finding) => finding.check !== UNREAD_INPUT && finding.suppression?.kind !== 'waiver')
    .map((finding): BaselineEntry => {
      const { fingerprint, check, host, severity, message } = finding;
      const extent = extentOf(finding);
      return { fingerprint, check, host, severity, message, ...(extent === undefined ? {} : { extent }) };
    });
  return [...recorded, ...kept].sort(compareEntries);
}

/** By host (findings about the run last), check, message, fingerprint and severity. */
function compareEntries(a: BaselineEntry, b: BaselineEntry): number {
  const host =
    a.host === b.host ? 0 : a.host === null ? 1 : b.host === null ? -1 : compareText(a.host, b.host);
  return (
    host ||
    compareText(a.check, b.check) ||
    compareText(a.message, b.message) ||
    compareText(a.fingerprint, b.fingerprint) ||
    severityRank(b.severity) - severityRank(a.severity)
  );
}

/** The file: JSON, sorted, with one line for each finding, so that a change of one is a change of one line. */
export function encodeBaseline(entries: readonly BaselineEntry[]): string {
  const lines = [...entries]
    .sort(compareEntries)
    .map(({ host, check, severity, message, fingerprint, extent }) =>
      stringifyVisibly(
        { host, check, severity, message, fingerprint, ...(extent === undefined ? {} : { extent }) },
        0,
      ),
    );
  const findings = lines.length === 0 ? '[]' : `[\n${lines.map((line) => `    ${line}`).join(',\n')}\n  ]`;
  return `{\n  "tool": "nwaudit",\n  "baselineVersion": ${BASELINE_VERSION},\n  "findings": ${findings}\n}\n`;
}

/** A baseline, or everything that makes the text none; sentences that begin with a path inside it where there is one. */
export type DecodedBaseline =
  | { readonly kind: 'ok'; readonly baseline: Baseline }
  | { readonly kind: 'bad'; readonly problems: readonly string[] };

/** Reads a baseline. `file` is its name in reports. */
export function decodeBaseline(text: string, file: string): DecodedBaseline {
  const bad = (...problems: string[]): DecodedBaseline => ({ kind: 'bad', problems });
  const data = parseJson(text);
  if (data === undefined) return bad('not valid JSON; a baseline is written with --write-baseline');
  if (!isRecord(data) || data.tool !== 'nwaudit' || !('baselineVersion' in data))
    return bad('not a baseline of nwaudit; write one with --write-baseline');
  if (data.baselineVersion !== BASELINE_VERSION) {
    const found = data.baselineVersion;
    // Anything else may be too deep or too long to print.
    const shown = typeof found === 'number' ? String(found) : 'no number';
    return bad(
      `baselineVersion: found ${shown}, this nwaudit reads ${BASELINE_VERSION}; write the baseline anew with --write-baseline`,
    );
  }
  if (!Array.isArray(data.findings)) return bad('findings: expected a list');
  const problems: string[] = [];
  const entries = data.findings.map((value: unknown, i) => decodeEntry(value, `findings[${i}]`, problems));
  for (const key of Object.keys(data))
    if (!['tool', 'baselineVersion', 'findings'].includes(key)) problems.push(`${key}: unknown key`);
  return problems.length === 0 ? { kind: 'ok', baseline: { file, entries } } : bad(...problems);
}

function decodeEntry(value: unknown, path: string, problems: string[]): BaselineEntry {
  const record = isRecord(value) ? value : {};
  if (!isRecord(value)) problems.push(`${path}: expected a mapping`);
  const text = (key: string): string => {
    const found = record[key];
    if (typeof found === 'string' && found !== '') return found;
    if (isRecord(value)) problems.push(`${path}.${key}: expected text`);
    return '';
  };
  const fingerprint = text('fingerprint');
  const check = text('check');
  if (fingerprint !== '' && !/^nwaudit\/v\d+:[0-9a-f]{32}$/.test(fingerprint))
    problems.push(`${path}.fingerprint: expected ${FINGERPRINT_VERSION}: and 32 hex digits`);
  else if (fingerprint !== '' && !fingerprint.startsWith(`${FINGERPRINT_VERSION}:`)) {
    problems.push(
      `${path}.fingerprint: of another version than ${FINGERPRINT_VERSION}; write the baseline anew with --write-baseline`,
    );
  }
  if (check === UNREAD_INPUT)
    problems.push(
      `${path}.check: input that was not read may hide anything; only a waiver of nwaudit.yaml accepts it`,
    );
  const severity = SEVERITIES.find((one) => one === record.severity);
  if (severity === undefined && isRecord(value))
    problems.push(`${path}.severity: expected one of ${SEVERITIES.join(', ')}`);
  const extent = record.extent === undefined ? undefined : decodeExtent(record.extent);
  if (extent === null)
    problems.push(
      `${path}.extent: expected a list of mappings with who, proto and ports, each a list of texts`,
    );
  const { host } = record;
  if (host !== null && typeof host !== 'string' && isRecord(value))
    problems.push(`${path}.host: expected the name of a host, or null`);
  return {
    fingerprint,
    check,
    host: typeof host === 'string' ? host : null,
    severity: severity ?? 'info',
    message: text('message'),
    ...(extent === undefined || extent === null ? {} : { extent }),
  };
}

/** `null` for what is no extent. */
function decodeExtent(value: unknown): ExtentPart[] | null {
  if (!Array.isArray(value)) return null;
  const parts: ExtentPart[] = [];
  for (const part of value as readonly unknown[]) {
    if (!isRecord(part)) return null;
    const [who, proto, ports] = [part.who, part.proto, part.ports].map(textsOf);
    if (who === undefined || proto === undefined || ports === undefined) return null;
    parts.push({ who, proto, ports });
  }
  return parts;
}

function textsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = (value as readonly unknown[]).filter((one) => typeof one === 'string');
  return texts.length === value.length ? texts : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // JSON.parse has no other way to say that the text is none.
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
