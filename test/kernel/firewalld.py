"""Runs one firewalld configuration inside fresh namespaces: `unshare -n -m -p -f ... python3 firewalld.py < case.json`.

Starts the real firewalld over the case's files with a message bus of its own, exports what it loaded with the real
tools, sends the packets and says on standard output what became of each. Touches nothing outside its namespaces.
Standard library only, but for the D-Bus binding that firewalld itself needs.
"""

import json
import os
import socket
import subprocess
import sys
import time

import dbus

from namespace import LoadError, Sender, make_interfaces, run, send_all

CONFIGURATION = "/etc/firewalld"
BUS_SOCKET = "/run/dbus/system_bus_socket"
BUS_NAME, BUS_PATH = "org.fedoraproject.FirewallD1", "/org/fedoraproject/FirewallD1"
LIMIT_SECONDS = 40

BUS_CONFIGURATION = """<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
""" % BUS_SOCKET


def write_configuration(files):
    """An /etc/firewalld that holds these files only."""
    run(["mount", "-t", "tmpfs", "tmpfs", CONFIGURATION])
    for name, text in files.items():
        path = os.path.normpath(os.path.join(CONFIGURATION, name))
        if not path.startswith(CONFIGURATION + "/"):
            raise LoadError("not below %s: %s" % (CONFIGURATION, name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)


def wait_for(what, ready, process):
    """Returns once `ready()` is true. LoadError when the process ends first, or at the limit."""
    end = time.monotonic() + LIMIT_SECONDS
    while not ready():
        if process.poll() is not None:
            raise LoadError("%s ended with %d" % (what, process.returncode))
        if time.monotonic() > end:
            raise LoadError("%s is not ready after %d s" % (what, LIMIT_SECONDS))
        time.sleep(0.01)


def answers(path):
    """Whether a daemon listens on a socket: the file is there a moment before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


def start_bus():
    os.makedirs(os.path.dirname(BUS_SOCKET))
    with open("/run/dbus/nwaudit.conf", "w") as file:
        file.write(BUS_CONFIGURATION)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=" + BUS_SOCKET
    bus = subprocess.Popen(
        ["dbus-daemon", "--config-file=/run/dbus/nwaudit.conf", "--nofork", "--nopidfile"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for("dbus-daemon", lambda: answers(BUS_SOCKET), bus)
    return bus


def start_firewalld():
    """Starts it and waits until it has loaded its rules or given up: the process and its state, RUNNING or FAILED."""
    daemon = subprocess.Popen(
        ["firewalld", "--nofork", "--nopid", "--log-target", "console"],
        stdout=open("/run/firewalld.log", "w"),
        stderr=subprocess.STDOUT,
    )
    bus = dbus.SystemBus()
    wait_for("firewalld", lambda: bus.name_has_owner(BUS_NAME), daemon)
    proxy = bus.get_object(BUS_NAME, BUS_PATH, introspect=False)
    # It answers only after its start is over.
    state = proxy.Get(
        BUS_NAME, "state", dbus_interface="org.freedesktop.DBus.Properties", timeout=LIMIT_SECONDS
    )
    return daemon, str(state)


def read_log():
    """What firewalld complained about, without its times."""
    with open("/run/firewalld.log") as file:
        lines = [line.split(" ", 2)[-1].rstrip() for line in file if line[:4].isdigit()]
    return [line for line in lines if line.split(":")[0] in ("FATAL ERROR", "ERROR", "WARNING")]


def export():
    out = {"nft-json": run(["nft", "-j", "list", "ruleset"])}
    for name in ("iptables-save", "ip6tables-save"):
        out[name] = run([name])
    out["ipset-save"] = run(["ipset", "save"])
    return out


# firewalld asks for the route back with the packet's mark: in mangle (backend iptables), or at priority 10, after it may
# have set a mark itself.
REVERSE = """
table inet nwaudit_reverse {
  map marks { type ifname : mark; elements = { %s } }
  chain before_mangle {
    type filter hook prerouting priority -151; policy accept;
    meta nfproto ipv6 meta mark set iifname map @marks
  }
  chain before {
    type filter hook prerouting priority 9; policy accept;
    meta nfproto ipv6 meta mark set iifname map @marks
  }
  chain after {
    type filter hook prerouting priority 11; policy accept;
    meta nfproto ipv6 meta mark set 0
  }
}
"""


def make_reverse_routes(names):
    """A route back by every interface, so that `IPv6_rpfilter` has nothing against any packet; loads a table."""
    lines = ["rule add lookup local pref 500", "rule del pref 0"]
    for number, name in enumerate(names):
        lines += ["rule add fwmark %d lookup %d pref %d" % (5000 + number, 1000 + number, 100 + number)]
        lines += ["route add ::/0 dev %s table %d" % (name, 1000 + number)]
    run(["ip", "-6", "-batch", "-"], "\n".join(lines) + "\n")
    marks = ", ".join('"%s" : %d' % (name, 5000 + number) for number, name in enumerate(names))
    run(["nft", "-f", "-"], REVERSE % marks)


def run_case(case):
    packets, names = case["packets"], case["interfaces"]
    started = time.monotonic()
    make_interfaces(names)
    sender = Sender(names)
    control = send_all(sender, packets, names)
    write_configuration(case["files"])
    bus = start_bus()
    daemon, state = start_firewalld()
    exports = export()
    make_reverse_routes(names)
    outcomes = send_all(sender, packets, names)
    for bare, result in zip(control, outcomes):
        if bare["verdict"] != "accept":
            result["verdict"] = "untestable"
    # Its rules would go with it, and so does everything here with the namespaces: no need for a gentle end.
    daemon.kill()
    bus.kill()
    answer = {"state": state, "log": read_log(), "outcomes": outcomes, "exports": exports}
    return {**answer, "seconds": time.monotonic() - started}


def main():
    case = json.load(sys.stdin)
    # One processor, so that frames are handled in the order they were sent. Here every process id is 1: the caller chooses.
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[case["processor"] % len(processors)]})
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
    try:
        answer = run_case(case)
    except (LoadError, dbus.exceptions.DBusException) as error:
        answer = {"loadError": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
