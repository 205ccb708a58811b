import type { CliIo } from './io.ts';

export const COLOR_CHOICES = ['auto', 'always', 'never'] as const;
export type ColorChoice = (typeof COLOR_CHOICES)[number];

/**
 * Whether standard output gets colours: the flag decides, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal.
 * An empty variable counts as unset. Sources: no-color.org; force-color.org; `0` and `false` as in Node's own reading.
 */
export function usesColor(choice: ColorChoice, io: Pick<CliIo, 'env' | 'stdout'>): boolean {
  if (choice !== 'auto') return choice === 'always';
  if ((io.env.NO_COLOR ?? '') !== '') return false;
  const forced = io.env.FORCE_COLOR ?? '';
  if (forced !== '') return forced !== '0' && forced.toLowerCase() !== 'false';
  return io.stdout.isTerminal && io.env.TERM !== 'dumb';
}

/** Columns for text where no terminal says otherwise. */
const DEFAULT_WIDTH = 100;

/** Columns to lay text out for. */
export function outputWidth(io: Pick<CliIo, 'stdout'>): number {
  const { columns } = io.stdout;
  return columns !== undefined && columns > 0 ? columns : DEFAULT_WIDTH;
}
