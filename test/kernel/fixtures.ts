import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AimOptions } from './packets.ts';
import type { KernelRules } from './run-kernel-case.ts';
import { parsePackets, type TracePacket } from './trace-packet.ts';

/** A hand-written rule set of `fixtures/kernel`, one folder each. */
export interface KernelFixture {
  readonly name: string;
  readonly rules: KernelRules;
  readonly options: AimOptions;
  /** Packets written by hand (`packets.jsonl`), sent besides the aimed ones. */
  readonly packets: readonly TracePacket[];
}

const ROOT = fileURLToPath(new URL('../../fixtures/kernel/', import.meta.url));

/**
 * The rule sets below `fixtures/kernel/<kind>`, by name.
 *
 * A folder holds `ip.rules`, `ip6.rules`, `sets.ipset`, `more.nft`, `packets.jsonl` and `options.json` (the fields
 * of `AimOptions`, and `"legacy": true` to load with the legacy tools); none of them is required.
 */
export function readFixtures(kind: string): KernelFixture[] {
  const folder = join(ROOT, kind);
  return readdirSync(folder)
    .sort()
    .map((name) => readFixture(join(folder, name), name));
}

function readFixture(folder: string, name: string): KernelFixture {
  const read = (file: string): string | undefined => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  };
  // The file is ours; an option that does not exist has no effect and shows in review.
  const { legacy, ...options } = JSON.parse(read('options.json') ?? '{}') as AimOptions & {
    legacy?: boolean;
  };
  const iptables = read('ip.rules');
  const ip6tables = read('ip6.rules');
  const ipset = read('sets.ipset');
  const nft = read('more.nft');
  const rules: KernelRules = {
    ...(iptables === undefined ? {} : { iptables }),
    ...(ip6tables === undefined ? {} : { ip6tables }),
    ...(ipset === undefined ? {} : { ipset }),
    ...(nft === undefined ? {} : { nft }),
    ...(legacy === undefined ? {} : { legacy }),
  };
  return { name, rules, options, packets: parsePackets(read('packets.jsonl') ?? '') };
}
