import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Files } from './kernel-kind.ts';
import type { KernelOutcome } from './run-kernel-case.ts';
import { parsePackets, type TracePacket } from './trace-packet.ts';

/** A disagreement that was found once, kept so that it stays mended. */
export interface Regression {
  /** Name of the folder. */
  readonly name: string;
  /** Name of the kind. */
  readonly kind: string;
  /** What was wrong, in one sentence. */
  readonly was: string;
  /** The case as the kind writes it. */
  readonly rules: Files;
  readonly packets: readonly TracePacket[];
  /** What the kernel did with each packet. */
  readonly verdicts: readonly KernelOutcome[];
  /** What the real tools printed. */
  readonly exports: Files;
}

/** Below the repository's root. */
export const REGRESSIONS = 'fixtures/regression';

/**
 * Writes `<folder>/<name>/`: `case.json` (kind, what was wrong), `rules/`, `packets.jsonl`, `verdicts.jsonl` and
 * `exports/`.
 */
export function keepRegression(folder: string, regression: Regression): void {
  const { name, kind, was, rules, packets, verdicts, exports } = regression;
  const lines = (list: readonly object[]): string => list.map((one) => `${JSON.stringify(one)}\n`).join('');
  const below = (place: string, files: Files): [string, string][] =>
    Object.entries(files).map(([path, text]) => [join(place, path), text]);
  const files: [string, string][] = [
    ['case.json', `${JSON.stringify({ kind, was }, undefined, 2)}\n`],
    ['packets.jsonl', lines(packets)],
    ['verdicts.jsonl', lines(verdicts)],
    ...below('rules', rules),
    ...below('exports', exports),
  ];
  for (const [path, text] of files) {
    const target = join(folder, name, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
}

/** Every kept disagreement below a folder, by name. */
export function readRegressions(folder: string): Regression[] {
  if (!existsSync(folder)) return [];
  return (
    readdirSync(folder)
      .sort()
      // The fuzzer keeps its cases in the same folder, without verdicts.
      .filter((name) => existsSync(join(folder, name, 'verdicts.jsonl')))
      .map((name) => {
        const read = (file: string): string => readFileSync(join(folder, name, file), 'utf8');
        // Written by `keepRegression`, and reviewed.
        const { kind, was } = JSON.parse(read('case.json')) as { kind: string; was: string };
        const verdicts = read('verdicts.jsonl')
          .split('\n')
          .filter((line) => line !== '');
        return {
          name,
          kind,
          was,
          rules: readTree(join(folder, name, 'rules')),
          packets: parsePackets(read('packets.jsonl')),
          verdicts: verdicts.map((line) => JSON.parse(line) as KernelOutcome),
          exports: readTree(join(folder, name, 'exports')),
        };
      })
  );
}

function readTree(root: string): Files {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(root, path), readFileSync(path, 'utf8')]));
}
