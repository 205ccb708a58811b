"""Empties the connection table and writes single entries into it, over netlink (linux nfnetlink_conntrack.h)."""

import ipaddress
import socket
import struct

from netlink import CREATE, Channel, attribute, nest

NETLINK_NETFILTER = 12
CT_NEW, CT_DELETE = (1 << 8) | 0, (1 << 8) | 2
# IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED
STATUS_ESTABLISHED = 2 | 4 | 8


def _tuple(kind, saddr, daddr, protocol, first, second):
    first_address = 1 if saddr.version == 4 else 3
    if protocol in (1, 58):
        # Identifier, type, code; ICMPv6 has its own three numbers.
        base = 4 if protocol == 1 else 7
        icmp_id, icmp_type, icmp_code = first
        ports = (
            attribute(base, struct.pack("!H", icmp_id))
            + attribute(base + 1, struct.pack("=B", icmp_type))
            + attribute(base + 2, struct.pack("=B", icmp_code))
        )
    else:
        ports = attribute(2, struct.pack("!H", first)) + attribute(3, struct.pack("!H", second))
    return nest(
        kind,
        nest(1, attribute(first_address, saddr.packed), attribute(first_address + 1, daddr.packed)),
        nest(2, attribute(1, struct.pack("=B", protocol)), ports),
    )


class ConnectionTable:
    """The connection table of this network namespace."""

    def __init__(self):
        self._channel = Channel(NETLINK_NETFILTER)

    def _send(self, kind, flags, family, payload):
        self._channel.request(kind, flags, struct.pack("=BBH", family, 0, 0) + payload)

    def flush(self):
        self._send(CT_DELETE, 0, 0, b"")

    def _insert(self, saddr, daddr, protocol, ports, mark):
        forth, back = ports
        payload = (
            _tuple(1, saddr, daddr, protocol, *forth)
            + _tuple(2, daddr, saddr, protocol, *back)
            + attribute(3, struct.pack("!I", STATUS_ESTABLISHED))
            + attribute(7, struct.pack("!I", 300))
            + attribute(8, struct.pack("!I", mark))
        )
        if protocol == 6:
            # TCP_CONNTRACK_ESTABLISHED, and liberal windows in both directions.
            liberal = struct.pack("=BB", 8, 8)
            tcp = (attribute(1, struct.pack("=B", 3)), attribute(4, liberal), attribute(5, liberal))
            payload += nest(4, nest(1, *tcp))
        family = socket.AF_INET if saddr.version == 4 else socket.AF_INET6
        self._send(CT_NEW, CREATE, family, payload)

    def establish(self, packet):
        """Writes the connection that makes `packet` ESTABLISHED, with the packet's connection mark."""
        saddr = ipaddress.ip_address(packet["saddr"])
        daddr = ipaddress.ip_address(packet["daddr"])
        sport, dport = packet.get("sport", 0), packet.get("dport", 0)
        ports = ((sport, dport), (dport, sport))
        self._insert(saddr, daddr, packet["proto"], ports, packet.get("ct_mark", 0))

    def relate(self, packet, number):
        """Writes the connection that makes `packet`, an ICMP error, RELATED (frames.py quotes the same datagram)."""
        saddr = ipaddress.ip_address(packet["daddr"])
        daddr = ipaddress.ip_address(packet["saddr"])
        port = 1024 + number % 60000
        self._insert(saddr, daddr, 17, ((port, 53), (53, port)), packet.get("ct_mark", 0))
