import { describe, expect, it } from 'vitest';
import { decodeText } from '../../src/parse/index.ts';

const TEXT = '*filter\n:INPUT DROP [0:0]\nCOMMIT\n';

function utf16(text: string, bigEndian: boolean, mark: boolean): Uint8Array {
  const little = Buffer.from(mark ? `\uFEFF${text}` : text, 'utf16le');
  return bigEndian ? little.swap16() : little;
}

describe('text decoding', () => {
  it.each([
    ['UTF-8', Buffer.from(TEXT), 'utf-8'],
    ['UTF-8 with mark', Buffer.from(`\uFEFF${TEXT}`), 'utf-8'],
    ['UTF-16 LE with mark', utf16(TEXT, false, true), 'utf-16le'],
    ['UTF-16 BE with mark', utf16(TEXT, true, true), 'utf-16be'],
    ['UTF-16 LE without mark', utf16(TEXT, false, false), 'utf-16le'],
    ['UTF-16 BE without mark', utf16(TEXT, true, false), 'utf-16be'],
  ])('reads %s', (_, bytes, encoding) => {
    expect(decodeText(bytes)).toMatchObject({ text: TEXT, encoding });
  });

  it('says that a file is no UTF-8, and reads the rest', () => {
    const decoded = decodeText(Buffer.from([0x23, 0x20, 0xe4, 0x0a]));
    expect(decoded).toMatchObject({ text: '# \uFFFD\n', encoding: 'utf-8' });
    expect(decoded.note).toContain('UTF-8');
  });

  it('keeps a U+FFFD that really stands there without remark', () => {
    expect(decodeText(Buffer.from('\uFFFD'))).toEqual({ text: '\uFFFD', encoding: 'utf-8' });
  });

  it.each([
    ['an ELF header', [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0]],
    ['control characters', [1, 2, 3, 4, 5, 6, 65, 66]],
    ['UTF-16 with NUL characters', [0xff, 0xfe, 65, 0, 0, 0, 66, 0]],
  ])('finds %s binary', (_, bytes) => {
    expect(decodeText(new Uint8Array(bytes))).toMatchObject({ text: '', encoding: 'binary' });
  });

  it('reads an empty file as empty text', () => {
    expect(decodeText(new Uint8Array())).toEqual({ text: '', encoding: 'utf-8' });
  });
});
