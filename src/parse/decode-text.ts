/** A file's content as text. */
export interface DecodedText {
  /** Empty for binary content. */
  readonly text: string;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'binary';
  /** Worth telling the reader: another encoding than UTF-8, or bytes that are no text. */
  readonly note?: string;
}

/**
 * Decodes the bytes of an export: UTF-8 with or without byte order mark, UTF-16 with one (what PowerShell writes for
 * `> file`), or without one when every second byte is NUL. Bytes that are no UTF-8 become U+FFFD. Content with NUL or many
 * other control characters is binary and gives the empty text. Never throws.
 */
export function decodeText(bytes: Uint8Array): DecodedText {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decodeWide(bytes.subarray(2), 'utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decodeWide(bytes.subarray(2), 'utf-16be');
  const wide = guessWide(bytes);
  if (wide !== undefined) return decodeWide(bytes, wide);
  if (looksBinary(bytes)) return { text: '', encoding: 'binary', note: 'the file is binary, not text' };
  // The decoder takes a byte order mark away.
  const text = new TextDecoder('utf-8').decode(bytes);
  return text.includes('\uFFFD') && !isUtf8(bytes)
    ? { text, encoding: 'utf-8', note: 'some bytes are no UTF-8; they are shown as U+FFFD' }
    : { text, encoding: 'utf-8' };
}

function decodeWide(bytes: Uint8Array, encoding: 'utf-16le' | 'utf-16be'): DecodedText {
  const even = bytes.subarray(0, bytes.length - (bytes.length % 2));
  let source = even;
  if (encoding === 'utf-16be') {
    // Node without full ICU has no utf-16be decoder; swapping works everywhere.
    source = new Uint8Array(even.length);
    for (let i = 0; i < even.length; i += 2) {
      source[i] = even[i + 1]!;
      source[i + 1] = even[i]!;
    }
  }
  const text = new TextDecoder('utf-16le').decode(source);
  return text.includes('\0')
    ? { text: '', encoding: 'binary', note: 'the file is binary, not text' }
    : { text, encoding, note: `the file is encoded in ${encoding.toUpperCase()}` };
}

/** UTF-16 without a mark: of the first bytes, nearly all at one parity are NUL and none at the other. */
function guessWide(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const length = Math.min(bytes.length - (bytes.length % 2), 2048);
  if (length < 4) return undefined;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < length; i += 2) {
    if (bytes[i] === 0) even++;
    if (bytes[i + 1] === 0) odd++;
  }
  const most = (length / 2) * 0.9;
  if (odd >= most && even === 0) return 'utf-16le';
  return even >= most && odd === 0 ? 'utf-16be' : undefined;
}

/** Share of control characters above which content is not text. */
const BINARY_SHARE = 0.1;

function looksBinary(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, 8192);
  let control = 0;
  for (let i = 0; i < length; i++) {
    const byte = bytes[i]!;
    if (byte === 0) return true;
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27) control++;
  }
  return control > length * BINARY_SHARE;
}

function isUtf8(bytes: Uint8Array): boolean {
  // Encoding the decoded text again gives the same bytes only if nothing was replaced.
  const again = new TextEncoder().encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]);
}
