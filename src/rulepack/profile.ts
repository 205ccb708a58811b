import { SEVERITIES, type Severity } from '../finding/index.ts';
import { formatProtocol, type Interval, interval, parseProtocol, TCP } from '../net/index.ts';
import { Decoder, describe, isMapping, type Mapping, type Path, suggest, type Translate } from './decode.ts';
import { extendProfile } from './extend-profile.ts';
import {
  ADMIN_NETWORKS,
  type AdminPort,
  type Confidence,
  type Flow,
  type FlowCondition,
  type MinimumPorts,
  type NeverRemotePort,
  type PlaintextPort,
  type PortTerm,
  type Profile,
  type ProfileSource,
} from './rulepack.ts';

const PROFILE_KEYS = {
  required: ['id', 'title', 'description', 'roles', 'flows'],
  optional: [
    'service-range',
    'range-without',
    'fixed-ports',
    'connection-ports',
    'admin-ports',
    'never-remote',
    'plaintext-ports',
    'minimum-ports',
    'features',
    'sources',
    'compared-with',
  ],
} as const;

const FLOW_KEYS = {
  required: ['id', 'from', 'to', 'ports', 'need'],
  optional: ['protocol', 'any-port', 'when', 'check', 'severity', 'where', 'confidence', 'sources', 'note'],
} as const;

const NEEDS = ['required', 'allowed', 'vendor'] as const;

const CONFIDENCES = ['high', 'medium', 'low'] as const;

const SERVICE_PORTS = ['declared', 'default'] as const;

/** A decoder of some data, made by whoever knows the file. */
export type MakeDecoder = (translate?: Translate) => Decoder;

/** Names of the profiles that data refers to: they have to be decoded before it. */
export function profilesNeededBy(data: unknown): string[] {
  if (!isMapping(data)) return [];
  return [data.extends, data['compared-with']].filter((name) => typeof name === 'string');
}

/**
 * A profile out of data, with the profiles it may extend or be compared with. The decoders that were made hold the problems.
 */
export function decodeProfile(
  data: unknown,
  makeDecoder: MakeDecoder,
  known: ReadonlyMap<string, Profile>,
): Profile {
  const plain = makeDecoder();
  if (!isMapping(data) || data.extends === undefined) {
    if (isMapping(data) && data.remove !== undefined)
      plain.report(['remove'], 'only a profile with "extends" has this key');
    const withoutRemove = isMapping(data) ? withoutKeys(data, ['remove']) : data;
    return decodeWhole(withoutRemove, plain, known);
  }
  const name = plain.text(data.extends, ['extends']);
  const base = known.get(name);
  if (base === undefined) {
    if (name !== '') plain.report(['extends'], unknownProfile(name, known));
    return decodeWhole(withoutKeys(data, ['extends', 'remove']), makeUnheard(), known);
  }
  for (const key of ['id', 'title']) {
    if (data[key] === undefined) plain.report([], `the key "${key}" is missing`);
  }
  // Only data that was decoded without a problem becomes the base of another.
  const { data: merged, translate } = extendProfile(data, isMapping(base.data) ? base.data : {}, name, plain);
  return decodeWhole(merged, makeDecoder(translate), known);
}

/** What cannot be merged cannot be judged either: nothing is reported of it but that. */
function makeUnheard(): Decoder {
  return new Decoder('', () => null);
}

function withoutKeys(data: Mapping, keys: readonly string[]): Mapping {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)));
}

function unknownProfile(name: string, known: ReadonlyMap<string, Profile>): string {
  return `there is no profile "${name}"; ${suggest(name, [...known.keys()].sort())}`;
}

function decodeWhole(data: unknown, decoder: Decoder, known: ReadonlyMap<string, Profile>): Profile {
  const map = decoder.mapping(data, [], PROFILE_KEYS);
  const roles = decodeNamed(map.roles, 'roles', decoder, 1);
  for (const [i, { id }] of roles.entries()) {
    if (id === ADMIN_NETWORKS)
      decoder.report(['roles', i, 'id'], `"${ADMIN_NETWORKS}" is not a role; it has its own meaning`);
  }
  const sources = decodeNamed(map.sources, 'sources', decoder, 0);
  const features = decodeNamed(map.features, 'features', decoder, 0);
  const names: Names = {
    roles: roles.map((role) => role.id).filter((id) => id !== ''),
    features: features.map((feature) => feature.id),
    sources,
    hasRange: map['service-range'] !== undefined,
  };
  const flows = decoder.list(
    map.flows,
    ['flows'],
    (value, path) => decodeFlow(value, path, names, decoder),
    1,
  );
  reportRepeats(
    flows.map((flow) => flow.id),
    ['flows'],
    decoder,
  );
  const portsIn = (key: string) =>
    decoder.list(map[key], [key], (value, path) => decodePort(value, path, decoder));
  return {
    id: decoder.id(map.id, ['id']),
    title: decoder.text(map.title, ['title']),
    description: decoder.text(map.description, ['description']).trim(),
    roles,
    serviceRange: decodeRange(map['service-range'], ['service-range'], decoder),
    rangeWithout: portsIn('range-without'),
    fixedPorts: portsIn('fixed-ports'),
    connectionPorts: decodeRange(map['connection-ports'], ['connection-ports'], decoder),
    adminPorts: decoder.list(map['admin-ports'], ['admin-ports'], (value, path) =>
      decodeAdminPort(value, path, names.roles, decoder),
    ),
    neverRemote: decoder.list(map['never-remote'], ['never-remote'], (value, path) =>
      decodeNeverRemote(value, path, names, decoder),
    ),
    plaintextPorts: decoder.list(map['plaintext-ports'], ['plaintext-ports'], (value, path) =>
      decodePlaintextPort(value, path, names, decoder),
    ),
    minimumPorts: decoder.list(map['minimum-ports'], ['minimum-ports'], (value, path) =>
      decodeMinimumPorts(value, path, names, decoder),
    ),
    features,
    sources,
    flows,
    comparedWith: decodeComparedWith(map['compared-with'], decoder, known),
    data,
  };
}

/** What other parts of a profile may name. */
interface Names {
  readonly roles: readonly string[];
  readonly features: readonly string[];
  readonly sources: readonly ProfileSource[];
  readonly hasRange: boolean;
}

function decodeRange(value: unknown, path: Path, decoder: Decoder): Interval | undefined {
  return value === undefined ? undefined : decodePorts(value, path, decoder);
}

function decodeComparedWith(
  value: unknown,
  decoder: Decoder,
  known: ReadonlyMap<string, Profile>,
): Profile | undefined {
  if (value === undefined) return undefined;
  const name = decoder.text(value, ['compared-with']);
  const found = known.get(name);
  if (found === undefined && name !== '') decoder.report(['compared-with'], unknownProfile(name, known));
  return found;
}

/** A list of things with an id and a title. */
function decodeNamed(
  value: unknown,
  key: string,
  decoder: Decoder,
  minimum: number,
): { readonly id: string; readonly title: string }[] {
  const found = decoder.list(
    value,
    [key],
    (one, path) => {
      const map = decoder.mapping(one, path, { required: ['id', 'title'] });
      return { id: decoder.id(map.id, [...path, 'id']), title: decoder.text(map.title, [...path, 'title']) };
    },
    minimum,
  );
  reportRepeats(
    found.map(({ id }) => id),
    [key],
    decoder,
  );
  return found;
}

function decodeAdminPort(value: unknown, path: Path, roles: readonly string[], decoder: Decoder): AdminPort {
  const map = decoder.mapping(value, path, {
    required: ['port', 'served-by'],
    optional: ['title', 'else-served-by'],
  });
  return {
    port: decodePort(map.port, [...path, 'port'], decoder),
    title: optionalText(map.title, [...path, 'title'], decoder),
    servedBy: decodeRoles(map['served-by'], [...path, 'served-by'], roles, decoder),
    elseServedBy: decodeRoles(map['else-served-by'], [...path, 'else-served-by'], roles, decoder),
  };
}

function decodeNeverRemote(value: unknown, path: Path, names: Names, decoder: Decoder): NeverRemotePort {
  const map = decoder.mapping(value, path, {
    required: ['port', 'title'],
    optional: ['protocol', 'note', 'confidence', 'sources'],
  });
  return {
    port: decodePort(map.port, [...path, 'port'], decoder),
    protocol: decodeProtocol(map.protocol, [...path, 'protocol'], decoder),
    title: decoder.text(map.title, [...path, 'title']),
    note: optionalText(map.note, [...path, 'note'], decoder),
    confidence: decodeConfidence(map.confidence, [...path, 'confidence'], decoder),
    sources: decodeSources(map.sources, [...path, 'sources'], names, decoder),
  };
}

function decodePlaintextPort(value: unknown, path: Path, names: Names, decoder: Decoder): PlaintextPort {
  const map = decoder.mapping(value, path, { required: ['port', 'instead', 'title', 'served-by'] });
  return {
    port: decodePort(map.port, [...path, 'port'], decoder),
    instead: decodePort(map.instead, [...path, 'instead'], decoder),
    title: decoder.text(map.title, [...path, 'title']),
    servedBy: decodeRoles(map['served-by'], [...path, 'served-by'], names.roles, decoder),
  };
}

function decodeMinimumPorts(value: unknown, path: Path, names: Names, decoder: Decoder): MinimumPorts {
  const map = decoder.mapping(value, path, {
    required: ['role', 'ports', 'where'],
    optional: ['per-device'],
  });
  const [role] = decodeRoles(
    map.role === undefined ? undefined : [map.role],
    [...path, 'role'],
    names.roles,
    decoder,
  );
  return {
    role: role ?? '',
    ports: decodePort(map.ports, [...path, 'ports'], decoder),
    perDevice:
      map['per-device'] === undefined
        ? 0
        : decoder.integer(map['per-device'], [...path, 'per-device'], 1, 100),
    where: decoder.text(map.where, [...path, 'where']).trim(),
  };
}

function decodeFlow(value: unknown, path: Path, names: Names, decoder: Decoder): Flow {
  const map = decoder.mapping(value, path, FLOW_KEYS);
  const need = decoder.oneOf(map.need, [...path, 'need'], NEEDS);
  const severity = decodeFlowSeverity(map, need, path, decoder);
  const sources = decodeSources(map.sources, [...path, 'sources'], names, decoder);
  const where = optionalText(map.where, [...path, 'where'], decoder);
  if (map.where === undefined && map.sources === undefined)
    decoder.report(path, 'a flow needs "where" or "sources": what it rests on');
  return {
    id: decoder.id(map.id, [...path, 'id']),
    from: decodeRoles(map.from, [...path, 'from'], [...names.roles, ADMIN_NETWORKS], decoder),
    to: decodeRoles(map.to, [...path, 'to'], names.roles, decoder),
    protocol: decodeProtocol(map.protocol, [...path, 'protocol'], decoder),
    ports: decoder.list(
      map.ports,
      [...path, 'ports'],
      (term, at) => decodePortTerm(term, at, names, decoder),
      1,
    ),
    anyPort: decodeFlag(map['any-port'], [...path, 'any-port'], decoder),
    when: decodeCondition(map.when, [...path, 'when'], names, decoder),
    need,
    check: map.check === undefined ? undefined : decoder.id(map.check, [...path, 'check']),
    severity,
    where: where ?? sources.map((source) => source.title).join('; '),
    confidence: decodeConfidence(map.confidence, [...path, 'confidence'], decoder),
    sources,
    note: optionalText(map.note, [...path, 'note'], decoder),
  };
}

function decodeCondition(value: unknown, path: Path, names: Names, decoder: Decoder): FlowCondition {
  if (value === undefined) return { roles: [], withoutRoles: [], features: [], servicePorts: undefined };
  const map = decoder.mapping(value, path, {
    required: [],
    optional: ['roles', 'without-roles', 'features', 'service-ports'],
  });
  return {
    roles: decodeRoles(map.roles, [...path, 'roles'], names.roles, decoder),
    withoutRoles: decodeRoles(map['without-roles'], [...path, 'without-roles'], names.roles, decoder),
    features: decoder.list(
      map.features,
      [...path, 'features'],
      (one, at) => {
        const name = decoder.text(one, at);
        if (name !== '' && !names.features.includes(name))
          decoder.report(at, `"${name}" is no feature of this profile; ${suggest(name, names.features)}`);
        return name;
      },
      1,
    ),
    servicePorts:
      map['service-ports'] === undefined
        ? undefined
        : decoder.oneOf(map['service-ports'], [...path, 'service-ports'], SERVICE_PORTS),
  };
}

function decodeSources(value: unknown, path: Path, names: Names, decoder: Decoder): ProfileSource[] {
  return decoder
    .list(
      value,
      path,
      (one, at) => {
        const id = decoder.text(one, at);
        const found = names.sources.find((source) => source.id === id);
        if (found === undefined && id !== '') {
          const ids = names.sources.map((source) => source.id);
          decoder.report(at, `"${id}" is no source of this profile; ${suggest(id, ids)}`);
        }
        return found;
      },
      1,
    )
    .filter((source) => source !== undefined);
}

function decodeConfidence(value: unknown, path: Path, decoder: Decoder): Confidence | undefined {
  return value === undefined ? undefined : decoder.oneOf(value, path, CONFIDENCES);
}

function decodeFlag(value: unknown, path: Path, decoder: Decoder): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    decoder.report(path, `expected true or false; found ${describe(value)}`);
  return value === true;
}

function optionalText(value: unknown, path: Path, decoder: Decoder): string | undefined {
  return value === undefined ? undefined : decoder.text(value, path).trim();
}

/** `check` and `severity` belong to vendor flows, which need a severity: it is what an open one is worth. */
function decodeFlowSeverity(
  map: Mapping,
  need: Flow['need'],
  path: Path,
  decoder: Decoder,
): Severity | undefined {
  if (need !== 'vendor') {
    for (const key of ['check', 'severity']) {
      if (map[key] !== undefined)
        decoder.report([...path, key], 'only a flow with "need: vendor" has this key');
    }
    return undefined;
  }
  if (map.severity === undefined) decoder.report(path, 'a flow with "need: vendor" needs the key "severity"');
  return decoder.oneOf(map.severity, [...path, 'severity'], SEVERITIES);
}

function decodeRoles(value: unknown, path: Path, roles: readonly string[], decoder: Decoder): string[] {
  return decoder.list(
    value,
    path,
    (one, at) => {
      const role = decoder.text(one, at);
      if (role !== '' && !roles.includes(role))
        decoder.report(at, `"${role}" is no role of this profile; ${suggest(role, roles)}`);
      return role;
    },
    1,
  );
}

function decodeProtocol(value: unknown, path: Path, decoder: Decoder): number {
  if (value === undefined) return TCP;
  const number =
    typeof value === 'string' || typeof value === 'number' ? parseProtocol(String(value)) : undefined;
  if (number !== undefined) return number;
  decoder.report(path, `expected a protocol such as ${formatProtocol(TCP)} or 17; found ${describe(value)}`);
  return TCP;
}

function decodePort(value: unknown, path: Path, decoder: Decoder): number {
  return decoder.integer(value, path, 1, 65535);
}

function decodePortTerm(value: unknown, path: Path, names: Names, decoder: Decoder): PortTerm {
  if (value !== 'service-range')
    return { kind: 'ports', range: decodePorts(value, path, decoder, ', or service-range') };
  if (!names.hasRange) decoder.report(path, 'the profile has no "service-range"');
  return { kind: 'service-range' };
}

/** `7937` or `7937-9936`. */
function decodePorts(value: unknown, path: Path, decoder: Decoder, more = ''): Interval {
  const match =
    typeof value === 'string' || typeof value === 'number'
      ? /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value))
      : null;
  const lo = Number(match?.[1] ?? Number.NaN);
  const hi = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
  if (lo >= 1 && lo <= hi && hi <= 65535) return interval(lo, hi);
  if (value !== undefined)
    decoder.report(path, `expected a port or a range such as 7937-9936${more}; found ${describe(value)}`);
  return interval(1, 1);
}

function reportRepeats(ids: readonly string[], path: Path, decoder: Decoder): void {
  ids.forEach((id, i) => {
    if (id !== '' && ids.indexOf(id) < i) decoder.report([...path, i, 'id'], `"${id}" is there twice`);
  });
}
