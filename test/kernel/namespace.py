"""Runs one case inside a fresh network and mount namespace: `unshare -n -m -- python3 namespace.py < case.json`.

Loads the case's rules with the real tools, exports them with the real tools, sends the packets and says on
standard output what became of each. Touches nothing outside its namespace. Standard library only.
"""

import collections
import errno
import fcntl
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

from conntrack import ConnectionTable
from frames import SEQUENCE_SHIFT, build
from routes import Routes

# Addresses of the namespace itself, outside every range that rules and packets use (RFC 2544).
OWN_IPV4 = "198.18.%d.1"
OWN_IPV6 = "2001:db8:ffff:%x::1"
ETH_P_IP, ETH_P_IPV6, ETH_P_SENTINEL = 0x0800, 0x86DD, 0x88B5
SO_MARK, SO_BINDTODEVICE, IPPROTO_RAW = 36, 25, 255
DEFAULT_SMAC = "02:00:00:00:00:01"


class LoadError(Exception):
    """A tool refused the case's rules. The text is the tool's own."""


def run(command, text=None):
    """Output of a command; LoadError when it fails."""
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise LoadError("%s: %s" % (command[0], (done.stderr or done.stdout).strip()))
    return done.stdout


def sysctl(name, value):
    try:
        with open("/proc/sys/net/" + name, "w") as file:
            file.write(value)
    except FileNotFoundError:
        pass  # Older or smaller kernels lack some of them.


# ---- the namespace's interfaces and routes


def make_interfaces(names):
    """A veth pair per name; what is written to peer `nwpN` arrives on the interface."""
    lines = ["link set lo up"]
    for number, name in enumerate(names):
        peer = "nwp%d" % number
        lines += [
            "link add %s type veth peer name %s" % (name, peer),
            "link set %s arp off" % name,
            "link set %s arp off" % peer,
        ]
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    for number in range(len(names)):
        sysctl("ipv6/conf/nwp%d/disable_ipv6" % number, "1")
    for name in names + ["all", "default", "lo"]:
        sysctl("ipv4/conf/%s/rp_filter" % name, "0")
        sysctl("ipv4/conf/%s/accept_local" % name, "1")
        sysctl("ipv4/conf/%s/route_localnet" % name, "1")
        sysctl("ipv4/conf/%s/send_redirects" % name, "0")
        sysctl("ipv4/conf/%s/forwarding" % name, "1")
        sysctl("ipv6/conf/%s/accept_dad" % name, "0")
        sysctl("ipv6/conf/%s/accept_ra" % name, "0")
        sysctl("ipv6/conf/%s/forwarding" % name, "1")
    sysctl("ipv4/ip_forward", "1")
    # Every reject must be answered, or it looks like a drop.
    sysctl("ipv4/icmp_ratelimit", "0")
    sysctl("ipv4/icmp_msgs_per_sec", "1000000")
    sysctl("ipv4/icmp_msgs_burst", "1000000")
    sysctl("ipv6/icmp/ratelimit", "0")
    lines = []
    for number, name in enumerate(names):
        lines += ["link set %s up" % name, "link set nwp%d up" % number]
        lines += ["addr add %s/32 dev %s" % (OWN_IPV4 % number, name)]
        lines += ["addr add %s/128 dev %s nodad" % (OWN_IPV6 % number, name)]
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")


# ---- loading and exporting with the real tools


def load(rules):
    legacy = "-legacy" if rules.get("legacy") else "-nft"
    if "ipset" in rules:
        run(["ipset", "restore"], rules["ipset"])
    if "iptables" in rules:
        run(["iptables" + legacy + "-restore"], rules["iptables"])
    if "ip6tables" in rules:
        run(["ip6tables" + legacy + "-restore"], rules["ip6tables"])
    if "nft" in rules:
        run(["nft", "-f", "-"], rules["nft"])
    if "nftThen" in rules:
        run(["nft", "-f", "-"], rules["nftThen"])


def export(rules):
    legacy = "-legacy" if rules.get("legacy") else "-nft"
    out = {"iptables-save": run(["iptables" + legacy + "-save"])}
    out["ip6tables-save"] = run(["ip6tables" + legacy + "-save"])
    out["nft-json"] = run(["nft", "-j", "list", "ruleset"])
    if "ipset" in rules:
        out["ipset-save"] = run(["ipset", "save"])
    return out


# ---- the recorder: who got through to the end

RECORDER = """
table inet nwaudit_recorder {
  set through4 { typeof ip id; flags dynamic; size 65535; }
  set through6 { typeof @nh,16,16; flags dynamic; size 65535; }
  set delivered4 { typeof ip id . ip daddr . th dport; flags dynamic; size 65535; }
  set delivered6 { typeof @nh,16,16 . ip6 daddr . th dport; flags dynamic; size 65535; }
  set rejected4 { typeof ip id; flags dynamic; size 65535; }
  set rejected6 { typeof ip id; flags dynamic; size 65535; }
  set resets { typeof tcp sequence; flags dynamic; size 65535; }
  set strayed4 { typeof ip id; flags dynamic; size 65535; }
  set strayed6 { typeof @nh,16,16; flags dynamic; size 65535; }
  chain record {
    meta nfproto ipv4 add @through4 { ip id }
    meta nfproto ipv4 add @delivered4 { ip id . ip daddr . th dport }
    meta nfproto ipv6 add @through6 { @nh,16,16 }
    meta nfproto ipv6 add @delivered6 { @nh,16,16 . ip6 daddr . th dport }
  }
  # Only packets sent through a socket of this program; what the kernel itself answers is noted and goes no further.
  chain output {
    type filter hook output priority -2147483648; policy drop;
    meta skuid 0 accept
    icmp type destination-unreachable add @rejected4 { @th,96,16 }
    icmpv6 type destination-unreachable add @rejected6 { @th,80,16 }
    tcp flags rst add @resets { tcp sequence }
    tcp flags rst add @resets { tcp ackseq }
  }
  chain input {
    type filter hook input priority 2147483647; policy accept;
    jump record
  }
  chain postrouting {
    type filter hook postrouting priority 2147483647; policy accept;
    jump record
  }
  # A forward packet that NAT turns to the host itself has left the way it was sent for.
  chain strayed {
    type filter hook prerouting priority 2147483647; policy accept;
    meta nfproto ipv4 fib daddr type local add @strayed4 { ip id }
    meta nfproto ipv6 fib daddr type local add @strayed6 { @nh,16,16 }
  }
%s
}
"""

# Marks and missing tracking that packets arrive with.
MARKS = """
  map marks4 { typeof ip id : meta mark; elements = { %s } }
  map marks6 { typeof @nh,16,16 : meta mark; elements = { %s } }
  chain marks {
    type filter hook prerouting priority -2147483648; policy accept;
    meta nfproto ipv4 meta mark set ip id map @marks4
    meta nfproto ipv6 meta mark set @nh,16,16 map @marks6
  }
"""
UNTRACKED = """
  chain untracked_%s {
    type filter hook %s priority -201; policy accept;
    meta nfproto ipv4 ip id { %s } notrack
    meta nfproto ipv6 @nh,16,16 { %s } notrack
  }
"""


def recorder_text(packets):
    """The recorder, and what gives these packets their marks and takes their tracking."""
    extra = ""
    arriving = [(n, p) for n, p in enumerate(packets, 1) if p["hook"] != "output"]
    marks = ", ".join("%d : %d" % (n, p["mark"]) for n, p in arriving if p.get("mark"))
    if marks:
        extra += MARKS % (marks, marks)
    numbers = ", ".join(str(n) for n, p in enumerate(packets, 1) if p.get("ct_state") == "untracked")
    if numbers:
        for hook in ("prerouting", "output"):
            extra += UNTRACKED % (hook, hook, numbers, numbers)
    return RECORDER % extra


def take_recorder():
    """Takes the recorder away. What its sets held: each element a list of integers and addresses as text."""
    # In two steps: nft 1.0.6 ends with a segmentation fault where one file has both.
    text = run(["nft", "-n", "list", "table", "inet", "nwaudit_recorder"])
    run(["nft", "delete", "table", "inet", "nwaudit_recorder"])
    sets = {}
    for name, body in re.findall(r"set (\w+) \{(.*?)\n\t\}", text, re.S):
        elements = re.search(r"elements = \{(.*)\}", body, re.S)
        items = elements.group(1).split(",") if elements else []
        sets[name] = [[part.strip() for part in item.split(" . ")] for item in items]
    return sets


# ---- sending


class Sender:
    """Sends packets into the namespace, in order, each as the first of its connection."""

    def __init__(self, names):
        self._peers = {"lo": "lo"}
        for number, name in enumerate(names):
            self._peers[name] = "nwp%d" % number
        self._sockets = {}
        self._raw = {}
        self._taps = {}
        self.routes = Routes()
        self._table = ConnectionTable()

    def _packet_socket(self, device):
        if device not in self._sockets:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.bind((device, 0))
            self._sockets[device] = (sock, hardware_address(sock, device))
        return self._sockets[device]

    def _raw_socket(self, version, oif, mark):
        key = (version, oif, mark)
        if key not in self._raw:
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            sock = socket.socket(family, socket.SOCK_RAW, IPPROTO_RAW)
            sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, oif.encode() + b"\0")
            if mark:
                sock.setsockopt(socket.SOL_SOCKET, SO_MARK, struct.pack("=I", mark))
            self._raw[key] = sock
        return self._raw[key]

    def _arrive(self, packet, data, iif):
        version = data[0] >> 4
        peer, _ = self._packet_socket(self._peers[iif])
        _, own = self._packet_socket(iif)
        smac = bytes.fromhex(packet.get("smac", DEFAULT_SMAC).replace(":", ""))
        dmac = {"broadcast": b"\xff" * 6, "multicast": b"\x01\x00\x5e\x00\x00\x01"}.get(packet.get("pkttype"), own)
        ethertype = ETH_P_IP if version == 4 else ETH_P_IPV6
        peer.send(dmac + smac + struct.pack("!H", ethertype) + data)

    def _leave(self, packet, data, oif):
        sock = self._raw_socket(data[0] >> 4, oif, packet.get("mark", 0))
        try:
            sock.sendto(data, (packet["daddr"], 0))
        except OSError as error:
            # EPERM is a drop or reject seen from the sender; the recorder tells.
            if error.errno not in (errno.EPERM, errno.ENETUNREACH, errno.EINVAL, errno.EACCES):
                raise

    def send(self, packet, number):
        data = build(packet, number)
        self._table.flush()
        if packet.get("ct_state") == "established":
            self._table.establish(packet)
        elif packet.get("ct_state") == "related":
            self._table.relate(packet, number)
        if packet["hook"] == "output":
            self._leave(packet, data, packet["oif"])
        else:
            self._arrive(packet, data, packet["iif"])

    def settle(self, names):
        """Waits until every frame sent so far has been handled: a last frame is seen to come through after them."""
        for name in names:
            if name not in self._taps:
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_SENTINEL))
                tap.bind((name, ETH_P_SENTINEL))
                tap.settimeout(10)
                # Kept open: closing a packet socket costs some 20 ms.
                self._taps[name] = tap
            peer, _ = self._packet_socket(self._peers[name])
            _, own = self._packet_socket(name)
            peer.send(own + bytes.fromhex("020000000001") + struct.pack("!H", ETH_P_SENTINEL) + bytes(46))
            self._taps[name].recv(128)


def hardware_address(sock, device):
    request = struct.pack("256s", device.encode()[:15])
    return fcntl.ioctl(sock.fileno(), 0x8927, request)[18:24]  # SIOCGIFHWADDR


# ---- one case


def batches(packets):
    """Packets by way and leaving interface: (way, oif) to a list of (number, packet). Numbers start at 1."""
    out = collections.OrderedDict()
    for number, packet in enumerate(packets, 1):
        key = (packet["hook"], None if packet["hook"] == "input" else packet["oif"])
        out.setdefault(key, []).append((number, packet))
    return out


class Outcomes:
    """What the recorder's sets say of each packet."""

    def __init__(self, sets):
        self._numbers = {name: {int(e[0], 0) for e in elements} for name, elements in sets.items()}
        self._reset = {number >> SEQUENCE_SHIFT for number in self._numbers["resets"]}
        self._delivered = {
            suffix: {int(e[0], 0): e for e in reversed(sets["delivered" + suffix])} for suffix in ("4", "6")
        }

    def of(self, number, packet):
        suffix = "6" if ":" in packet["saddr"] else "4"
        if packet["hook"] == "forward" and number in self._numbers["strayed" + suffix]:
            return {"verdict": "strayed"}
        if number not in self._numbers["through" + suffix]:
            reset = packet["proto"] == 6 and number in self._reset
            stopped = reset or number in self._numbers["rejected" + suffix]
            return {"verdict": "reject" if stopped else "drop"}
        element = self._delivered[suffix].get(number)
        if element is None:
            return {"verdict": "accept"}
        daddr = str(ipaddress.ip_address(element[1]))
        return {"verdict": "accept", "daddr": daddr, "dport": int(element[2], 0)}


def send_all(sender, packets, names):
    """Sends the packets past whatever is loaded; what became of each, in their order."""
    run(["nft", "-f", "-"], recorder_text(packets))
    for (way, oif), numbered in batches(packets).items():
        sender.routes.switch(way, oif)
        for number, packet in numbered:
            sender.send(packet, number)
        sender.settle(names)
    outcomes = Outcomes(take_recorder())
    return [outcomes.of(number, packet) for number, packet in enumerate(packets, 1)]


def run_case(case):
    rules, packets, names = case["load"], case["packets"], case["interfaces"]
    started = time.monotonic()
    make_interfaces(names)
    sender = Sender(names)
    # Without any rule every packet must come through: one that does not proves nothing about rules.
    control = send_all(sender, packets, names)
    load(rules)
    exports = export(rules)
    outcomes = send_all(sender, packets, names)
    for bare, result in zip(control, outcomes):
        if bare["verdict"] != "accept":
            result["verdict"] = "untestable"
    return {"outcomes": outcomes, "exports": exports, "seconds": time.monotonic() - started}


def main():
    # One processor, so that frames are handled in the order they were sent.
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
    case = json.load(sys.stdin)
    try:
        answer = run_case(case)
    except LoadError as error:
        answer = {"loadError": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
