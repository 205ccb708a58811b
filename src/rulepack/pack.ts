import { compareText } from '../finding/index.ts';
import { type CheckBinder, decodeCheck } from './check.ts';
import { Decoder, isMapping, type Locate, type Translate } from './decode.ts';
import { RulePackError, type RulePackProblem } from './problem.ts';
import { decodeProfile, profilesNeededBy } from './profile.ts';
import type { CheckDefinition, Profile, RulePack } from './rulepack.ts';

/** Version of the compiled form; it changes together with the code that reads it, in one build. */
export const COMPILED_VERSION = 1;

/** One file of a rule pack as plain data. The compiled rule pack is a list of these. */
export interface CompiledFile {
  readonly kind: 'profile' | 'check';
  readonly file: string;
  readonly data: unknown;
}

/** What the build writes: the YAML files of `rules/` as JSON, so that a scan need not load a YAML library. */
export interface CompiledRulePack {
  readonly version: typeof COMPILED_VERSION;
  readonly files: readonly CompiledFile[];
}

/** Finds positions in one file. */
export type LocateIn = (file: string) => Locate;

const NO_POSITIONS: LocateIn = () => () => null;

/**
 * The rule pack in a compiled form, checked as a hand-written one is.
 *
 * @throws RulePackError with every problem.
 */
export function rulePackFromJson(json: unknown): RulePack {
  const decoder = new Decoder('compiled rule pack', () => null);
  const map = decoder.mapping(json, [], { required: ['version', 'files'] });
  if (map.version !== COMPILED_VERSION) decoder.report(['version'], `expected ${COMPILED_VERSION}`);
  const files = decoder.list(map.files, ['files'], (value, path): CompiledFile => {
    const one = decoder.mapping(value, path, { required: ['kind', 'file', 'data'] });
    const kind = decoder.oneOf(one.kind, [...path, 'kind'], ['profile', 'check']);
    return { kind, file: decoder.text(one.file, [...path, 'file']), data: one.data };
  });
  if (decoder.problems.length > 0) throw new RulePackError(decoder.problems);
  const { pack, problems } = decodeFiles(files, NO_POSITIONS);
  if (problems.length > 0) throw new RulePackError(problems);
  return pack;
}

/**
 * Profiles and checks out of data, with everything that is wrong in them or between them. `known`: profiles of other packs,
 * which those of this one may extend.
 */
export function decodeFiles(
  files: readonly CompiledFile[],
  locateIn: LocateIn,
  known: readonly Profile[] = [],
  bind: CheckBinder = () => undefined,
): { readonly pack: RulePack; readonly problems: readonly RulePackProblem[] } {
  const problems: RulePackProblem[] = [];
  const read = <T>(file: CompiledFile, decode: (data: unknown, decoder: Decoder) => T): T => {
    const decoder = new Decoder(file.file, locateIn(file.file));
    const value = decode(file.data, decoder);
    problems.push(...decoder.problems);
    return value;
  };
  const ofProfiles = decodeProfiles(
    files.filter((file) => file.kind === 'profile'),
    locateIn,
    known,
  );
  const { profiles } = ofProfiles;
  problems.push(...ofProfiles.problems);
  const checks = files
    .filter((file) => file.kind === 'check')
    .map((file) =>
      read(file, (data, decoder) => {
        const check = decodeCheck(data, decoder);
        reportName(check.id, file.file, decoder);
        bind(check, decoder);
        return check;
      }),
    );
  problems.push(...repeatedIds(files, locateIn));
  return {
    pack: {
      profiles: profiles.sort((a, b) => compareText(a.id, b.id)),
      checks: checks.sort((a, b) => compareText(a.id, b.id)),
    },
    problems,
  };
}

/** Complains about a check whose file has another name: where a check is, its id tells. */
function reportName(id: string, file: string, decoder: Decoder): void {
  const name = file.replace(/^.*\//, '').replace(/\.ya?ml$/, '');
  if (id !== '' && name !== id)
    decoder.report(['id'], `the file of this check has to be called ${id}.yaml; or is its id "${name}"?`);
}

/** Profiles in an order in which each comes after those it extends or is compared with. */
function decodeProfiles(
  files: readonly CompiledFile[],
  locateIn: LocateIn,
  known: readonly Profile[],
): { readonly profiles: Profile[]; readonly problems: readonly RulePackProblem[] } {
  const done = new Map(known.map((profile) => [profile.id, profile]));
  const profiles: Profile[] = [];
  const problems: RulePackProblem[] = [];
  const idOf = ({ data }: CompiledFile) => (isMapping(data) ? data.id : undefined);
  const broken = new Set<unknown>();
  let waiting = [...files];
  while (waiting.length > 0) {
    const ready = waiting.filter((file) =>
      profilesNeededBy(file.data).every(
        (name) => done.has(name) || !waiting.some((other) => idOf(other) === name),
      ),
    );
    if (ready.length === 0) {
      for (const file of waiting) {
        const decoder = new Decoder(file.file, locateIn(file.file));
        const key = isMapping(file.data) && file.data.extends !== undefined ? 'extends' : 'compared-with';
        decoder.report([key], 'profiles that refer to each other in a circle have no beginning');
        problems.push(...decoder.problems);
      }
      break;
    }
    for (const file of ready) {
      // What is wrong in a base is said once, not again for everything that extends it.
      if (profilesNeededBy(file.data).some((name) => broken.has(name))) {
        broken.add(idOf(file));
        continue;
      }
      const outcome = decodeOneProfile(file.data, file.file, locateIn(file.file), done);
      problems.push(...outcome.problems);
      profiles.push(outcome.profile);
      if (outcome.problems.length > 0) broken.add(idOf(file));
      if (!done.has(outcome.profile.id)) done.set(outcome.profile.id, outcome.profile);
    }
    waiting = waiting.filter((file) => !ready.includes(file));
  }
  return { profiles, problems };
}

/** One profile out of data, with what is wrong in it, in the order of the text. */
export function decodeOneProfile(
  data: unknown,
  file: string,
  locate: Locate,
  known: ReadonlyMap<string, Profile>,
): { readonly profile: Profile; readonly problems: readonly RulePackProblem[] } {
  const decoders: Decoder[] = [];
  const make = (translate?: Translate): Decoder => {
    const decoder = new Decoder(file, locate, translate);
    decoders.push(decoder);
    return decoder;
  };
  const profile = decodeProfile(data, make, known);
  return { profile, problems: decoders.flatMap((decoder) => decoder.problems) };
}

/**
 * Several rule packs as one: the built-in one and those given with `--rules`. A later profile or check of the
 * same id is an error, not a replacement: a check that silently means something else is worse than none.
 *
 * @throws RulePackError naming every id that is there twice.
 */
export function combineRulePacks(packs: readonly RulePack[]): RulePack {
  const profiles = packs.flatMap((pack) => pack.profiles);
  const checks = packs.flatMap((pack) => pack.checks);
  const problems = [
    ...repeats(profiles.map((profile) => profile.id)).map((id) => ({
      file: 'rule packs',
      line: null,
      column: null,
      path: '',
      detail: `the profile "${id}" is there twice`,
    })),
    ...repeatedChecks(checks),
  ];
  if (problems.length > 0) throw new RulePackError(problems);
  return {
    profiles: profiles.sort((a, b) => compareText(a.id, b.id)),
    checks: checks.sort((a, b) => compareText(a.id, b.id)),
  };
}

/** Checks whose id an earlier one has, at the place of the later one. */
export function repeatedChecks(checks: readonly CheckDefinition[]): RulePackProblem[] {
  const first = new Map<string, CheckDefinition>();
  return checks.flatMap((check) => {
    const { id, source } = check;
    if (id === '') return [];
    const other = first.get(id);
    if (other === undefined) {
      first.set(id, check);
      return [];
    }
    const decoder = new Decoder(source.file, source.locate);
    decoder.report(['id'], `${other.source.file} has the check "${id}" already; give yours another id`);
    return decoder.problems;
  });
}

function repeats(ids: readonly string[]): string[] {
  return [...new Set(ids.filter((id, i) => ids.indexOf(id) < i))];
}

/** Files whose id another file of the same kind already has. */
function repeatedIds(files: readonly CompiledFile[], locateIn: LocateIn): RulePackProblem[] {
  const first = new Map<string, string>();
  const problems: RulePackProblem[] = [];
  for (const { kind, file, data } of files) {
    const id = isMapping(data) ? data.id : undefined;
    if (typeof id !== 'string') continue;
    const key = `${kind} ${id}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, file);
      continue;
    }
    const decoder = new Decoder(file, locateIn(file));
    decoder.report(['id'], `${other} has the ${kind} "${id}" already; give yours another id`);
    problems.push(...decoder.problems);
  }
  return problems;
}
