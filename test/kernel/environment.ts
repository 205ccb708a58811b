import { spawnSync } from 'node:child_process';

/** Programs a kernel test starts, each with an argument that makes it answer and exit. */
const TOOLS: readonly (readonly [string, string])[] = [
  ['unshare', '--version'],
  ['python3', '--version'],
  ['ip', '-V'],
  ['nft', '--version'],
  ['ipset', '--version'],
  ['iptables-nft-restore', '--version'],
  ['iptables-nft-save', '--version'],
  ['ip6tables-nft-restore', '--version'],
  ['iptables-legacy-restore', '--version'],
  ['iptables-legacy-save', '--version'],
];

/**
 * Why the kernel tests cannot run here, or `undefined` when they can.
 *
 * With `NWAUDIT_REQUIRE_KERNEL=1` (as CI sets it) the tests must run: then the reason is thrown, not returned.
 */
export function whyNoKernelTests(): string | undefined {
  const reason = findObstacle();
  if (reason !== undefined && process.env.NWAUDIT_REQUIRE_KERNEL === '1') {
    throw new Error(`kernel tests are required here but cannot run: ${reason}`);
  }
  return reason;
}

/** Like `whyNoKernelTests`, but as the answer to `describe.skipIf`, with the reason printed in one line. */
export function skipsKernelTests(): boolean {
  const reason = whyNoKernelTests();
  if (reason !== undefined) process.stdout.write(`kernel tests skipped: ${reason}\n`);
  return reason !== undefined;
}

function findObstacle(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return 'not root';
  for (const [program, argument] of TOOLS) {
    if (spawnSync(program, [argument]).error !== undefined) return `${program} is not installed`;
  }
  const namespace = spawnSync('unshare', ['-n', '-m', '--', 'nft', 'add', 'table', 'inet', 'probe']);
  if (namespace.status === 0) return undefined;
  return `a network namespace with nftables cannot be made: ${namespace.stderr.toString().trim()}`;
}

/** Programs that the tests with the real firewalld start besides. */
const FIREWALLD_TOOLS: readonly (readonly [string, string])[] = [
  ['firewalld', '--help'],
  ['firewall-cmd', '--help'],
  ['dbus-daemon', '--version'],
];

/** Why firewalld cannot be run here besides `whyNoKernelTests`, or `undefined` when it can. */
export function whyNoFirewalldTests(): string | undefined {
  const missing = FIREWALLD_TOOLS.find(
    ([program, argument]) => spawnSync(program, [argument]).error !== undefined,
  );
  return missing === undefined ? undefined : `${missing[0]} is not installed`;
}

/** Like `skipsKernelTests`, for tests that start the real firewalld. `what`: their name in the line that is printed. */
export function skipsFirewalldTests(what: string): boolean {
  if (skipsKernelTests()) return true;
  const reason = whyNoFirewalldTests();
  if (reason === undefined) return false;
  if (process.env.NWAUDIT_REQUIRE_KERNEL === '1')
    throw new Error(`kernel tests are required here but cannot run: ${reason}`);
  process.stdout.write(`${what} skipped: ${reason}\n`);
  return true;
}
