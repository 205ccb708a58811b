import type { Origin } from './origin.ts';

/**
 * What a parser says about its input.
 *
 * - `syntax`: a line or element that could not be read.
 * - `unsupported`: readable, but the kind of input is not one nwaudit judges (the detail says what to export instead).
 * - `unresolved-reference`: a jump to a missing chain, a set that was not exported.
 * - `contradiction`: two statements that cannot both hold (a chain declared twice, a jump loop).
 * - `note`: worth saying, costs nothing (the line would not load today, but its meaning is clear).
 */
export interface ParseDiagnostic {
  readonly kind: 'syntax' | 'unsupported' | 'unresolved-reference' | 'contradiction' | 'note';
  /**
   * Whether the input was read whole in spite of it. `true`: something is missing from the model's knowledge
   * (it stands there as unknown), the audit is incomplete and exits 3.
   */
  readonly incomplete: boolean;
  readonly origin: Origin;
  /** One sentence: what was found, what was expected or what to do. At most one line of input is quoted. */
  readonly detail: string;
}
