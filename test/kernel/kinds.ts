import type { KernelKind } from './kernel-kind.ts';
import { FIREWALLD } from './kind-firewalld.ts';
import { IP6TABLES, IPTABLES } from './kind-iptables.ts';
import { NFT } from './kind-nft.ts';

/** A kind to those who only hand its cases from one of its functions to the next. */
function forgetCase<Case>(kind: KernelKind<Case>): KernelKind {
  // A kind is given no other cases than its own.
  return kind as unknown as KernelKind;
}

/** Every kind of rule sets that is compared with the kernel, in the order in which `all` runs them. */
export const KINDS: readonly KernelKind[] = [
  forgetCase(IPTABLES),
  forgetCase(IP6TABLES),
  forgetCase(NFT),
  forgetCase(FIREWALLD),
];

/** The kind of a name. */
export function findKind(name: string): KernelKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
