import { SEVERITIES } from '../finding/index.ts';
import { type Decoder, isMapping, type Mapping, type Path } from './decode.ts';
import { withoutPlaceholders } from './message.ts';
import {
  type Case,
  CHECK_SCOPES,
  type CheckDefinition,
  type Example,
  type ExpectedFinding,
} from './rulepack.ts';

const CHECK_KEYS = {
  required: ['id', 'title', 'severity', 'message', 'rationale', 'remediation', 'examples'],
  optional: ['since', 'status', 'severity-reason', 'evaluate', 'options', 'scope', 'when', 'references'],
} as const;

/**
 * What only src/check knows about a check: whether its evaluator or its predicates exist, their options, and the facts that its
 * texts may name. Tells the decoder what is wrong.
 */
export type CheckBinder = (check: CheckDefinition, decoder: Decoder) => void;

/** A check out of data; problems go to the decoder. */
export function decodeCheck(data: unknown, decoder: Decoder): CheckDefinition {
  const map = decoder.mapping(data, [], CHECK_KEYS);
  return {
    id: decoder.id(map.id, ['id']),
    since: map.since === undefined ? undefined : decodeVersion(map.since, ['since'], decoder),
    status: decoder.oneOf(map.status, ['status'], ['stable', 'nursery']),
    title: decoder.text(map.title, ['title']),
    severity: decodeCases(map.severity, ['severity'], decoder, (value, path) =>
      decoder.oneOf(value, path, SEVERITIES),
    ),
    severityReason:
      map['severity-reason'] === undefined
        ? undefined
        : decoder.text(map['severity-reason'], ['severity-reason']).trim(),
    ...decodeLogic(map, decoder),
    message: decodeCases(map.message, ['message'], decoder, (value, path) =>
      decodeMessage(value, path, decoder),
    ),
    rationale: decoder.text(map.rationale, ['rationale']).trim(),
    remediation: decoder.text(map.remediation, ['remediation']).trim(),
    references: decoder.list(map.references, ['references'], (value, path) => decoder.text(value, path)),
    examples: decodeExamples(map.examples, decoder),
    source: decoder.source,
    pack: undefined,
  };
}

/** Either an evaluator with its options, or predicates with the unit they are asked of. */
function decodeLogic(
  map: Mapping,
  decoder: Decoder,
): Pick<CheckDefinition, 'evaluate' | 'options' | 'scope' | 'when'> {
  const { evaluate, options, scope, when } = map;
  if (when !== undefined) {
    for (const key of ['evaluate', 'options'])
      if (map[key] !== undefined) decoder.report([key], 'a check with "when" has no such key');
    if (scope === undefined) decoder.report(['when'], `the key "scope" is missing; ${allowedScopes()}`);
    if (!isMapping(when) || Object.keys(when).length === 0)
      decoder.report(['when'], 'expected a mapping of predicates to their options');
    return {
      evaluate: undefined,
      options: undefined,
      scope: decoder.oneOf(scope, ['scope'], CHECK_SCOPES),
      when: isMapping(when) ? when : {},
    };
  }
  if (scope !== undefined) decoder.report(['scope'], 'only a check with "when" has this key');
  if (evaluate === undefined && Object.keys(map).length > 0)
    decoder.report([], 'the key "when" is missing, or "evaluate" where an evaluator finds the defect');
  return { evaluate: decoder.id(evaluate, ['evaluate']), options, scope: undefined, when: undefined };
}

function allowedScopes(): string {
  return `allowed: ${CHECK_SCOPES.join(', ')}`;
}

function decodeVersion(value: unknown, path: Path, decoder: Decoder): string {
  const text = decoder.text(value, path);
  if (text !== '' && !/^\d+\.\d+\.\d+$/.test(text))
    decoder.report(path, `expected a version such as 0.1.0; found "${text}"`);
  return text;
}

/** One value, or a list of cases of which the last, and only the last, has no `when`. */
function decodeCases<T>(
  value: unknown,
  path: Path,
  decoder: Decoder,
  decode: (value: unknown, path: Path) => T,
): T | Case<T>[] {
  if (!Array.isArray(value)) return decode(value, path);
  const cases = decoder.list(
    value,
    path,
    (one, at): Case<T> => {
      const map = decoder.mapping(one, at, { required: ['is'], optional: ['when'] });
      return { when: decodeWhen(map.when, [...at, 'when'], decoder), is: decode(map.is, [...at, 'is']) };
    },
    1,
  );
  cases.forEach((one, i) => {
    const isLast = i === cases.length - 1;
    if (isLast && one.when !== undefined)
      decoder.report([...path, i], 'the last case is the default and has no "when"');
    if (!isLast && one.when === undefined)
      decoder.report([...path, i], 'only the last case may be without "when"; those after it never apply');
  });
  return cases;
}

function decodeWhen(value: unknown, path: Path, decoder: Decoder): Case<unknown>['when'] {
  if (value === undefined) return undefined;
  if (!isMapping(value) || Object.keys(value).length === 0) {
    decoder.report(path, 'expected a mapping of facts to values');
    return {};
  }
  const when: [string, string | boolean][] = [];
  for (const [fact, wanted] of Object.entries(value)) {
    if (typeof wanted === 'string' || typeof wanted === 'boolean') when.push([fact, wanted]);
    else decoder.report([...path, fact], 'expected text, true or false');
  }
  return Object.fromEntries(when);
}

/** A message template: braces stand around fact names and nowhere else. */
function decodeMessage(value: unknown, path: Path, decoder: Decoder): string {
  const text = decoder.text(value, path).trim();
  if (/[{}]/.test(withoutPlaceholders(text))) {
    decoder.report(path, 'braces in a message stand around the name of a fact, as in {host}');
  }
  return text;
}

function decodeExamples(value: unknown, decoder: Decoder): CheckDefinition['examples'] {
  const map: Mapping =
    value === undefined ? {} : decoder.mapping(value, ['examples'], { required: ['bad', 'good'] });
  const bad = decoder.list(
    map.bad,
    ['examples', 'bad'],
    (one, path) => decodeExample(one, path, 'bad', decoder),
    1,
  );
  const good = decoder.list(
    map.good,
    ['examples', 'good'],
    (one, path) => decodeExample(one, path, 'good', decoder),
    1,
  );
  return { bad, good };
}

function decodeExample(value: unknown, path: Path, kind: 'bad' | 'good', decoder: Decoder): Example {
  const keys = kind === 'bad' ? { required: ['name', 'files', 'expect'] } : { required: ['name', 'files'] };
  const map = decoder.mapping(value, path, { ...keys, optional: ['config'] });
  return {
    name: decoder.text(map.name, [...path, 'name']),
    config: map.config,
    files: decodeFiles(map.files, [...path, 'files'], decoder),
    expect:
      kind === 'good'
        ? []
        : decoder.list(map.expect, [...path, 'expect'], (one, at) => decodeExpected(one, at, decoder), 1),
  };
}

function decodeFiles(value: unknown, path: Path, decoder: Decoder): Record<string, string> {
  if (value === undefined) return {};
  if (!isMapping(value) || Object.keys(value).length === 0) {
    decoder.report(path, 'expected a mapping of file names to texts');
    return {};
  }
  const files: [string, string][] = [];
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') decoder.report([...path, name], 'expected the text of the file');
    else if (name.startsWith('/') || name.split('/').includes('..'))
      decoder.report([...path, name], 'a file name stays inside its folder');
    else files.push([name, text]);
  }
  return Object.fromEntries(files);
}

function decodeExpected(value: unknown, path: Path, decoder: Decoder): ExpectedFinding {
  const map = decoder.mapping(value, path, {
    required: [],
    optional: ['host', 'line', 'severity', 'certainty'],
  });
  const { host, line, severity, certainty } = map;
  return {
    host: host === undefined ? undefined : decoder.text(host, [...path, 'host']),
    line: line === undefined ? undefined : decoder.integer(line, [...path, 'line'], 1, 10_000_000),
    severity: severity === undefined ? undefined : decoder.oneOf(severity, [...path, 'severity'], SEVERITIES),
    certainty:
      certainty === undefined
        ? undefined
        : decoder.oneOf(certainty, [...path, 'certainty'], ['certain', 'possible'] as const),
  };
}
