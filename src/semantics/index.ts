/** Chain traversal over packet sets: how rules, chains, hooks, tables and NAT compose. */

export { answerPacket, type SetAnswer } from './answer-packet.ts';
export { matters } from './chain-index.ts';
export type { ChainSummary, ChainTrouble, LocalDecision, RuleVisit } from './chain-traversal.ts';
export {
  type CompareOptions,
  compareRulesets,
  type DifferenceKind,
  type RulesetComparison,
  type RulesetDifference,
} from './compare-rulesets.ts';
export { MOST_ENVIRONMENTS } from './condense.ts';
export { allConditionsSet, conditionSet } from './condition-set.ts';
export { deliveredImage, deliveredPreimage } from './delivered.ts';
export { type DifferenceRegion, MOST_RANGES } from './difference-region.ts';
export { Environment } from './environment.ts';
export { tooLarge } from './host-size.ts';
export {
  DEFAULT_MOST_UNKNOWNS,
  HostSpace,
  MOST_VISITS,
  type SharedSpace,
  sharedSpace,
} from './host-space.ts';
export {
  analysePath,
  type BaseChainRun,
  type Decision,
  decisionsOf,
  type EnteredChain,
  enteredChains,
  type PathAnalysis,
} from './packet-path.ts';
export { fieldBits, inCtState, type Place } from './place.ts';
export { packetsOf, type State } from './state.ts';
export { visitConditions } from './visit-conditions.ts';
