import { readFileSync } from 'node:fs';
import type { ReadStream, WriteStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { describeSystemError, systemErrorCode, UsageError } from './exit-error.ts';
import type { CliIo, OutputStream } from './io.ts';

/** The surroundings of the real process. */
export function processIo(): CliIo {
  return {
    cwd: currentFolder(),
    env: process.env,
    stdout: outputStream(process.stdout, true),
    stderr: outputStream(process.stderr, false),
    readStdin: (limit) => readAll(process.stdin, limit),
    rulePackFile: fileURLToPath(new URL('../rulepack.json', import.meta.url)),
    version: readVersion(),
    heapBytes: getHeapStatistics().heap_size_limit,
  };
}

/** The version in package.json, which lies two folders above both src/cli and dist/cli. */
function readVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const version =
    typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  return typeof version === 'string' ? version : 'unknown';
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    // The folder was deleted under us; Node has no other way to say so.
    throw new UsageError('the current folder does not exist any more');
  }
}

/** `mustArrive`: texts that cannot be written are an error. What standard error does not take, nobody could be told. */
function outputStream(stream: WriteStream, mustArrive: boolean): OutputStream {
  let closed = false;
  let failure: unknown;
  // A reader that goes away (a pager, head) is no error: what it wanted it has.
  stream.on('error', (error) => {
    closed = true;
    if (mustArrive && systemErrorCode(error) !== 'EPIPE') failure = error;
  });
  return {
    // `isTTY` is absent, not false, where the stream is a file or a pipe.
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.isTTY === true ? stream.columns : undefined;
    },
    write: (text) =>
      new Promise((resolve, reject) => {
        const settle = () => {
          if (failure === undefined) resolve(!closed);
          else reject(new UsageError(`cannot write to standard output: ${describeSystemError(failure)}`));
        };
        if (closed) settle();
        else stream.write(text, (error) => (error == null ? resolve(true) : setImmediate(settle)));
      }),
  };
}

async function readAll(stream: ReadStream, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of stream) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    total += bytes.length;
    if (total > limit) {
      stream.destroy();
      return undefined;
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, total);
}
