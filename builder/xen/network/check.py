"""Conflicts in a site's network: within dom0.yaml, of each NIC with dom0.yaml, and of guests with one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Interface

from builder.findings import Finding
from builder.profile.dom0 import Dom0, Network
from builder.profile.load import LoadedSite
from builder.profile.rules import Origins, place_of
from builder.xen.network.devices import bridges_of
from builder.xen.network.forwards import Passed, passed_on
from builder.xen.network.rules_dom0 import DOM0_RULES
from builder.xen.network.rules_guest import VIF_RULES
from builder.xen.network.vif import Vif, all_vifs


def check_network(loaded: LoadedSite) -> Iterator[Finding]:
    """Every finding at the line that set the value; what guests have to do with dom0 only where it has networks."""
    dom0, made = loaded.dom0, [*loaded.guests, *(guest for guest in loaded.unsound.values() if guest)]
    guests = {guest.name: guest for guest in made}
    for rule in DOM0_RULES:
        for path, finding in rule(dom0):
            yield replace(finding, place=place_of(loaded.dom0_origins, path))
    vifs = all_vifs(guests.values(), dom0)
    found = [*_same_names(vifs, dom0)]
    if dom0.networks:
        found += [(vif.guest, path, finding) for vif in vifs for rule in VIF_RULES for path, finding in rule(vif, dom0)]
        found += _unanswered(vifs)
        found += _same_ports(passed_on(vifs), loaded.origins)
    for guest, path, finding in found:
        yield replace(finding, place=place_of(loaded.origins[guest], path), guest=guest)


def _same_names(vifs: Sequence[Vif], dom0: Dom0) -> Iterator[tuple[str, str, Finding]]:
    """Names are made of the guests', so only those of long names can be alike, or those of dom0's interfaces."""
    by_name: defaultdict[str, list[Vif]] = defaultdict(list)
    for vif in vifs:
        by_name[vif.name].append(vif)
    bridges = {bridge.name: bridge for bridge in bridges_of(dom0)}
    own = {dom0.outer, *bridges, *(port.name for bridge in bridges.values() for port in bridge.ports)}
    macs = {bridge.mac: bridge.name for bridge in bridges.values() if bridge.mac}
    for vif in vifs:
        others = [other.guest for other in by_name[vif.name] if other.guest != vif.guest]
        if others:
            message = f"the vif {vif.name} would be {', '.join(others)}'s, too"
            yield vif.guest, f"nics[{vif.number}]", Finding("N202", message, "give one of the guests another name")
        if vif.name in own:
            message = f"the vif {vif.name} would have the name of dom0's own interface"
            yield vif.guest, f"nics[{vif.number}]", Finding("N202", message, "give the guest or the interface another")
        if vif.mac in macs:
            message = f"{vif.mac} is the MAC address of dom0's {macs[vif.mac]}"
            yield vif.guest, f"nics[{vif.number}].mac", Finding("N202", message, "give the NIC another")


def _unanswered(vifs: Sequence[Vif]) -> Iterator[tuple[str, str, Finding]]:
    """Behind NAT nobody answers DHCP unless dom0.yaml says so; each NIC is told a free address of its own."""
    taken = {ip for vif in vifs for ip in vif.nic.fixed_addresses}
    for vif in vifs:
        network = vif.network
        if network is None or network.mode != "nat" or vif.nic.mode != "nat" or vif.nic.ipv4 != "dhcp" or network.dhcp:
            continue
        if (free := _free_address(network, taken)) is not None:
            taken.add(free.ip)
        wanted = f"{{address: {free}}}" if free else "none"
        message = f"{network.name} has no DHCP server, so the guest would get no address there"
        hint = f"write ipv4: {wanted}; or dhcp: true in dom0.yaml, where you run one"
        yield vif.guest, f"nics[{vif.number}].ipv4", Finding("N212", message, hint)


def _free_address(network: Network, taken: Container[object]) -> IPv4Interface | None:
    """The first IPv4 address of the network that neither dom0 nor a guest has; None: it has none."""
    own = [one for one in network.addresses if isinstance(one, IPv4Interface)]
    held = {one.ip for one in own}
    hosts = ((ip, one.network.prefixlen) for one in own for ip in one.network.hosts())
    return next((IPv4Interface((ip, size)) for ip, size in hosts if ip not in taken and ip not in held), None)


def _same_ports(passed: Sequence[Passed], origins: Mapping[str, Origins]) -> Iterator[tuple[str, str, Finding]]:
    """One port of a public address leads to one guest; each of those that claim it is told of the others."""
    by_address: defaultdict[object, list[Passed]] = defaultdict(list)
    for one in passed:
        by_address[one.public].append(one)
    for claims in by_address.values():
        for one in claims:
            for other in claims:
                if other is not one and (shared := _shared(one, other)):
                    where = f"{other.name} ({place_of(origins[other.name], other.path)})"
                    message = f"{shared} of {one.public} is forwarded to {where}, too"
                    yield one.name, one.path, Finding("N207", message, "forward it to one of them")


def _shared(one: Passed, other: Passed) -> str:
    if "all" in {one.protocol, other.protocol}:
        return "all" if one.protocol == other.protocol else "a part"
    pairs = [(a, b) for a in one.ports for b in other.ports if a.overlaps(b)]
    if one.protocol != other.protocol or not pairs:
        return ""
    return f"{one.protocol} port {max(pairs[0][0].first, pairs[0][1].first)}"
