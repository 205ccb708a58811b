import type { Ruleset } from '../../src/model/index.ts';
import type { KernelOutcome } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** Texts by file name (path below the case's folder). */
export type Files = Readonly<Record<string, string>>;

/** What the real tools and the kernel made of a case. */
export type KindAnswer =
  | {
      readonly kind: 'ran';
      /** In the order of the packets. */
      readonly outcomes: readonly KernelOutcome[];
      /** What the real tools printed of it, as files of a host. */
      readonly exports: Files;
      /** What else is worth counting, such as "firewalld runs its stock configuration". */
      readonly notes: readonly string[];
    }
  /** A tool refused the case; `detail` is what it said. */
  | { readonly kind: 'refused'; readonly detail: string };

/** One way to read a case: from some of its exports. */
export interface Reading<Case> {
  /** As the run prints it: "from iptables-save". */
  readonly name: string;
  /** Whether the case can be read this way; always when absent. */
  readonly applies?: (made: Case) => boolean;
  /** Throws where the exports are not read whole. */
  readonly read: (made: Case, exports: Files) => Ruleset;
}

/**
 * A kind of rule sets that is compared with the kernel: how to make them, load them and read them back, and how to make
 * a failing one smaller. The command-line runner, the shrinker and the regression tests know nothing else of a kind.
 *
 * A `Case` is plain data (it is sent between processes as JSON).
 */
export interface KernelKind<Case = unknown> {
  readonly name: string;
  /** The case of a seed, always the same. */
  readonly generate: (seed: number) => Case;
  /** `count` packets at the edges of what the case names, always the same for a seed. */
  readonly aim: (made: Case, count: number, seed: number) => readonly TracePacket[];
  /** Loads, exports and sends, in namespaces that are gone afterwards. Needs root. */
  readonly run: (made: Case, packets: readonly TracePacket[]) => Promise<KindAnswer>;
  /** The case without what a tool complained of, to be tried instead; `undefined` where nothing can be left out. */
  readonly mend?: (made: Case, detail: string) => Case | undefined;
  /** The first one is the usual one: its figures stand for the kind. A wrong answer of any of them is wrong. */
  readonly readings: readonly [Reading<Case>, ...Reading<Case>[]];
  /** Smaller cases, the boldest steps first. They need not load. */
  readonly smaller: (made: Case) => Iterable<Case>;
  /** The case as files, to print and to keep: rules, and `options.json` where there are options. */
  readonly toFiles: (made: Case) => Files;
  /** The case of kept files: what `toFiles` gave. */
  readonly fromFiles: (files: Files) => Case;
}
