/** From the files of one host's firewalld to what they say. */
import { readIfcfg, readProfile } from './bindings.ts';
import type {
  Direct,
  FirewalldConfiguration,
  Icmptype,
  InterfaceBinding,
  Ipset,
  NamedElement,
  Policy,
  Service,
  Settings,
  Zone,
} from './configuration.ts';
import { DirectReader } from './read-direct.ts';
import { NAME_CHARACTERS, NAME_LENGTHS, type ObjectKind } from './read-grammar.ts';
import { IpsetReader } from './read-ipset.ts';
import { ProblemLog, quote, startOfFile } from './read-log.ts';
import { HelperReader, IcmptypeReader, ServiceReader } from './read-objects.ts';
import { findFirewalldFolders, type PlacedFile, placeFile } from './read-paths.ts';
import { readSettings } from './read-settings.ts';
import { ZoneReader } from './read-zone.ts';
import { readXml, type TextEncodingName, type XmlHandler } from './xml.ts';

/** One file of the export, decoded. */
export interface FirewalldFile {
  /** Path as reports print it. Folder and name decide what firewalld takes the file for. */
  readonly path: string;
  readonly text: string;
  /** How its bytes were encoded; UTF-8 where absent. A declaration that contradicts it is an error. */
  readonly encoding?: TextEncodingName;
}

/** Paths that stand for standard input. */
const STANDARD_INPUT: readonly string[] = [
  '-',
  '<stdin>',
  '(stdin)',
  'stdin',
  '/dev/stdin',
  'standard input',
];

/**
 * Reads the files of one host: whole copies of `/etc/firewalld`, parts of it, or one file; NetworkManager's profiles among
 * them. A file of `/etc/firewalld` replaces one of `/usr/lib/firewalld` with its name. Never throws: what is wrong is in
 * `problems`, what firewalld leaves out is left out. References between files are the matter of `validateConfiguration`.
 */
export function readFirewalldFiles(files: readonly FirewalldFile[]): FirewalldConfiguration {
  const reading = new FilesReading(files);
  return reading.read();
}

/** Whether none of the files is firewalld's own: profiles and ifcfg files, backups and whitelists alone are no export. */
export function holdsOnlyBindings(files: readonly FirewalldFile[]): boolean {
  const folders = findFirewalldFolders(files.map((file) => file.path));
  return files.every(({ path, text }) =>
    ['profile', 'ifcfg', 'ignored', 'lockdown'].includes(placeFile(path, text, folders).kind),
  );
}

class FilesReading {
  readonly #files: readonly FirewalldFile[];
  readonly #log = new ProblemLog();
  readonly #zones = new Map<string, Zone>();
  readonly #policies = new Map<string, Policy>();
  readonly #services = new Map<string, Service>();
  readonly #ipsets = new Map<string, Ipset>();
  readonly #icmptypes = new Map<string, Icmptype>();
  readonly #helpers = new Map<string, NamedElement>();
  readonly #bindings: InterfaceBinding[] = [];
  #direct: Direct | undefined;
  #settings: Settings | undefined;

  constructor(files: readonly FirewalldFile[]) {
    this.#files = files;
  }

  read(): FirewalldConfiguration {
    const folders = findFirewalldFolders(this.#files.map((f) => f.path));
    const placed = this.#files.map((file) => ({ file, place: placeFile(file.path, file.text, folders) }));
    for (const { file, place } of chooseFiles(placed, this.#log)) this.#readFile(file, place);
    return {
      settings: this.#settings,
      zones: combineZones([...this.#zones.values()], this.#log),
      policies: [...this.#policies.values()],
      services: [...this.#services.values()],
      ipsets: [...this.#ipsets.values()],
      icmptypes: [...this.#icmptypes.values()],
      helpers: [...this.#helpers.values()],
      direct: this.#direct,
      bindings: withoutPlain(this.#bindings, [...this.#zones.values()]),
      ...(this.#log.needsVersion2 === undefined ? {} : { needsVersion2: this.#log.needsVersion2 }),
      problems: this.#log.problems,
    };
  }

  #readFile(file: FirewalldFile, place: PlacedFile): void {
    const { kind } = place;
    switch (kind) {
      case 'settings':
        this.#settings = readSettings(file.text, file.path, this.#log);
        return;
      case 'profile':
      case 'ifcfg': {
        const read = kind === 'profile' ? readProfile : readIfcfg;
        const binding = read(file.text, file.path, this.#log);
        if (binding !== undefined) this.#bindings.push(binding);
        return;
      }
      case 'lockdown':
        this.#log.note(startOfFile(file.path), 'the lockdown whitelist has no effect on packets');
        return;
      case 'ignored':
        this.#log.note(
          startOfFile(file.path),
          place.name.startsWith('firewalld.conf')
            ? 'firewalld reads no settings from this copy, only from "firewalld.conf"'
            : 'firewalld reads only files whose names end in ".xml"',
        );
        return;
      case 'unknown':
        this.#log.uncertain(startOfFile(file.path), 'this is no file of firewalld');
        return;
      case 'direct':
        this.#readDirect(file);
        return;
      default:
        this.#readObject(file, place, kind);
    }
  }

  #readDirect(file: FirewalldFile): void {
    const reader = new DirectReader(this.#log);
    const stop = readXml(file.text, file.path, file.encoding ?? 'utf-8', reader);
    if (stop?.kind === 'unread') this.#log.uncertain(stop.origin, stop.detail);
    else {
      if (stop !== undefined) reader.stop(stop.origin, stop.detail);
      this.#direct = reader.direct();
    }
  }

  #readObject(file: FirewalldFile, place: PlacedFile, kind: Exclude<ObjectKind, 'direct'>): void {
    const name = this.#nameOf(file, place, kind);
    switch (kind) {
      case 'zone':
      case 'policy': {
        const reader = new ZoneReader(kind, file.path, this.#log);
        if (!this.#readXml(file, reader)) return;
        reader.finish();
        if (kind === 'zone') this.#zones.set(name, reader.zone(name));
        else this.#policies.set(name, reader.policy(name));
        return;
      }
      case 'service': {
        const reader = new ServiceReader(file.path, this.#log);
        if (this.#readXml(file, reader)) this.#services.set(name, reader.service(name));
        return;
      }
      case 'ipset': {
        const reader = new IpsetReader(file.path, this.#log);
        if (this.#readXml(file, reader)) this.#ipsets.set(name, reader.ipset(name));
        return;
      }
      case 'icmptype': {
        const reader = new IcmptypeReader(file.path, this.#log);
        if (this.#readXml(file, reader)) this.#icmptypes.set(name, reader.icmptype(name));
        return;
      }
      case 'helper': {
        const reader = new HelperReader(file.path, this.#log);
        if (this.#readXml(file, reader)) this.#helpers.set(name, reader.helper(name));
        return;
      }
    }
  }

  /** Whether the file counts. What firewalld refuses counts too: other files may name it, and the whole is void anyway. */
  #readXml(file: FirewalldFile, handler: XmlHandler): boolean {
    const stop = readXml(file.text, file.path, file.encoding ?? 'utf-8', handler);
    if (stop?.kind === 'malformed') this.#log.fatal(stop.origin, stop.detail);
    else if (stop !== undefined) this.#log.uncertain(stop.origin, stop.detail);
    return stop?.kind !== 'unread';
  }

  #nameOf(file: FirewalldFile, place: PlacedFile, kind: ObjectKind): string {
    if (STANDARD_INPUT.includes(file.path) && (kind === 'zone' || kind === 'policy')) {
      const assumed = kind === 'zone' ? 'public' : 'stdin';
      this.#log.note(
        startOfFile(file.path),
        `the ${kind} has no name here; nwaudit takes it for "${assumed}"`,
      );
      return assumed;
    }
    const problem = findNameProblem(place.name, kind);
    if (problem !== undefined && place.isPlaced)
      this.#log.fatal(startOfFile(file.path), `${quote(place.name)} is no name of a ${kind}: ${problem}`);
    else if (problem !== undefined)
      this.#log.doubt(startOfFile(file.path), `${quote(place.name)} is no name of a ${kind}: ${problem}`);
    return place.name;
  }
}

/**
 * A connection without a zone is in the default one, where its interface would be without it too, unless another connection or a zone file
 * says otherwise.
 */
function withoutPlain(
  bindings: readonly InterfaceBinding[],
  zones: readonly Zone[],
): readonly InterfaceBinding[] {
  const named = new Set(bindings.filter(({ zone }) => zone !== '').map((binding) => binding.interface));
  for (const { interfaces } of zones) for (const { name } of interfaces) named.add(name);
  return bindings.filter((binding) => named.has(binding.interface));
}

interface Candidate {
  readonly file: FirewalldFile;
  readonly place: PlacedFile;
}

/** Of files of one kind and name those of `/etc`; of equals the last, and then said. In firewalld's order of names. */
function chooseFiles(candidates: readonly Candidate[], log: ProblemLog): readonly Candidate[] {
  const chosen = new Map<string, Candidate>();
  candidates.forEach((candidate, index) => {
    const key = keyOf(candidate, index);
    const known = chosen.get(key);
    if (known === undefined) chosen.set(key, candidate);
    else if (known.place.isStock === candidate.place.isStock) {
      const detail = `${quote(candidate.place.name)} is defined here and in ${known.file.path}`;
      if (known.file.text === candidate.file.text) log.note(startOfFile(candidate.file.path), detail);
      else log.doubt(startOfFile(candidate.file.path), `${detail}, differently; the later file counts here`);
      chosen.set(key, candidate);
    } else if (known.place.isStock) chosen.set(key, candidate);
  });
  return [...chosen.values()].sort((a, b) =>
    a.place.name < b.place.name ? -1 : a.place.name > b.place.name ? 1 : 0,
  );
}

function keyOf({ place }: Candidate, index: number): string {
  switch (place.kind) {
    case 'direct':
      return 'direct';
    case 'settings':
      return 'settings';
    case 'profile':
    case 'ifcfg':
    case 'lockdown':
    case 'ignored':
    case 'unknown':
      return `other ${index}`;
    default:
      return `${place.kind} ${place.name}`;
  }
}

function findNameProblem(name: string, kind: ObjectKind): string | undefined {
  if (name === '') return 'it is empty';
  for (const c of name)
    if (!/[\p{L}\p{N}]/u.test(c) && !NAME_CHARACTERS[kind].includes(c))
      return `it holds the character ${quote(c)}`;
  const most = NAME_LENGTHS[kind];
  const length = [...name.split('/')[0]!].length;
  return most !== undefined && length > most
    ? `it has ${length} characters, ${most} are the most`
    : undefined;
}

/** Parts `NAME/x` become one zone NAME: everything in them together, without a target; it replaces a plain zone of the name. */
function combineZones(zones: readonly Zone[], log: ProblemLog): readonly Zone[] {
  const combined = new Map<string, Zone>();
  for (const zone of zones) if (!zone.name.includes('/')) combined.set(zone.name, zone);
  const parts = new Map<string, Zone[]>();
  for (const zone of zones) {
    const slash = zone.name.indexOf('/');
    if (slash < 0) continue;
    const name = zone.name.slice(0, slash);
    parts.set(name, [...(parts.get(name) ?? []), zone]);
    if (zone.target !== undefined)
      log.skipped(zone.origin, `the target of a part of the combined zone ${quote(name)}`);
  }
  for (const [name, all] of parts) {
    const plain = combined.get(name);
    if (plain !== undefined)
      log.skipped(plain.origin, `the zone ${quote(name)}, which the folder of that name replaces`);
    combined.set(name, all.slice(1).reduce(combine, { ...all[0]!, name, target: undefined }));
  }
  return [...combined.values()];
}

function combine(zone: Zone, part: Zone): Zone {
  return {
    ...zone,
    interfaces: union(zone.interfaces, part.interfaces, (x) => x.name),
    sources: union(zone.sources, part.sources, (x) => `${x.kind} ${x.value}`),
    services: union(zone.services, part.services, (x) => x.name),
    ports: union(zone.ports, part.ports, (x) => `${x.port} ${x.protocol}`),
    protocols: union(zone.protocols, part.protocols, (x) => x.name),
    sourcePorts: union(zone.sourcePorts, part.sourcePorts, (x) => `${x.port} ${x.protocol}`),
    icmpBlocks: union(zone.icmpBlocks, part.icmpBlocks, (x) => x.name),
    forwardPorts: union(zone.forwardPorts, part.forwardPorts, (x) =>
      [x.port, x.protocol, x.toPort ?? '', x.toAddress ?? ''].join(' '),
    ),
    richRules: [...zone.richRules, ...part.richRules],
    forward: zone.forward ?? part.forward,
    masquerade: zone.masquerade ?? part.masquerade,
    icmpBlockInversion: zone.icmpBlockInversion ?? part.icmpBlockInversion,
  };
}

function union<T>(a: readonly T[], b: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const known = new Set(a.map(keyOf));
  return [...a, ...b.filter((item) => !known.has(keyOf(item)))];
}
