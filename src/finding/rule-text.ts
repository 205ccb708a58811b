/**
 * A rule's text reduced to what it means, for fingerprints: equal for rules that differ only in counters,
 * handles, comments, spacing, or the order of parts whose order has no meaning. Texts of other dialects are
 * never mixed up: each keeps its own words.
 *
 * Not a parser: two texts with the same meaning may stay different (then a fingerprint changes needlessly),
 * and a text that cannot be taken apart is kept as it is but for its spacing.
 */
export function normalizeRuleText(text: string): string {
  const trimmed = text.trim();
  if (trimmed.startsWith('{') || trimmed.startsWith('[{')) {
    const json = normalizeJson(trimmed);
    if (json !== undefined) return json;
  }
  if (trimmed.startsWith('<')) return normalizeXml(trimmed);
  const words = splitWords(trimmed);
  const withoutCounters = /^\[\d+:\d+\]$/.test(words[0] ?? '') ? words.slice(1) : words;
  const isIptables = /^(-[ADIR]|--(append|insert|replace|delete))$/.test(withoutCounters[0] ?? '');
  return isIptables ? normalizeIptables(withoutCounters) : normalizeNft(withoutCounters);
}

/** Words of a rule: separated by white space, except inside double or single quotes (quotes are kept, `\` escapes one character). */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === '\\' && quote !== '') {
      word += c + text.charAt(i + 1);
      i++;
    } else if (quote !== '') {
      word += c;
      if (c === quote) quote = '';
    } else if (/\s/.test(c)) {
      if (word !== '') words.push(word);
      word = '';
    } else {
      if (c === '"' || c === "'") quote = c;
      word += c;
    }
  }
  if (word !== '') words.push(word);
  return words;
}

// iptables ----------------------------------------------------------------------------------------------------

/** Long names of options, as iptables(8) and iptables-extensions(8) list them, and the one used here. */
const IPTABLES_ALIASES: Readonly<Record<string, string>> = {
  '--append': '-A',
  '--source': '-s',
  '--src': '-s',
  '--destination': '-d',
  '--dst': '-d',
  '--protocol': '-p',
  '--proto': '-p',
  '--in-interface': '-i',
  '--out-interface': '-o',
  '--fragment': '-f',
  '--match': '-m',
  '--jump': '-j',
  '--goto': '-g',
  '--set-counters': '-c',
  '--source-port': '--sport',
  '--destination-port': '--dport',
  '--source-ports': '--sports',
  '--destination-ports': '--dports',
};

/** Options before any `-m`: each stands for itself wherever it is written. */
const BASE_OPTIONS = new Set(['-s', '-d', '-p', '-i', '-o', '-f', '-4', '-6']);

/** Options whose value is a list in which the order has no meaning. */
const LIST_OPTIONS = new Set([
  '--ctstate',
  '--state',
  '--sports',
  '--dports',
  '--ports',
  '--ctstatus',
  '-s',
  '-d',
]);

/** Matches that `-p` implies: writing `-m tcp` adds nothing. */
const IMPLIED_MATCHES = new Set([
  'tcp',
  'udp',
  'udplite',
  'sctp',
  'dccp',
  'icmp',
  'icmp6',
  'icmpv6',
  'comment',
]);

/** Options of those matches, wherever they are written. */
const IMPLIED_OPTIONS = new Set([
  '--sport',
  '--dport',
  '--tcp-flags',
  '--syn',
  '--tcp-option',
  '--icmp-type',
  '--icmpv6-type',
  '--chunk-types',
  '--dccp-types',
  '--dccp-option',
]);

/** An option with its negation and its values, as one text. */
interface OptionUnit {
  readonly name: string;
  readonly text: string;
}

/**
 * Base options, then those of the protocol, then each `-m` with its own options, then the target with its own;
 * sorted inside each. An option stands with the `-m` or target before it, since two of one kind
 * (`-m recent … -m recent …`) must not mix.
 */
function normalizeIptables(words: readonly string[]): string {
  const { chain, units } = iptablesUnits(words);
  const base: string[] = [];
  const implied: string[] = [];
  const groups: string[][] = [];
  const target: string[] = [];
  let sink = implied;
  for (const unit of units) {
    if (BASE_OPTIONS.has(unit.name)) base.push(unit.text);
    else if (IMPLIED_OPTIONS.has(unit.name)) implied.push(unit.text);
    else if (unit.name === '-m' && IMPLIED_MATCHES.has(unit.text.slice(3))) sink = implied;
    else if (unit.name === '-m') {
      sink = [unit.text];
      groups.push(sink);
    } else {
      if (unit.name === '-j' || unit.name === '-g') sink = target;
      sink.push(unit.text);
    }
  }
  return [
    `-A ${chain}`,
    ...base.sort(),
    ...implied.sort(),
    ...groups.map(sortAfterFirst).sort(),
    ...(target.length === 0 ? [] : [sortAfterFirst(target)]),
  ].join(' ');
}

function sortAfterFirst(group: readonly string[]): string {
  const [first, ...rest] = group;
  return [first, ...rest.sort()].join(' ');
}

/** The rule's chain, and its options in the order written without counters (`-c`) and comments. */
function iptablesUnits(words: readonly string[]): { chain: string; units: OptionUnit[] } {
  const units: OptionUnit[] = [];
  let chain = '';
  let i = 0;
  while (i < words.length) {
    let negated = words[i] === '!';
    if (negated) i++;
    const raw = words[i++];
    if (raw === undefined) break;
    const name = (Object.hasOwn(IPTABLES_ALIASES, raw) ? IPTABLES_ALIASES[raw] : undefined) ?? raw;
    const values: string[] = [];
    while (i < words.length && !isOptionStart(words, i)) values.push(words[i++] ?? '');
    if (values[0] === '!') {
      negated = true;
      values.shift();
    }
    if (name === '-A') chain = values.join(' ');
    else if (name !== '-c' && name !== '--comment')
      units.push({ name, text: unitText(negated, name, values) });
  }
  return { chain, units };
}

/** Whether the word begins an option: `-x`, `--xyz`, or a `!` before one. Negative numbers are values. */
function isOptionStart(words: readonly string[], i: number): boolean {
  const word = words[i] ?? '';
  if (word === '!') return /^-/.test(words[i + 1] ?? '');
  return /^--?[a-zA-Z]/.test(word) || word === '-4' || word === '-6';
}

function unitText(negated: boolean, name: string, values: readonly string[]): string {
  const shown = values.map((value) => {
    if (name === '-p') return value.toLowerCase();
    const bare =
      name === '-s' || name === '-d' ? value.replace(/(\.\d+)\/32$|(:[0-9a-fA-F]*)\/128$/, '$1$2') : value;
    return LIST_OPTIONS.has(name) ? bare.split(',').sort().join(',') : bare;
  });
  return [...(negated ? ['!'] : []), name, ...shown].join(' ');
}

// nft ---------------------------------------------------------------------------------------------------------

/** nft rule text without `counter packets N bytes N` figures, `comment "…"` and `# handle N`. */
function normalizeNft(words: readonly string[]): string {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '#' && words[i + 1] === 'handle') break;
    if (word === 'comment' && /^["']/.test(words[i + 1] ?? '')) i++;
    else if (word === 'counter' && words[i + 1] === 'packets' && words[i + 3] === 'bytes') i += 4;
    else if (word !== 'counter') kept.push(word);
  }
  return kept.join(' ');
}

/** Keys of libnftables-json(5) objects that say nothing about what a rule does. */
const JSON_IGNORED = new Set(['handle', 'comment', 'index', 'counter', 'packets', 'bytes']);

/** Depth beyond which a JSON rule text is kept as it is. */
const MAX_JSON_DEPTH = 200;

/** JSON rule text with sorted keys and without handles, counters and comments; `undefined` when it is no JSON. */
function normalizeJson(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // JSON.parse has no other way to say that the text is something else, e.g. cut short.
  }
  const canonical = canonicalJson(value, 0);
  return canonical === undefined ? undefined : canonical;
}

function canonicalJson(value: unknown, depth: number): string | undefined {
  if (depth > MAX_JSON_DEPTH) return undefined;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const entries: [string, unknown][] = isList
    ? value.filter((item) => !isCounter(item)).map((item) => ['', item])
    : Object.entries(value).filter(([key]) => !JSON_IGNORED.has(key));
  if (!isList) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const parts: string[] = [];
  for (const [key, item] of entries) {
    const text = canonicalJson(item, depth + 1);
    if (text === undefined) return undefined;
    parts.push(isList ? text : `${JSON.stringify(key)}:${text}`);
  }
  return isList ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
}

/** A statement of a rule's `expr` list that only counts: `{"counter": …}`. */
function isCounter(item: unknown): boolean {
  return typeof item === 'object' && item !== null && 'counter' in item && Object.keys(item).length === 1;
}

// firewalld ---------------------------------------------------------------------------------------------------

/** XML text with single spaces, sorted attributes, and no comments. */
function normalizeXml(text: string): string {
  const tags = stripXmlComments(text).match(/<[^<>]*>|[^<>]+/g) ?? [];
  return tags
    .map((tag) => (tag.startsWith('<') ? normalizeTag(tag) : tag.trim().replace(/\s+/g, ' ')))
    .filter((tag) => tag !== '')
    .join('');
}

function stripXmlComments(text: string): string {
  let kept = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf('<!--', at);
    const end = start < 0 ? -1 : text.indexOf('-->', start + 4);
    if (start < 0 || end < 0) return kept + text.slice(at);
    kept += text.slice(at, start);
    at = end + 3;
  }
}

function normalizeTag(tag: string): string {
  const [name = '', ...attributes] = splitWords(tag.slice(1, -1).replace(/\/\s*$/, ' /'));
  const closed = attributes[attributes.length - 1] === '/' ? attributes.pop() : undefined;
  const sorted = attributes.map((attribute) => attribute.replace(/='([^'"]*)'$/, '="$1"')).sort();
  return `<${[name, ...sorted].join(' ')}${closed === undefined ? '' : '/'}>`;
}
