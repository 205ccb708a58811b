import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { escapeText, stringifyVisibly } from '../finding/index.ts';
import type { Packet, Ruleset } from '../model/index.ts';
import { DEFAULT_HEAP_BYTES, filesTooLarge, readHostExports } from '../parse/index.ts';
import { tooLarge } from '../semantics/index.ts';
import {
  decodePackets,
  encodeAnswer,
  type TraceAnswer,
  TraceDisagreement,
  TraceTooLarge,
  traceHost,
} from '../trace/index.ts';
import { describeSystemError, EXIT, InputProblemsError, systemErrorCode, UsageError } from './exit-error.ts';
import { collectFiles, MAX_FILE_BYTES, printedPath, STDIN_PATH } from './files.ts';
import type { CliIo } from './io.ts';
import { planOutput, writeFiles, writeStdout } from './output.ts';
import { Progress } from './progress.ts';
import { protectInputs } from './protect-inputs.ts';
import { say, sayDiagnostics } from './run-context.ts';
import { decodeStrictText } from './strict-text.ts';
import { describeAnswer } from './trace-text.ts';

export const TRACE_FORMATS = ['text', 'jsonl'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** Options of `nwaudit trace` as the command line gives them. */
export interface TraceCommandOptions {
  readonly packets: string;
  readonly format: TraceFormat;
  readonly output: readonly string[];
  readonly progress: boolean;
}

/** Most bad packet lines that are printed. */
const MAX_PROBLEMS = 20;

/** Characters of output after which a new piece begins. */
const CHUNK_LENGTH = 1_000_000;

/** Heap that is set aside for a byte of the packets until it is answered, in bytes. A choice, not a bound that was proved. */
const HEAP_PER_PACKET_BYTE = 16;

/** Answers packets by the exports of one host (design.md, 4.2). */
export async function traceCommand(
  paths: readonly string[],
  options: TraceCommandOptions,
  io: CliIo,
): Promise<number> {
  const targets = planOutput(io, TRACE_FORMATS, options.format, options.output);
  const packets = await readPackets(options.packets, paths, io);
  const exclude = targets.flatMap((target) => target.file ?? []);
  const packetFile = options.packets === STDIN_PATH ? [] : [resolve(io.cwd, options.packets)];
  await protectInputs(
    exclude,
    packetFile.map((path) => ({ path, what: 'the packets of the run' })),
  );
  exclude.push(...packetFile);
  const files = await collectFiles(paths, io, { exclude });
  for (const note of files.notes) await say(io, note);
  if (files.inputs.length === 0) {
    await say(io, 'there is no export to read, so there are no answers');
    return EXIT.incomplete;
  }
  const heapBytes = io.heapBytes ?? DEFAULT_HEAP_BYTES;
  const name = nameOf(files.roots);
  const refuse = async (reason: string) => {
    await say(io, `${reason}; there are no answers`);
    return EXIT.incomplete;
  };
  const unread = filesTooLarge(name, files.inputs, heapBytes);
  if (unread !== undefined) return refuse(unread);
  const host = readHostExports(files.inputs);
  await sayDiagnostics(io, host.diagnostics);
  const untraced = tooLarge(host.ruleset, heapBytes);
  if (untraced !== undefined) return refuse(`${name} is not traced: ${untraced}`);
  const answers = await answerAll(host.ruleset, packets, options, io);
  if (answers === undefined) return EXIT.defect;

  const rendered = targets.map(({ format, file }) => ({ file, chunks: render(format, packets, answers) }));
  writeFiles(rendered.flatMap(({ file, chunks }) => (file === undefined ? [] : [{ file, chunks }])));
  for (const { file, chunks } of rendered) if (file === undefined) await writeStdout(io, chunks);
  const whole = host.exports.every((one) => one.whole) && !host.diagnostics.some((one) => one.incomplete);
  if (!whole) await say(io, 'some export was not read whole: the answers may be wrong about what it says');
  return whole ? EXIT.ok : EXIT.incomplete;
}

/** The host of a trace has no name: the paths of its exports, where they are not many. */
function nameOf(roots: readonly string[]): string {
  const [first, ...others] = roots.map((root) => (root === STDIN_PATH ? 'standard input' : root));
  if (others.length === 0) return `${first}`;
  return `${first} and ${others.length} further ${others.length === 1 ? 'path' : 'paths'}`;
}

async function readPackets(name: string, paths: readonly string[], io: CliIo): Promise<readonly Packet[]> {
  if (name === STDIN_PATH && paths.includes(STDIN_PATH)) {
    throw new UsageError('standard input cannot be both the packets and an export');
  }
  const bytes =
    name === STDIN_PATH ? await io.readStdin(MAX_FILE_BYTES) : readPacketFile(resolve(io.cwd, name), name);
  if (bytes === undefined) throw new UsageError(`--packets ${name}: more than 256 MB; trace it in parts`);
  const heapBytes = io.heapBytes ?? DEFAULT_HEAP_BYTES;
  if (bytes.length * HEAP_PER_PACKET_BYTE > heapBytes) {
    const megabytes = (n: number) => (n / 1024 ** 2).toFixed(1);
    throw new UsageError(
      `--packets ${name}: ${megabytes(bytes.length)} MB, more than the ${megabytes(heapBytes / HEAP_PER_PACKET_BYTE)} MB that a heap of ${megabytes(heapBytes)} MB is enough for; trace it in parts`,
    );
  }
  const file = name === STDIN_PATH ? 'standard input' : printedPath(io.cwd, resolve(io.cwd, name));
  const decoded = decodeStrictText(bytes);
  if ('problem' in decoded) throw new UsageError(`--packets ${name}: ${decoded.problem}`);
  const { packets, problems } = decodePackets(decoded.text, file);
  if (problems.length === 0) return packets;
  const lines = problems.slice(0, MAX_PROBLEMS).map((one) => `${one.file}:${one.line}: ${one.message}`);
  if (problems.length > MAX_PROBLEMS) lines.push(`and ${problems.length - MAX_PROBLEMS} further problems`);
  throw new InputProblemsError('the packets', lines);
}

function readPacketFile(path: string, name: string): Uint8Array | undefined {
  try {
    // A pipe is welcome here, unlike among the exports: it was named, as in --packets <(generate).
    const stats = statSync(path);
    if (stats.isFile() && stats.size > MAX_FILE_BYTES) return undefined;
    return readFileSync(path);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`--packets ${name}: ${describeSystemError(error)}`);
  }
}

/** All answers, or `undefined` after a disagreement was told. */
async function answerAll(
  ruleset: Ruleset,
  packets: readonly Packet[],
  options: TraceCommandOptions,
  io: CliIo,
): Promise<readonly TraceAnswer[] | undefined> {
  const progress = new Progress(io, options.progress, 'packets');
  const uncompared: string[] = [];
  try {
    const answers = traceHost(ruleset, packets, {
      heapBytes: io.heapBytes ?? DEFAULT_HEAP_BYTES,
      onProgress: (done, total) => progress.update(done, total),
      onUncompared: (reason) => uncompared.push(reason),
    });
    await progress.clear();
    for (const reason of uncompared) await say(io, reason);
    return answers;
  } catch (error) {
    await progress.clear();
    if (error instanceof TraceTooLarge)
      throw new UsageError(`--packets ${options.packets}: ${error.message}; trace them in parts`);
    if (!(error instanceof TraceDisagreement)) throw error;
    await sayDisagreement(error, io);
    return undefined;
  }
}

async function sayDisagreement(error: TraceDisagreement, io: CliIo): Promise<void> {
  const show = (value: unknown) =>
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'bigint' ? `0x${inner.toString(16)}` : inner,
    );
  const lines = [
    `${error.message}. This is a defect of nwaudit: please report it with the exports and these lines.`,
    `  packet:          ${show(error.packet)}`,
    `  packet sets:     ${show(error.bySets)}`,
    `  plain evaluator: ${show(error.byWalk)}`,
  ];
  await io.stderr.write(`nwaudit ${io.version}: ${lines.map(escapeText).join('\n')}\n`);
}

function* render(
  format: TraceFormat,
  packets: readonly Packet[],
  answers: readonly TraceAnswer[],
): Generator<string> {
  let lines: string[] = [];
  let length = 0;
  for (const [index, answer] of answers.entries()) {
    const packet = packets[index]!;
    const line =
      format === 'text'
        ? describeAnswer(index, packet, answer)
        : `${stringifyVisibly(encodeAnswer(index, packet.version, answer), 0)}\n`;
    lines.push(line);
    length += line.length;
    if (length < CHUNK_LENGTH) continue;
    yield lines.join('');
    lines = [];
    length = 0;
  }
  if (lines.length > 0) yield lines.join('');
}
