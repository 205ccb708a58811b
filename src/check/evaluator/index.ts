import { deadRule } from './dead-rule.ts';
import { expiredDeclaration, wideDeclaration } from './declaration.ts';
import type { Evaluator } from './evaluator.ts';
import { exposure } from './exposure.ts';
import { hostNotJudged, missingIpVersion, opaqueMatch, unreadInput } from './input-state.ts';
import { ipv6Wider } from './ipv6-wider.ts';
import { requiredPath, returnPath } from './required-path.ts';

/** Every evaluator a check may name under `evaluate`. */
export const EVALUATORS: ReadonlyMap<string, Evaluator> = new Map([
  ['dead-rule', deadRule],
  ['expired-declaration', expiredDeclaration],
  ['exposure', exposure],
  ['host-not-judged', hostNotJudged],
  ['ip-version-not-exported', missingIpVersion],
  ['ipv6-wider-than-ipv4', ipv6Wider],
  ['opaque-match', opaqueMatch],
  ['required-path', requiredPath],
  ['return-path', returnPath],
  ['unread-input', unreadInput],
  ['wide-declaration', wideDeclaration],
]);

export type { Evaluator, RunContext } from './evaluator.ts';
