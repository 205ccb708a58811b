import { join, resolve } from 'node:path';
import { baselineEntries, encodeBaseline, type Severity } from '../finding/index.ts';
import { assignFilesToHosts, type Inventory } from '../inventory/index.ts';
import { REPORT_FORMATS, REPORTERS, type ReportFormat, type ReportOptions } from '../report/index.ts';
import type { Profile } from '../rulepack/index.ts';
import { type Report, scan } from '../scan.ts';
import { baselineFile, protectFromBaseline, readBaseline } from './baseline-file.ts';
import { type ColorChoice, outputWidth, usesColor } from './color.ts';
import { type Configuration, decodeConfiguration, findConfiguration } from './configuration.ts';
import { type CollectedFiles, collectFiles } from './files.ts';
import type { CliIo } from './io.ts';
import { type FileContent, type OutputTarget, planOutput, writeFiles, writeStdout } from './output.ts';
import { Progress } from './progress.ts';
import { type InputPlace, protectInputs } from './protect-inputs.ts';
import { chooseChecks, loadProfile, loadRulePack, profilePath, requireRoles } from './rule-pack.ts';
import { rulePackPaths } from './rule-pack-files.ts';
import { checkHostOption, say, todayOf } from './run-context.ts';

/** Options of `nwaudit scan` as the command line gives them. */
export interface ScanCommandOptions {
  /** `false`: `--no-config`. */
  readonly config?: string | false;
  readonly profile?: string;
  readonly rules: readonly string[];
  readonly host?: string;
  readonly format: ReportFormat;
  readonly output: readonly string[];
  readonly failOn: Severity;
  readonly minSeverity: Severity;
  readonly select: readonly string[];
  readonly ignore: readonly string[];
  readonly baseline?: string;
  readonly writeBaseline?: string;
  readonly exitZero: boolean;
  readonly allowIncomplete: boolean;
  readonly showSuppressed: boolean;
  readonly sarifCategory?: string;
  readonly sarifOmitSuppressed: boolean;
  readonly progress: boolean;
  readonly color: ColorChoice;
}

/** Audits the exports below the paths; the exit code is the report's. */
export async function scanCommand(
  paths: readonly string[],
  options: ScanCommandOptions,
  io: CliIo,
): Promise<number> {
  const targets = planOutput(io, REPORT_FORMATS, options.format, options.output);
  const host = checkHostOption(options.host, paths);
  const today = todayOf(io);
  const config = await findConfiguration(io, options.config, paths);
  const known = baselineFile(io, options.baseline);
  const recordIn = baselineFile(io, options.writeBaseline);
  const written = targets.flatMap(({ file }) => file ?? []);
  const inputs = inputPlaces(io, config, options);
  const baselines = [known, recordIn].flatMap((one) =>
    one === undefined ? [] : [{ path: one.path, what: 'the baseline of the run' }],
  );
  await protectInputs(written, [...inputs, ...baselines]);
  if (recordIn !== undefined) await protectInputs([recordIn.path], inputs, '--write-baseline');
  const baseline = known && readBaseline(known);
  if (recordIn !== undefined) protectFromBaseline(recordIn);
  const pack = await loadRulePack(io, options.rules, options.profile, config);
  await protectInputs(
    [...written, ...(recordIn === undefined ? [] : [recordIn.path])],
    rulePackPlaces(io, options.rules),
  );
  const profile = await loadProfile(io, pack, options.profile, config);
  const checks = chooseChecks(pack.checks, options.select, options.ignore);
  requireRoles(checks, profile);
  const files = await collectFiles(paths, io, {
    exclude: [...excludedFiles(config, targets), ...[known, recordIn].flatMap((file) => file?.path ?? [])],
  });
  const inventory =
    config &&
    (await decodeInventory(
      config,
      profile,
      pack.checks.map((check) => check.id),
      files,
      io,
    ));
  for (const note of files.notes) await say(io, note);

  const progress = new Progress(io, options.progress, 'hosts');
  const report = scan(files.inputs, {
    version: io.version,
    profile,
    checks,
    ...(inventory !== undefined && { inventory }),
    ...(host !== undefined && { host }),
    roots: files.roots,
    currentFolder: io.cwd,
    ...(io.heapBytes !== undefined && { heapBytes: io.heapBytes }),
    today,
    failOn: options.failOn,
    allowIncomplete: options.allowIncomplete,
    exitZero: options.exitZero,
    ...(baseline !== undefined && { baseline }),
    ...(recordIn !== undefined && { recordAs: recordIn.printed }),
    onProgress: (done, total) => progress.update(done, total),
  });
  await progress.clear();
  const isRecorded = report.baseline?.recorded === true;
  if (recordIn !== undefined && !isRecorded)
    await say(io, `${recordIn.printed} was not written: an incomplete audit makes no baseline`);
  const record = recordIn !== undefined && isRecorded ? [recordOf(report, recordIn.path)] : [];
  await deliver(report, targets, record, options, io);
  return report.exitCode;
}

/** The baseline that the run records. */
function recordOf(report: Report, file: string): FileContent {
  const entries = baselineEntries(report.findings, report.baseline?.notLookedAt);
  return { file, chunks: [encodeBaseline(entries)] };
}

/** What a run reads beside exports and baselines. */
function inputPlaces(
  io: CliIo,
  config: Configuration | undefined,
  { profile }: ScanCommandOptions,
): InputPlace[] {
  const profileFile = profilePath(io, profile, config);
  return [
    ...(config === undefined ? [] : [{ path: config.path, what: 'the configuration of the run' }]),
    ...(profileFile === undefined ? [] : [{ path: profileFile, what: 'the profile of the run' }]),
  ];
}

/** The files of further rule packs, which are there and can be read. */
function rulePackPlaces(io: CliIo, folders: readonly string[]): InputPlace[] {
  return folders.flatMap((folder) => {
    const path = resolve(io.cwd, folder);
    return rulePackPaths(path).map((name) => ({ path: join(path, name), what: 'a part of the rule pack' }));
  });
}

/** Files a walk may meet that are no exports. */
function excludedFiles(
  config: Configuration | undefined,
  targets: readonly OutputTarget<string>[],
): string[] {
  const reports = targets.flatMap((target) => target.file ?? []);
  return config === undefined ? reports : [config.path, ...reports];
}

async function decodeInventory(
  config: Configuration,
  profile: Profile,
  checks: readonly string[],
  files: CollectedFiles,
  io: CliIo,
): Promise<Inventory> {
  // Exceptions and waivers may name hosts that only the exports know.
  const { hosts } = assignFilesToHosts(files.inputs, files.roots, undefined, { currentFolder: io.cwd });
  const roles = profile.roles.map((role) => role.id);
  const features = profile.features.map((feature) => feature.id);
  return decodeConfiguration(config, {
    roles,
    features,
    checks,
    hostNames: [...new Set(hosts.values())],
  });
}

/** Renders every report before the first is written, so that a failure leaves nothing half done. */
async function deliver(
  report: Report,
  targets: readonly OutputTarget<ReportFormat>[],
  others: readonly FileContent[],
  options: ScanCommandOptions,
  io: CliIo,
): Promise<void> {
  const rendered = targets.map(({ format, file }) => ({
    file,
    chunks: [REPORTERS[format](report, reportOptions(options, file, io))],
  }));
  writeFiles([
    ...rendered.flatMap(({ file, chunks }) => (file === undefined ? [] : [{ file, chunks }])),
    ...others,
  ]);
  for (const { file, chunks } of rendered) if (file === undefined) await writeStdout(io, chunks);
}

/** A file gets colours only on request, and never the width of a terminal it is not shown on. */
function reportOptions(options: ScanCommandOptions, file: string | undefined, io: CliIo): ReportOptions {
  return {
    color: file === undefined ? usesColor(options.color, io) : options.color === 'always',
    width: file === undefined ? outputWidth(io) : 100,
    minSeverity: options.minSeverity,
    showSuppressed: options.showSuppressed,
    sarifCategory: options.sarifCategory,
    sarifOmitSuppressed: options.sarifOmitSuppressed,
  };
}
