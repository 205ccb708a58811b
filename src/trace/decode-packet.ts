import type { Packet } from '../model/index.ts';
import { decodePacketObject } from './packet-object.ts';

/** Something wrong in a packet file. */
export interface PacketProblem {
  /** The packet file as the caller named it. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** What was expected, in one sentence. */
  readonly message: string;
}

/** Packets in the order of their lines; when there is any problem, the list has holes and is of no use. */
export interface DecodedPackets {
  readonly packets: readonly Packet[];
  /** By line. Empty when every line was read. */
  readonly problems: readonly PacketProblem[];
}

/**
 * Reads packets as JSON Lines: one object a line, in UTF-8 (design.md, 4.2). Empty lines are skipped, a byte order
 * mark and carriage returns do no harm. `file` is only quoted. Never throws.
 */
export function decodePackets(text: string, file: string): DecodedPackets {
  const packets: Packet[] = [];
  const problems: PacketProblem[] = [];
  let line = 0;
  for (let start = text.startsWith('\ufeff') ? 1 : 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const content = text.slice(start, end).trim();
    line++;
    start = end + 1;
    if (content === '') continue;
    const decoded = decodeLine(content);
    if (decoded.packet !== undefined) packets.push(decoded.packet);
    else problems.push(...decoded.problems.map((message) => ({ file, line, message })));
  }
  return { packets, problems };
}

function decodeLine(content: string): ReturnType<typeof decodePacketObject> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    // The only way JSON.parse says "bad input" is to throw.
    return { problems: [`expected one JSON object: ${error instanceof Error ? error.message : 'not JSON'}`] };
  }
  return decodePacketObject(value);
}
