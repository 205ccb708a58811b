import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Report } from '../src/finding/index.ts';
import { decodeInventoryData, type Inventory, parseInventory } from '../src/inventory/index.ts';
import type { CheckDefinition, Decoded, Profile } from '../src/rulepack/index.ts';
import { parseCheck, parseRulePack } from '../src/rulepack/parse.ts';
import { type ScanInput, type ScanOptions, scan } from '../src/scan.ts';

/** The repository's top folder. */
export const ROOT = resolve(import.meta.dirname, '..');

function only<T>(decoded: Decoded<T>): T {
  if (decoded.kind === 'bad') throw new Error(JSON.stringify(decoded.problems));
  return decoded.value;
}

/** Every check of the rule pack, sorted by id. */
export function shippedChecks(): CheckDefinition[] {
  const folder = join(ROOT, 'rules/checks');
  return readdirSync(folder)
    .sort()
    .map((name) => only(parseCheck(readFileSync(join(folder, name), 'utf8'), `rules/checks/${name}`)));
}

/** The shipped profiles. */
export function shippedProfiles(): readonly Profile[] {
  const folder = join(ROOT, 'rules/profiles');
  return parseRulePack(
    readdirSync(folder).map((name) => ({
      file: `rules/profiles/${name}`,
      text: readFileSync(join(folder, name), 'utf8'),
    })),
  ).profiles;
}

/** A shipped profile. */
export function shippedProfile(id: string): Profile {
  const profile = shippedProfiles().find((one) => one.id === id);
  if (profile === undefined) throw new Error(`no profile ${id}`);
  return profile;
}

/** Scan options for tests: guide profile, all checks, a fixed date. */
export function scanOptions(overrides: Partial<ScanOptions> = {}): ScanOptions {
  return {
    version: '0.0.0-test',
    profile: shippedProfile('guide'),
    checks: shippedChecks(),
    roots: ['.'],
    today: '2026-11-22',
    failOn: 'medium',
    allowIncomplete: false,
    exitZero: false,
    ...overrides,
  };
}

/** Inputs from texts by path. */
export function inputsOf(files: Readonly<Record<string, string>>): ScanInput[] {
  return Object.entries(files).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }));
}

/** Scans texts with an inline configuration. */
export function scanTexts(
  files: Readonly<Record<string, string>>,
  config?: unknown,
  overrides: Partial<ScanOptions> = {},
): Report {
  let inventory: Inventory | undefined;
  if (config !== undefined) {
    const names = overrides.profile;
    const result = decodeInventoryData(config, 'nwaudit.yaml', {
      roles: (names?.roles ?? []).map(({ id }) => id),
      features: (names?.features ?? []).map(({ id }) => id),
    });
    if (result.inventory === undefined) throw new Error(JSON.stringify(result.problems));
    inventory = result.inventory;
  }
  return scan(
    inputsOf(files),
    scanOptions({ ...(inventory === undefined ? {} : { inventory }), ...overrides }),
  );
}

/** Files below a folder, as scan inputs named relative to `base`. */
export function inputsBelow(folder: string, base: string = folder): ScanInput[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return inputsBelow(path, base);
      if (entry.name === 'nwaudit.yaml' || entry.name === 'PLANTED.yaml') return [];
      return [{ path: path.slice(base.length + 1), bytes: readFileSync(path) }];
    });
}

/** Scans a folder of fixtures with a configuration file. */
export async function scanFolder(
  folder: string,
  config?: string,
  overrides: Partial<ScanOptions> = {},
): Promise<Report> {
  const path = join(ROOT, folder);
  const inventory =
    config === undefined
      ? undefined
      : (await parseInventory(readFileSync(join(ROOT, config), 'utf8'), config)).inventory;
  if (config !== undefined && inventory === undefined) throw new Error(`${config} has problems`);
  return scan(
    inputsBelow(path),
    scanOptions({ ...(inventory === undefined ? {} : { inventory }), ...overrides }),
  );
}
