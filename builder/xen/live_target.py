"""What dom0's interfaces shall be: dom0.yaml laid over what they are now, and what was ours taken away again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from builder.findings import Finding
from builder.profile.dom0 import Dom0, Network
from builder.xen.live import Address, Link, Live, Route
from builder.xen.live_steps import MADE
from builder.xen.live_switch_target import lay_switches
from builder.xen.live_switches import KIND
from builder.xen.network.devices import Bridge, Interface, added_addresses, bridges_of, outer_devices
from builder.xen.network.vif import Vif

# setup_virtual_bridge_port of Xen's scripts gives this to every vif that joins a bridge.
_VIF_MAC = "fe:ff:ff:ff:ff:ff"
_NOTHING = Live({}, frozenset())


@dataclass(frozen=True, slots=True)
class Target:
    """The interfaces of `scope` as they shall be; no others are touched."""

    live: Live
    scope: frozenset[str]


@dataclass(frozen=True, slots=True)
class Past:
    """Of the interfaces that earlier changes touched: what they were before the first one, and what they became."""

    origin: Live = _NOTHING
    held: Live = _NOTHING

    @property
    def made(self) -> frozenset[str]:
        """The bridges and VLANs that were made by them."""
        return frozenset(self.held.links.keys() - self.origin.links.keys())

    def added(self, device: str) -> set[tuple[str, int, str]]:
        """The addresses that an interface has from them."""
        before, after = (
            {one.key for one in live.links[device].addresses} if device in live.links else set()
            for live in (self.origin, self.held)
        )
        return after - before


def target_of(dom0: Dom0, vifs: Sequence[Vif], now: Live, past: Past) -> Target:
    """dom0.yaml's bridges, VLANs, addresses and routes over `now`; what it no longer names goes back.

    A port's routes move to its bridge. What earlier changes made and nobody wants any more is not in the target.
    """
    links = dict(now.links)
    moved: dict[str, str] = {}
    scope: set[str] = set()
    for bridge in bridges_of(dom0, vifs):
        scope |= _lay(bridge, links, moved)
    for device in outer_devices(dom0):
        if device in links:
            scope.add(device)
            links[device] = _and_addresses(_without(links[device], past), added_addresses(dom0)[device])
    back = past.origin.links.keys() - scope
    links |= {name: _returned(name, now, past) for name in back}
    stale = past.made - scope
    routes = {replace(route, device=moved.get(route.device, route.device)) for route in now.routes}
    replugged = {name for name in back if name not in now.links or now.links[name].master != links[name].master}
    routes = {route for route in routes if route.device not in replugged} | past.origin.only(replugged).routes
    for bridge in bridges_of(dom0):
        for gateway in bridge.gateways:
            routes = _with_default(routes, gateway, bridge)
    proxies = {(address, moved.get(device, device)) for address, device in now.proxies}
    wanted = frozenset((scope | back) - stale)
    switches = lay_switches(bridges_of(dom0, vifs), links, now.switches, past.origin.switches, past.held.switches)
    laid = Live(links, frozenset(routes), frozenset(proxies), switches)
    return Target(laid.only(wanted), wanted | stale)


def _returned(name: str, now: Live, past: Past) -> Link:
    """An interface without what was made of it: as it was where it had become a port, else less what it was given."""
    before = past.origin.links[name]
    link = now.links.get(name)
    if link is None or link.master != before.master:
        return before
    return replace(_without(link, past), mtu=before.mtu)


def _without(link: Link, past: Past) -> Link:
    """Without the addresses that it has from earlier changes."""
    added = past.added(link.name)
    return replace(link, addresses=tuple(one for one in link.addresses if one.key not in added))


def _lay(bridge: Bridge, links: dict[str, Link], moved: dict[str, str]) -> set[str]:
    """The bridge and its ports among `links`; returns their names, and in `moved` whose routes it takes over."""
    mtu = bridge.network.mtu
    seen = links.get(bridge.name, Link(bridge.name, KIND if bridge.openvswitch else "bridge"))
    addresses = seen.addresses
    mac = bridge.mac
    for port in bridge.ports:
        link = links.get(port.name, Link(port.name, "vlan", parent=port.parent, vlan=port.tag))
        mac = mac or link.mac or ""
        addresses += tuple(one for one in link.addresses if one.key not in {held.key for held in addresses})
        moved[port.name] = bridge.name
        links[port.name] = replace(link, up=True, master=bridge.name, addresses=(), mtu=mtu or link.mtu)
        if port.parent in links:
            parent = links[port.parent]
            links[port.parent] = replace(parent, up=True, mtu=max(mtu, parent.mtu) if mtu and parent.mtu else mtu)
    known = {one.key: one for one in addresses}
    laid = replace(
        seen,
        up=True,
        vlan_aware=bridge.network.vlan_aware and not bridge.openvswitch,
        mac=mac or seen.mac,
        mtu=mtu or seen.mtu,
        addresses=tuple(known.get(one.key, one) for one in map(_given, bridge.addresses)),
    )
    links[bridge.name] = _and_addresses(laid, bridge.addresses)
    return {bridge.name, *(port.name for port in bridge.ports), *(port.parent for port in bridge.ports if port.parent)}


def _given(interface: Interface) -> Address:
    return Address(str(interface.ip), interface.network.prefixlen)


def _and_addresses(link: Link, wanted: Sequence[Interface]) -> Link:
    has = {one.key for one in link.addresses}
    added = tuple(one for one in map(_given, wanted) if one.key not in has)
    return replace(link, addresses=(*link.addresses, *added))


def _with_default(routes: set[Route], gateway: IPv4Address | IPv6Address, bridge: Bridge) -> set[Route]:
    """The default route of dom0.yaml in the place of others; one that is there already stays as it is.

    A gateway outside of dom0's own networks, as some providers have it, is reached on the link.
    """
    version = gateway.version
    others = {one for one in routes if one.destination == "default" and one.family == version and not one.table}
    outside = not gateway.is_link_local and not any(gateway in one.network for one in bridge.addresses)
    if any((one.gateway, one.device, one.onlink or not outside) == (str(gateway), bridge.name, True) for one in others):
        return routes
    laid: Route = (
        Route(4, "default", bridge.name, str(gateway), onlink=outside)
        if version == 4
        # IP6_RT_PRIO_USER, net/ip6_route.h
        else Route(6, "default", bridge.name, str(gateway), metric=1024, onlink=outside)
    )
    return (routes - others) | {laid}


def check_live(dom0: Dom0, now: Live, *, made: Collection[str], vifs: Sequence[str]) -> list[Finding]:
    """What in dom0's present state forbids it: foreign bridges of our names, interfaces that are not there.

    `made`: links that an earlier change of ours made; `vifs`: names of guests' vifs, which may be ports of anything.
    """
    found: list[Finding] = []
    for network in dom0.networks:
        if network.mode == "routed":
            continue
        link = now.links.get(network.name)
        if network.existing:
            found += (
                [] if link else [_missing(network.name, "it is said to exist already; make it, or existing: false")]
            )
            continue
        found += [
            _missing(port, "mend ports in dom0.yaml; the interfaces here are: " + ", ".join(sorted(now.links)))
            for port in network.ports
            if port not in now.links
        ]
        if link and network.name in made:
            found += _of_another_kind(network, link)
        elif link:
            found += _foreign(network, link, now, vifs)
    if dom0.outer not in now.links:
        found.append(_missing(dom0.outer, "mend outer in dom0.yaml"))
    return found


def _missing(name: str, hint: str) -> Finding:
    return Finding("N401", f"there is no interface {name} on this dom0", hint)


def _of_another_kind(network: Network, link: Link) -> Iterator[Finding]:
    if (network.kind == KIND) != (link.kind == KIND):
        message = f"{network.name} is a bridge that domu made, of another kind than {network.kind}"
        yield Finding("N402", message, "give the network another name, or first: domu network remove")


def _foreign(network: Network, link: Link, now: Live, vifs: Sequence[str]) -> Iterator[Finding]:
    if link.kind == KIND != network.kind or (network.kind == KIND != link.kind and link.kind in MADE):
        hint = "give the network another name, or mend kind: in dom0.yaml"
        yield Finding("N402", f"{network.name} is there already, and not a bridge of the kind {network.kind}", hint)
        return
    if link.kind not in {*MADE, KIND}:
        kind = f"of the kind {link.kind}" if link.kind else "a physical one"
        yield Finding("N402", f"{network.name} is no bridge, but {kind}", "give the network another name")
        return
    wanted = {f"{port}.{network.vlan}" if network.vlan else port for port in network.ports}
    ports = {name for name in now.ports_of(network.name) if name not in vifs and now.links[name].mac != _VIF_MAC}
    if ports - wanted:
        yield Finding(
            "N402",
            f"{network.name} is a bridge that domu did not make, with other ports: {', '.join(sorted(ports))}",
            "name the network otherwise, list these ports in dom0.yaml, or leave the bridge alone: existing: true",
        )
