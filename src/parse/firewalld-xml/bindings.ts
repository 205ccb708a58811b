/** Interfaces that NetworkManager binds to zones: its profiles, and the older ifcfg files. */
import type { Origin } from '../../model/index.ts';
import type { InterfaceBinding } from './configuration.ts';
import type { ProblemLog } from './read-log.ts';

/** Whether a text is a NetworkManager profile (keyfile). */
export function isProfile(text: string, path: string): boolean {
  return path.endsWith('.nmconnection') || /^\s*\[connection\]\s*$/m.test(text.slice(0, 65_536));
}

/** Whether a text is an ifcfg file of the network scripts. */
export function isIfcfg(text: string, path: string): boolean {
  return (
    /^ifcfg-[^/]+$/.test(path.slice(path.lastIndexOf('/') + 1)) &&
    /^\s*[A-Z][A-Z0-9_]*=/m.test(text.slice(0, 65_536))
  );
}

interface Line {
  readonly key: string;
  readonly value: string;
  readonly origin: Origin;
}

/** The binding of a NetworkManager profile, to the zone `''` where it names none; `undefined` where it names no interface. */
export function readProfile(text: string, file: string, log: ProblemLog): InterfaceBinding | undefined {
  let section = '';
  const found = new Map<string, Line>();
  for (const { line, origin } of linesOf(text, file)) {
    const header = /^\[(.*)\]$/.exec(line);
    if (header !== null) section = header[1]!;
    if (section !== 'connection' || header !== null) continue;
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const key = line.slice(0, equals).trim();
    // A key that stands twice: the last counts, as for every keyfile.
    found.set(key, { key, value: line.slice(equals + 1).trim(), origin });
  }
  return toBinding(found.get('interface-name'), found.get('zone'), file, log);
}

/** The binding of an ifcfg file, in the same way. */
export function readIfcfg(text: string, file: string, log: ProblemLog): InterfaceBinding | undefined {
  const found = new Map<string, Line>();
  for (const { line, origin } of linesOf(text, file)) {
    const match = /^(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (match === null) continue;
    const value = /^(?:"([^"]*)"|'([^']*)'|([^\s#]*))/.exec(match[2]!);
    found.set(match[1]!, { key: match[1]!, value: value?.[1] ?? value?.[2] ?? value?.[3] ?? '', origin });
  }
  return toBinding(found.get('DEVICE'), found.get('ZONE'), file, log);
}

function toBinding(
  device: Line | undefined,
  zone: Line | undefined,
  file: string,
  log: ProblemLog,
): InterfaceBinding | undefined {
  if (zone === undefined || zone.value === '')
    return device === undefined || device.value === ''
      ? undefined
      : { interface: device.value, zone: '', origin: device.origin };
  if (device === undefined || device.value === '') {
    log.uncertain(
      zone.origin,
      `the connection is in the zone "${zone.value}", but ${file} names no interface`,
    );
    return undefined;
  }
  return { interface: device.value, zone: zone.value, origin: zone.origin };
}

function* linesOf(text: string, file: string): Generator<{ readonly line: string; readonly origin: Origin }> {
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const column = raw.length - raw.trimStart().length + 1;
    const endColumn = column + line.length;
    yield { line, origin: { file, line: number, column, endLine: number, endColumn, path: null } };
  }
}
