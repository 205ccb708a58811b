/**
 * The order of zones where packets leave or are forwarded, under `FirewallBackend=iptables` and with MAC addresses as sources. iptables
 * cannot ask for them there, and firewalld, which counts them all the same, puts the rules behind them further down. Seen: 1.3.3.
 */
import type { IpVersion } from '../../net/index.ts';

/** A binding of a zone, as far as the order depends on it. */
export interface Placed {
  readonly kind: 'source' | 'interface';
  readonly isMac: boolean;
  /** IP version that a source is made for; `undefined`: both. */
  readonly version: IpVersion | undefined;
}

/** Bindings in the order in which iptables asks for them. */
export interface Order<T> {
  readonly bindings: readonly T[];
  /** iptables refuses the first of these, because its place is behind the end of the chain. */
  readonly refused: T | undefined;
}

/**
 * The order for one IP version. `zones`: bindings by zone, sorted by name, interfaces before sources; `late`: interfaces that are bound
 * when firewalld runs already.
 */
export function orderWithoutMacs<T extends Placed>(
  zones: readonly (readonly T[])[],
  late: readonly T[],
  version: IpVersion,
): Order<T> {
  const bindings: T[] = [];
  let counted = 0;
  let refused: T | undefined;
  for (const binding of [...zones.flat(), ...late]) {
    if (binding.version !== undefined && binding.version !== version) continue;
    if (!binding.isMac) {
      if (counted > bindings.length) refused ??= binding;
      bindings.splice(counted, 0, binding);
    }
    if (binding.kind === 'source') counted++;
  }
  return { bindings, refused };
}
