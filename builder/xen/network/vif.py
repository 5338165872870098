"""A guest's vif in dom0: its name, the network that it is on, and what an xl config says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from builder.profile.dom0 import Dom0, Network
from builder.profile.model import Guest
from builder.profile.nics import Nic, Static4, Static6

# IFNAMSIZ is 16 with its end, and a vif of an HVM guest may get a twin with "-emu" behind its name.
LONGEST_VIF = 11
LONGEST_INTERFACE = 15


@dataclass(frozen=True, slots=True)
class Vif:
    """One NIC of one guest as dom0 sees it; `network` is None where dom0.yaml names none for it."""

    guest: str
    number: int
    name: str
    mac: str
    nic: Nic
    network: Network | None
    way_out: str  # the device to the outside, of routed and NAT networks; else empty

    @property
    def v4(self) -> IPv4Address | None:
        """Its fixed IPv4 address."""
        return self.nic.ipv4.address.ip if isinstance(self.nic.ipv4, Static4) else None

    @property
    def v6(self) -> IPv6Address | None:
        """Its fixed IPv6 address."""
        return self.nic.ipv6.address.ip if isinstance(self.nic.ipv6, Static6) else None

    @property
    def link_local(self) -> IPv6Address:
        """What Debian's kernel makes of the MAC (EUI-64, RFC 4291 appendix A)."""
        one = bytes.fromhex(self.mac.replace(":", ""))
        return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([one[0] ^ 2]) + one[1:3] + b"\xff\xfe" + one[3:])


def vif_name(guest: str, number: int) -> str:
    """`web1.0`; of a longer name its beginning and four digits of its SHA-256, as in `long3f2a.0`."""
    name = f"{guest}.{number}"
    if len(name) <= LONGEST_VIF:
        return name
    ending = f"{hashlib.sha256(guest.encode()).hexdigest()[:4]}.{number}"
    return guest[: LONGEST_VIF - len(ending)] + ending


def vifs_of(guest: Guest, dom0: Dom0) -> tuple[Vif, ...]:
    """The guest's vifs, in the order of its NICs."""
    found = []
    for number, (mac, nic) in enumerate(zip(guest.macs, guest.nics, strict=True)):
        network = dom0.network_of(nic)
        way_out = dom0.way_out(network) if network and network.mode != "bridge" else ""
        found.append(Vif(guest.name, number, vif_name(guest.name, number), mac, nic, network, way_out))
    return tuple(found)


def all_vifs(guests: Iterable[Guest], dom0: Dom0) -> tuple[Vif, ...]:
    """Those of all guests, by guest and number."""
    return tuple(vif for guest in sorted(guests, key=lambda one: one.name) for vif in vifs_of(guest, dom0))


def xl_words(vif: Vif) -> Iterator[str]:
    """What attaches it, as `key=value` of an xl config (xl-network-configuration(5)); no MAC, no type.

    A NAT guest is on a private bridge, so for xl it is bridged; the script of a routed one gets its address, and
    the device whose address dom0 shows it (vif-route's netdev).
    """
    nic = vif.nic
    switch = vif.network is not None and vif.network.kind == "openvswitch"
    if nic.mode != "routed":
        tag = f".{nic.vlan}" if switch and nic.vlan else ""
        yield f"bridge={nic.bridge}{tag}"
        yield from ["script=vif-openvswitch"] if switch else []
    elif vif.v4:
        yield from ("script=vif-route", f"ip={vif.v4}")
        yield from [f"gatewaydev={vif.way_out}"] if vif.way_out else []
    yield f"vifname={vif.name}"
