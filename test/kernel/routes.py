"""Routing of a namespace, changed as the packets to come need it: over netlink, since `ip` costs more than it does."""

import socket
import struct

from netlink import CREATE, REPLACE, Channel, attribute

NETLINK_ROUTE = 0
NEW_ROUTE, DELETE_ROUTE = 24, 25
OIF = 4
# Table, scope and type of a route (linux rtnetlink.h): local addresses, and what a link leads to.
LOCAL, THROUGH = (255, 254, 2), (254, 253, 1)
BOOT = 3


class Routes:
    """Where packets go: everything to the host itself, or everything out by one interface."""

    def __init__(self):
        self._channel = Channel(NETLINK_ROUTE)
        self._local = False

    def _default(self, kind, flags, route, device):
        table, scope, what = route
        link = attribute(OIF, struct.pack("=I", socket.if_nametoindex(device)))
        for family in (socket.AF_INET, socket.AF_INET6):
            head = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, BOOT, scope, what, 0)
            self._channel.request(kind, flags, head + link)

    def switch(self, way, oif):
        """Makes everything the host's own on input and through `lo`, else lets everything leave by `oif`."""
        local = way == "input" or oif == "lo"
        if local != self._local:
            if local:
                self._default(NEW_ROUTE, CREATE, LOCAL, "lo")
            else:
                self._default(DELETE_ROUTE, 0, LOCAL, "lo")
        if not local:
            self._default(NEW_ROUTE, CREATE | REPLACE, THROUGH, oif)
        self._local = local
