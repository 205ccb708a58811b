/** The section `hosts:` of `nwaudit.yaml`. */
import { formatAddressInterval, type Interval, type IpVersion, normalizeIntervals } from '../net/index.ts';
import type { ConfigNode, Span } from './config-node.ts';
import { parsePortRanges, quote } from './config-value.ts';
import { childPath, type DecodeContext, type KeyHandler, unknownName } from './decode-context.ts';
import { decodeRanges } from './decode-ranges.ts';
import { isHostPattern } from './host-name.ts';
import type { DeclaredRange, ExportPattern, HostReference, InventoryHost } from './inventory.ts';

/** All entries in the order written. Two entries for one name, and addresses that two hosts share, are problems. */
export function decodeHosts(
  context: DecodeContext,
  node: ConfigNode | undefined,
  roles: readonly string[],
): InventoryHost[] {
  if (node === undefined) return [];
  const hosts: InventoryHost[] = [];
  const firstLine = new Map<string, number>();
  for (const { key, keySpan, value } of context.entriesOf(
    node,
    '$.hosts',
    'a mapping from host names to their facts',
  )) {
    const path = childPath('$.hosts', key);
    if (key.trim() === '' || key !== key.trim()) {
      context.report(
        keySpan,
        path,
        `${quote(key)} is not a host name: white space around it, or nothing in it`,
      );
      continue;
    }
    const before = firstLine.get(key.toLowerCase());
    if (before !== undefined) {
      context.report(
        keySpan,
        path,
        `${quote(key)} names the same host as line ${before}: names compare without case`,
      );
    }
    firstLine.set(key.toLowerCase(), keySpan.line);
    hosts.push(decodeHost(context, key, keySpan, value, path, roles));
  }
  checkOverlaps(context, hosts);
  return hosts;
}

type Draft = { -readonly [K in keyof InventoryHost]: InventoryHost[K] };

function decodeHost(
  context: DecodeContext,
  name: string,
  keySpan: Span,
  node: ConfigNode,
  path: string,
  roles: readonly string[],
): InventoryHost {
  const host: Draft = {
    name,
    isPattern: isHostPattern(name),
    roles: [],
    addresses: [],
    exports: [],
    interfaces: new Map(),
    origin: context.origin(keySpan, path),
  };
  const entries = context.entriesOf(node, path, 'a mapping with keys such as role and addresses');
  context.decodeKeys(entries, path, 'in a host', hostHandlers(context, host, roles));
  const has = (key: string) => entries.find((entry) => entry.key === key);
  const both = has('roles');
  if (has('role') !== undefined && both !== undefined) {
    context.report(
      both.keySpan,
      childPath(path, 'roles'),
      'a host has either role or roles: move all into roles',
    );
  }
  if (host.isPattern) refuseForPattern(context, host, path, [has('addresses'), has('exports')]);
  return host;
}

function refuseForPattern(
  context: DecodeContext,
  host: InventoryHost,
  path: string,
  entries: readonly ({ readonly key: string; readonly keySpan: Span } | undefined)[],
): void {
  for (const entry of entries) {
    if (entry === undefined) continue;
    const instead =
      entry.key === 'addresses'
        ? 'list the hosts one by one, or use role_networks'
        : 'list the hosts one by one';
    const message = `${entry.key} of the pattern ${quote(host.name)} would belong to every host that fits it: ${instead}`;
    context.report(entry.keySpan, childPath(path, entry.key), message);
  }
}

function hostHandlers(
  context: DecodeContext,
  host: Draft,
  roles: readonly string[],
): ReadonlyMap<string, KeyHandler> {
  return new Map<string, KeyHandler>([
    [
      'role',
      (node, path) => {
        if (node.kind === 'list')
          context.report(node.span, path, 'role takes one role; use roles for several');
        else host.roles = decodeRoles(context, [{ node, path }], roles);
      },
    ],
    ['roles', (node, path) => (host.roles = decodeRoles(context, context.itemsOf(node, path), roles))],
    ['addresses', (node, path) => (host.addresses = decodeRanges(context, node, path))],
    [
      'service_ports',
      (node, path) => {
        const ports = decodePorts(context, node, path, 1);
        if (ports !== undefined) host.servicePorts = ports;
      },
    ],
    [
      'connection_ports',
      (node, path) => {
        // nsrports prints 0-0 where the connection range is not restricted.
        const unrestricted = node.kind === 'text' && /^\s*0\s*-\s*0\s*$/.test(node.text);
        const ports = unrestricted ? undefined : decodePorts(context, node, path, 1);
        if (ports !== undefined) host.connectionPorts = ports;
      },
    ],
    [
      'devices',
      (node, path) => {
        const expected = 'a number of devices from 0 to 9999';
        const text = context.textOrNumberOf(node, path, expected);
        if (text === undefined) return;
        if (/^\d{1,4}$/.test(text.trim())) host.devices = Number(text);
        else context.report(node.span, path, `expected ${expected}, found ${quote(text)}`);
      },
    ],
    ['exports', (node, path) => (host.exports = decodeExports(context, node, path))],
    ['interfaces', (node, path) => (host.interfaces = decodeInterfaces(context, node, path))],
    [
      'distribution',
      (node, path) => {
        const text = context.textOf(node, path, DISTRIBUTION_TEXT);
        if (text === 'rhel' || text === 'upstream') host.distribution = text;
        else if (text !== undefined)
          context.report(node.span, path, `expected ${DISTRIBUTION_TEXT}, found ${quote(text)}`);
      },
    ],
    [
      'datazone',
      (node, path) => {
        const datazone = context.textOf(node, path, 'the name of a datazone');
        if (datazone !== undefined) host.datazone = datazone;
      },
    ],
    ['storage_nodes', (node, path) => (host.storageNodes = decodeReferences(context, node, path))],
    ['behind', (node, path) => (host.behind = decodeReferences(context, node, path))],
  ]);
}

const DISTRIBUTION_TEXT = 'rhel (Red Hat and its relatives) or upstream (Debian, SUSE, Fedora and others)';

function decodeRoles(
  context: DecodeContext,
  items: readonly { readonly node: ConfigNode; readonly path: string }[],
  roles: readonly string[],
): string[] {
  const found = new Set<string>();
  for (const { node, path } of items) {
    const role = context.textOf(node, path, `a role such as ${roles.slice(0, 3).join(', ')}`);
    if (role === undefined) continue;
    if (!roles.includes(role))
      context.report(node.span, path, () => unknownName('role', role, roles, 'of a host'));
    found.add(role);
  }
  return [...found];
}

function decodePorts(
  context: DecodeContext,
  node: ConfigNode,
  path: string,
  min: number,
): Interval[] | undefined {
  const ranges: Interval[] = [];
  const expected = 'a port or a range of ports such as 7937-7954';
  const items = context.itemsOf(node, path);
  if (items.length === 0) context.reportType(node, path, expected);
  for (const item of items) {
    const text = context.textOrNumberOf(item.node, item.path, expected);
    if (text === undefined) continue;
    ranges.push(...(context.accept(parsePortRanges(text, min), item.node.span, item.path) ?? []));
  }
  return ranges.length === 0 ? undefined : normalizeIntervals(ranges);
}

function decodeExports(context: DecodeContext, node: ConfigNode, path: string): ExportPattern[] {
  const patterns: ExportPattern[] = [];
  for (const item of context.itemsOf(node, path)) {
    const pattern = context.textOf(
      item.node,
      item.path,
      'a path or pattern such as sn-01/ or exports/sn-01*',
    );
    if (pattern === undefined) continue;
    if (pattern.includes('\\')) {
      context.report(
        item.node.span,
        item.path,
        `${quote(pattern)} has a backslash: paths are written with /`,
      );
    } else patterns.push({ pattern, origin: context.origin(item.node.span, item.path) });
  }
  return patterns;
}

function decodeInterfaces(
  context: DecodeContext,
  node: ConfigNode,
  path: string,
): ReadonlyMap<string, string> {
  const zones = new Map<string, string>();
  for (const { key, value } of context.entriesOf(
    node,
    path,
    'a mapping from interfaces to firewalld zones',
  )) {
    const zone = context.textOf(value, childPath(path, key), 'the name of a firewalld zone');
    if (zone !== undefined) zones.set(key, zone);
  }
  return zones;
}

function decodeReferences(context: DecodeContext, node: ConfigNode, path: string): HostReference[] {
  const references: HostReference[] = [];
  for (const item of context.itemsOf(node, path)) {
    const pattern = context.textOf(item.node, item.path, 'the name of a host');
    if (pattern !== undefined)
      references.push({ pattern, origin: context.origin(item.node.span, item.path) });
  }
  return references;
}

/** Reports addresses that two hosts claim, each at the later of the two places. */
function checkOverlaps(context: DecodeContext, hosts: readonly InventoryHost[]): void {
  for (const version of [4, 6] as const) {
    const claims = claimsOf(hosts, version).sort((a, b) =>
      compareBigints(a.range.range.lo, b.range.range.lo),
    );
    // The claim that reaches furthest so far, and the one of any other host that does: a sweep over sorted ranges.
    let furthest: Claim | undefined;
    let furthestOther: Claim | undefined;
    for (const claim of claims) {
      const rival = furthest?.host === claim.host ? furthestOther : furthest;
      if (rival !== undefined && rival.range.range.hi >= claim.range.range.lo)
        reportOverlap(context, rival, claim);
      if (furthest === undefined || claim.range.range.hi > furthest.range.range.hi) {
        if (furthest !== undefined && furthest.host !== claim.host) furthestOther = furthest;
        furthest = claim;
      } else if (
        furthest.host !== claim.host &&
        (furthestOther?.range.range.hi ?? -1n) < claim.range.range.hi
      ) {
        furthestOther = claim;
      }
    }
  }
}

interface Claim {
  readonly host: InventoryHost;
  readonly range: DeclaredRange;
}

function claimsOf(hosts: readonly InventoryHost[], version: IpVersion): Claim[] {
  return hosts.flatMap((host) =>
    host.addresses.filter((range) => range.version === version).map((range) => ({ host, range })),
  );
}

function reportOverlap(context: DecodeContext, a: Claim, b: Claim): void {
  const [first, second] = isBefore(a.range.origin, b.range.origin) ? [a, b] : [b, a];
  const shown = formatAddressInterval(second.range.version, second.range.range);
  const message = `${shown} overlaps the addresses of ${quote(first.host.name)} in line ${first.range.origin.line}`;
  context.report(second.range.origin, second.range.origin.path ?? '$', message);
}

function isBefore(a: Span, b: Span): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}

function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
