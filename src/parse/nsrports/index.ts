/** The output of `nsrports`: the service and connection port ranges of one NetWorker host. Coverage: README.md beside this file. */
import type { Origin, ParseDiagnostic, PortRanges, ReportedRange } from '../../model/index.ts';
import { type Interval, interval, normalizeIntervals } from '../../net/index.ts';
import { quote } from '../diagnostic-log.ts';

/** What one text says about the ports of its host. */
export interface NsrportsResult {
  readonly ranges: PortRanges;
  readonly diagnostics: readonly ParseDiagnostic[];
}

/** `Service ports: 7937-9936`; releases and languages of the tools differ in capitals and in the space before the colon. */
const LABEL = /^[ \t]*(service|connection)[ \t]+ports?[ \t]*:(.*)$/i;

/** The same anywhere in a text, for telling what a file is. A range has to follow, or nothing. */
const LABEL_IN_TEXT = /^[ \t]*(?:service|connection)[ \t]+ports?[ \t]*:[ \t]*(?:\d{1,5}\b|\r?$)/im;

/** A line that goes on with ranges of the line before, and holds nothing else. */
const CONTINUATION =
  /^[ \t]+\d{1,5}(?:[ \t]*-[ \t]*\d{1,5})?(?:[ \t,;]+\d{1,5}(?:[ \t]*-[ \t]*\d{1,5})?)*[ \t,;]*$/;

const RANGE = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/** Longest line that is looked at, in characters; nsrports prints some forty. */
const LONGEST_LINE = 16_384;

/** More ranges than this are no setting of a host. */
const MOST_RANGES = 1_000;

/** Whether a text, or its beginning, holds a line of `nsrports`. */
export function holdsNsrports(text: string): boolean {
  return LABEL_IN_TEXT.test(text);
}

type Kind = 'service' | 'connection';

interface Statement {
  readonly kind: Kind;
  readonly origin: Origin;
  /** What stands behind the colon; `undefined`: the line is too long to be looked at. */
  text: string | undefined;
}

/**
 * Reads the two lines wherever they stand; other lines (the socket list of `nsrports -a`, a prompt) are passed over. A range that
 * cannot be read, and two lines that differ, make the range unknown and the input incomplete: half a range would make rules look wider or
 * narrower than they are. Never throws.
 */
export function parseNsrports(text: string, file: string): NsrportsResult {
  const diagnostics: ParseDiagnostic[] = [];
  const found: Record<Kind, { readonly origin: Origin; readonly ranges: readonly Interval[] | undefined }[]> =
    {
      service: [],
      connection: [],
    };
  for (const { kind, text: ports, origin } of statementsOf(text, file)) {
    const read = readRanges(kind, ports);
    found[kind].push({ origin, ranges: typeof read === 'string' ? undefined : read });
    if (typeof read === 'string')
      diagnostics.push({ kind: 'syntax', incomplete: true, origin, detail: `the ${kind} ports ${read}` });
  }
  return {
    ranges: {
      service: together('service', found.service, diagnostics),
      connection: together('connection', found.connection, diagnostics),
    },
    diagnostics,
  };
}

/** The statements of a text, with the lines that continue them. */
function statementsOf(text: string, file: string): Statement[] {
  const out: Statement[] = [];
  let open: Statement | undefined;
  text.split('\n').forEach((whole, i) => {
    const line = whole.replace(/\r$/, '');
    const isLong = line.length > LONGEST_LINE;
    const match = LABEL.exec(isLong ? line.slice(0, 64) : line);
    if (match !== null) {
      const column = line.length - line.trimStart().length + 1;
      const origin = { file, line: i + 1, column, endLine: i + 1, endColumn: line.length + 1, path: null };
      const kind = match[1]!.toLowerCase() === 'service' ? 'service' : 'connection';
      open = { kind, origin, text: isLong ? undefined : match[2]! };
      out.push(open);
    } else if (open !== undefined && !isLong && CONTINUATION.test(line)) {
      const before: string | undefined = open.text;
      open.text = before === undefined || before.length > LONGEST_LINE ? undefined : `${before} ${line}`;
    } else open = undefined;
  });
  return out;
}

/** The ranges of a statement, normalized; or what is wrong with it, as the rest of a sentence. */
function readRanges(kind: Kind, text: string | undefined): readonly Interval[] | string {
  if (text === undefined)
    return `stand in more than ${LONGEST_LINE} characters, which nsrports does not print`;
  const words = text
    .replaceAll(/[ \t]*-[ \t]*/g, '-')
    .split(/[ \t,;]+/)
    .filter((word) => word !== '');
  if (words.length === 0) return 'name no range';
  if (words.length > MOST_RANGES) return `name more than ${MOST_RANGES} ranges`;
  if (words.length === 1 && /^0+(?:-0+)?$/.test(words[0]!)) {
    return kind === 'connection'
      ? []
      : 'are 0-0, which names no port; write the range it really has as service_ports into nwaudit.yaml';
  }
  const ranges: Interval[] = [];
  for (const word of words) {
    const match = RANGE.exec(word);
    const lo = Number(match?.[1] ?? Number.NaN);
    const hi = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
    if (!(lo >= 1 && hi <= 65535)) return `hold ${quote(word)}, which is no range of ports from 1 to 65535`;
    if (lo > hi) return `hold ${quote(word)}, whose end is before its beginning`;
    ranges.push(interval(lo, hi));
  }
  return normalizeIntervals(ranges);
}

/** Several lines of one kind that agree count once. */
function together(
  kind: Kind,
  statements: readonly { readonly origin: Origin; readonly ranges: readonly Interval[] | undefined }[],
  diagnostics: ParseDiagnostic[],
): ReportedRange | undefined {
  const [first] = statements;
  if (first?.ranges === undefined || statements.some(({ ranges }) => ranges === undefined)) return undefined;
  const other = statements.find(({ ranges }) => !isSameRange(ranges!, first.ranges!));
  if (other === undefined) return { ranges: first.ranges, origin: first.origin };
  diagnostics.push({
    kind: 'contradiction',
    incomplete: true,
    origin: other.origin,
    detail: `the ${kind} ports are others than in line ${first.origin.line} of ${first.origin.file}; give the output of one nsrports of this host`,
  });
  return undefined;
}

/** Whether two normalized lists hold the same ports. */
export function isSameRange(a: readonly Interval[], b: readonly Interval[]): boolean {
  return a.length === b.length && a.every((one, i) => one.lo === b[i]!.lo && one.hi === b[i]!.hi);
}

const NOTHING_SAID: PortRanges = { service: undefined, connection: undefined };

/** What several texts of one host say together; two that differ make the range unknown. */
export function joinNsrports(results: readonly NsrportsResult[]): NsrportsResult {
  if (results.length === 0) return { ranges: NOTHING_SAID, diagnostics: [] };
  const diagnostics: ParseDiagnostic[] = [];
  const all = (kind: Kind) =>
    together(
      kind,
      results.flatMap(({ ranges }) => ranges[kind] ?? []),
      diagnostics,
    );
  return { ranges: { service: all('service'), connection: all('connection') }, diagnostics };
}
