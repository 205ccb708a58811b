import { ICMP, ICMPV6 } from '../src/net/index.ts';
import type { RulesetDifference } from '../src/semantics/index.ts';

/**
 * Whether a difference hangs only on what nft does not print (src/parse/nft-json/hidden-version.ts): `meta l4proto icmp` is printed alike
 * whether or not the rule is for IPv4 only, and the format compared with tells which. So for ICMPv6 in IPv4.
 */
export function hangsOnHiddenVersion(difference: RulesetDifference): boolean {
  const { certainty, version, unknowns, witness } = difference;
  const [protocol, name] = version === 6 ? [ICMP, 'icmp'] : [ICMPV6, 'ipv6-icmp'];
  const reason = `"meta l4proto ${name}" is meant for IPv${version}`;
  return certainty === 'possible' && witness.protocol === protocol && unknowns.join() === reason;
}
