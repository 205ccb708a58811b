"""Runs commands on a host with firewalld: `unshare -n -m -p -f --mount-proc -- python3 firewalld-commands.py < case.json`.

Starts the real firewalld over the case's files, runs the case's commands in a shell and says on standard output what the
commands printed, what /etc/firewalld holds afterwards, and what nft lists. Touches nothing outside its namespaces.
"""

import json
import os
import subprocess
import sys

from firewalld import CONFIGURATION, read_log, start_bus, start_firewalld, write_configuration
from namespace import LoadError, make_interfaces, run


def read_configuration():
    files = {}
    for folder, _, names in os.walk(CONFIGURATION):
        for name in names:
            path = os.path.join(folder, name)
            if not name.endswith(".old"):
                with open(path, encoding="utf-8") as file:
                    files[os.path.relpath(path, CONFIGURATION)] = file.read()
    return files


def run_case(case):
    make_interfaces(case["interfaces"])
    write_configuration(case["files"])
    bus = start_bus()
    daemon, state = start_firewalld()
    done = subprocess.run(["sh", "-e", "-c", "\n".join(case["commands"])], capture_output=True, text=True)
    answer = {
        "state": state,
        "log": read_log(),
        "status": done.returncode,
        "printed": done.stdout + done.stderr,
        "files": read_configuration(),
        "nft": run(["nft", "-j", "list", "ruleset"]),
    }
    daemon.kill()
    bus.kill()
    return answer


def main():
    case = json.load(sys.stdin)
    run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
    try:
        answer = run_case(case)
    except LoadError as error:
        answer = {"loadError": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
