/** Text of a file that a person wrote for nwaudit: nothing in it is guessed. */

/** `text`, or why there is none: `is not UTF-8 text`. */
export type StrictText = { readonly text: string } | { readonly problem: string };

/** Decodes UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it. Bytes that do not fit are a problem, never replaced. */
export function decodeStrictText(bytes: Uint8Array): StrictText {
  const encoding = encodingOf(bytes);
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes) };
  } catch {
    // TextDecoder's only way to say "bad input".
    return { problem: `is not ${encoding.toUpperCase()} text` };
  }
}

function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
}
