import type { SetDimension } from '../../model/index.ts';

/** One dimension of a set type: what the model calls it, and how ipset writes its values. */
export interface Part {
  readonly dimension: SetDimension;
  readonly syntax: 'ip' | 'net' | 'port' | 'mac' | 'iface' | 'mark' | 'set';
}

const PARTS: Readonly<Record<string, Part>> = {
  ip: { dimension: 'address', syntax: 'ip' },
  net: { dimension: 'address', syntax: 'net' },
  port: { dimension: 'port', syntax: 'port' },
  mac: { dimension: 'mac', syntax: 'mac' },
  iface: { dimension: 'interface', syntax: 'iface' },
  mark: { dimension: 'mark', syntax: 'mark' },
  set: { dimension: 'set', syntax: 'set' },
};

/** The set types of ipset(8) 7.17. */
export const SET_TYPES: readonly string[] = [
  'bitmap:ip',
  'bitmap:ip,mac',
  'bitmap:port',
  'hash:ip',
  'hash:mac',
  'hash:ip,mac',
  'hash:net',
  'hash:net,net',
  'hash:ip,port',
  'hash:net,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'hash:ip,mark',
  'hash:net,port,net',
  'hash:net,iface',
  'list:set',
];

/** Old names of set types, which ipset still takes. Source: ipset 7.17, lib/ipset_*.c, `.alias`. */
const ALIASES: Readonly<Record<string, string>> = {
  ipmap: 'bitmap:ip',
  macipmap: 'bitmap:ip,mac',
  portmap: 'bitmap:port',
  iphash: 'hash:ip',
  nethash: 'hash:net',
  ipporthash: 'hash:ip,port',
  ipportiphash: 'hash:ip,port,ip',
  ipportnethash: 'hash:ip,port,net',
  setlist: 'list:set',
};

/** The full name of a set type, `undefined` for one that ipset does not have. */
export function setTypeOf(word: string): string | undefined {
  const name = Object.hasOwn(ALIASES, word) ? ALIASES[word]! : word;
  return SET_TYPES.includes(name) ? name : undefined;
}

/** The dimensions of a set type in their order. */
export function partsOf(type: string): readonly Part[] {
  return type
    .slice(type.indexOf(':') + 1)
    .split(',')
    .map((word) => PARTS[word]!);
}
