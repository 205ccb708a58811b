import type { Place } from '../diagnostic-log.ts';
import { splitShellLine, type Word } from '../words.ts';

/** An `iptables` command found in a shell line. */
export interface ScriptCommand {
  /** From the command's name, or from that of a variable in its place and the value it was given. */
  readonly family: 'ip' | 'ip6';
  readonly words: readonly Word[];
  /** Whether it runs depends on something in the script. */
  readonly conditional: boolean;
}

/** One line of the input, told apart by its beginning only. */
export interface Line {
  readonly kind: 'comment' | 'table' | 'commit' | 'chain' | 'rule' | 'script' | 'prose' | 'too-long';
  /** 1-based. */
  readonly number: number;
  /** The line without its end and trailing blanks; continuation lines of a shell command joined. */
  readonly text: string;
  /** Offsets in `text` at which its continuation lines begin; empty for a line of its own. */
  readonly continued: readonly number[];
  /** Offset of the first character that is not a blank, in `text`. */
  readonly start: number;
  /** Commands of a `script` line. */
  readonly commands: readonly ScriptCommand[];
  /** A shell or console prompt stood before the command or text. */
  readonly prompt: boolean;
}

/** All lines of a text that are not blank. */
export interface Lines {
  readonly lines: readonly Line[];
  /** The first line that ends with CR LF. */
  readonly crlf: Place | undefined;
}

/** Longer lines are not looked into; the longest iptables-restore 1.8.9 reads is 10,240 characters. */
export const LONGEST_LINE = 65_536;

const NO_COMMANDS: readonly ScriptCommand[] = [];
const NOT_CONTINUED: readonly number[] = [];

/** Splits a text into lines and tells their kinds. Linear in the length of the text. */
export function scanLines(text: string): Lines {
  const scanner = new LineScanner(text);
  return scanner.scan();
}

class LineScanner {
  readonly #text: string;
  readonly #lines: Line[] = [];
  #at = 0;
  #number = 0;
  /** Open `if`, `for`, `while`, `case` and function bodies of a script. */
  #depth = 0;
  #crlf: Place | undefined;
  /** Shell variables that stand for a program. */
  readonly #variables = new Map<string, 'ip' | 'ip6'>();

  constructor(text: string) {
    // A text without a single line feed may use bare carriage returns.
    this.#text = text.includes('\n') ? text : text.replaceAll('\r', '\n');
  }

  scan(): Lines {
    while (this.#at < this.#text.length) this.#scanLine();
    return { lines: this.#lines, crlf: this.#crlf };
  }

  #scanLine(): void {
    const text = this.#takeLine();
    const number = this.#number;
    let start = 0;
    while (start < text.length && isBlank(text.charCodeAt(start))) start++;
    if (start === text.length) return;
    if (text.length > LONGEST_LINE) {
      this.#push('too-long', number, text.slice(0, 2 * 1024), start);
      return;
    }
    let kind = kindOf(text, start);
    if (kind === 'table' && !KNOWN_TABLE.test(text.slice(start)) && !this.#tableFollows()) kind = 'other';
    if (kind === 'other') this.#scanOther(text, number, start);
    else this.#push(kind, number, text, start);
  }

  /** Whether what comes next looks like the inside of a table; a line such as `*note` is no table elsewhere. */
  #tableFollows(): boolean {
    return /^\s*(?::\S+\s+(?:-|[A-Z]+)(?:\s|$)|-[APN]\s|\[\d+:\d+\]\s+-|COMMIT\s)/.test(
      this.#text.slice(this.#at, this.#at + 300),
    );
  }

  /** The next line without its end and trailing blanks. */
  #takeLine(): string {
    const newline = this.#text.indexOf('\n', this.#at);
    let end = newline < 0 ? this.#text.length : newline;
    const from = this.#at;
    this.#at = newline < 0 ? end : newline + 1;
    this.#number++;
    if (newline >= 0 && end > from && this.#text.charCodeAt(end - 1) === 13) {
      this.#crlf ??= { line: this.#number, column: end - from, endColumn: end - from + 1 };
    }
    while (end > from && isBlank(this.#text.charCodeAt(end - 1))) end--;
    return this.#text.slice(from, end);
  }

  #scanOther(first: string, number: number, start: number): void {
    const { text, continued } = first.endsWith('\\')
      ? this.#joinContinued(first)
      : { text: first, continued: NOT_CONTINUED };
    const prompt = PROMPT.exec(text.slice(start, start + 300))?.[0].length ?? 0;
    const commands = MENTIONS_COMMAND.test(text)
      ? findCommands(text, start + prompt, this.#depth > 0, this.#variables)
      : NO_COMMANDS;
    const assignment = ASSIGNMENT.exec(text.slice(start, start + 200));
    if (assignment !== null) this.#variables.set(assignment[1]!, assignment[2] === '6' ? 'ip6' : 'ip');
    this.#followBlocks(text.slice(start, start + 200));
    const kind = commands.length > 0 ? 'script' : 'prose';
    this.#push(kind, number, text, start, commands, prompt > 0, continued);
  }

  /** A shell command that goes on over lines ending with a backslash. Each is one blank in the text, which so keeps its offsets. */
  #joinContinued(first: string): Pick<Line, 'text' | 'continued'> {
    const continued: number[] = [];
    const parts: string[] = [];
    let length = 0;
    let part = first;
    while (part.endsWith('\\') && this.#at < this.#text.length && length < LONGEST_LINE) {
      parts.push(part.slice(0, -1));
      length += part.length;
      continued.push(length);
      part = this.#takeLine();
    }
    parts.push(part);
    return { text: parts.join(' '), continued };
  }

  #followBlocks(text: string): void {
    if (/^(?:if|for|while|until|case)\s/.test(text)) this.#depth++;
    else if (/^(?:function\s+[\w-]+|[\w-]+\s*\(\))/.test(text)) this.#depth++;
    else if (/^(?:fi|done|esac|\})\b|^\}/.test(text)) this.#depth = Math.max(0, this.#depth - 1);
    if (/;\s*(?:fi|done|esac|\})\s*$/.test(text)) this.#depth = Math.max(0, this.#depth - 1);
  }

  #push(
    kind: Line['kind'],
    number: number,
    text: string,
    start: number,
    commands = NO_COMMANDS,
    prompt = false,
    continued = NOT_CONTINUED,
  ): void {
    this.#lines.push({ kind, number, text, continued, start, commands, prompt });
  }
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13;
}

const KNOWN_TABLE = /^\*(?:filter|nat|mangle|raw|security)$/;
const COUNTED_RULE = /^\[\d+:\d+\][ \t]+-/;

function kindOf(
  text: string,
  start: number,
): Exclude<Line['kind'], 'script' | 'prose' | 'too-long'> | 'other' {
  switch (text[start]) {
    case '#':
      return 'comment';
    case '-':
      return /^-(?:-?[A-Za-z]|\d)/.test(text.slice(start, start + 3)) ? 'rule' : 'other';
    case '[':
      return COUNTED_RULE.test(text.slice(start, start + 100)) ? 'rule' : 'other';
    case '!':
      // What the shell negates, `! iptables -A ...`, is a command.
      return /^![ \t]+-/.test(text.slice(start, start + 300)) ? 'rule' : 'other';
    case ':':
      return /^:[^\s:]+(?:\s+(?:-|[A-Z]+)(?:\s|$)|$)/.test(text.slice(start, start + 300))
        ? 'chain'
        : 'other';
    case '*':
      return /^\*[\w-]{1,64}$/.test(text.slice(start, start + 80)) ? 'table' : 'other';
    case 'C':
      return text.length - start === 6 && text.startsWith('COMMIT', start) ? 'commit' : 'other';
    default:
      return 'other';
  }
}

/** `root@host:~# `, `[root@host ~]# `, `$ `, `host> `: what a terminal prints before a command. */
const PROMPT =
  /^(?:\[[^\]]{1,100}\]\s?[#$%]|[\w.-]{1,64}@[\w.-]{1,64}[^#$>%]{0,120}[#$>%]|[\w.-]{1,64}[#>]|[$>%])(?:\s+|$)/;
const MENTIONS_COMMAND = /ip[46]?t|^\s*["']?\$/i;
const PROGRAM = /^(?:[^\s=]*\/)?ip(6?)tables(?:-legacy|-nft)?$/;
const ASSIGNMENT =
  /^(?:export\s+|readonly\s+)?([A-Za-z_]\w{0,40})=["'$({`]*(?:which\s+|command\s+-v\s+)?(?:[^\s="']*\/)?ip(6?)tables\b/;
const VARIABLE = /^\$\{?([A-Za-z_]\w{0,40})\}?$/;
const CONDITIONAL_WORDS = new Set(['if', 'then', 'else', 'elif', 'do', 'while', 'until']);
const LEADING_WORDS = new Set([
  ...CONDITIONAL_WORDS,
  '!',
  'sudo',
  'exec',
  'time',
  'nohup',
  'env',
  'command',
  'run',
  '{',
  '(',
  'xtables-multi',
  'xtables-nft-multi',
  'xtables-legacy-multi',
]);

type Variables = ReadonlyMap<string, 'ip' | 'ip6'>;

function findCommands(
  text: string,
  from: number,
  inBlock: boolean,
  variables: Variables,
): readonly ScriptCommand[] {
  const shell = splitShellLine(text, from);
  if ('kind' in shell) return NO_COMMANDS;
  const found: ScriptCommand[] = [];
  for (const { words, conditional } of shell) {
    let depends = conditional || inBlock;
    for (const [index, word] of words.entries()) {
      const family = programFamily(word.value, variables);
      if (family !== undefined) {
        found.push({ family, words: words.slice(index + 1), conditional: depends });
        break;
      }
      if (CONDITIONAL_WORDS.has(word.value)) depends = true;
      if (!LEADING_WORDS.has(word.value.replace(/^.*\//, '')) && !/^(?:-[\w-]*|\w+=.*)$/.test(word.value))
        break;
    }
  }
  return found;
}

function programFamily(word: string, variables: Variables): 'ip' | 'ip6' | undefined {
  const program = PROGRAM.exec(word);
  if (program !== null) return program[1] === '6' ? 'ip6' : 'ip';
  const name = VARIABLE.exec(word)?.[1];
  if (name === undefined) return undefined;
  return variables.get(name) ?? (/ip[46]?t/i.test(name) ? (name.includes('6') ? 'ip6' : 'ip') : undefined);
}

/** The place of a line from its first character that is not a blank. */
export function placeOf(line: Line, start = line.start): Place {
  const { number, text, continued } = line;
  const last = continued.at(-1);
  if (last === undefined) return { line: number, column: start + 1, endColumn: text.length + 1 };
  const before = continued.filter((offset) => offset <= start);
  return {
    line: number + before.length,
    column: start - (before.at(-1) ?? 0) + 1,
    endLine: number + continued.length,
    endColumn: text.length - last + 1,
  };
}
