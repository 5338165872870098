"""dom0's interfaces, addresses and routes as `ip -json` tells them (iproute2 6.1), and as they shall be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv6Address
from typing import Any, Literal, Self

from builder.errors import BuilderError
from builder.xen.live_switches import KIND, Switch, parse_switches

FOREVER = 4_294_967_295  # INFINITY_LIFE_TIME, linux/if_addr.h
# What the kernel lays and takes away by itself: with an address, or by advertisements.
_BY_KERNEL = {"kernel", "ra", "redirect"}
LOOK_LINKS = ("ip", "-json", "-details", "link", "show")
LOOK_ADDRESSES = ("ip", "-json", "address", "show")
LOOK_ROUTES: Mapping[Literal[4, 6], tuple[str, ...]] = {
    4: ("ip", "-json", "-4", "route", "show", "table", "all"),
    6: ("ip", "-json", "-6", "route", "show", "table", "all"),
}
LOOK_PROXIES = ("ip", "-json", "neighbour", "show", "proxy")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An address of an interface; lifetimes in seconds, for leased ones."""

    local: str
    prefix: int
    peer: str = ""
    broadcast: str = ""
    valid: int = FOREVER
    preferred: int = FOREVER

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes it the same address, whatever is left of its lease."""
        return self.local, self.prefix, self.peer

    def __str__(self) -> str:
        return f"{self.local}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. `kind` is empty for a physical one; `mtu` and `mac` None where they do not matter.

    `plugged`: a bridge's ports, which it gets again where it has to be made again.
    """

    name: str
    kind: str = ""
    up: bool = True
    master: str = ""
    parent: str = ""
    vlan: int = 0
    vlan_aware: bool = False
    mtu: int | None = None
    mac: str | None = None
    addresses: tuple[Address, ...] = ()
    plugged: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """A route that somebody laid, not the kernel."""

    family: Literal[4, 6]
    destination: str
    device: str
    gateway: str = ""
    source: str = ""
    metric: int = 0
    table: str = ""
    protocol: str = ""
    scope: str = ""
    kind: str = ""
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """All interfaces by name, the routes, and the addresses that are answered for (address, interface).

    `switches`: the bridges of Open vSwitch; `unswitched`: why nothing is known of them, empty where it is.
    """

    links: Mapping[str, Link]
    routes: frozenset[Route]
    proxies: frozenset[tuple[str, str]] = frozenset()
    switches: Mapping[str, Switch] = field(default_factory=dict)
    unswitched: str = field(default="", compare=False)

    @classmethod
    def parse(
        cls, links: str, addresses: str, routes: Mapping[Literal[4, 6], str], proxies: str, switches: str = ""
    ) -> Self:
        """Of the answers to LOOK_LINKS, LOOK_ADDRESSES, LOOK_ROUTES, LOOK_PROXIES and LOOK_SWITCHES.

        BuilderError for what is understood only in part.
        """
        known = parse_switches(switches) if switches else {}
        items = [item for item in _items(links, "ip link") if "ifname" in item]
        held = {item.get("ifname"): item.get("addr_info", ()) for item in _items(addresses, "ip address")}
        plugged: dict[str, list[str]] = {}
        for item in items:
            plugged.setdefault(item.get("master", ""), []).append(item["ifname"])
        found = [_link(item, held.get(item["ifname"], ()), plugged.get(item["ifname"], ())) for item in items]
        laid = [_route(family, item) for family, text in routes.items() for item in _items(text, "ip route")]
        answered = frozenset((item["dst"], item["dev"]) for item in _items(proxies, "ip neighbour"))
        links_by_name = {link.name: _switched(link, known) for link in found}
        return cls(links_by_name, frozenset(route for route in laid if route), answered, known)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Of `to_data`."""
        links = [
            Link(
                **{
                    **item,
                    "addresses": tuple(Address(**one) for one in item["addresses"]),
                    "plugged": tuple(item.get("plugged", ())),
                }
            )
            for item in data["links"]
        ]
        routes = frozenset(Route(**item) for item in data["routes"])
        proxies = frozenset((one, by) for one, by in data["proxies"])
        switches = [Switch.from_data(one) for one in data.get("switches", ())]
        return cls({link.name: link for link in links}, routes, proxies, {one.name: one for one in switches})

    def to_data(self) -> dict[str, Any]:
        """As plain data, for a journal."""
        links = [asdict(self.links[name]) for name in sorted(self.links)]
        routes = [asdict(route) for route in sorted(self.routes)]
        switches = [self.switches[name].to_data() for name in sorted(self.switches)]
        return {"links": links, "routes": routes, "proxies": sorted(map(list, self.proxies)), "switches": switches}

    def only(self, names: Iterable[str]) -> Self:
        """The part of it that these interfaces are."""
        wanted = frozenset(names)
        links = {name: link for name, link in self.links.items() if name in wanted}
        return replace(
            self,
            links=links,
            routes=frozenset(one for one in self.routes if one.device in wanted),
            proxies=frozenset(one for one in self.proxies if one[1] in wanted),
            switches={name: one for name, one in self.switches.items() if name in wanted},
        )

    def ports_of(self, bridge: str) -> tuple[str, ...]:
        """The interfaces that are plugged into a bridge, by name."""
        return tuple(sorted(name for name, link in self.links.items() if link.master == bridge))


def _items(text: str, what: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text or "[]")
    except ValueError as error:
        raise BuilderError(f"{what} told something that is no JSON", "iproute2 4.18 or newer is needed") from error
    if not isinstance(found, list):
        raise BuilderError(f"{what} told no list", "iproute2 4.18 or newer is needed")
    return [item for item in found if isinstance(item, dict)]


def _link(item: Mapping[str, Any], addresses: Iterable[Mapping[str, Any]], plugged: Iterable[str]) -> Link:
    info = item.get("linkinfo", {})
    data = info.get("info_data", {})
    return Link(
        name=item["ifname"],
        kind=info.get("info_kind", ""),
        up="UP" in item["flags"],
        master=item.get("master", ""),
        parent=item.get("link", "") if info.get("info_kind") == "vlan" else "",
        vlan=data.get("id", 0) if info.get("info_kind") == "vlan" else 0,
        vlan_aware=bool(data.get("vlan_filtering", 0)),
        mtu=item["mtu"],
        mac=item.get("address"),
        addresses=tuple(_address(one) for one in addresses if _is_given(one, item)),
        plugged=tuple(sorted(plugged)),
    )


def _switched(link: Link, switches: Mapping[str, Switch]) -> Link:
    """With its bridge as master, where the kernel names the data path or, with that of user space, nothing."""
    if link.name in switches:
        return replace(link, kind=KIND, master="")
    return replace(
        link, master=next((one.name for one in switches.values() if link.name in one.port_names), link.master)
    )


def _is_given(address: Mapping[str, Any], link: Mapping[str, Any]) -> bool:
    """Not one that the kernel makes: of an advertisement, or a link-local one of the MAC or of a secret."""
    local = address.get("local", "")
    if not local or address.get("mngtmpaddr"):
        return False
    if not local.startswith("fe80:"):
        return True
    mode = link.get("inet6_addr_gen_mode")
    return not (mode in {"stable_secret", "random"} or (mode == "eui64" and local == str(link_local(link["address"]))))


def link_local(mac: str) -> IPv6Address:
    """What the kernel makes of a MAC (EUI-64, RFC 4291 appendix A)."""
    one = bytes.fromhex(mac.replace(":", ""))
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([one[0] ^ 2]) + one[1:3] + b"\xff\xfe" + one[3:])


def _address(item: Mapping[str, Any]) -> Address:
    return Address(
        local=item["local"],
        prefix=item["prefixlen"],
        peer=item.get("address", ""),
        broadcast=item.get("broadcast", ""),
        valid=item.get("valid_life_time", FOREVER),
        preferred=item.get("preferred_life_time", FOREVER),
    )


def _route(family: Literal[4, 6], item: Mapping[str, Any]) -> Route | None:
    """None for the kernel's own; several next hops are beyond what is put back here, so nothing is begun."""
    if item.get("protocol") in _BY_KERNEL or item.get("table") == "local" or item.get("type") in {"local", "multicast"}:
        return None
    if "nexthops" in item or "nhid" in item:
        raise BuilderError(
            f"the route to {item.get('dst')} has several next hops or a next hop object",
            "domu cannot put such a route back; lay one with a single next hop, or set the network up by hand",
        )
    return Route(
        family=family,
        destination=item["dst"],
        device=item.get("dev", ""),
        gateway=item.get("gateway", "") or item.get("via", {}).get("host", ""),
        source=item.get("prefsrc", ""),
        # iproute2 shows an IPv6 route's default metric, 1024, and takes it as well
        metric=item.get("metric", 0),
        table=str(item.get("table", "")),
        protocol=item.get("protocol", ""),
        scope=item.get("scope", "") if family == 4 else "",
        kind=item.get("type", ""),
        onlink="onlink" in item.get("flags", ()),
    )
