"""A guest's part of the network, told as facts: each vif, what connects it in dom0, and what the guest makes of it."""

from __future__ import annotations

import json
from typing import Any

from builder.profile.dom0 import Dom0
from builder.profile.model import Guest
from builder.profile.nics import Static4, Static6
from builder.xen.network.forwards import passed_on
from builder.xen.network.vif import Vif, vifs_of, xl_words


def render_network_json(guest: Guest, dom0: Dom0) -> str:
    """`network/vifs.json`: one entry per NIC, in the guest's order; `dom0` says what has to be there."""
    vifs = [_vif(vif) for vif in vifs_of(guest, dom0)]
    return json.dumps({"guest": guest.name, "vifs": vifs}, indent=2, sort_keys=True) + "\n"


def _vif(vif: Vif) -> dict[str, Any]:
    nic = vif.nic
    return {
        "name": vif.name,
        "mac": vif.mac,
        "mode": nic.mode,
        "bridge": nic.bridge,
        "network": vif.network.name if vif.network else None,
        "vlan": nic.vlan,
        "ipv4": _address(nic.ipv4),
        "ipv6": _address(nic.ipv6),
        "isolated": nic.isolated,
        "antispoof": nic.antispoof,
        "forward": [
            {
                "address": str(one.public),
                "protocol": one.protocol,
                "ports": list(map(str, one.ports)),
                "guest": str(one.guest),
                "to": one.to,
            }
            for one in passed_on([vif])
        ],
        "xl": list(xl_words(vif)),
        "dom0": _needs(vif),
    }


def _address(setting: Static4 | Static6 | str) -> dict[str, str | None] | str:
    if isinstance(setting, str):
        return setting
    return {"address": str(setting.address), "gateway": str(setting.gateway) if setting.gateway else None}


def _needs(vif: Vif) -> list[str]:
    """In words, for whoever sets up a dom0 without `domu network apply`."""
    nic = vif.nic
    if nic.mode == "bridge":
        tag = f" that keeps VLAN {nic.vlan} apart" if nic.vlan else ""
        return [f"bridge {nic.bridge}, with the outer interface as a port{tag}"]
    outside = vif.way_out or "the outside"
    if nic.mode == "nat":
        return [f"private bridge {nic.bridge}", "net.ipv4.ip_forward=1", f"masquerade of what leaves by {outside}"]
    # xen-utils' vif-route adds the IPv4 route, and proxy ARP on the vif, when the guest starts.
    needs = ["net.ipv4.ip_forward=1"]
    if isinstance(nic.ipv4, Static4):
        needs.append(f"route to {vif.v4}/32 by the vif, which its script adds")
        needs += [f"answers for the gateway {nic.ipv4.gateway} on the vif (proxy ARP)"] if nic.ipv4.gateway else []
    if vif.v6:
        needs += ["net.ipv6.conf.all.forwarding=1", f"route to {vif.v6}/128 by the vif"]
    return needs
