import { fileURLToPath } from 'node:url';
import type { FirewalldFiles } from './firewalld-run.ts';
import { type KernelExports, type KernelRules, PYTHON, runBounded } from './run-kernel-case.ts';

/** Who takes part: the host with the rules, a peer on its eth0, and a far host on its eth1. */
export type Party = 'host' | 'peer' | 'far';

/** Addresses of the parties, as in `exchange.py`. */
export const ADDRESS: Readonly<Record<Party, Readonly<Record<4 | 6, string>>>> = {
  host: { 4: '192.0.2.101', 6: '2001:db8::101' },
  peer: { 4: '192.0.2.10', 6: '2001:db8::10' },
  far: { 4: '198.51.100.20', 6: '2001:db8:1::20' },
};

interface Ends {
  readonly version: 4 | 6;
  readonly from: Party;
  readonly to: Party;
  readonly sport: number;
  readonly dport: number;
}

/** A TCP connection over which a word goes and an answer comes back; programs listen on these ports. */
export interface TcpExchange extends Ends {
  readonly kind: 'tcp';
  readonly listen: readonly number[];
  /** Where the programs are, if not at `to`. */
  readonly serve?: Party;
  /** Their sockets take packets for other destinations (IP_TRANSPARENT). */
  readonly transparent?: boolean;
}

/** A UDP datagram to a closed port, which the other side answers with an ICMP error. */
export interface UnreachableExchange extends Ends {
  readonly kind: 'unreachable';
}

/** The rule set of the host, by one of two ways, and what is tried with it, one after the other. */
export interface ExchangeCase<E extends TcpExchange | UnreachableExchange = TcpExchange> {
  readonly load?: KernelRules;
  readonly files?: FirewalldFiles;
  readonly exchanges: readonly E[];
}

export interface ExchangeAnswer {
  readonly exports: KernelExports;
  /** One for each exchange. `port`: the port that answered. `told`: the sender was told that the port is closed. */
  readonly answers: readonly { readonly port?: number | null; readonly told?: boolean }[];
}

/** Runs the cases in namespaces of their own. Needs root. Throws where a tool refuses a rule set. */
export async function runExchanges(
  cases: readonly ExchangeCase<TcpExchange | UnreachableExchange>[],
): Promise<ExchangeAnswer[]> {
  const script = fileURLToPath(new URL('./exchange.py', import.meta.url));
  const unshare = ['unshare', '-n', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--'] as const;
  const input = cases.map((one) => `${JSON.stringify(one)}\n`).join('');
  const output = await runBounded([...unshare, PYTHON, '-B', script], input);
  return output
    .trim()
    .split('\n')
    .map((line, index) => {
      // The script is ours and prints one of these two forms.
      const answer = JSON.parse(line) as { loadError: string } | (ExchangeAnswer & { loadError?: undefined });
      if (answer.loadError !== undefined)
        throw new Error(`case ${index}: ${answer.loadError}\n${JSON.stringify(cases[index])}`);
      return answer;
    });
}
