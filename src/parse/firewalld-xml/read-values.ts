/** Words as firewalld takes them: what Python's int() reads, ports, protocols, addresses. Facts from firewalld 1.3.3, seen running. */
import { parseIpv4, parseIpv6, prefixLengthOf } from '../../net/index.ts';
import { portOfService } from '../service-names.ts';

/** A whole number as Python's `int(text)` reads it: spaces around it, a sign and single underscores are taken. */
export function parsePythonInt(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 40 || !/^[+-]?\d+(_\d+)*$/.test(trimmed)) return undefined;
  return Number(trimmed.replaceAll('_', ''));
}

/** A whole number as Python's `int(text, 0)` reads it: also `0x`, `0o` and `0b`, no leading zeros. */
export function parsePythonLiteral(text: string): number | undefined {
  const match =
    /^([+-]?)(0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0[oO]_?[0-7]+(?:_[0-7]+)*|0[bB]_?[01]+(?:_[01]+)*|0+(?:_0+)*|[1-9]\d*(?:_\d+)*)$/.exec(
      text.trim(),
    );
  if (match === null || text.length > 80) return undefined;
  const value = Number(match[2]!.replaceAll('_', ''));
  return match[1] === '-' ? -value : value;
}

/** Whether nft reads `text` as a number, as `mpz_set_str` of GMP with base 0 does: no plus sign, no underscores, `08` is no octal number. */
export function isNftNumber(text: string): boolean {
  return /^\s*-?(?:0[xX][\da-fA-F]+|0[bB][01]+|0[0-7]*|[1-9]\d*)\s*$/.test(text);
}

/**
 * Whether nft and iptables take a number that firewalld takes for a protocol: `strtoul` with base 0, to which `08` is no octal number.
 */
export function isProtocolNumber(text: string): boolean {
  return /^\s*[+-]?(?:0[0-7]*|[1-9]\d*)$/.test(text);
}

/** Ports `lo` to `hi`; `'name'`: a service name that is not in our table; `undefined`: firewalld refuses it. */
export type PortRange = { readonly lo: number; readonly hi: number } | 'name' | undefined;

/** A port or range as firewalld reads it: `22`, `1005-1001` (swapped), ` 22 `, `ssh`, `ftp-ssh`. */
export function parsePortRange(text: string): PortRange {
  const plain = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(text);
  if (plain !== null) {
    const lo = Number(plain[1]);
    const hi = plain[2] === undefined ? lo : Number(plain[2]);
    return lo > 65535 || hi > 65535 ? undefined : ordered(lo, hi);
  }
  return parseNamedRange(text.split('-'));
}

/** Tries every way to cut at a hyphen: names hold hyphens too. Several ways are ambiguous, and refused. */
function parseNamedRange(parts: readonly string[]): PortRange {
  if (parts.length > 20) return undefined;
  const matches: { lo: number; hi: number }[] = [];
  let unknown = false;
  for (let i = parts.length; i > 0; i--) {
    const first = portOf(parts.slice(0, i).join('-'));
    const rest = parts.slice(i).join('-');
    const second = rest === '' ? first : portOf(rest);
    if (first === 'name' || second === 'name') unknown = true;
    else if (first !== undefined && second !== undefined) {
      matches.push(ordered(first, second));
      if (rest === '' && i === parts.length) break;
    }
  }
  if (matches.length === 1) return matches[0];
  return matches.length === 0 && unknown ? 'name' : undefined;
}

function portOf(text: string): number | 'name' | undefined {
  const number = parsePythonInt(text);
  if (number !== undefined) return number >= 0 && number <= 65535 ? number : undefined;
  const name = text.trim();
  const port = portOfService(name);
  if (port !== undefined) return port;
  return /^[A-Za-z][A-Za-z0-9_.+-]{0,39}$/.test(name) && !name.endsWith('-') ? 'name' : undefined;
}

function ordered(a: number, b: number): { lo: number; hi: number } {
  return a <= b ? { lo: a, hi: b } : { lo: b, hi: a };
}

/** Protocols with ports that firewalld knows; in lower case only. */
export function isPortProtocol(text: string): boolean {
  return ['tcp', 'udp', 'sctp', 'dccp'].includes(text);
}

/** Names and other names of /etc/protocols, each with exactly these letters. Source: the file of Debian 12. */
const PROTOCOL_NAMES: ReadonlySet<string> = new Set(
  (
    'ip IP hopopt HOPOPT icmp ICMP igmp IGMP ggp GGP ipencap IP-ENCAP st ST tcp TCP egp EGP igp IGP pup PUP udp UDP ' +
    'hmp HMP xns-idp XNS-IDP rdp RDP iso-tp4 ISO-TP4 dccp DCCP xtp XTP ddp DDP idpr-cmtp IDPR-CMTP ipv6 IPv6 ' +
    'ipv6-route IPv6-Route ipv6-frag IPv6-Frag idrp IDRP rsvp RSVP gre GRE esp IPSEC-ESP ah IPSEC-AH skip SKIP ' +
    'ipv6-icmp IPv6-ICMP ipv6-nonxt IPv6-NoNxt ipv6-opts IPv6-Opts rspf RSPF CPHB vmtp VMTP eigrp EIGRP ospf OSPFIGP ' +
    'ax.25 AX.25 ipip IPIP etherip ETHERIP encap ENCAP pim PIM ipcomp IPCOMP vrrp VRRP l2tp L2TP isis ISIS sctp SCTP ' +
    'fc FC mobility-header Mobility-Header udplite UDPLite mpls-in-ip MPLS-in-IP manet hip HIP shim6 Shim6 wesp WESP ' +
    'rohc ROHC ethernet Ethernet mptcp MPTCP'
  ).split(' '),
);

/** Whether firewalld takes `text` as a protocol: 0-255, or a name of /etc/protocols. */
export function isProtocol(text: string): boolean {
  const number = parsePythonInt(text);
  if (number !== undefined) return number >= 0 && number <= 255;
  return PROTOCOL_NAMES.has(text);
}

/** Whether `text` is an IPv4 address. */
export function isIpv4(text: string): boolean {
  return parseIpv4(text) !== undefined;
}

/** Whether `text` is an IPv6 address, also in square brackets. */
export function isIpv6(text: string): boolean {
  return parseIpv6(text.replace(/^[[\]]+|[[\]]+$/g, '')) !== undefined;
}

/** Whether `text` is an IPv4 address, alone or with a length or mask (any dotted quad passes as mask). */
export function isIpv4Network(text: string): boolean {
  return isNetwork(text, isIpv4, (mask) => (mask.includes('.') ? isIpv4(mask) : isLength(mask, 32)));
}

/** Whether `text` is an IPv6 address, alone or with a length. */
export function isIpv6Network(text: string): boolean {
  return isNetwork(text, isIpv6, (mask) => isLength(mask, 128));
}

function isNetwork(
  text: string,
  isAddress: (address: string) => boolean,
  isMask: (mask: string) => boolean,
): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return isAddress(text);
  const mask = text.slice(slash + 1);
  return mask !== '' && isAddress(text.slice(0, slash)) && isMask(mask);
}

function isLength(text: string, most: number): boolean {
  const length = parsePythonInt(text);
  return length !== undefined && length >= 0 && length <= most;
}

/** Whether `text` is a network of `family` (`ipv4`, `ipv6`). */
export function isNetworkOf(family: string | undefined, text: string): boolean {
  return family === 'ipv4' ? isIpv4Network(text) : family === 'ipv6' && isIpv6Network(text);
}

/** Whether `text` is six hexadecimal bytes with colons. */
export function isMac(text: string): boolean {
  return /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text);
}

/** Whether firewalld takes `text` as an interface's name. */
export function isInterface(text: string): boolean {
  return text !== '' && [...text].length <= 16 && !/[ /!*]/.test(text);
}

/** Whether firewalld takes `text` as a yes. */
export function isYes(text: string): boolean {
  return ['yes', 'true'].includes(text.toLowerCase());
}

/**
 * Length of an IPv4 network as Python's ipaddress, and with it firewalld's nftables backend, reads it: a length in digits,
 * a mask, or the inverse of one (`192.0.2.0/0.0.0.255` is a /24). 32 where there is none; `undefined`: firewalld fails.
 */
export function ipv4NetworkLength(text: string): number | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return 32;
  const suffix = text.slice(slash + 1);
  if (/^\d+$/.test(suffix)) return Number(suffix) <= 32 ? Number(suffix) : undefined;
  const mask = parseIpv4(suffix);
  if (mask === undefined) return undefined;
  const length = prefixLengthOf(4, mask);
  if (length !== undefined) return length;
  const inverse = prefixLengthOf(4, 0xffff_ffffn ^ mask);
  return inverse;
}
