import type { Origin } from '../../model/index.ts';
import type { Settings } from './configuration.ts';
import { type ProblemLog, quote, startOfFile } from './read-log.ts';

/** Keys of firewalld.conf that 1.x knows. */
const KEYS: readonly string[] = [
  'DefaultZone',
  'MinimalMark',
  'CleanupOnExit',
  'CleanupModulesOnExit',
  'Lockdown',
  'IPv6_rpfilter',
  'IndividualCalls',
  'LogDenied',
  'AutomaticHelpers',
  'FirewallBackend',
  'FlushAllOnReload',
  'RFC3964_IPv4',
  'AllowZoneDrifting',
];

/** Keys that came with 2.x; 1.x only grumbles about them. */
const KEYS_OF_2: readonly string[] = [
  'ReloadPolicy',
  'NftablesFlowtable',
  'NftablesCounters',
  'NftablesTableOwner',
  'StrictForwardPorts',
];

/** How many of its keys make a text a firewalld.conf, when the name does not say it. */
const ENOUGH_KEYS = 2;

/** Whether a text is a firewalld.conf by its keys. */
export function holdsSettings(text: string): boolean {
  let found = 0;
  for (const line of text.slice(0, 65_536).split('\n')) {
    const key = /^\s*([A-Za-z0-9_]+)\s*=/.exec(line.slice(0, 200))?.[1];
    if (key !== undefined && (KEYS.includes(key) || KEYS_OF_2.includes(key))) found++;
  }
  return found >= ENOUGH_KEYS;
}

/** Reads firewalld.conf. Bad lines count for nothing, of equal keys the first counts; no error is fatal. */
export function readSettings(text: string, file: string, log: ProblemLog): Settings {
  const values = new Map<string, { value: string; origin: Origin }>();
  const seen = new Set<string>();
  const lines = text.split('\n');
  lines.forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    const column = raw.length - raw.trimStart().length + 1;
    const number = index + 1;
    const endColumn = column + line.length;
    const origin: Origin = { file, line: number, column, endLine: number, endColumn, path: null };
    const parts = line.split('=').map((part) => part.trim());
    const [key = '', value = ''] = parts;
    if (parts.length !== 2) log.skipped(origin, `${quote(line)} is no setting`);
    else if (!KEYS.includes(key) && !KEYS_OF_2.includes(key))
      log.skipped(origin, `the unknown setting ${quote(key)}`);
    else if (value === '') log.skipped(origin, `the setting ${key} without a value`);
    else if (seen.has(key.toLowerCase())) log.skipped(origin, `the second setting ${key}`);
    else {
      seen.add(key.toLowerCase());
      if (isValid(key, value)) values.set(key.toLowerCase(), { value, origin });
      else log.skipped(origin, `${quote(value)} is no value of the setting ${key}; its default counts`);
    }
  });
  const broken = text.indexOf('\uFFFD');
  if (broken >= 0)
    log.doubt(startOfFile(file), 'the file holds bytes that are no UTF-8; then no setting in it counts');
  const end = lines.length;
  const whole: Origin = {
    file,
    line: 1,
    column: 1,
    endLine: end,
    endColumn: (lines[end - 1] ?? '').length + 1,
    path: null,
  };
  return { values, origin: whole };
}

/** Whether firewalld takes the value. Free texts and numbers without effect on packets are not looked at. */
function isValid(key: string, value: string): boolean {
  const lower = value.toLowerCase();
  switch (key) {
    case 'IPv6_rpfilter':
      return [...YES_OR_NO, 'strict', 'loose', 'strict-forward', 'loose-forward'].includes(lower);
    case 'LogDenied':
      return ['all', 'unicast', 'broadcast', 'multicast', 'off'].includes(value);
    case 'FirewallBackend':
      return ['nftables', 'iptables'].includes(lower);
    case 'CleanupOnExit':
    case 'CleanupModulesOnExit':
    case 'Lockdown':
    case 'IndividualCalls':
    case 'FlushAllOnReload':
    case 'RFC3964_IPv4':
    case 'AllowZoneDrifting':
    case 'StrictForwardPorts':
    case 'NftablesCounters':
    case 'NftablesTableOwner':
      return YES_OR_NO.includes(lower);
    default:
      return true;
  }
}

const YES_OR_NO: readonly string[] = ['yes', 'true', 'no', 'false'];
