import type { KernelKind } from './kernel-kind.ts';
import { withoutStretches } from './smaller.ts';
import type { TracePacket } from './trace-packet.ts';

/** A case that fails, as small as the shrinker got it. */
export interface Shrunk<Case> {
  readonly made: Case;
  readonly packets: readonly TracePacket[];
  /** How many cases were tried. */
  readonly tries: number;
}

/** Fields of a packet that can be left out without making it another kind of packet. */
const OPTIONAL_FIELDS = ['mark', 'ct_mark', 'dscp', 'ttl', 'length', 'smac', 'pkttype'] as const;

/**
 * Makes a failing case smaller while it still fails: packets first, down to one where one is enough, then the rules as the
 * kind knows to leave parts of them out, then optional fields of the packets.
 *
 * @param fails Whether a smaller case still fails in the same way. A case that does not load does not fail.
 * @param mostTries Upper bound of calls of `fails`; what is reached then is the result.
 */
export async function shrink<Case>(
  kind: Pick<KernelKind<Case>, 'smaller'>,
  made: Case,
  packets: readonly TracePacket[],
  fails: (made: Case, packets: readonly TracePacket[]) => Promise<boolean>,
  mostTries = 400,
): Promise<Shrunk<Case>> {
  const seen = new Set<string>();
  let tries = 0;
  const stillFails = async (smaller: Case, some: readonly TracePacket[]): Promise<boolean> => {
    const key = JSON.stringify([smaller, some]);
    if (some.length === 0 || tries >= mostTries || seen.has(key)) return false;
    seen.add(key);
    tries++;
    return fails(smaller, some);
  };
  let few = await firstOf(packets.map((packet) => [packet]).slice(0, 20), (some) => stillFails(made, some));
  few ??= await smallest(
    [...packets],
    (list) => withoutStretches(list),
    (some) => stillFails(made, some),
  );
  const rules = await smallest(
    made,
    (one) => kind.smaller(one),
    (one) => stillFails(one, few),
  );
  const plain = await smallest(few, withoutFields, (some) => stillFails(rules, some));
  return { made: rules, packets: plain, tries };
}

async function firstOf<T>(
  candidates: Iterable<T>,
  accepts: (candidate: T) => Promise<boolean>,
): Promise<T | undefined> {
  for (const candidate of candidates) if (await accepts(candidate)) return candidate;
  return undefined;
}

/** Takes steps to smaller values for as long as one is accepted. */
async function smallest<T>(
  start: T,
  steps: (from: T) => Iterable<T>,
  accepts: (candidate: T) => Promise<boolean>,
): Promise<T> {
  let now = start;
  for (;;) {
    const next = await firstOf(steps(now), accepts);
    if (next === undefined) return now;
    now = next;
  }
}

function* withoutFields(packets: readonly TracePacket[]): Generator<readonly TracePacket[]> {
  for (const field of OPTIONAL_FIELDS) {
    if (packets.every((packet) => packet[field] === undefined)) continue;
    yield packets.map(({ [field]: _, ...rest }) => rest);
  }
}
