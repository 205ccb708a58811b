/**
 * Reads what `ipset save` prints, and scripts of `ipset create` and `ipset add` commands, into named sets.
 * Source: ipset(8) 7.17.
 */
import type { NamedSet, NamedSetElement, ParseResult, SetValue } from '../../model/index.ts';
import { type IpVersion, intervalsMeet, intervalToPrefixes } from '../../net/index.ts';
import { DiagnosticLog, type Place, quote } from '../diagnostic-log.ts';
import { parseNumber } from '../numbers.ts';
import { splitSavedLine, splitShellLine, type Word } from '../words.ts';
import { type ElementContext, readElement } from './elements.ts';
import { partsOf, setTypeOf } from './set-types.ts';

export { SET_TYPES } from './set-types.ts';

/** A set while its elements are read. */
interface SetBuilder {
  readonly set: NamedSet;
  readonly context: ElementContext;
  /** Elements without a timeout of their own expire. */
  readonly expires: boolean;
  readonly elements: Map<string, NamedSetElement>;
  /** Some element is more than one entry of the kernel's, or may be. */
  hasWide: boolean;
  /** Membership cannot be told from the elements. */
  blurred: boolean;
}

/** Longer lines are not looked into; the longest line ipset 7.17 reads is 1,024 characters. */
const LONGEST_LINE = 16_384;

/**
 * Parses a text in the format of `ipset save`. Never throws; linear in the length of the text.
 *
 * A line that cannot be read is a diagnostic, and its set, if it names one, becomes dynamic: membership unknown. A set of a
 * type or with a property the model does not have is left out, so that it stays an unknown predicate where rules use it.
 */
export function parseIpsetSave(text: string, file: string): ParseResult {
  const reader = new SetReader(file);
  let number = 0;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    number++;
    reader.readLine(text.slice(at, Math.min(end, at + LONGEST_LINE + 1)), number);
    at = end + 1;
  }
  return reader.finish();
}

/** Whether a line creates, fills or empties an ipset in words that iptables does not use: `create`, `add`, `ipset …`. */
export function isIpsetLine(text: string): boolean {
  if (!/^\s*(?:create|add|del|destroy|flush|swap|rename)\s|\bipset\s/.test(text.slice(0, 400))) return false;
  const [command] = commandsOf(text);
  if (command === undefined) return false;
  if (/\bipset\s/.test(text.slice(0, 400))) return true;
  const { verb, words } = command;
  if (verb === 'create') return words.some((w) => setTypeOf(w.value) !== undefined);
  return verb !== 'add' || /^[\w.:,/-]*[\d:][\w.:,/-]*$/.test(words[1]?.value ?? '') || words.length === 2;
}

interface SetCommand {
  /** `other`: it changes sets in a way that is not followed. */
  readonly verb: 'create' | 'add' | 'del' | 'destroy' | 'flush' | 'other';
  readonly words: readonly Word[];
}

const VERBS: Readonly<Record<string, SetCommand['verb']>> = {
  create: 'create',
  n: 'create',
  '-N': 'create',
  '--create': 'create',
  add: 'add',
  '-A': 'add',
  '--add': 'add',
  del: 'del',
  '-D': 'del',
  '--del': 'del',
  destroy: 'destroy',
  x: 'destroy',
  '-X': 'destroy',
  '--destroy': 'destroy',
  flush: 'flush',
  '-F': 'flush',
  '--flush': 'flush',
  swap: 'other',
  rename: 'other',
  restore: 'other',
  '-W': 'other',
  '-E': 'other',
  '-R': 'other',
};

/** The ipset commands of a line: one bare command, or those of a shell line. */
function commandsOf(text: string): readonly SetCommand[] {
  let from = 0;
  while (text[from] === ' ' || text[from] === '\t') from++;
  const bare = splitSavedLine(text, from);
  const command = 'kind' in bare ? undefined : verbOf(withoutSwitches(bare));
  if (command !== undefined) return [command];
  if (!/\bipset\b/.test(text)) return [];
  const prompt = /^[^#$>]{0,100}[#$>]\s+(?=(?:sudo\s+)?\S*ipset\s)/.exec(text.slice(from))?.[0].length ?? 0;
  const shell = splitShellLine(text, from + prompt);
  return 'kind' in shell ? [] : shell.flatMap(({ words }) => shellCommandOf(words));
}

function shellCommandOf(words: readonly Word[]): readonly SetCommand[] {
  const at = words.findIndex((w) => /^(?:[^\s=]*\/)?ipset$/.test(w.value));
  if (at < 0) return [];
  const command = verbOf(withoutSwitches(words.slice(at + 1)));
  return command === undefined ? [] : [command];
}

/** ipset takes these anywhere in a command (seen with ipset 7.17). None bears on what a set holds. */
function withoutSwitches(words: readonly Word[]): readonly Word[] {
  return words.filter((w) => w.quoted || !/^(?:-exist|-!|-quiet|-q)$/.test(w.value));
}

function verbOf(words: readonly Word[]): SetCommand | undefined {
  const verb =
    words[0] === undefined || !Object.hasOwn(VERBS, words[0].value) ? undefined : VERBS[words[0].value];
  if (verb === undefined || (words.length < 2 && verb !== 'other' && !OF_ALL_SETS.includes(words[0]!.value)))
    return undefined;
  return { verb, words: words.slice(1) };
}

/** A command that changes sets and was not read: cut off, or with a quote that is not closed. */
const CUT_COMMAND =
  /^(?:cr?|cre|crea|creat|ad?)$|(?:^|\bipset\s+(?:-\S+\s+)*)(?:create|add|del|destroy|flush|swap|rename|-[NADXFWE])(?:\s|$)/;

/** Commands that without a name are about all sets. */
const OF_ALL_SETS: readonly string[] = ['flush', '-F', '--flush', 'destroy', '-X', '--destroy'];

class SetReader {
  readonly #log: DiagnosticLog;
  readonly #sets = new Map<string, SetBuilder>();
  /** Sets that exist but are not modelled. */
  readonly #skipped = new Set<string>();
  /** Of elements, that are left to find out what commands delete. */
  #comparisons = 2_000_000;
  #prose: { readonly first: Place; last: Place; readonly text: string } | undefined;

  constructor(file: string) {
    this.#log = new DiagnosticLog(file);
  }

  readLine(raw: string, line: number): void {
    const text = raw.trimEnd();
    const start = text.length - text.trimStart().length;
    if (text.length === start) return;
    const place: Place = { line, column: start + 1, endColumn: text.length + 1 };
    if (raw.endsWith('\r'))
      this.#log.once(
        'crlf',
        'note',
        false,
        place,
        'lines end with CR LF; they are read, but ipset refuses such a file',
      );
    if (text[start] === '#') return;
    if (text.length > LONGEST_LINE) {
      this.#log.add('syntax', true, place, `the line is too long to be a set or element: ${quote(text)}`);
      this.#blurAll();
      return;
    }
    const commands = commandsOf(text);
    if (commands.length === 0) this.#readOther(text.trim(), place);
    else this.#flushProse();
    for (const command of commands) this.#execute(command, place, text.trim());
  }

  #readOther(text: string, place: Place): void {
    if (text === 'COMMIT' || text === 'quit') return;
    if (CUT_COMMAND.test(text)) {
      this.#flushProse();
      this.#log.add(
        'syntax',
        true,
        place,
        `the line is cut off; what the sets hold that it may change is unknown: ${quote(text)}`,
      );
      this.#blurAll();
    } else if (this.#prose === undefined) this.#prose = { first: place, last: place, text };
    else this.#prose.last = place;
  }

  /** What is in any set is unknown from here on. */
  #blurAll(): void {
    for (const builder of this.#sets.values()) builder.blurred = true;
  }

  #flushProse(): void {
    if (this.#prose === undefined) return;
    const { first, last, text } = this.#prose;
    this.#log.addLines('note', false, first, last, `no part of a list of sets: ${quote(text)}`);
    this.#prose = undefined;
  }

  #execute(command: SetCommand, place: Place, text: string): void {
    if (command.verb === 'other') {
      this.#log.add(
        'unsupported',
        true,
        place,
        `the command is not followed, the sets it changes are unknown: ${quote(text)}`,
      );
      this.#blurAll();
      return;
    }
    if (command.words.length === 0) {
      if (command.verb === 'destroy') this.#sets.clear();
      else for (const builder of this.#sets.values()) builder.elements.clear();
      return;
    }
    const name = this.#takeName(command);
    switch (command.verb) {
      case 'create':
        this.#create(name.value, name.rest, place, text);
        return;
      case 'add':
      case 'del':
        this.#change(command.verb, name.value, name.rest, place, text);
        return;
      case 'destroy':
        this.#sets.delete(name.value);
        this.#skipped.delete(name.value);
        return;
      case 'flush':
        this.#sets.get(name.value)?.elements.clear();
    }
  }

  /** ipset save prints names with blanks without quotes: the type, or a name known from before, tells where it ends. */
  #takeName(command: SetCommand): { readonly value: string; readonly rest: readonly Word[] } {
    const { verb, words } = command;
    let count = 1;
    if (verb === 'create') {
      const type = words.findIndex((w, i) => i > 0 && setTypeOf(w.value) !== undefined);
      if (type > 1 && setTypeOf(words[1]!.value) === undefined && !words[1]!.value.includes(':'))
        count = type;
    } else if (!this.#isKnown(words[0]!.value)) {
      const limit = Math.min(words.length, 8);
      for (let n = 2; n <= limit; n++) if (this.#isKnown(joined(words, n))) count = n;
    }
    return { value: joined(words, count), rest: words.slice(count) };
  }

  #isKnown(name: string): boolean {
    return this.#sets.has(name) || this.#skipped.has(name);
  }

  #create(name: string, words: readonly Word[], place: Place, text: string): void {
    if (this.#isKnown(name)) {
      this.#log.add(
        'contradiction',
        true,
        place,
        `the set ${quote(name)} is created twice; what it holds is unknown`,
      );
      const known = this.#sets.get(name);
      if (known !== undefined) known.blurred = true;
      return;
    }
    if (words.length === 0) {
      this.#log.add('syntax', true, place, `the line is cut off: ${quote(text)}`);
      this.#skipped.add(name);
      return;
    }
    const type = setTypeOf(words[0]!.value);
    if (type === undefined) {
      this.#skip(name, place, `the set type ${quote(words[0]!.value)} is not known; the set stays unknown`);
      return;
    }
    const options = readCreateOptions(words.slice(1));
    if (options === undefined) {
      this.#log.add('syntax', true, place, `the set cannot be read: ${quote(text)}`);
      this.#skipped.add(name);
      return;
    }
    if (options.unmodelled !== undefined) {
      this.#skip(name, place, `${options.unmodelled} is not modelled; the set ${quote(name)} stays unknown`);
      return;
    }
    const parts = partsOf(type);
    const hasAddress = parts.some((p) => p.dimension === 'address');
    const set: NamedSet = {
      name,
      type,
      dimensions: parts.map((p) => p.dimension),
      version: hasAddress ? options.version : undefined,
      netmask: options.netmask,
      elements: [],
      dynamic: false,
      origin: this.#log.originOf(place),
    };
    const context: ElementContext = {
      parts,
      version: options.version,
      portsOfAnyProtocol: type === 'bitmap:port',
    };
    this.#sets.set(name, {
      set,
      context,
      expires: options.expires,
      elements: new Map(),
      hasWide: false,
      blurred: false,
    });
  }

  #skip(name: string, place: Place, detail: string): void {
    this.#log.add('unsupported', false, place, detail);
    this.#skipped.add(name);
  }

  #change(verb: 'add' | 'del', name: string, words: readonly Word[], place: Place, text: string): void {
    const builder = this.#sets.get(name);
    if (builder === undefined) {
      if (!this.#skipped.has(name)) {
        this.#log.add(
          'unresolved-reference',
          true,
          place,
          `the set ${quote(name)} is not created in this file: ${quote(text)}`,
        );
        this.#skipped.add(name);
      }
      return;
    }
    const element = words[0] === undefined ? undefined : readElement(words[0].value, builder.context);
    const options = readElementOptions(words.slice(1));
    if (element === undefined || element.kind === 'problem' || options === undefined) {
      const why =
        element?.kind === 'problem'
          ? element.detail
          : element === undefined
            ? 'it is cut off'
            : 'an option is not known';
      this.#log.add(
        'syntax',
        true,
        place,
        `the element cannot be read, what the set ${quote(name)} holds is unknown: ${why}: ${quote(text)}`,
      );
      builder.blurred = true;
    } else if (element.kind === 'unmodelled') {
      this.#log.add(
        'unsupported',
        false,
        place,
        `${element.detail} as a set element is not modelled; what the set ${quote(name)} holds is unknown`,
      );
      builder.blurred = true;
    } else if (verb === 'del') this.#delete(name, builder, element.values, place, text);
    else {
      builder.hasWide ||= !isSingle(element.values, builder);
      const values = options.wildcard ? element.values.map(toPrefix) : element.values;
      builder.elements.set(keyOf(element.values), {
        values,
        nomatch: options.nomatch,
        timeout: options.timeout === undefined ? builder.expires : options.timeout !== 0n,
        origin: this.#log.originOf(place),
      });
    }
  }

  /**
   * ipset takes ranges apart, where it adds and where it deletes (seen with ipset 7.17): of an element that is one entry only the same
   * one is deleted. Others make what the set holds unknown, unless they touch nothing else that was added.
   */
  #delete(
    name: string,
    builder: SetBuilder,
    values: NamedSetElement['values'],
    place: Place,
    text: string,
  ): void {
    const key = keyOf(values);
    const isOne = isSingle(values, builder);
    if (!isOne || builder.hasWide) {
      for (const [other, element] of builder.elements) {
        if (builder.blurred) break;
        if (other === key || (isOne && isSingle(element.values, builder))) continue;
        if (--this.#comparisons > 0 && !mayMeet(values, element.values, builder)) continue;
        builder.blurred = true;
        this.#log.add(
          'unsupported',
          true,
          place,
          `what the set ${quote(name)} holds after the command is not followed: ${quote(text)}; export with "ipset save" instead`,
        );
      }
    }
    builder.elements.delete(key);
  }

  finish(): ParseResult {
    this.#flushProse();
    const namedSets = [...this.#sets.values()].map(({ set, elements, blurred }) => ({
      ...set,
      elements: [...elements.values()],
      dynamic: blurred,
    }));
    return { ruleset: { tables: [], namedSets }, diagnostics: this.#log.finish() };
  }
}

/** Whether an element is one entry of the kernel's. */
function isSingle(values: NamedSetElement['values'], { set, context }: SetBuilder): boolean {
  const { parts, version } = context;
  if (set.netmask !== undefined || values.length < parts.length) return false;
  return values.every((value, i) => {
    if (value.kind !== 'interval' && value.kind !== 'port') return true;
    const { lo, hi } = value.range;
    return lo === hi || (parts[i]!.syntax === 'net' && intervalToPrefixes(version, value.range).length === 1);
  });
}

/** Whether two elements may have an entry in common. */
function mayMeet(a: NamedSetElement['values'], b: NamedSetElement['values'], { set }: SetBuilder): boolean {
  if (set.netmask !== undefined) return true;
  return a.every((one, i) => {
    const other = b[i];
    if (other === undefined) return true;
    if (one.kind === 'interval' && other.kind === 'interval') return intervalsMeet(one.range, other.range);
    if (one.kind === 'port' && other.kind === 'port')
      return one.protocol === other.protocol && intervalsMeet(one.range, other.range);
    // A wildcard or not: one interface is one entry.
    if (one.kind === 'interface' && other.kind === 'interface') return one.name === other.name;
    return keyOf([one]) === keyOf([other]);
  });
}

function toPrefix(value: SetValue): SetValue {
  return value.kind === 'interface' ? { ...value, prefix: true } : value;
}

function joined(words: readonly Word[], count: number): string {
  return words
    .slice(0, count)
    .map((w) => w.value)
    .join(' ');
}

function keyOf(values: NamedSetElement['values']): string {
  return JSON.stringify(values, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
}

interface CreateOptions {
  readonly version: IpVersion;
  readonly netmask: number | undefined;
  readonly expires: boolean;
  readonly unmodelled: string | undefined;
}

/** Options of `create` that take an argument and do not bear on membership. */
const IGNORED_VALUES = new Set([
  'hashsize',
  'maxelem',
  'bucketsize',
  'initval',
  'range',
  'size',
  'probes',
  'resize',
  'gc',
  'from',
  'to',
]);
const IGNORED_SWITCHES = new Set(['counters', 'comment', 'skbinfo', 'forceadd', '-exist']);

function readCreateOptions(words: readonly Word[]): CreateOptions | undefined {
  let version: IpVersion = 4;
  let netmask: number | undefined;
  let expires = false;
  let unmodelled: string | undefined;
  for (let i = 0; i < words.length; i++) {
    const option = words[i]!.value;
    if (IGNORED_SWITCHES.has(option)) continue;
    const value = words[++i]?.value;
    if (value === undefined) return undefined;
    if (option === 'family') {
      if (!/^(?:inet6?|ipv[46]|unspec)$/.test(value)) return undefined;
      version = value.endsWith('6') ? 6 : 4;
    } else if (option === 'netmask') {
      const length = parseNumber(value, 128);
      if (length === undefined) return undefined;
      netmask = Number(length);
    } else if (option === 'timeout') {
      const seconds = parseNumber(value, 0xffff_ffffn);
      if (seconds === undefined) return undefined;
      expires = seconds !== 0n;
    } else if (option === 'bitmask') unmodelled = 'bitmask';
    else if (option === 'markmask') {
      if (parseNumber(value, 0xffff_ffffn) !== 0xffff_ffffn) unmodelled = 'markmask';
    } else if (!IGNORED_VALUES.has(option)) return undefined;
  }
  return { version, netmask, expires, unmodelled };
}

interface ElementOptions {
  readonly nomatch: boolean;
  /** The interface name is a prefix. */
  readonly wildcard: boolean;
  /** Seconds; 0 for an element that stays. */
  readonly timeout: bigint | undefined;
}

/** `skb*`, counters and comments do not bear on membership; `before` and `after` only order the members of a list. */
const IGNORED_ELEMENT_VALUES = new Set([
  'packets',
  'bytes',
  'comment',
  'skbmark',
  'skbprio',
  'skbqueue',
  'before',
  'after',
]);

function readElementOptions(words: readonly Word[]): ElementOptions | undefined {
  let nomatch = false;
  let wildcard = false;
  let timeout: bigint | undefined;
  for (let i = 0; i < words.length; i++) {
    const option = words[i]!.value;
    if (option === 'nomatch') nomatch = true;
    else if (option === 'wildcard') wildcard = true;
    else if (option === '-exist') continue;
    else {
      const value = words[++i]?.value;
      if (value === undefined) return undefined;
      if (option === 'timeout') timeout = parseNumber(value, 0xffff_ffffn);
      else if (!IGNORED_ELEMENT_VALUES.has(option)) return undefined;
      if (option === 'timeout' && timeout === undefined) return undefined;
    }
  }
  return { nomatch, wildcard, timeout };
}
