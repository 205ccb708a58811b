/**
 * Characters that a terminal or a reader does not show as themselves: control characters (C0, DEL, C1: cursor
 * movement, colours, titles), format characters (bidirectional overrides and isolates, zero-width characters,
 * soft hyphen, byte order mark, tags), line and paragraph separators, lone surrogates, private use, variation
 * selectors, and letters that have no shape (combining grapheme joiner, Hangul fillers, blank braille pattern).
 * Classes as in Unicode's DerivedGeneralCategory; the rest from its Default_Ignorable_Code_Point.
 */
const INVISIBLE =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: single code points by number, none of them joined
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u{34F}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{180B}-\u{180F}\u{2800}\u{3164}\u{FE00}-\u{FE0F}\u{FFA0}\u{E0100}-\u{E01EF}]/gu;

/**
 * Beginnings of commands that a build service reads in what a job prints: `::error …::` where a line begins, spaces aside (GitHub), and
 * `##[…]`, `##vso[…]`, `##teamcity[…]` anywhere. A name with a letter past f cannot be mistaken for a part of an IPv6 address. Which
 * words begin a line is up to whoever wraps it, so the place is not looked at. Source: actions/runner, ActionCommand.cs.
 */
const LINE_COMMAND = /::(?=[a-z-]*[g-z-][a-z-]*(?:\s.*)?::)/gis;
const MARKED_COMMAND = /##(?=[a-z]*\[)/gi;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * The text on one line with nothing in it that acts on a terminal or hides from the eye: every such character
 * is replaced by a visible escape (`\n`, `\x1b`, `\u202e`, `\u{e0041}`), and nothing in it is a command to a build service.
 *
 * Everything that comes from exports, file names and the configuration goes through here before it is shown
 * to people. A backslash stays as it is, so an escape cannot be told from the same text written out.
 */
export function escapeText(text: string): string {
  return text
    .replace(INVISIBLE, (character) => SHORT_ESCAPES[character] ?? codePointEscape(character))
    .replace(LINE_COMMAND, '\\x3a:')
    .replace(MARKED_COMMAND, '#\\x23');
}

/** `escapeText`, but line feeds stay: for texts of several lines whose author is the rule pack. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeText).join('\n');
}

/**
 * JSON text in which no character of `INVISIBLE` stands by itself: they become `\uXXXX`, which means the same to
 * a JSON reader. `JSON.stringify` alone lets DEL, C1 and bidirectional controls through. The same for `##[` and its like, which a build
 * service takes for commands wherever they stand; `::error` does nothing there, since no line begins with a text.
 */
export function stringifyVisibly(value: unknown, indent: number): string {
  const json = JSON.stringify(value, null, indent);
  return json
    .replace(INVISIBLE, (character) => (character === '\n' ? character : utf16Escapes(character)))
    .replace(MARKED_COMMAND, '#\\u0023');
}

function codePointEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

function utf16Escapes(character: string): string {
  let escaped = '';
  for (let i = 0; i < character.length; i++) {
    escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}
