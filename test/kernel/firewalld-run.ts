import { fileURLToPath } from 'node:url';
import {
  interfacesOf,
  type KernelExports,
  type KernelOutcome,
  PYTHON,
  runBounded,
  withDefaults,
} from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** Files of a configuration: path below `/etc/firewalld` to text. */
export type FirewalldFiles = Readonly<Record<string, string>>;

export interface FirewalldCase {
  readonly files: FirewalldFiles;
  readonly packets: readonly TracePacket[];
  /** Interfaces to make besides those that the packets name. */
  readonly interfaces?: readonly string[];
}

/** What the real firewalld made of a configuration, and what became of the packets. */
export interface FirewalldAnswer {
  /** `FAILED`: it refused the configuration and runs the stock one. */
  readonly state: 'RUNNING' | 'FAILED';
  /** Its warnings and errors, without times. */
  readonly log: readonly string[];
  readonly outcomes: readonly KernelOutcome[];
  readonly exports: KernelExports;
}

let started = 0;

/**
 * Starts the real firewalld in namespaces of its own (network, mounts, processes) with these files as its
 * `/etc/firewalld`, exports and sends. Everything is gone afterwards. Needs root. Throws when firewalld or its message
 * bus cannot be started at all.
 */
export async function runFirewalldCase(firewalldCase: FirewalldCase): Promise<FirewalldAnswer> {
  const packets = firewalldCase.packets.map(withDefaults);
  const interfaces = interfacesOf(firewalldCase, packets);
  const input = { files: firewalldCase.files, packets, interfaces, processor: started++ };
  const script = fileURLToPath(new URL('./firewalld.py', import.meta.url));
  // With a process namespace of its own, the daemons end with the script whatever happens.
  const unshare = ['unshare', '-n', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--'] as const;
  const output = await runBounded([...unshare, PYTHON, '-B', script], JSON.stringify(input));
  // The script is ours and prints one of these two forms.
  const answer = JSON.parse(output) as { loadError: string } | (FirewalldAnswer & { loadError?: undefined });
  if (answer.loadError !== undefined) throw new Error(`firewalld cannot be started: ${answer.loadError}`);
  return answer;
}
