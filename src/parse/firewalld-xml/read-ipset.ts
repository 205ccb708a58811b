/** Reads ipsets, with the entries firewalld takes. */
import type { Origin } from '../../model/index.ts';
import type { Ipset } from './configuration.ts';
import { attributeOf, checkGrammar, placeOf } from './read-element.ts';
import { type ProblemLog, quote, startOfFile } from './read-log.ts';
import {
  isInterface,
  isIpv4,
  isIpv4Network,
  isIpv6,
  isIpv6Network,
  isMac,
  isProtocol,
  parsePortRange,
  parsePythonInt,
} from './read-values.ts';
import type { XmlElement, XmlHandler } from './xml.ts';

/** Types of sets firewalld makes. */
const TYPES: readonly string[] = [
  'hash:ip',
  'hash:ip,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'hash:ip,mark',
  'hash:net',
  'hash:net,net',
  'hash:net,port',
  'hash:net,port,net',
  'hash:net,iface',
  'hash:mac',
];

const NUMBERS: readonly string[] = ['timeout', 'hashsize', 'maxelem'];

/** Collects one ipset file. */
export class IpsetReader implements XmlHandler {
  readonly #log: ProblemLog;
  readonly #options = new Map<string, string>();
  readonly #entries: { text: string; origin: Origin }[] = [];
  readonly #started: Origin[] = [];
  #type = '';
  #root: Origin;

  constructor(file: string, log: ProblemLog) {
    this.#root = startOfFile(file);
    this.#log = log;
  }

  note(detail: string, origin: Origin): void {
    this.#log.note(origin, detail);
  }

  start(element: XmlElement): void {
    if (element.name === 'entry') this.#started.push(element.origin);
    if (!checkGrammar('ipset', element, this.#log)) return;
    if (element.name === 'option') this.#option(element);
    if (element.name !== 'ipset') return;
    this.#root = element.origin;
    const type = attributeOf(element, 'type') ?? '';
    if (TYPES.includes(type)) this.#type = type;
    else this.#log.fatal(placeOf(element, 'type'), `${quote(type)} is no type of set firewalld makes`);
  }

  end(name: string, text: string, origin: Origin): void {
    if (name !== 'entry') return;
    const start = this.#started.pop() ?? origin;
    // Line breaks become spaces, and spaces stay: an entry with one is no address.
    const place = { ...start, endLine: origin.endLine, endColumn: origin.endColumn };
    this.#entries.push({ text: text.replaceAll('\n', ' '), origin: place });
  }

  ipset(name: string): Ipset {
    const entries = this.#takenEntries();
    return { name, type: this.#type, options: this.#options, entries, origin: this.#root };
  }

  #option(element: XmlElement): void {
    const name = attributeOf(element, 'name') ?? '';
    const value = attributeOf(element, 'value') ?? '';
    const place = placeOf(element, 'value');
    if (name !== 'family' && !NUMBERS.includes(name))
      this.#log.fatal(placeOf(element, 'name'), `${quote(name)} is no option of a set`);
    else if (name === 'family' && this.#type === 'hash:mac')
      this.#log.fatal(element.origin, 'a set of MAC addresses has no family');
    else if (name === 'family' && value !== 'inet' && value !== 'inet6')
      this.#log.fatal(place, `the family ${quote(value)} is neither "inet" nor "inet6"`);
    else if (name !== 'family' && (parsePythonInt(value) ?? -1) < 0)
      this.#log.fatal(place, `the value ${quote(value)} of the option "${name}" is no number from 0`);
    else if (this.#options.has(name))
      this.#log.note(element.origin, `the option "${name}" stands here a second time`);
    else this.#options.set(name, value);
  }

  #takenEntries(): { text: string; origin: Origin }[] {
    const timeout = this.#options.get('timeout') ?? '0';
    const first = this.#entries[0];
    if (timeout !== '0' && first !== undefined) {
      const all = this.#entries.length === 1 ? 'the entry' : `all ${this.#entries.length} entries`;
      this.#log.skipped(first.origin, `${all} of a set with the option "timeout"`);
      return [];
    }
    const family = this.#options.get('family') === 'inet6' ? 6 : 4;
    const seen = new Set<string>();
    return this.#entries.filter(({ text, origin }) => {
      if (seen.has(text)) {
        this.#log.note(origin, `the entry ${quote(text)} stands here a second time`);
        return false;
      }
      const verdict = this.#type === '' ? 'fine' : checkEntry(text, this.#type, family);
      if (verdict === 'unknown-name')
        this.#log.uncertain(origin, `the entry ${quote(text)} holds a name nwaudit does not know`);
      else if (verdict === 'bad')
        this.#log.skipped(
          origin,
          `${quote(text)} is no entry of a set of the type "${this.#type}", IPv${family}`,
        );
      else seen.add(text);
      return verdict === 'fine';
    });
  }
}

type EntryVerdict = 'fine' | 'bad' | 'unknown-name';

/** What firewalld makes of an entry when it reads the file. */
function checkEntry(text: string, type: string, version: 4 | 6): EntryVerdict {
  const kinds = type.slice(5).split(',');
  const items = text.split(',');
  if (kinds.length !== items.length) return 'bad';
  const verdicts = kinds.map((kind, i) => checkItem(kind, items[i]!, i, type, version));
  return verdicts.find((v) => v === 'bad') ?? verdicts.find((v) => v !== 'fine') ?? 'fine';
}

function checkItem(kind: string, item: string, index: number, type: string, version: 4 | 6): EntryVerdict {
  switch (kind) {
    case 'ip':
      return isIpItem(item, index, version) ? 'fine' : 'bad';
    case 'net':
      return isNetItem(item, index, type, version) ? 'fine' : 'bad';
    case 'mac':
      return isMac(item) && item !== '00:00:00:00:00:00' ? 'fine' : 'bad';
    case 'port':
      return checkPortItem(item, version);
    case 'mark':
      return isMarkItem(item) ? 'fine' : 'bad';
    default:
      return isInterface(item) && [...item].length <= 15 ? 'fine' : 'bad';
  }
}

function isIpItem(item: string, index: number, version: 4 | 6): boolean {
  if (version === 6) return isIpv6(item);
  if (item.includes('-')) {
    const ends = item.split('-');
    return index <= 1 && ends.length === 2 && ends.every(isIpv4);
  }
  return item !== '0.0.0.0' && (index === 0 ? isIpv4Network(item) : isIpv4(item));
}

function isNetItem(item: string, index: number, type: string, version: 4 | 6): boolean {
  const isAddress = version === 4 ? isIpv4 : isIpv6;
  const isNetwork = version === 4 ? isIpv4Network : isIpv6Network;
  if (item.includes('-')) {
    const ends = item.split('-');
    return ends.length === 2 && isAddress(ends[0]!) && isNetwork(ends[1]!);
  }
  if (item.endsWith('/0') && !(version === 6 && index === 0 && type === 'hash:net,iface')) return false;
  return isNetwork(item);
}

/** ICMP types of IPv4 in entries: names, and type/code. */
const ICMP_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'echo-reply': '0/0',
    pong: '0/0',
    'network-unreachable': '3/0',
    'host-unreachable': '3/1',
    'protocol-unreachable': '3/2',
    'port-unreachable': '3/3',
    'fragmentation-needed': '3/4',
    'source-route-failed': '3/5',
    'network-unknown': '3/6',
    'host-unknown': '3/7',
    'network-prohibited': '3/9',
    'host-prohibited': '3/10',
    'TOS-network-unreachable': '3/11',
    'TOS-host-unreachable': '3/12',
    'communication-prohibited': '3/13',
    'host-precedence-violation': '3/14',
    'precedence-cutoff': '3/15',
    'source-quench': '4/0',
    'network-redirect': '5/0',
    'host-redirect': '5/1',
    'TOS-network-redirect': '5/2',
    'TOS-host-redirect': '5/3',
    'echo-request': '8/0',
    ping: '8/0',
    'router-advertisement': '9/0',
    'router-solicitation': '10/0',
    'ttl-zero-during-transit': '11/0',
    'ttl-zero-during-reassembly': '11/1',
    'ip-header-bad': '12/0',
    'required-option-missing': '12/1',
    'timestamp-request': '13/0',
    'timestamp-reply': '14/0',
    'address-mask-request': '17/0',
    'address-mask-reply': '18/0',
  }),
);
const ICMP_CODES: ReadonlySet<string> = new Set(ICMP_NAMES.values());
const ICMPV6_CODES: ReadonlySet<string> = new Set(
  '1/0 1/1 1/3 1/4 2/0 3/0 3/1 4/0 4/1 4/2 128/0 129/0 133/0 134/0 135/0 136/0 137/0'.split(' '),
);

function checkPortItem(item: string, version: 4 | 6): EntryVerdict {
  const parts = item.split(':');
  if (parts.length > 2) return 'bad';
  const [protocol, port] = parts.length === 1 ? ['tcp', item] : [parts[0]!, parts[1]!];
  // The names of IPv4 types stand for IPv6 ones too: firewalld asks the wrong table.
  if (protocol === 'icmp')
    return version === 4 && (ICMP_NAMES.has(port) || ICMP_CODES.has(port)) ? 'fine' : 'bad';
  if (protocol === 'icmpv6' || protocol === 'ipv6-icmp')
    return version === 6 && (ICMP_NAMES.has(port) || ICMPV6_CODES.has(port)) ? 'fine' : 'bad';
  if (!['tcp', 'sctp', 'udp', 'udplite'].includes(protocol) && !isProtocol(protocol)) return 'bad';
  const range = parsePortRange(port);
  return range === 'name' ? 'unknown-name' : range === undefined ? 'bad' : 'fine';
}

function isMarkItem(item: string): boolean {
  const hex = /^0x([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)\s*$/.exec(item)?.[1]?.replaceAll('_', '');
  const value = hex === undefined ? parsePythonInt(item) : Number.parseInt(hex, 16);
  return value !== undefined && value >= 0 && value <= 0xffff_ffff;
}
