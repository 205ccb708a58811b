import type { ParseResult } from '../../../src/model/index.ts';
import { type FirewalldOptions, parseFirewalld } from '../../../src/parse/firewalld-xml/index.ts';
import type { RulesetDifference } from '../../../src/semantics/index.ts';
import { decodePacketObject, type TraceAnswer, traceHost } from '../../../src/trace/index.ts';

/** Everything that is bound to a zone stands in the files, and the zones are firewalld's own. */
export const KNOWN: FirewalldOptions = { distribution: 'upstream', interfaces: [] };

/** firewalld.conf with these lines. */
export function conf(...lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** A zone file. */
export function zone(content: string, target?: string): string {
  return `<zone${target === undefined ? '' : ` target="${target}"`}>${content}</zone>`;
}

/** A policy file between two zones. */
export function policy(from: string, to: string, target: string, content = '', priority = -1): string {
  return `<policy target="${target}" priority="${priority}"><ingress-zone name="${from}"/><egress-zone name="${to}"/>${content}</policy>`;
}

/** Texts by path below /etc/firewalld. */
export type Files = Readonly<Record<string, string>>;

export function parse(files: Files, options: FirewalldOptions = KNOWN): ParseResult {
  return parseFirewalld(
    Object.entries(files).map(([path, text]) => ({ path: `host/etc/firewalld/${path}`, text })),
    options,
  );
}

/**
 * A packet in words: `input eth0 203.0.113.9 192.0.2.10 tcp 22`, `forward eth0>eth1 …`, `output >eth0 …`. After the protocol a port,
 * or `type` and code of ICMP; then `sport=…`, `ct=…`, `smac=…`, `mark=…`.
 */
export function packet(text: string): Readonly<Record<string, unknown>> {
  const [hook, interfaces = '', saddr, daddr, proto = '', number, ...rest] = text.split(' ');
  const [iif = '', oif = ''] = interfaces.includes('>') ? interfaces.split('>') : [interfaces];
  const more = Object.fromEntries(rest.map((part) => part.split('=') as [string, string]));
  const isIcmp = proto.startsWith('icmp');
  const hasPorts = ['tcp', 'udp', 'sctp', 'dccp'].includes(proto);
  return {
    hook,
    saddr,
    daddr,
    proto: proto === 'icmpv6' ? 'ipv6-icmp' : proto,
    ...(iif === '' ? {} : { iif }),
    ...(oif === '' ? {} : { oif }),
    ...(isIcmp ? { icmp_type: Number(number) } : {}),
    ...(hasPorts ? { sport: Number(more.sport ?? 40_000), dport: Number(number) } : {}),
    ...(more.ct === undefined ? {} : { ct_state: more.ct }),
    ...(more.smac === undefined ? {} : { smac: more.smac }),
    ...(more.mark === undefined ? {} : { mark: Number(more.mark) }),
  };
}

/** Answers of both evaluators, which must agree. */
export function answers(result: ParseResult, packets: readonly string[]): readonly TraceAnswer[] {
  const decoded = packets.map((text) => {
    const one = decodePacketObject(packet(text));
    if (one.packet === undefined) throw new Error(`${text}: ${one.problems.join('; ')}`);
    return one.packet;
  });
  return traceHost(result.ruleset, decoded);
}

/** Verdicts by packet. */
export function verdicts(
  files: Files,
  packets: readonly string[],
  options: FirewalldOptions = KNOWN,
): Readonly<Record<string, string>> {
  const found = answers(parse(files, options), packets);
  return Object.fromEntries(packets.map((text, index) => [text, found[index]!.verdict]));
}

/** A difference in one line, with one packet. */
export function differenceText(difference: RulesetDifference): string {
  const { kind, path, version, certainty, witness, unknowns } = difference;
  const values = Object.entries(witness)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value)}`);
  return `${certainty} ${kind} on ${path}, IPv${version}: ${values.join(' ')} [${unknowns.join('; ')}]`;
}
