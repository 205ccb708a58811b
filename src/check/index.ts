/** The checks: predicates on packet sets, and the runner that makes findings of them. */
export { EVALUATORS, type RunContext } from './evaluator/index.ts';
export { HostContext, type HostInput } from './host-context.ts';
export { createEstate, type Estate } from './peers.ts';
export { CheckBindingError, checkHost, checkRun, type HostOutcome } from './runner.ts';
