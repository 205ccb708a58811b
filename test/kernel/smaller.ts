/** Ways to make a text smaller: the candidates that a shrinker tries. */

/**
 * The list without one stretch: halves first, then quarters, down to single members. Nothing for an empty list.
 * `keep` says which members always stay.
 */
export function* withoutStretches<T>(
  list: readonly T[],
  keep: (member: T) => boolean = () => false,
): Generator<T[]> {
  const free = list.flatMap((member, index) => (keep(member) ? [] : [index]));
  for (let size = Math.ceil(free.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < free.length; start += size) {
      const gone = new Set(free.slice(start, start + size));
      yield list.filter((_, index) => !gone.has(index));
    }
  }
}

/** The text without some of its lines. */
export function* withoutLines(text: string, keep: (line: string) => boolean): Generator<string> {
  for (const lines of withoutStretches(text.split('\n'), keep)) yield lines.join('\n');
}

/**
 * The text with one line that `takes` accepts without one to `most` neighbouring words; the first `head` words stay.
 * Longer stretches first: an option goes with its value.
 */
export function* withoutWords(
  text: string,
  takes: (line: string) => boolean,
  head: number,
  most = 4,
): Generator<string> {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (!takes(line)) continue;
    const words = splitQuoted(line);
    for (let size = Math.min(most, words.length - head); size >= 1; size--) {
      for (let start = head; start + size <= words.length; start++) {
        const rest = [...words.slice(0, start), ...words.slice(start + size)].join(' ');
        yield [...lines.slice(0, index), rest, ...lines.slice(index + 1)].join('\n');
      }
    }
  }
}

/** Words between blanks; a quoted one stays whole, with its quotes, and indentation stays with the first word. */
function splitQuoted(line: string): string[] {
  return line.match(/^\s*\S*|"(?:[^"\\]|\\.)*"|\S+/g)?.filter((word) => word !== '') ?? [];
}
