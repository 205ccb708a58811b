import { describe, expect, it } from 'vitest';
import { parseFirewalld } from '../../../src/parse/firewalld-xml/index.ts';
import { answers, conf, type Files, KNOWN, parse, policy, verdicts, zone } from './translate-support.ts';

// What the export does not show: assumptions, and configurations that firewalld refuses.

const PUBLIC = 'zones/public.xml';
const COCKPIT = 'input eth0 203.0.113.9 192.0.2.10 tcp 9090';
const SSH = 'input eth0 203.0.113.9 192.0.2.10 tcp 22';
const ORIGIN = { file: 'nwaudit.yaml', line: 1, column: 1, endLine: 1, endColumn: 1, path: null };

function details(files: Files, options = {}): readonly string[] {
  return parse(files, options).diagnostics.map(({ incomplete, detail }) =>
    incomplete ? `incomplete: ${detail}` : detail,
  );
}

describe('definitions that the export does not hold', () => {
  it('the stock public zone admits ssh, and cockpit perhaps', () => {
    const files = { 'firewalld.conf': conf('DefaultZone=public') };
    expect(verdicts(files, [SSH, COCKPIT], {})).toEqual({ [SSH]: 'accept', [COCKPIT]: 'unknown' });
    expect(verdicts(files, [COCKPIT], { distribution: 'rhel' })).toEqual({ [COCKPIT]: 'accept' });
    expect(verdicts(files, [COCKPIT], { distribution: 'upstream' })).toEqual({ [COCKPIT]: 'reject' });
  });

  it('an ifcfg file of network-scripts shows a host of the RHEL family', () => {
    const result = parseFirewalld([
      { path: 'host/etc/firewalld/firewalld.conf', text: conf('DefaultZone=public') },
      {
        path: 'host/etc/sysconfig/network-scripts/ifcfg-eth0',
        text: 'DEVICE=eth0\nONBOOT=yes\nZONE=public\n',
      },
    ]);
    expect(answers(result, [COCKPIT])[0]?.verdict).toBe('accept');
  });

  it('a missing name of a megabyte is quoted in short', () => {
    const found = details({ [PUBLIC]: zone(`<service name="${'x'.repeat(1_000_000)}"/>`) });
    expect(found.some((d) => d.includes('which is not defined'))).toBe(true);
    expect(Math.max(...found.map((d) => d.length))).toBeLessThan(1000);
  });

  it('where the file of the zone is there, cockpit is no question', () => {
    expect(verdicts({ [PUBLIC]: zone('<service name="ssh"/>') }, [COCKPIT], {})).toEqual({
      [COCKPIT]: 'reject',
    });
  });

  it('the report names what was assumed, once', () => {
    const found = details({ [PUBLIC]: zone('<service name="ssh"/><service name="llmnr"/>') });
    expect(found.filter((d) => d.includes('are assumed'))).toEqual([
      'definitions that the export does not hold are assumed as firewalld 1.3.3 has them: services ssh, llmnr-tcp, llmnr-udp, llmnr; policy allow-host-ipv6',
    ]);
    expect(found.filter((d) => d.startsWith('incomplete'))).toEqual([]);
  });

  it("FedoraWorkstation, known by name only, opens NetWorker's ports", () => {
    expect(
      verdicts({ 'firewalld.conf': conf('DefaultZone=FedoraWorkstation') }, [
        'input eth0 203.0.113.9 192.0.2.10 tcp 7938',
      ]),
    ).toEqual({ 'input eth0 203.0.113.9 192.0.2.10 tcp 7938': 'accept' });
  });

  it('a default zone that is nowhere is said to be missing', () => {
    const found = details({ 'firewalld.conf': conf('DefaultZone=backup'), [PUBLIC]: zone('') });
    expect(found.some((d) => d.startsWith('incomplete: DefaultZone names backup'))).toBe(true);
  });
});

describe('bindings that the export does not hold', () => {
  it('one zone file alone, bound to nothing, is taken for the default zone', () => {
    const files = { 'zones/backup.xml': zone('<port port="7938" protocol="tcp"/>') };
    const text = 'input eth0 203.0.113.9 192.0.2.10 tcp 7938';
    expect(verdicts(files, [text], {})).toEqual({ [text]: 'accept' });
    expect(details(files).some((d) => d.includes('it is assumed that backup is the default zone'))).toBe(
      true,
    );
  });

  it('a policy from a zone that nothing is bound to is told', () => {
    const policy =
      '<policy target="CONTINUE"><ingress-zone name="internal"/><egress-zone name="HOST"/><port port="7938" protocol="tcp"/></policy>';
    const files = { [PUBLIC]: zone(''), 'policies/inward.xml': policy };
    const isTold = (d: string): boolean => d.includes('what policy inward admits from zone internal');
    expect(details(files).some(isTold)).toBe(true);
    const interfaces = [{ interface: 'eth1', zone: 'internal', origin: ORIGIN }];
    expect(details(files, { interfaces }).some(isTold)).toBe(false);
  });

  it('a second zone that admits something and is bound to nothing is assumed to be unused, aloud', () => {
    const files = {
      [PUBLIC]: zone(''),
      'zones/backup.xml': zone('<port port="7938" protocol="tcp"/>'),
    };
    const isUnbound = (d: string): boolean => d.includes('zone backup is assumed to be unused');
    expect(details(files).some(isUnbound)).toBe(true);
    const interfaces = [{ interface: 'eth1', zone: 'backup', origin: ORIGIN }];
    expect(details(files, { interfaces }).some(isUnbound)).toBe(false);
    const text = 'input eth1 203.0.113.9 192.0.2.10 tcp 7938';
    expect(verdicts(files, [text], { interfaces })).toEqual({ [text]: 'accept' });
  });

  it('a stock zone that lies about unchanged is no question', () => {
    const drop = '<zone target="DROP"><forward/></zone>';
    const trusted = '<zone target="ACCEPT"><forward/></zone>';
    const files = { [PUBLIC]: zone(''), 'zones/drop.xml': drop, 'zones/trusted.xml': trusted };
    expect(details(files).filter((d) => d.startsWith('incomplete'))).toEqual([]);
  });

  it('whether a policy of the default zone acts depends on NetworkManager', () => {
    const files = { [PUBLIC]: zone(''), 'policies/p.xml': policy('public', 'HOST', 'ACCEPT') };
    expect(verdicts(files, [SSH], {})).toEqual({ [SSH]: 'unknown' });
    expect(verdicts(files, [SSH], { interfaces: [] })).toEqual({ [SSH]: 'reject' });
  });

  it('a profile of NetworkManager binds its interface', () => {
    const result = parseFirewalld([
      { path: 'host/etc/firewalld/zones/public.xml', text: zone('') },
      { path: 'host/etc/firewalld/zones/trusted.xml', text: zone('', 'ACCEPT') },
      {
        path: 'host/etc/NetworkManager/system-connections/eth1.nmconnection',
        text: '[connection]\nid=eth1\ninterface-name=eth1\nzone=trusted\n',
      },
    ]);
    const found = answers(result, [SSH, SSH.replace('eth0', 'eth1')]).map(({ verdict }) => verdict);
    expect(found).toEqual(['reject', 'accept']);
  });

  it('an interface that connections bind to different zones may be in either, and nwaudit.yaml settles it', () => {
    const profile = (name: string, more: string) => ({
      path: `host/etc/NetworkManager/system-connections/${name}.nmconnection`,
      text: `[connection]\nid=${name}\ninterface-name=eth1\n${more}`,
    });
    const zones = [
      { path: 'host/etc/firewalld/zones/public.xml', text: zone('<interface name="eth0"/>') },
      { path: 'host/etc/firewalld/zones/trusted.xml', text: zone('', 'ACCEPT') },
      { path: 'host/etc/firewalld/zones/block.xml', text: zone('', '%%REJECT%%') },
    ];
    const ask = (others: readonly ReturnType<typeof profile>[], options = {}) => {
      const result = parseFirewalld([...zones, ...others], options);
      const said = result.diagnostics.filter((d) => d.kind === 'contradiction' && d.incomplete);
      const found = answers(result, [SSH, SSH.replace('eth0', 'eth1')]).map(({ verdict }) => verdict);
      return [...found, said.length];
    };
    const trusted = profile('a', 'zone=trusted\n');
    expect(ask([trusted, profile('b', 'zone=block\n')])).toEqual(['reject', 'unknown', 1]);
    // Without a zone: the default one.
    expect(ask([trusted, profile('b', '')])).toEqual(['reject', 'unknown', 1]);
    expect(ask([profile('b', 'zone=\n'), trusted])).toEqual(['reject', 'unknown', 1]);
    expect(ask([trusted, profile('b', 'zone=trusted\n')])).toEqual(['reject', 'accept', 0]);
    expect(ask([profile('a', ''), profile('b', '')])).toEqual(['reject', 'reject', 0]);
    // In a zone file and in a connection without a zone: that zone, or the default one.
    const [open, closed] = ['<interface name="eth1"/>', ''].map((bound) => [
      { path: 'host/etc/firewalld/zones/public.xml', text: zone('') },
      { path: 'host/etc/firewalld/zones/trusted.xml', text: zone(bound, 'ACCEPT') },
    ]);
    const eth1 = SSH.replace('eth0', 'eth1');
    expect(answers(parseFirewalld(open!), [eth1])[0]!.verdict).toBe('accept');
    expect(answers(parseFirewalld([...open!, profile('b', '')]), [eth1])[0]!.verdict).toBe('unknown');
    expect(answers(parseFirewalld([...closed!, profile('b', '')]), [eth1])[0]!.verdict).toBe('reject');
    const interfaces = [{ interface: 'eth1', zone: 'block', origin: ORIGIN }];
    expect(ask([trusted, profile('b', '')], { interfaces })).toEqual(['reject', 'reject', 0]);
  });

  it('an interface bound to a zone that is nowhere is unknown', () => {
    const interfaces = [{ interface: 'virbr0', zone: 'libvirt', origin: ORIGIN }];
    const text = SSH.replace('eth0', 'virbr0');
    expect(verdicts({ [PUBLIC]: zone('') }, [text, SSH], { interfaces })).toEqual({
      [text]: 'unknown',
      [SSH]: 'reject',
    });
  });

  it('profiles of NetworkManager alone make no firewall', () => {
    const result = parseFirewalld([
      {
        path: 'host/etc/NetworkManager/system-connections/eth1.nmconnection',
        text: '[connection]\nid=eth1\ninterface-name=eth1\nzone=trusted\n',
      },
    ]);
    expect(result.ruleset.tables).toEqual([]);
  });
});

describe('configurations that firewalld refuses', () => {
  const OPEN = '<port port="7938" protocol="tcp"/>';
  const NETWORKER = 'input eth0 203.0.113.9 192.0.2.10 tcp 7938';

  it('one broken file makes it run the stock configuration, and the report says so', () => {
    const files = { [PUBLIC]: zone(OPEN), 'services/unused.xml': '<service><port' };
    expect(verdicts(files, [NETWORKER, SSH])).toEqual({ [NETWORKER]: 'reject', [SSH]: 'accept' });
    const found = details(files);
    expect(found.some((d) => d.startsWith('incomplete: firewalld refuses this configuration'))).toBe(true);
  });

  it('a name that only another version may know leaves both open', () => {
    const files = { [PUBLIC]: zone(`${OPEN}<service name="brand-new"/>`) };
    expect(verdicts(files, [NETWORKER, SSH, COCKPIT])).toEqual({
      [NETWORKER]: 'unknown',
      [SSH]: 'unknown',
      [COCKPIT]: 'unknown',
    });
    expect(details(files).some((d) => /^incomplete: .*brand-new.*Add services\/brand-new\.xml/.test(d))).toBe(
      true,
    );
  });

  it('an empty name is said to be empty, with no file to add', () => {
    const files = { [PUBLIC]: zone(OPEN), 'services/lab.xml': '<service><include service=""/></service>' };
    const found = details(files).filter((d) => d.includes('"lab" includes ""'));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^incomplete: .*the name is empty.*Name the service, or remove the element/);
    expect(found[0]).not.toContain('.xml');
  });

  it('a direct rule that iptables may refuse leaves both open', () => {
    const files = {
      [PUBLIC]: zone(OPEN),
      'direct.xml':
        '<direct><rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-p tcp --dport nonsense -j DROP</rule></direct>',
    };
    expect(verdicts(files, [NETWORKER])).toEqual({ [NETWORKER]: 'unknown' });
  });

  it('a policy with a rule that has no chain is refused', () => {
    const mark = '<rule><port port="80" protocol="tcp"/><mark set="0x5"/></rule>';
    const files = {
      [PUBLIC]: zone(`<interface name="eth0"/>${OPEN}`),
      'policies/p.xml': policy('public', 'HOST', 'CONTINUE', mark),
    };
    expect(verdicts(files, [NETWORKER])).toEqual({ [NETWORKER]: 'reject' });
  });
});

describe('settings of other versions', () => {
  it('zone drifting before firewalld 1.0 may hand a packet on to the zone of its interface', () => {
    const files = {
      'firewalld.conf': conf('DefaultZone=public', 'AllowZoneDrifting=yes'),
      [PUBLIC]: zone('<port port="1" protocol="tcp"/>'),
      'zones/backup.xml': zone('<source address="192.0.2.0/24"/><port port="2" protocol="tcp"/>'),
    };
    expect(
      verdicts(files, [
        'input eth0 192.0.2.7 198.51.100.1 tcp 1',
        'input eth0 192.0.2.7 198.51.100.1 tcp 2',
        'input eth0 192.0.2.7 198.51.100.1 tcp 3',
      ]),
    ).toEqual({
      'input eth0 192.0.2.7 198.51.100.1 tcp 1': 'unknown',
      'input eth0 192.0.2.7 198.51.100.1 tcp 2': 'accept',
      'input eth0 192.0.2.7 198.51.100.1 tcp 3': 'reject',
    });
  });

  it('without zone drifting no forwarded port of another zone is for a packet that a source puts elsewhere', () => {
    const files = {
      'firewalld.conf': conf('DefaultZone=public', 'AllowZoneDrifting=yes'),
      [PUBLIC]: zone('<forward-port port="80" protocol="tcp" to-port="8080"/>'),
      'zones/backup.xml': zone('<source address="192.0.2.0/24"/>'),
    };
    const drifting = 'input eth0 192.0.2.7 198.51.100.1 tcp 80';
    const other = 'input eth0 203.0.113.7 198.51.100.1 tcp 80';
    expect(verdicts(files, [drifting, other])).toEqual({ [drifting]: 'unknown', [other]: 'accept' });
  });

  it('StrictForwardPorts leaves it open whether a translation of others is accepted', () => {
    const files = {
      'firewalld.conf': conf('StrictForwardPorts=yes'),
      [PUBLIC]: zone(''),
      'direct.xml':
        '<direct><rule ipv="ipv4" table="nat" chain="PREROUTING" priority="0">-p tcp --dport 80 -j REDIRECT --to-ports 8080</rule></direct>',
    };
    const text = 'input eth0 203.0.113.9 192.0.2.10 tcp 80';
    expect(verdicts(files, [text])).toEqual({ [text]: 'unknown' });
  });
});

describe('places and texts', () => {
  it('rules stand in the chains of firewalld and at the element they come from', () => {
    const result = parse({
      [PUBLIC]: `<zone>\n  <service name="cockpit"/>\n  <rule family="ipv4">\n    <source address="192.0.2.0/24"/>\n    <port port="7938" protocol="tcp"/>\n    <accept/>\n  </rule>\n</zone>\n`,
    });
    const chain = result.ruleset.tables[0]?.chains.find(({ name }) => name === 'filter_IN_public_allow');
    expect(chain?.rules.map(({ text, origin, number }) => [text, origin.line, number])).toEqual([
      ['service cockpit (9090/tcp) in zone public', 2, 1],
      ['rule family="ipv4" source address="192.0.2.0/24" port port="7938" protocol="tcp" accept', 3, 2],
    ]);
  });

  it('hundreds of sources on both sides of a policy stay one rule for each place', () => {
    const sources = (net: string): string =>
      Array.from({ length: 200 }, (_, i) => `<source address="${net}.${i}"/>`).join('');
    const files = {
      'zones/a.xml': zone(sources('192.0.2')),
      'zones/b.xml': zone(sources('198.51.100')),
      'policies/p.xml': policy('a', 'b', 'ACCEPT'),
    };
    expect(
      verdicts(files, [
        'forward eth0>eth1 192.0.2.7 198.51.100.9 tcp 80',
        'forward eth0>eth1 198.51.100.7 192.0.2.9 tcp 80',
      ]),
    ).toEqual({
      'forward eth0>eth1 192.0.2.7 198.51.100.9 tcp 80': 'accept',
      'forward eth0>eth1 198.51.100.7 192.0.2.9 tcp 80': 'reject',
    });
    const table = parse(files).ruleset.tables[0];
    const rules = table?.chains.find(({ name }) => name === 'filter_FORWARD_POLICIES_pre')?.rules;
    expect(rules?.length).toBe(1);
  });

  it('services that include each other ten thousand deep are followed', () => {
    const files: Record<string, string> = { [PUBLIC]: zone('<service name="s0"/>') };
    for (let i = 0; i < 10_000; i++)
      files[`services/s${i}.xml`] =
        i === 9_999
          ? '<service><port port="7" protocol="tcp"/></service>'
          : `<service><include service="s${i + 1}"/></service>`;
    const text = 'input eth0 203.0.113.9 192.0.2.10 tcp 7';
    expect(verdicts(files, [text])).toEqual({ [text]: 'accept' });
  });
});

describe('FirewallBackend=iptables', () => {
  const said = (files: Files) =>
    parse(files, KNOWN).diagnostics.filter(({ detail }) => detail.startsWith('FirewallBackend=iptables'));
  const backend = { 'firewalld.conf': conf('FirewallBackend=iptables') };

  it('is a note, with what to send', () => {
    expect(said(backend)).toMatchObject([{ kind: 'note', incomplete: false }]);
    expect(said(backend)[0]?.detail).toContain('Give iptables-save and ip6tables-save of the host');
  });

  it('makes the audit incomplete with MAC addresses and with direct rules of other tables', () => {
    const direct =
      '<direct><rule ipv="ipv4" table="mangle" chain="FORWARD" priority="0">-j ACCEPT</rule></direct>';
    for (const files of [
      { 'zones/work.xml': zone('<source address="02:00:00:00:00:0a"/>') },
      { 'zones/public.xml': zone('<rule><source mac="02:00:00:00:00:0a"/><accept/></rule>') },
      { 'direct.xml': direct },
    ])
      expect(said({ ...backend, ...files })).toMatchObject([{ kind: 'unsupported', incomplete: true }]);
  });
});
