"""Units of systemd-networkd: .netdev and .network files, and the .link files that udev reads under either manager."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from builder.profile.dom0 import Dom0
from builder.xen.network.devices import Bridge, Interface, added_addresses, bridges_of, outer_devices
from builder.xen.network.vif import Vif

Section = tuple[str, Sequence[tuple[str, object]]]
_PREFIX = "50-domu-"


def link_files(dom0: Dom0) -> dict[str, str]:
    """File name -> text. Without them udev gives a new bridge a MAC of its own (MACAddressPolicy=persistent).

    A bridge that stands in for its port must have the port's: providers and DHCP servers know dom0 by it.
    """
    ported = [bridge for bridge in bridges_of(dom0) if bridge.ports and not bridge.openvswitch]
    return {
        f"{_PREFIX}{bridge.name}.link": _unit(
            [("Match", [("OriginalName", bridge.name)]), ("Link", [("MACAddressPolicy", "none")])]
        )
        for bridge in ported
    }


def networkd_files(dom0: Dom0, vifs: Sequence[Vif]) -> dict[str, str]:
    """File name -> text (systemd.netdev(5), systemd.network(5))."""
    files: dict[str, str] = {}
    for bridge in bridges_of(dom0, vifs):
        files.update((f"{_PREFIX}{name}", _unit(sections)) for name, sections in _bridge(bridge))
    for device in outer_devices(dom0):
        gateways = [one for one in (dom0.gateway, dom0.gateway6) if one and device == dom0.outer]
        own = dom0.addresses if device == dom0.outer else ()
        held = (*own, *added_addresses(dom0)[device])
        network = [*(("DNS", one) for one in dom0.dns), *_held(held, gateways)]
        files[f"{_PREFIX}{device}.network"] = _unit([("Match", [("Name", device)]), *_network(network)])
    return files


def _bridge(bridge: Bridge) -> Iterator[tuple[str, list[Section]]]:
    name, network = bridge.name, bridge.network
    mtu = [("MTUBytes", network.mtu)] if network.mtu else []
    if not bridge.openvswitch:
        mac = bridge.mac or "none"  # none: the kernel's rule, the lowest of its ports
        keys = [("STP", "no"), ("ForwardDelaySec", "0"), *([("VLANFiltering", "yes")] if network.vlan_aware else [])]
        yield (
            f"{name}.netdev",
            [
                ("NetDev", [("Name", name), ("Kind", "bridge"), ("MACAddress", mac), *mtu]),
                ("Bridge", keys),
            ],
        )
    plugged = [] if bridge.openvswitch else [("Bridge", name)]
    for port in bridge.ports:
        tags: list[Section] = [("BridgeVLAN", [("VLAN", tag)]) for tag in bridge.tags]
        if tags:
            tags.insert(0, ("BridgeVLAN", [("VLAN", 1), ("PVID", 1), ("EgressUntagged", 1)]))
        if port.parent:
            yield (
                f"{port.name}.netdev",
                [
                    ("NetDev", [("Name", port.name), ("Kind", "vlan"), *mtu]),
                    ("VLAN", [("Id", port.tag)]),
                ],
            )
            yield f"{port.parent}.network", [("Match", [("Name", port.parent)]), ("Network", [("VLAN", port.name)])]
        yield (
            f"{port.name}.network",
            [
                ("Match", [("Name", port.name)]),
                ("Link", mtu),
                ("Network", [*plugged, ("LinkLocalAddressing", "no"), ("LLDP", "no")]),
                *tags,
            ],
        )
    yield (
        f"{name}.network",
        [
            ("Match", [("Name", name)]),
            ("Link", [("RequiredForOnline", "no")] if not bridge.moved else []),
            ("Network", [("ConfigureWithoutCarrier", "yes"), *_held(bridge.addresses, bridge.gateways)]),
        ],
    )


def _held(addresses: Iterable[Interface], gateways: Iterable[object]) -> list[tuple[str, object]]:
    return [*(("Address", one) for one in addresses), *(("Gateway", one) for one in gateways)]


def _network(keys: Sequence[tuple[str, object]]) -> list[Section]:
    return [("Network", keys)]


def _unit(sections: Iterable[Section]) -> str:
    written = [(name, keys) for name, keys in sections if keys]
    return "\n".join(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys) for name, keys in written)
