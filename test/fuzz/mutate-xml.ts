/** Changes of XML: elements in wrong places and numbers, attributes twice, declarations, entities, nesting. */
import { type MutationSource, oddWord } from './mutate.ts';

const PIECE = /<[^<>]*>|[^<>]+|[<>]/g;

const HEADS: readonly string[] = [
  '<?xml version="1.0" encoding="utf-8"?>',
  '<?xml version="1.1"?>',
  '<?xml version="1.0" encoding="utf-16"?>',
  '<?xml version="1.0" encoding="x-nothing"?>',
  '<?xml version="1.0" standalone="yes"?>',
  '<!DOCTYPE zone>',
  '<!DOCTYPE zone SYSTEM "file:///dev/zero">',
  '<!DOCTYPE z [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
  '<!DOCTYPE z [<!ELEMENT z ANY>]>',
  '<!-- x -->',
  '<!-- -- -->',
  '<?php x ?>',
];
const TEXTS: readonly string[] = [
  '&a;',
  '&c;',
  '&#0;',
  '&#x110000;',
  '&#xd800;',
  '&lt;',
  '&amp;amp;',
  '<![CDATA[x]]>',
  ']]>',
  '<!-- x -->',
  '<?x y?>',
  '\u0001',
  '\ufffe',
];

/** An XML text after one change. */
export function mutateXml(text: string, source: MutationSource): string {
  const { random, limit } = source;
  const pieces: string[] = text.match(PIECE) ?? [''];
  const tags = pieces.flatMap((piece, index) => (/^<[a-z]/i.test(piece) ? [index] : []));
  const at = tags.length > 0 ? random.pick(tags) : 0;
  const to = random.integer(pieces.length);
  const piece = pieces[at] ?? '';
  const name = /^<([^\s/>]+)/.exec(piece)?.[1] ?? 'zone';
  switch (random.integer(12)) {
    case 0:
      pieces.splice(at, 1);
      break;
    case 1:
      pieces.splice(to, 0, piece);
      break;
    case 2:
      pieces.splice(to, 0, ...pieces.splice(at, 1 + random.integer(5)));
      break;
    case 3:
      return `${random.pick(HEADS)}${random.chance(0.5) ? '\n' : ''}${text}`;
    case 4:
      pieces.splice(to, 0, random.pick(TEXTS));
      break;
    case 5:
      pieces[at] = changeAttribute(piece, source);
      break;
    case 6:
      pieces[at] = changeAttribute(changeAttribute(piece, source), source);
      break;
    case 7:
      pieces[at] = piece.replace(/^<[^\s/>]+/, () => `<${oddWord(source)}`);
      break;
    case 8: {
      const depth = Math.min(random.pick([2, 5, 99, 101, 5000]), Math.ceil(limit / (2 * name.length + 6)));
      pieces[at] = `${`<${name}>`.repeat(depth)}${piece}${`</${name}>`.repeat(depth)}`;
      break;
    }
    case 9: {
      const times = random.pick([2, 100, 3000]);
      pieces[at] = piece.repeat(Math.min(times, Math.ceil(limit / (piece.length + 1))));
      break;
    }
    case 10:
      pieces[at] = piece.endsWith('/>') ? piece.replace(/\/>$/, '>') : piece.replace(/>$/, '/>');
      break;
    default: {
      const word = oddWord(source);
      pieces.splice(to, 0, `<${word}>${oddWord(source)}</${word}>`);
    }
  }
  return pieces.join('');
}

function changeAttribute(tag: string, source: MutationSource): string {
  const { random } = source;
  const attributes = [...tag.matchAll(/\s([^\s=]+)=(["'])(.*?)\2/gs)];
  if (attributes.length === 0 || random.chance(0.2)) {
    const quoteMark = random.pick(['"', "'", '']);
    return tag.replace(
      /\s*\/?>$/,
      (end) => ` ${oddWord(source)}=${quoteMark}${oddWord(source)}${quoteMark}${end}`,
    );
  }
  const [whole, name, mark, value] = random.pick(attributes);
  const next = random.pick([
    '',
    whole.repeat(2),
    ` ${name}=${mark}${oddWord(source)}${mark}`,
    ` ${name}=${mark}${oddWord(source)}${mark}`,
    ` ${name}=${mark}${value}${oddWord(source)}${mark}`,
    ` ${oddWord(source)}=${mark}${value}${mark}`,
    ` ${name}=${value}`,
    ` ${name?.toUpperCase()}=${mark}${value?.toUpperCase()}${mark}`,
  ]);
  return tag.replace(whole, () => next);
}
