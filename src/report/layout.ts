import { escapeText, type Severity } from '../finding/index.ts';

/** Narrowest and widest text block the report uses, whatever the terminal says. */
const MIN_WIDTH = 40;
const MAX_WIDTH = 110;

/** The width to lay text out for: the terminal's within readable bounds, 80 where it is not known. */
export function usableWidth(width: number): number {
  if (!Number.isFinite(width) || width <= 0) return 80;
  return Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, Math.floor(width)));
}

/**
 * Lines of at most `width` columns, broken at spaces. A word longer than that gets a line of its own: an
 * address or a path is of no use in two halves. Columns are counted as code points.
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (word === '') continue;
    if (line !== '' && [...line].length + 1 + [...word].length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** The text in at most `width` columns: where it is longer, its middle gives way to ` ... `. A rule's end says what it does. */
export function cutMiddle(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  const tail = Math.min(30, Math.floor(width / 3));
  const head = Math.max(1, width - tail - 5);
  return `${characters.slice(0, head).join('')} ... ${characters.slice(characters.length - tail).join('')}`;
}

/** A text from outside as one escaped line, cut to `width`. */
export function quoteLine(text: string, width: number): string {
  // Escaping makes a character longer, never shorter: what lies far outside the window need not be escaped.
  const bounded = text.length > 4000 ? `${text.slice(0, 2000)} ... ${text.slice(-200)}` : text;
  return cutMiddle(escapeText(bounded), width);
}

/** `1 rule`, `2 rules`, `3 policies`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listWords(words: readonly string[]): string {
  const last = words[words.length - 1] ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

/** Parts of the report that may get a colour. */
export type Style = Severity | 'heading' | 'place' | 'quote' | 'faint' | 'loud' | 'good';

/** Select Graphic Rendition parameters. Source: ECMA-48, 8.3.117. */
const SGR: Readonly<Record<Style, string>> = {
  critical: '1;97;41',
  high: '1;31',
  medium: '1;33',
  low: '1;36',
  info: '1;34',
  heading: '1',
  place: '36',
  quote: '35',
  faint: '2',
  loud: '1;97;41',
  good: '1;32',
};

/** Gives texts a style, or leaves them alone where there is no colour. */
export type Painter = (style: Style, text: string) => string;

export function painter(color: boolean): Painter {
  return (style, text) => (color && text !== '' ? `\u001b[${SGR[style]}m${text}\u001b[0m` : text);
}
