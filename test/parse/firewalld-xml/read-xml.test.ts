import { describe, expect, it } from 'vitest';
import { readXml, type XmlStop } from '../../../src/parse/firewalld-xml/xml.ts';

interface Heard {
  readonly tags: readonly string[];
  readonly notes: readonly string[];
  readonly stop: XmlStop | undefined;
}

function place(origin: XmlStop['origin']): string {
  return `${origin.line}:${origin.column}-${origin.endLine}:${origin.endColumn} ${origin.path}`;
}

function hear(text: string, encoding: 'utf-8' | 'utf-16le' = 'utf-8'): Heard {
  const tags: string[] = [];
  const notes: string[] = [];
  const stop = readXml(text, 'zones/x.xml', encoding, {
    start: ({ name, attributes, origin }) => {
      tags.push(`<${name}> ${place(origin)}`);
      for (const attribute of attributes.values())
        tags.push(`@${attribute.name}=${attribute.value} ${place(attribute.origin)}`);
    },
    end: (name, content) => tags.push(`</${name}> ${JSON.stringify(content)}`),
    note: (detail) => notes.push(detail),
  });
  return { tags, notes, stop };
}

describe('places', () => {
  it('what is wrong at the end of a file stands at its end, in an empty file at its beginning', () => {
    expect(place(hear('').stop!.origin)).toBe('1:1-1:1 null');
    expect(place(hear('<zone>\n').stop!.origin)).toBe('1:7-2:1 /zone');
  });

  it('elements and attributes have line, column and path, counted in UTF-16 units and from 1', () => {
    const text =
      '<zone>\n  <rule/>\n  <!-- 😀 --><rule family="ipv4"\n    priority=\'1\'><a/></rule>\n</zone>';
    expect(hear(text).tags).toEqual([
      '<zone> 1:1-1:7 /zone',
      '<rule> 2:3-2:10 /zone/rule',
      '</rule> ""',
      '<rule> 3:14-4:18 /zone/rule[2]',
      '@family=ipv4 3:20-3:33 /zone/rule[2]/@family',
      '@priority=1 4:5-4:17 /zone/rule[2]/@priority',
      '<a> 4:18-4:22 /zone/rule[2]/a',
      '</a> ""',
      '</rule> ""',
      '</zone> "\\n"',
    ]);
  });

  it('an attribute value has its entities resolved, and tabs and line breaks as spaces', () => {
    const { tags } = hear('<a b="&lt;&amp;&gt;&quot;&apos;&#65;\t&#x42;\n>"/>');
    expect(tags[1]).toMatch(/^@b=<&>"'A B >/);
  });

  it('text comes with the end tag, from the last start tag on, CDATA included', () => {
    expect(hear('<a>x<b>y</b>z<![CDATA[<w>]]></a>').tags.filter((t) => t.startsWith('</'))).toEqual([
      '</b> "y"',
      '</a> "yz<w>"',
    ]);
  });

  it('a tag of a hundred thousand lines costs no more than its length', () => {
    const attributes = Array.from({ length: 100_000 }, (_, i) => `a${i}="1"`).join('\n');
    const { tags } = hear(`<zone\n${attributes}/>`);
    expect(tags.length).toBe(100_002);
  });
});

describe('what is no XML', () => {
  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['a space before the declaration', ' <?xml version="1.0"?><a/>'],
    ['a comment before the declaration', '<!-- a --><?xml version="1.0"?><a/>'],
    ['a cut tag', '<zone><rule family="ipv4'],
    ['a cut document', '<zone><rule>'],
    ['a wrong end tag', '<zone><rule></zone>'],
    ['two roots', '<zone/><zone/>'],
    ['text after the root', '<zone/>x'],
    ['a value without quotes', '<zone a=1/>'],
    ['a value with one quote', '<zone a="1/>'],
    ['quotation marks of a word processor', '<zone a=“1”/>'],
    ['an attribute twice', '<zone a="1" a="2"/>'],
    ['attributes without a space between', '<zone a="1"b="2"/>'],
    ['a "<" in a value', '<zone a="<"/>'],
    ['an unknown entity', '<zone>&nbsp;</zone>'],
    ['a control character', '<zone>\u0001</zone>'],
    ['a reference to a control character', '<zone>&#1;</zone>'],
    ['"--" in a comment', '<!-- a -- b --><zone/>'],
    ['"]]>" in text', '<zone>]]></zone>'],
    ['a declaration in capitals', '<?XML version="1.0"?><a/>'],
    ['a declaration without version', '<?xml encoding="utf-8"?><a/>'],
    ['UTF-16 declared in UTF-8', '<?xml version="1.0" encoding="UTF-16"?><a/>'],
    ['a letter that US-ASCII lacks', '<?xml version="1.0" encoding="US-ASCII"?><a>é</a>'],
  ])('%s is refused, with a place', (_, text) => {
    const { stop } = hear(text);
    expect(stop?.kind).toBe('malformed');
    expect(stop!.origin.line).toBeGreaterThan(0);
    expect(stop!.origin.column).toBeGreaterThan(0);
  });

  it('the place of an error is where it stands', () => {
    const { stop } = hear('<zone>\n  <port port="1" protocol=tcp/>\n</zone>');
    expect(stop?.detail).toBe('no well-formed XML: unquoted attribute value');
    expect(place(stop!.origin)).toMatch(/^2:2[67]-/);
  });

  it.each([
    ['a byte order mark', '\uFEFF<?xml version="1.0" encoding="utf-8"?><a/>'],
    ['version 1.1', '<?xml version="1.1"?><a/>'],
    ['single quotes', "<?xml version='1.0'?><a b='\"'/>"],
    ['comments and instructions around the root', '<!-- a --><?b c?><a/><!-- d -->\n'],
    ['colons in names', '<x:a xml:lang="en" xmlns:x="urn:x"/>'],
    ['Latin 1', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>'],
  ])('%s is read', (_, text) => {
    expect(hear(text).stop).toBeUndefined();
  });

  it('UTF-16 may be declared where the bytes were UTF-16, and UTF-8 may not', () => {
    expect(hear('<?xml version="1.0" encoding="UTF-16"?><a/>', 'utf-16le').stop).toBeUndefined();
    expect(hear('<?xml version="1.0" encoding="UTF-8"?><a/>', 'utf-16le').stop?.kind).toBe('malformed');
  });
});

describe('hostile documents', () => {
  it('a document type with declarations is not read, and no entity is expanded', () => {
    const bomb =
      '<!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><zone><short>&b;</short></zone>';
    const { stop, tags } = hear(bomb);
    expect(stop).toMatchObject({
      kind: 'unread',
      detail: 'a document type with declarations of its own is not read',
    });
    expect(tags).toEqual([]);
  });

  it('a document type without declarations has no effect, whatever file it names', () => {
    const { stop, notes, tags } = hear('<!DOCTYPE zone SYSTEM "file:///etc/passwd"><zone/>');
    expect(stop).toBeUndefined();
    expect(notes).toEqual(['the document type has no effect']);
    expect(tags).toHaveLength(2);
  });

  it('an entity behind an external document type is not read: expat passes over it', () => {
    expect(hear('<!DOCTYPE zone SYSTEM "x.dtd"><zone>&e;</zone>').stop?.kind).toBe('unread');
  });

  it('nesting ends at 100 levels, without recursion', () => {
    const { stop } = hear('<a>'.repeat(1_000_000));
    expect(stop).toMatchObject({ kind: 'unread', detail: 'elements more than 100 deep are not read' });
  });

  it('twenty megabytes of one attribute, one text or one comment are read in linear time', () => {
    const long = 'x'.repeat(20_000_000);
    for (const text of [`<a b="${long}"/>`, `<a>${long}</a>`, `<!--${long}--><a/>`])
      expect(hear(text).stop).toBeUndefined();
  });

  it('a version that XML does not have is not read: expat takes it', () => {
    expect(hear('<?xml version="2.0"?><a/>').stop?.kind).toBe('unread');
  });

  it('bytes that were no text leave the document unread', () => {
    expect(hear('<a>\uFFFD</a>').stop?.kind).toBe('unread');
  });

  it('attributes named after properties of objects are attributes', () => {
    expect(hear('<a __proto__="1" constructor="2"/>').tags.slice(1, 3)).toEqual([
      '@__proto__=1 1:4-1:17 /a/@__proto__',
      '@constructor=2 1:18-1:33 /a/@constructor',
    ]);
  });
});
