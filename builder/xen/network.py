"""What each vif of a guest needs in dom0, told as facts: which bridge or route, which addresses. Changes nothing."""

from __future__ import annotations

import json
from typing import Any

from builder.profile.model import Guest, Nic, Static4, Static6


def render_network_json(guest: Guest) -> str:
    """`network/vifs.json`: one entry per NIC, in the guest's order; `dom0` says what has to be there."""
    pairs = zip(guest.macs, guest.nics, strict=True)
    vifs = [_vif(mac, nic) for mac, nic in pairs]
    return json.dumps({"guest": guest.name, "vifs": vifs}, indent=2, sort_keys=True) + "\n"


def _vif(mac: str, nic: Nic) -> dict[str, Any]:
    return {
        "mac": mac,
        "mode": nic.mode,
        "bridge": nic.bridge,
        "ipv4": _address(nic.ipv4),
        "ipv6": _address(nic.ipv6),
        "dom0": _needs(nic),
    }


def _address(setting: Static4 | Static6 | str) -> dict[str, str | None] | str:
    if isinstance(setting, str):
        return setting
    return {"address": str(setting.address), "gateway": str(setting.gateway) if setting.gateway else None}


def _needs(nic: Nic) -> list[str]:
    if nic.mode == "bridge":
        return [f"bridge {nic.bridge}, with the outer interface as a port"]
    if nic.mode == "nat":
        return [f"private bridge {nic.bridge}", "net.ipv4.ip_forward=1", "masquerade of what leaves for the outside"]
    # xen-utils' vif-route adds the route, and proxy ARP on the vif, when the guest starts.
    needs = ["net.ipv4.ip_forward=1"]
    if isinstance(nic.ipv4, Static4):
        needs.append(f"route to {nic.ipv4.address.ip}/32 by the vif, which its script adds")
        needs += [f"answers for the gateway {nic.ipv4.gateway} on the vif (proxy ARP)"] if nic.ipv4.gateway else []
    return needs
