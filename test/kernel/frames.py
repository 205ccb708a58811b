"""Builds IPv4 and IPv6 packets, byte by byte, from the packet objects of `nwaudit trace`.

Each packet carries its number where the recorder finds it again: in the IPv4 id or the low 16 bits of the IPv6
flow label, and for TCP in the sequence and acknowledgement numbers, which a reset sends back.
Checksums are right, SCTP's CRC32c too: connection tracking calls anything else INVALID.
"""

import ipaddress
import struct

TCP, UDP, ICMP, ICMPV6, DCCP, SCTP, UDPLITE, GRE = 6, 17, 1, 58, 33, 132, 136, 47
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}
# Number in TCP sequence numbers: shifted, because a reset acknowledges the segment's length too.
SEQUENCE_SHIFT = 12


def checksum(data):
    """Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    """CRC32c as SCTP uses it (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _pseudo_header(saddr, daddr, protocol, length):
    addresses = saddr.packed + daddr.packed
    if saddr.version == 4:
        return addresses + struct.pack("!BBH", 0, protocol, length)
    return addresses + struct.pack("!IHBB", length, 0, 0, protocol)


def _with_checksum(header, offset, pseudo):
    value = checksum(pseudo + header)
    if value == 0:
        value = 0xFFFF
    return header[:offset] + struct.pack("!H", value) + header[offset + 2:]


def _tcp(packet, number, padding, pseudo):
    flags = 0
    for name in packet.get("tcp_flags", ["syn"]):
        flags |= FLAGS[name]
    marker = number << SEQUENCE_SHIFT
    header = struct.pack(
        "!HHIIBBHHH", packet["sport"], packet["dport"], marker, marker, 5 << 4, flags, 65535, 0, 0
    )
    body = header + bytes(padding(20))
    return _with_checksum(body, 16, pseudo(len(body)))


def _udp(packet, padding, pseudo):
    length = 8 + padding(8)
    body = struct.pack("!HHHH", packet["sport"], packet["dport"], length, 0) + bytes(length - 8)
    return _with_checksum(body, 6, pseudo(length))


def _sctp(packet, padding):
    # One INIT chunk, padded inside: the only one that opens an association, with verification tag 0.
    filling = padding(32)
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + filling, 0x01020304, 65535, 1, 1, 1) + bytes(filling)
    head = struct.pack("!HHI", packet["sport"], packet["dport"], 0)
    return head + struct.pack("<I", crc32c(head + b"\0\0\0\0" + chunk)) + chunk


def _dccp(packet, pseudo):
    # A REQUEST (type 0) with a 48-bit sequence number, 20 bytes.
    body = struct.pack("!HHBBHBBHII", packet["sport"], packet["dport"], 5, 0, 0, 1, 0, 0, 1, 0)
    return _with_checksum(body, 6, pseudo(len(body)))


def _quoted_packet(packet, number):
    """The packet that an ICMP error answers: a UDP datagram the other way, as `related_tuple` in conntrack.py."""
    saddr = ipaddress.ip_address(packet["daddr"])
    daddr = ipaddress.ip_address(packet["saddr"])
    body = struct.pack("!HHHH", 1024 + number % 60000, 53, 8, 0)
    body = _with_checksum(body, 6, _pseudo_header(saddr, daddr, UDP, 8))
    if saddr.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), UDP, 64) + saddr.packed + daddr.packed + body
    return _ipv4_header(saddr, daddr, UDP, len(body), 0, 64, 1) + body


def _icmp(packet, number, padding, version, pseudo):
    kind, code = packet["icmp_type"], packet.get("icmp_code", 0)
    errors = (3, 4, 5, 11, 12) if version == 4 else (1, 2, 3, 4)
    if kind in errors:
        rest = struct.pack("!I", 0) + _quoted_packet(packet, number)
    elif version == 6 and kind in (135, 136):
        rest = struct.pack("!I", 0) + ipaddress.ip_address(packet["daddr"]).packed
    elif version == 4 and kind in (13, 14):
        rest = struct.pack("!HHIII", number, 1, 0, 0, 0)
    else:
        rest = struct.pack("!HH", number, 1) + bytes(16)
    body = struct.pack("!BBH", kind, code, 0) + rest
    body += bytes(padding(len(body)))
    extra = pseudo(len(body)) if version == 6 else b""
    value = checksum(extra + body)
    return body[:2] + struct.pack("!H", value) + body[4:]


def _ipv4_header(saddr, daddr, protocol, length, tos, ttl, number):
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + length, number, 0, ttl, protocol, 0)
    header += saddr.packed + daddr.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def _payload(packet, number, protocol, saddr, daddr):
    header_length = 20 if saddr.version == 4 else 40

    def padding(used):
        return max(0, packet.get("length", 0) - header_length - used)

    def pseudo(length):
        return _pseudo_header(saddr, daddr, protocol, length)

    if protocol == TCP:
        return _tcp(packet, number, padding, pseudo)
    if protocol in (UDP, UDPLITE):
        return _udp(packet, padding, pseudo)
    if protocol == SCTP:
        return _sctp(packet, padding)
    if protocol == DCCP:
        return _dccp(packet, pseudo)
    if (protocol, saddr.version) in ((ICMP, 4), (ICMPV6, 6)):
        return _icmp(packet, number, padding, saddr.version, pseudo)
    if protocol == GRE:
        return struct.pack("!HH", 0, 0x0800) + bytes(16 + padding(20))
    # Any other protocol: bytes that no header parser rejects for being short.
    return bytes(24 + padding(24))


def build(packet, number):
    """The IP packet (bytes, from the IP header on) for a trace packet, carrying `number` (1-65535)."""
    saddr = ipaddress.ip_address(packet["saddr"])
    daddr = ipaddress.ip_address(packet["daddr"])
    protocol = packet["proto"]
    ttl = packet.get("ttl", 64)
    tos = packet.get("dscp", 0) << 2
    payload = _payload(packet, number, protocol, saddr, daddr)
    if saddr.version == 4:
        return _ipv4_header(saddr, daddr, protocol, len(payload), tos, ttl, number) + payload
    first_word = (6 << 28) | (tos << 20) | number
    return struct.pack("!IHBB", first_word, len(payload), protocol, ttl) + saddr.packed + daddr.packed + payload
