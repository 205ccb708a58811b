/** One argument of a line, with its place in that line. */
export interface Word {
  readonly value: string;
  /** Some part of it stood in quotes, so a leading `-` or a lone `!` is not an option or a negation. */
  readonly quoted: boolean;
  /** Offsets into the line's text, 0-based; `end` is exclusive and includes a closing quote. */
  readonly start: number;
  readonly end: number;
}

/** What is wrong with a line's quoting. */
export interface WordProblem {
  readonly kind: 'problem';
  readonly detail: string;
}

const SPACE = 32;
const TAB = 9;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Splits a line of iptables-save the way iptables-restore 1.8.9 does (`add_param_to_argv`): blanks separate, a
 * double quote opens text in which a backslash takes the next character as it is, and the closing quote ends
 * the argument. Single quotes and backslashes outside quotes are ordinary characters. Linear in the length.
 */
export function splitSavedLine(text: string, from: number): readonly Word[] | WordProblem {
  const words: Word[] = [];
  let i = from;
  const end = text.length;
  while (i < end) {
    let c = text.charCodeAt(i);
    if (c === SPACE || c === TAB) {
      i++;
      continue;
    }
    const start = i;
    while (i < end && c !== SPACE && c !== TAB && c !== QUOTE) c = text.charCodeAt(++i);
    if (i >= end || c !== QUOTE) {
      words.push({ value: text.slice(start, i), quoted: false, start, end: i });
      continue;
    }
    const closed = readQuoted(text, i);
    if (closed === undefined) return { kind: 'problem', detail: 'a quote is not closed' };
    words.push({ value: text.slice(start, i) + closed.value, quoted: true, start, end: closed.end });
    i = closed.end;
  }
  return words;
}

function readQuoted(
  text: string,
  open: number,
): { readonly value: string; readonly end: number } | undefined {
  const parts: string[] = [];
  let from = open + 1;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) {
      parts.push(text.slice(from, i));
      from = i + 1;
      i++;
    } else if (c === QUOTE) {
      parts.push(text.slice(from, i));
      return { value: parts.join(''), end: i + 1 };
    }
  }
  return undefined;
}

/** One simple command of a shell line. */
export interface ShellCommand {
  readonly words: readonly Word[];
  /** It follows `&&` or `||`: whether it runs depends on another command. */
  readonly conditional: boolean;
}

/**
 * Splits a shell line into simple commands and their words (POSIX shell, 2.2 and 2.3, as far as such lines go):
 * quotes, backslashes, `#` comments, and the operators `;`, `&`, `&&`, `||`, `|`. Redirections are dropped.
 * Variables and command substitutions stay as they are written. Linear in the length.
 */
export function splitShellLine(text: string, from: number): readonly ShellCommand[] | WordProblem {
  const commands: ShellCommand[] = [];
  let words: Word[] = [];
  let conditional = false;
  let i = from;
  while (i < text.length) {
    const c = text[i]!;
    if (c === ' ' || c === '\t') {
      i++;
    } else if (c === '#') {
      break;
    } else if (c === ';' || c === '|' || c === '&') {
      const doubled = text[i + 1] === c && c !== ';';
      if (words.length > 0) commands.push({ words, conditional });
      words = [];
      conditional = doubled;
      i += doubled ? 2 : 1;
    } else {
      const word = readShellWord(text, i);
      if (word === undefined) return { kind: 'problem', detail: 'a quote is not closed' };
      i = word.end;
      const redirection = /^(?:\d|&)?(?:>>?|<)/.exec(word.value);
      if (redirection === null || word.quoted) words.push(word);
      else if (redirection[0].length === word.value.length) i = skipWord(text, i);
    }
  }
  if (words.length > 0) commands.push({ words, conditional });
  return commands;
}

function skipWord(text: string, from: number): number {
  let i = from;
  while (i < text.length && (text[i] === ' ' || text[i] === '\t')) i++;
  return i < text.length ? (readShellWord(text, i)?.end ?? text.length) : i;
}

function readShellWord(text: string, start: number): Word | undefined {
  const parts: string[] = [];
  let quoted = false;
  let i = start;
  while (i < text.length) {
    const c = text[i]!;
    if (c === ' ' || c === '\t' || c === ';' || c === '|') break;
    // The `&` of `2>&1` belongs to the redirection.
    if (c === '&' && text[i - 1] !== '>' && text[i + 1] !== '>') break;
    if (c === "'") {
      const close = text.indexOf("'", i + 1);
      if (close < 0) return undefined;
      parts.push(text.slice(i + 1, close));
      quoted = true;
      i = close + 1;
    } else if (c === '"') {
      const inner = readQuoted(text, i);
      if (inner === undefined) return undefined;
      parts.push(inner.value);
      quoted = true;
      i = inner.end;
    } else if (c === '\\' && i + 1 < text.length) {
      // A backslash takes away a character's meaning: `\!` is a plain `!` for iptables.
      parts.push(text[i + 1]!);
      i += 2;
    } else {
      parts.push(c);
      i++;
    }
  }
  return { value: parts.join(''), quoted, start, end: i };
}

const PLAIN = /^[\w!@%+=:,./[\]()*?-]+$/;

/** A word as iptables-save would print it: in quotes where it holds anything a plain argument cannot. */
export function printWord(value: string, quoted: boolean): string {
  if (value !== '' && (!quoted || PLAIN.test(value)) && !/[\s"]/.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}
