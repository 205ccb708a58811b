"""Real exchanges with a host behind a rule set: `unshare -n -m -p -f ... python3 exchange.py < cases.jsonl`.

One case as JSON on each line, one answer on each line of standard output. Each case gets three network namespaces of its
own: the host, which loads the rules, a peer on its eth0, and a far host on its eth1 that the peer reaches through it.
Programs at both ends open real sockets; whether they hear from each other is the answer. Nothing is timed: after each
step a frame goes over every link and back, behind whatever was sent before it. Standard library only.
"""

import contextlib
import ctypes
import errno
import json
import os
import socket
import struct
import sys

from conntrack import ConnectionTable
from namespace import LoadError, export, load, run, sysctl

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
ETH_P_SENTINEL = 0x88B5
LIBC = ctypes.CDLL(None, use_errno=True)

ADDRESS = {
    "host": {4: "192.0.2.101", 6: "2001:db8::101"},
    "peer": {4: "192.0.2.10", 6: "2001:db8::10"},
    "far": {4: "198.51.100.20", 6: "2001:db8:1::20"},
}
# Both ends of both links: namespace, interface, hardware address, addresses with prefix lengths.
LINKS = (
    (
        ("host", "eth0", "02:00:00:00:01:01", "192.0.2.101/24", "2001:db8::101/64"),
        ("peer", "up0", "02:00:00:00:01:02", "192.0.2.10/24", "2001:db8::10/64"),
    ),
    (
        ("host", "eth1", "02:00:00:00:02:01", "198.51.100.1/24", "2001:db8:1::1/64"),
        ("far", "up0", "02:00:00:00:02:02", "198.51.100.20/24", "2001:db8:1::20/64"),
    ),
)


def check(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Network:
    """The three namespaces, with everything that exchanges need but rules."""

    def __init__(self):
        self._spaces = {}
        check(LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET))
        run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        for name in ("far", "peer", "host"):
            check(LIBC.unshare(CLONE_NEWNET))
            self._spaces[name] = os.open("/proc/self/ns/net", os.O_RDONLY)
        for ends in LINKS:
            self._link(*ends)
        for name in self._spaces:
            with self.inside(name):
                self._settings()
        with self.inside("peer"):
            run(["ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.101"])
            run(["ip", "-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8::101"])
        with self.inside("far"):
            run(["ip", "route", "add", "192.0.2.0/24", "via", "198.51.100.1"])
            run(["ip", "-6", "route", "add", "2001:db8::/64", "via", "2001:db8:1::1"])
        self._taps = [self._tap(end, other) for pair in LINKS for end, other in (pair, pair[::-1])]
        with self.inside("host"):
            self.table = ConnectionTable()

    @contextlib.contextmanager
    def inside(self, name):
        check(LIBC.setns(self._spaces[name], CLONE_NEWNET))
        try:
            yield
        finally:
            check(LIBC.setns(self._spaces["host"], CLONE_NEWNET))

    def _link(self, near, away):
        (_, device, mac, four, six), (space, there, mac2, four2, six2) = near, away
        lines = [
            "link add %s address %s type veth peer name %s address %s netns /proc/%d/fd/%d"
            % (device, mac, there, mac2, os.getpid(), self._spaces[space])
        ]
        run(["ip", "-batch", "-"], "\n".join(lines) + "\n")
        ends = ((near, four2, six2, mac2), (away, four, six, mac))
        for (where, name, _, own4, own6), other4, other6, other in ends:
            with self.inside(where):
                lines = [
                    "link set lo up",
                    "link set %s up" % name,
                    "addr add %s dev %s" % (own4, name),
                    "addr add %s dev %s nodad" % (own6, name),
                    # No question for an address on the way: it would meet the rules, or wait.
                    "neigh add %s lladdr %s dev %s nud permanent" % (other4.split("/")[0], other, name),
                    "neigh add %s lladdr %s dev %s nud permanent" % (other6.split("/")[0], other, name),
                ]
                run(["ip", "-batch", "-"], "\n".join(lines) + "\n")

    @staticmethod
    def _settings():
        sysctl("ipv4/ip_forward", "1")
        sysctl("ipv6/conf/all/forwarding", "1")
        # Every ICMP error must come.
        sysctl("ipv4/icmp_ratelimit", "0")
        sysctl("ipv4/icmp_msgs_per_sec", "1000000")
        sysctl("ipv4/icmp_msgs_burst", "1000000")
        sysctl("ipv6/icmp/ratelimit", "0")

    def _tap(self, end, other):
        """A socket that sends a sentinel from one end of a link, and one that hears it at the other."""
        with self.inside(end[0]):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sender.bind((end[1], 0))
        with self.inside(other[0]):
            hearer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_SENTINEL))
            hearer.bind((other[1], ETH_P_SENTINEL))
            hearer.settimeout(30)
        macs = bytes.fromhex((other[2] + end[2]).replace(":", ""))
        return sender, hearer, macs + struct.pack("!H", ETH_P_SENTINEL) + bytes(46)

    def settle(self):
        """Waits until what was sent so far is handled, and what that caused, three answers deep."""
        for _ in range(3):
            for sender, hearer, frame in self._taps:
                sender.send(frame)
                hearer.recv(128)


# Of linux in.h and in6.h; Python has no names for them.
TRANSPARENT = {4: (socket.SOL_IP, 19), 6: (socket.IPPROTO_IPV6, 75)}


def family(version):
    return socket.AF_INET if version == 4 else socket.AF_INET6


def new_socket(kind, version):
    sock = socket.socket(family(version), kind)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Closing sends a reset and leaves nothing behind.
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def heard(sock):
    try:
        return sock.recv(64)
    except OSError:
        return b""


def connect(sock, address):
    error = sock.connect_ex(address)
    return error in (0, errno.EINPROGRESS)


def speak(net, client, servers):
    """Sends a word over a connection and waits for the answer. The port it was answered on, or None."""
    try:
        client.send(b"question")
    except OSError:
        return None
    net.settle()
    for port, server in servers.items():
        try:
            accepted, _ = server.accept()
        except OSError:
            continue
        with accepted:
            if heard(accepted) != b"question":
                return None
            try:
                accepted.send(b"answer")
            except OSError:
                return None
            net.settle()
            return port if heard(client) == b"answer" else None
    return None


def tcp(net, case):
    """A connection with one word and its answer. `port`: the port that answered, None when nothing did."""
    version = case["version"]
    servers = {}
    with contextlib.ExitStack() as stack:
        with net.inside(case.get("serve", case["to"])):
            for port in case["listen"]:
                servers[port] = stack.enter_context(new_socket(socket.SOCK_STREAM, version))
                if case.get("transparent"):
                    servers[port].setsockopt(*TRANSPARENT[version], 1)
                servers[port].bind(("", port))
                servers[port].listen(1)
        with net.inside(case["from"]):
            client = stack.enter_context(new_socket(socket.SOCK_STREAM, version))
            client.bind((ADDRESS[case["from"]][version], case["sport"]))
            begun = connect(client, (ADDRESS[case["to"]][version], case["dport"]))
        net.settle()
        port = speak(net, client, servers) if begun else None
    net.settle()
    return {"port": port}


def unreachable(net, case):
    """A datagram to a closed port: whether the sender hears that it is closed."""
    version = case["version"]
    with net.inside(case["from"]):
        client = new_socket(socket.SOCK_DGRAM, version)
        client.bind((ADDRESS[case["from"]][version], case["sport"]))
        client.connect((ADDRESS[case["to"]][version], case["dport"]))
    with client:
        try:
            client.send(b"question")
        except OSError:
            return {"told": False}
        net.settle()
        try:
            client.recv(64)
        except OSError as error:
            return {"told": error.errno == errno.ECONNREFUSED}
    return {"told": False}


def load_rules(case):
    """Loads the case's rules on the host; what the real tools print of them."""
    if "files" not in case:
        load(case["load"])
        return export(case["load"])
    from firewalld import export as export_all, write_configuration
    from firewalld_server import start_engine

    write_configuration(case["files"])
    state, complaints = start_engine()
    if state != "RUNNING":
        raise LoadError("firewalld: %s" % "; ".join(complaints))
    return export_all()


def run_case(case):
    net = Network()
    exports = load_rules(case)
    answers = []
    for exchange in case["exchanges"]:
        net.table.flush()
        answers.append((tcp if exchange["kind"] == "tcp" else unreachable)(net, exchange))
    return {"exports": exports, "answers": answers}


def answer_case(line):
    try:
        answer = run_case(json.loads(line))
    except LoadError as error:
        answer = {"loadError": str(error)}
    json.dump(answer, sys.stdout)
    print(flush=True)


def main():
    # One processor, so that frames are handled in the order they were sent.
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                answer_case(line)
                status = 0
            finally:
                if status != 0:
                    sys.excepthook(*sys.exc_info())
                os._exit(status)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            sys.exit(1)


if __name__ == "__main__":
    main()
