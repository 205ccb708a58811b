/** What a service lets in. */
import type { ConfiguredService, Match } from '../../model/index.ts';
import type { NamedElement, Service } from './configuration.ts';
import { addressPart, portMatch, protocolMatch, unknown } from './translate-matches.ts';
import type { World } from './translate-world.ts';

/** One test of a service, with the words for it. */
export interface ServiceTest {
  readonly matches: readonly Match[];
  readonly words: string;
  readonly service: ConfiguredService;
}

/**
 * What a service lets in: one entry for each of its ports, protocols and source ports, those of the services it includes first.
 * `versions`: IP versions that count where the service has addresses. A service that is not defined is an unknown test.
 */
export function serviceTests(
  element: NamedElement,
  world: World,
  versions: readonly (4 | 6)[] = [4, 6],
): readonly ServiceTest[] {
  return withIncluded(element.name, world).flatMap((name) => {
    const service = world.services.get(name);
    const isRead = service !== undefined && service.origin !== world.stockOrigin;
    const named: ConfiguredService = {
      name: element.name,
      definedBy: name,
      definition: isRead ? service.origin : undefined,
    };
    if (service === undefined) {
      const text = `service ${name}, which is not in the export`;
      return [{ matches: [{ text, condition: unknown(text) }], words: 'not defined', service: named }];
    }
    if (service.origin === world.stockOrigin) world.assumed.add('service', name);
    return testsOf(service, versions).map((test) => ({ ...test, service: named }));
  });
}

/** The service and those it includes, each once, included ones first. Without recursion: files decide how deep it goes. */
function withIncluded(name: string, { services }: World): readonly string[] {
  const out: string[] = [];
  const seen = new Set([name]);
  const waiting: { readonly name: string; readonly includes: readonly NamedElement[]; next: number }[] = [];
  const open = (one: string): void => {
    waiting.push({ name: one, includes: services.get(one)?.includes ?? [], next: 0 });
  };
  open(name);
  for (let last = waiting.at(-1); last !== undefined; last = waiting.at(-1)) {
    const included = last.includes[last.next++]?.name;
    if (included === undefined) out.push(waiting.pop()!.name);
    else if (!seen.has(included)) {
      seen.add(included);
      open(included);
    }
  }
  return out;
}

function testsOf(service: Service, versions: readonly (4 | 6)[]): readonly Omit<ServiceTest, 'service'>[] {
  const { destination } = service;
  const addresses =
    destination === undefined
      ? [undefined]
      : versions
          .map((version) => (version === 4 ? destination.ipv4 : destination.ipv6))
          .filter((address) => address !== undefined);
  return addresses.flatMap((address) => {
    const to =
      address === undefined
        ? []
        : [addressPart('daddr', address)?.match ?? { text: address, condition: unknown(`daddr ${address}`) }];
    const end = address === undefined ? '' : ` to ${address}`;
    const test = (words: string, match: Match): Omit<ServiceTest, 'service'> => ({
      matches: [...to, match],
      words: `${words}${end}`,
    });
    return [
      ...service.ports.map(({ port, protocol }) =>
        test(port === '' ? protocol : `${port}/${protocol}`, portMatch('dport', port, protocol)),
      ),
      ...service.protocols.map(({ name }) => test(name, protocolMatch(name))),
      ...service.sourcePorts.map(({ port, protocol }) =>
        test(`source port ${port}/${protocol}`, portMatch('sport', port, protocol)),
      ),
    ];
  });
}
