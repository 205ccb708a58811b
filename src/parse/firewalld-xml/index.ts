/** Reads copies of `/etc/firewalld`, whole or in part, as firewalld itself makes rules of them. */
import { EMPTY_RULESET, type Origin, type ParseDiagnostic, type ParseResult } from '../../model/index.ts';
import { boundedDetail } from '../diagnostic-log.ts';
import type { FirewalldConfiguration, InterfaceBinding } from './configuration.ts';
import { type FirewalldFile, readFirewalldFiles } from './read-files.ts';
import { describeProblem, startOfFile } from './read-log.ts';
import { type Distribution, stockDefinitions } from './stock.ts';
import { translateFirewalld } from './translate.ts';
import { adviceFor, type MissingName, missingNameOf, missingNames } from './translate-doubt.ts';
import { validateConfiguration } from './validate.ts';

export type { FirewalldConfiguration, InterfaceBinding, StockDefinitions } from './configuration.ts';
export { type FirewalldFile, readFirewalldFiles } from './read-files.ts';
export { type Distribution, stockDefinitions } from './stock.ts';
export { type TranslatedFirewalld, type TranslateOptions, translateFirewalld } from './translate.ts';

/** What is known of a host beside its files. */
export interface FirewalldOptions {
  /** Whose package of firewalld the host has, where that is known. */
  readonly distribution?: Distribution;
  /** Zones of interfaces as the inventory declares them: see `TranslateOptions`. */
  readonly interfaces?: readonly InterfaceBinding[];
}

/**
 * Parses the firewalld files of one host: reads them, checks them as firewalld does, and translates what it would load. Files
 * are told apart by folder, name and content; NetworkManager's profiles and ifcfg files may be among them. No rules where none of
 * the files is firewalld's. Never throws.
 */
export function parseFirewalld(files: readonly FirewalldFile[], options: FirewalldOptions = {}): ParseResult {
  const read = readFirewalldFiles(files);
  const origin = placeOfStock(read, files);
  const stock = stockDefinitions(origin, zoneNames(read));
  const configuration = validateConfiguration(read, stock, options.interfaces);
  const problems = problemsOf(configuration, missingNames(configuration, stock));
  if (!holdsFirewalld(configuration)) return { ruleset: EMPTY_RULESET, diagnostics: problems.map(bounded) };
  const { tables, namedSets, diagnostics } = translateFirewalld(configuration, stock, {
    ...options,
    origin,
  });
  return {
    ruleset: { tables, namedSets },
    diagnostics: [...problems, ...diagnostics].map(bounded),
  };
}

function bounded(diagnostic: ParseDiagnostic): ParseDiagnostic {
  return { ...diagnostic, detail: boundedDetail(diagnostic.detail) };
}

/** Some file is one of firewalld's. NetworkManager's profiles alone do not show that firewalld runs. */
function holdsFirewalld(configuration: FirewalldConfiguration): boolean {
  const { settings, direct, zones, policies, services, ipsets, icmptypes, helpers } = configuration;
  return (
    settings !== undefined ||
    direct !== undefined ||
    [zones, policies, services, ipsets, icmptypes, helpers].some((list) => list.length > 0)
  );
}

/** Where definitions are said to stand that no file holds. */
function placeOfStock(configuration: FirewalldConfiguration, files: readonly FirewalldFile[]): Origin {
  return startOfFile(configuration.settings?.origin.file ?? files[0]?.path ?? '');
}

function zoneNames({ settings, bindings }: FirewalldConfiguration): readonly string[] {
  const named = settings?.values.get('defaultzone')?.value;
  return [...(named === undefined ? [] : [named]), ...bindings.map(({ zone }) => zone)];
}

/** A certain fatal problem is told by the translation too, loudly; here each has its place. */
function problemsOf(
  { problems }: FirewalldConfiguration,
  missing: ReadonlyMap<string, MissingName>,
): readonly ParseDiagnostic[] {
  return problems.map((problem) => {
    const name = missingNameOf(problem, missing);
    return {
      kind:
        name !== undefined
          ? 'unresolved-reference'
          : problem.uncertain === true
            ? 'unsupported'
            : problem.consequence === 'fatal'
              ? 'contradiction'
              : 'note',
      incomplete: problem.uncertain === true || problem.consequence === 'fatal',
      origin: problem.origin,
      detail: name === undefined ? describeProblem(problem) : `${problem.detail}: ${adviceFor(name)}`,
    };
  });
}
