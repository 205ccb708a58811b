import { escapeText } from '../finding/index.ts';
import type { ParseDiagnostic } from '../model/index.ts';
import { UsageError } from './exit-error.ts';
import type { CliIo } from './io.ts';

/** A sentence for the user on standard error. Texts from outside are made visible. */
export async function say(io: CliIo, text: string): Promise<void> {
  await io.stderr.write(`nwaudit: ${escapeText(text)}\n`);
}

/** Most diagnostics that one run prints on standard error. */
const MAX_PRINTED = 50;

/** Prints what a parser says, as `file:line:column: sentence`; notes are left to the reports. */
export async function sayDiagnostics(io: CliIo, diagnostics: readonly ParseDiagnostic[]): Promise<void> {
  const told = diagnostics.filter((diagnostic) => diagnostic.kind !== 'note' || diagnostic.incomplete);
  for (const { origin, detail } of told.slice(0, MAX_PRINTED)) {
    const line = `${origin.file}:${origin.line}:${origin.column}: ${detail}`;
    await io.stderr.write(`${escapeText(line)}\n`);
  }
  if (told.length > MAX_PRINTED)
    await say(io, `${told.length - MAX_PRINTED} further remarks on the exports are not shown`);
}

/**
 * Today as an ISO date, in UTC. NWAUDIT_TODAY replaces it, so that tests and rebuilt reports give the same result on
 * any day.
 */
export function todayOf(io: CliIo): string {
  const given = io.env.NWAUDIT_TODAY ?? '';
  if (given === '') return new Date().toISOString().slice(0, 10);
  const date = /^\d{4}-\d{2}-\d{2}$/.test(given) ? new Date(`${given}T00:00:00Z`) : undefined;
  if (date === undefined || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(given)) {
    throw new UsageError(`NWAUDIT_TODAY: expected a date such as 2026-01-31, found ${JSON.stringify(given)}`);
  }
  return given;
}

/** The value of `--host`, checked: it is printed, compared, and part of fingerprints. */
export function checkHostOption(host: string | undefined, paths: readonly string[]): string | undefined {
  if (host === undefined) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (host.trim() !== host || !/^[^\u0000-\u001f\u007f/*]{1,253}$/.test(host)) {
    throw new UsageError(`--host: ${JSON.stringify(host)} is no host name`);
  }
  if (paths.length > 1) throw new UsageError('--host names the host of one path; there are several');
  return host;
}
