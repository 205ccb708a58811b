import { copiedRuleSet } from './copied-rule-set.ts';
import { deadRule } from './dead-rule.ts';
import { expiredDeclaration, wideDeclaration } from './declaration.ts';
import { drift } from './drift.ts';
import { egress } from './egress.ts';
import type { Evaluator } from './evaluator.ts';
import { explicitRule } from './explicit-rule.ts';
import { exposure } from './exposure.ts';
import { furtherRequirement } from './further-requirement.ts';
import { hostNotJudged, missingIpVersion, opaqueMatch, unreadInput } from './input-state.ts';
import { ipv6Wider } from './ipv6-wider.ts';
import { neverHit } from './never-hit.ts';
import { plaintextPort } from './plaintext-port.ts';
import { rejecting } from './reject.ts';
import { requiredPath, returnPath } from './required-path.ts';
import { rangeMismatch, rangeTooSmall } from './service-range.ts';
import { trustedPeer } from './trusted-peer.ts';
import { undocumentedRule } from './undocumented.ts';
import { unusedChain } from './unused-chain.ts';
import { unusedException, unusedWaiver } from './unused-declaration.ts';
import { viaService } from './via-service.ts';

/** Every evaluator a check may name under `evaluate`. */
export const EVALUATORS: ReadonlyMap<string, Evaluator> = new Map([
  ['copied-rule-set', copiedRuleSet],
  ['dead-rule', deadRule],
  ['drift', drift],
  ['egress', egress],
  ['explicit-rule', explicitRule],
  ['expired-declaration', expiredDeclaration],
  ['exposure', exposure],
  ['further-requirement', furtherRequirement],
  ['host-not-judged', hostNotJudged],
  ['ip-version-not-exported', missingIpVersion],
  ['ipv6-wider-than-ipv4', ipv6Wider],
  ['never-hit-rule', neverHit],
  ['opaque-match', opaqueMatch],
  ['range-mismatch', rangeMismatch],
  ['range-too-small', rangeTooSmall],
  ['plaintext-port', plaintextPort],
  ['reject', rejecting],
  ['required-path', requiredPath],
  ['return-path', returnPath],
  ['trusted-peer', trustedPeer],
  ['undocumented-rule', undocumentedRule],
  ['unread-input', unreadInput],
  ['unused-chain', unusedChain],
  ['unused-exception', unusedException],
  ['unused-waiver', unusedWaiver],
  ['via-service', viaService],
  ['wide-declaration', wideDeclaration],
]);

export type { Evaluator, ReportContext, RunContext } from './evaluator.ts';
