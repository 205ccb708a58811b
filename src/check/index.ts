/** The checks: predicates on packet sets, and the runner that makes findings of them. */
export { auditHost, type HostAudit } from './audit-host.ts';
export { FACTS_OF_DATA_CHECKS, type FactOfDataCheck, foreignRoles } from './data-check.ts';
export { EVALUATORS, type RunContext } from './evaluator/index.ts';
export { HostContext, type HostInput, type NotRunCheck } from './host-context.ts';
export { createEstate, type Estate } from './peers.ts';
export { PACKET_OPTION_KEYS, PEER_OPTION_KEYS, PREDICATES, type Predicate } from './predicate/index.ts';
export { bindCheck, CheckBindingError, checkReport, checkRun, type HostOutcome } from './runner.ts';
