import { quote, shorten } from '../diagnostic-log.ts';
import type { Word } from '../words.ts';
import {
  addressConverter,
  fieldIs,
  interfaceConverter,
  protocolConverter,
  protocolNumber,
} from './conditions.ts';
import { matchModule, moduleOfProtocol } from './modules.ts';
import {
  type MatchModule,
  type ModuleUse,
  type OptionSpec,
  type OptionUse,
  option,
  type TargetSpec,
} from './spec.ts';
import { targetSpec } from './targets.ts';

/** What a line asks to do with a chain. Rule numbers are 1-based. */
export type Command =
  | RuleCommand
  | { readonly kind: 'new-chain'; readonly chain: string }
  | { readonly kind: 'flush' | 'delete-chain'; readonly chain: string | undefined }
  | { readonly kind: 'policy'; readonly chain: string; readonly policy: string }
  | { readonly kind: 'rename-chain'; readonly chain: string; readonly to: string }
  /** Listing, checking, zeroing counters: no effect on the rules. */
  | { readonly kind: 'no-effect' };

/** A command that carries or names a rule. */
export interface RuleCommand {
  readonly kind: 'append' | 'insert' | 'replace' | 'delete';
  readonly chain: string;
  /** `undefined` where none is given, and always for `append`. */
  readonly number: number | undefined;
}

/** A target or chain after `-j` or `-g`. */
export interface Jump {
  readonly kind: 'jump' | 'goto';
  readonly name: string;
  readonly spec: TargetSpec | undefined;
  readonly options: readonly OptionUse[];
  readonly text: string;
}

/** One line of a rule's text, its options resolved, nothing converted yet. */
export interface RuleSyntax {
  readonly command: Command | undefined;
  readonly table: string | undefined;
  readonly counters: { readonly packets: bigint; readonly bytes: bigint } | undefined;
  /** `-4` or `-6`: the restore program of the other IP version skips the line. */
  readonly onlyVersion: 4 | 6 | undefined;
  readonly basics: readonly OptionUse[];
  readonly modules: readonly ModuleUse[];
  readonly jump: Jump | undefined;
  readonly protocol: number | undefined;
  /** Words that make up the rule: everything but the command, the table and program switches. */
  readonly ruleWords: readonly Word[];
  /** Why iptables would not take this line although its meaning is clear. */
  readonly oddities: readonly string[];
  /** Why the line cannot be read. The other fields hold what was found before. */
  readonly problem: string | undefined;
}

/** The options that need no module. */
export const BASIC_OPTIONS: readonly OptionSpec[] = [
  option('-p --protocol --proto', 1, '!', protocolConverter),
  option('-s --source --src', 1, '!', addressConverter('saddr')),
  option('-d --destination --dst', 1, '!', addressConverter('daddr')),
  option('-i --in-interface', 1, '!', interfaceConverter('iif')),
  option('-o --out-interface', 1, '!', interfaceConverter('oif')),
  option('-f --fragment --fragments', 0, '!', () => fieldIs('fragment', 1)),
];

type Control =
  | { readonly kind: 'basic'; readonly spec: OptionSpec }
  | { readonly kind: 'control'; readonly letter: string };

const CONTROL_NAMES: Readonly<Record<string, string>> = {
  '--append': 'A',
  '--delete': 'D',
  '--insert': 'I',
  '--replace': 'R',
  '--check': 'C',
  '--list': 'L',
  '--list-rules': 'S',
  '--flush': 'F',
  '--zero': 'Z',
  '--new-chain': 'N',
  '--new': 'N',
  '--delete-chain': 'X',
  '--policy': 'P',
  '--rename-chain': 'E',
  '--table': 't',
  '--match': 'm',
  '--jump': 'j',
  '--goto': 'g',
  '--set-counters': 'c',
  '--ipv4': '4',
  '--ipv6': '6',
  '--wait': 'w',
  '--wait-interval': 'W',
  '--numeric': 'n',
  '--verbose': 'v',
  '--exact': 'x',
  '--line-numbers': 'n',
  '--modprobe': 'M',
  '--version': 'V',
  '--help': 'h',
};

const GLOBAL: ReadonlyMap<string, Control> = new Map<string, Control>([
  ...BASIC_OPTIONS.flatMap((spec) => spec.names.map((name) => [name, { kind: 'basic', spec }] as const)),
  ...Object.entries(CONTROL_NAMES).map(([name, letter]) => [name, { kind: 'control', letter }] as const),
  ...[...'ADIRCLSFZNXPEtmjgc46wWnvxMVh'].map(
    (letter) => [`-${letter}`, { kind: 'control', letter }] as const,
  ),
]);

const LONG_GLOBAL = [...GLOBAL].filter(([name]) => name.startsWith('--'));

const indexes = new WeakMap<readonly OptionSpec[], ReadonlyMap<string, OptionSpec>>();

function indexOf(options: readonly OptionSpec[]): ReadonlyMap<string, OptionSpec> {
  let index = indexes.get(options);
  if (index === undefined) {
    index = new Map(options.flatMap((spec) => spec.names.map((name) => [name, spec] as const)));
    indexes.set(options, index);
  }
  return index;
}

type Holder = {
  readonly name: string;
  readonly kind: 'match' | 'target';
  readonly known: readonly OptionSpec[] | undefined;
  readonly spec: MatchModule | undefined;
  readonly explicit: boolean;
  readonly options: OptionUse[];
};

/** iptables-restore 1.8.9 takes no more (iptables/xshared.h, MAX_ARGC); it also bounds the work on a hostile line. */
const MOST_WORDS = 255;

/** Reads the words of one line. Never fails: what cannot be read is told in `problem`. */
export function readRule(text: string, words: readonly Word[]): RuleSyntax {
  const reader = new RuleReader(text, words);
  return reader.read();
}

/** State of reading one line: the modules loaded so far decide what an option means, as in iptables. */
class RuleReader {
  readonly #text: string;
  readonly #words: readonly Word[];
  #next = 0;
  #command: Command | undefined;
  #table: string | undefined;
  #counters: RuleSyntax['counters'];
  #onlyVersion: 4 | 6 | undefined;
  #protocol: number | undefined;
  #jump:
    | { kind: 'jump' | 'goto'; name: string; spec: TargetSpec | undefined; holder: Holder; source: string }
    | undefined;
  #problem: string | undefined;
  readonly #basics: OptionUse[] = [];
  readonly #holders: Holder[] = [];
  /** Those of the holders whose options are in a table. */
  readonly #known: Holder[] = [];
  /** The last `-m` or `-j` whose options are in no table. */
  #lastUnknown: Holder | undefined;
  readonly #ruleWords: Word[] = [];
  readonly #oddities: string[] = [];

  constructor(text: string, words: readonly Word[]) {
    this.#text = text;
    this.#words = words;
  }

  read(): RuleSyntax {
    if (this.#words.length > MOST_WORDS) this.#fail(`it has more than ${MOST_WORDS} words`);
    while (this.#next < this.#words.length && this.#problem === undefined) this.#readOption();
    const jump = this.#jump;
    return {
      command: this.#command,
      table: this.#table,
      counters: this.#counters,
      onlyVersion: this.#onlyVersion,
      basics: this.#basics,
      modules: this.#holders.filter((h) => h.kind === 'match'),
      jump: jump && {
        kind: jump.kind,
        name: jump.name,
        spec: jump.spec,
        options: jump.holder.options,
        text: [jump.source, ...jump.holder.options.map((o) => o.source)].join(' '),
      },
      protocol: this.#protocol,
      ruleWords: this.#ruleWords,
      oddities: this.#oddities,
      problem: this.#problem,
    };
  }

  #readOption(): void {
    const from = this.#next;
    let negated = false;
    let word = this.#words[this.#next++]!;
    if (word.value === '!') {
      negated = true;
      const following = this.#words[this.#next++];
      if (following === undefined) {
        this.#fail('a "!" stands at the end of the line');
        return;
      }
      word = following;
    }
    const { value } = word;
    if (value.startsWith('--') && value.length > 2) this.#readLong(word, from, negated);
    else if (value.startsWith('-') && value.length > 1) this.#readShort(word, from, negated);
    else this.#fail(`${quote(value)} is no option`);
  }

  #readLong(word: Word, from: number, negated: boolean): void {
    const equals = word.value.indexOf('=');
    const name = equals < 0 ? word.value : word.value.slice(0, equals);
    const attached = equals < 0 ? undefined : word.value.slice(equals + 1);
    const global = GLOBAL.get(name);
    if (global !== undefined) {
      this.#useGlobal(global, name, from, negated, attached);
      return;
    }
    const found = this.#findLoaded(name);
    if (found !== undefined) {
      this.#useOption(found.holder, found.spec, from, negated, attached);
      return;
    }
    // What stands after an unknown module most likely is its own.
    const shortened = this.#lastUnknown === undefined ? this.#findShortened(name) : undefined;
    if (shortened === 'ambiguous') {
      this.#fail(`the option ${quote(name)} is ambiguous`);
      return;
    }
    if (shortened !== undefined && 'global' in shortened) {
      this.#useGlobal(shortened.global, name, from, negated, attached);
      return;
    }
    const late = shortened ?? this.#findByProtocol(name) ?? this.#findLater(name);
    if (late !== undefined) {
      this.#useOption(late.holder, late.spec, from, negated, attached);
      return;
    }
    this.#keepUnknown(name, from, negated, attached);
  }

  #readShort(word: Word, from: number, negated: boolean): void {
    const name = word.value.slice(0, 2);
    const attached = word.value.length > 2 ? word.value.slice(2) : undefined;
    const global = GLOBAL.get(name);
    if (global === undefined) {
      this.#keepUnknown(word.value, from, negated, undefined);
      return;
    }
    if (attached !== undefined && /^-[nvx]$/.test(name)) {
      this.#readShort({ ...word, value: `-${attached}` }, from, negated);
      return;
    }
    this.#useGlobal(global, name, from, negated, attached);
  }

  #useGlobal(
    global: Control,
    name: string,
    from: number,
    negated: boolean,
    attached: string | undefined,
  ): void {
    if (global.kind === 'basic') {
      if (attached !== undefined) {
        this.#failJoined(name, attached);
        return;
      }
      const use = this.#takeUse(global.spec, from, negated, attached);
      if (use === undefined) return;
      if (this.#basics.some((b) => b.spec === use.spec)) {
        this.#fail(`${name} is given twice`);
        return;
      }
      this.#basics.push(use);
      if (use.name === '-p' && !use.negated) this.#protocol = protocolNumber(use.args[0]!) || undefined;
      return;
    }
    if (negated) {
      this.#fail(`${name} cannot be negated`);
      return;
    }
    if ('mjg4c6'.includes(global.letter)) this.#useRuleControl(global.letter, name, from, attached);
    else this.#useCommand(global.letter, name, attached);
  }

  /** `-m`, `-j`, `-g`, `-c`, `-4`, `-6`: they belong to the rule. */
  #useRuleControl(letter: string, name: string, from: number, attached: string | undefined): void {
    if (letter === '4' || letter === '6') {
      this.#onlyVersion = letter === '4' ? 4 : 6;
      return;
    }
    const argument = this.#takeArgument(name, attached);
    if (argument === undefined) return;
    if (attached !== undefined && letter === 'j') {
      this.#failJoined(name, attached);
      return;
    }
    if (letter === 'c') {
      this.#readCounters(argument);
      return;
    }
    if (letter === 'm') {
      const spec = matchModule(argument);
      const holder: Holder = {
        name: spec?.name ?? argument,
        kind: 'match',
        known: spec?.options,
        spec,
        explicit: true,
        options: [],
      };
      this.#hold(holder);
    } else {
      if (this.#jump !== undefined) {
        this.#fail('the line has two targets');
        return;
      }
      const spec = letter === 'j' ? targetSpec(argument) : undefined;
      const holder: Holder = {
        name: argument,
        kind: 'target',
        known: spec?.options,
        spec: undefined,
        explicit: true,
        options: [],
      };
      this.#hold(holder);
      this.#jump = {
        kind: letter === 'j' ? 'jump' : 'goto',
        name: argument,
        spec,
        holder,
        source: this.#source(from),
      };
    }
    this.#keepWords(from);
  }

  #hold(holder: Holder): void {
    this.#holders.push(holder);
    if (holder.known !== undefined) this.#known.push(holder);
    else if (holder.name !== '') this.#lastUnknown = holder;
  }

  #readCounters(first: string): void {
    const comma = first.indexOf(',');
    const packets = comma < 0 ? first : first.slice(0, comma);
    const bytes = comma < 0 ? this.#words[this.#next++]?.value : first.slice(comma + 1);
    if (!/^\d{1,20}$/.test(packets) || bytes === undefined || !/^\d{1,20}$/.test(bytes)) {
      this.#fail('-c needs two numbers');
      return;
    }
    this.#counters = { packets: BigInt(packets), bytes: BigInt(bytes) };
  }

  #useCommand(letter: string, name: string, attached: string | undefined): void {
    if ('nvxVh'.includes(letter)) {
      if (letter === 'V' || letter === 'h') this.#setCommand({ kind: 'no-effect' });
      return;
    }
    if (letter === 'w' || letter === 'W') {
      if (attached === undefined && /^\d+$/.test(this.#words[this.#next]?.value ?? '')) this.#next++;
      return;
    }
    if ('LSZC'.includes(letter)) {
      this.#next = this.#words.length;
      this.#setCommand({ kind: 'no-effect' });
      return;
    }
    if (letter === 'F' || letter === 'X') {
      const kind = letter === 'F' ? 'flush' : 'delete-chain';
      this.#setCommand({ kind, chain: attached ?? this.#takeOptional() });
      return;
    }
    const argument = this.#takeArgument(name, attached);
    if (argument === undefined) return;
    if (letter === 't') this.#table = argument;
    else if (letter !== 'M') this.#readChainCommand(letter, argument);
  }

  #readChainCommand(letter: string, chain: string): void {
    if (letter === 'A') {
      this.#setCommand({ kind: 'append', chain, number: undefined });
      return;
    }
    if (letter === 'N') {
      this.#setCommand({ kind: 'new-chain', chain });
      return;
    }
    if (letter === 'P' || letter === 'E') {
      const second = this.#takeArgument(`-${letter}`, undefined);
      if (second === undefined) return;
      this.#setCommand(
        letter === 'P'
          ? { kind: 'policy', chain, policy: second }
          : { kind: 'rename-chain', chain, to: second },
      );
      return;
    }
    const kind = letter === 'I' ? 'insert' : letter === 'D' ? 'delete' : 'replace';
    const following = this.#words[this.#next]?.value;
    const number = following !== undefined && /^\d{1,9}$/.test(following) ? Number(following) : undefined;
    if (number !== undefined) this.#next++;
    if (number === 0 || (kind === 'replace' && number === undefined)) {
      this.#fail(`-${letter} needs a rule number`);
      return;
    }
    this.#setCommand({ kind, chain, number });
  }

  #setCommand(command: Command): void {
    if (this.#command !== undefined && command.kind !== 'no-effect') {
      this.#fail('the line has two commands');
      return;
    }
    this.#command ??= command;
  }

  #findLoaded(name: string): { holder: Holder; spec: OptionSpec } | undefined {
    for (let i = this.#known.length - 1; i >= 0; i--) {
      const holder = this.#known[i]!;
      const spec = indexOf(holder.known!).get(name);
      if (spec !== undefined) return { holder, spec };
    }
    return undefined;
  }

  /** The one option of those loaded that begins like this, as getopt_long(3) allows. */
  #findShortened(
    name: string,
  ): { holder: Holder; spec: OptionSpec } | { global: Control } | 'ambiguous' | undefined {
    const found: ({ holder: Holder; spec: OptionSpec } | { global: Control })[] = [];
    const seen = new Set<unknown>();
    for (let i = this.#known.length - 1; i >= 0; i--) {
      const holder = this.#known[i]!;
      for (const spec of holder.known!) {
        if (!seen.has(spec) && spec.names.some((n) => n.startsWith(name))) {
          seen.add(spec);
          found.push({ holder, spec });
        }
      }
    }
    for (const [full, global] of LONG_GLOBAL) {
      const identity = global.kind === 'basic' ? global.spec : global.letter;
      if (full.startsWith(name) && !seen.has(identity)) {
        seen.add(identity);
        found.push({ global });
      }
    }
    return found.length > 1 ? 'ambiguous' : found[0];
  }

  #findByProtocol(name: string): { holder: Holder; spec: OptionSpec } | undefined {
    if (this.#protocol === undefined) return undefined;
    const module = moduleOfProtocol(this.#protocol);
    if (module === undefined || this.#holders.some((h) => h.spec === module)) return undefined;
    return this.#load(module.name, name, module, undefined);
  }

  /** An option that stands before the `-m`, `-p` or `-j` that brings it: iptables refuses it, its meaning is clear. */
  #findLater(name: string): { holder: Holder; spec: OptionSpec } | undefined {
    for (let i = this.#next; i + 1 < this.#words.length; i++) {
      const argument = this.#words[i + 1]!.value;
      const loader = this.#words[i]!.value;
      let found: { holder: Holder; spec: OptionSpec } | undefined;
      if (loader === '-m' || loader === '--match')
        found = this.#load(argument, name, matchModule(argument), undefined);
      else if (loader === '-p' || loader.startsWith('--proto')) {
        const module = moduleOfProtocol(protocolNumber(argument) ?? 0);
        found = module === undefined ? undefined : this.#load(module.name, name, module, undefined);
      }
      if (found !== undefined) {
        this.#oddities.push('an option stands before the module it belongs to');
        return found;
      }
    }
    return undefined;
  }

  #load(
    module: string,
    name: string,
    spec: MatchModule | undefined,
    known: readonly OptionSpec[] | undefined,
  ): { holder: Holder; spec: OptionSpec } | undefined {
    const options = known ?? spec?.options ?? [];
    const exact = indexOf(options).get(name);
    const fitting =
      exact === undefined ? options.filter((o) => o.names.some((n) => n.startsWith(name))) : [exact];
    if (spec === undefined || fitting.length !== 1) return undefined;
    const holder: Holder = {
      name: module,
      kind: 'match',
      known: options,
      spec,
      explicit: false,
      options: [],
    };
    this.#hold(holder);
    return { holder, spec: fitting[0]! };
  }

  #useOption(
    holder: Holder,
    spec: OptionSpec,
    from: number,
    negated: boolean,
    attached: string | undefined,
  ): void {
    const use = this.#takeUse(spec, from, negated, attached);
    if (use === undefined) return;
    const opaque = holder.spec?.meaning.kind === 'opaque';
    if (!opaque && !spec.repeats && holder.options.some((o) => o.spec === spec)) {
      this.#fail(`${spec.names[0]} is given twice`);
      return;
    }
    holder.options.push(use);
  }

  /** An option that is in no table: kept with its arguments in the module or target it most likely belongs to. */
  #keepUnknown(name: string, from: number, negated: boolean, attached: string | undefined): void {
    const spec = option(name, 'rest', '!+');
    const use = this.#takeUse(spec, from, negated, attached);
    if (use === undefined) return;
    const last = this.#lastUnknown;
    if (last !== undefined) {
      last.options.push(use);
      return;
    }
    this.#hold({
      name: '',
      kind: 'match',
      known: undefined,
      spec: undefined,
      explicit: false,
      options: [use],
    });
  }

  #takeUse(
    spec: OptionSpec,
    from: number,
    negatedBefore: boolean,
    attached: string | undefined,
  ): OptionUse | undefined {
    let negated = negatedBefore;
    const args: string[] = attached === undefined ? [] : [attached];
    if (
      attached === undefined &&
      spec.arity !== 0 &&
      !negated &&
      spec.negatable &&
      this.#words[this.#next]?.value === '!' &&
      !this.#words[this.#next]!.quoted &&
      this.#isArgument(this.#words[this.#next + 1])
    ) {
      negated = true;
      this.#next++;
      this.#oddities.push('the "!" stands after its option');
    }
    if (typeof spec.arity === 'number') {
      while (args.length < spec.arity) {
        const word = this.#words[this.#next++];
        if (word === undefined) {
          this.#fail(
            `${spec.names[0]} needs ${spec.arity === 1 ? 'an argument' : `${spec.arity} arguments`}`,
          );
          return undefined;
        }
        args.push(word.value);
      }
    } else {
      const limit = spec.arity === 'optional' ? 1 : Number.POSITIVE_INFINITY;
      while (args.length < limit && this.#isPlain(this.#words[this.#next]))
        args.push(this.#words[this.#next++]!.value);
    }
    if (negated && !spec.negatable) {
      this.#fail(`${spec.names[0]} cannot be negated`);
      return undefined;
    }
    this.#keepWords(from);
    return { spec, name: spec.names[0]!, negated, args, source: this.#source(from) };
  }

  #isPlain(word: Word | undefined): boolean {
    return (
      word !== undefined &&
      (word.quoted || (word.value !== '!' && !(word.value.startsWith('-') && word.value.length > 1)))
    );
  }

  /** What a `!` before it negates. Before an option, or at the end, the `!` is an argument itself: `-o !` names an interface. */
  #isArgument(word: Word | undefined): boolean {
    return word !== undefined && (word.quoted || !/^-./.test(word.value));
  }

  #takeArgument(name: string, attached: string | undefined): string | undefined {
    const argument = attached ?? this.#words[this.#next++]?.value;
    if (argument === undefined || argument === '') this.#fail(`${name} needs an argument`);
    return argument === '' ? undefined : argument;
  }

  #takeOptional(): string | undefined {
    return this.#isPlain(this.#words[this.#next]) ? this.#words[this.#next++]!.value : undefined;
  }

  /** The input from word `from` to the last word taken. */
  #source(from: number): string {
    return this.#text.slice(this.#words[from]!.start, this.#words[this.#next - 1]!.end);
  }

  #keepWords(from: number): void {
    for (let i = from; i < this.#next; i++) this.#ruleWords.push(this.#words[i]!);
  }

  /** iptables 1.8.9 takes the whole word for the value of these options (iptables/xshared.c, `do_parse`: `argv[optind - 1]`). */
  #failJoined(name: string, value: string): void {
    this.#fail(
      `iptables (seen with 1.8.9) takes no value joined to ${name}: write "${shorten(`${name} ${value}`)}", or export with "iptables-save"`,
    );
  }

  #fail(detail: string): void {
    this.#problem ??= detail;
  }
}
