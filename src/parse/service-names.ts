/** Well-known service names, as /etc/services of Debian 12 has them (IANA service name registry). */
const PORT_OF: Readonly<Record<string, number>> = {
  tcpmux: 1, discard: 9, systat: 11, daytime: 13, netstat: 15, qotd: 17, chargen: 19, 'ftp-data': 20,
  ftp: 21, ssh: 22, telnet: 23, smtp: 25, mail: 25, time: 37, whois: 43, tacacs: 49, domain: 53, bootps: 67,
  bootpc: 68, tftp: 69, gopher: 70, finger: 79, http: 80, www: 80, kerberos: 88, 'iso-tsap': 102, pop3: 110,
  'pop-3': 110, sunrpc: 111, portmapper: 111, auth: 113, ident: 113, nntp: 119, ntp: 123, epmap: 135,
  'netbios-ns': 137, 'netbios-dgm': 138, 'netbios-ssn': 139, imap2: 143, imap: 143, snmp: 161,
  'snmp-trap': 162, snmptrap: 162, mailq: 174, xdmcp: 177, bgp: 179, smux: 199, ldap: 389, svrloc: 427,
  https: 443, snpp: 444, 'microsoft-ds': 445, kpasswd: 464, submissions: 465, smtps: 465, ssmtp: 465,
  urd: 465, saft: 487, isakmp: 500, exec: 512, biff: 512, login: 513, who: 513, shell: 514, syslog: 514,
  printer: 515, talk: 517, ntalk: 518, route: 520, router: 520, gdomap: 538, uucp: 540, klogin: 543,
  kshell: 544, 'dhcpv6-client': 546, 'dhcpv6-server': 547, afpovertcp: 548, rtsp: 554, nntps: 563,
  submission: 587, nqs: 607, 'asf-rmcp': 623, qmqp: 628, ipp: 631, ldaps: 636, ldp: 646, tinc: 655,
  silc: 706, 'kerberos-adm': 749, 'domain-s': 853, rsync: 873, 'ftps-data': 989, ftps: 990, telnets: 992,
  imaps: 993, pop3s: 995, socks: 1080, proofd: 1093, rmiregistry: 1099, openvpn: 1194, 'ms-sql-s': 1433,
  'ms-sql-m': 1434, l2f: 1701, l2tp: 1701, radius: 1812, 'radius-acct': 1813, nfs: 2049, cvspserver: 2401,
  mysql: 3306, 'ms-wbt-server': 3389, nut: 3493, svn: 3690, subversion: 3690, epmd: 4369,
  'ipsec-nat-t': 4500, iax: 4569, sip: 5060, 'sip-tls': 5061, 'xmpp-client': 5222, 'xmpp-server': 5269,
  mdns: 5353, postgresql: 5432, postgres: 5432, amqps: 5671, amqp: 5672, x11: 6000, 'x11-0': 6000,
  'ircs-u': 6697, 'bacula-dir': 9101, 'bacula-fd': 9102, 'bacula-sd': 9103, git: 9418, 'http-alt': 8080,
  webcache: 8080, 'zabbix-agent': 10050, 'zabbix-trapper': 10051,
};

/** The port of a service name, or `undefined` when the name is not in this (short) table. Case matters, as in services(5). */
export function portOfService(name: string): number | undefined {
  return Object.hasOwn(PORT_OF, name) ? PORT_OF[name] : undefined;
}
