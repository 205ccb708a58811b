/** The checks: predicates on packet sets, and the runner that makes findings of them. */

export { auditHost, type HostAudit } from './audit-host.ts';
export { EVALUATORS, type RunContext } from './evaluator/index.ts';
export { HostContext, type HostInput, type NotRunCheck } from './host-context.ts';
export { createEstate, type Estate } from './peers.ts';

export { CheckBindingError, checkRun, type HostOutcome } from './runner.ts';
