"""Empties the connection table and writes single entries into it, over netlink (linux nfnetlink_conntrack.h)."""

import ipaddress
import socket
import struct

NETLINK_NETFILTER = 12
CT_NEW, CT_DELETE = (1 << 8) | 0, (1 << 8) | 2
REQUEST, ACK, CREATE = 1, 4, 0x400
NESTED = 0x8000
# IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED
STATUS_ESTABLISHED = 2 | 4 | 8


def _attribute(kind, data):
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def _nest(kind, *parts):
    return _attribute(kind | NESTED, b"".join(parts))


def _tuple(kind, saddr, daddr, protocol, first, second):
    first_address = 1 if saddr.version == 4 else 3
    if protocol in (1, 58):
        # Identifier, type, code; ICMPv6 has its own three numbers.
        base = 4 if protocol == 1 else 7
        icmp_id, icmp_type, icmp_code = first
        ports = (
            _attribute(base, struct.pack("!H", icmp_id))
            + _attribute(base + 1, struct.pack("=B", icmp_type))
            + _attribute(base + 2, struct.pack("=B", icmp_code))
        )
    else:
        ports = _attribute(2, struct.pack("!H", first)) + _attribute(3, struct.pack("!H", second))
    return _nest(
        kind,
        _nest(1, _attribute(first_address, saddr.packed), _attribute(first_address + 1, daddr.packed)),
        _nest(2, _attribute(1, struct.pack("=B", protocol)), ports),
    )


class ConnectionTable:
    """The connection table of this network namespace."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.bind((0, 0))

    def _send(self, kind, flags, family, payload):
        body = struct.pack("=BBH", family, 0, 0) + payload
        header = struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, 1, 0)
        self._socket.send(header + body)
        error = struct.unpack_from("=i", self._socket.recv(65536), 16)[0]
        if error:
            raise OSError(-error, "connection table")

    def flush(self):
        self._send(CT_DELETE, 0, 0, b"")

    def _insert(self, saddr, daddr, protocol, ports, mark):
        forth, back = ports
        payload = (
            _tuple(1, saddr, daddr, protocol, *forth)
            + _tuple(2, daddr, saddr, protocol, *back)
            + _attribute(3, struct.pack("!I", STATUS_ESTABLISHED))
            + _attribute(7, struct.pack("!I", 300))
            + _attribute(8, struct.pack("!I", mark))
        )
        if protocol == 6:
            # TCP_CONNTRACK_ESTABLISHED, and liberal windows in both directions.
            liberal = struct.pack("=BB", 8, 8)
            tcp = (_attribute(1, struct.pack("=B", 3)), _attribute(4, liberal), _attribute(5, liberal))
            payload += _nest(4, _nest(1, *tcp))
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
