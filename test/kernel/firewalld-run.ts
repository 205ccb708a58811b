import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
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
 * Starts the real firewalld's engine in network and mount namespaces of its own with these files as its
 * `/etc/firewalld`, exports and sends. Everything is gone afterwards. Needs root. Throws when the engine cannot be
 * started at all.
 *
 * The engine starts in a process forked for this case, without the daemon's message bus (`firewalld_server.py`).
 */
export async function runFirewalldCase(firewalldCase: FirewalldCase): Promise<FirewalldAnswer> {
  return read(await ask(inputOf(firewalldCase)));
}

/** The same with the whole daemon and a message bus of its own (`firewalld.py`): three times as slow. */
export async function runFirewalldDaemon(firewalldCase: FirewalldCase): Promise<FirewalldAnswer> {
  const script = fileURLToPath(new URL('./firewalld.py', import.meta.url));
  return read(await runBounded([...UNSHARE, script], inputOf(firewalldCase)));
}

/**
 * With a process namespace of its own, what runs in there ends with the script whatever happens. firewalld orders some
 * of its jumps by Python's hash of texts, which is random unless it is told: a seed must mean one configuration.
 */
const UNSHARE = [
  'unshare',
  ...['-n', '-m', '-p', '-f', '--kill-child', '--mount-proc', '--', 'env', 'PYTHONHASHSEED=0', PYTHON, '-B'],
] as const;

function inputOf(firewalldCase: FirewalldCase): string {
  const packets = firewalldCase.packets.map(withDefaults);
  const interfaces = interfacesOf(firewalldCase, packets);
  return JSON.stringify({ files: firewalldCase.files, packets, interfaces, processor: started++ });
}

function read(output: string): FirewalldAnswer {
  // The scripts are ours and print one of these two forms.
  const answer = JSON.parse(output) as { loadError: string } | (FirewalldAnswer & { loadError?: undefined });
  if (answer.loadError !== undefined) throw new Error(`firewalld cannot be started: ${answer.loadError}`);
  return answer;
}

/** Ample for thousands of packets; a case that takes longer is stuck, and its server is ended. */
const LIMIT_MS = 120_000;

/** `firewalld_server.py`: answers one case after the other, and ends with its standard input. */
class Server {
  readonly #child: ChildProcess;
  #text: Buffer[] = [];
  #errors = '';
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  /** No further case can be given to it. */
  ended = false;

  constructor() {
    const script = fileURLToPath(new URL('./firewalld_server.py', import.meta.url));
    const [program, ...args] = [...UNSHARE, script];
    const child = spawn(program, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    child.stdin.on('error', () => {});
    child.on('error', (error) => this.#fail(error));
    child.on('close', (code, signal) =>
      this.#fail(new Error(`the firewalld server ended with ${signal ?? code}: ${this.#errors}`)),
    );
    // A server without a case keeps nothing waiting: it ends when this process does.
    for (const handle of [child, child.stdin, child.stdout, child.stderr])
      (handle as { unref?: () => void }).unref?.();
  }

  /** The answer to one case. Only one may be asked at a time. */
  ask(input: string): Promise<string> {
    return new Promise((resolve, reject) => {
      // Holds this process until the answer, too: nothing of the server itself does.
      const limit = setTimeout(() => {
        if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
      }, LIMIT_MS);
      const settle = <T>(then: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(limit);
          this.#waiting = undefined;
          then(value);
        };
      };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.#child.stdin?.write(`${input}\n`);
    });
  }

  #read(chunk: Buffer): void {
    this.#text.push(chunk);
    if (chunk.at(-1) !== 0x0a) return;
    const line = Buffer.concat(this.#text).toString();
    this.#text = [];
    this.#waiting?.resolve(line);
  }

  #fail(error: Error): void {
    this.ended = true;
    this.#waiting?.reject(error);
  }
}

const idle: Server[] = [];
const queue: ((server: Server) => void)[] = [];
let servers = 0;

/** Has the next free server answer; starts one where there are fewer than processors. */
async function ask(input: string): Promise<string> {
  const server = await acquire();
  try {
    return await server.ask(input);
  } finally {
    release(server);
  }
}

function acquire(): Promise<Server> | Server {
  for (let server = idle.pop(); server !== undefined; server = idle.pop()) {
    if (!server.ended) return server;
    servers--;
  }
  if (servers >= availableParallelism()) return new Promise((resolve) => queue.push(resolve));
  servers++;
  return new Server();
}

function release(server: Server): void {
  const next = queue.shift();
  if (next === undefined) idle.push(server);
  else next(server.ended ? new Server() : server);
}
