"""The hook of Xen's vif scripts: what a vif needs in dom0 beside what vif-bridge and vif-route do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import join

from builder.profile.nics import Static6
from builder.xen.network.vif import Vif

_HOOK = """\
#!/bin/sh
# Made by `domu network plan` from profiles/dom0.yaml and the guests' profiles: change those, not this file.
#
# Xen's vif scripts source this file when their work is done, with the vif in $dev and online or offline in $command.
# Run by itself, it sees to the vifs that are there.

domu_online() {
    case "$1" in
%s    esac
}

domu_offline() {
    case "$1" in
%s    esac
}

if [ "${0##*/}" = domu.hook ]; then
    set -e
    for domu_vif in %s; do
        if ip link show dev "$domu_vif" >/dev/null 2>&1; then
            domu_online "$domu_vif"
        fi
    done
elif [ "${type_if:-vif}" = vif ]; then
    case "$command" in
    online) domu_online "$dev" ;;
    offline) domu_offline "$dev" ;;
    esac
fi
"""


def render_hook(vifs: Sequence[Vif]) -> str:
    """A file for sh, and for bash under `set -e`, as Xen's scripts are: what fails keeps the guest from starting."""
    online = {vif.name: [*_online(vif)] for vif in vifs}
    offline = {vif.name: [*_offline(vif)] for vif in vifs}
    names = " ".join(name for name, lines in online.items() if lines)
    return _HOOK % (_cases(online), _cases(offline), names or '""')


def _cases(lines_by_name: dict[str, list[str]]) -> str:
    cases = [[f"    {name})", *(f"        {line}" for line in lines), "        ;;"]
             for name, lines in lines_by_name.items() if lines]  # fmt: skip
    return "".join(f"{line}\n" for case in cases for line in case)


def _online(vif: Vif) -> Iterator[str]:
    nic, name = vif.nic, vif.name
    if vif.network is None:
        return
    if nic.vlan and vif.network.kind == "linux":
        # VLAN 1 is what a bridge gives every new port.
        yield join(["bridge", "vlan", "delete", "dev", name, "vid", "1"])
        yield join(["bridge", "vlan", "add", "dev", name, "vid", str(nic.vlan), "pvid", "untagged"])
    if nic.mode != "routed":
        return
    if vif.v4:
        # Answers for the guest where it is sought: dom0's proxy entries need no proxy_arp.
        yield join(["ip", "neighbour", "replace", "proxy", str(vif.v4), "dev", vif.way_out])
    if vif.v6 and isinstance(nic.ipv6, Static6):
        # vif-route of Xen 4.17 knows IPv4 alone.
        yield join(["ip", "-6", "route", "replace", f"{vif.v6}/128", "dev", name])
        yield join(["ip", "-6", "neighbour", "replace", "proxy", str(vif.v6), "dev", vif.way_out])
        gateway = nic.ipv6.gateway
        if gateway and gateway.is_link_local:
            yield join(["ip", "-6", "address", "replace", f"{gateway}/64", "dev", name, "nodad"])
        elif gateway:
            # IPv6 answers only for addresses of the very interface, or for such entries.
            yield f"echo 1 >/proc/sys/net/ipv6/conf/{name}/proxy_ndp"
            yield join(["ip", "-6", "neighbour", "replace", "proxy", str(gateway), "dev", name])


def _offline(vif: Vif) -> Iterator[str]:
    if vif.network is None or vif.nic.mode != "routed":
        return
    for address in vif.nic.fixed_addresses:
        argv = ["ip", f"-{address.version}", "neighbour", "delete", "proxy", str(address), "dev", vif.way_out]
        yield f"{join(argv)} || true"
