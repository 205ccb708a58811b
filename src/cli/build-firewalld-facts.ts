/**
 * Writes what firewalld's own package defines (services, icmptypes, zones, policies, helpers) as a module of
 * `src/parse/firewalld-xml`. Run when a new version is to be known:
 *
 *     node dist/cli/build-firewalld-facts.js VERSION [FOLDER]
 *
 * `FOLDER` is `/usr/lib/firewalld` when absent. Only facts are taken: names, ports, protocols, addresses.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SaxesParser } from 'saxes';

const OUT_FILE = 'src/parse/firewalld-xml/stock-facts.ts';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Number of elements around it. */
  readonly depth: number;
}

/** The elements of an XML text in the order of their begin. */
function elementsOf(text: string): readonly Element[] {
  const out: Element[] = [];
  let depth = 0;
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => {
    const plain = Object.entries(attributes).map(([key, value]) => [key, String(value)] as const);
    out.push({ name, attributes: Object.fromEntries(plain), depth });
    depth++;
  });
  parser.on('closetag', () => {
    depth--;
  });
  parser.write(text).close();
  return out;
}

function portText({ port = '', protocol = '' }: Element['attributes']): string {
  return `${port}/${protocol}`;
}

/** Words for one element of a service, zone or policy; `undefined` for those that say nothing about packets. */
function wordsOf({ name, attributes }: Element): string | undefined {
  const named = attributes.name ?? attributes.value ?? '';
  switch (name) {
    case 'short':
    case 'description':
      return undefined;
    case 'port':
    case 'source-port':
      return `${name} ${portText(attributes)}`;
    case 'include':
      return `include ${attributes.service ?? ''}`;
    case 'destination':
      return ['ipv4', 'ipv6']
        .filter((key) => attributes[key] !== undefined)
        .map((key) => `${key} ${attributes[key]}`)
        .join('; ');
    default:
      return named === '' ? name : `${name} ${named}`;
  }
}

function zoneOrService(text: string): string {
  const [root, ...inner] = elementsOf(text);
  const attributes = Object.entries(root?.attributes ?? {})
    .filter(([name]) => name !== 'version')
    .map(([name, value]) => `${name} ${value}`);
  const words = inner.filter((e) => e.depth === 1).map(wordsOf);
  return [...attributes, ...words.filter((w) => w !== undefined)].join('; ');
}

/** A policy: rich rules as one phrase each, `rule ipv6 icmp-type redirect accept`. */
function policy(text: string): string {
  const [root, ...inner] = elementsOf(text);
  const out = Object.entries(root?.attributes ?? {}).map(([name, value]) => `${name} ${value}`);
  for (const element of inner) {
    const words = wordsOf(element);
    if (words === undefined) continue;
    if (element.name === 'rule') out.push(`rule ${element.attributes.family ?? ''}`);
    else if (element.depth === 2) out.push(`${out.pop()} ${words}`);
    else out.push(words);
  }
  return out.join('; ');
}

/** Versions of all `destination` elements together; none means both. */
function icmptype(text: string): string {
  const destinations = elementsOf(text).filter((e) => e.name === 'destination');
  const has = (name: string): boolean =>
    destinations.every(({ attributes }) => Object.values(attributes).every((value) => value === 'no')) ||
    destinations.some(({ attributes }) => attributes[name] === 'yes');
  return [has('ipv4') ? '4' : '', has('ipv6') ? '6' : ''].join('');
}

function table(
  folder: string,
  name: string,
  comment: string,
  read: (text: string) => string,
): readonly string[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((f) => f.endsWith('.xml')) : [];
  const lines = files.sort().map((file) => {
    const key = file.slice(0, -'.xml'.length);
    const text = read(readFileSync(join(folder, file), 'utf8'));
    return `  ${/^[A-Za-z_]\w*$/.test(key) ? key : `'${key}'`}: '${text.replace(/['\\]/g, '\\$&')}',`;
  });
  return [
    `/** ${comment} */`,
    `export const ${name}: Readonly<Record<string, string>> = {`,
    ...lines,
    '};',
    '',
  ];
}

/** The text of the module. */
export function firewalldFacts(folder: string, version: string): string {
  return [
    `// Written by src/cli/build-firewalld-facts.ts from firewalld ${version}. Do not edit.`,
    '',
    '/** Version of firewalld the facts are from. */',
    `export const STOCK_VERSION = '${version}';`,
    '',
    ...table(
      join(folder, 'services'),
      'STOCK_SERVICES',
      'What each service holds, phrases joined by `; `.',
      zoneOrService,
    ),
    ...table(join(folder, 'icmptypes'), 'STOCK_ICMPTYPES', 'IP versions each icmptype exists in.', icmptype),
    ...table(join(folder, 'zones'), 'STOCK_ZONES', 'What each zone holds.', zoneOrService),
    ...table(join(folder, 'policies'), 'STOCK_POLICIES', 'What each policy holds.', policy),
    ...table(
      join(folder, 'helpers'),
      'STOCK_HELPERS',
      'Kernel module and ports of each helper.',
      zoneOrService,
    ),
  ].join('\n');
}

function main(): void {
  const [version, folder = '/usr/lib/firewalld'] = process.argv.slice(2);
  if (version === undefined || !existsSync(join(folder, 'services'))) {
    process.stderr.write('usage: build-firewalld-facts VERSION [FOLDER]\n');
    process.exitCode = 2;
    return;
  }
  const root = fileURLToPath(new URL('../..', import.meta.url));
  writeFileSync(join(root, OUT_FILE), firewalldFacts(folder, version));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
