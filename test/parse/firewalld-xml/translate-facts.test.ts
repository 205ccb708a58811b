import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { firewalldFacts } from '../../../src/cli/build-firewalld-facts.ts';
import * as facts from '../../../src/parse/firewalld-xml/stock-facts.ts';

const FOLDER = '/usr/lib/firewalld';
const CONFIG = '/usr/lib/python3/dist-packages/firewall/config/__init__.py';
const installed = existsSync(CONFIG)
  ? /^VERSION = '([^']+)'/m.exec(readFileSync(CONFIG, 'utf8'))?.[1]
  : undefined;
const comparable = installed === facts.STOCK_VERSION && existsSync(`${FOLDER}/services`);
if (!comparable)
  console.log(`not compared with the package: firewalld ${facts.STOCK_VERSION} is not installed here`);

/** The entries of a generated text, whatever its layout. */
function entries(text: string): readonly string[] {
  return [...text.matchAll(/^ {2}'?([\w.-]+)'?:\s*'((?:[^'\\]|\\.)*)'/gm)].map(
    ([, name, value]) => `${name}=${value}`,
  );
}

it.skipIf(!comparable)('the facts are those of the installed package', () => {
  const known = [
    facts.STOCK_SERVICES,
    facts.STOCK_ICMPTYPES,
    facts.STOCK_ZONES,
    facts.STOCK_POLICIES,
    facts.STOCK_HELPERS,
  ].flatMap((table) => Object.entries(table).map(([name, value]) => `${name}=${value}`));
  expect([...entries(firewalldFacts(FOLDER, facts.STOCK_VERSION))].sort()).toEqual(known.sort());
});

it('services that decide about NetWorker hosts are there', () => {
  expect(facts.STOCK_SERVICES.cockpit).toBe('port 9090/tcp');
  expect(facts.STOCK_SERVICES.ssh).toBe('port 22/tcp');
  expect(facts.STOCK_ICMPTYPES['neighbour-advertisement']).toBe('6');
});
