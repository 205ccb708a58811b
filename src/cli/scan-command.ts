import { readFile, realpath, stat } from 'node:fs/promises';
import { baselineEntries, encodeBaseline, type Severity } from '../finding/index.ts';
import { assignFilesToHosts, type Inventory } from '../inventory/index.ts';
import { decodeText, detectFormat } from '../parse/index.ts';
import { REPORT_FORMATS, REPORTERS, type ReportFormat, type ReportOptions } from '../report/index.ts';
import type { Profile } from '../rulepack/index.ts';
import { type Report, scan } from '../scan.ts';
import { baselineFile, protectFromBaseline, readBaseline } from './baseline-file.ts';
import { type ColorChoice, outputWidth, usesColor } from './color.ts';
import { type Configuration, decodeConfiguration, findConfiguration } from './configuration.ts';
import { UsageError } from './exit-error.ts';
import { type CollectedFiles, collectFiles } from './files.ts';
import type { CliIo } from './io.ts';
import { type FileContent, type OutputTarget, planOutput, writeFiles, writeStdout } from './output.ts';
import { Progress } from './progress.ts';
import { chooseChecks, loadProfile, loadRulePack, requireRoles } from './rule-pack.ts';
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
  await protectInputs(targets, config);
  const known = baselineFile(io, options.baseline);
  const recordIn = baselineFile(io, options.writeBaseline);
  for (const { file } of targets)
    for (const one of [known, recordIn])
      if (file !== undefined && one !== undefined && (await isSamePlace(file, one.path)))
        throw new UsageError(`--output ${file}: this is the baseline of the run`);
  if (config !== undefined && recordIn !== undefined && (await isSamePlace(recordIn.path, config.path)))
    throw new UsageError(`--write-baseline ${recordIn.printed}: this is the configuration of the run`);
  const baseline = known && readBaseline(known);
  if (recordIn !== undefined) protectFromBaseline(recordIn);
  const pack = await loadRulePack(io, options.rules, options.profile, config);
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

/**
 * Refuses to write a report over an export or the configuration. An earlier report may be replaced.
 *
 * @throws UsageError when a target is such a file.
 */
async function protectInputs(
  targets: readonly OutputTarget<string>[],
  config: Configuration | undefined,
): Promise<void> {
  for (const { file } of targets) {
    if (file === undefined) continue;
    if (config !== undefined && (await isSamePlace(file, config.path)))
      throw new UsageError(`--output ${file}: this is the configuration of the run`);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) continue;
    const text = decodeText(await readFile(file).catch(() => new Uint8Array())).text;
    if (text === '' || text.startsWith('nwaudit ')) continue;
    if (detectFormat(text, file).kind === 'export') {
      throw new UsageError(`--output ${file}: this file is an export; the report would replace it`);
    }
  }
}

/** Whether two paths lead to one file, through links or not. */
async function isSamePlace(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  const places = await Promise.all([one, other].map((path) => realpath(path).catch(() => undefined)));
  return places[0] !== undefined && places[0] === places[1];
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
