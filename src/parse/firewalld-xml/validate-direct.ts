/** direct.xml against the tables of iptables and ebtables. */
import type { Direct } from './configuration.ts';
import { type ProblemLog, quote } from './read-log.ts';
import type { World } from './validate-names.ts';

const IP_CHAINS: Readonly<Record<string, readonly string[]>> = {
  security: ['INPUT', 'OUTPUT', 'FORWARD'],
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'POSTROUTING', 'INPUT', 'OUTPUT', 'FORWARD'],
  nat: ['PREROUTING', 'POSTROUTING', 'OUTPUT'],
  filter: ['INPUT', 'OUTPUT', 'FORWARD'],
};
const BRIDGE_CHAINS: Readonly<Record<string, readonly string[]>> = {
  broute: ['BROUTING'],
  nat: ['PREROUTING', 'POSTROUTING', 'OUTPUT'],
  filter: ['INPUT', 'OUTPUT', 'FORWARD'],
};

const NEEDED: readonly string[] = ['-A', '--append', '-I', '--insert', '-N', '--new-chain'];
const FORBIDDEN: readonly string[] = [
  '-C',
  '--check',
  '-D',
  '--delete',
  '-R',
  '--replace',
  '-L',
  '--list',
  '-S',
  '--list-rules',
  '-F',
  '--flush',
  '-Z',
  '--zero',
  '-X',
  '--delete-chain',
  '-P',
  '--policy',
  '-E',
  '--rename-chain',
];

/** Targets that are no chains. Source: iptables-extensions(8), ebtables(8). */
const TARGETS: ReadonlySet<string> = new Set(
  (
    'ACCEPT DROP RETURN QUEUE CONTINUE AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL ' +
    'HMARK IDLETIMER LED LOG MARK MASQUERADE MIRROR NETMAP NFLOG NFQUEUE NOTRACK RATEEST REDIRECT REJECT SAME SECMARK SET ' +
    'SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG arpreply dnat mark redirect snat'
  ).split(' '),
);

/** Longest name of a chain that iptables takes. */
const LONGEST_CHAIN = 28;

/** Checks the direct configuration and leaves out the passthroughs firewalld passes over. */
export function checkDirect(direct: Direct | undefined, world: World, log: ProblemLog): Direct | undefined {
  if (direct === undefined) return undefined;
  const declared = new Set(direct.chains.map(({ family, table, chain }) => `${family} ${table} ${chain}`));
  for (const { family, table, chain, origin } of direct.chains) {
    if (builtIn(family, table).includes(chain))
      log.fatal(origin, `the direct chain ${quote(chain)} is there from the beginning`);
    else if (family !== 'eb' && isZoneChain(chain, world))
      log.fatal(origin, `the name of the direct chain ${quote(chain)} is one of firewalld's own`);
    else if (chain.length > LONGEST_CHAIN)
      log.fatal(
        origin,
        `the name of the direct chain ${quote(chain)} has more than ${LONGEST_CHAIN} characters`,
      );
  }
  for (const { family, table, chain, args, origin } of direct.rules) {
    const target = /(?:^|\s)(?:-j|--jump|-g|--goto)\s+["']?([^\s"']+)/.exec(args)?.[1];
    if (target !== undefined && !TARGETS.has(target) && !declared.has(`${family} ${table} ${target}`))
      log.doubt(
        origin,
        `the direct rule's target ${quote(target)} is neither known nor a declared chain: without it firewalld fails and runs its stock configuration`,
      );
    const plain = chain.replace(/_direct$/, '');
    const isKnown =
      builtIn(family, table).includes(chain) ||
      builtIn(family, table).includes(plain) ||
      declared.has(`${family} ${table} ${chain}`);
    // Something else may have made the chain before firewalld started; at boot, nothing has.
    if (!isKnown && world.backend === 'nftables')
      log.doubt(
        origin,
        `the direct rule's chain ${quote(chain)} is neither built in nor declared: without it firewalld fails and runs its stock configuration`,
      );
  }
  const passthroughs = direct.passthroughs.filter(({ args, origin }) => {
    const words = args.split(/\s+/);
    const forbidden = words.find((word) => FORBIDDEN.includes(word));
    const isTaken = forbidden === undefined && words.some((word) => NEEDED.includes(word));
    if (!isTaken) {
      const why = forbidden === undefined ? 'without -A, -I or -N' : `with ${forbidden}`;
      log.skipped(origin, `a passthrough rule ${why}`);
    }
    return isTaken;
  });
  return { ...direct, passthroughs };
}

function builtIn(family: string, table: string): readonly string[] {
  const chains = family === 'eb' ? BRIDGE_CHAINS : IP_CHAINS;
  return Object.hasOwn(chains, table) ? chains[table]! : [];
}

/** `IN_public_allow` and the like. */
function isZoneChain(chain: string, world: World): boolean {
  const [hook = '', zone = '', part, ...rest] = chain.split('_');
  if (!['PRE', 'POST', 'IN', 'FWD', 'OUT'].includes(hook) || !world.zones.has(zone) || rest.length > 0)
    return false;
  return part === undefined || ['pre', 'log', 'deny', 'allow', 'post'].includes(part);
}
