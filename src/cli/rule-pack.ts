/** Loading checks and profiles: the compiled rule pack, `--rules DIR`, `--profile NAME|FILE`. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { CheckDefinition, Profile, RulePack, RulePackProblem } from '../rulepack/index.ts';
import {
  combineRulePacks,
  formatPath,
  formatProblem,
  RulePackError,
  rulePackFromJson,
} from '../rulepack/index.ts';
import { bindCheck, foreignRoles } from '../scan.ts';
import type { Configuration } from './configuration.ts';
import { describeSystemError, InputProblemsError, systemErrorCode, UsageError } from './exit-error.ts';
import { printedPath } from './files.ts';
import type { CliIo } from './io.ts';
import { unknownName } from './names.ts';

/** Profile where neither the command line nor the configuration names one. */
const DEFAULT_PROFILE = 'guide';

/** Longest profile that is read, in bytes. */
const MAX_PROFILE_BYTES = 10_000_000;

/**
 * The built-in rule pack with those of `--rules`. The profile to judge by, as for `loadProfile`, is looked at where there are
 * problems: roles that it does not have are then told with them, not in the next run.
 *
 * @throws UsageError when a folder is not there, InputProblemsError with everything that is wrong in any file.
 */
export async function loadRulePack(
  io: CliIo,
  folders: readonly string[],
  profile?: string,
  config?: Configuration,
): Promise<RulePack> {
  // Missing or unreadable is a broken installation: nothing a user's argument causes.
  const builtIn = rulePackFromJson(JSON.parse(readFileSync(io.rulePackFile, 'utf8')));
  if (folders.length === 0) return builtIn;
  const { readRulePack } = await import('../rulepack/parse.ts');
  const { readRulePackFolder } = await import('./rule-pack-files.ts');
  const problems: RulePackProblem[] = [];
  const packs: RulePack[] = [builtIn];
  try {
    for (const folder of folders) {
      const files = readRulePackFolder(resolve(io.cwd, folder), asGiven(folder));
      if (files.length === 0) throw new UsageError(`--rules ${folder}: there is no YAML file in it`);
      const read = readRulePack(files, builtIn.profiles, bindCheck);
      problems.push(...read.problems);
      packs.push({ ...read.pack, checks: read.pack.checks.map((check) => ({ ...check, pack: folder })) });
    }
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`--rules: ${describeSystemError(error)}: ${folders.join(', ')}`);
  }
  try {
    const combined = combineRulePacks(packs);
    if (problems.length === 0) return combined;
  } catch (error) {
    if (!(error instanceof RulePackError)) throw error;
    problems.push(...error.problems);
  }
  problems.push(...(await rolesOfNoProfile(io, packs, profile, config)));
  throw new InputProblemsError('the rule pack', [...new Set(problems.toSorted(inOrder).map(formatProblem))]);
}

/** A folder as the user named it, as the beginning of paths in it. */
function asGiven(folder: string): string {
  return folder.replace(/(?<=[^/])\/+$/, '');
}

/** By file, and inside it by place. */
function inOrder(a: RulePackProblem, b: RulePackProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** Roles in checks of the user that the profile does not have; nothing where the profile itself cannot be used. */
async function rolesOfNoProfile(
  io: CliIo,
  packs: readonly RulePack[],
  name: string | undefined,
  config: Configuration | undefined,
): Promise<RulePackProblem[]> {
  const profiles = packs.flatMap((pack) => pack.profiles);
  const checks = packs.flatMap((pack) => pack.checks).filter((check) => check.pack !== undefined);
  try {
    return foreignRolesIn(checks, await loadProfile(io, { profiles, checks: [] }, name, config));
  } catch (error) {
    if (error instanceof UsageError || error instanceof InputProblemsError) return [];
    throw error;
  }
}

/**
 * Refuses checks that name roles the profile does not have: they would never find anything.
 *
 * @throws InputProblemsError with every such role.
 */
export function requireRoles(checks: readonly CheckDefinition[], profile: Profile): void {
  const lines = foreignRolesIn(checks, profile).map(formatProblem);
  if (lines.length > 0) throw new InputProblemsError('the rule pack', lines);
}

function foreignRolesIn(checks: readonly CheckDefinition[], profile: Profile): RulePackProblem[] {
  // Every profile has gateways: nwaudit itself knows what they are.
  const roles = [...new Set([...profile.roles.map((role) => role.id), 'gateway'])];
  return checks.flatMap((check) =>
    foreignRoles(check, roles).map(({ path, detail }) => {
      const { file, locate } = check.source;
      const { line, column } = locate(path) ?? { line: null, column: null };
      return { file, line, column, path: formatPath(path), detail };
    }),
  );
}

/**
 * The profile to judge by: that of `--profile`, else the one the configuration names, else the default. A name of the
 * rule pack wins over a file. A path in the configuration is relative to the configuration's folder.
 *
 * @throws UsageError when there is no such profile, InputProblemsError when its file cannot be used.
 */
export async function loadProfile(
  io: CliIo,
  pack: RulePack,
  fromCommand: string | undefined,
  config: Configuration | undefined,
): Promise<Profile> {
  const name = fromCommand ?? config?.profile ?? DEFAULT_PROFILE;
  const known = pack.profiles.find((profile) => profile.id === name);
  if (known !== undefined) return known;
  const names = pack.profiles.map((profile) => profile.id);
  if (!isPath(name)) {
    throw new UsageError(`${unknownName('profile', name, names)}; or give the path of a profile of your own`);
  }
  const file = profilePath(io, fromCommand, config) ?? resolve(io.cwd, name);
  const { parseProfile } = await import('../rulepack/parse.ts');
  const decoded = parseProfile(
    readProfile(file, name),
    fromCommand === undefined ? printedPath(io.cwd, file) : name,
    pack.profiles,
  );
  if (decoded.kind === 'ok') return decoded.value;
  throw new InputProblemsError('the profile', decoded.problems.map(formatProblem));
}

/** Where the profile of a run lies, if what is given for it may be a path; `undefined` for a name. */
export function profilePath(
  io: CliIo,
  fromCommand: string | undefined,
  config: Configuration | undefined,
): string | undefined {
  const name = fromCommand ?? config?.profile ?? DEFAULT_PROFILE;
  if (!isPath(name)) return undefined;
  return resolve(fromCommand === undefined && config !== undefined ? dirname(config.path) : io.cwd, name);
}

function isPath(name: string): boolean {
  return /[/\\.]/.test(name);
}

function readProfile(file: string, name: string): string {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) throw new UsageError(`profile ${name}: is not a regular file`);
    if (stats.size > MAX_PROFILE_BYTES) throw new UsageError(`profile ${name}: is larger than 10 MB`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new UsageError(`profile ${name}: ${describeSystemError(error)}`);
  }
}

/**
 * The checks to run: those selected, or every stable one, without those ignored. Values may be lists with commas.
 *
 * @throws UsageError for ids that do not exist, and when nothing is left.
 */
export function chooseChecks(
  checks: readonly CheckDefinition[],
  select: readonly string[],
  ignore: readonly string[],
): CheckDefinition[] {
  const ids = checks.map((check) => check.id);
  const selected = new Set(splitIds('--select', select, ids));
  const ignored = new Set(splitIds('--ignore', ignore, ids));
  const chosen = checks.filter((check) => {
    const wanted = selected.size === 0 ? check.status === 'stable' : selected.has(check.id);
    return wanted && !ignored.has(check.id);
  });
  if (chosen.length === 0 && checks.length > 0)
    throw new UsageError('--select and --ignore leave no check to run');
  return chosen;
}

function splitIds(option: string, values: readonly string[], known: readonly string[]): string[] {
  const ids = values.flatMap((value) => value.split(',')).map((id) => id.trim());
  for (const id of ids) {
    if (!known.includes(id)) throw new UsageError(`${option}: ${unknownName('check', id, known)}`);
  }
  return ids;
}
