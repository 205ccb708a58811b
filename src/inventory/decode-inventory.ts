/** A configuration tree to an inventory: every key, every value, every reference (design.md, 4.1). */
import type { ConfigEntry, ConfigNode } from './config-node.ts';
import { nodeFromData } from './config-node.ts';
import { childPath, DecodeContext, type KeyHandler, unknownName } from './decode-context.ts';
import { decodeExceptions, decodeWaivers } from './decode-declarations.ts';
import { decodeHosts } from './decode-hosts.ts';
import { decodeRanges } from './decode-ranges.ts';
import {
  BUILT_IN_FEATURES,
  BUILT_IN_ROLES,
  type ConfigProblem,
  type DeclaredRange,
  type HostReference,
  type Inventory,
  type InventoryHost,
} from './inventory.ts';
import { KnownNames } from './known-names.ts';

/** What the decoder cannot know by itself. */
export interface InventoryOptions {
  /** Roles of the profile in use, besides the built-in ones. */
  readonly roles?: readonly string[];
  /** Features of the profile in use, besides the built-in ones. */
  readonly features?: readonly string[];
  /** Ids of the checks there are; absent: any id of the right shape is taken. */
  readonly checks?: readonly string[];
  /**
   * Names of hosts found in the exports (see `assignFilesToHosts`): exceptions and waivers may name these as
   * well as the hosts that the configuration declares.
   */
  readonly hostNames?: readonly string[];
}

/** An inventory, or problems; never both. */
export interface InventoryResult {
  readonly inventory?: Inventory;
  /** By line and column. Empty exactly when there is an inventory. */
  readonly problems: readonly ConfigProblem[];
}

/** Decodes plain data, such as the configuration inside an example of the rule pack. Everything stands at line 1. */
export function decodeInventoryData(
  data: unknown,
  file: string,
  options: InventoryOptions = {},
): InventoryResult {
  return decodeInventory(nodeFromData(data), file, options);
}

/** Decodes a tree. Collects every problem it can find; one wrong value does not hide another. */
export function decodeInventory(
  root: ConfigNode,
  file: string,
  options: InventoryOptions = {},
): InventoryResult {
  const context = new DecodeContext(file);
  const sections = new Map<string, ConfigNode>();
  const keys = ['profile', 'admin_networks', 'role_networks', 'features', 'hosts', 'exceptions', 'waivers'];
  const collect =
    (key: string): KeyHandler =>
    (value) =>
      sections.set(key, value);
  const handlers = new Map(keys.map((key) => [key, collect(key)]));
  context.decodeKeys(
    context.entriesOf(root, '$', 'a mapping with keys such as hosts'),
    '$',
    'at the top',
    handlers,
  );

  // Hosts first, whatever the order in the file: the other sections refer to them.
  const roles = [...new Set([...BUILT_IN_ROLES, ...(options.roles ?? [])])];
  const hosts = decodeHosts(context, sections.get('hosts'), roles);
  const known = new KnownNames(hosts, options.hostNames ?? [], roles);
  checkReferences(context, hosts, known);
  const profile = decodeProfile(context, sections.get('profile'));
  const inventory: Inventory = {
    file,
    ...(profile !== undefined && { profile }),
    features: decodeFeatures(context, sections.get('features'), [
      ...new Set([...BUILT_IN_FEATURES, ...(options.features ?? [])]),
    ]),
    adminNetworks: decodeRanges(context, sections.get('admin_networks'), '$.admin_networks'),
    roleNetworks: decodeRoleNetworks(context, sections.get('role_networks'), roles),
    hosts: hosts.map((host) => withCanonicalReferences(host, known)),
    exceptions: decodeExceptions(context, sections.get('exceptions'), known),
    waivers: decodeWaivers(context, sections.get('waivers'), known, options.checks),
  };
  const { problems } = context;
  return problems.length === 0 ? { inventory, problems } : { problems };
}

function decodeProfile(context: DecodeContext, node: ConfigNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  return context.textOf(node, '$.profile', 'guide, vendor, or the path of a profile');
}

function decodeFeatures(
  context: DecodeContext,
  node: ConfigNode | undefined,
  known: readonly string[],
): readonly string[] {
  const found = new Set<string>();
  for (const { node: item, path } of node === undefined ? [] : context.itemsOf(node, '$.features')) {
    const feature = context.textOf(item, path, `a feature such as ${known.slice(0, 2).join(' or ')}`);
    if (feature === undefined) continue;
    if (!known.includes(feature))
      context.report(item.span, path, () => unknownName('feature', feature, known, 'in features'));
    found.add(feature);
  }
  return [...found];
}

function decodeRoleNetworks(
  context: DecodeContext,
  node: ConfigNode | undefined,
  roles: readonly string[],
): ReadonlyMap<string, readonly DeclaredRange[]> {
  const path = '$.role_networks';
  const networks = new Map<string, readonly DeclaredRange[]>();
  const entries: readonly ConfigEntry[] =
    node === undefined ? [] : context.entriesOf(node, path, 'a mapping from roles to networks');
  for (const { key, keySpan, value } of entries) {
    const at = childPath(path, key);
    if (!roles.includes(key))
      context.report(keySpan, at, () => unknownName('role', key, roles, 'in role_networks'));
    networks.set(key, decodeRanges(context, value, at));
  }
  return networks;
}

function checkReferences(context: DecodeContext, hosts: readonly InventoryHost[], known: KnownNames): void {
  for (const host of hosts) {
    for (const { pattern, origin } of [...(host.storageNodes ?? []), ...(host.behind ?? [])]) {
      if (known.findHost(pattern) !== undefined) continue;
      context.report(origin, origin.path ?? '$', () => known.unknownHost(pattern));
    }
  }
}

function withCanonicalReferences(host: InventoryHost, known: KnownNames): InventoryHost {
  const canonical = ({ pattern, origin }: HostReference): HostReference => ({
    pattern: known.findHost(pattern) ?? pattern,
    origin,
  });
  const { storageNodes, behind } = host;
  return {
    ...host,
    ...(storageNodes !== undefined && { storageNodes: storageNodes.map(canonical) }),
    ...(behind !== undefined && { behind: behind.map(canonical) }),
  };
}
