"""Asks the installed firewalld what it makes of configurations: `unshare -n -m -- python3 firewalld-reader.py`.

Standard input: {"cases": [{"path": "text", ...}, ...]}, paths relative to /etc/firewalld. Starts firewalld's own engine
with each, in the namespace it was started in. Standard output: one JSON line per case: {"error": null | text,
"warnings": [...], "zones": {...}, "policies": {...}, "ipsets": {...}, "services": {...}, "direct": {...}}.
Touches nothing outside its namespace and a temporary folder. Exits with 3 when there is no firewalld.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    from firewall import config
    from firewall.core.fw import Firewall
    from firewall.core.logger import log
except ImportError as missing:
    print("no firewalld: %s" % missing, file=sys.stderr)
    sys.exit(3)

STOCK = {}


class Prepared(Firewall):
    """A firewall that asked the system and loaded the stock files before it was forked for one case."""

    def prepare(self):
        self._start_probe_backends()
        self._start_load_stock_config()
        for name in self.config.get_services():
            STOCK[name] = self.config.get_service(name).path
        self.probed = True

    def _start_probe_backends(self):
        if not getattr(self, "probed", False) or not self.nftables_enabled:
            super()._start_probe_backends()

    def _start_load_stock_config(self):
        if not getattr(self, "probed", False):
            super()._start_load_stock_config()


def shared(item):
    return {
        "target": item.target,
        "services": item.services,
        "ports": sorted("/".join(port) for port in item.ports),
        "sourcePorts": sorted("/".join(port) for port in item.source_ports),
        "protocols": item.protocols,
        "icmpBlocks": item.icmp_blocks,
        "masquerade": item.masquerade,
        "forwardPorts": len(item.forward_ports),
        "rules": item.rules_str,
    }


def summary(fw):
    zones, policies, ipsets, services = {}, {}, {}, {}
    for name in fw.zone.get_zones():
        zone = fw.zone.get_zone(name)
        zones[name] = dict(
            shared(zone),
            interfaces=zone.interfaces,
            sources=zone.sources,
            forward=zone.forward,
            inversion=zone.icmp_block_inversion,
        )
    for name in fw.policy.get_policies_not_derived_from_zone():
        policy = fw.policy.get_policy(name)
        policies[name] = dict(
            shared(policy),
            priority=policy.priority,
            ingressZones=policy.ingress_zones,
            egressZones=policy.egress_zones,
        )
    for name in fw.ipset.get_ipsets():
        ipset = fw.ipset.get_ipset(name)
        ipsets[name] = {"type": ipset.type, "options": ipset.options, "entries": ipset.entries}
    for name in fw.service.get_services():
        service = fw.service.get_service(name)
        if STOCK.get(name) == service.path:
            continue
        services[name] = {
            "ports": ["/".join(port) for port in service.ports],
            "protocols": service.protocols,
            "sourcePorts": ["/".join(port) for port in service.source_ports],
            "includes": service.includes,
            "destination": service.destination,
        }
    return {"zones": zones, "policies": policies, "ipsets": ipsets, "services": services}


def ask(fw, folder):
    """What a start in this folder comes to. Only to be called once for each firewall."""
    config.set_system_config_paths(folder)
    fw._firewalld_conf.filename = config.FIREWALLD_CONF
    fw.policies.lockdown_whitelist.filename = config.LOCKDOWN_WHITELIST
    try:
        fw._start()
    except SystemExit:
        return {"error": "exit"}
    except BaseException as error:  # pylint: disable=broad-except
        return {"error": "%s: %s" % (type(error).__name__, error)}
    found = summary(fw)
    direct = fw.config.get_direct()
    found["direct"] = {
        "chains": sum(len(x) for x in direct.chains.values()),
        "rules": sum(len(x) for x in direct.rules.values()),
        "passthroughs": sum(len(x) for x in direct.passthroughs.values()),
    }
    found["defaultZone"] = fw._default_zone
    return dict(found, error=None)


def start_apart(fw, folder, warnings):
    """In a process of its own: libnftables answers wrongly after some of its errors."""
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    child = os.fork()
    if child == 0:
        print(json.dumps(dict(ask(fw, folder), warnings=warnings)), flush=True)
        os._exit(0)
    os.waitpid(child, 0)


def main():
    cases = json.load(sys.stdin)["cases"]
    warnings = []
    log.setInfoLogLevel(log.NO_INFO)
    for name in ("warning", "error", "fatal"):
        setattr(log, name, lambda text, *args, **kw: warnings.append(str(text)[:300]))
    fw = Prepared()
    fw.prepare()
    for case in cases:
        folder = tempfile.mkdtemp()
        try:
            for path, text in case.items():
                target = os.path.join(folder, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "w", encoding="utf-8", newline="") as file:
                    file.write(text)
            start_apart(fw, folder, warnings)
        finally:
            shutil.rmtree(folder)


main()
