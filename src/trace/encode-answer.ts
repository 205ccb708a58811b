import type { PathStep } from '../model/index.ts';
import { formatAddress, type IpVersion } from '../net/index.ts';
import type { TraceAnswer } from './trace-host.ts';

/** One step of a packet's way, as the contract prints it. */
export interface EncodedStep {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Path inside a structured document, null for line-oriented formats. */
  readonly path: string | null;
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Rule text; null for a chain policy. */
  readonly rule: string | null;
  readonly verdict: string;
}

/** One line of output (design.md, 4.2). Other programs rely on these keys. */
export interface EncodedAnswer {
  /** 0-based index of the packet. */
  readonly packet: number;
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown';
  readonly certain: boolean;
  /** After NAT; null where it cannot be told, and `dport` for protocols without ports. */
  readonly delivered: { readonly daddr: string | null; readonly dport: number | null };
  readonly path: readonly EncodedStep[];
  readonly unknown: readonly string[];
}

/** An answer in the words of the contract. `version` is the packet's IP version. */
export function encodeAnswer(index: number, version: IpVersion, answer: TraceAnswer): EncodedAnswer {
  const { daddr, dport } = answer.delivered;
  return {
    packet: index,
    verdict: answer.verdict,
    certain: answer.verdict !== 'unknown',
    delivered: {
      daddr: daddr === undefined ? null : formatAddress(version, daddr),
      dport: dport ?? null,
    },
    path: answer.path.map(encodeStep),
    unknown: answer.unknown,
  };
}

function encodeStep({ origin, family, table, chain, rule, verdict }: PathStep): EncodedStep {
  const { file, line, column, path } = origin;
  return { file, line, column, path, family, table, chain, rule, verdict };
}
