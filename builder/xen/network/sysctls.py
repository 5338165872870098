"""Kernel settings that forwarding for guests takes, as sysctl.d(5) has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from builder.profile.dom0 import Dom0
from builder.xen.network.devices import ways_out
from builder.xen.network.vif import Vif


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A file below /proc/sys (names with slashes: an interface's name may have dots) and what to write there.

    `optional`: it is only there while a module is loaded.
    """

    name: str
    value: str
    optional: bool = False


def sysctls_of(dom0: Dom0, vifs: Sequence[Vif]) -> tuple[Sysctl, ...]:
    """In the order in which they must be written."""
    return tuple(_sysctls(dom0, vifs))


def forwards_ipv6(dom0: Dom0, vifs: Sequence[Vif]) -> bool:
    """Whether any network is dom0's to route in IPv6."""
    private = any(one.version == 6 for network in dom0.networks if network.mode == "nat" for one in network.addresses)
    return private or any(vif.v6 for vif in vifs if vif.network and vif.network.mode == "routed")


def _sysctls(dom0: Dom0, vifs: Sequence[Vif]) -> Iterator[Sysctl]:
    outside = ways_out(dom0)
    private = [one.name for one in dom0.networks if one.mode == "nat"]
    if forwards_ipv6(dom0, vifs):
        # Before forwarding: a router forgets the routes of router advertisements, unless this is 2 (ip-sysctl).
        if not dom0.gateway6:
            yield from (Sysctl(f"net/ipv6/conf/{device}/accept_ra", "2") for device in outside)
        yield Sysctl("net/ipv6/conf/all/forwarding", "1")
        routed = {vif.way_out for vif in vifs if vif.v6 and vif.nic.mode == "routed"}
        yield from (Sysctl(f"net/ipv6/conf/{device}/proxy_ndp", "1") for device in outside if device in routed)
    if outside:
        yield Sysctl("net/ipv4/ip_forward", "1")
    if private:
        # A guest that asks for another's public address would be told to go there directly, and lose the answer.
        # The kernel sends redirects where either of the two says so.
        yield Sysctl("net/ipv4/conf/all/send_redirects", "0")
    for device in private:
        yield Sysctl(f"net/ipv4/conf/{device}/send_redirects", "0")
        yield Sysctl(f"net/ipv4/conf/{device}/rp_filter", "1")
    if any(one.mode != "routed" and one.kind == "linux" for one in dom0.networks):
        # What crosses a bridge is not for the rules of what is routed.
        for family in ("iptables", "ip6tables", "arptables"):
            yield Sysctl(f"net/bridge/bridge-nf-call-{family}", "0", optional=True)


def render_sysctls(settings: Sequence[Sysctl]) -> str:
    """The lines of a sysctl.d file, without a heading."""
    return "".join(f"{'-' if one.optional else ''}{one.name} = {one.value}\n" for one in settings)
