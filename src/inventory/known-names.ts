import { findClosestName } from './closest-name.ts';
import { quote } from './config-value.ts';
import { HostNameIndex, isHostPattern, matchesHostPattern } from './host-name.ts';
import type { InventoryHost } from './inventory.ts';

/** The hosts and roles that a declaration may refer to. */
export class KnownNames {
  readonly roles: readonly string[];
  readonly #declared: HostNameIndex;
  readonly #found: HostNameIndex;
  readonly #names: readonly string[];
  readonly #patterns: readonly string[];

  /** `found`: names of hosts in the exports, which need no entry to be referred to. */
  constructor(hosts: readonly InventoryHost[], found: readonly string[], roles: readonly string[]) {
    const declared = hosts.filter((host) => !host.isPattern).map((host) => host.name);
    this.roles = roles;
    this.#declared = new HostNameIndex(declared);
    this.#found = new HostNameIndex(found);
    this.#names = [...declared, ...found];
    this.#patterns = hosts.filter((host) => host.isPattern).map((host) => host.name);
  }

  /**
   * The spelling under which the audit knows the host that `text` refers to; the text itself for a pattern that
   * some host fits, and for a name that fits a declared pattern. `undefined` when there is no such host.
   */
  findHost(text: string): string | undefined {
    if (isHostPattern(text)) {
      const fits =
        this.#patterns.includes(text) || this.#names.some((name) => matchesHostPattern(text, name));
      return fits ? text : undefined;
    }
    const name = this.#declared.find(text) ?? this.#found.find(text);
    if (name !== undefined) return name;
    return this.#patterns.some((pattern) => matchesHostPattern(pattern, text)) ? text : undefined;
  }

  /** Whether the text is the name of a host that is declared or found, not merely one that a pattern would fit. */
  hasName(text: string): boolean {
    return this.#declared.find(text) !== undefined || this.#found.find(text) !== undefined;
  }

  /** The sentence for a reference that leads nowhere. */
  unknownHost(text: string): string {
    if (isHostPattern(text)) return `no host fits the pattern ${quote(text)}`;
    const closest = findClosestName(text, this.#names);
    const hint = closest !== undefined ? `did you mean ${quote(closest)}?` : 'declare it under hosts';
    return `unknown host ${quote(text)}; ${hint}`;
  }

  /** The sentence for an end of an exception that is nothing known. */
  unknownEndpoint(text: string): string {
    if (isHostPattern(text)) return `no host fits the pattern ${quote(text)}`;
    const closest = findClosestName(text, [...this.#names, ...this.roles]);
    const hint = closest !== undefined ? `did you mean ${quote(closest)}?` : 'declare it under hosts';
    return `${quote(text)} is neither a host, a pattern over hosts, a role, an address, a prefix nor a range; ${hint}`;
  }
}
