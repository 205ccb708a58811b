/** Whom a stopped flow shuts out, and from which ports: what of a finding about it may grow. */
import { ANY_ADDRESS, type ExtentPart } from '../finding/index.ts';
import { formatAddressInterval, formatProtocol } from '../net/index.ts';
import { describePorts } from '../packet-set/index.ts';
import type { Flow } from '../rulepack/index.ts';
import type { StoppedPeer } from './required-path.ts';

/** One part for each pair of hosts. Of a peer with some addresses that get through, those that do not are named. */
export function stoppedExtent({ protocol }: Flow, stopped: readonly StoppedPeer[]): ExtentPart[] {
  return stopped.map((pair) => ({
    who: [whoOf(pair)],
    proto: [formatProtocol(protocol)],
    ports: describePorts(pair.ports),
  }));
}

function whoOf({ peer, receiver, closed, open, version }: StoppedPeer): string {
  if (peer === undefined) return ANY_ADDRESS;
  const isPart = peer.host !== undefined && open.length > 0 && closed.length > 0;
  const addresses = closed.map((range) => formatAddressInterval(version, range)).join(', ');
  const name = isPart ? `${addresses} of ${peer.name}` : peer.name;
  return receiver === undefined ? name : `${name} to ${receiver.name}`;
}
