/**
 * The rule pack: profiles and checks as data. This entry does not load the YAML library; `parse.ts` does, for
 * the build and for rule packs given with `--rules`, and is imported only there.
 */
export * from './check-page.ts';
export * from './message.ts';
export {
  COMPILED_VERSION,
  type CompiledFile,
  type CompiledRulePack,
  combineRulePacks,
  rulePackFromJson,
} from './pack.ts';
export * from './problem.ts';
export * from './rulepack.ts';
