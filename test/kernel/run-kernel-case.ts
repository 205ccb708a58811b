import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { protocolOf, type TracePacket, UNNAMED_INTERFACE } from './trace-packet.ts';

/** What the kernel is given, each text loaded by its own tool: sets first, then iptables, ip6tables and nft. */
export interface KernelRules {
  /** Text for `iptables-restore` and `ip6tables-restore`. */
  readonly iptables?: string;
  readonly ip6tables?: string;
  /** Text for `ipset restore`. */
  readonly ipset?: string;
  /** Text for `nft -f`. */
  readonly nft?: string;
  /** Text for a second `nft -f`, when all the rest is loaded. */
  readonly nftThen?: string;
  /** Load iptables text with the legacy tools instead of iptables-nft. */
  readonly legacy?: boolean;
}

/** What the real tools print of the rules just loaded. `ipset-save` only where sets were loaded. */
export interface KernelExports {
  readonly 'iptables-save': string;
  readonly 'ip6tables-save': string;
  readonly 'nft-json': string;
  readonly 'ipset-save'?: string;
}

/**
 * What became of one packet.
 *
 * - `accept`: it passed every chain of its way; `daddr` and (for protocols with ports) `dport` are where it went.
 * - `reject`: it was stopped and answered with an ICMP error or a TCP reset. `drop`: stopped in silence. The kernel
 *   never answers ICMP errors, broadcast and multicast, so a reject of those shows as a drop.
 * - `strayed`: a forward packet that NAT turned to the host itself.
 * - `untestable`: it does not come through even without rules (the control run), so it proves nothing.
 */
export interface KernelOutcome {
  readonly verdict: 'accept' | 'drop' | 'reject' | 'strayed' | 'untestable';
  readonly daddr?: string;
  readonly dport?: number;
}

export interface KernelCase {
  readonly load: KernelRules;
  readonly packets: readonly TracePacket[];
  /** Interfaces to make besides those that the packets name. */
  readonly interfaces?: readonly string[];
}

export type KernelAnswer =
  | { readonly kind: 'ran'; readonly outcomes: readonly KernelOutcome[]; readonly exports: KernelExports }
  /** A tool refused the rules; `detail` is what it said. */
  | { readonly kind: 'load-refused'; readonly detail: string };

/** Ample for thousands of packets; a namespace that lives longer is stuck. */
const LIMIT_MS = 120_000;

/** The system's own Python: a version manager's shim in front of it costs more than the whole case. */
export const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

/** Loads, exports and sends in a network namespace of its own, which is gone afterwards. Needs root. */
export async function runKernelCase(kernelCase: KernelCase): Promise<KernelAnswer> {
  const packets = kernelCase.packets.map(withDefaults);
  const input = { load: kernelCase.load, packets, interfaces: interfacesOf(kernelCase, packets) };
  const script = fileURLToPath(new URL('./namespace.py', import.meta.url));
  const output = await runBounded(['unshare', '-n', '-m', '--', PYTHON, '-B', script], JSON.stringify(input));
  // The script is ours and prints one of these two forms.
  const answer = JSON.parse(output) as
    | { loadError: string }
    | { loadError?: undefined; outcomes: KernelOutcome[]; exports: KernelExports };
  if (answer.loadError !== undefined) return { kind: 'load-refused', detail: answer.loadError };
  return { kind: 'ran', outcomes: answer.outcomes, exports: answer.exports };
}

/** The packet with its protocol as a number and its interfaces named. */
export function withDefaults(packet: TracePacket): TracePacket {
  const iif = packet.hook === 'output' ? {} : { iif: packet.iif ?? UNNAMED_INTERFACE };
  const oif = packet.hook === 'input' ? {} : { oif: packet.oif ?? UNNAMED_INTERFACE };
  return { ...packet, proto: protocolOf(packet), ...iif, ...oif };
}

/** Every interface to make, `lo` aside: those asked for and those the packets name. */
export function interfacesOf(
  kernelCase: Pick<KernelCase, 'interfaces'>,
  packets: readonly TracePacket[],
): string[] {
  const names = new Set(kernelCase.interfaces ?? []);
  for (const packet of packets) {
    if (packet.iif !== undefined) names.add(packet.iif);
    if (packet.oif !== undefined) names.add(packet.oif);
  }
  names.delete('lo');
  return [...names].sort();
}

/** Standard output of a command that must succeed. The command and its children end with it, at the latest at the limit. */
export function runBounded(command: readonly [string, ...string[]], input: string): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const limit = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, LIMIT_MS);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    // The pipe breaks when the command ends early; its exit status tells why.
    child.stdin.on('error', () => {});
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(`${program} ended with ${signal ?? code}: ${Buffer.concat(err).toString()}`));
    });
    child.stdin.end(input);
  });
}
