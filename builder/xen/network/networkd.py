"""Units of systemd-networkd: .netdev and .network files, and the .link files that udev reads under either manager."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from builder.profile.dom0 import Dom0
from builder.xen.network.devices import Bridge, Interface, added_addresses, bridges_of, networkd_devices
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
    bridges = bridges_of(dom0, vifs)
    made = [netdev for bridge in bridges for netdev in _netdevs(bridge)]
    files = {f"{_PREFIX}{name}.netdev": _unit(sections) for name, sections in made}
    for name, device in _devices(dom0, bridges).items():
        files[f"{_PREFIX}{name}.network"] = _unit(device.sections(name))
    return files


@dataclass(slots=True)
class _Device:
    """What one .network file says: networkd takes a single file for each interface."""

    link: dict[str, object] = field(default_factory=dict)
    network: list[tuple[str, object]] = field(default_factory=list)
    vlans: list[Section] = field(default_factory=list)

    def sections(self, name: str) -> list[Section]:
        return [("Match", [("Name", name)]), ("Link", [*self.link.items()]), ("Network", self.network), *self.vlans]


def _devices(dom0: Dom0, bridges: Sequence[Bridge]) -> dict[str, _Device]:
    found: defaultdict[str, _Device] = defaultdict(_Device)
    for bridge in bridges:
        mtu: dict[str, object] = {"MTUBytes": bridge.network.mtu} if bridge.network.mtu else {}
        for port in bridge.ports:
            if port.parent:
                found[port.parent].network.append(("VLAN", port.name))
                found[port.parent].link |= mtu
            device = found[port.name]
            device.network += [] if bridge.openvswitch else [("Bridge", bridge.name)]
            device.network += [("LinkLocalAddressing", "no"), ("LLDP", "no")]
            device.link |= mtu
            device.vlans += _trunk(bridge)
        own = found[bridge.name]
        own.link |= mtu | ({} if bridge.moved else {"RequiredForOnline": "no"})
        own.network.append(("ConfigureWithoutCarrier", "yes"))
        own.network += _held(bridge.addresses, bridge.gateways, listens=bool(bridge.moved) and not dom0.gateway6)
        own.network += [("DNS", one) for one in dom0.dns if bridge.moved]
    for name in networkd_devices(dom0):
        own_there = name == dom0.outer
        addresses = (*(dom0.addresses if own_there else ()), *added_addresses(dom0).get(name, ()))
        gateways = [one for one in (dom0.gateway, dom0.gateway6) if one and own_there]
        found[name].network += _held(addresses, gateways, listens=own_there and not dom0.gateway6)
        found[name].network += [("DNS", one) for one in dom0.dns if own_there]
    return dict(found)


def _netdevs(bridge: Bridge) -> Iterator[tuple[str, list[Section]]]:
    name, network = bridge.name, bridge.network
    mtu = [("MTUBytes", network.mtu)] if network.mtu else []
    if not bridge.openvswitch:
        mac = bridge.mac or "none"  # none: the kernel's rule, the lowest of its ports
        keys = [("STP", "no"), ("ForwardDelaySec", "0"), *([("VLANFiltering", "yes")] if network.vlan_aware else [])]
        yield name, [("NetDev", [("Name", name), ("Kind", "bridge"), ("MACAddress", mac), *mtu]), ("Bridge", keys)]
    for port in bridge.ports:
        if port.parent:
            yield port.name, [("NetDev", [("Name", port.name), ("Kind", "vlan"), *mtu]), ("VLAN", [("Id", port.tag)])]


def _trunk(bridge: Bridge) -> list[Section]:
    """VLAN 1 untagged, which is what a port has without any such section."""
    if not bridge.tags:
        return []
    own: Section = ("BridgeVLAN", [("VLAN", 1), ("PVID", 1), ("EgressUntagged", 1)])
    return [own, *(("BridgeVLAN", [("VLAN", tag)]) for tag in bridge.tags)]


def _held(addresses: Iterable[Interface], gateways: Iterable[object], *, listens: bool) -> list[tuple[str, object]]:
    """`listens`: to router advertisements, which networkd does itself; without a word, only hosts would."""
    listed = [*(("Address", one) for one in addresses), *(("Gateway", one) for one in gateways)]
    return [*listed, ("IPv6AcceptRA", "yes" if listens else "no")]


def _unit(sections: Iterable[Section]) -> str:
    written = [(name, keys) for name, keys in sections if keys]
    return "\n".join(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys) for name, keys in written)
