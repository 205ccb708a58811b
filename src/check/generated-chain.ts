/**
 * Names of chains that other programs write and rewrite; their owners' business, not the administrator's. Each alternative is a prefix
 * that one program uses: Docker, Kubernetes, libvirt, fail2ban, CNI plugins, Calico, ufw, OpenShift, Weave, Flannel, Podman, LXD,
 * NetworkManager, sshguard, firewalld's iptables backend, miniupnpd, Tailscale, Cilium, Istio, CSF, Shorewall's own, OpenStack Neutron.
 */
const GENERATED_CHAIN =
  /^(DOCKER|KUBE-|LIBVIRT_|f2b-|fail2ban-|CNI-|CNI|cali-|cali:|FELIX|ufw6?-|OPENSHIFT-|WEAVE-|FLANNEL|NETAVARK|PODMAN|LXD|nm-sh-|sshguard|YJ-FIREWALL|FWDI_|FWDO_|IN_|FWD_|POST_|PRE_|MINIUPNPD|ts-(?:input|forward|postrouting)|CILIUM_|OLD_CILIUM_|ISTIO_|neutron-)/;

/** Tables of nft that one program writes alone: Docker, libvirt, Podman, kube-proxy, OpenWrt's firewall4, miniupnpd, fail2ban, Incus, LXD. */
const GENERATED_TABLE =
  /^(docker-bridges|libvirt_network|netavark|kube-proxy|fw4|miniupnpd|f2b-table|fail2ban|incus|lxd)$/;

/** Whether a chain is written by another program, by its own name or its table's. */
export function isGeneratedChain(name: string, table?: string): boolean {
  return GENERATED_CHAIN.test(name) || (table !== undefined && GENERATED_TABLE.test(table));
}
