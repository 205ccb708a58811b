/** The sections `exceptions:` and `waivers:` of `nwaudit.yaml`. */
import type { ConfigNode, Span } from './config-node.ts';
import {
  normalizePortSelectors,
  type Parsed,
  parseAddressRange,
  parseDate,
  parsePortSelector,
  quote,
} from './config-value.ts';
import { type DecodeContext, type KeyHandler, unknownName } from './decode-context.ts';
import { isHostPattern } from './host-name.ts';
import type { AccessException, Endpoint, PortSelector, Waiver } from './inventory.ts';
import type { KnownNames } from './known-names.ts';

type Draft<T> = { -readonly [K in keyof T]?: T[K] };

/** Exceptions in the order written. Two with one id are a problem. */
export function decodeExceptions(
  context: DecodeContext,
  node: ConfigNode | undefined,
  known: KnownNames,
): AccessException[] {
  const exceptions: AccessException[] = [];
  const lineOfId = new Map<string, number>();
  for (const item of itemsOfSection(context, node, '$.exceptions', 'a list of exceptions')) {
    const draft: Draft<AccessException> = {};
    const handlers = exceptionHandlers(context, draft, known, lineOfId);
    if (!decodeItem(context, item, 'in an exception', handlers, ['to', 'from', 'ports', 'reason', 'expires']))
      continue;
    exceptions.push({
      id: draft.id ?? `exception-${item.number}`,
      to: draft.to ?? [],
      from: draft.from ?? [],
      ports: draft.ports ?? [],
      reason: draft.reason ?? '',
      owner: draft.owner ?? '',
      expires: draft.expires ?? '',
      origin: context.origin(item.node.span, item.path),
    });
  }
  return exceptions;
}

function exceptionHandlers(
  context: DecodeContext,
  draft: Draft<AccessException>,
  known: KnownNames,
  lineOfId: Map<string, number>,
): ReadonlyMap<string, KeyHandler> {
  const setId: KeyHandler = (node, path) => {
    const id = context.textOf(node, path, 'a name for the exception');
    if (id === undefined) return;
    const before = lineOfId.get(id);
    if (before !== undefined)
      context.report(node.span, path, `the id ${quote(id)} is used already, in line ${before}`);
    else lineOfId.set(id, node.span.line);
    draft.id = id;
  };
  return new Map<string, KeyHandler>([
    ['id', setId],
    ['to', (node, path) => (draft.to = decodeEndpoints(context, node, path, known))],
    ['from', (node, path) => (draft.from = decodeEndpoints(context, node, path, known))],
    ['ports', (node, path) => (draft.ports = decodeSelectors(context, node, path))],
    ...justificationHandlers(context, draft),
  ]);
}

/** Waivers in the order written. */
export function decodeWaivers(
  context: DecodeContext,
  node: ConfigNode | undefined,
  known: KnownNames,
  checks: readonly string[] | undefined,
): Waiver[] {
  const waivers: Waiver[] = [];
  for (const item of itemsOfSection(context, node, '$.waivers', 'a list of waivers')) {
    const draft: Draft<Waiver> = {};
    const handlers = waiverHandlers(context, draft, known, checks);
    if (!decodeItem(context, item, 'in a waiver', handlers, ['check', 'reason', 'expires'])) continue;
    const namesOneHost = draft.host !== undefined && !isHostPattern(draft.host);
    if (draft.check === 'unread-input' && !namesOneHost) {
      const message = 'input that was not read may hide anything: a waiver of unread-input names one host';
      context.report(item.node.span, item.path, message);
    }
    if (draft.check === 'too-wide-declaration' && draft.fingerprint === undefined && !namesOneHost) {
      const message =
        'what hides too much is not hidden as a whole: a waiver of too-wide-declaration names its finding by fingerprint, or one host';
      context.report(item.node.span, item.path, message);
    }
    waivers.push({
      check: draft.check ?? '',
      ...(draft.host !== undefined && { host: draft.host }),
      ...(draft.fingerprint !== undefined && { fingerprint: draft.fingerprint }),
      reason: draft.reason ?? '',
      owner: draft.owner ?? '',
      expires: draft.expires ?? '',
      origin: context.origin(item.node.span, item.path),
    });
  }
  return waivers;
}

function waiverHandlers(
  context: DecodeContext,
  draft: Draft<Waiver>,
  known: KnownNames,
  checks: readonly string[] | undefined,
): ReadonlyMap<string, KeyHandler> {
  const setCheck: KeyHandler = (node, path) => {
    const check = context.textOf(node, path, 'the id of a check such as shadowed-rule');
    if (check === undefined) return;
    draft.check = check;
    if (checks !== undefined && !checks.includes(check)) {
      context.report(node.span, path, () => unknownName('check', check, checks, 'in a waiver'));
    } else if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(check)) {
      context.report(
        node.span,
        path,
        `${quote(check)} is not the id of a check: lower case words joined by -`,
      );
    }
  };
  const setHost: KeyHandler = (node, path) => {
    const text = context.textOf(node, path, 'the name of a host');
    if (text === undefined) return;
    const host = known.findHost(text);
    if (host === undefined) context.report(node.span, path, () => known.unknownHost(text));
    else draft.host = host;
  };
  const setFingerprint: KeyHandler = (node, path) => {
    const text = context.textOf(node, path, 'the fingerprint of a finding');
    if (text === undefined) return;
    const fingerprint = context.accept(parseFingerprint(text), node.span, path);
    if (fingerprint !== undefined) draft.fingerprint = fingerprint;
  };
  return new Map<string, KeyHandler>([
    ['check', setCheck],
    ['host', setHost],
    ['fingerprint', setFingerprint],
    ...justificationHandlers(context, draft),
  ]);
}

function parseFingerprint(text: string): Parsed<string> {
  if (/^nwaudit\/v\d+:[0-9a-f]{32}$/.test(text)) return { value: text };
  return {
    problem: `${quote(text)} is not a fingerprint: nwaudit/v1: and 32 hex digits, as the report prints it`,
  };
}

function justificationHandlers(
  context: DecodeContext,
  draft: { reason?: string; owner?: string; expires?: string },
): readonly [string, KeyHandler][] {
  const setReason: KeyHandler = (node, path) => {
    const reason = context.textOf(node, path, 'a sentence that says why');
    if (reason !== undefined) draft.reason = reason;
  };
  const setOwner: KeyHandler = (node, path) => {
    const owner = context.textOf(node, path, 'who answers for it');
    if (owner !== undefined) draft.owner = owner;
  };
  const setExpires: KeyHandler = (node, path) => {
    const text = context.textOf(node, path, 'a date such as 2027-03-31');
    if (text === undefined) return;
    const expires = context.accept(parseDate(text), node.span, path);
    if (expires !== undefined) draft.expires = expires;
  };
  return [
    ['reason', setReason],
    ['owner', setOwner],
    ['expires', setExpires],
  ];
}

interface SectionItem {
  readonly node: ConfigNode;
  readonly path: string;
  /** 1-based. */
  readonly number: number;
}

function itemsOfSection(
  context: DecodeContext,
  node: ConfigNode | undefined,
  path: string,
  expected: string,
): SectionItem[] {
  if (node === undefined || node.kind === 'null') return [];
  if (node.kind !== 'list') {
    context.reportType(node, path, expected);
    return [];
  }
  return node.items.map((item, i) => ({ node: item, path: `${path}[${i}]`, number: i + 1 }));
}

/** Decodes the keys of one item and demands those that must be there. `false` when it is no mapping at all. */
function decodeItem(
  context: DecodeContext,
  item: SectionItem,
  where: string,
  handlers: ReadonlyMap<string, KeyHandler>,
  required: readonly string[],
): boolean {
  const { node, path } = item;
  if (node.kind !== 'map') {
    context.reportType(node, path, `a mapping with the keys ${required.join(', ')}`);
    return false;
  }
  context.decodeKeys(node.entries, path, where, handlers);
  const missing = required.filter((key) => !node.entries.some((entry) => entry.key === key));
  if (missing.length > 0) context.report(node.span, path, `missing ${missing.join(', ')} ${where}`);
  return true;
}

function decodeEndpoints(
  context: DecodeContext,
  node: ConfigNode,
  path: string,
  known: KnownNames,
): Endpoint[] {
  const expected = 'a host, a pattern over hosts, a role, an address, a prefix or a range';
  const items = context.itemsOf(node, path);
  if (items.length === 0) context.reportType(node, path, expected);
  const endpoints: Endpoint[] = [];
  for (const item of items) {
    const text = context.textOf(item.node, item.path, expected)?.trim();
    if (text === undefined) continue;
    const endpoint = decodeEndpoint(context, text, item.node.span, item.path, known);
    if (endpoint !== undefined) endpoints.push(endpoint);
  }
  return endpoints;
}

/** A host that exists goes before an address or a role of the same spelling. */
function decodeEndpoint(
  context: DecodeContext,
  text: string,
  span: Span,
  path: string,
  known: KnownNames,
): Endpoint | undefined {
  const origin = context.origin(span, path);
  const host = known.findHost(text);
  const range = parseAddressRange(text);
  // A declared pattern such as `*` fits every text; it must not swallow addresses and roles.
  const isNamed = host !== undefined && (isHostPattern(text) || known.hasName(text));
  if (isNamed) return { kind: 'host', pattern: host, origin };
  if ('value' in range) return { kind: 'addresses', range: { ...range.value, origin }, origin };
  if (known.roles.includes(text)) return { kind: 'role', role: text, origin };
  if (host !== undefined) return { kind: 'host', pattern: host, origin };
  const looksLikeAddress = /[/:]/.test(text) || /^\d+\.[\d.]+(-|$)/.test(text);
  context.report(span, path, looksLikeAddress ? range.problem : () => known.unknownEndpoint(text));
  return undefined;
}

function decodeSelectors(context: DecodeContext, node: ConfigNode, path: string): PortSelector[] {
  const expected = 'ports such as tcp/7938-7999';
  const items = context.itemsOf(node, path);
  if (items.length === 0) context.reportType(node, path, expected);
  const selectors: PortSelector[] = [];
  for (const item of items) {
    const text = context.textOrNumberOf(item.node, item.path, expected);
    if (text === undefined) continue;
    const selector = context.accept(parsePortSelector(text), item.node.span, item.path);
    if (selector !== undefined) selectors.push(selector);
  }
  return normalizePortSelectors(selectors);
}
