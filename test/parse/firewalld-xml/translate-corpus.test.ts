import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseFirewalld } from '../../../src/parse/firewalld-xml/index.ts';
import { parseNftJson } from '../../../src/parse/nft-json/index.ts';
import { compareRulesets } from '../../../src/semantics/index.ts';
import { hangsOnHiddenVersion } from '../../hidden-version.ts';
import { differenceText } from './translate-support.ts';

// Real configurations beside what firewalld 1.3.3 loaded for them. Compared as packet sets: what both parsers misread alike is not
// seen here, test/kernel asks the kernel for that.
const CORPUS = fileURLToPath(new URL('../../../../shared/corpus/firewalld-as-run/', import.meta.url));
const present = existsSync(CORPUS);
if (!present) console.log('corpus tests skipped: there is no ../shared/corpus beside the repository');

function filesBelow(folder: string, name = ''): { readonly path: string; readonly text: string }[] {
  return readdirSync(join(folder, name), { withFileTypes: true }).flatMap((entry) => {
    const path = name === '' ? entry.name : `${name}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(folder, path);
    return [{ path, text: readFileSync(join(folder, path), 'utf8') }];
  });
}

const cases = present
  ? readdirSync(CORPUS)
      .filter((name) => existsSync(join(CORPUS, name, 'nftables.json')))
      .sort()
  : [];

const origin = { file: 'bindings', line: 1, column: 1, endLine: 1, endColumn: 1, path: null };

describe.skipIf(!present)('the XML means what firewalld made of it', () => {
  it.each(cases)('%s', (name) => {
    const folder = join(CORPUS, name);
    const nft = parseNftJson(readFileSync(join(folder, 'nftables.json'), 'utf8'), 'nftables.json');
    // The rules were recorded with the nftables backend, and with an interface bound while firewalld ran.
    const files = filesBelow(folder)
      .filter(({ path }) => path.startsWith('etc-firewalld/'))
      .map(({ path, text }) => ({
        path: path.replace('etc-firewalld', 'etc/firewalld'),
        text: text.replace('FirewallBackend=iptables', 'FirewallBackend=nftables'),
      }));
    const text = readFileSync(join(folder, 'nftables.nft'), 'utf8');
    const zone = /iifname "eth9" goto filter_IN_(\S+)/.exec(text)?.[1];
    const interfaces = zone === undefined ? [] : [{ interface: 'eth9', zone, origin }];
    const xml = parseFirewalld(files, { interfaces, distribution: 'upstream' });
    const { differences } = compareRulesets(nft.ruleset, xml.ruleset, { packets: 'any' });
    const real = differences.filter((one) => !hangsOnHiddenVersion(one));
    expect(real.map(differenceText)).toEqual([]);
  });
});
