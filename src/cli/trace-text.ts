import { escapeText } from '../finding/index.ts';
import type { Packet } from '../model/index.ts';
import { formatAddress, formatProtocol } from '../net/index.ts';
import type { TraceAnswer } from '../trace/index.ts';

/** One packet and its way as people read it, with an empty line at the end. */
export function describeAnswer(index: number, packet: Packet, answer: TraceAnswer): string {
  const lines = [`packet ${index}: ${describePacket(packet)}`];
  for (const { origin, table, chain, rule, verdict } of answer.path) {
    // A jump that asks nothing shows in the chain of the next line: firewalld has dozens on every packet's way.
    if (rule === verdict) continue;
    const what = rule ?? `policy of ${chain}`;
    lines.push(`  ${origin.file}:${origin.line}: ${table} ${chain}: ${what} -> ${verdict}`);
  }
  if (answer.path.length === 0) lines.push('  no rule matches, and no chain policy decides');
  for (const text of answer.unknown) lines.push(`  hangs on: ${text}`);
  lines.push(`  ${answer.verdict}${deliveredNote(packet, answer)}`);
  return `${lines.map(escapeText).join('\n')}\n\n`;
}

function describePacket(packet: Packet): string {
  const { version, sport, dport, icmpType, icmpCode } = packet;
  const source = endpoint(formatAddress(version, packet.saddr), version, sport);
  const destination = endpoint(formatAddress(version, packet.daddr), version, dport);
  const icmp = icmpType === undefined ? '' : ` type ${icmpType} code ${icmpCode ?? 0}`;
  const iif = packet.iif === undefined ? '' : `, in by ${packet.iif}`;
  const oif = packet.oif === undefined ? '' : `, out by ${packet.oif}`;
  return `${packet.hook} ${formatProtocol(packet.protocol)}${icmp} ${source} -> ${destination}, ${packet.ctState}${iif}${oif}`;
}

function endpoint(address: string, version: 4 | 6, port: number | undefined): string {
  if (port === undefined) return address;
  return version === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Where an accepted packet ends up, when that is not where it was sent. */
function deliveredNote(packet: Packet, { verdict, delivered }: TraceAnswer): string {
  if (verdict !== 'accept') return '';
  if (delivered.daddr === packet.daddr && delivered.dport === packet.dport) return '';
  const address =
    delivered.daddr === undefined ? 'an address of the host' : formatAddress(packet.version, delivered.daddr);
  const port = packet.dport === undefined ? '' : `, port ${delivered.dport ?? 'unknown'}`;
  return `, delivered to ${address}${port}`;
}
