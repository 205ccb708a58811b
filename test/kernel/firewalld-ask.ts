import type { Ruleset } from '../../src/model/index.ts';
import { parseFirewalld } from '../../src/parse/firewalld-xml/index.ts';
import { readWhole } from './ask-nwaudit.ts';
import type { FirewalldFiles } from './firewalld-run.ts';
import type { KernelExports } from './run-kernel-case.ts';

/** What `nft -j` and, with direct rules, `iptables-save` print on the running host, as nwaudit reads it. */
export function readFirewalldExports(exports: KernelExports): Ruleset {
  const names = {
    'nft-json': 'ruleset.json',
    'iptables-save': 'iptables.txt',
    'ip6tables-save': 'ip6tables.txt',
    'ipset-save': 'ipset.txt',
  } as const;
  // The names are the keys of the object above.
  const files = (Object.keys(names) as (keyof typeof names)[])
    .filter((name) => /^(-A|:|create|\{)/m.test(exports[name] ?? ''))
    .map((name) => ({ path: `host/${names[name]}`, bytes: new TextEncoder().encode(exports[name]) }));
  return readWhole(files);
}

/** What the harness knows beside the files: Debian's package is upstream's, and nothing else binds interfaces here. */
const KNOWN = { distribution: 'upstream', interfaces: [] } as const;

/** The configuration alone, as nwaudit reads it. */
export function readFirewalldXml(files: FirewalldFiles): Ruleset {
  const given = Object.entries(files).map(([path, text]) => ({ path: `host/etc/firewalld/${path}`, text }));
  return parseFirewalld(given, KNOWN).ruleset;
}
