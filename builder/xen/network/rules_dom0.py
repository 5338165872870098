"""What no field of dom0.yaml can say alone: findings N1xx about dom0 and its networks, each with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from builder.findings import Finding, Severity
from builder.profile.dom0 import Dom0
from builder.xen.network.devices import networkd_devices, outer_devices
from builder.xen.network.vif import LONGEST_INTERFACE

Subnet = IPv4Network | IPv6Network
Found = Iterator[tuple[str, Finding]]
# The kernel has settings for these beside those of each interface (net/core/dev.c refuses the names).
_RESERVED = dict.fromkeys(("lo", "all", "default"), "the kernel's own")


def _names(dom0: Dom0) -> Found:
    """One interface, one purpose."""
    taken = {**_RESERVED, dom0.outer: "dom0's outer interface"}
    bridges: set[str] = set()
    for number, network in enumerate(dom0.networks):
        path = f"networks[{number}].name"
        if network.name in taken or network.name in bridges:
            whose = taken.get(network.name, "another network's name")
            yield path, Finding("N101", f"{network.name} is {whose}, too", "choose another name")
        elif "." in network.name and not (network.existing or network.mode == "routed"):
            message = f"{network.name} looks like a VLAN to ifupdown and to Open vSwitch"
            yield path, Finding("N101", message, "choose a name without a dot")
        bridges.add(network.name)
    ports: dict[tuple[str, int], str] = {}
    for number, network in enumerate(dom0.networks):
        for place, port in enumerate(network.ports):
            path = f"networks[{number}].ports[{place}]"
            key = (port, network.vlan or 0)
            if port in bridges and not network.vlan:
                yield path, Finding("N101", f"{port} is a bridge, and a port of another", "name dom0's own interface")
            elif key in ports:
                message = f"{port} is a port of {ports[key]}, too"
                yield path, Finding("N101", message, "a port has one bridge; give one of them a vlan:")
            ports[key] = network.name
            if network.vlan and len(f"{port}.{network.vlan}") > LONGEST_INTERFACE:
                message = f"{port}.{network.vlan} is longer than an interface's name may be ({LONGEST_INTERFACE})"
                yield path, Finding("N102", message, "give the port a shorter name: a .link file, systemd.link(5)")
        if network.outer == network.name and network.mode == "nat":
            message = f"{network.name} is its own way out"
            yield f"networks[{number}].outer", Finding("N101", message, "name the interface to the outside")


def _kept_addresses(dom0: Dom0) -> Found:
    """dom0's own addresses survive what is done to the interface that they are on."""
    for number, network in enumerate(dom0.networks):
        plugged = dom0.outer in network.ports and not network.vlan
        if plugged and not network.existing and not dom0.addresses:
            message = f"{dom0.outer} becomes a port of {network.name}, and dom0's own addresses there are not known"
            hint = "write dom0's addresses: and gateway:, which move to the bridge"
            yield f"networks[{number}].ports", Finding("N103", message, hint)
    if dom0.network_manager == "networkd" and dom0.outer in networkd_devices(dom0) and not dom0.addresses:
        message = f"networkd has one file for {dom0.outer}, and what of dom0's own belongs into it is not known"
        yield "outer", Finding("N103", message, "write dom0's own addresses: and gateway:")
    for device in outer_devices(dom0):
        if dom0.network_manager == "networkd" and device != dom0.outer:
            message = f"networkd has one file for {device}, and what else belongs into it is not known"
            yield "networks", Finding("N103", message, "let public addresses be on dom0's outer, or use ifupdown")


def _gateways(dom0: Dom0) -> Found:
    for key, gateway in (("gateway", dom0.gateway), ("gateway6", dom0.gateway6)):
        own = [one for one in dom0.addresses if gateway and one.version == gateway.version]
        if not gateway or not own:
            if gateway and not gateway.is_link_local:
                yield key, Finding("N104", f"dom0 has a {key} and no address to reach it from", "write addresses:")
            continue
        if gateway in {one.ip for one in own}:
            yield key, Finding("N104", f"the gateway {gateway} is dom0 itself", "write the router's address")
        # With a /32 the gateway is always outside, as some providers have it.
        elif not gateway.is_link_local and not any(
            gateway in it.network or it.network.num_addresses == 1 for it in own
        ):
            networks = ", ".join(str(one.network) for one in own)
            yield key, Finding("N104", f"the gateway {gateway} is outside {networks}", "write one in it")


@dataclass(frozen=True, slots=True)
class _Claim:
    path: str
    kind: Literal["own", "private", "bridged", "routed", "reached"]
    whose: str
    subnet: Subnet


# Kinds of networks that dom0 could not tell apart. A routed one may be a part of its own, for which it answers then;
# what is merely reached by a bridge is not dom0's to route.
_CLASHES = {
    frozenset(pair)
    for pair in (
        *(("private", other) for other in ("private", "own", "bridged", "routed", "reached")),
        ("own", "bridged"),
        ("bridged", "bridged"),
        ("routed", "routed"),
    )
}


def _subnets(dom0: Dom0) -> Found:
    """Each later claim that overlaps with an earlier one of another network."""
    claims = [*_claims(dom0)]
    for number, one in enumerate(claims):
        for other in claims[:number]:
            same = one.subnet.version == other.subnet.version and one.subnet.overlaps(other.subnet)
            if same and one.whose != other.whose and frozenset((one.kind, other.kind)) in _CLASHES:
                message = f"{one.subnet} overlaps with {other.subnet}, {other.whose}"
                yield one.path, Finding("N105", message, "choose another, as in 10.17.3.0/24 for a private one")


def _claims(dom0: Dom0) -> Iterator[_Claim]:
    for place, address in enumerate(dom0.addresses):
        yield _Claim(f"addresses[{place}]", "own", "dom0's own outside", address.network)
    for number, network in enumerate(dom0.networks):
        whose, path = f"that of {network.name}", f"networks[{number}]"
        for place, address in enumerate(network.addresses):
            kind: Literal["private", "bridged"] = "private" if network.mode == "nat" else "bridged"
            yield _Claim(f"{path}.addresses[{place}]", kind, whose, address.network)
        for place, subnet in enumerate(network.subnets):
            reached: Literal["routed", "reached"] = "routed" if network.mode == "routed" else "reached"
            yield _Claim(f"{path}.subnets[{place}]", reached, whose, subnet)


def _own_addresses(dom0: Dom0) -> Found:
    seen: dict[object, str] = {}
    listed = [(f"addresses[{number}]", one) for number, one in enumerate(dom0.addresses)]
    listed += [(f"networks[{number}].addresses[{place}]", one) for number, network in enumerate(dom0.networks)
               for place, one in enumerate(network.addresses)]  # fmt: skip
    for path, one in listed:
        if one.ip in seen:
            yield path, Finding("N106", f"dom0 has {one.ip} twice: {seen[one.ip]}", "keep one")
        seen.setdefault(one.ip, path)
        network = one.network
        if one.ip.is_multicast or one.ip.is_unspecified or one.ip.is_loopback:
            yield path, Finding("N106", f"{one.ip} is no address of a host", "write dom0's own address")
        elif network.num_addresses > 2 and one.ip == network.network_address:
            yield path, Finding("N106", f"{one.ip} is the whole network {network}", "write dom0's own address in it")
        elif one.version == 4 and network.num_addresses > 2 and one.ip == network.broadcast_address:
            yield path, Finding("N106", f"{one.ip} is the broadcast address of {network}", "write dom0's own address")


def _public(dom0: Dom0) -> Found:
    """Public addresses are nobody else's."""
    seen: dict[object, str] = {}
    private = {one.ip for network in dom0.networks if network.mode == "nat" for one in network.addresses}
    for number, network in enumerate(dom0.networks):
        for place, address in enumerate(network.public):
            path = f"networks[{number}].public[{place}]"
            if address in seen and seen[address] != dom0.way_out(network):
                message = f"{address} cannot be on {seen[address]} and {dom0.way_out(network)}"
                yield path, Finding("N107", message, "keep one of the two")
            seen.setdefault(address, dom0.way_out(network))
            if address in {dom0.gateway, dom0.gateway6}:
                yield path, Finding("N107", f"{address} is dom0's gateway", "write an address that is dom0's to use")
            elif address in private:
                yield path, Finding("N107", f"{address} is dom0's in a private network", "write a public address")
            elif address.is_multicast or address.is_unspecified or address.is_loopback:
                yield path, Finding("N107", f"{address} is no address of a host", "write a public address")


def _way_out(dom0: Dom0) -> Found:
    """Routed guests get dom0's own address shown, which must be known to be there."""
    for number, network in enumerate(dom0.networks):
        if network.mode == "routed" and network.kind == "linux" and not dom0.addresses:
            message = (
                f"{network.name}: which addresses dom0 has outside is not known, so guests' gateways are not checked"
            )
            hint = "write dom0's own addresses:"
            yield f"networks[{number}]", Finding("N108", message, hint, severity=Severity.NOTE)


DOM0_RULES: tuple[Callable[[Dom0], Found], ...] = (
    _names,
    _kept_addresses,
    _gateways,
    _subnets,
    _own_addresses,
    _public,
    _way_out,
)
