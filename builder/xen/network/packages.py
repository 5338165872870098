"""The Debian packages that a dom0 needs for its networks beside xen-utils."""

from __future__ import annotations

from builder.profile.dom0 import Dom0


def packages_of(dom0: Dom0) -> tuple[str, ...]:
    """Sorted. Routed vifs need net-tools: vif-route calls ifconfig (Xen 4.17)."""
    wanted = {
        "iproute2": True,
        "nftables": True,
        "ifupdown": dom0.network_manager == "ifupdown",
        "net-tools": any(one.mode == "routed" for one in dom0.networks),
        "openvswitch-switch": any(one.kind == "openvswitch" for one in dom0.networks),
    }
    return tuple(sorted(name for name, needed in wanted.items() if needed))
