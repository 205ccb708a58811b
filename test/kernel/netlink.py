"""Requests over netlink, one at a time, and the attributes in them (linux netlink.h)."""

import os
import socket
import struct

REQUEST, ACK, REPLACE, CREATE = 1, 4, 0x100, 0x400
NESTED = 0x8000


def attribute(kind, data):
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)


def nest(kind, *parts):
    return attribute(kind | NESTED, b"".join(parts))


class Channel:
    """A socket of one netlink protocol in this network namespace."""

    def __init__(self, protocol):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.bind((0, 0))

    def request(self, kind, flags, body):
        """Sends one request; OSError where the kernel refuses it."""
        header = struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, 1, 0)
        self._socket.send(header + body)
        error = struct.unpack_from("=i", self._socket.recv(65536), 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))
