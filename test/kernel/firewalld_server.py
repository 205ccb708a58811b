"""Runs firewalld configurations one after the other: `unshare -n -m -p -f ... python3 firewalld_server.py`.

One case as JSON on each line of standard input, one answer on each line of standard output, both as of firewalld.py.
firewalld's own engine (`firewall.core.fw.Firewall`) is started anew for each case, over the same files and with the
same tools, in a process and in network and mount namespaces of its own. What a case saves is the message bus, the
objects that the daemon publishes there, and Python's imports: three quarters of a start. firewalld.test.ts compares what
both ways load. Standard library only, but for firewalld itself.
"""

import ctypes
import gc
import json
import os
import sys
import time

from firewall.core.fw import Firewall
from firewall.core.logger import log
from firewall.server.decorators import handle_exceptions

from firewalld import export, make_reverse_routes, write_configuration
from namespace import LoadError, Sender, make_interfaces, run, send_all

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def new_namespaces():
    """Puts this process into network and mount namespaces of its own. OSError when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    # The caller's mounts are private already; these are the tools' locks and the daemon's folder.
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"])


def start_engine():
    """Starts firewalld's engine as its daemon does. Its state, RUNNING or FAILED, and what it complained about."""
    complaints = []

    def keep(label):
        def add(text, *args, **_):
            # nft's errors quote the whole transaction behind the first line.
            complaints.append("%s: %s" % (label, (str(text) % args if args else str(text)).split("\n")[0]))

        return add

    log.warning, log.error, log.fatal = keep("WARNING"), keep("ERROR"), keep("FATAL ERROR")
    log.exception = lambda: None
    firewall = Firewall()
    handle_exceptions(firewall.start)()
    return firewall._state, complaints


def run_case(case):
    packets, names = case["packets"], case["interfaces"]
    started = time.monotonic()
    make_interfaces(names)
    sender = Sender(names)
    control = send_all(sender, packets, names)
    write_configuration(case["files"])
    state, complaints = start_engine()
    exports = export()
    make_reverse_routes(names)
    outcomes = send_all(sender, packets, names)
    for bare, result in zip(control, outcomes):
        if bare["verdict"] != "accept":
            result["verdict"] = "untestable"
    answer = {"state": state, "log": complaints, "outcomes": outcomes, "exports": exports}
    return {**answer, "seconds": time.monotonic() - started}


def answer_case(case, answers):
    try:
        # One processor, so that frames are handled in the order they were sent.
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[case["processor"] % len(processors)]})
        new_namespaces()
        answer = run_case(case)
    except (LoadError, OSError) as error:
        answer = {"loadError": str(error)}
    except SystemExit:
        answer = {"loadError": "firewalld gave up"}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main():
    # Answers alone go to standard output: firewalld prints there too, about some ICMP types, and that would be taken for one.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                answer_case(json.loads(line), answers)
                status = 0
            finally:
                os._exit(status)
        # A child that died without an answer: the caller waits for one, so this must end too.
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            sys.exit(1)


if __name__ == "__main__":
    main()
