"""The interfaces of dom0 that its networks need: bridges, their ports, and the addresses that dom0 has on each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

from builder.profile.dom0 import Dom0, Network
from builder.xen.network.vif import Vif

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Port:
    """An interface that is plugged into a bridge; with `parent`, made as VLAN `tag` of it."""

    name: str
    parent: str = ""
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge that domu makes. `moved`: those of `addresses` that dom0 had on `outer`, which is now a port.

    `mac` is empty where the bridge takes that of its first port, as a switch that stands in for it should.
    `tags`: VLANs that its ports carry, where it keeps VLANs apart.
    """

    network: Network
    ports: tuple[Port, ...]
    addresses: tuple[Interface, ...]
    moved: tuple[Interface, ...]
    gateways: tuple[Address, ...]
    mac: str
    tags: tuple[int, ...]

    @property
    def name(self) -> str:
        """The interface's."""
        return self.network.name

    @property
    def openvswitch(self) -> bool:
        """Made by Open vSwitch, which remembers it from boot to boot."""
        return self.network.kind == "openvswitch"


def bridges_of(dom0: Dom0, vifs: Iterable[Vif] = ()) -> tuple[Bridge, ...]:
    """In dom0.yaml's order, without those that are there already."""
    tagged = {(vif.nic.bridge, vif.nic.vlan) for vif in vifs if vif.nic.vlan}
    made = [one for one in dom0.networks if one.mode != "routed" and not one.existing]
    return tuple(_bridge(dom0, one, {tag for bridge, tag in tagged if tag and bridge == one.name}) for one in made)


def _bridge(dom0: Dom0, network: Network, tags: Iterable[int]) -> Bridge:
    takes_over = network.name == dom0.device_of(dom0.outer) != dom0.outer
    moved = dom0.addresses if takes_over else ()
    held = (*moved, *network.addresses)
    addresses = (*held, *added_addresses(dom0).get(network.name, ()))
    ports = tuple(Port(f"{name}.{network.vlan}", name, network.vlan) if network.vlan else Port(name)
                  for name in network.ports)  # fmt: skip
    return Bridge(
        network,
        ports,
        addresses,
        moved,
        tuple(one for one in (dom0.gateway, dom0.gateway6) if one and takes_over),
        "" if ports else derived_bridge_mac(network.name),
        tuple(sorted(tags)) if network.vlan_aware else (),
    )


def added_addresses(dom0: Dom0) -> dict[str, tuple[Interface, ...]]:
    """Device -> the public addresses that NAT networks have dom0 hold there, each with the whole prefix."""
    found: dict[str, dict[Interface, None]] = {}
    own = {one.ip for one in (*dom0.addresses, *(it for network in dom0.networks for it in network.addresses))}
    for network in dom0.networks:
        for address in network.public:
            if address not in own:
                found.setdefault(dom0.way_out(network), {})[ip_interface(address)] = None
    return {device: tuple(addresses) for device, addresses in found.items()}


def derived_bridge_mac(name: str) -> str:
    """A stable one of the locally administered kind: without ports, the bridge's would change with the first vif."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ":".join(["02", *(digest[place : place + 2] for place in range(0, 10, 2))])


def ways_out(dom0: Dom0) -> tuple[str, ...]:
    """The devices by which routed and NAT networks reach the outside, each once."""
    return tuple(dict.fromkeys(dom0.way_out(one) for one in dom0.networks if one.mode != "bridge"))


def owned_interfaces(dom0: Dom0) -> tuple[str, ...]:
    """Interfaces that domu's files configure whole: bridges, their ports, and with networkd also those it adds to."""
    return tuple(dict.fromkeys(_owned(dom0)))


def _owned(dom0: Dom0) -> Iterator[str]:
    for bridge in bridges_of(dom0):
        yield bridge.name
        for port in bridge.ports:
            yield port.name
        yield from (port.parent for port in bridge.ports if port.parent and dom0.network_manager == "networkd")
    if dom0.network_manager == "networkd":
        yield from networkd_devices(dom0)


def outer_devices(dom0: Dom0) -> tuple[str, ...]:
    """Devices that domu does not make and that hold public addresses."""
    made = {bridge.name for bridge in bridges_of(dom0)}
    return tuple(device for device in added_addresses(dom0) if device not in made)


def networkd_devices(dom0: Dom0) -> tuple[str, ...]:
    """Devices that are there without domu, are no bridge's plain port, and that networkd needs domu's file for."""
    bridges = bridges_of(dom0)
    ports = {port.name for bridge in bridges for port in bridge.ports}
    parents = [port.parent for bridge in bridges for port in bridge.ports if port.parent]
    return tuple(dict.fromkeys(name for name in (*parents, *outer_devices(dom0)) if name not in ports))
