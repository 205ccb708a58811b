import { evaluatePacket, prepareRuleset } from '../../src/evaluate/index.ts';
import type { Packet, PacketHook, Ruleset } from '../../src/model/index.ts';
import type { IpVersion } from '../../src/net/index.ts';
import { analysePath, answerPacket, HostSpace, type PathAnalysis } from '../../src/semantics/index.ts';

/** A host's space and one way through it. */
export interface Analysed {
  readonly host: HostSpace;
  readonly analysis: PathAnalysis;
}

export function analyse(ruleset: Ruleset, path: PacketHook = 'input', version: IpVersion = 4): Analysed {
  const host = new HostSpace(ruleset);
  return { host, analysis: analysePath(host, path, version) };
}

/** The verdict on which both evaluators agree; both, where they do not. */
export function verdictOfBoth(ruleset: Ruleset, packet: Packet): string {
  const { host, analysis } = analyse(ruleset, packet.hook, packet.version);
  const bySets = answerPacket(host, analysis, packet).verdict;
  const byWalk = evaluatePacket(prepareRuleset(ruleset), packet).verdict;
  return bySets === byWalk ? bySets : `${bySets} by sets, ${byWalk} by walk`;
}
