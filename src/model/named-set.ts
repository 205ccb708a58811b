import type { Interval, IpVersion } from '../net/index.ts';
import type { Origin } from './origin.ts';

/**
 * One dimension of an ipset or nft set element.
 *
 * ipset's `port` dimension is a pair of protocol and port (see `NamedSetElement`); `interface` compares names.
 */
export type SetDimension = 'address' | 'port' | 'mac' | 'interface' | 'mark' | 'set';

/** Value of one dimension in one element. */
export type SetValue =
  /** Addresses, marks, MACs: a closed interval. An ipset network element is the interval of its prefix. */
  | { readonly kind: 'interval'; readonly range: Interval }
  /**
   * A port element: `protocol` undefined means tcp and udp alike (`bitmap:port`). For ICMP and ICMPv6 the range
   * is over `type * 256 + code`. For protocols without ports the range is 0-0.
   */
  | { readonly kind: 'port'; readonly protocol: number | undefined; readonly range: Interval }
  | { readonly kind: 'interface'; readonly name: string; readonly prefix: boolean }
  /** Member of a `list:set`. */
  | { readonly kind: 'set'; readonly name: string };

/** One element of a named set. */
export interface NamedSetElement {
  readonly values: readonly SetValue[];
  /** A hole: packets whose most specific element this is do not match (unless `--return-nomatch`). */
  readonly nomatch: boolean;
  /** The element expires on its own: it may be gone. Makes membership through it a varying unknown. */
  readonly timeout: boolean;
  readonly origin: Origin;
}

/** An ipset, as `ipset save` prints it. */
export interface NamedSet {
  readonly name: string;
  /** Type as in the export: `hash:ip,port`, `bitmap:port`, `list:set`, … */
  readonly type: string;
  readonly dimensions: readonly SetDimension[];
  /** IP version of the address dimensions; `undefined` for sets without any and for lists. */
  readonly version: IpVersion | undefined;
  /** `netmask N` of hash:ip: packet addresses are masked to this prefix length before the lookup. */
  readonly netmask: number | undefined;
  readonly elements: readonly NamedSetElement[];
  /**
   * Contents are not fixed: elements time out by default, or some rule adds and deletes elements. Membership
   * beyond or within the printed elements is then a varying unknown.
   */
  readonly dynamic: boolean;
  readonly origin: Origin;
}
