import { SEVERITIES, type Severity } from '../finding/index.ts';
import { formatProtocol, type Interval, interval, parseProtocol, TCP } from '../net/index.ts';
import { type Decoder, describe, type Mapping, type Path, suggest } from './decode.ts';
import { ADMIN_NETWORKS, type AdminPort, type Flow, type PortTerm, type Profile } from './rulepack.ts';

const PROFILE_KEYS = {
  required: [
    'id',
    'title',
    'description',
    'roles',
    'service-range',
    'fixed-ports',
    'connection-ports',
    'admin-ports',
    'flows',
  ],
} as const;

const FLOW_KEYS = {
  required: ['id', 'from', 'to', 'ports', 'need', 'where'],
  optional: ['protocol', 'check', 'severity', 'note'],
} as const;

const NEEDS = ['required', 'allowed', 'vendor'] as const;

/** A profile out of data; problems go to the decoder. */
export function decodeProfile(data: unknown, decoder: Decoder): Profile {
  const map = decoder.mapping(data, [], PROFILE_KEYS);
  const roles = decoder.list(map.roles, ['roles'], (value, path) => decodeRole(value, path, decoder), 1);
  const roleIds = roles.map((role) => role.id).filter((id) => id !== '');
  reportRepeats(roleIds, ['roles'], decoder);
  const flows = decoder.list(
    map.flows,
    ['flows'],
    (value, path) => decodeFlow(value, path, roleIds, decoder),
    1,
  );
  reportRepeats(
    flows.map((flow) => flow.id),
    ['flows'],
    decoder,
  );
  return {
    id: decoder.id(map.id, ['id']),
    title: decoder.text(map.title, ['title']),
    description: decoder.text(map.description, ['description']).trim(),
    roles,
    serviceRange: decodePorts(map['service-range'], ['service-range'], decoder),
    fixedPorts: decoder.list(map['fixed-ports'], ['fixed-ports'], (value, path) =>
      decodePort(value, path, decoder),
    ),
    connectionPorts: decodePorts(map['connection-ports'], ['connection-ports'], decoder),
    adminPorts: decoder.list(map['admin-ports'], ['admin-ports'], (value, path) =>
      decodeAdminPort(value, path, roleIds, decoder),
    ),
    flows,
  };
}

function decodeRole(value: unknown, path: Path, decoder: Decoder): Profile['roles'][number] {
  const map = decoder.mapping(value, path, { required: ['id', 'title'] });
  const id = decoder.id(map.id, [...path, 'id']);
  if (id === ADMIN_NETWORKS)
    decoder.report([...path, 'id'], `"${ADMIN_NETWORKS}" is not a role; it has its own meaning`);
  return { id, title: decoder.text(map.title, [...path, 'title']) };
}

function decodeAdminPort(value: unknown, path: Path, roles: readonly string[], decoder: Decoder): AdminPort {
  const map = decoder.mapping(value, path, { required: ['port', 'served-by'], optional: ['else-served-by'] });
  return {
    port: decodePort(map.port, [...path, 'port'], decoder),
    servedBy: decodeRoles(map['served-by'], [...path, 'served-by'], roles, decoder),
    elseServedBy: decodeRoles(map['else-served-by'], [...path, 'else-served-by'], roles, decoder),
  };
}

function decodeFlow(value: unknown, path: Path, roles: readonly string[], decoder: Decoder): Flow {
  const map = decoder.mapping(value, path, FLOW_KEYS);
  const need = decoder.oneOf(map.need, [...path, 'need'], NEEDS);
  const severity = decodeFlowSeverity(map, need, path, decoder);
  return {
    id: decoder.id(map.id, [...path, 'id']),
    from: decodeRoles(map.from, [...path, 'from'], [...roles, ADMIN_NETWORKS], decoder),
    to: decodeRoles(map.to, [...path, 'to'], roles, decoder),
    protocol: decodeProtocol(map.protocol, [...path, 'protocol'], decoder),
    ports: decoder.list(map.ports, [...path, 'ports'], (term, at) => decodePortTerm(term, at, decoder), 1),
    need,
    check: map.check === undefined ? undefined : decoder.id(map.check, [...path, 'check']),
    severity,
    where: decoder.text(map.where, [...path, 'where']).trim(),
    note: map.note === undefined ? undefined : decoder.text(map.note, [...path, 'note']).trim(),
  };
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

function decodePortTerm(value: unknown, path: Path, decoder: Decoder): PortTerm {
  return value === 'service-range'
    ? { kind: 'service-range' }
    : { kind: 'ports', range: decodePorts(value, path, decoder) };
}

/** `7937` or `7937-9936`. */
function decodePorts(value: unknown, path: Path, decoder: Decoder): Interval {
  const match =
    typeof value === 'string' || typeof value === 'number'
      ? /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value))
      : null;
  const lo = Number(match?.[1] ?? Number.NaN);
  const hi = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
  if (lo >= 1 && lo <= hi && hi <= 65535) return interval(lo, hi);
  if (value !== undefined)
    decoder.report(path, `expected a port or a range such as 7937-9936; found ${describe(value)}`);
  return interval(1, 1);
}

function reportRepeats(ids: readonly string[], path: Path, decoder: Decoder): void {
  ids.forEach((id, i) => {
    if (id !== '' && ids.indexOf(id) < i) decoder.report([...path, i, 'id'], `"${id}" is there twice`);
  });
}
