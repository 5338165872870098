"""What dom0's interfaces shall be: dom0.yaml laid over what they are now, and what was ours taken away again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from builder.findings import Finding
from builder.profile.dom0 import Dom0, Network
from builder.xen.live import Address, Link, Live, Route
from builder.xen.live_steps import MADE
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


def target_of(dom0: Dom0, vifs: Sequence[Vif], now: Live, *, origin: Live = _NOTHING) -> Target:
    """dom0.yaml's bridges, VLANs, addresses and routes over `now`.

    `origin` is what the interfaces of an earlier change were before it: those that dom0.yaml no longer names go
    back to that. Where dom0.yaml does not say dom0's addresses, a port's own move to its bridge, with its routes.
    """
    links = dict(now.links)
    moved: dict[str, str] = {}
    scope: set[str] = set()
    for bridge in bridges_of(dom0, vifs):
        scope |= _lay(bridge, links, moved, keep=not dom0.addresses)
    for device in outer_devices(dom0):
        if device in links:
            scope.add(device)
            links[device] = _and_addresses(links[device], added_addresses(dom0)[device])
    back = origin.links.keys() - scope
    links |= {name: origin.links[name] for name in back}
    scope |= back
    routes = {replace(route, device=moved.get(route.device, route.device)) for route in now.routes}
    routes = {route for route in routes if route.device not in back} | set(origin.only(back).routes)
    for bridge in bridges_of(dom0):
        for gateway in bridge.gateways:
            routes = _with_default(routes, gateway, bridge.name)
    proxies = {(address, moved.get(device, device)) for address, device in now.proxies}
    return Target(Live(links, frozenset(routes), frozenset(proxies)).only(scope), frozenset(scope))


def taken_away(target: Target, made: Sequence[str], origin: Live) -> Target:
    """The same without the bridges and VLANs that an earlier change had made and that nobody wants any more."""
    stale = {name for name in made if name not in target.live.links or name not in target.scope} - origin.links.keys()
    scope = target.scope | stale
    links = {name: link for name, link in target.live.links.items() if name not in stale}
    return Target(replace(target.live, links=links).only(scope - stale), scope)


def _lay(bridge: Bridge, links: dict[str, Link], moved: dict[str, str], *, keep: bool) -> set[str]:
    """The bridge and its ports among `links`; returns their names, and in `moved` whose routes it takes over."""
    mtu = bridge.network.mtu
    seen = links.get(bridge.name, Link(bridge.name, "bridge"))
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
        vlan_aware=bridge.network.vlan_aware,
        mac=mac or seen.mac,
        mtu=mtu or seen.mtu,
        addresses=addresses if keep else tuple(known.get(one.key, one) for one in map(_given, bridge.addresses)),
    )
    links[bridge.name] = _and_addresses(laid, bridge.addresses)
    return {bridge.name, *(port.name for port in bridge.ports), *(port.parent for port in bridge.ports if port.parent)}


def _given(interface: Interface) -> Address:
    return Address(str(interface.ip), interface.network.prefixlen)


def _and_addresses(link: Link, wanted: Sequence[Interface]) -> Link:
    has = {one.key for one in link.addresses}
    added = tuple(one for one in map(_given, wanted) if one.key not in has)
    return replace(link, addresses=(*link.addresses, *added))


def _with_default(routes: set[Route], gateway: IPv4Address | IPv6Address, device: str) -> set[Route]:
    """The default route of dom0.yaml in the place of others; one that is there already stays as it is."""
    others = {one for one in routes if one.destination == "default" and one.family == gateway.version and not one.table}
    if any(one.gateway == str(gateway) and one.device == device for one in others):
        return routes
    laid: Route = (
        Route(4, "default", device, str(gateway))
        if gateway.version == 4
        else Route(6, "default", device, str(gateway), metric=1024)  # IP6_RT_PRIO_USER, net/ip6_route.h
    )
    return (routes - others) | {laid}


def check_live(dom0: Dom0, now: Live, *, made: Sequence[str], vifs: Sequence[str]) -> list[Finding]:
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
        if link and network.name not in made:
            found += _foreign(network, link, now, vifs)
    if dom0.outer not in now.links:
        found.append(_missing(dom0.outer, "mend outer in dom0.yaml"))
    return found


def _missing(name: str, hint: str) -> Finding:
    return Finding("N401", f"there is no interface {name} on this dom0", hint)


def _foreign(network: Network, link: Link, now: Live, vifs: Sequence[str]) -> Iterator[Finding]:
    if link.kind not in MADE:
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
