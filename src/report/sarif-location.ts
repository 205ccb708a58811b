import type { ArtifactLocation, Location, LogicalLocation, Region } from 'sarif';
import { escapeText, type Finding, type FindingOrigin, type Report } from '../finding/index.ts';
import type { Origin } from '../model/index.ts';

/** Longest text of a message. GitHub and GitLab cut or drop above 1,024 characters. */
const MAX_TEXT = 1000;

/** Longest quoted rule. */
const MAX_SNIPPET = 300;

/** At most `limit` UTF-16 code units of the text, marked where it was cut; never half a surrogate pair. */
export function truncate(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit - 4).replace(/[\uD800-\uDBFF]$/, '')} ...`;
}

/**
 * One line of text for a SARIF message: visible characters only, bounded, and without accidental syntax. `[text](target)`
 * would become a link and `{0}` a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6), and both can stand in names
 * and comments of an export. So can line feeds, which would begin a paragraph of their own ("Instead: ...").
 */
export function messageText(text: string): string {
  const visible = escapeText(text);
  return truncate(visible.replace(/\]\(/g, '] (').replace(/\{(\d+)\}/g, '{{$1}}'), MAX_TEXT);
}

/** Where a file lies for a SARIF reader. */
export interface SarifPath {
  readonly uri: string;
  /** Leading `..` steps that had to be left out: readers resolve paths inside the repository only. */
  readonly outside: boolean;
}

/**
 * Percent-encoded path of a file (RFC 3986) without `.` and `..`, relative unless the file name is absolute.
 * Readers reject an empty one, so a file without a name is called `unnamed`.
 */
export function uriOf(file: string): SarifPath {
  const windowsDrive = /^[a-zA-Z]:\//.test(file);
  const absolute = windowsDrive || file.startsWith('/');
  const segments: string[] = [];
  let outside = false;
  for (const segment of file.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') segments.push(segment);
    else if (segments.pop() === undefined) outside = true;
  }
  const encoded = segments.map((segment, i) => (windowsDrive && i === 0 ? segment : encodeSegment(segment)));
  const path = encoded.join('/') || 'unnamed';
  return { uri: absolute ? `file:///${path}` : path, outside: outside && !absolute };
}

function encodeSegment(segment: string): string {
  // A lone surrogate has no UTF-8 form, and encodeURIComponent throws on it.
  return encodeURIComponent(segment.replace(/\p{Surrogate}/gu, '\uFFFD'));
}

/** Finds a file's entry in `run.artifacts`. */
export type ArtifactIndex = ReadonlyMap<string, number>;

export function artifactLocation(file: string, artifacts: ArtifactIndex): ArtifactLocation {
  const { uri } = uriOf(file);
  const index = artifacts.get(file);
  return index === undefined ? { uri } : { uri, index };
}

/** All four values always: GitHub lists each as required. The end never lies before the start. */
export function regionOf(origin: Origin, rule: string | null): Region {
  const startLine = Math.max(1, origin.line);
  const startColumn = Math.max(1, origin.column);
  const endLine = Math.max(startLine, origin.endLine);
  const endColumn = Math.max(endLine === startLine ? startColumn : 1, origin.endColumn);
  const region: Region = { startLine, startColumn, endLine, endColumn };
  if (rule !== null)
    region.snippet = { text: truncate(escapeText(rule.slice(0, 4 * MAX_SNIPPET)), MAX_SNIPPET) };
  return region;
}

/** A place in an export, with the chain and rule it belongs to. */
export function originLocation(
  origin: FindingOrigin,
  host: string | null,
  artifacts: ArtifactIndex,
): Location {
  const logicalLocations = logicalLocationsOf(origin, host);
  return {
    physicalLocation: {
      artifactLocation: artifactLocation(origin.file, artifacts),
      region: regionOf(origin, origin.rule),
    },
    ...(logicalLocations.length === 0 ? {} : { logicalLocations }),
  };
}

/**
 * Where a finding is shown. One without a place of its own stands at the start of its host's first export (or
 * of the first input): GitHub accepts no result without a file.
 */
export function findingLocation(finding: Finding, report: Report, artifacts: ArtifactIndex): Location {
  if (finding.origin !== null) return originLocation(finding.origin, finding.host, artifacts);
  const input = report.inputs.find((one) => one.host === finding.host) ?? report.inputs[0];
  const location: Location = {
    physicalLocation: {
      artifactLocation: artifactLocation(input?.file ?? 'nwaudit.yaml', artifacts),
      region: { startLine: 1, startColumn: 1, endLine: 1, endColumn: 1 },
    },
  };
  if (finding.host !== null)
    location.logicalLocations = [logicalLocation('host', finding.host, finding.host)];
  return location;
}

function logicalLocationsOf(origin: FindingOrigin, host: string | null): LogicalLocation[] {
  const locations: LogicalLocation[] = [];
  let path = '';
  const add = (kind: string, name: string, inPath = name): void => {
    path = path === '' ? inPath : `${path}/${inPath}`;
    locations.push(logicalLocation(kind, name, path));
  };
  if (host !== null) add('host', host);
  if (origin.table !== null)
    add('table', origin.family === null ? origin.table : `${origin.family} ${origin.table}`);
  if (origin.chain !== null) add('chain', origin.chain);
  // A handle is what `nft` commands name the rule by; the text alone may stand in a chain twice.
  if (origin.rule !== null)
    add('rule', origin.rule, origin.handle === undefined ? origin.rule : `handle ${origin.handle}`);
  return locations;
}

function logicalLocation(kind: string, name: string, path: string): LogicalLocation {
  return {
    kind,
    name: truncate(escapeText(name.slice(0, 4 * MAX_SNIPPET)), 255),
    fullyQualifiedName: truncate(escapeText(path.slice(0, 8 * MAX_SNIPPET)), MAX_TEXT),
  };
}
