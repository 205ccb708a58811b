/** The plain evaluator: what happens to one packet, found by walking it through the chains. */
export { type Evaluation, evaluatePacket, MAX_STATES, MAX_STEPS } from './evaluate-packet.ts';
export { type PreparedRuleset, prepareRuleset } from './prepare.ts';
export { MAX_JUMP_DEPTH } from './walk.ts';
