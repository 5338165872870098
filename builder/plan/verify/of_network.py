"""What the guest says of its network: addresses by NIC, default routes, name servers, its own name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Interface, IPv6Interface, ip_address

from builder.plan.verify.check import Difference, Runs, Wish, some, warn
from builder.plan.verify.facts import Interface, Route
from builder.plan.verify.of_machine import facts_of
from builder.profile.model import Guest
from builder.profile.nics import Nic, Static4, Static6

_LOOK = "look at /etc/network/interfaces.d/domu and `ip address` in the guest"
_LEASED = {4: "dhcp", 6: "auto"}


def compare_addresses(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Each NIC, found by its MAC, has the profile's fixed addresses and no others."""
    guest = wish.guest
    seen = {interface.mac: interface for interface in facts_of(runs).interfaces.get()}
    for mac, nic in zip(guest.macs, guest.nics, strict=True):
        if mac not in seen:
            yield Difference(f"has no interface with the MAC {mac}", f"xl network-list {guest.name}")
        else:
            yield from _interface(seen[mac], nic)


def _interface(seen: Interface, nic: Nic) -> Iterator[Difference]:
    for version, wanted in ((4, nic.ipv4), (6, nic.ipv6)):
        found = {one for one in seen.addresses if one.version == version}
        if isinstance(wanted, Static4 | Static6):
            advertised = seen.leased if version == 6 else frozenset()  # what routers offer besides is no drift
            yield from _fixed(seen.name, wanted.address, found - advertised | (found & {wanted.address}))
        elif wanted == "none" and found:
            yield Difference(f"{seen.name} has {_texts(found)}, and the profile says ipv{version}: none", _LOOK)
        elif wanted == "dhcp" and not found:
            yield Difference(f"{seen.name} has no IPv4 address: DHCP gave none", _LOOK)


def _fixed(
    name: str, wanted: IPv4Interface | IPv6Interface, found: set[IPv4Interface | IPv6Interface]
) -> Iterator[Difference]:
    if wanted not in found:
        yield Difference(f"{name} has {_texts(found) or 'no address'}, and the profile says {wanted}", _LOOK)
    elif more := found - {wanted}:
        yield warn(f"{name} also has {_texts(more)}, which is not in the profile", _LOOK)


def _texts(addresses: set[IPv4Interface | IPv6Interface]) -> str:
    return some([str(one) for one in addresses])


def compare_routes(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """The default routes go by the profile's gateways."""
    facts, nics = facts_of(runs), wish.guest.nics
    yield from _default(4, facts.routes4.get(), [nic.ipv4 for nic in nics])
    yield from _default(6, facts.routes6.get(), [nic.ipv6 for nic in nics])


def _default(version: int, routes: Sequence[Route], wishes: Sequence[str | Static4 | Static6]) -> Iterator[Difference]:
    gateways = {one.gateway for one in wishes if isinstance(one, Static4 | Static6) and one.gateway}
    seen = {route.gateway for route in routes}
    name = f"the default route of IPv{version}"
    look = "look at `ip route` in the guest"
    if gateways - seen:
        goes = some([str(one) for one in seen]) if seen else "nowhere"
        yield Difference(f"{name} goes by {goes}, not by {some([str(one) for one in gateways])}", look)
    elif "dhcp" in wishes and not routes:
        yield warn(f"there is no default route of IPv{version}", look)
    elif _LEASED[version] not in wishes:
        more = {str(route.gateway) for route in routes if not route.advertised and route.gateway not in gateways}
        if more:
            yield warn(f"{name} also goes by {some(more)}, which is no gateway of the profile", look)


def compare_resolver(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Name servers, where the profile's count: with DHCP they come by it."""
    guest = wish.guest
    if not guest.dns or not _is_fixed(guest):
        return
    seen = facts_of(runs).name_servers.get()
    wanted = [str(one) for one in guest.dns]
    if seen and all(_is_loopback(one) for one in seen):
        yield warn(f"asks a name server of its own ({some(seen)}), which may ask others than the profile's", _RESOLVER)
    elif list(seen) != wanted:
        message = f"asks the name servers {', '.join(seen[:8]) or '(none)'}, and the profile says {', '.join(wanted)}"
        yield Difference(message, _RESOLVER)


_RESOLVER = "look at /etc/resolv.conf in the guest, and at what writes it"


def _is_fixed(guest: Guest) -> bool:
    return guest.nics[0].ipv4 != "dhcp"


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def compare_names(wish: Wish, runs: Runs) -> Iterator[Difference]:
    """Its own name, and the one with domain."""
    guest, facts = wish.guest, facts_of(runs)
    host, fqdn = facts.host_name.get(), facts.fqdn.get()
    if host != guest.name:
        yield Difference(f"calls itself {host}", f"hostnamectl set-hostname {guest.name}; /etc/hosts")
    if guest.domain and fqdn != guest.fqdn:
        hint = "look at /etc/hosts in the guest: 127.0.1.1, or its own address, has both names"
        yield Difference(f"its full name is {fqdn or 'unknown to it'}, not {guest.fqdn}", hint)
