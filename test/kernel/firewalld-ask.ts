import { parseFirewalld } from '../../src/parse/firewalld-xml/index.ts';
import { answersOf, type NwauditAnswer, readWhole } from './ask-nwaudit.ts';
import type { FirewalldFiles } from './firewalld-run.ts';
import type { KernelExports } from './run-kernel-case.ts';
import type { TracePacket } from './trace-packet.ts';

/** nwaudit's answers from what `nft -j` and, with direct rules, `iptables-save` print on the running host. */
export function askAboutExports(exports: KernelExports, packets: readonly TracePacket[]): NwauditAnswer[] {
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
  return answersOf(readWhole(files), packets);
}

/** What the harness knows beside the files: Debian's package is upstream's, and nothing else binds interfaces here. */
const KNOWN = { distribution: 'upstream', interfaces: [] } as const;

/** nwaudit's answers from the configuration alone. */
export function askAboutXml(files: FirewalldFiles, packets: readonly TracePacket[]): NwauditAnswer[] {
  const given = Object.entries(files).map(([path, text]) => ({ path: `host/etc/firewalld/${path}`, text }));
  const { ruleset } = parseFirewalld(given, KNOWN);
  return answersOf(ruleset, packets);
}
