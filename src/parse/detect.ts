import type { ExportFormat } from '../model/index.ts';
import { isIpsetLine } from './ipset-save/index.ts';
import { decideFamily, holdsIptablesRules } from './iptables-save/index.ts';
import { holdsNsrports } from './nsrports/index.ts';

/** What people send although nwaudit cannot use it. */
export type MistakenFormat =
  | 'iptables-listing'
  | 'nft-text'
  | 'firewall-cmd-listing'
  | 'windows-firewall'
  | 'ufw-listing'
  | 'other-json'
  | 'other-xml'
  | 'empty'
  | 'binary'
  | 'other-text';

/** What a file is, by its content. */
export type Detection =
  | { readonly kind: 'export'; readonly format: ExportFormat; readonly reason: string }
  | {
      readonly kind: 'mistaken';
      readonly format: MistakenFormat;
      readonly reason: string;
      /** What to do instead: a sentence with the command, or `undefined` where nothing better can be said. */
      readonly advice: string | undefined;
    };

const IPTABLES_ADVICE = 'export with "iptables-save" (and "ip6tables-save") instead';
const NFT_ADVICE = 'export with "nft -j list ruleset" instead';
const FIREWALLD_ADVICE = 'send a copy of /etc/firewalld, or the output of "nft -j list ruleset", instead';

/** How much of a text is looked at for what is not line by line. */
const HEAD = 65_536;

/**
 * Tells what a text is, with the reason. Looks at the content; the file name only decides between `iptables-save` and
 * `ip6tables-save` where the content shows neither, and where firewalld looks for its files. A dump inside a log or a mail
 * is a dump. Empty text is `empty`; for binary content the caller passes what `decodeText` says.
 */
export function detectFormat(text: string, fileName: string, encoding?: 'binary'): Detection {
  if (encoding === 'binary' || text.slice(0, HEAD).includes('\0'))
    return mistaken('binary', 'it holds bytes that are no text', undefined);
  if (FIREWALLD_PATH.test(fileName)) return found('firewalld', 'it lies where firewalld looks for its files');
  const head = text.slice(0, HEAD);
  const trimmed = head.trimStart();
  if (trimmed === '')
    return text.trim() === ''
      ? mistaken(
          'empty',
          'it holds no text',
          'the command may have failed or lacked root rights: run it again as root',
        )
      : detectLines(text, head, fileName);
  if (trimmed.startsWith('{') || trimmed.startsWith('[{')) return detectJson(trimmed);
  if (trimmed.startsWith('<')) return detectXml(trimmed);
  return detectLines(text, head, fileName);
}

function found(format: ExportFormat, reason: string): Detection {
  return { kind: 'export', format, reason };
}

function mistaken(format: MistakenFormat, reason: string, advice: string | undefined): Detection {
  return { kind: 'mistaken', format, reason, advice };
}

function detectJson(head: string): Detection {
  if (/"nftables"\s*:\s*\[/.test(head)) return found('nft-json', 'it is JSON with the key "nftables"');
  return mistaken('other-json', 'it is JSON without the key "nftables"', NFT_ADVICE);
}

/** The root element, behind declarations; comments are taken away before. */
const FIREWALLD_ROOT =
  /^(?:\s*<\?[^>]{0,1000}>|\s*<!DOCTYPE[^>[]{0,1000}(?:\[[^\]]{0,20000}\])?\s*>)*\s*<(zone|service|ipset|policy|icmptype|helper|direct|whitelist)[\s>/]/;

function detectXml(head: string): Detection {
  const root = FIREWALLD_ROOT.exec(head.replaceAll(/<!--[\s\S]{0,20000}?-->/g, ''))?.[1];
  if (root !== undefined) return found('firewalld', `it is XML with the element <${root}>`);
  return mistaken('other-xml', 'it is XML, but not one of firewalld', undefined);
}

/** Where firewalld looks for its files: there it takes, and refuses, whatever they hold. */
const FIREWALLD_PATH =
  /firewalld[^/]{0,100}\/(?:zones\/(?:[^/]+\/)?|(?:policies|services|ipsets|icmptypes|helpers)\/)[^/]+\.xml$|(?:^|\/)firewalld\.conf$/;

/** Files of NetworkManager and the network scripts: they say in which firewalld zone an interface is. */
function detectBinding(head: string, fileName: string): Detection | undefined {
  const base = fileName.slice(fileName.lastIndexOf('/') + 1);
  if (/^ifcfg-./.test(base) && /^\s*(?:DEVICE|NAME|TYPE|ONBOOT|BOOTPROTO|ZONE)=/m.test(head))
    return found('firewalld', 'it is an ifcfg file, which may name a zone');
  if (/^\s*\[connection\]\s*$/m.test(head) && /^\s*(?:id|uuid|type|interface-name|zone)\s*=/m.test(head))
    return found('firewalld', 'it is a profile of NetworkManager, which may name a zone');
  return undefined;
}

interface Listing {
  readonly pattern: RegExp;
  readonly format: MistakenFormat;
  readonly what: string;
  readonly advice: string;
}

/** Outputs that are meant for people. Asked in this order, after the formats that can be read. */
const LISTINGS: readonly Listing[] = [
  {
    pattern: /^Chain \S+ \((?:policy [A-Z]+|\d+ references)/m,
    format: 'iptables-listing',
    what: 'the output of "iptables -L"',
    advice: IPTABLES_ADVICE,
  },
  {
    pattern: /^\s*table (?:ip6?|inet|arp|bridge|netdev) \S+ \{/m,
    format: 'nft-text',
    what: 'the text form of "nft list ruleset"',
    advice: NFT_ADVICE,
  },
  {
    pattern:
      /^\S+(?: \((?:active|default)[^)]*\))?\s*\n\s+target: \S+\s*\n\s+(?:ingress-priority|icmp-block-inversion|egress-priority)/m,
    format: 'firewall-cmd-listing',
    what: 'the output of "firewall-cmd --list-all"',
    advice: FIREWALLD_ADVICE,
  },
  {
    pattern:
      /^(?:Rule Name:|Regelname:)\s|^-{20,}\r?\n(?:Enabled|Aktiviert):|^\s*(?:DisplayName|DisplayGroup)\s*:\s|netsh advfirewall|^Name\tGroup\tProfile\tEnabled/m,
    format: 'windows-firewall',
    what: 'an export of the Windows firewall',
    advice:
      'nwaudit judges Linux firewalls; for a NetWorker host on Windows send the output of "nsrports" at least',
  },
  {
    pattern: /^Status: (?:active|inactive)\s*$[\s\S]{0,400}^To\s+Action\s+From/m,
    format: 'ufw-listing',
    what: 'the output of "ufw status"',
    advice: IPTABLES_ADVICE,
  },
];

function detectLines(text: string, head: string, fileName: string): Detection {
  if (
    /^\s*DefaultZone\s*=/m.test(head) &&
    /^\s*(?:CleanupOnExit|Lockdown|IPv6_rpfilter|FirewallBackend|LogDenied)\s*=/m.test(head)
  ) {
    return found('firewalld', 'it has the keys of firewalld.conf');
  }
  const binding = detectBinding(head, fileName);
  if (binding !== undefined) return binding;
  // A file with both counts as rules; its sets are read too (parseExport).
  if (holdsIptablesRules(text)) {
    const { family, reason } = decideFamily(text, fileName);
    return found(
      family === 'ip6' ? 'ip6tables-save' : 'iptables-save',
      `it has tables, chains or rules of iptables; ${reason}`,
    );
  }
  if (holdsSets(text)) return found('ipset-save', 'it creates or fills ipsets');
  // Behind the rules: in the log of a session both may stand, and then it counts as rules; the ranges are read too.
  if (holdsNsrports(head)) return found('nsrports', 'it names service and connection ports as nsrports does');
  for (const listing of LISTINGS) {
    if (listing.pattern.test(head))
      return mistaken(listing.format, `it looks like ${listing.what}`, listing.advice);
  }
  if (/\{\s{0,100}"nftables"\s{0,100}:/.test(head))
    return mistaken(
      'other-text',
      'there is other text before the JSON of nft',
      'remove what stands before {"nftables", a prompt or a banner, or export again with "nft -j list ruleset"',
    );
  return mistaken(
    'other-text',
    'it holds nothing that nwaudit reads',
    'export with "iptables-save", "ip6tables-save", "ipset save" or "nft -j list ruleset"',
  );
}

const SET_LINE = /^[^\n]{0,200}?(?:\b(?:create|add)|-N)[ \t][^\n]{1,400}$/gm;

/** Whether a line creates a set of a known kind, or adds an element. */
function holdsSets(text: string): boolean {
  for (const [line] of text.matchAll(SET_LINE)) {
    if (
      isIpsetLine(line) &&
      (/\b(?:hash|bitmap|list):[a-z]|\bipset\b/.test(line) || /^add\s+\S+\s+\S*\d/.test(line))
    )
      return true;
    if (/^-N\s+\S+\s+\w+(?:hash|map)\b/.test(line)) return true;
  }
  return false;
}
