/**
 * The rule pack: profiles and checks as data. This entry does not load the YAML library; `parse.ts` does, for
 * the build and for rule packs given with `--rules`, and is imported only there.
 */
export type { CheckBinder } from './check.ts';
export * from './check-page.ts';
export {
  closestWord,
  Decoder,
  describe,
  formatPath,
  isMapping,
  type Locate,
  type Mapping,
  type Path,
  suggest,
} from './decode.ts';
export * from './message.ts';
export {
  COMPILED_VERSION,
  type CompiledFile,
  type CompiledRulePack,
  combineRulePacks,
  rulePackFromJson,
} from './pack.ts';
export { predicateLines } from './predicate-text.ts';
export * from './problem.ts';
export * from './profile-page.ts';
export * from './rulepack.ts';
